// SPDX-License-Identifier: GPL-2.0-or-later
/* The key server's two files: server.c ends registrations, server_message.c begins them. */
#ifndef GCKS_SERVER_H
#define GCKS_SERVER_H

#include "gcks/gcksd.h"

/*
 * End every registration that `why` names a reason for (NULL: it stays): store (one commit for all
 * of them), table, bgpd; with `tell_charon` also the members.  The reason is copied.  How many.
 */
typedef const char *gcks_why_ended(const struct gcks_registration *entry, const void *argument);
unsigned int gcks_server_end(gcks_why_ended *why, const void *argument, bool tell_charon);
void gcks_server_tell_end(uint32_t ike_sa, uint32_t group, const char *reason);
/* Commit, together with the removals that the store could not take before. */
bool gcks_server_commit(const struct gcks_change *changes, size_t count);
/* charon does not hold it any more: keep it for the group's hold time. */
void gcks_server_make_stale(struct gcks_registration *entry, const char *reason);
/* charon said Hello: which registrations it holds is not known until it repeats them. */
void gcks_server_charon_connected(void);

#endif
