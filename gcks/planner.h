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

/* False: no memory. */
bool gcks_desires_make(struct gcks_desires *desires, const struct gcks_member_table *table);

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
/* The states of its SAs.  False: no memory. */
bool gcks_desires_add_states(struct gcks_desires *desires, const struct gcks_membership *membership);
struct gcks_kernel_id gcks_inbound_id(const struct gcks_membership *membership,
				      const struct gcks_member_sa *sa);
struct gcks_kernel_id gcks_outbound_id(const struct gcks_membership *membership,
				       const struct gcks_member_sa *sa,
				       const struct gcks_address *gateway);
/* Is it a state of this SA (of the id's group)? */
bool gcks_is_of_sa(const struct gcks_kernel_id *id, const struct gcks_member_sa *sa);
/* Do both take the same place in the kernel, which tells states apart by destination and SPI? */
bool gcks_same_place(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b);

#endif
