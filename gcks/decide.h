// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decisions of the key server, apart from carrying them out.  Pure but for randomness: a decision
 * changes no table (but the numbers of those who leave, former.h).
 *
 *   gcks_decide_...()        tables + event --> decision: verdict, changes to store, what becomes
 * new gcks_store_commit()      decision.changes, by the caller gcks_decision_apply()    tables <--
 * decision; needs no memory, cannot fail or gcks_decision_discard()   refused, or the store has
 * failed: as if nothing had been asked
 *
 * Between the first and the last of them nothing else may change the tables.
 *
 * Sender-IDs (RFC 9838 §2.5.1) count up from 0 for as long as the group has SAs that know them,
 * fresh ones for every registration, to each member as many as its share allows (sender_share.h).
 * They are reserved in blocks, so that an older copy of the
 * store cannot give one again (anchor.h).  When they run out, or mean something else by a new
 * policy, the group begins anew: no SA, no registration, the counter at 0; everybody registers
 * again.
 */
#ifndef GCKS_DECIDE_H
#define GCKS_DECIDE_H

#include "gcks/rekey.h"
#include "gcks/store.h"

#define GCKS_SENDER_IDS_PER_REQUEST 8 /* whatever a member asks for (§2.5.1 step 3) */

struct gcks_decision {
	/* a registration only; `notify` 0: granted */
	struct gcks_verdict verdict;
	bool fault;	     /* no memory or randomness: an error of ours */
	bool again;	     /* it was registered before */
	uint32_t old_ike_sa; /* of its earlier registration; 0: none */
	struct gcks_address old_address;
	const struct gcks_group *policy;
	struct gcks_registration *entry; /* NULL: no registration */
	/* what it is given: SAs of this generation and newer ones, and the last of entry's
	 * Sender-IDs */
	uint32_t first_generation;
	size_t sender_id_count;

	struct gcks_sa *sa; /* new one, NULL: none */
	bool begins;	    /* it has to be pushed to others */
	bool anew;	    /* the group begins anew */
	/* registrations and SAs that end; in the tables until apply */
	struct gcks_registration **ended;
	size_t ended_count;
	const char *ended_reason; /* static */
	struct gcks_sa **ended_sas;
	size_t ended_sa_count;

	/* to be committed together; borrow from the decision and the tables */
	struct gcks_change *changes;
	size_t change_count;

	/* inside */
	struct gcks_sa_group *group;
	struct gcks_sa_numbers numbers;
	uint32_t sender_id_next;
	int64_t share_whole_at; /* the member's */
};

/*
 * A request for registration: may it join, and what does it get?  Everything but whether the
 * configuration has been read is looked at.  A verdict in any case; `wall` is the time of day.
 */
void gcks_decide_registration(const struct gcks_tables *tables,
			      const Gsa__RegistrationRequest *request, int64_t now, time_t wall,
			      struct gcks_decision *decision);
/*
 * GCKS_REKEY_MAKE: a new SA, and the end of those who have missed too many; without members only
 * the end of the old SAs.  False: no memory or randomness; nothing to discard.
 */
bool gcks_decide_rekey(const struct gcks_tables *tables, struct gcks_sa_group *group, int64_t now,
		       time_t wall, struct gcks_decision *decision);
/* The group begins anew.  `reason` is static.  False: no memory. */
bool gcks_decide_anew(const struct gcks_tables *tables, struct gcks_sa_group *group,
		      const char *reason, struct gcks_decision *decision);

/*
 * The changes are stored.  decision->entry and ->sa are the tables' from here on and may still be
 * looked at, as long as they are there; the rest is freed.  Tell those who end before.
 */
void gcks_decision_apply(const struct gcks_tables *tables, struct gcks_decision *decision,
			 int64_t now);
void gcks_decision_discard(struct gcks_decision *decision);

#endif
