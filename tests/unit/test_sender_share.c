// SPDX-License-Identifier: GPL-2.0-or-later
/* No member uses up its group's Sender-IDs, whatever it does and however often. */
#include "gcks/former.h"
#include "gcks/sender_share.h"
#include "tests/unit/key_server.h"

#define MINUTE	 INT64_C(60000)
#define HOUR	 (60 * MINUTE)
#define SHARE	 16 /* of 8 bits */
#define INTERVAL (90 * MINUTE)
#define INSIDERS 3
#define STEPS	 20000

static struct key_server server;
static uint32_t last_ike_sa;

static void start(void)
{
	key_server_start(&server);
	server.group->sharing = GCKS_SHARING_PAIRWISE;
	server.group->cipher = GCKS_CIPHER_AES256GCM16;
	server.group->sender_id_bits = 8;
	server.group->lifetime_data_s = 0;
}

static void stop(void)
{
	key_server_stop(&server);
}

static struct given ask(const char *identity, int sender_ids)
{
	return key_server_register(&server, identity, ++last_ike_sa, sender_ids);
}

static void check_granted(const char *identity, int sender_ids, size_t count, bool anew)
{
	struct given given = ask(identity, sender_ids);

	ck_assert_msg(!given.notify, "%s: %s", identity, given.reason);
	ck_assert_uint_eq(given.sender_id_count, count);
	ck_assert(given.anew == anew);
}

static void check_refused(const char *identity, const char *word)
{
	uint32_t next = key_server_sas(&server)->sender_id_next;
	struct given given = ask(identity, 1);

	ck_assert_uint_eq(given.notify, GSA_NOTIFY_REGISTRATION_FAILED);
	ck_assert_msg(strstr(given.reason, word) != NULL, "%s", given.reason);
	ck_assert_uint_eq(key_server_sas(&server)->sender_id_next, next);
}

START_TEST(sizes)
{
	static const struct {
		uint8_t bits;
		uint32_t share;
	} sizes[] = { { 8, 16 }, { 12, 256 }, { 16, 4096 } };

	for (size_t i = 0; i < COUNT(sizes); i++) {
		uint8_t bits = sizes[i].bits;
		uint32_t share = sizes[i].share;
		int64_t now = 5 * HOUR, whole_at = 0, wait;

		/* an ordinary member registers a few times in a row, however small it is */
		ck_assert_uint_ge(share, 2 * GCKS_SENDER_IDS_PER_REQUEST);
		ck_assert_uint_eq(gcks_sender_share(bits), share);
		for (uint32_t left = share; left; left--) {
			ck_assert_uint_eq(gcks_sender_share_left(whole_at, now, bits), left);
			ck_assert_int_eq(gcks_sender_share_wait(whole_at, now, bits), 0);
			ck_assert(gcks_sender_share_is_used(whole_at, now) ==
				  (left < share - share / 8));
			whole_at = gcks_sender_share_take(whole_at, now, bits, 1);
		}
		ck_assert_uint_eq(gcks_sender_share_left(whole_at, now, bits), 0);
		wait = gcks_sender_share_wait(whole_at, now, bits);
		ck_assert_int_eq(wait, 24 * HOUR / share);
		ck_assert_int_eq(gcks_sender_share_take(whole_at, now, bits, 5), whole_at);
		ck_assert_uint_eq(gcks_sender_share_left(whole_at, now + wait - 1, bits), 0);
		ck_assert_uint_eq(gcks_sender_share_left(whole_at, now + wait, bits), 1);
		ck_assert_uint_eq(gcks_sender_share_left(whole_at, now + 12 * HOUR, bits),
				  share / 2);
		ck_assert_uint_eq(gcks_sender_share_left(whole_at, now + 24 * HOUR, bits), share);
		ck_assert_uint_eq(gcks_sender_share_left(whole_at, now + 999 * HOUR, bits), share);
	}
}
END_TEST

START_TEST(used_up)
{
	struct gcks_registration *entry;

	check_granted("site1", 0, 1, false);
	check_granted("insider", 8, 8, false);
	check_granted("insider", 5, 5, false);
	/* fewer than it asks for */
	check_granted("insider", 8, 3, false);
	entry = key_server_find(&server, "insider");
	check_refused("insider", "16 in 24 hours; the next in 90 minutes");
	/* nothing else has changed for it, nor for others */
	ck_assert_ptr_eq(key_server_find(&server, "insider"), entry);
	ck_assert_uint_eq(entry->sender_id_count, SHARE);
	check_granted("site1", 0, 1, false);
	/* one that sends nothing takes none */
	check_granted("insider", -1, 0, false);
	check_refused("insider", "the next in 90 minutes");
	server.now += MINUTE;
	check_refused("insider", "the next in 89 minutes");
	server.now += INTERVAL - MINUTE;
	check_granted("insider", 8, 1, false);
	check_refused("insider", "the next in 90 minutes");
}
END_TEST

START_TEST(left_and_back)
{
	check_granted("site1", 0, 1, false);
	check_granted("insider", 8, 8, false);
	key_server_leave(&server, "insider");
	check_granted("insider", 8, 8, false);
	key_server_leave(&server, "insider");
	check_refused("insider", "share");
	ck_assert_ptr_null(key_server_find(&server, "insider"));
	server.now += INTERVAL;
	check_granted("insider", 8, 1, false);
}
END_TEST

/* Sixteen can do it together, once: not again before a day has passed. */
START_TEST(together)
{
	char identity[32];

	check_granted("site1", 0, 1, false);
	for (int i = 0; i < 16; i++) {
		snprintf(identity, sizeof(identity), "insider%d", i);
		check_granted(identity, 8, 8, false);
		check_granted(identity, 8, 8, i == 15);
	}
	/* the last one has begun the group anew; each of the others has one to go on with */
	for (int i = 0; i < 16; i++) {
		snprintf(identity, sizeof(identity), "insider%d", i);
		if (i < 15)
			check_granted(identity, 8, 1, false);
		check_refused(identity, "share");
		if (i % 2)
			key_server_leave(&server, identity);
		check_refused(identity, "share");
	}
	check_granted("site1", 8, 8, false);
	ck_assert_uint_eq(key_server_sas(&server)->sender_id_next, 8 + 15 + 8);
	/* an operator's change of policy makes nobody's share whole, either */
	gcks_rekey_anew(key_server_sas(&server), "test");
	key_server_run(&server);
	ck_assert_uint_eq(server.registrations.count, 0);
	for (int i = 0; i < 16; i++) {
		snprintf(identity, sizeof(identity), "insider%d", i);
		check_granted(identity, 8, 1, false);
		check_refused(identity, "share");
	}
}
END_TEST

/* Of those who have used much only the shares are kept. */
START_TEST(kept_anew)
{
	const struct gcks_sa_group *group;

	check_granted("site1", 0, 1, false);
	check_granted("here", 8, 8, false);
	check_granted("here", 1, 1, false);
	check_granted("away", 8, 8, false);
	check_granted("away", 8, 8, false);
	check_granted("little", 2, 2, false);
	key_server_leave(&server, "away");
	key_server_leave(&server, "little");
	group = key_server_sas(&server);
	gcks_rekey_anew(key_server_sas(&server), "test");
	key_server_run(&server);
	ck_assert_ptr_null(gcks_former_find(group, "site1"));
	ck_assert_ptr_null(gcks_former_find(group, "little"));
	ck_assert_uint_eq(gcks_former_find(group, "here")->sender_id_count, 0);
	ck_assert_uint_eq(gcks_former_find(group, "away")->sender_id_count, 0);
	check_granted("here", 8, 7, false);
	ck_assert_uint_eq(key_server_find(&server, "here")->sender_id_count, 7);
	ck_assert_ptr_null(gcks_former_find(group, "here"));
	check_granted("away", 8, 1, false);
}
END_TEST

/*
 * Whatever insiders do, none gets more than its share and what comes back of it, but for what it
 * has when the group begins anew: one, and an eighth.
 */
START_TEST(random_insiders)
{
	uint32_t given[INSIDERS] = {}, refused = 0, anews = 0, others = 0;
	int64_t began = server.now;
	char identity[32];

	srand(4711u + (unsigned int)_i);
	for (int step = 0; step < STEPS; step++) {
		int who = rand() % INSIDERS;
		struct given answer;

		snprintf(identity, sizeof(identity), "insider%d", who);
		switch (rand() % 16) {
		case 0:
			server.now += rand() % (2 * INTERVAL);
			continue;
		case 1:
			if (key_server_find(&server, identity))
				key_server_leave(&server, identity);
			continue;
		case 2: /* one who comes for the first time */
			if (rand() % 64)
				continue;
			snprintf(identity, sizeof(identity), "site%u", ++others);
			answer = ask(identity, 0);
			ck_assert_msg(!answer.notify, "%s: %s", identity, answer.reason);
			anews += answer.anew;
			continue;
		default:
			answer = ask(identity, rand() % 10 - 1);
		}
		refused += answer.notify != 0;
		anews += answer.anew;
		given[who] += (uint32_t)answer.sender_id_count;
		ck_assert_uint_le(given[who], SHARE + anews * (1 + SHARE / 8) +
						      (uint32_t)((server.now - began) / INTERVAL));
		/* of the last seven there may be too few */
		ck_assert_uint_le(249 * anews, given[0] + given[1] + given[2] + others);
	}
	/* the test has met what it is about */
	ck_assert_uint_gt(refused, STEPS / 4);
	ck_assert_uint_gt(anews, 1);
	ck_assert_uint_gt(given[0], SHARE + (uint32_t)((server.now - began) / INTERVAL) / 2);
}
END_TEST

Suite *sender_share_suite(void)
{
	Suite *suite = suite_create("sender_share");
	TCase *tcase = tcase_create("sender_share");

	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, sizes);
	tcase_add_test(tcase, used_up);
	tcase_add_test(tcase, left_and_back);
	tcase_add_test(tcase, together);
	tcase_add_test(tcase, kept_anew);
	tcase_add_loop_test(tcase, random_insiders, 0, 4);
	suite_add_tcase(suite, tcase);
	return suite;
}
