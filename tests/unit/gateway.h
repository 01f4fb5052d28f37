// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A member's gateway in a test: what its memberships want in the kernel, and a kernel that has what
 * was asked for.  The tables are filled by the fixtures (two_groups.h, pairs.h).
 */
#ifndef TESTS_UNIT_GATEWAY_H
#define TESTS_UNIT_GATEWAY_H

#include "tests/unit/gcks_unit.h"

extern struct gcks_member_table table;
extern struct gcks_kernel_ids installed, known;
extern struct gcks_plan plan; /* the last one made */
extern struct gcks_membership *blue;

void gateway_stop(void);
void gateway_plan(enum gcks_removal removal);
/* charon does all that was asked, and gcksd hears of it. */
void gateway_carry_out(void);

void export(struct gcks_membership *membership, const char *prefix);
void withdraw(struct gcks_membership *membership, const char *prefix); /* the route */
bool is_ready(const struct gcks_membership *membership, const char *prefix);

#endif
