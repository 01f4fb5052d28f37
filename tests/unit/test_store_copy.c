// SPDX-License-Identifier: GPL-2.0-or-later
/* An older copy of a store, known by its anchor: nothing of it is used. */
#include <sys/stat.h>
#include <unistd.h>

#include "gcks/anchor.h"
#include "tests/unit/stored_key_server.h"

static void begun_anew(const char *reason)
{
	ck_assert_msg(strstr(gcks_store_notice(stored.store), reason) != NULL, "\"%s\"",
		      gcks_store_notice(stored.store));
	ck_assert_uint_eq(stored.registrations.count, 0);
	ck_assert_ptr_null(stored.sas.head);
	ck_assert_uint_eq(key_server_sas(&stored)->numbers.sender_id_reserved, 0);
	ck_assert_uint_eq(stored_granted("site1", 77).sender_ids[0], 0);
	/* and it is the store of today from here on */
	stored_reopen();
	ck_assert_str_eq(gcks_store_notice(stored.store), "");
	ck_assert_uint_eq(stored.registrations.count, 1);
	ck_assert_uint_eq(stored_granted("site2", 78).sender_ids[0], 64);
}

static void fill_and_copy(void)
{
	stored_open();
	stored_load();
	stored_granted("site1", 1);
	stored_close();
	copy_file(store_path, store_file_beside("copy.db"));
	stored_open();
	stored_load();
}

START_TEST(copy_from_before_a_block)
{
	fill_and_copy();
	stored_granted("site2", 2); /* the first block ended with the restart */
	key_server_leave(&stored, "site1");
	stored_close();
	copy_file(store_file_beside("copy.db"), store_path);
	stored_open();
	stored_load();
	begun_anew("is an older copy");
}
END_TEST

START_TEST(copy_from_before_a_generation)
{
	stored.group->sharing = GCKS_SHARING_GROUP;
	stored.group->cipher = GCKS_CIPHER_AES256CBC_SHA256;
	fill_and_copy();
	gcks_registration_set_ike_sa(&stored.registrations, key_server_find(&stored, "site1"), 1);
	gcks_rekey_trigger(key_server_sas(&stored), GCKS_TRIGGER_OPERATOR, stored.now);
	key_server_run(&stored);
	ck_assert_uint_eq(stored.made, 1);
	stored_close();
	copy_file(store_file_beside("copy.db"), store_path);
	stored_open();
	stored_load();
	ck_assert_ptr_nonnull(strstr(gcks_store_notice(stored.store), "is an older copy"));
	ck_assert_ptr_null(stored.sas.head);
	ck_assert_uint_eq(stored.registrations.count, 0);
}
END_TEST

/* A member's: states of pairs were asked for since. */
START_TEST(copy_from_before_a_state)
{
	struct gcks_kernel_id id = { .kind = GCKS_KERNEL_SA, .spi = 0x10005 };
	struct gcks_change change = { .kind = GCKS_PUT_KERNEL_ID, .kernel_id = &id };

	stored_open();
	stored_load();
	ck_assert(!gcks_store_is_complete(stored.store)); /* there may have been another one */
	gcks_store_set_complete(stored.store);
	stored_close();
	copy_file(store_path, store_file_beside("copy.db"));
	stored_open();
	stored_load();
	ck_assert(gcks_store_is_complete(stored.store));
	ck_assert(gcks_store_commit(stored.store, &change, 1));
	ck_assert(gcks_store_sync(stored.store));
	stored_close();
	copy_file(store_file_beside("copy.db"), store_path);
	stored_open();
	stored_load();
	ck_assert(gcks_store_is_complete(stored.store)); /* one of all senders may be made again */
	id.direction = GSA__DIRECTION__DIRECTION_OUT;
	id.receiver = 8;
	ck_assert(gcks_store_commit(stored.store, &change, 1));
	ck_assert(gcks_store_sync(stored.store));
	stored_close();
	copy_file(store_file_beside("copy.db"), store_path);
	stored_open();
	stored_load();
	/* until it is said that this does not matter any more */
	for (int round = 0; round < 3; round++) {
		ck_assert(!gcks_store_is_complete(stored.store));
		ck_assert(gcks_store_sync(stored.store));
		stored_reopen();
	}
	gcks_store_set_complete(stored.store);
	stored_reopen();
	ck_assert(gcks_store_is_complete(stored.store));
}
END_TEST

/* Before anything was told, and so synced. */
START_TEST(new_store_is_incomplete)
{
	for (int round = 0; round < 3; round++) {
		stored_open();
		stored_load();
		ck_assert(!gcks_store_is_complete(stored.store));
		stored_close();
	}
}
END_TEST

START_TEST(complete_with_a_later_sync)
{
	stored_open();
	stored_load();
	ck_assert_int_eq(rename(store_anchor_file, store_file_beside("saved.anchor")), 0);
	ck_assert_int_eq(mkdir(store_anchor_file, 0700), 0);
	gcks_store_set_complete(stored.store);
	ck_assert(!gcks_store_sync(stored.store));
	ck_assert_int_eq(rmdir(store_anchor_file), 0);
	ck_assert_int_eq(rename(store_file_beside("saved.anchor"), store_anchor_file), 0);
	ck_assert(gcks_store_sync(stored.store));
	stored_reopen();
	ck_assert(gcks_store_is_complete(stored.store));
}
END_TEST

/* Nothing was given since: it is as good as the original. */
START_TEST(copy_of_today)
{
	fill_and_copy();
	stored_close();
	copy_file(store_file_beside("copy.db"), store_path);
	stored_open();
	stored_load();
	ck_assert_str_eq(gcks_store_notice(stored.store), "");
	ck_assert_uint_eq(stored.registrations.count, 1);
}
END_TEST

START_TEST(anchor_is_missing)
{
	fill_and_copy();
	stored_close();
	ck_assert_int_eq(unlink(store_anchor_file), 0);
	stored_open();
	stored_load();
	begun_anew("is missing");
}
END_TEST

START_TEST(anchor_is_garbage)
{
	fill_and_copy();
	stored_close();
	write_file(store_anchor_file, "nonsense", 8, 0600);
	stored_open();
	stored_load();
	begun_anew("is none");
}
END_TEST

START_TEST(anchor_of_another_store)
{
	fill_and_copy();
	stored_close();
	ck_assert_int_eq(rename(store_path, store_file_beside("saved.db")), 0);
	stored_open(); /* a new one: the anchor is its own now */
	stored_load();
	stored_granted("site1", 1);
	stored_close();
	ck_assert_int_eq(rename(store_file_beside("saved.db"), store_path), 0);
	stored_open();
	stored_load();
	begun_anew("is another store's");
}
END_TEST

/* gcksd was killed between the commit and the anchor: nothing was published. */
START_TEST(anchor_is_behind)
{
	struct gcks_anchor anchor;
	bool found;

	fill_and_copy();
	stored_close();
	ck_assert(gcks_anchor_read(store_anchor_file, &anchor, &found, store_error,
				   sizeof(store_error)) &&
		  found);
	ck_assert_uint_gt(anchor.serial, 0);
	anchor.serial--;
	ck_assert(gcks_anchor_write(store_anchor_file, &anchor, store_error, sizeof(store_error)));
	stored_open();
	ck_assert_str_eq(gcks_store_notice(stored.store), "");
	stored_load();
	ck_assert_uint_eq(stored.registrations.count, 1);
	ck_assert(gcks_store_sync(stored.store));
	ck_assert(gcks_anchor_read(store_anchor_file, &anchor, &found, store_error,
				   sizeof(store_error)) &&
		  found);
	ck_assert_uint_eq(anchor.serial, 1);
}
END_TEST

/* Nothing may be published before it is raised: the sync fails, and succeeds later. */
START_TEST(anchor_cannot_be_raised)
{
	fill_and_copy();
	ck_assert_int_eq(rename(store_anchor_file, store_file_beside("saved.anchor")), 0);
	ck_assert_int_eq(mkdir(store_anchor_file, 0700), 0);
	ck_assert_uint_ne(key_server_register(&stored, "site2", 2, 0).notify, 0);
	ck_assert_msg(strstr(gcks_store_error(stored.store), store_anchor_file) != NULL, "%s",
		      gcks_store_error(stored.store));
	ck_assert(!gcks_store_sync(stored.store));
	ck_assert_int_eq(rmdir(store_anchor_file), 0);
	ck_assert_int_eq(rename(store_file_beside("saved.anchor"), store_anchor_file), 0);
	ck_assert(gcks_store_sync(stored.store));
	stored_reopen();
	ck_assert_str_eq(gcks_store_notice(stored.store), "");
}
END_TEST

START_TEST(anchor_cannot_be_read)
{
	fill_and_copy();
	stored_close();
	ck_assert_int_eq(unlink(store_anchor_file), 0);
	ck_assert_int_eq(mkdir(store_anchor_file, 0700), 0);
	ck_assert_ptr_null(
		gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error)));
	ck_assert_msg(strstr(store_error, store_anchor_file) != NULL, "%s", store_error);
}
END_TEST

Suite *store_copy_suite(void)
{
	Suite *suite = suite_create("store_copy");
	TCase *tcase = tcase_create("store_copy");

	tcase_add_checked_fixture(tcase, stored_start, stored_stop);
	tcase_add_test(tcase, copy_from_before_a_block);
	tcase_add_test(tcase, copy_from_before_a_generation);
	tcase_add_test(tcase, copy_from_before_a_state);
	tcase_add_test(tcase, new_store_is_incomplete);
	tcase_add_test(tcase, complete_with_a_later_sync);
	tcase_add_test(tcase, copy_of_today);
	tcase_add_test(tcase, anchor_is_missing);
	tcase_add_test(tcase, anchor_is_garbage);
	tcase_add_test(tcase, anchor_of_another_store);
	tcase_add_test(tcase, anchor_is_behind);
	tcase_add_test(tcase, anchor_cannot_be_raised);
	tcase_add_test(tcase, anchor_cannot_be_read);
	suite_add_tcase(suite, tcase);
	return suite;
}
