// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rows of the store: the tables of the database, what is written to them (store_row.c) and read
 * from them (store_read.c).  Inside the store only.
 */
#ifndef GCKS_STORE_ROW_H
#define GCKS_STORE_ROW_H

#include <sqlite3.h>

#include "gcks/clock.h"
#include "gcks/store.h"

#define GCKS_STORE_CHANGE_KINDS (GCKS_REMOVE_KERNEL_ID + 1)

/* What rows are written and read with. */
struct gcks_store_context {
	struct gsa_secret key;
	struct gcks_clock clock; /* when the store was opened */
};

/* Statements that make the tables of version 1, and what makes them the next one. */
extern const char gcks_store_tables[], gcks_store_to_version_2[], gcks_store_to_version_3[];
/* What each kind of change does; its parameters are filled by gcks_store_bind(). */
extern const char *const gcks_store_statements[GCKS_STORE_CHANGE_KINDS];

/* False with *reason (static): the entry cannot be stored, or memory is short. */
bool gcks_store_bind(sqlite3_stmt *statement, const struct gcks_change *change,
		     const struct gcks_store_context *context, const char **reason);

/* One table of the database, read row by row into the caller's table. */
struct gcks_store_reader {
	const char *table, *query;
	/* Takes a row.  NULL, or what is wrong with it (static). */
	const char *(*read)(sqlite3_stmt *row, const struct gcks_store_context *context,
			    void *into);
};
extern const struct gcks_store_reader gcks_store_registrations, gcks_store_numbers,
	gcks_store_former, gcks_store_sas, gcks_store_kernel_ids;

#endif
