// SPDX-License-Identifier: GPL-2.0-or-later
/* From what should be in the kernel (planner_desire.c) and what is there to ordered requests. */
#include <stdlib.h>
#include <string.h>

#include "gcks/planner.h"

/* Place in the order of installation; removals go the other way. */
static int rank(const struct gcks_kernel_id *id)
{
	static const struct gcks_address none;

	if (id->kind == GCKS_KERNEL_SA) /* inbound: of any sender */
		return memcmp(id->source.octets, none.octets, sizeof(none.octets)) == 0 ? 0 : 1;
	switch (id->action) {
	case GSA__POLICY_ACTION__POLICY_BLOCK:
		return 2;
	case GSA__POLICY_ACTION__POLICY_PASS:
		return 3;
	default:
		return 4;
	}
}

static int compare_order(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b)
{
	int order = rank(a) - rank(b);

	return order ? order : gcks_kernel_id_compare(a, b);
}

static int compare_install(const void *a, const void *b)
{
	return compare_order(&((const struct gcks_desired *)a)->id,
			     &((const struct gcks_desired *)b)->id);
}

/* From the end: whoever keeps a sorted set of the ids then moves little. */
static int compare_remove(const void *a, const void *b)
{
	return compare_order(b, a);
}

static int compare_content(const void *a, const void *b)
{
	return gcks_kernel_id_compare_content(&((const struct gcks_desired *)a)->id,
					      &((const struct gcks_desired *)b)->id);
}

/*
 * What the kernel holds for a membership that is about to get its SA again: gcksd or charon was
 * restarted, and traffic goes on meanwhile.
 */
static bool kept(const struct gcks_member_table *table, const struct gcks_kernel_id *id)
{
	const struct gcks_membership *membership = gcks_membership_find(table, id->group);

	if (!membership || membership->sa || !membership->connection_count || !membership->gateway.length)
		return false;
	switch (membership->state) {
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_UNSPECIFIED: /* charon has not reported yet */
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING:
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST:
		return true;
	default:
		return false;
	}
}

/* `desired` is sorted by content. */
static bool plan_removal(const struct gcks_member_table *table, const struct gcks_kernel_ids *known,
			 const struct gcks_desired *desired, size_t count, struct gcks_plan *plan)
{
	if (!known->count)
		return true;
	plan->remove = calloc(known->count, sizeof(*plan->remove));
	if (!plan->remove)
		return false;
	for (size_t i = 0; i < known->count; i++) {
		struct gcks_desired key = { .id = known->ids[i] };

		/* by content: to remove what only has another owner would remove what is wanted */
		if (count && bsearch(&key, desired, count, sizeof(*desired), compare_content))
			continue;
		if (!kept(table, &known->ids[i]))
			plan->remove[plan->remove_count++] = known->ids[i];
	}
	if (plan->remove_count)
		qsort(plan->remove, plan->remove_count, sizeof(*plan->remove), compare_remove);
	return true;
}

bool gcks_plan_make(const struct gcks_member_table *table, const struct gcks_kernel_ids *installed,
		    const struct gcks_kernel_ids *known, bool allow_remove, struct gcks_plan *plan)
{
	struct gcks_desires desires;
	bool done = true;

	*plan = (struct gcks_plan){ 0 };
	if (!gcks_desires_make(&desires, table))
		return false;
	if (desires.count) {
		plan->install = calloc(desires.count, sizeof(*plan->install));
		if (!plan->install) {
			gcks_desires_clear(&desires);
			return false;
		}
	}
	for (size_t i = 0; i < desires.count; i++)
		plan->install[i] = desires.list[i].desired;
	if (allow_remove) {
		if (desires.count)
			qsort(plan->install, desires.count, sizeof(*plan->install),
			      compare_content);
		done = plan_removal(table, known, plan->install, desires.count, plan);
	}
	for (size_t i = 0; done && i < desires.count; i++)
		if (!gcks_kernel_ids_has(installed, &plan->install[i].id))
			plan->install[plan->install_count++] = plan->install[i];
	if (plan->install_count)
		qsort(plan->install, plan->install_count, sizeof(*plan->install), compare_install);
	gcks_desires_clear(&desires);
	if (!done)
		gcks_plan_clear(plan);
	return done;
}

void gcks_plan_clear(struct gcks_plan *plan)
{
	free(plan->install);
	free(plan->remove);
	*plan = (struct gcks_plan){ 0 };
}

/* ---- readiness ---- */

struct readiness {
	const struct gcks_member_table *table;
	const struct gcks_kernel_ids *installed;
	struct gcks_desires desires;
};

static bool states_installed(const struct readiness *state,
			     const struct gcks_membership *membership,
			     const struct gcks_address *gateway)
{
	struct gcks_kernel_id in, out;

	if (!membership || !gcks_membership_usable(membership))
		return false;
	in = gcks_inbound_id(membership);
	out = gcks_outbound_id(membership, gateway);
	return gcks_kernel_ids_has(state->installed, &in) &&
	       gcks_kernel_ids_has(state->installed, &out);
}

/*
 * A policy of this selector protects: this membership's, or that of another whose route is
 * the same, since a prefix may belong to several groups of ours.
 */
static bool policy_installed(const struct readiness *state,
			     const struct gcks_membership *membership,
			     const struct gcks_member_route *route, uint8_t direction,
			     const struct gcks_prefix *source,
			     const struct gcks_prefix *destination)
{
	const struct gcks_kernel_id *id =
		gcks_desires_policy(&state->desires, direction, source, destination);

	if (!id || id->action != GSA__POLICY_ACTION__POLICY_PROTECT ||
	    !gcks_kernel_ids_has(state->installed, id))
		return false;
	if (direction == GSA__DIRECTION__DIRECTION_OUT &&
	    !gcks_address_equal(&id->destination, &route->gateway))
		return false;
	return strcmp(id->group, membership->name) == 0 ||
	       states_installed(state, gcks_membership_find(state->table, id->group),
				&route->gateway);
}

static bool is_ready(const struct readiness *state, const struct gcks_membership *membership,
		     const struct gcks_member_route *route)
{
	size_t pairs = 0;

	if (!states_installed(state, membership, &route->gateway))
		return false;
	for (size_t i = 0; i < membership->export_count; i++) {
		const struct gcks_prefix *own = &membership->exports[i], *far = &route->prefix;

		if (own->address.length != far->address.length)
			continue;
		pairs++;
		if (!policy_installed(state, membership, route, GSA__DIRECTION__DIRECTION_OUT, own,
				      far) ||
		    !policy_installed(state, membership, route, GSA__DIRECTION__DIRECTION_FORWARD,
				      far, own) ||
		    !policy_installed(state, membership, route, GSA__DIRECTION__DIRECTION_IN, far,
				      own))
			return false;
	}
	/* without an export nothing of ours may talk to the prefix: it stays blocked */
	return pairs > 0;
}

void gcks_member_update_ready(struct gcks_member_table *table,
			      const struct gcks_kernel_ids *installed)
{
	struct readiness state = { .table = table, .installed = installed };

	if (!gcks_desires_make(&state.desires, table))
		return;
	for (struct gcks_membership *each = table->memberships; each; each = each->next)
		for (size_t i = 0; i < each->route_count; i++)
			each->routes[i].ready = is_ready(&state, each, &each->routes[i]);
	gcks_desires_clear(&state.desires);
}
