// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The member's side: groups to join, the GSA received for each, exports, gateways
 * learnt from BGP; and the planner that turns them into kernel states and policies.  Pure.
 *
 *   configuration, Membership, Export, Route, connected --> member table
 *   gcks_plan_make(): desired - installed --> ordered requests --> charon --> Installed
 */
#ifndef GCKS_MEMBER_H
#define GCKS_MEMBER_H

#include "gcks/kernel_id.h"
#include "libgsa/gikev2.h"
#include "libgsa/secret.h"

/* Reqids of memberships; charon counts its own from 1 up. */
#define GCKS_REQID_BASE 0x47000000u
#define GCKS_REQID_MASK 0x00ffffffu

/*
 *   ARRIVED --activation delay--> ACTIVE --newer one active--> RETIRING --deactivation delay--> gone
 *   inbound only                  + outbound                   inbound only
 * and gone at the end of its lifetime from everywhere.  At most one is ACTIVE.
 */
enum gcks_sa_phase { GCKS_SA_ARRIVED, GCKS_SA_ACTIVE, GCKS_SA_RETIRING };

struct gcks_member_sa {
	struct gcks_member_sa *next; /* newer */
	enum gcks_sa_phase phase;
	uint32_t spi; /* pairwise: prefix of the SPIs, Sender-ID bits zero */
	uint16_t encryption, encryption_key_bits, integrity, sequence_numbers;
	bool pairwise;
	uint8_t sender_id_bits; /* pairwise */
	uint32_t group;		/* pairwise: identifier that the keys of pairs are bound to */
	struct gsa_secret key;	/* encryption key, then integrity key; pairwise: the TEK */
	uint32_t mark;		/* of the key (gsa_key_mark()) */
	/* monotonic milliseconds; the last two 0: never */
	int64_t received_at, activate_at, retire_at, expires_at;
	uint32_t deactivation_delay_s; /* of the SAs before it, once it is active */
	bool logged;		       /* the log tells of its phase */
};

struct gcks_member_route {
	struct gcks_prefix prefix;
	struct gcks_address gateway;
	bool ready, told_ready; /* all of its states and policies are acknowledged; what bgpd knows */
	bool stale;		/* not repeated yet since bgpd connected again */
	bool has_sender_id;	/* of the gateway in this group */
	uint32_t sender_id;
	uint64_t since; /* its turn among the routes: when gateway and Sender-ID were told first */
};

/* A gateway and the Sender-ID that it has in the group. */
struct gcks_sender {
	struct gcks_address gateway;
	uint32_t sender_id;
	uint64_t since; /* as in the routes */
	bool refused;	/* another gateway, or we, had it before */
};

/* What of a group's traffic may be in clear, while a network is moved site by site. */
enum gcks_mode {
	GCKS_MODE_FAIL_CLOSED,	/* nothing */
	GCKS_MODE_RECEIVE_ONLY, /* takes clear and protected packets, sends clear ones */
	GCKS_MODE_PASSIVE,	/* takes clear and protected packets, sends protected ones */
};

/* What is done again after longer and longer waits. */
struct gcks_backoff {
	uint32_t in_a_row; /* times, without a steady while between them */
	/* monotonic milliseconds: it may be done from then on; 0: never was */
	int64_t again_at, delay_ms;
};

/* States that others have ended. */
struct gcks_losses {
	uint32_t count; /* since gcksd was started */
	struct gcks_backoff backoff; /* of what is made up for */
	char *text; /* why, the last one; NULL: none */
};

struct gcks_membership {
	struct gcks_membership *next;
	char *name;
	struct gcks_address gateway; /* local-gateway */
	uint32_t configured_identifier, learnt_identifier; /* 0: none */
	uint32_t refused_identifier; /* of a GSA that we do not take because of it; 0: none */
	struct gcks_prefix *protect;
	size_t protect_count;
	Gsa__ExportMode export_mode;
	char *export_prefix_list;
	uint32_t retry_time_s; /* upper bound of the random delay before registering again */
	uint32_t reqid;

	enum gcks_mode mode;
	char **connections; /* swanctl connections to key servers in the order of preference */
	size_t connection_count;
	bool gsa_auth; /* opens with GSA_AUTH */

	Gsa__MembershipState state;
	char *connection_in_use; /* NULL: none */
	uint16_t notify;
	char *text; /* why, for show */
	struct gcks_address key_server;
	time_t registered_at;
	struct gcks_member_sa *sas;  /* oldest first; NULL: none held */
	struct gcks_member_sa *gone; /* charon has still to be told; without keys */
	bool ended;		     /* the last one held has come to its end, nothing replaced it */
	/* pairwise: the one in use (its kernel states live), and all that were given, oldest first */
	bool has_sender_id;
	uint32_t sender_id;
	bool resuming; /* gcksd was restarted: the one in use is that of the kernel's states */
	/* we have left, or are about to: what was given up to `last_sender_id` is worth nothing */
	bool abandoned;
	uint32_t last_sender_id;
	/* the store does not know what was made with those given up to `doubted_sender_id` */
	bool doubted;
	uint32_t doubted_sender_id;
	uint32_t sender_ids[GSA_SENDER_ID_MAX];
	size_t sender_id_count;
	/* a registration that is asked for again: as in Join; the next one not before (monotonic) */
	uint32_t renew;
	bool not_acceptable, renew_wished;
	bool reported; /* registered, since charon has connected */
	int64_t lost_at; /* monotonic milliseconds; 0: registered, or never was */
	int64_t renew_at;
	struct gcks_backoff renewals; /* of those that no lost state of our own is the reason for */
	/* a state that charon does not install: who has its SPI; NULL: none */
	char *conflict;
	uint32_t conflict_spi, conflict_mark;
	struct gcks_losses losses;
	struct gcks_sender refused_logged;
	int64_t refused_logged_at;

	uint32_t routes_identifier; /* under which bgpd has told exports and routes */
	struct gcks_prefix *exports;
	size_t export_count;
	bool *export_stale;
	struct gcks_member_route *routes;
	size_t route_count;
	uint64_t route_turn; /* of the last route told */
};

struct gcks_member_table {
	struct gcks_membership *memberships;
	struct gcks_prefix *connected;
	size_t connected_count;
};

uint32_t gcks_membership_identifier(const struct gcks_membership *membership);
struct gcks_membership *gcks_membership_find(const struct gcks_member_table *table, const char *name);
struct gcks_membership *gcks_membership_find_identifier(const struct gcks_member_table *table,
							uint32_t identifier);
struct gcks_membership *gcks_membership_add(struct gcks_member_table *table, const char *name);
void gcks_membership_remove(struct gcks_member_table *table, struct gcks_membership *membership);
void gcks_member_table_clear(struct gcks_member_table *table);

/*
 * Take the whole list of SAs that charon reports; what it does not list is dropped.  One that is held
 * already (SPI, algorithms and key) keeps its phase and times.  True with a *reason: the last SA
 * named there cannot be used and was left out.  False with the reason: none can, or
 * memory is short; nothing has changed.
 */
bool gcks_membership_set_sas(struct gcks_membership *membership, const Gsa__GroupSa *group_sa,
			     int64_t now_ms, const char **reason);
void gcks_membership_drop_sas(struct gcks_membership *membership);
/* The one to send with, NULL: none. */
struct gcks_member_sa *gcks_membership_active(const struct gcks_membership *membership);
/*
 * Move all phases on to `now_ms`; SAs that are gone move to `gone`.  Without an active SA the oldest
 * arrived one is active at once.  Returns when it has to be called again, INT64_MAX: when something changes.
 */
int64_t gcks_member_advance(struct gcks_member_table *table, int64_t now_ms);
/* Whole seconds until the SA's end, at least 1; 0: it is not limited. */
uint32_t gcks_member_sa_lifetime_s(const struct gcks_member_sa *sa, int64_t now_ms);
void gcks_member_sa_free(struct gcks_member_sa *sa);

/* -- member_backoff.c -- */

/* Once more; waits at least `repeated_ms` if it was lately.  False: it waits already. */
bool gcks_backoff_add(struct gcks_backoff *backoff, int64_t now_ms, int64_t repeated_ms);
/* Has it been quiet since? */
bool gcks_backoff_is_steady(const struct gcks_backoff *backoff, int64_t now_ms);
uint32_t gcks_backoff_wait_s(const struct gcks_backoff *backoff, int64_t now_ms); /* 0: nothing waits */

/* -- member_sender.c -- */

struct gcks_senders {
	struct gcks_sender *list; /* by gateway, owned */
	size_t count;
};

bool gcks_senders_make(struct gcks_senders *senders, const struct gcks_membership *membership);
void gcks_senders_clear(struct gcks_senders *senders);
const struct gcks_sender *gcks_senders_find(const struct gcks_senders *senders,
					    const struct gcks_address *gateway);

/* Why SAs that are held cannot be used (an SPI that somebody else has), NULL: they can. */
const char *gcks_membership_conflict(const struct gcks_membership *membership);
bool gcks_membership_is_pairwise(const struct gcks_membership *membership);

enum gcks_sender_choice {
	GCKS_SENDER_ID_KEPT,
	GCKS_SENDER_ID_CHANGED,
	GCKS_SENDER_ID_NEEDED, /* none that may be used: only a new registration gives one */
};

/*
 * gcksd was restarted with a store that does not know what an earlier one made: what charon has been
 * given must not be used, since states with its nonces may have been there.  After gcks_membership_set_sas().
 */
void gcks_membership_doubt(struct gcks_membership *membership);
/* No doubt is left, and none of its Sender-IDs of before is what a restarted gcksd would go on with. */
bool gcks_membership_is_settled(const struct gcks_membership *membership,
				const struct gcks_kernel_ids *known);
/*
 * Which of our Sender-IDs is used with pairwise SAs.  The one of the states in the kernel, as long as these
 * may be used, whatever registrations have given since; then the newest given, if no state was made with it.
 * Not after the key server has excluded us or we have left, which ends what it had given.
 */
enum gcks_sender_choice gcks_membership_choose_sender_id(struct gcks_membership *membership,
							 const struct gcks_kernel_ids *known);

/* Each returns false when memory is short; nothing changed then. */
/*
 * member_connection.c: connections to key servers, each once.  A new one comes last; those that are not
 * among `names` follow the others.
 */
bool gcks_membership_add_connection(struct gcks_membership *membership, const char *name);
void gcks_membership_remove_connection(struct gcks_membership *membership, const char *name);
void gcks_membership_order_connections(struct gcks_membership *membership, const char *const *names,
				       size_t count);
void gcks_membership_clear_connections(struct gcks_membership *membership);
bool gcks_membership_add_protect(struct gcks_membership *membership, const struct gcks_prefix *prefix);
void gcks_membership_remove_protect(struct gcks_membership *membership, const struct gcks_prefix *prefix);
bool gcks_membership_set_export(struct gcks_membership *membership, const struct gcks_prefix *prefix);
void gcks_membership_remove_export(struct gcks_membership *membership, const struct gcks_prefix *prefix);
/* `sender_id`: of the gateway in this group, NULL: not known */
bool gcks_membership_set_route(struct gcks_membership *membership, const struct gcks_prefix *prefix,
			       const struct gcks_address *gateway, const uint32_t *sender_id);
void gcks_membership_remove_route(struct gcks_membership *membership, const struct gcks_prefix *prefix);
bool gcks_member_add_connected(struct gcks_member_table *table, const struct gcks_prefix *prefix);
void gcks_member_remove_connected(struct gcks_member_table *table, const struct gcks_prefix *prefix);
/* bgpd connected again: mark all routes and exports stale; after its SyncDone drop the stale ones */
void gcks_member_mark_stale(struct gcks_member_table *table);
void gcks_member_sweep_stale(struct gcks_member_table *table);

bool gcks_prefix_from(struct gcks_prefix *prefix, const uint8_t *octets, size_t octets_length, uint32_t length);
bool gcks_prefix_equal(const struct gcks_prefix *a, const struct gcks_prefix *b);
bool gcks_prefix_contains(const struct gcks_prefix *outer, const struct gcks_prefix *inner);
const char *gcks_prefix_text(const struct gcks_prefix *prefix, char *buffer, size_t size);

/* -- planner -- */

/* One thing that should be in the kernel; SAs borrow their keys from the membership. */
struct gcks_desired {
	struct gcks_kernel_id id;
	const struct gcks_member_sa *sa; /* kind SA */
	bool fresh;			 /* was never asked for before */
};

struct gcks_plan {
	struct gcks_desired *install; /* in this order: SAs in, SAs out, policies (pass, protect, block) */
	size_t install_count;
	struct gcks_kernel_id *remove; /* after every install, the other way round */
	size_t remove_count;
};

enum gcks_removal {
	GCKS_REMOVE_NOTHING, /* charon or configuration are not known yet */
	GCKS_REMOVE_OLD_SAS, /* routes and exports are not known */
	GCKS_REMOVE_ALL,
};

/*
 * What has to be asked of charon: everything desired that is not in `installed` (what charon
 * acknowledged; empty: all of it again), and the removal of what is in `known` (what may be in
 * the kernel) and not desired, as far as `removal` goes: before charon and bgpd have finished their
 * resynchronisation and the configuration is read, what seems not to be desired may be.
 * A membership without an SA (gcksd or charon was restarted) keeps what is `known` of it as long
 * as its state is CONNECTING or LOST; REFUSED and EXCLUDED, and the end of its last SA, take states and
 * protect policies away.  Block and pass policies depend on the configuration alone: they stay.
 * A state that takes the place of another (destination and SPI) is not asked for before that one has
 * left `known`; an outbound one that is followed by another stays until that is installed.
 * No two desired policies have the same direction and selector: of several the one with the
 * better priority is kept, among groups the one with the lowest identifier.  False: no memory.
 */
bool gcks_plan_make(const struct gcks_member_table *table, const struct gcks_kernel_ids *installed,
		    const struct gcks_kernel_ids *known, enum gcks_removal removal,
		    struct gcks_plan *plan);
void gcks_plan_clear(struct gcks_plan *plan);

/* Set `ready` of every route from what is acknowledged. */
void gcks_member_update_ready(struct gcks_member_table *table, const struct gcks_kernel_ids *installed);

#endif
