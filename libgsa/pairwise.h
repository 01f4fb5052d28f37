// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SA sharing `pairwise`: one TEK for the group, one key for each ordered pair of members.
 *
 *   SPI of sender s   prefix | SID_s            the TEK's SPI has the Sender-ID bits zero
 *   K(s -> r)         prf+(TEK, "frr-gsa pair" | group | SPI of s | SID_s | SID_r), prf: HMAC-SHA2-256,
 *                     numbers of 4 octets in network order; encryption key (with the salt of a
 *                     counter mode), then integrity key
 *
 * In a GSA such an SA has the transform GSA_SN_PAIRWISE_32 of type SN, a number of the private
 * range: who does not know it refuses the policy instead of using the TEK itself as a key.
 */
#ifndef LIBGSA_PAIRWISE_H
#define LIBGSA_PAIRWISE_H

#include "secret.h"

#define GSA_SENDER_ID_BITS_MAX 16

/* Does the Sender-ID fit, and is the prefix one? */
bool gsa_pair_spi(uint32_t prefix, unsigned int sender_id_bits, uint32_t sender_id, uint32_t *spi);

/* False: no memory, or a prefix or Sender-ID that does not fit. */
bool gsa_pair_key(const struct gsa_secret *tek, uint32_t group, uint32_t prefix,
		  unsigned int sender_id_bits, uint32_t sender, uint32_t receiver, size_t length,
		  struct gsa_secret *key);

/*
 * A number to tell keys apart by that says nothing about them: prf+(key, "frr-gsa mark").  The key is not
 * empty.  False: no memory.
 */
bool gsa_key_mark(const struct gsa_secret *key, uint32_t *mark);

#endif
