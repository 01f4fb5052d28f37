// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Inside the planner: what should be in the kernel (planner_desire.c), as planner.c compares it
 * with what is there.
 */
#ifndef GCKS_PLANNER_H
#define GCKS_PLANNER_H

#include "gcks/member.h"

struct gcks_candidate {
	struct gcks_desired desired;
	uint32_t group_order; /* of policies that differ in nothing else the lowest is kept */
};

struct gcks_desires {
	struct gcks_candidate *list; /* owned; sorted by kind, direction and selector, each once */
	size_t count, capacity;
};

/* `routes_known`: else gateways that have states are taken to be there still.  False: no memory. */
bool gcks_desires_make(struct gcks_desires *desires, const struct gcks_member_table *table,
		       const struct gcks_kernel_ids *known, bool routes_known);

/* -- planner_set.c -- */

void gcks_desires_clear(struct gcks_desires *desires);
/* A new one, all zeros, at the end; until the next call.  NULL: no memory. */
struct gcks_candidate *gcks_desires_add(struct gcks_desires *desires);
/* Sorts, and keeps of each place in the kernel the candidate that goes first. */
void gcks_desires_keep_first(struct gcks_desires *desires);
/* The policy of this direction and selector, NULL: none. */
const struct gcks_kernel_id *gcks_desires_policy(const struct gcks_desires *desires,
						 uint8_t direction,
						 const struct gcks_prefix *source,
						 const struct gcks_prefix *destination);

/* -- planner_sa.c -- */

/* Does the membership hold SAs that it may use? */
bool gcks_membership_usable(const struct gcks_membership *membership);
/* The states of its SAs; `known` as in gcks_plan_make().  False: no memory. */
bool gcks_desires_add_states(struct gcks_desires *desires, const struct gcks_membership *membership,
			     const struct gcks_kernel_ids *known, bool routes_known);
/*
 * The state of an SA from or to a gateway; `from` and `to`, which are its Sender-ID, count for pairwise SAs
 * only (NULL: not known).  False: there can be none.
 */
bool gcks_inbound_id(const struct gcks_membership *membership, const struct gcks_member_sa *sa,
		     const struct gcks_sender *from, struct gcks_kernel_id *id);
bool gcks_outbound_id(const struct gcks_membership *membership, const struct gcks_member_sa *sa,
		      const struct gcks_address *gateway, const struct gcks_sender *to,
		      struct gcks_kernel_id *id);
/* Is it a state of this SA (of the id's group)? */
bool gcks_is_of_sa(const struct gcks_kernel_id *id, const struct gcks_member_sa *sa);
/* The SA of the membership that it is a state of; NULL: of none, or there is no membership. */
const struct gcks_member_sa *gcks_sa_of_state(const struct gcks_membership *membership,
					      const struct gcks_kernel_id *id);
/*
 * A state of a pair?  None is made twice: an outbound one would begin with the same nonces, an inbound one
 * would take once more what it has taken before.
 */
bool gcks_is_pair(const struct gcks_kernel_id *id);
/* The key of the pair was used, for a state that is gone or for other addresses. */
bool gcks_must_not_be_made(const struct gcks_kernel_id *id, const struct gcks_kernel_ids *known);
/*
 * Does it have to be remembered when it is not in the kernel?  As long as its SA may be held, and as long as
 * another state of that SA may be in the kernel, by which a restarted gcksd would find its Sender-ID.
 */
bool gcks_is_remembered(const struct gcks_member_table *table, const struct gcks_kernel_ids *known,
			const struct gcks_kernel_id *id);
/* Do both take the same place in the kernel, which tells states apart by destination and SPI? */
bool gcks_same_place(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b);

#endif
