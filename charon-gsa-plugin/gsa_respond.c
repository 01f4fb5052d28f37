// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Task of the key server: answers a GSA_REGISTRATION (RFC 9838 §2.3.2).
 *
 *   IDg [, SAg] [, N(GROUP_SENDER)]  -->  gcksd decides  -->  GSA, KD, N(USE_TRANSPORT_MODE),
 *                                                     N(group identifier)
 *                                                or   N(error)
 *   IDg, N(NO_PROPOSAL_CHOSEN | REGISTRATION_FAILED)  -->  the member left: empty answer
 *
 * gcksd has stored the registration when it says yes: it learns if the answer does not go out.
 */
#include "charon-gsa-plugin/gsa.h"

#include <encoding/payloads/notify_payload.h>

/* Printed; a longer one cannot be permitted by name. */
#define IDENTITY_MAX 1024

typedef struct {
	task_t public;
	ike_sa_t *ike_sa;
	Gsa__Peer *peer;
	chunk_t group_name;
	uint16_t error; /* the answer is this notify */
	bool left;	/* the answer is empty */
	/* else granted */
	bool granted, delivered;
	gsa_group_sa_t group_sa;
} gsa_respond_t;

static char *print_identity(identification_t *identity)
{
	char text[IDENTITY_MAX];

	snprintf(text, sizeof(text), "%Y", identity);
	return strdup(text);
}

/* Subjects of the trust chain: intermediate CAs from the leaf up, then the root. */
static void add_authorities(Gsa__Peer *peer, auth_cfg_t *round)
{
	static const auth_rule_t rules[] = { AUTH_RULE_IM_CERT, AUTH_RULE_CA_CERT };

	for (size_t i = 0; i < countof(rules); i++) {
		enumerator_t *enumerator = round->create_enumerator(round);
		certificate_t *certificate;
		auth_rule_t rule;

		while (enumerator->enumerate(enumerator, &rule, &certificate)) {
			if (rule != rules[i])
				continue;
			peer->ca = realloc(peer->ca, (peer->n_ca + 1) * sizeof(*peer->ca));
			peer->ca[peer->n_ca++] =
				print_identity(certificate->get_subject(certificate));
		}
		enumerator->destroy(enumerator);
	}
}

static Gsa__Credential credential_of(auth_cfg_t *round)
{
	certificate_t *certificate;

	switch ((uintptr_t)round->get(round, AUTH_RULE_AUTH_CLASS)) {
	case AUTH_CLASS_PSK:
		return GSA__CREDENTIAL__CREDENTIAL_PSK;
	case AUTH_CLASS_EAP:
		return GSA__CREDENTIAL__CREDENTIAL_EAP;
	case AUTH_CLASS_PUBKEY:
		certificate = round->get(round, AUTH_RULE_SUBJECT_CERT);
		if (certificate && certificate->get_type(certificate) == CERT_X509)
			return GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE;
		if (certificate && certificate->get_type(certificate) == CERT_TRUSTED_PUBKEY)
			return GSA__CREDENTIAL__CREDENTIAL_PUBLIC_KEY;
	}
	return GSA__CREDENTIAL__CREDENTIAL_UNSPECIFIED;
}

/*
 * The identity is that of the last authentication round, so the credential is too.  If
 * charon was told to forget the rounds (flush_auth_cfg), none is known and gcksd refuses.
 */
static Gsa__Peer *create_peer(ike_sa_t *ike_sa)
{
	host_t *host = ike_sa->get_other_host(ike_sa);
	chunk_t address = chunk_clone(host->get_address(host));
	Gsa__Peer *peer = malloc_thing(Gsa__Peer);
	enumerator_t *enumerator;
	auth_cfg_t *round, *last = NULL;

	gsa__peer__init(peer);
	peer->ike_sa = ike_sa->get_unique_id(ike_sa);
	peer->identity = print_identity(ike_sa->get_other_eap_id(ike_sa));
	peer->address.data = address.ptr;
	peer->address.len = address.len;
	peer->connection = strdup(ike_sa->get_name(ike_sa));
	peer->key_wrap_negotiated = gsa_keys_negotiated(ike_sa) != GSA_KW_NONE;
	enumerator = ike_sa->create_auth_cfg_enumerator(ike_sa, FALSE);
	while (enumerator->enumerate(enumerator, &round))
		last = round;
	if (last) {
		peer->credential = credential_of(last);
		if (peer->credential == GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE)
			add_authorities(peer, last);
	}
	enumerator->destroy(enumerator);
	return peer;
}

static void refuse(gsa_respond_t *this, uint16_t error, const char *reason)
{
	char group[GSA_GROUP_TEXT];

	this->error = error;
	DBG1(DBG_IKE, "gsa: %s at %H refused for group %s: %s (notify %u)", this->peer->identity,
	     this->ike_sa->get_other_host(this->ike_sa), gsa_group_text(this->group_name, group),
	     reason, error);
}

static void tell_not_delivered(gsa_respond_t *this, const char *text)
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

/* Wraps the group's keys for this IKE_SA. */
static bool grant(gsa_respond_t *this, const Gsa__GroupSa *group_sa)
{
	const char *reason;

	if (gsa_group_sa_encode(this->ike_sa, group_sa, &this->group_sa, &reason))
		return TRUE;
	this->group_sa.group = group_sa->group;
	refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, reason);
	tell_not_delivered(this, reason);
	return FALSE;
}

static void take_reply(gsa_respond_t *this, const Gsa__RegistrationReply *reply)
{
	if (reply->notify)
		refuse(this, reply->notify, *reply->reason ? reply->reason : "policy");
	else if (!reply->group_sa)
		refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, "gcksd sent no group SA");
	else
		this->granted = grant(this, reply->group_sa);
}

static void ask(gsa_respond_t *this, const struct gsa_idg *idg, message_t *message)
{
	Gsa__RegistrationRequest request = GSA__REGISTRATION_REQUEST__INIT;
	notify_payload_t *sender = gsa_notify_find(message, GSA_NOTIFY_GROUP_SENDER);
	Gsa__Message *answer;
	chunk_t data, sag;

	request.peer = this->peer;
	request.group_id_type = idg->type;
	request.group_id.data = this->group_name.ptr;
	request.group_id.len = this->group_name.len;
	if (sender) {
		request.sender = TRUE;
		data = sender->get_notification_data(sender);
		request.sender_ids = data.len == 4 ? untoh32(data.ptr) : 0;
	}
	sag = gsa_sag_find(message);
	request.sag.data = sag.ptr;
	request.sag.len = sag.len;
	answer = gsa.local->ask(gsa.local, &request);
	chunk_free(&sag);
	if (!answer) {
		refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, "gcksd does not answer");
		/* it may have granted too late; with others on the IKE_SA it cannot be named */
		if (!gsa.server->count(gsa.server, this->peer->ike_sa))
			tell_not_delivered(this, "gcksd answered too late");
		return;
	}
	if (answer->body_case == GSA__MESSAGE__BODY_REGISTRATION_REPLY)
		take_reply(this, answer->registration_reply);
	else
		refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, "gcksd answered something else");
	gsa_message_free(answer);
}

static bool is_departure(message_t *message)
{
	return gsa_notify_find(message, GSA_NOTIFY_NO_PROPOSAL_CHOSEN) ||
	       gsa_notify_find(message, GSA_NOTIFY_REGISTRATION_FAILED);
}

static void depart(gsa_respond_t *this, message_t *message)
{
	bool refused = gsa_notify_find(message, GSA_NOTIFY_NO_PROPOSAL_CHOSEN) != NULL;

	gsa.server->left(gsa.server, this->peer->ike_sa, this->group_name,
			 refused ? GSA__END_REASON__END_NOT_ACCEPTABLE
				 : GSA__END_REASON__END_LEFT,
			 refused ? "the member cannot use the group's SAs" : "the member left");
}

static bool is_authenticated(ike_sa_t *ike_sa)
{
	ike_sa_state_t state = ike_sa->get_state(ike_sa);

	return (state == IKE_ESTABLISHED || state == IKE_REKEYING) &&
	       ike_sa->has_condition(ike_sa, COND_AUTHENTICATED);
}

METHOD(task_t, process, status_t, gsa_respond_t *this, message_t *message)
{
	chunk_t body = gsa_payload_find(message, GSA_PAYLOAD_IDG);
	const char *reason = "the request has no IDg payload";
	struct gsa_idg idg;

	this->peer = create_peer(this->ike_sa);
	if (!is_authenticated(this->ike_sa)) {
		refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, "the IKE_SA is not established");
		return NEED_MORE;
	}
	if (!gsa_message_was_encrypted(message)) {
		refuse(this, GSA_NOTIFY_REGISTRATION_FAILED, "the request was not encrypted");
		return NEED_MORE;
	}
	if (!body.len || !gsa_idg_decode(body.ptr, body.len, &idg, &reason)) {
		refuse(this, GSA_NOTIFY_INVALID_GROUP_ID, reason);
		return NEED_MORE;
	}
	this->group_name = chunk_clone(chunk_create((u_char *)idg.data, idg.length));
	if (is_departure(message)) {
		this->left = TRUE;
		depart(this, message);
		return NEED_MORE;
	}
	if (gsa_keys_algorithm(this->ike_sa) == GSA_KW_NONE)
		refuse(this, GSA_NOTIFY_NO_PROPOSAL_CHOSEN, GSA_KEYS_NO_ALGORITHM);
	else
		ask(this, &idg, message);
	return NEED_MORE;
}

METHOD(task_t, build, status_t, gsa_respond_t *this, message_t *message)
{
	if (this->left)
		return SUCCESS;
	if (!this->granted) {
		gsa_notify_add(message, this->error, chunk_empty);
		return SUCCESS;
	}
	gsa_group_sa_add(&this->group_sa, message);
	return NEED_MORE;
}

METHOD(task_t, post_build, status_t, gsa_respond_t *this, message_t *message)
{
	this->delivered = TRUE;
	gsa.server->add(gsa.server, this->peer, this->group_sa.group, this->group_name,
			&this->group_sa.given);
	return SUCCESS;
}

METHOD(task_t, get_type, task_type_t, gsa_respond_t *this)
{
	return TASK_CUSTOM;
}

METHOD(task_t, migrate, void, gsa_respond_t *this, ike_sa_t *ike_sa)
{
	this->ike_sa = ike_sa;
}

METHOD(task_t, destroy, void, gsa_respond_t *this)
{
	if (this->granted && !this->delivered)
		tell_not_delivered(this, "the answer could not be sent");
	if (this->peer)
		gsa__peer__free_unpacked(this->peer, NULL);
	chunk_free(&this->group_name);
	gsa_group_sa_clear(&this->group_sa);
	free(this);
}

task_t *gsa_respond_create(ike_sa_t *ike_sa, message_t *request)
{
	gsa_respond_t *this;

	INIT(this,
		.public = {
			.build = _build,
			.post_build = _post_build,
			.process = _process,
			.get_type = _get_type,
			.migrate = _migrate,
			.destroy = _destroy,
		},
		.ike_sa = ike_sa,
	);
	return &this->public;
}
