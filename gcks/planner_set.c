// SPDX-License-Identifier: GPL-2.0-or-later
/* The set of what is desired: of those that take the same place in the kernel one is kept. */
#include <stdlib.h>
#include <string.h>

#include "gcks/planner.h"

struct gcks_candidate *gcks_desires_add(struct gcks_desires *desires)
{
	struct gcks_candidate *candidate;

	if (desires->count == desires->capacity) {
		size_t capacity = desires->capacity ? 2 * desires->capacity : 64;
		struct gcks_candidate *list =
			reallocarray(desires->list, capacity, sizeof(*desires->list));

		if (!list)
			return NULL;
		desires->list = list;
		desires->capacity = capacity;
	}
	candidate = &desires->list[desires->count++];
	memset(candidate, 0, sizeof(*candidate));
	return candidate;
}

static int compare_prefixes(const struct gcks_prefix *a, const struct gcks_prefix *b)
{
	int order = memcmp(&a->address, &b->address, sizeof(a->address));

	return order ? order : (int)a->length - (int)b->length;
}

static int compare_selectors(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b)
{
	int order = (int)a->direction - (int)b->direction;

	if (!order)
		order = compare_prefixes(&a->selector_source, &b->selector_source);
	return order ? order : compare_prefixes(&a->selector_destination, &b->selector_destination);
}

/* Equal: only one of the two can be in the kernel. */
static int compare_places(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a->kind == GCKS_KERNEL_SA ? gcks_kernel_id_compare_content(a, b)
					 : compare_selectors(a, b);
}

static int compare_candidates(const void *left, const void *right)
{
	const struct gcks_candidate *a = left, *b = right;
	int order = compare_places(&a->desired.id, &b->desired.id);

	if (order)
		return order;
	if (a->desired.id.priority != b->desired.id.priority)
		return a->desired.id.priority < b->desired.id.priority ? -1 : 1;
	if (a->group_order != b->group_order)
		return a->group_order < b->group_order ? -1 : 1;
	return gcks_kernel_id_compare(&a->desired.id, &b->desired.id);
}

void gcks_desires_keep_first(struct gcks_desires *desires)
{
	size_t kept = 0;

	if (desires->count)
		qsort(desires->list, desires->count, sizeof(*desires->list), compare_candidates);
	for (size_t i = 0; i < desires->count; i++) {
		if (kept && compare_places(&desires->list[kept - 1].desired.id,
					   &desires->list[i].desired.id) == 0)
			continue;
		if (kept != i)
			desires->list[kept] = desires->list[i];
		kept++;
	}
	desires->count = kept;
}

void gcks_desires_clear(struct gcks_desires *desires)
{
	free(desires->list);
	*desires = (struct gcks_desires){ 0 };
}

const struct gcks_kernel_id *gcks_desires_policy(const struct gcks_desires *desires,
						 uint8_t direction,
						 const struct gcks_prefix *source,
						 const struct gcks_prefix *destination)
{
	struct gcks_kernel_id wanted = {
		.kind = GCKS_KERNEL_POLICY,
		.direction = direction,
		.selector_source = *source,
		.selector_destination = *destination,
	};
	size_t low = 0, high = desires->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct gcks_kernel_id *id = &desires->list[middle].desired.id;
		int order = compare_places(id, &wanted);

		if (order == 0)
			return id;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
