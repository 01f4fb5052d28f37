// SPDX-License-Identifier: GPL-2.0-or-later
/* Groups and members, as bgpd is told: only what differs from what it was told last. */
#include <zebra.h>

#include "lib/memory.h"

#include "gcks/client.h"
#include "libgsa/message.h"

struct told {
	struct told *next;
	uint32_t identifier;
	uint8_t *packed; /* the message */
	size_t length;
	bool seen, served;
};

static struct told *told_groups;

static struct told *find_told(uint32_t identifier)
{
	struct told *told = told_groups;

	while (told && told->identifier != identifier)
		told = told->next;
	return told;
}

static void send_member(const struct gcks_registration *entry, bool removed)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Member member = GSA__MEMBER__INIT;
	Gsa__MemberRemoved gone = GSA__MEMBER_REMOVED__INIT;

	if (removed) {
		gone.group = entry->group;
		gone.identity = entry->identity;
		gone.gateway.data = (uint8_t *)entry->address.octets;
		gone.gateway.len = entry->address.length;
		message.body_case = GSA__MESSAGE__BODY_MEMBER_REMOVED;
		message.member_removed = &gone;
	} else {
		member.group = entry->group;
		member.identity = entry->identity;
		member.gateway.data = (uint8_t *)entry->address.octets;
		member.gateway.len = entry->address.length;
		member.sender_id = entry->sender_ids;
		member.n_sender_id = entry->sender_id_count;
		message.body_case = GSA__MESSAGE__BODY_MEMBER;
		message.member = &member;
	}
	gcks_local_send(GSA__ROLE__ROLE_BGPD, &message);
}

/*
 * A restarted gcksd has no SA before charon has repeated it, but the kernel still has: for bgpd
 * nothing has changed.
 */
static bool is_registered(const struct gcks_membership *membership)
{
	if (membership->sas)
		return true;
	return !membership->ended && !gcks_client_is_out(membership) &&
	       gcks_install_holds_sa(membership->name);
}

static void announce(uint32_t identifier, const struct gcks_group *served,
		     const struct gcks_membership *joined)
{
	static uint8_t out[GSA_MESSAGE_MAX];
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Group group = GSA__GROUP__INIT;
	struct told *told = find_told(identifier);
	bool was_served = told && told->served;
	size_t length;

	group.identifier = identifier;
	group.name = served ? served->name : joined->name;
	group.served = served != NULL;
	if (joined) {
		group.joined = true;
		group.local_gateway.data = (uint8_t *)joined->gateway.octets;
		group.local_gateway.len = joined->gateway.length;
		group.export_mode = joined->export_mode;
		if (joined->export_prefix_list)
			group.export_prefix_list = joined->export_prefix_list;
		group.registered = is_registered(joined);
		group.has_sender_id = joined->has_sender_id;
		if (joined->has_sender_id)
			group.sender_id = joined->sender_id;
		group.key_server.data = (uint8_t *)joined->key_server.octets;
		group.key_server.len = joined->key_server.length;
	}
	message.body_case = GSA__MESSAGE__BODY_GROUP;
	message.group = &group;
	length = gsa_message_pack(&message, out);
	if (!told) {
		told = XCALLOC(MTYPE_TMP, sizeof(*told));
		told->identifier = identifier;
		told->next = told_groups;
		told_groups = told;
	}
	told->seen = true;
	if (told->packed && told->length == length && memcmp(told->packed, out, length) == 0)
		return;
	if (!gcks_local_send(GSA__ROLE__ROLE_BGPD, &message))
		return;
	XFREE(MTYPE_TMP, told->packed);
	told->packed = XMALLOC(MTYPE_TMP, length);
	memcpy(told->packed, out, length);
	told->length = length;
	told->served = group.served;
	if (!group.served || was_served)
		return;
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		if (entry->group == identifier)
			send_member(entry, false);
}

static void free_told(struct told **at)
{
	struct told *told = *at;

	*at = told->next;
	XFREE(MTYPE_TMP, told->packed);
	XFREE(MTYPE_TMP, told);
}

static bool usable(const struct gcks_membership *membership)
{
	return membership->connection_count && membership->gateway.length &&
	       gcks_membership_identifier(membership);
}

static const struct gcks_membership *find_usable(uint32_t identifier)
{
	const struct gcks_membership *membership = gcksd.members.memberships;

	while (membership && !(usable(membership) &&
			       gcks_membership_identifier(membership) == identifier))
		membership = membership->next;
	return membership;
}

static void withdraw(uint32_t identifier)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__GroupRemoved removed = GSA__GROUP_REMOVED__INIT;

	removed.identifier = identifier;
	message.body_case = GSA__MESSAGE__BODY_GROUP_REMOVED;
	message.group_removed = &removed;
	gcks_local_send(GSA__ROLE__ROLE_BGPD, &message);
}

void gcks_announce_groups(void)
{
	struct told **at = &told_groups;

	if (gcks_local_status(GSA__ROLE__ROLE_BGPD)->state == GCKS_CLIENT_AWAY)
		return;
	for (struct told *told = told_groups; told; told = told->next)
		told->seen = false;
	for (struct gcks_group *group = gcksd.policy.groups; group; group = group->next)
		if (group->identifier)
			announce(group->identifier, group, find_usable(group->identifier));
	for (struct gcks_membership *membership = gcksd.members.memberships; membership;
	     membership = membership->next) {
		uint32_t identifier = gcks_membership_identifier(membership);

		if (usable(membership) &&
		    !gcks_policy_find_identifier(&gcksd.policy, identifier))
			announce(identifier, NULL, membership);
	}
	while (*at) {
		if ((*at)->seen || !gcksd.configured) {
			at = &(*at)->next;
			continue;
		}
		withdraw((*at)->identifier);
		free_told(at);
	}
}

static void forget_told(void)
{
	while (told_groups)
		free_told(&told_groups);
}

void gcks_announce_all(void)
{
	forget_told();
	gcks_announce_groups();
}

void gcks_announce_member(const struct gcks_registration *registration, bool removed)
{
	const struct told *told = find_told(registration->group);

	if (removed) {
		send_member(registration, true);
		return;
	}
	/* a group that bgpd does not know yet is announced with all its members */
	if (!told || !told->served)
		gcks_announce_groups();
	else
		send_member(registration, false);
}

void gcks_announce_stop(void)
{
	forget_told();
}
