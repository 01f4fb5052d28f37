// SPDX-License-Identifier: GPL-2.0-or-later
/* Member: joins, what charon reports of them, and when to plan. */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"
#include "lib/memory.h"

#include "gcks/client.h"
#include "gcks/names.h"
#include "gcks/server.h"

#define SETTLE_MAX_S 60

/* What charon was told to join. */
struct joined {
	struct joined *next;
	char *group;
	uint8_t *packed; /* the Join */
	size_t length;
	uint32_t configured, identifier; /* as configured, as in use */
};

static struct joined *joins;
static struct event *t_reconsider, *t_settled;
static bool settled;
static bool states_repeated; /* bgpd was told all states after the resynchronisation */

static bool client_is(Gsa__Role role, enum gcks_client_state state)
{
	return gcks_local_status(role)->state == state;
}

/*
 * Without bgpd nothing is removed, not even what an excluded membership leaves: which routes there
 * are is not known then.
 */
static bool everything_known(void)
{
	return gcksd.configured && client_is(GSA__ROLE__ROLE_CHARON, GCKS_CLIENT_UP) &&
	       client_is(GSA__ROLE__ROLE_BGPD, GCKS_CLIENT_UP);
}

/* ---- joins ---- */

bool gcks_client_is_complete(const struct gcks_membership *membership)
{
	return membership && membership->connection_count && membership->gateway.length;
}

bool gcks_client_is_out(const struct gcks_membership *membership)
{
	return membership->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED ||
	       membership->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
}

/* Borrows from the membership. */
static void fill_join(Gsa__Join *join, const struct gcks_membership *membership)
{
	*join = (Gsa__Join)GSA__JOIN__INIT;
	join->group = membership->name;
	join->connection = membership->connections;
	join->n_connection = membership->connection_count;
	join->sender = true;
	join->retry_s = membership->retry_time_s;
	join->gsa_auth = membership->gsa_auth;
	join->renew = membership->renew;
}

static bool send_join(Gsa__Join *join)
{
	Gsa__Message message = GSA__MESSAGE__INIT;

	message.body_case = GSA__MESSAGE__BODY_JOIN;
	message.join = join;
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

static void free_joined(struct joined **at)
{
	struct joined *joined = *at;

	*at = joined->next;
	XFREE(MTYPE_TMP, joined->group);
	XFREE(MTYPE_TMP, joined->packed);
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

static void forget_registration(struct gcks_membership *membership)
{
	uint32_t identifier = gcks_membership_identifier(membership);

	gcks_membership_drop_sa(membership);
	membership->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_UNSPECIFIED;
	membership->notify = 0;
	membership->registered_at = 0;
	membership->learnt_identifier = 0;
	free(membership->text);
	membership->text = NULL;
	if (gcks_membership_identifier(membership) != identifier)
		gcks_routes_forget(membership);
}

/* Does another identifier change the verdict on the SA?  charon then has to get it again. */
static bool judged_otherwise(const struct gcks_membership *membership, const struct joined *joined)
{
	uint32_t configured = membership->configured_identifier;

	return joined->configured != configured &&
	       (gcks_client_is_out(membership) ||
		(membership->sa && configured && membership->learnt_identifier &&
		 membership->learnt_identifier != configured));
}

static void update_join(struct gcks_membership *membership)
{
	struct joined **at = find_joined(membership->name);
	uint32_t identifier = gcks_membership_identifier(membership);
	Gsa__Join join;
	uint8_t *packed;
	size_t length;

	/* bgpd knows the group by its number, and tells all of the new one's prefixes */
	if (*at && (*at)->identifier != identifier) {
		gcks_routes_forget(membership);
		(*at)->identifier = identifier;
	}
	if (*at && judged_otherwise(membership, *at)) {
		leave(at);
		forget_registration(membership);
		at = find_joined(membership->name);
	}
	fill_join(&join, membership);
	length = gsa__join__get_packed_size(&join);
	packed = XMALLOC(MTYPE_TMP, length);
	gsa__join__pack(&join, packed);
	if (*at && (*at)->length == length && memcmp((*at)->packed, packed, length) == 0) {
		XFREE(MTYPE_TMP, packed);
		(*at)->configured = membership->configured_identifier;
		return;
	}
	if (!send_join(&join)) {
		XFREE(MTYPE_TMP, packed);
		return;
	}
	if (*at)
		free_joined(at);
	at = &joins;
	while (*at)
		at = &(*at)->next;
	*at = XCALLOC(MTYPE_TMP, sizeof(**at));
	(*at)->group = XSTRDUP(MTYPE_TMP, membership->name);
	(*at)->packed = packed;
	(*at)->length = length;
	(*at)->configured = membership->configured_identifier;
	(*at)->identifier = gcks_membership_identifier(membership);
}

static void update_joins(void)
{
	struct joined **at = &joins;

	while (*at) {
		struct gcks_membership *membership =
			gcks_membership_find(&gcksd.members, (*at)->group);

		if (gcks_client_is_complete(membership)) {
			at = &(*at)->next;
			continue;
		}
		if (membership)
			forget_registration(membership);
		leave(at);
	}
	for (struct gcks_membership *membership = gcksd.members.memberships; membership;
	     membership = membership->next)
		if (gcks_client_is_complete(membership))
			update_join(membership);
}

void gcks_client_membership_gone(const struct gcks_membership *membership)
{
	struct joined **at = find_joined(membership->name);

	if (*at)
		leave(at);
}

/* ---- after a start ---- */

/* Of an earlier gcksd: what it had learnt about the group comes back with charon's report. */
static bool awaits_report(const struct gcks_membership *membership)
{
	return gcks_client_is_complete(membership) && !membership->sa &&
	       !gcks_client_is_out(membership) && gcks_install_holds_sa(membership->name);
}

bool gcks_client_settled(void)
{
	const struct gcks_membership *membership = gcksd.members.memberships;

	if (settled || !gcksd.configured)
		return settled;
	while (membership && !awaits_report(membership))
		membership = membership->next;
	if (!membership)
		settled = true;
	return settled;
}

static void settle(struct event *event)
{
	if (!settled)
		zlog_warn("GSA: charon has not brought back all groups that the kernel has SAs of; "
			  "bgpd is told what is known without them");
	settled = true;
	gcks_local_sync_done(GSA__ROLE__ROLE_BGPD);
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
	all = everything_known() && !gcks_install_is_pending() && !states_repeated;
	states_repeated |= all;
	gcks_routes_tell(all);
	if (settled)
		return;
	if (gcks_client_settled())
		gcks_local_sync_done(GSA__ROLE__ROLE_BGPD);
	else
		event_add_timer(gcksd.loop, settle, NULL, SETTLE_MAX_S, &t_settled);
}

void gcks_client_reconsider(void)
{
	event_add_event(gcksd.loop, reconsider, NULL, 0, &t_reconsider);
}

/* ---- memberships ---- */

static const char *identifier_fault(const struct gcks_membership *membership, uint32_t identifier)
{
	const struct gcks_membership *other;
	static char reason[160];

	if (identifier && membership->configured_identifier &&
	    identifier != membership->configured_identifier) {
		snprintf(reason, sizeof(reason),
			 "the key server's group has identifier %u, but %u is configured here",
			 identifier, membership->configured_identifier);
		return reason;
	}
	for (other = gcksd.members.memberships; other; other = other->next)
		if (other != membership && identifier &&
		    gcks_membership_identifier(other) == identifier) {
			snprintf(reason, sizeof(reason),
				 "the key server gives it identifier %u, which is that of group %s",
				 identifier, other->name);
			return reason;
		}
	return NULL;
}

static bool same_keys(const struct gcks_old_member_sa *a, const struct gcks_old_member_sa *b)
{
	return a->encryption == b->encryption && a->integrity == b->integrity &&
	       gsa_secret_equal(&a->encryption_key, &b->encryption_key) &&
	       gsa_secret_equal(&a->integrity_key, &b->integrity_key);
}

/* NULL, or why the GSA cannot be used; nothing has changed then. */
static const char *take_sa(struct gcks_membership *membership, const Gsa__GroupSa *group_sa)
{
	struct gcks_old_member_sa *before = membership->sa, *now;
	const char *reason = identifier_fault(membership, group_sa->group);

	if (reason)
		return reason;
	membership->sa = NULL;
	if (!gcks_membership_set_sa(membership, group_sa, &reason)) {
		membership->sa = before;
		return reason;
	}
	now = membership->sa;
	if (!gcks_membership_identifier(membership))
		zlog_warn("GSA: group %s: the key server does not send the group's identifier: "
			  "configure it (gsa member %s, identifier)",
			  membership->name, membership->name);
	if (before && before->spi == now->spi && !same_keys(before, now))
		gcks_install_forget_spi(now->spi);
	membership->sa = before;
	gcks_membership_drop_sa(membership);
	membership->sa = now;
	return NULL;
}

static void set_state(struct gcks_membership *membership, const Gsa__Membership *report,
		      Gsa__MembershipState state, uint32_t notify, const char *text)
{
	bool bad = state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED ||
		   state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED ||
		   state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST;
	const char *notify_name = gcks_notify_name(notify),
		   *name = gcks_membership_state_name(state);

	if (membership->state != state || membership->notify != notify ||
	    strcmp(membership->text ? membership->text : "", text) != 0) {
		/* "registered: registered with ..." says it twice */
		if (!notify && strncmp(text, name, strlen(name)) == 0)
			name = "";
		zlog(bad ? LOG_WARNING : LOG_INFO, "GSA: group %s: %s%s%s%s%s%s", membership->name,
		     name, notify ? " (" : "",
		     !notify	   ? ""
		     : notify_name ? notify_name
				   : "unknown error notify",
		     notify ? ")" : "", name[0] && text[0] ? ": " : "", text);
	}
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
	bool was_out;

	if (!membership || !*find_joined(membership->name))
		return; /* left meanwhile */
	if (state <= GSA__MEMBERSHIP_STATE__MEMBERSHIP_UNSPECIFIED ||
	    state > GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST) {
		zlog_warn("GSA: group %s: charon reports state %d, which gcksd does not know: "
			  "ignored",
			  membership->name, state);
		return;
	}
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED) {
		fault = report->group_sa ? take_sa(membership, report->group_sa)
					 : "the key server sent no SA";
		if (fault)
			state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED;
	}
	was_out = gcks_client_is_out(membership);
	set_state(membership, report, state, report->notify, fault ? fault : report->text);
	if (gcks_client_is_out(membership)) {
		gcks_membership_drop_sa(membership);
		membership->registered_at = 0;
		if (!was_out)
			gcks_routes_refuse(membership);
	}
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
		gcks_route_receive(message->route);
		break;
	case GSA__MESSAGE__BODY_EXPORT:
		gcks_export_receive(message->export);
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
	gcks_routes_tell(true);
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

void gcks_client_stop(void)
{
	while (joins)
		free_joined(&joins);
	event_cancel(&t_reconsider);
	event_cancel(&t_settled);
	gcks_install_stop();
}
