// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/former.h"

#include <string.h>

#include "gcks/sender_share.h"

/* The number of the last to leave that are not kept any more; 0: all are. */
static uint64_t forgotten(const struct gcks_sa_group *group)
{
	return group->left > GCKS_FORMER_KEPT ? group->left - GCKS_FORMER_KEPT : 0;
}

size_t gcks_former_changes(const struct gcks_sa_table *sas,
			   struct gcks_registration *const *entries, size_t count,
			   struct gcks_change *changes)
{
	size_t changed = 0;

	for (size_t i = 0; i < count; i++) {
		struct gcks_registration *entry = entries[i];
		struct gcks_sa_group *group = gcks_sa_group_find(sas, entry->group);
		bool keep = group && (entry->sender_id_count || gcks_registration_may_hold(entry));

		entry->left = keep ? ++group->left : 0;
		changes[changed++] = (struct gcks_change){
			.kind = keep ? GCKS_END_REGISTRATION : GCKS_REMOVE_REGISTRATION,
			.registration = entry,
		};
	}
	/* of each group once */
	for (size_t i = 0; i < count; i++) {
		struct gcks_sa_group *group = gcks_sa_group_find(sas, entries[i]->group);

		if (entries[i]->left && entries[i]->left == group->left && forgotten(group))
			changes[changed++] = (struct gcks_change){
				.kind = GCKS_FORGET_FORMER,
				.former = { group->numbers.group, forgotten(group) },
			};
	}
	return changed;
}

void gcks_former_keep(const struct gcks_sa_table *sas, struct gcks_registration *entry)
{
	struct gcks_sa_group *group = gcks_sa_group_find(sas, entry->group);
	struct gcks_registration **link, *old;

	if (!entry->left || !group) {
		gcks_registration_free(entry);
		return;
	}
	entry->next = group->former;
	group->former = entry;
	for (link = &group->former; *link && (*link)->left > forgotten(group);)
		link = &(*link)->next;
	while ((old = *link)) {
		*link = old->next;
		gcks_registration_free(old);
	}
}

void gcks_former_anew(struct gcks_sa_group *group, int64_t now)
{
	struct gcks_registration **link = &group->former, *former;

	while ((former = *link)) {
		former->sender_id_count = 0;
		if (gcks_sender_share_is_used(former->share_whole_at, now)) {
			link = &former->next;
			continue;
		}
		*link = former->next;
		gcks_registration_free(former);
	}
}

void gcks_former_keep_share(const struct gcks_sa_table *sas, struct gcks_registration *entry,
			    int64_t now)
{
	struct gcks_sa_group *group = gcks_sa_group_find(sas, entry->group);
	bool keep = group && gcks_sender_share_is_used(entry->share_whole_at, now);

	entry->sender_id_count = 0;
	entry->left = keep ? ++group->left : 0;
	gcks_former_keep(sas, entry);
}

const struct gcks_registration *gcks_former_find(const struct gcks_sa_group *group,
						 const char *identity)
{
	const struct gcks_registration *former = group->former;

	while (former && strcmp(former->identity, identity) != 0)
		former = former->next;
	return former;
}

bool gcks_former_hold_newest(const struct gcks_sa_group *group)
{
	const struct gcks_registration *former = group->newest ? group->former : NULL;

	while (former && gcks_registration_may_hold(former) < group->newest->generation)
		former = former->next;
	return former != NULL;
}

void gcks_former_forget(struct gcks_sa_group *group, const char *identity)
{
	struct gcks_registration **link = &group->former, *former;

	while (*link && strcmp((*link)->identity, identity) != 0)
		link = &(*link)->next;
	former = *link;
	if (!former)
		return;
	*link = former->next;
	gcks_registration_free(former);
}

void gcks_former_clear(struct gcks_sa_group *group)
{
	struct gcks_registration *former;

	while ((former = group->former)) {
		group->former = former->next;
		gcks_registration_free(former);
	}
}
