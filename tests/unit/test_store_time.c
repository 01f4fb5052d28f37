// SPDX-License-Identifier: GPL-2.0-or-later
/* A store that is opened at another time, on a clock that says something else. */
#include "gcks/clock.h"
#include "tests/unit/stored_key_server.h"

/* Of an SA that was made 1000 s ago by the monotonic clock, on a wall clock that says something
 * else. */
static const struct {
	const char *what;
	bool same_boot;
	int64_t wall_ms, age_ms; /* since it was made */
	unsigned int made;	 /* in its place, at once */
} times[] = {
	{ "the same boot", true, 1000000, 1000000 },
	{ "the same boot, the clock an hour ahead", true, 4600000, 1000000 },
	{ "the same boot, the clock an hour behind", true, -2600000, 1000000 },
	{ "rebooted", false, 1000000, 1000000 },
	{ "rebooted, the clock before its making", false, -2600000, 3240000, 1 },
	{ "rebooted, long after", false, 400000000, 400000000 },
};

START_TEST(time_passes)
{
	struct gcks_clock clock;
	const struct gcks_sa *sa;
	int64_t made_at, created_at;

	stored_open();
	gcks_clock_read(&clock);
	stored_load();
	stored.now = clock.now;
	stored_granted("site1", 1);
	made_at = stored.sas.head->made_at;
	created_at = stored.sas.head->created_at;
	stored_close();
	stored_open();
	clock.now = times[_i].same_boot ? made_at + 1000000 : 5000;
	clock.wall = created_at * 1000 + times[_i].wall_ms;
	if (!times[_i].same_boot)
		strcpy(clock.boot, "another");
	gcks_store_set_clock(stored.store, &clock);
	stored_load();
	sa = stored.sas.head;
	ck_assert_msg(sa->made_at == clock.now - times[_i].age_ms, "%s: made %lld ms ago",
		      times[_i].what, (long long)(clock.now - sa->made_at));
	ck_assert_int_eq(sa->activates_at, sa->made_at);
	ck_assert_int_eq(gcks_sa_expires_at(sa), sa->made_at + 3600000);
	stored.now = clock.now;
	key_server_run(&stored);
	ck_assert_uint_eq(stored.made, times[_i].made);
}
END_TEST

START_TEST(clock_steps)
{
	struct gcks_clock before = { .now = 1000, .wall = 500000 }, after = before;

	after.now += 10000;
	after.wall += 10001;
	ck_assert_int_eq(gcks_clock_stepped(&before, &after), 1);
	after.wall += 3600000;
	ck_assert_int_eq(gcks_clock_stepped(&before, &after), 3600001);
	after.wall -= 7200000;
	ck_assert_int_eq(gcks_clock_stepped(&before, &after), -3599999);
	gcks_clock_read(&before);
	gcks_clock_read(&after);
	ck_assert_int_lt(llabs(gcks_clock_stepped(&before, &after)), 1000);
	ck_assert_str_eq(before.boot, after.boot);
}
END_TEST

Suite *store_time_suite(void)
{
	Suite *suite = suite_create("store_time");
	TCase *tcase = tcase_create("store_time");

	tcase_add_checked_fixture(tcase, stored_start, stored_stop);
	tcase_add_loop_test(tcase, time_passes, 0, COUNT(times));
	tcase_add_test(tcase, clock_steps);
	suite_add_tcase(suite, tcase);
	return suite;
}
