// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Registration table: who belongs to which served group, over which IKE_SA.  One
 * registration per (group, identity); a newer one replaces the older.  Pure.
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

struct gcks_registration {
	struct gcks_registration *next;
	uint32_t group; /* identifier */
	char *identity;
	struct gcks_address address; /* remote address of the IKE_SA */
	uint32_t ike_sa;	     /* charon's unique id; 0: not known in this run of charon */
	Gsa__Credential credential;
	char **ca; /* subjects of the CAs in its trust chain, leaf's issuer first */
	size_t ca_count;
	time_t registered_at; /* wall clock, for show */
	bool stale;	      /* charon does not hold it; kept until stale_until */
	int64_t stale_until;  /* monotonic seconds */

	/* what it holds */
	uint32_t delivered; /* generation of the newest SA that it is known to hold */
	enum gcks_delivery delivery;
	uint32_t missed; /* rekeys in a row that it did not acknowledge */
	uint32_t *sender_ids; /* given since the counter began, oldest first */
	size_t sender_id_count;
};

struct gcks_registrations {
	struct gcks_registration *head;
	size_t count;
};

struct gcks_registration *gcks_registration_find(const struct gcks_registrations *table,
						 uint32_t group, const char *identity);
/* A copy of `values`, of its strings too, that is in no table yet and live.  NULL: no memory. */
struct gcks_registration *gcks_registration_new(const struct gcks_registration *values);
/* Not one that is in a table. */
void gcks_registration_free(struct gcks_registration *entry);
/*
 * The table adopts the entry, in the place of the one of the same group and identity if there is
 * one, which is freed.  Needs no memory: what comes after a commit cannot fail.
 */
void gcks_registration_insert(struct gcks_registrations *table, struct gcks_registration *entry);
/* Authenticated in the same way, and the same CAs? */
bool gcks_registration_same_credential(const struct gcks_registration *a,
				       const struct gcks_registration *b);
void gcks_registration_remove(struct gcks_registrations *table, struct gcks_registration *entry);
void gcks_registrations_clear(struct gcks_registrations *table);
size_t gcks_registration_count(const struct gcks_registrations *table, uint32_t group);
void gcks_registration_rekeyed(struct gcks_registrations *table, uint32_t old_ike_sa,
			       uint32_t new_ike_sa);
/* Any group left on the IKE_SA? */
bool gcks_registration_ike_sa_in_use(const struct gcks_registrations *table, uint32_t ike_sa);

bool gcks_address_from(struct gcks_address *address, const uint8_t *octets, size_t length);
bool gcks_address_equal(const struct gcks_address *a, const struct gcks_address *b);
/* Into a buffer of INET6_ADDRSTRLEN; "-" when none. */
const char *gcks_address_text(const struct gcks_address *address, char *buffer);

#endif
