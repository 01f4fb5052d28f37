// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Was a member given something that the store does not know?  charon says what, when it repeats its
 * registrations.  Then this is an older copy of the store that its anchor has not told (anchor.h),
 * and a Sender-ID could be given twice.  Pure.
 */
#ifndef GCKS_GIVEN_H
#define GCKS_GIVEN_H

#include "gcks/sa_table.h"

/*
 * `group` is the repeated one's, NULL: there is none.  `entry`: the registration as the store knows
 * it, NULL: it does not, because the member has come since, or it was ended.
 */
bool gcks_given_later(const struct gcks_sa_group *group, const struct gcks_registration *entry,
		      const Gsa__Registration *repeated);

#endif
