// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store on real SQLite files, each test in a folder of its own: what was committed
 * comes back, what was not does not, and what cannot be trusted is refused with a reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>
#include <sqlite3.h>

#include "gcks/store.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

Suite *store_suite(void);

static char folder[256], path[288], key_file[288], error[512];
static struct gcks_registrations registrations;
static struct gcks_sa_table sas;
static struct gcks_kernel_ids ids;

/* ---- fixture ---- */

static void make_folder(void)
{
	const char *temporary = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/gcks-store-XXXXXX", temporary ? temporary : P_tmpdir);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/gcksd.db", folder);
	snprintf(key_file, sizeof(key_file), "%s/gcksd.key", folder);
	error[0] = '\0';
}

static int remove_one(const char *name, const struct stat *status, int kind, struct FTW *at)
{
	return remove(name);
}

static void remove_folder(void)
{
	gcks_registrations_clear(&registrations);
	gcks_sa_table_clear(&sas);
	gcks_kernel_ids_clear(&ids);
	chmod(folder, 0700);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct gcks_store *must_open(void)
{
	struct gcks_store *store = gcks_store_open(path, key_file, error, sizeof(error));

	ck_assert_msg(store != NULL, "%s", error);
	return store;
}

static void must_load(struct gcks_store *store)
{
	gcks_registrations_clear(&registrations);
	gcks_sa_table_clear(&sas);
	gcks_kernel_ids_clear(&ids);
	ck_assert_msg(gcks_store_load(store, &registrations, &sas, &ids, error, sizeof(error)),
		      "%s", error);
}

static void must_commit(struct gcks_store *store, const struct gcks_change *changes, size_t count)
{
	ck_assert_msg(gcks_store_commit(store, changes, count), "%s", gcks_store_error(store));
}

/* Opening is refused, and the reason names both. */
static void refused(const char *what, const char *file)
{
	struct gcks_store *store = gcks_store_open(path, key_file, error, sizeof(error));

	ck_assert_ptr_null(store);
	ck_assert_msg(strstr(error, what) != NULL, "\"%s\" has no \"%s\"", error, what);
	ck_assert_msg(strstr(error, file) != NULL, "\"%s\" does not name %s", error, file);
}

/* Another program works on the database. */
static void edit(const char *statements)
{
	char *message = NULL;
	sqlite3 *database;

	ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(database, statements, NULL, NULL, &message) == SQLITE_OK, "%s",
		      message);
	sqlite3_close(database);
}

static void write_file(const char *name, const void *data, size_t length, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, length), (ssize_t)length);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

static char identity_text[] = "site1.blue.example";
static char *ca_texts[] = { "C=DE, O=Blue, CN=Issuing", "C=DE, O=Blue, CN=Root" };

static struct gcks_registration registration(uint32_t group)
{
	return (struct gcks_registration){
		.group = group,
		.identity = identity_text,
		.address = { .length = 4, .octets = { 192, 0, 2, 11 } },
		.ike_sa = 7,
		.credential = GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE,
		.ca = ca_texts,
		.ca_count = COUNT(ca_texts),
		.registered_at = 1700000000,
		.stale = true,
	};
}

static struct gcks_sa sa(uint32_t group, uint32_t spi, uint32_t generation)
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

static struct gcks_kernel_id kernel_policy(uint32_t priority)
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

/* A store with one row of each kind; two SAs. */
static void fill(void)
{
	struct gcks_registration member = registration(100);
	struct gcks_sa first = sa(100, 0x1001, 1), second = sa(100, 0xfffffff1, 2);
	struct gcks_kernel_id id = kernel_policy(5000);
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

/* What fill() stored is there. */
static void holds_all(void)
{
	struct gcks_store *store = must_open();

	must_load(store);
	ck_assert_uint_eq(registrations.count, 1);
	ck_assert_ptr_nonnull(sas.head);
	ck_assert_uint_eq(ids.count, 1);
	gcks_store_close(store);
}

static mode_t mode_of(const char *name)
{
	struct stat status;

	ck_assert_int_eq(stat(name, &status), 0);
	return status.st_mode & 07777;
}

/* ---- round trip ---- */

/* States differ in the key and in who it is for; what is used may be told again. */
START_TEST(states_of_pairs)
{
	struct gcks_kernel_id ids_put[] = {
		{ .kind = GCKS_KERNEL_SA, .spi = 0x10001, .mark = 7, .receiver = 2, .group = "blue" },
		{ .kind = GCKS_KERNEL_SA, .spi = 0x10001, .mark = 7, .receiver = 3, .group = "blue" },
		{ .kind = GCKS_KERNEL_SA, .spi = 0x10001, .mark = UINT32_MAX, .receiver = 65536,
		  .group = "blue", .used = true },
	};
	struct gcks_store *store = must_open();

	for (size_t i = 0; i < COUNT(ids_put); i++) {
		struct gcks_change change = { GCKS_PUT_KERNEL_ID, { .kernel_id = &ids_put[i] } };

		ck_assert(gcks_store_commit(store, &change, 1));
	}
	ids_put[0].used = true;
	ck_assert(gcks_store_commit(
		store,
		&(struct gcks_change){ GCKS_PUT_KERNEL_ID, { .kernel_id = &ids_put[0] } }, 1));
	ck_assert(gcks_store_commit(
		store,
		&(struct gcks_change){ GCKS_REMOVE_KERNEL_ID, { .kernel_id = &ids_put[1] } }, 1));
	gcks_store_close(store);
	store = must_open();
	must_load(store);
	ck_assert_uint_eq(ids.count, 2);
	ck_assert_int_eq(gcks_kernel_id_compare(&ids.ids[0], &ids_put[0]), 0);
	ck_assert_int_eq(gcks_kernel_id_compare(&ids.ids[1], &ids_put[2]), 0);
	ck_assert(ids.ids[0].used && ids.ids[1].used);
	gcks_store_close(store);
}
END_TEST

START_TEST(round_trip)
{
	struct gcks_kernel_id id = kernel_policy(5000);
	struct gcks_registration *member;
	struct gcks_store *store;
	struct gcks_sa *current, expected = sa(100, 0xfffffff1, 2);

	fill();
	store = must_open();
	must_load(store);
	member = gcks_registration_find(&registrations, 100, identity_text);
	ck_assert_ptr_nonnull(member);
	ck_assert_uint_eq(member->address.length, 4);
	ck_assert_mem_eq(member->address.octets, ((uint8_t[]){ 192, 0, 2, 11 }), 4);
	ck_assert_int_eq(member->credential, GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE);
	ck_assert_int_eq(member->registered_at, 1700000000);
	ck_assert_uint_eq(member->ike_sa, 0); /* charon has to say it again */
	ck_assert(!member->stale);
	ck_assert_uint_eq(member->ca_count, 2);
	ck_assert_str_eq(member->ca[0], ca_texts[0]);
	ck_assert_str_eq(member->ca[1], ca_texts[1]);
	current = gcks_sa_current(&sas, 100);
	ck_assert_ptr_nonnull(current);
	ck_assert_uint_eq(current->spi, expected.spi);
	ck_assert_uint_eq(current->generation, 2);
	ck_assert_str_eq(current->group_name, "blue");
	ck_assert_uint_eq(current->encryption, 12);
	ck_assert_uint_eq(current->encryption_key_bits, 256);
	ck_assert_uint_eq(current->integrity, 12);
	ck_assert_uint_eq(current->sequence_numbers, 0);
	ck_assert_int_eq(current->created_at, 1700000001);
	ck_assert(gsa_secret_equal(&current->key, &expected.key));
	ck_assert_uint_eq(ids.count, 1);
	ck_assert_int_eq(gcks_kernel_id_compare(&ids.ids[0], &id), 0);
	ck_assert_str_eq(ids.ids[0].group, "blue");
	ck_assert_uint_eq(ids.ids[0].reqid, 4242);
	ck_assert_uint_eq(ids.ids[0].priority, 5000);
	gcks_store_close(store);
	gsa_secret_clear(&expected.key);
}
END_TEST

START_TEST(replace_and_remove)
{
	struct gcks_registration member = registration(100);
	struct gcks_sa old = sa(100, 0x1001, 1);
	struct gcks_kernel_id id = kernel_policy(5000);
	struct gcks_change put[] = {
		{ GCKS_PUT_REGISTRATION, { .registration = &member } },
		{ GCKS_PUT_KERNEL_ID, { .kernel_id = &id } },
	};
	struct gcks_change removal[] = {
		{ GCKS_REMOVE_REGISTRATION, { .registration = &member } },
		{ GCKS_REMOVE_SA, { .sa = &old } },
		{ GCKS_REMOVE_KERNEL_ID, { .kernel_id = &id } },
	};
	struct gcks_store *store;

	fill();
	store = must_open();
	must_commit(store, NULL, 0);
	member.registered_at = 1700000099;
	must_commit(store, put, COUNT(put));
	must_load(store);
	ck_assert_uint_eq(registrations.count, 1);
	ck_assert_int_eq(registrations.head->registered_at, 1700000099);
	ck_assert_uint_eq(ids.count, 1);
	must_commit(store, removal, COUNT(removal));
	must_load(store);
	ck_assert_uint_eq(registrations.count, 0);
	ck_assert_uint_eq(ids.count, 0);
	ck_assert_uint_eq(gcks_sa_current(&sas, 100)->spi, 0xfffffff1);
	/* what is not there can be removed again */
	must_commit(store, removal, COUNT(removal));
	gcks_store_close(store);
	gsa_secret_clear(&old.key);
}
END_TEST

START_TEST(modes_and_no_plain_key)
{
	struct gcks_sa stored = sa(100, 0x1001, 1);
	struct stat status;
	uint8_t *octets;
	FILE *file;

	umask(0);
	fill();
	ck_assert_uint_eq(umask(022), 0); /* as it was */
	ck_assert_uint_eq(mode_of(path), 0600);
	ck_assert_uint_eq(mode_of(key_file), 0600);
	ck_assert_int_eq(stat(key_file, &status), 0);
	ck_assert_int_eq(status.st_size, 32);
	ck_assert_int_eq(stat(path, &status), 0);
	octets = malloc(status.st_size);
	file = fopen(path, "r");
	ck_assert_uint_eq(fread(octets, 1, status.st_size, file), status.st_size);
	fclose(file);
	ck_assert_ptr_null(memmem(octets, status.st_size, stored.key.data, 16));
	free(octets);
	gsa_secret_clear(&stored.key);
}
END_TEST

/* One entry of a batch cannot be stored: none is. */
START_TEST(batch_is_all_or_nothing)
{
	struct gcks_registration member = registration(200);
	struct gcks_sa keyless = { .group = 200, .spi = 0x2001 };
	struct gcks_change changes[] = {
		{ GCKS_PUT_REGISTRATION, { .registration = &member } },
		{ GCKS_PUT_SA, { .sa = &keyless } },
	};
	struct gcks_store *store;

	fill();
	store = must_open();
	ck_assert(!gcks_store_commit(store, changes, COUNT(changes)));
	ck_assert_ptr_nonnull(strstr(gcks_store_error(store), "cannot be wrapped"));
	must_load(store);
	ck_assert_uint_eq(registrations.count, 1);
	ck_assert_ptr_null(gcks_registration_find(&registrations, 200, identity_text));
	must_commit(store, changes, 1); /* and it goes on */
	gcks_store_close(store);
}
END_TEST

/* ---- refusals ---- */

START_TEST(wrong_key_file)
{
	static const uint8_t other[32] = { 1 };

	fill();
	write_file(key_file, other, sizeof(other), 0600);
	refused("is not its key file", key_file);
	refused("store", path);
}
END_TEST

/* No SA is needed for a wrong key file to be noticed. */
START_TEST(wrong_key_file_of_an_empty_store)
{
	static const uint8_t other[32] = { 1 };

	gcks_store_close(must_open());
	write_file(key_file, other, sizeof(other), 0600);
	refused("is not its key file", key_file);
}
END_TEST

START_TEST(missing_key_file)
{
	char saved[128];

	fill();
	snprintf(saved, sizeof(saved), "%s.saved", key_file);
	ck_assert_int_eq(rename(key_file, saved), 0);
	refused("is missing", key_file);
	ck_assert_int_eq(access(key_file, F_OK), -1); /* none was made */
	ck_assert_int_eq(rename(saved, key_file), 0);
	holds_all();
}
END_TEST

START_TEST(key_file_without_database)
{
	static const uint8_t key[32] = { 9 };
	uint8_t after[33];
	FILE *file;

	write_file(key_file, key, sizeof(key), 0600);
	gcks_store_close(must_open());
	file = fopen(key_file, "r");
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

	write_file(key_file, key, bad_keys[_i].length, bad_keys[_i].mode);
	refused(bad_keys[_i].reason, key_file);
	ck_assert_int_eq(access(path, F_OK), -1); /* no database beside it */
}
END_TEST

START_TEST(key_file_is_a_folder)
{
	ck_assert_int_eq(mkdir(key_file, 0700), 0);
	refused("not a regular file", key_file);
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
	fill();
	edit(foreign[_i].statements);
	refused(foreign[_i].reason, path);
}
END_TEST

START_TEST(not_a_database)
{
	char text[4096];

	memset(text, 'x', sizeof(text));
	fill();
	write_file(path, text, sizeof(text), 0600);
	refused("not a database", path);
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

	fill();
	edit(bad_rows[_i].statements);
	store = must_open();
	ck_assert(!gcks_store_load(store, &registrations, &sas, &ids, error, sizeof(error)));
	ck_assert_msg(strstr(error, bad_rows[_i].reason) != NULL, "\"%s\"", error);
	ck_assert_ptr_nonnull(strstr(error, path));
	ck_assert_ptr_nonnull(strstr(error, "table "));
	ck_assert_ptr_null(registrations.head);
	ck_assert_ptr_null(sas.head);
	ck_assert_uint_eq(ids.count, 0);
	gcks_store_close(store);
}
END_TEST

START_TEST(second_opener)
{
	struct gcks_store *store;
	pid_t child;
	int status;

	fill();
	store = must_open();
	refused("another gcksd", path);
	child = fork();
	if (child == 0)
		_exit(gcks_store_open(path, key_file, error, sizeof(error)) ? 1
		      : strstr(error, "another gcksd")			    ? 0
									    : 2);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	must_load(store);
	gcks_store_close(store);
	holds_all();
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
	if (gcks_store_open(path, key_file, error, sizeof(error)) ||
	    !strstr(error, "Permission denied") || !strstr(error, folder))
		_exit(1);
}

START_TEST(unreadable_folder)
{
	ck_assert_int_eq(chmod(folder, 0), 0);
	in_child_as_nobody(refused_permission);
}
END_TEST

static void refused_read_only(void)
{
	if (gcks_store_open(path, key_file, error, sizeof(error)) ||
	    !strstr(error, "has to be able to write")) {
		fprintf(stderr, "%s\n", error);
		_exit(1);
	}
}

START_TEST(read_only)
{
	fill();
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(key_file, 65534, 65534), 0);
		ck_assert_int_eq(chown(path, 65534, 65534), 0);
		ck_assert_int_eq(chmod(folder, 0755), 0);
	}
	ck_assert_int_eq(chmod(path, 0400), 0);
	in_child_as_nobody(refused_read_only);
	ck_assert_int_eq(chmod(path, 0600), 0);
	if (geteuid() == 0) {
		ck_assert_int_eq(chown(key_file, 0, 0), 0);
		ck_assert_int_eq(chown(path, 0, 0), 0);
	}
	holds_all();
}
END_TEST

START_TEST(no_folder)
{
	snprintf(path, sizeof(path), "%s/none/gcksd.db", folder);
	refused("No such file or directory", path);
}
END_TEST

/* ---- disk full ---- */

START_TEST(disk_full)
{
	struct rlimit before, small;
	struct gcks_registration member = registration(200);
	struct gcks_change change = { GCKS_PUT_REGISTRATION, { .registration = &member } };
	struct gcks_store *store;
	unsigned int stored = 0;

	fill();
	store = must_open();
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ .rlim_cur = 64 << 10, .rlim_max = before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	while (stored < 1000 && gcks_store_commit(store, &change, 1)) {
		stored++;
		member.group++;
	}
	ck_assert_uint_lt(stored, 1000);
	ck_assert_msg(strstr(gcks_store_error(store), "file system") != NULL, "%s",
		      gcks_store_error(store));
	/* what was committed is there, the refused one is not; and the next has its chance */
	must_load(store);
	ck_assert_uint_eq(registrations.count, 1 + stored);
	ck_assert_ptr_null(gcks_registration_find(&registrations, member.group, identity_text));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	must_commit(store, &change, 1);
	gcks_store_close(store);
	store = must_open();
	must_load(store);
	ck_assert_uint_eq(registrations.count, 2 + stored);
	gcks_store_close(store);
}
END_TEST

/* ---- SIGKILL ---- */

#define BATCH 8 /* rows that are stored together: groups n * BATCH ... */

/* Stores batch after batch and tells of each that was committed, until it is killed. */
static void commit_forever(int report, uint32_t next)
{
	struct gcks_store *store = gcks_store_open(path, key_file, error, sizeof(error));

	for (; store; next++) {
		struct gcks_registration members[BATCH];
		struct gcks_change changes[BATCH];

		for (uint32_t i = 0; i < BATCH; i++) {
			members[i] = registration(next * BATCH + i);
			changes[i] = (struct gcks_change){ GCKS_PUT_REGISTRATION,
							   { .registration = &members[i] } };
		}
		if (!gcks_store_commit(store, changes, BATCH) ||
		    write(report, &next, sizeof(next)) != sizeof(next))
			break;
	}
	_exit(1);
}

START_TEST(killed_between)
{
	uint32_t next = 1;

	for (int round = 0; round < 12; round++) {
		uint32_t reported = next - 1, told;
		struct gcks_store *store;
		int report[2];
		pid_t child;

		ck_assert_int_eq(pipe(report), 0);
		child = fork();
		if (child == 0)
			commit_forever(report[1], next);
		close(report[1]);
		ck_assert_int_eq(read(report[0], &told, sizeof(told)), sizeof(told));
		usleep(500 * (round % 6) + 137 * round);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		do
			reported = told;
		while (read(report[0], &told, sizeof(told)) == sizeof(told));
		close(report[0]);

		store = must_open();
		must_load(store);
		/* every batch that was told of, perhaps one more, and no half */
		ck_assert_uint_eq(registrations.count % BATCH, 0);
		ck_assert_uint_ge(registrations.count / BATCH, reported);
		ck_assert_uint_le(registrations.count / BATCH, reported + 1);
		next = (uint32_t)(registrations.count / BATCH) + 1;
		for (uint32_t group = BATCH; group < next * BATCH; group++)
			ck_assert_ptr_nonnull(
				gcks_registration_find(&registrations, group, identity_text));
		gcks_store_close(store);
	}
}
END_TEST

Suite *store_suite(void)
{
	Suite *suite = suite_create("store");
	TCase *tests = tcase_create("store");

	tcase_add_checked_fixture(tests, make_folder, remove_folder);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, round_trip);
	tcase_add_test(tests, states_of_pairs);
	tcase_add_test(tests, replace_and_remove);
	tcase_add_test(tests, modes_and_no_plain_key);
	tcase_add_test(tests, batch_is_all_or_nothing);
	tcase_add_test(tests, wrong_key_file);
	tcase_add_test(tests, wrong_key_file_of_an_empty_store);
	tcase_add_test(tests, missing_key_file);
	tcase_add_test(tests, key_file_without_database);
	tcase_add_loop_test(tests, bad_key_file, 0, COUNT(bad_keys));
	tcase_add_test(tests, key_file_is_a_folder);
	tcase_add_loop_test(tests, foreign_database, 0, COUNT(foreign));
	tcase_add_test(tests, not_a_database);
	tcase_add_loop_test(tests, bad_row, 0, COUNT(bad_rows));
	tcase_add_test(tests, second_opener);
	tcase_add_test(tests, unreadable_folder);
	tcase_add_test(tests, read_only);
	tcase_add_test(tests, no_folder);
	tcase_add_test(tests, disk_full);
	tcase_add_test(tests, killed_between);
	suite_add_tcase(suite, tests);
	return suite;
}
