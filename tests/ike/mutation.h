// SPDX-License-Identifier: GPL-2.0-or-later
/* Random changes to payloads and packets; the same seed makes the same ones. */
#ifndef TESTS_IKE_MUTATION_H
#define TESTS_IKE_MUTATION_H

#include "tests/ike/ike.h"

void mutation_seed(uint64_t seed);
/* Below `limit`, which is not 0. */
uint32_t mutation_number(uint32_t limit);

/* Octets: flips, lengths, cut, longer.  The new length, `capacity` at most. */
size_t mutate_octets(uint8_t *data, size_t length, size_t capacity);
/* Payloads: as above, and whole ones twice, away, in another order, others between. */
void mutate_chain(struct ike_chain *chain);

#endif
