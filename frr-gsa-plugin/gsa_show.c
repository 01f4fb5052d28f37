// SPDX-License-Identifier: GPL-2.0-or-later
/* show bgp gsa; JSON keys as in YANG. */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/command.h"
#include "lib/json.h"

#include "frr-gsa-plugin/gsa_show_clippy.c"

static const char *link_state_name(void)
{
	static const char *const names[] = {
		[GSA_LINK_DOWN] = "down",
		[GSA_LINK_HELLO] = "connecting",
		[GSA_LINK_SYNC] = "synchronizing",
		[GSA_LINK_UP] = "up",
	};

	return names[gsa_link_status.state];
}

void gsa_json_add_address(struct json_object *json, const char *key,
			  const struct ipaddr *address)
{
	if (!IS_IPADDR_NONE(address))
		json_object_string_addf(json, key, "%pIA", address);
}

static struct json_object *state_json(void)
{
	struct json_object *json = json_object_new_object(), *list, *entry, *gcksd;
	struct gsa_instance *instance;
	struct gsa_conflict *conflict;
	struct gsa_group *group;
	char number[16];

	list = json_object_new_array();
	frr_each (gsa_instances, gsa_instances, instance) {
		entry = json_object_new_object();
		json_object_string_add(entry, "name", instance->bgp->name_pretty);
		json_object_boolean_add(entry, "enabled", instance->enabled);
		json_object_int_add(entry, "attribute-type", instance->attribute_type);
		json_object_int_add(entry, "malformed", instance->malformed);
		json_object_int_add(entry, "refused", instance->refused);
		json_object_int_add(entry, "withheld", instance->withheld);
		json_object_array_add(list, entry);
	}
	json_object_object_add(json, "instance", list);

	gcksd = json_object_new_object();
	json_object_string_add(gcksd, "state", link_state_name());
	if (gsa_link_status.error[0])
		json_object_string_add(gcksd, "error", gsa_link_status.error);
	json_object_int_add(gcksd, "sent", gsa_link_status.sent);
	json_object_int_add(gcksd, "received", gsa_link_status.received);
	json_object_int_add(gcksd, "dropped", gsa_link_status.dropped);
	json_object_object_add(json, "gcksd", gcksd);

	list = json_object_new_array();
	frr_each (gsa_groups, gsa_groups, group) {
		entry = json_object_new_object();
		json_object_string_add(entry, "name", group->name);
		json_object_int_add(entry, "identifier", group->identifier);
		json_object_boolean_add(entry, "served", group->served);
		json_object_boolean_add(entry, "joined", group->joined);
		json_object_boolean_add(entry, "registered", group->registered);
		json_object_int_add(entry, "members", gsa_members_count(group->members));
		json_object_array_add(list, entry);
	}
	json_object_object_add(json, "group", list);

	list = json_object_new_array();
	frr_each (gsa_conflicts, gsa_conflicts, conflict) {
		struct json_object *sides = json_object_new_array();

		entry = json_object_new_object();
		json_object_string_addf(entry, "prefix", "%pFX", &conflict->prefix);
		for (int i = 0; i < 2; i++) {
			struct json_object *side = json_object_new_object();

			json_object_string_add(side, "group",
					       gsa_group_label(conflict->group[i], number,
							       sizeof(number)));
			gsa_json_add_address(side, "gateway", &conflict->gateway[i]);
			json_object_array_add(sides, side);
		}
		json_object_object_add(entry, "announced", sides);
		json_object_array_add(list, entry);
	}
	json_object_object_add(json, "conflict", list);
	json_object_int_add(json, "imported", gsa_imports_count(gsa_imports));
	json_object_int_add(json, "exported", gsa_exports_count(gsa_exports));
	return json;
}

static void state_text(struct vty *vty)
{
	struct gsa_instance *instance;
	struct gsa_conflict *conflict;
	struct gsa_group *group;
	char name[2][16];

	frr_each (gsa_instances, gsa_instances, instance)
		vty_out(vty,
			"%s: %s, attribute type %u; malformed %" PRIu64 ", refused %" PRIu64
			", withheld %" PRIu64 "\n",
			instance->bgp->name_pretty,
			instance->enabled ? "enabled" : "disabled, group routes are withheld",
			instance->attribute_type, instance->malformed, instance->refused,
			instance->withheld);
	vty_out(vty, "gcksd: %s%s%s; messages sent %" PRIu64 ", received %" PRIu64
		", dropped %" PRIu64 "\n",
		link_state_name(), gsa_link_status.error[0] ? ", " : "", gsa_link_status.error,
		gsa_link_status.sent, gsa_link_status.received, gsa_link_status.dropped);
	vty_out(vty, "prefixes: imported %zu, exported %zu\n", gsa_imports_count(gsa_imports),
		gsa_exports_count(gsa_exports));

	if (gsa_groups_count(gsa_groups))
		vty_out(vty, "\n%-20s %10s  %s\n", "Group", "Identifier", "Role");
	frr_each (gsa_groups, gsa_groups, group) {
		vty_out(vty, "%-20s %10u ", group->name, group->identifier);
		if (group->served)
			vty_out(vty, " served, %zu members", gsa_members_count(group->members));
		if (group->joined)
			vty_out(vty, " joined, %s",
				group->registered ? "registered" : "not registered");
		vty_out(vty, "\n");
	}
	if (gsa_conflicts_count(gsa_conflicts))
		vty_out(vty, "\nEqual prefixes of different groups, only one is used:\n");
	frr_each (gsa_conflicts, gsa_conflicts, conflict)
		vty_out(vty, "  %pFX: %s by %pIA, %s by %pIA\n", &conflict->prefix,
			gsa_group_label(conflict->group[0], name[0], sizeof(name[0])),
			&conflict->gateway[0],
			gsa_group_label(conflict->group[1], name[1], sizeof(name[1])),
			&conflict->gateway[1]);
}

DEFPY (show_bgp_gsa,
       show_bgp_gsa_cmd,
       "show bgp gsa [json$json]",
       GSA_SHOW_STR
       JSON_STR)
{
	if (json)
		return vty_json(vty, state_json());
	state_text(vty);
	return CMD_SUCCESS;
}

void gsa_show_init(void)
{
	install_element(VIEW_NODE, &show_bgp_gsa_cmd);
	gsa_show_routes_init();
}
