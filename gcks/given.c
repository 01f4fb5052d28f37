// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/given.h"

/*
 * The newest SA that the store knows a member to hold is so old that its SPI is forgotten: the
 * member has missed so many rekeys, as `rekey missed-maximum` allows.
 */
static bool spi_forgotten(const struct gcks_sa_group *group, const struct gcks_registration *entry)
{
	return group->numbers.generation - entry->delivered >= GCKS_SPIS_KEPT;
}

/* The last one is the newest; of those before some may be forgotten. */
static bool later_sa(const struct gcks_sa_group *group, const struct gcks_registration *entry,
		     const Gsa__Registration *repeated)
{
	return repeated->n_spi &&
	       !gcks_sa_knows_spi(&group->numbers, repeated->spi[repeated->n_spi - 1]) &&
	       !(entry && spi_forgotten(group, entry));
}

/* Is one of them in use?  Then the Sender-IDs that came with it are of the present counter. */
static bool holds_sa(const struct gcks_sa_group *group, const Gsa__Registration *repeated)
{
	for (const struct gcks_sa *sa = group->newest; sa; sa = gcks_sa_older(sa))
		for (size_t i = 0; i < repeated->n_spi; i++)
			if (repeated->spi[i] == sa->spi)
				return true;
	return false;
}

/* The last one is the highest since the counter began; those before may be of an earlier time. */
static bool later_sender_id(const struct gcks_sa_group *group,
			    const struct gcks_registration *entry,
			    const Gsa__Registration *repeated)
{
	return repeated->n_sender_id && (entry || holds_sa(group, repeated)) &&
	       repeated->sender_id[repeated->n_sender_id - 1] >= group->numbers.sender_id_reserved;
}

bool gcks_given_later(const struct gcks_sa_group *group, const struct gcks_registration *entry,
		      const Gsa__Registration *repeated)
{
	if (!group || !group->newest || !gcks_sa_pairwise(group->newest))
		return false;
	return later_sa(group, entry, repeated) || later_sender_id(group, entry, repeated);
}
