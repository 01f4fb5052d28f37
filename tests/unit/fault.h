// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A countdown over the allocations of a test program (linked with -Wl,--wrap for each of them,
 * tests/unit/subdir.am).  What libraries allocate for themselves is not seen.
 */
#ifndef TESTS_UNIT_FAULT_H
#define TESTS_UNIT_FAULT_H

#include <stdbool.h>

/* The `countdown`th allocation from now on fails, once; 0: none does. */
void fault_arm(unsigned int countdown);
/* Has it failed?  Nothing fails any more. */
bool fault_disarm(void);
/* Allocations less those given back, since the program began; secrets count as one each. */
long fault_live(void);

#endif
