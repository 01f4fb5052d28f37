// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Inside the store: store_open.c opens and closes, store.c loads, commits and syncs.
 */
#ifndef GCKS_STORE_PRIVATE_H
#define GCKS_STORE_PRIVATE_H

#include "gcks/anchor.h"
#include "gcks/store_key.h"
#include "gcks/store_row.h"

struct gcks_store {
	sqlite3 *database;
	sqlite3_stmt *changes[GCKS_STORE_CHANGE_KINDS], *begin, *commit, *rollback, *raise;
	struct gcks_store_context context;
	bool unsynced;		   /* committed, but perhaps not on the disk */
	bool sync_failed;	   /* the kernel may have given up what was to be written */
	bool stuck;		   /* log or anchor could not be synced last time */
	uint64_t serial;	   /* as in the database */
	struct gcks_anchor anchor; /* as in its file */
	bool old;		   /* an older copy: see anchor.h */
	bool incomplete;	   /* gcks_store_is_complete() */
	char *path, *key_file, *anchor_file;
	char error[512], notice[512];
};

/* Fills store->error; false. */
bool gcks_store_fail(struct gcks_store *store, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* The database refused something; `what` was tried. */
bool gcks_store_database_failed(struct gcks_store *store, const char *what);
bool gcks_store_execute(struct gcks_store *store, const char *what, const char *statements);
/* What an operator can do about an error of SQLite. */
const char *gcks_store_advice(int code);
bool gcks_store_write_anchor(struct gcks_store *store, uint64_t serial);

#endif
