// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is told of a new SA, how many at a time, and what comes of those who are not reached. */
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

/* gcksd begins again with what the store has, and charon repeats every registration. */
static void restart(void)
{
	struct gcks_sa_group *group = key_server_sas(&server);
	struct gcks_registration *entry, *next, *loaded;

	group->rekey = (struct gcks_rekey){ .due_at = GCKS_NEVER };
	for (entry = server.registrations.head; entry; entry = next) {
		struct gcks_registration values = *entry;

		next = entry->next;
		values.delivered = values.stored_delivered;
		values.pushed = 0;
		loaded = gcks_registration_new(&values);
		ck_assert_ptr_nonnull(loaded);
		gcks_registration_insert(&server.registrations, loaded);
	}
	gcks_rekey_loaded(&server.tables, group);
}

/* A rekey has begun and waits for the first member's answer; a leave shall be one, too. */
static void tell_one_of_three(void)
{
	key_server_register_many(&server, 3);
	server.group->rekey_on_leave = true;
	server.group->rekey_in_flight = 1;
	server.silent = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
}

/* Who was not told yet does not know the new SA: it is as good as one made after. */
START_TEST(leaves_before_its_turn)
{
	tell_one_of_three();
	for (struct gcks_registration *entry = server.registrations.head, *next; entry;
	     entry = next) {
		next = entry->next;
		if (entry->delivery == GCKS_DELIVERY_WAITING)
			key_server_leave(&server, entry->identity);
	}
	ck_assert_uint_eq(server.registrations.count, 1);
	ck_assert_uint_eq(key_server_sas(&server)->rekey.wished, 0);
	/* one that may have got it does */
	key_server_leave(&server, server.registrations.head->identity);
	ck_assert_uint_eq(key_server_sas(&server)->rekey.wished, GCKS_TRIGGER_LEAVE);
}
END_TEST

/* It was told, and charon is there again before its answer: it may have got it, whoever is told first now. */
START_TEST(leaves_before_its_second_turn)
{
	struct gcks_registration *told;

	tell_one_of_three();
	told = gcks_registration_first(&server.registrations, BLUE, GCKS_DELIVERY_IN_FLIGHT);
	gcks_rekey_resume(&server.tables, key_server_sas(&server), server.now);
	key_server_run(&server);
	ck_assert_int_eq(told->delivery, GCKS_DELIVERY_WAITING);
	key_server_leave(&server, told->identity);
	ck_assert_uint_eq(key_server_sas(&server)->rekey.wished, GCKS_TRIGGER_LEAVE);
}
END_TEST

/* Whom an earlier gcksd has told is not known. */
START_TEST(leaves_after_a_restart)
{
	struct gcks_registration *told;

	tell_one_of_three();
	restart();
	gcks_rekey_resume(&server.tables, key_server_sas(&server), server.now);
	key_server_run(&server);
	told = gcks_registration_first(&server.registrations, BLUE, GCKS_DELIVERY_WAITING);
	key_server_leave(&server, told->identity);
	ck_assert_uint_eq(key_server_sas(&server)->rekey.wished, GCKS_TRIGGER_LEAVE);
}
END_TEST

START_TEST(paced)
{
	key_server_register_many(&server, 300);
	server.group->rekey_in_flight = 16;
	server.silent = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
	ck_assert_uint_eq(server.pushed, 16);
	for (uint32_t request = 1; request <= 300; request++) {
		ck_assert_ptr_nonnull(gcks_rekey_done(&server.tables, request, true, server.now));
		/* for the second time: it is not in flight any more */
		ck_assert_ptr_null(gcks_rekey_done(&server.tables, request, true, server.now));
		key_server_run(&server);
	}
	ck_assert_uint_eq(server.most_in_flight, 16);
	ck_assert_uint_eq(server.pushed, 300);
	ck_assert_int_eq(key_server_phase(&server), GCKS_REKEY_SETTLING);
}
END_TEST

/* The second is told when the first has answered, the third when all are to send with the SA already. */
START_TEST(too_late)
{
	struct gcks_sa_group *group;
	size_t late = 0;

	key_server_register_many(&server, 3);
	group = key_server_sas(&server);
	server.group->rekey_in_flight = 1;
	server.silent = true;
	for (int n = 0; n < 2; n++) {
		key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
		key_server_run(&server);
		ck_assert_uint_eq(group->rekey.late, 0);
		for (uint32_t i = 0; i < 3; i++) {
			gcks_rekey_done(&server.tables, server.requests, true, server.now);
			key_server_advance(&server, n ? 1 : 3000);
		}
		ck_assert_uint_eq(group->rekey.late, n ? 0 : 1);
		for (struct gcks_registration *entry = server.registrations.head; entry;
		     entry = entry->next)
			late += gcks_rekey_was_late(group, entry);
		ck_assert_uint_eq(late, 1);
		key_server_advance(&server, 60000);
	}
}
END_TEST

START_TEST(misses_rekeys)
{
	key_server_register_many(&server, 2);
	server.silent = true;
	for (uint32_t n = 1; n <= 3; n++) {
		struct gcks_registration *deaf = key_server_find(&server, "site1");

		ck_assert_ptr_nonnull(deaf);
		key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
		key_server_run(&server);
		ck_assert_uint_eq(deaf->missed, n - 1);
		for (uint32_t request = server.requests - 1; request <= server.requests; request++)
			gcks_rekey_done(&server.tables, request, request != deaf->request, server.now);
		key_server_advance(&server, 30000);
		ck_assert_int_eq(deaf->delivery, GCKS_DELIVERY_UNANSWERED);
		ck_assert_uint_eq(deaf->delivered, 1);
		ck_assert_uint_eq(key_server_find(&server, "site2")->delivered, n + 1);
	}
	ck_assert_uint_eq(server.ended, 0);
	server.silent = false;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
	ck_assert_uint_eq(server.ended, 1);
	ck_assert_ptr_null(key_server_find(&server, "site1"));
	ck_assert_uint_eq(key_server_find(&server, "site2")->delivered, 5);
}
END_TEST

START_TEST(answers_after_all)
{
	struct gcks_registration *late;

	key_server_register_many(&server, 1);
	late = key_server_find(&server, "site1");
	server.silent = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
	gcks_rekey_done(&server.tables, server.requests, false, server.now);
	key_server_advance(&server, 30000);
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
	ck_assert_uint_eq(late->missed, 1);
	gcks_rekey_done(&server.tables, server.requests, true, server.now);
	ck_assert_uint_eq(late->missed, 0);
	ck_assert_uint_eq(late->delivered, 3);
	ck_assert_int_eq(late->delivery, GCKS_DELIVERY_CURRENT);
}
END_TEST

/* charon loses the Rekey: its place in flight does not stay taken. */
START_TEST(no_answer_ever)
{
	key_server_register_many(&server, 2);
	server.group->rekey_in_flight = 1;
	server.silent = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_advance(&server, GCKS_REKEY_ANSWER_MS - 1);
	ck_assert_uint_eq(server.pushed, 1);
	key_server_advance(&server, 1);
	ck_assert_uint_eq(server.pushed, 2);
	key_server_advance(&server, GCKS_REKEY_ANSWER_MS);
	ck_assert_uint_eq(server.told, 1);
	ck_assert_uint_eq(key_server_count(&server, GCKS_DELIVERY_UNANSWERED), 2);
}
END_TEST

START_TEST(lost_while_pushing)
{
	key_server_register_many(&server, 3);
	server.group->rekey_in_flight = 1;
	server.silent = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
	for (struct gcks_registration *entry = server.registrations.head; entry;
	     entry = entry->next)
		gcks_rekey_lost(&server.tables, entry);
	key_server_run(&server);
	ck_assert_uint_eq(server.pushed, 1);
	ck_assert_uint_eq(server.told, 1);
	ck_assert_uint_eq(key_server_count(&server, GCKS_DELIVERY_UNANSWERED), 3);
}
END_TEST

START_TEST(charon_is_away)
{
	struct gcks_sa_group *group;

	key_server_register_many(&server, 3);
	group = key_server_sas(&server);
	server.silent = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
	/* connection lost: nobody is told; what is wished waits */
	server.connected = false;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_advance(&server, 60000);
	ck_assert_uint_eq(server.made, 1);
	/* it is back, with two of the three */
	for (struct gcks_registration *entry = server.registrations.head; entry;
	     entry = entry->next)
		gcks_registration_set_ike_sa(&server.registrations, entry,
					     strcmp(entry->identity, "site2") == 0 ? 0 : 77);
	server.connected = true;
	server.silent = false;
	server.pushed = 0;
	ck_assert_uint_eq(gcks_rekey_resume(&server.tables, group, server.now), 2);
	key_server_run(&server);
	ck_assert_uint_eq(key_server_find(&server, "site1")->delivered, 3);
	ck_assert_int_eq(key_server_find(&server, "site2")->delivery, GCKS_DELIVERY_UNANSWERED);
	ck_assert_uint_eq(server.made, 2);
	ck_assert_uint_eq(server.pushed, 4);
}
END_TEST

/* A restart in the middle of a push: the old SA stays until the rest is told. */
START_TEST(goes_on_after_a_restart)
{
	struct gcks_sa_group *group;

	key_server_register_many(&server, 2);
	group = key_server_sas(&server);
	server.silent = true;
	key_server_trigger(&server, GCKS_TRIGGER_OPERATOR);
	key_server_run(&server);
	gcks_rekey_done(&server.tables, 1, true, server.now);
	group->rekey = (struct gcks_rekey){ .due_at = GCKS_NEVER };
	for (struct gcks_registration *entry = server.registrations.head; entry;
	     entry = entry->next)
		gcks_registration_set_ike_sa(&server.registrations, entry, 0);
	gcks_rekey_loaded(&server.tables, group);
	ck_assert_uint_eq(key_server_count(&server, GCKS_DELIVERY_CURRENT), 1);
	ck_assert_uint_eq(key_server_count(&server, GCKS_DELIVERY_UNANSWERED), 1);
	key_server_advance(&server, 60000);
	ck_assert_uint_eq(group->sa_count, 2);
	gcks_registration_set_ike_sa(&server.registrations, key_server_find(&server, "site1"), 5);
	gcks_registration_set_ike_sa(&server.registrations, key_server_find(&server, "site2"), 6);
	server.silent = false;
	ck_assert_uint_eq(gcks_rekey_resume(&server.tables, group, server.now), 1);
	key_server_advance(&server, 60000);
	ck_assert_uint_eq(group->sa_count, 1);
	ck_assert_uint_eq(key_server_count(&server, GCKS_DELIVERY_CURRENT), 2);
	ck_assert_uint_eq(gcks_rekey_resume(&server.tables, group, server.now), 0);
	ck_assert_int_eq(key_server_phase(&server), GCKS_REKEY_IDLE);
}
END_TEST

Suite *rekey_delivery_suite(void)
{
	Suite *suite = suite_create("rekey_delivery");
	TCase *tcase = tcase_create("rekey_delivery");

	/* with sanitizers, on a machine that is busy */
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, leaves_before_its_turn);
	tcase_add_test(tcase, leaves_before_its_second_turn);
	tcase_add_test(tcase, leaves_after_a_restart);
	tcase_add_test(tcase, paced);
	tcase_add_test(tcase, too_late);
	tcase_add_test(tcase, misses_rekeys);
	tcase_add_test(tcase, answers_after_all);
	tcase_add_test(tcase, no_answer_ever);
	tcase_add_test(tcase, lost_while_pushing);
	tcase_add_test(tcase, charon_is_away);
	tcase_add_test(tcase, goes_on_after_a_restart);
	suite_add_tcase(suite, tcase);
	return suite;
}
