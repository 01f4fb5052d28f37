// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /frr-gsa:gsa/state.  A list has one function for all of its leaves; a leaf without a value
 * is left out.  Never a key.
 */
#include <zebra.h>

#include "gcks/northbound_state.h"

#include "lib/monotime.h"

#include "gcks/client.h"
#include "gcks/server.h"
#include "gcks/show.h"

/* ---- group ---- */

const void *gcks_nb_state_group_next(struct nb_cb_get_next_args *args)
{
	const struct gcks_group *group = args->list_entry;

	return group ? group->next : gcksd.policy.groups;
}

int gcks_nb_state_group_keys(struct nb_cb_get_keys_args *args)
{
	set_key(args, ((const struct gcks_group *)args->list_entry)->name);
	return NB_OK;
}

const void *gcks_nb_state_group_lookup(struct nb_cb_lookup_entry_args *args)
{
	return gcks_policy_find(&gcksd.policy, args->keys->key[0]);
}

static struct yang_data *rekey_leaf(const char *xpath, const char *leaf,
				    const struct gcks_sa_group *sas)
{
	struct gcks_rekey_status status = gcks_rekey_status(&gcks_server_tables, sas);
	char reasons[96];

	if (strmatch(leaf, "rekey-state"))
		return yang_data_new_string(xpath, gcks_rekey_phase_name(status.phase));
	if (strmatch(leaf, "rekey-reason") && status.reasons)
		return yang_data_new_string(
			xpath, gcks_rekey_reasons(status.reasons, reasons, sizeof(reasons)));
	if (strmatch(leaf, "rekey-acknowledged"))
		return yang_data_new_uint32(xpath, status.acknowledged);
	if (strmatch(leaf, "rekey-members"))
		return yang_data_new_uint32(xpath, status.members);
	if (strmatch(leaf, "sender-ids-given") && gcks_sa_pairwise(sas->newest))
		return yang_data_new_uint32(xpath, sas->sender_id_next);
	return NULL;
}

struct yang_data *gcks_nb_state_group_leaf(struct nb_cb_get_elem_args *args)
{
	const struct gcks_group *group = args->list_entry;
	const struct gcks_sa *sa =
		group->identifier ? gcks_sa_current(&gcksd.sas, group->identifier) : NULL;
	const char *leaf = leaf_of(args);

	if (strmatch(leaf, "name"))
		return yang_data_new_string(args->xpath, group->name);
	if (strmatch(leaf, "identifier"))
		return number_or_none(args->xpath, group->identifier);
	if (strmatch(leaf, "registered-members"))
		return yang_data_new_uint32(
			args->xpath,
			gcks_registration_count(&gcksd.registrations, group->identifier));
	if (strmatch(leaf, "stale-members"))
		return yang_data_new_uint32(
			args->xpath,
			gcks_registration_stale_count(&gcksd.registrations, group->identifier));
	if (!sa)
		return NULL;
	if (strmatch(leaf, "spi"))
		return spi_or_none(args->xpath, sa->spi);
	if (strmatch(leaf, "generation"))
		return yang_data_new_uint32(args->xpath, sa->generation);
	if (strmatch(leaf, "sa-created-at"))
		return time_or_none(args->xpath, sa->created_at);
	if (strmatch(leaf, "lifetime-left"))
		return number_or_none(args->xpath, gcks_sa_lifetime_left_s(sa, gcks_now_ms()));
	return rekey_leaf(args->xpath, leaf, gcks_sa_group_find(&gcksd.sas, group->identifier));
}

/* ---- registration ---- */

const void *gcks_nb_state_registration_next(struct nb_cb_get_next_args *args)
{
	const struct gcks_registration *entry = args->list_entry;

	return entry ? entry->next : gcksd.registrations.head;
}

struct yang_data *gcks_nb_state_registration_leaf(struct nb_cb_get_elem_args *args)
{
	const struct gcks_registration *entry = args->list_entry;
	const char *leaf = leaf_of(args);

	if (strmatch(leaf, "group"))
		return yang_data_new_string(args->xpath, gcks_group_label(entry->group));
	if (strmatch(leaf, "identifier"))
		return number_or_none(args->xpath, entry->group);
	if (strmatch(leaf, "identity"))
		return text_or_none(args->xpath, entry->identity);
	if (strmatch(leaf, "address"))
		return address_or_none(args->xpath, &entry->address);
	if (strmatch(leaf, "credential"))
		return text_or_none(args->xpath, gcks_credential_name(entry->credential));
	if (strmatch(leaf, "ike-sa"))
		return number_or_none(args->xpath, entry->ike_sa);
	if (strmatch(leaf, "registered-at"))
		return time_or_none(args->xpath, entry->registered_at);
	if (strmatch(leaf, "generation"))
		return number_or_none(args->xpath, entry->delivered);
	if (strmatch(leaf, "delivery"))
		return text_or_none(args->xpath, gcks_delivery_name(entry->delivery));
	if (strmatch(leaf, "missed"))
		return yang_data_new_uint32(args->xpath, entry->missed);
	if (!entry->stale)
		return NULL;
	if (strmatch(leaf, "stale"))
		return yang_data_new_bool(args->xpath, true);
	if (strmatch(leaf, "stale-remaining"))
		return yang_data_new_uint32(args->xpath,
					    MAX(entry->stale_until - (int64_t)monotime(NULL), 0));
	return NULL;
}

const void *gcks_nb_state_sender_id_next(struct nb_cb_get_next_args *args)
{
	const struct gcks_registration *entry = args->parent_list_entry;

	return array_next(entry->sender_ids, entry->sender_id_count, sizeof(*entry->sender_ids),
			  args->list_entry);
}

struct yang_data *gcks_nb_state_sender_id_leaf(struct nb_cb_get_elem_args *args)
{
	return yang_data_new_uint32(args->xpath, *(const uint32_t *)args->list_entry);
}

/* ---- sa: first those of the key server, then those received; an entry is one or the other ---- */

static const struct gcks_sa *made_here(const void *entry)
{
	for (const struct gcks_sa *sa = gcksd.sas.head; sa; sa = sa->next)
		if (sa == entry)
			return sa;
	return NULL;
}

/* Whose SA it is. */
static const struct gcks_membership *holder(const struct gcks_member_sa *sa)
{
	const struct gcks_membership *membership = gcksd.members.memberships;

	for (; membership; membership = membership->next)
		for (const struct gcks_member_sa *each = membership->sas; each; each = each->next)
			if (each == sa)
				return membership;
	return NULL;
}

static const struct gcks_member_sa *first_held(const struct gcks_membership *membership)
{
	while (membership && !membership->sas)
		membership = membership->next;
	return membership ? membership->sas : NULL;
}

const void *gcks_nb_state_sa_next(struct nb_cb_get_next_args *args)
{
	const struct gcks_sa *made = made_here(args->list_entry);
	const struct gcks_member_sa *held = args->list_entry;

	if (!args->list_entry && gcksd.sas.head)
		return gcksd.sas.head;
	if (made && made->next)
		return made->next;
	if (made || !held)
		return first_held(gcksd.members.memberships);
	return held->next ? held->next : first_held(holder(held)->next);
}

static struct yang_data *made_sa_leaf(const char *xpath, const char *leaf, const struct gcks_sa *sa)
{
	if (strmatch(leaf, "group"))
		return yang_data_new_string(xpath, gcks_group_label(sa->group));
	if (strmatch(leaf, "role"))
		return yang_data_new_string(xpath, "key-server");
	if (strmatch(leaf, "spi"))
		return spi_or_none(xpath, sa->spi);
	if (strmatch(leaf, "cipher"))
		return yang_data_new_string(xpath, gcks_transforms_name(sa->encryption,
									sa->encryption_key_bits,
									sa->integrity));
	if (strmatch(leaf, "sharing"))
		return yang_data_new_string(xpath, gcks_sharing_name(gcks_sa_pairwise(sa)
									     ? GCKS_SHARING_PAIRWISE
									     : GCKS_SHARING_GROUP));
	if (strmatch(leaf, "generation"))
		return yang_data_new_uint32(xpath, sa->generation);
	if (strmatch(leaf, "created-at"))
		return time_or_none(xpath, sa->created_at);
	if (strmatch(leaf, "lifetime"))
		return number_or_none(xpath, gcks_sa_lifetime_left_s(sa, gcks_now_ms()));
	return NULL;
}

struct yang_data *gcks_nb_state_sa_leaf(struct nb_cb_get_elem_args *args)
{
	const struct gcks_sa *made = made_here(args->list_entry);
	const struct gcks_member_sa *sa = args->list_entry;
	const char *leaf = leaf_of(args);

	if (made)
		return made_sa_leaf(args->xpath, leaf, made);
	if (strmatch(leaf, "group"))
		return yang_data_new_string(args->xpath, holder(sa)->name);
	if (strmatch(leaf, "role"))
		return yang_data_new_string(args->xpath, "member");
	if (strmatch(leaf, "spi"))
		return spi_or_none(args->xpath, sa->spi);
	if (strmatch(leaf, "cipher"))
		return yang_data_new_string(
			args->xpath, gcks_transforms_name(sa->encryption, sa->encryption_key_bits,
							  sa->integrity));
	if (strmatch(leaf, "sharing"))
		return yang_data_new_string(args->xpath,
					    gcks_sharing_name(sa->pairwise ? GCKS_SHARING_PAIRWISE
									   : GCKS_SHARING_GROUP));
	if (strmatch(leaf, "lifetime"))
		return number_or_none(args->xpath, gcks_member_sa_lifetime_s(sa, gcks_now_ms()));
	return NULL;
}

/* ---- daemon ---- */

static const struct client {
	const char *name;
	Gsa__Role role;
} clients[] = {
	{ "charon", GSA__ROLE__ROLE_CHARON },
	{ "bgpd", GSA__ROLE__ROLE_BGPD },
};

const void *gcks_nb_state_daemon_next(struct nb_cb_get_next_args *args)
{
	return array_next(clients, array_size(clients), sizeof(clients[0]), args->list_entry);
}

int gcks_nb_state_daemon_keys(struct nb_cb_get_keys_args *args)
{
	set_key(args, ((const struct client *)args->list_entry)->name);
	return NB_OK;
}

const void *gcks_nb_state_daemon_lookup(struct nb_cb_lookup_entry_args *args)
{
	for (size_t i = 0; i < array_size(clients); i++)
		if (strmatch(clients[i].name, args->keys->key[0]))
			return &clients[i];
	return NULL;
}

struct yang_data *gcks_nb_state_daemon_leaf(struct nb_cb_get_elem_args *args)
{
	static const char *const states[] = {
		[GCKS_CLIENT_AWAY] = "away",
		[GCKS_CLIENT_SYNC] = "synchronising",
		[GCKS_CLIENT_UP] = "up",
	};
	const struct client *client = args->list_entry;
	const struct gcks_client_status *status = gcks_local_status(client->role);
	const char *leaf = leaf_of(args);

	if (strmatch(leaf, "name"))
		return yang_data_new_string(args->xpath, client->name);
	if (strmatch(leaf, "state"))
		return yang_data_new_string(args->xpath, states[status->state]);
	if (strmatch(leaf, "software"))
		return text_or_none(args->xpath, status->software);
	if (strmatch(leaf, "since-seconds"))
		return yang_data_new_uint32(args->xpath, MAX(monotime(NULL) - status->since, 0));
	if (strmatch(leaf, "received"))
		return yang_data_new_uint64(args->xpath, status->received);
	if (strmatch(leaf, "sent"))
		return yang_data_new_uint64(args->xpath, status->sent);
	if (strmatch(leaf, "dropped"))
		return yang_data_new_uint64(args->xpath, status->dropped);
	return NULL;
}
