// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gcks_unit.h"

static struct gcks_membership membership;

static void setup(void)
{
	ck_assert(gcks_membership_add_connection(&membership, "first"));
	ck_assert(gcks_membership_add_connection(&membership, "second"));
	ck_assert(gcks_membership_add_connection(&membership, "third"));
}

static void teardown(void)
{
	gcks_membership_clear_connections(&membership);
	ck_assert_uint_eq(membership.connection_count, 0);
	ck_assert_ptr_null(membership.connections);
}

static void check_order(const char *expected)
{
	char order[128] = "";

	for (size_t i = 0; i < membership.connection_count; i++) {
		strcat(order, i ? " " : "");
		strcat(order, membership.connections[i]);
	}
	ck_assert_str_eq(order, expected);
}

START_TEST(each_once_in_the_order_of_their_arrival)
{
	ck_assert(gcks_membership_add_connection(&membership, "first"));
	check_order("first second third");
	gcks_membership_remove_connection(&membership, "second");
	check_order("first third");
	gcks_membership_remove_connection(&membership, "second");
	check_order("first third");
	ck_assert(gcks_membership_add_connection(&membership, "second"));
	check_order("first third second");
}
END_TEST

START_TEST(ordered_as_told)
{
	gcks_membership_order_connections(&membership,
					  (const char *const[]){ "third", "first", "second" }, 3);
	check_order("third first second");
	/* one that is not there (any more), and one that is not told (yet) */
	gcks_membership_order_connections(&membership, (const char *const[]){ "no", "second" }, 2);
	check_order("second third first");
	gcks_membership_order_connections(&membership, NULL, 0);
	check_order("second third first");
}
END_TEST

Suite *member_connection_suite(void)
{
	Suite *suite = suite_create("member connections");
	TCase *tests = tcase_create("order");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, each_once_in_the_order_of_their_arrival);
	tcase_add_test(tests, ordered_as_told);
	suite_add_tcase(suite, tests);
	return suite;
}
