// SPDX-License-Identifier: GPL-2.0-or-later
/* What ike_mutate sends (scenarios.c), and what drives it (mutate.c, which says what it is about).
 */
#ifndef TESTS_IKE_SCENARIOS_H
#define TESTS_IKE_SCENARIOS_H

#include "tests/ike/ike.h"

enum scenario { GARBAGE, INIT, OPENING, HALF_OPEN, MEMBER, STRANGER, UNPROTECTED, SCENARIOS };

enum phase { SETUP, FIRST, CASES, CLOSING };

struct slot {
	struct ike_sa sa;
	struct ike_config config;
	char identity[96];
	enum scenario scenario;
	enum phase phase;
	bool may_join;
	bool fragmented; /* what was sent last */
	unsigned int left, silent, tries;
	double sent;
	uint64_t entitled; /* the requests that may be answered with keys, a bit for each ID */
};

/* ---- scenarios.c ---- */

/*
 * Sends a case of the slot's scenario; `left` is 0 if nothing may come after it over this IKE_SA.
 */
void scenario_send(struct slot *slot);
/* In one piece, as it should be. */
void scenario_send_whole(struct slot *slot, uint8_t exchange, const struct ike_chain *chain);
/* The slot's next request may be answered with keys. */
void scenario_entitle(struct slot *slot);
/* May this answer have them? */
bool scenario_is_entitled(const struct slot *slot, uint32_t id);

/* ---- mutate.c ---- */

void mutate_transmit(const uint8_t *packet, size_t length);

#endif
