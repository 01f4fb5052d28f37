// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The anchor: a small file beside the store that tells an older copy of it.
 *
 * The store counts a serial number up with each new SA and each block of Sender-IDs, and on a member
 * with states that must not be made again.  The anchor is raised to it before anything of that is
 * published.  A store whose serial is below its anchor's, or whose anchor is missing or another
 * store's, does not know what was given to members, or made here, since: no SA or Sender-ID of it may
 * be used again.  Who restores a store from a backup leaves the anchor as
 * it is, or out.
 *
 * 33 octets: "gsa-anch", identifier of the store (16), serial (8, network order), 1 if the store is
 * incomplete and 0 if not; without the last one (as earlier versions wrote it) it is complete.  It is
 * written in place: less than a sector, so it is there as a whole, and a full disk does not stop it.
 */
#ifndef GCKS_ANCHOR_H
#define GCKS_ANCHOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GCKS_STORE_ID_SIZE 16

struct gcks_anchor {
	uint8_t store[GCKS_STORE_ID_SIZE];
	uint64_t serial;
	/* it was new or an older copy, and what it does not know may still be of use here (member.h) */
	bool incomplete;
};

/* False with `error` when it is there but cannot be read.  *found: it is there, and is one. */
bool gcks_anchor_read(const char *path, struct gcks_anchor *anchor, bool *found, char *error,
		      size_t error_size);
/* Durably; made (mode 0600) when it is not there.  False with `error`. */
bool gcks_anchor_write(const char *path, const struct gcks_anchor *anchor, char *error,
		       size_t error_size);

#endif
