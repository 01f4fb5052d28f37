// SPDX-License-Identifier: GPL-2.0-or-later
/* /frr-gsa:gsa/group: changes go into gcksd.policy, the key server acts on them soon after. */
#include <zebra.h>

#include "gcks/northbound.h"

static struct gcks_group *group_of(const struct lyd_node *dnode)
{
	return nb_running_get_entry(dnode, NULL, true);
}

/*
 * Memory is taken in PREPARE, where a transaction can still be refused.  That a new group is in
 * the table a moment early does no harm: it has no identifier yet, so it is not served.
 */
int gcks_nb_group_create(struct nb_cb_create_args *args)
{
	const char *name = yang_dnode_get_string(args->dnode, "name");
	struct gcks_group *group = args->resource ? args->resource->ptr : NULL;

	switch (args->event) {
	case NB_EV_VALIDATE:
		break;
	case NB_EV_PREPARE:
		args->resource->ptr = gcks_policy_add(&gcksd.policy, name);
		if (!args->resource->ptr) {
			snprintf(args->errmsg, args->errmsg_len, "gsa group %s: out of memory",
				 name);
			return NB_ERR_RESOURCE;
		}
		break;
	case NB_EV_ABORT:
		gcks_policy_remove(&gcksd.policy, group);
		break;
	case NB_EV_APPLY:
		/* YANG calls no modify callback for a default */
		group->registration_hold_time_s =
			yang_dnode_get_uint32(args->dnode, "registration-hold-time");
		gcks_nb_group_sa_defaults(group, args->dnode);
		nb_running_set_entry(args->dnode, group);
		break;
	}
	return NB_OK;
}

int gcks_nb_group_destroy(struct nb_cb_destroy_args *args)
{
	struct gcks_group *group;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group = nb_running_unset_entry(args->dnode);
	if (!group)
		return NB_OK;
	if (group->identifier)
		gcks_server_group_gone(group->identifier, group->name);
	gcks_policy_remove(&gcksd.policy, group);
	gcks_server_reconsider();
	return NB_OK;
}

static void set_identifier(const struct lyd_node *dnode, uint32_t identifier)
{
	struct gcks_group *group = group_of(dnode);

	if (!group || group->identifier == identifier)
		return;
	if (group->identifier)
		gcks_server_group_gone(group->identifier, group->name);
	group->identifier = identifier;
	gcks_server_reconsider();
}

int gcks_nb_group_identifier_modify(struct nb_cb_modify_args *args)
{
	if (args->event == NB_EV_APPLY)
		set_identifier(args->dnode, yang_dnode_get_uint32(args->dnode, NULL));
	return NB_OK;
}

int gcks_nb_group_identifier_destroy(struct nb_cb_destroy_args *args)
{
	if (args->event == NB_EV_APPLY)
		set_identifier(args->dnode, 0);
	return NB_OK;
}

static void set_credential(const struct lyd_node *dnode, Gsa__Credential credential)
{
	struct gcks_group *group = group_of(dnode);

	if (!group)
		return;
	group->credential = credential;
	gcks_server_reconsider();
}

int gcks_nb_group_credential_modify(struct nb_cb_modify_args *args)
{
	if (args->event == NB_EV_APPLY)
		set_credential(args->dnode, yang_dnode_get_enum(args->dnode, NULL));
	return NB_OK;
}

int gcks_nb_group_credential_destroy(struct nb_cb_destroy_args *args)
{
	if (args->event == NB_EV_APPLY)
		set_credential(args->dnode, GSA__CREDENTIAL__CREDENTIAL_UNSPECIFIED);
	return NB_OK;
}

int gcks_nb_group_ca_modify(struct nb_cb_modify_args *args)
{
	struct gcks_group *group;

	if (args->event != NB_EV_APPLY)
		return gcks_nb_prepare_text(args);
	group = group_of(args->dnode);
	gcks_nb_apply_text(args, &group->ca);
	gcks_server_reconsider();
	return NB_OK;
}

int gcks_nb_group_ca_destroy(struct nb_cb_destroy_args *args)
{
	struct gcks_group *group;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group = group_of(args->dnode);
	free(group->ca);
	group->ca = NULL;
	gcks_server_reconsider();
	return NB_OK;
}

/*
 * Made in PREPARE, as nothing may fail later: a `deny` that is missing would let somebody in.  In
 * force from APPLY on: so would a `permit` of a transaction that is not committed.
 */
static int add_pattern(struct nb_cb_create_args *args, bool deny)
{
	const char *text = yang_dnode_get_string(args->dnode, NULL);
	struct gcks_group *group;

	switch (args->event) {
	case NB_EV_VALIDATE:
		break;
	case NB_EV_PREPARE:
		args->resource->ptr = gcks_pattern_new(text);
		if (!args->resource->ptr) {
			snprintf(args->errmsg, args->errmsg_len,
				 "gsa group %s: %s identity %s: out of memory",
				 yang_dnode_get_string(args->dnode, "../name"),
				 deny ? "deny" : "permit", text);
			return NB_ERR_RESOURCE;
		}
		break;
	case NB_EV_ABORT:
		gcks_pattern_free(args->resource->ptr);
		break;
	case NB_EV_APPLY:
		group = group_of(args->dnode);
		gcks_pattern_insert(deny ? &group->deny : &group->permit, args->resource->ptr);
		gcks_server_reconsider();
		break;
	}
	return NB_OK;
}

static int remove_pattern(struct nb_cb_destroy_args *args, bool deny)
{
	struct gcks_group *group;

	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group = group_of(args->dnode);
	gcks_pattern_remove(deny ? &group->deny : &group->permit,
			    yang_dnode_get_string(args->dnode, NULL));
	gcks_server_reconsider();
	return NB_OK;
}

int gcks_nb_group_permit_create(struct nb_cb_create_args *args)
{
	return add_pattern(args, false);
}

int gcks_nb_group_permit_destroy(struct nb_cb_destroy_args *args)
{
	return remove_pattern(args, false);
}

int gcks_nb_group_deny_create(struct nb_cb_create_args *args)
{
	return add_pattern(args, true);
}

int gcks_nb_group_deny_destroy(struct nb_cb_destroy_args *args)
{
	return remove_pattern(args, true);
}

int gcks_nb_group_maximum_members_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group_of(args->dnode)->maximum_members = yang_dnode_get_uint32(args->dnode, NULL);
	gcks_server_reconsider();
	return NB_OK;
}

int gcks_nb_group_maximum_members_destroy(struct nb_cb_destroy_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group_of(args->dnode)->maximum_members = 0;
	gcks_server_reconsider();
	return NB_OK;
}

int gcks_nb_group_registration_hold_time_modify(struct nb_cb_modify_args *args)
{
	if (args->event != NB_EV_APPLY)
		return NB_OK;
	group_of(args->dnode)->registration_hold_time_s = yang_dnode_get_uint32(args->dnode, NULL);
	gcks_server_reconsider();
	return NB_OK;
}
