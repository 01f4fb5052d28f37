// SPDX-License-Identifier: GPL-2.0-or-later
/* One group of the member: its state as gcksd is told, and what a Delete means for it. */
#include "charon-gsa-plugin/gsa_member.h"

#include <encoding/payloads/delete_payload.h>

uint64_t gsa_now_ms(void)
{
	timeval_t now;

	time_monotonic(&now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_usec / 1000;
}

void gsa_group_destroy(gsa_group_t *group)
{
	gsa_held_clear(&group->held);
	chunk_free(&group->key_server);
	for (size_t i = 0; i < group->connection_count; i++)
		free(group->connections[i]);
	free(group->connections);
	free(group->name);
	free(group->text);
	free(group);
}

const char *gsa_group_connection(const gsa_group_t *group)
{
	return group->connections[group->connection];
}

bool gsa_group_has_connection(const gsa_group_t *group, const char *name)
{
	for (size_t i = 0; i < group->connection_count; i++)
		if (streq(group->connections[i], name))
			return TRUE;
	return FALSE;
}

void gsa_group_next_connection(gsa_group_t *group)
{
	group->tried++;
	group->connection = (group->connection + 1) % group->connection_count;
}

void gsa_group_report(const gsa_group_t *group, Gsa__MembershipState state)
{
	Gsa__Membership body = GSA__MEMBERSHIP__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	body.group = group->name;
	body.state = state;
	body.text = group->text ? group->text : "";
	body.key_server.data = group->key_server.ptr;
	body.key_server.len = group->key_server.len;
	body.ike_sa = group->ike_sa;
	body.connection = (char *)gsa_group_connection(group);
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
		body.group_sa = gsa_held_export(&group->held, gsa_now_ms());
	else
		body.notify = group->notify;
	message.body_case = GSA__MESSAGE__BODY_MEMBERSHIP;
	message.membership = &body;
	gsa.local->send(gsa.local, &message);
	gsa_group_sa_free(body.group_sa);
}

bool gsa_group_holds_sa(const gsa_group_t *group)
{
	return group->registered && group->held.count;
}

void gsa_group_drop_sa(gsa_group_t *group)
{
	group->registered = FALSE;
	gsa_held_clear(&group->held);
}

/* What did not change is neither logged nor told again. */
void gsa_group_enter(gsa_group_t *group, Gsa__MembershipState state, uint16_t notify,
		     const char *text)
{
	bool same = group->state == state && group->notify == notify && group->text &&
		    streq(group->text, text);

	if (same && state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
		return;
	free(group->text);
	group->text = strdup(text);
	group->state = state;
	group->notify = notify;
	DBG1(DBG_IKE, "gsa: group %s: %s", group->name, text);
	gsa_group_report(group, state);
}

/* An attempt failed for a reason that says nothing about the membership. */
void gsa_group_attempt_failed(gsa_group_t *group, uint16_t notify, const char *text)
{
	if (gsa_group_holds_sa(group))
		gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST, notify, text);
	else if (notify)
		gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED, notify, text);
	else
		gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING, 0, text);
}

/* Deletes of the key server (RFC 9838 §2.4.3) */

/* SPI 0, protocol 0: everything of the group. */
static bool is_about_all(delete_payload_t *payload)
{
	enumerator_t *enumerator;
	uint64_t spi_i, spi_r;
	bool found = FALSE;
	uint32_t spi;

	switch ((int)payload->get_protocol_id(payload)) {
	case PROTO_NONE:
		return TRUE;
	case PROTO_GIKE_UPDATE:
		return payload->get_ike_spi(payload, &spi_i, &spi_r) && !spi_i && !spi_r;
	case PROTO_ESP:
		break;
	default:
		return FALSE;
	}
	enumerator = payload->create_spi_enumerator(payload);
	while (!found && enumerator->enumerate(enumerator, &spi))
		found = spi == 0;
	enumerator->destroy(enumerator);
	return found;
}

static bool remove_each(delete_payload_t *payload, gsa_group_t *group)
{
	enumerator_t *enumerator;
	bool found = FALSE;
	uint32_t spi;

	if (payload->get_protocol_id(payload) != PROTO_ESP)
		return FALSE;
	enumerator = payload->create_spi_enumerator(payload);
	while (enumerator->enumerate(enumerator, &spi))
		found |= gsa_held_remove(&group->held, ntohl(spi));
	enumerator->destroy(enumerator);
	return found;
}

bool gsa_group_apply_deletes(gsa_group_t *group, message_t *message, bool replaced)
{
	enumerator_t *enumerator = message->create_payload_enumerator(message);
	bool all = FALSE, some = FALSE, excluded = FALSE;
	payload_t *payload;

	while (enumerator->enumerate(enumerator, &payload)) {
		delete_payload_t *delete = (delete_payload_t *)payload;

		if (payload->get_type(payload) != PLV2_DELETE)
			continue;
		if (is_about_all(delete)) {
			all = TRUE;
			excluded |= delete->get_protocol_id(delete) == PROTO_GIKE_UPDATE;
		} else if (!replaced) {
			some |= remove_each(delete, group);
		}
	}
	enumerator->destroy(enumerator);
	if (excluded || (all && !replaced)) {
		gsa_group_drop_sa(group);
		return TRUE;
	}
	return some;
}

void gsa_group_excluded(gsa_group_t *group)
{
	gsa_group_drop_sa(group);
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED, 0,
			"the key server ended the membership");
	gsa_attempt_spread(group);
}
