// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tasks of the member: register with a group over an established IKE_SA (RFC 9838 §2.3.2), or
 * with GSA_AUTH while it is established (§2.3.1).
 *
 *   HDR, SK{IDg, SAg [, N(GROUP_SENDER)]}  -->
 *                                    <--  HDR, SK{GSA, KD, N(USE_TRANSPORT_MODE),
 *                                                 N(group identifier)}
 *                                    <--  HDR, SK{N(error)}
 *
 * In GSA_AUTH the same payloads stand beside those that authenticate. They are looked at when
 * libcharon's tasks have found the key server to be authentic.
 *
 * No answer ends the IKE_SA: other groups may depend on it.
 */
#include "charon-gsa-plugin/gsa_auth.h"
#include "charon-gsa-plugin/gsa_held.h"

#define TEXT_MAX 200

typedef struct {
	task_t public;
	ike_sa_t *ike_sa;
	char *group;
	bool sender;
	uint32_t attempt;
	bool opens, sent; /* GSA_AUTH */
	bool concluded;
} gsa_register_t;

/* FALSE: the group's name is not one. */
static bool ask(gsa_register_t *this, message_t *message)
{
	uint8_t sender_ids[4];

	if (!gsa_group_id_add(message, chunk_from_str(this->group)))
		return FALSE;
	gsa_sag_add(message);
	if (this->sender) {
		htoun32(sender_ids, 1);
		gsa_notify_add(message, GSA_NOTIFY_GROUP_SENDER, chunk_from_thing(sender_ids));
	}
	DBG1(DBG_IKE, "gsa: registering with group %s over IKE_SA %s[%u]%s", this->group,
	     this->ike_sa->get_name(this->ike_sa), this->ike_sa->get_unique_id(this->ike_sa),
	     this->opens ? " that is opened with GSA_AUTH" : "");
	return TRUE;
}

METHOD(task_t, build, status_t, gsa_register_t *this, message_t *message)
{
	if (!ask(this, message)) {
		message->set_exchange_type(message, EXCHANGE_TYPE_UNDEFINED);
		return SUCCESS;
	}
	message->set_exchange_type(message, GSA_REGISTRATION);
	return NEED_MORE;
}

static const char *error_text(uint16_t notify)
{
	switch (notify) {
	case GSA_NOTIFY_NO_PROPOSAL_CHOSEN:
		return "the key server does not accept what we support (NO_PROPOSAL_CHOSEN)";
	case GSA_NOTIFY_INVALID_GROUP_ID:
		return "the key server does not know the group (INVALID_GROUP_ID)";
	case GSA_NOTIFY_AUTHORIZATION_FAILED:
		return "the group's policy does not permit us (AUTHORIZATION_FAILED)";
	case GSA_NOTIFY_REGISTRATION_FAILED:
		return "the key server cannot register us now (REGISTRATION_FAILED)";
	}
	return NULL;
}

/* 0, or the notify for the key server, with the reason. */
static uint16_t decode(gsa_register_t *this, message_t *message, Gsa__GroupSa **group_sa,
		       const char **reason)
{
	uint16_t notify = gsa_group_sa_take(this->ike_sa, message, group_sa, reason);
	Gsa__GroupSa *given = *group_sa;

	if (notify)
		return notify;
	*reason = gsa_held_check_senders(given, given->sender_id_bits, given->sender_id,
					 given->n_sender_id);
	if (!*reason)
		return 0;
	gsa_group_sa_free(given);
	*group_sa = NULL;
	return GSA_NOTIFY_REGISTRATION_FAILED;
}

static void conclude(gsa_register_t *this, ike_sa_t *ike_sa, uint16_t notify, const char *text,
		     Gsa__GroupSa *group_sa)
{
	gsa_outcome_t outcome = {
		.group = this->group,
		.attempt = this->attempt,
		.group_sa = group_sa,
		.notify = notify,
		.text = text,
	};

	this->concluded = TRUE;
	gsa.member->conclude(gsa.member, ike_sa, &outcome);
}

/* In the first message of the exchange; gsa_auth.c gives it its name. */
METHOD(task_t, build_open, status_t, gsa_register_t *this, message_t *message)
{
	if (message->get_exchange_type(message) != IKE_AUTH || this->sent)
		return NEED_MORE;
	/* swanctl wants a CHILD_SA, which GSA_AUTH does not create: registers when that is up */
	if (message->get_payload(message, PLV2_SECURITY_ASSOCIATION)) {
		conclude(this, NULL, 0, "the IKE_SA is opened for a CHILD_SA", NULL);
		return SUCCESS;
	}
	this->sent = TRUE;
	return ask(this, message) ? NEED_MORE : SUCCESS;
}

METHOD(task_t, process, status_t, gsa_register_t *this, message_t *message)
{
	uint16_t notify = this->opens ? gsa_auth_error(message) : gsa_error_find(message);
	Gsa__GroupSa *group_sa = NULL;
	char text[TEXT_MAX];
	const char *reason;

	/* anyone may have sent it */
	if (!gsa_message_was_encrypted(message)) {
		conclude(this, NULL, 0, "an answer that was not encrypted is ignored", NULL);
		return SUCCESS;
	}
	if (notify) {
		reason = error_text(notify);
		if (!reason) {
			snprintf(text, sizeof(text), "the key server answered with error notify %u",
				 notify);
			reason = text;
		}
		conclude(this, this->ike_sa, notify, reason, NULL);
		return SUCCESS;
	}
	notify = decode(this, message, &group_sa, &reason);
	if (notify) {
		snprintf(text, sizeof(text), "what the key server sent is not acceptable: %s",
			 reason);
		/* answered on the same IKE_SA when this exchange is complete */
		this->ike_sa->queue_task(
			this->ike_sa, gsa_depart_create(this->ike_sa, this->group, notify, FALSE));
		conclude(this, this->ike_sa, notify, text, NULL);
		return SUCCESS;
	}
	conclude(this, this->ike_sa, 0, NULL, group_sa);
	return SUCCESS;
}

METHOD(task_t, process_open, status_t, gsa_register_t *this, message_t *message)
{
	if (message->get_exchange_type(message) != IKE_AUTH ||
	    this->ike_sa->get_state(this->ike_sa) != IKE_ESTABLISHED)
		return NEED_MORE;
	return _process(this, message);
}

METHOD(task_t, get_type, task_type_t, gsa_register_t *this)
{
	return TASK_CUSTOM;
}

METHOD(task_t, migrate, void, gsa_register_t *this, ike_sa_t *ike_sa)
{
	this->ike_sa = ike_sa;
	this->sent = FALSE;
}

METHOD(task_t, destroy, void, gsa_register_t *this)
{
	if (!this->concluded)
		conclude(this, NULL, 0, "the key server did not answer", NULL);
	free(this->group);
	free(this);
}

static gsa_register_t *create(ike_sa_t *ike_sa, const char *group, bool sender, uint32_t attempt)
{
	gsa_register_t *this;

	INIT(this,
		.public = {
			.build = _build,
			.process = _process,
			.get_type = _get_type,
			.migrate = _migrate,
			.destroy = _destroy,
		},
		.ike_sa = ike_sa,
		.group = strdup(group),
		.sender = sender,
		.attempt = attempt,
	);
	return this;
}

task_t *gsa_register_create(ike_sa_t *ike_sa, const char *group, bool sender, uint32_t attempt)
{
	return &create(ike_sa, group, sender, attempt)->public;
}

task_t *gsa_open_create(ike_sa_t *ike_sa, const char *group, bool sender, uint32_t attempt)
{
	gsa_register_t *this = create(ike_sa, group, sender, attempt);

	this->opens = TRUE;
	this->public.build = _build_open;
	this->public.process = _process_open;
	return &this->public;
}
