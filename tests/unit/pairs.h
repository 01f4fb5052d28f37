// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A gateway with pairwise SAs: site3 (192.0.2.13, Sender-ID 3) of a group with site1 (192.0.2.11,
 * 1) and site2 (192.0.2.12, 2).
 */
#ifndef TESTS_UNIT_PAIRS_H
#define TESTS_UNIT_PAIRS_H

#include "tests/unit/gateway.h"

#define TEK  0x10000u
#define TEK2 0x20000u

extern uint32_t activation_delay_s, deactivation_delay_s; /* of what is reported */

void pairs_start(void);
void pairs_settle(void); /* until nothing is left to do */
enum gcks_sender_choice choose(void);

/* What charon reports: TEKs, each with the prefix that it is called, and Sender-IDs. */
void report(size_t tek_count, const uint32_t *teks, size_t count, uint32_t *sender_ids);
#define REPORT(teks, ...)                                                                          \
	do {                                                                                       \
		static const uint32_t of_teks[] = teks;                                            \
		uint32_t of_ids[] = { __VA_ARGS__ };                                               \
		report(COUNT(of_teks), of_teks, COUNT(of_ids), of_ids);                            \
	} while (0)
#define TEKS(...)                                                                                  \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* charon's answer to a state that it was asked to keep. */
void is_gone(const char *text);

/* The states, one a line (id_text()). */
#define EXPECT_INSTALL(text) ck_assert_str_eq(states_to_install(), text)
#define EXPECT_REMOVE(text)  ck_assert_str_eq(states_to_remove(), text)
#define EXPECT_KERNEL(text)  ck_assert_str_eq(states_installed(), text)
const char *states_to_install(void);
const char *states_to_remove(void);
const char *states_installed(void);

#endif
