// SPDX-License-Identifier: GPL-2.0-or-later
/* What a key server has stored comes back: members, numbers, and who has left. */
#include "gcks/former.h"
#include "tests/unit/stored_key_server.h"

/* As key_server_register_many() names them. */
static const char *name_of(unsigned int number)
{
	static char identity[32];

	snprintf(identity, sizeof(identity), "site%u", number);
	return identity;
}

START_TEST(round_trip)
{
	struct gcks_sa_numbers before;
	struct gcks_registration *entry;
	struct gcks_change delivered = { .kind = GCKS_PUT_DELIVERED };
	uint32_t spi;

	stored_open();
	stored_load();
	stored_granted("site1", 1);
	stored_granted("site2", 2);
	stored_granted("site1", 3);
	gcks_rekey_trigger(key_server_sas(&stored), GCKS_TRIGGER_OPERATOR, stored.now);
	key_server_run(&stored);
	entry = key_server_find(&stored, "site2");
	entry->missed = 2;
	delivered.registration = entry;
	ck_assert(gcks_store_commit(stored.store, &delivered, 1));
	before = key_server_sas(&stored)->numbers;
	spi = gcks_sa_current(&stored.sas, BLUE)->spi;
	stored_reopen();
	entry = key_server_find(&stored, "site1");
	ck_assert_uint_eq(entry->sender_id_count, 2);
	ck_assert_uint_eq(entry->sender_ids[0], 0);
	ck_assert_uint_eq(entry->sender_ids[1], 2);
	ck_assert_uint_eq(entry->delivered, 1); /* not stored: it will be told again */
	entry = key_server_find(&stored, "site2");
	ck_assert_uint_eq(entry->delivered, 2);
	ck_assert_uint_eq(entry->missed, 2);
	ck_assert_mem_eq(&key_server_sas(&stored)->numbers, &before, sizeof(before));
	ck_assert_uint_eq(key_server_sas(&stored)->sa_count, 2);
	ck_assert_uint_eq(gcks_sa_current(&stored.sas, BLUE)->spi, spi);
	ck_assert_uint_eq(gcks_sa_current(&stored.sas, BLUE)->sender_id_bits, 16);
	/* of the last block nobody knows which were given */
	ck_assert_uint_eq(stored_granted("site3", 4).sender_ids[0], 64);
}
END_TEST

START_TEST(bits_belong_to_the_key)
{
	stored_open();
	stored_load();
	stored_granted("site1", 1);
	stored_close();
	edit_database("UPDATE sa SET sender_id_bits = 8");
	stored_open();
	ck_assert(!gcks_store_load(stored.store, &stored.registrations, &stored.sas,
				   &stored_kernel_ids, store_error, sizeof(store_error)));
	ck_assert_ptr_nonnull(strstr(store_error, "cannot be unwrapped"));
}
END_TEST

static size_t former_ids(const char *identity, uint32_t *found)
{
	const struct gcks_registration *former =
		gcks_former_find(key_server_sas(&stored), identity);

	if (!former)
		return 0;
	memcpy(found, former->sender_ids, former->sender_id_count * sizeof(*found));
	return former->sender_id_count;
}

/* Who has left has its Sender-IDs back when it registers again, and nobody else has them. */
START_TEST(former_members)
{
	uint32_t found[GCKS_SENDER_IDS_KEPT];
	struct gcks_registration *entry;

	stored_open();
	stored_load();
	stored_granted("site1", 1);
	stored_granted("site1", 2);
	stored_granted("site2", 3);
	key_server_leave(&stored, "site1");
	key_server_leave(&stored, "site2");
	stored_reopen();
	ck_assert_uint_eq(stored.registrations.count, 0);
	ck_assert_uint_eq(former_ids("site1", found), 2);
	ck_assert_uint_eq(found[0], 0);
	ck_assert_uint_eq(found[1], 1);
	ck_assert_uint_eq(former_ids("site2", found), 1);
	ck_assert_uint_eq(found[0], 2);
	ck_assert_uint_eq(key_server_sas(&stored)->left, 2);
	ck_assert_uint_eq(stored_granted("site1", 4).sender_ids[0], 64);
	stored_reopen();
	entry = key_server_find(&stored, "site1");
	ck_assert_uint_eq(entry->sender_id_count, 3);
	ck_assert_uint_eq(entry->sender_ids[1], 1);
	ck_assert_uint_eq(entry->sender_ids[2], 64);
	ck_assert_uint_eq(former_ids("site1", found), 0);
	ck_assert_uint_eq(former_ids("site2", found), 1);
	/* it leaves after site2 now */
	key_server_leave(&stored, "site1");
	ck_assert_str_eq(key_server_sas(&stored)->former->identity, "site1");
	stored_reopen();
	ck_assert_str_eq(key_server_sas(&stored)->former->identity, "site1");
	ck_assert_uint_eq(former_ids("site1", found), 3);
}
END_TEST

/* In the store, too. */
START_TEST(former_members_are_bounded)
{
	uint32_t found[GCKS_SENDER_IDS_KEPT];
	unsigned int kept = 0;

	stored_open();
	stored_load();
	key_server_register_many(&stored, GCKS_FORMER_KEPT + 20);
	for (unsigned int i = 1; i <= GCKS_FORMER_KEPT + 20; i++)
		key_server_leave(&stored, name_of(i));
	stored_reopen();
	for (const struct gcks_registration *former = key_server_sas(&stored)->former; former;
	     former = former->next)
		kept++;
	ck_assert_uint_eq(kept, GCKS_FORMER_KEPT);
	ck_assert_uint_eq(former_ids("site20", found), 0);
	ck_assert_uint_eq(former_ids("site21", found), 1);
}
END_TEST

/* Its Sender-IDs begin at 0 again: those of before are nobody's. */
START_TEST(former_members_of_a_group_that_begins_anew)
{
	uint32_t found[GCKS_SENDER_IDS_KEPT];

	stored.group->sender_id_bits = 8;
	stored_open();
	stored_load();
	stored_granted("site1", 1);
	key_server_leave(&stored, "site1");
	for (uint32_t i = 1; i < 256; i++)
		ck_assert(!stored_granted(name_of(2 + i % 16), 1 + i).anew);
	ck_assert_uint_eq(former_ids("site1", found), 1);
	ck_assert(stored_granted("site2", 300).anew);
	ck_assert_uint_eq(former_ids("site1", found), 0);
	stored_reopen();
	ck_assert_uint_eq(former_ids("site1", found), 0);
	ck_assert_uint_eq(key_server_find(&stored, "site2")->sender_id_count, 1);
}
END_TEST

/* Put out for not acknowledging: it did not hear of it, of all. */
START_TEST(former_members_that_missed_rekeys)
{
	uint32_t found[GCKS_SENDER_IDS_KEPT];

	stored_open();
	stored_load();
	stored.group->rekey_missed_maximum = 1;
	stored.group->lifetime_data_s = 86400;
	stored_granted("site1", 1);
	stored_granted("site2", 2);
	stored.silent = true;
	for (int rekey = 0; rekey < 3 && key_server_find(&stored, "site1"); rekey++) {
		gcks_rekey_trigger(key_server_sas(&stored), GCKS_TRIGGER_OPERATOR, stored.now);
		key_server_advance(&stored, 200000);
	}
	ck_assert_ptr_null(key_server_find(&stored, "site1"));
	stored_reopen();
	ck_assert_uint_eq(stored.registrations.count, 0);
	ck_assert_uint_eq(former_ids("site1", found), 1);
	ck_assert_uint_eq(found[0], 0);
}
END_TEST

/* gcksd ends between a leave and the rekey that follows it: who has left is known to hold the SA.
 */
START_TEST(left_before_the_rekey)
{
	stored_open();
	stored_load();
	stored.group->rekey_on_leave = true;
	if (_i) {
		stored.group->sharing = GCKS_SHARING_GROUP;
		stored.group->cipher = GCKS_CIPHER_AES256CBC_SHA256;
	}
	stored_granted("site1", 1);
	stored_granted("site2", 2);
	ck_assert(!gcks_former_hold_newest(key_server_sas(&stored)));
	key_server_leave(&stored, "site1");
	stored_reopen();
	ck_assert(gcks_former_hold_newest(key_server_sas(&stored)));
	gcks_registration_set_ike_sa(&stored.registrations, key_server_find(&stored, "site2"), 2);
	gcks_rekey_trigger(key_server_sas(&stored), GCKS_TRIGGER_LEAVE, stored.now);
	key_server_advance(&stored, 2000);
	ck_assert_uint_eq(stored.made, 1);
	ck_assert(!gcks_former_hold_newest(key_server_sas(&stored)));
	stored_reopen();
	ck_assert(!gcks_former_hold_newest(key_server_sas(&stored)));
	/* it may have got what it did not acknowledge */
	key_server_find(&stored, "site2")->delivered = 1;
	key_server_find(&stored, "site2")->pushed = 2;
	key_server_leave(&stored, "site2");
	stored_reopen();
	ck_assert(gcks_former_hold_newest(key_server_sas(&stored)));
}
END_TEST

Suite *store_key_server_suite(void)
{
	Suite *suite = suite_create("store_key_server");
	TCase *tcase = tcase_create("store_key_server");

	tcase_add_checked_fixture(tcase, stored_start, stored_stop);
	tcase_add_test(tcase, round_trip);
	tcase_add_test(tcase, bits_belong_to_the_key);
	tcase_add_test(tcase, former_members);
	tcase_add_test(tcase, former_members_are_bounded);
	tcase_add_test(tcase, former_members_of_a_group_that_begins_anew);
	tcase_add_test(tcase, former_members_that_missed_rekeys);
	tcase_add_loop_test(tcase, left_before_the_rekey, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}
