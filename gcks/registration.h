// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Registration table: who belongs to which served group, over which IKE_SA.  One
 * registration per (group, identity); a newer one replaces the older.  Pure but for the seed of
 * its hash.
 */
#ifndef GCKS_REGISTRATION_H
#define GCKS_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "proto/gsa.pb-c.h"

struct gcks_address {
	uint8_t length; /* 4 or 16; 0: none */
	uint8_t octets[16];
};

/* Of the group's newest SA to a member */
enum gcks_delivery {
	GCKS_DELIVERY_CURRENT,	  /* it holds the newest SA */
	GCKS_DELIVERY_WAITING,	  /* its turn has not come */
	GCKS_DELIVERY_IN_FLIGHT,  /* told, no acknowledgement yet */
	GCKS_DELIVERY_UNANSWERED, /* it did not acknowledge; the next rekey tries again */
};
#define GCKS_DELIVERIES (GCKS_DELIVERY_UNANSWERED + 1)

/* Given since the counter began and still of use; of more the oldest are forgotten. */
#define GCKS_SENDER_IDS_KEPT 64

struct gcks_registration;
struct gcks_registration_group;

/* Place in one of the table's lists. */
struct gcks_registration_link {
	struct gcks_registration *next, **at;
};

/* One block of memory with its strings and arrays, which never change. */
struct gcks_registration {
	/* What a look-up reads is together.  Links and hash are the table's: not for others to change. */
	struct gcks_registration_link by_identity;
	uint32_t hash;	 /* of group and identity */
	uint32_t group;	 /* identifier */
	uint32_t ike_sa; /* charon's unique id; 0: not known in this run of charon */
	Gsa__Credential credential;
	char *identity;

	struct gcks_registration_link by_ike_sa, by_delivery;
	struct gcks_registration *next, *previous; /* of the whole table, newest first */
	struct gcks_registration_group *of;    /* of its group; of the table, too */
	struct gcks_registration_group *spare; /* made before it was known whether there is one */

	/* what it holds */
	uint32_t delivered;	   /* generation of the newest SA that it is known to hold */
	uint32_t stored_delivered; /* the same, as the store knows it */
	enum gcks_delivery delivery;
	uint32_t missed;      /* rekeys in a row that it did not acknowledge */
	uint32_t *sender_ids; /* given since the counter began, oldest first */
	size_t sender_id_count;
	int64_t share_whole_at; /* its share of the group's Sender-IDs (sender_share.h) */

	char **ca; /* subjects of the CAs in its trust chain, leaf's issuer first */
	size_t ca_count;
	time_t registered_at;	     /* wall clock, for show */
	int64_t stale_until;	     /* monotonic seconds */
	bool stale;		     /* charon does not hold it; kept until stale_until */
	struct gcks_address address; /* remote address of the IKE_SA */

	uint32_t pushed;   /* newest generation that a Rekey has carried to it: it may hold that one */
	uint32_t request;  /* number of that Rekey while it is in flight */
	int64_t pushed_at; /* monotonic milliseconds */
	int64_t answered_at; /* the same, of the last acknowledgement; 0: none */
	struct gcks_registration_link by_request; /* of the table, too */

	/* of one that has ended, in the order of its group (former.h); 0: not kept */
	uint64_t left;
};

/* The registrations of one group: each is in the list of its delivery, oldest place first. */
struct gcks_registration_group {
	struct gcks_registration_group *next, **at;
	uint32_t group;
	size_t count, stale;
	struct {
		size_t count;
		struct gcks_registration *first, **end;
	} deliveries[GCKS_DELIVERIES];
};

/* Chains of hash tables; a power of two. */
#define GCKS_REGISTRATION_FEW	 64
#define GCKS_REGISTRATION_GROUPS 256

/*
 * Zeros are an empty table.  Finding is by hash, whatever the number of entries.  The chains are
 * the entries' own and insertion takes no memory that it cannot do without, which rules out the
 * hash tables of libraries: they allocate when an entry is added, and then it is too late.
 */
struct gcks_registrations {
	struct gcks_registration *head;
	size_t count;
	/* inside */
	size_t buckets; /* of the two grown tables; 0: the few ones */
	struct gcks_registration **identities, **ike_sas;
	struct gcks_registration *few_identities[GCKS_REGISTRATION_FEW],
		*few_ike_sas[GCKS_REGISTRATION_FEW];
	struct gcks_registration *requests[GCKS_REGISTRATION_FEW];
	struct gcks_registration_group *groups[GCKS_REGISTRATION_GROUPS];
};

struct gcks_registration *gcks_registration_find(const struct gcks_registrations *table,
						 uint32_t group, const char *identity);
/*
 * A copy of `values`, of its strings and Sender-IDs too, that is in no table yet and live; what was
 * in flight waits.  NULL: no memory.
 */
struct gcks_registration *gcks_registration_new(const struct gcks_registration *values);
/* Not one that is in a table. */
void gcks_registration_free(struct gcks_registration *entry);
/*
 * The table adopts the entry, in the place of the one of the same group and identity if there is
 * one, which is freed.  Needs no memory: what comes after a commit cannot fail.
 */
void gcks_registration_insert(struct gcks_registrations *table, struct gcks_registration *entry);
/* Generation of the newest SA that it may hold: that it has acknowledged, or may have got all the same. */
uint32_t gcks_registration_may_hold(const struct gcks_registration *entry);
/* Authenticated in the same way, and the same CAs? */
bool gcks_registration_same_credential(const struct gcks_registration *a,
				       const struct gcks_registration *b);
void gcks_registration_remove(struct gcks_registrations *table, struct gcks_registration *entry);
/* The same, but the entry goes on, in no table, and is the caller's. */
void gcks_registration_take_out(struct gcks_registrations *table, struct gcks_registration *entry);
void gcks_registrations_clear(struct gcks_registrations *table);
size_t gcks_registration_count(const struct gcks_registrations *table, uint32_t group);
size_t gcks_registration_stale_count(const struct gcks_registrations *table, uint32_t group);

/* -- of one group -- */

/* NULL: nobody is registered. */
const struct gcks_registration_group *
gcks_registration_group(const struct gcks_registrations *table, uint32_t group);
/* First one whose delivery is such, and the next one after `entry`. */
struct gcks_registration *gcks_registration_first(const struct gcks_registrations *table,
						  uint32_t group, enum gcks_delivery delivery);
struct gcks_registration *gcks_registration_following(const struct gcks_registration *entry);
/* To the end of another list.  IN_FLIGHT: set `request`, `pushed` and `pushed_at` before. */
void gcks_registration_deliver(struct gcks_registrations *table, struct gcks_registration *entry,
			       enum gcks_delivery delivery);
/* The one in flight with this number, NULL: none. */
struct gcks_registration *gcks_registration_of_request(const struct gcks_registrations *table,
						       uint32_t request);

/* -- by IKE_SA -- */

/* First registration over the IKE_SA, and the next one after `entry`.  NULL: none; of 0 none. */
struct gcks_registration *gcks_registration_over(const struct gcks_registrations *table,
						 uint32_t ike_sa);
struct gcks_registration *gcks_registration_over_next(const struct gcks_registration *entry);
/* 0: charon does not hold it (any more). */
void gcks_registration_set_ike_sa(struct gcks_registrations *table, struct gcks_registration *entry,
				  uint32_t ike_sa);
/* Live again with `until` 0. */
void gcks_registration_set_stale(struct gcks_registration *entry, int64_t until);
void gcks_registration_rekeyed(struct gcks_registrations *table, uint32_t old_ike_sa,
			       uint32_t new_ike_sa);
/* Any group left on the IKE_SA? */
bool gcks_registration_ike_sa_in_use(const struct gcks_registrations *table, uint32_t ike_sa);

/* -- addresses: address.c -- */

bool gcks_address_from(struct gcks_address *address, const uint8_t *octets, size_t length);
bool gcks_address_equal(const struct gcks_address *a, const struct gcks_address *b);
/* Into a buffer of INET6_ADDRSTRLEN; "-" when none. */
const char *gcks_address_text(const struct gcks_address *address, char *buffer);

#endif
