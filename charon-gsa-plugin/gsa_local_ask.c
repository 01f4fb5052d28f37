// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Questions to gcksd, which writes to its disk before it answers.  No thread of charon waits for
 * that, and no IKE_SA is held: a task asks, and build() of it is called again when it is over.
 *
 *   ask() -> waits --answer, no answer in time--> over --answered()--> gone
 *              |                                   |
 *              +------ the task is gone: forget() -+--> a grant is told to gcksd as not delivered
 */
#include "charon-gsa-plugin/gsa_local.h"

#include <processing/jobs/callback_job.h>
#include <processing/jobs/initiate_tasks_job.h>

#define LOOK_MS 250

struct gsa_question_t {
	uint32_t request;
	ike_sa_id_t *ike_sa;
	uint32_t unique_id;
	timeval_t until;
	bool over;	/* the task was called */
	bool forgotten; /* it has gone on without an answer, or is gone */
	Gsa__Message *reply;
};

static void question_destroy(gsa_question_t *this)
{
	this->ike_sa->destroy(this->ike_sa);
	gsa_message_free(this->reply);
	free(this);
}

/* ---- with the mutex locked ---- */

static const void *key_of(uint32_t request)
{
	return (const void *)(uintptr_t)request;
}

static gsa_question_t *find(private_gsa_local_t *this, uint32_t request)
{
	return this->questions->get(this->questions, key_of(request));
}

static void take_out(private_gsa_local_t *this, gsa_question_t *question)
{
	this->questions->remove(this->questions, key_of(question->request));
	question_destroy(question);
}

static void conclude(gsa_question_t *question)
{
	if (question->over || question->forgotten)
		return;
	question->over = TRUE;
	lib->processor->queue_job(lib->processor,
				  (job_t *)initiate_tasks_job_create(question->ike_sa));
}

static bool another_of_ike_sa(private_gsa_local_t *this, const gsa_question_t *question)
{
	enumerator_t *enumerator = this->questions->create_enumerator(this->questions);
	gsa_question_t *current;
	bool found = FALSE;
	const void *key;

	while (!found && enumerator->enumerate(enumerator, &key, &current))
		found = current != question && current->unique_id == question->unique_id;
	enumerator->destroy(enumerator);
	return found;
}

void gsa_local_end_questions(private_gsa_local_t *this)
{
	enumerator_t *enumerator = this->questions->create_enumerator(this->questions);
	gsa_question_t *question;
	const void *key;

	while (enumerator->enumerate(enumerator, &key, &question)) {
		this->questions->remove_at(this->questions, enumerator);
		conclude(question);
		question_destroy(question);
	}
	enumerator->destroy(enumerator);
}

/* ---- without it ---- */

/*
 * Nobody took an answer.  With other registrations over the IKE_SA it stays: it may be in the place of
 * one that the member holds.
 */
static void not_delivered(private_gsa_local_t *this, uint32_t ike_sa, const Gsa__Message *reply)
{
	const Gsa__GroupSa *granted = reply->registration_reply->group_sa;
	Gsa__RegistrationEnded ended = GSA__REGISTRATION_ENDED__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	if (!granted || gsa.server->count(gsa.server, ike_sa))
		return;
	ended.ike_sa = ike_sa;
	ended.group = granted->group;
	ended.reason = GSA__END_REASON__END_NOT_DELIVERED;
	ended.text = "gcksd answered too late";
	message.body_case = GSA__MESSAGE__BODY_REGISTRATION_ENDED;
	message.registration_ended = &ended;
	gsa_local_send(this, &message);
}

/* Who waits too long goes on without an answer. */
static job_requeue_t look(void *data)
{
	private_gsa_local_t *this = data;
	enumerator_t *enumerator;
	gsa_question_t *question;
	const void *key;
	timeval_t now;

	time_monotonic(&now);
	this->mutex->lock(this->mutex);
	enumerator = this->questions->create_enumerator(this->questions);
	while (enumerator->enumerate(enumerator, &key, &question))
		if (timercmp(&now, &question->until, >))
			conclude(question);
	enumerator->destroy(enumerator);
	this->looking = this->questions->get_count(this->questions) != 0;
	this->mutex->unlock(this->mutex);
	return this->looking ? JOB_RESCHEDULE_MS(LOOK_MS) : JOB_REQUEUE_NONE;
}

static void look_later(private_gsa_local_t *this)
{
	if (this->looking)
		return;
	this->looking = TRUE;
	lib->scheduler->schedule_job_ms(lib->scheduler,
					(job_t *)callback_job_create(look, this, NULL, NULL),
					GSA_REPLY_TIMEOUT_MS);
}

uint32_t gsa_local_ask(private_gsa_local_t *this, Gsa__RegistrationRequest *request,
		       ike_sa_t *ike_sa)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	gsa_question_t *question;
	uint32_t number = 0;

	message.body_case = GSA__MESSAGE__BODY_REGISTRATION_REQUEST;
	message.registration_request = request;
	this->mutex->lock(this->mutex);
	if (!++this->last_request)
		++this->last_request;
	request->request = this->last_request;
	if (this->open && !this->stopped && gsa_local_enqueue(this, &message)) {
		ike_sa_id_t *id = ike_sa->get_id(ike_sa);

		number = request->request;
		INIT(question,
			.request = number,
			.ike_sa = id->clone(id),
			.unique_id = ike_sa->get_unique_id(ike_sa),
		);
		time_monotonic(&question->until);
		timeval_add_ms(&question->until, GSA_REPLY_TIMEOUT_MS);
		this->questions->put(this->questions, key_of(number), question);
		look_later(this);
	}
	this->mutex->unlock(this->mutex);
	return number;
}

bool gsa_local_answered(private_gsa_local_t *this, uint32_t request, Gsa__Message **reply)
{
	gsa_question_t *question;
	bool over;

	*reply = NULL;
	this->mutex->lock(this->mutex);
	question = find(this, request);
	over = !question || question->over;
	if (question && question->reply) {
		*reply = question->reply;
		question->reply = NULL;
		take_out(this, question);
	} else if (question && over) {
		question->forgotten = TRUE;
	}
	this->mutex->unlock(this->mutex);
	return over;
}

void gsa_local_forget(private_gsa_local_t *this, uint32_t request)
{
	Gsa__Message *reply = NULL;
	gsa_question_t *question;
	uint32_t ike_sa = 0;

	this->mutex->lock(this->mutex);
	question = find(this, request);
	if (question && question->reply) {
		reply = question->reply;
		question->reply = NULL;
		ike_sa = question->unique_id;
		take_out(this, question);
	} else if (question) {
		question->forgotten = TRUE;
	}
	this->mutex->unlock(this->mutex);
	if (reply)
		not_delivered(this, ike_sa, reply);
	gsa_message_free(reply);
}

void gsa_local_take_reply(private_gsa_local_t *this, Gsa__Message *message)
{
	gsa_question_t *question;
	bool known, tell = FALSE;
	uint32_t ike_sa = 0;

	this->mutex->lock(this->mutex);
	question = find(this, message->registration_reply->request);
	known = question && !question->reply;
	if (known && question->forgotten) {
		/* one that is asked for anew meanwhile must not end */
		tell = !another_of_ike_sa(this, question);
		ike_sa = question->unique_id;
		take_out(this, question);
	} else if (known) {
		question->reply = message;
		message = NULL;
		conclude(question);
	}
	this->mutex->unlock(this->mutex);
	if (!known)
		gsa_local_dropped(this, "an answer to no question");
	if (tell)
		not_delivered(this, ike_sa, message);
	gsa_message_free(message);
}
