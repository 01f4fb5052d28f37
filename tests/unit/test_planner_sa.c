// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner: which states follow from the SAs of a membership, while they come and go. */
#include "tests/unit/two_groups.h"

static struct gcks_member_sa *add_sa(struct gcks_membership *membership, uint32_t spi)
{
	struct gcks_member_sa *old = membership->sas;

	membership->sas = NULL;
	give_sa(membership, spi);
	membership->sas->phase = GCKS_SA_ARRIVED;
	old->next = membership->sas;
	membership->sas = old;
	return old->next;
}

/* Inbound first; outbound when it is active; the old one goes when that is done. */
START_TEST(rekey)
{
	struct gcks_member_sa *sa;

	two_groups_settle();
	sa = add_sa(blue, 0x3000);
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT(install, "sa 0x3000 any > 192.0.2.13");
	ck_assert_uint_eq(plan.remove_count, 0);
	gateway_carry_out();
	sa->phase = GCKS_SA_ACTIVE;
	blue->sas->phase = GCKS_SA_RETIRING;
	gcks_member_update_ready(&table, &installed);
	ck_assert(is_ready(blue, "10.1.0.0/24"));
	for (int i = 0; i < 2; i++) {
		gateway_plan(GCKS_REMOVE_ALL);
		EXPECT(install, "sa 0x3000 192.0.2.13 > 192.0.2.11");
		ck_assert_uint_eq(plan.remove_count, 0);
	}
	gateway_carry_out();
	ck_assert(is_ready(blue, "10.1.0.0/24"));
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	gateway_carry_out();
	ck_assert(is_ready(blue, "10.1.0.0/24"));
	sa = blue->sas;
	blue->sas = sa->next;
	gcks_member_sa_free(sa);
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "sa 0x1000 any > 192.0.2.13");
	gateway_carry_out();
	ck_assert(is_ready(blue, "10.1.0.0/24"));
}
END_TEST

/* bgpd is away: the rekey goes on, and of everything else nothing is removed. */
START_TEST(rekey_without_bgpd)
{
	struct gcks_member_sa *sa;

	two_groups_settle();
	withdraw(red, "10.4.0.0/24");
	sa = add_sa(blue, 0x3000);
	sa->phase = GCKS_SA_ACTIVE;
	blue->sas->phase = GCKS_SA_RETIRING;
	gateway_plan(GCKS_REMOVE_ALL);
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	ck_assert_uint_eq(plan.remove_count, 0);
	gateway_carry_out();
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	gcks_membership_drop_sas(blue);
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	EXPECT(remove, "sa 0x3000 192.0.2.13 > 192.0.2.11", "sa 0x1000 192.0.2.13 > 192.0.2.11",
	       "sa 0x3000 any > 192.0.2.13", "sa 0x1000 any > 192.0.2.13");
}
END_TEST

/* What is to be installed and begins so. */
static const char *installs_of(const char *start)
{
	static char text[1024];
	char line[256];

	text[0] = '\0';
	for (size_t i = 0; i < plan.install_count; i++) {
		id_text(&plan.install[i].id, line, sizeof(line));
		if (strncmp(line, start, strlen(start)) == 0 &&
		    strlen(text) + strlen(line) + 3 < sizeof(text))
			strcat(strcat(text, text[0] ? ", " : ""), line);
	}
	return text;
}

/* gcksd was dead when the new SA became active, and bgpd has not come back with the routes yet. */
START_TEST(rekey_without_routes)
{
	struct gcks_member_sa *sa;

	two_groups_settle();
	sa = add_sa(blue, 0x3000);
	two_groups_settle();
	gcks_kernel_ids_clear(&installed);
	withdraw(blue, "10.1.0.0/24");
	sa->phase = GCKS_SA_ACTIVE;
	blue->sas->phase = GCKS_SA_RETIRING;
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	ck_assert_uint_eq(plan.remove_count, 0);
	ck_assert_str_eq(installs_of("sa 0x3000"),
			 "sa 0x3000 any > 192.0.2.13, sa 0x3000 192.0.2.13 > 192.0.2.11");
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	ck_assert_uint_eq(plan.remove_count, 0);
	gateway_carry_out();
	gateway_plan(GCKS_REMOVE_OLD_SAS);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	gateway_carry_out();
	set_route(blue, "10.1.0.0/24", "192.0.2.11");
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_str_eq(installs_of("sa"), "");
	ck_assert_uint_eq(plan.remove_count, 0);
	gateway_carry_out();
	ck_assert(is_ready(blue, "10.1.0.0/24"));
}
END_TEST

/* A registration that lists the old SA no more. */
START_TEST(new_registration)
{
	two_groups_settle();
	give_sa(blue, 0x3000);
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT(install, "sa 0x3000 any > 192.0.2.13", "sa 0x3000 192.0.2.13 > 192.0.2.11");
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11", "sa 0x1000 any > 192.0.2.13");
}
END_TEST

/* The last SA has ended: its states go, what protected blocks, and the route is not used. */
START_TEST(ended)
{
	two_groups_settle();
	blue->sas->expires_at = 1000;
	gcks_member_advance(&table, 1000);
	gcks_member_update_ready(&table, &installed);
	ck_assert(!is_ready(blue, "10.1.0.0/24"));
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count, 0);
	ck_assert_uint_eq(plan.remove_count, 5);
	gateway_carry_out();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "block");
	ck_assert_str_eq(decides(3, "10.1.0.2/32", "10.3.0.2/32"), "block");
}
END_TEST

/* A state of an earlier version of gcksd in the place of ours: it goes first. */
START_TEST(place_is_taken)
{
	struct gcks_kernel_id old;

	two_groups_settle();
	for (size_t i = 0; i < known.count; i++)
		if (known.ids[i].kind == GCKS_KERNEL_SA && known.ids[i].spi == 0x1000 &&
		    known.ids[i].direction == GSA__DIRECTION__DIRECTION_OUT)
			old = known.ids[i];
	gcks_kernel_ids_remove(&known, &old);
	gcks_kernel_ids_remove(&installed, &old);
	old.direction = 0;
	ck_assert(gcks_kernel_ids_add(&known, &old));
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	gateway_carry_out();
	gateway_plan(GCKS_REMOVE_ALL);
	EXPECT(install, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	ck_assert_uint_eq(plan.remove_count, 0);
}
END_TEST

/* Excluded or refused: no more states, no more protection, still no clear text. */
START_TEST(excluded)
{
	two_groups_settle();
	blue->state = _i ? GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED
			 : GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "out protect 10.3.0.0/24 > 10.1.0.0/24 via 192.0.2.13 > 192.0.2.11 blue",
	       "fwd protect 10.1.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 blue",
	       "in protect 10.1.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 blue",
	       "sa 0x1000 192.0.2.13 > 192.0.2.11", "sa 0x1000 any > 192.0.2.13");
	gateway_carry_out();
	ck_assert(!is_ready(blue, "10.1.0.0/24") && is_ready(red, "10.4.0.0/24"));
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "block");
	ck_assert_str_eq(decides(3, "10.1.0.2/32", "10.3.0.2/32"), "block");
}
END_TEST

/* gcksd was restarted: what it knows of a membership without SA stays, until that is decided. */
START_TEST(keeps_until_reported)
{
	static const struct {
		Gsa__MembershipState state;
		bool kept;
	} rows[] = {
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_UNSPECIFIED, true },
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING, true },
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST, true },
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED, false },
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED, false },
	};

	two_groups_settle();
	gcks_membership_drop_sas(blue);
	gcks_kernel_ids_clear(&installed);
	for (size_t i = 0; i < COUNT(rows); i++) {
		blue->state = rows[i].state;
		gateway_plan(GCKS_REMOVE_ALL);
		ck_assert_uint_eq(plan.remove_count, rows[i].kept ? 0 : 5);
		/* all that is desired is asked again: red's, block and pass */
		ck_assert_uint_eq(plan.install_count, 2 + 3 + 3 + 3);
	}
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING;
	gcks_membership_remove_connection(blue, "hq");
	gateway_plan(GCKS_REMOVE_ALL);
	ck_assert_uint_eq(plan.remove_count, 5);
}
END_TEST

Suite *planner_sa_suite(void)
{
	Suite *suite = suite_create("planner_sa");
	TCase *tcase = tcase_create("planner_sa");

	tcase_add_checked_fixture(tcase, two_groups_start, gateway_stop);
	tcase_add_test(tcase, rekey);
	tcase_add_test(tcase, rekey_without_bgpd);
	tcase_add_test(tcase, rekey_without_routes);
	tcase_add_test(tcase, new_registration);
	tcase_add_test(tcase, ended);
	tcase_add_test(tcase, place_is_taken);
	tcase_add_loop_test(tcase, excluded, 0, 2);
	tcase_add_test(tcase, keeps_until_reported);
	suite_add_tcase(suite, tcase);
	return suite;
}
