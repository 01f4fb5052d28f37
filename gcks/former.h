// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sender-IDs of members whose registration has ended.  A group's counter gives them to nobody else
 * before it begins anew, and a member that did not hear of the end may still send with one: when
 * it registers again they are its own as before.  Pure; best effort: what is forgotten here costs
 * such a member its routes until its next Sender-ID, never a Sender-ID given twice.
 */
#ifndef GCKS_FORMER_H
#define GCKS_FORMER_H

#include "gcks/registration.h"

#define GCKS_FORMER_KEPT 256 /* members of a group; of more the first to leave are forgotten */

struct gcks_former;

/* Does nothing without Sender-IDs, or without memory. */
void gcks_former_keep(struct gcks_former **list, const struct gcks_registration *entry);
/* How many of the identity's were copied to `ids`, oldest first, at most GCKS_SENDER_IDS_KEPT. */
size_t gcks_former_ids(const struct gcks_former *list, const char *identity, uint32_t *ids);
void gcks_former_clear(struct gcks_former **list);

#endif
