// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "tests/unit/gcks_unit.h"

#define START 1000000
#define S     1000
#define LONG  (600 * S)

static struct gcks_backoff backoff;

static void setup(void)
{
	backoff = (struct gcks_backoff){ 0 };
}

/* What goes together is made up for together, soon. */
START_TEST(together)
{
	ck_assert_uint_eq(gcks_backoff_wait_s(&backoff, START), 0);
	ck_assert(gcks_backoff_add(&backoff, START, S));
	ck_assert_int_gt(backoff.again_at, START);
	ck_assert_int_le(backoff.again_at, START + S);
	ck_assert_uint_eq(gcks_backoff_wait_s(&backoff, START), 1);
	for (int i = 0; i < 99; i++)
		ck_assert(!gcks_backoff_add(&backoff, START + i, S));
	ck_assert_uint_eq(backoff.in_a_row, 1);
	ck_assert_uint_eq(gcks_backoff_wait_s(&backoff, backoff.again_at), 0);
}
END_TEST

/* Lost a second after it was made, each time: it waits longer and longer, but not forever. */
START_TEST(again_and_again)
{
	int64_t now = START, before = 0;
	unsigned int times = 0;

	for (; now < START + 24 * 3600 * S; now = backoff.again_at + S) {
		ck_assert(gcks_backoff_add(&backoff, now, S));
		ck_assert_int_ge(backoff.again_at - now, before);
		before = backoff.again_at - now;
		ck_assert_int_le(before, LONG);
		ck_assert_uint_eq(backoff.in_a_row, ++times);
	}
	ck_assert_int_eq(before, LONG);
	/* each may cost a Sender-ID */
	ck_assert_uint_lt(times, 160);
}
END_TEST

START_TEST(steady_again)
{
	ck_assert(gcks_backoff_add(&backoff, START, S));
	ck_assert(gcks_backoff_add(&backoff, backoff.again_at + 59 * S, S));
	ck_assert_uint_eq(backoff.in_a_row, 2);
	ck_assert_int_eq(backoff.delay_ms, S);
	ck_assert(gcks_backoff_add(&backoff, backoff.again_at + 70 * S, S));
	ck_assert_uint_eq(backoff.in_a_row, 1);
	ck_assert_int_lt(backoff.delay_ms, S);
	/* after long waits what is made again has to hold for longer */
	for (int i = 0; i < 20; i++)
		gcks_backoff_add(&backoff, backoff.again_at, S);
	ck_assert_int_eq(backoff.delay_ms, LONG);
	ck_assert(gcks_backoff_add(&backoff, backoff.again_at + LONG, S));
	ck_assert_int_eq(backoff.delay_ms, LONG);
	ck_assert(gcks_backoff_add(&backoff, backoff.again_at + 3 * LONG, S));
	ck_assert_uint_eq(backoff.in_a_row, 1);
}
END_TEST

Suite *member_backoff_suite(void)
{
	Suite *suite = suite_create("member_backoff");
	TCase *tcase = tcase_create("member_backoff");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, together);
	tcase_add_test(tcase, again_and_again);
	tcase_add_test(tcase, steady_again);
	suite_add_tcase(suite, tcase);
	return suite;
}
