// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A key server's whole life in one process, on simulated time: gcksd's pure tables and its store,
 * thousands of members as a model, a month of joins, leaves, losses and restarts.
 *
 *   main.c     what happens when: rates, the month, the summary
 *   events.c   time and randomness
 *   server.c   drives decide.h and rekey.h as the daemon does
 *   member.c   what a member does with what it is told
 *   check.c    what has to hold, whatever happened
 *
 * The same seed makes the same month.
 */
#ifndef TESTS_SIMULATION_H
#define TESTS_SIMULATION_H

#include "gcks/clock.h"
#include "gcks/decide.h"
#include "gcks/sa_message.h"

#define SECOND 1000LL /* of simulated time, which is in milliseconds */
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

#define GIVE_UP	MINUTE /* when charon does not retransmit a Rekey any more */
#define GROUPS	      3
#define HELD_MAX      16 /* SAs that a member may hold */
#define SENDER_ID_MAX 65536

/* ---- events.c ---- */

struct member;
struct push;
typedef void action(struct member *member, struct push *push, uint64_t number);

extern int64_t sim_now;
void sim_seed(uint64_t seed);
uint64_t sim_random(uint64_t limit); /* below it */
/* With such a mean, at least 1: times between events that do not know of each other. */
int64_t sim_interval(int64_t mean);
/* `what` is done at that time with these arguments. */
void sim_at(int64_t when, action *what, struct member *member, struct push *push, uint64_t number);
/* The next event; false: there is none before `end`. */
bool sim_step(int64_t end);
extern uint64_t sim_steps;

/* What has to hold does not: says so, with the time and the seed, and ends. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define SIM_CHECK(condition, ...)                                                                  \
	do {                                                                                       \
		if (!(condition))                                                                  \
			sim_fail(__VA_ARGS__);                                                     \
	} while (0)

/* ---- the model ---- */

/* An SA that was once made, as the simulation saw it. */
struct made {
	uint32_t spi, generation, epoch;
	int64_t made_at, activates_at;
	bool had_members; /* somebody besides the one it was made for could send with it */
};

struct group {
	struct gcks_group *policy;
	uint32_t identifier;
	bool pairwise;
	struct made *made; /* of all generations; made[generation - 1] */
	size_t made_count, made_size;
	size_t made_before; /* so many before an older copy of the store came back, which may not know them */
	/* Sender-IDs that were given in this epoch; it ends when the group begins anew */
	uint32_t epoch;
	uint8_t given[SENDER_ID_MAX / 8];
	const struct member *owner[SENDER_ID_MAX]; /* of those that were given */
	int64_t left_at;  /* of the first leave that no new SA has followed yet; 0: none */
	int64_t quiet_at; /* key server, charon and store have been there since */
	uint64_t rekeys, pushes, joins, leaves, losses, exhausted, removed;
};
extern struct group sim_groups[GROUPS];

struct held {
	uint32_t spi, generation;
	int64_t received_at, active_at, ends_at;
	int64_t deactivation; /* of the ones before, once this one is active */
};

struct member {
	char identity[32];
	struct group *group;
	uint32_t address;
	bool wants, denied, reachable;
	bool insider;	 /* takes all Sender-IDs that it is given */
	uint32_t ike_sa; /* that it is registered over, 0: not registered */
	bool charon_holds;	/* charon at the key server has the IKE_SA */
	int64_t settled_since;	/* registered and reachable, without a break; 0: not */
	uint64_t attempt;	/* of the events of its registrations only the last counts */
	struct held held[HELD_MAX];
	size_t held_count;
	unsigned int missed; /* rekeys in a row that it did not acknowledge */
	bool has_sender_id;
	uint32_t sender_id, sender_epoch; /* given last, and in which epoch of its group */
	uint64_t removed; /* its place among those that were removed from the group; 0: never */
};
extern struct member *sim_members;
extern size_t sim_member_count;

/* ---- member.c ---- */

struct member *sim_member_new(struct group *group);
/* Registers after a delay, unless something else comes before. */
void sim_member_connect(struct member *member, int64_t delay);
/* Registration: replaces what it held; in band: adds. */
void sim_member_take(struct member *member, const Gsa__GroupSa *group_sa, bool registration);
void sim_member_forget(struct member *member); /* it is excluded, or has left */
/* What is over at `sim_now` goes. */
void sim_member_age(struct member *member);
/* The generation that it sends with; 0: it may not send. */
uint32_t sim_member_sends_with(const struct member *member);
bool sim_member_holds(const struct member *member, uint32_t generation);

/* ---- server.c ---- */

extern struct gcks_policy sim_policy;
extern struct gcks_registrations sim_registrations;
extern struct gcks_sa_table sim_sas;
extern const struct gcks_tables sim_tables;

void sim_server_start(const char *folder);
void sim_server_stop(void);
/* GSA_REGISTRATION over a new IKE_SA.  False: refused. */
bool sim_server_register(struct member *member);
/* It leaves, or the operator wants it to: at once. */
void sim_server_end(struct member *member);
/* charon has found out that its IKE_SA is dead. */
void sim_server_lost(struct member *member);
void sim_server_operator(struct group *group);
/* gcksd is restarted: all that is left is the store and what charon holds. */
void sim_server_restart(void);
/* charon is restarted: no IKE_SA is left. */
void sim_server_charon_restart(void);
/* gcksd is started on a copy of the store that was made before. */
void sim_server_copy_store(void);
void sim_server_restore_store(void);
struct gcks_registration *sim_server_entry(const struct member *member);
struct member *sim_member_of(const struct gcks_registration *entry);

/* ---- check.c ---- */

/* At each event of its kind. */
void sim_check_made(struct group *group, const struct gcks_sa *sa, bool for_new_member);
void sim_check_given(struct member *member, const struct gcks_sa_message *message, bool is_new);
/* Of its entry the last `given` are new. */
void sim_check_sender_ids(struct member *member, const struct gcks_registration *entry,
			  size_t given);
void sim_check_pushed(struct member *member, const struct gcks_sa_message *message);
void sim_check_told(struct group *group);
void sim_check_missed(struct member *member);
/* Of everybody in a group: around each change of SAs, and now and then. */
void sim_check_group(struct group *group);

#endif
