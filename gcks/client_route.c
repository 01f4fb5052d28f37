// SPDX-License-Identifier: GPL-2.0-or-later
/* Member: prefixes of joined groups, as bgpd reports them, and which of them it may use. */
#include <zebra.h>

#include "lib/log.h"
#include "lib/monotime.h"

#include "gcks/client.h"

#define LOG_INTERVAL_S 60

/* ---- to bgpd ---- */

static bool send_state(const struct gcks_membership *membership,
		       const struct gcks_member_route *route)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__RouteState state = GSA__ROUTE_STATE__INIT;
	Gsa__Prefix prefix = GSA__PREFIX__INIT;

	prefix.address.data = (uint8_t *)route->prefix.address.octets;
	prefix.address.len = route->prefix.address.length;
	prefix.length = route->prefix.length;
	state.group = gcks_membership_identifier(membership);
	state.prefix = &prefix;
	state.gateway.data = (uint8_t *)route->gateway.octets;
	state.gateway.len = route->gateway.length;
	state.ready = route->ready;
	message.body_case = GSA__MESSAGE__BODY_ROUTE_STATE;
	message.route_state = &state;
	return gcks_local_send(GSA__ROLE__ROLE_BGPD, &message);
}

/*
 * May a route that is not ready be called so?  Not while charon has still to answer, or the SA
 * to come back: what the kernel holds goes on meanwhile, and what it does not hold yet (a new
 * LAN's policies) is blocked.
 */
static bool is_decided(const struct gcks_membership *membership)
{
	if (gcks_client_is_out(membership))
		return true;
	return (membership->sas || membership->ended) &&
	       gcks_local_status(GSA__ROLE__ROLE_CHARON)->state != GCKS_CLIENT_AWAY &&
	       !gcks_install_is_pending();
}

/*
 * Of a route that is not ready bgpd may think otherwise without having been told by us: by an
 * earlier gcksd, or when the route has moved to another gateway.
 */
static void tell(struct gcks_membership *membership, bool ready_again, bool not_ready_again)
{
	bool decided = is_decided(membership);

	for (size_t i = 0; i < membership->route_count; i++) {
		struct gcks_member_route *route = &membership->routes[i];
		bool again = route->ready ? ready_again : not_ready_again;

		if (!again && route->ready == route->told_ready)
			continue;
		if ((route->ready || decided) && send_state(membership, route))
			route->told_ready = route->ready;
	}
}

void gcks_routes_tell(bool all)
{
	gcks_install_update_ready();
	for (struct gcks_membership *membership = gcksd.members.memberships; membership;
	     membership = membership->next)
		tell(membership, all, all || gcks_install_has_failed());
}

void gcks_routes_refuse(struct gcks_membership *membership)
{
	gcks_install_update_ready();
	tell(membership, false, true);
}

void gcks_routes_follow(struct gcks_membership *membership)
{
	uint32_t identifier = gcks_membership_identifier(membership);

	if (membership->routes_identifier == identifier)
		return;
	membership->routes_identifier = identifier;
	/* from the end, so that nothing is moved */
	for (size_t i = membership->route_count; i-- > 0;) {
		struct gcks_prefix prefix = membership->routes[i].prefix;

		gcks_membership_remove_route(membership, &prefix);
	}
	for (size_t i = membership->export_count; i-- > 0;) {
		struct gcks_prefix prefix = membership->exports[i];

		gcks_membership_remove_export(membership, &prefix);
	}
}

/* ---- from bgpd ---- */

/* A group that was left meanwhile, or one that somebody else's error brought us. */
static void log_unknown_group(uint32_t group)
{
	static time_t logged;
	time_t now = monotime(NULL);

	if (logged && now - logged < LOG_INTERVAL_S)
		return;
	logged = now;
	zlog_warn("GSA: bgpd reports prefixes of group %u, which this router does not belong to: "
		  "ignored",
		  group);
}

void gcks_route_receive(const Gsa__Route *route)
{
	struct gcks_membership *membership =
		gcks_membership_find_identifier(&gcksd.members, route->group);
	struct gcks_prefix prefix;
	struct gcks_address gateway;

	if (!membership && !route->withdrawn)
		log_unknown_group(route->group);
	if (!membership || !route->prefix ||
	    !gcks_prefix_from(&prefix, route->prefix->address.data, route->prefix->address.len,
			      route->prefix->length))
		return;
	if (route->withdrawn) {
		gcks_membership_remove_route(membership, &prefix);
	} else {
		if (!gcks_address_from(&gateway, route->gateway.data, route->gateway.len))
			return;
		if (!gcks_membership_set_route(membership, &prefix, &gateway,
					       route->has_sender_id ? &route->sender_id : NULL))
			zlog_err("GSA: group %s: out of memory: a route stays unused",
				 membership->name);
	}
	gcks_client_reconsider();
}

void gcks_export_receive(const Gsa__Export *export)
{
	struct gcks_membership *membership =
		gcks_membership_find_identifier(&gcksd.members, export->group);
	struct gcks_prefix prefix;

	if (!membership && !export->withdrawn)
		log_unknown_group(export->group);
	if (!membership || !export->prefix ||
	    !gcks_prefix_from(&prefix, export->prefix->address.data, export->prefix->address.len,
			      export->prefix->length))
		return;
	if (export->withdrawn)
		gcks_membership_remove_export(membership, &prefix);
	else if (!gcks_membership_set_export(membership, &prefix))
		zlog_err("GSA: group %s: out of memory: an exported prefix is not protected",
			 membership->name);
	gcks_client_reconsider();
}
