// SPDX-License-Identifier: GPL-2.0-or-later
/* show gsa registrations [group NAME] [json] | show gsa sa [json] */
#include <zebra.h>

#include "gcks/client.h"
#include "gcks/show.h"

#include "lib/monotime.h"

#include "gcks/show_registration_clippy.c"

/* ---- show gsa registrations ---- */

static int64_t stale_remaining(const struct gcks_registration *entry)
{
	return MAX(entry->stale_until - (int64_t)monotime(NULL), 0);
}

static void add_sender_ids(struct json_object *json, const struct gcks_registration *entry)
{
	struct json_object *list;

	if (!entry->sender_id_count)
		return;
	list = json_object_new_array();
	for (size_t i = 0; i < entry->sender_id_count; i++)
		json_object_array_add(list, json_object_new_int64(entry->sender_ids[i]));
	json_object_object_add(json, "sender-id", list);
}

static struct json_object *registration_json(const struct gcks_registration *entry)
{
	struct json_object *json = json_object_new_object();

	json_object_string_add(json, "group", gcks_group_label(entry->group));
	json_object_int_add(json, "identifier", entry->group);
	json_object_string_add(json, "identity", entry->identity);
	gcks_json_address(json, "address", &entry->address);
	gcks_json_text(json, "credential", gcks_credential_name(entry->credential));
	gcks_json_number(json, "ike-sa", entry->ike_sa);
	gcks_json_time(json, "registered-at", entry->registered_at);
	if (entry->stale) {
		json_object_boolean_add(json, "stale", true);
		json_object_int_add(json, "stale-remaining", stale_remaining(entry));
	}
	gcks_json_number(json, "generation", entry->delivered);
	json_object_string_add(json, "delivery", gcks_delivery_name(entry->delivery));
	json_object_int_add(json, "missed", entry->missed);
	add_sender_ids(json, entry);
	return json;
}

static void registration_row(struct ttable *table, const struct gcks_registration *entry)
{
	char state[48] = "registered", delivery[48];

	if (entry->stale)
		snprintf(state, sizeof(state), "stale, %" PRId64 " s left", stale_remaining(entry));
	if (entry->missed)
		snprintf(delivery, sizeof(delivery), "%s, %u missed",
			 gcks_delivery_name(entry->delivery), entry->missed);
	else
		snprintf(delivery, sizeof(delivery), "%s", gcks_delivery_name(entry->delivery));
	ttable_add_row(table, "%s|%s|%s|%s|%s|%s|%s|%s|%s",
		       gcks_cell(gcks_group_label(entry->group)), gcks_cell(entry->identity),
		       gcks_cell_address(&entry->address),
		       gcks_cell(gcks_credential_name(entry->credential)),
		       gcks_cell_number(entry->ike_sa), gcks_cell_since(entry->registered_at),
		       state, gcks_cell_number(entry->delivered), delivery);
}

DEFPY (show_gsa_registrations,
       show_gsa_registrations_cmd,
       "show gsa registrations [group WORD$gsa_group] [json$json]",
       SHOW_GSA_STR
       "Members registered with this key server\n"
       "Of one group\n"
       "Name of the group\n"
       JSON_STR)
{
	const struct gcks_registration *entry;
	const struct gcks_group *group = NULL;
	struct json_object *list = NULL;
	struct ttable *table = NULL;
	size_t count = 0;

	if (gsa_group) {
		group = gcks_policy_find(&gcksd.policy, gsa_group);
		if (!group)
			return gcks_show_unknown(vty, "group", gsa_group, json);
	}
	if (json) {
		list = json_object_new_array();
	} else {
		table = gcks_table_new();
		ttable_add_row(
			table,
			"Group|Identity|Address|Credential|IKE_SA|Since|State|Generation|Rekey");
	}
	for (entry = gcksd.registrations.head; entry; entry = entry->next) {
		if (group && entry->group != group->identifier)
			continue;
		count++;
		if (json)
			json_object_array_add(list, registration_json(entry));
		else
			registration_row(table, entry);
	}
	if (json)
		return gcks_json_list(vty, "registration", list);
	if (count) {
		gcks_table_print(vty, table);
	} else {
		ttable_del(table);
		vty_out(vty, "Nobody is registered.\n");
	}
	return CMD_SUCCESS;
}

/* ---- show gsa sa ---- */

/* One Data-Security SA, of either role. */
struct sa_view {
	const char *group, *role, *cipher, *sharing;
	uint32_t spi, generation, lifetime_s; /* the last two may be 0: not known, not limited */
	time_t created_at;		      /* 0: not known */
};

static struct sa_view server_view(const struct gcks_sa *sa)
{
	return (struct sa_view){
		.group = gcks_group_label(sa->group),
		.role = "key-server",
		.cipher = gcks_transforms_name(sa->encryption, sa->encryption_key_bits,
					       sa->integrity),
		.sharing = gcks_sharing_name(gcks_sa_pairwise(sa) ? GCKS_SHARING_PAIRWISE
								  : GCKS_SHARING_GROUP),
		.spi = sa->spi,
		.generation = sa->generation,
		.created_at = sa->created_at,
		.lifetime_s = gcks_sa_lifetime_left_s(sa, gcks_now_ms()),
	};
}

static struct sa_view member_view(const struct gcks_membership *membership,
				  const struct gcks_member_sa *sa)
{
	return (struct sa_view){
		.group = membership->name,
		.role = "member",
		.cipher = gcks_transforms_name(sa->encryption, sa->encryption_key_bits,
					       sa->integrity),
		.sharing = gcks_sharing_name(sa->pairwise ? GCKS_SHARING_PAIRWISE
							  : GCKS_SHARING_GROUP),
		.spi = sa->spi,
		.lifetime_s = gcks_member_sa_lifetime_s(sa, gcks_now_ms()),
	};
}

static void sa_show(struct json_object *list, struct ttable *table, struct sa_view view)
{
	struct json_object *json;

	if (table) {
		ttable_add_row(table, "%s|%s|%s|%s|%s|%s|%s|%s", gcks_cell(view.group), view.role,
			       gcks_cell_spi(view.spi), view.cipher, view.sharing,
			       gcks_cell_number(view.generation), gcks_cell_since(view.created_at),
			       gcks_cell_number(view.lifetime_s));
		return;
	}
	json = json_object_new_object();
	json_object_string_add(json, "group", view.group);
	json_object_string_add(json, "role", view.role);
	gcks_json_spi(json, "spi", view.spi);
	json_object_string_add(json, "cipher", view.cipher);
	json_object_string_add(json, "sharing", view.sharing);
	gcks_json_number(json, "generation", view.generation);
	gcks_json_time(json, "created-at", view.created_at);
	gcks_json_number(json, "lifetime", view.lifetime_s);
	json_object_array_add(list, json);
}

DEFPY (show_gsa_sa,
       show_gsa_sa_cmd,
       "show gsa sa [json$json]",
       SHOW_GSA_STR
       "Data-Security SAs of groups served and joined\n"
       JSON_STR)
{
	const struct gcks_membership *membership;
	const struct gcks_sa *sa;
	struct json_object *list = NULL;
	struct ttable *table = NULL;
	size_t count = 0;

	if (json) {
		list = json_object_new_array();
	} else {
		table = gcks_table_new();
		ttable_add_row(table, "Group|Role|SPI|Cipher|Sharing|Generation|Age|Lifetime (s)");
	}
	for (sa = gcksd.sas.head; sa; sa = sa->next, count++)
		sa_show(list, table, server_view(sa));
	for (membership = gcksd.members.memberships; membership; membership = membership->next)
		for (const struct gcks_member_sa *held = membership->sas; held;
		     held = held->next, count++)
			sa_show(list, table, member_view(membership, held));
	if (json)
		return gcks_json_list(vty, "sa", list);
	if (count) {
		gcks_table_print(vty, table);
	} else {
		ttable_del(table);
		vty_out(vty, "There is no SA.\n");
	}
	return CMD_SUCCESS;
}

void gcks_show_registration_init(void)
{
	install_element(VIEW_NODE, &show_gsa_registrations_cmd);
	install_element(VIEW_NODE, &show_gsa_sa_cmd);
}
