// SPDX-License-Identifier: GPL-2.0-or-later
/* Member: what charon is told to join, and to leave. */
#include <zebra.h>

#include "lib/memory.h"

#include "gcks/client.h"
#include "libgsa/message.h"

/* What charon was told. */
struct joined {
	struct joined *next;
	char *group;
	uint8_t *packed; /* the Join */
	size_t length;
};

static struct joined *joins;

bool gcks_client_is_complete(const struct gcks_membership *membership)
{
	return membership && membership->connection_count && membership->gateway.length;
}

static void free_joined(struct joined **at)
{
	struct joined *joined = *at;

	*at = joined->next;
	XFREE(MTYPE_TMP, joined->group);
	XFREE(MTYPE_TMP, joined->packed);
	XFREE(MTYPE_TMP, joined);
}

static struct joined **find_joined(const char *group)
{
	struct joined **at = &joins;

	while (*at && strcmp((*at)->group, group) != 0)
		at = &(*at)->next;
	return at;
}

static void leave(struct joined **at)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Leave leave = GSA__LEAVE__INIT;

	leave.group = (*at)->group;
	message.body_case = GSA__MESSAGE__BODY_LEAVE;
	message.leave = &leave;
	gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
	free_joined(at);
}

static void forget_registration(struct gcks_membership *membership)
{
	gcks_membership_drop_sas(membership);
	membership->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_UNSPECIFIED;
	membership->notify = 0;
	membership->registered_at = 0;
	membership->learnt_identifier = membership->refused_identifier = 0;
	free(membership->connection_in_use);
	membership->connection_in_use = NULL;
	free(membership->text);
	membership->text = NULL;
}

/* Would the verdict on the identifier be another one today?  charon then has to get the SA again. */
static bool judged_otherwise(const struct gcks_membership *membership)
{
	uint32_t configured = membership->configured_identifier;

	if (membership->refused_identifier)
		return !gcks_client_identifier_fault(membership, membership->refused_identifier);
	return membership->sas && configured && membership->learnt_identifier &&
	       membership->learnt_identifier != configured;
}

/* Remembers what charon is told; a Join that says nothing new is not sent. */
static void tell_join(struct gcks_membership *membership, struct joined **at)
{
	static uint8_t out[GSA_MESSAGE_MAX];
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Join join = GSA__JOIN__INIT;
	size_t length;

	join.group = membership->name;
	join.connection = membership->connections;
	join.n_connection = membership->connection_count;
	join.sender = true;
	join.retry_s = membership->retry_time_s;
	join.gsa_auth = membership->gsa_auth;
	join.renew = membership->renew;
	join.not_acceptable = membership->not_acceptable;
	message.body_case = GSA__MESSAGE__BODY_JOIN;
	message.join = &join;
	length = gsa_message_pack(&message, out);
	if (*at && (*at)->length == length && memcmp((*at)->packed, out, length) == 0)
		return;
	if (!gcks_local_send(GSA__ROLE__ROLE_CHARON, &message))
		return;
	if (!*at) {
		*at = XCALLOC(MTYPE_TMP, sizeof(**at));
		(*at)->group = XSTRDUP(MTYPE_TMP, membership->name);
	}
	XFREE(MTYPE_TMP, (*at)->packed);
	(*at)->packed = XMALLOC(MTYPE_TMP, length);
	memcpy((*at)->packed, out, length);
	(*at)->length = length;
}

static void update_join(struct gcks_membership *membership)
{
	struct joined **at = find_joined(membership->name);

	if (judged_otherwise(membership)) {
		/* a charon that is away tells again what it holds, and it is judged then */
		if (*at)
			leave(at);
		forget_registration(membership);
		at = find_joined(membership->name);
	}
	tell_join(membership, at);
}

void gcks_joins_update(void)
{
	struct joined **at = &joins;

	while (*at) {
		struct gcks_membership *membership =
			gcks_membership_find(&gcksd.members, (*at)->group);

		if (gcks_client_is_complete(membership)) {
			at = &(*at)->next;
			continue;
		}
		if (membership)
			forget_registration(membership);
		leave(at);
	}
	for (struct gcks_membership *membership = gcksd.members.memberships; membership;
	     membership = membership->next) {
		if (gcks_client_is_complete(membership))
			update_join(membership);
		gcks_routes_follow(membership);
	}
}

void gcks_client_membership_gone(const struct gcks_membership *membership)
{
	struct joined **at = find_joined(membership->name);

	if (*at)
		leave(at);
}

bool gcks_joins_has(const char *group)
{
	return *find_joined(group) != NULL;
}

void gcks_joins_forget(void)
{
	while (joins)
		free_joined(&joins);
}
