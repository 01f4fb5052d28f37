// SPDX-License-Identifier: GPL-2.0-or-later
/* From what should be in the kernel (planner_desire.c) and what is there to ordered requests. */
#include <stdlib.h>
#include <string.h>

#include "gcks/planner.h"

/*
 * Place in the order of installation; removals go the other way.  What lets packets through is
 * there before what stops all others, and stays until that is gone: a change of the mode loses
 * nothing, and opens nothing that was closed, as no pass or protect policy lets out in clear what a
 * block policy that is there already would stop, but what it is to let out in the end.
 */
static int rank(const struct gcks_kernel_id *id)
{
	if (id->kind == GCKS_KERNEL_SA)
		return id->direction == GSA__DIRECTION__DIRECTION_OUT ? 1 : 0;
	switch (id->action) {
	case GSA__POLICY_ACTION__POLICY_PASS:
		return 2; /* before wide protect policies, which would take what stays at home */
	case GSA__POLICY_ACTION__POLICY_BLOCK:
		return 4;
	default:
		return 3;
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

	if (!membership || membership->sas || membership->ended || !membership->connection_count ||
	    !membership->gateway.length)
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

/*
 * An outbound state stays until the one that follows it is acknowledged; but not what is in the
 * way of another, nor one of an SA that is not held any more.
 */
static bool waits(const struct gcks_member_table *table, const struct gcks_kernel_id *id,
		  const struct gcks_kernel_ids *installed, const struct gcks_desired *desired,
		  size_t count)
{
	const struct gcks_membership *membership = gcks_membership_find(table, id->group);
	bool follows = false;

	if (id->kind != GCKS_KERNEL_SA || id->direction != GSA__DIRECTION__DIRECTION_OUT ||
	    !gcks_sa_of_state(membership, id))
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct gcks_kernel_id *other = &desired[i].id;

		if (gcks_same_place(id, other))
			return false;
		if (other->kind == GCKS_KERNEL_SA && other->direction == id->direction &&
		    other->reqid == id->reqid &&
		    gcks_address_equal(&other->destination, &id->destination) &&
		    !gcks_kernel_ids_has(installed, other))
			follows = true;
	}
	return follows;
}

/* Is there an outbound state of the active SA to send with in place of this one? */
static bool is_followed(const struct gcks_membership *membership, const struct gcks_kernel_id *id,
			const struct gcks_kernel_ids *installed)
{
	const struct gcks_member_sa *active = gcks_membership_active(membership);

	for (size_t i = 0; active && i < installed->count; i++) {
		const struct gcks_kernel_id *other = &installed->ids[i];

		if (gcks_is_of_sa(other, active) && other->direction == id->direction &&
		    other->reqid == id->reqid &&
		    gcks_address_equal(&other->destination, &id->destination))
			return true;
	}
	return false;
}

/*
 * What of it is not wanted any more whatever routes there are.  As long as these are not known, nor
 * is what follows an outbound state: after a restart of gcksd it may have to go on for a while.
 */
static bool is_old(const struct gcks_member_table *table, const struct gcks_kernel_id *id,
		   const struct gcks_kernel_ids *installed)
{
	const struct gcks_membership *membership = gcks_membership_find(table, id->group);
	const struct gcks_member_sa *sa = gcks_sa_of_state(membership, id);

	if (id->kind != GCKS_KERNEL_SA || !membership)
		return false;
	return !sa || (id->direction == GSA__DIRECTION__DIRECTION_OUT &&
		       sa->phase == GCKS_SA_RETIRING && is_followed(membership, id, installed));
}

/* `desired` is sorted by content. */
static bool plan_removal(const struct gcks_member_table *table,
			 const struct gcks_kernel_ids *installed,
			 const struct gcks_kernel_ids *known, enum gcks_removal removal,
			 const struct gcks_desired *desired, size_t count, struct gcks_plan *plan)
{
	if (!known->count || removal == GCKS_REMOVE_NOTHING)
		return true;
	plan->remove = calloc(known->count, sizeof(*plan->remove));
	if (!plan->remove)
		return false;
	for (size_t i = 0; i < known->count; i++) {
		struct gcks_desired key = { .id = known->ids[i] };

		if (key.id.used)
			continue;
		/* by content: to remove what only has another owner would remove what is wanted */
		if (count && bsearch(&key, desired, count, sizeof(*desired), compare_content))
			continue;
		if ((removal == GCKS_REMOVE_ALL || is_old(table, &key.id, installed)) &&
		    !kept(table, &key.id) && !waits(table, &key.id, installed, desired, count))
			plan->remove[plan->remove_count++] = key.id;
	}
	if (plan->remove_count)
		qsort(plan->remove, plan->remove_count, sizeof(*plan->remove), compare_remove);
	return true;
}

/* Something else is or may be in its place, and has to go first. */
static bool is_blocked(const struct gcks_kernel_id *id, const struct gcks_kernel_ids *known,
		       const struct gcks_desired *desired, size_t count)
{
	struct gcks_kernel_id first = { .kind = GCKS_KERNEL_SA, .spi = id->spi };

	if (id->kind != GCKS_KERNEL_SA)
		return false;
	for (size_t i = gcks_kernel_ids_position(known, &first);
	     i < known->count && known->ids[i].kind == GCKS_KERNEL_SA &&
	     known->ids[i].spi == id->spi;
	     i++) {
		struct gcks_desired key = { .id = known->ids[i] };

		if (!key.id.used && gcks_same_place(&key.id, id) && gcks_kernel_id_compare_content(&key.id, id) != 0 &&
		    !bsearch(&key, desired, count, sizeof(*desired), compare_content))
			return true;
	}
	return false;
}

/*
 * What was asked for before may have been in the kernel, and be gone.  But nobody sends with an SA that
 * has only arrived: an inbound state of it has taken nothing yet, and a daemon that dies in the
 * middle of a rekey costs no Sender-ID.
 */
static bool is_fresh(const struct gcks_desired *desired, const struct gcks_kernel_ids *known)
{
	return !gcks_kernel_ids_has(known, &desired->id) ||
	       (desired->id.direction == GSA__DIRECTION__DIRECTION_IN && desired->sa &&
		desired->sa->phase == GCKS_SA_ARRIVED);
}

bool gcks_plan_make(const struct gcks_member_table *table, const struct gcks_kernel_ids *installed,
		    const struct gcks_kernel_ids *known, enum gcks_removal removal,
		    struct gcks_plan *plan)
{
	struct gcks_desired *desired;
	struct gcks_desires desires;
	bool done;

	*plan = (struct gcks_plan){ 0 };
	if (!gcks_desires_make(&desires, table, known, removal == GCKS_REMOVE_ALL))
		return false;
	desired = calloc(desires.count + 1, sizeof(*desired));
	if (desires.count)
		plan->install = calloc(desires.count, sizeof(*plan->install));
	if (!desired || (desires.count && !plan->install)) {
		free(desired);
		gcks_desires_clear(&desires);
		gcks_plan_clear(plan);
		return false;
	}
	for (size_t i = 0; i < desires.count; i++)
		desired[i] = desires.list[i].desired;
	if (desires.count)
		qsort(desired, desires.count, sizeof(*desired), compare_content);
	done = plan_removal(table, installed, known, removal, desired, desires.count, plan);
	for (size_t i = 0; i < desires.count; i++)
		if (!gcks_kernel_ids_has(installed, &desired[i].id) &&
		    !gcks_must_not_be_made(&desired[i].id, known) &&
		    !is_blocked(&desired[i].id, known, desired, desires.count))
			plan->install[plan->install_count++] = desired[i];
	for (size_t i = 0; i < plan->install_count; i++)
		plan->install[i].fresh = is_fresh(&plan->install[i], known);
	if (plan->install_count)
		qsort(plan->install, plan->install_count, sizeof(*plan->install), compare_install);
	free(desired);
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
	struct gcks_senders *senders; /* of each membership, in the table's order */
};

static const struct gcks_sender *find_sender(const struct readiness *state,
					     const struct gcks_membership *membership,
					     const struct gcks_address *gateway)
{
	const struct gcks_senders *senders = state->senders;

	for (const struct gcks_membership *each = state->table->memberships; each != membership;
	     each = each->next)
		senders++;
	return gcks_senders_find(senders, gateway);
}

/* Those of any SA: during a rekey the old ones do until the new ones are there. */
static bool states_installed(const struct readiness *state,
			     const struct gcks_membership *membership,
			     const struct gcks_address *gateway)
{
	const struct gcks_sender *sender;
	struct gcks_kernel_id in, out;

	if (!membership || !gcks_membership_usable(membership))
		return false;
	sender = find_sender(state, membership, gateway);
	for (const struct gcks_member_sa *sa = membership->sas; sa; sa = sa->next)
		if (gcks_inbound_id(membership, sa, sender, &in) &&
		    gcks_outbound_id(membership, sa, gateway, sender, &out) &&
		    gcks_kernel_ids_has(state->installed, &in) &&
		    gcks_kernel_ids_has(state->installed, &out))
			return true;
	return false;
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

	if (!id || !gcks_kernel_ids_has(state->installed, id) ||
	    (id->action != GSA__POLICY_ACTION__POLICY_PROTECT &&
	     id->action != GSA__POLICY_ACTION__POLICY_OPTIONAL))
		return false;
	if (direction == GSA__DIRECTION__DIRECTION_OUT &&
	    !gcks_address_equal(&id->destination, &route->gateway))
		return false;
	return strcmp(id->group, membership->name) == 0 ||
	       states_installed(state, gcks_membership_find(state->table, id->group),
				&route->gateway);
}

/* What is sent in clear needs nothing; but another membership may close the prefix. */
static bool may_be_clear(const struct readiness *state, const struct gcks_membership *membership,
			 const struct gcks_member_route *route)
{
	if (membership->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED ||
	    membership->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED)
		return false;
	for (const struct gcks_membership *each = state->table->memberships; each;
	     each = each->next)
		for (size_t i = 0; each->mode != GCKS_MODE_RECEIVE_ONLY && i < each->protect_count;
		     i++)
			if (gcks_prefix_contains(&each->protect[i], &route->prefix))
				return false;
	return true;
}

static bool is_ready(const struct readiness *state, const struct gcks_membership *membership,
		     const struct gcks_member_route *route)
{
	size_t pairs = 0;

	if (membership->mode == GCKS_MODE_RECEIVE_ONLY)
		return may_be_clear(state, membership, route);
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

static bool prepare(struct readiness *state)
{
	static const struct gcks_kernel_ids none;
	size_t count = 0;

	for (const struct gcks_membership *each = state->table->memberships; each;
	     each = each->next)
		count++;
	state->senders = calloc(count + 1, sizeof(*state->senders));
	if (!state->senders || !gcks_desires_make(&state->desires, state->table, &none, true))
		return false;
	count = 0;
	for (const struct gcks_membership *each = state->table->memberships; each;
	     each = each->next)
		if (!gcks_senders_make(&state->senders[count++], each))
			return false;
	return true;
}

void gcks_member_update_ready(struct gcks_member_table *table,
			      const struct gcks_kernel_ids *installed)
{
	struct readiness state = { .table = table, .installed = installed };
	size_t count = 0;

	/* without memory they stay as they are */
	if (prepare(&state))
		for (struct gcks_membership *each = table->memberships; each; each = each->next)
			for (size_t i = 0; i < each->route_count; i++)
				each->routes[i].ready = is_ready(&state, each, &each->routes[i]);
	for (struct gcks_membership *each = table->memberships; each && state.senders;
	     each = each->next)
		gcks_senders_clear(&state.senders[count++]);
	free(state.senders);
	gcks_desires_clear(&state.desires);
}
