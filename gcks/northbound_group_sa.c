// SPDX-License-Identifier: GPL-2.0-or-later
/* /frr-gsa:gsa/group: the group's data keys and how they are renewed. */
#include <zebra.h>

#include "gcks/names.h"
#include "gcks/northbound.h"

static struct gcks_group *group_of(const struct lyd_node *dnode)
{
	return nb_running_get_entry(dnode, NULL, true);
}

/* ---- what fits together ---- */

/* One leaf of a group, and another value for it. */
struct change {
	const struct lyd_node *group;
	const char *leaf, *value;
};

/* NULL: none, and no default.  An entry that a command has just made has no defaults in it. */
static const char *value_of(const struct change *change, const char *leaf)
{
	bool changed = change->leaf && strmatch(change->leaf, leaf);
	const struct lyd_node *child;
	char xpath[64];

	if (changed && change->value)
		return change->value;
	/* no XPath: every commit asks this of all groups */
	LY_LIST_FOR(changed ? NULL : lyd_child(change->group), child)
	if (strmatch(child->schema->name, leaf))
		return yang_dnode_get_string(child, NULL);
	snprintf(xpath, sizeof(xpath), "/frr-gsa:gsa/group/%s", leaf);
	return yang_snode_get_default(nb_node_find(xpath)->snode);
}

static uint32_t number_of(const struct change *change, const char *leaf)
{
	return (uint32_t)strtoul(value_of(change, leaf), NULL, 10);
}

static bool check_cipher(const struct change *change, char *error, size_t error_size)
{
	enum gcks_sharing sharing = GCKS_SHARING_GROUP;
	const char *name = value_of(change, "cipher"), *before = "";
	int cipher = 0;
	size_t used;

	if (strmatch(value_of(change, "sharing"), gcks_sharing_name(GCKS_SHARING_PAIRWISE)))
		sharing = GCKS_SHARING_PAIRWISE;
	while (name && gcks_cipher_name(cipher) && !strmatch(gcks_cipher_name(cipher), name))
		cipher++;
	if (!name || gcks_cipher_fits(sharing, cipher))
		return true;
	used = (size_t)snprintf(
		error, error_size,
		"gsa group %s: cipher %s cannot be used with sharing %s, where all "
		"senders have one key and a counter mode would repeat a nonce; allowed: ",
		yang_dnode_get_string(change->group, "name"), name, gcks_sharing_name(sharing));
	for (cipher = 0; gcks_cipher_name(cipher) && used < error_size; cipher++) {
		if (!gcks_cipher_fits(sharing, cipher))
			continue;
		used += (size_t)snprintf(error + used, error_size - used, "%s%s", before,
					 gcks_cipher_name(cipher));
		before = ", ";
	}
	if (used < error_size)
		snprintf(error + used, error_size - used, ", or sharing pairwise");
	return false;
}

static bool check_lifetime(const struct change *change, char *error, size_t error_size)
{
	uint32_t lifetime = number_of(change, "lifetime-data");
	uint32_t activation = number_of(change, "activation-delay");
	uint32_t deactivation = number_of(change, "deactivation-delay");
	uint32_t minimum = gcks_lifetime_data_minimum(activation, deactivation);

	if (lifetime >= minimum)
		return true;
	snprintf(error, error_size,
		 "gsa group %s: lifetime data %u is too short for activation-delay %u and "
		 "deactivation-delay %u: it has to be more than twice their sum; allowed with "
		 "these: "
		 "lifetime data %u and more",
		 yang_dnode_get_string(change->group, "name"), lifetime, activation, deactivation,
		 minimum);
	return false;
}

bool gcks_nb_check_group_sa(const struct lyd_node *group, const char *leaf, const char *value,
			    char *error, size_t error_size)
{
	const struct change change = { group, leaf, value };

	return check_cipher(&change, error, error_size) &&
	       check_lifetime(&change, error, error_size);
}

/* The leaves of a transaction together, whatever the order of its changes. */
int gcks_nb_group_pre_validate(struct nb_cb_pre_validate_args *args)
{
	return gcks_nb_check_group_sa(args->dnode, NULL, NULL, args->errmsg, args->errmsg_len)
		       ? NB_OK
		       : NB_ERR_VALIDATION;
}

/* ---- sharing, cipher ---- */

void gcks_nb_group_sa_defaults(struct gcks_group *group, const struct lyd_node *dnode)
{
	group->sharing = yang_dnode_get_enum(dnode, "sharing");
	group->cipher = gcks_cipher_default(group->sharing);
	group->lifetime_data_s = yang_dnode_get_uint32(dnode, "lifetime-data");
	group->rekey_on_join = yang_dnode_get_bool(dnode, "rekey-on-join");
	group->rekey_on_leave = yang_dnode_get_bool(dnode, "rekey-on-leave");
	group->activation_delay_s = yang_dnode_get_uint16(dnode, "activation-delay");
	group->deactivation_delay_s = yang_dnode_get_uint16(dnode, "deactivation-delay");
	group->sender_id_bits = yang_dnode_get_uint8(dnode, "sender-id-bits");
	group->rekey_in_flight = yang_dnode_get_uint32(dnode, "rekey-in-flight");
	group->rekey_missed_maximum = yang_dnode_get_uint32(dnode, "rekey-missed-maximum");
}

int gcks_nb_group_sharing_modify(struct nb_cb_modify_args *args)
{
	struct gcks_group *group;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group = group_of(args->dnode);
	group->sharing = yang_dnode_get_enum(args->dnode, NULL);
	if (!yang_dnode_exists(args->dnode, "../cipher"))
		group->cipher = gcks_cipher_default(group->sharing);
	gcks_server_reconsider();
	return NB_OK;
}

int gcks_nb_group_cipher_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group_of(args->dnode)->cipher = yang_dnode_get_enum(args->dnode, NULL);
	gcks_server_reconsider();
	return NB_OK;
}

int gcks_nb_group_cipher_destroy(struct nb_cb_destroy_args *args)
{
	struct gcks_group *group;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group = group_of(args->dnode);
	group->cipher = gcks_cipher_default(group->sharing);
	gcks_server_reconsider();
	return NB_OK;
}

/* ---- lifetime, delays, rekey ---- */

#define LEAF(leaf, member, type)                                                                   \
	int gcks_nb_group_##leaf##_modify(struct nb_cb_modify_args *args)                          \
	{                                                                                          \
		if (args->event != NB_EV_APPLY)                                                    \
			return NB_OK;                                                              \
		group_of(args->dnode)->member = yang_dnode_get_##type(args->dnode, NULL);          \
		gcks_server_reconsider();                                                          \
		return NB_OK;                                                                      \
	}

LEAF(lifetime_data, lifetime_data_s, uint32)
LEAF(rekey_on_join, rekey_on_join, bool)
LEAF(rekey_on_leave, rekey_on_leave, bool)
LEAF(activation_delay, activation_delay_s, uint16)
LEAF(deactivation_delay, deactivation_delay_s, uint16)
LEAF(sender_id_bits, sender_id_bits, uint8)
LEAF(rekey_in_flight, rekey_in_flight, uint32)
LEAF(rekey_missed_maximum, rekey_missed_maximum, uint32)
