// SPDX-License-Identifier: GPL-2.0-or-later
/* /frr-gsa:gsa/state/member: memberships, their SAs, exports and routes. */
#include <zebra.h>

#include "gcks/northbound_state.h"

#include "gcks/client.h"
#include "gcks/mtu.h"
#include "gcks/names.h"

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
	if (strmatch(leaf, "connection-in-use"))
		return text_or_none(args->xpath, membership->connection_in_use);
	if (strmatch(leaf, "sender-id"))
		return membership->has_sender_id
			       ? yang_data_new_uint32(args->xpath, membership->sender_id)
			       : NULL;
	if (strmatch(leaf, "conflict"))
		return text_or_none(args->xpath, gcks_membership_conflict(membership));
	if (strmatch(leaf, "lost-states"))
		return number_or_none(args->xpath, membership->losses.count);
	if (strmatch(leaf, "lost-states-reason"))
		return text_or_none(args->xpath, membership->losses.text);
	if (strmatch(leaf, "lost-states-wait"))
		return number_or_none(args->xpath,
				      gcks_backoff_wait_s(&membership->losses.backoff,
							  gcks_now_ms()));
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
		return yang_data_new_uint32(
			args->xpath,
			gcks_kernel_ids_of(&gcksd.installed, membership->name, GCKS_KERNEL_SA));
	if (strmatch(leaf, "kernel-policies"))
		return yang_data_new_uint32(
			args->xpath,
			gcks_kernel_ids_of(&gcksd.installed, membership->name, GCKS_KERNEL_POLICY));
	return NULL;
}

const void *gcks_nb_state_member_sa_next(struct nb_cb_get_next_args *args)
{
	const struct gcks_membership *membership = args->parent_list_entry;
	const struct gcks_member_sa *sa = args->list_entry;

	return sa ? sa->next : membership->sas;
}

struct yang_data *gcks_nb_state_member_sa_leaf(struct nb_cb_get_elem_args *args)
{
	const struct gcks_member_sa *sa = args->list_entry;
	const char *leaf = leaf_of(args);
	int64_t now = gcks_now_ms();

	if (strmatch(leaf, "spi"))
		return spi_or_none(args->xpath, sa->spi);
	if (strmatch(leaf, "phase"))
		return text_or_none(args->xpath, gcks_sa_phase_name(sa->phase));
	if (strmatch(leaf, "age"))
		return yang_data_new_uint32(args->xpath,
					    (uint32_t)((now - sa->received_at) / 1000));
	if (strmatch(leaf, "lifetime-left"))
		return number_or_none(args->xpath, gcks_member_sa_lifetime_s(sa, now));
	if (strmatch(leaf, "cipher"))
		return text_or_none(args->xpath,
				    gcks_transforms_name(sa->encryption, sa->encryption_key_bits,
							 sa->integrity));
	if (strmatch(leaf, "sharing"))
		return text_or_none(args->xpath,
				    gcks_sharing_name(sa->pairwise ? GCKS_SHARING_PAIRWISE
								   : GCKS_SHARING_GROUP));
	if (strmatch(leaf, "replay-protection"))
		return text_or_none(args->xpath, gcks_replay_protection_name(sa));
	return NULL;
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
	if (strmatch(leaf, "sender-id"))
		return route->has_sender_id ? yang_data_new_uint32(args->xpath, route->sender_id)
					    : NULL;
	if (strmatch(leaf, "ready"))
		return yang_data_new_bool(args->xpath, route->ready);
	if (strmatch(leaf, "mtu"))
		return number_or_none(args->xpath, gcks_route_mtu(holder_of(route), route));
	return NULL;
}
