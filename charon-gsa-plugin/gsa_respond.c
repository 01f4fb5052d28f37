// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Task of the key server: answers a GSA_REGISTRATION (RFC 9838 §2.3.2).
 *
 *   IDg [, SAg] [, N(GROUP_SENDER)]  -->  gcksd decides  -->  GSA, KD, N(USE_TRANSPORT_MODE),
 *                                                             N(group identifier)
 *                                                        or   N(error)
 *   IDg, N(NO_PROPOSAL_CHOSEN | REGISTRATION_FAILED)  -->  the member left: empty answer
 */
#include "charon-gsa-plugin/gsa_answer.h"

typedef struct {
	task_t public;
	ike_sa_t *ike_sa;
	gsa_answer_t *answer;
	bool left; /* the answer is empty */
} gsa_respond_t;

static bool is_departure(message_t *message)
{
	return gsa_notify_find(message, GSA_NOTIFY_NO_PROPOSAL_CHOSEN) ||
	       gsa_notify_find(message, GSA_NOTIFY_REGISTRATION_FAILED);
}

static void depart(gsa_respond_t *this, message_t *message)
{
	bool refused = gsa_notify_find(message, GSA_NOTIFY_NO_PROPOSAL_CHOSEN) != NULL;

	this->left = TRUE;
	gsa.server->left(gsa.server, this->ike_sa->get_unique_id(this->ike_sa),
			 gsa_answer_group_name(this->answer),
			 refused ? GSA__END_REASON__END_NOT_ACCEPTABLE : GSA__END_REASON__END_LEFT,
			 refused ? "it cannot use the group's SAs (NO_PROPOSAL_CHOSEN)"
				 : "it left (REGISTRATION_FAILED)");
}

METHOD(task_t, process, status_t, gsa_respond_t *this, message_t *message)
{
	uint8_t id_type;

	if (!gsa_message_was_encrypted(message)) {
		gsa_answer_refuse(this->answer, GSA_NOTIFY_REGISTRATION_FAILED,
				  "the request was not encrypted");
		return NEED_MORE;
	}
	gsa_answer_take(this->answer, message);
	if (is_departure(message) && gsa_answer_group(this->answer, &id_type))
		depart(this, message);
	return NEED_MORE;
}

METHOD(task_t, build, status_t, gsa_respond_t *this, message_t *message)
{
	if (this->left)
		return SUCCESS;
	if (!gsa_answer_decide(this->answer))
		return INVALID_STATE;
	return gsa_answer_add(this->answer, message) ? NEED_MORE : SUCCESS;
}

METHOD(task_t, post_build, status_t, gsa_respond_t *this, message_t *message)
{
	gsa_answer_sent(this->answer);
	return SUCCESS;
}

METHOD(task_t, get_type, task_type_t, gsa_respond_t *this)
{
	return TASK_CUSTOM;
}

METHOD(task_t, migrate, void, gsa_respond_t *this, ike_sa_t *ike_sa)
{
	this->ike_sa = ike_sa;
	gsa_answer_migrate(this->answer, ike_sa);
}

METHOD(task_t, destroy, void, gsa_respond_t *this)
{
	gsa_answer_destroy(this->answer);
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
		.answer = gsa_answer_create(ike_sa),
	);
	return &this->public;
}
