// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What identifies a state or a policy in a member's kernel, without its key: what the
 * planner compares, and what the store keeps so that it can be removed after any restart.
 */
#ifndef GCKS_KERNEL_ID_H
#define GCKS_KERNEL_ID_H

#include "gcks/registration.h"

struct gcks_prefix {
	struct gcks_address address;
	uint8_t length;
};

enum gcks_kernel_kind { GCKS_KERNEL_SA, GCKS_KERNEL_POLICY };

struct gcks_kernel_id {
	enum gcks_kernel_kind kind;
	/* SA: spi, addresses, direction (of states of earlier versions 0); policy: all but spi */
	uint32_t spi;
	struct gcks_address source, destination;
	uint8_t direction;  /* Gsa__Direction */
	uint8_t action;	    /* Gsa__PolicyAction */
	struct gcks_prefix selector_source, selector_destination;
	uint32_t priority;
	uint32_t reqid;
	uint32_t mark;	   /* SA: of its key (gsa_key_mark()) */
	uint32_t receiver; /* SA of a pair of members: the receiver's Sender-ID plus 1; else 0 */
	char group[65];	   /* which membership it belongs to, "" : the node */
	/*
	 * Not compared.  An SA of a pair that is not in the kernel (any more), and is remembered
	 * because it must not be made again.
	 */
	bool used;
};

struct gcks_kernel_ids {
	struct gcks_kernel_id *ids; /* array in the order of gcks_kernel_id_compare(), owned */
	size_t count, capacity;
};

/* What the kernel cannot tell apart is equal: `group` is not looked at. */
int gcks_kernel_id_compare_content(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b);
int gcks_kernel_id_compare(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b);
/* True also when it is there already.  False: no memory, nothing changed. */
bool gcks_kernel_ids_add(struct gcks_kernel_ids *set, const struct gcks_kernel_id *id);
void gcks_kernel_ids_remove(struct gcks_kernel_ids *set, const struct gcks_kernel_id *id);
void gcks_kernel_ids_set_used(struct gcks_kernel_ids *set, const struct gcks_kernel_id *id);
/* Index of the first one that is not before `id`. */
size_t gcks_kernel_ids_position(const struct gcks_kernel_ids *set, const struct gcks_kernel_id *id);
bool gcks_kernel_ids_has(const struct gcks_kernel_ids *set, const struct gcks_kernel_id *id);
/* How many of a kind belong to the membership. */
uint32_t gcks_kernel_ids_of(const struct gcks_kernel_ids *set, const char *group,
			    enum gcks_kernel_kind kind);
void gcks_kernel_ids_clear(struct gcks_kernel_ids *set);

#endif
