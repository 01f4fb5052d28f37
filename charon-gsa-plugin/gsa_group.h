// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A group that gcksd wants us in.  Owned by the member's table; everything here wants its
 * mutex locked, so that reports leave in the order of the events.
 */
#ifndef GSA_GROUP_H_
#define GSA_GROUP_H_

#include "charon-gsa-plugin/gsa.h"

typedef struct {
	char *name, *connection;
	bool sender;
	uint32_t retry_s;
	Gsa__MembershipState state;
	uint16_t notify;
	char *text;
	uint32_t attempt;
	uint32_t failures; /* one after the other, of a membership that holds no SA */
	bool waiting, registering;
	uint32_t ike_sa; /* unique id, 0: none */
	bool initiated;	 /* we brought the IKE_SA up */
	bool asked;	 /* and have sent IKE_AUTH over it */
	bool marked;	 /* not repeated since gcksd connected */
	chunk_t key_server;
	struct gsa_secret group_sa; /* packed GroupSa; empty: none held */
	uint32_t spi[GSA_DATA_SA_MAX];
	size_t spi_count;
} gsa_group_t;

void gsa_group_destroy(gsa_group_t *group);

/** Tell gcksd of a state; with MEMBERSHIP_REGISTERED the SA goes along. */
void gsa_group_report(const gsa_group_t *group, Gsa__MembershipState state);
/** Change the state, log and report it.  What did not change is not told again. */
void gsa_group_enter(gsa_group_t *group, Gsa__MembershipState state, uint16_t notify,
		     const char *text);
/** An attempt failed for a reason that says nothing about the membership. */
void gsa_group_attempt_failed(gsa_group_t *group, uint16_t notify, const char *text);

bool gsa_group_holds_sa(const gsa_group_t *group);
/** Replaces what was held; FALSE: no locked memory, and nothing is held. */
bool gsa_group_keep_sa(gsa_group_t *group, const Gsa__GroupSa *group_sa);
void gsa_group_drop_sa(gsa_group_t *group);

/** Does a Delete of the message (that is about this group) take its SA away? */
bool gsa_group_deleted(message_t *message, const gsa_group_t *group);

#endif
