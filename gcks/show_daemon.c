// SPDX-License-Identifier: GPL-2.0-or-later
/* show gsa daemons [json]: the local clients, charon and bgpd */
#include <zebra.h>

#include "gcks/show.h"

#include "lib/monotime.h"

#include "gcks/show_daemon_clippy.c"

static const struct {
	Gsa__Role role;
	const char *name;
} daemons[] = {
	{ GSA__ROLE__ROLE_CHARON, "charon" },
	{ GSA__ROLE__ROLE_BGPD, "bgpd" },
};

static const char *state_name(enum gcks_client_state state)
{
	switch (state) {
	case GCKS_CLIENT_AWAY:
		return "away";
	case GCKS_CLIENT_SYNC:
		return "synchronising";
	case GCKS_CLIENT_UP:
		return "up";
	}
	return "away";
}

static struct json_object *daemon_json(const char *name, const struct gcks_client_status *status)
{
	struct json_object *json = json_object_new_object();

	json_object_string_add(json, "name", name);
	json_object_string_add(json, "state", state_name(status->state));
	gcks_json_text(json, "software", status->software);
	if (status->since) /* it was here at least once */
		json_object_int_add(json, "since-seconds", monotime(NULL) - status->since);
	json_object_int_add(json, "received", status->received);
	json_object_int_add(json, "sent", status->sent);
	json_object_int_add(json, "dropped", status->dropped);
	return json;
}

static void daemon_row(struct ttable *table, const char *name,
		       const struct gcks_client_status *status)
{
	char since[MONOTIME_STRLEN] = "-";

	if (status->since)
		frrtime_to_interval(monotime(NULL) - status->since, since, sizeof(since));
	ttable_add_row(table, "%s|%s|%s|%s|%" PRIu64 "|%" PRIu64 "|%" PRIu64, name,
		       state_name(status->state), since, gcks_cell(status->software),
		       status->received, status->sent, status->dropped);
}

DEFPY (show_gsa_daemons,
       show_gsa_daemons_cmd,
       "show gsa daemons [json$json]",
       SHOW_GSA_STR
       "Daemons connected to gcksd\n"
       JSON_STR)
{
	struct json_object *list = json ? json_object_new_array() : NULL;
	struct ttable *table = json ? NULL : gcks_table_new();

	if (table)
		ttable_add_row(table, "Daemon|State|Since|Software|Received|Sent|Dropped");
	for (size_t i = 0; i < array_size(daemons); i++) {
		const struct gcks_client_status *status = gcks_local_status(daemons[i].role);

		if (json)
			json_object_array_add(list, daemon_json(daemons[i].name, status));
		else
			daemon_row(table, daemons[i].name, status);
	}
	if (json)
		return gcks_json_list(vty, "daemon", list);
	gcks_table_print(vty, table);
	return CMD_SUCCESS;
}

void gcks_show_daemon_init(void)
{
	install_element(VIEW_NODE, &show_gsa_daemons_cmd);
}
