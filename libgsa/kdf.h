// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Key derivation.  The PRFs are those of IKEv2 with HMAC, named by their IKEv2
 * transform id (type 2): 2 HMAC-SHA1, 5 SHA2-256, 6 SHA2-384, 7 SHA2-512.
 */
#ifndef LIBGSA_KDF_H
#define LIBGSA_KDF_H

#include "secret.h"

/* prf+ (RFC 7296 §2.13).  False: PRF not supported, length 0 or above 255 blocks. */
bool gsa_prf_plus(uint16_t prf, const struct gsa_secret *key, const void *seed, size_t seed_length,
		  size_t length, struct gsa_secret *out);

/* GSK_w = prf+(SK_d, "Key Wrap for G-IKEv2") (RFC 9838 §3.1.1), `length` octets. */
bool gsa_default_key_wrap_key(uint16_t prf, const struct gsa_secret *sk_d, size_t length,
			      struct gsa_secret *gsk_w);

#endif
