// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SA table of the key server: each group's Data-Security SAs, newest generation
 * first.  Pure but for the random number generator.
 */
#ifndef GCKS_SA_TABLE_H
#define GCKS_SA_TABLE_H

#include "gcks/policy.h"
#include "libgsa/gikev2.h"
#include "libgsa/secret.h"
#include <time.h>

struct gcks_sa {
	struct gcks_sa *next;
	uint32_t group; /* identifier */
	char group_name[GSA_GROUP_NAME_MAX + 1]; /* whose it was made: identifiers are given again */
	uint32_t generation;
	uint32_t spi; /* host order, > 255, unique on this key server */
	uint16_t encryption, encryption_key_bits, integrity, sequence_numbers;
	struct gsa_secret key; /* encryption key, then integrity key */
	time_t created_at;
};

struct gcks_sa_table {
	struct gcks_sa *head;
};

/* Newest SA of the group, NULL: none. */
struct gcks_sa *gcks_sa_current(const struct gcks_sa_table *table, uint32_t group);
/*
 * A new SA by the policy of a group with name and identifier, not in the table yet (store it
 * first, then insert).  NULL: no memory or randomness.
 */
struct gcks_sa *gcks_sa_new(const struct gcks_sa_table *table, const struct gcks_group *group,
			    time_t now);
void gcks_sa_insert(struct gcks_sa_table *table, struct gcks_sa *sa); /* adopts */
void gcks_sa_remove_group(struct gcks_sa_table *table, uint32_t group);
void gcks_sa_free(struct gcks_sa *sa);
void gcks_sa_table_clear(struct gcks_sa_table *table);

/* Transform ids of a cipher, and its name in CLI and YANG (NULL: there is no such cipher). */
void gcks_cipher_transforms(enum gcks_cipher cipher, struct gcks_sa *sa);
const char *gcks_cipher_name(enum gcks_cipher cipher);

#endif
