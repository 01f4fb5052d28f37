// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * /frr-gsa:gsa/state.  A list has one function for all of its leaves; a leaf without a value
 * is left out.  Never a key.
 */
#include <zebra.h>

#include "gcks/northbound.h"

#include "lib/monotime.h"

#include "gcks/client.h"
#include "gcks/mtu.h"
#include "gcks/show.h"

/* ---- leaves ---- */

/* Which leaf is asked for. */
static const char *leaf_of(const struct nb_cb_get_elem_args *args)
{
	const char *slash = strrchr(args->xpath, '/');
	const char *name = slash ? slash + 1 : args->xpath;
	const char *colon = strchr(name, ':');

	return colon ? colon + 1 : name;
}

static struct yang_data *text_or_none(const char *xpath, const char *text)
{
	return text && text[0] ? yang_data_new_string(xpath, text) : NULL;
}

static struct yang_data *number_or_none(const char *xpath, uint32_t number)
{
	return number ? yang_data_new_uint32(xpath, number) : NULL;
}

static struct yang_data *spi_or_none(const char *xpath, uint32_t spi)
{
	char text[16];

	if (!spi)
		return NULL;
	snprintf(text, sizeof(text), "0x%08x", spi);
	return yang_data_new_string(xpath, text);
}

static struct yang_data *time_or_none(const char *xpath, time_t when)
{
	return when ? yang_data_new_date_and_time(xpath, when, false) : NULL;
}

static struct yang_data *address_or_none(const char *xpath, const struct gcks_address *address)
{
	char text[INET6_ADDRSTRLEN];

	return address->length ? yang_data_new_string(xpath, gcks_address_text(address, text))
			       : NULL;
}

static struct yang_data *prefix_data(const char *xpath, const struct gcks_prefix *prefix)
{
	char text[INET6_ADDRSTRLEN + 4];

	return yang_data_new_string(xpath, gcks_prefix_text(prefix, text, sizeof(text)));
}

static void set_key(struct nb_cb_get_keys_args *args, const char *key)
{
	args->keys->num = 1;
	strlcpy(args->keys->key[0], key, sizeof(args->keys->key[0]));
}

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

static uint32_t stale_members(uint32_t identifier)
{
	uint32_t count = 0;

	for (const struct gcks_registration *entry = gcksd.registrations.head; entry;
	     entry = entry->next)
		if (entry->group == identifier && entry->stale)
			count++;
	return count;
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
		return yang_data_new_uint32(args->xpath, stale_members(group->identifier));
	if (!sa)
		return NULL;
	if (strmatch(leaf, "spi"))
		return spi_or_none(args->xpath, sa->spi);
	if (strmatch(leaf, "generation"))
		return yang_data_new_uint32(args->xpath, sa->generation);
	if (strmatch(leaf, "sa-created-at"))
		return time_or_none(args->xpath, sa->created_at);
	return NULL;
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

/* ---- member ---- */

const void *gcks_nb_state_member_next(struct nb_cb_get_next_args *args)
{
	const struct gcks_membership *membership = args->list_entry;

	return membership ? membership->next : gcksd.members.memberships;
}

int gcks_nb_state_member_keys(struct nb_cb_get_keys_args *args)
{
	set_key(args, ((const struct gcks_membership *)args->list_entry)->name);
	return NB_OK;
}

const void *gcks_nb_state_member_lookup(struct nb_cb_lookup_entry_args *args)
{
	return gcks_membership_find(&gcksd.members, args->keys->key[0]);
}

static uint32_t installed_count(const char *group, enum gcks_kernel_kind kind)
{
	uint32_t count = 0;

	for (size_t i = 0; i < gcksd.installed.count; i++)
		if (gcksd.installed.ids[i].kind == kind &&
		    strmatch(gcksd.installed.ids[i].group, group))
			count++;
	return count;
}

struct yang_data *gcks_nb_state_member_leaf(struct nb_cb_get_elem_args *args)
{
	const struct gcks_membership *membership = args->list_entry;
	const struct gcks_member_sa *sa = gcks_membership_active(membership);
	const char *leaf = leaf_of(args);

	if (strmatch(leaf, "group"))
		return yang_data_new_string(args->xpath, membership->name);
	if (strmatch(leaf, "identifier"))
		return number_or_none(args->xpath, gcks_membership_identifier(membership));
	if (strmatch(leaf, "state"))
		return yang_data_new_string(args->xpath, gcks_membership_status_name(membership));
	if (strmatch(leaf, "notify"))
		return membership->notify ? yang_data_new_uint16(args->xpath, membership->notify)
					  : NULL;
	if (strmatch(leaf, "notify-name"))
		return text_or_none(args->xpath, gcks_notify_name(membership->notify));
	if (strmatch(leaf, "reason"))
		return text_or_none(args->xpath, membership->text);
	if (strmatch(leaf, "key-server"))
		return address_or_none(args->xpath, &membership->key_server);
	if (strmatch(leaf, "registered-at"))
		return time_or_none(args->xpath, membership->registered_at);
	if (strmatch(leaf, "spi"))
		return spi_or_none(args->xpath, sa ? sa->spi : 0);
	if (strmatch(leaf, "cipher"))
		return sa ? yang_data_new_string(args->xpath,
						 gcks_transforms_name(sa->encryption,
								      sa->encryption_key_bits,
								      sa->integrity))
			  : NULL;
	if (strmatch(leaf, "replay-protection"))
		return text_or_none(args->xpath, sa ? gcks_replay_protection_name(sa) : NULL);
	if (strmatch(leaf, "reqid"))
		return number_or_none(args->xpath, membership->reqid);
	if (strmatch(leaf, "kernel-states"))
		return yang_data_new_uint32(args->xpath,
					    installed_count(membership->name, GCKS_KERNEL_SA));
	if (strmatch(leaf, "kernel-policies"))
		return yang_data_new_uint32(args->xpath,
					    installed_count(membership->name, GCKS_KERNEL_POLICY));
	return NULL;
}

/* The entry after `entry` of an array; the first one after NULL. */
static const void *array_next(const void *array, size_t count, size_t size, const void *entry)
{
	const char *next = entry ? (const char *)entry + size : array;

	return next && next < (const char *)array + count * size ? next : NULL;
}

const void *gcks_nb_state_export_next(struct nb_cb_get_next_args *args)
{
	const struct gcks_membership *membership = args->parent_list_entry;

	return array_next(membership->exports, membership->export_count,
			  sizeof(*membership->exports), args->list_entry);
}

struct yang_data *gcks_nb_state_export_leaf(struct nb_cb_get_elem_args *args)
{
	return prefix_data(args->xpath, args->list_entry);
}

const void *gcks_nb_state_route_next(struct nb_cb_get_next_args *args)
{
	const struct gcks_membership *membership = args->parent_list_entry;

	return array_next(membership->routes, membership->route_count, sizeof(*membership->routes),
			  args->list_entry);
}

int gcks_nb_state_route_keys(struct nb_cb_get_keys_args *args)
{
	const struct gcks_member_route *route = args->list_entry;
	char text[INET6_ADDRSTRLEN + 4];

	set_key(args, gcks_prefix_text(&route->prefix, text, sizeof(text)));
	return NB_OK;
}

const void *gcks_nb_state_route_lookup(struct nb_cb_lookup_entry_args *args)
{
	const struct gcks_membership *membership = args->parent_list_entry;
	char text[INET6_ADDRSTRLEN + 4];

	for (size_t i = 0; i < membership->route_count; i++)
		if (strmatch(gcks_prefix_text(&membership->routes[i].prefix, text, sizeof(text)),
			     args->keys->key[0]))
			return &membership->routes[i];
	return NULL;
}

static const struct gcks_membership *holder_of(const struct gcks_member_route *route)
{
	const struct gcks_membership *membership = gcksd.members.memberships;

	while (route < membership->routes || route >= membership->routes + membership->route_count)
		membership = membership->next;
	return membership;
}

struct yang_data *gcks_nb_state_route_leaf(struct nb_cb_get_elem_args *args)
{
	const struct gcks_member_route *route = args->list_entry;
	const char *leaf = leaf_of(args);

	if (strmatch(leaf, "prefix"))
		return prefix_data(args->xpath, &route->prefix);
	if (strmatch(leaf, "gateway"))
		return address_or_none(args->xpath, &route->gateway);
	if (strmatch(leaf, "ready"))
		return yang_data_new_bool(args->xpath, route->ready);
	if (strmatch(leaf, "mtu"))
		return number_or_none(args->xpath, gcks_route_mtu(holder_of(route), route));
	return NULL;
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
	const struct gcks_group *group = gcks_policy_find_identifier(&gcksd.policy, sa->group);

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
	if (strmatch(leaf, "sharing") && group)
		return text_or_none(xpath, gcks_sharing_name(group->sharing));
	if (strmatch(leaf, "generation"))
		return yang_data_new_uint32(xpath, sa->generation);
	if (strmatch(leaf, "created-at"))
		return time_or_none(xpath, sa->created_at);
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
