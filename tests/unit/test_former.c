// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gcks_unit.h"

#include "gcks/former.h"

#define BLUE 100
#define RED  200

static struct gcks_sa_table sas;
static uint32_t ids[GCKS_SENDER_IDS_KEPT];

static void start(void)
{
	ck_assert_ptr_nonnull(gcks_sa_group_get(&sas, BLUE, "blue"));
	ck_assert_ptr_nonnull(gcks_sa_group_get(&sas, RED, "red"));
}

static void stop(void)
{
	gcks_sa_table_clear(&sas);
}

static struct gcks_registration *new_entry(uint32_t group, const char *identity, size_t count,
					   uint32_t first)
{
	struct gcks_registration *entry, values = { .group = group,
						    .identity = (char *)identity,
						    .sender_ids = ids,
						    .sender_id_count = count };

	for (size_t i = 0; i < count; i++)
		ids[i] = first + (uint32_t)i;
	entry = gcks_registration_new(&values);
	ck_assert_ptr_nonnull(entry);
	return entry;
}

/* What is to be stored for it, in `changes`; how many. */
static size_t leave(const char *identity, size_t count, uint32_t first, struct gcks_change *changes)
{
	struct gcks_registration *entry = new_entry(BLUE, identity, count, first);
	size_t changed = gcks_former_changes(&sas, &entry, 1, changes);

	gcks_former_keep(&sas, entry);
	return changed;
}

static size_t ids_of(uint32_t group, const char *identity)
{
	const struct gcks_registration *former =
		gcks_former_find(gcks_sa_group_find(&sas, group), identity);

	memset(ids, 0xff, sizeof(ids));
	if (!former)
		return 0;
	memcpy(ids, former->sender_ids, former->sender_id_count * sizeof(*ids));
	return former->sender_id_count;
}

START_TEST(kept_by_identity)
{
	struct gcks_sa_group *blue = gcks_sa_group_find(&sas, BLUE);
	struct gcks_change changes[2];

	ck_assert_uint_eq(leave("one", 2, 7, changes), 1);
	ck_assert_int_eq(changes[0].kind, GCKS_END_REGISTRATION);
	ck_assert_uint_eq(leave("two", 1, 9, changes), 1);
	ck_assert_uint_eq(leave("none", 0, 0, changes), 1);
	ck_assert_int_eq(changes[0].kind, GCKS_REMOVE_REGISTRATION);
	ck_assert_uint_eq(ids_of(BLUE, "one"), 2);
	ck_assert_uint_eq(ids[0], 7);
	ck_assert_uint_eq(ids[1], 8);
	ck_assert_uint_eq(ids_of(BLUE, "two"), 1);
	ck_assert_uint_eq(ids_of(BLUE, "none"), 0);
	ck_assert_uint_eq(ids_of(RED, "one"), 0);
	/* registered again, with those and a new one, and left again */
	gcks_former_forget(blue, "one");
	ck_assert_uint_eq(ids_of(BLUE, "one"), 0);
	gcks_former_forget(blue, "one");
	leave("one", GCKS_SENDER_IDS_KEPT, 100, changes);
	ck_assert_uint_eq(ids_of(BLUE, "one"), GCKS_SENDER_IDS_KEPT);
	ck_assert_uint_eq(ids[63], 163);
	gcks_former_clear(blue);
	ck_assert_uint_eq(ids_of(BLUE, "two"), 0);
}
END_TEST

START_TEST(the_first_are_forgotten)
{
	struct gcks_change changes[2];
	char identity[16];

	for (uint32_t i = 0; i < GCKS_FORMER_KEPT; i++) {
		snprintf(identity, sizeof(identity), "%u", i);
		ck_assert_uint_eq(leave(identity, 1, i, changes), 1);
	}
	ck_assert_uint_eq(leave("last", 1, 1000, changes), 2);
	ck_assert_int_eq(changes[1].kind, GCKS_FORGET_FORMER);
	ck_assert_uint_eq(changes[1].former.group, BLUE);
	ck_assert_uint_eq(changes[1].former.up_to, 1);
	ck_assert_uint_eq(ids_of(BLUE, "0"), 0);
	ck_assert_uint_eq(ids_of(BLUE, "last"), 1);
	for (uint32_t i = 1; i < GCKS_FORMER_KEPT; i++) {
		snprintf(identity, sizeof(identity), "%u", i);
		ck_assert_uint_eq(ids_of(BLUE, identity), 1);
		ck_assert_uint_eq(ids[0], i);
	}
}
END_TEST

/* Of several groups, and more of one than are kept: one commit. */
START_TEST(many_at_once)
{
	struct gcks_registration *entries[GCKS_FORMER_KEPT + 4];
	struct gcks_change changes[2 * COUNT(entries)];
	char identity[16];
	size_t changed;

	for (size_t i = 0; i < COUNT(entries); i++) {
		snprintf(identity, sizeof(identity), "%zu", i);
		entries[i] = new_entry(i == 1 ? RED : i == 2 ? 300 : BLUE, identity, 1, (uint32_t)i);
	}
	changed = gcks_former_changes(&sas, entries, COUNT(entries), changes);
	ck_assert_uint_eq(changed, COUNT(entries) + 1);
	/* a group that has no SAs has no Sender-IDs */
	ck_assert_int_eq(changes[2].kind, GCKS_REMOVE_REGISTRATION);
	ck_assert_int_eq(changes[changed - 1].kind, GCKS_FORGET_FORMER);
	ck_assert_uint_eq(changes[changed - 1].former.group, BLUE);
	ck_assert_uint_eq(changes[changed - 1].former.up_to, 2);
	for (size_t i = 0; i < COUNT(entries); i++)
		gcks_former_keep(&sas, entries[i]);
	ck_assert_uint_eq(ids_of(RED, "1"), 1);
	ck_assert_uint_eq(ids_of(BLUE, "0"), 0);
	ck_assert_uint_eq(ids_of(BLUE, "3"), 0);
	ck_assert_uint_eq(ids_of(BLUE, "4"), 1);
}
END_TEST

Suite *former_suite(void)
{
	Suite *suite = suite_create("former");
	TCase *test_case = tcase_create("former");

	tcase_add_checked_fixture(test_case, start, stop);
	tcase_add_test(test_case, kept_by_identity);
	tcase_add_test(test_case, the_first_are_forgotten);
	tcase_add_test(test_case, many_at_once);
	suite_add_tcase(suite, test_case);
	return suite;
}
