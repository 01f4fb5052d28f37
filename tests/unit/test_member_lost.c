// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "tests/unit/gcks_unit.h"

#define START 1000000
#define S     1000
#define LONG  (600 * S)

static struct gcks_losses losses;

static void setup(void)
{
	losses = (struct gcks_losses){ 0 };
}

/* What goes together is made up for together, soon. */
START_TEST(together)
{
	ck_assert_uint_eq(gcks_losses_wait_s(&losses, START), 0);
	ck_assert(gcks_losses_add(&losses, START));
	ck_assert_int_gt(losses.again_at, START);
	ck_assert_int_le(losses.again_at, START + S);
	ck_assert_uint_eq(gcks_losses_wait_s(&losses, START), 1);
	for (int i = 0; i < 99; i++)
		ck_assert(!gcks_losses_add(&losses, START + i));
	ck_assert_uint_eq(losses.count, 100);
	ck_assert_uint_eq(losses.in_a_row, 1);
	ck_assert_uint_eq(gcks_losses_wait_s(&losses, losses.again_at), 0);
}
END_TEST

/* Lost a second after it was made, each time: it waits longer and longer, but not forever. */
START_TEST(again_and_again)
{
	int64_t now = START, before = 0;
	unsigned int times = 0;

	for (; now < START + 24 * 3600 * S; now = losses.again_at + S) {
		ck_assert(gcks_losses_add(&losses, now));
		ck_assert_int_ge(losses.again_at - now, before);
		before = losses.again_at - now;
		ck_assert_int_le(before, LONG);
		ck_assert_uint_eq(losses.in_a_row, ++times);
	}
	ck_assert_int_eq(before, LONG);
	/* each may cost a Sender-ID */
	ck_assert_uint_lt(times, 160);
}
END_TEST

START_TEST(steady_again)
{
	ck_assert(gcks_losses_add(&losses, START));
	ck_assert(gcks_losses_add(&losses, losses.again_at + 59 * S));
	ck_assert_uint_eq(losses.in_a_row, 2);
	ck_assert_int_eq(losses.delay_ms, S);
	ck_assert(gcks_losses_add(&losses, losses.again_at + 70 * S));
	ck_assert_uint_eq(losses.in_a_row, 1);
	ck_assert_int_lt(losses.delay_ms, S);
	/* after long waits what is made again has to hold for longer */
	for (int i = 0; i < 20; i++)
		gcks_losses_add(&losses, losses.again_at);
	ck_assert_int_eq(losses.delay_ms, LONG);
	ck_assert(gcks_losses_add(&losses, losses.again_at + LONG));
	ck_assert_int_eq(losses.delay_ms, LONG);
	ck_assert(gcks_losses_add(&losses, losses.again_at + 3 * LONG));
	ck_assert_uint_eq(losses.in_a_row, 1);
}
END_TEST

Suite *member_lost_suite(void)
{
	Suite *suite = suite_create("member_lost");
	TCase *tcase = tcase_create("member_lost");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, together);
	tcase_add_test(tcase, again_and_again);
	tcase_add_test(tcase, steady_again);
	suite_add_tcase(suite, tcase);
	return suite;
}
