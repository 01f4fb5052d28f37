// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Opening the store: its key, its version, its anchor.
 *
 *   application_id, user_version   whose file this is, and the version of its tables
 *   key_check                      a wrapped constant: is this the right key file?
 *   anchored                       identifier and serial number (anchor.h)
 *   registration, sa, ...          store_row.c
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "gcks/store_private.h"

#define APPLICATION_ID 0x67636b73 /* "gcks" */
#define VERSION	       3

static const char anchor_suffix[] = ".anchor";

/* The number that a query answers with. */
static bool ask_number(struct gcks_store *store, const char *query, int64_t *answer)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->database, query, -1, &statement, NULL) == SQLITE_OK &&
		  sqlite3_step(statement) == SQLITE_ROW;

	if (ok)
		*answer = sqlite3_column_int64(statement, 0);
	else
		gcks_store_database_failed(store, "cannot be read");
	sqlite3_finalize(statement);
	return ok;
}

/* ---- opening ---- */

/* 0, or why lstat() failed: ENOENT, or something that keeps us from knowing. */
static int look_for(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0 ? 0 : errno;
}

/*
 * Read the key; make it if this is the first start.  A database without its key is not
 * a first start: a new key would hide that the old one was lost.
 */
static bool open_key(struct gcks_store *store)
{
	if (look_for(store->key_file) == ENOENT) {
		int missing = look_for(store->path);

		if (!missing)
			return gcks_store_fail(
				store,
				"its key file %s is missing: put it back.  Without it the group "
				"keys "
				"in the store are lost: then move the store away too, and members "
				"have to register again",
				store->key_file);
		if (missing != ENOENT)
			return gcks_store_fail(store, "cannot be opened: %s%s", strerror(missing),
					       gcks_store_advice(SQLITE_CANTOPEN));
		if (!gcks_store_key_create(store->key_file, store->error, sizeof(store->error)))
			return false;
	}
	return gcks_store_key_read(store->key_file, &store->context.key, store->error,
				   sizeof(store->error));
}

static bool insert_blob(struct gcks_store *store, const char *statement_text, const void *blob,
			size_t length)
{
	sqlite3_stmt *statement = NULL;
	bool ok =
		sqlite3_prepare_v2(store->database, statement_text, -1, &statement, NULL) ==
			SQLITE_OK &&
		sqlite3_bind_blob(statement, 1, blob, (int)length, SQLITE_TRANSIENT) == SQLITE_OK &&
		sqlite3_step(statement) == SQLITE_DONE;

	if (!ok)
		gcks_store_database_failed(store, "cannot be made");
	sqlite3_finalize(statement);
	return ok;
}

/*
 * From version 1, which had neither lifetimes nor Sender-IDs, nor an anchor.  That one is made
 * here, so that a store of a later version without one is known to have lost it.
 */
static bool migrate_from_1(struct gcks_store *store)
{
	uint8_t id[GCKS_STORE_ID_SIZE];

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return gcks_store_fail(store, "no random numbers for its identifier");
	if (!gcks_store_execute(store, "its tables cannot be brought to version 2",
				gcks_store_to_version_2) ||
	    !insert_blob(store, "INSERT INTO anchored VALUES (?, 0)", id, sizeof(id)))
		return false;
	memcpy(store->anchor.store, id, sizeof(id));
	store->serial = 0;
	return gcks_store_write_anchor(store, 0);
}

static bool check_key(struct gcks_store *store)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->database, "SELECT wrapped FROM key_check", -1,
				     &statement, NULL) == SQLITE_OK;

	if (!ok || sqlite3_step(statement) != SQLITE_ROW) {
		ok = gcks_store_fail(store, "table key_check cannot be read: %s",
				     sqlite3_errmsg(store->database));
	} else if (!gcks_store_key_check(&store->context.key, sqlite3_column_blob(statement, 0),
					 sqlite3_column_bytes(statement, 0))) {
		ok = gcks_store_fail(store, "%s is not its key file: put the right one back",
				     store->key_file);
	}
	sqlite3_finalize(statement);
	return ok;
}

static bool read_anchored(struct gcks_store *store)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->database, "SELECT store, serial FROM anchored", -1,
				     &statement, NULL) == SQLITE_OK &&
		  sqlite3_step(statement) == SQLITE_ROW &&
		  sqlite3_column_bytes(statement, 0) == GCKS_STORE_ID_SIZE;

	if (ok) {
		memcpy(store->anchor.store, sqlite3_column_blob(statement, 0), GCKS_STORE_ID_SIZE);
		store->serial = (uint64_t)sqlite3_column_int64(statement, 1);
	} else {
		gcks_store_fail(store, "table anchored cannot be read: %s",
				sqlite3_errmsg(store->database));
	}
	sqlite3_finalize(statement);
	return ok;
}

/* Is this the store that wrote last? */
static bool check_anchor(struct gcks_store *store)
{
	struct gcks_anchor anchor;
	bool found;

	if (!read_anchored(store))
		return false;
	if (!gcks_anchor_read(store->anchor_file, &anchor, &found, store->error,
			      sizeof(store->error)))
		return false;
	store->old = true;
	if (!found)
		snprintf(store->notice, sizeof(store->notice),
			 "store %s: its anchor %s is missing or is none: it may be an older copy",
			 store->path, store->anchor_file);
	else if (memcmp(anchor.store, store->anchor.store, GCKS_STORE_ID_SIZE) != 0)
		snprintf(store->notice, sizeof(store->notice),
			 "store %s: the anchor %s is another store's: it may be an older copy",
			 store->path, store->anchor_file);
	else if (anchor.serial > store->serial)
		snprintf(store->notice, sizeof(store->notice),
			 "store %s is an older copy: it has number %llu, its anchor %llu",
			 store->path, (unsigned long long)store->serial,
			 (unsigned long long)anchor.serial);
	else
		store->old = false;
	store->incomplete = store->old || anchor.incomplete;
	/* both go on above what either has seen */
	if (store->old && found && anchor.serial > store->serial)
		store->serial = anchor.serial;
	store->anchor.serial = store->old ? 0 : anchor.serial;
	store->anchor.incomplete = !store->old && anchor.incomplete;
	return true;
}

/* Step by step: the anchor is checked, or made, before what needs it. */
static bool migrate(struct gcks_store *store, int64_t version)
{
	char statements[64];

	snprintf(statements, sizeof(statements), "PRAGMA user_version = %d;", VERSION);
	if (!(version < 2 ? migrate_from_1(store) : check_anchor(store)))
		return false;
	return version == VERSION ||
	       (gcks_store_execute(store, "its tables cannot be brought to version 3",
				   gcks_store_to_version_3) &&
		gcks_store_execute(store, "its version cannot be set", statements));
}

/* Within the opening transaction: a new database gets its tables. */
static bool make_tables(struct gcks_store *store)
{
	uint8_t wrapped[GSA_WRAP_CIPHER_MAX];
	char statements[128];
	size_t length;

	store->incomplete = true;
	if (!gcks_store_key_check_make(&store->context.key, wrapped, &length))
		return gcks_store_fail(store, "the check value of its key cannot be wrapped");
	snprintf(statements, sizeof(statements),
		 "PRAGMA application_id = %d;"
		 "CREATE TABLE key_check (wrapped BLOB NOT NULL) STRICT;",
		 APPLICATION_ID);
	return gcks_store_execute(store, "cannot be made", statements) &&
	       gcks_store_execute(store, "cannot be made", gcks_store_tables) &&
	       insert_blob(store, "INSERT INTO key_check VALUES (?)", wrapped, length) &&
	       migrate(store, 1);
}

/* Within the opening transaction: whose database is this, and do we understand it? */
static bool check_tables(struct gcks_store *store)
{
	int64_t tables, application, version;

	if (!ask_number(store, "SELECT count(*) FROM sqlite_schema", &tables) ||
	    !ask_number(store, "PRAGMA application_id", &application) ||
	    !ask_number(store, "PRAGMA user_version", &version))
		return false;
	if (!tables && !application && !version)
		return make_tables(store);
	if (application != APPLICATION_ID)
		return gcks_store_fail(store, "is the database of another program");
	if (version > VERSION)
		return gcks_store_fail(
			store,
			"its version %lld is newer than this gcksd understands (%d): use the gcksd "
			"that wrote it, or a newer one",
			(long long)version, VERSION);
	if (version < 1)
		return gcks_store_fail(store, "its version %lld is unknown", (long long)version);
	if (!check_key(store))
		return false;
	return migrate(store, version);
}

/* The journal may change only once the database is known to be ours. */
static bool use_log(struct gcks_store *store)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->database, "PRAGMA journal_mode = WAL", -1, &statement,
				     NULL) == SQLITE_OK &&
		  sqlite3_step(statement) == SQLITE_ROW;

	if (!ok)
		gcks_store_database_failed(store, "cannot use a write-ahead log");
	else if (strcmp((const char *)sqlite3_column_text(statement, 0), "wal") != 0)
		ok = gcks_store_fail(store, "its file system does not allow a write-ahead log");
	sqlite3_finalize(statement);
	/* gcks_store_sync() syncs the log, SQLite before and after it empties it */
	return ok && gcks_store_execute(store, "cannot be set up", "PRAGMA synchronous = NORMAL");
}

static bool prepare(struct gcks_store *store, const char *text, sqlite3_stmt **statement)
{
	return sqlite3_prepare_v3(store->database, text, -1, SQLITE_PREPARE_PERSISTENT, statement,
				  NULL) == SQLITE_OK ||
	       gcks_store_database_failed(store, "its tables are not as they should be");
}

static bool prepare_all(struct gcks_store *store)
{
	for (size_t i = 0; i < GCKS_STORE_CHANGE_KINDS; i++)
		if (!prepare(store, gcks_store_statements[i], &store->changes[i]))
			return false;
	return prepare(store, "BEGIN IMMEDIATE", &store->begin) &&
	       prepare(store, "COMMIT", &store->commit) &&
	       prepare(store, "ROLLBACK", &store->rollback) &&
	       prepare(store, "UPDATE anchored SET serial = ?", &store->raise);
}

static bool open_database(struct gcks_store *store)
{
	/* the log takes its mode from the database */
	mode_t mask = umask(S_IRWXG | S_IRWXO);
	int code = sqlite3_open_v2(store->path, &store->database,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					   SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
				   NULL);
	bool ok = store->database &&
		  (code == SQLITE_OK || gcks_store_database_failed(store, "cannot be opened"));

	if (!store->database)
		gcks_store_fail(store, "cannot be opened: out of memory");
	if (ok && sqlite3_db_readonly(store->database, "main"))
		ok = gcks_store_fail(store, "is read-only%s", gcks_store_advice(SQLITE_READONLY));
	/* the lock is kept, so nobody comes between the checks and our first commit */
	ok = ok &&
	     gcks_store_execute(store, "cannot be set up",
				"PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY;"
				"PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;") &&
	     gcks_store_execute(store, "cannot be locked", "BEGIN EXCLUSIVE");
	if (ok) {
		ok = check_tables(store);
		if (ok)
			ok = gcks_store_execute(store, "cannot be written", "COMMIT");
		if (!ok)
			sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
	}
	ok = ok && use_log(store) && prepare_all(store);
	umask(mask);
	return ok;
}

struct gcks_store *gcks_store_open(const char *path, const char *key_file, char *error,
				   size_t error_size)
{
	struct gcks_store *store = calloc(1, sizeof(*store));

	if (store) {
		store->path = strdup(path);
		store->key_file = strdup(key_file);
		store->anchor_file = malloc(strlen(path) + sizeof(anchor_suffix));
		if (store->anchor_file)
			sprintf(store->anchor_file, "%s%s", path, anchor_suffix);
		gcks_clock_read(&store->context.clock);
	}
	if (!store || !store->path || !store->key_file || !store->anchor_file) {
		snprintf(error, error_size, "store %s: out of memory", path);
	} else if (open_key(store) && open_database(store)) {
		return store;
	} else {
		snprintf(error, error_size, "%s", store->error);
	}
	gcks_store_close(store);
	return NULL;
}

void gcks_store_close(struct gcks_store *store)
{
	if (!store)
		return;
	for (size_t i = 0; i < GCKS_STORE_CHANGE_KINDS; i++)
		sqlite3_finalize(store->changes[i]);
	sqlite3_finalize(store->begin);
	sqlite3_finalize(store->commit);
	sqlite3_finalize(store->rollback);
	sqlite3_finalize(store->raise);
	sqlite3_close(store->database);
	gsa_secret_clear(&store->context.key);
	free(store->path);
	free(store->key_file);
	free(store->anchor_file);
	free(store);
}
