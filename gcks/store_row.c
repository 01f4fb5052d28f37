// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/store_row.h"

#include <stdlib.h>
#include <string.h>

#include "gcks/store_key.h"

/*
 * Addresses are 0, 4 or 16 octets; ca is the subjects of the CAs, each ended by a NUL.  An IKE_SA's
 * id and staleness mean something in one run of charon only, so they are not here.
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

const char *const gcks_store_statements[GCKS_STORE_CHANGE_KINDS] = {
	[GCKS_PUT_REGISTRATION] = "INSERT OR REPLACE INTO registration"
				  " (group_id, identity, address, credential, ca, registered_at)"
				  " VALUES (?, ?, ?, ?, ?, ?)",
	[GCKS_REMOVE_REGISTRATION] = "DELETE FROM registration WHERE group_id = ? AND identity = ?",
	[GCKS_PUT_SA] =
		"INSERT OR REPLACE INTO sa (spi, group_id, group_name, generation, encryption,"
		" encryption_key_bits, integrity, sequence_numbers, created_at, wrapped_key)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[GCKS_REMOVE_SA] = "DELETE FROM sa WHERE spi = ?",
	[GCKS_PUT_KERNEL_ID] =
		"INSERT OR REPLACE INTO kernel_id VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[GCKS_REMOVE_KERNEL_ID] =
		"DELETE FROM kernel_id WHERE kind = ? AND spi = ? AND source = ?"
		" AND destination = ? AND direction = ? AND action = ? AND selector_source = ?"
		" AND selector_source_length = ? AND selector_destination = ?"
		" AND selector_destination_length = ? AND priority = ? AND reqid = ?"
		" AND group_name = ?",
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
	put_text(binder, id->group);
}

static const char *put_sa(struct binder *binder, const struct gcks_sa *sa,
			  const struct gsa_secret *key)
{
	uint8_t wrapped[GSA_WRAP_CIPHER_MAX];
	size_t length;

	if (!gcks_store_key_wrap(key, sa, wrapped, &length))
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
	return NULL;
}

bool gcks_store_bind(sqlite3_stmt *statement, const struct gcks_change *change,
		     const struct gsa_secret *key, const char **reason)
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
		break;
	case GCKS_REMOVE_REGISTRATION:
		put_number(&binder, change->registration->group);
		put_text(&binder, change->registration->identity);
		break;
	case GCKS_PUT_SA:
		*reason = put_sa(&binder, change->sa, key);
		break;
	case GCKS_REMOVE_SA:
		put_number(&binder, change->sa->spi);
		break;
	case GCKS_PUT_KERNEL_ID:
	case GCKS_REMOVE_KERNEL_ID:
		put_kernel_id(&binder, change->kernel_id);
		break;
	}
	if (!*reason && binder.failed)
		*reason = "out of memory";
	return !*reason;
}

/* ---- reading ---- */

/* Takes a row's columns in their order; a value that cannot be is remembered. */
struct cursor {
	sqlite3_stmt *row;
	int column;
	const char *fault;
};

static int64_t get_number(struct cursor *cursor, int64_t min, int64_t max)
{
	int64_t value = sqlite3_column_int64(cursor->row, cursor->column);

	if (sqlite3_column_type(cursor->row, cursor->column++) != SQLITE_INTEGER || value < min ||
	    value > max) {
		cursor->fault = "a number is missing or out of its range";
		return min;
	}
	return value;
}

static const char *get_text(struct cursor *cursor)
{
	const char *text = (const char *)sqlite3_column_text(cursor->row, cursor->column);
	int length = sqlite3_column_bytes(cursor->row, cursor->column++);

	if (!text || strlen(text) != (size_t)length) {
		cursor->fault = "a name is missing or has a NUL in it";
		return "";
	}
	return text;
}

static void get_group_name(struct cursor *cursor, char *name, size_t size)
{
	const char *text = get_text(cursor);

	if (strlen(text) < size)
		strcpy(name, text);
	else
		cursor->fault = "the group's name is too long";
}

static struct gcks_address get_address(struct cursor *cursor)
{
	const void *octets = sqlite3_column_blob(cursor->row, cursor->column);
	int length = sqlite3_column_bytes(cursor->row, cursor->column++);
	struct gcks_address address = { 0 };

	if (length != 0 && length != 4 && length != 16) {
		cursor->fault = "an address has neither 4 nor 16 octets";
		return address;
	}
	address.length = (uint8_t)length;
	if (length)
		memcpy(address.octets, octets, length);
	return address;
}

static struct gcks_prefix get_prefix(struct cursor *cursor)
{
	struct gcks_prefix prefix = { .address = get_address(cursor) };

	prefix.length = (uint8_t)get_number(cursor, 0, prefix.address.length * 8);
	return prefix;
}

/* The subjects stay in the row; *ca is the caller's to free. */
static size_t get_ca(struct cursor *cursor, char ***ca)
{
	const char *octets = sqlite3_column_blob(cursor->row, cursor->column);
	size_t length = (size_t)sqlite3_column_bytes(cursor->row, cursor->column++), count = 0;

	*ca = NULL;
	if (!length)
		return 0;
	if (!octets || octets[length - 1]) {
		cursor->fault = "the last CA has no end";
		return 0;
	}
	for (size_t i = 0; i < length; i++)
		count += !octets[i];
	*ca = calloc(count, sizeof(**ca));
	if (!*ca) {
		cursor->fault = "out of memory";
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		(*ca)[i] = (char *)octets;
		octets += strlen(octets) + 1;
	}
	return count;
}

static const char *read_registration(sqlite3_stmt *row, const struct gsa_secret *key, void *into)
{
	struct cursor cursor = { .row = row };
	struct gcks_registration values = { 0 }, *entry;

	values.group = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	values.identity = (char *)get_text(&cursor); /* borrowed */
	values.address = get_address(&cursor);
	values.credential = (Gsa__Credential)get_number(&cursor, 0, INT32_MAX);
	values.ca_count = get_ca(&cursor, &values.ca);
	values.registered_at = (time_t)get_number(&cursor, 0, INT64_MAX);
	if (!cursor.fault) {
		entry = gcks_registration_new(&values);
		if (entry)
			gcks_registration_insert(into, entry);
		else
			cursor.fault = "out of memory";
	}
	free(values.ca);
	return cursor.fault;
}

static const char *read_sa(sqlite3_stmt *row, const struct gsa_secret *key, void *into)
{
	struct cursor cursor = { .row = row };
	struct gcks_sa *sa = calloc(1, sizeof(*sa));

	if (!sa)
		return "out of memory";
	sa->spi = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	sa->group = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	get_group_name(&cursor, sa->group_name, sizeof(sa->group_name));
	sa->generation = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	sa->encryption = (uint16_t)get_number(&cursor, 0, UINT16_MAX);
	sa->encryption_key_bits = (uint16_t)get_number(&cursor, 0, UINT16_MAX);
	sa->integrity = (uint16_t)get_number(&cursor, 0, UINT16_MAX);
	sa->sequence_numbers = (uint16_t)get_number(&cursor, 0, UINT16_MAX);
	sa->created_at = (time_t)get_number(&cursor, 0, INT64_MAX);
	if (!cursor.fault &&
	    !gcks_store_key_unwrap(key, sa, sqlite3_column_blob(row, cursor.column),
				   sqlite3_column_bytes(row, cursor.column)))
		cursor.fault = "the SA's key cannot be unwrapped: key or row were changed";
	if (cursor.fault)
		gcks_sa_free(sa);
	else
		gcks_sa_insert(into, sa);
	return cursor.fault;
}

static const char *read_kernel_id(sqlite3_stmt *row, const struct gsa_secret *key, void *into)
{
	struct cursor cursor = { .row = row };
	struct gcks_kernel_id id = { 0 };

	id.kind = (enum gcks_kernel_kind)get_number(&cursor, GCKS_KERNEL_SA, GCKS_KERNEL_POLICY);
	id.spi = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	id.source = get_address(&cursor);
	id.destination = get_address(&cursor);
	id.direction = (uint8_t)get_number(&cursor, 0, UINT8_MAX);
	id.action = (uint8_t)get_number(&cursor, 0, UINT8_MAX);
	id.selector_source = get_prefix(&cursor);
	id.selector_destination = get_prefix(&cursor);
	id.priority = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	id.reqid = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	get_group_name(&cursor, id.group, sizeof(id.group));
	if (cursor.fault)
		return cursor.fault;
	return gcks_kernel_ids_add(into, &id) ? NULL : "out of memory";
}

const struct gcks_store_reader gcks_store_registrations = {
	.table = "registration",
	.query = "SELECT group_id, identity, address, credential, ca, registered_at"
		 " FROM registration",
	.read = read_registration,
};

/* Oldest first: insertion puts newer generations before older ones. */
const struct gcks_store_reader gcks_store_sas = {
	.table = "sa",
	.query = "SELECT spi, group_id, group_name, generation, encryption, encryption_key_bits,"
		 " integrity, sequence_numbers, created_at, wrapped_key FROM sa"
		 " ORDER BY group_id, generation",
	.read = read_sa,
};

const struct gcks_store_reader gcks_store_kernel_ids = {
	.table = "kernel_id",
	.query = "SELECT * FROM kernel_id",
	.read = read_kernel_id,
};
