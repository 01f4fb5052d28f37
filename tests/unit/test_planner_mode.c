// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner: what is in clear in each mode of a membership, and on the way from one to another.
 */
#include "tests/unit/two_groups.h"

/* What decides in each mode of blue, with red as it is or without it. */
static const struct {
	enum gcks_mode mode;
	bool with_red;
	const char *sent, *forwarded, *received;    /* to and from site1 */
	const char *sent_beyond, *forwarded_beyond; /* 10.9.0.0/24, in `protect` without a route */
} modes[] = {
	{ GCKS_MODE_FAIL_CLOSED, false, "protect", "protect", "protect", "block", "block" },
	{ GCKS_MODE_PASSIVE, false, "protect", "optional", "optional", "block", "clear" },
	{ GCKS_MODE_RECEIVE_ONLY, false, "clear", "optional", "optional", "clear", "clear" },
	/* the stricter has the last word */
	{ GCKS_MODE_PASSIVE, true, "protect", "protect", "protect", "block", "block" },
	{ GCKS_MODE_RECEIVE_ONLY, true, "block", "protect", "protect", "block", "block" },
};

START_TEST(mode)
{
	if (!modes[_i].with_red) {
		gcks_membership_remove(&table, red);
		red = NULL;
	}
	two_groups_settle();
	blue->mode = modes[_i].mode;
	two_groups_settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), modes[_i].sent);
	ck_assert_str_eq(decides(3, "10.1.0.2/32", "10.3.0.2/32"), modes[_i].forwarded);
	ck_assert_str_eq(decides(1, "10.1.0.2/32", "10.3.0.1/32"), modes[_i].received);
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.9.0.2/32"), modes[_i].sent_beyond);
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.0.2/32"), modes[_i].forwarded_beyond);
	/* at home, and out to the LAN, as ever */
	ck_assert_str_ne(decides(2, "10.1.0.2/32", "10.3.0.2/32"), "block");
	ck_assert_str_ne(decides(2, "10.3.0.1/32", "10.3.0.2/32"), "block");
	ck_assert_str_ne(decides(3, "10.3.0.2/32", "10.1.0.2/32"), "block");
	ck_assert(is_ready(blue, "10.1.0.0/24") == (strcmp(modes[_i].sent, "block") != 0));
	/* the SA ends: what is sent in clear goes on, the rest does not */
	blue->sas->expires_at = 1000;
	gcks_member_advance(&table, 1000);
	two_groups_settle();
	ck_assert(is_ready(blue, "10.1.0.0/24") == (strcmp(modes[_i].sent, "clear") == 0));
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"),
			 modes[_i].mode == GCKS_MODE_RECEIVE_ONLY ? modes[_i].sent : "block");
	/* and back */
	give_sa(blue, 0x5000);
	blue->mode = GCKS_MODE_FAIL_CLOSED;
	two_groups_settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "protect");
	ck_assert_str_eq(decides(3, "10.1.0.2/32", "10.3.0.2/32"), "protect");
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.0.2/32"), "block");
}
END_TEST

static const struct {
	uint8_t direction;
	const char *source, *destination;
} traffic[] = {
	{ 3, "10.3.0.2/32", "10.1.0.2/32" }, /* from the LAN */
	{ 2, "10.3.0.2/32", "10.1.0.2/32" }, { 2, "10.3.0.1/32", "10.1.0.2/32" },
	{ 3, "10.1.0.2/32", "10.3.0.2/32" }, /* to the LAN */
	{ 2, "10.1.0.2/32", "10.3.0.2/32" }, { 1, "10.1.0.2/32", "10.3.0.1/32" },
	{ 2, "10.3.0.1/32", "10.3.0.2/32" }, /* in the LAN */
	{ 1, "10.3.0.2/32", "10.3.0.1/32" },
};

/* A packet between any two requests is treated as before all of them or as after them. */
static void decide_all(const char *decided[COUNT(traffic)])
{
	for (size_t i = 0; i < COUNT(traffic); i++)
		decided[i] =
			decides(traffic[i].direction, traffic[i].source, traffic[i].destination);
}

static bool passes(const char *decided)
{
	/* of clear and decrypted packets that come in, both may */
	return strcmp(decided, "pass") == 0 || strcmp(decided, "clear") == 0;
}

static void check_step(const char *const before[], const char *const after[])
{
	const char *now[COUNT(traffic)];

	decide_all(now);
	for (size_t i = 0; i < COUNT(traffic); i++)
		ck_assert_msg(strcmp(now[i], before[i]) == 0 || strcmp(now[i], after[i]) == 0 ||
				      (passes(now[i]) && passes(before[i]) && passes(after[i])),
			      "%u %s > %s: %s, between %s and %s", traffic[i].direction,
			      traffic[i].source, traffic[i].destination, now[i], before[i],
			      after[i]);
}

/* As charon does it: a policy with the same selector is replaced in place. */
static void replace(const struct gcks_kernel_id *id)
{
	for (size_t i = installed.count; i-- > 0;) {
		struct gcks_kernel_id old = installed.ids[i];

		if (id->kind == GCKS_KERNEL_POLICY && old.kind == GCKS_KERNEL_POLICY &&
		    old.direction == id->direction &&
		    gcks_prefix_equal(&old.selector_source, &id->selector_source) &&
		    gcks_prefix_equal(&old.selector_destination, &id->selector_destination)) {
			gcks_kernel_ids_remove(&installed, &old);
			gcks_kernel_ids_remove(&known, &old);
		}
	}
	ck_assert(gcks_kernel_ids_add(&known, id));
	ck_assert(gcks_kernel_ids_add(&installed, id));
}

/* Request by request: nothing is dropped on the way from one mode to another. */
START_TEST(mode_changes)
{
	enum gcks_mode from = (enum gcks_mode)(_i / 3), to = (enum gcks_mode)(_i % 3);
	const char *before[COUNT(traffic)], *after[COUNT(traffic)];

	gcks_membership_remove(&table, red);
	blue->mode = to;
	two_groups_settle();
	decide_all(after);
	blue->mode = from;
	two_groups_settle();
	two_groups_settle();
	decide_all(before);
	blue->mode = to;
	gateway_plan(GCKS_REMOVE_ALL);
	for (size_t i = 0; i < plan.install_count; i++) {
		replace(&plan.install[i].id);
		check_step(before, after);
	}
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count, 0);
	for (size_t i = 0; i < plan.remove_count; i++) {
		gcks_kernel_ids_remove(&installed, &plan.remove[i]);
		check_step(before, after);
	}
}
END_TEST

/* What is not in `protect` is closed by its route, in the directions of the mode. */
START_TEST(mode_outside_of_protect)
{
	gcks_membership_remove(&table, red);
	set_route(blue, "172.16.1.0/24", "192.0.2.11");
	for (int i = GCKS_MODE_FAIL_CLOSED; i <= GCKS_MODE_PASSIVE; i++) {
		blue->mode = i;
		gcks_membership_drop_sas(blue);
		blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
		two_groups_settle();
		ck_assert_str_eq(decides(2, "10.3.0.2/32", "172.16.1.2/32"),
				 i == GCKS_MODE_RECEIVE_ONLY ? "clear" : "block");
		ck_assert_str_eq(decides(3, "172.16.1.2/32", "10.3.0.2/32"),
				 i == GCKS_MODE_FAIL_CLOSED ? "block" : "clear");
		ck_assert(!is_ready(blue, "172.16.1.0/24"));
	}
}
END_TEST

Suite *planner_mode_suite(void)
{
	Suite *suite = suite_create("planner_mode");
	TCase *tcase = tcase_create("planner_mode");

	tcase_add_checked_fixture(tcase, two_groups_start, gateway_stop);
	tcase_add_loop_test(tcase, mode, 0, COUNT(modes));
	tcase_add_loop_test(tcase, mode_changes, 0, 9);
	tcase_add_test(tcase, mode_outside_of_protect);
	suite_add_tcase(suite, tcase);
	return suite;
}
