// SPDX-License-Identifier: GPL-2.0-or-later
/* clear gsa member, gsa rekey, debug gsa. */
#include <zebra.h>

#include "gcks/cli.h"

#include "lib/northbound_cli.h"

#include "gcks/gcksd.h"

#include "gcks/cli_exec_clippy.c"

struct gcks_debug gcks_debug;

/* ---- clear ---- */

static int clear_member(struct vty *vty, const char *group, struct cmd_token **argv, int argc,
			int first)
{
	char *identity = gcks_cli_identity(vty, "clear gsa member", argv, argc, first, true);
	struct lyd_node *output = NULL;
	int result;

	if (!identity)
		return CMD_WARNING;
	nb_cli_rpc_enqueue(vty, "identity", identity);
	if (group)
		nb_cli_rpc_enqueue(vty, "group", group);
	result = nb_cli_rpc(vty, "/frr-gsa:clear-member", &output);
	if (result == CMD_SUCCESS && output) {
		uint32_t ended = yang_dnode_get_uint32(output, "ended-registrations");

		vty_out(vty, "%u registration%s of %s ended\n", ended, ended == 1 ? "" : "s",
			identity);
		lyd_free_all(output);
	}
	XFREE(MTYPE_TMP, identity);
	return result;
}

DEFPY (clear_gsa_member,
       clear_gsa_member_cmd,
       "clear gsa member LINE...",
       CLEAR_STR
       GSA_STR
       "End registrations of a member with this key server\n"
       "Identity of the member\n")
{
	return clear_member(vty, NULL, argv, argc, 3);
}

DEFPY (clear_gsa_group_member,
       clear_gsa_group_member_cmd,
       "clear gsa group WORD$gsa_group member LINE...",
       CLEAR_STR
       GSA_STR
       "Only in one group\n"
       "Name of the group\n"
       "End the registration of a member with this key server\n"
       "Identity of the member\n")
{
	if (!gcks_cli_check_name(vty, "clear gsa group", gsa_group, GCKS_NAME_LENGTH_MAX))
		return CMD_WARNING;
	return clear_member(vty, gsa_group, argv, argc, 5);
}

/* ---- rekey ---- */

DEFPY (gsa_rekey_group,
       gsa_rekey_group_cmd,
       "gsa rekey group WORD$gsa_group",
       GSA_STR
       "Give members a new SA now\n"
       "All members of a group\n"
       "Name of the group\n")
{
	if (!gcks_cli_check_name(vty, "gsa rekey group", gsa_group, GCKS_NAME_LENGTH_MAX))
		return CMD_WARNING;
	nb_cli_rpc_enqueue(vty, "group", gsa_group);
	return nb_cli_rpc(vty, "/frr-gsa:rekey-group", NULL);
}

/* ---- debug ---- */

static struct {
	const char *name, *description;
	bool *on;
	bool configured; /* in the configuration node, so it is written */
} debugs[] = {
	{ "server", "GSA key server", &gcks_debug.server },
	{ "member", "GSA member", &gcks_debug.member },
	{ "messages", "GSA messages", &gcks_debug.messages },
};

DEFPY (debug_gsa,
       debug_gsa_cmd,
       "[no] debug gsa <server|member|messages>$what",
       NO_STR
       DEBUG_STR
       GSA_STR
       "Requests of members, registrations and SAs of the key server\n"
       "Registration, routes and kernel state of a member\n"
       "Messages on the socket to charon and bgpd, without keys\n")
{
	for (size_t i = 0; i < array_size(debugs); i++) {
		if (!strmatch(debugs[i].name, what))
			continue;
		*debugs[i].on = !no;
		if (vty->node == CONFIG_NODE)
			debugs[i].configured = !no;
	}
	return CMD_SUCCESS;
}

DEFUN_NOSH (show_debugging_gsa,
	    show_debugging_gsa_cmd,
	    "show debugging [gsa]",
	    SHOW_STR
	    DEBUG_STR
	    GSA_STR)
{
	vty_out(vty, "gcksd debugging status:\n");
	for (size_t i = 0; i < array_size(debugs); i++)
		if (*debugs[i].on)
			vty_out(vty, "  %s debugging is on\n", debugs[i].description);
	cmd_show_lib_debugs(vty);
	return CMD_SUCCESS;
}

static int write_debug(struct vty *vty)
{
	int written = 0;

	for (size_t i = 0; i < array_size(debugs); i++) {
		if (!debugs[i].configured)
			continue;
		vty_out(vty, "debug gsa %s\n", debugs[i].name);
		written++;
	}
	return written;
}

static struct cmd_node debug_node = {
	.name = "gsa debug",
	.node = GSA_DEBUG_NODE,
	.prompt = "",
	.config_write = write_debug,
};

void gcks_cli_exec_init(void)
{
	install_node(&debug_node);
	install_element(ENABLE_NODE, &debug_gsa_cmd);
	install_element(CONFIG_NODE, &debug_gsa_cmd);
	install_element(ENABLE_NODE, &show_debugging_gsa_cmd);
	install_element(ENABLE_NODE, &clear_gsa_member_cmd);
	install_element(ENABLE_NODE, &clear_gsa_group_member_cmd);
	install_element(ENABLE_NODE, &gsa_rekey_group_cmd);
}
