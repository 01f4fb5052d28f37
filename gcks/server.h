// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The key server's files, around the pure decide.c and rekey.c:
 *
 *   server_message.c   charon's messages, and what it holds
 *   server_grant.c     decisions carried out: store, tables, bgpd, and only then the answer
 *   server_rekey.c     drives the rekeys of all groups
 *   server.c           the end of registrations and of groups
 *   server_refuse.c    refusals, logged
 */
#ifndef GCKS_SERVER_H
#define GCKS_SERVER_H

#include "gcks/client.h"
#include "gcks/clock.h"
#include "gcks/decide.h"
#include "gcks/gcksd.h"

extern const struct gcks_tables gcks_server_tables;	 /* gcksd's */
const char *gcks_server_group_name(uint32_t identifier); /* "": not configured */

/* -- server.c -- */

/*
 * End every registration over one IKE_SA (not 0), in one group or with 0 in all: store (one commit for
 * all of them), table, bgpd, a rekey if the group's policy wants one; with `tell_charon` also the
 * members.  How many.
 */
unsigned int gcks_server_end_over(uint32_t ike_sa, uint32_t group, const char *reason,
				  bool tell_charon);
void gcks_server_tell_end(uint32_t ike_sa, uint32_t group, const char *reason);
/* Log, operator and bgpd learn that the registration ends; it is in the table still. */
void gcks_server_ends(const struct gcks_registration *entry, const char *reason);
/* Commit, together with the removals that the store could not take before. */
bool gcks_server_commit(const struct gcks_change *changes, size_t count);
/* What ends has to end also when the disk is full: stored now or later. */
void gcks_server_commit_removals(const char *what, const struct gcks_change *changes, size_t count);
/* charon does not hold it any more: keep it for the group's hold time. */
void gcks_server_make_stale(struct gcks_registration *entry, const char *reason);
/* charon said Hello: which registrations it holds is not known until it repeats them. */
void gcks_server_charon_connected(void);

/* -- server_grant.c -- */

void gcks_server_register(const Gsa__RegistrationRequest *request);
/*
 * Store the decision, apply it, and tell everybody whose registration ends.  False: it is not
 * stored, nothing has changed, and it is discarded; gcks_store_error() says why.
 */
bool gcks_server_carry_out(struct gcks_decision *decision);
/* bgpd learns of a new or changed registration; `old_address` has length 0 when it had none. */
void gcks_server_announce(const struct gcks_registration *entry,
			  const struct gcks_address *old_address);

/* -- server_rekey.c -- */

/* A trigger may be there: look at all groups soon. */
void gcks_server_rekey_soon(void);
void gcks_server_rekey_done(const Gsa__RekeyDone *done);
/* Groups whose SA is not what policy says today. */
void gcks_server_rekey_reconsider(void);
void gcks_server_rekey_resume(void); /* charon is in step */
void gcks_server_rekey_start(void);
void gcks_server_rekey_stop(void);

/* -- server_refuse.c -- */

/* `fault`: for an error of ours. */
void gcks_server_refused(const Gsa__RegistrationRequest *request, uint16_t notify,
			 const char *reason, bool fault);
void gcks_server_refused_peer(const Gsa__RefusedPeer *peer);

#endif
