// SPDX-License-Identifier: GPL-2.0-or-later
/* When groups get new SAs, and when the old ones go. */
#include "tests/unit/key_server.h"

static struct key_server server;

static void start(void)
{
	key_server_start(&server);
}

static void stop(void)
{
	key_server_stop(&server);
}

/* Every answer that is due, in the order of the pushes. */
static void answer_all(bool ok)
{
	for (uint32_t request = 1; request <= server.requests; request++)
		gcks_rekey_done(&server.tables, request, ok, server.now);
}

START_TEST(by_hand)
{
	const struct gcks_sa *old, *new;

	key_server_register_many(&server, 3);
	ck_assert_int_eq(key_server_phase(&server), GCKS_REKEY_IDLE);
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	ck_assert_int_eq(key_server_phase(&server), GCKS_REKEY_DUE);
	server.silent = true;
	key_server_run(&server); /* at once */
	ck_assert_int_eq(key_server_phase(&server), GCKS_REKEY_PUSHING);
	ck_assert_uint_eq(server.pushed, 3);
	ck_assert_uint_eq(key_server_generation(&server), 2);
	new = gcks_sa_current(&server.sas, BLUE);
	old = gcks_sa_older(new);
	ck_assert_int_eq(new->activates_at, server.now + 5000);
	ck_assert_int_eq(old->retires_at, GCKS_NEVER);
	server.now += 2000;
	answer_all(true);
	key_server_run(&server);
	ck_assert_int_eq(key_server_phase(&server), GCKS_REKEY_SETTLING);
	ck_assert_uint_eq(server.told, 1);
	ck_assert_uint_eq(key_server_sas(&server)->rekey.acknowledged, 3);
	/* activation and deactivation delay after it was made, since all knew it by then */
	ck_assert_int_eq(old->retires_at, new->activates_at + 10000);
	key_server_advance(&server, 12999);
	ck_assert_int_eq(key_server_phase(&server), GCKS_REKEY_SETTLING);
	key_server_advance(&server, 1);
	ck_assert_int_eq(key_server_phase(&server), GCKS_REKEY_IDLE);
	ck_assert_uint_eq(server.ended_sas, 1);
	ck_assert_ptr_null(gcks_sa_older(gcks_sa_current(&server.sas, BLUE)));
}
END_TEST

/* Over a day each SA is replaced before its end, and never more than two are there. */
START_TEST(lifetime)
{
	key_server_register_many(&server, 2);
	server.group->lifetime_data_s = 600;
	for (int minute = 0; minute < 24 * 60; minute++) {
		const struct gcks_sa *sa;

		key_server_advance(&server, 60000);
		sa = gcks_sa_current(&server.sas, BLUE);
		ck_assert_ptr_nonnull(sa);
		/* enough of it for the delays */
		ck_assert_int_gt(gcks_sa_expires_at(sa) - server.now, 20000);
		ck_assert_uint_le(key_server_sas(&server)->sa_count, 2);
		ck_assert_uint_eq(key_server_count(&server, GCKS_DELIVERY_CURRENT), 2);
	}
	/* the first was made for 3600 s */
	ck_assert_uint_ge(server.made, 86400 / 600);
	ck_assert_uint_le(server.made, 86400 / 500);
}
END_TEST

START_TEST(burst_of_leaves)
{
	key_server_register_many(&server, 150);
	server.group->rekey_on_leave = true;
	for (unsigned int i = 1; i <= 100; i++) {
		char identity[32];

		snprintf(identity, sizeof(identity), "site%u", i);
		key_server_leave(&server, identity);
		key_server_advance(&server, 9);
	}
	ck_assert_uint_eq(server.made, 0);
	key_server_advance(&server, 60000);
	ck_assert_uint_eq(server.made, 1);
	ck_assert_uint_eq(server.pushed, 50);
	ck_assert_uint_eq(key_server_count(&server, GCKS_DELIVERY_CURRENT), 50);
}
END_TEST

START_TEST(leave_without_rekey)
{
	key_server_register_many(&server, 3);
	key_server_leave(&server, "site1");
	key_server_advance(&server, 60000);
	ck_assert_uint_eq(server.made, 0);
}
END_TEST

START_TEST(triggers_while_pushing)
{
	key_server_register_many(&server, 3);
	server.group->rekey_on_leave = true;
	server.silent = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
	for (int i = 0; i < 5; i++)
		key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_leave(&server, "site3");
	key_server_advance(&server, 5000);
	ck_assert_uint_eq(server.made, 1);
	server.silent = false;
	answer_all(true);
	key_server_advance(&server, 60000);
	ck_assert_uint_eq(server.made, 2);
	ck_assert_uint_eq(key_server_sas(&server)->sa_count, 1);
}
END_TEST

START_TEST(nobody_left)
{
	key_server_register_many(&server, 1);
	server.group->rekey_on_leave = true;
	key_server_leave(&server, "site1");
	key_server_advance(&server, 5000);
	ck_assert_ptr_null(server.sas.head);
	ck_assert(!gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_OPERATOR, server.now));
	/* its generation is not given again */
	key_server_register_many(&server, 1);
	ck_assert_uint_eq(key_server_generation(&server), 2);
}
END_TEST

START_TEST(conflicts_once_a_minute)
{
	key_server_register_many(&server, 2);
	for (int second = 0; second < 150; second++) {
		key_server_trigger(&server, GCKS_TRIGGER_CONFLICT);
		key_server_advance(&server, 1000);
	}
	ck_assert_uint_eq(server.made, 3);
}
END_TEST

START_TEST(store_fails)
{
	key_server_register_many(&server, 2);
	server.store_fails = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_advance(&server, 3 * GCKS_REKEY_RETRY_MS);
	ck_assert_uint_eq(key_server_generation(&server), 1);
	ck_assert_uint_eq(server.pushed, 0);
	server.store_fails = false;
	key_server_advance(&server, GCKS_REKEY_RETRY_MS);
	ck_assert_uint_eq(key_server_generation(&server), 2);
	ck_assert_uint_eq(server.pushed, 2);
}
END_TEST

/* The store fails for longer than the SA lives: it ends, and the next one comes when it can. */
START_TEST(expires_without_a_new_one)
{
	key_server_register_many(&server, 2);
	server.store_fails = true;
	key_server_advance(&server, 3600 * 1000);
	ck_assert_ptr_null(server.sas.head);
	server.store_fails = false;
	ck_assert_uint_eq(key_server_register(&server, "site1", 1, 0).notify, 0);
	ck_assert_uint_eq(key_server_generation(&server), 2);
	key_server_run(&server);
	/* the other one is told */
	ck_assert_uint_eq(key_server_find(&server, "site2")->delivered, 2);
}
END_TEST

START_TEST(wishes_wait_for_old_sas)
{
	key_server_register_many(&server, 2);
	for (int i = 0; i < 50; i++) {
		key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
		key_server_run(&server);
		ck_assert_uint_le(key_server_sas(&server)->sa_count, GCKS_SA_LIVE);
		server.now += 100;
	}
	ck_assert_uint_eq(server.made, GCKS_SA_LIVE - 1);
	key_server_advance(&server, 60000);
	ck_assert_uint_eq(server.made, GCKS_SA_LIVE);
	ck_assert_uint_eq(key_server_sas(&server)->sa_count, 1);
}
END_TEST

START_TEST(names)
{
	char buffer[96], small[8];

	ck_assert_str_eq(gcks_rekey_reasons(0, buffer, sizeof(buffer)), "-");
	ck_assert_str_eq(gcks_rekey_reasons(GCKS_TRIGGER_LIFETIME | GCKS_TRIGGER_LEAVE, buffer,
					    sizeof(buffer)),
			 "lifetime, leave");
	ck_assert_str_eq(gcks_rekey_reasons((1u << GCKS_TRIGGERS) - 1, buffer, sizeof(buffer)),
			 "lifetime, operator, policy, join, leave, conflict");
	ck_assert_str_eq(gcks_rekey_reasons(GCKS_TRIGGER_LIFETIME, small, sizeof(small)),
			 "lifetim");
}
END_TEST

Suite *rekey_suite(void)
{
	Suite *suite = suite_create("rekey");
	TCase *tcase = tcase_create("rekey");

	/* with sanitizers, on a machine that is busy */
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, by_hand);
	tcase_add_test(tcase, lifetime);
	tcase_add_test(tcase, burst_of_leaves);
	tcase_add_test(tcase, leave_without_rekey);
	tcase_add_test(tcase, triggers_while_pushing);
	tcase_add_test(tcase, nobody_left);
	tcase_add_test(tcase, conflicts_once_a_minute);
	tcase_add_test(tcase, store_fails);
	tcase_add_test(tcase, expires_without_a_new_one);
	tcase_add_test(tcase, wishes_wait_for_old_sas);
	tcase_add_test(tcase, names);
	suite_add_tcase(suite, tcase);
	return suite;
}
