// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gcks/member.h"

#define RETRY_TIME_S 10

/* ---- prefixes ---- */

static void mask(struct gcks_prefix *prefix)
{
	for (unsigned int bit = prefix->length; bit < prefix->address.length * 8u;) {
		prefix->address.octets[bit / 8] &= (uint8_t) ~(0xff >> bit % 8);
		bit += 8 - bit % 8;
	}
}

bool gcks_prefix_from(struct gcks_prefix *prefix, const uint8_t *octets, size_t octets_length,
		      uint32_t length)
{
	if (!gcks_address_from(&prefix->address, octets, octets_length) ||
	    length > octets_length * 8) {
		*prefix = (struct gcks_prefix){ 0 };
		return false;
	}
	prefix->length = (uint8_t)length;
	mask(prefix);
	return true;
}

bool gcks_prefix_equal(const struct gcks_prefix *a, const struct gcks_prefix *b)
{
	return a->length == b->length && gcks_address_equal(&a->address, &b->address);
}

bool gcks_prefix_contains(const struct gcks_prefix *outer, const struct gcks_prefix *inner)
{
	struct gcks_prefix cut = *inner;

	if (outer->address.length != inner->address.length || outer->length > inner->length)
		return false;
	cut.length = outer->length;
	mask(&cut);
	return gcks_prefix_equal(outer, &cut);
}

const char *gcks_prefix_text(const struct gcks_prefix *prefix, char *buffer, size_t size)
{
	char address[INET6_ADDRSTRLEN];

	snprintf(buffer, size, "%s/%u", gcks_address_text(&prefix->address, address),
		 prefix->length);
	return buffer;
}

/* ---- sorted arrays, of elements that begin with their prefix ---- */

static int compare_prefixes(const struct gcks_prefix *a, const struct gcks_prefix *b)
{
	int order;

	if (a->address.length != b->address.length)
		return a->address.length < b->address.length ? -1 : 1;
	order = memcmp(a->address.octets, b->address.octets, a->address.length);
	return order ? order : (int)a->length - (int)b->length;
}

static size_t find(const void *array, size_t count, size_t size, const struct gcks_prefix *prefix,
		   bool *found)
{
	size_t low = 0, high = count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const void *element = (const char *)array + middle * size;
		int order = compare_prefixes(element, prefix);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The array with room for one more, NULL: no memory.  Its capacity is the power of two that
 * `count` has reached.
 */
static void *grown(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? 2 * count : 1, size);
}

static void open_gap(void *array, size_t count, size_t size, size_t at)
{
	char *gap = (char *)array + at * size;

	memmove(gap + size, gap, (count - at) * size);
}

static void close_gap(void *array, size_t count, size_t size, size_t at)
{
	char *gap = (char *)array + at * size;

	memmove(gap, gap + size, (count - at - 1) * size);
}

static bool add_prefix(struct gcks_prefix **array, size_t *count, const struct gcks_prefix *prefix)
{
	bool found;
	size_t at = find(*array, *count, sizeof(**array), prefix, &found);
	struct gcks_prefix *larger;

	if (found)
		return true;
	larger = grown(*array, *count, sizeof(**array));
	if (!larger)
		return false;
	*array = larger;
	open_gap(*array, *count, sizeof(**array), at);
	(*array)[at] = *prefix;
	(*count)++;
	return true;
}

static void remove_prefix(struct gcks_prefix *array, size_t *count,
			  const struct gcks_prefix *prefix)
{
	bool found;
	size_t at = find(array, *count, sizeof(*array), prefix, &found);

	if (!found)
		return;
	close_gap(array, *count, sizeof(*array), at);
	(*count)--;
}

/* ---- memberships ---- */

uint32_t gcks_membership_identifier(const struct gcks_membership *membership)
{
	/* the configured one is for key servers that do not tell it */
	return membership->learnt_identifier ? membership->learnt_identifier
					     : membership->configured_identifier;
}

struct gcks_membership *gcks_membership_find(const struct gcks_member_table *table,
					     const char *name)
{
	struct gcks_membership *membership;

	for (membership = table->memberships; membership; membership = membership->next)
		if (strcmp(membership->name, name) == 0)
			break;
	return membership;
}

struct gcks_membership *gcks_membership_find_identifier(const struct gcks_member_table *table,
							uint32_t identifier)
{
	struct gcks_membership *membership;

	if (!identifier)
		return NULL;
	for (membership = table->memberships; membership; membership = membership->next)
		if (gcks_membership_identifier(membership) == identifier)
			break;
	return membership;
}

/*
 * A reqid of our own range, made of the group's name: what an earlier run of gcksd has left
 * in the kernel has to stay right whatever memberships were added since.
 */
static uint32_t choose_reqid(const struct gcks_member_table *table, const char *name)
{
	uint32_t hash = 2166136261u, reqid; /* FNV-1a */
	const struct gcks_membership *other;

	while (*name)
		hash = (hash ^ (uint8_t)*name++) * 16777619u;
	hash ^= hash >> 24;
	do {
		reqid = GCKS_REQID_BASE | (hash++ & GCKS_REQID_MASK);
		for (other = table->memberships; other; other = other->next)
			if (other->reqid == reqid)
				break;
	} while (other);
	return reqid;
}

struct gcks_membership *gcks_membership_add(struct gcks_member_table *table, const char *name)
{
	struct gcks_membership **link = &table->memberships, *membership;

	while (*link && strcmp((*link)->name, name) < 0)
		link = &(*link)->next;
	if (*link && strcmp((*link)->name, name) == 0)
		return *link;
	membership = calloc(1, sizeof(*membership));
	if (!membership)
		return NULL;
	membership->name = strdup(name);
	if (!membership->name) {
		free(membership);
		return NULL;
	}
	membership->retry_time_s = RETRY_TIME_S;
	membership->export_mode = GSA__EXPORT_MODE__EXPORT_NONE;
	membership->reqid = choose_reqid(table, name);
	membership->next = *link;
	*link = membership;
	return membership;
}

void gcks_membership_remove(struct gcks_member_table *table, struct gcks_membership *membership)
{
	struct gcks_membership **link = &table->memberships;

	while (*link && *link != membership)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = membership->next;
	gcks_membership_drop_sas(membership);
	free(membership->name);
	gcks_membership_clear_connections(membership);
	free(membership->connection_in_use);
	free(membership->conflict);
	free(membership->losses.text);
	free(membership->protect);
	free(membership->export_prefix_list);
	free(membership->text);
	free(membership->exports);
	free(membership->export_stale);
	free(membership->routes);
	free(membership);
}

void gcks_member_table_clear(struct gcks_member_table *table)
{
	while (table->memberships)
		gcks_membership_remove(table, table->memberships);
	free(table->connected);
	*table = (struct gcks_member_table){ 0 };
}

/* ---- prefixes of the configuration, of bgpd and of zebra ---- */

bool gcks_membership_add_protect(struct gcks_membership *membership,
				 const struct gcks_prefix *prefix)
{
	return add_prefix(&membership->protect, &membership->protect_count, prefix);
}

void gcks_membership_remove_protect(struct gcks_membership *membership,
				    const struct gcks_prefix *prefix)
{
	remove_prefix(membership->protect, &membership->protect_count, prefix);
}

bool gcks_membership_set_export(struct gcks_membership *membership,
				const struct gcks_prefix *prefix)
{
	size_t count = membership->export_count, at;
	struct gcks_prefix *exports;
	bool found, *stale;

	at = find(membership->exports, count, sizeof(*membership->exports), prefix, &found);
	if (!found) {
		exports = grown(membership->exports, count, sizeof(*exports));
		if (!exports)
			return false;
		membership->exports = exports;
		stale = grown(membership->export_stale, count, sizeof(*stale));
		if (!stale)
			return false;
		membership->export_stale = stale;
		open_gap(membership->exports, count, sizeof(*membership->exports), at);
		open_gap(membership->export_stale, count, sizeof(*membership->export_stale), at);
		membership->exports[at] = *prefix;
		membership->export_count++;
	}
	membership->export_stale[at] = false;
	return true;
}

static void drop_export(struct gcks_membership *membership, size_t at)
{
	size_t count = membership->export_count--;

	close_gap(membership->exports, count, sizeof(*membership->exports), at);
	close_gap(membership->export_stale, count, sizeof(*membership->export_stale), at);
}

void gcks_membership_remove_export(struct gcks_membership *membership,
				   const struct gcks_prefix *prefix)
{
	bool found;
	size_t at = find(membership->exports, membership->export_count,
			 sizeof(*membership->exports), prefix, &found);

	if (found)
		drop_export(membership, at);
}

bool gcks_membership_set_route(struct gcks_membership *membership, const struct gcks_prefix *prefix,
			       const struct gcks_address *gateway, const uint32_t *sender_id)
{
	size_t count = membership->route_count, at;
	struct gcks_member_route *route;
	bool found;

	at = find(membership->routes, count, sizeof(*route), prefix, &found);
	if (!found) {
		route = grown(membership->routes, count, sizeof(*route));
		if (!route)
			return false;
		membership->routes = route;
		open_gap(membership->routes, count, sizeof(*route), at);
		membership->route_count++;
	}
	route = &membership->routes[at];
	/* behind another gateway it is another route: what was said of it holds no more */
	if (!found || !gcks_address_equal(&route->gateway, gateway))
		*route = (struct gcks_member_route){ .prefix = *prefix,
						     .gateway = *gateway,
						     .since = ++membership->route_turn };
	if (route->has_sender_id != !!sender_id || (sender_id && route->sender_id != *sender_id))
		route->since = ++membership->route_turn;
	route->has_sender_id = sender_id != NULL;
	route->sender_id = sender_id ? *sender_id : 0;
	route->stale = false;
	return true;
}

static void drop_route(struct gcks_membership *membership, size_t at)
{
	close_gap(membership->routes, membership->route_count--, sizeof(*membership->routes), at);
}

void gcks_membership_remove_route(struct gcks_membership *membership,
				  const struct gcks_prefix *prefix)
{
	bool found;
	size_t at = find(membership->routes, membership->route_count, sizeof(*membership->routes),
			 prefix, &found);

	if (found)
		drop_route(membership, at);
}

bool gcks_member_add_connected(struct gcks_member_table *table, const struct gcks_prefix *prefix)
{
	return add_prefix(&table->connected, &table->connected_count, prefix);
}

void gcks_member_remove_connected(struct gcks_member_table *table, const struct gcks_prefix *prefix)
{
	remove_prefix(table->connected, &table->connected_count, prefix);
}

void gcks_member_mark_stale(struct gcks_member_table *table)
{
	for (struct gcks_membership *each = table->memberships; each; each = each->next) {
		for (size_t i = 0; i < each->route_count; i++)
			each->routes[i].stale = true;
		for (size_t i = 0; i < each->export_count; i++)
			each->export_stale[i] = true;
	}
}

void gcks_member_sweep_stale(struct gcks_member_table *table)
{
	/* from the end, so that little is moved */
	for (struct gcks_membership *each = table->memberships; each; each = each->next) {
		for (size_t i = each->route_count; i-- > 0;)
			if (each->routes[i].stale)
				drop_route(each, i);
		for (size_t i = each->export_count; i-- > 0;)
			if (each->export_stale[i])
				drop_export(each, i);
	}
}
