// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a member's kernel should hold.
 *
 * Policies; in every direction the matching one with the lowest priority number decides:
 *
 *   protect  out: own exported prefix -> group prefix, tunnel to its gateway.  Forwarded and
 *            received: the other way round, only what came out of the membership's inbound state
 *   pass     home, that is the LANs and what else of the site is exported.  Out: anything to it;
 *            decrypted packets and those of the Internet leave for the LAN as well, and the
 *            kernel asks the "out" policies about each.  Forwarded and received: from it to
 *            anything; where that may go, "out" decides.
 *            Also, for BGP: between gateway and key server, and in the gateway's own network.
 *   block    out: anything to a closed prefix (protected, or a group prefix outside of these);
 *            forwarded and received: from a closed prefix to a protected or exported one
 *
 * While a network is moved (enum gcks_mode) of this only a part holds for a membership:
 *
 *                  fail-closed      passive          receive-only
 *   out            protect, block   protect, block   -
 *   fwd, in        protect, block   optional         optional
 *
 *   optional  takes what came out of the membership's inbound state, and clear packets.  The
 *             kernel has to have it: a decrypted packet that finds no policy is dropped
 *             (__xfrm_policy_check() takes none for "nothing was to be decrypted").  It is a template
 *             of level "use": xfrm_policy_ok() goes past it where there is no such state in the
 *             packet's path.  What came out of a state of another membership is not passed by
 *             it, as after all templates no tunnel may be left over that none has matched.
 *
 * Where memberships differ the strictest has the last word: a prefix that one of them closes is closed,
 * and an optional policy of another for prefixes in it is made a protecting one.
 *
 * A pass exists only inside of a closed prefix: all else is not ours.  A connected network
 * with a gateway address of ours in it is the provider's, not a LAN.  An exported prefix that
 * contains a group prefix (a hub's 10.0.0.0/8) is not home: it would let group traffic pass.
 *
 * Priorities.  charon gives its own policies 400000 less 512 for each bit of both prefix
 * lengths and less at most 387 for protocol, ports and the like (fallback policies 600000 less
 * the same); nothing of ours may beat an ordinary tunnel of the site that is more specific:
 *
 *   protect        399600 - 512 x bits   before charon's of the same prefix lengths
 *   pass           800000 - 512 x bits   behind all of charon's
 *   wide protect  1000000 - 512 x bits   for group prefixes that contain a home prefix: before
 *                                        "pass" they would take what stays at home
 *   block         1200000 - 512 x bits
 *
 * bits is at most 64 (IPv4) or 256 (IPv6), so that ours do not overlap.
 *
 * Block and pass policies belong to the node, not to a membership: of two memberships that need
 * the same one, the first to go must not take it away.
 */
#include <stdlib.h>
#include <string.h>

#include "gcks/planner.h"

#define PRIORITY_PER_BIT 512

enum policy_class { CLASS_PROTECT, CLASS_PASS, CLASS_WIDE_PROTECT, CLASS_BLOCK };

static const struct {
	uint32_t base;
	uint8_t action;
} classes[] = {
	[CLASS_PROTECT] = { 399600, GSA__POLICY_ACTION__POLICY_PROTECT },
	[CLASS_PASS] = { 800000, GSA__POLICY_ACTION__POLICY_PASS },
	[CLASS_WIDE_PROTECT] = { 1000000, GSA__POLICY_ACTION__POLICY_PROTECT },
	[CLASS_BLOCK] = { 1200000, GSA__POLICY_ACTION__POLICY_BLOCK },
};

enum {
	IN = GSA__DIRECTION__DIRECTION_IN,
	OUT = GSA__DIRECTION__DIRECTION_OUT,
	FORWARD = GSA__DIRECTION__DIRECTION_FORWARD,
};

struct prefixes {
	struct gcks_prefix *list;
	size_t count, capacity;
};

/* The site, as the policies see it. */
struct site {
	const struct gcks_member_table *table;
	const struct gcks_kernel_ids *known;
	bool routes_known;
	struct prefixes protect; /* of all memberships; of those that close out, and in */
	struct prefixes protect_out, protect_in;
	/* what no clear packet may go to, and come from (to what is `inside`) */
	struct prefixes closed_out, closed_in;
	struct prefixes inside;
	struct prefixes home;
	struct gcks_desires *desires;
};

/* ---- lists ---- */

static bool contained(const struct prefixes *prefixes, const struct gcks_prefix *prefix)
{
	for (size_t i = 0; i < prefixes->count; i++)
		if (gcks_prefix_contains(&prefixes->list[i], prefix))
			return true;
	return false;
}

static bool contains_one(const struct gcks_prefix *prefix, const struct prefixes *prefixes)
{
	for (size_t i = 0; i < prefixes->count; i++)
		if (gcks_prefix_contains(prefix, &prefixes->list[i]))
			return true;
	return false;
}

static bool add_prefix(struct prefixes *prefixes, const struct gcks_prefix *prefix)
{
	if (prefixes->count == prefixes->capacity) {
		size_t capacity = prefixes->capacity ? 2 * prefixes->capacity : 16;
		struct gcks_prefix *list =
			reallocarray(prefixes->list, capacity, sizeof(*prefixes->list));

		if (!list)
			return false;
		prefixes->list = list;
		prefixes->capacity = capacity;
	}
	prefixes->list[prefixes->count++] = *prefix;
	return true;
}

static struct gcks_prefix any(const struct gcks_prefix *family)
{
	return (struct gcks_prefix){ .address = { .length = family->address.length } };
}

static struct gcks_prefix host(const struct gcks_address *address)
{
	return (struct gcks_prefix){ .address = *address,
				     .length = (uint8_t)(address->length * 8) };
}

static bool same_family(const struct gcks_prefix *a, const struct gcks_prefix *b)
{
	return a->address.length == b->address.length;
}

/* ---- policies ---- */

static struct gcks_kernel_id *add_policy(struct site *site, enum policy_class class,
					 uint8_t direction, const struct gcks_prefix *source,
					 const struct gcks_prefix *destination)
{
	struct gcks_candidate *candidate = gcks_desires_add(site->desires);
	struct gcks_kernel_id *id;

	if (!candidate)
		return NULL;
	id = &candidate->desired.id;
	id->kind = GCKS_KERNEL_POLICY;
	id->direction = direction;
	id->action = classes[class].action;
	id->selector_source = *source;
	id->selector_destination = *destination;
	id->priority = classes[class].base -
		       PRIORITY_PER_BIT * ((uint32_t)source->length + destination->length);
	return id;
}

static bool block(struct site *site)
{
	for (size_t i = 0; i < site->closed_out.count; i++) {
		const struct gcks_prefix *closed = &site->closed_out.list[i];
		struct gcks_prefix from = any(closed);

		if (!add_policy(site, CLASS_BLOCK, OUT, &from, closed))
			return false;
	}
	for (size_t i = 0; i < site->closed_in.count; i++) {
		const struct gcks_prefix *closed = &site->closed_in.list[i];

		for (size_t j = 0; j < site->inside.count; j++) {
			const struct gcks_prefix *inside = &site->inside.list[j];

			if (!same_family(closed, inside))
				continue;
			if (!add_policy(site, CLASS_BLOCK, FORWARD, closed, inside) ||
			    !add_policy(site, CLASS_BLOCK, IN, closed, inside))
				return false;
		}
	}
	return true;
}

static bool pass_home(struct site *site)
{
	for (size_t i = 0; i < site->home.count; i++) {
		const struct gcks_prefix *home = &site->home.list[i];
		struct gcks_prefix rest = any(home);

		if (contained(&site->closed_out, home) &&
		    !add_policy(site, CLASS_PASS, OUT, &rest, home))
			return false;
		if (contained(&site->closed_in, home) &&
		    (!add_policy(site, CLASS_PASS, FORWARD, home, &rest) ||
		     !add_policy(site, CLASS_PASS, IN, home, &rest)))
			return false;
	}
	return true;
}

/* What the gateway itself says to `there` without a tunnel, if it may be blocked. */
static bool pass_gateway(struct site *site, const struct gcks_prefix *here,
			 const struct gcks_prefix *there)
{
	if (!same_family(here, there))
		return true;
	if (contained(&site->closed_out, there) && !add_policy(site, CLASS_PASS, OUT, here, there))
		return false;
	return !contained(&site->closed_in, there) ||
	       add_policy(site, CLASS_PASS, IN, there, here);
}

static bool has_gateway(const struct gcks_member_table *table, const struct gcks_prefix *prefix)
{
	for (const struct gcks_membership *each = table->memberships; each; each = each->next) {
		struct gcks_prefix gateway = host(&each->gateway);

		if (each->gateway.length && gcks_prefix_contains(prefix, &gateway))
			return true;
	}
	return false;
}

static bool pass_gateways(struct site *site)
{
	const struct gcks_member_table *table = site->table;

	for (size_t i = 0; i < table->connected_count; i++)
		if (has_gateway(table, &table->connected[i]) &&
		    !pass_gateway(site, &table->connected[i], &table->connected[i]))
			return false;
	for (const struct gcks_membership *each = table->memberships; each; each = each->next) {
		struct gcks_prefix gateway = host(&each->gateway);
		struct gcks_prefix key_server = host(&each->key_server);

		if (each->gateway.length && each->key_server.length &&
		    !pass_gateway(site, &gateway, &key_server))
			return false;
	}
	return true;
}

static struct gcks_kernel_id *protect_policy(struct site *site,
					     const struct gcks_membership *membership, bool wide,
					     uint8_t direction, const struct gcks_prefix *source,
					     const struct gcks_prefix *destination)
{
	enum policy_class class = wide ? CLASS_WIDE_PROTECT : CLASS_PROTECT;
	struct gcks_kernel_id *id = add_policy(site, class, direction, source, destination);
	uint32_t identifier = gcks_membership_identifier(membership);

	if (!id)
		return NULL;
	id->reqid = membership->reqid;
	strncpy(id->group, membership->name, sizeof(id->group) - 1);
	/* one that is not known yet comes last */
	site->desires->list[site->desires->count - 1].group_order =
		identifier ? identifier : UINT32_MAX;
	return id;
}

static bool protect_pair(struct site *site, const struct gcks_membership *membership,
			 const struct gcks_member_route *route, bool wide,
			 const struct gcks_prefix *own)
{
	static const uint8_t directions[] = { FORWARD, IN };
	bool optional = membership->mode != GCKS_MODE_FAIL_CLOSED &&
			!contained(&site->closed_in, &route->prefix);
	struct gcks_kernel_id *id;

	if (membership->mode != GCKS_MODE_RECEIVE_ONLY) {
		id = protect_policy(site, membership, wide, OUT, own, &route->prefix);
		if (!id)
			return false;
		id->source = membership->gateway;
		id->destination = route->gateway;
	}
	for (size_t i = 0; i < sizeof(directions); i++) {
		id = protect_policy(site, membership, wide, directions[i], &route->prefix, own);
		if (!id)
			return false;
		/* any sender of the group */
		id->source.length = membership->gateway.length;
		id->destination = membership->gateway;
		if (optional)
			id->action = GSA__POLICY_ACTION__POLICY_OPTIONAL;
	}
	return true;
}

/* ---- memberships ---- */

static bool protect(struct site *site, const struct gcks_membership *membership)
{
	for (size_t i = 0; i < membership->route_count; i++) {
		const struct gcks_member_route *route = &membership->routes[i];
		bool wide = contains_one(&route->prefix, &site->home);

		if (route->gateway.length != membership->gateway.length)
			continue;
		for (size_t j = 0; j < membership->export_count; j++)
			if (same_family(&route->prefix, &membership->exports[j]) &&
			    !protect_pair(site, membership, route, wide, &membership->exports[j]))
				return false;
	}
	return gcks_desires_add_states(site->desires, membership, site->known, site->routes_known);
}

/* ---- the site ---- */

static bool has_route_in(const struct gcks_member_table *table, const struct gcks_prefix *prefix)
{
	for (const struct gcks_membership *each = table->memberships; each; each = each->next)
		for (size_t i = 0; i < each->route_count; i++)
			if (gcks_prefix_contains(prefix, &each->routes[i].prefix))
				return true;
	return false;
}

/* Closed in the directions that the membership's mode closes. */
static bool add_closed(struct site *site, const struct gcks_membership *membership,
		       const struct gcks_prefix *prefix)
{
	if (membership->mode != GCKS_MODE_RECEIVE_ONLY && !contained(&site->protect_out, prefix) &&
	    !add_prefix(&site->closed_out, prefix))
		return false;
	return membership->mode != GCKS_MODE_FAIL_CLOSED || contained(&site->protect_in, prefix) ||
	       add_prefix(&site->closed_in, prefix);
}

static bool collect_protect(struct site *site)
{
	for (const struct gcks_membership *each = site->table->memberships; each; each = each->next)
		for (size_t i = 0; i < each->protect_count; i++) {
			const struct gcks_prefix *prefix = &each->protect[i];

			if (!add_prefix(&site->protect, prefix) ||
			    !add_prefix(&site->inside, prefix))
				return false;
			if (each->mode != GCKS_MODE_RECEIVE_ONLY &&
			    (!add_prefix(&site->protect_out, prefix) ||
			     !add_prefix(&site->closed_out, prefix)))
				return false;
			if (each->mode == GCKS_MODE_FAIL_CLOSED &&
			    (!add_prefix(&site->protect_in, prefix) ||
			     !add_prefix(&site->closed_in, prefix)))
				return false;
		}
	return true;
}

static bool collect_learnt(struct site *site, const struct gcks_membership *membership)
{
	for (size_t i = 0; i < membership->route_count; i++)
		if (!add_closed(site, membership, &membership->routes[i].prefix))
			return false;
	for (size_t i = 0; i < membership->export_count; i++) {
		const struct gcks_prefix *own = &membership->exports[i];

		if (!contained(&site->protect, own) && !add_prefix(&site->inside, own))
			return false;
		if (!has_gateway(site->table, own) && !has_route_in(site->table, own) &&
		    !contains_one(own, &site->protect) && !add_prefix(&site->home, own))
			return false;
	}
	return true;
}

static bool collect_site(struct site *site)
{
	const struct gcks_member_table *table = site->table;

	if (!collect_protect(site))
		return false;
	for (const struct gcks_membership *each = table->memberships; each; each = each->next)
		if (!collect_learnt(site, each))
			return false;
	for (size_t i = 0; i < table->connected_count; i++)
		if (!has_gateway(table, &table->connected[i]) &&
		    !add_prefix(&site->home, &table->connected[i]))
			return false;
	return true;
}

static bool collect(struct site *site)
{
	if (!collect_site(site) || !block(site) || !pass_home(site) || !pass_gateways(site))
		return false;
	for (const struct gcks_membership *each = site->table->memberships; each; each = each->next)
		if (gcks_membership_usable(each) && !protect(site, each))
			return false;
	return true;
}

bool gcks_desires_make(struct gcks_desires *desires, const struct gcks_member_table *table,
		       const struct gcks_kernel_ids *known, bool routes_known)
{
	struct site site = { .table = table,
			     .known = known,
			     .routes_known = routes_known,
			     .desires = desires };
	bool done;

	*desires = (struct gcks_desires){ 0 };
	done = collect(&site);
	free(site.protect.list);
	free(site.protect_out.list);
	free(site.protect_in.list);
	free(site.closed_out.list);
	free(site.closed_in.list);
	free(site.inside.list);
	free(site.home.list);
	if (done)
		gcks_desires_keep_first(desires);
	else
		gcks_desires_clear(desires);
	return done;
}
