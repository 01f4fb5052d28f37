// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The key server's answer to a member that wants to register, in whichever exchange it asks
 * (RFC 9838 §2.3.1, §2.3.2).
 *
 *   take() a request  ->  decide(): gcksd is asked  ->  decide() again: its answer  ->  add() to the
 *   response: GSA and KD, or one error notify  ->  sent(): the registration is held
 *
 * gcksd has stored the registration when it says yes: it learns if the answer does not go out.
 */
#include "charon-gsa-plugin/gsa_answer.h"

#include <encoding/payloads/notify_payload.h>

struct gsa_answer_t {
	ike_sa_t *ike_sa;
	Gsa__Peer *peer; /* NULL: not decided yet */
	bool taken;
	chunk_t idg, sag; /* bodies; empty: there was none */
	bool sender;
	uint32_t sender_ids;
	chunk_t group_name;
	uint32_t question; /* gcksd is asked and has not answered */
	uint16_t error;	   /* the answer is this notify */
	bool granted, sent;
	gsa_group_sa_t group_sa;
};

gsa_answer_t *gsa_answer_create(ike_sa_t *ike_sa)
{
	gsa_answer_t *this;

	INIT(this, .ike_sa = ike_sa, );
	return this;
}

void gsa_answer_migrate(gsa_answer_t *this, ike_sa_t *ike_sa)
{
	this->ike_sa = ike_sa;
}

void gsa_answer_take(gsa_answer_t *this, message_t *message)
{
	notify_payload_t *sender = gsa_notify_find(message, GSA_NOTIFY_GROUP_SENDER);
	chunk_t data;

	chunk_free(&this->idg);
	chunk_free(&this->sag);
	this->taken = TRUE;
	this->idg = chunk_clone(gsa_payload_find(message, GSA_PAYLOAD_IDG));
	this->sag = gsa_sag_find(message);
	this->sender = sender != NULL;
	this->sender_ids = 0;
	if (sender) {
		data = sender->get_notification_data(sender);
		this->sender_ids = data.len == 4 ? untoh32(data.ptr) : 0;
	}
}

bool gsa_answer_taken(const gsa_answer_t *this)
{
	return this->taken;
}

void gsa_answer_refuse(gsa_answer_t *this, uint16_t error, const char *reason)
{
	char group[GSA_GROUP_TEXT];

	if (!this->peer)
		this->peer = gsa_peer_create(this->ike_sa);
	this->error = error;
	gsa_log_refused("%s at %H refused for group %s: %s (notify %u)", this->peer->identity,
			this->ike_sa->get_other_host(this->ike_sa),
			gsa_group_text(this->group_name, group), reason, error);
}

static void tell_not_delivered(gsa_answer_t *this, const char *text)
{
	Gsa__RegistrationEnded ended = GSA__REGISTRATION_ENDED__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	ended.ike_sa = this->peer->ike_sa;
	ended.group = this->group_sa.group;
	ended.reason = GSA__END_REASON__END_NOT_DELIVERED;
	ended.text = (char *)text;
	message.body_case = GSA__MESSAGE__BODY_REGISTRATION_ENDED;
	message.registration_ended = &ended;
	gsa.local->send(gsa.local, &message);
}

static void refuse_granted(gsa_answer_t *this, const Gsa__GroupSa *group_sa, const char *reason)
{
	this->group_sa.group = group_sa->group;
	gsa_answer_refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, reason);
	tell_not_delivered(this, reason);
}

/* Wraps the group's keys for this IKE_SA. */
static bool grant(gsa_answer_t *this, const Gsa__GroupSa *group_sa)
{
	const char *reason;

	if (gsa_group_sa_encode(this->ike_sa, group_sa, &this->group_sa, &reason))
		return TRUE;
	refuse_granted(this, group_sa, reason);
	return FALSE;
}

static void take_reply(gsa_answer_t *this, const Gsa__RegistrationReply *reply)
{
	if (reply->notify)
		gsa_answer_refuse(this, reply->notify, *reply->reason ? reply->reason : "policy");
	else if (!reply->group_sa)
		gsa_answer_refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, "gcksd sent no group SA");
	else if (gsa_ike_sa_is_authenticated(this->ike_sa))
		this->granted = grant(this, reply->group_sa);
	else
		refuse_granted(this, reply->group_sa, "the IKE_SA has ended meanwhile");
}

static void ask(gsa_answer_t *this, uint8_t id_type)
{
	Gsa__RegistrationRequest request = GSA__REGISTRATION_REQUEST__INIT;

	request.peer = this->peer;
	request.group_id_type = id_type;
	request.group_id.data = this->group_name.ptr;
	request.group_id.len = this->group_name.len;
	request.sender = this->sender;
	request.sender_ids = this->sender_ids;
	request.sag.data = this->sag.ptr;
	request.sag.len = this->sag.len;
	this->question = gsa.local->ask(gsa.local, &request, this->ike_sa);
	if (!this->question)
		gsa_answer_refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, "no connection to gcksd");
}

/* FALSE: not yet. */
static bool take_answer(gsa_answer_t *this)
{
	Gsa__Message *answer;

	if (!gsa.local->answered(gsa.local, this->question, &answer))
		return FALSE;
	this->question = 0;
	if (answer)
		take_reply(this, answer->registration_reply);
	else
		gsa_answer_refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, "gcksd does not answer");
	gsa_message_free(answer);
	return TRUE;
}

bool gsa_answer_group(gsa_answer_t *this, uint8_t *id_type)
{
	const char *reason = "the request has no IDg payload";
	struct gsa_idg idg;

	if (!gsa_ike_sa_is_authenticated(this->ike_sa)) {
		gsa_answer_refuse(this, GSA_NOTIFY_REGISTRATION_FAILED,
				  "the IKE_SA is not established");
		return FALSE;
	}
	if (!this->idg.len || !gsa_idg_decode(this->idg.ptr, this->idg.len, &idg, &reason)) {
		gsa_answer_refuse(this, GSA_NOTIFY_INVALID_GROUP_ID, reason);
		return FALSE;
	}
	chunk_free(&this->group_name);
	this->group_name = chunk_clone(chunk_create((u_char *)idg.data, idg.length));
	*id_type = idg.type;
	return TRUE;
}

chunk_t gsa_answer_group_name(const gsa_answer_t *this)
{
	return this->group_name;
}

bool gsa_answer_decide(gsa_answer_t *this)
{
	uint8_t id_type;

	if (this->question)
		return take_answer(this);
	if (this->error || !gsa_answer_group(this, &id_type))
		return TRUE;
	if (!this->peer)
		this->peer = gsa_peer_create(this->ike_sa);
	if (gsa_keys_algorithm(this->ike_sa) == GSA_KW_NONE)
		gsa_answer_refuse(this, GSA_NOTIFY_NO_PROPOSAL_CHOSEN, GSA_KEYS_NO_ALGORITHM);
	else
		ask(this, id_type);
	return !this->question;
}

bool gsa_answer_add(gsa_answer_t *this, message_t *message)
{
	if (this->granted)
		gsa_group_sa_add(&this->group_sa, message);
	else
		gsa_notify_add(message, this->error, chunk_empty);
	return this->granted;
}

void gsa_answer_sent(gsa_answer_t *this)
{
	this->sent = TRUE;
	gsa.server->add(gsa.server, this->peer, this->group_sa.group, this->group_name,
			&this->group_sa.given);
}

void gsa_answer_destroy(gsa_answer_t *this)
{
	if (this->question)
		gsa.local->forget(gsa.local, this->question);
	if (this->granted && !this->sent)
		tell_not_delivered(this, "the answer could not be sent");
	if (this->peer)
		gsa__peer__free_unpacked(this->peer, NULL);
	chunk_free(&this->idg);
	chunk_free(&this->sag);
	chunk_free(&this->group_name);
	gsa_group_sa_clear(&this->group_sa);
	free(this);
}
