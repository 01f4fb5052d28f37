// SPDX-License-Identifier: GPL-2.0-or-later
/* A group's SAs as a member is told of them, in a RegistrationReply or a Rekey. */
#ifndef GCKS_SA_MESSAGE_H
#define GCKS_SA_MESSAGE_H

#include "gcks/sa_table.h"

/* Borrows the keys of the table: only until it changes.  Not to be copied, it points into itself.
 */
struct gcks_sa_message {
	Gsa__GroupSa group_sa;
	Gsa__DataSa data_sa[GSA_DATA_SA_MAX], *list[GSA_DATA_SA_MAX];
};

/*
 * The SAs of `first_generation` and newer ones that have not expired, oldest first, with what is
 * left of lifetime and activation delay.  Sender-IDs are for the caller to add.  False: there is
 * none.
 */
bool gcks_sa_message_fill(struct gcks_sa_message *message, const struct gcks_sa_group *group,
			  const struct gcks_group *policy, uint32_t first_generation, int64_t now);

#endif
