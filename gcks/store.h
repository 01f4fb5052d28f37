// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store: what has to survive gcksd.  A few calls, so that another back end (a
 * consensus store) can stand behind them.  Keys are wrapped (RFC 5649) under the key file before
 * they get here.  Every commit is one transaction.  It is durable when gcks_store_sync() says so:
 * one sync for all registrations that came together.
 */
#ifndef GCKS_STORE_H
#define GCKS_STORE_H

#include "gcks/registration.h"
#include "gcks/sa_table.h"
#include "gcks/kernel_id.h"

struct gcks_store;
struct gcks_clock;

/*
 * Open (or create) the store and its key file.  NULL with `error` filled (what, which file, why)
 * when the store cannot be opened, is newer than this program, or a key cannot be unwrapped;
 * nothing is changed then.  The key file (mode 0600, 32 octets) is made only when neither file is
 * there. The store is locked until it is closed: a second gcksd is refused.  Open it after
 * daemonising: neither the lock nor the locked memory survives fork().
 */
struct gcks_store *gcks_store_open(const char *path, const char *key_file, char *error,
				   size_t error_size);
void gcks_store_close(struct gcks_store *store);

/*
 * Fill the (empty) tables.  False with `error`: a row cannot be read or unwrapped; the
 * tables are empty then.  What means something in one run of charon only is not kept: a loaded
 * registration has ike_sa 0 and is not stale.  Times are turned into monotonic ones of today.
 * An older copy of the store (anchor.h) loads neither registrations nor SAs: they have ended, and
 * gcks_store_notice() says so.
 */
bool gcks_store_load(struct gcks_store *store, struct gcks_registrations *registrations,
		     struct gcks_sa_table *sas, struct gcks_kernel_ids *installed, char *error,
		     size_t error_size);

/* What the operator should know of the store after opening and loading; "": nothing. */
const char *gcks_store_notice(const struct gcks_store *store);
/*
 * Does it know all that earlier gcksds have made?  Not when it is an older copy, or was made anew: another
 * one may have been lost.  That lasts, over openings too, until it is said that nothing of what it does
 * not know is of use any more.
 */
bool gcks_store_is_complete(const struct gcks_store *store);
void gcks_store_set_complete(struct gcks_store *store);
/* Another time than that of opening, before loading. */
void gcks_store_set_clock(struct gcks_store *store, const struct gcks_clock *clock);

/* One change: any number of operations, committed together. */
struct gcks_change {
	enum {
		GCKS_PUT_REGISTRATION,
		GCKS_REMOVE_REGISTRATION,
		GCKS_END_REGISTRATION, /* it is kept as a former one, with its number */
		GCKS_FORGET_FORMER,    /* of a group, up to a number */
		GCKS_PUT_DELIVERED, /* of a registration that is stored: what it holds, and misses
				     */
		GCKS_PUT_SA,
		GCKS_REMOVE_SA,
		GCKS_PUT_NUMBERS,
		GCKS_REMOVE_NUMBERS,
		GCKS_PUT_KERNEL_ID,
		GCKS_REMOVE_KERNEL_ID,
	} kind;
	union {
		const struct gcks_registration *registration;
		const struct gcks_sa *sa;
		const struct gcks_sa_numbers *numbers;
		const struct gcks_kernel_id *kernel_id;
		struct {
			uint32_t group;
			uint64_t up_to; /* GCKS_FORMER_ALL: all of them */
		} former;
	};
};
#define GCKS_FORMER_ALL ((uint64_t)INT64_MAX)

/*
 * False: nothing of the batch is stored; gcks_store_error() says why.  What was committed survives
 * the end of gcksd, but not yet that of the machine.  After a sync that failed nothing is taken
 * before one succeeds, which is tried first.
 */
bool gcks_store_commit(struct gcks_store *store, const struct gcks_change *changes, size_t count);
/*
 * All that was committed is on the disk: called before anything leaves gcksd, so that nothing is
 * published that is not stored, and the anchor is raised to it.  Does nothing when nothing was
 * committed since.  False: it may not be; gcks_store_error() says why, and the next call tries
 * again.
 */
bool gcks_store_sync(struct gcks_store *store);
/* Nothing was committed since. */
bool gcks_store_is_synced(const struct gcks_store *store);
const char *gcks_store_error(const struct gcks_store *store);

#endif
