// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever happens to a key server in whatever order, no Sender-ID is given twice under one TEK,
 * and no SPI counts for two SAs.
 *
 * Members register, leave, do not answer and come back; keys roll; gcksd is restarted and killed,
 * the machine is rebooted; an old copy of the store is put back.  Beside it the test keeps what no
 * key server may forget: each TEK that was ever given to a member, and the Sender-IDs that were
 * used under it.
 */
#include <fcntl.h>
#include <unistd.h>

#include "gcks/clock.h"
#include "tests/unit/key_server.h"
#include "tests/unit/store_files.h"

#define STEPS	 2000
#define MEMBERS	 24
#define TEKS_MAX 4096

static char wal[320];
static struct key_server server;
static struct gcks_kernel_ids ids;
static int64_t boots;
static bool have_copy;
static unsigned int anews, restores, refused;

/* ---- what was given ---- */

static struct tek {
	uint8_t key[20]; /* the beginning is enough */
	uint32_t spi;
	uint8_t used[(1 << 12) / 8];
} teks[TEKS_MAX];
static size_t tek_count;

static struct tek *find_tek(const struct gcks_sa *sa)
{
	for (size_t i = 0; i < tek_count; i++)
		if (memcmp(teks[i].key, sa->key.data, sizeof(teks[i].key)) == 0)
			return &teks[i];
	ck_assert_uint_lt(tek_count, TEKS_MAX);
	teks[tek_count] = (struct tek){ .spi = sa->spi };
	memcpy(teks[tek_count].key, sa->key.data, sizeof(teks[tek_count].key));
	return &teks[tek_count++];
}

static bool is_used(const struct tek *tek, uint32_t id)
{
	return tek->used[id / 8] & (1 << id % 8);
}

static void use(struct tek *tek, uint32_t id)
{
	tek->used[id / 8] |= 1 << id % 8;
}

/* A member that gets these SAs may use each of its Sender-IDs under each of them. */
static void check_given(const struct given *given)
{
	for (const struct gcks_sa *sa = server.sas.head; sa; sa = sa->next) {
		struct tek *tek = find_tek(sa);

		for (size_t i = 0; i < given->sender_id_count; i++) {
			uint32_t id = given->sender_ids[i];

			ck_assert_uint_lt(id, 1u << sa->sender_id_bits);
			ck_assert_msg(!is_used(tek, id), "Sender-ID %u twice under SPI 0x%08x", id,
				      tek->spi);
		}
	}
	for (const struct gcks_sa *sa = server.sas.head; sa; sa = sa->next)
		for (size_t i = 0; i < given->sender_id_count; i++)
			use(find_tek(sa), given->sender_ids[i]);
}

/* Members use what they have under what comes: of two members with one Sender-ID both would. */
static void check_tables(void)
{
	static uint8_t seen[1 << 12];

	memset(seen, 0, sizeof(seen));
	for (const struct gcks_registration *entry = server.registrations.head; entry;
	     entry = entry->next)
		for (size_t i = 0; i < entry->sender_id_count; i++) {
			ck_assert_msg(!seen[entry->sender_ids[i]], "Sender-ID %u of two members",
				      entry->sender_ids[i]);
			seen[entry->sender_ids[i]] = 1;
			for (const struct gcks_sa *sa = server.sas.head; sa; sa = sa->next)
				use(find_tek(sa), entry->sender_ids[i]);
		}
	for (const struct gcks_sa *a = server.sas.head; a; a = a->next)
		for (const struct gcks_sa *b = a->next; b; b = b->next) {
			ck_assert_uint_ne(a->spi >> a->sender_id_bits, b->spi >> a->sender_id_bits);
			ck_assert_uint_ne(a->generation, b->generation);
		}
	if (key_server_sas(&server)) {
		const struct gcks_sa_numbers *numbers = &key_server_sas(&server)->numbers;

		for (size_t i = 0; i < numbers->spi_count; i++)
			for (size_t j = i + 1; j < numbers->spi_count; j++)
				ck_assert_uint_ne(numbers->spis[i].spi, numbers->spis[j].spi);
		ck_assert_uint_le(key_server_sas(&server)->sender_id_next,
				  numbers->sender_id_reserved);
	}
}

/* ---- the store ---- */

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out;
	char octets[65536];
	ssize_t length;

	if (in < 0) {
		unlink(to);
		return;
	}
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	while ((length = read(in, octets, sizeof(octets))) > 0)
		ck_assert_int_eq(write(out, octets, (size_t)length), length);
	close(in);
	close(out);
}

static void clear_tables(void)
{
	gcks_registrations_clear(&server.registrations);
	gcks_sa_table_clear(&server.sas);
	gcks_kernel_ids_clear(&ids);
}

static void start_gcksd(void)
{
	struct gcks_clock clock = { .now = server.now,
				    .wall = (1700000000 + server.now / 1000) * 1000 };

	snprintf(clock.boot, sizeof(clock.boot), "%lld", (long long)boots);
	server.store = must_open();
	gcks_store_set_clock(server.store, &clock);
	ck_assert_msg(gcks_store_load(server.store, &server.registrations, &server.sas, &ids,
				      store_error, sizeof(store_error)),
		      "%s", store_error);
	for (struct gcks_sa_group *group = server.sas.groups; group; group = group->next)
		gcks_rekey_loaded(&server.tables, group);
}

static void stop_gcksd(void)
{
	gcks_store_close(server.store);
	server.store = NULL;
	clear_tables();
}

/* What a killed gcksd leaves behind: the files as they are. */
static void kill_gcksd(void)
{
	char db[400], log[400];

	snprintf(db, sizeof(db), "%s.killed", store_path);
	snprintf(log, sizeof(log), "%s.killed", wal);
	copy(store_path, db);
	copy(wal, log);
	stop_gcksd();
	copy(db, store_path);
	copy(log, wal);
}

/* ---- events ---- */

static const char *any_member(void)
{
	static char identity[32];

	snprintf(identity, sizeof(identity), "site%d", rand() % MEMBERS);
	return identity;
}

/* False: it has used up its share. */
static bool try_register(const char *identity, int sender_ids)
{
	struct given given = key_server_register(&server, identity, 1 + rand() % 1000, sender_ids);

	ck_assert_msg(!given.notify || strstr(given.reason, "share"), "%s", given.reason);
	anews += given.anew;
	refused += given.notify != 0;
	check_given(&given);
	return !given.notify;
}

static void member_registers(void)
{
	try_register(any_member(), rand() % 4 ? 0 : rand() % 5);
}

static void insider_takes_all(void)
{
	const char *identity = any_member();
	int asked = 0;

	while (try_register(identity, rand() % 10))
		ck_assert_int_lt(asked++, 1 << server.group->sender_id_bits);
}

static void member_leaves(void)
{
	const char *identity = any_member();

	if (key_server_find(&server, identity))
		key_server_leave(&server, identity);
}

static void time_goes_on(void)
{
	server.silent = rand() % 4 == 0;
	key_server_advance(&server, rand() % 60000);
}

static void charon_comes_back(void)
{
	for (struct gcks_registration *entry = server.registrations.head; entry;
	     entry = entry->next)
		gcks_registration_set_ike_sa(&server.registrations, entry,
					     rand() % 3 ? 1 + rand() % 1000 : 0);
	for (struct gcks_sa_group *group = server.sas.groups; group; group = group->next)
		gcks_rekey_resume(&server.tables, group, server.now);
}

static void operator_rekeys(void)
{
	if (key_server_sas(&server))
		gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_OPERATOR, server.now);
}

static void restart(void)
{
	if (rand() % 2)
		kill_gcksd();
	else
		stop_gcksd();
	if (rand() % 4 == 0)
		boots++;
	start_gcksd();
	charon_comes_back();
}

static void take_copy(void)
{
	stop_gcksd();
	copy(store_path, store_file_beside("copy"));
	have_copy = true;
	start_gcksd();
	charon_comes_back();
}

static void put_copy_back(void)
{
	if (!have_copy)
		return;
	stop_gcksd();
	copy(store_file_beside("copy"), store_path);
	unlink(wal);
	start_gcksd();
	restores++;
}

static void policy_changes(void)
{
	server.group->rekey_on_join = rand() % 4 == 0;
	server.group->rekey_on_leave = rand() % 2;
	server.group->lifetime_data_s = 120 + rand() % 3600;
	server.group->rekey_missed_maximum = rand() % 4;
}

static void (*const events[])(void) = {
	member_registers, member_registers,  member_registers, member_registers,
	member_registers, member_registers,  member_registers, member_registers,
	member_leaves,	  time_goes_on,	     time_goes_on,     time_goes_on,
	operator_rekeys,  charon_comes_back, policy_changes,   restart,
};

START_TEST(no_sender_id_twice)
{
	srand(4711u + (unsigned int)_i);
	store_files_make();
	snprintf(wal, sizeof(wal), "%s-wal", store_path);
	key_server_start(&server);
	server.group->sharing = GCKS_SHARING_PAIRWISE;
	server.group->cipher = GCKS_CIPHER_AES128GCM16;
	server.group->sender_id_bits = _i % 2 ? 12 : 8;
	start_gcksd();
	for (int step = 0; step < STEPS; step++) {
		int event = rand() % 200;

		if (event == 0)
			take_copy();
		else if (event == 1)
			put_copy_back();
		else if (event < 8)
			insider_takes_all();
		else
			events[event % COUNT(events)]();
		key_server_run(&server);
		check_tables();
	}
	/* the test has met what it is about */
	ck_assert_uint_gt(server.made, 10);
	ck_assert_uint_gt(restores, 0);
	ck_assert_uint_gt(refused, 10);
	ck_assert_uint_gt(server.group->sender_id_bits == 8 ? anews : 1, 0);
	stop_gcksd();
	key_server_stop(&server);
	store_files_remove();
}
END_TEST

Suite *key_server_random_suite(void)
{
	Suite *suite = suite_create("key_server_random");
	TCase *tcase = tcase_create("key_server_random");

	tcase_add_loop_test(tcase, no_sender_id_twice, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}
