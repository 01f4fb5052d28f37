// SPDX-License-Identifier: GPL-2.0-or-later
/* /frr-gsa:clear-member, /frr-gsa:rekey-group, and the notifications. */
#include <zebra.h>

#include "gcks/northbound.h"

#include "lib/linklist.h"
#include "lib/log.h"

/* A group that is served; NULL: the error says why it is not. */
static const struct gcks_group *served_group(struct nb_cb_rpc_args *args)
{
	const char *name = yang_dnode_get_string(args->input, "group");
	const struct gcks_group *group = gcks_policy_find(&gcksd.policy, name);

	if (group && group->identifier)
		return group;
	snprintf(args->errmsg, args->errmsg_len, "group %s is not %s", name,
		 group ? "served: it has no identifier"
		       : "configured; show gsa group lists those that are");
	return NULL;
}

/* ---- clear-member ---- */

int gcks_nb_clear_member(struct nb_cb_rpc_args *args)
{
	const char *identity = yang_dnode_get_string(args->input, "identity");
	const struct gcks_group *group = NULL;
	char where[96] = "with this key server";
	unsigned int ended;
	char number[16];

	if (yang_dnode_exists(args->input, "group")) {
		/* identifier 0 would mean all groups */
		group = served_group(args);
		if (!group)
			return NB_ERR_NOT_FOUND;
		snprintf(where, sizeof(where), "in group %s", group->name);
	}
	ended = gcks_server_clear(identity, group ? group->identifier : 0);
	if (!ended) {
		snprintf(args->errmsg, args->errmsg_len,
			 "%s is not registered %s; show gsa registrations lists who is", identity,
			 where);
		return NB_ERR_NOT_FOUND;
	}
	snprintf(number, sizeof(number), "%u", ended);
	yang_dnode_rpc_output_add(args->output, "ended-registrations", number);
	return NB_OK;
}

/* ---- rekey-group ---- */

int gcks_nb_rekey_group(struct nb_cb_rpc_args *args)
{
	const struct gcks_group *group = served_group(args);

	if (!group)
		return NB_ERR_NOT_FOUND;
	if (!gcks_registration_count(&gcksd.registrations, group->identifier)) {
		snprintf(args->errmsg, args->errmsg_len,
			 "group %s has no registered member who could be told a new SA",
			 group->name);
		return NB_ERR_NOT_FOUND;
	}
	if (!gcks_server_rekey(group->identifier)) {
		snprintf(args->errmsg, args->errmsg_len,
			 "group %s has no SA yet: its first member gets the first one",
			 group->name);
		return NB_ERR_NOT_FOUND;
	}
	return NB_OK;
}

/* ---- notifications ---- */

/* As a subscriber gets it, for `debug gsa server`. */
static void log_notification(const char *notification, const struct list *arguments)
{
	struct lyd_node *root = NULL, *node;
	const struct yang_data *argument;
	const struct listnode *at;
	LY_ERR fault = LY_SUCCESS;
	char *text = NULL;

	for (ALL_LIST_ELEMENTS_RO(arguments, at, argument)) {
		if (fault == LY_SUCCESS)
			fault = lyd_new_path(root, ly_native_ctx, argument->xpath, argument->value,
					     LYD_NEW_PATH_UPDATE, &node);
		for (; fault == LY_SUCCESS && !root; node = lyd_parent(node))
			root = lyd_parent(node) ? NULL : node;
	}
	if (fault == LY_SUCCESS)
		fault = lyd_validate_op(root, NULL, LYD_TYPE_NOTIF_YANG, NULL);
	if (fault == LY_SUCCESS)
		fault = lyd_print_mem(&text, root, LYD_JSON, LYD_PRINT_SHRINK);
	if (fault == LY_SUCCESS && text)
		zlog_debug("GSA: notification %s", text);
	else
		zlog_err("GSA: notification %s is not what YANG says: %s", notification,
			 ly_strerrcode(fault));
	free(text);
	lyd_free_all(root);
}

static void tell(const char *notification, struct list *arguments)
{
	if (gcks_debug.server)
		log_notification(notification, arguments);
	nb_notification_send(notification, arguments);
}

static void add(struct list *arguments, const char *notification, const char *leaf,
		const char *value)
{
	char xpath[XPATH_MAXLEN], text[256];

	if (!value || !value[0])
		return;
	snprintf(xpath, sizeof(xpath), "%s/%s", notification, leaf);
	/* a string of YANG is UTF-8 without control characters, whatever a peer calls itself */
	strlcpy(text, value, sizeof(text));
	for (char *octet = text; *octet; octet++)
		if (*octet < ' ' || *octet > '~')
			*octet = '?';
	listnode_add(arguments, yang_data_new_string(xpath, text));
}

void gcks_notify_member(enum gcks_member_event event, const char *group, const char *identity,
			const struct gcks_address *address, uint16_t notify, const char *reason)
{
	static const char *const notifications[] = {
		[GCKS_MEMBER_REGISTERED] = "/frr-gsa:member-registered",
		[GCKS_MEMBER_REMOVED] = "/frr-gsa:member-removed",
		[GCKS_MEMBER_REFUSED] = "/frr-gsa:member-refused",
	};
	struct list *arguments = yang_data_list_new();
	const char *notification = notifications[event];
	char text[INET6_ADDRSTRLEN];

	add(arguments, notification, "group", group);
	add(arguments, notification, "identity", identity);
	if (address && address->length)
		add(arguments, notification, "address", gcks_address_text(address, text));
	if (event == GCKS_MEMBER_REFUSED) {
		snprintf(text, sizeof(text), "%u", notify);
		add(arguments, notification, "notify", text);
	}
	if (event != GCKS_MEMBER_REGISTERED)
		add(arguments, notification, "reason", reason);
	tell(notification, arguments);
}

static void add_number(struct list *arguments, const char *notification, const char *leaf,
		       uint32_t value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	add(arguments, notification, leaf, text);
}

void gcks_notify_rekey(const char *group, uint32_t generation, unsigned int members,
		       unsigned int unanswered)
{
	static const char notification[] = "/frr-gsa:rekey-done";
	struct list *arguments = yang_data_list_new();

	add(arguments, notification, "group", group);
	add_number(arguments, notification, "generation", generation);
	add_number(arguments, notification, "members", members);
	add_number(arguments, notification, "unanswered", unanswered);
	tell(notification, arguments);
}
