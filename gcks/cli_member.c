// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration: block `gsa member NAME`, a group that this router joins. */
#include <zebra.h>

#include "gcks/cli.h"

#include "lib/northbound_cli.h"
#include "lib/prefix.h"

#include "gcks/northbound.h"

#include "gcks/cli_member_clippy.c"

DEFPY_YANG_NOSH (gsa_member,
       gsa_member_cmd,
       "gsa member WORD$gsa_member",
       GSA_STR
       GSA_MEMBER_STR
       "Name of the group, as on its key server\n")
{
	char xpath[XPATH_MAXLEN];
	int result;

	if (!gcks_cli_check_name(vty, "gsa member", gsa_member, GCKS_NAME_LENGTH_MAX))
		return CMD_WARNING_CONFIG_FAILED;
	gcks_cli_collect(vty);
	snprintf(xpath, sizeof(xpath), "/frr-gsa:gsa/member[name='%s']", gsa_member);
	nb_cli_enqueue_change(vty, xpath, NB_OP_CREATE, NULL);
	result = nb_cli_apply_changes(vty, NULL);
	if (result == CMD_SUCCESS)
		VTY_PUSH_XPATH(GSA_MEMBER_NODE, xpath);
	return result;
}

DEFPY_YANG (no_gsa_member,
       no_gsa_member_cmd,
       "no gsa member WORD$gsa_member",
       NO_STR
       GSA_STR
       GSA_MEMBER_STR
       "Name of the group\n")
{
	return gcks_cli_remove_block(vty, "member", gsa_member);
}

/* What is said of the member in the configuration that is being edited. */
static const struct lyd_node *member_of(struct vty *vty)
{
	return yang_dnode_get(vty->candidate_config->dnode, VTY_CURR_XPATH);
}

/* How many connections there are, and whether this is one of them. */
static size_t connections(struct vty *vty, const char *connection, bool *found)
{
	const struct lyd_node *member = member_of(vty), *child;
	size_t count = 0;

	*found = false;
	LY_LIST_FOR(member ? lyd_child(member) : NULL, child)
	{
		if (!strmatch(child->schema->name, "connection"))
			continue;
		count++;
		if (strmatch(yang_dnode_get_string(child, NULL), connection))
			*found = true;
	}
	return count;
}

DEFPY_YANG (gsa_key_server,
       gsa_key_server_cmd,
       "[no] key-server connection WORD$connection",
       NO_STR
       "Key servers of the group, tried in the order of these lines\n"
       "swanctl connection that leads to one\n"
       "Name of the connection\n")
{
	char xpath[XPATH_MAXLEN];
	size_t count;
	bool found;

	if (!gcks_cli_check_name(vty, "key-server connection", connection,
				 GCKS_OBJECT_NAME_LENGTH_MAX))
		return CMD_WARNING_CONFIG_FAILED;
	count = connections(vty, connection, &found);
	if (no && !found) {
		vty_out(vty, "%% key-server connection %s is not configured\n", connection);
		return CMD_WARNING_CONFIG_FAILED;
	}
	if (!no && !found && count == GCKS_CONNECTIONS_MAX) {
		vty_out(vty, "%% key-server connection %s is one too many; allowed: %d\n",
			connection, GCKS_CONNECTIONS_MAX);
		return CMD_WARNING_CONFIG_FAILED;
	}
	snprintf(xpath, sizeof(xpath), "./connection[.='%s']", connection);
	nb_cli_enqueue_change(vty, xpath, no ? NB_OP_DESTROY : NB_OP_CREATE, NULL);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (no_gsa_key_server,
       no_gsa_key_server_cmd,
       "no key-server [connection]",
       NO_STR
       "Key servers of the group\n"
       "All swanctl connections\n")
{
	const struct lyd_node *member = member_of(vty), *child;
	char xpath[XPATH_MAXLEN];

	LY_LIST_FOR(member ? lyd_child(member) : NULL, child)
	{
		if (!strmatch(child->schema->name, "connection"))
			continue;
		snprintf(xpath, sizeof(xpath), "./connection[.='%s']",
			 yang_dnode_get_string(child, NULL));
		nb_cli_enqueue_change(vty, xpath, NB_OP_DESTROY, NULL);
	}
	return nb_cli_apply_changes(vty, NULL);
}

static bool check(struct vty *vty,
		  bool (*allowed)(const struct lyd_node *, const struct prefix *, char *, size_t),
		  const struct prefix *prefix)
{
	const struct lyd_node *member = member_of(vty);
	char error[512];

	if (!member || allowed(member, prefix, error, sizeof(error)))
		return true;
	vty_out(vty, "%% %s\n", error);
	return false;
}

DEFPY_YANG (gsa_local_gateway,
       gsa_local_gateway_cmd,
       "[no] local-gateway ![<A.B.C.D|X:X::X:X>$address]",
       NO_STR
       "Own end of the group's tunnels\n"
       "IPv4 address\n"
       "IPv6 address\n")
{
	struct prefix prefix;

	if (!no && (!str2prefix(address_str, &prefix) || !check(vty, gcks_nb_check_gateway, &prefix)))
		return CMD_WARNING_CONFIG_FAILED;
	nb_cli_enqueue_change(vty, "./local-gateway", no ? NB_OP_DESTROY : NB_OP_MODIFY,
			      no ? NULL : address_str);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_member_identifier,
       gsa_member_identifier_cmd,
       "[no] identifier ![(1-4294967295)$identifier]",
       NO_STR
       "Number of the group, if its key server does not tell it\n"
       "Identifier\n")
{
	nb_cli_enqueue_change(vty, "./identifier", no ? NB_OP_DESTROY : NB_OP_MODIFY,
			      no ? NULL : identifier_str);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_protect,
       gsa_protect_cmd,
       "[no] protect <A.B.C.D/M|X:X::X:X/M>$prefix",
       NO_STR
       "Destinations that are never sent in clear\n"
       "IPv4 prefix\n"
       "IPv6 prefix\n")
{
	struct prefix masked = *prefix;
	char text[PREFIX_STRLEN];
	char xpath[XPATH_MAXLEN];

	apply_mask(&masked);
	prefix2str(&masked, text, sizeof(text));
	if (!prefix_same(prefix, &masked)) {
		vty_out(vty, "%% protect %s has bits behind its length; meant may be %s\n",
			prefix_str, text);
		return CMD_WARNING_CONFIG_FAILED;
	}
	if (!no && !check(vty, gcks_nb_check_protect, prefix))
		return CMD_WARNING_CONFIG_FAILED;
	snprintf(xpath, sizeof(xpath), "./protect[.='%s']", text);
	nb_cli_enqueue_change(vty, xpath, no ? NB_OP_DESTROY : NB_OP_CREATE, NULL);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_export,
       gsa_export_cmd,
       "export <connected|none>$export",
       "Own networks that belong to the group\n"
       "All connected ones but that of the local gateway\n"
       "None (default)\n")
{
	nb_cli_enqueue_change(vty, "./prefix-list", NB_OP_DESTROY, NULL);
	nb_cli_enqueue_change(vty, "./export", NB_OP_MODIFY, export);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_export_prefix_list,
       gsa_export_prefix_list_cmd,
       "export prefix-list WORD$list",
       "Own networks that belong to the group\n"
       "Local routes that a prefix list of bgpd permits\n"
       "Name of the prefix list\n")
{
	if (!gcks_cli_check_name(vty, "export prefix-list", list, GCKS_OBJECT_NAME_LENGTH_MAX))
		return CMD_WARNING_CONFIG_FAILED;
	nb_cli_enqueue_change(vty, "./export", NB_OP_MODIFY, "prefix-list");
	nb_cli_enqueue_change(vty, "./prefix-list", NB_OP_MODIFY, list);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (no_gsa_export,
       no_gsa_export_cmd,
       "no export [<connected|none|prefix-list [WORD]>]",
       NO_STR
       "Own networks that belong to the group\n"
       "All connected ones but that of the local gateway\n"
       "None (default)\n"
       "Local routes that a prefix list of bgpd permits\n"
       "Name of the prefix list\n")
{
	nb_cli_enqueue_change(vty, "./prefix-list", NB_OP_DESTROY, NULL);
	nb_cli_enqueue_change(vty, "./export", NB_OP_MODIFY, NULL);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_retry_time,
       gsa_retry_time_cmd,
       "[no] retry-time ![(1-3600)$seconds]",
       NO_STR
       "Longest random delay before registering again (default 10)\n"
       "Seconds\n")
{
	nb_cli_enqueue_change(vty, "./retry-time", NB_OP_MODIFY, no ? NULL : seconds_str);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_mode,
       gsa_mode_cmd,
       "[no] mode ![<fail-closed|receive-only|passive>$mode]",
       NO_STR
       "Which of the group's traffic may be in clear, to move a network site by site\n"
       "None (default)\n"
       "Send clear packets, take clear and protected ones\n"
       "Send protected packets, take clear and protected ones\n")
{
	nb_cli_enqueue_change(vty, "./mode", NB_OP_MODIFY, no ? NULL : mode);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_initial_exchange,
       gsa_initial_exchange_cmd,
       "[no] initial-exchange ![<ike-auth|gsa-auth>$exchange]",
       NO_STR
       "How the registration is opened\n"
       "IKE_AUTH, and GSA_REGISTRATION after it (default)\n"
       "GSA_AUTH, which does both at once\n")
{
	nb_cli_enqueue_change(vty, "./initial-exchange", NB_OP_MODIFY, no ? NULL : exchange);
	return nb_cli_apply_changes(vty, NULL);
}

/* ---- the configuration as text ---- */

void gcks_cli_member_show(struct vty *vty, const struct lyd_node *dnode, bool show_defaults)
{
	const char *list = gcks_cli_leaf(dnode, "prefix-list");

	vty_out(vty, "gsa member %s\n", yang_dnode_get_string(dnode, "name"));
	gcks_cli_show_leaf_list(vty, dnode, "connection", "key-server connection");
	gcks_cli_show_leaf(vty, dnode, "local-gateway", "local-gateway", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "identifier", "identifier", show_defaults);
	gcks_cli_show_leaf_list(vty, dnode, "protect", "protect");
	if (list)
		vty_out(vty, " export prefix-list %s\n", list);
	else
		gcks_cli_show_leaf(vty, dnode, "export", "export", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "retry-time", "retry-time", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "mode", "mode", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "initial-exchange", "initial-exchange", show_defaults);
}

static int write_members(struct vty *vty)
{
	yang_dnode_iterate(gcks_cli_write_block, vty, running_config->dnode, "/frr-gsa:gsa/member");
	return 0;
}

static struct cmd_node member_node = {
	.name = "gsa member",
	.node = GSA_MEMBER_NODE,
	.parent_node = CONFIG_NODE,
	.prompt = "%s(config-gsa-member)# ",
	.config_write = write_members,
};

void gcks_cli_member_init(void)
{
	install_node(&member_node);
	install_default(GSA_MEMBER_NODE);
	install_element(CONFIG_NODE, &gsa_member_cmd);
	install_element(CONFIG_NODE, &no_gsa_member_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_key_server_cmd);
	install_element(GSA_MEMBER_NODE, &no_gsa_key_server_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_local_gateway_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_member_identifier_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_protect_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_export_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_export_prefix_list_cmd);
	install_element(GSA_MEMBER_NODE, &no_gsa_export_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_retry_time_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_mode_cmd);
	install_element(GSA_MEMBER_NODE, &gsa_initial_exchange_cmd);
}
