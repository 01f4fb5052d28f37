// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SAg, what a member supports (RFC 9838 §2.3.3): the body of a Security Association payload
 * (RFC 7296 §3.3) whose proposals have no SPI.  It is not negotiated: the key server compares
 * the group's policy with it.
 */
#ifndef LIBGSA_GIKEV2_SAG_H
#define LIBGSA_GIKEV2_SAG_H

#include "gikev2.h"
#include "wire.h"

struct gsa_sag_transform {
	uint8_t type;
	uint16_t id;
	uint16_t key_bits; /* Key Length attribute, 0: absent */
	/* an attribute of it is not known, so nobody knows what it stands for (RFC 7296 §3.3.6) */
	bool restricted;
};

/* Proposals of different protocols with one number are meant to be used together. */
struct gsa_sag_proposal {
	uint8_t number, protocol;
	uint8_t transform_count;
	struct gsa_reader transforms; /* borrowed: gsa_sag_next_transform() */
	bool last;
};

/*
 * The next proposal of a body, and the next transform of a proposal.  NULL, or a static string
 * that names what is wrong.  There is one more of them while the reader is not at its end.  A
 * protocol or transform type need not be known, SPIs are skipped whatever their size.
 */
const char *gsa_sag_next_proposal(struct gsa_reader *body, struct gsa_sag_proposal *proposal);
const char *gsa_sag_next_transform(struct gsa_reader *transforms,
				   struct gsa_sag_transform *transform);

/* All of a body: NULL, or what is malformed (static string). */
const char *gsa_sag_check(const uint8_t *body, size_t length);

/*
 * Does what a member says that it supports cover an SA of the group's policy?  One of its
 * proposals has to hold all of the SA's algorithms; whether it combines AEAD and other
 * algorithms does not matter.  False: *reason is what is missing, or malformed (static string).
 * Transforms: ENCR with its key length, SN, and INTEG unless the SA has none (§4.4.2.1).
 */
bool gsa_sag_accepts(const uint8_t *body, size_t length, const struct gsa_data_sa *policy,
		     const char **reason);

/*
 * What our members send.  The ESP proposals say which ciphers go with which kind of sequence
 * numbers: an AEAD is taken only where every sender has a key of its own.  A proposal for
 * GIKE_UPDATE tells the key wrap algorithms (§4.5.4) and nothing else, so no policy of a Rekey
 * SA fits it.  Octets written, 0 when `capacity` is short.
 */
size_t gsa_sag_encode_supported(uint8_t *out, size_t capacity);

#endif
