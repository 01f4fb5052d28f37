// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests in IKE fragments (RFC 7383) as they should be, and as they should not. */
#ifndef TESTS_IKE_FRAGMENTS_H
#define TESTS_IKE_FRAGMENTS_H

#include "tests/ike/ike.h"

#define FRAGMENTS_MAX	300
#define FRAGMENTS_AHEAD 3 /* Message IDs: some may be of the same request with a later one */

struct fragments {
	size_t count;
	struct {
		size_t length;
		uint8_t octets[IKE_PACKET];
	} packets[FRAGMENTS_MAX];
};

/* The packets of one request in the order in which they are to be sent, made by mutation.h. */
void fragments_make(struct ike_sa *sa, uint8_t exchange, const struct ike_chain *chain,
		    struct fragments *out);

#endif
