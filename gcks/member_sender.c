// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sender-IDs of a membership whose SAs are pairwise: those of the other gateways, which bgpd tells, and
 * our own.  An outbound state begins with sequence number 1, so with the same nonces as the last
 * one of its key, and an inbound one with an empty replay window: for a TEK and two Sender-IDs
 * none is ever made twice.
 */
#include <stdlib.h>
#include <string.h>

#include "gcks/planner.h"

/* ---- of the others ---- */

static int compare_addresses(const struct gcks_address *a, const struct gcks_address *b)
{
	if (a->length != b->length)
		return a->length < b->length ? -1 : 1;
	return memcmp(a->octets, b->octets, a->length);
}

/* Of a gateway the newest first: what was told last is in force. */
static int compare_gateways(const void *left, const void *right)
{
	const struct gcks_sender *a = left, *b = right;
	int order = compare_addresses(&a->gateway, &b->gateway);

	if (order)
		return order;
	return a->since > b->since ? -1 : a->since < b->since;
}

static int compare_claims(const void *left, const void *right)
{
	const struct gcks_sender *a = *(struct gcks_sender *const *)left,
				 *b = *(struct gcks_sender *const *)right;

	if (a->sender_id != b->sender_id)
		return a->sender_id < b->sender_id ? -1 : 1;
	return a->since < b->since ? -1 : a->since > b->since;
}

/* One entry a gateway, since the first of its routes said what is in force. */
static size_t merge(struct gcks_sender *list, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct gcks_sender *last = kept ? &list[kept - 1] : NULL;

		if (!last || !gcks_address_equal(&last->gateway, &list[i].gateway))
			list[kept++] = list[i];
		else if (last->sender_id == list[i].sender_id)
			last->since = list[i].since;
	}
	return kept;
}

/* Who claims what another one has had before, or we have, is not believed. */
static bool refuse(const struct gcks_membership *membership, struct gcks_senders *senders)
{
	struct gcks_sender **claims = calloc(senders->count, sizeof(*claims));

	if (!claims)
		return false;
	for (size_t i = 0; i < senders->count; i++)
		claims[i] = &senders->list[i];
	qsort(claims, senders->count, sizeof(*claims), compare_claims);
	for (size_t i = 0; i < senders->count; i++)
		claims[i]->refused =
			(i && claims[i - 1]->sender_id == claims[i]->sender_id) ||
			(membership->has_sender_id &&
			 membership->sender_id == claims[i]->sender_id);
	free(claims);
	return true;
}

bool gcks_senders_make(struct gcks_senders *senders, const struct gcks_membership *membership)
{
	*senders = (struct gcks_senders){ 0 };
	if (!membership->route_count)
		return true;
	senders->list = calloc(membership->route_count, sizeof(*senders->list));
	if (!senders->list)
		return false;
	for (size_t i = 0; i < membership->route_count; i++) {
		const struct gcks_member_route *route = &membership->routes[i];

		if (route->has_sender_id && route->gateway.length == membership->gateway.length)
			senders->list[senders->count++] =
				(struct gcks_sender){ .gateway = route->gateway,
						      .sender_id = route->sender_id,
						      .since = route->since };
	}
	qsort(senders->list, senders->count, sizeof(*senders->list), compare_gateways);
	senders->count = merge(senders->list, senders->count);
	if (!senders->count || refuse(membership, senders))
		return true;
	gcks_senders_clear(senders);
	return false;
}

void gcks_senders_clear(struct gcks_senders *senders)
{
	free(senders->list);
	*senders = (struct gcks_senders){ 0 };
}

const struct gcks_sender *gcks_senders_find(const struct gcks_senders *senders,
					    const struct gcks_address *gateway)
{
	size_t low = 0, high = senders->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_addresses(&senders->list[middle].gateway, gateway);

		if (order == 0)
			return &senders->list[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- our own ---- */

/* The SA of the membership that a state of a pair belongs to, and which Sender-ID of ours it has. */
static const struct gcks_member_sa *sa_of_pair(const struct gcks_membership *membership,
					       const struct gcks_kernel_id *id, uint32_t *own)
{
	const struct gcks_member_sa *sa = gcks_sa_of_state(membership, id);

	if (!gcks_is_pair(id) || strcmp(id->group, membership->name) != 0)
		return NULL;
	if (sa)
		*own = id->direction == GSA__DIRECTION__DIRECTION_IN
			       ? id->receiver - 1
			       : id->spi & ((1u << sa->sender_id_bits) - 1);
	return sa;
}

/* Any state of the SAs held that was made with it?  `live`: one that should be there now. */
static bool was_used(const struct gcks_membership *membership, const struct gcks_kernel_ids *known,
		     uint32_t sender_id, bool live)
{
	uint32_t own;

	for (size_t i = 0; i < known->count && known->ids[i].kind == GCKS_KERNEL_SA; i++)
		if (sa_of_pair(membership, &known->ids[i], &own) && own == sender_id &&
		    (!live || !known->ids[i].used))
			return true;
	return false;
}

/* After a restart: what the kernel goes on with.  The newest SA's states count, and of these the newest. */
static bool find_live(const struct gcks_membership *membership, const struct gcks_kernel_ids *known,
		      uint32_t *sender_id)
{
	const struct gcks_member_sa *sa, *best = NULL;
	uint32_t own;

	for (size_t i = 0; i < known->count && known->ids[i].kind == GCKS_KERNEL_SA; i++) {
		sa = known->ids[i].used ? NULL : sa_of_pair(membership, &known->ids[i], &own);
		if (!sa || (best && best->received_at > sa->received_at) ||
		    (best && best->received_at == sa->received_at && own < *sender_id))
			continue;
		best = sa;
		*sender_id = own;
	}
	return best != NULL;
}

/* Until another Sender-ID was given. */
static bool is_doubted(const struct gcks_membership *membership)
{
	size_t count = membership->sender_id_count;

	return membership->doubted &&
	       (!count || membership->sender_ids[count - 1] == membership->doubted_sender_id);
}

bool gcks_membership_is_settled(const struct gcks_membership *membership,
				const struct gcks_kernel_ids *known)
{
	uint32_t live;

	return !gcks_membership_is_pairwise(membership) ||
	       (!is_doubted(membership) && (!find_live(membership, known, &live) ||
					    (membership->has_sender_id &&
					     membership->sender_id == live)));
}

static bool is_pair_spoilt(const struct gcks_membership *membership, const struct gcks_member_sa *sa,
			   const struct gcks_kernel_ids *known, const struct gcks_sender *remote)
{
	struct gcks_kernel_id id;

	return (gcks_inbound_id(membership, sa, remote, &id) &&
		gcks_must_not_be_made(&id, known)) ||
	       (sa->phase == GCKS_SA_ACTIVE &&
		gcks_outbound_id(membership, sa, &remote->gateway, remote, &id) &&
		gcks_must_not_be_made(&id, known));
}

/* Is a state needed that must not be made again?  One that is about to go anyway is not. */
static bool is_spoilt(const struct gcks_membership *membership, const struct gcks_kernel_ids *known,
		      const struct gcks_senders *senders)
{
	for (const struct gcks_member_sa *sa = membership->sas; sa; sa = sa->next)
		for (size_t i = 0;
		     sa->pairwise && sa->phase != GCKS_SA_RETIRING && i < senders->count; i++)
			if (is_pair_spoilt(membership, sa, known, &senders->list[i]))
				return true;
	return false;
}

static bool fits(const struct gcks_membership *membership, uint32_t sender_id)
{
	for (const struct gcks_member_sa *sa = membership->sas; sa; sa = sa->next)
		if (sa->pairwise && sender_id >> sa->sender_id_bits)
			return false;
	return true;
}

bool gcks_membership_is_pairwise(const struct gcks_membership *membership)
{
	for (const struct gcks_member_sa *sa = membership->sas; sa; sa = sa->next)
		if (sa->pairwise)
			return true;
	return false;
}

static bool was_given(const struct gcks_membership *membership, uint32_t sender_id)
{
	for (size_t i = 0; i < membership->sender_id_count; i++)
		if (membership->sender_ids[i] == sender_id)
			return true;
	return false;
}

void gcks_membership_doubt(struct gcks_membership *membership)
{
	if (!membership->sender_id_count)
		return;
	membership->doubted = true;
	membership->doubted_sender_id = membership->sender_ids[membership->sender_id_count - 1];
}

enum gcks_sender_choice gcks_membership_choose_sender_id(struct gcks_membership *membership,
							 const struct gcks_kernel_ids *known)
{
	uint32_t newest, before = membership->sender_id;
	bool had = membership->has_sender_id, good;
	struct gcks_senders senders;

	if (!gcks_membership_is_pairwise(membership))
		return GCKS_SENDER_ID_KEPT;
	newest = membership->sender_id_count
			 ? membership->sender_ids[membership->sender_id_count - 1]
			 : 0;
	membership->doubted = is_doubted(membership);
	if (membership->doubted) {
		membership->has_sender_id = membership->resuming = false;
		return GCKS_SENDER_ID_NEEDED;
	}
	if (!gcks_senders_make(&senders, membership))
		return GCKS_SENDER_ID_KEPT; /* it is tried again */
	if (membership->abandoned && membership->sender_id_count &&
	    newest != membership->last_sender_id)
		membership->has_sender_id = membership->resuming = membership->abandoned = false;
	if (had && !was_given(membership, before) && !was_used(membership, known, before, true))
		membership->has_sender_id = false;
	if (membership->resuming)
		membership->has_sender_id = find_live(membership, known, &membership->sender_id);
	membership->resuming = false;
	good = membership->has_sender_id && fits(membership, membership->sender_id) &&
	       !is_spoilt(membership, known, &senders);
	gcks_senders_clear(&senders);
	if (!good) {
		/* only the newest: of older ones not all states are remembered */
		if (!membership->sender_id_count || was_used(membership, known, newest, false) ||
		    !fits(membership, newest))
			return GCKS_SENDER_ID_NEEDED;
		membership->has_sender_id = true;
		membership->sender_id = newest;
	}
	return had && before == membership->sender_id ? GCKS_SENDER_ID_KEPT
						      : GCKS_SENDER_ID_CHANGED;
}
