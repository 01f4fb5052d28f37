// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/store_row.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "gcks/store_key.h"

/*
 * Addresses are 0, 4 or 16 octets; ca is the subjects of the CAs, each ended by a NUL.  An IKE_SA's
 * id and staleness mean something in one run of charon only, so they are not here.
 *
 * Of version 2: sender_ids are 4 octets each, spis 5 (SPI, Sender-ID bits), in network order.
 * made_at is monotonic milliseconds of the boot, created_at the time of day for another boot.
 *
 * Of version 3: a registration that has ended is in the order of those who left its group, with its
 * Sender-IDs and what it may hold, but neither address nor CAs; of a live one `ended` is 0.
 */
const char gcks_store_tables[] =
	"CREATE TABLE registration ("
	" group_id INTEGER NOT NULL, identity TEXT NOT NULL, address BLOB NOT NULL,"
	" credential INTEGER NOT NULL, ca BLOB NOT NULL, registered_at INTEGER NOT NULL,"
	" PRIMARY KEY (group_id, identity)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE sa ("
	" spi INTEGER NOT NULL PRIMARY KEY, group_id INTEGER NOT NULL, group_name TEXT NOT NULL,"
	" generation INTEGER NOT NULL,"
	" encryption INTEGER NOT NULL, encryption_key_bits INTEGER NOT NULL,"
	" integrity INTEGER NOT NULL, sequence_numbers INTEGER NOT NULL,"
	" created_at INTEGER NOT NULL, wrapped_key BLOB NOT NULL) STRICT;"
	"CREATE TABLE kernel_id ("
	" kind INTEGER NOT NULL, spi INTEGER NOT NULL, source BLOB NOT NULL,"
	" destination BLOB NOT NULL, direction INTEGER NOT NULL, action INTEGER NOT NULL,"
	" selector_source BLOB NOT NULL, selector_source_length INTEGER NOT NULL,"
	" selector_destination BLOB NOT NULL, selector_destination_length INTEGER NOT NULL,"
	" priority INTEGER NOT NULL, reqid INTEGER NOT NULL, group_name TEXT NOT NULL,"
	" PRIMARY KEY (kind, spi, source, destination, direction, action, selector_source,"
	" selector_source_length, selector_destination, selector_destination_length,"
	" priority, reqid, group_name)) STRICT, WITHOUT ROWID;";

/* Who was registered held the only SA that there was.  Its lifetime was not limited. */
const char gcks_store_to_version_2[] =
	"ALTER TABLE registration ADD COLUMN delivered INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE registration ADD COLUMN missed INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE registration ADD COLUMN sender_ids BLOB NOT NULL DEFAULT x'';"
	"ALTER TABLE sa ADD COLUMN sender_id_bits INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE sa ADD COLUMN lifetime INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE sa ADD COLUMN activation_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE sa ADD COLUMN made_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE sa ADD COLUMN boot TEXT NOT NULL DEFAULT '';"
	"CREATE UNIQUE INDEX sa_generation ON sa (group_id, generation);"
	"CREATE TABLE numbers ("
	" group_id INTEGER NOT NULL PRIMARY KEY, group_name TEXT NOT NULL,"
	" generation INTEGER NOT NULL, sender_id_reserved INTEGER NOT NULL,"
	" spis BLOB NOT NULL) STRICT;"
	"INSERT INTO numbers SELECT group_id, group_name, max(generation), 0, x''"
	" FROM sa GROUP BY group_id;"
	"UPDATE registration SET delivered = coalesce((SELECT max(generation) FROM sa"
	" WHERE sa.group_id = registration.group_id), 0);"
	"ALTER TABLE kernel_id RENAME TO kernel_id_1;"
	"CREATE TABLE kernel_id ("
	" kind INTEGER NOT NULL, spi INTEGER NOT NULL, source BLOB NOT NULL,"
	" destination BLOB NOT NULL, direction INTEGER NOT NULL, action INTEGER NOT NULL,"
	" selector_source BLOB NOT NULL, selector_source_length INTEGER NOT NULL,"
	" selector_destination BLOB NOT NULL, selector_destination_length INTEGER NOT NULL,"
	" priority INTEGER NOT NULL, reqid INTEGER NOT NULL, mark INTEGER NOT NULL,"
	" receiver INTEGER NOT NULL, group_name TEXT NOT NULL, used INTEGER NOT NULL,"
	" PRIMARY KEY (kind, spi, source, destination, direction, action, selector_source,"
	" selector_source_length, selector_destination, selector_destination_length,"
	" priority, reqid, mark, receiver, group_name)) STRICT, WITHOUT ROWID;"
	"INSERT INTO kernel_id SELECT kind, spi, source, destination, direction, action,"
	" selector_source, selector_source_length, selector_destination,"
	" selector_destination_length, priority, reqid, 0, 0, group_name, 0 FROM kernel_id_1;"
	"DROP TABLE kernel_id_1;"
	"CREATE TABLE anchored (store BLOB NOT NULL, serial INTEGER NOT NULL) STRICT;";

const char gcks_store_to_version_3[] =
	"ALTER TABLE registration ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;"
	"CREATE INDEX registration_ended ON registration (group_id, ended) WHERE ended != 0;";

const char *const gcks_store_statements[GCKS_STORE_CHANGE_KINDS] = {
	[GCKS_PUT_REGISTRATION] = "INSERT OR REPLACE INTO registration"
				  " (group_id, identity, address, credential, ca, registered_at,"
				  " delivered, missed, sender_ids)"
				  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[GCKS_REMOVE_REGISTRATION] = "DELETE FROM registration WHERE group_id = ? AND identity = ?",
	[GCKS_END_REGISTRATION] =
		"UPDATE registration SET ended = ?, delivered = ?, address = x'', ca = x''"
		" WHERE group_id = ? AND identity = ?",
	[GCKS_FORGET_FORMER] =
		"DELETE FROM registration WHERE group_id = ? AND ended != 0 AND ended <= ?",
	[GCKS_PUT_DELIVERED] = "UPDATE registration SET delivered = ?, missed = ?"
			       " WHERE group_id = ? AND identity = ?",
	[GCKS_PUT_SA] =
		"INSERT OR REPLACE INTO sa (spi, group_id, group_name, generation, encryption,"
		" encryption_key_bits, integrity, sequence_numbers, created_at, wrapped_key,"
		" sender_id_bits, lifetime, activation_ms, made_at, boot)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[GCKS_REMOVE_SA] = "DELETE FROM sa WHERE spi = ?",
	[GCKS_PUT_NUMBERS] = "INSERT OR REPLACE INTO numbers VALUES (?, ?, ?, ?, ?)",
	[GCKS_REMOVE_NUMBERS] = "DELETE FROM numbers WHERE group_id = ?",
	[GCKS_PUT_KERNEL_ID] =
		"INSERT OR REPLACE INTO kernel_id"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[GCKS_REMOVE_KERNEL_ID] =
		"DELETE FROM kernel_id WHERE kind = ? AND spi = ? AND source = ?"
		" AND destination = ? AND direction = ? AND action = ? AND selector_source = ?"
		" AND selector_source_length = ? AND selector_destination = ?"
		" AND selector_destination_length = ? AND priority = ? AND reqid = ?"
		" AND mark = ? AND receiver = ? AND group_name = ?",
};

/* ---- writing ---- */

/* Fills a statement's parameters in their order; after a failure it does nothing more. */
struct binder {
	sqlite3_stmt *statement;
	int parameter;
	bool failed;
};

static void put_number(struct binder *binder, int64_t value)
{
	if (sqlite3_bind_int64(binder->statement, ++binder->parameter, value) != SQLITE_OK)
		binder->failed = true;
}

static void put_text(struct binder *binder, const char *text)
{
	if (sqlite3_bind_text(binder->statement, ++binder->parameter, text, -1, SQLITE_TRANSIENT) !=
	    SQLITE_OK)
		binder->failed = true;
}

/* Never NULL to SQLite, which would make it the SQL value NULL. */
static void put_octets(struct binder *binder, const uint8_t *octets, size_t length)
{
	if (sqlite3_bind_blob(binder->statement, ++binder->parameter, octets, (int)length,
			      SQLITE_TRANSIENT) != SQLITE_OK)
		binder->failed = true;
}

static void put_address(struct binder *binder, const struct gcks_address *address)
{
	put_octets(binder, address->octets, address->length);
}

/* Subjects of certificates may hold anything but a NUL. */
static void put_ca(struct binder *binder, const struct gcks_registration *registration)
{
	size_t length = 0;
	char *joined, *end;

	for (size_t i = 0; i < registration->ca_count; i++)
		length += strlen(registration->ca[i]) + 1;
	joined = end = malloc(length + 1);
	if (!joined) {
		binder->failed = true;
		return;
	}
	for (size_t i = 0; i < registration->ca_count; i++)
		end = stpcpy(end, registration->ca[i]) + 1;
	put_octets(binder, (const uint8_t *)joined, length);
	free(joined);
}

static void put_kernel_id(struct binder *binder, const struct gcks_kernel_id *id)
{
	put_number(binder, id->kind);
	put_number(binder, id->spi);
	put_address(binder, &id->source);
	put_address(binder, &id->destination);
	put_number(binder, id->direction);
	put_number(binder, id->action);
	put_address(binder, &id->selector_source.address);
	put_number(binder, id->selector_source.length);
	put_address(binder, &id->selector_destination.address);
	put_number(binder, id->selector_destination.length);
	put_number(binder, id->priority);
	put_number(binder, id->reqid);
	put_number(binder, id->mark);
	put_number(binder, id->receiver);
	put_text(binder, id->group);
}

static void put_be32(uint8_t *out, uint32_t value)
{
	value = htonl(value);
	memcpy(out, &value, sizeof(value));
}

static void put_sender_ids(struct binder *binder, const struct gcks_registration *registration)
{
	uint8_t octets[4 * GCKS_SENDER_IDS_KEPT];
	size_t count = registration->sender_id_count;

	if (count > GCKS_SENDER_IDS_KEPT)
		count = GCKS_SENDER_IDS_KEPT;
	for (size_t i = 0; i < count; i++)
		put_be32(octets + 4 * i, registration->sender_ids[i]);
	put_octets(binder, octets, 4 * count);
}

static void put_numbers(struct binder *binder, const struct gcks_sa_numbers *numbers)
{
	uint8_t octets[5 * GCKS_SPIS_KEPT];

	for (size_t i = 0; i < numbers->spi_count; i++) {
		put_be32(octets + 5 * i, numbers->spis[i].spi);
		octets[5 * i + 4] = numbers->spis[i].sender_id_bits;
	}
	put_number(binder, numbers->group);
	put_text(binder, numbers->group_name);
	put_number(binder, numbers->generation);
	put_number(binder, numbers->sender_id_reserved);
	put_octets(binder, octets, 5 * numbers->spi_count);
}

static const char *put_sa(struct binder *binder, const struct gcks_sa *sa,
			  const struct gcks_store_context *context)
{
	uint8_t wrapped[GSA_WRAP_CIPHER_MAX];
	size_t length;

	if (!gcks_store_key_wrap(&context->key, sa, wrapped, &length))
		return "the SA's key cannot be wrapped";
	put_number(binder, sa->spi);
	put_number(binder, sa->group);
	put_text(binder, sa->group_name);
	put_number(binder, sa->generation);
	put_number(binder, sa->encryption);
	put_number(binder, sa->encryption_key_bits);
	put_number(binder, sa->integrity);
	put_number(binder, sa->sequence_numbers);
	put_number(binder, sa->created_at);
	put_octets(binder, wrapped, length);
	put_number(binder, sa->sender_id_bits);
	put_number(binder, sa->lifetime_s);
	put_number(binder, sa->activates_at - sa->made_at);
	put_number(binder, sa->made_at);
	put_text(binder, context->clock.boot);
	return NULL;
}

bool gcks_store_bind(sqlite3_stmt *statement, const struct gcks_change *change,
		     const struct gcks_store_context *context, const char **reason)
{
	struct binder binder = { .statement = statement };

	*reason = NULL;
	switch (change->kind) {
	case GCKS_PUT_REGISTRATION:
		put_number(&binder, change->registration->group);
		put_text(&binder, change->registration->identity);
		put_address(&binder, &change->registration->address);
		put_number(&binder, change->registration->credential);
		put_ca(&binder, change->registration);
		put_number(&binder, change->registration->registered_at);
		put_number(&binder, change->registration->delivered);
		put_number(&binder, change->registration->missed);
		put_sender_ids(&binder, change->registration);
		break;
	case GCKS_PUT_DELIVERED:
		put_number(&binder, change->registration->delivered);
		put_number(&binder, change->registration->missed);
		put_number(&binder, change->registration->group);
		put_text(&binder, change->registration->identity);
		break;
	case GCKS_END_REGISTRATION:
		put_number(&binder, (int64_t)change->registration->left);
		put_number(&binder, gcks_registration_may_hold(change->registration));
		/* fall through */
	case GCKS_REMOVE_REGISTRATION:
		put_number(&binder, change->registration->group);
		put_text(&binder, change->registration->identity);
		break;
	case GCKS_FORGET_FORMER:
		put_number(&binder, change->former.group);
		put_number(&binder, (int64_t)change->former.up_to);
		break;
	case GCKS_PUT_SA:
		*reason = put_sa(&binder, change->sa, context);
		break;
	case GCKS_REMOVE_SA:
		put_number(&binder, change->sa->spi);
		break;
	case GCKS_PUT_NUMBERS:
		put_numbers(&binder, change->numbers);
		break;
	case GCKS_REMOVE_NUMBERS:
		put_number(&binder, change->numbers->group);
		break;
	case GCKS_PUT_KERNEL_ID:
		put_kernel_id(&binder, change->kernel_id);
		put_number(&binder, change->kernel_id->used);
		break;
	case GCKS_REMOVE_KERNEL_ID:
		put_kernel_id(&binder, change->kernel_id);
		break;
	}
	if (!*reason && binder.failed)
		*reason = "out of memory";
	return !*reason;
}
