// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gcks_unit.h"

#include "gcks/former.h"

static struct gcks_former *list;

static void leave(const char *identity, size_t count, uint32_t first)
{
	uint32_t ids[GCKS_SENDER_IDS_KEPT];
	struct gcks_registration entry = { .identity = (char *)identity,
					   .sender_ids = ids,
					   .sender_id_count = count };

	for (size_t i = 0; i < count; i++)
		ids[i] = first + (uint32_t)i;
	gcks_former_keep(&list, &entry);
}

START_TEST(kept_by_identity)
{
	uint32_t ids[GCKS_SENDER_IDS_KEPT];

	leave("one", 2, 7);
	leave("two", 1, 9);
	leave("none", 0, 0);
	ck_assert_uint_eq(gcks_former_ids(list, "one", ids), 2);
	ck_assert_uint_eq(ids[0], 7);
	ck_assert_uint_eq(ids[1], 8);
	ck_assert_uint_eq(gcks_former_ids(list, "two", ids), 1);
	ck_assert_uint_eq(gcks_former_ids(list, "none", ids), 0);
	/* registered again, with those and a new one, and left again */
	leave("one", 3, 7);
	ck_assert_uint_eq(gcks_former_ids(list, "one", ids), 3);
	leave("one", GCKS_SENDER_IDS_KEPT, 100);
	ck_assert_uint_eq(gcks_former_ids(list, "one", ids), GCKS_SENDER_IDS_KEPT);
	gcks_former_clear(&list);
	ck_assert_uint_eq(gcks_former_ids(list, "two", ids), 0);
}
END_TEST

START_TEST(the_first_are_forgotten)
{
	uint32_t ids[GCKS_SENDER_IDS_KEPT];
	char identity[16];

	for (uint32_t i = 0; i <= GCKS_FORMER_KEPT; i++) {
		snprintf(identity, sizeof(identity), "%u", i);
		leave(identity, 1, i);
	}
	ck_assert_uint_eq(gcks_former_ids(list, "0", ids), 0);
	for (uint32_t i = 1; i <= GCKS_FORMER_KEPT; i++) {
		snprintf(identity, sizeof(identity), "%u", i);
		ck_assert_uint_eq(gcks_former_ids(list, identity, ids), 1);
		ck_assert_uint_eq(ids[0], i);
	}
	gcks_former_clear(&list);
}
END_TEST

Suite *former_suite(void)
{
	Suite *suite = suite_create("former");
	TCase *test_case = tcase_create("former");

	tcase_add_test(test_case, kept_by_identity);
	tcase_add_test(test_case, the_first_are_forgotten);
	suite_add_tcase(suite, test_case);
	return suite;
}
