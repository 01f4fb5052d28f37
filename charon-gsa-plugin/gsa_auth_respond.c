// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Task of the key server on an IKE_SA that a peer initiates: if the peer opens with GSA_AUTH
 * (RFC 9838 §2.3.1), the response registers it.
 *
 *   IDi, AUTH, IDg [, SAg] [, N(GROUP_SENDER)]  -->  the peer is authenticated, gcksd decides
 *                                               -->  IDr, AUTH, GSA, KD, N(...)
 *                                               or   IDr, AUTH, N(error)
 *                                               or   N(AUTHENTICATION_FAILED): gcksd is not asked
 *
 * With EAP, or several rounds, IDg comes in the first message and GSA goes with the last one.
 * Called after libcharon's tasks that authenticate, before the one that creates CHILD_SAs.
 */
#include "charon-gsa-plugin/gsa_answer.h"
#include "charon-gsa-plugin/gsa_auth.h"

/*
 * An IKE_SA whose peer was refused is closed after this (§2.3.4), unless the peer has registered
 * with another group meanwhile, or uses it otherwise.
 */
#define REFUSED_IDLE_S 10

typedef struct {
	task_t public;
	ike_sa_t *ike_sa;
	gsa_answer_t *answer;
	bool renamed; /* the last message came as GSA_AUTH */
} gsa_auth_respond_t;

/* SAg is no proposal for a CHILD_SA, of which GSA_AUTH creates none. */
static void remove_child_payloads(message_t *message)
{
	enumerator_t *enumerator = message->create_payload_enumerator(message);
	payload_t *payload;

	while (enumerator->enumerate(enumerator, &payload)) {
		switch (payload->get_type(payload)) {
		case PLV2_SECURITY_ASSOCIATION:
		case PLV2_TS_INITIATOR:
		case PLV2_TS_RESPONDER:
			message->remove_payload_at(message, enumerator);
			payload->destroy(payload);
			break;
		default:
			break;
		}
	}
	enumerator->destroy(enumerator);
}

METHOD(task_t, process, status_t, gsa_auth_respond_t *this, message_t *message)
{
	this->renamed = gsa_auth_is_renamed(gsa.auth);
	if (message->get_exchange_type(message) != IKE_AUTH || !this->renamed)
		return NEED_MORE;
	if (!gsa_answer_taken(this->answer))
		gsa_answer_take(this->answer, message);
	remove_child_payloads(message);
	return NEED_MORE;
}

/* It came up otherwise, is to be brought up elsewhere, or ends at once for want of a CHILD_SA. */
static bool is_another(gsa_auth_respond_t *this)
{
	ike_cfg_t *ike_cfg = this->ike_sa->get_ike_cfg(this->ike_sa);

	return !this->renamed || !gsa_answer_taken(this->answer) ||
	       this->ike_sa->has_condition(this->ike_sa, COND_REDIRECTED) ||
	       ike_cfg->childless(ike_cfg) == CHILDLESS_NEVER;
}

METHOD(task_t, build, status_t, gsa_auth_respond_t *this, message_t *message)
{
	if (message->get_exchange_type(message) != IKE_AUTH ||
	    !this->ike_sa->has_condition(this->ike_sa, COND_AUTHENTICATED))
		return NEED_MORE;
	if (is_another(this))
		return SUCCESS;
	if (!gsa_answer_decide(this->answer))
		return INVALID_STATE;
	gsa_auth_rename(gsa.auth);
	if (gsa_answer_add(this->answer, message))
		return NEED_MORE;
	gsa_close_queue(this->ike_sa, REFUSED_IDLE_S);
	return SUCCESS;
}

METHOD(task_t, post_build, status_t, gsa_auth_respond_t *this, message_t *message)
{
	if (message->get_exchange_type(message) != IKE_AUTH ||
	    !this->ike_sa->has_condition(this->ike_sa, COND_AUTHENTICATED))
		return NEED_MORE;
	gsa_answer_sent(this->answer);
	return SUCCESS;
}

METHOD(task_t, get_type, task_type_t, gsa_auth_respond_t *this)
{
	return TASK_CUSTOM;
}

METHOD(task_t, migrate, void, gsa_auth_respond_t *this, ike_sa_t *ike_sa)
{
	this->ike_sa = ike_sa;
	gsa_answer_migrate(this->answer, ike_sa);
}

METHOD(task_t, destroy, void, gsa_auth_respond_t *this)
{
	gsa_answer_destroy(this->answer);
	free(this);
}

task_t *gsa_auth_respond_create(ike_sa_t *ike_sa, message_t *request)
{
	gsa_auth_respond_t *this;

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
		.answer = gsa_answer_create(ike_sa),
	);
	return &this->public;
}
