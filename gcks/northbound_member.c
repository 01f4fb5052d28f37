// SPDX-License-Identifier: GPL-2.0-or-later
/* /frr-gsa:gsa/member: changes go into gcksd.members, the client acts on them soon after. */
#include <zebra.h>

#include "gcks/northbound.h"

#include "lib/ipaddr.h"
#include "lib/prefix.h"

static struct gcks_membership *membership_of(const struct lyd_node *dnode)
{
	return nb_running_get_entry(dnode, NULL, true);
}

/* As in the candidate, once all of them are there. */
static void order_connections(struct gcks_membership *membership, const struct lyd_node *member)
{
	const char *names[GCKS_CONNECTIONS_MAX];
	const struct lyd_node *child;
	size_t count = 0;

	LY_LIST_FOR(lyd_child(member), child)
	if (strmatch(child->schema->name, "connection") && count < array_size(names))
		names[count++] = yang_dnode_get_string(child, NULL);
	gcks_membership_order_connections(membership, names, count);
	gcks_client_reconsider();
}

/*
 * Memory is taken in PREPARE, where a transaction can still be refused.  That a new membership is
 * in the table a moment early does no harm: it has no connection yet.
 */
int gcks_nb_member_create(struct nb_cb_create_args *args)
{
	const char *name = yang_dnode_get_string(args->dnode, "name");
	struct gcks_membership *membership = args->resource ? args->resource->ptr : NULL;

	switch (args->event) {
	case NB_EV_VALIDATE:
		break;
	case NB_EV_PREPARE:
		args->resource->ptr = gcks_membership_add(&gcksd.members, name);
		if (!args->resource->ptr) {
			snprintf(args->errmsg, args->errmsg_len, "gsa member %s: out of memory",
				 name);
			return NB_ERR_RESOURCE;
		}
		break;
	case NB_EV_ABORT:
		gcks_membership_remove(&gcksd.members, membership);
		break;
	case NB_EV_APPLY:
		/* YANG calls no modify callback for a default */
		membership->export_mode = yang_dnode_get_enum(args->dnode, "export");
		membership->retry_time_s = yang_dnode_get_uint32(args->dnode, "retry-time");
		membership->mode = yang_dnode_get_enum(args->dnode, "mode");
		membership->gsa_auth = yang_dnode_get_enum(args->dnode, "initial-exchange");
		nb_running_set_entry(args->dnode, membership);
		gcks_client_reconsider();
		break;
	}
	return NB_OK;
}

int gcks_nb_member_destroy(struct nb_cb_destroy_args *args)
{
	struct gcks_membership *membership;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	membership = nb_running_unset_entry(args->dnode);
	if (!membership)
		return NB_OK;
	gcks_client_membership_gone(membership);
	gcks_membership_remove(&gcksd.members, membership);
	gcks_client_reconsider();
	return NB_OK;
}

/* ---- connection ---- */

/* Memory is taken in PREPARE, as for protect. */
int gcks_nb_member_connection_create(struct nb_cb_create_args *args)
{
	const char *name = yang_dnode_get_string(args->dnode, "../name");
	const char *connection = yang_dnode_get_string(args->dnode, NULL);
	struct gcks_membership *membership = gcks_membership_find(&gcksd.members, name);

	switch (args->event) {
	case NB_EV_VALIDATE:
		break;
	case NB_EV_PREPARE:
		if (!membership || !gcks_membership_add_connection(membership, connection)) {
			snprintf(args->errmsg, args->errmsg_len,
				 "gsa member %s: key-server connection %s: out of memory", name,
				 connection);
			return NB_ERR_RESOURCE;
		}
		break;
	case NB_EV_ABORT:
		if (membership)
			gcks_membership_remove_connection(membership, connection);
		break;
	case NB_EV_APPLY:
		order_connections(membership, lyd_parent(args->dnode));
		break;
	}
	return NB_OK;
}

int gcks_nb_member_connection_destroy(struct nb_cb_destroy_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	gcks_membership_remove_connection(membership_of(args->dnode),
					  yang_dnode_get_string(args->dnode, NULL));
	gcks_client_reconsider();
	return NB_OK;
}

int gcks_nb_member_connection_move(struct nb_cb_move_args *args)
{
	if (args->event == NB_EV_APPLY)
		order_connections(membership_of(args->dnode), lyd_parent(args->dnode));
	return NB_OK;
}

/* libfrr asks for `move`, but calls a change of order a modification. */
static int moved(struct nb_cb_modify_args *args)
{
	struct nb_cb_move_args move = {
		.context = args->context,
		.event = args->event,
		.dnode = args->dnode,
		.errmsg = args->errmsg,
		.errmsg_len = args->errmsg_len,
	};

	return gcks_nb_member_connection_move(&move);
}

void gcks_nb_member_init(void)
{
	nb_node_find("/frr-gsa:gsa/member/connection")->cbs.modify = moved;
}

/* ---- local-gateway, protect ---- */

static void address_prefix(struct prefix *prefix, const struct lyd_node *dnode)
{
	struct ipaddr address;

	yang_dnode_get_ip(&address, dnode, NULL);
	memset(prefix, 0, sizeof(*prefix));
	if (IS_IPADDR_V4(&address)) {
		prefix->family = AF_INET;
		prefix->prefixlen = IPV4_MAX_BITLEN;
		prefix->u.prefix4 = address.ipaddr_v4;
	} else {
		prefix->family = AF_INET6;
		prefix->prefixlen = IPV6_MAX_BITLEN;
		prefix->u.prefix6 = address.ipaddr_v6;
	}
}

static bool is_unicast(const struct prefix *address)
{
	if (address->family == AF_INET)
		return ipv4_unicast_valid(&address->u.prefix4) &&
		       !IPV4_NET127(ntohl(address->u.prefix4.s_addr));
	return !ipv6_martian(&address->u.prefix6);
}

/*
 * The tunnel's own packets go between gateways; a gateway in a protected prefix would block
 * them.
 */
static bool conflicts(const struct prefix *address, const struct prefix *protect)
{
	return protect->family == address->family && prefix_match(protect, address);
}

static bool refuse_conflict(const struct lyd_node *member, const struct prefix *address,
			    const struct prefix *protect, char *error, size_t error_size)
{
	snprintfrr(
		error, error_size,
		"gsa member %s: local-gateway %pFXh is inside protect %pFX, so the tunnel itself "
		"would be blocked; protect the networks of the sites, not the one between them",
		yang_dnode_get_string(member, "name"), address, protect);
	return false;
}

bool gcks_nb_check_gateway(const struct lyd_node *member, const struct prefix *address, char *error,
			   size_t error_size)
{
	const struct lyd_node *sibling;
	struct prefix protect;

	if (!is_unicast(address)) {
		snprintfrr(error, error_size,
			   "gsa member %s: local-gateway %pFXh is not a unicast address that other "
			   "gateways can reach",
			   yang_dnode_get_string(member, "name"), address);
		return false;
	}
	LY_LIST_FOR(lyd_child(member), sibling)
	{
		if (!strmatch(sibling->schema->name, "protect"))
			continue;
		yang_dnode_get_prefix(&protect, sibling, NULL);
		if (conflicts(address, &protect))
			return refuse_conflict(member, address, &protect, error, error_size);
	}
	return true;
}

bool gcks_nb_check_protect(const struct lyd_node *member, const struct prefix *protect, char *error,
			   size_t error_size)
{
	struct prefix address;

	if (!yang_dnode_exists(member, "local-gateway"))
		return true;
	address_prefix(&address, yang_dnode_get(member, "local-gateway"));
	return !conflicts(&address, protect) ||
	       refuse_conflict(member, &address, protect, error, error_size);
}

int gcks_nb_member_gateway_modify(struct nb_cb_modify_args *args)
{
	struct gcks_membership *membership;
	struct prefix address;

	address_prefix(&address, args->dnode);
	if (args->event == NB_EV_VALIDATE &&
	    !gcks_nb_check_gateway(lyd_parent(args->dnode), &address, args->errmsg,
				   args->errmsg_len))
		return NB_ERR_VALIDATION;
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	membership = membership_of(args->dnode);
	gcks_address_from(&membership->gateway, &address.u.prefix, prefix_blen(&address));
	gcks_client_reconsider();
	return NB_OK;
}

int gcks_nb_member_gateway_destroy(struct nb_cb_destroy_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	membership_of(args->dnode)->gateway = (struct gcks_address){};
	gcks_client_reconsider();
	return NB_OK;
}

static void protect_prefix(struct gcks_prefix *out, const struct lyd_node *dnode)
{
	struct prefix prefix;

	yang_dnode_get_prefix(&prefix, dnode, NULL);
	gcks_prefix_from(out, &prefix.u.prefix, prefix_blen(&prefix), prefix.prefixlen);
}

/*
 * In PREPARE, as nothing may fail later: traffic would leave unprotected.  The membership is
 * found by its name; a new one has no entry yet, and none any more in ABORT.
 */
int gcks_nb_member_protect_create(struct nb_cb_create_args *args)
{
	const char *name = yang_dnode_get_string(args->dnode, "../name");
	struct gcks_membership *membership = gcks_membership_find(&gcksd.members, name);
	struct gcks_prefix prefix;
	struct prefix protect;

	protect_prefix(&prefix, args->dnode);
	switch (args->event) {
	case NB_EV_VALIDATE:
		yang_dnode_get_prefix(&protect, args->dnode, NULL);
		if (!gcks_nb_check_protect(lyd_parent(args->dnode), &protect, args->errmsg,
					   args->errmsg_len))
			return NB_ERR_VALIDATION;
		break;
	case NB_EV_PREPARE:
		if (!membership || !gcks_membership_add_protect(membership, &prefix)) {
			snprintf(args->errmsg, args->errmsg_len,
				 "gsa member %s: protect %s: out of memory", name,
				 yang_dnode_get_string(args->dnode, NULL));
			return NB_ERR_RESOURCE;
		}
		break;
	case NB_EV_ABORT:
		if (membership)
			gcks_membership_remove_protect(membership, &prefix);
		break;
	case NB_EV_APPLY:
		gcks_client_reconsider();
		break;
	}
	return NB_OK;
}

int gcks_nb_member_protect_destroy(struct nb_cb_destroy_args *args)
{
	struct gcks_prefix prefix;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	protect_prefix(&prefix, args->dnode);
	gcks_membership_remove_protect(membership_of(args->dnode), &prefix);
	gcks_client_reconsider();
	return NB_OK;
}

/* ---- identifier, export, retry-time, mode, initial-exchange ---- */

static void set_identifier(const struct lyd_node *dnode, uint32_t identifier)
{
	membership_of(dnode)->configured_identifier = identifier;
	gcks_client_reconsider();
}

int gcks_nb_member_identifier_modify(struct nb_cb_modify_args *args)
{
	if (args->event == NB_EV_APPLY)
		set_identifier(args->dnode, yang_dnode_get_uint32(args->dnode, NULL));
	return NB_OK;
}

int gcks_nb_member_identifier_destroy(struct nb_cb_destroy_args *args)
{
	if (args->event == NB_EV_APPLY)
		set_identifier(args->dnode, 0);
	return NB_OK;
}

int gcks_nb_member_export_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	membership_of(args->dnode)->export_mode = yang_dnode_get_enum(args->dnode, NULL);
	gcks_client_reconsider();
	return NB_OK;
}

int gcks_nb_member_prefix_list_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_APPLY)
		return gcks_nb_prepare_text(args);
	gcks_nb_apply_text(args, &membership_of(args->dnode)->export_prefix_list);
	gcks_client_reconsider();
	return NB_OK;
}

int gcks_nb_member_prefix_list_destroy(struct nb_cb_destroy_args *args)
{
	struct gcks_membership *membership;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	membership = membership_of(args->dnode);
	free(membership->export_prefix_list);
	membership->export_prefix_list = NULL;
	gcks_client_reconsider();
	return NB_OK;
}

int gcks_nb_member_retry_time_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	membership_of(args->dnode)->retry_time_s = yang_dnode_get_uint32(args->dnode, NULL);
	gcks_client_reconsider();
	return NB_OK;
}

int gcks_nb_member_mode_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	membership_of(args->dnode)->mode = yang_dnode_get_enum(args->dnode, NULL);
	gcks_client_reconsider();
	return NB_OK;
}

int gcks_nb_member_initial_exchange_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	membership_of(args->dnode)->gsa_auth = yang_dnode_get_enum(args->dnode, NULL);
	gcks_client_reconsider();
	return NB_OK;
}
