// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prefixes that this node announces into the groups it joined.  They are worked out as a
 * whole from the groups' policies, the connected networks and bgpd's local routes, and
 * compared with what is originated.  One prefix is one route, with all of its groups.
 *
 * The routes are bgpd's own (peer_self) with a type that no configuration command uses, and a
 * weight above that of `network` and `redistribute`: a prefix that is exported into a group
 * is not announced in clear as well.
 */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/frrevent.h"
#include "lib/if.h"
#include "lib/plist.h"
#include "lib/prefix.h"
#include "lib/vrf.h"

#include "bgpd/bgp_aspath.h"

DEFINE_MTYPE_STATIC(GSA, GSA_EXPORT, "GSA exported prefix");

#define EXPORT_WEIGHT (2 * BGP_ATTR_DEFAULT_WEIGHT - 1)
#define EXPORT_DELAY_MS 50 /* interface and configuration changes come in bursts */

struct gsa_exports_head gsa_exports[1] = { INIT_HASH(gsa_exports[0]) };
static struct event *t_update;

int gsa_export_cmp(const struct gsa_export *a, const struct gsa_export *b)
{
	return prefix_cmp(&a->prefix, &b->prefix);
}

uint32_t gsa_export_hash(const struct gsa_export *export)
{
	return prefix_hash_key(&export->prefix);
}

/* ---- originating ---- */

static struct bgp_path_info *own_path(struct bgp *bgp, struct bgp_dest *dest)
{
	struct bgp_path_info *pi;

	for (pi = bgp_dest_get_bgp_path_info(dest); pi; pi = pi->next)
		if (pi->peer == bgp->peer_self && gsa_path_is_export(pi))
			return pi;
	return NULL;
}

static struct attr *export_attr(struct gsa_instance *instance, const struct gsa_export *export)
{
	struct attr attr, *interned;
	struct transit *transit;

	bgp_attr_default_set(&attr, instance->bgp, BGP_ORIGIN_IGP);
	attr.weight = EXPORT_WEIGHT;
	if (export->next_hop.ipa_type == IPADDR_V4) {
		attr.nexthop = export->next_hop.ipaddr_v4;
		attr.mp_nexthop_global_in = attr.nexthop;
		attr.mp_nexthop_len = BGP_ATTR_NHLEN_IPV4;
	} else {
		UNSET_FLAG(attr.flag, ATTR_FLAG_BIT(BGP_ATTR_NEXT_HOP));
		attr.mp_nexthop_global = export->next_hop.ipaddr_v6;
		attr.mp_nexthop_len = BGP_ATTR_NHLEN_IPV6_GLOBAL;
	}
	transit = gsa_tag_transit(instance, &attr, &export->tag);
	if (!transit) {
		aspath_unintern(&attr.aspath);
		return NULL;
	}
	bgp_attr_set_transit(&attr, transit);
	interned = bgp_attr_intern(&attr);
	aspath_unintern(&attr.aspath);
	return interned;
}

static void originate(struct gsa_instance *instance, const struct gsa_export *export)
{
	afi_t afi = family2afi(export->prefix.family);
	struct bgp *bgp = instance->bgp;
	struct bgp_path_info *pi;
	struct bgp_dest *dest;
	struct attr *attr = export_attr(instance, export);

	if (!attr) {
		zlog_err("GSA: %pFX: its attribute cannot be encoded, not exported",
			 &export->prefix);
		return;
	}
	dest = bgp_afi_node_get(bgp->rib[afi][SAFI_UNICAST], afi, SAFI_UNICAST, &export->prefix,
				NULL);
	pi = own_path(bgp, dest);
	if (pi) {
		bgp_path_info_set_flag(dest, pi, BGP_PATH_ATTR_CHANGED);
		if (CHECK_FLAG(pi->flags, BGP_PATH_REMOVED))
			bgp_path_info_restore(dest, pi);
		bgp_attr_unintern(&pi->attr);
		pi->attr = attr;
		pi->uptime = monotime(NULL);
	} else {
		pi = info_make(ZEBRA_ROUTE_SYSTEM, BGP_ROUTE_STATIC, 0, bgp->peer_self, attr, dest);
		SET_FLAG(pi->flags, BGP_PATH_VALID);
		bgp_path_info_add(dest, pi);
	}
	bgp_process(bgp, dest, pi, afi, SAFI_UNICAST);
	bgp_dest_unlock_node(dest);
}

static void withdraw(struct bgp *bgp, const struct prefix *prefix)
{
	afi_t afi = family2afi(prefix->family);
	struct bgp_dest *dest = bgp_node_lookup(bgp->rib[afi][SAFI_UNICAST], prefix);
	struct bgp_path_info *pi;

	if (!dest)
		return;
	pi = own_path(bgp, dest);
	if (pi && !CHECK_FLAG(pi->flags, BGP_PATH_REMOVED)) {
		bgp_path_info_delete(dest, pi);
		bgp_process(bgp, dest, pi, afi, SAFI_UNICAST);
	}
	bgp_dest_unlock_node(dest);
}

/* ---- what should be exported ---- */

static void gateway_of(const struct gsa_group *group, struct gsa_gateway *gateway)
{
	memset(gateway, 0, sizeof(*gateway));
	if (group->local_gateway.ipa_type == IPADDR_V4) {
		gateway->family = AF_INET;
		gateway->ipv4 = group->local_gateway.ipaddr_v4;
	} else {
		gateway->family = AF_INET6;
		gateway->ipv6 = group->local_gateway.ipaddr_v6;
	}
}

PREDECL_HASH(wanted);
struct wanted {
	struct wanted_item item;
	struct gsa_export export;
};
static int wanted_cmp(const struct wanted *a, const struct wanted *b)
{
	return gsa_export_cmp(&a->export, &b->export);
}
static uint32_t wanted_hash(const struct wanted *wanted)
{
	return gsa_export_hash(&wanted->export);
}
DECLARE_HASH(wanted, struct wanted, item, wanted_cmp, wanted_hash);

/* Groups are visited in ascending order, so that the lists stay ascending. */
static void want(struct wanted_head *all, const struct gsa_group *group,
		 const struct prefix *prefix)
{
	struct gsa_gateway gateway;
	struct wanted key = { .export.prefix = *prefix }, *wanted = wanted_find(all, &key);
	struct gsa_group_attr *tag;

	gateway_of(group, &gateway);
	if (!wanted) {
		wanted = XCALLOC(MTYPE_GSA_EXPORT, sizeof(*wanted));
		wanted->export.prefix = *prefix;
		wanted->export.tag.gateway = gateway;
		wanted->export.next_hop = group->local_gateway;
		wanted_add(all, wanted);
	}
	tag = &wanted->export.tag;
	if (gsa_group_attr_has(tag, group->identifier))
		return;
	/* one route, one gateway */
	if (!gsa_gateway_same_address(&tag->gateway, &gateway) ||
	    tag->group_count == GSA_ATTR_GROUPS_MAX) {
		zlog_warn("GSA: %pFX is not exported into group %s: it is already in another group, through another local gateway",
			  prefix, group->name);
		return;
	}
	tag->groups[tag->group_count++] = group->identifier;
	if (group->has_sender_id)
		tag->sender_ids[tag->sender_id_count++] =
			(struct gsa_group_sender_id){ group->identifier, group->sender_id };
}

static bool holds(const struct prefix *prefix, const struct ipaddr *address)
{
	struct prefix host = {};

	if (prefix->family != (address->ipa_type == IPADDR_V4 ? AF_INET : AF_INET6))
		return false;
	host.family = prefix->family;
	host.prefixlen = prefix_blen(prefix) * 8;
	memcpy(&host.u, &address->ip, prefix_blen(prefix));
	return prefix_match(prefix, &host);
}

static struct prefix_list *export_list(const struct gsa_group *group, int family)
{
	return prefix_list_lookup(family2afi(family), group->export_prefix_list);
}

static bool policy_permits(const struct gsa_group *group, const struct prefix *prefix)
{
	/* the tunnel's own network inside the tunnel would cut the gateway off */
	if (holds(prefix, &group->local_gateway))
		return false;
	switch (group->export_mode) {
	case GSA_EXPORT_CONNECTED:
		return true;
	case GSA_EXPORT_PREFIX_LIST:
		/* a list that does not exist permits nothing */
		return export_list(group, prefix->family) &&
		       prefix_list_apply(export_list(group, prefix->family), prefix) ==
			       PREFIX_PERMIT;
	case GSA_EXPORT_NONE:
		break;
	}
	return false;
}

static void want_connected(struct wanted_head *all, struct gsa_instance *instance,
			   const struct gsa_group *group)
{
	struct vrf *vrf = vrf_lookup_by_id(instance->bgp->vrf_id);
	struct connected *connected;
	struct interface *ifp;
	struct prefix prefix;

	if (!vrf)
		return;
	FOR_ALL_INTERFACES (vrf, ifp) {
		if (if_is_loopback(ifp) || !if_is_operative(ifp))
			continue;
		frr_each (if_connected, ifp->connected, connected) {
			prefix = *CONNECTED_PREFIX(connected);
			/* IPv4 unicast only as yet */
			if (prefix.family != AF_INET)
				continue;
			apply_mask(&prefix);
			if (policy_permits(group, &prefix))
				want(all, group, &prefix);
		}
	}
}

static void want_local(struct wanted_head *all, struct gsa_instance *instance,
		       const struct gsa_group *group)
{
	struct bgp *bgp = instance->bgp;
	struct bgp_path_info *pi;
	struct bgp_dest *dest;

	for (dest = bgp_table_top(bgp->rib[AFI_IP][SAFI_UNICAST]); dest;
	     dest = bgp_route_next(dest))
		for (pi = bgp_dest_get_bgp_path_info(dest); pi; pi = pi->next)
			if (pi->peer == bgp->peer_self && !gsa_path_is_export(pi) &&
			    CHECK_FLAG(pi->flags, BGP_PATH_VALID) &&
			    !CHECK_FLAG(pi->flags, BGP_PATH_REMOVED) &&
			    (pi->sub_type == BGP_ROUTE_STATIC ||
			     pi->sub_type == BGP_ROUTE_REDISTRIBUTE) &&
			    policy_permits(group, bgp_dest_get_prefix(dest)))
				want(all, group, bgp_dest_get_prefix(dest));
}

static void work_out(struct wanted_head *all, struct gsa_instance *instance)
{
	struct gsa_group *group;

	frr_each (gsa_groups, gsa_groups, group) {
		if (!group->joined || IS_IPADDR_NONE(&group->local_gateway) ||
		    group->export_mode == GSA_EXPORT_NONE)
			continue;
		want_connected(all, instance, group);
		if (group->export_mode == GSA_EXPORT_PREFIX_LIST)
			want_local(all, instance, group);
	}
}

/* ---- applying the difference ---- */

static bool same_tag(const struct gsa_export *a, const struct gsa_export *b)
{
	return a->tag.group_count == b->tag.group_count &&
	       memcmp(a->tag.groups, b->tag.groups,
		      a->tag.group_count * sizeof(a->tag.groups[0])) == 0 &&
	       gsa_gateway_same_address(&a->tag.gateway, &b->tag.gateway) &&
	       a->tag.sender_id_count == b->tag.sender_id_count &&
	       memcmp(a->tag.sender_ids, b->tag.sender_ids,
		      a->tag.sender_id_count * sizeof(a->tag.sender_ids[0])) == 0;
}

/* Tell gcksd which groups `export` left (not in `now`) or entered (not in `before`). */
static void tell(const struct gsa_export *before, const struct gsa_export *now)
{
	for (size_t i = 0; before && i < before->tag.group_count; i++)
		if (!now || !gsa_group_attr_has(&now->tag, before->tag.groups[i]))
			gsa_send_export(before->tag.groups[i], &before->prefix, true);
	for (size_t i = 0; now && i < now->tag.group_count; i++)
		if (!before || !gsa_group_attr_has(&before->tag, now->tag.groups[i]))
			gsa_send_export(now->tag.groups[i], &now->prefix, false);
}

static void drop(struct gsa_instance *instance, struct gsa_export *export)
{
	if (instance)
		withdraw(instance->bgp, &export->prefix);
	tell(export, NULL);
	gsa_exports_del(gsa_exports, export);
	XFREE(MTYPE_GSA_EXPORT, export);
}

static struct gsa_instance *originating_instance(void)
{
	struct gsa_instance *instance;

	frr_each (gsa_instances, gsa_instances, instance)
		if (instance->bgp->inst_type == BGP_INSTANCE_TYPE_DEFAULT &&
		    !CHECK_FLAG(instance->bgp->flags, BGP_FLAG_DELETE_IN_PROGRESS))
			return instance;
	return NULL;
}

static void update(struct event *event)
{
	struct gsa_instance *instance = originating_instance();
	struct wanted_head all[1];
	struct gsa_export *export;
	struct wanted *wanted;

	wanted_init(all);
	if (instance && instance->enabled)
		work_out(all, instance);

	frr_each_safe (gsa_exports, gsa_exports, export) {
		struct wanted key = { .export.prefix = export->prefix };

		if (!wanted_find(all, &key))
			drop(instance, export);
	}
	while ((wanted = wanted_pop(all))) {
		export = gsa_exports_find(gsa_exports, &wanted->export);
		if (!export) {
			export = XCALLOC(MTYPE_GSA_EXPORT, sizeof(*export));
			export->prefix = wanted->export.prefix;
			gsa_exports_add(gsa_exports, export);
		} else if (same_tag(export, &wanted->export) &&
			   export->attribute_type == instance->attribute_type) {
			XFREE(MTYPE_GSA_EXPORT, wanted);
			continue;
		}
		/* gcksd first: the policy exists before others learn the prefix */
		tell(export, &wanted->export);
		export->tag = wanted->export.tag;
		export->next_hop = wanted->export.next_hop;
		export->attribute_type = instance->attribute_type;
		originate(instance, export);
		XFREE(MTYPE_GSA_EXPORT, wanted);
	}
	wanted_fini(all);
}

void gsa_exports_schedule(void)
{
	event_add_timer_msec(bm->master, update, NULL, EXPORT_DELAY_MS, &t_update);
}

void gsa_exports_forget(const struct bgp *bgp)
{
	struct gsa_export *export;

	if (bgp->inst_type != BGP_INSTANCE_TYPE_DEFAULT)
		return;
	frr_each_safe (gsa_exports, gsa_exports, export)
		drop(NULL, export);
}

static int connected_changed(struct bgp *bgp, struct connected *connected)
{
	if (gsa_joined_count)
		gsa_exports_schedule();
	return 0;
}

static int prefix_list_changed(struct prefix_list *list)
{
	if (gsa_joined_count)
		gsa_exports_schedule();
	return 0;
}

void gsa_export_init(void)
{
	hook_register(bgp_connected_changed, connected_changed);
	hook_register(bgp_prefix_list_changed, prefix_list_changed);
}

void gsa_export_fini(void)
{
	struct gsa_export *export;

	event_cancel(&t_update);
	while ((export = gsa_exports_pop(gsa_exports)))
		XFREE(MTYPE_GSA_EXPORT, export);
}
