// SPDX-License-Identifier: GPL-2.0-or-later
/* The store on real SQLite files: what was committed comes back, and what was not does not. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/store_rows.h"

static mode_t mode_of(const char *name)
{
	struct stat status;

	ck_assert_int_eq(stat(name, &status), 0);
	return status.st_mode & 07777;
}

START_TEST(round_trip)
{
	struct gcks_kernel_id id = a_policy(5000);
	struct gcks_registration *member;
	struct gcks_store *store;
	struct gcks_sa *current, expected = an_sa(100, 0xfffffff1, 2);

	fill_store();
	store = must_open();
	must_load(store);
	member = gcks_registration_find(&stored_registrations, 100, stored_identity);
	ck_assert_ptr_nonnull(member);
	ck_assert_uint_eq(member->address.length, 4);
	ck_assert_mem_eq(member->address.octets, ((uint8_t[]){ 192, 0, 2, 11 }), 4);
	ck_assert_int_eq(member->credential, GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE);
	ck_assert_int_eq(member->registered_at, 1700000000);
	ck_assert_uint_eq(member->ike_sa, 0); /* charon has to say it again */
	ck_assert(!member->stale);
	ck_assert_uint_eq(member->ca_count, 2);
	ck_assert_str_eq(member->ca[0], stored_ca[0]);
	ck_assert_str_eq(member->ca[1], stored_ca[1]);
	current = gcks_sa_current(&stored_sas, 100);
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
	ck_assert_uint_eq(stored_ids.count, 1);
	ck_assert_int_eq(gcks_kernel_id_compare(&stored_ids.ids[0], &id), 0);
	ck_assert_str_eq(stored_ids.ids[0].group, "blue");
	ck_assert_uint_eq(stored_ids.ids[0].reqid, 4242);
	ck_assert_uint_eq(stored_ids.ids[0].priority, 5000);
	gcks_store_close(store);
	gsa_secret_clear(&expected.key);
}
END_TEST

/* States differ in the key and in who it is for; what is used may be told again. */
START_TEST(states_of_pairs)
{
	struct gcks_kernel_id ids_put[] = {
		{ .kind = GCKS_KERNEL_SA,
		  .spi = 0x10001,
		  .mark = 7,
		  .receiver = 2,
		  .group = "blue" },
		{ .kind = GCKS_KERNEL_SA,
		  .spi = 0x10001,
		  .mark = 7,
		  .receiver = 3,
		  .group = "blue" },
		{ .kind = GCKS_KERNEL_SA,
		  .spi = 0x10001,
		  .mark = UINT32_MAX,
		  .receiver = 65536,
		  .group = "blue",
		  .used = true },
	};
	struct gcks_store *store = must_open();

	for (size_t i = 0; i < COUNT(ids_put); i++) {
		struct gcks_change change = { GCKS_PUT_KERNEL_ID, { .kernel_id = &ids_put[i] } };

		ck_assert(gcks_store_commit(store, &change, 1));
	}
	ids_put[0].used = true;
	ck_assert(gcks_store_commit(
		store, &(struct gcks_change){ GCKS_PUT_KERNEL_ID, { .kernel_id = &ids_put[0] } },
		1));
	ck_assert(gcks_store_commit(
		store, &(struct gcks_change){ GCKS_REMOVE_KERNEL_ID, { .kernel_id = &ids_put[1] } },
		1));
	gcks_store_close(store);
	store = must_open();
	must_load(store);
	ck_assert_uint_eq(stored_ids.count, 2);
	ck_assert_int_eq(gcks_kernel_id_compare(&stored_ids.ids[0], &ids_put[0]), 0);
	ck_assert_int_eq(gcks_kernel_id_compare(&stored_ids.ids[1], &ids_put[2]), 0);
	ck_assert(stored_ids.ids[0].used && stored_ids.ids[1].used);
	gcks_store_close(store);
}
END_TEST

START_TEST(replace_and_remove)
{
	struct gcks_registration member = a_registration(100);
	struct gcks_sa old = an_sa(100, 0x1001, 1);
	struct gcks_kernel_id id = a_policy(5000);
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

	fill_store();
	store = must_open();
	must_commit(store, NULL, 0);
	member.registered_at = 1700000099;
	must_commit(store, put, COUNT(put));
	must_load(store);
	ck_assert_uint_eq(stored_registrations.count, 1);
	ck_assert_int_eq(stored_registrations.head->registered_at, 1700000099);
	ck_assert_uint_eq(stored_ids.count, 1);
	must_commit(store, removal, COUNT(removal));
	must_load(store);
	ck_assert_uint_eq(stored_registrations.count, 0);
	ck_assert_uint_eq(stored_ids.count, 0);
	ck_assert_uint_eq(gcks_sa_current(&stored_sas, 100)->spi, 0xfffffff1);
	/* what is not there can be removed again */
	must_commit(store, removal, COUNT(removal));
	gcks_store_close(store);
	gsa_secret_clear(&old.key);
}
END_TEST

START_TEST(modes_and_no_plain_key)
{
	struct gcks_sa stored = an_sa(100, 0x1001, 1);
	struct stat status;
	uint8_t *octets;
	FILE *file;

	umask(0);
	fill_store();
	ck_assert_uint_eq(umask(022), 0); /* as it was */
	ck_assert_uint_eq(mode_of(store_path), 0600);
	ck_assert_uint_eq(mode_of(store_key_file), 0600);
	ck_assert_int_eq(stat(store_key_file, &status), 0);
	ck_assert_int_eq(status.st_size, 32);
	ck_assert_int_eq(stat(store_path, &status), 0);
	octets = malloc(status.st_size);
	file = fopen(store_path, "r");
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
	struct gcks_registration member = a_registration(200);
	struct gcks_sa keyless = { .group = 200, .spi = 0x2001 };
	struct gcks_change changes[] = {
		{ GCKS_PUT_REGISTRATION, { .registration = &member } },
		{ GCKS_PUT_SA, { .sa = &keyless } },
	};
	struct gcks_store *store;

	fill_store();
	store = must_open();
	ck_assert(!gcks_store_commit(store, changes, COUNT(changes)));
	ck_assert_ptr_nonnull(strstr(gcks_store_error(store), "cannot be wrapped"));
	must_load(store);
	ck_assert_uint_eq(stored_registrations.count, 1);
	ck_assert_ptr_null(gcks_registration_find(&stored_registrations, 200, stored_identity));
	must_commit(store, changes, 1); /* and it goes on */
	gcks_store_close(store);
}
END_TEST

/* ---- disk full ---- */

START_TEST(disk_full)
{
	struct rlimit before, small;
	struct gcks_registration member = a_registration(200);
	struct gcks_change change = { GCKS_PUT_REGISTRATION, { .registration = &member } };
	struct gcks_store *store;
	unsigned int stored = 0;

	fill_store();
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
	ck_assert_uint_eq(stored_registrations.count, 1 + stored);
	ck_assert_ptr_null(
		gcks_registration_find(&stored_registrations, member.group, stored_identity));
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
	must_commit(store, &change, 1);
	gcks_store_close(store);
	store = must_open();
	must_load(store);
	ck_assert_uint_eq(stored_registrations.count, 2 + stored);
	gcks_store_close(store);
}
END_TEST

/* ---- SIGKILL ---- */

#define BATCH 8 /* rows that are stored together: groups n * BATCH ... */

/* Stores batch after batch and tells of each that was committed, until it is killed. */
static void commit_forever(int report, uint32_t next)
{
	struct gcks_store *store =
		gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error));

	for (; store; next++) {
		struct gcks_registration members[BATCH];
		struct gcks_change changes[BATCH];

		for (uint32_t i = 0; i < BATCH; i++) {
			members[i] = a_registration(next * BATCH + i);
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
		ck_assert_uint_eq(stored_registrations.count % BATCH, 0);
		ck_assert_uint_ge(stored_registrations.count / BATCH, reported);
		ck_assert_uint_le(stored_registrations.count / BATCH, reported + 1);
		next = (uint32_t)(stored_registrations.count / BATCH) + 1;
		for (uint32_t group = BATCH; group < next * BATCH; group++)
			ck_assert_ptr_nonnull(gcks_registration_find(&stored_registrations, group,
								     stored_identity));
		gcks_store_close(store);
	}
}
END_TEST

Suite *store_suite(void)
{
	Suite *suite = suite_create("store");
	TCase *tcase = tcase_create("store");

	tcase_add_checked_fixture(tcase, store_files_make, store_rows_stop);
	tcase_add_test(tcase, round_trip);
	tcase_add_test(tcase, states_of_pairs);
	tcase_add_test(tcase, replace_and_remove);
	tcase_add_test(tcase, modes_and_no_plain_key);
	tcase_add_test(tcase, batch_is_all_or_nothing);
	tcase_add_test(tcase, disk_full);
	tcase_add_test(tcase, killed_between);
	suite_add_tcase(suite, tcase);
	return suite;
}
