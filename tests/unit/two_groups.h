// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The site that is in two groups, site3 of:
 *
 *   blue (100)  site1 10.1.0.0/24 behind 192.0.2.11, site3 10.3.0.0/24 behind 192.0.2.13
 *   red  (200)  site4 10.4.0.0/24 behind 192.0.2.14, site3
 */
#ifndef TESTS_UNIT_TWO_GROUPS_H
#define TESTS_UNIT_TWO_GROUPS_H

#include "tests/unit/gateway.h"

extern struct gcks_membership *red;

void two_groups_start(void);
void two_groups_settle(void); /* one plan, carried out */

/* The whole plan, line by line (id_text()). */
#define EXPECT(what, ...)                                                                          \
	do {                                                                                       \
		static const char *const lines[] = { __VA_ARGS__ };                                \
		expect_##what(COUNT(lines), lines);                                                \
	} while (0)
void expect_install(size_t count, const char *const *lines);
void expect_remove(size_t count, const char *const *lines);

/* The policy that decides about a packet, as text without its tunnel; "clear": none. */
const char *decides(uint8_t direction, const char *source, const char *destination);

#endif
