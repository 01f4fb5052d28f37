// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SQLite behind the store: write-ahead log, synced before anything is published, and an exclusive
 * lock for as long as the store is open, so that two gcksd never share one.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "gcks/former.h"
#include "gcks/planner.h"
#include "gcks/store_private.h"

bool gcks_store_fail(struct gcks_store *store, const char *format, ...)
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
const char *gcks_store_advice(int code)
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
bool gcks_store_database_failed(struct gcks_store *store, const char *what)
{
	int code = sqlite3_extended_errcode(store->database);
	int system = sqlite3_system_errno(store->database);
	bool told = system && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN ||
			       (code & 0xff) == SQLITE_FULL);

	return gcks_store_fail(store, "%s: %s%s%s%s", what, sqlite3_errmsg(store->database),
			       told ? ": " : "", told ? strerror(system) : "",
			       gcks_store_advice(code));
}

bool gcks_store_execute(struct gcks_store *store, const char *what, const char *statements)
{
	return sqlite3_exec(store->database, statements, NULL, NULL, NULL) == SQLITE_OK ||
	       gcks_store_database_failed(store, what);
}

bool gcks_store_write_anchor(struct gcks_store *store, uint64_t serial)
{
	struct gcks_anchor anchor = store->anchor;

	anchor.serial = serial;
	anchor.incomplete = store->incomplete;
	if (!gcks_anchor_write(store->anchor_file, &anchor, store->error, sizeof(store->error)))
		return false;
	store->anchor = anchor;
	return true;
}

const char *gcks_store_error(const struct gcks_store *store)
{
	return store->error;
}

const char *gcks_store_notice(const struct gcks_store *store)
{
	return store->notice;
}

bool gcks_store_is_complete(const struct gcks_store *store)
{
	return !store->incomplete;
}

void gcks_store_set_complete(struct gcks_store *store)
{
	store->incomplete = false;
	/* or with a later one: until then it counts as incomplete when it is opened */
	gcks_store_sync(store);
}

void gcks_store_set_clock(struct gcks_store *store, const struct gcks_clock *clock)
{
	store->context.clock = *clock;
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
			fault = reader->read(row, &store->context, into);
		}
	if (fault)
		gcks_store_fail(store, "table %s, row %d: %s", reader->table, count, fault);
	else if (code != SQLITE_DONE)
		gcks_store_fail(store, "table %s cannot be read: %s%s", reader->table,
				sqlite3_errmsg(store->database), gcks_store_advice(code));
	sqlite3_finalize(row);
	return !fault && code == SQLITE_DONE;
}

/*
 * What an older copy does not know was given to members: none of its SAs and registrations may be
 * used again, and the counters begin anew under the SAs that are to come.
 */
static bool forget(struct gcks_store *store, struct gcks_registrations *registrations,
		   struct gcks_sa_table *sas)
{
	char statements[256];

	snprintf(statements, sizeof(statements),
		 "BEGIN IMMEDIATE; DELETE FROM registration; DELETE FROM sa;"
		 "UPDATE numbers SET sender_id_reserved = 0; UPDATE anchored SET serial = %lld;"
		 "COMMIT;",
		 (long long)(store->serial + 1));
	store->unsynced = true;
	if (!gcks_store_execute(store, "its SAs cannot be ended", statements))
		return false;
	store->serial++;
	if (!gcks_store_sync(store))
		return false;
	store->old = false;
	gcks_registrations_clear(registrations);
	while (sas->head)
		gcks_sa_remove(sas, sas->head);
	for (struct gcks_sa_group *group = sas->groups; group; group = group->next) {
		group->sender_id_next = group->numbers.sender_id_reserved = 0;
		gcks_former_clear(group);
	}
	return true;
}

bool gcks_store_load(struct gcks_store *store, struct gcks_registrations *registrations,
		     struct gcks_sa_table *sas, struct gcks_kernel_ids *installed, char *error,
		     size_t error_size)
{
	if (load_table(store, &gcks_store_registrations, registrations) &&
	    load_table(store, &gcks_store_numbers, sas) &&
	    load_table(store, &gcks_store_former, sas) && load_table(store, &gcks_store_sas, sas) &&
	    load_table(store, &gcks_store_kernel_ids, installed) &&
	    (!store->old || forget(store, registrations, sas)))
		return true;
	gcks_registrations_clear(registrations);
	gcks_sa_table_clear(sas);
	gcks_kernel_ids_clear(installed);
	snprintf(error, error_size, "%s", store->error);
	return false;
}

/* ---- committing ---- */

/*
 * Under a file system that was turned read-only with its files open Linux may take writes into its
 * cache, and say that they are synced when nothing was written.
 */
static bool is_writable(struct gcks_store *store)
{
	struct statvfs status;

	if (statvfs(store->path, &status) < 0 || !(status.f_flag & ST_RDONLY))
		return true;
	return gcks_store_fail(store, "its file system has turned read-only: look at its health, "
				      "and make it writable again");
}

/* The bound values are forgotten: an identity is not kept longer than its change. */
static bool run(struct gcks_store *store, sqlite3_stmt *statement)
{
	bool ok = sqlite3_step(statement) == SQLITE_DONE;

	if (!ok)
		gcks_store_database_failed(store, "change not stored");
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return ok;
}

static bool apply(struct gcks_store *store, const struct gcks_change *change)
{
	sqlite3_stmt *statement = store->changes[change->kind];
	const char *reason;

	if (!gcks_store_bind(statement, change, &store->context, &reason)) {
		sqlite3_clear_bindings(statement);
		return gcks_store_fail(store, "change not stored: %s", reason);
	}
	return run(store, statement);
}

/*
 * A new SA, a new block of Sender-IDs, a state that must not be made again: a copy of the store from
 * before must be known as such.
 */
static bool raises(const struct gcks_change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (changes[i].kind == GCKS_PUT_SA || changes[i].kind == GCKS_PUT_NUMBERS ||
		    (changes[i].kind == GCKS_PUT_KERNEL_ID && gcks_is_pair(changes[i].kernel_id)))
			return true;
	return false;
}

static bool raise_serial(struct gcks_store *store)
{
	if (sqlite3_bind_int64(store->raise, 1, (int64_t)store->serial + 1) != SQLITE_OK)
		return gcks_store_fail(store, "change not stored: out of memory");
	return run(store, store->raise);
}

bool gcks_store_commit(struct gcks_store *store, const struct gcks_change *changes, size_t count)
{
	bool raised = raises(changes, count), ok;

	if (!count)
		return true;
	/* what cannot be told is not decided either: too late it would be worth nothing */
	if (store->stuck && !gcks_store_sync(store))
		return false;
	if (!is_writable(store) || !run(store, store->begin))
		return false;
	ok = true;
	for (size_t i = 0; i < count && ok; i++)
		ok = apply(store, &changes[i]);
	ok = ok && (!raised || raise_serial(store)) && run(store, store->commit);
	store->unsynced |= ok;
	store->serial += ok && raised;
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
		return gcks_store_fail(store, "its write-ahead log is not open");
	if (log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK)
		return true;
	return gcks_store_fail(store, "its write-ahead log cannot be synced: %s%s", strerror(errno),
			       gcks_store_advice(SQLITE_IOERR));
}

/*
 * After a failure the kernel reports success for pages that it never wrote (fsync(2)): only what
 * is written again counts, so the log goes into the database.
 */
static bool write_again(struct gcks_store *store)
{
	return sqlite3_wal_checkpoint_v2(store->database, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
					 NULL) == SQLITE_OK ||
	       gcks_store_database_failed(store, "its write-ahead log cannot be written out");
}

bool gcks_store_sync(struct gcks_store *store)
{
	bool ok = true;

	if (store->unsynced)
		ok = (store->sync_failed ? write_again(store) : sync_log(store)) &&
		     is_writable(store);
	store->sync_failed = !ok;
	store->unsynced = !ok;
	if (ok && (store->anchor.serial != store->serial ||
		   store->anchor.incomplete != store->incomplete))
		ok = gcks_store_write_anchor(store, store->serial);
	store->stuck = !ok;
	return ok;
}

bool gcks_store_is_synced(const struct gcks_store *store)
{
	return !store->unsynced;
}
