// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A store of an earlier version, an older copy of a store, and one that is opened at another time:
 * on real files.  tests/vectors/store/version-N.* were written by the gcksd that knew version N.
 */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "gcks/anchor.h"
#include "gcks/clock.h"
#include "gcks/former.h"
#include "tests/unit/key_server.h"

static char folder[256], path[288], key_file[288], anchor_file[320], error[512];
static struct key_server server;
static struct gcks_kernel_ids ids;

/* ---- fixture ---- */

static void start(void)
{
	const char *temporary = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/gcks-version-XXXXXX",
		 temporary ? temporary : P_tmpdir);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/gcksd.db", folder);
	snprintf(key_file, sizeof(key_file), "%s/gcksd.key", folder);
	snprintf(anchor_file, sizeof(anchor_file), "%s.anchor", path);
	key_server_start(&server);
	server.group->sharing = GCKS_SHARING_PAIRWISE;
	server.group->cipher = GCKS_CIPHER_AES256GCM16;
}

static int remove_one(const char *name, const struct stat *status, int kind, struct FTW *at)
{
	return remove(name);
}

static void stop(void)
{
	if (server.store)
		gcks_store_close(server.store);
	key_server_stop(&server);
	gcks_kernel_ids_clear(&ids);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char octets[65536];
	ssize_t length;

	ck_assert_msg(in >= 0 && out >= 0, "%s, %s", from, to);
	while ((length = read(in, octets, sizeof(octets))) > 0)
		ck_assert_int_eq(write(out, octets, (size_t)length), length);
	ck_assert_int_eq(length, 0);
	close(in);
	close(out);
}

static const char *beside(const char *name)
{
	static char full[4][512];
	static int next;

	next = (next + 1) % 4;
	snprintf(full[next], sizeof(full[next]), "%s/%s", folder, name);
	return full[next];
}

/* As key_server_register_many() names them. */
static const char *name_of(unsigned int number)
{
	static char identity[32];

	snprintf(identity, sizeof(identity), "site%u", number);
	return identity;
}

static void open_store(void)
{
	server.store = gcks_store_open(path, key_file, error, sizeof(error));
	ck_assert_msg(server.store != NULL, "%s", error);
}

static void load(void)
{
	ck_assert_msg(gcks_store_load(server.store, &server.registrations, &server.sas, &ids, error,
				      sizeof(error)),
		      "%s", error);
}

static void close_store(void)
{
	gcks_store_close(server.store);
	server.store = NULL;
	gcks_registrations_clear(&server.registrations);
	gcks_sa_table_clear(&server.sas);
	gcks_kernel_ids_clear(&ids);
}

static void reopen(void)
{
	close_store();
	open_store();
	load();
}

static struct given granted(const char *identity, uint32_t ike_sa)
{
	struct given given = key_server_register(&server, identity, ike_sa, 0);

	ck_assert_msg(!given.notify, "%s", given.reason);
	return given;
}

/* ---- version 1 ---- */

START_TEST(version_1)
{
	const struct gcks_registration *entry;
	const struct gcks_sa *sa;
	struct stat status;

	copy(GSA_VECTORS "/store/version-1.db", path);
	copy(GSA_VECTORS "/store/version-1.key", key_file);
	open_store();
	ck_assert_str_eq(gcks_store_notice(server.store), "");
	load();
	ck_assert_uint_eq(server.registrations.count, 2);
	ck_assert_uint_eq(ids.count, 1);
	entry = gcks_registration_find(&server.registrations, 100, "site1.blue.example");
	ck_assert_ptr_nonnull(entry);
	ck_assert_uint_eq(entry->ca_count, 2);
	ck_assert_int_eq(entry->registered_at, 1700000000);
	ck_assert_uint_eq(entry->delivered, 3);
	ck_assert_uint_eq(entry->missed, 0);
	ck_assert_uint_eq(entry->sender_id_count, 0);
	sa = gcks_sa_current(&server.sas, 100);
	ck_assert_uint_eq(sa->spi, 0x1001);
	ck_assert_uint_eq(sa->key.length, 64);
	ck_assert_uint_eq(sa->key.data[63], 63);
	ck_assert_uint_eq(sa->sender_id_bits, 0);
	/* it had no end, and has none; the policy of today replaces it */
	ck_assert_int_eq(gcks_sa_expires_at(sa), GCKS_NEVER);
	ck_assert_uint_eq(key_server_sas(&server)->numbers.generation, 3);
	ck_assert(gcks_sa_knows_spi(&key_server_sas(&server)->numbers, 0x1001));
	ck_assert_int_eq(stat(anchor_file, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	/* and again, as what it is now */
	reopen();
	ck_assert_uint_eq(server.registrations.count, 2);
	ck_assert_uint_eq(gcks_sa_current(&server.sas, 200)->key.data[0], 100);
	ck_assert_str_eq(gcks_store_notice(server.store), "");
}
END_TEST

/* A store that is not understood is left as it is. */
START_TEST(version_1_of_another_key)
{
	static const uint8_t other[32] = { 1 };
	uint8_t before[20480], after[20480];
	int fd;

	copy(GSA_VECTORS "/store/version-1.db", path);
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, before, sizeof(before)), sizeof(before));
	close(fd);
	fd = open(key_file, O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(fd, other, sizeof(other)), sizeof(other));
	close(fd);
	ck_assert_ptr_null(gcks_store_open(path, key_file, error, sizeof(error)));
	ck_assert_ptr_nonnull(strstr(error, "is not its key file"));
	fd = open(path, O_RDONLY);
	ck_assert_int_eq(read(fd, after, sizeof(after)), sizeof(after));
	close(fd);
	ck_assert_mem_eq(before, after, sizeof(before));
	ck_assert_int_eq(access(anchor_file, F_OK), -1);
}
END_TEST

/* ---- version 2 ---- */

static void copy_version_2(void)
{
	copy(GSA_VECTORS "/store/version-2.db", path);
	copy(GSA_VECTORS "/store/version-2.key", key_file);
	copy(GSA_VECTORS "/store/version-2.anchor", anchor_file);
}

START_TEST(version_2)
{
	const struct gcks_registration *entry;

	copy_version_2();
	for (int opened = 0; opened < 2; opened++) {
		open_store();
		load();
		ck_assert_str_eq(gcks_store_notice(server.store), "");
		ck_assert_uint_eq(server.registrations.count, 2);
		ck_assert_uint_eq(ids.count, 1);
		ck_assert(ids.ids[0].used);
		entry = key_server_find(&server, "site1.blue.example");
		ck_assert_uint_eq(entry->sender_id_count, 2);
		ck_assert_uint_eq(entry->sender_ids[1], 2);
		ck_assert_uint_eq(entry->delivered, 2);
		ck_assert_uint_eq(key_server_sas(&server)->sa_count, 2);
		ck_assert_uint_eq(key_server_sas(&server)->sender_id_next, 64);
		ck_assert_ptr_null(key_server_sas(&server)->former);
		close_store();
	}
}
END_TEST

/* An older copy of it is known as such, too. */
START_TEST(version_2_without_anchor)
{
	copy_version_2();
	ck_assert_int_eq(unlink(anchor_file), 0);
	open_store();
	load();
	ck_assert_ptr_nonnull(strstr(gcks_store_notice(server.store), "is missing"));
	ck_assert_uint_eq(server.registrations.count, 0);
	ck_assert_ptr_null(server.sas.head);
	reopen();
	ck_assert_str_eq(gcks_store_notice(server.store), "");
}
END_TEST

/* ---- what comes back ---- */

static size_t former_ids(const char *identity, uint32_t *found)
{
	return gcks_former_ids(key_server_sas(&server), identity, found);
}

/* Who has left has its Sender-IDs back when it registers again, and nobody else has them. */
START_TEST(former_members)
{
	uint32_t found[GCKS_SENDER_IDS_KEPT];
	struct gcks_registration *entry;

	open_store();
	load();
	granted("site1", 1);
	granted("site1", 2);
	granted("site2", 3);
	key_server_leave(&server, "site1");
	key_server_leave(&server, "site2");
	reopen();
	ck_assert_uint_eq(server.registrations.count, 0);
	ck_assert_uint_eq(former_ids("site1", found), 2);
	ck_assert_uint_eq(found[0], 0);
	ck_assert_uint_eq(found[1], 1);
	ck_assert_uint_eq(former_ids("site2", found), 1);
	ck_assert_uint_eq(found[0], 2);
	ck_assert_uint_eq(key_server_sas(&server)->left, 2);
	ck_assert_uint_eq(granted("site1", 4).sender_ids[0], 64);
	reopen();
	entry = key_server_find(&server, "site1");
	ck_assert_uint_eq(entry->sender_id_count, 3);
	ck_assert_uint_eq(entry->sender_ids[1], 1);
	ck_assert_uint_eq(entry->sender_ids[2], 64);
	ck_assert_uint_eq(former_ids("site1", found), 0);
	ck_assert_uint_eq(former_ids("site2", found), 1);
	/* it leaves after site2 now */
	key_server_leave(&server, "site1");
	ck_assert_str_eq(key_server_sas(&server)->former->identity, "site1");
	reopen();
	ck_assert_str_eq(key_server_sas(&server)->former->identity, "site1");
	ck_assert_uint_eq(former_ids("site1", found), 3);
}
END_TEST

/* In the store, too. */
START_TEST(former_members_are_bounded)
{
	uint32_t found[GCKS_SENDER_IDS_KEPT];
	unsigned int kept = 0;

	open_store();
	load();
	key_server_register_many(&server, GCKS_FORMER_KEPT + 20);
	for (unsigned int i = 1; i <= GCKS_FORMER_KEPT + 20; i++)
		key_server_leave(&server, name_of(i));
	reopen();
	for (const struct gcks_registration *former = key_server_sas(&server)->former; former;
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

	server.group->sender_id_bits = 8;
	open_store();
	load();
	granted("site1", 1);
	key_server_leave(&server, "site1");
	for (uint32_t i = 1; i < 256; i++)
		ck_assert(!granted("site2", 1 + i).anew);
	ck_assert_uint_eq(former_ids("site1", found), 1);
	ck_assert(granted("site2", 300).anew);
	ck_assert_uint_eq(former_ids("site1", found), 0);
	reopen();
	ck_assert_uint_eq(former_ids("site1", found), 0);
	ck_assert_uint_eq(key_server_find(&server, "site2")->sender_id_count, 1);
}
END_TEST

/* Put out for not acknowledging: it did not hear of it, of all. */
START_TEST(former_members_that_missed_rekeys)
{
	uint32_t found[GCKS_SENDER_IDS_KEPT];

	open_store();
	load();
	server.group->rekey_missed_maximum = 1;
	server.group->lifetime_data_s = 86400;
	granted("site1", 1);
	granted("site2", 2);
	server.silent = true;
	for (int rekey = 0; rekey < 3 && key_server_find(&server, "site1"); rekey++) {
		gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_OPERATOR, server.now);
		key_server_advance(&server, 200000);
	}
	ck_assert_ptr_null(key_server_find(&server, "site1"));
	reopen();
	ck_assert_uint_eq(server.registrations.count, 0);
	ck_assert_uint_eq(former_ids("site1", found), 1);
	ck_assert_uint_eq(found[0], 0);
}
END_TEST

START_TEST(round_trip)
{
	struct gcks_sa_numbers before;
	struct gcks_registration *entry;
	struct gcks_change delivered = { .kind = GCKS_PUT_DELIVERED };
	uint32_t spi;

	open_store();
	load();
	granted("site1", 1);
	granted("site2", 2);
	granted("site1", 3);
	gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_OPERATOR, server.now);
	key_server_run(&server);
	entry = key_server_find(&server, "site2");
	entry->missed = 2;
	delivered.registration = entry;
	ck_assert(gcks_store_commit(server.store, &delivered, 1));
	before = key_server_sas(&server)->numbers;
	spi = gcks_sa_current(&server.sas, BLUE)->spi;
	reopen();
	entry = key_server_find(&server, "site1");
	ck_assert_uint_eq(entry->sender_id_count, 2);
	ck_assert_uint_eq(entry->sender_ids[0], 0);
	ck_assert_uint_eq(entry->sender_ids[1], 2);
	ck_assert_uint_eq(entry->delivered, 1); /* not stored: it will be told again */
	entry = key_server_find(&server, "site2");
	ck_assert_uint_eq(entry->delivered, 2);
	ck_assert_uint_eq(entry->missed, 2);
	ck_assert_mem_eq(&key_server_sas(&server)->numbers, &before, sizeof(before));
	ck_assert_uint_eq(key_server_sas(&server)->sa_count, 2);
	ck_assert_uint_eq(gcks_sa_current(&server.sas, BLUE)->spi, spi);
	ck_assert_uint_eq(gcks_sa_current(&server.sas, BLUE)->sender_id_bits, 16);
	/* of the last block nobody knows which were given */
	ck_assert_uint_eq(granted("site3", 4).sender_ids[0], 64);
}
END_TEST

START_TEST(bits_belong_to_the_key)
{
	sqlite3 *database;

	open_store();
	load();
	granted("site1", 1);
	close_store();
	ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
	ck_assert_int_eq(
		sqlite3_exec(database, "UPDATE sa SET sender_id_bits = 8", NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(database);
	open_store();
	ck_assert(!gcks_store_load(server.store, &server.registrations, &server.sas, &ids, error,
				   sizeof(error)));
	ck_assert_ptr_nonnull(strstr(error, "cannot be unwrapped"));
}
END_TEST

/* ---- who has left ---- */

/* gcksd ends between a leave and the rekey that follows it: who has left is known to hold the SA. */
START_TEST(left_before_the_rekey)
{
	open_store();
	load();
	server.group->rekey_on_leave = true;
	if (_i) {
		server.group->sharing = GCKS_SHARING_GROUP;
		server.group->cipher = GCKS_CIPHER_AES256CBC_SHA256;
	}
	granted("site1", 1);
	granted("site2", 2);
	ck_assert(!gcks_former_hold_newest(key_server_sas(&server)));
	key_server_leave(&server, "site1");
	reopen();
	ck_assert(gcks_former_hold_newest(key_server_sas(&server)));
	gcks_registration_set_ike_sa(&server.registrations, key_server_find(&server, "site2"), 2);
	gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_LEAVE, server.now);
	key_server_advance(&server, 2000);
	ck_assert_uint_eq(server.made, 1);
	ck_assert(!gcks_former_hold_newest(key_server_sas(&server)));
	reopen();
	ck_assert(!gcks_former_hold_newest(key_server_sas(&server)));
	/* it may have got what it did not acknowledge */
	key_server_find(&server, "site2")->delivered = 1;
	key_server_find(&server, "site2")->pushed = 2;
	key_server_leave(&server, "site2");
	reopen();
	ck_assert(gcks_former_hold_newest(key_server_sas(&server)));
}
END_TEST

/* ---- older copies ---- */

static void begun_anew(const char *reason)
{
	ck_assert_msg(strstr(gcks_store_notice(server.store), reason) != NULL, "\"%s\"",
		      gcks_store_notice(server.store));
	ck_assert_uint_eq(server.registrations.count, 0);
	ck_assert_ptr_null(server.sas.head);
	ck_assert_uint_eq(key_server_sas(&server)->numbers.sender_id_reserved, 0);
	ck_assert_uint_eq(granted("site1", 77).sender_ids[0], 0);
	/* and it is the store of today from here on */
	reopen();
	ck_assert_str_eq(gcks_store_notice(server.store), "");
	ck_assert_uint_eq(server.registrations.count, 1);
	ck_assert_uint_eq(granted("site2", 78).sender_ids[0], 64);
}

static void fill_and_copy(void)
{
	open_store();
	load();
	granted("site1", 1);
	close_store();
	copy(path, beside("copy.db"));
	open_store();
	load();
}

START_TEST(copy_from_before_a_block)
{
	fill_and_copy();
	granted("site2", 2); /* the first block ended with the restart */
	key_server_leave(&server, "site1");
	close_store();
	copy(beside("copy.db"), path);
	open_store();
	load();
	begun_anew("is an older copy");
}
END_TEST

START_TEST(copy_from_before_a_generation)
{
	server.group->sharing = GCKS_SHARING_GROUP;
	server.group->cipher = GCKS_CIPHER_AES256CBC_SHA256;
	fill_and_copy();
	gcks_registration_set_ike_sa(&server.registrations, key_server_find(&server, "site1"), 1);
	gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_OPERATOR, server.now);
	key_server_run(&server);
	ck_assert_uint_eq(server.made, 1);
	close_store();
	copy(beside("copy.db"), path);
	open_store();
	load();
	ck_assert_ptr_nonnull(strstr(gcks_store_notice(server.store), "is an older copy"));
	ck_assert_ptr_null(server.sas.head);
	ck_assert_uint_eq(server.registrations.count, 0);
}
END_TEST

/* A member's: states of pairs were asked for since. */
START_TEST(copy_from_before_a_state)
{
	struct gcks_kernel_id id = { .kind = GCKS_KERNEL_SA, .spi = 0x10005 };
	struct gcks_change change = { .kind = GCKS_PUT_KERNEL_ID, .kernel_id = &id };

	open_store();
	load();
	ck_assert(!gcks_store_is_complete(server.store)); /* there may have been another one */
	close_store();
	copy(path, beside("copy.db"));
	open_store();
	load();
	ck_assert(gcks_store_is_complete(server.store));
	ck_assert(gcks_store_commit(server.store, &change, 1));
	ck_assert(gcks_store_sync(server.store));
	close_store();
	copy(beside("copy.db"), path);
	open_store();
	load();
	ck_assert(gcks_store_is_complete(server.store)); /* one of all senders may be made again */
	id.direction = GSA__DIRECTION__DIRECTION_OUT;
	id.receiver = 8;
	ck_assert(gcks_store_commit(server.store, &change, 1));
	ck_assert(gcks_store_sync(server.store));
	close_store();
	copy(beside("copy.db"), path);
	open_store();
	load();
	ck_assert(!gcks_store_is_complete(server.store));
	reopen();
	ck_assert(gcks_store_is_complete(server.store));
}
END_TEST

/* Nothing was given since: it is as good as the original. */
START_TEST(copy_of_today)
{
	fill_and_copy();
	close_store();
	copy(beside("copy.db"), path);
	open_store();
	load();
	ck_assert_str_eq(gcks_store_notice(server.store), "");
	ck_assert_uint_eq(server.registrations.count, 1);
}
END_TEST

START_TEST(anchor_is_missing)
{
	fill_and_copy();
	close_store();
	ck_assert_int_eq(unlink(anchor_file), 0);
	open_store();
	load();
	begun_anew("is missing");
}
END_TEST

START_TEST(anchor_is_garbage)
{
	int fd;

	fill_and_copy();
	close_store();
	fd = open(anchor_file, O_WRONLY | O_TRUNC);
	ck_assert_int_eq(write(fd, "nonsense", 8), 8);
	close(fd);
	open_store();
	load();
	begun_anew("is none");
}
END_TEST

START_TEST(anchor_of_another_store)
{
	fill_and_copy();
	close_store();
	ck_assert_int_eq(rename(path, beside("saved.db")), 0);
	open_store(); /* a new one: the anchor is its own now */
	load();
	granted("site1", 1);
	close_store();
	ck_assert_int_eq(rename(beside("saved.db"), path), 0);
	open_store();
	load();
	begun_anew("is another store's");
}
END_TEST

/* gcksd was killed between the commit and the anchor: nothing was published. */
START_TEST(anchor_is_behind)
{
	struct gcks_anchor anchor;
	bool found;

	fill_and_copy();
	close_store();
	ck_assert(gcks_anchor_read(anchor_file, &anchor, &found, error, sizeof(error)) && found);
	ck_assert_uint_gt(anchor.serial, 0);
	anchor.serial--;
	ck_assert(gcks_anchor_write(anchor_file, &anchor, error, sizeof(error)));
	open_store();
	ck_assert_str_eq(gcks_store_notice(server.store), "");
	load();
	ck_assert_uint_eq(server.registrations.count, 1);
	ck_assert(gcks_store_sync(server.store));
	ck_assert(gcks_anchor_read(anchor_file, &anchor, &found, error, sizeof(error)) && found);
	ck_assert_uint_eq(anchor.serial, 1);
}
END_TEST

/* Nothing may be published before it is raised: the sync fails, and succeeds later. */
START_TEST(anchor_cannot_be_raised)
{
	fill_and_copy();
	ck_assert_int_eq(rename(anchor_file, beside("saved.anchor")), 0);
	ck_assert_int_eq(mkdir(anchor_file, 0700), 0);
	ck_assert_uint_ne(key_server_register(&server, "site2", 2, 0).notify, 0);
	ck_assert_msg(strstr(gcks_store_error(server.store), anchor_file) != NULL, "%s",
		      gcks_store_error(server.store));
	ck_assert(!gcks_store_sync(server.store));
	ck_assert_int_eq(rmdir(anchor_file), 0);
	ck_assert_int_eq(rename(beside("saved.anchor"), anchor_file), 0);
	ck_assert(gcks_store_sync(server.store));
	reopen();
	ck_assert_str_eq(gcks_store_notice(server.store), "");
}
END_TEST

START_TEST(anchor_cannot_be_read)
{
	fill_and_copy();
	close_store();
	ck_assert_int_eq(unlink(anchor_file), 0);
	ck_assert_int_eq(mkdir(anchor_file, 0700), 0);
	ck_assert_ptr_null(gcks_store_open(path, key_file, error, sizeof(error)));
	ck_assert_msg(strstr(error, anchor_file) != NULL, "%s", error);
}
END_TEST

/* ---- another time ---- */

/* Of an SA that was made 1000 s ago by the monotonic clock, on a wall clock that says something
 * else. */
static const struct {
	const char *what;
	bool same_boot;
	int64_t wall_ms, age_ms; /* since it was made */
} times[] = {
	{ "the same boot", true, 1000000, 1000000 },
	{ "the same boot, the clock an hour ahead", true, 4600000, 1000000 },
	{ "the same boot, the clock an hour behind", true, -2600000, 1000000 },
	{ "rebooted", false, 1000000, 1000000 },
	{ "rebooted, the clock before its making", false, -2600000, 0 },
	{ "rebooted, long after", false, 400000000, 400000000 },
};

START_TEST(time_passes)
{
	struct gcks_clock clock;
	const struct gcks_sa *sa;
	int64_t made_at, created_at;

	open_store();
	gcks_clock_read(&clock);
	load();
	server.now = clock.now;
	granted("site1", 1);
	made_at = server.sas.head->made_at;
	created_at = server.sas.head->created_at;
	close_store();
	open_store();
	clock.now = times[_i].same_boot ? made_at + 1000000 : 5000;
	clock.wall = created_at * 1000 + times[_i].wall_ms;
	if (!times[_i].same_boot)
		strcpy(clock.boot, "another");
	gcks_store_set_clock(server.store, &clock);
	load();
	sa = server.sas.head;
	ck_assert_msg(sa->made_at == clock.now - times[_i].age_ms, "%s: made %lld ms ago",
		      times[_i].what, (long long)(clock.now - sa->made_at));
	ck_assert_int_eq(sa->activates_at, sa->made_at);
	ck_assert_int_eq(gcks_sa_expires_at(sa), sa->made_at + 3600000);
}
END_TEST

START_TEST(clock_steps)
{
	struct gcks_clock before = { .now = 1000, .wall = 500000 }, after = before;

	after.now += 10000;
	after.wall += 10001;
	ck_assert_int_eq(gcks_clock_stepped(&before, &after), 1);
	after.wall += 3600000;
	ck_assert_int_eq(gcks_clock_stepped(&before, &after), 3600001);
	after.wall -= 7200000;
	ck_assert_int_eq(gcks_clock_stepped(&before, &after), -3599999);
	gcks_clock_read(&before);
	gcks_clock_read(&after);
	ck_assert_int_lt(llabs(gcks_clock_stepped(&before, &after)), 1000);
	ck_assert_str_eq(before.boot, after.boot);
}
END_TEST

Suite *store_version_suite(void)
{
	Suite *suite = suite_create("store_version");
	TCase *tcase = tcase_create("store_version");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, version_1);
	tcase_add_test(tcase, version_1_of_another_key);
	tcase_add_test(tcase, version_2);
	tcase_add_test(tcase, version_2_without_anchor);
	tcase_add_test(tcase, former_members);
	tcase_add_test(tcase, former_members_are_bounded);
	tcase_add_test(tcase, former_members_of_a_group_that_begins_anew);
	tcase_add_test(tcase, former_members_that_missed_rekeys);
	tcase_add_test(tcase, round_trip);
	tcase_add_test(tcase, bits_belong_to_the_key);
	tcase_add_test(tcase, copy_from_before_a_block);
	tcase_add_test(tcase, copy_from_before_a_generation);
	tcase_add_test(tcase, copy_from_before_a_state);
	tcase_add_loop_test(tcase, left_before_the_rekey, 0, 2);
	tcase_add_test(tcase, copy_of_today);
	tcase_add_test(tcase, anchor_is_missing);
	tcase_add_test(tcase, anchor_is_garbage);
	tcase_add_test(tcase, anchor_of_another_store);
	tcase_add_test(tcase, anchor_is_behind);
	tcase_add_test(tcase, anchor_cannot_be_raised);
	tcase_add_test(tcase, anchor_cannot_be_read);
	tcase_add_loop_test(tcase, time_passes, 0, COUNT(times));
	tcase_add_test(tcase, clock_steps);
	suite_add_tcase(suite, tcase);
	return suite;
}
