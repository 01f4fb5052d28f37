// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Between the connection to gcksd and charon's threads: the queues, and the thread that handles
 * messages one after the other.
 */
#include "charon-gsa-plugin/gsa_local.h"

#include <sys/socket.h>

#define OUT_MAX	       (32 * 1024 * 1024) /* octets; gcksd hangs: drop the connection */
#define LOG_INTERVAL_S 60

/* ---- queues; the mutex is held ---- */

void gsa_local_free_packed(chunk_t *packed)
{
	chunk_clear(packed);
	free(packed);
}

static void free_received(gsa_received_t *received)
{
	gsa_message_free(received->message);
	free(received->data);
	free(received);
}

void gsa_local_clear(private_gsa_local_t *this)
{
	gsa_received_t *received;
	chunk_t *packed;

	while (this->out->remove_first(this->out, (void **)&packed) == SUCCESS)
		gsa_local_free_packed(packed);
	this->out_size = 0;
	this->drained->broadcast(this->drained);
	this->overflow = FALSE;
	while (this->in->remove_first(this->in, (void **)&received) == SUCCESS)
		free_received(received);
	gsa_local_end_questions(this);
}

/*
 * Of a thread that has something to send, so that the socket's thread need not be woken for it.
 * FALSE: the socket is full, or broken, which that thread will see, too.
 */
static bool send_now(private_gsa_local_t *this, chunk_t packed)
{
	return this->fd >= 0 && !this->out->get_count(this->out) &&
	       send(this->fd, packed.ptr, packed.len, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

bool gsa_local_enqueue(private_gsa_local_t *this, const Gsa__Message *message)
{
	size_t size = gsa__message__get_packed_size(message);
	chunk_t *packed;

	if (size > GSA_MESSAGE_MAX) {
		DBG1(DBG_CFG, "gsa: a message for gcksd of %zu octets is too long, not sent", size);
		return FALSE;
	}
	if (this->overflow || this->out_size + size > OUT_MAX) {
		this->overflow = TRUE;
		gsa_local_wake(this);
		return FALSE;
	}
	INIT(packed);
	*packed = chunk_alloc(size);
	packed->len = gsa_message_pack(message, packed->ptr);
	if (send_now(this, *packed)) {
		gsa_local_free_packed(packed);
		return TRUE;
	}
	this->out_size += size;
	this->out->insert_last(this->out, packed);
	gsa_local_wake(this);
	return TRUE;
}

/* Adopts it. */
static void hand_over(private_gsa_local_t *this, gsa_received_t *received)
{
	received->generation = this->generation;
	this->in->insert_last(this->in, received);
	this->handler_wake->signal(this->handler_wake);
}

void gsa_local_hand_over(private_gsa_local_t *this, Gsa__Message *message)
{
	gsa_received_t *received;

	INIT(received, .message = message);
	hand_over(this, received);
}

/* ---- what other threads call ---- */

bool gsa_local_send(private_gsa_local_t *this, Gsa__Message *message)
{
	bool sent;

	this->mutex->lock(this->mutex);
	sent = this->open && !this->stopped && gsa_local_enqueue(this, message);
	this->mutex->unlock(this->mutex);
	return sent;
}

void gsa_local_call(private_gsa_local_t *this, void (*function)(void *data), void *data)
{
	gsa_received_t *received;

	INIT(received, .function = function, .data = data);
	this->mutex->lock(this->mutex);
	if (this->state == UP && !this->stopped) {
		hand_over(this, received);
		received = NULL;
	}
	this->mutex->unlock(this->mutex);
	if (received)
		free_received(received);
}

/* ---- the handling thread ---- */

void gsa_local_dropped(private_gsa_local_t *this, const char *reason)
{
	time_t now = time_monotonic(NULL);
	u_int count;

	this->mutex->lock(this->mutex);
	count = ++this->dropped;
	if (this->dropped_logged && now - this->dropped_logged < LOG_INTERVAL_S) {
		count = 0;
	} else {
		this->dropped_logged = now;
		this->dropped = 0;
	}
	this->mutex->unlock(this->mutex);
	if (count > 1)
		DBG1(DBG_CFG, "gsa: dropped %u messages of gcksd, this one because %s", count,
		     reason);
	else if (count)
		DBG1(DBG_CFG, "gsa: dropped a message of gcksd: %s", reason);
}

/* SyncDone speaks for what was repeated on the same connection. */
static void resynchronise(private_gsa_local_t *this, uint32_t generation)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__SyncDone done = GSA__SYNC_DONE__INIT;

	gsa.member->mark(gsa.member);
	gsa.rekeys->forget(gsa.rekeys);
	gsa.server->repeat(gsa.server);
	gsa.member->repeat(gsa.member);
	message.body_case = GSA__MESSAGE__BODY_SYNC_DONE;
	message.sync_done = &done;
	this->mutex->lock(this->mutex);
	if (this->state == UP && this->generation == generation && !this->stopped)
		gsa_local_enqueue(this, &message);
	this->mutex->unlock(this->mutex);
}

static void handle(private_gsa_local_t *this, gsa_received_t *received)
{
	const Gsa__Message *message = received->message;
	char reason[GSA_LOCAL_REASON];

	if (received->function) {
		received->function(received->data);
		return;
	}
	if (!message) {
		resynchronise(this, received->generation);
		return;
	}
	DBG2(DBG_CFG, "gsa: %s from gcksd", gsa_message_name(message));
	if (message->body_case == GSA__MESSAGE__BODY_SYNC_DONE)
		gsa.member->sweep(gsa.member);
	else if (!gsa.kernel->handle(gsa.kernel, message) &&
		 !gsa.member->handle(gsa.member, message) &&
		 !gsa.server->handle(gsa.server, message) &&
		 !gsa.rekeys->handle(gsa.rekeys, message)) {
		snprintf(reason, sizeof(reason), "%s is not for charon", gsa_message_name(message));
		gsa_local_dropped(this, reason);
	}
}

void *gsa_local_handler_main(private_gsa_local_t *this)
{
	gsa_received_t *received;

	this->mutex->lock(this->mutex);
	while (!this->stopped) {
		if (this->in->remove_first(this->in, (void **)&received) != SUCCESS) {
			this->handler_wake->wait(this->handler_wake, this->mutex);
			continue;
		}
		/* not before: what it did for an earlier connection is not for this one */
		if (!received->message && !received->function)
			this->open = TRUE;
		if (this->in->get_count(this->in) == GSA_LOCAL_IN_MAX - 1)
			gsa_local_wake(this);
		this->mutex->unlock(this->mutex);
		handle(this, received);
		free_received(received);
		this->mutex->lock(this->mutex);
	}
	this->mutex->unlock(this->mutex);
	return NULL;
}
