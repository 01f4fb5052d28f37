// SPDX-License-Identifier: GPL-2.0-or-later
/* show bgp gsa routes | show bgp gsa group NAME; JSON keys as in YANG. */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/command.h"
#include "lib/json.h"

#include "bgpd/bgp_fsm.h"

#include "frr-gsa-plugin/gsa_show_routes_clippy.c"

static struct json_object *groups_json(const uint32_t *groups, size_t count)
{
	struct json_object *list = json_object_new_array();
	char number[16];

	for (size_t i = 0; i < count; i++)
		json_object_array_add(list, json_object_new_string(gsa_group_label(
						    groups[i], number, sizeof(number))));
	return list;
}

static void groups_text(char *out, size_t size, const struct gsa_group_attr *tag)
{
	char number[16], sender[16];
	uint32_t sender_id;

	out[0] = '\0';
	for (size_t i = 0; i < tag->group_count; i++) {
		if (i)
			strlcat(out, ",", size);
		strlcat(out, gsa_group_label(tag->groups[i], number, sizeof(number)), size);
		if (!gsa_group_attr_sender_id(tag, tag->groups[i], &sender_id))
			continue;
		snprintf(sender, sizeof(sender), "/%u", sender_id);
		strlcat(out, sender, size);
	}
}

static struct json_object *route_sender_ids_json(const struct gsa_group_attr *tag)
{
	struct json_object *list = json_object_new_array(), *entry;
	char number[16];

	for (size_t i = 0; i < tag->sender_id_count; i++) {
		entry = json_object_new_object();
		json_object_string_add(entry, "group",
				       gsa_group_label(tag->sender_ids[i].group, number,
						       sizeof(number)));
		json_object_int_add(entry, "sender-id", tag->sender_ids[i].sender_id);
		json_object_array_add(list, entry);
	}
	return list;
}

static void add_member(struct json_object *json, const struct gsa_member *member)
{
	struct json_object *list = json_object_new_array();

	json_object_string_add(json, "identity", member->identity);
	for (size_t i = 0; i < member->sender_id_count; i++)
		json_object_array_add(list, json_object_new_int64(member->sender_ids[i]));
	json_object_object_add(json, "sender-id", list);
}

/* ---- show bgp gsa routes ---- */

struct route {
	const struct prefix *prefix;
	const struct bgp_path_info *pi;
	struct gsa_group_attr tag;
	bool malformed, ready, selected;
	const char *refused; /* NULL: may be used */
};

/* Calls `visit` for each path with the attribute; `group` 0: of any group. */
static void each_route(struct gsa_instance *instance, uint32_t group,
		       void (*visit)(const struct route *route, void *arg), void *arg)
{
	const struct gsa_group_attr *tag;
	struct bgp_path_info *pi;
	struct bgp_dest *dest;
	afi_t afi;

	for (afi = AFI_IP; afi <= AFI_IP6; afi++) {
		struct bgp_table *table = instance->bgp->rib[afi][SAFI_UNICAST];

		for (dest = table ? bgp_table_top(table) : NULL; dest; dest = bgp_route_next(dest))
			for (pi = bgp_dest_get_bgp_path_info(dest); pi; pi = pi->next) {
				struct route route = { .prefix = bgp_dest_get_prefix(dest),
						       .pi = pi };
				enum gsa_tag_state state = gsa_tag(instance, pi->attr, &tag);

				if (state == GSA_TAG_NONE ||
				    CHECK_FLAG(pi->flags, BGP_PATH_REMOVED))
					continue;
				if (state == GSA_TAG_OK)
					route.tag = *tag;
				route.malformed = state == GSA_TAG_MALFORMED;
				if (group && !gsa_group_attr_has(&route.tag, group))
					continue;
				for (size_t i = 0; i < route.tag.group_count; i++)
					route.ready |= gsa_import_is_ready(route.tag.groups[i],
									   route.prefix,
									   &route.tag.gateway);
				route.selected = CHECK_FLAG(pi->flags, BGP_PATH_SELECTED);
				route.refused = gsa_path_refused(instance, dest, pi);
				if (!route.refused && !CHECK_FLAG(pi->flags, BGP_PATH_VALID))
					route.refused = "the next hop is not reachable";
				visit(&route, arg);
			}
	}
}

static const char *peer_name(const struct bgp_path_info *pi)
{
	return pi->peer == pi->peer->bgp->peer_self ? "local" : pi->peer->host;
}

static void route_text(const struct route *route, void *arg)
{
	char groups[256], prefix[PREFIX_STRLEN], gateway[INET6_ADDRSTRLEN] = "-";
	struct vty *vty = arg;
	struct ipaddr address;

	groups_text(groups, sizeof(groups), &route->tag);
	if (gsa_gateway_address(&route->tag.gateway, &address))
		ipaddr2str(&address, gateway, sizeof(gateway));
	vty_out(vty, "%c%c %-18s %-20s %-15s %-15s %s\n", route->refused ? ' ' : '*',
		route->selected ? '>' : ' ', prefix2str(route->prefix, prefix, sizeof(prefix)),
		groups, gateway, peer_name(route->pi),
		route->refused ? route->refused : (route->ready ? "ready" : "usable"));
}

static void route_json(const struct route *route, void *arg)
{
	struct json_object *list = arg, *json = json_object_new_object();
	struct ipaddr address;

	json_object_string_addf(json, "prefix", "%pFX", route->prefix);
	json_object_object_add(json, "group",
			       groups_json(route->tag.groups, route->tag.group_count));
	if (gsa_gateway_address(&route->tag.gateway, &address))
		gsa_json_add_address(json, "gateway", &address);
	if (route->tag.sender_id_count)
		json_object_object_add(json, "sender-id", route_sender_ids_json(&route->tag));
	json_object_string_add(json, "peer", peer_name(route->pi));
	json_object_boolean_add(json, "eligible", !route->refused);
	json_object_boolean_add(json, "ready", route->ready);
	json_object_boolean_add(json, "selected", route->selected);
	json_object_boolean_add(json, "stale", CHECK_FLAG(route->pi->flags, BGP_PATH_STALE));
	if (route->refused)
		json_object_string_add(json, "reason", route->refused);
	json_object_array_add(list, json);
}

DEFPY (show_bgp_gsa_routes,
       show_bgp_gsa_routes_cmd,
       "show bgp gsa routes [json$json]",
       GSA_SHOW_STR
       "Routes that carry the group attribute\n"
       JSON_STR)
{
	struct json_object *out = NULL, *list = NULL;
	struct gsa_instance *instance;

	if (json) {
		out = json_object_new_object();
		list = json_object_new_array();
		json_object_object_add(out, "route", list);
	} else
		vty_out(vty, "   %-18s %-20s %-15s %-15s %s\n", "Prefix", "Groups", "Gateway",
			"Peer", "State");
	frr_each (gsa_instances, gsa_instances, instance)
		each_route(instance, 0, json ? route_json : route_text,
			   json ? (void *)list : (void *)vty);
	return json ? vty_json(vty, out) : CMD_SUCCESS;
}

/* ---- show bgp gsa group ---- */

struct count {
	const struct peer *peer;
	unsigned int eligible, refused;
};

static void count_route(const struct route *route, void *arg)
{
	struct count *count = arg;

	if (count->peer && route->pi->peer != count->peer)
		return;
	if (route->refused)
		count->refused++;
	else
		count->eligible++;
}

static bool peer_is_configured(const struct peer *peer, uint32_t group)
{
	const struct peer *sources[] = { peer, peer->group ? peer->group->conf : NULL };

	for (size_t s = 0; s < array_size(sources); s++) {
		const struct gsa_peer *entry = sources[s] ? gsa_peer_find(sources[s]) : NULL;

		for (size_t i = 0; entry && i < entry->configured_count; i++)
			if (gsa_group_identifier(entry->configured[i]) == group)
				return true;
	}
	return false;
}

static const char *peer_source(const struct peer *peer, const struct gsa_group *group,
			       uint32_t identifier, const struct gsa_member **member)
{
	struct ipaddr address;

	*member = NULL;
	if (group && gsa_peer_address(peer, &address)) {
		*member = gsa_member_at(group, &address, NULL);
		if (*member)
			return "registered";
		if (group->joined && ipaddr_is_same(&group->key_server, &address))
			return "key-server";
	}
	return peer_is_configured(peer, identifier) ? "configured" : "-";
}

static void group_peer(struct vty *vty, struct json_object *list, struct gsa_instance *instance,
		       const struct gsa_group *group, uint32_t identifier,
		       const struct peer *peer)
{
	bool established = peer_established(peer->connection);
	const struct gsa_member *member;
	const char *source = peer_source(peer, group, identifier, &member);
	struct count count = { .peer = peer };
	struct json_object *json;

	each_route(instance, identifier, count_route, &count);
	if (!list) {
		vty_out(vty, "%-16s %-12s %-12s %8u %8u  %s\n", peer->host, source,
			established ? "established" : "down", count.eligible, count.refused,
			member ? member->identity : "");
		return;
	}
	json = json_object_new_object();
	json_object_string_add(json, "peer", peer->host);
	json_object_string_add(json, "membership", source);
	if (member)
		add_member(json, member);
	json_object_boolean_add(json, "established", established);
	json_object_int_add(json, "eligible", count.eligible);
	json_object_int_add(json, "refused", count.refused);
	json_object_array_add(list, json);
}

/* Registered, but no BGP peer has the address. */
static void group_member_without_peer(struct vty *vty, struct json_object *list,
				      const struct gsa_member *member)
{
	struct gsa_instance *instance;
	struct listnode *node;
	struct ipaddr address;
	struct peer *peer;
	struct json_object *json;

	frr_each (gsa_instances, gsa_instances, instance)
		for (ALL_LIST_ELEMENTS_RO(instance->bgp->peer, node, peer))
			if (gsa_peer_address(peer, &address) &&
			    ipaddr_is_same(&address, &member->gateway))
				return;
	if (!list) {
		vty_out(vty, "%-16pIA %-12s %-12s %8u %8u  %s\n", &member->gateway, "registered",
			"no peer", 0, 0, member->identity);
		return;
	}
	json = json_object_new_object();
	gsa_json_add_address(json, "gateway", &member->gateway);
	json_object_string_add(json, "membership", "registered");
	add_member(json, member);
	json_object_boolean_add(json, "established", false);
	json_object_array_add(list, json);
}

DEFPY (show_bgp_gsa_group,
       show_bgp_gsa_group_cmd,
       "show bgp gsa group WORD$name [json$json]",
       GSA_SHOW_STR
       "One group: its members, their sessions and prefixes\n"
       "Name or identifier\n"
       JSON_STR)
{
	uint32_t identifier = gsa_group_identifier(name);
	struct json_object *out = NULL, *list = NULL;
	struct gsa_instance *instance;
	struct gsa_member *member;
	struct gsa_group *group;
	struct listnode *node;
	struct peer *peer;

	if (!identifier) {
		vty_out(vty, "%% No group is named %s\n", name);
		return CMD_WARNING;
	}
	group = gsa_group_find(identifier);
	if (json) {
		out = json_object_new_object();
		list = json_object_new_array();
		if (group)
			json_object_string_add(out, "name", group->name);
		json_object_int_add(out, "identifier", identifier);
		json_object_boolean_add(out, "served", group && group->served);
		json_object_boolean_add(out, "joined", group && group->joined);
		json_object_boolean_add(out, "registered", group && group->registered);
		if (group)
			gsa_json_add_address(out, "local-gateway", &group->local_gateway);
		if (group)
			gsa_json_add_address(out, "key-server", &group->key_server);
		if (group && group->has_sender_id)
			json_object_int_add(out, "sender-id", group->sender_id);
		json_object_object_add(out, "member", list);
	} else {
		vty_out(vty, "Group %s, identifier %u%s%s", group ? group->name : name,
			identifier, group && group->served ? ", served" : "",
			group && group->joined ? ", joined" : "");
		if (group && group->has_sender_id)
			vty_out(vty, ", Sender-ID %u", group->sender_id);
		vty_out(vty, "\n\n");
		vty_out(vty, "%-16s %-12s %-12s %8s %8s  %s\n", "Peer", "Membership", "Session",
			"Usable", "Refused", "Identity");
	}
	frr_each (gsa_instances, gsa_instances, instance)
		for (ALL_LIST_ELEMENTS_RO(instance->bgp->peer, node, peer))
			if (gsa_class_has(gsa_class_of(peer->update_class), identifier))
				group_peer(vty, list, instance, group, identifier, peer);
	if (group)
		frr_each (gsa_members, group->members, member)
			group_member_without_peer(vty, list, member);
	return json ? vty_json(vty, out) : CMD_SUCCESS;
}

void gsa_show_routes_init(void)
{
	install_element(VIEW_NODE, &show_bgp_gsa_routes_cmd);
	install_element(VIEW_NODE, &show_bgp_gsa_group_cmd);
}
