// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Key wrapping (RFC 5649, AES key wrap with padding) and the Wrapped Key format
 * of RFC 9838 §4.5.4: KeyID (4 octets), KWKID (4 octets), encrypted key.
 */
#ifndef LIBGSA_KEYWRAP_H
#define LIBGSA_KEYWRAP_H

#include "secret.h"

/* Key Wrap Algorithm transform ids (transform type 13) */
enum gsa_key_wrap_algorithm {
	GSA_KW_NONE = 0,
	GSA_KW_5649_128 = 1,
	GSA_KW_5649_192 = 2,
	GSA_KW_5649_256 = 3,
};

/* RFC 9838 §4.4.2.1.2: an algorithm has to wrap up to 256 octets; we accept no more. */
#define GSA_WRAP_PLAIN_MAX 256
#define GSA_WRAP_CIPHER_MAX (GSA_WRAP_PLAIN_MAX + 8)

/* Octets of the key-encrypting key, 0 for an algorithm that is not supported. */
size_t gsa_key_wrap_key_size(enum gsa_key_wrap_algorithm algorithm);

/* The algorithm whose keys have this size, GSA_KW_NONE: none has. */
enum gsa_key_wrap_algorithm gsa_key_wrap_by_key_size(size_t size);

/*
 * Wrap `plain` under `kek`.  `out` takes GSA_WRAP_CIPHER_MAX octets, *out_length
 * is set to what was written.  False: key size does not fit the algorithm,
 * plain is empty or too long, or libcrypto failed.
 */
bool gsa_key_wrap(enum gsa_key_wrap_algorithm algorithm, const struct gsa_secret *kek,
		  const struct gsa_secret *plain, uint8_t *out, size_t *out_length);

/* The reverse.  False also when the integrity check fails; `plain` is then empty. */
bool gsa_key_unwrap(enum gsa_key_wrap_algorithm algorithm, const struct gsa_secret *kek,
		    const uint8_t *cipher, size_t cipher_length, struct gsa_secret *plain);

#endif
