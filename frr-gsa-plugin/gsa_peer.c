// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which peer belongs to which groups: configured (`neighbor X gsa group G`, also of its peer
 * group), registered (a member's gateway is its BGP peer address), or the key server
 * of a group that this node joined.  Peers with the same set share an update class, and so
 * may share update groups.
 */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/frrevent.h"
#include "lib/jhash.h"

#include "bgpd/bgp_fsm.h"
#include "bgpd/bgp_updgrp.h"

DEFINE_MTYPE_STATIC(GSA, GSA_PEER, "GSA peer");
DEFINE_MTYPE_STATIC(GSA, GSA_CLASS, "GSA update class");

static int gsa_peer_cmp(const struct gsa_peer *a, const struct gsa_peer *b)
{
	return numcmp((uintptr_t)a->peer, (uintptr_t)b->peer);
}

static uint32_t gsa_peer_hash(const struct gsa_peer *peer)
{
	return jhash(&peer->peer, sizeof(peer->peer), 0x475341);
}

DECLARE_HASH(gsa_peers, struct gsa_peer, item, gsa_peer_cmp, gsa_peer_hash);
static struct gsa_peers_head gsa_peers[1] = { INIT_HASH(gsa_peers[0]) };
static struct event *t_apply;

/* ---- update classes: interned for good, there are few different sets ---- */

static const struct gsa_class class_none = { .id = 0 };
static const struct gsa_class **classes; /* by id */
static size_t class_count;

static const struct gsa_class *class_intern(const uint32_t *groups, size_t count)
{
	struct gsa_class *class;

	if (!count)
		return &class_none;
	for (size_t i = 1; i < class_count; i++)
		if (classes[i]->count == count &&
		    memcmp(classes[i]->groups, groups, count * sizeof(*groups)) == 0)
			return classes[i];

	if (!class_count)
		class_count = 1;
	class = XCALLOC(MTYPE_GSA_CLASS, sizeof(*class) + count * sizeof(*groups));
	class->id = class_count;
	class->count = count;
	memcpy(class->groups, groups, count * sizeof(*groups));
	classes = XREALLOC(MTYPE_GSA_CLASS, classes, (class_count + 1) * sizeof(*classes));
	classes[0] = &class_none;
	classes[class_count++] = class;
	return class;
}

const struct gsa_class *gsa_class_of(uint32_t update_class)
{
	return update_class < class_count ? classes[update_class] : &class_none;
}

bool gsa_class_has(const struct gsa_class *class, uint32_t group)
{
	size_t low = 0, high = class->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (class->groups[middle] == group)
			return true;
		if (class->groups[middle] < group)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* ---- peers ---- */

struct gsa_peer *gsa_peer_find(const struct peer *peer)
{
	struct gsa_peer key = { .peer = (struct peer *)peer };

	return gsa_peers_find(gsa_peers, &key);
}

struct gsa_peer *gsa_peer_get(struct peer *peer)
{
	struct gsa_peer *entry = gsa_peer_find(peer);

	if (entry)
		return entry;
	entry = XCALLOC(MTYPE_GSA_PEER, sizeof(*entry));
	entry->peer = peer;
	entry->class = &class_none;
	gsa_peers_add(gsa_peers, entry);
	return entry;
}

static void peer_free(struct gsa_peer *entry)
{
	gsa_peers_del(gsa_peers, entry);
	for (size_t i = 0; i < entry->configured_count; i++)
		XFREE(MTYPE_TMP, entry->configured[i]);
	XFREE(MTYPE_GSA_PEER, entry->configured);
	XFREE(MTYPE_GSA_PEER, entry);
}

bool gsa_peer_configure(struct peer *peer, const char *group)
{
	struct gsa_peer *entry = gsa_peer_get(peer);

	for (size_t i = 0; i < entry->configured_count; i++)
		if (strcmp(entry->configured[i], group) == 0)
			return false;
	entry->configured =
		XREALLOC(MTYPE_GSA_PEER, entry->configured,
			 (entry->configured_count + 1) * sizeof(*entry->configured));
	entry->configured[entry->configured_count++] = XSTRDUP(MTYPE_TMP, group);
	gsa_peers_schedule();
	return true;
}

bool gsa_peer_unconfigure(struct peer *peer, const char *group)
{
	struct gsa_peer *entry = gsa_peer_find(peer);

	for (size_t i = 0; entry && i < entry->configured_count; i++) {
		if (strcmp(entry->configured[i], group) != 0)
			continue;
		XFREE(MTYPE_TMP, entry->configured[i]);
		entry->configured[i] = entry->configured[--entry->configured_count];
		gsa_peers_schedule();
		return true;
	}
	return false;
}

bool gsa_peer_address(const struct peer *peer, struct ipaddr *address)
{
	const union sockunion *su = peer->connection ? &peer->connection->su : NULL;

	memset(address, 0, sizeof(*address));
	if (!su)
		return false;
	switch (sockunion_family(su)) {
	case AF_INET:
		SET_IPADDR_V4(address);
		address->ipaddr_v4 = su->sin.sin_addr;
		return true;
	case AF_INET6:
		SET_IPADDR_V6(address);
		address->ipaddr_v6 = su->sin6.sin6_addr;
		return true;
	}
	return false;
}

/* ---- membership ---- */

static void set_add(uint32_t *groups, size_t *count, size_t capacity, uint32_t group)
{
	size_t i = *count;

	if (!group || *count == capacity)
		return;
	while (i && groups[i - 1] > group)
		i--;
	if (i && groups[i - 1] == group)
		return;
	memmove(&groups[i + 1], &groups[i], (*count - i) * sizeof(*groups));
	groups[i] = group;
	++*count;
}

static void add_configured(const struct peer *peer, uint32_t *groups, size_t *count,
			   size_t capacity)
{
	const struct gsa_peer *entry = gsa_peer_find(peer);

	for (size_t i = 0; entry && i < entry->configured_count; i++)
		set_add(groups, count, capacity, gsa_group_identifier(entry->configured[i]));
}

static bool group_has_address(const struct gsa_group *group, const struct ipaddr *address)
{
	return (group->joined && ipaddr_is_same(&group->key_server, address)) ||
	       gsa_member_at(group, address, NULL);
}

static const struct gsa_class *peer_class(const struct peer *peer)
{
	size_t capacity, count = 0, configured = 0;
	const struct gsa_class *class;
	const struct gsa_peer *entry;
	struct gsa_group *group;
	struct ipaddr address;
	uint32_t *groups;

	if (!gsa_instance_get(peer->bgp)->enabled)
		return &class_none;
	entry = gsa_peer_find(peer);
	configured = entry ? entry->configured_count : 0;
	entry = peer->group ? gsa_peer_find(peer->group->conf) : NULL;
	configured += entry ? entry->configured_count : 0;

	capacity = configured + gsa_groups_count(gsa_groups);
	if (!capacity)
		return &class_none;
	groups = XCALLOC(MTYPE_TMP, capacity * sizeof(*groups));
	add_configured(peer, groups, &count, capacity);
	if (peer->group)
		add_configured(peer->group->conf, groups, &count, capacity);
	if (gsa_peer_address(peer, &address))
		frr_each (gsa_groups, gsa_groups, group)
			if (group_has_address(group, &address))
				set_add(groups, &count, capacity, group->identifier);
	class = class_intern(groups, count);
	XFREE(MTYPE_TMP, groups);
	return class;
}

/* Paths that carry the attribute, of the peers whose membership changed or of all. */
static void reconsider_paths(struct gsa_instance *instance, bool all)
{
	const struct gsa_group_attr *tag;
	struct bgp *bgp = instance->bgp;
	struct bgp_path_info *pi, *next;
	const struct gsa_peer *entry;
	struct bgp_dest *dest;
	afi_t afi;

	for (afi = AFI_IP; afi <= AFI_IP6; afi++) {
		struct bgp_table *table = bgp->rib[afi][SAFI_UNICAST];

		for (dest = table ? bgp_table_top(table) : NULL; dest; dest = bgp_route_next(dest))
			for (pi = bgp_dest_get_bgp_path_info(dest); pi; pi = next) {
				/* bgp_process() moves the path to the head of the list */
				next = pi->next;
				if (gsa_tag(instance, pi->attr, &tag) == GSA_TAG_NONE &&
				    !CHECK_FLAG(pi->flags, BGP_PATH_INELIGIBLE))
					continue;
				entry = all ? NULL : gsa_peer_find(pi->peer);
				if (!all && (!entry || !entry->changed))
					continue;
				/* a path that stays selected is announced again as well */
				SET_FLAG(dest->flags, BGP_NODE_PROCESS_CLEAR);
				bgp_process(bgp, dest, pi, afi, SAFI_UNICAST);
			}
	}
}

void gsa_instance_reconsider(struct gsa_instance *instance)
{
	if (!CHECK_FLAG(instance->bgp->flags, BGP_FLAG_DELETE_IN_PROGRESS))
		reconsider_paths(instance, true);
}

/* Send the difference: move to the update group of its class and compare the whole table. */
static void announce_again(struct peer *peer)
{
	afi_t afi;
	safi_t safi;

	update_group_adjust_peer_afs(peer);
	FOREACH_AFI_SAFI (afi, safi)
		if (peer->afc_nego[afi][safi])
			bgp_announce_route(peer, afi, safi, false);
}

static void peer_update(struct peer *peer)
{
	struct gsa_peer *entry = gsa_peer_get(peer);
	const struct gsa_class *class = peer_class(peer);

	if (entry->class == class)
		return;
	gsa_debug_log("%pBP: groups changed, update class %u is now %u", peer, entry->class->id,
		      class->id);
	entry->class = class;
	entry->changed = true;
	peer->update_class = class->id;
	if (peer_established(peer->connection))
		announce_again(peer);
}

/*
 * Not while gcksd repeats what it knows, but when it has: a route that is in two groups would be
 * announced with the first one alone for a moment, and its traffic would move to that and back.
 */
static void apply(struct event *event)
{
	struct gsa_instance *instance;
	struct listnode *node, *next;
	struct peer *peer;
	bool changed;

	if (gsa_link_status.state == GSA_LINK_SYNC)
		return;
	frr_each (gsa_instances, gsa_instances, instance) {
		if (CHECK_FLAG(instance->bgp->flags, BGP_FLAG_DELETE_IN_PROGRESS))
			continue;
		changed = false;
		for (ALL_LIST_ELEMENTS(instance->bgp->peer, node, next, peer))
			if (CHECK_FLAG(peer->flags, PEER_FLAG_CONFIG_NODE) ||
			    peer_dynamic_neighbor(peer)) {
				peer_update(peer);
				changed |= gsa_peer_get(peer)->changed;
			}
		if (!changed)
			continue;
		reconsider_paths(instance, false);
		for (ALL_LIST_ELEMENTS(instance->bgp->peer, node, next, peer)) {
			struct gsa_peer *entry = gsa_peer_find(peer);

			if (entry)
				entry->changed = false;
		}
	}
}

void gsa_peers_schedule(void)
{
	event_add_event(bm->master, apply, NULL, 0, &t_apply);
}

void gsa_peers_reconsider(const struct ipaddr *address)
{
	struct gsa_instance *instance;
	struct listnode *node;
	struct ipaddr own;
	struct peer *peer;

	frr_each (gsa_instances, gsa_instances, instance)
		for (ALL_LIST_ELEMENTS_RO(instance->bgp->peer, node, peer))
			if (gsa_peer_address(peer, &own) && ipaddr_is_same(&own, address))
				gsa_peer_get(peer)->changed = true;
	gsa_peers_schedule();
}

static int status_changed(struct peer *peer)
{
	if (peer->connection->status == Deleted) {
		struct gsa_peer *entry = gsa_peer_find(peer);

		if (entry)
			peer_free(entry);
		return 0;
	}
	/* a peer that is new, or came back with another address */
	gsa_peers_schedule();
	return 0;
}

void gsa_peer_init(void)
{
	hook_register(peer_status_changed, status_changed);
}

void gsa_peer_fini(void)
{
	event_cancel(&t_apply);
	for (size_t i = 1; i < class_count; i++) {
		struct gsa_class *class = (struct gsa_class *)classes[i];

		XFREE(MTYPE_GSA_CLASS, class);
	}
	class_count = 0;
	XFREE(MTYPE_GSA_CLASS, classes);
}
