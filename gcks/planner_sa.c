// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The states of a membership's SAs: inbound ones of all of them, outbound ones of the active one.
 *
 * The kernel sends with the newest state that has the reqid and addresses of the policy.  So the
 * outbound states of a new SA are installed when it becomes active, not before, and those of
 * the old one stay until these are acknowledged (planner.c): there is always one to send with.
 *
 *   sharing group     in   TEK's SPI        any sender -> us
 *                     out  TEK's SPI        us -> each gateway
 *   sharing pairwise  in   prefix | SID_r   each gateway r -> us   key K(r -> us), a replay window
 *                     out  prefix | SID_us  us -> each gateway r   key K(us -> r)
 *
 * The states of a pair stay as long as their SA, also when the gateway has no routes for a while:
 * made again, an outbound one would repeat its nonces, an inbound one would take replayed packets.
 * When one is lost, another Sender-ID of ours gives all pairs new keys (member_sender.c).
 *
 * A restarted gcksd does not know the routes before bgpd has told all of them, which may take as
 * long as BGP does.  Rekeys do not wait: the gateways that have states get those of a new SA as
 * well.
 */
#include <string.h>

#include "gcks/planner.h"
#include "libgsa/pairwise.h"

bool gcks_membership_usable(const struct gcks_membership *membership)
{
	return membership->sas && membership->gateway.length &&
	       membership->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED &&
	       membership->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
}

/* ---- ids ---- */

static struct gcks_kernel_id sa_id(const struct gcks_membership *membership,
				   const struct gcks_member_sa *sa, uint8_t direction)
{
	struct gcks_kernel_id id = {
		.kind = GCKS_KERNEL_SA,
		.spi = sa->spi,
		.direction = direction,
		.reqid = membership->reqid,
		.mark = sa->mark,
	};

	strncpy(id.group, membership->name, sizeof(id.group) - 1);
	return id;
}

bool gcks_inbound_id(const struct gcks_membership *membership, const struct gcks_member_sa *sa,
		     const struct gcks_sender *from, struct gcks_kernel_id *id)
{
	*id = sa_id(membership, sa, GSA__DIRECTION__DIRECTION_IN);
	id->source.length = membership->gateway.length;
	id->destination = membership->gateway;
	if (!sa->pairwise)
		return true;
	if (!membership->has_sender_id || !from || from->refused)
		return false;
	id->source = from->gateway;
	id->receiver = membership->sender_id + 1;
	return gsa_pair_spi(sa->spi, sa->sender_id_bits, from->sender_id, &id->spi);
}

bool gcks_outbound_id(const struct gcks_membership *membership, const struct gcks_member_sa *sa,
		      const struct gcks_address *gateway, const struct gcks_sender *to,
		      struct gcks_kernel_id *id)
{
	*id = sa_id(membership, sa, GSA__DIRECTION__DIRECTION_OUT);
	id->source = membership->gateway;
	id->destination = *gateway;
	if (!sa->pairwise)
		return true;
	if (!membership->has_sender_id || !to || to->refused ||
	    to->sender_id >> sa->sender_id_bits)
		return false;
	id->receiver = to->sender_id + 1;
	return gsa_pair_spi(sa->spi, sa->sender_id_bits, membership->sender_id, &id->spi);
}

static uint32_t sender_bits(const struct gcks_member_sa *sa)
{
	return sa->pairwise ? (1u << sa->sender_id_bits) - 1 : 0;
}

bool gcks_is_of_sa(const struct gcks_kernel_id *id, const struct gcks_member_sa *sa)
{
	return id->kind == GCKS_KERNEL_SA && id->mark == sa->mark &&
	       (id->spi & ~sender_bits(sa)) == sa->spi;
}

const struct gcks_member_sa *gcks_sa_of_state(const struct gcks_membership *membership,
					      const struct gcks_kernel_id *id)
{
	const struct gcks_member_sa *sa = membership ? membership->sas : NULL;

	while (sa && !gcks_is_of_sa(id, sa))
		sa = sa->next;
	return sa;
}

bool gcks_is_pair(const struct gcks_kernel_id *id)
{
	return id->kind == GCKS_KERNEL_SA && id->receiver;
}

bool gcks_must_not_be_made(const struct gcks_kernel_id *id, const struct gcks_kernel_ids *known)
{
	struct gcks_kernel_id first = { .kind = GCKS_KERNEL_SA, .spi = id->spi };
	size_t at = gcks_kernel_ids_position(known, &first);

	if (!gcks_is_pair(id))
		return false;
	for (; at < known->count && known->ids[at].kind == GCKS_KERNEL_SA &&
	       known->ids[at].spi == id->spi;
	     at++) {
		const struct gcks_kernel_id *other = &known->ids[at];

		if (gcks_is_pair(other) && other->direction == id->direction &&
		    other->mark == id->mark && other->receiver == id->receiver &&
		    (other->used || gcks_kernel_id_compare(other, id) != 0))
			return true;
	}
	return false;
}

bool gcks_is_remembered(const struct gcks_member_table *table, const struct gcks_kernel_ids *known,
			const struct gcks_kernel_id *id)
{
	const struct gcks_membership *membership = gcks_membership_find(table, id->group);

	if (!gcks_is_pair(id))
		return false;
	/* with the next registration it will be known what is held */
	if (membership && !membership->sas)
		return true;
	if (gcks_sa_of_state(membership, id))
		return true;
	for (size_t i = 0; i < known->count && known->ids[i].kind == GCKS_KERNEL_SA; i++) {
		const struct gcks_kernel_id *other = &known->ids[i];

		if (gcks_is_pair(other) && !other->used && other->mark == id->mark &&
		    strcmp(other->group, id->group) == 0 &&
		    gcks_kernel_id_compare(other, id) != 0)
			return true;
	}
	return false;
}

bool gcks_same_place(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b)
{
	return a->kind == GCKS_KERNEL_SA && b->kind == GCKS_KERNEL_SA && a->spi == b->spi &&
	       gcks_address_equal(&a->destination, &b->destination);
}

/* ---- what is desired ---- */

/* Of one membership. */
struct states {
	struct gcks_desires *desires;
	const struct gcks_membership *membership;
	const struct gcks_kernel_ids *known;
	struct gcks_senders senders;
};

static bool add_state(const struct states *states, const struct gcks_member_sa *sa,
		      const struct gcks_kernel_id *id)
{
	struct gcks_candidate *candidate = gcks_desires_add(states->desires);

	if (!candidate)
		return false;
	candidate->desired = (struct gcks_desired){ .id = *id, .sa = sa };
	candidate->desired.id.used = false;
	return true;
}

/* Several routes have the same gateway; the states that are too many go when all are sorted. */
static bool add_shared(const struct states *states, const struct gcks_member_sa *sa)
{
	const struct gcks_membership *membership = states->membership;
	struct gcks_kernel_id id;

	if (gcks_inbound_id(membership, sa, NULL, &id) && !add_state(states, sa, &id))
		return false;
	for (size_t i = 0; sa->phase == GCKS_SA_ACTIVE && i < membership->route_count; i++) {
		const struct gcks_address *gateway = &membership->routes[i].gateway;

		if (gateway->length == membership->gateway.length &&
		    gcks_outbound_id(membership, sa, gateway, NULL, &id) &&
		    !add_state(states, sa, &id))
			return false;
	}
	return true;
}

static bool add_inbound(const struct states *states, const struct gcks_member_sa *sa,
			const struct gcks_sender *remote)
{
	struct gcks_kernel_id id;

	return !gcks_inbound_id(states->membership, sa, remote, &id) || add_state(states, sa, &id);
}

static bool add_outbound(const struct states *states, const struct gcks_member_sa *sa,
			 const struct gcks_sender *remote)
{
	struct gcks_kernel_id id;

	return sa->phase != GCKS_SA_ACTIVE ||
	       !gcks_outbound_id(states->membership, sa, &remote->gateway, remote, &id) ||
	       add_state(states, sa, &id);
}

static bool add_pairs(const struct states *states, const struct gcks_member_sa *sa)
{
	for (size_t i = 0; i < states->senders.count; i++)
		if (!add_inbound(states, sa, &states->senders.list[i]) ||
		    !add_outbound(states, sa, &states->senders.list[i]))
			return false;
	return true;
}

static bool is_claimed(const struct states *states, uint32_t sender_id)
{
	for (size_t i = 0; i < states->senders.count; i++)
		if (states->senders.list[i].sender_id == sender_id)
			return true;
	return false;
}

/* Of a gateway that has no route now, with the Sender-ID that we have now. */
static bool is_without_route(const struct states *states, const struct gcks_member_sa *sa,
			     const struct gcks_kernel_id *id)
{
	const struct gcks_membership *membership = states->membership;
	uint32_t sender = id->spi & sender_bits(sa);

	if (id->used || !id->receiver || id->reqid != membership->reqid ||
	    strcmp(id->group, membership->name) != 0)
		return false;
	if (id->direction == GSA__DIRECTION__DIRECTION_IN)
		return id->receiver == membership->sender_id + 1 &&
		       gcks_address_equal(&id->destination, &membership->gateway) &&
		       !is_claimed(states, sender);
	return sender == membership->sender_id &&
	       gcks_address_equal(&id->source, &membership->gateway) &&
	       !is_claimed(states, id->receiver - 1) &&
	       !gcks_senders_find(&states->senders, &id->destination);
}

static bool add_staying(const struct states *states, const struct gcks_member_sa *sa)
{
	const struct gcks_kernel_ids *known = states->known;

	if (!states->membership->has_sender_id)
		return true;
	for (size_t i = 0; i < known->count && known->ids[i].kind == GCKS_KERNEL_SA; i++)
		if (gcks_is_of_sa(&known->ids[i], sa) &&
		    (known->ids[i].direction == GSA__DIRECTION__DIRECTION_IN ||
		     sa->phase == GCKS_SA_ACTIVE) &&
		    is_without_route(states, sa, &known->ids[i]) &&
		    !add_state(states, sa, &known->ids[i]))
			return false;
	return true;
}

/* ---- without routes ---- */

/* The SA of the membership that a live state belongs to. */
static const struct gcks_member_sa *live_sa_of(const struct gcks_membership *membership,
					  const struct gcks_kernel_id *id)
{
	if (id->used || id->reqid != membership->reqid || strcmp(id->group, membership->name) != 0)
		return NULL;
	return gcks_sa_of_state(membership, id);
}

static bool has_outbound(const struct states *states, const struct gcks_member_sa *sa,
			 const struct gcks_address *gateway)
{
	const struct gcks_kernel_ids *known = states->known;

	for (size_t i = 0; i < known->count && known->ids[i].kind == GCKS_KERNEL_SA; i++)
		if (live_sa_of(states->membership, &known->ids[i]) == sa &&
		    known->ids[i].direction == GSA__DIRECTION__DIRECTION_OUT &&
		    gcks_address_equal(&known->ids[i].destination, gateway))
			return true;
	return false;
}

/* What the gateway is called now, outbound states say; inbound ones may be of an earlier Sender-ID
 * too. */
static bool carry_pair(const struct states *states, const struct gcks_member_sa *sa,
		       const struct gcks_member_sa *from, const struct gcks_kernel_id *id)
{
	struct gcks_sender remote = { .gateway = id->source,
				      .sender_id = id->spi & sender_bits(from) };

	if (from == sa || !from->pairwise || !states->membership->has_sender_id ||
	    !is_without_route(states, from, id))
		return true;
	if (id->direction == GSA__DIRECTION__DIRECTION_IN)
		return add_inbound(states, sa, &remote);
	remote = (struct gcks_sender){ .gateway = id->destination, .sender_id = id->receiver - 1 };
	return has_outbound(states, sa, &remote.gateway) || add_outbound(states, sa, &remote);
}

static bool carry_shared(const struct states *states, const struct gcks_member_sa *sa,
			 const struct gcks_member_sa *from, const struct gcks_kernel_id *id)
{
	const struct gcks_sender remote = { .gateway = id->destination };

	return from->pairwise || id->direction != GSA__DIRECTION__DIRECTION_OUT ||
	       !gcks_address_equal(&id->source, &states->membership->gateway) ||
	       add_outbound(states, sa, &remote);
}

static bool add_carried(const struct states *states, const struct gcks_member_sa *sa)
{
	const struct gcks_kernel_ids *known = states->known;
	bool done = true;

	for (size_t i = 0; done && i < known->count && known->ids[i].kind == GCKS_KERNEL_SA; i++) {
		const struct gcks_kernel_id *id = &known->ids[i];
		const struct gcks_member_sa *from = live_sa_of(states->membership, id);

		if (from)
			done = sa->pairwise ? carry_pair(states, sa, from, id)
					    : carry_shared(states, sa, from, id);
	}
	return done;
}

bool gcks_desires_add_states(struct gcks_desires *desires, const struct gcks_membership *membership,
			     const struct gcks_kernel_ids *known, bool routes_known)
{
	struct states states = { .desires = desires, .membership = membership, .known = known };
	const struct gcks_member_sa *sa;
	bool done = gcks_senders_make(&states.senders, membership);

	for (sa = membership->sas; done && sa; sa = sa->next) {
		done = sa->pairwise ? add_pairs(&states, sa) && add_staying(&states, sa)
				    : add_shared(&states, sa);
		if (done && !routes_known)
			done = add_carried(&states, sa);
	}
	gcks_senders_clear(&states.senders);
	return done;
}
