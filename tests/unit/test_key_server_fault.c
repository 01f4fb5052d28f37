// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory or the disk fails once, at every place where it can: two members register, keys roll, one
 * is expelled.  What fails is refused or put off; what a member was given is in the store, and what
 * the store has lost the tables have lost.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sqlite3.h>

#include "gcks/former.h"
#include "tests/unit/fault.h"
#include "tests/unit/key_server.h"
#include "tests/unit/store_files.h"

#define MANY 4000 /* faults that no run here has places for */

static struct key_server server;

/* ---- the disk ---- */

static unsigned int disk_countdown;
static bool disk_failed;

/* The disk is full, for one call of SQLite. */
static ssize_t full_pwrite(int fd, const void *octets, size_t length, off_t at)
{
	if (disk_countdown && !--disk_countdown) {
		disk_failed = true;
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, octets, length, at);
}

static void use_full_pwrite(bool use)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	sqlite3_syscall_ptr call = use ? (sqlite3_syscall_ptr)full_pwrite : NULL;

	ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite", call), SQLITE_OK);
	ck_assert_int_eq(vfs->xSetSystemCall(vfs, "pwrite64", call), SQLITE_OK);
}

/* ---- what is told to members, and what is stored ---- */

/* No assertion while faults are armed: libcheck needs memory. */
static struct story {
	struct given first, second, again, back;
	bool expelled;
	bool removal_stored, second_removal_stored;
} story;

static void run(void)
{
	struct gcks_registration *entry;

	story.first = key_server_register(&server, "site1", 1, 0);
	story.second = key_server_register(&server, "site2", 2, 2);
	if (key_server_sas(&server))
		gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_OPERATOR, server.now);
	key_server_run(&server);
	entry = key_server_find(&server, "site1");
	if (entry) {
		story.expelled = true;
		story.removal_stored = key_server_end(&server, entry);
	}
	server.now += 2 * GCKS_REKEY_COLLECT_MS;
	key_server_run(&server);
	story.again = key_server_register(&server, "site3", 3, 0);
	key_server_run(&server);
	story.back = key_server_register(&server, "site1", 4, 0);
	entry = key_server_find(&server, "site2");
	if (entry)
		story.second_removal_stored = key_server_end(&server, entry);
	gcks_store_sync(server.store);
}

static bool stored_sa(const struct gcks_sa_table *stored, const struct gcks_sa *sa)
{
	for (const struct gcks_sa *each = stored->head; each; each = each->next)
		if (each->spi == sa->spi)
			return gsa_secret_equal(&each->key, &sa->key);
	return false;
}

/* Who has left has its Sender-IDs back later, if it was stored that it has left. */
static void check_former(const struct gcks_sa_group *stored, const char *what, unsigned int n)
{
	for (const struct gcks_registration *former = key_server_sas(&server)->former; former;
	     former = former->next) {
		bool first = strcmp(former->identity, "site1") == 0;
		const struct gcks_registration *found;

		if (!(first ? story.removal_stored : story.second_removal_stored))
			continue;
		found = stored ? gcks_former_find(stored, former->identity) : NULL;
		ck_assert_msg(found && found->sender_id_count == former->sender_id_count,
			      "%s %u: %s has other Sender-IDs", what, n, former->identity);
		ck_assert_mem_eq(found->sender_ids, former->sender_ids,
				 found->sender_id_count * sizeof(*found->sender_ids));
	}
}

/* What the next gcksd would begin with holds all that this one has told. */
static void check(const char *what, unsigned int n)
{
	struct gcks_registrations registrations = {};
	struct gcks_sa_table sas = {};
	struct gcks_kernel_ids ids = {};
	struct gcks_store *store;
	uint32_t highest = 0;

	gcks_store_close(server.store);
	server.store = NULL;
	store = gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error));
	ck_assert_msg(store != NULL, "%s %u: %s", what, n, store_error);
	ck_assert_str_eq(gcks_store_notice(store), "");
	ck_assert_msg(gcks_store_load(store, &registrations, &sas, &ids, store_error,
				      sizeof(store_error)),
		      "%s %u: %s", what, n, store_error);
	for (const struct gcks_sa *sa = server.sas.head; sa; sa = sa->next)
		ck_assert_msg(stored_sa(&sas, sa), "%s %u: SA %u is not stored", what, n,
			      sa->generation);
	for (const struct gcks_registration *entry = server.registrations.head; entry;
	     entry = entry->next) {
		const struct gcks_registration *found =
			gcks_registration_find(&registrations, entry->group, entry->identity);

		ck_assert_msg(found != NULL, "%s %u: %s is not stored", what, n, entry->identity);
		ck_assert_uint_eq(found->sender_id_count, entry->sender_id_count);
		for (size_t i = 0; i < entry->sender_id_count; i++) {
			ck_assert_uint_eq(found->sender_ids[i], entry->sender_ids[i]);
			if (entry->sender_ids[i] >= highest)
				highest = entry->sender_ids[i] + 1;
		}
	}
	if (story.expelled && story.removal_stored && story.back.notify)
		ck_assert_msg(!gcks_registration_find(&registrations, BLUE, "site1"),
			      "%s %u: site1 is back", what, n);
	if (story.second_removal_stored)
		ck_assert_msg(!gcks_registration_find(&registrations, BLUE, "site2"),
			      "%s %u: site2 is back", what, n);
	if (key_server_sas(&server))
		check_former(gcks_sa_group_find(&sas, BLUE), what, n);
	if (highest)
		ck_assert_uint_ge(gcks_sa_group_find(&sas, BLUE)->sender_id_next, highest);
	gcks_registrations_clear(&registrations);
	gcks_sa_table_clear(&sas);
	gcks_kernel_ids_clear(&ids);
	gcks_store_close(store);
}

static void check_story(const char *what, unsigned int n, bool failed)
{
	const struct given *all[] = { &story.first, &story.second, &story.again, &story.back };

	for (size_t i = 0; i < COUNT(all); i++) {
		/* all or nothing */
		ck_assert_msg(all[i]->notify || (all[i]->sa_count && all[i]->sender_id_count),
			      "%s %u: registration %zu", what, n, i);
		ck_assert(!all[i]->notify || failed);
		for (size_t j = 0; j < i; j++)
			for (size_t a = 0; a < all[i]->sender_id_count; a++)
				for (size_t b = 0; b < all[j]->sender_id_count; b++)
					ck_assert_uint_ne(all[i]->sender_ids[a],
							  all[j]->sender_ids[b]);
	}
}

static void prepare(void)
{
	store_files_make();
	key_server_start(&server);
	server.group->sharing = GCKS_SHARING_PAIRWISE;
	server.group->cipher = GCKS_CIPHER_AES256GCM16;
	server.group->rekey_on_leave = true;
	story = (struct story){};
	server.store = must_open();
}

START_TEST(allocations)
{
	unsigned int n;

	for (n = 1; n < MANY; n++) {
		long live = fault_live();
		bool failed;

		prepare();
		fault_arm(n);
		run();
		failed = fault_disarm();
		check_story("allocation", n, failed);
		check("allocation", n);
		key_server_stop(&server);
		store_files_remove();
		ck_assert_msg(fault_live() == live, "allocation %u: memory is lost", n);
		if (!failed)
			break;
	}
	ck_assert_uint_gt(n, 20);
	ck_assert_uint_lt(n, MANY);
}
END_TEST

START_TEST(disk_writes)
{
	unsigned int n;

	use_full_pwrite(true);
	for (n = 1; n < MANY; n++) {
		prepare();
		disk_failed = false;
		disk_countdown = n;
		run();
		disk_countdown = 0;
		check_story("write", n, disk_failed);
		check("write", n);
		key_server_stop(&server);
		store_files_remove();
		if (!disk_failed)
			break;
	}
	use_full_pwrite(false);
	ck_assert_uint_gt(n, 20);
	ck_assert_uint_lt(n, MANY);
}
END_TEST

Suite *key_server_fault_suite(void)
{
	Suite *suite = suite_create("key_server_fault");
	TCase *tcase = tcase_create("key_server_fault");

	tcase_add_test(tcase, allocations);
	tcase_add_test(tcase, disk_writes);
	suite_add_tcase(suite, tcase);
	return suite;
}
