// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gcks_unit.h"

static struct gcks_kernel_ids set;

static void clear(void)
{
	gcks_kernel_ids_clear(&set);
	ck_assert_uint_eq(set.count, 0);
}

static struct gcks_kernel_id policy(void)
{
	return (struct gcks_kernel_id){
		.kind = GCKS_KERNEL_POLICY,
		.source = address_of("192.0.2.11"),
		.destination = address_of("192.0.2.12"),
		.direction = 2,
		.action = 1,
		.selector_source = prefix_of("10.1.0.0/24"),
		.selector_destination = prefix_of("10.2.0.0/24"),
		.priority = 5,
		.reqid = 6,
		.group = "blue",
	};
}

/* Every field tells two ids apart. */
START_TEST(compare)
{
	struct gcks_kernel_id ids[11];

	for (size_t i = 0; i < COUNT(ids); i++)
		ids[i] = policy();
	ids[1].kind = GCKS_KERNEL_SA;
	ids[2].spi = 4096;
	ids[3].source = address_of("2001:db8::1");
	ids[4].destination = address_of("192.0.2.13");
	ids[5].direction = 1;
	ids[6].selector_source = prefix_of("10.1.0.0/25");
	ids[7].selector_destination = prefix_of("10.3.0.0/24");
	ids[8].priority = 4;
	ids[9].reqid = 7;
	strcpy(ids[10].group, "red");
	for (size_t i = 0; i < COUNT(ids); i++)
		for (size_t j = 0; j < COUNT(ids); j++) {
			int order = gcks_kernel_id_compare(&ids[i], &ids[j]);

			ck_assert_int_eq(order == 0, i == j);
			ck_assert_int_eq(order > 0, gcks_kernel_id_compare(&ids[j], &ids[i]) < 0);
		}
	ck_assert_int_eq(gcks_kernel_id_compare_content(&ids[0], &ids[10]), 0);
	ck_assert_int_ne(gcks_kernel_id_compare_content(&ids[0], &ids[9]), 0);
}
END_TEST

START_TEST(sets)
{
	struct gcks_kernel_id id = policy();

	for (uint32_t i = 0; i < 1000; i++) {
		id.priority = i * 7 % 1000;
		ck_assert(!gcks_kernel_ids_has(&set, &id));
		ck_assert(gcks_kernel_ids_add(&set, &id));
		ck_assert(gcks_kernel_ids_add(&set, &id));
		ck_assert(gcks_kernel_ids_has(&set, &id));
	}
	ck_assert_uint_eq(set.count, 1000);
	for (size_t i = 1; i < set.count; i++)
		ck_assert_int_lt(gcks_kernel_id_compare(&set.ids[i - 1], &set.ids[i]), 0);
	for (id.priority = 0; id.priority < 1000; id.priority += 2) {
		gcks_kernel_ids_remove(&set, &id);
		gcks_kernel_ids_remove(&set, &id);
	}
	ck_assert_uint_eq(set.count, 500);
	for (id.priority = 0; id.priority < 1000; id.priority++)
		ck_assert(gcks_kernel_ids_has(&set, &id) == (id.priority % 2 == 1));
}
END_TEST

Suite *kernel_id_suite(void)
{
	Suite *suite = suite_create("kernel_id");
	TCase *tcase = tcase_create("kernel_id");

	tcase_add_checked_fixture(tcase, NULL, clear);
	tcase_add_test(tcase, compare);
	tcase_add_test(tcase, sets);
	suite_add_tcase(suite, tcase);
	return suite;
}
