// SPDX-License-Identifier: GPL-2.0-or-later
/* The key server's two files: server.c ends registrations, server_message.c begins them. */
#ifndef GCKS_SERVER_H
#define GCKS_SERVER_H

#include "gcks/gcksd.h"

/* Store, table, bgpd; with `tell_charon` also the member.  `entry` is gone afterwards. */
void gcks_server_end(struct gcks_registration *entry, bool tell_charon, const char *reason);
void gcks_server_tell_end(uint32_t ike_sa, uint32_t group, const char *reason);
/* charon does not hold it any more: keep it for the group's hold time. */
void gcks_server_make_stale(struct gcks_registration *entry, const char *reason);
/* NULL, or why policy does not allow the registration any more. */
const char *gcks_server_forbids(const struct gcks_group *group, const char *identity,
				Gsa__Credential credential);
/* charon said Hello: which registrations it holds is not known until it repeats them. */
void gcks_server_charon_connected(void);

#endif
