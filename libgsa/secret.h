// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers for key material.
 *
 * Every key that this project holds lives in a struct gsa_secret: its bytes are
 * locked into memory, kept out of core dumps and overwritten before they are
 * given back.  No function here logs or formats the contents.
 *
 * They take locked memory (RLIMIT_MEMLOCK, unless the process has CAP_IPC_LOCK): up to
 * GSA_SECRET_SIZE octets take that much of a page, more take whole pages (locked.c).
 * Locks do not survive fork(), so daemonise first.  Any thread may call these, but one
 * secret is not for two at a time.  The functions that fill a secret take an empty or
 * uninitialised one, never one that holds a key.
 */
#ifndef LIBGSA_SECRET_H
#define LIBGSA_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GSA_SECRET_SIZE 128

struct gsa_secret {
	uint8_t *data; /* NULL when empty */
	size_t length; /* octets */
};

/*
 * Allocate `length` zeroed octets.  False (and an empty secret) if memory, or memory
 * that may be locked, is short.  0 octets: true, and an empty secret.
 */
bool gsa_secret_alloc(struct gsa_secret *secret, size_t length);

/* Allocate and copy.  The caller keeps (and wipes) `data`. */
bool gsa_secret_copy(struct gsa_secret *secret, const void *data, size_t length);

/* Allocate and fill from the system's random number generator. */
bool gsa_secret_random(struct gsa_secret *secret, size_t length);

/* Constant-time comparison; secrets of different length are unequal. */
bool gsa_secret_equal(const struct gsa_secret *a, const struct gsa_secret *b);

/* Wipe and free; the secret is empty afterwards.  Safe on an empty secret. */
void gsa_secret_clear(struct gsa_secret *secret);

/* Overwrite memory so that the compiler cannot leave it out. */
void gsa_wipe(void *data, size_t length);

#endif
