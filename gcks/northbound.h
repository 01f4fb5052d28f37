// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * YANG module frr-gsa: its callbacks.  Configuration goes into gcksd.policy and
 * gcksd.members; strings are taken in the PREPARE phase, so that little can fail later.
 */
#ifndef GCKS_NORTHBOUND_H
#define GCKS_NORTHBOUND_H

#include "lib/northbound.h"

#include "gcks/gcksd.h"

struct prefix;

extern const struct frr_yang_module_info frr_gsa_info;

/* -- northbound.c: for the callbacks of a leaf of type string -- */

/* PREPARE, ABORT: a copy (malloc) into or out of args->resource; nothing in other phases. */
int gcks_nb_prepare_text(struct nb_cb_modify_args *args);
/* APPLY: the copy replaces *text. */
void gcks_nb_apply_text(struct nb_cb_modify_args *args, char **text);

/* -- northbound_group.c -- */

int gcks_nb_group_create(struct nb_cb_create_args *args);
int gcks_nb_group_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_group_identifier_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_identifier_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_group_credential_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_credential_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_group_ca_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_ca_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_group_permit_create(struct nb_cb_create_args *args);
int gcks_nb_group_permit_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_group_deny_create(struct nb_cb_create_args *args);
int gcks_nb_group_deny_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_group_maximum_members_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_maximum_members_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_group_registration_hold_time_modify(struct nb_cb_modify_args *args);

/* -- northbound_group_sa.c: sharing to rekey-missed-maximum -- */

/*
 * Do the leaves of a group in a candidate fit together, when `leaf` gets `value` (NULL: its
 * default; leaf NULL: as they are)?  The commands ask before they edit it, as below.
 */
bool gcks_nb_check_group_sa(const struct lyd_node *group, const char *leaf, const char *value,
			    char *error, size_t error_size);
void gcks_nb_group_sa_defaults(struct gcks_group *group, const struct lyd_node *dnode);

int gcks_nb_group_pre_validate(struct nb_cb_pre_validate_args *args);
int gcks_nb_group_sharing_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_cipher_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_cipher_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_group_lifetime_data_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_rekey_on_join_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_rekey_on_leave_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_activation_delay_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_deactivation_delay_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_sender_id_bits_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_rekey_in_flight_modify(struct nb_cb_modify_args *args);
int gcks_nb_group_rekey_missed_maximum_modify(struct nb_cb_modify_args *args);

/* -- northbound_member.c -- */

/*
 * May the address be the member's local-gateway, and the prefix a protect of it?  `member` is
 * the list entry in a candidate.  The commands ask before they edit it: vtysh -b commits
 * thousands of lines at once, and one that is refused then takes all of them with it.
 */
bool gcks_nb_check_gateway(const struct lyd_node *member, const struct prefix *address, char *error,
			   size_t error_size);
bool gcks_nb_check_protect(const struct lyd_node *member, const struct prefix *protect, char *error,
			   size_t error_size);

#define GCKS_CONNECTIONS_MAX 8 /* max-elements of leaf-list connection */

void gcks_nb_member_init(void); /* after libfrr has checked the callbacks */

int gcks_nb_member_create(struct nb_cb_create_args *args);
int gcks_nb_member_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_member_connection_create(struct nb_cb_create_args *args);
int gcks_nb_member_connection_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_member_connection_move(struct nb_cb_move_args *args);
int gcks_nb_member_gateway_modify(struct nb_cb_modify_args *args);
int gcks_nb_member_gateway_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_member_identifier_modify(struct nb_cb_modify_args *args);
int gcks_nb_member_identifier_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_member_protect_create(struct nb_cb_create_args *args);
int gcks_nb_member_protect_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_member_export_modify(struct nb_cb_modify_args *args);
int gcks_nb_member_prefix_list_modify(struct nb_cb_modify_args *args);
int gcks_nb_member_prefix_list_destroy(struct nb_cb_destroy_args *args);
int gcks_nb_member_retry_time_modify(struct nb_cb_modify_args *args);
int gcks_nb_member_mode_modify(struct nb_cb_modify_args *args);
int gcks_nb_member_initial_exchange_modify(struct nb_cb_modify_args *args);

/* -- northbound_state.c -- */

const void *gcks_nb_state_group_next(struct nb_cb_get_next_args *args);
int gcks_nb_state_group_keys(struct nb_cb_get_keys_args *args);
const void *gcks_nb_state_group_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *gcks_nb_state_group_leaf(struct nb_cb_get_elem_args *args);
const void *gcks_nb_state_registration_next(struct nb_cb_get_next_args *args);
struct yang_data *gcks_nb_state_registration_leaf(struct nb_cb_get_elem_args *args);
const void *gcks_nb_state_sender_id_next(struct nb_cb_get_next_args *args);
struct yang_data *gcks_nb_state_sender_id_leaf(struct nb_cb_get_elem_args *args);
const void *gcks_nb_state_sa_next(struct nb_cb_get_next_args *args);
struct yang_data *gcks_nb_state_sa_leaf(struct nb_cb_get_elem_args *args);
const void *gcks_nb_state_daemon_next(struct nb_cb_get_next_args *args);
int gcks_nb_state_daemon_keys(struct nb_cb_get_keys_args *args);
const void *gcks_nb_state_daemon_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *gcks_nb_state_daemon_leaf(struct nb_cb_get_elem_args *args);

/* -- northbound_state_member.c -- */

const void *gcks_nb_state_member_next(struct nb_cb_get_next_args *args);
int gcks_nb_state_member_keys(struct nb_cb_get_keys_args *args);
const void *gcks_nb_state_member_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *gcks_nb_state_member_leaf(struct nb_cb_get_elem_args *args);
const void *gcks_nb_state_export_next(struct nb_cb_get_next_args *args);
struct yang_data *gcks_nb_state_export_leaf(struct nb_cb_get_elem_args *args);
const void *gcks_nb_state_route_next(struct nb_cb_get_next_args *args);
int gcks_nb_state_route_keys(struct nb_cb_get_keys_args *args);
const void *gcks_nb_state_route_lookup(struct nb_cb_lookup_entry_args *args);
struct yang_data *gcks_nb_state_route_leaf(struct nb_cb_get_elem_args *args);
const void *gcks_nb_state_member_sa_next(struct nb_cb_get_next_args *args);
struct yang_data *gcks_nb_state_member_sa_leaf(struct nb_cb_get_elem_args *args);

/* -- northbound_event.c -- */

int gcks_nb_clear_member(struct nb_cb_rpc_args *args);
int gcks_nb_rekey_group(struct nb_cb_rpc_args *args);

#endif
