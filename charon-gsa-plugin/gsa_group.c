// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One group of the member: its state as gcksd is told, the SA that it holds, and what a Delete
 * means for it.
 */
#include "charon-gsa-plugin/gsa_group.h"

#include <encoding/payloads/delete_payload.h>

void gsa_group_destroy(gsa_group_t *group)
{
	gsa_secret_clear(&group->group_sa);
	chunk_free(&group->key_server);
	free(group->name);
	free(group->connection);
	free(group->text);
	free(group);
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
	if (state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
		body.group_sa =
			gsa__group_sa__unpack(NULL, group->group_sa.length, group->group_sa.data);
	else
		body.notify = group->notify;
	message.body_case = GSA__MESSAGE__BODY_MEMBERSHIP;
	message.membership = &body;
	gsa.local->send(gsa.local, &message);
	gsa_group_sa_free(body.group_sa);
}

bool gsa_group_holds_sa(const gsa_group_t *group)
{
	return group->group_sa.length != 0;
}

void gsa_group_drop_sa(gsa_group_t *group)
{
	gsa_secret_clear(&group->group_sa);
	group->spi_count = 0;
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

bool gsa_group_keep_sa(gsa_group_t *group, const Gsa__GroupSa *group_sa)
{
	gsa_group_drop_sa(group);
	if (!gsa_secret_alloc(&group->group_sa, gsa__group_sa__get_packed_size(group_sa)))
		return FALSE;
	gsa__group_sa__pack(group_sa, group->group_sa.data);
	for (size_t i = 0; i < group_sa->n_data_sa && i < GSA_DATA_SA_MAX; i++)
		group->spi[group->spi_count++] = group_sa->data_sa[i]->spi;
	return TRUE;
}

/* Deletes of the key server (RFC 9838 §2.4.3) */

/* SPI 0, protocol 0: everything of the group; else one of the SAs that it holds. */
static bool deletes(delete_payload_t *payload, const gsa_group_t *group)
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
	while (!found && enumerator->enumerate(enumerator, &spi)) {
		found = spi == 0;
		for (size_t i = 0; i < group->spi_count; i++)
			found |= ntohl(spi) == group->spi[i];
	}
	enumerator->destroy(enumerator);
	return found;
}

bool gsa_group_deleted(message_t *message, const gsa_group_t *group)
{
	enumerator_t *enumerator = message->create_payload_enumerator(message);
	payload_t *payload;
	bool found = FALSE;

	while (!found && enumerator->enumerate(enumerator, &payload))
		if (payload->get_type(payload) == PLV2_DELETE)
			found = deletes((delete_payload_t *)payload, group);
	enumerator->destroy(enumerator);
	return found;
}
