// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A group that gcksd wants us in.  Owned by the member's table; everything here wants its
 * mutex locked, so that reports leave in the order of the events.
 */
#ifndef GSA_GROUP_H_
#define GSA_GROUP_H_

#include "charon-gsa-plugin/gsa.h"
#include "charon-gsa-plugin/gsa_held.h"

typedef struct {
	char *name;
	char **connections; /* to key servers, in the order of preference; at least one */
	size_t connection_count;
	size_t connection; /* index of the one in use, or tried next */
	size_t tried;	   /* connections that failed since one last gave a GSA */
	bool sender;
	uint32_t retry_s;
	uint32_t renew;	     /* of the last Join */
	bool not_acceptable; /* the key server is told so before the next registration */
	Gsa__MembershipState state;
	uint16_t notify;
	char *text;
	uint32_t attempt;
	uint32_t failures; /* one after the other, of a membership that holds no SA */
	bool waiting, registering;
	bool again;	 /* registering once more, over the IKE_SA that it is registered over */
	bool gsa_auth;	 /* to open IKE_SAs with GSA_AUTH */
	bool opening;	 /* the IKE_SA, and so registering */
	uint32_t ike_sa; /* unique id, 0: none */
	bool asked;	 /* we have sent IKE_AUTH over the IKE_SA */
	bool marked;	 /* not repeated since gcksd connected */
	bool registered; /* what is held is of a registration, or came after one */
	chunk_t key_server;
	uint64_t asked_ms; /* when the registration was asked for that is under way */
	struct gsa_held held;
} gsa_group_t;

/** Monotonic milliseconds. */
uint64_t gsa_now_ms(void);

void gsa_group_destroy(gsa_group_t *group);

/** Tell gcksd of a state; with MEMBERSHIP_REGISTERED the SA goes along. */
void gsa_group_report(const gsa_group_t *group, Gsa__MembershipState state);
/** Change the state, log and report it.  What did not change is not told again. */
void gsa_group_enter(gsa_group_t *group, Gsa__MembershipState state, uint16_t notify,
		     const char *text);
/** An attempt failed for a reason that says nothing about the membership. */
void gsa_group_attempt_failed(gsa_group_t *group, uint16_t notify, const char *text);

/** Name of the swanctl connection in use, or tried next. */
const char *gsa_group_connection(const gsa_group_t *group);
bool gsa_group_has_connection(const gsa_group_t *group, const char *name);
/** After a failure that another key server need not have. */
void gsa_group_next_connection(gsa_group_t *group);

/** Has it SAs of a registration?  What a rekey brings before its answer does not count. */
bool gsa_group_holds_sa(const gsa_group_t *group);
void gsa_group_drop_sa(gsa_group_t *group);

/**
 * Take away what the Deletes of a message (that is about this group) are about.
 * @param replaced	it brings a new SA: the old ones go by themselves, after its delays
 * @return		FALSE: nothing changed
 */
bool gsa_group_apply_deletes(gsa_group_t *group, message_t *message, bool replaced);
/** Nothing is held any more: the key server ended it.  Registers again after a while. */
void gsa_group_excluded(gsa_group_t *group);

#endif
