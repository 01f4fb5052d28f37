// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration: the lines of `gsa group NAME` about its data keys and their renewal. */
#include <zebra.h>

#include "gcks/cli.h"

#include "lib/northbound_cli.h"

#include "gcks/names.h"
#include "gcks/northbound.h"

#include "gcks/cli_group_sa_clippy.c"

/* A leaf of the block gets the value, or its default with NULL. */
static int set(struct vty *vty, const char *leaf, const char *value)
{
	const struct lyd_node *group = yang_dnode_get(vty->candidate_config->dnode, VTY_CURR_XPATH);
	char error[512], xpath[64];

	if (group && !gcks_nb_check_group_sa(group, leaf, value, error, sizeof(error))) {
		vty_out(vty, "%% %s\n", error);
		return CMD_WARNING_CONFIG_FAILED;
	}
	snprintf(xpath, sizeof(xpath), "./%s", leaf);
	nb_cli_enqueue_change(vty, xpath, NB_OP_MODIFY, value);
	return nb_cli_apply_changes(vty, NULL);
}

/* Is the word one of the names?  Else they are listed. */
static bool check_word(struct vty *vty, const char *what, const char *word,
		       const char *(*name)(int value))
{
	for (int value = 0; name(value); value++)
		if (strmatch(name(value), word))
			return true;
	vty_out(vty, "%% %s %s is not supported; allowed:", what, word);
	for (int value = 0; name(value); value++)
		vty_out(vty, "%s %s", value ? "," : "", name(value));
	vty_out(vty, "\n");
	return false;
}

static const char *sharing_name(int value)
{
	return gcks_sharing_name(value);
}

static const char *cipher_name(int value)
{
	return gcks_cipher_name(value);
}

/* ---- sharing, cipher ---- */

DEFPY_YANG (gsa_sharing,
       gsa_sharing_cmd,
       "[no] sharing ![WORD$sharing]",
       NO_STR
       "How the members share the group's SA\n"
       "group: one key for all senders; pairwise: keys of its own for each pair of members\n")
{
	if (!no && !check_word(vty, "sharing", sharing, sharing_name))
		return CMD_WARNING_CONFIG_FAILED;
	return set(vty, "sharing", no ? NULL : sharing);
}

DEFPY_YANG (gsa_cipher,
       gsa_cipher_cmd,
       "[no] cipher ![WORD$cipher]",
       NO_STR
       "Encryption and integrity protection of the group's traffic\n"
       "aes256cbc-sha256, aes128cbc-sha256; with sharing pairwise also aes256gcm16, aes128gcm16, chacha20poly1305\n")
{
	if (no) {
		nb_cli_enqueue_change(vty, "./cipher", NB_OP_DESTROY, NULL);
		return nb_cli_apply_changes(vty, NULL);
	}
	if (!check_word(vty, "cipher", cipher, cipher_name))
		return CMD_WARNING_CONFIG_FAILED;
	return set(vty, "cipher", cipher);
}

/* ---- life of an SA ---- */

DEFPY_YANG (gsa_lifetime_data,
       gsa_lifetime_data_cmd,
       "[no] lifetime data ![(10-86400)$seconds]",
       NO_STR
       "How long keys may be used\n"
       "Those of the group's traffic (default 3600)\n"
       "Seconds, more than twice the sum of both delays\n")
{
	return set(vty, "lifetime-data", no ? NULL : seconds_str);
}

DEFPY_YANG (gsa_activation_delay,
       gsa_activation_delay_cmd,
       "[no] activation-delay ![(0-300)$seconds]",
       NO_STR
       "From the delivery of a new SA until members send with it (default 5)\n"
       "Seconds\n")
{
	return set(vty, "activation-delay", no ? NULL : seconds_str);
}

DEFPY_YANG (gsa_deactivation_delay,
       gsa_deactivation_delay_cmd,
       "[no] deactivation-delay ![(0-600)$seconds]",
       NO_STR
       "How long members still receive with the old SA then (default 10)\n"
       "Seconds\n")
{
	return set(vty, "deactivation-delay", no ? NULL : seconds_str);
}

DEFPY_YANG (gsa_sender_id_bits,
       gsa_sender_id_bits_cmd,
       "[no] sender-id-bits ![<8|12|16>$bits]",
       NO_STR
       "Size of Sender-IDs with sharing pairwise (default 16)\n"
       "256 registrations an SA\n"
       "4096 registrations an SA\n"
       "65536 registrations an SA\n")
{
	return set(vty, "sender-id-bits", no ? NULL : bits);
}

/* ---- rekey ---- */

DEFPY_YANG (gsa_rekey_on,
       gsa_rekey_on_cmd,
       "[no] rekey <on-join|on-leave>$when",
       NO_STR
       "When and how members get a new SA\n"
       "When a member joins, which cannot read earlier traffic then\n"
       "When a member leaves or is expelled, which cannot read later traffic then\n")
{
	return set(vty, strmatch(when, "on-join") ? "rekey-on-join" : "rekey-on-leave",
		   no ? NULL : "true");
}

DEFPY_YANG (gsa_rekey_in_flight,
       gsa_rekey_in_flight_cmd,
       "[no] rekey in-flight ![(1-1000)$members]",
       NO_STR
       "When and how members get a new SA\n"
       "How many are told at the same time (default 64)\n"
       "Members\n")
{
	return set(vty, "rekey-in-flight", no ? NULL : members_str);
}

DEFPY_YANG (gsa_rekey_missed_maximum,
       gsa_rekey_missed_maximum_cmd,
       "[no] rekey missed-maximum ![(0-100)$rekeys]",
       NO_STR
       "When and how members get a new SA\n"
       "How many rekeys in a row a member may leave unanswered (default 3)\n"
       "Rekeys, 0: any number\n")
{
	return set(vty, "rekey-missed-maximum", no ? NULL : rekeys_str);
}

/* ---- the configuration as text ---- */

/*
 * Each line is accepted after those before it: the sharing before the cipher, the delays before the
 * lifetime.  The sharing is written always, since a later version may have another default.
 */
void gcks_cli_group_sa_show(struct vty *vty, const struct lyd_node *dnode, bool show_defaults)
{
	gcks_cli_show_leaf(vty, dnode, "sharing", "sharing", true);
	gcks_cli_show_leaf(vty, dnode, "cipher", "cipher", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "activation-delay", "activation-delay", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "deactivation-delay", "deactivation-delay", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "lifetime-data", "lifetime data", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "sender-id-bits", "sender-id-bits", show_defaults);
	gcks_cli_show_flag(vty, dnode, "rekey-on-join", "rekey on-join", show_defaults);
	gcks_cli_show_flag(vty, dnode, "rekey-on-leave", "rekey on-leave", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "rekey-in-flight", "rekey in-flight", show_defaults);
	gcks_cli_show_leaf(vty, dnode, "rekey-missed-maximum", "rekey missed-maximum",
			   show_defaults);
}

void gcks_cli_group_sa_init(void)
{
	install_element(GSA_GROUP_NODE, &gsa_sharing_cmd);
	install_element(GSA_GROUP_NODE, &gsa_cipher_cmd);
	install_element(GSA_GROUP_NODE, &gsa_lifetime_data_cmd);
	install_element(GSA_GROUP_NODE, &gsa_activation_delay_cmd);
	install_element(GSA_GROUP_NODE, &gsa_deactivation_delay_cmd);
	install_element(GSA_GROUP_NODE, &gsa_sender_id_bits_cmd);
	install_element(GSA_GROUP_NODE, &gsa_rekey_on_cmd);
	install_element(GSA_GROUP_NODE, &gsa_rekey_in_flight_cmd);
	install_element(GSA_GROUP_NODE, &gsa_rekey_missed_maximum_cmd);
}
