// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The member's files: client.c is what charon reports, client_join.c what it is told to join,
 * client_install.c brings what is wanted into the kernel, client_request.c is how charon is asked,
 * client_gone.c forgets what the kernel does not hold any more, client_lost.c is about what others
 * take out of it, client_sender.c about Sender-IDs, client_route.c tells bgpd.
 */
#ifndef GCKS_CLIENT_H
#define GCKS_CLIENT_H

#include "gcks/clock.h"
#include "gcks/gcksd.h"

/* -- client_install.c -- */

void gcks_install_plan(enum gcks_removal removal); /* and send */
void gcks_install_acknowledged(const Gsa__Installed *installed);
void gcks_install_ended(const Gsa__StateEnded *ended); /* not by us */
/* charon connected: nothing is acknowledged any more, all of it is asked for again. */
void gcks_install_reset(void);
bool gcks_install_is_pending(void); /* charon has still to answer */
bool gcks_install_has_failed(void); /* something could not be installed; it is tried again */
/* Does the kernel hold an SA of the group, perhaps from an earlier run? */
bool gcks_install_holds_sa(const char *group);
/* Set `ready` of all routes from what the kernel holds. */
void gcks_install_update_ready(void);
void gcks_install_start(void);
void gcks_install_stop(void);

/* -- client_gone.c: what the kernel does not hold any more -- */

/* Soon the store forgets it. */
void gcks_gone_add(const struct gcks_kernel_id *id);
/* Of the ids that are remembered as used, those that need not be any more. */
void gcks_gone_add_used(void);
bool gcks_gone_has(const struct gcks_kernel_id *id);	  /* not forgotten yet */
void gcks_gone_withdraw(const struct gcks_kernel_id *id); /* it is wanted again */
void gcks_gone_stop(void);

/* -- same_kernel.c -- */

/* Is the kernel the one that an earlier gcksd has filled?  From now on it is. */
bool gcks_is_same_kernel(void);

/* -- client_request.c: false: charon is away -- */

bool gcks_request_sa(uint32_t id, const struct gcks_desired *desired);
bool gcks_request_policy(uint32_t id, const struct gcks_kernel_id *policy);
bool gcks_request_removal(uint32_t request, const struct gcks_kernel_id *id);

/* -- client.c -- */

/* Refused or excluded: no SA, and nothing to wait for. */
bool gcks_client_is_out(const struct gcks_membership *membership);
/* Why the group cannot have this identifier, NULL: it can. */
const char *gcks_client_identifier_fault(const struct gcks_membership *membership,
					 uint32_t identifier);

/* -- client_join.c -- */

/* Is it configured as far as joining needs?  NULL: no. */
bool gcks_client_is_complete(const struct gcks_membership *membership);
void gcks_joins_update(void); /* tell charon what has changed */
bool gcks_joins_has(const char *group);
void gcks_joins_forget(void); /* charon connected: it is told all of them */

/* -- client_sender.c -- */

/* Choose the Sender-IDs that are used, and say whose claim of one is not believed. */
void gcks_senders_update(void);
/* Registered again after `lost_ms` without a key server. */
void gcks_sender_registered(struct gcks_membership *membership, int64_t lost_ms);
/* charon does not install the state: its SPI belongs to somebody else, which `text` says. */
void gcks_sender_conflict(const struct gcks_kernel_id *id, const char *which, const char *text);
void gcks_sender_installed(const struct gcks_kernel_id *id); /* that is over */
void gcks_senders_stop(void);

/* -- client_lost.c -- */

/*
 * The state is not in the kernel any more, `which` says it for the log.  False: its SA is at its end, which
 * is none of its business; else it is to be taken for not installed.
 */
bool gcks_lost(const struct gcks_kernel_id *id, const char *which, Gsa__EndedBy by);
bool gcks_lost_waits(const struct gcks_kernel_id *id); /* is not to be asked for yet */
void gcks_lost_stop(void);

/* -- client_route.c -- */

/* Set `ready`, and tell bgpd what has changed; with `all` everything once more. */
void gcks_routes_tell(bool all);
/* The membership is out: none of its routes may be used, whatever bgpd was told before. */
void gcks_routes_refuse(struct gcks_membership *membership);
/* bgpd knows the group by its identifier: of another one it will tell all routes and exports. */
void gcks_routes_follow(struct gcks_membership *membership);
void gcks_route_receive(const Gsa__Route *route);
void gcks_export_receive(const Gsa__Export *export);

#endif
