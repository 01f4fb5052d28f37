// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner: which policies a site in two groups has, and what they do to a packet. */
#include "tests/unit/two_groups.h"

static void unexport(struct gcks_membership *membership, const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	gcks_membership_remove_export(membership, &prefix);
}

START_TEST(two_groups)
{
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT(install, "sa 0x1000 any > 192.0.2.13", "sa 0x2000 any > 192.0.2.13",
	       "sa 0x1000 192.0.2.13 > 192.0.2.11", "sa 0x2000 192.0.2.13 > 192.0.2.14",
	       "in pass 10.3.0.0/24 > 0.0.0.0/0", "out pass 0.0.0.0/0 > 10.3.0.0/24",
	       "fwd pass 10.3.0.0/24 > 0.0.0.0/0",
	       "in protect 10.1.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 blue",
	       "in protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "fwd protect 10.1.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 blue",
	       "fwd protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "out protect 10.3.0.0/24 > 10.1.0.0/24 via 192.0.2.13 > 192.0.2.11 blue",
	       "out protect 10.3.0.0/24 > 10.4.0.0/24 via 192.0.2.13 > 192.0.2.14 red",
	       "in block 10.0.0.0/8 > 10.0.0.0/8", "out block 0.0.0.0/0 > 10.0.0.0/8",
	       "fwd block 10.0.0.0/8 > 10.0.0.0/8");
	ck_assert_uint_eq(plan.remove_count, 0);
	ck_assert_ptr_eq(plan.install[0].sa, blue->sas);
	ck_assert_ptr_eq(plan.install[2].sa, blue->sas);
	ck_assert_uint_eq(plan.install[11].id.reqid, blue->reqid);
	gateway_carry_out();
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(red, "10.4.0.0/24"));
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count + plan.remove_count, 0);
}
END_TEST

static const struct {
	uint8_t direction;
	const char *source, *destination, *policy;
} packets[] = {
	{ 2, "10.3.0.2/32", "10.1.0.2/32", "protect" },
	{ 3, "10.1.0.2/32", "10.3.0.2/32", "protect" },
	{ 1, "10.1.0.2/32", "10.3.0.1/32", "protect" },
	{ 2, "10.3.0.2/32", "10.9.0.2/32", "block" }, /* in protect, no route */
	{ 2, "192.0.2.13/32", "10.1.0.2/32", "block" },
	{ 3, "10.9.0.2/32", "10.3.0.2/32", "block" },
	{ 1, "10.9.0.2/32", "10.3.0.1/32", "block" },
	{ 3, "10.1.0.2/32", "10.4.0.2/32", "block" }, /* from group to group */
	{ 3, "10.3.0.2/32", "10.1.0.2/32", "pass" },  /* on its way to "out" */
	{ 2, "10.1.0.2/32", "10.3.0.2/32", "pass" },  /* decrypted, into the LAN */
	{ 2, "10.3.0.1/32", "10.3.0.2/32", "pass" },
	{ 1, "10.3.0.2/32", "10.3.0.1/32", "pass" },
	{ 3, "198.51.100.1/32", "10.3.0.2/32", "clear" }, /* the Internet */
	{ 2, "198.51.100.1/32", "10.3.0.2/32", "pass" },
	{ 2, "10.3.0.2/32", "198.51.100.1/32", "clear" },
	{ 2, "192.0.2.13/32", "192.0.2.1/32", "clear" },
};

START_TEST(packet)
{
	two_groups_settle();
	ck_assert_str_eq(
		decides(packets[_i].direction, packets[_i].source, packets[_i].destination),
		packets[_i].policy);
}
END_TEST

START_TEST(route_moves)
{
	two_groups_settle();
	set_route(blue, "10.1.0.0/24", "192.0.2.21");
	gcks_member_update_ready(&table, &installed);
	ck_assert(!is_ready(blue, "10.1.0.0/24"));
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT(install, "sa 0x1000 192.0.2.13 > 192.0.2.21",
	       "out protect 10.3.0.0/24 > 10.1.0.0/24 via 192.0.2.13 > 192.0.2.21 blue");
	EXPECT(remove, "out protect 10.3.0.0/24 > 10.1.0.0/24 via 192.0.2.13 > 192.0.2.11 blue",
	       "sa 0x1000 192.0.2.13 > 192.0.2.11");
	gateway_carry_out();
	ck_assert(is_ready(blue, "10.1.0.0/24"));
}
END_TEST

START_TEST(resynchronisation)
{
	two_groups_settle();
	withdraw(red, "10.4.0.0/24");
	gateway_plan(GCKS_REMOVE_NOTHING);
	ck_assert_uint_eq(plan.remove_count, 0);
	ck_assert_uint_eq(plan.install_count, 0);
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT(remove, "out protect 10.3.0.0/24 > 10.4.0.0/24 via 192.0.2.13 > 192.0.2.14 red",
	       "fwd protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "in protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "sa 0x2000 192.0.2.13 > 192.0.2.14");
	/* of a membership that the configuration has no more */
	gcks_membership_remove(&table, red);
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.remove_count, 5);
	EXPECT(remove, "out protect 10.3.0.0/24 > 10.4.0.0/24 via 192.0.2.13 > 192.0.2.14 red",
	       "fwd protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "in protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "sa 0x2000 192.0.2.13 > 192.0.2.14", "sa 0x2000 any > 192.0.2.13");
}
END_TEST

/* A prefix in both groups: the lower identifier's policies, and both routes are ready. */
START_TEST(same_prefix_in_two_groups)
{
	set_route(red, "10.1.0.0/24", "192.0.2.11");
	two_groups_settle();
	for (size_t i = 0; i < installed.count; i++) {
		const struct gcks_kernel_id *id = &installed.ids[i];
		struct gcks_prefix shared = prefix_of("10.1.0.0/24");

		if (id->kind == GCKS_KERNEL_POLICY &&
		    (gcks_prefix_equal(&id->selector_source, &shared) ||
		     gcks_prefix_equal(&id->selector_destination, &shared)))
			ck_assert_str_eq(id->group, "blue");
	}
	ck_assert(is_ready(blue, "10.1.0.0/24") && is_ready(red, "10.1.0.0/24"));
	/* behind another gateway in red: only blue's is in the kernel */
	set_route(red, "10.1.0.0/24", "192.0.2.99");
	two_groups_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24") && !is_ready(red, "10.1.0.0/24"));
	/* red takes over */
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	two_groups_settle();
	ck_assert(!is_ready(blue, "10.1.0.0/24") && is_ready(red, "10.1.0.0/24"));
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "protect");
}
END_TEST

START_TEST(overlapping_prefixes)
{
	set_route(red, "10.1.0.0/16", "192.0.2.14");
	set_route(red, "10.1.0.128/25", "192.0.2.14");
	two_groups_settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.200/32"), "protect");
	for (size_t i = 0; i + 1 < installed.count; i++)
		for (size_t j = 0; j < installed.count; j++) {
			const struct gcks_kernel_id *a = &installed.ids[i], *b = &installed.ids[j];

			/* the longer prefix wins */
			if (a->kind == GCKS_KERNEL_POLICY && b->kind == GCKS_KERNEL_POLICY &&
			    a->action == b->action && a->direction == b->direction &&
			    a->selector_source.length + a->selector_destination.length >
				    b->selector_source.length + b->selector_destination.length)
				ck_assert_uint_lt(a->priority, b->priority);
		}
}
END_TEST

/* A hub announces all of the groups' networks: what stays at the site still stays there. */
START_TEST(prefix_around_the_lan)
{
	set_route(blue, "10.0.0.0/8", "192.0.2.11");
	two_groups_settle();
	ck_assert(is_ready(blue, "10.0.0.0/8"));
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.9.0.2/32"), "protect");
	ck_assert_str_eq(decides(2, "10.3.0.1/32", "10.3.0.2/32"), "pass");
	ck_assert_str_eq(decides(1, "10.3.0.2/32", "10.3.0.1/32"), "pass");
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.0.2/32"), "protect");
	ck_assert_str_eq(decides(3, "10.3.0.2/32", "10.9.0.2/32"), "pass");
}
END_TEST

/* The hub itself: its export is not all at home. */
START_TEST(export_around_the_sites)
{
	export(blue, "10.0.0.0/8");
	two_groups_settle();
	ck_assert_str_eq(decides(2, "10.4.0.2/32", "10.9.0.2/32"), "block");
	ck_assert_str_eq(decides(2, "10.4.0.2/32", "10.1.0.2/32"), "protect");
	ck_assert_str_eq(decides(2, "10.1.0.2/32", "10.3.0.2/32"), "pass");
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.0.2/32"), "block");
}
END_TEST

/* An exported network behind another router of the site. */
START_TEST(export_not_connected)
{
	export(blue, "10.3.7.0/24");
	two_groups_settle();
	ck_assert_str_eq(decides(2, "10.1.0.2/32", "10.3.7.2/32"), "pass");
	ck_assert_str_eq(decides(3, "10.3.7.2/32", "10.1.0.2/32"), "pass");
	ck_assert_str_eq(decides(2, "10.3.7.2/32", "10.1.0.2/32"), "protect");
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.7.2/32"), "block");
}
END_TEST

/* A group's route to what is not in `protect` is blocked as well, BGP to the key server is not. */
START_TEST(route_outside_of_protect)
{
	give_sa(blue, 0x1000);
	blue->key_server = address_of("203.0.113.1");
	set_route(blue, "0.0.0.0/0", "192.0.2.11");
	two_groups_settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "198.51.100.1/32"), "protect");
	ck_assert_str_eq(decides(3, "198.51.100.1/32", "10.3.0.2/32"), "protect");
	ck_assert_str_eq(decides(2, "192.0.2.13/32", "203.0.113.1/32"), "pass");
	ck_assert_str_eq(decides(1, "203.0.113.1/32", "192.0.2.13/32"), "pass");
	ck_assert_str_eq(decides(2, "192.0.2.13/32", "192.0.2.1/32"), "pass");
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	two_groups_settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "198.51.100.1/32"), "block");
	withdraw(blue, "0.0.0.0/0");
	two_groups_settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "198.51.100.1/32"), "clear");
}
END_TEST

/* Nothing exported: nobody here may talk to the group, and the route is not used. */
START_TEST(no_export)
{
	unexport(blue, "10.3.0.0/24");
	two_groups_settle();
	ck_assert(!is_ready(blue, "10.1.0.0/24"));
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "block");
}
END_TEST

/* Ready needs each state and policy. */
START_TEST(ready_needs_all)
{
	static const char *const needed[] = { "sa 0x1000", "10.1.0.0/24" };
	char text[256];

	two_groups_settle();
	for (size_t i = 0; i < installed.count; i++) {
		struct gcks_kernel_id id = installed.ids[i];
		bool of_route;

		id_text(&id, text, sizeof(text));
		of_route = strstr(text, needed[0]) || strstr(text, needed[1]);
		gcks_kernel_ids_remove(&installed, &id);
		gcks_member_update_ready(&table, &installed);
		ck_assert_msg(is_ready(blue, "10.1.0.0/24") != of_route, "%s", text);
		ck_assert(gcks_kernel_ids_add(&installed, &id));
	}
}
END_TEST

/* charon's policies have 400000 less 512 for each bit: more specific tunnels win over ours. */
START_TEST(priorities)
{
	two_groups_settle();
	for (size_t i = 0; i < installed.count; i++) {
		const struct gcks_kernel_id *id = &installed.ids[i];
		uint32_t of_charon = 400000 - 512 * (id->selector_source.length +
						     id->selector_destination.length);

		if (id->kind == GCKS_KERNEL_SA)
			continue;
		if (id->action == GSA__POLICY_ACTION__POLICY_PROTECT) {
			ck_assert_uint_lt(id->priority, of_charon - 387);
			ck_assert_uint_gt(id->priority, of_charon - 512);
		} else {
			ck_assert_uint_gt(id->priority, 600000);
		}
	}
}
END_TEST

START_TEST(nothing_configured)
{
	struct gcks_member_table empty = { 0 };

	ck_assert(gcks_plan_make(&empty, &installed, &known, GCKS_REMOVE_ALL, &plan));
	ck_assert_uint_eq(plan.install_count + plan.remove_count, 0);
	two_groups_settle();
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&empty, &installed, &known, GCKS_REMOVE_ALL, &plan));
	ck_assert_uint_eq(plan.install_count, 0);
	ck_assert_uint_eq(plan.remove_count, known.count);
	gcks_member_update_ready(&empty, &installed);
}
END_TEST

Suite *planner_suite(void)
{
	Suite *suite = suite_create("planner");
	TCase *tcase = tcase_create("planner");

	tcase_add_checked_fixture(tcase, two_groups_start, gateway_stop);
	tcase_add_test(tcase, two_groups);
	tcase_add_loop_test(tcase, packet, 0, COUNT(packets));
	tcase_add_test(tcase, route_moves);
	tcase_add_test(tcase, resynchronisation);
	tcase_add_test(tcase, same_prefix_in_two_groups);
	tcase_add_test(tcase, overlapping_prefixes);
	tcase_add_test(tcase, prefix_around_the_lan);
	tcase_add_test(tcase, export_around_the_sites);
	tcase_add_test(tcase, export_not_connected);
	tcase_add_test(tcase, route_outside_of_protect);
	tcase_add_test(tcase, no_export);
	tcase_add_test(tcase, ready_needs_all);
	tcase_add_test(tcase, priorities);
	tcase_add_test(tcase, nothing_configured);
	suite_add_tcase(suite, tcase);
	return suite;
}
