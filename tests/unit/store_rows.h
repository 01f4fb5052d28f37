// SPDX-License-Identifier: GPL-2.0-or-later
/* What a store holds in a test: rows of each kind, and what is loaded of them. */
#ifndef TESTS_UNIT_STORE_ROWS_H
#define TESTS_UNIT_STORE_ROWS_H

#include "tests/unit/store_files.h"

/* What must_load() has found. */
extern struct gcks_registrations stored_registrations;
extern struct gcks_sa_table stored_sas;
extern struct gcks_kernel_ids stored_ids;
extern char stored_identity[], *stored_ca[2]; /* of each registration */

void store_rows_stop(void); /* with the files */
void must_load(struct gcks_store *store);
void must_commit(struct gcks_store *store, const struct gcks_change *changes, size_t count);

struct gcks_registration a_registration(uint32_t group);
struct gcks_sa an_sa(uint32_t group, uint32_t spi, uint32_t generation);
struct gcks_kernel_id a_policy(uint32_t priority);
/* A store with one row of each kind; two SAs. */
void fill_store(void);
void must_hold_all(void); /* of that */

#endif
