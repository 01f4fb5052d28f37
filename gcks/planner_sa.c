// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The states of a membership's SAs: inbound ones of all of them, outbound ones of the active one.
 *
 * The kernel sends with the newest state that has the reqid and addresses of the policy.  So the
 * outbound states of a new SA are installed when it becomes active, not before, and those of
 * the old one stay until these are acknowledged (planner.c): there is always one to send with.
 */
#include <string.h>

#include "gcks/planner.h"

bool gcks_membership_usable(const struct gcks_membership *membership)
{
	return membership->sas && membership->gateway.length &&
	       membership->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED &&
	       membership->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
}

static struct gcks_kernel_id sa_id(const struct gcks_membership *membership,
				   const struct gcks_member_sa *sa, uint8_t direction)
{
	struct gcks_kernel_id id = {
		.kind = GCKS_KERNEL_SA,
		.spi = sa->spi,
		.direction = direction,
		.reqid = membership->reqid,
	};

	strncpy(id.group, membership->name, sizeof(id.group) - 1);
	return id;
}

struct gcks_kernel_id gcks_inbound_id(const struct gcks_membership *membership,
				      const struct gcks_member_sa *sa)
{
	struct gcks_kernel_id id = sa_id(membership, sa, GSA__DIRECTION__DIRECTION_IN);

	id.source.length = membership->gateway.length;
	id.destination = membership->gateway;
	return id;
}

struct gcks_kernel_id gcks_outbound_id(const struct gcks_membership *membership,
				       const struct gcks_member_sa *sa,
				       const struct gcks_address *gateway)
{
	struct gcks_kernel_id id = sa_id(membership, sa, GSA__DIRECTION__DIRECTION_OUT);

	id.source = membership->gateway;
	id.destination = *gateway;
	return id;
}

bool gcks_is_of_sa(const struct gcks_kernel_id *id, const struct gcks_member_sa *sa)
{
	return id->kind == GCKS_KERNEL_SA && id->spi == sa->spi;
}

bool gcks_same_place(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b)
{
	return a->kind == GCKS_KERNEL_SA && b->kind == GCKS_KERNEL_SA && a->spi == b->spi &&
	       gcks_address_equal(&a->destination, &b->destination);
}

static bool add_state(struct gcks_desires *desires, const struct gcks_member_sa *sa,
		      const struct gcks_kernel_id *id)
{
	struct gcks_candidate *candidate = gcks_desires_add(desires);

	if (!candidate)
		return false;
	candidate->desired = (struct gcks_desired){ .id = *id, .sa = sa };
	return true;
}

/* Several routes have the same gateway; the states that are too many go when all are sorted. */
static bool add_outbound(struct gcks_desires *desires, const struct gcks_membership *membership,
			 const struct gcks_member_sa *sa)
{
	for (size_t i = 0; i < membership->route_count; i++) {
		const struct gcks_address *gateway = &membership->routes[i].gateway;
		struct gcks_kernel_id id = gcks_outbound_id(membership, sa, gateway);

		if (gateway->length == membership->gateway.length && !add_state(desires, sa, &id))
			return false;
	}
	return true;
}

bool gcks_desires_add_states(struct gcks_desires *desires, const struct gcks_membership *membership)
{
	const struct gcks_member_sa *sa;

	for (sa = membership->sas; sa; sa = sa->next) {
		struct gcks_kernel_id id = gcks_inbound_id(membership, sa);

		if (!add_state(desires, sa, &id) ||
		    (sa->phase == GCKS_SA_ACTIVE && !add_outbound(desires, membership, sa)))
			return false;
	}
	return true;
}
