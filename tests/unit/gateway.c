// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gateway.h"

#include "gcks/planner.h"

struct gcks_member_table table;
struct gcks_kernel_ids installed, known;
struct gcks_plan plan;
struct gcks_membership *blue;

void gateway_stop(void)
{
	gcks_plan_clear(&plan);
	gcks_member_table_clear(&table);
	gcks_kernel_ids_clear(&installed);
	gcks_kernel_ids_clear(&known);
}

void gateway_plan(enum gcks_removal removal)
{
	gcks_plan_clear(&plan);
	ck_assert(gcks_plan_make(&table, &installed, &known, removal, &plan));
}

void gateway_carry_out(void)
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

void export(struct gcks_membership *membership, const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	ck_assert(gcks_membership_set_export(membership, &prefix));
}

void withdraw(struct gcks_membership *membership, const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	gcks_membership_remove_route(membership, &prefix);
}

bool is_ready(const struct gcks_membership *membership, const char *text)
{
	struct gcks_prefix prefix = prefix_of(text);

	for (size_t i = 0; i < membership->route_count; i++)
		if (gcks_prefix_equal(&membership->routes[i].prefix, &prefix))
			return membership->routes[i].ready;
	ck_abort_msg("no route %s", text);
	return false;
}
