// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The planner on the site that is in two groups, site3 of:
 *
 *   blue (100)  site1 10.1.0.0/24 behind 192.0.2.11, site3 10.3.0.0/24 behind 192.0.2.13
 *   red  (200)  site4 10.4.0.0/24 behind 192.0.2.14, site3
 */
#include "tests/unit/gcks_unit.h"

static struct gcks_member_table table;
static struct gcks_kernel_ids installed, known;
static struct gcks_plan plan;
static struct gcks_membership *blue, *red;

static void connected(const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	ck_assert(gcks_member_add_connected(&table, &prefix));
}

static void protect(struct gcks_membership *membership, const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	ck_assert(gcks_membership_add_protect(membership, &prefix));
}

static void export(struct gcks_membership *membership, const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	ck_assert(gcks_membership_set_export(membership, &prefix));
}

static void unexport(struct gcks_membership *membership, const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	gcks_membership_remove_export(membership, &prefix);
}

static void withdraw(struct gcks_membership *membership, const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	gcks_membership_remove_route(membership, &prefix);
}

static void setup(void)
{
	blue = join(&table, "blue", 100, "192.0.2.13", 0x1000);
	red = join(&table, "red", 200, "192.0.2.13", 0x2000);
	protect(blue, "10.0.0.0/8");
	protect(red, "10.0.0.0/8");
	connected("10.3.0.0/24");
	connected("192.0.2.0/24");
	export(blue, "10.3.0.0/24");
	export(red, "10.3.0.0/24");
	set_route(blue, "10.1.0.0/24", "192.0.2.11");
	set_route(red, "10.4.0.0/24", "192.0.2.14");
}

static void teardown(void)
{
	gcks_plan_clear(&plan);
	gcks_member_table_clear(&table);
	gcks_kernel_ids_clear(&installed);
	gcks_kernel_ids_clear(&known);
}

static void make(bool allow_remove)
{
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&table, &installed, &known, allow_remove ? GCKS_REMOVE_ALL : GCKS_REMOVE_NOTHING,
				 &plan));
}

/* charon does all that was asked. */
static void carry_out(void)
{
	for (size_t i = 0; i < plan.install_count; i++) {
		ck_assert(gcks_kernel_ids_add(&known, &plan.install[i].id));
		ck_assert(gcks_kernel_ids_add(&installed, &plan.install[i].id));
	}
	for (size_t i = 0; i < plan.remove_count; i++) {
		gcks_kernel_ids_remove(&installed, &plan.remove[i]);
		gcks_kernel_ids_remove(&known, &plan.remove[i]);
	}
	gcks_member_update_ready(&table, &installed);
}

static void settle(void)
{
	make(true);
	carry_out();
}

static void expect_line(const char *list, size_t index, const char *expected,
			const struct gcks_kernel_id *id)
{
	char text[256];

	id_text(id, text, sizeof(text));
	ck_assert_msg(strcmp(text, expected) == 0, "%s %zu: \"%s\" instead of \"%s\"", list, index,
		      text, expected);
}

static void expect_install(size_t count, const char *const *lines)
{
	ck_assert_uint_eq(plan.install_count, count);
	for (size_t i = 0; i < count; i++)
		expect_line("install", i, lines[i], &plan.install[i].id);
}

static void expect_remove(size_t count, const char *const *lines)
{
	ck_assert_uint_eq(plan.remove_count, count);
	for (size_t i = 0; i < count; i++)
		expect_line("remove", i, lines[i], &plan.remove[i]);
}

#define EXPECT(what, ...)                                                                          \
	do {                                                                                       \
		static const char *const lines[] = { __VA_ARGS__ };                                \
		expect_##what(COUNT(lines), lines);                                                \
	} while (0)

static const struct gcks_member_route *route(const struct gcks_membership *membership,
					     const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	for (size_t i = 0; i < membership->route_count; i++)
		if (gcks_prefix_equal(&membership->routes[i].prefix, &prefix))
			return &membership->routes[i];
	ck_abort_msg("no route %s", text);
	return NULL;
}

/* The policy that decides about a packet, as text without its tunnel; "clear": none. */
static const char *decides(uint8_t direction, const char *source, const char *destination)
{
	static char text[256];
	struct gcks_prefix from = prefix_of(source), to = prefix_of(destination);
	const struct gcks_kernel_id *best = NULL;

	for (size_t i = 0; i < installed.count; i++) {
		const struct gcks_kernel_id *id = &installed.ids[i];

		if (id->kind == GCKS_KERNEL_POLICY && id->direction == direction &&
		    gcks_prefix_contains(&id->selector_source, &from) &&
		    gcks_prefix_contains(&id->selector_destination, &to) &&
		    (!best || id->priority < best->priority))
			best = id;
	}
	if (!best)
		return "clear";
	id_text(best, text, sizeof(text));
	return strstr(text, "protect")	  ? "protect"
	       : strstr(text, "optional") ? "optional"
	       : strstr(text, "pass")	  ? "pass"
					  : "block";
}

START_TEST(two_groups)
{
	make(true);
	EXPECT(install, "sa 0x1000 any > 192.0.2.13", "sa 0x2000 any > 192.0.2.13",
	       "sa 0x1000 192.0.2.13 > 192.0.2.11", "sa 0x2000 192.0.2.13 > 192.0.2.14",
	       "in pass 10.3.0.0/24 > 0.0.0.0/0", "out pass 0.0.0.0/0 > 10.3.0.0/24",
	       "fwd pass 10.3.0.0/24 > 0.0.0.0/0",
	       "in protect 10.1.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 blue",
	       "in protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "fwd protect 10.1.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 blue",
	       "fwd protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "out protect 10.3.0.0/24 > 10.1.0.0/24 via 192.0.2.13 > 192.0.2.11 blue",
	       "out protect 10.3.0.0/24 > 10.4.0.0/24 via 192.0.2.13 > 192.0.2.14 red",
	       "in block 10.0.0.0/8 > 10.0.0.0/8", "out block 0.0.0.0/0 > 10.0.0.0/8",
	       "fwd block 10.0.0.0/8 > 10.0.0.0/8");
	ck_assert_uint_eq(plan.remove_count, 0);
	ck_assert_ptr_eq(plan.install[0].sa, blue->sas);
	ck_assert_ptr_eq(plan.install[2].sa, blue->sas);
	ck_assert_uint_eq(plan.install[11].id.reqid, blue->reqid);
	carry_out();
	ck_assert(route(blue, "10.1.0.0/24")->ready && route(red, "10.4.0.0/24")->ready);
	make(true);
	ck_assert_uint_eq(plan.install_count + plan.remove_count, 0);
}
END_TEST

static const struct {
	uint8_t direction;
	const char *source, *destination, *policy;
} packets[] = {
	{ 2, "10.3.0.2/32", "10.1.0.2/32", "protect" },
	{ 3, "10.1.0.2/32", "10.3.0.2/32", "protect" },
	{ 1, "10.1.0.2/32", "10.3.0.1/32", "protect" },
	{ 2, "10.3.0.2/32", "10.9.0.2/32", "block" }, /* in protect, no route */
	{ 2, "192.0.2.13/32", "10.1.0.2/32", "block" },
	{ 3, "10.9.0.2/32", "10.3.0.2/32", "block" },
	{ 1, "10.9.0.2/32", "10.3.0.1/32", "block" },
	{ 3, "10.1.0.2/32", "10.4.0.2/32", "block" }, /* from group to group */
	{ 3, "10.3.0.2/32", "10.1.0.2/32", "pass" },  /* on its way to "out" */
	{ 2, "10.1.0.2/32", "10.3.0.2/32", "pass" },  /* decrypted, into the LAN */
	{ 2, "10.3.0.1/32", "10.3.0.2/32", "pass" },
	{ 1, "10.3.0.2/32", "10.3.0.1/32", "pass" },
	{ 3, "198.51.100.1/32", "10.3.0.2/32", "clear" }, /* the Internet */
	{ 2, "198.51.100.1/32", "10.3.0.2/32", "pass" },
	{ 2, "10.3.0.2/32", "198.51.100.1/32", "clear" },
	{ 2, "192.0.2.13/32", "192.0.2.1/32", "clear" },
};

START_TEST(packet)
{
	settle();
	ck_assert_str_eq(
		decides(packets[_i].direction, packets[_i].source, packets[_i].destination),
		packets[_i].policy);
}
END_TEST

START_TEST(route_moves)
{
	settle();
	set_route(blue, "10.1.0.0/24", "192.0.2.21");
	gcks_member_update_ready(&table, &installed);
	ck_assert(!route(blue, "10.1.0.0/24")->ready);
	make(true);
	EXPECT(install, "sa 0x1000 192.0.2.13 > 192.0.2.21",
	       "out protect 10.3.0.0/24 > 10.1.0.0/24 via 192.0.2.13 > 192.0.2.21 blue");
	EXPECT(remove, "out protect 10.3.0.0/24 > 10.1.0.0/24 via 192.0.2.13 > 192.0.2.11 blue",
	       "sa 0x1000 192.0.2.13 > 192.0.2.11");
	carry_out();
	ck_assert(route(blue, "10.1.0.0/24")->ready);
}
END_TEST

static struct gcks_member_sa *add_sa(struct gcks_membership *membership, uint32_t spi)
{
	struct gcks_member_sa *old = membership->sas;

	membership->sas = NULL;
	give_sa(membership, spi);
	membership->sas->phase = GCKS_SA_ARRIVED;
	old->next = membership->sas;
	membership->sas = old;
	return old->next;
}

/* Inbound first; outbound when it is active; the old one goes when that is done. */
START_TEST(rekey)
{
	struct gcks_member_sa *sa;

	settle();
	sa = add_sa(blue, 0x3000);
	make(true);
	EXPECT(install, "sa 0x3000 any > 192.0.2.13");
	ck_assert_uint_eq(plan.remove_count, 0);
	carry_out();
	sa->phase = GCKS_SA_ACTIVE;
	blue->sas->phase = GCKS_SA_RETIRING;
	gcks_member_update_ready(&table, &installed);
	ck_assert(route(blue, "10.1.0.0/24")->ready);
	for (int i = 0; i < 2; i++) {
		make(true);
		EXPECT(install, "sa 0x3000 192.0.2.13 > 192.0.2.11");
		ck_assert_uint_eq(plan.remove_count, 0);
	}
	carry_out();
	ck_assert(route(blue, "10.1.0.0/24")->ready);
	make(true);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	carry_out();
	ck_assert(route(blue, "10.1.0.0/24")->ready);
	sa = blue->sas;
	blue->sas = sa->next;
	gcks_member_sa_free(sa);
	make(true);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "sa 0x1000 any > 192.0.2.13");
	carry_out();
	ck_assert(route(blue, "10.1.0.0/24")->ready);
}
END_TEST

/* bgpd is away: the rekey goes on, and of everything else nothing is removed. */
START_TEST(rekey_without_bgpd)
{
	struct gcks_member_sa *sa;

	settle();
	withdraw(red, "10.4.0.0/24");
	sa = add_sa(blue, 0x3000);
	sa->phase = GCKS_SA_ACTIVE;
	blue->sas->phase = GCKS_SA_RETIRING;
	make(true);
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&table, &installed, &known, GCKS_REMOVE_OLD_SAS, &plan));
	ck_assert_uint_eq(plan.remove_count, 0);
	carry_out();
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&table, &installed, &known, GCKS_REMOVE_OLD_SAS, &plan));
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	gcks_membership_drop_sas(blue);
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&table, &installed, &known, GCKS_REMOVE_OLD_SAS, &plan));
	EXPECT(remove, "sa 0x3000 192.0.2.13 > 192.0.2.11", "sa 0x1000 192.0.2.13 > 192.0.2.11",
	       "sa 0x3000 any > 192.0.2.13", "sa 0x1000 any > 192.0.2.13");
}
END_TEST

static void make_without_routes(void)
{
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&table, &installed, &known, GCKS_REMOVE_OLD_SAS, &plan));
}

/* What is to be installed and begins so. */
static const char *installs_of(const char *start)
{
	static char text[1024];
	char line[256];

	text[0] = '\0';
	for (size_t i = 0; i < plan.install_count; i++) {
		id_text(&plan.install[i].id, line, sizeof(line));
		if (strncmp(line, start, strlen(start)) == 0 &&
		    strlen(text) + strlen(line) + 3 < sizeof(text))
			strcat(strcat(text, text[0] ? ", " : ""), line);
	}
	return text;
}

/* gcksd was dead when the new SA became active, and bgpd has not come back with the routes yet. */
START_TEST(rekey_without_routes)
{
	struct gcks_member_sa *sa;

	settle();
	sa = add_sa(blue, 0x3000);
	settle();
	gcks_kernel_ids_clear(&installed);
	withdraw(blue, "10.1.0.0/24");
	sa->phase = GCKS_SA_ACTIVE;
	blue->sas->phase = GCKS_SA_RETIRING;
	make_without_routes();
	ck_assert_uint_eq(plan.remove_count, 0);
	ck_assert_str_eq(installs_of("sa 0x3000"),
			 "sa 0x3000 any > 192.0.2.13, sa 0x3000 192.0.2.13 > 192.0.2.11");
	make_without_routes();
	ck_assert_uint_eq(plan.remove_count, 0);
	carry_out();
	make_without_routes();
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	carry_out();
	set_route(blue, "10.1.0.0/24", "192.0.2.11");
	make(true);
	ck_assert_str_eq(installs_of("sa"), "");
	ck_assert_uint_eq(plan.remove_count, 0);
	carry_out();
	ck_assert(route(blue, "10.1.0.0/24")->ready);
}
END_TEST

/* A registration that lists the old SA no more. */
START_TEST(new_registration)
{
	settle();
	give_sa(blue, 0x3000);
	make(true);
	EXPECT(install, "sa 0x3000 any > 192.0.2.13", "sa 0x3000 192.0.2.13 > 192.0.2.11");
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11", "sa 0x1000 any > 192.0.2.13");
}
END_TEST

/* The last SA has ended: its states go, what protected blocks, and the route is not used. */
START_TEST(ended)
{
	settle();
	blue->sas->expires_at = 1000;
	gcks_member_advance(&table, 1000);
	gcks_member_update_ready(&table, &installed);
	ck_assert(!route(blue, "10.1.0.0/24")->ready);
	make(true);
	ck_assert_uint_eq(plan.install_count, 0);
	ck_assert_uint_eq(plan.remove_count, 5);
	carry_out();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "block");
	ck_assert_str_eq(decides(3, "10.1.0.2/32", "10.3.0.2/32"), "block");
}
END_TEST

/* A state of an earlier version of gcksd in the place of ours: it goes first. */
START_TEST(place_is_taken)
{
	struct gcks_kernel_id old;

	settle();
	for (size_t i = 0; i < known.count; i++)
		if (known.ids[i].kind == GCKS_KERNEL_SA && known.ids[i].spi == 0x1000 &&
		    known.ids[i].direction == GSA__DIRECTION__DIRECTION_OUT)
			old = known.ids[i];
	gcks_kernel_ids_remove(&known, &old);
	gcks_kernel_ids_remove(&installed, &old);
	old.direction = 0;
	ck_assert(gcks_kernel_ids_add(&known, &old));
	make(true);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	carry_out();
	make(true);
	EXPECT(install, "sa 0x1000 192.0.2.13 > 192.0.2.11");
	ck_assert_uint_eq(plan.remove_count, 0);
}
END_TEST

/* Excluded or refused: no more states, no more protection, still no clear text. */
START_TEST(excluded)
{
	settle();
	blue->state = _i ? GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED
			 : GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	make(true);
	ck_assert_uint_eq(plan.install_count, 0);
	EXPECT(remove, "out protect 10.3.0.0/24 > 10.1.0.0/24 via 192.0.2.13 > 192.0.2.11 blue",
	       "fwd protect 10.1.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 blue",
	       "in protect 10.1.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 blue",
	       "sa 0x1000 192.0.2.13 > 192.0.2.11", "sa 0x1000 any > 192.0.2.13");
	carry_out();
	ck_assert(!route(blue, "10.1.0.0/24")->ready && route(red, "10.4.0.0/24")->ready);
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "block");
	ck_assert_str_eq(decides(3, "10.1.0.2/32", "10.3.0.2/32"), "block");
}
END_TEST

/* gcksd was restarted: what it knows of a membership without SA stays, until that is decided. */
START_TEST(keeps_until_reported)
{
	static const struct {
		Gsa__MembershipState state;
		bool kept;
	} rows[] = {
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_UNSPECIFIED, true },
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING, true },
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST, true },
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED, false },
		{ GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED, false },
	};

	settle();
	gcks_membership_drop_sas(blue);
	gcks_kernel_ids_clear(&installed);
	for (size_t i = 0; i < COUNT(rows); i++) {
		blue->state = rows[i].state;
		make(true);
		ck_assert_uint_eq(plan.remove_count, rows[i].kept ? 0 : 5);
		/* all that is desired is asked again: red's, block and pass */
		ck_assert_uint_eq(plan.install_count, 2 + 3 + 3 + 3);
	}
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING;
	gcks_membership_remove_connection(blue, "hq");
	make(true);
	ck_assert_uint_eq(plan.remove_count, 5);
}
END_TEST

START_TEST(resynchronisation)
{
	settle();
	withdraw(red, "10.4.0.0/24");
	make(false);
	ck_assert_uint_eq(plan.remove_count, 0);
	ck_assert_uint_eq(plan.install_count, 0);
	make(true);
	EXPECT(remove, "out protect 10.3.0.0/24 > 10.4.0.0/24 via 192.0.2.13 > 192.0.2.14 red",
	       "fwd protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "in protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "sa 0x2000 192.0.2.13 > 192.0.2.14");
	/* of a membership that the configuration has no more */
	gcks_membership_remove(&table, red);
	make(true);
	ck_assert_uint_eq(plan.remove_count, 5);
	EXPECT(remove, "out protect 10.3.0.0/24 > 10.4.0.0/24 via 192.0.2.13 > 192.0.2.14 red",
	       "fwd protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "in protect 10.4.0.0/24 > 10.3.0.0/24 via any > 192.0.2.13 red",
	       "sa 0x2000 192.0.2.13 > 192.0.2.14", "sa 0x2000 any > 192.0.2.13");
}
END_TEST

/* A prefix in both groups: the lower identifier's policies, and both routes are ready. */
START_TEST(same_prefix_in_two_groups)
{
	set_route(red, "10.1.0.0/24", "192.0.2.11");
	settle();
	for (size_t i = 0; i < installed.count; i++) {
		const struct gcks_kernel_id *id = &installed.ids[i];
		struct gcks_prefix shared = prefix_of("10.1.0.0/24");

		if (id->kind == GCKS_KERNEL_POLICY &&
		    (gcks_prefix_equal(&id->selector_source, &shared) ||
		     gcks_prefix_equal(&id->selector_destination, &shared)))
			ck_assert_str_eq(id->group, "blue");
	}
	ck_assert(route(blue, "10.1.0.0/24")->ready && route(red, "10.1.0.0/24")->ready);
	/* behind another gateway in red: only blue's is in the kernel */
	set_route(red, "10.1.0.0/24", "192.0.2.99");
	settle();
	ck_assert(route(blue, "10.1.0.0/24")->ready && !route(red, "10.1.0.0/24")->ready);
	/* red takes over */
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	settle();
	ck_assert(!route(blue, "10.1.0.0/24")->ready && route(red, "10.1.0.0/24")->ready);
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "protect");
}
END_TEST

START_TEST(overlapping_prefixes)
{
	set_route(red, "10.1.0.0/16", "192.0.2.14");
	set_route(red, "10.1.0.128/25", "192.0.2.14");
	settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.200/32"), "protect");
	for (size_t i = 0; i + 1 < installed.count; i++)
		for (size_t j = 0; j < installed.count; j++) {
			const struct gcks_kernel_id *a = &installed.ids[i], *b = &installed.ids[j];

			/* the longer prefix wins */
			if (a->kind == GCKS_KERNEL_POLICY && b->kind == GCKS_KERNEL_POLICY &&
			    a->action == b->action && a->direction == b->direction &&
			    a->selector_source.length + a->selector_destination.length >
				    b->selector_source.length + b->selector_destination.length)
				ck_assert_uint_lt(a->priority, b->priority);
		}
}
END_TEST

/* A hub announces all of the groups' networks: what stays at the site still stays there. */
START_TEST(prefix_around_the_lan)
{
	set_route(blue, "10.0.0.0/8", "192.0.2.11");
	settle();
	ck_assert(route(blue, "10.0.0.0/8")->ready);
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.9.0.2/32"), "protect");
	ck_assert_str_eq(decides(2, "10.3.0.1/32", "10.3.0.2/32"), "pass");
	ck_assert_str_eq(decides(1, "10.3.0.2/32", "10.3.0.1/32"), "pass");
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.0.2/32"), "protect");
	ck_assert_str_eq(decides(3, "10.3.0.2/32", "10.9.0.2/32"), "pass");
}
END_TEST

/* The hub itself: its export is not all at home. */
START_TEST(export_around_the_sites)
{
	export(blue, "10.0.0.0/8");
	settle();
	ck_assert_str_eq(decides(2, "10.4.0.2/32", "10.9.0.2/32"), "block");
	ck_assert_str_eq(decides(2, "10.4.0.2/32", "10.1.0.2/32"), "protect");
	ck_assert_str_eq(decides(2, "10.1.0.2/32", "10.3.0.2/32"), "pass");
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.0.2/32"), "block");
}
END_TEST

/* An exported network behind another router of the site. */
START_TEST(export_not_connected)
{
	export(blue, "10.3.7.0/24");
	settle();
	ck_assert_str_eq(decides(2, "10.1.0.2/32", "10.3.7.2/32"), "pass");
	ck_assert_str_eq(decides(3, "10.3.7.2/32", "10.1.0.2/32"), "pass");
	ck_assert_str_eq(decides(2, "10.3.7.2/32", "10.1.0.2/32"), "protect");
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.7.2/32"), "block");
}
END_TEST

/* A group's route to what is not in `protect` is blocked as well, BGP to the key server is not. */
START_TEST(route_outside_of_protect)
{
	give_sa(blue, 0x1000);
	blue->key_server = address_of("203.0.113.1");
	set_route(blue, "0.0.0.0/0", "192.0.2.11");
	settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "198.51.100.1/32"), "protect");
	ck_assert_str_eq(decides(3, "198.51.100.1/32", "10.3.0.2/32"), "protect");
	ck_assert_str_eq(decides(2, "192.0.2.13/32", "203.0.113.1/32"), "pass");
	ck_assert_str_eq(decides(1, "203.0.113.1/32", "192.0.2.13/32"), "pass");
	ck_assert_str_eq(decides(2, "192.0.2.13/32", "192.0.2.1/32"), "pass");
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "198.51.100.1/32"), "block");
	withdraw(blue, "0.0.0.0/0");
	settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "198.51.100.1/32"), "clear");
}
END_TEST

/* Nothing exported: nobody here may talk to the group, and the route is not used. */
START_TEST(no_export)
{
	unexport(blue, "10.3.0.0/24");
	settle();
	ck_assert(!route(blue, "10.1.0.0/24")->ready);
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "block");
}
END_TEST

/* Ready needs each state and policy. */
START_TEST(ready_needs_all)
{
	static const char *const needed[] = { "sa 0x1000", "10.1.0.0/24" };
	char text[256];

	settle();
	for (size_t i = 0; i < installed.count; i++) {
		struct gcks_kernel_id id = installed.ids[i];
		bool of_route;

		id_text(&id, text, sizeof(text));
		of_route = strstr(text, needed[0]) || strstr(text, needed[1]);
		gcks_kernel_ids_remove(&installed, &id);
		gcks_member_update_ready(&table, &installed);
		ck_assert_msg(route(blue, "10.1.0.0/24")->ready != of_route, "%s", text);
		ck_assert(gcks_kernel_ids_add(&installed, &id));
	}
}
END_TEST

/* charon's policies have 400000 less 512 for each bit: more specific tunnels win over ours. */
START_TEST(priorities)
{
	settle();
	for (size_t i = 0; i < installed.count; i++) {
		const struct gcks_kernel_id *id = &installed.ids[i];
		uint32_t of_charon = 400000 - 512 * (id->selector_source.length +
						     id->selector_destination.length);

		if (id->kind == GCKS_KERNEL_SA)
			continue;
		if (id->action == GSA__POLICY_ACTION__POLICY_PROTECT) {
			ck_assert_uint_lt(id->priority, of_charon - 387);
			ck_assert_uint_gt(id->priority, of_charon - 512);
		} else {
			ck_assert_uint_gt(id->priority, 600000);
		}
	}
}
END_TEST

/* What decides in each mode of blue, with red as it is or without it. */
static const struct {
	enum gcks_mode mode;
	bool with_red;
	const char *sent, *forwarded, *received; /* to and from site1 */
	const char *sent_beyond, *forwarded_beyond; /* 10.9.0.0/24, in `protect` without a route */
} modes[] = {
	{ GCKS_MODE_FAIL_CLOSED, false, "protect", "protect", "protect", "block", "block" },
	{ GCKS_MODE_PASSIVE, false, "protect", "optional", "optional", "block", "clear" },
	{ GCKS_MODE_RECEIVE_ONLY, false, "clear", "optional", "optional", "clear", "clear" },
	/* the stricter has the last word */
	{ GCKS_MODE_PASSIVE, true, "protect", "protect", "protect", "block", "block" },
	{ GCKS_MODE_RECEIVE_ONLY, true, "block", "protect", "protect", "block", "block" },
};

START_TEST(mode)
{
	if (!modes[_i].with_red) {
		gcks_membership_remove(&table, red);
		red = NULL;
	}
	settle();
	blue->mode = modes[_i].mode;
	settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), modes[_i].sent);
	ck_assert_str_eq(decides(3, "10.1.0.2/32", "10.3.0.2/32"), modes[_i].forwarded);
	ck_assert_str_eq(decides(1, "10.1.0.2/32", "10.3.0.1/32"), modes[_i].received);
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.9.0.2/32"), modes[_i].sent_beyond);
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.0.2/32"), modes[_i].forwarded_beyond);
	/* at home, and out to the LAN, as ever */
	ck_assert_str_ne(decides(2, "10.1.0.2/32", "10.3.0.2/32"), "block");
	ck_assert_str_ne(decides(2, "10.3.0.1/32", "10.3.0.2/32"), "block");
	ck_assert_str_ne(decides(3, "10.3.0.2/32", "10.1.0.2/32"), "block");
	ck_assert(route(blue, "10.1.0.0/24")->ready == (strcmp(modes[_i].sent, "block") != 0));
	/* the SA ends: what is sent in clear goes on, the rest does not */
	blue->sas->expires_at = 1000;
	gcks_member_advance(&table, 1000);
	settle();
	ck_assert(route(blue, "10.1.0.0/24")->ready == (strcmp(modes[_i].sent, "clear") == 0));
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"),
			 modes[_i].mode == GCKS_MODE_RECEIVE_ONLY ? modes[_i].sent : "block");
	/* and back */
	give_sa(blue, 0x5000);
	blue->mode = GCKS_MODE_FAIL_CLOSED;
	settle();
	ck_assert_str_eq(decides(2, "10.3.0.2/32", "10.1.0.2/32"), "protect");
	ck_assert_str_eq(decides(3, "10.1.0.2/32", "10.3.0.2/32"), "protect");
	ck_assert_str_eq(decides(3, "10.9.0.2/32", "10.3.0.2/32"), "block");
}
END_TEST

static const struct {
	uint8_t direction;
	const char *source, *destination;
} traffic[] = {
	{ 3, "10.3.0.2/32", "10.1.0.2/32" }, /* from the LAN */
	{ 2, "10.3.0.2/32", "10.1.0.2/32" },
	{ 2, "10.3.0.1/32", "10.1.0.2/32" },
	{ 3, "10.1.0.2/32", "10.3.0.2/32" }, /* to the LAN */
	{ 2, "10.1.0.2/32", "10.3.0.2/32" },
	{ 1, "10.1.0.2/32", "10.3.0.1/32" },
	{ 2, "10.3.0.1/32", "10.3.0.2/32" }, /* in the LAN */
	{ 1, "10.3.0.2/32", "10.3.0.1/32" },
};

/* A packet between any two requests is treated as before all of them or as after them. */
static void decide_all(const char *decided[COUNT(traffic)])
{
	for (size_t i = 0; i < COUNT(traffic); i++)
		decided[i] = decides(traffic[i].direction, traffic[i].source,
				     traffic[i].destination);
}

static bool passes(const char *decided)
{
	/* of clear and decrypted packets that come in, both may */
	return strcmp(decided, "pass") == 0 || strcmp(decided, "clear") == 0;
}

static void check_step(const char *const before[], const char *const after[])
{
	const char *now[COUNT(traffic)];

	decide_all(now);
	for (size_t i = 0; i < COUNT(traffic); i++)
		ck_assert_msg(strcmp(now[i], before[i]) == 0 || strcmp(now[i], after[i]) == 0 ||
				      (passes(now[i]) && passes(before[i]) && passes(after[i])),
			      "%u %s > %s: %s, between %s and %s", traffic[i].direction,
			      traffic[i].source, traffic[i].destination, now[i], before[i],
			      after[i]);
}

/* As charon does it: a policy with the same selector is replaced in place. */
static void replace(const struct gcks_kernel_id *id)
{
	for (size_t i = installed.count; i-- > 0;) {
		struct gcks_kernel_id old = installed.ids[i];

		if (id->kind == GCKS_KERNEL_POLICY && old.kind == GCKS_KERNEL_POLICY &&
		    old.direction == id->direction &&
		    gcks_prefix_equal(&old.selector_source, &id->selector_source) &&
		    gcks_prefix_equal(&old.selector_destination, &id->selector_destination)) {
			gcks_kernel_ids_remove(&installed, &old);
			gcks_kernel_ids_remove(&known, &old);
		}
	}
	ck_assert(gcks_kernel_ids_add(&known, id));
	ck_assert(gcks_kernel_ids_add(&installed, id));
}

/* Request by request: nothing is dropped on the way from one mode to another. */
START_TEST(mode_changes)
{
	enum gcks_mode from = (enum gcks_mode)(_i / 3), to = (enum gcks_mode)(_i % 3);
	const char *before[COUNT(traffic)], *after[COUNT(traffic)];

	gcks_membership_remove(&table, red);
	blue->mode = to;
	settle();
	decide_all(after);
	blue->mode = from;
	settle();
	settle();
	decide_all(before);
	blue->mode = to;
	make(true);
	for (size_t i = 0; i < plan.install_count; i++) {
		replace(&plan.install[i].id);
		check_step(before, after);
	}
	make(true);
	ck_assert_uint_eq(plan.install_count, 0);
	for (size_t i = 0; i < plan.remove_count; i++) {
		gcks_kernel_ids_remove(&installed, &plan.remove[i]);
		check_step(before, after);
	}
}
END_TEST

/* What is not in `protect` is closed by its route, in the directions of the mode. */
START_TEST(mode_outside_of_protect)
{
	gcks_membership_remove(&table, red);
	set_route(blue, "172.16.1.0/24", "192.0.2.11");
	for (int i = GCKS_MODE_FAIL_CLOSED; i <= GCKS_MODE_PASSIVE; i++) {
		blue->mode = i;
		gcks_membership_drop_sas(blue);
		blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
		settle();
		ck_assert_str_eq(decides(2, "10.3.0.2/32", "172.16.1.2/32"),
				 i == GCKS_MODE_RECEIVE_ONLY ? "clear" : "block");
		ck_assert_str_eq(decides(3, "172.16.1.2/32", "10.3.0.2/32"),
				 i == GCKS_MODE_FAIL_CLOSED ? "block" : "clear");
		ck_assert(!route(blue, "172.16.1.0/24")->ready);
	}
}
END_TEST

START_TEST(nothing_configured)
{
	struct gcks_member_table empty = { 0 };

	ck_assert(gcks_plan_make(&empty, &installed, &known, GCKS_REMOVE_ALL, &plan));
	ck_assert_uint_eq(plan.install_count + plan.remove_count, 0);
	settle();
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&empty, &installed, &known, GCKS_REMOVE_ALL, &plan));
	ck_assert_uint_eq(plan.install_count, 0);
	ck_assert_uint_eq(plan.remove_count, known.count);
	gcks_member_update_ready(&empty, &installed);
}
END_TEST

Suite *planner_suite(void)
{
	Suite *suite = suite_create("planner");
	TCase *tcase = tcase_create("planner");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, two_groups);
	tcase_add_loop_test(tcase, packet, 0, COUNT(packets));
	tcase_add_test(tcase, route_moves);
	tcase_add_test(tcase, rekey);
	tcase_add_test(tcase, rekey_without_bgpd);
	tcase_add_test(tcase, rekey_without_routes);
	tcase_add_test(tcase, new_registration);
	tcase_add_test(tcase, ended);
	tcase_add_test(tcase, place_is_taken);
	tcase_add_loop_test(tcase, excluded, 0, 2);
	tcase_add_test(tcase, keeps_until_reported);
	tcase_add_test(tcase, resynchronisation);
	tcase_add_test(tcase, same_prefix_in_two_groups);
	tcase_add_test(tcase, overlapping_prefixes);
	tcase_add_test(tcase, prefix_around_the_lan);
	tcase_add_test(tcase, export_around_the_sites);
	tcase_add_test(tcase, export_not_connected);
	tcase_add_test(tcase, route_outside_of_protect);
	tcase_add_test(tcase, no_export);
	tcase_add_test(tcase, ready_needs_all);
	tcase_add_test(tcase, priorities);
	tcase_add_loop_test(tcase, mode, 0, COUNT(modes));
	tcase_add_loop_test(tcase, mode_changes, 0, 9);
	tcase_add_test(tcase, mode_outside_of_protect);
	tcase_add_test(tcase, nothing_configured);
	suite_add_tcase(suite, tcase);
	return suite;
}
