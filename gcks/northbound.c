// SPDX-License-Identifier: GPL-2.0-or-later
/* YANG module frr-gsa: which node has which callbacks. */
#include <zebra.h>

#include "gcks/northbound.h"

#include "gcks/cli.h"

/* The table of C values is the proto's and the policy's; YANG states the same numbers. */
_Static_assert(GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE == 1 &&
		       GSA__CREDENTIAL__CREDENTIAL_PSK == 2 &&
		       GSA__CREDENTIAL__CREDENTIAL_PUBLIC_KEY == 3 &&
		       GSA__CREDENTIAL__CREDENTIAL_EAP == 4,
	       "typedef credential of frr-gsa.yang");
_Static_assert(GSA__EXPORT_MODE__EXPORT_NONE == 0 && GSA__EXPORT_MODE__EXPORT_CONNECTED == 1 &&
		       GSA__EXPORT_MODE__EXPORT_PREFIX_LIST == 2,
	       "typedef export of frr-gsa.yang");
_Static_assert(GCKS_MODE_FAIL_CLOSED == 0 && GCKS_MODE_RECEIVE_ONLY == 1 && GCKS_MODE_PASSIVE == 2,
	       "typedef mode of frr-gsa.yang");
_Static_assert(GCKS_SHARING_GROUP == 0 && GCKS_SHARING_PAIRWISE == 1,
	       "typedef sharing of frr-gsa.yang");
_Static_assert(GCKS_CIPHER_AES256CBC_SHA256 == 0 && GCKS_CIPHER_AES128CBC_SHA256 == 1 &&
		       GCKS_CIPHER_AES256GCM16 == 2 && GCKS_CIPHER_AES128GCM16 == 3 &&
		       GCKS_CIPHER_CHACHA20POLY1305 == 4,
	       "typedef cipher of frr-gsa.yang");

int gcks_nb_prepare_text(struct nb_cb_modify_args *args)
{
	if (args->event == NB_EV_PREPARE) {
		/* malloc: the tables are plain C and free it themselves */
		args->resource->ptr = strdup(yang_dnode_get_string(args->dnode, NULL));
		if (!args->resource->ptr) {
			snprintf(args->errmsg, args->errmsg_len, "%s: out of memory",
				 args->dnode->schema->name);
			return NB_ERR_RESOURCE;
		}
	} else if (args->event == NB_EV_ABORT) {
		free(args->resource->ptr);
		args->resource->ptr = NULL;
	}
	return NB_OK;
}

void gcks_nb_apply_text(struct nb_cb_modify_args *args, char **text)
{
	free(*text);
	*text = args->resource->ptr;
	args->resource->ptr = NULL;
}

/* clang-format off */
const struct frr_yang_module_info frr_gsa_info = {
	.name = "frr-gsa",
	.nodes = {
		{ .xpath = "/frr-gsa:gsa/group", .cbs = {
			.create = gcks_nb_group_create,
			.destroy = gcks_nb_group_destroy,
			.pre_validate = gcks_nb_group_pre_validate,
			.cli_show = gcks_cli_group_show,
			.cli_show_end = gcks_cli_block_end } },
		{ .xpath = "/frr-gsa:gsa/group/identifier", .cbs = {
			.modify = gcks_nb_group_identifier_modify,
			.destroy = gcks_nb_group_identifier_destroy } },
		{ .xpath = "/frr-gsa:gsa/group/credential", .cbs = {
			.modify = gcks_nb_group_credential_modify,
			.destroy = gcks_nb_group_credential_destroy } },
		{ .xpath = "/frr-gsa:gsa/group/ca", .cbs = {
			.modify = gcks_nb_group_ca_modify,
			.destroy = gcks_nb_group_ca_destroy } },
		{ .xpath = "/frr-gsa:gsa/group/permit-identity", .cbs = {
			.create = gcks_nb_group_permit_create,
			.destroy = gcks_nb_group_permit_destroy } },
		{ .xpath = "/frr-gsa:gsa/group/deny-identity", .cbs = {
			.create = gcks_nb_group_deny_create,
			.destroy = gcks_nb_group_deny_destroy } },
		{ .xpath = "/frr-gsa:gsa/group/sharing", .cbs.modify =
			gcks_nb_group_sharing_modify },
		{ .xpath = "/frr-gsa:gsa/group/cipher", .cbs = {
			.modify = gcks_nb_group_cipher_modify,
			.destroy = gcks_nb_group_cipher_destroy } },
		{ .xpath = "/frr-gsa:gsa/group/lifetime-data", .cbs.modify =
			gcks_nb_group_lifetime_data_modify },
		{ .xpath = "/frr-gsa:gsa/group/rekey-on-join", .cbs.modify =
			gcks_nb_group_rekey_on_join_modify },
		{ .xpath = "/frr-gsa:gsa/group/rekey-on-leave", .cbs.modify =
			gcks_nb_group_rekey_on_leave_modify },
		{ .xpath = "/frr-gsa:gsa/group/activation-delay", .cbs.modify =
			gcks_nb_group_activation_delay_modify },
		{ .xpath = "/frr-gsa:gsa/group/deactivation-delay", .cbs.modify =
			gcks_nb_group_deactivation_delay_modify },
		{ .xpath = "/frr-gsa:gsa/group/sender-id-bits", .cbs.modify =
			gcks_nb_group_sender_id_bits_modify },
		{ .xpath = "/frr-gsa:gsa/group/rekey-in-flight", .cbs.modify =
			gcks_nb_group_rekey_in_flight_modify },
		{ .xpath = "/frr-gsa:gsa/group/rekey-missed-maximum", .cbs.modify =
			gcks_nb_group_rekey_missed_maximum_modify },
		{ .xpath = "/frr-gsa:gsa/group/maximum-members", .cbs = {
			.modify = gcks_nb_group_maximum_members_modify,
			.destroy = gcks_nb_group_maximum_members_destroy } },
		{ .xpath = "/frr-gsa:gsa/group/registration-hold-time", .cbs.modify =
			gcks_nb_group_registration_hold_time_modify },

		{ .xpath = "/frr-gsa:gsa/member", .cbs = {
			.create = gcks_nb_member_create,
			.destroy = gcks_nb_member_destroy,
			.cli_show = gcks_cli_member_show,
			.cli_show_end = gcks_cli_block_end } },
		{ .xpath = "/frr-gsa:gsa/member/connection", .cbs = {
			.create = gcks_nb_member_connection_create,
			.destroy = gcks_nb_member_connection_destroy,
			.move = gcks_nb_member_connection_move } },
		{ .xpath = "/frr-gsa:gsa/member/local-gateway", .cbs = {
			.modify = gcks_nb_member_gateway_modify,
			.destroy = gcks_nb_member_gateway_destroy } },
		{ .xpath = "/frr-gsa:gsa/member/identifier", .cbs = {
			.modify = gcks_nb_member_identifier_modify,
			.destroy = gcks_nb_member_identifier_destroy } },
		{ .xpath = "/frr-gsa:gsa/member/protect", .cbs = {
			.create = gcks_nb_member_protect_create,
			.destroy = gcks_nb_member_protect_destroy } },
		{ .xpath = "/frr-gsa:gsa/member/export", .cbs.modify =
			gcks_nb_member_export_modify },
		{ .xpath = "/frr-gsa:gsa/member/prefix-list", .cbs = {
			.modify = gcks_nb_member_prefix_list_modify,
			.destroy = gcks_nb_member_prefix_list_destroy } },
		{ .xpath = "/frr-gsa:gsa/member/retry-time", .cbs.modify =
			gcks_nb_member_retry_time_modify },
		{ .xpath = "/frr-gsa:gsa/member/mode", .cbs.modify =
			gcks_nb_member_mode_modify },
		{ .xpath = "/frr-gsa:gsa/member/initial-exchange", .cbs.modify =
			gcks_nb_member_initial_exchange_modify },

		{ .xpath = "/frr-gsa:gsa/state/group", .cbs = {
			.get_next = gcks_nb_state_group_next,
			.get_keys = gcks_nb_state_group_keys,
			.lookup_entry = gcks_nb_state_group_lookup } },
#define GROUP(leaf) { .xpath = "/frr-gsa:gsa/state/group/" leaf, .cbs.get_elem = gcks_nb_state_group_leaf }
		GROUP("name"), GROUP("identifier"), GROUP("registered-members"),
		GROUP("stale-members"), GROUP("spi"), GROUP("generation"), GROUP("sa-created-at"),
		GROUP("lifetime-left"), GROUP("rekey-state"), GROUP("rekey-reason"),
		GROUP("rekey-acknowledged"), GROUP("rekey-members"), GROUP("sender-ids-given"),
#undef GROUP
		{ .xpath = "/frr-gsa:gsa/state/registration", .cbs.get_next =
			gcks_nb_state_registration_next },
#define REGISTRATION(leaf) { .xpath = "/frr-gsa:gsa/state/registration/" leaf, \
	.cbs.get_elem = gcks_nb_state_registration_leaf }
		REGISTRATION("group"), REGISTRATION("identifier"), REGISTRATION("identity"),
		REGISTRATION("address"), REGISTRATION("credential"), REGISTRATION("ike-sa"),
		REGISTRATION("registered-at"), REGISTRATION("stale"),
		REGISTRATION("stale-remaining"), REGISTRATION("generation"),
		REGISTRATION("delivery"), REGISTRATION("missed"),
#undef REGISTRATION
		{ .xpath = "/frr-gsa:gsa/state/registration/sender-id", .cbs = {
			.get_next = gcks_nb_state_sender_id_next,
			.get_elem = gcks_nb_state_sender_id_leaf } },
		{ .xpath = "/frr-gsa:gsa/state/member", .cbs = {
			.get_next = gcks_nb_state_member_next,
			.get_keys = gcks_nb_state_member_keys,
			.lookup_entry = gcks_nb_state_member_lookup } },
#define MEMBER(leaf) { .xpath = "/frr-gsa:gsa/state/member/" leaf, .cbs.get_elem = gcks_nb_state_member_leaf }
		MEMBER("group"), MEMBER("identifier"), MEMBER("state"), MEMBER("notify"),
		MEMBER("notify-name"), MEMBER("reason"), MEMBER("key-server"),
		MEMBER("registered-at"), MEMBER("spi"), MEMBER("cipher"), MEMBER("replay-protection"), MEMBER("reqid"),
		MEMBER("kernel-states"), MEMBER("kernel-policies"), MEMBER("connection-in-use"),
		MEMBER("sender-id"), MEMBER("conflict"), MEMBER("lost-states"),
		MEMBER("lost-states-reason"), MEMBER("lost-states-wait"),
#undef MEMBER
		{ .xpath = "/frr-gsa:gsa/state/member/sa", .cbs.get_next =
			gcks_nb_state_member_sa_next },
#define MEMBER_SA(leaf) { .xpath = "/frr-gsa:gsa/state/member/sa/" leaf, \
	.cbs.get_elem = gcks_nb_state_member_sa_leaf }
		MEMBER_SA("spi"), MEMBER_SA("phase"), MEMBER_SA("age"), MEMBER_SA("lifetime-left"),
		MEMBER_SA("cipher"), MEMBER_SA("sharing"), MEMBER_SA("replay-protection"),
#undef MEMBER_SA
		{ .xpath = "/frr-gsa:gsa/state/member/exported-prefix", .cbs = {
			.get_next = gcks_nb_state_export_next,
			.get_elem = gcks_nb_state_export_leaf } },
		{ .xpath = "/frr-gsa:gsa/state/member/route", .cbs = {
			.get_next = gcks_nb_state_route_next,
			.get_keys = gcks_nb_state_route_keys,
			.lookup_entry = gcks_nb_state_route_lookup } },
#define ROUTE(leaf) { .xpath = "/frr-gsa:gsa/state/member/route/" leaf, .cbs.get_elem = gcks_nb_state_route_leaf }
		ROUTE("prefix"), ROUTE("gateway"), ROUTE("sender-id"), ROUTE("ready"), ROUTE("mtu"),
#undef ROUTE
		{ .xpath = "/frr-gsa:gsa/state/sa", .cbs.get_next = gcks_nb_state_sa_next },
#define SA(leaf) { .xpath = "/frr-gsa:gsa/state/sa/" leaf, .cbs.get_elem = gcks_nb_state_sa_leaf }
		SA("group"), SA("role"), SA("spi"), SA("cipher"), SA("sharing"), SA("generation"),
		SA("created-at"), SA("lifetime"),
#undef SA
		{ .xpath = "/frr-gsa:gsa/state/daemon", .cbs = {
			.get_next = gcks_nb_state_daemon_next,
			.get_keys = gcks_nb_state_daemon_keys,
			.lookup_entry = gcks_nb_state_daemon_lookup } },
#define DAEMON(leaf) { .xpath = "/frr-gsa:gsa/state/daemon/" leaf, .cbs.get_elem = gcks_nb_state_daemon_leaf }
		DAEMON("name"), DAEMON("state"), DAEMON("software"), DAEMON("since-seconds"),
		DAEMON("received"), DAEMON("sent"), DAEMON("dropped"),
#undef DAEMON

		{ .xpath = "/frr-gsa:clear-member", .cbs.rpc = gcks_nb_clear_member },
		{ .xpath = "/frr-gsa:rekey-group", .cbs.rpc = gcks_nb_rekey_group },
		{ .xpath = NULL },
	},
};
/* clang-format on */
