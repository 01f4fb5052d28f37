// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/store_rows.h"

struct gcks_registrations stored_registrations;
struct gcks_sa_table stored_sas;
struct gcks_kernel_ids stored_ids;
char stored_identity[] = "site1.blue.example";
char *stored_ca[2] = { "C=DE, O=Blue, CN=Issuing", "C=DE, O=Blue, CN=Root" };

static void clear(void)
{
	gcks_registrations_clear(&stored_registrations);
	gcks_sa_table_clear(&stored_sas);
	gcks_kernel_ids_clear(&stored_ids);
}

void store_rows_stop(void)
{
	clear();
	store_files_remove();
}

void must_load(struct gcks_store *store)
{
	clear();
	ck_assert_msg(gcks_store_load(store, &stored_registrations, &stored_sas, &stored_ids,
				      store_error, sizeof(store_error)),
		      "%s", store_error);
}

void must_commit(struct gcks_store *store, const struct gcks_change *changes, size_t count)
{
	ck_assert_msg(gcks_store_commit(store, changes, count), "%s", gcks_store_error(store));
}

struct gcks_registration a_registration(uint32_t group)
{
	return (struct gcks_registration){
		.group = group,
		.identity = stored_identity,
		.address = { .length = 4, .octets = { 192, 0, 2, 11 } },
		.ike_sa = 7,
		.credential = GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE,
		.ca = stored_ca,
		.ca_count = COUNT(stored_ca),
		.registered_at = 1700000000,
		.stale = true,
	};
}

struct gcks_sa an_sa(uint32_t group, uint32_t spi, uint32_t generation)
{
	struct gcks_sa new = {
		.group = group,
		.group_name = "blue",
		.generation = generation,
		.spi = spi,
		.encryption = 12,
		.encryption_key_bits = 256,
		.integrity = 12,
		.sequence_numbers = 0,
		.created_at = 1700000001,
	};

	ck_assert(gsa_secret_alloc(&new.key, 64));
	for (size_t i = 0; i < new.key.length; i++)
		new.key.data[i] = (uint8_t)(spi + i);
	return new;
}

struct gcks_kernel_id a_policy(uint32_t priority)
{
	return (struct gcks_kernel_id){
		.kind = GCKS_KERNEL_POLICY,
		.source = { .length = 16, .octets = { 0x20, 1, 0xd, 0xb8 } },
		.destination = { .length = 16, .octets = { 0x20, 1, 0xd, 0xb8, 1 } },
		.direction = 3,
		.action = 1,
		.selector_source = { .address = { .length = 4, .octets = { 10, 1 } },
				     .length = 16 },
		.selector_destination = { .address = { .length = 4 }, .length = 0 },
		.priority = priority,
		.reqid = 4242,
		.group = "blue",
	};
}

void fill_store(void)
{
	struct gcks_registration member = a_registration(100);
	struct gcks_sa first = an_sa(100, 0x1001, 1), second = an_sa(100, 0xfffffff1, 2);
	struct gcks_kernel_id id = a_policy(5000);
	struct gcks_change changes[] = {
		{ GCKS_PUT_REGISTRATION, { .registration = &member } },
		{ GCKS_PUT_SA, { .sa = &first } },
		{ GCKS_PUT_SA, { .sa = &second } },
		{ GCKS_PUT_KERNEL_ID, { .kernel_id = &id } },
	};
	struct gcks_store *store = must_open();

	must_commit(store, changes, COUNT(changes));
	gcks_store_close(store);
	gsa_secret_clear(&first.key);
	gsa_secret_clear(&second.key);
}

void must_hold_all(void)
{
	struct gcks_store *store = must_open();

	must_load(store);
	ck_assert_uint_eq(stored_registrations.count, 1);
	ck_assert_ptr_nonnull(stored_sas.head);
	ck_assert_uint_eq(stored_ids.count, 1);
	gcks_store_close(store);
}
