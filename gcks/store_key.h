// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The key file of the store, and SA keys wrapped under it (RFC 5649).
 *
 * RFC 5649 authenticates nothing beside the key.  So that rows of the database cannot be
 * exchanged or changed, what the key is for is wrapped together with it.
 */
#ifndef GCKS_STORE_KEY_H
#define GCKS_STORE_KEY_H

#include "gcks/sa_table.h"
#include "libgsa/keywrap.h"

#define GCKS_STORE_KEY_SIZE 32 /* octets; GSA_KW_5649_256 */

/*
 * Read the key file into an empty secret.  False with `error` (which file, what is wrong with it):
 * not there, not a regular file of GCKS_STORE_KEY_SIZE octets, of another owner than root or this
 * process, or accessible to group or others.
 */
bool gcks_store_key_read(const char *path, struct gsa_secret *key, char *error, size_t error_size);
/* Make a new key file, durably; never replaces one.  False with `error`. */
bool gcks_store_key_create(const char *path, char *error, size_t error_size);

/* The folder's entries are on the disk. */
bool gcks_store_sync_folder_of(const char *path);

/* Wrap the SA's key with what it is for; `out` takes GSA_WRAP_CIPHER_MAX octets. */
bool gcks_store_key_wrap(const struct gsa_secret *key, const struct gcks_sa *sa, uint8_t *out,
			 size_t *length);
/*
 * Fill sa->key, which is empty; the rest of `sa` is what the row says.  False: wrapped
 * under another key, changed, or wrapped for something else.
 */
bool gcks_store_key_unwrap(const struct gsa_secret *key, struct gcks_sa *sa, const uint8_t *wrapped,
			   size_t length);

/* A wrapped constant: tells whether a database belongs to this key file. */
bool gcks_store_key_check_make(const struct gsa_secret *key, uint8_t *out, size_t *length);
bool gcks_store_key_check(const struct gsa_secret *key, const uint8_t *wrapped, size_t length);

#endif
