// SPDX-License-Identifier: GPL-2.0-or-later
/* When the store is on the disk: one sync for many commits, and a failed one is never a success. */
#include <errno.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/unit/store_files.h"

static unsigned int syncs;
static bool disk_fails, read_only;

/* In the place of libc's, the first two also for SQLite. */
static int synced(int fd, long call)
{
	syncs++;
	if (!disk_fails)
		return (int)syscall(call, fd);
	errno = EIO;
	return -1;
}

int fsync(int fd)
{
	return synced(fd, SYS_fsync);
}

int fdatasync(int fd)
{
	return synced(fd, SYS_fdatasync);
}

int statvfs(const char *name, struct statvfs *status)
{
	*status = (struct statvfs){ .f_flag = read_only ? ST_RDONLY : 0 };
	return 0;
}

static void start(void)
{
	disk_fails = read_only = false;
	store_files_make();
}

static void commit(struct gcks_store *store, uint32_t number)
{
	struct gcks_kernel_id id = { .kind = GCKS_KERNEL_POLICY, .priority = number };
	struct gcks_change change = { GCKS_PUT_KERNEL_ID, { .kernel_id = &id } };

	ck_assert_msg(gcks_store_commit(store, &change, 1), "%s", gcks_store_error(store));
}

static int rows(void)
{
	sqlite3 *database;
	sqlite3_stmt *statement;
	int count;

	ck_assert_int_eq(sqlite3_open(store_path, &database), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(database, "SELECT count(*) FROM kernel_id", -1,
					    &statement, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return count;
}

START_TEST(one_sync_for_many)
{
	struct gcks_store *store = must_open();

	commit(store, 0);
	ck_assert(gcks_store_sync(store));
	for (uint32_t round = 1; round <= 3; round++) {
		unsigned int before = syncs;

		for (uint32_t i = 0; i < 20; i++)
			commit(store, round * 20 + i);
		ck_assert_uint_eq(syncs, before);
		ck_assert(!gcks_store_is_synced(store));
		ck_assert(gcks_store_sync(store));
		ck_assert(gcks_store_is_synced(store));
		ck_assert_uint_eq(syncs, before + 1);
		/* nothing new: nothing to do */
		ck_assert(gcks_store_sync(store));
		ck_assert_uint_eq(syncs, before + 1);
	}
	gcks_store_close(store);
	ck_assert_int_eq(rows(), 61);
}
END_TEST

START_TEST(failed_sync)
{
	struct gcks_kernel_id id = { .kind = GCKS_KERNEL_POLICY, .priority = 2 };
	struct gcks_change change = { GCKS_PUT_KERNEL_ID, { .kernel_id = &id } };
	struct gcks_store *store = must_open();

	commit(store, 1);
	disk_fails = true;
	for (int i = 0; i < 3; i++) {
		ck_assert(!gcks_store_sync(store));
		ck_assert_msg(strstr(gcks_store_error(store), store_path) != NULL, "%s",
			      gcks_store_error(store));
	}
	/* until it succeeds nothing more is taken */
	ck_assert(!gcks_store_commit(store, &change, 1));
	ck_assert_ptr_nonnull(strstr(gcks_store_error(store), store_path));
	ck_assert(!gcks_store_sync(store));
	disk_fails = false;
	/* what the kernel may have given up is written again, into the database itself */
	ck_assert_msg(gcks_store_sync(store), "%s", gcks_store_error(store));
	{
		char log[320];
		struct stat status;

		snprintf(log, sizeof(log), "%s-wal", store_path);
		ck_assert_int_eq(stat(log, &status), 0);
		ck_assert_int_eq(status.st_size, 0);
	}
	commit(store, 3);
	ck_assert_msg(gcks_store_sync(store), "%s", gcks_store_error(store));
	disk_fails = true;
	commit(store, 4);
	ck_assert(!gcks_store_sync(store));
	disk_fails = false;
	/* a commit tries by itself */
	commit(store, 5);
	ck_assert_msg(gcks_store_sync(store), "%s", gcks_store_error(store));
	gcks_store_close(store);
	ck_assert_int_eq(rows(), 4);
}
END_TEST

/* Its writes and syncs succeed, and mean nothing. */
START_TEST(turned_read_only)
{
	struct gcks_kernel_id id = { .kind = GCKS_KERNEL_POLICY, .priority = 9 };
	struct gcks_change change = { GCKS_PUT_KERNEL_ID, { .kernel_id = &id } };
	struct gcks_store *store = must_open();

	commit(store, 1);
	read_only = true;
	ck_assert(!gcks_store_sync(store));
	ck_assert_ptr_nonnull(strstr(gcks_store_error(store), "turned read-only"));
	ck_assert(!gcks_store_commit(store, &change, 1));
	ck_assert_ptr_nonnull(strstr(gcks_store_error(store), "turned read-only"));
	ck_assert(!gcks_store_sync(store));
	read_only = false;
	ck_assert_msg(gcks_store_sync(store), "%s", gcks_store_error(store));
	commit(store, 2);
	ck_assert_msg(gcks_store_sync(store), "%s", gcks_store_error(store));
	gcks_store_close(store);
	ck_assert_int_eq(rows(), 2);
}
END_TEST

Suite *store_sync_suite(void)
{
	Suite *suite = suite_create("store_sync");
	TCase *tests = tcase_create("store_sync");

	tcase_add_checked_fixture(tests, start, store_files_remove);
	tcase_add_test(tests, one_sync_for_many);
	tcase_add_test(tests, failed_sync);
	tcase_add_test(tests, turned_read_only);
	suite_add_tcase(suite, tests);
	return suite;
}
