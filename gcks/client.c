// SPDX-License-Identifier: GPL-2.0-or-later
/* Member: what charon reports of its memberships, the phases of their SAs, and when to plan. */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"
#include "lib/monotime.h"

#include "gcks/client.h"
#include "gcks/names.h"
#include "gcks/server.h"

#define SETTLE_MAX_S 60
#define PHASE_MAX_MS (3600 * 1000) /* a timer takes no more than an int */

static struct event *t_reconsider, *t_settled, *t_phases;
static bool settled;
static bool store_doubted; /* until charon has said what it was given before: gcks_membership_doubt() */
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

/* Without bgpd it is not known which routes there are; of old SAs that says nothing. */
static enum gcks_removal removal(void)
{
	if (!gcksd.configured || !client_is(GSA__ROLE__ROLE_CHARON, GCKS_CLIENT_UP))
		return GCKS_REMOVE_NOTHING;
	return everything_known() ? GCKS_REMOVE_ALL : GCKS_REMOVE_OLD_SAS;
}

bool gcks_client_is_out(const struct gcks_membership *membership)
{
	return membership->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED ||
	       membership->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
}

/* ---- after a start ---- */

/* Of an earlier gcksd: what it had learnt about the group comes back with charon's report. */
static bool awaits_report(const struct gcks_membership *membership)
{
	return gcks_client_is_complete(membership) && !membership->sas && !membership->ended &&
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

/* ---- phases ---- */

static void retire_sa(const struct gcks_membership *membership, const struct gcks_member_sa *sa)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__RetireSa retire = GSA__RETIRE_SA__INIT;

	retire.group = membership->name;
	retire.spi = sa->spi;
	message.body_case = GSA__MESSAGE__BODY_RETIRE_SA;
	message.retire_sa = &retire;
	/* if charon is away it tells of the SA again, and then of its age */
	gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

static void log_gone(const struct gcks_membership *membership, const struct gcks_member_sa *sa)
{
	if (sa->phase == GCKS_SA_RETIRING)
		zlog_info("GSA: group %s: the SA 0x%08x has been replaced and is gone",
			  membership->name, sa->spi);
	else
		zlog_warn("GSA: group %s: the SA 0x%08x has come to the end of its lifetime%s",
			  membership->name, sa->spi,
			  membership->ended ? "; no key server has sent another one, traffic of "
					      "the group is blocked"
					    : "");
}

static void tell_phases(struct gcks_membership *membership)
{
	struct gcks_member_sa *gone;

	for (struct gcks_member_sa *sa = membership->sas; sa; sa = sa->next) {
		if (!sa->logged && sa->phase == GCKS_SA_ACTIVE)
			zlog_info("GSA: group %s: sending with the SA 0x%08x", membership->name,
				  sa->spi);
		sa->logged = true;
	}
	while ((gone = membership->gone)) {
		membership->gone = gone->next;
		log_gone(membership, gone);
		retire_sa(membership, gone);
		gcks_member_sa_free(gone);
	}
}

static void phase_over(struct event *event)
{
	gcks_client_reconsider();
}

static void advance(void)
{
	int64_t now = gcks_now_ms(), deadline = gcks_member_advance(&gcksd.members, now);

	for (struct gcks_membership *each = gcksd.members.memberships; each; each = each->next)
		tell_phases(each);
	event_cancel(&t_phases);
	if (deadline != INT64_MAX)
		event_add_timer_msec(gcksd.loop, phase_over, NULL,
				     MIN(deadline - now, PHASE_MAX_MS), &t_phases);
}

static void reconsider(struct event *event)
{
	bool all;

	if (!gcksd.configured)
		return;
	advance();
	gcks_senders_update();
	gcks_joins_update();
	gcks_announce_groups();
	gcks_install_plan(removal());
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

const char *gcks_client_identifier_fault(const struct gcks_membership *membership,
					 uint32_t identifier)
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

/* NULL, or why the GSA cannot be used; nothing has changed then. */
static const char *take_sas(struct gcks_membership *membership, const Gsa__GroupSa *group_sa)
{
	const char *reason = gcks_client_identifier_fault(membership, group_sa->group);

	if (reason) {
		membership->refused_identifier = group_sa->group;
		return reason;
	}
	if (!gcks_membership_set_sas(membership, group_sa, gcks_now_ms(), &reason))
		return reason;
	if (store_doubted && client_is(GSA__ROLE__ROLE_CHARON, GCKS_CLIENT_SYNC))
		gcks_membership_doubt(membership);
	membership->renew_wished = false;
	membership->reported = true;
	if (membership->lost_at)
		gcks_sender_registered(membership, gcks_now_ms() - membership->lost_at);
	/* bgpd may ask before anything else happens */
	gcks_senders_update();
	if (reason)
		zlog_warn("GSA: group %s: an SA of the key server is not used: %s",
			  membership->name, reason);
	if (!gcks_membership_identifier(membership))
		zlog_warn("GSA: group %s: the key server does not send the group's identifier: "
			  "configure it (gsa member %s, identifier)",
			  membership->name, membership->name);
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
		/* and so does "refused (...): ... (...)" */
		if (notify && !notify_name)
			notify_name = "unknown error notify";
		else if (notify && strstr(text, notify_name))
			notify_name = NULL;
		zlog(bad ? LOG_WARNING : LOG_INFO, "GSA: group %s: %s%s%s%s%s%s", membership->name,
		     name, notify_name ? " (" : "", notify_name ? notify_name : "",
		     notify_name ? ")" : "", name[0] && text[0] ? ": " : "", text);
	}
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED &&
	    (membership->state != state || !membership->registered_at))
		membership->registered_at = time(NULL);
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
		membership->lost_at = 0;
	else if (membership->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
		membership->lost_at = gcks_now_ms();
	membership->state = state;
	membership->notify = notify;
	/* the table frees it with free() */
	free(membership->text);
	membership->text = text[0] ? strdup(text) : NULL;
	if (report->key_server.len)
		gcks_address_from(&membership->key_server, report->key_server.data,
				  report->key_server.len);
	if (report->connection[0]) {
		free(membership->connection_in_use);
		membership->connection_in_use = strdup(report->connection);
	}
}

/*
 * REGISTRATION_FAILED speaks of the key server, not of us: it cannot register anybody now.  What it
 * gave before is good until its end, as when the key server is not reached at all.
 */
static bool is_temporary(const struct gcks_membership *membership, const Gsa__Membership *report)
{
	return report->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED &&
	       report->notify == GSA_NOTIFY_REGISTRATION_FAILED &&
	       !gcks_client_is_out(membership) &&
	       (membership->sas || gcks_install_holds_sa(membership->name));
}

static void take_membership(const Gsa__Membership *report)
{
	struct gcks_membership *membership = gcks_membership_find(&gcksd.members, report->group);
	Gsa__MembershipState state = report->state;
	const char *fault = NULL;
	bool was_out;

	if (!membership || !gcks_joins_has(membership->name))
		return; /* left meanwhile */
	if (state <= GSA__MEMBERSHIP_STATE__MEMBERSHIP_UNSPECIFIED ||
	    state > GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST) {
		zlog_warn("GSA: group %s: charon reports state %d, which gcksd does not know: "
			  "ignored",
			  membership->name, state);
		return;
	}
	membership->refused_identifier = 0;
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED) {
		if (report->group_sa && report->group_sa->n_data_sa)
			fault = take_sas(membership, report->group_sa);
		else if (!membership->ended)
			fault = "the key server sent no SA";
		if (fault)
			state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED;
	}
	if (is_temporary(membership, report))
		state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST;
	was_out = gcks_client_is_out(membership);
	set_state(membership, report, state, report->notify, fault ? fault : report->text);
	if (gcks_client_is_out(membership)) {
		gcks_membership_drop_sas(membership);
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
	case GSA__MESSAGE__BODY_STATE_ENDED:
		gcks_install_ended(message->state_ended);
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
	static bool resumed;

	gcks_server_charon_connected();
	for (struct gcks_membership *each = gcksd.members.memberships; each; each = each->next) {
		each->reported = false;
		each->resuming |= !resumed;
	}
	resumed = true;
	gcks_joins_forget();
	gcks_install_reset();
	gcks_joins_update();
	gcks_install_plan(GCKS_REMOVE_NOTHING);
}

void gcks_client_charon_synced(void)
{
	store_doubted = false;
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
	store_doubted = !gcks_store_is_complete(gcksd.store);
	gcks_install_start();
}

void gcks_client_stop(void)
{
	gcks_joins_forget();
	gcks_senders_stop();
	gcks_lost_stop();
	event_cancel(&t_reconsider);
	event_cancel(&t_phases);
	event_cancel(&t_settled);
	gcks_gone_stop();
	gcks_install_stop();
}
