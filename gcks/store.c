// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SQLite behind the store: write-ahead log, synced before anything is published, and an exclusive
 * lock for as long as the store is open, so that two gcksd never share one.
 *
 *   application_id, user_version   whose file this is, and the version of its tables
 *   key_check                      a wrapped constant: is this the right key file?
 *   registration, sa, kernel_id    store_row.c
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gcks/store_key.h"
#include "gcks/store_row.h"

#define APPLICATION_ID 0x67636b73 /* "gcks" */
#define VERSION	       1

struct gcks_store {
	sqlite3 *database;
	sqlite3_stmt *changes[GCKS_STORE_CHANGE_KINDS], *begin, *commit, *rollback;
	struct gsa_secret key;
	bool unsynced;	  /* committed, but perhaps not on the disk */
	bool sync_failed; /* the kernel may have given up what was to be written */
	char *path, *key_file;
	char error[512];
};

static bool fail(struct gcks_store *store, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool fail(struct gcks_store *store, const char *format, ...)
{
	int length = snprintf(store->error, sizeof(store->error), "store %s: ", store->path);
	va_list arguments;

	if (length < 0 || (size_t)length >= sizeof(store->error))
		return false;
	va_start(arguments, format);
	vsnprintf(store->error + length, sizeof(store->error) - length, format, arguments);
	va_end(arguments);
	return false;
}

/* What an operator can do about it. */
static const char *advice(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL:
		return "; free space on its file system";
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return "; another gcksd or program uses it: stop that one";
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return "; gcksd's user has to be able to write this file and its folder";
	case SQLITE_IOERR:
		return "; look at free space, limits and health of its file system";
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return "; move it away, or put back a copy of it: with a new store members "
		       "have to register again";
	default:
		return "";
	}
}

/* The database refused something; `what` was tried. */
static bool database_failed(struct gcks_store *store, const char *what)
{
	int code = sqlite3_extended_errcode(store->database);
	int system = sqlite3_system_errno(store->database);
	bool told = system && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN ||
			       (code & 0xff) == SQLITE_FULL);

	return fail(store, "%s: %s%s%s%s", what, sqlite3_errmsg(store->database), told ? ": " : "",
		    told ? strerror(system) : "", advice(code));
}

static bool execute(struct gcks_store *store, const char *what, const char *statements)
{
	return sqlite3_exec(store->database, statements, NULL, NULL, NULL) == SQLITE_OK ||
	       database_failed(store, what);
}

/* The number that a query answers with. */
static bool ask_number(struct gcks_store *store, const char *query, int64_t *answer)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->database, query, -1, &statement, NULL) == SQLITE_OK &&
		  sqlite3_step(statement) == SQLITE_ROW;

	if (ok)
		*answer = sqlite3_column_int64(statement, 0);
	else
		database_failed(store, "cannot be read");
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
			return fail(
				store,
				"its key file %s is missing: put it back.  Without it the group "
				"keys "
				"in the store are lost: then move the store away too, and members "
				"have to register again",
				store->key_file);
		if (missing != ENOENT)
			return fail(store, "cannot be opened: %s%s", strerror(missing),
				    advice(SQLITE_CANTOPEN));
		if (!gcks_store_key_create(store->key_file, store->error, sizeof(store->error)))
			return false;
	}
	return gcks_store_key_read(store->key_file, &store->key, store->error,
				   sizeof(store->error));
}

/* Within the opening transaction: a new database gets its tables. */
static bool make_tables(struct gcks_store *store)
{
	uint8_t wrapped[GSA_WRAP_CIPHER_MAX];
	sqlite3_stmt *statement = NULL;
	char statements[128];
	size_t length;
	bool ok;

	if (!gcks_store_key_check_make(&store->key, wrapped, &length))
		return fail(store, "the check value of its key cannot be wrapped");
	snprintf(statements, sizeof(statements),
		 "PRAGMA application_id = %d; PRAGMA user_version = %d;"
		 "CREATE TABLE key_check (wrapped BLOB NOT NULL) STRICT;",
		 APPLICATION_ID, VERSION);
	if (!execute(store, "cannot be made", statements) ||
	    !execute(store, "cannot be made", gcks_store_tables))
		return false;
	ok = sqlite3_prepare_v2(store->database, "INSERT INTO key_check VALUES (?)", -1, &statement,
				NULL) == SQLITE_OK &&
	     sqlite3_bind_blob(statement, 1, wrapped, (int)length, SQLITE_TRANSIENT) == SQLITE_OK &&
	     sqlite3_step(statement) == SQLITE_DONE;
	if (!ok)
		database_failed(store, "cannot be made");
	sqlite3_finalize(statement);
	return ok;
}

static bool check_key(struct gcks_store *store)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->database, "SELECT wrapped FROM key_check", -1,
				     &statement, NULL) == SQLITE_OK;

	if (!ok || sqlite3_step(statement) != SQLITE_ROW) {
		ok = fail(store, "table key_check cannot be read: %s",
			  sqlite3_errmsg(store->database));
	} else if (!gcks_store_key_check(&store->key, sqlite3_column_blob(statement, 0),
					 sqlite3_column_bytes(statement, 0))) {
		ok = fail(store, "%s is not its key file: put the right one back", store->key_file);
	}
	sqlite3_finalize(statement);
	return ok;
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
		return fail(store, "is the database of another program");
	if (version > VERSION)
		return fail(
			store,
			"its version %lld is newer than this gcksd understands (%d): use the gcksd "
			"that wrote it, or a newer one",
			(long long)version, VERSION);
	if (version != VERSION)
		return fail(store, "its version %lld is unknown", (long long)version);
	return check_key(store);
}

/* The journal may change only once the database is known to be ours. */
static bool use_log(struct gcks_store *store)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(store->database, "PRAGMA journal_mode = WAL", -1, &statement,
				     NULL) == SQLITE_OK &&
		  sqlite3_step(statement) == SQLITE_ROW;

	if (!ok)
		database_failed(store, "cannot use a write-ahead log");
	else if (strcmp((const char *)sqlite3_column_text(statement, 0), "wal") != 0)
		ok = fail(store, "its file system does not allow a write-ahead log");
	sqlite3_finalize(statement);
	/* gcks_store_sync() syncs the log, SQLite before and after it empties it */
	return ok && execute(store, "cannot be set up", "PRAGMA synchronous = NORMAL");
}

static bool prepare(struct gcks_store *store, const char *text, sqlite3_stmt **statement)
{
	return sqlite3_prepare_v3(store->database, text, -1, SQLITE_PREPARE_PERSISTENT, statement,
				  NULL) == SQLITE_OK ||
	       database_failed(store, "its tables are not as they should be");
}

static bool prepare_all(struct gcks_store *store)
{
	for (size_t i = 0; i < GCKS_STORE_CHANGE_KINDS; i++)
		if (!prepare(store, gcks_store_statements[i], &store->changes[i]))
			return false;
	return prepare(store, "BEGIN IMMEDIATE", &store->begin) &&
	       prepare(store, "COMMIT", &store->commit) &&
	       prepare(store, "ROLLBACK", &store->rollback);
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
		  (code == SQLITE_OK || database_failed(store, "cannot be opened"));

	if (!store->database)
		fail(store, "cannot be opened: out of memory");
	if (ok && sqlite3_db_readonly(store->database, "main"))
		ok = fail(store, "is read-only%s", advice(SQLITE_READONLY));
	/* the lock is kept, so nobody comes between the checks and our first commit */
	ok = ok &&
	     execute(store, "cannot be set up",
		     "PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY;"
		     "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;") &&
	     execute(store, "cannot be locked", "BEGIN EXCLUSIVE");
	if (ok) {
		ok = check_tables(store);
		if (ok)
			ok = execute(store, "cannot be written", "COMMIT");
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
	}
	if (!store || !store->path || !store->key_file) {
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
	sqlite3_close(store->database);
	gsa_secret_clear(&store->key);
	free(store->path);
	free(store->key_file);
	free(store);
}

const char *gcks_store_error(const struct gcks_store *store)
{
	return store->error;
}

/* ---- loading ---- */

static bool load_table(struct gcks_store *store, const struct gcks_store_reader *reader, void *into)
{
	const char *fault = NULL;
	sqlite3_stmt *row = NULL;
	int code, count = 0;

	code = sqlite3_prepare_v2(store->database, reader->query, -1, &row, NULL);
	if (code == SQLITE_OK)
		while (!fault && (code = sqlite3_step(row)) == SQLITE_ROW) {
			count++;
			fault = reader->read(row, &store->key, into);
		}
	if (fault)
		fail(store, "table %s, row %d: %s", reader->table, count, fault);
	else if (code != SQLITE_DONE)
		fail(store, "table %s cannot be read: %s%s", reader->table,
		     sqlite3_errmsg(store->database), advice(code));
	sqlite3_finalize(row);
	return !fault && code == SQLITE_DONE;
}

bool gcks_store_load(struct gcks_store *store, struct gcks_registrations *registrations,
		     struct gcks_sa_table *sas, struct gcks_kernel_ids *installed, char *error,
		     size_t error_size)
{
	if (load_table(store, &gcks_store_registrations, registrations) &&
	    load_table(store, &gcks_store_sas, sas) &&
	    load_table(store, &gcks_store_kernel_ids, installed))
		return true;
	gcks_registrations_clear(registrations);
	gcks_sa_table_clear(sas);
	gcks_kernel_ids_clear(installed);
	snprintf(error, error_size, "%s", store->error);
	return false;
}

/* ---- committing ---- */

/* The bound values are forgotten: an identity is not kept longer than its change. */
static bool run(struct gcks_store *store, sqlite3_stmt *statement)
{
	bool ok = sqlite3_step(statement) == SQLITE_DONE;

	if (!ok)
		database_failed(store, "change not stored");
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return ok;
}

static bool apply(struct gcks_store *store, const struct gcks_change *change)
{
	sqlite3_stmt *statement = store->changes[change->kind];
	const char *reason;

	if (!gcks_store_bind(statement, change, &store->key, &reason)) {
		sqlite3_clear_bindings(statement);
		return fail(store, "change not stored: %s", reason);
	}
	return run(store, statement);
}

bool gcks_store_commit(struct gcks_store *store, const struct gcks_change *changes, size_t count)
{
	bool ok;

	if (!count)
		return true;
	if (!run(store, store->begin))
		return false;
	ok = true;
	for (size_t i = 0; i < count && ok; i++)
		ok = apply(store, &changes[i]);
	ok = ok && run(store, store->commit);
	store->unsynced |= ok;
	/* a failure of disk or memory may have ended the transaction already */
	if (!ok && !sqlite3_get_autocommit(store->database)) {
		sqlite3_step(store->rollback);
		sqlite3_reset(store->rollback);
	}
	return ok;
}

/* ---- syncing ---- */

static bool sync_log(struct gcks_store *store)
{
	sqlite3_file *log = NULL;

	if (sqlite3_file_control(store->database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) !=
		    SQLITE_OK ||
	    !log || !log->pMethods)
		return fail(store, "its write-ahead log is not open");
	if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK)
		return true;
	return fail(store, "its write-ahead log cannot be synced: %s%s", strerror(errno),
		    advice(SQLITE_IOERR));
}

/*
 * After a failure the kernel reports success for pages that it never wrote (fsync(2)): only what
 * is written again counts, so the log goes into the database.
 */
static bool write_again(struct gcks_store *store)
{
	return sqlite3_wal_checkpoint_v2(store->database, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
					 NULL) == SQLITE_OK ||
	       database_failed(store, "its write-ahead log cannot be written out");
}

bool gcks_store_sync(struct gcks_store *store)
{
	bool ok;

	if (!store->unsynced)
		return true;
	ok = store->sync_failed ? write_again(store) : sync_log(store);
	store->sync_failed = !ok;
	store->unsynced = !ok;
	return ok;
}
