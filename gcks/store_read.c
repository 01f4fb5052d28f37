// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/store_row.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "gcks/former.h"
#include "gcks/store_key.h"

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

static uint32_t get_be32(const uint8_t *octets)
{
	uint32_t value;

	memcpy(&value, octets, sizeof(value));
	return ntohl(value);
}

static size_t get_sender_ids(struct cursor *cursor, uint32_t *ids)
{
	const uint8_t *octets = sqlite3_column_blob(cursor->row, cursor->column);
	size_t length = (size_t)sqlite3_column_bytes(cursor->row, cursor->column++);

	if (length % 4 || length / 4 > GCKS_SENDER_IDS_KEPT) {
		cursor->fault = "the Sender-IDs are too many or cut off";
		return 0;
	}
	for (size_t i = 0; i < length / 4; i++)
		ids[i] = get_be32(octets + 4 * i);
	return length / 4;
}

static const char *read_registration(sqlite3_stmt *row, const struct gcks_store_context *context,
				     void *into)
{
	struct cursor cursor = { .row = row };
	struct gcks_registration values = { 0 }, *entry;
	uint32_t sender_ids[GCKS_SENDER_IDS_KEPT];

	values.group = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	values.identity = (char *)get_text(&cursor); /* borrowed */
	values.address = get_address(&cursor);
	values.credential = (Gsa__Credential)get_number(&cursor, 0, INT32_MAX);
	values.ca_count = get_ca(&cursor, &values.ca);
	values.registered_at = (time_t)get_number(&cursor, 0, INT64_MAX);
	values.delivered = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	values.stored_delivered = values.delivered;
	values.missed = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	values.sender_ids = sender_ids;
	values.sender_id_count = get_sender_ids(&cursor, sender_ids);
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

static const char *read_former(sqlite3_stmt *row, const struct gcks_store_context *context,
			       void *into)
{
	struct cursor cursor = { .row = row };
	struct gcks_registration values = { 0 }, *entry;
	uint32_t sender_ids[GCKS_SENDER_IDS_KEPT];
	struct gcks_sa_group *group;
	uint64_t left;

	values.group = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	values.identity = (char *)get_text(&cursor); /* borrowed */
	values.sender_ids = sender_ids;
	values.sender_id_count = get_sender_ids(&cursor, sender_ids);
	left = (uint64_t)get_number(&cursor, 1, INT64_MAX);
	values.delivered = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	group = gcks_sa_group_find(into, values.group);
	if (!cursor.fault && !group)
		cursor.fault = "its group has no counter of Sender-IDs";
	if (cursor.fault)
		return cursor.fault;
	entry = gcks_registration_new(&values);
	if (!entry)
		return "out of memory";
	group->left = entry->left = left;
	gcks_former_keep(into, entry);
	return NULL;
}

static const char *read_numbers(sqlite3_stmt *row, const struct gcks_store_context *context,
				void *into)
{
	struct cursor cursor = { .row = row };
	struct gcks_sa_numbers numbers = { 0 };
	struct gcks_sa_group *group;
	const uint8_t *octets;
	size_t length;

	numbers.group = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	get_group_name(&cursor, numbers.group_name, sizeof(numbers.group_name));
	numbers.generation = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	numbers.sender_id_reserved = (uint32_t)get_number(&cursor, 0, 1 << 16);
	octets = sqlite3_column_blob(row, cursor.column);
	length = (size_t)sqlite3_column_bytes(row, cursor.column);
	if (length % 5 || length / 5 > GCKS_SPIS_KEPT)
		cursor.fault = "the SPIs are too many or cut off";
	if (cursor.fault)
		return cursor.fault;
	for (; numbers.spi_count < length / 5; numbers.spi_count++, octets += 5) {
		numbers.spis[numbers.spi_count] = (struct gcks_spi){ get_be32(octets), octets[4] };
		if (octets[4] > 16)
			return "an SPI has more than 16 bits of Sender-ID";
	}
	group = gcks_sa_group_get(into, numbers.group, numbers.group_name);
	if (!group)
		return "out of memory";
	group->numbers = numbers;
	/* which of the last block were given is not known */
	group->sender_id_next = numbers.sender_id_reserved;
	return NULL;
}

/*
 * By the monotonic clock if it went on, else by the time of day.  If that is before its making, one
 * of the two times is wrong, and how old it is is not known: so old that it is replaced at once
 * (lifetime_due() of rekey.c), or it would live longer with each such reboot.
 */
static int64_t made_at(const struct gcks_store_context *context, const char *boot, int64_t stored,
		       const struct gcks_sa *sa)
{
	const struct gcks_clock *clock = &context->clock;
	int64_t age;

	if (boot[0] && strcmp(boot, clock->boot) == 0 && stored <= clock->now)
		return stored;
	age = clock->wall - (int64_t)sa->created_at * 1000;
	return clock->now - (age >= 0 ? age : (int64_t)sa->lifetime_s * 900);
}

static const char *read_sa(sqlite3_stmt *row, const struct gcks_store_context *context, void *into)
{
	struct cursor cursor = { .row = row };
	struct gcks_sa *sa = calloc(1, sizeof(*sa));
	const void *wrapped;
	int64_t activation, stored;
	int length;

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
	wrapped = sqlite3_column_blob(row, cursor.column);
	length = sqlite3_column_bytes(row, cursor.column++);
	sa->sender_id_bits = (uint8_t)get_number(&cursor, 0, 16);
	sa->lifetime_s = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	activation = get_number(&cursor, 0, UINT32_MAX);
	stored = get_number(&cursor, INT64_MIN, INT64_MAX);
	sa->made_at = made_at(context, get_text(&cursor), stored, sa);
	sa->activates_at = sa->made_at + activation;
	sa->retires_at = GCKS_NEVER;
	if (!cursor.fault && !gcks_store_key_unwrap(&context->key, sa, wrapped, length))
		cursor.fault = "the SA's key cannot be unwrapped: key or row were changed";
	if (!cursor.fault && !gcks_sa_group_get(into, sa->group, sa->group_name))
		cursor.fault = "out of memory";
	if (cursor.fault)
		gcks_sa_free(sa);
	else
		gcks_sa_insert(into, sa);
	return cursor.fault;
}

static const char *read_kernel_id(sqlite3_stmt *row, const struct gcks_store_context *context,
				  void *into)
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
	id.mark = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	id.receiver = (uint32_t)get_number(&cursor, 0, UINT32_MAX);
	get_group_name(&cursor, id.group, sizeof(id.group));
	id.used = get_number(&cursor, 0, 1);
	if (cursor.fault)
		return cursor.fault;
	return gcks_kernel_ids_add(into, &id) ? NULL : "out of memory";
}

const struct gcks_store_reader gcks_store_registrations = {
	.table = "registration",
	.query = "SELECT group_id, identity, address, credential, ca, registered_at, delivered,"
		 " missed, sender_ids FROM registration WHERE ended = 0",
	.read = read_registration,
};

/* Before the SAs: what they add to is there. */
const struct gcks_store_reader gcks_store_numbers = {
	.table = "numbers",
	.query = "SELECT group_id, group_name, generation, sender_id_reserved, spis FROM numbers",
	.read = read_numbers,
};

/* After the numbers, which their Sender-IDs belong to; in the order of leaving. */
const struct gcks_store_reader gcks_store_former = {
	.table = "registration",
	.query = "SELECT group_id, identity, sender_ids, ended, delivered FROM registration"
		 " WHERE ended != 0 ORDER BY group_id, ended",
	.read = read_former,
};

/* Oldest first: insertion puts newer generations before older ones. */
const struct gcks_store_reader gcks_store_sas = {
	.table = "sa",
	.query = "SELECT spi, group_id, group_name, generation, encryption, encryption_key_bits,"
		 " integrity, sequence_numbers, created_at, wrapped_key, sender_id_bits, lifetime,"
		 " activation_ms, made_at, boot FROM sa"
		 " ORDER BY group_id, generation",
	.read = read_sa,
};

const struct gcks_store_reader gcks_store_kernel_ids = {
	.table = "kernel_id",
	.query = "SELECT * FROM kernel_id",
	.read = read_kernel_id,
};
