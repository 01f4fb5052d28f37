// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When a group gets new SAs, and who is told when.  Pure: `now` is monotonic milliseconds; what has
 * to be done is asked for step by step, and done by the caller.
 *
 *            a trigger: leaves are collected for a second, the rest is at once
 *   IDLE ---------------------------------------------------------------------> DUE
 *    ^                                                                           |
 *    | the old SAs have ended                        MAKE: new SA, store, table  |
 *    |                                                                           v
 *   SETTLING <-------------------------------------------------------------- PUSHING
 *                TOLD: each member has answered, or not in time
 *
 * A trigger while PUSHING or SETTLING makes one following rekey: after the push, and when no more
 * than GCKS_SA_LIVE SAs come of it.  Members that could not be told are UNANSWERED, and told again
 * with the next rekey or when charon holds them again (gcks_rekey_resume()).
 *
 * All members send with a new SA from one moment on, whenever they were told of it: `activates_at`
 * is set when the SA is made, and each message says what is left until then.  So a push may take as
 * long as the activation delay.
 */
#ifndef GCKS_REKEY_H
#define GCKS_REKEY_H

#include "gcks/registration.h"
#include "gcks/sa_table.h"

#define GCKS_REKEY_COLLECT_MS  1000   /* leaves within this time are one rekey */
#define GCKS_REKEY_RETRY_MS    10000  /* after the store has failed */
#define GCKS_REKEY_CONFLICT_MS 60000  /* between rekeys for SPIs that members cannot use */
#define GCKS_REKEY_ANSWER_MS   300000 /* charon tells much earlier; a place in flight is not lost */
#define GCKS_SA_LIVE	       4      /* SAs of a group beyond which the next rekey waits */

struct gcks_tables {
	const struct gcks_policy *policy;
	struct gcks_registrations *registrations;
	struct gcks_sa_table *sas;
};

enum gcks_rekey_phase { GCKS_REKEY_IDLE, GCKS_REKEY_DUE, GCKS_REKEY_PUSHING, GCKS_REKEY_SETTLING };

enum gcks_rekey_phase gcks_rekey_phase(const struct gcks_sa_group *group);

/* For people: the rekey that goes on, or the last one. */
struct gcks_rekey_status {
	enum gcks_rekey_phase phase;
	unsigned int reasons; /* of what is wished for, else of the last one */
	size_t acknowledged, members; /* of those that were to be told */
};
struct gcks_rekey_status gcks_rekey_status(const struct gcks_tables *tables,
					   const struct gcks_sa_group *group);

/* False: the group has no SA, the next member gets a new one anyway. */
bool gcks_rekey_trigger(struct gcks_sa_group *group, enum gcks_trigger trigger, int64_t now);
/* A registration is about to end: a trigger, if the group's policy says so. */
void gcks_rekey_left(const struct gcks_tables *tables, const struct gcks_registration *entry,
		     int64_t now);

/*
 * The group has to begin anew, since `reason` (static): it is tried until it is stored, and nobody is
 * given anything of before meanwhile.
 */
void gcks_rekey_anew(struct gcks_sa_group *group, const char *reason);

enum gcks_rekey_step {
	GCKS_REKEY_NOTHING,
	GCKS_REKEY_END_SA, /* `sa` is over: remove it from store and table */
	GCKS_REKEY_ANEW,   /* gcks_decide_anew(), and the rest as with MAKE */
	GCKS_REKEY_MAKE,   /* gcks_decide_rekey(), store, gcks_decision_apply(); or
			      gcks_rekey_failed() */
	GCKS_REKEY_PUSH,   /* tell `entry`, then gcks_rekey_pushed() */
	GCKS_REKEY_TOLD,   /* everybody was told: store the deliveries that differ */
};
struct gcks_rekey_action {
	enum gcks_rekey_step step;
	struct gcks_sa *sa;
	struct gcks_registration *entry;
};
/*
 * What to do for the group now; ask again until it is nothing.  `connected`: members can be told
 * (charon is there and has said which ones it holds).
 */
struct gcks_rekey_action gcks_rekey_next(const struct gcks_tables *tables,
					 struct gcks_sa_group *group, int64_t now, bool connected);
/* When there is something to do again unless something happens; GCKS_NEVER: not before. */
int64_t gcks_rekey_wakeup(const struct gcks_tables *tables, const struct gcks_sa_group *group,
			  bool connected);

/* The new SA is in the table: everybody waits for it.  (Of gcks_decision_apply().) */
void gcks_rekey_begin(const struct gcks_tables *tables, struct gcks_sa_group *group, int64_t now);
void gcks_rekey_failed(struct gcks_sa_group *group, int64_t now);
/* The newest SA is on its way to the member, under this number. */
void gcks_rekey_pushed(const struct gcks_tables *tables, struct gcks_registration *entry,
		       uint32_t request, int64_t now);
/* The answer.  NULL: nothing with this number is in flight (it was ended or replaced). */
struct gcks_registration *gcks_rekey_done(const struct gcks_tables *tables, uint32_t request,
					  bool ok, int64_t now);
/*
 * Did it get the newest SA only when others were to send with it already?  What they sent to it
 * meanwhile is lost.
 */
bool gcks_rekey_was_late(const struct gcks_sa_group *group, const struct gcks_registration *entry);
/*
 * charon has connected and said which registrations it holds: what was in flight before is told
 * again, and so is everybody who is behind.  How many will be told.
 */
size_t gcks_rekey_resume(const struct gcks_tables *tables, struct gcks_sa_group *group,
			 int64_t now);
/* After a load: who holds the newest SA, as far as the store knows. */
void gcks_rekey_loaded(const struct gcks_tables *tables, struct gcks_sa_group *group);
/* Its IKE_SA is gone: it cannot be told before it registers again. */
void gcks_rekey_lost(const struct gcks_tables *tables, struct gcks_registration *entry);

/* Has it missed so many rekeys that the next one ends its registration? */
bool gcks_rekey_missed_too_many(const struct gcks_group *policy,
				const struct gcks_registration *entry);

const char *gcks_rekey_phase_name(enum gcks_rekey_phase phase);
/* "lifetime, leave"; "-" of none.  Into `buffer`, which is returned. */
const char *gcks_rekey_reasons(unsigned int triggers, char *buffer, size_t size);

#endif
