// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SA table of the key server: each group's Data-Security SAs, its counter of Sender-IDs and the
 * state of its rekey.  Pure but for the random number generator.
 *
 * `now` is monotonic milliseconds everywhere; what has to survive a restart is turned into them
 * by the store.
 */
#ifndef GCKS_SA_TABLE_H
#define GCKS_SA_TABLE_H

#include "gcks/policy.h"
#include "gcks/registration.h"
#include "gcks/rekey_state.h"
#include "libgsa/gikev2.h"
#include "libgsa/secret.h"
#include <time.h>

struct gcks_sa {
	struct gcks_sa *next; /* of the whole table: a group's follow each other, newest first */
	uint32_t group;	      /* identifier */
	char group_name[GSA_GROUP_NAME_MAX +
			1]; /* whose it was made: identifiers are given again */
	uint32_t generation;
	/* Host order, > 255.  Pairwise: the low sender_id_bits are zero, and no other SA has one of
	 * the SPIs that they count out. */
	uint32_t spi;
	uint16_t encryption, encryption_key_bits, integrity, sequence_numbers;
	uint8_t sender_id_bits; /* pairwise; 0: sharing `group` */
	struct gsa_secret key;	/* encryption key, then integrity key; pairwise: the TEK */
	uint32_t lifetime_s;	/* hard; 0: not limited (made before there were lifetimes) */
	time_t created_at;	/* wall clock, for show, and for who was away over a reboot */
	int64_t made_at;
	int64_t activates_at; /* from when on members send with it */
	int64_t retires_at;   /* leaves the table; GCKS_NEVER: not known yet */
};

/* An SPI that was given in the last time: with sender_id_bits, as above. */
struct gcks_spi {
	uint32_t spi;
	uint8_t sender_id_bits;
};
#define GCKS_SPIS_KEPT 32

/* What the store keeps of a group beside its SAs. */
struct gcks_sa_numbers {
	uint32_t group;
	char group_name[GSA_GROUP_NAME_MAX + 1];
	uint32_t generation; /* of the last SA that was made; 0: none */
	/* no Sender-ID from here on was given under the SAs of today; it counts up by blocks */
	uint32_t sender_id_reserved;
	struct gcks_spi spis[GCKS_SPIS_KEPT]; /* of the last SAs, newest first */
	size_t spi_count;
};

struct gcks_sa_group {
	struct gcks_sa_group *next;  /* of the table */
	struct gcks_sa_group *chain; /* of the hash */
	struct gcks_sa_numbers numbers;
	uint32_t sender_id_next; /* at most `reserved`; after a restart equal to it */
	struct gcks_sa *newest;	 /* its older ones follow; NULL: none */
	size_t sa_count;
	struct gcks_rekey rekey;
	/* those who have left, the last first (former.h), and the number of the last one */
	struct gcks_registration *former;
	uint64_t left;
};

#define GCKS_SA_GROUP_CHAINS 256
struct gcks_sa_table {
	struct gcks_sa *head;
	struct gcks_sa_group *groups;
	struct gcks_sa_group *chains[GCKS_SA_GROUP_CHAINS];
};

/* NULL: it never had an SA. */
struct gcks_sa_group *gcks_sa_group_find(const struct gcks_sa_table *table, uint32_t group);
/* The same, made when there is none; no harm when it stays empty.  NULL: no memory. */
struct gcks_sa_group *gcks_sa_group_get(struct gcks_sa_table *table, uint32_t group,
					const char *group_name);
/* Newest SA of the group, NULL: none. */
struct gcks_sa *gcks_sa_current(const struct gcks_sa_table *table, uint32_t group);
/* The next older one of the same group. */
struct gcks_sa *gcks_sa_older(const struct gcks_sa *sa);
/*
 * A new SA by the policy of a group with name and identifier, not in the table yet (store it
 * first, then insert).  `now` is wall clock; `made_at` and `activates_at` are the caller's to set.
 * NULL: no memory or randomness, or no SPI is left.
 */
struct gcks_sa *gcks_sa_new(struct gcks_sa_table *table, const struct gcks_group *group,
			    time_t now);
/* Adopts one that gcks_sa_new() has made, or whose group gcks_sa_group_get() has. */
void gcks_sa_insert(struct gcks_sa_table *table, struct gcks_sa *sa);
void gcks_sa_remove(struct gcks_sa_table *table, struct gcks_sa *sa);
/* With its counters. */
void gcks_sa_remove_group(struct gcks_sa_table *table, uint32_t group);
void gcks_sa_free(struct gcks_sa *sa);
void gcks_sa_table_clear(struct gcks_sa_table *table);

/* GCKS_NEVER: not limited. */
int64_t gcks_sa_expires_at(const struct gcks_sa *sa);
/* Whole seconds until then, at least 1; 0: not limited. */
uint32_t gcks_sa_lifetime_left_s(const struct gcks_sa *sa, int64_t now);
/* What it has to be told as an activation delay; 0: members send with it already. */
uint32_t gcks_sa_activation_left_s(const struct gcks_sa *sa, int64_t now);
bool gcks_sa_pairwise(const struct gcks_sa *sa);

/* Does an SA agree with the policy of its group today? */
enum gcks_sa_fit {
	GCKS_SA_FITS,
	GCKS_SA_OTHER_CIPHER,  /* a rekey brings it */
	GCKS_SA_OTHER_SHARING, /* members have to register again, for their Sender-IDs */
};
enum gcks_sa_fit gcks_sa_fits(const struct gcks_sa *sa, const struct gcks_group *group);

/* In front of the last ones; the oldest is forgotten. */
void gcks_sa_remember_spi(struct gcks_sa_numbers *numbers, uint32_t spi, uint8_t sender_id_bits);
bool gcks_sa_knows_spi(const struct gcks_sa_numbers *numbers, uint32_t spi);

/* -- cipher.c -- */

/* Transform ids of a cipher, and its name in CLI and YANG (NULL: there is no such cipher). */
void gcks_cipher_transforms(enum gcks_cipher cipher, struct gcks_sa *sa);
/* Octets of its keys: encryption with the salt of a counter mode, and integrity. */
size_t gcks_cipher_key_length(enum gcks_cipher cipher);
const char *gcks_cipher_name(enum gcks_cipher cipher);

#endif
