// SPDX-License-Identifier: GPL-2.0-or-later
/* Which Sender-ID is used, our own and those of others, and what that does to the states of pairs.
 */
#include "tests/unit/pairs.h"

/* site1 was rebooted: another Sender-ID, other keys.  Its old outbound state is in the way. */
START_TEST(remote_changes)
{
	choose();
	pairs_settle();
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 7);
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT_INSTALL("sa 0x10007 192.0.2.11 > 192.0.2.13 for 3");
	EXPECT_REMOVE("sa 0x10003 192.0.2.13 > 192.0.2.11 for 1");
	gateway_carry_out();
	ck_assert(!is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT_INSTALL("sa 0x10003 192.0.2.13 > 192.0.2.11 for 7");
	pairs_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24"));
	/* as before, by a late message: that state must not come back */
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	pairs_settle();
	ck_assert(!is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
	REPORT(TEKS(TEK), 3, 9);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	pairs_settle();
	ck_assert_uint_eq(blue->sender_id, 9);
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 9\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 9\n"
		      "sa 0x10009 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10009 192.0.2.13 > 192.0.2.12 for 2");
}
END_TEST

/* Of two routes of a gateway the one that was told last is right. */
START_TEST(remote_changes_route_by_route)
{
	set_sender(blue, "10.1.7.0/24", "192.0.2.11", 1);
	choose();
	pairs_settle();
	set_sender(blue, "10.1.7.0/24", "192.0.2.11", 7);
	pairs_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.1.7.0/24"));
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 7);
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count + plan.remove_count, 0);
}
END_TEST

START_TEST(two_claim_one)
{
	struct gcks_senders senders;

	choose();
	pairs_settle();
	set_sender(blue, "10.4.0.0/24", "192.0.2.14", 1);
	ck_assert(gcks_senders_make(&senders, blue));
	ck_assert_uint_eq(senders.count, 3);
	for (size_t i = 0; i < senders.count; i++)
		ck_assert(senders.list[i].refused == (senders.list[i].gateway.octets[3] == 14));
	gcks_senders_clear(&senders);
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT_INSTALL("");
	EXPECT_REMOVE("");
	pairs_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24") && !is_ready(blue, "10.4.0.0/24"));
	/* another route of the first, or the same again, does not make it the later */
	set_sender(blue, "10.1.9.0/24", "192.0.2.11", 1);
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	pairs_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.1.9.0/24") &&
		  !is_ready(blue, "10.4.0.0/24"));
	/* ours */
	set_sender(blue, "10.4.0.0/24", "192.0.2.14", 3);
	pairs_settle();
	ck_assert(!is_ready(blue, "10.4.0.0/24"));
	set_sender(blue, "10.4.0.0/24", "192.0.2.14", 4);
	pairs_settle();
	ck_assert(is_ready(blue, "10.4.0.0/24"));
}
END_TEST

/* charon or gcksd was restarted and has registered again: what is in the kernel goes on. */
START_TEST(restart)
{
	choose();
	pairs_settle();
	REPORT(TEKS(TEK), 8);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	ck_assert_uint_eq(blue->sender_id, 3);
	gcks_membership_drop_sas(blue);
	blue->resuming = true;
	gcks_kernel_ids_clear(&installed);
	REPORT(TEKS(TEK), 8);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_uint_eq(blue->sender_id, 3);
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.remove_count, 0);
	pairs_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
}
END_TEST

/* The same, but the kernel is another one: charon answers that a state is gone. */
START_TEST(reboot)
{
	choose();
	pairs_settle();
	gcks_membership_drop_sas(blue);
	blue->resuming = true;
	gcks_kernel_ids_clear(&installed);
	REPORT(TEKS(TEK), 8);
	choose();
	gateway_plan(GCKS_REMOVE_ALL);
	is_gone("sa 0x10003 192.0.2.13 > 192.0.2.11 for 1");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_uint_eq(blue->sender_id, 8);
	pairs_settle();
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 8\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 8\n"
		      "sa 0x10008 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10008 192.0.2.13 > 192.0.2.12 for 2");
	/* and once more, without a new one */
	is_gone("sa 0x10008 192.0.2.13 > 192.0.2.11 for 1");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	ck_assert_uint_eq(blue->sender_id, 8);
	pairs_settle();
	ck_assert(!is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
}
END_TEST

/* A new TEK, and Sender-IDs from the beginning: the old one is worth nothing. */
START_TEST(exhausted)
{
	choose();
	pairs_settle();
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	gcks_membership_drop_sas(blue);
	pairs_settle();
	ck_assert(!is_ready(blue, "10.1.0.0/24"));
	REPORT(TEKS(TEK2), 0);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_uint_eq(blue->sender_id, 0);
	pairs_settle();
	EXPECT_KERNEL("sa 0x20000 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x20000 192.0.2.13 > 192.0.2.12 for 2\n"
		      "sa 0x20001 192.0.2.11 > 192.0.2.13 for 0\n"
		      "sa 0x20002 192.0.2.12 > 192.0.2.13 for 0");
}
END_TEST

/* We have left and registered again: the key server has forgotten what it gave before. */
START_TEST(left)
{
	choose();
	pairs_settle();
	blue->abandoned = true;
	blue->last_sender_id = 3;
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	REPORT(TEKS(TEK), 5);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_uint_eq(blue->sender_id, 5);
	REPORT(TEKS(TEK), 6);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	pairs_settle();
	REPORT(TEKS(TEK), 7);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
}
END_TEST

START_TEST(none_given)
{
	gcks_membership_drop_sas(blue);
	report(1, (const uint32_t[]){ TEK }, 0, NULL);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	pairs_settle();
	EXPECT_KERNEL("");
	ck_assert(!is_ready(blue, "10.1.0.0/24"));
	/* one that does not fit */
	REPORT(TEKS(TEK), 0x10000);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
}
END_TEST

Suite *planner_sender_suite(void)
{
	Suite *suite = suite_create("planner_sender");
	TCase *tcase = tcase_create("planner_sender");

	tcase_add_checked_fixture(tcase, pairs_start, gateway_stop);
	tcase_add_test(tcase, remote_changes);
	tcase_add_test(tcase, remote_changes_route_by_route);
	tcase_add_test(tcase, two_claim_one);
	tcase_add_test(tcase, restart);
	tcase_add_test(tcase, reboot);
	tcase_add_test(tcase, exhausted);
	tcase_add_test(tcase, left);
	tcase_add_test(tcase, none_given);
	suite_add_tcase(suite, tcase);
	return suite;
}
