// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A store of an earlier version.  tests/vectors/store/version-N.* were written by the gcksd that
 * knew version N.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/stored_key_server.h"

START_TEST(version_1)
{
	const struct gcks_registration *entry;
	const struct gcks_sa *sa;
	struct stat status;

	copy_file(GSA_VECTORS "/store/version-1.db", store_path);
	copy_file(GSA_VECTORS "/store/version-1.key", store_key_file);
	stored_open();
	ck_assert_str_eq(gcks_store_notice(stored.store), "");
	stored_load();
	ck_assert_uint_eq(stored.registrations.count, 2);
	ck_assert_uint_eq(stored_kernel_ids.count, 1);
	entry = gcks_registration_find(&stored.registrations, 100, "site1.blue.example");
	ck_assert_ptr_nonnull(entry);
	ck_assert_uint_eq(entry->ca_count, 2);
	ck_assert_int_eq(entry->registered_at, 1700000000);
	ck_assert_uint_eq(entry->delivered, 3);
	ck_assert_uint_eq(entry->missed, 0);
	ck_assert_uint_eq(entry->sender_id_count, 0);
	sa = gcks_sa_current(&stored.sas, 100);
	ck_assert_uint_eq(sa->spi, 0x1001);
	ck_assert_uint_eq(sa->key.length, 64);
	ck_assert_uint_eq(sa->key.data[63], 63);
	ck_assert_uint_eq(sa->sender_id_bits, 0);
	/* it had no end, and has none; the policy of today replaces it */
	ck_assert_int_eq(gcks_sa_expires_at(sa), GCKS_NEVER);
	ck_assert_uint_eq(key_server_sas(&stored)->numbers.generation, 3);
	ck_assert(gcks_sa_knows_spi(&key_server_sas(&stored)->numbers, 0x1001));
	ck_assert_int_eq(stat(store_anchor_file, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	/* and again, as what it is now */
	stored_reopen();
	ck_assert_uint_eq(stored.registrations.count, 2);
	ck_assert_uint_eq(gcks_sa_current(&stored.sas, 200)->key.data[0], 100);
	ck_assert_str_eq(gcks_store_notice(stored.store), "");
}
END_TEST

/* A store that is not understood is left as it is. */
START_TEST(version_1_of_another_key)
{
	static const uint8_t other[32] = { 1 };
	uint8_t before[20480], after[20480];
	int fd;

	copy_file(GSA_VECTORS "/store/version-1.db", store_path);
	fd = open(store_path, O_RDONLY);
	ck_assert_int_eq(read(fd, before, sizeof(before)), sizeof(before));
	close(fd);
	write_file(store_key_file, other, sizeof(other), 0600);
	ck_assert_ptr_null(
		gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error)));
	ck_assert_ptr_nonnull(strstr(store_error, "is not its key file"));
	fd = open(store_path, O_RDONLY);
	ck_assert_int_eq(read(fd, after, sizeof(after)), sizeof(after));
	close(fd);
	ck_assert_mem_eq(before, after, sizeof(before));
	ck_assert_int_eq(access(store_anchor_file, F_OK), -1);
}
END_TEST

static void copy_version_2(void)
{
	copy_file(GSA_VECTORS "/store/version-2.db", store_path);
	copy_file(GSA_VECTORS "/store/version-2.key", store_key_file);
	copy_file(GSA_VECTORS "/store/version-2.anchor", store_anchor_file);
}

START_TEST(version_2)
{
	const struct gcks_registration *entry;

	copy_version_2();
	for (int opened = 0; opened < 2; opened++) {
		stored_open();
		stored_load();
		ck_assert_str_eq(gcks_store_notice(stored.store), "");
		ck_assert_uint_eq(stored.registrations.count, 2);
		ck_assert_uint_eq(stored_kernel_ids.count, 1);
		ck_assert(stored_kernel_ids.ids[0].used);
		entry = key_server_find(&stored, "site1.blue.example");
		ck_assert_uint_eq(entry->sender_id_count, 2);
		ck_assert_uint_eq(entry->sender_ids[1], 2);
		ck_assert_uint_eq(entry->delivered, 2);
		ck_assert_uint_eq(key_server_sas(&stored)->sa_count, 2);
		ck_assert_uint_eq(key_server_sas(&stored)->sender_id_next, 64);
		ck_assert_ptr_null(key_server_sas(&stored)->former);
		stored_close();
	}
}
END_TEST

/* An older copy of it is known as such, too. */
START_TEST(version_2_without_anchor)
{
	copy_version_2();
	ck_assert_int_eq(unlink(store_anchor_file), 0);
	stored_open();
	stored_load();
	ck_assert_ptr_nonnull(strstr(gcks_store_notice(stored.store), "is missing"));
	ck_assert_uint_eq(stored.registrations.count, 0);
	ck_assert_ptr_null(stored.sas.head);
	stored_reopen();
	ck_assert_str_eq(gcks_store_notice(stored.store), "");
}
END_TEST

Suite *store_version_suite(void)
{
	Suite *suite = suite_create("store_version");
	TCase *tcase = tcase_create("store_version");

	tcase_add_checked_fixture(tcase, stored_start, stored_stop);
	tcase_add_test(tcase, version_1);
	tcase_add_test(tcase, version_1_of_another_key);
	tcase_add_test(tcase, version_2);
	tcase_add_test(tcase, version_2_without_anchor);
	suite_add_tcase(suite, tcase);
	return suite;
}
