// SPDX-License-Identifier: GPL-2.0-or-later
/* The messages between the module and gcksd (proto/README.md). */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/prefix.h"

#include "libgsa/gikev2.h"
#include "libgsa/message.h"

static void send_message(const Gsa__Message *message)
{
	static uint8_t out[GSA_MESSAGE_MAX];
	size_t length = gsa_message_pack(message, out);

	if (length)
		gsa_link_send(out, length);
}

static void fill_prefix(Gsa__Prefix *message, const struct prefix *prefix)
{
	gsa__prefix__init(message);
	message->address.data = (uint8_t *)&prefix->u;
	message->address.len = prefix_blen(prefix);
	message->length = prefix->prefixlen;
}

void gsa_send_hello(void)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Hello hello = GSA__HELLO__INIT;

	hello.version = GSA_PROTOCOL_VERSION;
	hello.role = GSA__ROLE__ROLE_BGPD;
	hello.software = (char *)"bgpd_gsa " GSA_VERSION;
	message.body_case = GSA__MESSAGE__BODY_HELLO;
	message.hello = &hello;
	send_message(&message);
}

void gsa_send_sync_done(void)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__SyncDone done = GSA__SYNC_DONE__INIT;

	message.body_case = GSA__MESSAGE__BODY_SYNC_DONE;
	message.sync_done = &done;
	send_message(&message);
}

void gsa_send_route(const struct gsa_import *import, bool withdrawn)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Route route = GSA__ROUTE__INIT;
	struct ipaddr gateway;
	Gsa__Prefix prefix;

	if (gsa_link_status.state < GSA_LINK_SYNC)
		return;
	fill_prefix(&prefix, &import->prefix);
	route.group = import->group;
	route.prefix = &prefix;
	route.withdrawn = withdrawn;
	if (gsa_gateway_address(&import->origin.gateway, &gateway)) {
		route.gateway.data = (uint8_t *)&gateway.ip;
		route.gateway.len = IPADDRSZ(&gateway);
	}
	route.has_sender_id = import->origin.has_sender_id;
	if (route.has_sender_id)
		route.sender_id = import->origin.sender_id;
	message.body_case = GSA__MESSAGE__BODY_ROUTE;
	message.route = &route;
	gsa_debug_log("to gcksd: group %u: %pFX through %pIA%s", import->group, &import->prefix,
		      &gateway, withdrawn ? " withdrawn" : "");
	send_message(&message);
}

void gsa_send_export(uint32_t group, const struct prefix *p, bool withdrawn)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Export export = GSA__EXPORT__INIT;
	Gsa__Prefix prefix;

	gsa_debug_log("group %u: %pFX is %s", group, p,
		      withdrawn ? "no longer exported" : "exported");
	if (gsa_link_status.state < GSA_LINK_SYNC)
		return;
	fill_prefix(&prefix, p);
	export.group = group;
	export.prefix = &prefix;
	export.withdrawn = withdrawn;
	message.body_case = GSA__MESSAGE__BODY_EXPORT;
	message.export = &export;
	send_message(&message);
}

void gsa_send_all(uint32_t group)
{
	struct gsa_import *import;
	struct gsa_export *export;

	frr_each (gsa_imports, gsa_imports, import)
		if (import->reported && (!group || import->group == group))
			gsa_send_route(import, false);
	frr_each (gsa_exports, gsa_exports, export)
		for (size_t i = 0; i < export->tag.group_count; i++)
			if (!group || export->tag.groups[i] == group)
				gsa_send_export(export->tag.groups[i], &export->prefix, false);
}

/* ---- from gcksd ---- */

static bool get_address(const ProtobufCBinaryData *data, struct ipaddr *address)
{
	memset(address, 0, sizeof(*address));
	switch (data->len) {
	case IPV4_MAX_BYTELEN:
		SET_IPADDR_V4(address);
		break;
	case IPV6_MAX_BYTELEN:
		SET_IPADDR_V6(address);
		break;
	default:
		return false;
	}
	memcpy(&address->ip, data->data, data->len);
	return true;
}

static bool get_prefix(const Gsa__Prefix *message, struct prefix *prefix)
{
	memset(prefix, 0, sizeof(*prefix));
	if (!message || (message->address.len != IPV4_MAX_BYTELEN &&
			 message->address.len != IPV6_MAX_BYTELEN) ||
	    message->length > message->address.len * 8)
		return false;
	prefix->family = message->address.len == IPV4_MAX_BYTELEN ? AF_INET : AF_INET6;
	prefix->prefixlen = message->length;
	memcpy(&prefix->u, message->address.data, message->address.len);
	apply_mask(prefix);
	return true;
}

static const char *got_hello(const Gsa__Hello *hello)
{
	if (hello->role != GSA__ROLE__ROLE_GCKSD)
		gsa_link_refused("the server on the socket is not gcksd");
	else if (hello->version != GSA_PROTOCOL_VERSION)
		gsa_link_refused("gcksd speaks another protocol version");
	else
		gsa_link_hello_received();
	return NULL;
}

static const char *got_group(const Gsa__Group *group)
{
	static const enum gsa_export_mode modes[] = {
		[GSA__EXPORT_MODE__EXPORT_NONE] = GSA_EXPORT_NONE,
		[GSA__EXPORT_MODE__EXPORT_CONNECTED] = GSA_EXPORT_CONNECTED,
		[GSA__EXPORT_MODE__EXPORT_PREFIX_LIST] = GSA_EXPORT_PREFIX_LIST,
	};
	struct gsa_group update = { .identifier = group->identifier };

	if (!group->identifier)
		return "Group: identifier 0";
	if (!group->name[0] || strlen(group->name) > GSA_GROUP_NAME_MAX)
		return "Group: no name, or a longer one than a group may have";
	if ((size_t)group->export_mode >= array_size(modes))
		return "Group: unknown export mode";
	if (group->local_gateway.len && !get_address(&group->local_gateway, &update.local_gateway))
		return "Group: local gateway is not an address";
	if (group->key_server.len && !get_address(&group->key_server, &update.key_server))
		return "Group: key server is not an address";
	update.name = XSTRDUP(MTYPE_TMP, group->name);
	update.served = group->served;
	update.joined = group->joined;
	update.registered = group->registered;
	update.has_sender_id = group->has_sender_id;
	update.sender_id = group->has_sender_id ? group->sender_id : 0;
	update.export_mode = modes[group->export_mode];
	update.export_prefix_list = XSTRDUP(MTYPE_TMP, group->export_prefix_list);
	gsa_group_set(&update);
	return NULL;
}

static const char *got_member(const Gsa__Member *member)
{
	struct ipaddr gateway;

	if (!get_address(&member->gateway, &gateway))
		return "Member: gateway is not an address";
	gsa_member_set(member->group, member->identity, &gateway, member->sender_id,
		       member->n_sender_id);
	return NULL;
}

static const char *got_member_removed(const Gsa__MemberRemoved *member)
{
	struct ipaddr gateway;

	if (!get_address(&member->gateway, &gateway))
		return "MemberRemoved: gateway is not an address";
	gsa_member_remove(member->group, member->identity, &gateway);
	return NULL;
}

static const char *got_route_state(const Gsa__RouteState *state)
{
	struct ipaddr gateway;
	struct prefix prefix;

	if (!get_prefix(state->prefix, &prefix))
		return "RouteState: not a prefix";
	if (!get_address(&state->gateway, &gateway) && state->ready)
		return "RouteState: gateway is not an address";
	gsa_import_state(state->group, &prefix, &gateway, state->ready);
	return NULL;
}

const char *gsa_receive(const uint8_t *data, size_t length)
{
	const char *reason = NULL;
	Gsa__Message *message = gsa_message_unpack(data, length, &reason);

	if (!message)
		return reason;
	if (gsa_link_status.state == GSA_LINK_HELLO &&
	    message->body_case != GSA__MESSAGE__BODY_HELLO &&
	    message->body_case != GSA__MESSAGE__BODY_REFUSED) {
		gsa_message_free(message);
		return "no Hello yet";
	}

	switch (message->body_case) {
	case GSA__MESSAGE__BODY_HELLO:
		reason = got_hello(message->hello);
		break;
	case GSA__MESSAGE__BODY_REFUSED:
		gsa_link_refused(message->refused->reason);
		break;
	case GSA__MESSAGE__BODY_SYNC_DONE:
		gsa_link_sync_received();
		break;
	case GSA__MESSAGE__BODY_GROUP:
		reason = got_group(message->group);
		break;
	case GSA__MESSAGE__BODY_GROUP_REMOVED:
		gsa_group_remove(message->group_removed->identifier);
		break;
	case GSA__MESSAGE__BODY_MEMBER:
		reason = got_member(message->member);
		break;
	case GSA__MESSAGE__BODY_MEMBER_REMOVED:
		reason = got_member_removed(message->member_removed);
		break;
	case GSA__MESSAGE__BODY_ROUTE_STATE:
		reason = got_route_state(message->route_state);
		break;
	default:
		reason = "a message that is not for bgpd";
	}
	gsa_message_free(message);
	return reason;
}
