// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "libgsa/refused.h"
#include "tests/unit/unit.h"

static struct gsa_refused_log log_of_test;
static unsigned int repeated, others;

static bool logged(const char *line, int64_t now)
{
	return gsa_refused(&log_of_test, line, now, &repeated, &others);
}

static void clear(void)
{
	memset(&log_of_test, 0, sizeof(log_of_test));
}

START_TEST(once_an_interval)
{
	/* also right after a boot */
	ck_assert(logged("a", 0));
	for (int64_t now = 0; now < GSA_REFUSED_INTERVAL_S; now++)
		ck_assert(!logged("a", now));
	ck_assert(logged("b", 5));
	ck_assert(logged("a", GSA_REFUSED_INTERVAL_S));
	ck_assert_uint_eq(repeated, GSA_REFUSED_INTERVAL_S);
	ck_assert_uint_eq(others, 0);
	ck_assert(!logged("a", GSA_REFUSED_INTERVAL_S + 1));
	ck_assert(logged("a", 1000));
	ck_assert_uint_eq(repeated, 1);
}
END_TEST

START_TEST(not_too_many)
{
	char line[32];
	unsigned int count = 0;

	for (int i = 0; i < 3 * GSA_REFUSED_LINES; i++) {
		snprintf(line, sizeof(line), "line %d", i);
		count += logged(line, 7);
	}
	ck_assert_uint_eq(count, GSA_REFUSED_LINES);
	/* those that are remembered are not taken for others */
	ck_assert(!logged("line 0", 8));
	ck_assert(logged("line 0", 7 + GSA_REFUSED_INTERVAL_S));
	ck_assert_uint_eq(repeated, 1);
	ck_assert_uint_eq(others, 2 * GSA_REFUSED_LINES);
	/* the oldest makes place */
	ck_assert(logged("new", 8 + GSA_REFUSED_INTERVAL_S));
	ck_assert_uint_eq(others, 0);
}
END_TEST

START_TEST(long_lines)
{
	char line[2 * GSA_REFUSED_LINE_MAX];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	ck_assert(logged(line, 1));
	ck_assert(!logged(line, 2));
	line[10] = 'y';
	ck_assert(logged(line, 3));
}
END_TEST

Suite *refused_suite(void)
{
	Suite *suite = suite_create("refused");
	TCase *tests = tcase_create("refused");

	tcase_add_checked_fixture(tests, clear, NULL);
	tcase_add_test(tests, once_an_interval);
	tcase_add_test(tests, not_too_many);
	tcase_add_test(tests, long_lines);
	suite_add_tcase(suite, tests);
	return suite;
}
