// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/former.h"

#include <stdlib.h>
#include <string.h>

struct gcks_former {
	struct gcks_former *next; /* left earlier */
	char *identity;
	uint32_t ids[GCKS_SENDER_IDS_KEPT];
	size_t count;
};

static void former_free(struct gcks_former *former)
{
	free(former->identity);
	free(former);
}

/* Those of the identity, and of what is behind the others those that are too many. */
static void make_room(struct gcks_former **list, const char *identity)
{
	size_t kept = 0;

	while (*list) {
		struct gcks_former *former = *list;

		if (kept < GCKS_FORMER_KEPT - 1 && strcmp(former->identity, identity) != 0) {
			list = &former->next;
			kept++;
			continue;
		}
		*list = former->next;
		former_free(former);
	}
}

void gcks_former_keep(struct gcks_former **list, const struct gcks_registration *entry)
{
	struct gcks_former *former;

	if (!entry->sender_id_count || entry->sender_id_count > GCKS_SENDER_IDS_KEPT)
		return;
	make_room(list, entry->identity);
	former = calloc(1, sizeof(*former));
	if (!former)
		return;
	former->identity = strdup(entry->identity);
	if (!former->identity) {
		free(former);
		return;
	}
	former->count = entry->sender_id_count;
	memcpy(former->ids, entry->sender_ids, former->count * sizeof(*former->ids));
	former->next = *list;
	*list = former;
}

size_t gcks_former_ids(const struct gcks_former *list, const char *identity, uint32_t *ids)
{
	while (list && strcmp(list->identity, identity) != 0)
		list = list->next;
	if (!list)
		return 0;
	memcpy(ids, list->ids, list->count * sizeof(*ids));
	return list->count;
}

void gcks_former_clear(struct gcks_former **list)
{
	while (*list) {
		struct gcks_former *former = *list;

		*list = former->next;
		former_free(former);
	}
}
