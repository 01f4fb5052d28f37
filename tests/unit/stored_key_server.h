// SPDX-License-Identifier: GPL-2.0-or-later
/* A key server in a test whose group is blue, with pairwise SAs, and whose store is on the disk. */
#ifndef TESTS_UNIT_STORED_KEY_SERVER_H
#define TESTS_UNIT_STORED_KEY_SERVER_H

#include "tests/unit/key_server.h"
#include "tests/unit/store_files.h"

extern struct key_server stored;
extern struct gcks_kernel_ids stored_kernel_ids;

/* Without a store at first: the test opens it. */
void stored_start(void);
void stored_stop(void);
void stored_open(void);
void stored_load(void);
void stored_close(void); /* the tables are empty again */
void stored_reopen(void);
/* A registration that must succeed. */
struct given stored_granted(const char *identity, uint32_t ike_sa);

#endif
