// SPDX-License-Identifier: GPL-2.0-or-later
/* A store that cannot be trusted, or not be used, is refused with a reason, and left as it is. */
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/store_rows.h"

/* Opening is refused, and the reason names both. */
static void refused(const char *what, const char *file)
{
	struct gcks_store *store =
		gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error));

	ck_assert_ptr_null(store);
	ck_assert_msg(strstr(store_error, what) != NULL, "\"%s\" has no \"%s\"", store_error, what);
	ck_assert_msg(strstr(store_error, file) != NULL, "\"%s\" does not name %s", store_error,
		      file);
}

START_TEST(wrong_key_file)
{
	static const uint8_t other[32] = { 1 };

	fill_store();
	write_file(store_key_file, other, sizeof(other), 0600);
	refused("is not its key file", store_key_file);
	refused("store", store_path);
}
END_TEST

/* No SA is needed for a wrong key file to be noticed. */
START_TEST(wrong_key_file_of_an_empty_store)
{
	static const uint8_t other[32] = { 1 };

	gcks_store_close(must_open());
	write_file(store_key_file, other, sizeof(other), 0600);
	refused("is not its key file", store_key_file);
}
END_TEST

START_TEST(missing_key_file)
{
	const char *saved = store_file_beside("gcksd.key.saved");

	fill_store();
	ck_assert_int_eq(rename(store_key_file, saved), 0);
	refused("is missing", store_key_file);
	ck_assert_int_eq(access(store_key_file, F_OK), -1); /* none was made */
	ck_assert_int_eq(rename(saved, store_key_file), 0);
	must_hold_all();
}
END_TEST

START_TEST(key_file_without_database)
{
	static const uint8_t key[32] = { 9 };
	uint8_t after[33];
	FILE *file;

	write_file(store_key_file, key, sizeof(key), 0600);
	gcks_store_close(must_open());
	file = fopen(store_key_file, "r");
	ck_assert_uint_eq(fread(after, 1, sizeof(after), file), sizeof(key));
	fclose(file);
	ck_assert_mem_eq(after, key, sizeof(key));
}
END_TEST

static const struct {
	size_t length;
	mode_t mode;
	const char *reason;
} bad_keys[] = {
	{ 31, 0600, "exactly 32 octets" }, { 33, 0600, "exactly 32 octets" },
	{ 0, 0600, "exactly 32 octets" },  { 32, 0640, "mode 0600" },
	{ 32, 0604, "mode 0600" },	   { 32, 0620, "mode 0600" },
};

START_TEST(bad_key_file)
{
	static const uint8_t key[33] = { 9 };

	write_file(store_key_file, key, bad_keys[_i].length, bad_keys[_i].mode);
	refused(bad_keys[_i].reason, store_key_file);
	ck_assert_int_eq(access(store_path, F_OK), -1); /* no database beside it */
}
END_TEST

START_TEST(key_file_is_a_folder)
{
	ck_assert_int_eq(mkdir(store_key_file, 0700), 0);
	refused("not a regular file", store_key_file);
}
END_TEST

static const struct {
	const char *statements, *reason;
} foreign[] = {
	{ "PRAGMA user_version = 4", "is newer than this gcksd" },
	{ "PRAGMA user_version = 0", "version 0 is unknown" },
	{ "PRAGMA application_id = 1", "another program" },
	{ "DELETE FROM key_check", "key_check" },
	{ "DROP TABLE key_check", "key_check" },
	{ "DROP TABLE sa", "sa" },
};

START_TEST(foreign_database)
{
	fill_store();
	edit_database(foreign[_i].statements);
	refused(foreign[_i].reason, store_path);
}
END_TEST

START_TEST(not_a_database)
{
	char text[4096];

	memset(text, 'x', sizeof(text));
	fill_store();
	write_file(store_path, text, sizeof(text), 0600);
	refused("not a database", store_path);
}
END_TEST

/* A row that cannot be trusted: nothing is loaded, and nothing is changed. */
static const struct {
	const char *statements, *reason;
} bad_rows[] = {
	{ "UPDATE sa SET wrapped_key = CAST(x'00' || substr(wrapped_key, 2) AS BLOB) WHERE "
	  "generation = 1",
	  "cannot be unwrapped" },
	{ "UPDATE sa SET wrapped_key = x''", "cannot be unwrapped" },
	/* the rows are each other's */
	{ "UPDATE sa SET wrapped_key = (SELECT wrapped_key FROM sa WHERE generation = 2)",
	  "cannot be unwrapped" },
	{ "UPDATE sa SET group_id = 101", "cannot be unwrapped" },
	{ "UPDATE sa SET integrity = 0", "cannot be unwrapped" },
	{ "UPDATE sa SET group_name = 'red'", "cannot be unwrapped" },
	{ "UPDATE sa SET group_name = printf('%.65c', 'x')", "too long" },
	{ "UPDATE sa SET encryption = 65536", "out of its range" },
	{ "UPDATE registration SET address = x'0102'", "4 nor 16 octets" },
	{ "UPDATE registration SET group_id = -1", "out of its range" },
	{ "UPDATE registration SET ca = x'434e'", "has no end" },
	{ "UPDATE registration SET ended = -1", "out of its range" },
	{ "UPDATE registration SET ended = 1, sender_ids = x'00'", "cut off" },
	{ "UPDATE registration SET ended = 1; DELETE FROM numbers", "no counter" },
	{ "UPDATE kernel_id SET selector_source_length = 33", "out of its range" },
	{ "UPDATE kernel_id SET kind = 2", "out of its range" },
	{ "UPDATE kernel_id SET group_name = printf('%.65c', 'x')", "too long" },
};

START_TEST(bad_row)
{
	struct gcks_store *store;

	fill_store();
	edit_database(bad_rows[_i].statements);
	store = must_open();
	ck_assert(!gcks_store_load(store, &stored_registrations, &stored_sas, &stored_ids,
				   store_error, sizeof(store_error)));
	ck_assert_msg(strstr(store_error, bad_rows[_i].reason) != NULL, "\"%s\"", store_error);
	ck_assert_ptr_nonnull(strstr(store_error, store_path));
	ck_assert_ptr_nonnull(strstr(store_error, "table "));
	ck_assert_ptr_null(stored_registrations.head);
	ck_assert_ptr_null(stored_sas.head);
	ck_assert_uint_eq(stored_ids.count, 0);
	gcks_store_close(store);
}
END_TEST

START_TEST(second_opener)
{
	struct gcks_store *store;
	pid_t child;
	int status;

	fill_store();
	store = must_open();
	refused("another gcksd", store_path);
	child = fork();
	if (child == 0)
		_exit(gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error))
			      ? 1
		      : strstr(store_error, "another gcksd") ? 0
							     : 2);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	must_load(store);
	gcks_store_close(store);
	must_hold_all();
}
END_TEST

/* As a user without privileges: in the folder of somebody else. */
static void in_child_as_nobody(void (*run)(void))
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
			_exit(1);
		run();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

static void refused_permission(void)
{
	if (gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error)) ||
	    !strstr(store_error, "Permission denied") || !strstr(store_error, store_folder))
		_exit(1);
}

START_TEST(unreadable_folder)
{
	ck_assert_int_eq(chmod(store_folder, 0), 0);
	in_child_as_nobody(refused_permission);
}
END_TEST

static void refused_read_only(void)
{
	if (gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error)) ||
	    !strstr(store_error, "has to be able to write")) {
		fprintf(stderr, "%s\n", store_error);
		_exit(1);
	}
}

START_TEST(read_only)
{
	fill_store();
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(store_key_file, 65534, 65534), 0);
		ck_assert_int_eq(chown(store_path, 65534, 65534), 0);
		ck_assert_int_eq(chmod(store_folder, 0755), 0);
	}
	ck_assert_int_eq(chmod(store_path, 0400), 0);
	in_child_as_nobody(refused_read_only);
	ck_assert_int_eq(chmod(store_path, 0600), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(store_key_file, 0, 0), 0);
		ck_assert_int_eq(chown(store_path, 0, 0), 0);
	}
	must_hold_all();
}
END_TEST

START_TEST(no_folder)
{
	snprintf(store_path, sizeof(store_path), "%s/none/gcksd.db", store_folder);
	refused("No such file or directory", store_path);
}
END_TEST

Suite *store_refused_suite(void)
{
	Suite *suite = suite_create("store_refused");
	TCase *tcase = tcase_create("store_refused");

	tcase_add_checked_fixture(tcase, store_files_make, store_rows_stop);
	tcase_add_test(tcase, wrong_key_file);
	tcase_add_test(tcase, wrong_key_file_of_an_empty_store);
	tcase_add_test(tcase, missing_key_file);
	tcase_add_test(tcase, key_file_without_database);
	tcase_add_loop_test(tcase, bad_key_file, 0, COUNT(bad_keys));
	tcase_add_test(tcase, key_file_is_a_folder);
	tcase_add_loop_test(tcase, foreign_database, 0, COUNT(foreign));
	tcase_add_test(tcase, not_a_database);
	tcase_add_loop_test(tcase, bad_row, 0, COUNT(bad_rows));
	tcase_add_test(tcase, second_opener);
	tcase_add_test(tcase, unreadable_folder);
	tcase_add_test(tcase, read_only);
	tcase_add_test(tcase, no_folder);
	suite_add_tcase(suite, tcase);
	return suite;
}
