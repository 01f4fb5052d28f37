// SPDX-License-Identifier: GPL-2.0-or-later
/* Phases of a membership's SAs: what charon reports of them, and what time makes of it. */
#include "libgsa/gikev2.h"
#include "tests/unit/gcks_unit.h"

static struct gcks_member_table table;
static struct gcks_membership *blue;

static void setup(void)
{
	blue = join(&table, "blue", 100, "192.0.2.13", 0);
}

static void teardown(void)
{
	gcks_member_table_clear(&table);
}

/* "0x1000 active, 0x2000 arrived" */
static const char *phases(void)
{
	static const char *const names[] = { "arrived", "active", "retiring" };
	static char text[256];
	size_t length = 0;

	text[0] = '\0';
	for (const struct gcks_member_sa *sa = blue->sas; sa; sa = sa->next)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s0x%x %s",
					   length ? ", " : "", sa->spi, names[sa->phase]);
	return text;
}

static const char *gone(void)
{
	static char text[256];
	struct gcks_member_sa *sa;
	size_t length = 0;

	text[0] = '\0';
	while ((sa = blue->gone)) {
		blue->gone = sa->next;
		ck_assert_uint_eq(sa->key.length, 0);
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s0x%x",
					   length ? ", " : "", sa->spi);
		gcks_member_sa_free(sa);
	}
	return text;
}

/* What charon reports at `now`: SAs of these SPIs, and how long ago they came, in seconds. */
struct reported {
	uint32_t spi, age_s, lifetime_s;
};

static void report_delays(int64_t now_s, uint32_t activation, uint32_t deactivation, size_t count,
			  const struct reported *rows)
{
	struct group_sa parts[GSA_DATA_SA_MAX];
	Gsa__DataSa *list[GSA_DATA_SA_MAX];
	const char *reason;

	for (size_t i = 0; i < count; i++) {
		group_sa_fill(&parts[i], 100, rows[i].spi);
		parts[i].data_sa.age_ms = 1000 * (uint64_t)rows[i].age_s;
		parts[i].data_sa.activation_delay_s = activation;
		parts[i].data_sa.deactivation_delay_s = deactivation;
		parts[i].data_sa.lifetime_s = rows[i].lifetime_s;
		list[i] = &parts[i].data_sa;
	}
	parts[0].group_sa.data_sa = list;
	parts[0].group_sa.n_data_sa = count;
	ck_assert_msg(gcks_membership_set_sas(blue, &parts[0].group_sa, 1000 * now_s, &reason),
		      "%s", reason);
}

#define REPORT(now_s, ...)                                                                         \
	do {                                                                                       \
		static const struct reported rows[] = { __VA_ARGS__ };                             \
		report_delays(now_s, 5, 10, COUNT(rows), rows);                                    \
	} while (0)

/* The deadline in seconds, -1: none. */
static int64_t advance(int64_t now_s)
{
	int64_t deadline = gcks_member_advance(&table, 1000 * now_s);

	return deadline == INT64_MAX ? -1 : deadline / 1000;
}

START_TEST(first_sa_is_active_at_once)
{
	REPORT(100, { 0x1000, 0, 0 });
	ck_assert_ptr_null(gcks_membership_active(blue));
	ck_assert_int_eq(advance(100), -1);
	ck_assert_str_eq(phases(), "0x1000 active");
	ck_assert_uint_eq(gcks_membership_active(blue)->spi, 0x1000);
}
END_TEST

START_TEST(rekey)
{
	REPORT(100, { 0x1000, 0, 0 });
	advance(100);
	REPORT(200, { 0x1000, 100, 0 }, { 0x2000, 0, 0 });
	ck_assert_int_eq(advance(200), 205);
	ck_assert_str_eq(phases(), "0x1000 active, 0x2000 arrived");
	ck_assert_int_eq(gcks_member_advance(&table, 204999), 205000);
	ck_assert_str_eq(phases(), "0x1000 active, 0x2000 arrived");
	ck_assert_int_eq(advance(205), 215);
	ck_assert_str_eq(phases(), "0x1000 retiring, 0x2000 active");
	ck_assert_int_eq(advance(214), 215);
	ck_assert_str_eq(gone(), "");
	ck_assert_int_eq(advance(215), -1);
	ck_assert_str_eq(phases(), "0x2000 active");
	ck_assert_str_eq(gone(), "0x1000");
	ck_assert(!blue->ended);
}
END_TEST

/* A key server that was restarted gives an SA again that is over here: it is not sent with. */
START_TEST(old_one_comes_back)
{
	REPORT(100, { 0x1000, 0, 0 });
	advance(100);
	REPORT(200, { 0x1000, 100, 0 }, { 0x2000, 0, 0 });
	advance(205);
	advance(215);
	ck_assert_str_eq(phases(), "0x2000 active");
	ck_assert_str_eq(gone(), "0x1000");
	REPORT(218, { 0x1000, 0, 0 }, { 0x2000, 0, 0 });
	ck_assert_int_eq(advance(218), 223);
	ck_assert_str_eq(phases(), "0x1000 arrived, 0x2000 active");
	ck_assert_int_eq(advance(223), -1);
	ck_assert_str_eq(phases(), "0x2000 active");
	ck_assert_str_eq(gone(), "0x1000");
}
END_TEST

/* One after the other, faster than their delays: none is skipped before it may go. */
START_TEST(rekeys_overlap)
{
	REPORT(100, { 0x1000, 0, 0 });
	advance(100);
	REPORT(200, { 0x1000, 100, 0 }, { 0x2000, 0, 0 });
	advance(200);
	REPORT(203, { 0x1000, 103, 0 }, { 0x2000, 3, 0 }, { 0x3000, 0, 0 });
	ck_assert_int_eq(advance(203), 205);
	ck_assert_int_eq(advance(205), 208);
	ck_assert_str_eq(phases(), "0x1000 retiring, 0x2000 active, 0x3000 arrived");
	ck_assert_int_eq(advance(208), 215);
	ck_assert_str_eq(phases(), "0x1000 retiring, 0x2000 retiring, 0x3000 active");
	ck_assert_int_eq(advance(215), 218);
	ck_assert_str_eq(phases(), "0x2000 retiring, 0x3000 active");
	ck_assert_int_eq(advance(300), -1);
	ck_assert_str_eq(phases(), "0x3000 active");
	ck_assert_str_eq(gone(), "0x1000, 0x2000");
}
END_TEST

/* gcksd was restarted: the ages alone bring the phases back. */
/* charon reports a rekey while it is being told that an older SA is gone. */
START_TEST(gone_is_told_again)
{
	REPORT(100, { 0x1000, 0, 0 });
	advance(100);
	REPORT(200, { 0x1000, 100, 0 }, { 0x2000, 0, 0 });
	advance(205);
	advance(215);
	ck_assert_str_eq(gone(), "0x1000");
	REPORT(216, { 0x1000, 116, 0 }, { 0x2000, 16, 0 }, { 0x3000, 0, 0 });
	ck_assert_int_eq(advance(216), 221);
	ck_assert_str_eq(phases(), "0x2000 active, 0x3000 arrived");
	ck_assert_uint_eq(gcks_membership_active(blue)->spi, 0x2000);
	ck_assert_str_eq(gone(), "0x1000");
}
END_TEST

START_TEST(restart)
{
	REPORT(1000, { 0x1000, 103, 0 }, { 0x2000, 3, 0 });
	ck_assert_int_eq(advance(1000), 1002);
	ck_assert_str_eq(phases(), "0x1000 active, 0x2000 arrived");
	gcks_membership_drop_sas(blue);
	REPORT(1000, { 0x1000, 107, 0 }, { 0x2000, 7, 0 });
	ck_assert_int_eq(advance(1000), 1008);
	ck_assert_str_eq(phases(), "0x1000 retiring, 0x2000 active");
	gcks_membership_drop_sas(blue);
	REPORT(1000, { 0x1000, 150, 0 }, { 0x2000, 50, 0 }, { 0x3000, 6, 0 });
	ck_assert_int_eq(advance(1000), 1009);
	ck_assert_str_eq(phases(), "0x2000 retiring, 0x3000 active");
	ck_assert_str_eq(gone(), "0x1000");
}
END_TEST

/* A member that registers during a rekey: all but the newest SA are in use already. */
START_TEST(registration_during_rekey)
{
	REPORT(100, { 0x1000, 0, 0 }, { 0x2000, 0, 0 }, { 0x3000, 0, 0 });
	ck_assert_int_eq(advance(100), 105);
	ck_assert_str_eq(phases(), "0x1000 retiring, 0x2000 active, 0x3000 arrived");
}
END_TEST

/* Told again in a new registration: what is held keeps its times. */
START_TEST(told_again)
{
	REPORT(100, { 0x1000, 0, 3600 });
	advance(100);
	REPORT(200, { 0x1000, 100, 3600 }, { 0x2000, 0, 3600 });
	advance(200);
	REPORT(203, { 0x1000, 0, 3497 }, { 0x2000, 0, 3597 });
	ck_assert_int_eq(advance(203), 205);
	ck_assert_int_eq(blue->sas->expires_at, 3700000);
	ck_assert_int_eq(advance(205), 215);
	REPORT(206, { 0x1000, 106, 3600 }, { 0x2000, 6, 3600 });
	ck_assert_int_eq(advance(206), 215);
	ck_assert_str_eq(phases(), "0x1000 retiring, 0x2000 active");
}
END_TEST

/* Cut off from every key server. */
START_TEST(lifetime_is_hard)
{
	REPORT(100, { 0x1000, 0, 60 });
	ck_assert_int_eq(advance(100), 160);
	ck_assert_int_eq(advance(159), 160);
	ck_assert_str_eq(phases(), "0x1000 active");
	ck_assert_int_eq(advance(160), -1);
	ck_assert_str_eq(phases(), "");
	ck_assert_str_eq(gone(), "0x1000");
	ck_assert(blue->ended);
	REPORT(170, { 0x2000, 0, 60 });
	advance(170);
	ck_assert_str_eq(phases(), "0x2000 active");
	ck_assert(!blue->ended);
}
END_TEST

/* The old one ends before the new one's delay is over: better early than not at all. */
START_TEST(lifetime_ends_before_activation)
{
	REPORT(100, { 0x1000, 0, 102 });
	advance(100);
	REPORT(200, { 0x1000, 100, 102 }, { 0x2000, 0, 0 });
	ck_assert_int_eq(advance(200), 202);
	ck_assert_int_eq(advance(202), -1);
	ck_assert_str_eq(phases(), "0x2000 active");
	ck_assert_str_eq(gone(), "0x1000");
}
END_TEST

/* The key server deletes the newest one: the one before it is used on. */
START_TEST(newest_taken_back)
{
	REPORT(100, { 0x1000, 10, 0 }, { 0x2000, 6, 0 });
	advance(100);
	ck_assert_str_eq(phases(), "0x1000 retiring, 0x2000 active");
	REPORT(101, { 0x1000, 11, 0 });
	ck_assert_int_eq(advance(101), -1);
	ck_assert_str_eq(phases(), "0x1000 active");
}
END_TEST

START_TEST(without_delays)
{
	static const struct reported one[] = { { 0x1000, 0, 0 } },
				     two[] = { { 0x1000, 7, 0 }, { 0x2000, 0, 0 } };

	report_delays(100, 0, 0, COUNT(one), one);
	advance(100);
	report_delays(107, 0, 0, COUNT(two), two);
	ck_assert_int_eq(advance(107), -1);
	ck_assert_str_eq(phases(), "0x2000 active");
	ck_assert_str_eq(gone(), "0x1000");
}
END_TEST

/* Any order of reports and times: at most one is active, and one is if any was held before. */
START_TEST(random_times)
{
	uint32_t state = 88675123u + (uint32_t)_i, spi = 0x1000;
	struct reported rows[GSA_DATA_SA_MAX];
	int64_t now = 0, received[GSA_DATA_SA_MAX] = { 0 };
	size_t count = 0;

	for (int step = 0; step < 400; step++) {
		size_t active = 0, held = 0;

		state = state * 1664525u + 1013904223u;
		now += state >> 29;
		if (state >> 16 & 3 && count < COUNT(rows)) {
			rows[count] = (struct reported){ .spi = spi++, .lifetime_s = 40 };
			received[count++] = now;
		}
		/* charon forgets what is gone */
		for (size_t i = 0; i < count; i++)
			rows[i].age_s = (uint32_t)(now - received[i]);
		if (count)
			report_delays(now, (uint32_t)_i % 4, (uint32_t)_i % 7, count, rows);
		advance(now);
		gone();
		for (const struct gcks_member_sa *sa = blue->sas; sa; sa = sa->next) {
			while (rows[held].spi != sa->spi) {
				ck_assert_uint_lt(held + 1, count);
				memmove(&rows[held], &rows[held + 1],
					(count - held - 1) * sizeof(*rows));
				memmove(&received[held], &received[held + 1],
					(count - held - 1) * sizeof(*received));
				count--;
			}
			held++;
			active += sa->phase == GCKS_SA_ACTIVE;
			ck_assert(!active || sa->phase != GCKS_SA_RETIRING);
		}
		count = held;
		ck_assert_uint_eq(active, blue->sas ? 1 : 0);
		ck_assert(blue->sas || blue->ended || spi == 0x1000);
	}
}
END_TEST

Suite *member_sa_suite(void)
{
	Suite *suite = suite_create("member_sa");
	TCase *tcase = tcase_create("member_sa");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, first_sa_is_active_at_once);
	tcase_add_test(tcase, rekey);
	tcase_add_test(tcase, old_one_comes_back);
	tcase_add_test(tcase, rekeys_overlap);
	tcase_add_test(tcase, gone_is_told_again);
	tcase_add_test(tcase, restart);
	tcase_add_test(tcase, registration_during_rekey);
	tcase_add_test(tcase, told_again);
	tcase_add_test(tcase, lifetime_is_hard);
	tcase_add_test(tcase, lifetime_ends_before_activation);
	tcase_add_test(tcase, newest_taken_back);
	tcase_add_test(tcase, without_delays);
	tcase_add_loop_test(tcase, random_times, 0, 28);
	suite_add_tcase(suite, tcase);
	return suite;
}
