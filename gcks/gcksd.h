// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gcksd: what the parts of the daemon share.
 *
 *   main.c            start, order of initialisation, stop
 *   northbound*.c     YANG frr-gsa: validation, changes go into the policy and member tables;
 *                     state, clear-member, notifications
 *   cli*.c, show*.c   commands (vtysh); names.c: what values are called
 *   local*.c          the socket: connections of charon and bgpd, Hello, refusals
 *   server*.c         key server (server.h): charon's messages, decisions carried out, rekeys, ends
 *   client*.c         member (client.h): joins, GSAs, plans and their acknowledgement, routes of bgpd
 *   same_kernel.c     member: is the kernel the one that an earlier gcksd has filled?
 *   announce.c        groups and members, as bgpd is told
 *   connected.c       connected prefixes, from zebra
 * around the pure tables policy, registration, sa_table, member, planner, the decisions of decide and
 * rekey, and the store.
 *
 * Everything runs in the main thread.
 */
#ifndef GCKS_GCKSD_H
#define GCKS_GCKSD_H

#include "gcks/member.h"
#include "gcks/policy.h"
#include "gcks/registration.h"
#include "gcks/sa_table.h"
#include "gcks/store.h"

struct event_loop;

struct gcksd {
	struct event_loop *loop;
	struct gcks_store *store;
	/* key server */
	struct gcks_policy policy;
	struct gcks_registrations registrations;
	struct gcks_sa_table sas;
	/* member */
	struct gcks_member_table members;
	struct gcks_kernel_ids known;	  /* may be in the kernel; also in the store */
	struct gcks_kernel_ids installed; /* acknowledged by charon */
	/*
	 * The configuration was read.  Until then nobody is told that something is gone, and
	 * nobody is refused for good: what is configured may only not have been read yet.
	 */
	bool configured;
};
extern struct gcksd gcksd;

/* `debug gsa server|member|messages` */
struct gcks_debug {
	bool server, member, messages;
};
extern struct gcks_debug gcks_debug;
#define gcks_debug_log(what, ...)                                                                  \
	do {                                                                                       \
		if (gcks_debug.what)                                                               \
			zlog_debug("GSA: " __VA_ARGS__);                                           \
	} while (0)

/* -- server.c -- */

/*
 * The policy has changed: soon (one event for any number of changes) end what it
 * does not allow any more and tell bgpd.  The northbound callbacks call it.
 */
void gcks_server_reconsider(void);
/* A group leaves the policy, or loses this identifier: its registrations and SAs end. */
void gcks_server_group_gone(uint32_t identifier, const char *name);
/* `clear gsa member`: end the identity's registrations, in all groups with `group` 0.  How many. */
unsigned int gcks_server_clear(const char *identity, uint32_t group);
/* An operator's wish: false when the group has no SA yet. */
bool gcks_server_rekey(uint32_t identifier);
void gcks_server_receive(const Gsa__Message *message); /* of charon */
void gcks_server_charon_synced(void);
void gcks_server_start(void);
void gcks_server_stop(void);

/* -- client.c -- */

/* Configuration or connected prefixes have changed: soon tell charon and bgpd, plan again. */
void gcks_client_reconsider(void);
/* A membership is about to leave the table: leave the group. */
void gcks_client_membership_gone(const struct gcks_membership *membership);
void gcks_client_receive(const Gsa__Message *message); /* of charon or bgpd */
void gcks_client_charon_connected(void);
void gcks_client_charon_synced(void);
void gcks_client_bgpd_connected(void);
void gcks_client_bgpd_synced(void);
/*
 * After a start: has charon brought back what an earlier gcksd had learnt of groups whose SAs
 * are in the kernel (identifier, key server)?  Before that bgpd is not served, as it
 * would take these groups for gone.  True after a minute in any case.
 */
bool gcks_client_settled(void);
void gcks_client_start(void);
void gcks_client_stop(void);

/* -- northbound_event.c -- */

enum gcks_member_event { GCKS_MEMBER_REGISTERED, GCKS_MEMBER_REMOVED, GCKS_MEMBER_REFUSED };

/*
 * Notifications member-registered, member-removed, member-refused: tells who listens (a northbound
 * module); does nothing without one.  `address` and `reason` may be NULL, `notify` counts
 * for GCKS_MEMBER_REFUSED only.  What peers say of themselves may hold any octets.
 */
void gcks_notify_member(enum gcks_member_event event, const char *group, const char *identity,
			const struct gcks_address *address, uint16_t notify, const char *reason);

/* Notification rekey-done: every registered member has acknowledged the new SA, or will not. */
void gcks_notify_rekey(const char *group, uint32_t generation, unsigned int members,
		       unsigned int unanswered);

/* -- announce.c -- */

void gcks_announce_all(void); /* bgpd connected */
/* Groups of policy and memberships, as they are now; what has gone is withdrawn. */
void gcks_announce_groups(void);
/* New, gone, or its Sender-IDs have changed (before it is told of new ones itself). */
void gcks_announce_member(const struct gcks_registration *registration, bool removed);
void gcks_announce_stop(void);

/*
 * -- connected.c --
 * The zclient is made here; main.c starts it once and sets no FRR_NO_ZCLIENT flag.
 */

void gcks_connected_start(struct event_loop *loop);
void gcks_connected_stop(void);

/*
 * -- local.c --
 *
 * Who calls what, in this order:
 *   main.c at start   gcks_store_load(), gcks_server_start(), gcks_client_start(),
 *                     gcks_local_start(); no client is served before the configuration is read
 *                     (bgpd: and gcks_client_settled()): its Hello waits, so no message reaches
 *                     server.c or client.c until then.
 *   main.c later      the configuration is read: configured = true, gcks_server_reconsider(),
 *                     gcks_client_reconsider(), and last
 *                     gcks_local_sync_done() for ROLE_BGPD and for ROLE_CHARON.
 *   a good Hello      state SYNC, our Hello is sent, then
 *     of charon       gcks_client_charon_connected(), gcks_local_sync_done(ROLE_CHARON)
 *     of bgpd         gcks_announce_all(), gcks_client_bgpd_connected(),
 *                     gcks_local_sync_done(ROLE_BGPD)
 *                     The handlers send all of their state before they return; only
 *                     local.c sends the SyncDone after them.
 *   its messages      charon: RegistrationRequest, Registration, RegistrationEnded,
 *                     IkeSaRekeyed, RefusedPeer to gcks_server_receive(); Membership, Installed
 *                     to gcks_client_receive().  bgpd: Route, Export to gcks_client_receive().
 *                     The message is the caller's and is wiped afterwards.
 *   its SyncDone      state UP, then
 *     of charon       gcks_server_charon_synced(), gcks_client_charon_synced()
 *     of bgpd         gcks_client_bgpd_synced()
 *   its connection    state AWAY; nobody is called: nothing ends with a connection.  What has to
 *     is lost         be told is told after the next Hello.
 * gcks_local_send() never calls back: a client that fails is dropped from the event loop.
 */

enum gcks_client_state { GCKS_CLIENT_AWAY, GCKS_CLIENT_SYNC, GCKS_CLIENT_UP };

struct gcks_client_status {
	enum gcks_client_state state;
	char software[64];
	time_t since; /* of this state; monotonic */
	uint64_t received, sent, dropped;
};

/* False: the socket could not be made; logged. */
bool gcks_local_start(struct event_loop *loop, const char *path, const char *charon_user);
void gcks_local_stop(void);
const struct gcks_client_status *gcks_local_status(Gsa__Role role);
/*
 * Send to the client of a role; false when there is none (it will be told in its
 * resynchronisation).  The message stays the caller's and is wiped where it was queued.
 */
bool gcks_local_send(Gsa__Role role, const Gsa__Message *message);
/*
 * Our SyncDone; once a connection, more calls do nothing.  A client whose Hello waits
 * is served now (if it still has to wait, nothing happens).
 */
void gcks_local_sync_done(Gsa__Role role);

#endif
