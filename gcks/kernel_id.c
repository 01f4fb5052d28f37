// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "gcks/kernel_id.h"

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_addresses(const struct gcks_address *a, const struct gcks_address *b)
{
	if (a->length != b->length)
		return ORDER(a->length, b->length);
	return memcmp(a->octets, b->octets, a->length);
}

static int compare_prefixes(const struct gcks_prefix *a, const struct gcks_prefix *b)
{
	int order = compare_addresses(&a->address, &b->address);

	return order ? order : ORDER(a->length, b->length);
}

/*
 * The order is that of the store's primary key, so that a set that is loaded grows at its end.
 */
int gcks_kernel_id_compare_content(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b)
{
	int order;

	if ((order = ORDER(a->kind, b->kind)) || (order = ORDER(a->spi, b->spi)) ||
	    (order = compare_addresses(&a->source, &b->source)) ||
	    (order = compare_addresses(&a->destination, &b->destination)) ||
	    (order = ORDER(a->direction, b->direction)) || (order = ORDER(a->action, b->action)) ||
	    (order = compare_prefixes(&a->selector_source, &b->selector_source)) ||
	    (order = compare_prefixes(&a->selector_destination, &b->selector_destination)) ||
	    (order = ORDER(a->priority, b->priority)) || (order = ORDER(a->reqid, b->reqid)) ||
	    (order = ORDER(a->mark, b->mark)))
		return order;
	return ORDER(a->receiver, b->receiver);
}

int gcks_kernel_id_compare(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b)
{
	int order = gcks_kernel_id_compare_content(a, b);

	return order ? order : strcmp(a->group, b->group);
}

/* Index of the first id that is not before `id`. */
static size_t find(const struct gcks_kernel_ids *set, const struct gcks_kernel_id *id, bool *found)
{
	size_t low = 0, high = set->count;

	/* most sets are filled in order */
	if (high && gcks_kernel_id_compare(&set->ids[high - 1], id) < 0)
		low = high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (gcks_kernel_id_compare(&set->ids[middle], id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < set->count && gcks_kernel_id_compare(&set->ids[low], id) == 0;
	return low;
}

bool gcks_kernel_ids_add(struct gcks_kernel_ids *set, const struct gcks_kernel_id *id)
{
	bool found;
	size_t at = find(set, id, &found);

	if (found)
		return true;
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? 2 * set->capacity : 16;
		struct gcks_kernel_id *ids = reallocarray(set->ids, capacity, sizeof(*ids));

		if (!ids)
			return false;
		set->ids = ids;
		set->capacity = capacity;
	}
	memmove(&set->ids[at + 1], &set->ids[at], (set->count - at) * sizeof(*set->ids));
	set->ids[at] = *id;
	set->count++;
	return true;
}

void gcks_kernel_ids_remove(struct gcks_kernel_ids *set, const struct gcks_kernel_id *id)
{
	bool found;
	size_t at = find(set, id, &found);

	if (!found)
		return;
	set->count--;
	memmove(&set->ids[at], &set->ids[at + 1], (set->count - at) * sizeof(*set->ids));
}

bool gcks_kernel_ids_has(const struct gcks_kernel_ids *set, const struct gcks_kernel_id *id)
{
	bool found;

	find(set, id, &found);
	return found;
}

void gcks_kernel_ids_set_used(struct gcks_kernel_ids *set, const struct gcks_kernel_id *id)
{
	bool found;
	size_t at = find(set, id, &found);

	if (found)
		set->ids[at].used = true;
}

size_t gcks_kernel_ids_position(const struct gcks_kernel_ids *set, const struct gcks_kernel_id *id)
{
	bool found;

	return find(set, id, &found);
}

uint32_t gcks_kernel_ids_of(const struct gcks_kernel_ids *set, const char *group,
			    enum gcks_kernel_kind kind)
{
	uint32_t count = 0;

	for (size_t i = 0; i < set->count; i++)
		if (set->ids[i].kind == kind && strcmp(set->ids[i].group, group) == 0)
			count++;
	return count;
}

void gcks_kernel_ids_clear(struct gcks_kernel_ids *set)
{
	free(set->ids);
	*set = (struct gcks_kernel_ids){ 0 };
}
