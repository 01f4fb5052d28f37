// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Member: states that the kernel does not hold any more though nobody here has asked for that.  An
 * operator has deleted them, or Linux took their lifetime for over: it looks at it a second after a
 * state was made, on the clock of the day, and a clock that is set meanwhile ends the state.  Or an
 * outbound one has used up its sequence numbers.
 *
 *   one SA for all   the same state is made again
 *   pairwise         its key is not used again (planner.h): the next Sender-ID gives all pairs new
 *                    ones, the one in reserve or that of another registration (member_sender.c)
 *
 * Either way it waits if it happens again and again (member_backoff.c).  At the end of an SA its states
 * go by themselves, perhaps a little before gcksd sees it end: nothing follows from that.
 */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"

#include "gcks/client.h"
#include "gcks/planner.h"

#define REPEATED_MS 1000
#define END_MS	    5000 /* before the end of an SA: the kernel counts whole seconds */

static struct gcks_kernel_ids waiting; /* not asked for before their membership's again_at */
static struct event *t_again;

/* ---- waiting ---- */

static bool waits(const struct gcks_kernel_id *id, int64_t now)
{
	const struct gcks_membership *membership = gcks_membership_find(&gcksd.members, id->group);

	return membership && now < membership->losses.backoff.again_at;
}

static void again(struct event *event);

static void set_timer(void)
{
	int64_t next = INT64_MAX, now = gcks_now_ms();

	for (struct gcks_membership *each = gcksd.members.memberships; each; each = each->next)
		if (now < each->losses.backoff.again_at)
			next = MIN(next, each->losses.backoff.again_at);
	event_cancel(&t_again);
	if (next != INT64_MAX)
		event_add_timer_msec(gcksd.loop, again, NULL, (long)(next - now), &t_again);
}

static void again(struct event *event)
{
	int64_t now = gcks_now_ms();

	for (size_t i = waiting.count; i-- > 0;) {
		struct gcks_kernel_id id = waiting.ids[i];

		if (!waits(&id, now))
			gcks_kernel_ids_remove(&waiting, &id);
	}
	set_timer();
	gcks_client_reconsider();
}

bool gcks_lost_waits(const struct gcks_kernel_id *id)
{
	return gcks_kernel_ids_has(&waiting, id);
}

/* ---- what is lost ---- */

static const char *why(Gsa__EndedBy by, const struct gcks_member_sa *sa, char *buffer, size_t size)
{
	switch (by) {
	case GSA__ENDED_BY__ENDED_BY_EXPIRY:
		if (sa->expires_at)
			snprintf(buffer, size,
				 "the kernel took its lifetime for over, %u s before its end: was "
				 "the clock set?",
				 gcks_member_sa_lifetime_s(sa, gcks_now_ms()));
		else
			snprintf(buffer, size, "the kernel took its lifetime for over");
		return buffer;
	case GSA__ENDED_BY__ENDED_BY_VOLUME:
		return "it has sent as many packets as its sequence numbers are good for: a shorter "
		       "lifetime of the group's SA comes before that";
	case GSA__ENDED_BY__ENDED_BY_DELETION:
		return "somebody has deleted it (ip xfrm state delete?)";
	case GSA__ENDED_BY__ENDED_BY_FLUSH:
		return "somebody has deleted all states (ip xfrm state flush?)";
	default:
		return "it is not in the kernel any more";
	}
}

static const char *what_follows(const struct gcks_kernel_id *id, const struct gcks_member_sa *sa)
{
	if (!gcks_is_pair(id))
		return "it is made again";
	if (sa->phase == GCKS_SA_RETIRING)
		return "its key is not used again, the SA has been replaced already";
	return "its key is not used again, another Sender-ID follows";
}

static void log_lost(const struct gcks_membership *membership, const struct gcks_kernel_id *id,
		     const struct gcks_member_sa *sa, const char *which, const char *reason)
{
	const struct gcks_backoff *losses = &membership->losses.backoff;

	if (losses->in_a_row < 2)
		zlog_warn("GSA: %s is lost: %s; %s", which, reason, what_follows(id, sa));
	else
		zlog_warn("GSA: %s is lost: %s; %s, in up to %" PRId64
			  " s as this has happened %u times in a row: look for what ends the "
			  "kernel's states here",
			  which, reason, what_follows(id, sa), losses->delay_ms / 1000,
			  losses->in_a_row);
}

bool gcks_lost(const struct gcks_kernel_id *id, const char *which, Gsa__EndedBy by)
{
	struct gcks_membership *membership = gcks_membership_find(&gcksd.members, id->group);
	const struct gcks_member_sa *sa = gcks_sa_of_state(membership, id);
	int64_t now = gcks_now_ms();
	const char *reason;
	char buffer[160];

	/* of a group whose SA is still to come back: it will be asked for then */
	if (!sa)
		return true;
	if (sa->expires_at && sa->expires_at - now <= END_MS)
		return false;
	reason = why(by, sa, buffer, sizeof(buffer));
	membership->losses.count++;
	if (gcks_backoff_add(&membership->losses.backoff, now, REPEATED_MS))
		log_lost(membership, id, sa, which, reason);
	else
		gcks_debug_log(member, "%s is lost as well: %s", which, reason);
	free(membership->losses.text);
	membership->losses.text = strdup(reason);
	if (!gcks_is_pair(id) && !gcks_kernel_ids_add(&waiting, id))
		zlog_err("GSA: out of memory: %s is made again at once", which);
	set_timer();
	return true;
}

void gcks_lost_stop(void)
{
	gcks_kernel_ids_clear(&waiting);
	event_cancel(&t_again);
}
