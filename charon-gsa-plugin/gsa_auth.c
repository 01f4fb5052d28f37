// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GSA_AUTH in place of IKE_AUTH (RFC 9838 §2.3.1), as far as both sides share it.
 *
 * The two authenticate alike, and libcharon's tasks do it in IKE_AUTH: a GSA_AUTH message takes
 * that name before it is parsed, and gets its own back before it is sent. What is added to it is
 * the business of a task of ours: gsa_auth_respond.c (key server), gsa_register.c (member).
 *
 *   member     IKE_AUTH -> [sent] GSA_AUTH  ~~~>  GSA_AUTH -> [parsed] IKE_AUTH     key server
 *              IKE_AUTH <- [parsed] GSA_AUTH  <~~~  GSA_AUTH <- [sent] IKE_AUTH
 *
 * Group-related errors come with a valid AUTH, and the IKE_SA is established. libcharon would end
 * it for an error that it does not know: before its tasks see one, it becomes a status notify of
 * the private range, which our task understands.
 */
#include "charon-gsa-plugin/gsa_auth.h"

#include <encoding/payloads/notify_payload.h>
#include <threading/thread_value.h>

/* Private use status notifies begin here (RFC 7296 §3.10.1). */
#define NOTIFY_PRIVATE_STATUS 40960

struct gsa_auth_t {
	listener_t listener;
	/*
	 * Set in a thread that handles a request which came as GSA_AUTH, up to its response, and in
	 * one that completes a response which had to wait.
	 */
	thread_value_t *renamed;
};

static const uint16_t group_errors[] = {
	GSA_NOTIFY_NO_PROPOSAL_CHOSEN,
	GSA_NOTIFY_INVALID_GROUP_ID,
	GSA_NOTIFY_AUTHORIZATION_FAILED,
	GSA_NOTIFY_REGISTRATION_FAILED,
};

static bool is_group_error(uint32_t type)
{
	for (size_t i = 0; i < countof(group_errors); i++)
		if (group_errors[i] == type)
			return TRUE;
	return FALSE;
}

static void set_aside_errors(message_t *message)
{
	enumerator_t *enumerator = message->create_payload_enumerator(message);
	payload_t *payload;

	while (enumerator->enumerate(enumerator, &payload)) {
		notify_payload_t *notify = (notify_payload_t *)payload;
		uint32_t type;

		if (payload->get_type(payload) != PLV2_NOTIFY)
			continue;
		type = notify->get_notify_type(notify);
		if (is_group_error(type))
			notify->set_notify_type(notify, type + NOTIFY_PRIVATE_STATUS);
	}
	enumerator->destroy(enumerator);
}

uint16_t gsa_auth_error(message_t *message)
{
	for (size_t i = 0; i < countof(group_errors); i++)
		if (gsa_notify_find(message, group_errors[i] + NOTIFY_PRIVATE_STATUS))
			return group_errors[i];
	return 0;
}

/* What was put together of fragments has no packet, and was renamed with the first of them. */
static bool is_reassembled(message_t *message)
{
	return !message->get_packet_data(message).len;
}

static void request_comes(gsa_auth_t *this, message_t *message)
{
	if (is_reassembled(message))
		return;
	if (message->get_exchange_type(message) == GSA_AUTH) {
		message->set_exchange_type(message, IKE_AUTH);
		this->renamed->set(this->renamed, this);
	} else {
		this->renamed->set(this->renamed, NULL);
	}
}

static bool is_opening(ike_sa_t *ike_sa)
{
	return gsa.member->opens(gsa.member, ike_sa->get_unique_id(ike_sa));
}

/* Not parsed yet: who sent it is not known. */
static void comes(gsa_auth_t *this, ike_sa_t *ike_sa, message_t *message)
{
	if (message->get_request(message))
		request_comes(this, message);
	else if (message->get_exchange_type(message) == GSA_AUTH && is_opening(ike_sa))
		message->set_exchange_type(message, IKE_AUTH);
}

static void parsed(gsa_auth_t *this, ike_sa_t *ike_sa, message_t *message)
{
	bool request = message->get_request(message);

	if (message->get_exchange_type(message) != IKE_AUTH ||
	    !(request ? gsa_auth_is_renamed(this) : is_opening(ike_sa)))
		return;
	if (!gsa_message_was_encrypted(message)) {
		gsa_log_refused("a GSA_AUTH message that was not encrypted is ignored");
		message->set_exchange_type(message, EXCHANGE_TYPE_UNDEFINED);
	} else if (!request) {
		set_aside_errors(message);
	}
}

static void goes(gsa_auth_t *this, ike_sa_t *ike_sa, message_t *message)
{
	if (message->get_exchange_type(message) == IKE_AUTH &&
	    (message->get_request(message) ? is_opening(ike_sa) : gsa_auth_is_renamed(this)))
		message->set_exchange_type(message, GSA_AUTH);
}

/* The tasks that are called afterwards know IKE_AUTH. */
static void gone(message_t *message)
{
	if (message->get_exchange_type(message) == GSA_AUTH)
		message->set_exchange_type(message, IKE_AUTH);
}

METHOD(listener_t, message_hook, bool, gsa_auth_t *this, ike_sa_t *ike_sa, message_t *message,
       bool incoming, bool plain)
{
	if (!ike_sa || ike_sa->get_version(ike_sa) != IKEV2)
		return TRUE;
	if (incoming && !plain)
		comes(this, ike_sa, message);
	else if (incoming)
		parsed(this, ike_sa, message);
	else if (plain)
		goes(this, ike_sa, message);
	else
		gone(message);
	return TRUE;
}

bool gsa_auth_is_renamed(gsa_auth_t *this)
{
	return this->renamed->get(this->renamed) != NULL;
}

void gsa_auth_rename(gsa_auth_t *this)
{
	this->renamed->set(this->renamed, this);
}

void gsa_auth_destroy(gsa_auth_t *this)
{
	charon->bus->remove_listener(charon->bus, &this->listener);
	this->renamed->destroy(this->renamed);
	free(this);
}

gsa_auth_t *gsa_auth_create(void)
{
	gsa_auth_t *this;

	INIT(this,
		.listener = {
			.message = _message_hook,
		},
		.renamed = thread_value_create(NULL),
	);
	return this;
}

void gsa_auth_listen(gsa_auth_t *this)
{
	charon->bus->add_listener(charon->bus, &this->listener);
}
