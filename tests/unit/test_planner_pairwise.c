// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The states of pairs, at site3 (192.0.2.13, Sender-ID 3) of a group with site1 (192.0.2.11, 1) and
 * site2 (192.0.2.12, 2), and which Sender-ID is used.
 */
#include "gcks/planner.h"
#include "tests/unit/gcks_unit.h"

#define TEK    0x10000u
#define TEK2   0x20000u

static struct gcks_member_table table;
static struct gcks_kernel_ids installed, known;
static struct gcks_plan plan;
static struct gcks_membership *blue;
static uint32_t activation_delay_s, deactivation_delay_s; /* of what is reported */

/* What charon reports: TEKs, each with the prefix that it is called, and Sender-IDs. */
static void report(size_t tek_count, const uint32_t *teks, size_t count, uint32_t *sender_ids)
{
	struct group_sa parts[GSA_DATA_SA_MAX];
	Gsa__DataSa *list[GSA_DATA_SA_MAX];
	const char *reason;

	for (size_t i = 0; i < tek_count; i++) {
		pairwise_sa_fill(&parts[i], 100, teks[i], teks[i]);
		parts[i].data_sa.activation_delay_s = activation_delay_s;
		parts[i].data_sa.deactivation_delay_s = deactivation_delay_s;
		list[i] = &parts[i].data_sa;
	}
	parts[0].group_sa.data_sa = list;
	parts[0].group_sa.n_data_sa = tek_count;
	parts[0].group_sa.sender_id = sender_ids;
	parts[0].group_sa.n_sender_id = count;
	ck_assert_msg(gcks_membership_set_sas(blue, &parts[0].group_sa, 0, &reason), "%s", reason);
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED;
	gcks_member_advance(&table, 0);
}

#define REPORT(teks, ...)                                                                          \
	do {                                                                                       \
		static const uint32_t of_teks[] = teks;                                            \
		uint32_t of_ids[] = { __VA_ARGS__ };                                               \
		report(COUNT(of_teks), of_teks, COUNT(of_ids), of_ids);                            \
	} while (0)
#define TEKS(...)                                                                                  \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

static void setup(void)
{
	struct gcks_prefix own = prefix_of("10.3.0.0/24");

	activation_delay_s = deactivation_delay_s = 0;
	blue = join(&table, "blue", 100, "192.0.2.13", 0);
	ck_assert(gcks_membership_set_export(blue, &own));
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	set_sender(blue, "10.2.0.0/24", "192.0.2.12", 2);
	REPORT(TEKS(TEK), 3);
}

static void teardown(void)
{
	gcks_plan_clear(&plan);
	gcks_member_table_clear(&table);
	gcks_kernel_ids_clear(&installed);
	gcks_kernel_ids_clear(&known);
}

static enum gcks_sender_choice choose(void)
{
	return gcks_membership_choose_sender_id(blue, &known);
}

static void make(void)
{
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&table, &installed, &known, GCKS_REMOVE_ALL, &plan));
}

/* charon does all of it, and gcksd hears of it. */
static void carry_out(void)
{
	for (size_t i = 0; i < plan.install_count; i++) {
		ck_assert(gcks_kernel_ids_add(&known, &plan.install[i].id));
		ck_assert(gcks_kernel_ids_add(&installed, &plan.install[i].id));
	}
	for (size_t i = 0; i < plan.remove_count; i++) {
		gcks_kernel_ids_remove(&installed, &plan.remove[i]);
		if (gcks_is_remembered(&table, &known, &plan.remove[i]))
			gcks_kernel_ids_set_used(&known, &plan.remove[i]);
		else
			gcks_kernel_ids_remove(&known, &plan.remove[i]);
	}
	gcks_member_update_ready(&table, &installed);
}

static void settle(void)
{
	for (int i = 0; i < 4; i++) {
		make();
		carry_out();
	}
	make();
	ck_assert_uint_eq(plan.install_count + plan.remove_count, 0);
}

/* The states among them, one a line. */
static const char *states_of(const struct gcks_kernel_id *(*at)(size_t), size_t count)
{
	static char text[2048];
	size_t length = 0;
	char line[256];

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		if (at(i)->kind == GCKS_KERNEL_SA)
			length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
						   length ? "\n" : "",
						   id_text(at(i), line, sizeof(line)));
	return text;
}

static const struct gcks_kernel_id *install_at(size_t i)
{
	return &plan.install[i].id;
}

static const struct gcks_kernel_id *remove_at(size_t i)
{
	return &plan.remove[i];
}

static const struct gcks_kernel_id *installed_at(size_t i)
{
	return &installed.ids[i];
}

#define EXPECT_INSTALL(text) ck_assert_str_eq(states_of(install_at, plan.install_count), text)
#define EXPECT_REMOVE(text)  ck_assert_str_eq(states_of(remove_at, plan.remove_count), text)
#define EXPECT_KERNEL(text)  ck_assert_str_eq(states_of(installed_at, installed.count), text)

static bool ready(const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	for (size_t i = 0; i < blue->route_count; i++)
		if (gcks_prefix_equal(&blue->routes[i].prefix, &prefix))
			return blue->routes[i].ready;
	ck_abort_msg("no route %s", text);
	return false;
}

static void unset_route(const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	gcks_membership_remove_route(blue, &prefix);
}

static struct gcks_kernel_id find_id(const char *text)
{
	char line[256];

	for (size_t i = 0; i < known.count; i++)
		if (strcmp(id_text(&known.ids[i], line, sizeof(line)), text) == 0)
			return known.ids[i];
	ck_abort_msg("no id %s", text);
	return (struct gcks_kernel_id){ 0 };
}

/* charon's answer to a state that it was asked to keep. */
static void is_gone(const char *text)
{
	struct gcks_kernel_id id = find_id(text);

	gcks_kernel_ids_remove(&installed, &id);
	gcks_kernel_ids_set_used(&known, &id);
}

START_TEST(pairs)
{
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	ck_assert_uint_eq(blue->sender_id, 3);
	make();
	EXPECT_INSTALL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3\n"
		       "sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		       "sa 0x10003 192.0.2.13 > 192.0.2.11 for 1\n"
		       "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2");
	for (size_t i = 0; i < 4; i++)
		ck_assert(plan.install[i].fresh && plan.install[i].sa == blue->sas);
	carry_out();
	ck_assert(ready("10.1.0.0/24") && ready("10.2.0.0/24"));
	gcks_kernel_ids_clear(&installed);
	make();
	for (size_t i = 0; i < plan.install_count; i++)
		ck_assert(!plan.install[i].fresh);
}
END_TEST

START_TEST(unknown_sender)
{
	set_route(blue, "10.1.0.0/24", "192.0.2.11");
	choose();
	settle();
	EXPECT_KERNEL("sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2");
	ck_assert(!ready("10.1.0.0/24") && ready("10.2.0.0/24"));
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	settle();
	ck_assert(ready("10.1.0.0/24"));
}
END_TEST

START_TEST(rekey)
{
	choose();
	settle();
	REPORT(TEKS(TEK, TEK2), 3);
	gcks_member_advance(&table, 0);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	make();
	EXPECT_INSTALL("sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		       "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3\n"
		       "sa 0x20003 192.0.2.13 > 192.0.2.11 for 1\n"
		       "sa 0x20003 192.0.2.13 > 192.0.2.12 for 2");
	settle();
	EXPECT_KERNEL("sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x20003 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x20003 192.0.2.13 > 192.0.2.12 for 2");
	/* nothing of the old TEK is remembered */
	for (size_t i = 0; i < known.count; i++)
		ck_assert(!known.ids[i].used || !gcks_is_remembered(&table, &known, &known.ids[i]));
}
END_TEST

static void make_without_routes(void)
{
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&table, &installed, &known, GCKS_REMOVE_OLD_SAS, &plan));
}

/*
 * gcksd was restarted and bgpd has not told the routes yet: the gateways that have states get those
 * of the next SA.  site1 was rebooted before: its earlier Sender-ID gets nothing outbound.
 */
START_TEST(rekey_without_routes)
{
	choose();
	settle();
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 7);
	settle();
	unset_route("10.1.0.0/24");
	unset_route("10.2.0.0/24");
	gcks_kernel_ids_clear(&installed);
	activation_delay_s = deactivation_delay_s = 10;
	REPORT(TEKS(TEK, TEK2), 3);
	make_without_routes();
	EXPECT_REMOVE("");
	carry_out();
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.11 for 7\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2\n"
		      "sa 0x10007 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x20007 192.0.2.11 > 192.0.2.13 for 3");
	gcks_member_advance(&table, 10000);
	make_without_routes();
	EXPECT_INSTALL("sa 0x20003 192.0.2.13 > 192.0.2.11 for 7\n"
		       "sa 0x20003 192.0.2.13 > 192.0.2.12 for 2");
	EXPECT_REMOVE("");
	carry_out();
	make_without_routes();
	EXPECT_INSTALL("");
	EXPECT_REMOVE("sa 0x10003 192.0.2.13 > 192.0.2.12 for 2\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.11 for 7");
	carry_out();
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 7);
	set_sender(blue, "10.2.0.0/24", "192.0.2.12", 2);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	settle();
	ck_assert(ready("10.1.0.0/24") && ready("10.2.0.0/24"));
}
END_TEST

/* Made again they would count from 1 again. */
START_TEST(route_flaps)
{
	choose();
	settle();
	unset_route("10.1.0.0/24");
	settle();
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2");
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	settle();
	ck_assert(ready("10.1.0.0/24"));
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
}
END_TEST

/* site1 was rebooted: another Sender-ID, other keys.  Its old outbound state is in the way. */
START_TEST(remote_changes)
{
	choose();
	settle();
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 7);
	make();
	EXPECT_INSTALL("sa 0x10007 192.0.2.11 > 192.0.2.13 for 3");
	EXPECT_REMOVE("sa 0x10003 192.0.2.13 > 192.0.2.11 for 1");
	carry_out();
	ck_assert(!ready("10.1.0.0/24") && ready("10.2.0.0/24"));
	make();
	EXPECT_INSTALL("sa 0x10003 192.0.2.13 > 192.0.2.11 for 7");
	settle();
	ck_assert(ready("10.1.0.0/24"));
	/* as before, by a late message: that state must not come back */
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	settle();
	ck_assert(!ready("10.1.0.0/24") && ready("10.2.0.0/24"));
	REPORT(TEKS(TEK), 3, 9);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	settle();
	ck_assert_uint_eq(blue->sender_id, 9);
	ck_assert(ready("10.1.0.0/24") && ready("10.2.0.0/24"));
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 9\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 9\n"
		      "sa 0x10009 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10009 192.0.2.13 > 192.0.2.12 for 2");
}
END_TEST

/* Of two routes of a gateway the one that was told last is right. */
START_TEST(remote_changes_route_by_route)
{
	set_sender(blue, "10.1.7.0/24", "192.0.2.11", 1);
	choose();
	settle();
	set_sender(blue, "10.1.7.0/24", "192.0.2.11", 7);
	settle();
	ck_assert(ready("10.1.0.0/24") && ready("10.1.7.0/24"));
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 7);
	make();
	ck_assert_uint_eq(plan.install_count + plan.remove_count, 0);
}
END_TEST

START_TEST(two_claim_one)
{
	struct gcks_senders senders;

	choose();
	settle();
	set_sender(blue, "10.4.0.0/24", "192.0.2.14", 1);
	ck_assert(gcks_senders_make(&senders, blue));
	ck_assert_uint_eq(senders.count, 3);
	for (size_t i = 0; i < senders.count; i++)
		ck_assert(senders.list[i].refused == (senders.list[i].gateway.octets[3] == 14));
	gcks_senders_clear(&senders);
	make();
	EXPECT_INSTALL("");
	EXPECT_REMOVE("");
	settle();
	ck_assert(ready("10.1.0.0/24") && !ready("10.4.0.0/24"));
	/* another route of the first, or the same again, does not make it the later */
	set_sender(blue, "10.1.9.0/24", "192.0.2.11", 1);
	set_sender(blue, "10.1.0.0/24", "192.0.2.11", 1);
	settle();
	ck_assert(ready("10.1.0.0/24") && ready("10.1.9.0/24") && !ready("10.4.0.0/24"));
	/* ours */
	set_sender(blue, "10.4.0.0/24", "192.0.2.14", 3);
	settle();
	ck_assert(!ready("10.4.0.0/24"));
	set_sender(blue, "10.4.0.0/24", "192.0.2.14", 4);
	settle();
	ck_assert(ready("10.4.0.0/24"));
}
END_TEST

/* charon or gcksd was restarted and has registered again: what is in the kernel goes on. */
START_TEST(restart)
{
	choose();
	settle();
	REPORT(TEKS(TEK), 8);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	ck_assert_uint_eq(blue->sender_id, 3);
	gcks_membership_drop_sas(blue);
	blue->resuming = true;
	gcks_kernel_ids_clear(&installed);
	REPORT(TEKS(TEK), 8);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_uint_eq(blue->sender_id, 3);
	make();
	ck_assert_uint_eq(plan.remove_count, 0);
	settle();
	ck_assert(ready("10.1.0.0/24") && ready("10.2.0.0/24"));
}
END_TEST

/* The same, but the kernel is another one: charon answers that a state is gone. */
START_TEST(reboot)
{
	choose();
	settle();
	gcks_membership_drop_sas(blue);
	blue->resuming = true;
	gcks_kernel_ids_clear(&installed);
	REPORT(TEKS(TEK), 8);
	choose();
	make();
	is_gone("sa 0x10003 192.0.2.13 > 192.0.2.11 for 1");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_uint_eq(blue->sender_id, 8);
	settle();
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 8\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 8\n"
		      "sa 0x10008 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10008 192.0.2.13 > 192.0.2.12 for 2");
	/* and once more, without a new one */
	is_gone("sa 0x10008 192.0.2.13 > 192.0.2.11 for 1");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	ck_assert_uint_eq(blue->sender_id, 8);
	settle();
	ck_assert(!ready("10.1.0.0/24") && ready("10.2.0.0/24"));
}
END_TEST

/* Somebody has deleted it: made again it would take what was sent before once more. */
START_TEST(inbound_lost)
{
	choose();
	settle();
	is_gone("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	settle();
	EXPECT_KERNEL("sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10003 192.0.2.13 > 192.0.2.12 for 2");
	ck_assert(!ready("10.1.0.0/24") && ready("10.2.0.0/24"));
	REPORT(TEKS(TEK), 3, 8);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	settle();
	EXPECT_KERNEL("sa 0x10001 192.0.2.11 > 192.0.2.13 for 8\n"
		      "sa 0x10002 192.0.2.12 > 192.0.2.13 for 8\n"
		      "sa 0x10008 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x10008 192.0.2.13 > 192.0.2.12 for 2");
	ck_assert(ready("10.1.0.0/24") && ready("10.2.0.0/24"));
}
END_TEST

/* It goes with its SA soon, and the new one has states of its own. */
START_TEST(inbound_of_retiring_lost)
{
	choose();
	settle();
	deactivation_delay_s = 100;
	REPORT(TEKS(TEK, TEK2), 3);
	ck_assert_int_eq(blue->sas->phase, GCKS_SA_RETIRING);
	settle();
	is_gone("sa 0x10001 192.0.2.11 > 192.0.2.13 for 3");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	settle();
	EXPECT_KERNEL("sa 0x10002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		      "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3\n"
		      "sa 0x20003 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x20003 192.0.2.13 > 192.0.2.12 for 2");
	ck_assert(ready("10.1.0.0/24"));
}
END_TEST

/* A daemon died before it was made: of an SA that nobody sends with yet it may be made now. */
START_TEST(asked_for_but_not_made)
{
	choose();
	settle();
	activation_delay_s = deactivation_delay_s = 100;
	REPORT(TEKS(TEK, TEK2), 3);
	ck_assert_int_eq(blue->sas->next->phase, GCKS_SA_ARRIVED);
	make();
	for (size_t i = 0; i < plan.install_count; i++)
		ck_assert(gcks_kernel_ids_add(&known, &plan.install[i].id));
	make();
	EXPECT_INSTALL("sa 0x20001 192.0.2.11 > 192.0.2.13 for 3\n"
		       "sa 0x20002 192.0.2.12 > 192.0.2.13 for 3");
	ck_assert(plan.install[0].fresh && plan.install[1].fresh);
	/* but not if it was there and is gone */
	is_gone("sa 0x20001 192.0.2.11 > 192.0.2.13 for 3");
	make();
	EXPECT_INSTALL("sa 0x20002 192.0.2.12 > 192.0.2.13 for 3");
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	/* nor once it is sent with */
	gcks_member_advance(&table, 100 * 1000);
	ck_assert_int_eq(blue->sas->next->phase, GCKS_SA_ACTIVE);
	make();
	for (size_t i = 0; i < plan.install_count; i++)
		ck_assert(plan.install[i].fresh ==
			  (plan.install[i].id.direction == GSA__DIRECTION__DIRECTION_OUT));
}
END_TEST

/* A new TEK, and Sender-IDs from the beginning: the old one is worth nothing. */
START_TEST(exhausted)
{
	choose();
	settle();
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	gcks_membership_drop_sas(blue);
	settle();
	ck_assert(!ready("10.1.0.0/24"));
	REPORT(TEKS(TEK2), 0);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_uint_eq(blue->sender_id, 0);
	settle();
	EXPECT_KERNEL("sa 0x20000 192.0.2.13 > 192.0.2.11 for 1\n"
		      "sa 0x20000 192.0.2.13 > 192.0.2.12 for 2\n"
		      "sa 0x20001 192.0.2.11 > 192.0.2.13 for 0\n"
		      "sa 0x20002 192.0.2.12 > 192.0.2.13 for 0");
}
END_TEST

/* We have left and registered again: the key server has forgotten what it gave before. */
START_TEST(left)
{
	choose();
	settle();
	blue->abandoned = true;
	blue->last_sender_id = 3;
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
	REPORT(TEKS(TEK), 5);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	ck_assert_uint_eq(blue->sender_id, 5);
	REPORT(TEKS(TEK), 6);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_CHANGED);
	settle();
	REPORT(TEKS(TEK), 7);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_KEPT);
}
END_TEST

START_TEST(none_given)
{
	gcks_membership_drop_sas(blue);
	report(1, (const uint32_t[]){ TEK }, 0, NULL);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
	settle();
	EXPECT_KERNEL("");
	ck_assert(!ready("10.1.0.0/24"));
	/* one that does not fit */
	REPORT(TEKS(TEK), 0x10000);
	ck_assert_int_eq(choose(), GCKS_SENDER_ID_NEEDED);
}
END_TEST

START_TEST(same_prefix_another_tek)
{
	struct group_sa sa;
	uint32_t id = 3;
	const char *reason;

	choose();
	settle();
	pairwise_sa_fill(&sa, 100, TEK, 77);
	sa.group_sa.sender_id = &id;
	sa.group_sa.n_sender_id = 1;
	ck_assert(gcks_membership_set_sas(blue, &sa.group_sa, 0, &reason));
	gcks_member_advance(&table, 0);
	choose();
	make();
	EXPECT_INSTALL("");
	ck_assert_uint_eq(plan.remove_count, 4);
	carry_out();
	make();
	ck_assert_uint_eq(plan.install_count, 4);
	for (size_t i = 0; i < 4; i++)
		ck_assert(plan.install[i].fresh);
}
END_TEST

Suite *planner_pairwise_suite(void)
{
	Suite *suite = suite_create("planner_pairwise");
	TCase *tcase = tcase_create("planner_pairwise");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, pairs);
	tcase_add_test(tcase, unknown_sender);
	tcase_add_test(tcase, rekey);
	tcase_add_test(tcase, rekey_without_routes);
	tcase_add_test(tcase, route_flaps);
	tcase_add_test(tcase, remote_changes);
	tcase_add_test(tcase, remote_changes_route_by_route);
	tcase_add_test(tcase, two_claim_one);
	tcase_add_test(tcase, restart);
	tcase_add_test(tcase, reboot);
	tcase_add_test(tcase, inbound_lost);
	tcase_add_test(tcase, inbound_of_retiring_lost);
	tcase_add_test(tcase, asked_for_but_not_made);
	tcase_add_test(tcase, exhausted);
	tcase_add_test(tcase, left);
	tcase_add_test(tcase, none_given);
	tcase_add_test(tcase, same_prefix_another_tek);
	suite_add_tcase(suite, tcase);
	return suite;
}
