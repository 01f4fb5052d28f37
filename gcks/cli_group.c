// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration: block `gsa group NAME`, a group that this router serves. */
#include <zebra.h>

#include "gcks/cli.h"

#include "lib/northbound_cli.h"

#include "gcks/cli_group_clippy.c"

DEFPY_YANG_NOSH (gsa_group,
       gsa_group_cmd,
       "gsa group WORD$gsa_group",
       GSA_STR
       GSA_GROUP_STR
       "Name of the group, the same in all of its routers\n")
{
	char xpath[XPATH_MAXLEN];
	int result;

	if (!gcks_cli_check_name(vty, "gsa group", gsa_group, GCKS_NAME_LENGTH_MAX))
		return CMD_WARNING_CONFIG_FAILED;
	gcks_cli_collect(vty);
	snprintf(xpath, sizeof(xpath), "/frr-gsa:gsa/group[name='%s']", gsa_group);
	nb_cli_enqueue_change(vty, xpath, NB_OP_CREATE, NULL);
	result = nb_cli_apply_changes(vty, NULL);
	if (result == CMD_SUCCESS)
		VTY_PUSH_XPATH(GSA_GROUP_NODE, xpath);
	return result;
}

DEFPY_YANG (no_gsa_group,
       no_gsa_group_cmd,
       "no gsa group WORD$gsa_group",
       NO_STR
       GSA_STR
       GSA_GROUP_STR
       "Name of the group\n")
{
	return gcks_cli_remove_block(vty, "group", gsa_group);
}

DEFPY_YANG (gsa_group_identifier,
       gsa_group_identifier_cmd,
       "[no] identifier ![(1-4294967295)$identifier]",
       NO_STR
       "Number of the group, the same in all of its routers\n"
       "Identifier\n")
{
	const struct lyd_node *other;
	char xpath[XPATH_MAXLEN];

	/* YANG's unique would say it too, but for all lines that vtysh -b commits together */
	snprintf(xpath, sizeof(xpath), "/frr-gsa:gsa/group[identifier='%s']",
		 no ? "" : identifier_str);
	other = no ? NULL : yang_dnode_get(vty->candidate_config->dnode, xpath);
	if (other && yang_dnode_get(vty->candidate_config->dnode, VTY_CURR_XPATH) != other) {
		vty_out(vty, "%% identifier %s is that of group %s; each group needs its own\n",
			identifier_str, yang_dnode_get_string(other, "name"));
		return CMD_WARNING_CONFIG_FAILED;
	}
	nb_cli_enqueue_change(vty, "./identifier", no ? NB_OP_DESTROY : NB_OP_MODIFY,
			      no ? NULL : identifier_str);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_credential,
       gsa_credential_cmd,
       "credential <certificate|psk|public-key|eap>$credential",
       "What a member has to prove its identity with\n"
       "X.509 certificate\n"
       "Pre-shared key\n"
       "Raw public key\n"
       "EAP\n")
{
	nb_cli_enqueue_change(vty, "./ca", NB_OP_DESTROY, NULL);
	nb_cli_enqueue_change(vty, "./credential", NB_OP_MODIFY, credential);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_credential_ca,
       gsa_credential_ca_cmd,
       "credential certificate ca LINE...",
       "What a member has to prove its identity with\n"
       "X.509 certificate\n"
       "Under one CA\n"
       "Subject of the CA, in double quotes or without\n")
{
	char *ca = gcks_cli_identity(vty, "credential certificate ca", argv, argc, 3, false);
	int result;

	if (!ca)
		return CMD_WARNING_CONFIG_FAILED;
	nb_cli_enqueue_change(vty, "./credential", NB_OP_MODIFY, "certificate");
	nb_cli_enqueue_change(vty, "./ca", NB_OP_MODIFY, ca);
	result = nb_cli_apply_changes(vty, NULL);
	XFREE(MTYPE_TMP, ca);
	return result;
}

DEFPY_YANG (no_gsa_credential,
       no_gsa_credential_cmd,
       "no credential",
       NO_STR
       "What a member has to prove its identity with\n")
{
	nb_cli_enqueue_change(vty, "./ca", NB_OP_DESTROY, NULL);
	nb_cli_enqueue_change(vty, "./credential", NB_OP_DESTROY, NULL);
	return nb_cli_apply_changes(vty, NULL);
}

/* clang-format off */
ALIAS_YANG (no_gsa_credential,
       no_gsa_credential_line_cmd,
       "no credential LINE...",
       NO_STR
       "What a member has to prove its identity with\n"
       "As it is configured\n")
/* clang-format on */

DEFPY_YANG (gsa_identity,
       gsa_identity_cmd,
       "[no] <permit|deny>$verdict identity LINE...",
       NO_STR
       "Who may join\n"
       "Who may not join, even if permitted; members are expelled\n"
       "IKE identities\n"
       "Identity, *.domain, *@domain, * or a DN with * for values; in double quotes or without\n")
{
	char *pattern = gcks_cli_identity(vty, verdict, argv, argc, no ? 3 : 2, false);
	char xpath[XPATH_MAXLEN];
	int result;

	if (!pattern)
		return CMD_WARNING_CONFIG_FAILED;
	snprintf(xpath, sizeof(xpath), "./%s-identity[.='%s']", verdict, pattern);
	nb_cli_enqueue_change(vty, xpath, no ? NB_OP_DESTROY : NB_OP_CREATE, NULL);
	result = nb_cli_apply_changes(vty, NULL);
	XFREE(MTYPE_TMP, pattern);
	return result;
}

DEFPY_YANG (gsa_maximum_members,
       gsa_maximum_members_cmd,
       "[no] maximum-members ![(1-100000)$maximum]",
       NO_STR
       "Limit of registered members (default: none)\n"
       "Members\n")
{
	nb_cli_enqueue_change(vty, "./maximum-members", no ? NB_OP_DESTROY : NB_OP_MODIFY,
			      no ? NULL : maximum_str);
	return nb_cli_apply_changes(vty, NULL);
}

DEFPY_YANG (gsa_registration_hold_time,
       gsa_registration_hold_time_cmd,
       "[no] registration-hold-time ![(1-86400)$seconds]",
       NO_STR
       "How long registrations outlive a restart of charon (default 300)\n"
       "Seconds\n")
{
	nb_cli_enqueue_change(vty, "./registration-hold-time", NB_OP_MODIFY,
			      no ? NULL : seconds_str);
	return nb_cli_apply_changes(vty, NULL);
}

/* ---- the configuration as text ---- */

void gcks_cli_group_show(struct vty *vty, const struct lyd_node *dnode, bool show_defaults)
{
	const char *credential = gcks_cli_leaf(dnode, "credential"), *ca = gcks_cli_leaf(dnode, "ca");

	vty_out(vty, "gsa group %s\n", yang_dnode_get_string(dnode, "name"));
	gcks_cli_show_leaf(vty, dnode, "identifier", "identifier", show_defaults);
	if (ca)
		vty_out(vty, " credential %s ca \"%s\"\n", credential, ca);
	else if (credential)
		vty_out(vty, " credential %s\n", credential);
	gcks_cli_show_leaf_list(vty, dnode, "permit-identity", "permit identity");
	gcks_cli_show_leaf_list(vty, dnode, "deny-identity", "deny identity");
	gcks_cli_group_sa_show(vty, dnode, show_defaults);
	gcks_cli_show_leaf(vty, dnode, "maximum-members", "maximum-members", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "registration-hold-time", "registration-hold-time", show_defaults);
}

static int write_groups(struct vty *vty)
{
	yang_dnode_iterate(gcks_cli_write_block, vty, running_config->dnode, "/frr-gsa:gsa/group");
	return 0; /* each block ends with its own "!" */
}

static struct cmd_node group_node = {
	.name = "gsa group",
	.node = GSA_GROUP_NODE,
	.parent_node = CONFIG_NODE,
	.prompt = "%s(config-gsa-group)# ",
	.config_write = write_groups,
};

void gcks_cli_group_init(void)
{
	install_node(&group_node);
	install_default(GSA_GROUP_NODE);
	install_element(CONFIG_NODE, &gsa_group_cmd);
	install_element(CONFIG_NODE, &no_gsa_group_cmd);
	install_element(GSA_GROUP_NODE, &gsa_group_identifier_cmd);
	install_element(GSA_GROUP_NODE, &gsa_credential_cmd);
	install_element(GSA_GROUP_NODE, &gsa_credential_ca_cmd);
	install_element(GSA_GROUP_NODE, &no_gsa_credential_cmd);
	install_element(GSA_GROUP_NODE, &no_gsa_credential_line_cmd);
	install_element(GSA_GROUP_NODE, &gsa_identity_cmd);
	install_element(GSA_GROUP_NODE, &gsa_maximum_members_cmd);
	install_element(GSA_GROUP_NODE, &gsa_registration_hold_time_cmd);
	gcks_cli_group_sa_init();
}
