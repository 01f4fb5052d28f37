// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration: `gsa` and `neighbor X gsa group G` under `router bgp`, `debug gsa bgp`. */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/command.h"

#include "bgpd/bgp_debug.h"
#include "bgpd/bgp_vty.h"

#include "frr-gsa-plugin/gsa_config_clippy.c"

#define GSA_STR "Security groups (group security association)\n"

bool gsa_debug;
static bool debug_configured; /* in the configuration node, so it is written */

/* Attribute types of the range that mean something else. */
static const char *attribute_type_taken(long type)
{
	switch (type) {
	case 128:
		return "ATTR_SET (RFC 6368)";
	case 129:
	case 241:
	case 242:
	case 243:
		return "a deprecated code point that old implementations still send";
	}
	return NULL;
}

DEFPY (gsa,
       gsa_cmd,
       "gsa [attribute-type (128-254)$type]",
       GSA_STR
       "Path attribute that carries a route's groups\n"
       "Type code, the same in all routers of the groups (default 254)\n")
{
	VTY_DECLVAR_CONTEXT(bgp, bgp);
	long wanted = type_str ? type : GSA_ATTR_DEFAULT_TYPE;
	const char *taken = attribute_type_taken(wanted);

	if (taken) {
		vty_out(vty, "%% Attribute type %ld is %s: choose another one\n", wanted, taken);
		return CMD_WARNING_CONFIG_FAILED;
	}
	gsa_instance_enable(gsa_instance_get(bgp), wanted);
	return CMD_SUCCESS;
}

DEFPY (no_gsa,
       no_gsa_cmd,
       "no gsa [attribute-type [(128-254)]]",
       NO_STR
       GSA_STR
       "Path attribute that carries a route's groups\n"
       "Type code\n")
{
	VTY_DECLVAR_CONTEXT(bgp, bgp);
	struct gsa_instance *instance = gsa_instance_get(bgp);

	/* with the option: back to the default type */
	if (argc > 2) {
		if (instance->enabled)
			gsa_instance_enable(instance, GSA_ATTR_DEFAULT_TYPE);
		return CMD_SUCCESS;
	}
	gsa_instance_disable(instance);
	return CMD_SUCCESS;
}

DEFPY (neighbor_gsa_group,
       neighbor_gsa_group_cmd,
       "[no] neighbor <A.B.C.D|X:X::X:X|WORD>$neighbor gsa group WORD$group",
       NO_STR
       NEIGHBOR_STR
       NEIGHBOR_ADDR_STR2
       GSA_STR
       "Member of a group without registration\n"
       "Name or identifier of the group\n")
{
	struct peer *peer = peer_and_group_lookup_vty(vty, neighbor);

	if (!peer)
		return CMD_WARNING_CONFIG_FAILED;
	if (!no) {
		gsa_peer_configure(peer, group);
		return CMD_SUCCESS;
	}
	if (!gsa_peer_unconfigure(peer, group)) {
		vty_out(vty, "%% %s is not configured as a member of group %s\n", neighbor, group);
		return CMD_WARNING_CONFIG_FAILED;
	}
	return CMD_SUCCESS;
}

DEFPY (debug_gsa_bgp,
       debug_gsa_bgp_cmd,
       "[no] debug gsa bgp",
       NO_STR
       DEBUG_STR
       GSA_STR
       "Membership, routes of groups and their protection\n")
{
	gsa_debug = !no;
	if (vty->node == CONFIG_NODE)
		debug_configured = !no;
	return CMD_SUCCESS;
}

static int write_debug(struct vty *vty, bool running)
{
	if (!(running ? debug_configured : gsa_debug))
		return 0;
	vty_out(vty, running ? "debug gsa bgp\n" : "  GSA debugging is on\n");
	return 1;
}

static void write_peer(struct vty *vty, const struct peer *peer, const char *name)
{
	const struct gsa_peer *entry = gsa_peer_find(peer);

	for (size_t i = 0; entry && i < entry->configured_count; i++)
		vty_out(vty, " neighbor %s gsa group %s\n", name, entry->configured[i]);
}

static int write_instance(struct bgp *bgp, struct vty *vty)
{
	const struct gsa_instance *instance = gsa_instance_get(bgp);
	struct peer_group *group;
	struct listnode *node;
	struct peer *peer;

	if (instance->enabled) {
		vty_out(vty, " gsa");
		if (instance->attribute_type != GSA_ATTR_DEFAULT_TYPE)
			vty_out(vty, " attribute-type %u", instance->attribute_type);
		vty_out(vty, "\n");
	}
	for (ALL_LIST_ELEMENTS_RO(bgp->group, node, group))
		write_peer(vty, group->conf, group->name);
	for (ALL_LIST_ELEMENTS_RO(bgp->peer, node, peer))
		if (CHECK_FLAG(peer->flags, PEER_FLAG_CONFIG_NODE))
			write_peer(vty, peer, peer->conf_if ? peer->conf_if : peer->host);
	return 0;
}

void gsa_config_init(void)
{
	hook_register(bgp_inst_config_write, write_instance);
	hook_register(bgp_hook_config_write_debug, write_debug);
	install_element(BGP_NODE, &gsa_cmd);
	install_element(BGP_NODE, &no_gsa_cmd);
	install_element(BGP_NODE, &neighbor_gsa_group_cmd);
	install_element(ENABLE_NODE, &debug_gsa_bgp_cmd);
	install_element(CONFIG_NODE, &debug_gsa_bgp_cmd);
}
