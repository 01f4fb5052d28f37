// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory runs out: each call is repeated, and each time another one of its allocations fails, until
 * none does.  Whatever fails, the call says so, has changed nothing and has lost no memory.
 */
#include <stdarg.h>

#include "tests/unit/fault.h"
#include "tests/unit/gcks_unit.h"

#define MANY 1000 /* allocations that no call here needs */

static struct gcks_policy policy;
static struct gcks_registrations registrations;
static struct gcks_sa_table sas;
static struct gcks_member_table members;
static struct gcks_kernel_ids ids;
static struct gcks_prefix new_prefix;
static struct gcks_address new_gateway;

/* ---- the state of all tables, as text ---- */

struct picture {
	char text[8192];
	size_t length;
};

__attribute__((format(printf, 2, 3))) static void draw(struct picture *picture, const char *format,
						       ...)
{
	va_list arguments;

	va_start(arguments, format);
	picture->length +=
		(size_t)vsnprintf(picture->text + picture->length,
				  sizeof(picture->text) - picture->length, format, arguments);
	va_end(arguments);
	ck_assert_uint_lt(picture->length, sizeof(picture->text));
}

static void draw_prefixes(struct picture *picture, const struct gcks_prefix *prefixes, size_t count)
{
	char text[64];

	for (size_t i = 0; i < count; i++)
		draw(picture, " %s", gcks_prefix_text(&prefixes[i], text, sizeof(text)));
	draw(picture, ";");
}

static void draw_membership(struct picture *picture, const struct gcks_membership *membership)
{
	char text[64];

	draw(picture, "membership %s %u sa %x:", membership->name,
	     gcks_membership_identifier(membership), membership->sas ? membership->sas->spi : 0);
	draw_prefixes(picture, membership->protect, membership->protect_count);
	draw_prefixes(picture, membership->exports, membership->export_count);
	for (size_t i = 0; i < membership->route_count; i++)
		draw(picture, " %s%s",
		     gcks_prefix_text(&membership->routes[i].prefix, text, sizeof(text)),
		     membership->routes[i].ready ? " ready" : "");
	for (size_t i = 0; i < membership->connection_count; i++)
		draw(picture, " %s", membership->connections[i]);
	draw(picture, "\n");
}

static void draw_all(struct picture *picture)
{
	char text[512];

	picture->length = 0;
	for (const struct gcks_group *group = policy.groups; group; group = group->next) {
		draw(picture, "group %s:", group->name);
		for (const struct gcks_pattern *permit = group->permit; permit;
		     permit = permit->next)
			draw(picture, " %s", permit->text);
		draw(picture, "\n");
	}
	draw(picture, "%zu registrations\n", registrations.count);
	for (const struct gcks_sa *sa = sas.head; sa; sa = sa->next)
		draw(picture, "sa %x\n", sa->spi);
	for (const struct gcks_membership *each = members.memberships; each; each = each->next)
		draw_membership(picture, each);
	draw_prefixes(picture, members.connected, members.connected_count);
	for (size_t i = 0; i < ids.count; i++)
		draw(picture, "\n%s", id_text(&ids.ids[i], text, sizeof(text)));
}

/* ---- the tables before the call: most arrays are full ---- */

static struct gcks_prefix numbered(unsigned int number)
{
	char text[32];

	snprintf(text, sizeof(text), "10.%u.0.0/16", number);
	return prefix_of(text);
}

static struct gcks_membership *blue(void)
{
	return gcks_membership_find(&members, "blue");
}

static void fill_member(void)
{
	struct gcks_membership *membership = join(&members, "blue", 100, "192.0.2.11", 0x1000);

	for (unsigned int i = 1; i <= 4; i++) {
		struct gcks_prefix prefix = numbered(i), own = numbered(100 + i);
		char gateway[32];

		snprintf(gateway, sizeof(gateway), "192.0.2.%u", 20 + i);
		ck_assert(gcks_membership_add_protect(membership, &prefix));
		ck_assert(gcks_membership_set_export(membership, &own));
		ck_assert(gcks_member_add_connected(&members, &own));
		set_route(membership, i % 2 ? "10.1.1.0/24" : "10.2.2.0/24", gateway);
	}
}

static void fill(void)
{
	struct gcks_group group = { .name = (char *)"blue", .identifier = 100 };
	struct gcks_kernel_id id = { .kind = GCKS_KERNEL_SA };
	struct gcks_sa *sa = gcks_sa_new(&sas, &group, 1000);

	new_prefix = numbered(50);
	new_gateway = address_of("192.0.2.50");
	ck_assert_ptr_nonnull(sa);
	gcks_sa_insert(&sas, sa);
	ck_assert_ptr_nonnull(gcks_policy_add(&policy, "blue"));
	gcks_pattern_insert(&policy.groups->permit, pattern_of("*.blue.example"));
	fill_member();
	for (id.spi = 0x2000; id.spi < 0x2010; id.spi++)
		ck_assert(gcks_kernel_ids_add(&ids, &id));
}

static void clear(void)
{
	gcks_policy_clear(&policy);
	gcks_registrations_clear(&registrations);
	gcks_sa_table_clear(&sas);
	gcks_member_table_clear(&members);
	gcks_kernel_ids_clear(&ids);
}

/* ---- the calls; no assertion inside, since libcheck needs memory for it ---- */

static bool add_group(void)
{
	return gcks_policy_add(&policy, "red") != NULL;
}

static bool add_pattern(void)
{
	struct gcks_pattern *pattern = gcks_pattern_new("*.red.example");

	if (pattern)
		gcks_pattern_insert(&policy.groups->permit, pattern);
	return pattern != NULL;
}

static bool make_registration(void)
{
	static char *ca[] = { "CN=Issuing", "CN=Root" };
	struct gcks_registration values = {
		.group = 100, .identity = (char *)"site1", .ca = ca, .ca_count = COUNT(ca)
	};
	struct gcks_registration *entry = gcks_registration_new(&values);

	if (entry)
		gcks_registration_insert(&registrations, entry);
	return entry != NULL;
}

static bool make_sa(void)
{
	struct gcks_group group = { .name = (char *)"blue", .identifier = 100 };
	struct gcks_sa *sa = gcks_sa_new(&sas, &group, 1000);

	if (sa)
		gcks_sa_insert(&sas, sa);
	return sa != NULL;
}

static bool add_membership(void)
{
	return gcks_membership_add(&members, "red") != NULL;
}

static bool set_sa(void)
{
	struct group_sa sa;
	const char *reason;

	group_sa_fill(&sa, 200, 0x1001);
	return gcks_membership_set_sas(blue(), &sa.group_sa, 0, &reason);
}

static bool add_connection(void)
{
	return gcks_membership_add_connection(blue(), "elsewhere");
}

static bool add_protect(void)
{
	return gcks_membership_add_protect(blue(), &new_prefix);
}

static bool add_export(void)
{
	return gcks_membership_set_export(blue(), &new_prefix);
}

static bool add_route(void)
{
	return gcks_membership_set_route(blue(), &new_prefix, &new_gateway, NULL);
}

static bool add_connected(void)
{
	return gcks_member_add_connected(&members, &new_prefix);
}

static bool add_kernel_id(void)
{
	struct gcks_kernel_id id = { .kind = GCKS_KERNEL_SA, .spi = 0x1fff };

	return gcks_kernel_ids_add(&ids, &id);
}

/* Half a plan would be none as well. */
static bool make_plan(void)
{
	struct gcks_plan plan;
	bool made = gcks_plan_make(&members, &ids, &ids, true, &plan);
	bool empty = !plan.install && !plan.remove && !plan.install_count && !plan.remove_count;

	gcks_plan_clear(&plan);
	return made || !empty;
}

/* Without memory what was ready stays so: nothing is known that speaks against it. */
static bool update_ready(void)
{
	bool all = true;

	gcks_member_update_ready(&members, &ids);
	for (size_t i = 0; i < blue()->route_count; i++)
		all &= !blue()->routes[i].ready;
	return all;
}

static void make_ready(void)
{
	for (size_t i = 0; i < blue()->route_count; i++)
		blue()->routes[i].ready = true;
}

static const struct {
	const char *name;
	bool (*call)(void);
	unsigned int allocations; /* at least */
	void (*before)(void);
} calls[] = {
	{ "a group", add_group, 2 },
	{ "a pattern", add_pattern, 2 },
	{ "a registration", make_registration, 2 },
	{ "an SA of the key server", make_sa, 2 },
	{ "a membership", add_membership, 2 },
	{ "an SA of the member", set_sa, 2 },
	{ "a connection", add_connection, 2 },
	{ "a protected prefix", add_protect, 1 },
	{ "an exported prefix", add_export, 2 },
	{ "a route", add_route, 1 },
	{ "a connected prefix", add_connected, 1 },
	{ "a kernel id", add_kernel_id, 1 },
	{ "a plan", make_plan, 5 },
	{ "the readiness of routes", update_ready, 3, make_ready },
};

START_TEST(runs_out)
{
	static struct picture before, after;
	long live = fault_live();
	unsigned int n;

	for (n = 1; n < MANY; n++) {
		bool done, hit;

		fill();
		if (calls[_i].before)
			calls[_i].before();
		draw_all(&before);
		fault_arm(n);
		done = calls[_i].call();
		hit = fault_disarm();
		draw_all(&after);
		clear();
		ck_assert_msg(fault_live() == live, "%s: allocation %u: memory is lost",
			      calls[_i].name, n);
		ck_assert_msg(done == !hit, "%s: allocation %u: %s", calls[_i].name, n,
			      hit ? "failed, but not the call" : "the call failed");
		if (!hit)
			break;
		ck_assert_msg(strcmp(before.text, after.text) == 0,
			      "%s: allocation %u: before:\n%s\nafter:\n%s", calls[_i].name, n,
			      before.text, after.text);
	}
	ck_assert_msg(n > calls[_i].allocations, "%s: only %u allocations were seen",
		      calls[_i].name, n - 1);
	ck_assert_uint_lt(n, MANY);
}
END_TEST

Suite *gcks_memory_suite(void)
{
	Suite *suite = suite_create("gcks_memory");
	TCase *tcase = tcase_create("memory");

	tcase_add_loop_test(tcase, runs_out, 0, COUNT(calls));
	suite_add_tcase(suite, tcase);
	return suite;
}
