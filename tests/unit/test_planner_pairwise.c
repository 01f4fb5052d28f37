// SPDX-License-Identifier: GPL-2.0-or-later
/* The states of pairs: which are there, and that none is made twice. */
#include "gcks/planner.h"
#include "tests/unit/pairs.h"

START_TEST(pairs)
{
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	ck_assert_uint_eq(blue->sender_id, 3);
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT_INSTALL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3\n"
		       "sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		       "sa 0x10003 192.0.2.13 > 192.0.2.11 for 1\n"
		       "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2");
	for (size_t i = 0; i < 4; i++)
		ck_assert(plan.install[i].fresh && plan.install[i].sa == blue->sas);
	gateway_carry_out();
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
	gcks_kernel_ids_clear(&installed);
	gateway_plan(GCKS_REMOVE_ALL);
	for (size_t i = 0; i < plan.install_count; i++)
		ck_assert(!plan.install[i].fresh);
}
END_TEST

START_TEST(unknown_sender)
{
	set_route(blue, "10.1.0.0/24", "192.0.2.11");
	choose();
	pairs_settle();
	EXPECT_KERNEL("sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2");
	ck_assert(!is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	pairs_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24"));
}
END_TEST

START_TEST(rekey)
{
	choose();
	pairs_settle();
	REPORT(TEKS(TEK, TEK2), 3);
	gcks_member_advance(&table, 0);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT_INSTALL("sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		       "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3\n"
		       "sa 0x20003 192.0.2.13 > 192.0.2.11 for 1\n"
		       "sa 0x20003 192.0.2.13 > 192.0.2.12 for 2");
	pairs_settle();
	EXPECT_KERNEL("sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x20003 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x20003 192.0.2.13 > 192.0.2.12 for 2");
	/* nothing of the old TEK is remembered */
	for (size_t i = 0; i < known.count; i++)
		ck_assert(!known.ids[i].used || !gcks_is_remembered(&table, &known, &known.ids[i]));
}
END_TEST

/*
 * gcksd was restarted and bgpd has not told the routes yet: the gateways that have states get those
 * of the next SA.  site1 was rebooted before: its earlier Sender-ID gets nothing outbound.
 */
START_TEST(rekey_without_routes)
{
	choose();
	pairs_settle();
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 7);
	pairs_settle();
	withdraw(blue, "10.1.0.0/24");
	withdraw(blue, "10.2.0.0/24");
	gcks_kernel_ids_clear(&installed);
	activation_delay_s = deactivation_delay_s = 10;
	REPORT(TEKS(TEK, TEK2), 3);
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	EXPECT_REMOVE("");
	gateway_carry_out();
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.11 for 7\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2\n"
		      "sa 0x10007 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x20007 192.0.2.11 > 192.0.2.13 for 3");
	gcks_member_advance(&table, 10000);
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	EXPECT_INSTALL("sa 0x20003 192.0.2.13 > 192.0.2.11 for 7\n"
		       "sa 0x20003 192.0.2.13 > 192.0.2.12 for 2");
	EXPECT_REMOVE("");
	gateway_carry_out();
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	EXPECT_INSTALL("");
	EXPECT_REMOVE("sa 0x10003 192.0.2.13 > 192.0.2.12 for 2\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.11 for 7");
	gateway_carry_out();
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 7);
	set_sender(blue, "10.2.0.0/24", "192.0.2.12", 2);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	pairs_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
}
END_TEST

/* Made again they would count from 1 again. */
START_TEST(route_flaps)
{
	choose();
	pairs_settle();
	withdraw(blue, "10.1.0.0/24");
	pairs_settle();
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2");
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	pairs_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24"));
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
}
END_TEST

/* Somebody has deleted it: made again it would take what was sent before once more. */
START_TEST(inbound_lost)
{
	choose();
	pairs_settle();
	is_gone("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	pairs_settle();
	EXPECT_KERNEL("sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2");
	ck_assert(!is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
	REPORT(TEKS(TEK), 3, 8);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	pairs_settle();
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 8\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 8\n"
		      "sa 0x10008 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10008 192.0.2.13 > 192.0.2.12 for 2");
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(blue, "10.2.0.0/24"));
}
END_TEST

/* It goes with its SA soon, and the new one has states of its own. */
START_TEST(inbound_of_retiring_lost)
{
	choose();
	pairs_settle();
	deactivation_delay_s = 100;
	REPORT(TEKS(TEK, TEK2), 3);
	ck_assert_int_eq(blue->sas->phase, GCKS_SA_RETIRING);
	pairs_settle();
	is_gone("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	pairs_settle();
	EXPECT_KERNEL("sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x20003 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x20003 192.0.2.13 > 192.0.2.12 for 2");
	ck_assert(is_ready(blue, "10.1.0.0/24"));
}
END_TEST

/* A daemon died before it was made: of an SA that nobody sends with yet it may be made now. */
START_TEST(asked_for_but_not_made)
{
	choose();
	pairs_settle();
	activation_delay_s = deactivation_delay_s = 100;
	REPORT(TEKS(TEK, TEK2), 3);
	ck_assert_int_eq(blue->sas->next->phase, GCKS_SA_ARRIVED);
	gateway_plan(GCKS_REMOVE_ALL);
	for (size_t i = 0; i < plan.install_count; i++)
		ck_assert(gcks_kernel_ids_add(&known, &plan.install[i].id));
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT_INSTALL("sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		       "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3");
	ck_assert(plan.install[0].fresh && plan.install[1].fresh);
	/* but not if it was there and is gone */
	is_gone("sa 0x20001 192.0.2.11 > 192.0.2.13 for 3");
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT_INSTALL("sa 0x20002 192.0.2.12 > 192.0.2.13 for 3");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	/* nor once it is sent with */
	gcks_member_advance(&table, 100 * 1000);
	ck_assert_int_eq(blue->sas->next->phase, GCKS_SA_ACTIVE);
	gateway_plan(GCKS_REMOVE_ALL);
	for (size_t i = 0; i < plan.install_count; i++)
		ck_assert(plan.install[i].fresh ==
			  (plan.install[i].id.direction == GSA__DIRECTION__DIRECTION_OUT));
}
END_TEST

START_TEST(same_prefix_another_tek)
{
	struct group_sa sa;
	uint32_t id = 3;
	const char *reason;

	choose();
	pairs_settle();
	pairwise_sa_fill(&sa, 100, TEK, 77);
	sa.group_sa.sender_id = &id;
	sa.group_sa.n_sender_id = 1;
	ck_assert(gcks_membership_set_sas(blue, &sa.group_sa, 0, &reason));
	gcks_member_advance(&table, 0);
	choose();
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT_INSTALL("");
	ck_assert_uint_eq(plan.remove_count, 4);
	gateway_carry_out();
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert(plan.install[i].fresh);
}
END_TEST

Suite *planner_pairwise_suite(void)
{
	Suite *suite = suite_create("planner_pairwise");
	TCase *tcase = tcase_create("planner_pairwise");

	tcase_add_checked_fixture(tcase, pairs_start, gateway_stop);
	tcase_add_test(tcase, pairs);
	tcase_add_test(tcase, unknown_sender);
	tcase_add_test(tcase, rekey);
	tcase_add_test(tcase, rekey_without_routes);
	tcase_add_test(tcase, route_flaps);
	tcase_add_test(tcase, inbound_lost);
	tcase_add_test(tcase, inbound_of_retiring_lost);
	tcase_add_test(tcase, asked_for_but_not_made);
	tcase_add_test(tcase, same_prefix_another_tek);
	suite_add_tcase(suite, tcase);
	return suite;
}
