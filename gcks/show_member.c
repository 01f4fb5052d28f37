// SPDX-License-Identifier: GPL-2.0-or-later
/* show gsa member [NAME] [detail] [json]: groups that this router belongs to, or tries to */
#include <zebra.h>

#include "gcks/client.h"
#include "gcks/mtu.h"
#include "gcks/show.h"

#include "gcks/show_member_clippy.c"

/* What an operator should know about the state, NULL: nothing. */
static const char *reason(const struct gcks_membership *membership)
{
	if (!membership->connection_count)
		return "no key-server connection is configured";
	if (!membership->gateway.length)
		return "no local-gateway is configured";
	if (membership->text && membership->text[0])
		return membership->text;
	if (gcks_local_status(GSA__ROLE__ROLE_CHARON)->state == GCKS_CLIENT_AWAY)
		return "charon is not connected";
	return NULL;
}

static const char *export_name(const struct gcks_membership *membership)
{
	switch (membership->export_mode) {
	case GSA__EXPORT_MODE__EXPORT_CONNECTED:
		return "connected";
	case GSA__EXPORT_MODE__EXPORT_PREFIX_LIST:
		return "prefix-list";
	default:
		return "none";
	}
}

static size_t ready_count(const struct gcks_membership *membership)
{
	size_t count = 0;

	for (size_t i = 0; i < membership->route_count; i++)
		if (membership->routes[i].ready)
			count++;
	return count;
}

static const char *cipher_name(const struct gcks_member_sa *sa)
{
	return gcks_transforms_name(sa->encryption, sa->encryption_key_bits, sa->integrity);
}

static const char *sharing_name(const struct gcks_member_sa *sa)
{
	return gcks_sharing_name(sa->pairwise ? GCKS_SHARING_PAIRWISE : GCKS_SHARING_GROUP);
}

/* ---- JSON ---- */

static void add_routes(struct json_object *json, const struct gcks_membership *membership)
{
	struct json_object *list, *entry;
	char text[INET6_ADDRSTRLEN + 4];

	if (!membership->route_count)
		return;
	list = json_object_new_array();
	for (size_t i = 0; i < membership->route_count; i++) {
		const struct gcks_member_route *route = &membership->routes[i];

		entry = json_object_new_object();
		json_object_string_add(entry, "prefix",
				       gcks_prefix_text(&route->prefix, text, sizeof(text)));
		gcks_json_address(entry, "gateway", &route->gateway);
		if (route->has_sender_id)
			json_object_int_add(entry, "sender-id", route->sender_id);
		json_object_boolean_add(entry, "ready", route->ready);
		gcks_json_number(entry, "mtu", gcks_route_mtu(membership, route));
		json_object_array_add(list, entry);
	}
	json_object_object_add(json, "route", list);
}

static void add_connections(struct json_object *json, const struct gcks_membership *membership)
{
	struct json_object *list;

	gcks_json_text(json, "connection-in-use", membership->connection_in_use);
	if (!membership->connection_count)
		return;
	list = json_object_new_array();
	for (size_t i = 0; i < membership->connection_count; i++)
		json_array_string_add(list, membership->connections[i]);
	json_object_object_add(json, "connection", list);
}

/* The one in use, then all of them, oldest first. */
static void add_sas(struct json_object *json, const struct gcks_membership *membership)
{
	const struct gcks_member_sa *active = gcks_membership_active(membership);
	struct json_object *list, *entry;
	int64_t now = gcks_now_ms();

	if (active) {
		gcks_json_spi(json, "spi", active->spi);
		json_object_string_add(json, "cipher", cipher_name(active));
		json_object_string_add(json, "replay-protection",
				       gcks_replay_protection_name(active));
	}
	if (!membership->sas)
		return;
	list = json_object_new_array();
	for (const struct gcks_member_sa *sa = membership->sas; sa; sa = sa->next) {
		entry = json_object_new_object();
		gcks_json_spi(entry, "spi", sa->spi);
		json_object_string_add(entry, "phase", gcks_sa_phase_name(sa->phase));
		json_object_int_add(entry, "age", (now - sa->received_at) / 1000);
		gcks_json_number(entry, "lifetime-left", gcks_member_sa_lifetime_s(sa, now));
		json_object_string_add(entry, "cipher", cipher_name(sa));
		json_object_string_add(entry, "sharing", sharing_name(sa));
		json_object_string_add(entry, "replay-protection",
				       gcks_replay_protection_name(sa));
		json_object_array_add(list, entry);
	}
	json_object_object_add(json, "sa", list);
}

static struct json_object *member_json(const struct gcks_membership *membership)
{
	struct json_object *json = json_object_new_object();

	json_object_string_add(json, "group", membership->name);
	gcks_json_number(json, "identifier", gcks_membership_identifier(membership));
	add_connections(json, membership);
	json_object_string_add(json, "mode", gcks_mode_name(membership->mode));
	json_object_string_add(json, "initial-exchange",
			       gcks_initial_exchange_name(membership->gsa_auth));
	gcks_json_address(json, "local-gateway", &membership->gateway);
	gcks_json_prefixes(json, "protect", membership->protect, membership->protect_count);
	json_object_string_add(json, "export", export_name(membership));
	if (membership->export_mode == GSA__EXPORT_MODE__EXPORT_PREFIX_LIST)
		gcks_json_text(json, "prefix-list", membership->export_prefix_list);
	json_object_string_add(json, "state", gcks_membership_status_name(membership));
	if (membership->notify) {
		json_object_int_add(json, "notify", membership->notify);
		gcks_json_text(json, "notify-name", gcks_notify_name(membership->notify));
	}
	gcks_json_text(json, "reason", reason(membership));
	gcks_json_address(json, "key-server", &membership->key_server);
	gcks_json_time(json, "registered-at", membership->registered_at);
	if (membership->has_sender_id)
		json_object_int_add(json, "sender-id", membership->sender_id);
	add_sas(json, membership);
	gcks_json_text(json, "conflict", gcks_membership_conflict(membership));
	gcks_json_number(json, "lost-states", membership->losses.count);
	gcks_json_text(json, "lost-states-reason", membership->losses.text);
	gcks_json_number(json, "lost-states-wait",
			 gcks_backoff_wait_s(&membership->losses.backoff, gcks_now_ms()));
	gcks_json_number(json, "reqid", membership->reqid);
	gcks_json_prefixes(json, "exported-prefix", membership->exports, membership->export_count);
	add_routes(json, membership);
	json_object_int_add(json, "kernel-states",
			    gcks_kernel_ids_of(&gcksd.installed, membership->name, GCKS_KERNEL_SA));
	json_object_int_add(
		json, "kernel-policies",
		gcks_kernel_ids_of(&gcksd.installed, membership->name, GCKS_KERNEL_POLICY));
	return json;
}

/* ---- text ---- */

static void member_row(struct ttable *table, const struct gcks_membership *membership)
{
	const struct gcks_member_sa *active = gcks_membership_active(membership);

	ttable_add_row(table, "%s|%s|%s|%s|%s|%s|%zu/%zu|%s|%s", gcks_cell(membership->name),
		       gcks_cell_number(gcks_membership_identifier(membership)),
		       gcks_cell_address(&membership->gateway),
		       gcks_cell_address(&membership->key_server), gcks_membership_status_name(membership),
		       gcks_cell_spi(active ? active->spi : 0),
		       ready_count(membership), membership->route_count,
		       gcks_cell_since(membership->registered_at), gcks_cell(reason(membership)));
}

static void show_prefixes(struct vty *vty, const char *title, const struct gcks_prefix *prefixes,
			  size_t count)
{
	char text[INET6_ADDRSTRLEN + 4];

	for (size_t i = 0; i < count; i++)
		vty_out(vty, "  %-22s %s\n", i ? "" : title,
			gcks_prefix_text(&prefixes[i], text, sizeof(text)));
}

static void member_sas(struct vty *vty, const struct gcks_membership *membership)
{
	int64_t now = gcks_now_ms();

	if (membership->has_sender_id)
		vty_out(vty, "  %-22s %u\n", "Sender-ID", membership->sender_id);
	if (!membership->sas)
		vty_out(vty, "  %-22s none\n", "SA");
	for (const struct gcks_member_sa *sa = membership->sas; sa; sa = sa->next) {
		vty_out(vty, "  %-22s SPI 0x%08x, %s, %s, sharing %s, received %" PRId64 " s ago",
			sa == membership->sas ? "SA, oldest first" : "", sa->spi,
			gcks_sa_phase_name(sa->phase), cipher_name(sa), sharing_name(sa),
			(now - sa->received_at) / 1000);
		if (sa->expires_at)
			vty_out(vty, ", %u s left", gcks_member_sa_lifetime_s(sa, now));
		vty_out(vty, "\n  %-22s replay protection: %s\n", "",
			gcks_replay_protection_name(sa));
	}
}

static void show_connections(struct vty *vty, const struct gcks_membership *membership)
{
	vty_out(vty, "  %-22s %s, connection%s", "Key server",
		gcks_cell_address(&membership->key_server), membership->connection_count ? "" : " -");
	for (size_t i = 0; i < membership->connection_count; i++)
		vty_out(vty, "%s %s", i ? "," : "", membership->connections[i]);
	if (membership->connection_in_use)
		vty_out(vty, ", in use: %s", membership->connection_in_use);
	vty_out(vty, ", opened with %s\n", gcks_initial_exchange_name(membership->gsa_auth));
}

static void member_route(struct vty *vty, const struct gcks_membership *membership,
			 const struct gcks_member_route *route, const char *title)
{
	uint32_t mtu = gcks_route_mtu(membership, route);
	char text[INET6_ADDRSTRLEN + 4];

	vty_out(vty, "  %-22s %s behind %s, %s", title,
		gcks_prefix_text(&route->prefix, text, sizeof(text)),
		gcks_cell_address(&route->gateway),
		!route->ready ? "not protected yet, held"
		: membership->mode == GCKS_MODE_RECEIVE_ONLY
			? "in use, sent in clear"
			: "protected, in use");
	if (route->has_sender_id)
		vty_out(vty, ", Sender-ID %u", route->sender_id);
	if (mtu)
		vty_out(vty, ", MTU %u", mtu);
	vty_out(vty, "\n");
}

static void member_losses(struct vty *vty, const struct gcks_losses *losses)
{
	uint32_t wait = gcks_backoff_wait_s(&losses->backoff, gcks_now_ms());

	if (!losses->count)
		return;
	vty_out(vty, "  %-22s %u ended by others, the last one: %s", "Lost states", losses->count,
		gcks_cell(losses->text));
	if (wait)
		vty_out(vty, "; made up for in %u s", wait);
	vty_out(vty, "\n");
}

static void member_detail(struct vty *vty, const struct gcks_membership *membership)
{
	const char *notify = gcks_notify_name(membership->notify), *why = reason(membership);
	uint32_t identifier = gcks_membership_identifier(membership);

	vty_out(vty, "Member of group %s", membership->name);
	if (identifier)
		vty_out(vty, ", identifier %u", identifier);
	vty_out(vty, "\n  %-22s %s", "State", gcks_membership_status_name(membership));
	if (membership->notify)
		vty_out(vty, ", notify %u%s%s", membership->notify, notify ? " " : "",
			notify ? notify : "");
	vty_out(vty, "\n");
	if (why)
		vty_out(vty, "  %-22s %s\n", "Reason", why);
	if (membership->registered_at)
		vty_out(vty, "  %-22s %s ago\n", "Registered",
			gcks_cell_since(membership->registered_at));
	show_connections(vty, membership);
	vty_out(vty, "  %-22s %s\n", "Mode", gcks_mode_name(membership->mode));
	vty_out(vty, "  %-22s %s\n", "Local gateway", gcks_cell_address(&membership->gateway));
	show_prefixes(vty, "Protected", membership->protect, membership->protect_count);
	vty_out(vty, "  %-22s %s%s%s\n", "Export", export_name(membership),
		membership->export_mode == GSA__EXPORT_MODE__EXPORT_PREFIX_LIST ? " " : "",
		membership->export_mode == GSA__EXPORT_MODE__EXPORT_PREFIX_LIST &&
				membership->export_prefix_list
			? membership->export_prefix_list
			: "");
	show_prefixes(vty, "Exported", membership->exports, membership->export_count);
	member_sas(vty, membership);
	if (gcks_membership_conflict(membership))
		vty_out(vty, "  %-22s an SPI is in use here: %s\n", "Conflict",
			gcks_cell(gcks_membership_conflict(membership)));
	vty_out(vty, "  %-22s %u states, %u policies, reqid %u\n", "In the kernel",
		gcks_kernel_ids_of(&gcksd.installed, membership->name, GCKS_KERNEL_SA),
		gcks_kernel_ids_of(&gcksd.installed, membership->name, GCKS_KERNEL_POLICY),
		membership->reqid);
	member_losses(vty, &membership->losses);
	for (size_t i = 0; i < membership->route_count; i++)
		member_route(vty, membership, &membership->routes[i], i ? "" : "Routes");
}

DEFPY (show_gsa_member,
       show_gsa_member_cmd,
       "show gsa member [WORD$gsa_member] [detail$detail] [json$json]",
       SHOW_GSA_STR
       "Groups that this router belongs to\n"
       "Name of a group\n"
       "All that is known of each, as with a name\n"
       JSON_STR)
{
	struct gcks_membership *membership;
	struct ttable *table;

	membership = gsa_member ? gcks_membership_find(&gcksd.members, gsa_member)
				: gcksd.members.memberships;
	if (gsa_member && !membership)
		return gcks_show_unknown(vty, "member", gsa_member, json);
	if (json) {
		struct json_object *list = json_object_new_array();

		for (; membership; membership = gsa_member ? NULL : membership->next)
			json_object_array_add(list, member_json(membership));
		return gcks_json_list(vty, "member", list);
	}
	if (!membership) {
		vty_out(vty, "No membership is configured.\n");
		return CMD_SUCCESS;
	}
	if (gsa_member || detail) {
		for (; membership; membership = gsa_member ? NULL : membership->next)
			member_detail(vty, membership);
		return CMD_SUCCESS;
	}
	table = gcks_table_new();
	ttable_add_row(table, "Group|Identifier|Gateway|Key server|State|SPI|Ready|Since|Reason");
	for (; membership; membership = membership->next)
		member_row(table, membership);
	gcks_table_print(vty, table);
	return CMD_SUCCESS;
}

void gcks_show_member_init(void)
{
	install_element(VIEW_NODE, &show_gsa_member_cmd);
}
