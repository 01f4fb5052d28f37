// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/two_groups.h"

struct gcks_membership *red;

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

void two_groups_start(void)
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

void two_groups_settle(void)
{
	gateway_plan(GCKS_REMOVE_ALL);
	gateway_carry_out();
}

static void expect_line(const char *list, size_t index, const char *expected,
			const struct gcks_kernel_id *id)
{
	char text[256];

	id_text(id, text, sizeof(text));
	ck_assert_msg(strcmp(text, expected) == 0, "%s %zu: \"%s\" instead of \"%s\"", list, index,
		      text, expected);
}

void expect_install(size_t count, const char *const *lines)
{
	ck_assert_uint_eq(plan.install_count, count);
	for (size_t i = 0; i < count; i++)
		expect_line("install", i, lines[i], &plan.install[i].id);
}

void expect_remove(size_t count, const char *const *lines)
{
	ck_assert_uint_eq(plan.remove_count, count);
	for (size_t i = 0; i < count; i++)
		expect_line("remove", i, lines[i], &plan.remove[i]);
}

const char *decides(uint8_t direction, const char *source, const char *destination)
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
