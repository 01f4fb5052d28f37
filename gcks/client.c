// SPDX-License-Identifier: GPL-2.0-or-later
/* Member: joins, what charon and bgpd report, and which routes may be used. */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"
#include "lib/memory.h"

#include "gcks/client.h"
#include "gcks/server.h"

/* What charon was told to join. */
struct joined {
	struct joined *next;
	char *group, *connection;
	uint32_t retry_s;
};

static struct joined *joins;
static struct event *t_reconsider;
static bool states_repeated; /* bgpd was told all states after the resynchronisation */

static bool client_is(Gsa__Role role, enum gcks_client_state state)
{
	return gcks_local_status(role)->state == state;
}

static bool everything_known(void)
{
	return gcksd.configured && client_is(GSA__ROLE__ROLE_CHARON, GCKS_CLIENT_UP) &&
	       client_is(GSA__ROLE__ROLE_BGPD, GCKS_CLIENT_UP);
}

/* ---- joins ---- */

static bool complete(const struct gcks_membership *membership)
{
	return membership && membership->connection && membership->gateway.length;
}

static bool send_join(const struct gcks_membership *membership)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Join join = GSA__JOIN__INIT;

	join.group = membership->name;
	join.connection = membership->connection;
	join.sender = true;
	join.retry_s = membership->retry_time_s;
	message.body_case = GSA__MESSAGE__BODY_JOIN;
	message.join = &join;
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

static void free_joined(struct joined **at)
{
	struct joined *joined = *at;

	*at = joined->next;
	XFREE(MTYPE_TMP, joined->group);
	XFREE(MTYPE_TMP, joined->connection);
	XFREE(MTYPE_TMP, joined);
}

static struct joined **find_joined(const char *group)
{
	struct joined **at = &joins;

	while (*at && strcmp((*at)->group, group) != 0)
		at = &(*at)->next;
	return at;
}

static void leave(struct joined **at)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Leave leave = GSA__LEAVE__INIT;

	leave.group = (*at)->group;
	message.body_case = GSA__MESSAGE__BODY_LEAVE;
	message.leave = &leave;
	gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
	free_joined(at);
}

static void update_join(const struct gcks_membership *membership)
{
	struct joined **at = find_joined(membership->name);

	if (*at && strcmp((*at)->connection, membership->connection) == 0 &&
	    (*at)->retry_s == membership->retry_time_s)
		return;
	if (!send_join(membership))
		return;
	if (*at)
		free_joined(at);
	at = &joins;
	while (*at)
		at = &(*at)->next;
	*at = XCALLOC(MTYPE_TMP, sizeof(**at));
	(*at)->group = XSTRDUP(MTYPE_TMP, membership->name);
	(*at)->connection = XSTRDUP(MTYPE_TMP, membership->connection);
	(*at)->retry_s = membership->retry_time_s;
}

static void update_joins(void)
{
	struct joined **at = &joins;

	while (*at) {
		struct gcks_membership *membership =
			gcks_membership_find(&gcksd.members, (*at)->group);

		if (complete(membership)) {
			at = &(*at)->next;
			continue;
		}
		if (membership) {
			gcks_membership_drop_sa(membership);
			membership->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_UNSPECIFIED;
		}
		leave(at);
	}
	for (struct gcks_membership *membership = gcksd.members.memberships; membership;
	     membership = membership->next)
		if (complete(membership))
			update_join(membership);
}

void gcks_client_membership_gone(const struct gcks_membership *membership)
{
	struct joined **at = find_joined(membership->name);

	if (*at)
		leave(at);
}

/* ---- routes ---- */

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

static void tell_states(bool all)
{
	gcks_install_update_ready();
	for (struct gcks_membership *membership = gcksd.members.memberships; membership;
	     membership = membership->next)
		for (size_t i = 0; i < membership->route_count; i++) {
			struct gcks_member_route *route = &membership->routes[i];

			if ((all || route->ready != route->told_ready) &&
			    send_state(membership, route))
				route->told_ready = route->ready;
		}
}

static void reconsider(struct event *event)
{
	bool all;

	if (!gcksd.configured)
		return;
	update_joins();
	gcks_announce_groups();
	gcks_install_plan(everything_known());
	/* once: a bgpd that outlived gcksd may use a route that is not protected any more */
	all = everything_known() && !states_repeated;
	states_repeated |= all;
	tell_states(all);
}

void gcks_client_reconsider(void)
{
	event_add_event(gcksd.loop, reconsider, NULL, 0, &t_reconsider);
}

void gcks_client_tell_ready(void)
{
	tell_states(false);
}

static void take_route(const Gsa__Route *route)
{
	struct gcks_membership *membership =
		gcks_membership_find_identifier(&gcksd.members, route->group);
	struct gcks_prefix prefix;
	struct gcks_address gateway;

	if (!membership || !route->prefix ||
	    !gcks_prefix_from(&prefix, route->prefix->address.data, route->prefix->address.len,
			      route->prefix->length))
		return;
	if (route->withdrawn) {
		gcks_membership_remove_route(membership, &prefix);
	} else {
		if (!gcks_address_from(&gateway, route->gateway.data, route->gateway.len))
			return;
		if (!gcks_membership_set_route(membership, &prefix, &gateway))
			zlog_err("GSA: group %s: out of memory: a route stays unused",
				 membership->name);
	}
	gcks_client_reconsider();
}

static void take_export(const Gsa__Export *export)
{
	struct gcks_membership *membership =
		gcks_membership_find_identifier(&gcksd.members, export->group);
	struct gcks_prefix prefix;

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

/* ---- memberships ---- */

static const char *state_name(Gsa__MembershipState state)
{
	static const char *const names[] = { "idle",	"connecting", "registered",
					     "refused", "excluded",   "lost" };

	return (size_t)state < array_size(names) ? names[state] : "unknown";
}

static const char *notify_name(uint32_t notify)
{
	switch (notify) {
	case 0:
		return "";
	case 14:
		return " (NO_PROPOSAL_CHOSEN)";
	case 24:
		return " (AUTHENTICATION_FAILED)";
	case 45:
		return " (INVALID_GROUP_ID)";
	case 46:
		return " (AUTHORIZATION_FAILED)";
	case 49:
		return " (REGISTRATION_FAILED)";
	default:
		return " (error notify)";
	}
}

/* NULL, or why the GSA cannot be used; nothing has changed then. */
static const char *take_sa(struct gcks_membership *membership, const Gsa__GroupSa *group_sa)
{
	const char *reason = "out of memory";
	const struct gcks_member_sa *sa;
	struct gsa_secret encryption = {}, integrity = {};
	uint32_t spi = 0, identifier = group_sa->group;
	bool changed;

	if (identifier && membership->configured_identifier &&
	    identifier != membership->configured_identifier)
		return "the key server's group has another identifier than is configured here";
	if (membership->sa) {
		spi = membership->sa->spi;
		if (!gsa_secret_copy(&encryption, membership->sa->encryption_key.data,
				     membership->sa->encryption_key.length) ||
		    !gsa_secret_copy(&integrity, membership->sa->integrity_key.data,
				     membership->sa->integrity_key.length)) {
			gsa_secret_clear(&encryption);
			return reason;
		}
	}
	if (!gcks_membership_set_sa(membership, group_sa, &reason)) {
		gsa_secret_clear(&encryption);
		gsa_secret_clear(&integrity);
		return reason;
	}
	sa = membership->sa;
	changed = spi == sa->spi && (!gsa_secret_equal(&encryption, &sa->encryption_key) ||
				     !gsa_secret_equal(&integrity, &sa->integrity_key));
	gsa_secret_clear(&encryption);
	gsa_secret_clear(&integrity);
	if (changed)
		gcks_install_forget_spi(spi);
	if (identifier)
		membership->learnt_identifier = identifier;
	return NULL;
}

static void set_state(struct gcks_membership *membership, const Gsa__Membership *report,
		      Gsa__MembershipState state, uint32_t notify, const char *text)
{
	if (membership->state != state || membership->notify != notify ||
	    strcmp(membership->text ? membership->text : "", text) != 0)
		zlog_info("GSA: group %s: %s%s%s%s", membership->name, state_name(state),
			  notify_name(notify), text[0] ? ": " : "", text);
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED &&
	    (membership->state != state || !membership->registered_at))
		membership->registered_at = time(NULL);
	membership->state = state;
	membership->notify = notify;
	/* the table frees it with free() */
	free(membership->text);
	membership->text = text[0] ? strdup(text) : NULL;
	if (report->key_server.len)
		gcks_address_from(&membership->key_server, report->key_server.data,
				  report->key_server.len);
}

static void take_membership(const Gsa__Membership *report)
{
	struct gcks_membership *membership = gcks_membership_find(&gcksd.members, report->group);
	Gsa__MembershipState state = report->state;
	const char *fault = NULL;

	if (!membership)
		return; /* left meanwhile */
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED) {
		fault = report->group_sa ? take_sa(membership, report->group_sa)
					 : "the key server sent no SA";
		if (fault) {
			zlog_warn("GSA: group %s: what the key server sent is not used: %s",
				  membership->name, fault);
			state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED;
		}
	}
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED ||
	    state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED)
		gcks_membership_drop_sa(membership);
	set_state(membership, report, state, report->notify, fault ? fault : report->text);
	gcks_client_reconsider();
}

void gcks_client_receive(const Gsa__Message *message)
{
	switch (message->body_case) {
	case GSA__MESSAGE__BODY_MEMBERSHIP:
		take_membership(message->membership);
		break;
	case GSA__MESSAGE__BODY_INSTALLED:
		gcks_install_acknowledged(message->installed);
		break;
	case GSA__MESSAGE__BODY_ROUTE:
		take_route(message->route);
		break;
	case GSA__MESSAGE__BODY_EXPORT:
		take_export(message->export);
		break;
	default:
		break;
	}
}

/* ---- resynchronisation ---- */

void gcks_client_charon_connected(void)
{
	gcks_server_charon_connected();
	while (joins)
		free_joined(&joins);
	gcks_install_reset();
	update_joins();
	gcks_install_plan(false);
}

void gcks_client_charon_synced(void)
{
	gcks_client_reconsider();
}

void gcks_client_bgpd_connected(void)
{
	gcks_member_mark_stale(&gcksd.members);
	states_repeated = false;
	tell_states(true);
}

void gcks_client_bgpd_synced(void)
{
	gcks_member_sweep_stale(&gcksd.members);
	gcks_client_reconsider();
}

void gcks_client_start(void)
{
	gcks_install_start();
}
