// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prefixes of joined groups.  The best candidate among the paths names the gateway and its
 * Sender-ID, gcksd is told, and the path is used once gcksd has the SA and the policies in place.  While gcksd moves a
 * prefix to another gateway the path through the old one stays in use.
 *
 *   paths of the prefix --> import (group, prefix, gateway) --Route--> gcksd
 *         ^                                                              |
 *         +---------- bgp_process() <---- ready, gateway <--RouteState---+
 */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/frrevent.h"
#include "lib/jhash.h"
#include "lib/prefix.h"

#include "bgpd/bgp_fsm.h"

DEFINE_MTYPE_STATIC(GSA, GSA_IMPORT, "GSA imported prefix");

struct gsa_imports_head gsa_imports[1] = { INIT_HASH(gsa_imports[0]) };
static struct event *t_update_all;

int gsa_import_cmp(const struct gsa_import *a, const struct gsa_import *b)
{
	return numcmp(a->group, b->group) ?: prefix_cmp(&a->prefix, &b->prefix);
}

uint32_t gsa_import_hash(const struct gsa_import *import)
{
	return jhash_1word(import->group, prefix_hash_key(&import->prefix));
}

static struct gsa_import *import_find(uint32_t group, const struct prefix *prefix)
{
	struct gsa_import key = { .group = group, .prefix = *prefix };

	return gsa_imports_find(gsa_imports, &key);
}

bool gsa_import_is_ready(uint32_t group, const struct prefix *prefix,
			 const struct gsa_gateway *gateway)
{
	struct gsa_import *import;
	struct ipaddr address;

	if (!gsa_imports_count(gsa_imports))
		return false;
	import = import_find(group, prefix);
	return import && import->ready && gsa_gateway_address(gateway, &address) &&
	       ipaddr_is_same(&address, &import->ready_gateway);
}

/* Would the path be used for this group if its traffic were protected? */
static bool candidate(const struct gsa_instance *instance, struct bgp_path_info *pi,
		      uint32_t group, struct gsa_origin *origin)
{
	uint32_t groups[GSA_ATTR_GROUPS_MAX];
	const struct gsa_group_attr *tag;
	const char *reason;
	size_t count;

	if (!CHECK_FLAG(pi->flags, BGP_PATH_VALID) ||
	    CHECK_FLAG(pi->flags, BGP_PATH_REMOVED | BGP_PATH_HISTORY | BGP_PATH_DAMPED) ||
	    pi->peer == instance->bgp->peer_self ||
	    (!CHECK_FLAG(pi->peer->sflags, PEER_STATUS_NSF_WAIT) &&
	     !peer_established(pi->peer->connection)) ||
	    gsa_tag(instance, pi->attr, &tag) != GSA_TAG_OK ||
	    tag->gateway.family == AF_UNSPEC || !gsa_group_attr_has(tag, group))
		return false;
	origin->gateway = tag->gateway;
	origin->has_sender_id = gsa_group_attr_sender_id(tag, group, &origin->sender_id);
	count = gsa_accepted_groups(instance, pi, tag, groups, &reason);
	for (size_t i = 0; i < count; i++)
		if (groups[i] == group)
			return true;
	return false;
}

static bool best_candidate(const struct gsa_instance *instance, afi_t afi, safi_t safi,
			   struct bgp_dest *dest, uint32_t group, struct gsa_origin *origin)
{
	enum bgp_path_selection_reason reason;
	struct bgp_path_info *pi, *best = NULL;
	char text[PREFIX2STR_BUFFER] = "";
	struct gsa_origin found;

	for (pi = bgp_dest_get_bgp_path_info(dest); pi; pi = pi->next) {
		if (!candidate(instance, pi, group, &found))
			continue;
		if (best && bgp_path_info_cmp_compatible(instance->bgp, pi, best, text, afi, safi,
							 &reason) != -1)
			continue;
		best = pi;
		*origin = found;
	}
	return best != NULL;
}

static bool same_origin(const struct gsa_origin *a, const struct gsa_origin *b)
{
	return gsa_gateway_same_address(&a->gateway, &b->gateway) &&
	       a->has_sender_id == b->has_sender_id &&
	       (!a->has_sender_id || a->sender_id == b->sender_id);
}

static void import_delete(struct gsa_import *import)
{
	gsa_imports_del(gsa_imports, import);
	XFREE(MTYPE_GSA_IMPORT, import);
}

static void withdraw(struct gsa_import *import)
{
	if (import->reported)
		gsa_send_route(import, true);
	import_delete(import);
}

static void update_group(struct gsa_instance *instance, afi_t afi, safi_t safi,
			 struct bgp_dest *dest, uint32_t group)
{
	const struct prefix *prefix = bgp_dest_get_prefix(dest);
	struct gsa_import *import = import_find(group, prefix);
	struct gsa_origin origin;

	if (!best_candidate(instance, afi, safi, dest, group, &origin)) {
		if (import)
			withdraw(import);
		return;
	}
	if (import && import->reported && same_origin(&import->origin, &origin))
		return;
	if (!import) {
		import = XCALLOC(MTYPE_GSA_IMPORT, sizeof(*import));
		import->group = group;
		import->prefix = *prefix;
		gsa_imports_add(gsa_imports, import);
	}
	import->origin = origin;
	import->reported = true;
	gsa_send_route(import, false);
}

void gsa_import_update(struct gsa_instance *instance, afi_t afi, safi_t safi,
		       struct bgp_dest *dest)
{
	struct gsa_group *group;

	if (!gsa_joined_count || instance != gsa_instance_member())
		return;
	frr_each (gsa_groups, gsa_groups, group)
		if (group->joined)
			update_group(instance, afi, safi, dest, group->identifier);
}

static void update_all(struct event *event)
{
	struct gsa_instance *instance = gsa_instance_member();
	struct gsa_import *import;
	struct gsa_group *group;

	frr_each_safe (gsa_imports, gsa_imports, import) {
		group = gsa_group_find(import->group);
		if (!instance || !group || !group->joined)
			withdraw(import);
	}
	if (instance)
		gsa_instance_reconsider(instance);
}

void gsa_imports_schedule(void)
{
	event_add_event(bm->master, update_all, NULL, 0, &t_update_all);
}

/* The paths whose answer depends on the import are asked about again. */
static void reconsider(const struct gsa_import *import)
{
	struct gsa_instance *instance = gsa_instance_member();
	afi_t afi = family2afi(import->prefix.family);
	const struct gsa_group_attr *tag;
	struct bgp_path_info *pi, *next;
	struct bgp_dest *dest;

	if (!instance)
		return;
	dest = bgp_node_lookup(instance->bgp->rib[afi][SAFI_UNICAST], &import->prefix);
	if (!dest)
		return;
	for (pi = bgp_dest_get_bgp_path_info(dest); pi; pi = next) {
		next = pi->next;
		if (gsa_tag(instance, pi->attr, &tag) != GSA_TAG_OK ||
		    !gsa_group_attr_has(tag, import->group))
			continue;
		/* whether it goes to zebra may change though the best path does not */
		SET_FLAG(dest->flags, BGP_NODE_PROCESS_CLEAR);
		bgp_process(instance->bgp, dest, pi, afi, SAFI_UNICAST);
	}
	bgp_dest_unlock_node(dest);
}

void gsa_import_state(uint32_t group, const struct prefix *prefix, const struct ipaddr *gateway,
		      bool ready)
{
	struct gsa_import *import = import_find(group, prefix);

	/*
	 * A bgpd that was restarted hears of protected prefixes before BGP has brought
	 * their routes back: they can be used at once then, and stay in the FIB.
	 */
	if (!import && ready && gsa_group_is_member_here(group)) {
		import = XCALLOC(MTYPE_GSA_IMPORT, sizeof(*import));
		import->group = group;
		import->prefix = *prefix;
		gsa_imports_add(gsa_imports, import);
	}
	if (!import)
		return;
	if (import->ready == ready && ipaddr_is_same(&import->ready_gateway, gateway))
		return;
	gsa_debug_log("group %u: %pFX through %pIA is %s", group, prefix, gateway,
		      ready ? "ready" : "not ready");
	import->ready = ready;
	import->ready_gateway = *gateway;
	reconsider(import);
}

void gsa_imports_sweep(void)
{
	struct gsa_import *import;

	frr_each_safe (gsa_imports, gsa_imports, import)
		if (!import->reported)
			import_delete(import);
}

void gsa_import_fini(void)
{
	struct gsa_import *import;

	event_cancel(&t_update_all);
	while ((import = gsa_imports_pop(gsa_imports)))
		XFREE(MTYPE_GSA_IMPORT, import);
}
