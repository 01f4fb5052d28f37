// SPDX-License-Identifier: GPL-2.0-or-later
/* show gsa group [NAME] [detail] [json]: groups that this key server serves */
#include <zebra.h>

#include "gcks/server.h"
#include "gcks/show.h"

#include "gcks/show_group_clippy.c"

static const struct gcks_sa_group *sas_of(const struct gcks_group *group)
{
	return group->identifier ? gcks_sa_group_find(&gcksd.sas, group->identifier) : NULL;
}

static size_t member_count(const struct gcks_group *group)
{
	return group->identifier ? gcks_registration_count(&gcksd.registrations, group->identifier)
				 : 0;
}

static const struct gcks_sa *current_sa(const struct gcks_group *group)
{
	return group->identifier ? gcks_sa_current(&gcksd.sas, group->identifier) : NULL;
}

static void add_patterns(struct json_object *json, const char *key,
			 const struct gcks_pattern *pattern)
{
	struct json_object *list;

	if (!pattern)
		return;
	list = json_object_new_array();
	for (; pattern; pattern = pattern->next)
		json_array_string_add(list, pattern->text);
	json_object_object_add(json, key, list);
}

static void rekey_json(struct json_object *json, const struct gcks_sa_group *sas)
{
	struct gcks_rekey_status status = gcks_rekey_status(&gcks_server_tables, sas);
	char reasons[96];

	json_object_string_add(json, "rekey-state", gcks_rekey_phase_name(status.phase));
	if (status.reasons)
		json_object_string_add(
			json, "rekey-reason",
			gcks_rekey_reasons(status.reasons, reasons, sizeof(reasons)));
	json_object_int_add(json, "rekey-acknowledged", status.acknowledged);
	json_object_int_add(json, "rekey-members", status.members);
	if (gcks_sa_pairwise(sas->newest))
		json_object_int_add(json, "sender-ids-given", sas->sender_id_next);
}

static struct json_object *group_json(const struct gcks_group *group)
{
	struct json_object *json = json_object_new_object();
	const struct gcks_sa *sa = current_sa(group);

	json_object_string_add(json, "name", group->name);
	gcks_json_number(json, "identifier", group->identifier);
	gcks_json_text(json, "credential", gcks_credential_name(group->credential));
	gcks_json_text(json, "ca", group->ca);
	add_patterns(json, "permit-identity", group->permit);
	add_patterns(json, "deny-identity", group->deny);
	gcks_json_text(json, "sharing", gcks_sharing_name(group->sharing));
	gcks_json_text(json, "cipher", gcks_cipher_name(group->cipher));
	json_object_int_add(json, "lifetime-data", group->lifetime_data_s);
	json_object_int_add(json, "activation-delay", group->activation_delay_s);
	json_object_int_add(json, "deactivation-delay", group->deactivation_delay_s);
	if (group->sharing == GCKS_SHARING_PAIRWISE)
		json_object_int_add(json, "sender-id-bits", group->sender_id_bits);
	json_object_boolean_add(json, "rekey-on-join", group->rekey_on_join);
	json_object_boolean_add(json, "rekey-on-leave", group->rekey_on_leave);
	json_object_int_add(json, "rekey-in-flight", group->rekey_in_flight);
	json_object_int_add(json, "rekey-missed-maximum", group->rekey_missed_maximum);
	gcks_json_number(json, "maximum-members", group->maximum_members);
	json_object_int_add(json, "registration-hold-time", group->registration_hold_time_s);
	json_object_int_add(json, "registered-members", member_count(group));
	json_object_int_add(json, "stale-members",
			    gcks_registration_stale_count(&gcksd.registrations, group->identifier));
	if (sa) {
		gcks_json_spi(json, "spi", sa->spi);
		json_object_int_add(json, "generation", sa->generation);
		gcks_json_time(json, "sa-created-at", sa->created_at);
		gcks_json_number(json, "lifetime-left", gcks_sa_lifetime_left_s(sa, gcks_now_ms()));
		rekey_json(json, sas_of(group));
	}
	return json;
}

static void group_row(struct ttable *table, const struct gcks_group *group)
{
	const struct gcks_sa *sa = current_sa(group);
	const char *credential = gcks_credential_name(group->credential);

	ttable_add_row(table, "%s|%s|%s|%zu|%zu|%s|%s|%s|%s|%s", gcks_cell(group->name),
		       gcks_cell_number(group->identifier), credential ? credential : "any",
		       member_count(group),
		       gcks_registration_stale_count(&gcksd.registrations, group->identifier),
		       gcks_sharing_name(group->sharing), gcks_cipher_name(group->cipher),
		       gcks_cell_spi(sa ? sa->spi : 0), gcks_cell_number(sa ? sa->generation : 0),
		       sa ? gcks_rekey_phase_name(gcks_rekey_phase(sas_of(group))) : "-");
}

static void show_patterns(struct vty *vty, const char *title, const struct gcks_pattern *pattern)
{
	if (!pattern)
		vty_out(vty, "  %-22s nobody\n", title);
	for (; pattern; pattern = pattern->next, title = "")
		vty_out(vty, "  %-22s %s\n", title, pattern->text);
}

static void rekey_policy(struct vty *vty, const struct gcks_group *group)
{
	vty_out(vty, "  %-22s %u s; in use %u s after delivery, the old one ends %u s later\n",
		"Lifetime of an SA", group->lifetime_data_s, group->activation_delay_s,
		group->deactivation_delay_s);
	vty_out(vty, "  %-22s at the end of its lifetime%s%s; %u members at once, ", "Rekey",
		group->rekey_on_join ? ", on join" : "", group->rekey_on_leave ? ", on leave" : "",
		group->rekey_in_flight);
	if (group->rekey_missed_maximum)
		vty_out(vty, "%u missed in a row end a registration\n",
			group->rekey_missed_maximum);
	else
		vty_out(vty, "any number may be missed\n");
	if (group->sharing == GCKS_SHARING_PAIRWISE)
		vty_out(vty, "  %-22s %u bits\n", "Sender-IDs", group->sender_id_bits);
}

static void rekey_detail(struct vty *vty, const struct gcks_sa_group *sas)
{
	struct gcks_rekey_status status = gcks_rekey_status(&gcks_server_tables, sas);
	const struct gcks_sa *sa = sas->newest;
	int64_t now = gcks_now_ms();
	char reasons[96];

	vty_out(vty, "  %-22s SPI 0x%08x, generation %u, made %s ago", "Current SA", sa->spi,
		sa->generation, gcks_cell_since(sa->created_at));
	if (sa->lifetime_s)
		vty_out(vty, ", ends in %u s", gcks_sa_lifetime_left_s(sa, now));
	if (now < sa->activates_at)
		vty_out(vty, ", in use in %u s", gcks_sa_activation_left_s(sa, now));
	vty_out(vty, "\n  %-22s %s", "Rekey state", gcks_rekey_phase_name(status.phase));
	if (status.reasons)
		vty_out(vty, " (%s)", gcks_rekey_reasons(status.reasons, reasons, sizeof(reasons)));
	vty_out(vty, ", %zu of %zu members have acknowledged\n", status.acknowledged,
		status.members);
	if (gcks_sa_pairwise(sa))
		vty_out(vty, "  %-22s %u of %u\n", "Sender-IDs given", sas->sender_id_next,
			1u << sa->sender_id_bits);
}

static void group_detail(struct vty *vty, const struct gcks_group *group)
{
	const char *credential = gcks_credential_name(group->credential);
	const struct gcks_sa *sa = current_sa(group);

	if (group->identifier)
		vty_out(vty, "Group %s, identifier %u\n", group->name, group->identifier);
	else
		vty_out(vty, "Group %s, not served: it has no identifier\n", group->name);
	vty_out(vty, "  %-22s %s\n", "Credential", credential ? credential : "any");
	if (group->ca)
		vty_out(vty, "  %-22s %s\n", "Issued by", group->ca);
	show_patterns(vty, "Permitted", group->permit);
	show_patterns(vty, "Denied", group->deny);
	vty_out(vty, "  %-22s %zu, stale %zu (kept for %u s)", "Registered members",
		member_count(group),
		gcks_registration_stale_count(&gcksd.registrations, group->identifier),
		group->registration_hold_time_s);
	if (group->maximum_members)
		vty_out(vty, "; at most %u", group->maximum_members);
	vty_out(vty, "\n  %-22s %s, sharing %s\n", "SA policy", gcks_cipher_name(group->cipher),
		gcks_sharing_name(group->sharing));
	rekey_policy(vty, group);
	if (sa)
		rekey_detail(vty, sas_of(group));
	else
		vty_out(vty, "  %-22s none\n", "Current SA");
}

DEFPY (show_gsa_group,
       show_gsa_group_cmd,
       "show gsa group [WORD$gsa_group] [detail$detail] [json$json]",
       SHOW_GSA_STR
       "Groups that this key server serves\n"
       "Name of a group\n"
       "All that is known of each, as with a name\n"
       JSON_STR)
{
	struct gcks_group *group;
	struct ttable *table;

	group = gsa_group ? gcks_policy_find(&gcksd.policy, gsa_group) : gcksd.policy.groups;
	if (gsa_group && !group)
		return gcks_show_unknown(vty, "group", gsa_group, json);
	if (json) {
		struct json_object *list = json_object_new_array();

		for (; group; group = gsa_group ? NULL : group->next)
			json_object_array_add(list, group_json(group));
		return gcks_json_list(vty, "group", list);
	}
	if (!group) {
		vty_out(vty, "No group is configured.\n");
		return CMD_SUCCESS;
	}
	if (gsa_group || detail) {
		for (; group; group = gsa_group ? NULL : group->next)
			group_detail(vty, group);
		return CMD_SUCCESS;
	}
	table = gcks_table_new();
	ttable_add_row(
		table,
		"Group|Identifier|Credential|Members|Stale|Sharing|Cipher|SPI|Generation|Rekey");
	for (; group; group = group->next)
		group_row(table, group);
	gcks_table_print(vty, table);
	return CMD_SUCCESS;
}

void gcks_show_group_init(void)
{
	install_element(VIEW_NODE, &show_gsa_group_cmd);
}
