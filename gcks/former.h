// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Members whose registration has ended, with the Sender-IDs that they had.  A group's counter
 * gives these to nobody else before it begins anew, and a member that did not hear of the end may
 * still send with one: when it registers again they are its own as before.
 *
 * Their shares of the group's Sender-IDs are kept as well (sender_share.h): leaving, or that the
 * group begins anew, makes nobody's whole.
 *
 * They are also what a rekey on-leave is for, so that it is not forgotten when gcksd ends before.
 *
 * They are numbered in the order of leaving.  In the store the row of the registration stays, as
 * that of a former one, until the member registers again.  Pure.
 */
#ifndef GCKS_FORMER_H
#define GCKS_FORMER_H

#include "gcks/sa_table.h"
#include "gcks/store.h"

#define GCKS_FORMER_KEPT 256 /* the last to leave of a group */

/*
 * What has to be stored when registrations end: of those with Sender-IDs or an SA that they are
 * former ones, of others that they are gone.  At most 2 * count changes, which borrow the entries; how
 * many.  Tables stay as they are but for the numbers, of which some may never be used.
 */
size_t gcks_former_changes(const struct gcks_sa_table *sas,
			   struct gcks_registration *const *entries, size_t count,
			   struct gcks_change *changes);
/* That is stored: adopts the entry, which is out of its table, and keeps or frees it. */
void gcks_former_keep(const struct gcks_sa_table *sas, struct gcks_registration *entry);
/*
 * The group begins anew, which is stored: all that is kept is the shares of those who have used
 * more than an eighth of theirs, or as many as use up a group would do so again at once.  They are
 * 128 at most of one group's Sender-IDs.  Of the former ones first, then of each entry that has
 * ended with the group, as gcks_former_keep().
 */
void gcks_former_anew(struct gcks_sa_group *group, int64_t now);
void gcks_former_keep_share(const struct gcks_sa_table *sas, struct gcks_registration *entry,
			    int64_t now);
/* NULL: it never left, is forgotten, or has registered again. */
const struct gcks_registration *gcks_former_find(const struct gcks_sa_group *group,
						 const char *identity);
/* May one of them hold the group's newest SA? */
bool gcks_former_hold_newest(const struct gcks_sa_group *group);
void gcks_former_forget(struct gcks_sa_group *group, const char *identity);
void gcks_former_clear(struct gcks_sa_group *group);

#endif
