// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Key server: rekeys that gcksd wants sent in band (RFC 9838 §2.4.2, §2.4.3).
 *
 *   HDR, SK{[IDg,] GSA, KD, N(USE_TRANSPORT_MODE), N(group identifier) [, D]}  -->
 *   HDR, SK{[IDg,] D}                                                          -->
 *                                                 <--  HDR, SK{}  or  HDR, SK{N(error)}
 *
 *   Rekey of gcksd -> pending -> job -> task on the IKE_SA -> answer -> RekeyDone
 *                        ^                      |
 *                        +-- IKE_SA was rekeyed, and the task went with the old one
 *
 * RekeyDone is told once for every Rekey, as long as the gcksd that asked is there.  Those of one
 * IKE_SA go one after the other, in gcksd's order.  IDg says which group it is when the IKE_SA
 * carries more than one.  libcharon retransmits, and ends the IKE_SA when
 * there is no answer.  A task is queued on the new IKE_SA by libcharon itself when the old one is
 * rekeyed before its turn; one that is under way stays with the old one, and may be lost with it, or
 * refused by a member that has done with the old one.
 *
 * What waits has keys: it is kept packed, in locked memory.  Listeners run under the bus's mutex,
 * so this mutex comes after it, and nothing of charon is called with it locked, except the log and
 * the socket.
 */
#include "charon-gsa-plugin/gsa.h"

#include <collections/hashtable.h>
#include <encoding/payloads/delete_payload.h>
#include <processing/jobs/callback_job.h>
#include <processing/jobs/initiate_tasks_job.h>
#include <threading/mutex.h>

#define TEXT_MAX 200

/* Deletes of one SPI each come in payloads of so many at most. */
#define DELETES_MAX 64

typedef struct {
	uint32_t serial;	  /* ours: gcksd counts anew when it is restarted */
	uint32_t request;	  /* gcksd's */
	uint32_t ike_sa;	  /* that it goes over now */
	struct gsa_secret packed; /* Rekey */
} pending_t;

typedef struct private_gsa_rekeys_t private_gsa_rekeys_t;

typedef struct {
	listener_t public;
	private_gsa_rekeys_t *rekeys;
} rekeys_listener_t;

struct private_gsa_rekeys_t {
	gsa_rekeys_t public;
	rekeys_listener_t listener;
	mutex_t *mutex;
	hashtable_t *pending; /* serial -> pending_t */
	uint32_t last_serial;
};

static void pending_destroy(pending_t *this)
{
	gsa_secret_clear(&this->packed);
	free(this);
}

static const void *key_of(uint32_t serial)
{
	return (const void *)(uintptr_t)serial;
}

/* With the mutex locked: whose turn it is on an IKE_SA; 0: nobody's. */
static uint32_t first_on(private_gsa_rekeys_t *this, uint32_t ike_sa)
{
	enumerator_t *enumerator = this->pending->create_enumerator(this->pending);
	uint32_t first = 0;
	pending_t *current;
	const void *key;

	while (enumerator->enumerate(enumerator, &key, &current))
		if (current->ike_sa == ike_sa && (!first || current->serial < first))
			first = current->serial;
	enumerator->destroy(enumerator);
	return first;
}

static void queue(uint32_t serial);

static void send_done(uint32_t request, bool ok, const char *text)
{
	Gsa__RekeyDone body = GSA__REKEY_DONE__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	body.request = request;
	body.ok = ok;
	body.text = (char *)text;
	message.body_case = GSA__MESSAGE__BODY_REKEY_DONE;
	message.rekey_done = &body;
	gsa.local->send(gsa.local, &message);
}

/* The one end of a pending rekey, unless gcksd does not want to know any more. */
static void conclude(private_gsa_rekeys_t *this, uint32_t serial, bool ok, const char *text)
{
	pending_t *pending;
	uint32_t next = 0;

	this->mutex->lock(this->mutex);
	pending = this->pending->remove(this->pending, key_of(serial));
	if (pending) {
		if (!ok)
			DBG1(DBG_IKE, "gsa: rekey over IKE_SA %u failed: %s", pending->ike_sa,
			     text);
		send_done(pending->request, ok, text);
		next = first_on(this, pending->ike_sa);
		pending_destroy(pending);
	}
	this->mutex->unlock(this->mutex);
	if (next)
		queue(next);
}

/* Over which IKE_SA it goes now; 0: it is over, or it is not its turn. */
static uint32_t ike_sa_of(private_gsa_rekeys_t *this, uint32_t serial)
{
	pending_t *pending;
	uint32_t id;

	this->mutex->lock(this->mutex);
	pending = this->pending->get(this->pending, key_of(serial));
	id = pending && first_on(this, pending->ike_sa) == serial ? pending->ike_sa : 0;
	this->mutex->unlock(this->mutex);
	return id;
}

/* What has to be sent; NULL: it is over.  Free it with gsa_message_free(). */
static Gsa__Message *unpack(private_gsa_rekeys_t *this, uint32_t serial)
{
	Gsa__Message *message = NULL;
	pending_t *pending;
	const char *reason;

	this->mutex->lock(this->mutex);
	pending = this->pending->get(this->pending, key_of(serial));
	if (pending)
		message = gsa_message_unpack(pending->packed.data, pending->packed.length, &reason);
	this->mutex->unlock(this->mutex);
	return message;
}

/* The task */

typedef struct {
	task_t public;
	ike_sa_t *ike_sa;
	uint32_t serial;
	bool concluded;
} gsa_rekey_task_t;

static void task_conclude(gsa_rekey_task_t *this, bool ok, const char *text)
{
	this->concluded = TRUE;
	conclude((private_gsa_rekeys_t *)gsa.rekeys, this->serial, ok, text);
}

/* Another IKE_SA has the place of the task's own, and it is the rekey's turn there. */
static bool is_replaced(gsa_rekey_task_t *this)
{
	uint32_t id = ike_sa_of((private_gsa_rekeys_t *)gsa.rekeys, this->serial);

	return id && id != this->ike_sa->get_unique_id(this->ike_sa);
}

static void add_deletes(message_t *message, const Gsa__Rekey *rekey)
{
	delete_payload_t *payload = delete_payload_create(PLV2_DELETE, PROTO_ESP);

	if (rekey->delete_all)
		payload->add_spi(payload, 0);
	for (size_t i = 0; !rekey->delete_all && i < rekey->n_delete_spi; i++)
		payload->add_spi(payload, htonl(rekey->delete_spi[i]));
	message->add_payload(message, &payload->payload_interface);
}

/* Returns why not. */
static const char *fill(gsa_rekey_task_t *this, message_t *message, const Gsa__Rekey *rekey)
{
	uint32_t id = this->ike_sa->get_unique_id(this->ike_sa);
	gsa_group_sa_t group_sa = {};
	chunk_t name = chunk_empty;
	const char *reason = NULL;

	if (!gsa.server->name(gsa.server, id, rekey->group, &name))
		return "the member is not registered with the group over this IKE_SA";
	if (rekey->group_sa &&
	    !gsa_group_sa_encode(this->ike_sa, rekey->group_sa, &group_sa, &reason))
		goto out;
	reason = NULL;
	if (name.len && !gsa_group_id_add(message, name)) {
		reason = "the group's name cannot be sent";
		goto out;
	}
	if (rekey->group_sa) {
		gsa_group_sa_add(&group_sa, message);
		gsa.server->rekeyed(gsa.server, id, rekey->group, &group_sa.given);
	} else {
		gsa_group_identifier_add(message, rekey->group);
	}
	if (rekey->delete_all || rekey->n_delete_spi)
		add_deletes(message, rekey);
out:
	gsa_group_sa_clear(&group_sa);
	chunk_free(&name);
	return reason;
}

METHOD(task_t, build, status_t, gsa_rekey_task_t *this, message_t *message)
{
	Gsa__Message *request = unpack((private_gsa_rekeys_t *)gsa.rekeys, this->serial);
	const char *reason;

	if (!request) {
		this->concluded = TRUE;
		message->set_exchange_type(message, EXCHANGE_TYPE_UNDEFINED);
		return SUCCESS;
	}
	message->set_exchange_type(message, GSA_INBAND_REKEY);
	reason = fill(this, message, request->rekey);
	gsa_message_free(request);
	if (reason) {
		task_conclude(this, FALSE, reason);
		message->set_exchange_type(message, EXCHANGE_TYPE_UNDEFINED);
		return SUCCESS;
	}
	return NEED_MORE;
}

METHOD(task_t, process, status_t, gsa_rekey_task_t *this, message_t *message)
{
	uint16_t error = gsa_error_find(message);
	char text[TEXT_MAX];

	if (!gsa_message_was_encrypted(message)) {
		task_conclude(this, FALSE, "the member's answer was not encrypted");
	} else if (error && is_replaced(this)) {
		DBG2(DBG_IKE, "gsa: refused over an IKE_SA that was rekeyed, sent again");
	} else if (error) {
		snprintf(text, sizeof(text), "the member answered with error notify %u", error);
		task_conclude(this, FALSE, text);
	} else {
		task_conclude(this, TRUE, "");
	}
	return SUCCESS;
}

METHOD(task_t, get_type, task_type_t, gsa_rekey_task_t *this)
{
	return TASK_CUSTOM;
}

METHOD(task_t, migrate, void, gsa_rekey_task_t *this, ike_sa_t *ike_sa)
{
	this->ike_sa = ike_sa;
}

METHOD(task_t, task_destroy, void, gsa_rekey_task_t *this)
{
	/* the IKE_SA is gone; if another one has its place, that one's turn is now */
	if (!this->concluded && is_replaced(this))
		queue(this->serial);
	else if (!this->concluded)
		task_conclude(this, FALSE, "the IKE_SA to the member is gone");
	free(this);
}

static task_t *task_create(ike_sa_t *ike_sa, uint32_t serial)
{
	gsa_rekey_task_t *this;

	INIT(this,
		.public = {
			.build = _build,
			.process = _process,
			.get_type = _get_type,
			.migrate = _migrate,
			.destroy = _task_destroy,
		},
		.ike_sa = ike_sa,
		.serial = serial,
	);
	return &this->public;
}

/* The job, because it waits for the IKE_SA */

typedef struct {
	uint32_t serial;
} rekey_job_t;

static job_requeue_t rekey_execute(rekey_job_t *job)
{
	private_gsa_rekeys_t *this = (private_gsa_rekeys_t *)gsa.rekeys;
	ike_sa_manager_t *manager = charon->ike_sa_manager;
	uint32_t id = ike_sa_of(this, job->serial);
	ike_sa_t *ike_sa;

	if (!id)
		return JOB_REQUEUE_NONE;
	ike_sa = gsa.ike_sas->checkout(gsa.ike_sas, id);
	if (!ike_sa) {
		conclude(this, job->serial, FALSE, "the IKE_SA to the member is gone");
		return JOB_REQUEUE_NONE;
	}
	ike_sa->queue_task(ike_sa, task_create(ike_sa, job->serial));
	lib->processor->queue_job(lib->processor,
				  (job_t *)initiate_tasks_job_create(ike_sa->get_id(ike_sa)));
	manager->checkin(manager, ike_sa);
	return JOB_REQUEUE_NONE;
}

static void queue(uint32_t serial)
{
	rekey_job_t *job;

	INIT(job,
		.serial = serial,
	);
	lib->processor->queue_job(lib->processor, (job_t *)callback_job_create(
							  (void *)rekey_execute, job, free, NULL));
}

/* Requests of gcksd */

/* Returns what is wrong with it. */
static const char *check(const Gsa__Rekey *rekey)
{
	if (!rekey->group_sa && !rekey->delete_all && !rekey->n_delete_spi)
		return "it says neither what is new nor what is deleted";
	if (rekey->n_delete_spi > DELETES_MAX)
		return "it deletes more SAs than a message takes";
	/* RFC 9838 §5: members keep the ones of their registration */
	if (rekey->group_sa && (rekey->group_sa->n_sender_id || rekey->group_sa->sender_id_bits))
		return "Sender-IDs are given by registrations only";
	return NULL;
}

static const char *add(private_gsa_rekeys_t *this, const Gsa__Message *message, uint32_t *serial)
{
	size_t size = gsa__message__get_packed_size(message);
	pending_t *pending;

	INIT(pending,
		.request = message->rekey->request,
	);
	if (!gsa_secret_alloc(&pending->packed, size)) {
		free(pending);
		return "out of locked memory";
	}
	gsa__message__pack(message, pending->packed.data);
	this->mutex->lock(this->mutex);
	pending->ike_sa = gsa.ike_sas->present(gsa.ike_sas, message->rekey->ike_sa);
	*serial = pending->serial = ++this->last_serial;
	this->pending->put(this->pending, key_of(*serial), pending);
	this->mutex->unlock(this->mutex);
	return NULL;
}

METHOD(gsa_rekeys_t, handle, bool, private_gsa_rekeys_t *this, const Gsa__Message *message)
{
	const char *reason;
	uint32_t serial;

	if (message->body_case != GSA__MESSAGE__BODY_REKEY)
		return FALSE;
	reason = check(message->rekey);
	if (!reason)
		reason = add(this, message, &serial);
	if (reason) {
		DBG1(DBG_IKE, "gsa: rekey of group %u over IKE_SA %u is not sent: %s",
		     message->rekey->group, message->rekey->ike_sa, reason);
		send_done(message->rekey->request, FALSE, reason);
	} else {
		queue(serial);
	}
	return TRUE;
}

METHOD(gsa_rekeys_t, forget, void, private_gsa_rekeys_t *this)
{
	enumerator_t *enumerator;
	pending_t *pending;
	const void *key;

	this->mutex->lock(this->mutex);
	enumerator = this->pending->create_enumerator(this->pending);
	while (enumerator->enumerate(enumerator, &key, &pending)) {
		this->pending->remove_at(this->pending, enumerator);
		pending_destroy(pending);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

METHOD(listener_t, ike_rekey, bool, rekeys_listener_t *listener, ike_sa_t *old, ike_sa_t *new)
{
	private_gsa_rekeys_t *this = listener->rekeys;
	uint32_t from = old->get_unique_id(old), to = new->get_unique_id(new);
	enumerator_t *enumerator;
	pending_t *current;
	const void *key;

	this->mutex->lock(this->mutex);
	enumerator = this->pending->create_enumerator(this->pending);
	while (enumerator->enumerate(enumerator, &key, &current))
		if (current->ike_sa == from)
			current->ike_sa = to;
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

METHOD(gsa_rekeys_t, destroy, void, private_gsa_rekeys_t *this)
{
	charon->bus->remove_listener(charon->bus, &this->listener.public);
	forget(this);
	this->pending->destroy(this->pending);
	this->mutex->destroy(this->mutex);
	free(this);
}

gsa_rekeys_t *gsa_rekeys_create(void)
{
	private_gsa_rekeys_t *this;

	INIT(this,
		.public = {
			.handle = _handle,
			.forget = _forget,
			.destroy = _destroy,
		},
		.listener = {
			.public = {
				.ike_rekey = _ike_rekey,
			},
		},
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.pending = hashtable_create(hashtable_hash_ptr, hashtable_equals_ptr, 32),
	);
	this->listener.rekeys = this;
	charon->bus->add_listener(charon->bus, &this->listener.public);
	return &this->public;
}
