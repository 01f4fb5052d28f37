// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The connection to gcksd.
 *
 *   DOWN --connect, Hello--> HELLO --Hello--> UP
 *    ^                          |             |
 *    +------- 1, 2, 4, 5 s -----+--- lost ----+
 *
 * Two threads.  One owns the socket: it connects, reads, and writes what others could not send at
 * once, never runs anyone else's code and so never waits long.  The other handles what was received, in its order; it may wait
 * for an IKE_SA.
 *
 * Nothing is removed because the connection is lost.
 */
#include "charon-gsa-plugin/gsa_local.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <processing/jobs/callback_job.h>

#define SOCKET_DEFAULT "/run/frr/gcksd.sock"
#define RETRY_S		1 /* a rekey may wait for gcksd, and a local socket costs nothing */
#define RETRY_REFUSED_S 5
#define READ_BATCH     100
#define WAKELESS_MS    50
#define FLUSH_MS       200 /* when the plugin is unloaded */

void gsa_local_wake(private_gsa_local_t *this)
{
	uint64_t one = 1;

	/* fails only if it is set already */
	if (write(this->wake, &one, sizeof(one)) < 0)
		return;
}

static void lost(private_gsa_local_t *this, const char *reason)
{
	this->mutex->lock(this->mutex);
	if (this->fd >= 0)
		close(this->fd);
	this->fd = -1;
	this->state = DOWN;
	this->open = FALSE;
	this->generation++;
	gsa_local_clear(this);
	this->mutex->unlock(this->mutex);
	if (!streq(this->logged, reason)) {
		DBG1(DBG_CFG, "gsa: connection to gcksd is lost: %s; groups stay as they are",
		     reason);
		snprintf(this->logged, sizeof(this->logged), "%s", reason);
	}
}

static void say_hello(private_gsa_local_t *this)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Hello hello = GSA__HELLO__INIT;

	hello.version = GSA_PROTOCOL_VERSION;
	hello.role = GSA__ROLE__ROLE_CHARON;
	hello.software = "charon " VERSION ", gsa " GSA_VERSION;
	message.body_case = GSA__MESSAGE__BODY_HELLO;
	message.hello = &hello;
	this->mutex->lock(this->mutex);
	this->state = HELLO;
	gsa_local_enqueue(this, &message);
	this->mutex->unlock(this->mutex);
}

/* Who listens: root, charon's own user, or whom the socket belongs to. */
static bool trusted(private_gsa_local_t *this)
{
	struct ucred peer;
	struct stat info;
	socklen_t length = sizeof(peer);

	return getsockopt(this->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid() ||
		(stat(this->path, &info) == 0 && peer.uid == info.st_uid));
}

static void connect_now(private_gsa_local_t *this)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char reason[GSA_LOCAL_REASON];

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", this->path) >=
	    (int)sizeof(address.sun_path)) {
		lost(this, "charon.plugins.gsa.socket is too long for a socket's name");
		return;
	}
	/* not blocking: connect() fails with EAGAIN if gcksd's backlog is full */
	this->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (this->fd < 0 || connect(this->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		snprintf(reason, sizeof(reason), "%s: %s", this->path, strerror(errno));
		lost(this, reason);
		return;
	}
	if (!trusted(this)) {
		lost(this,
		     "its socket is served by neither root, charon's user, nor the socket's owner");
		return;
	}
	say_hello(this);
}

static void write_queue(private_gsa_local_t *this)
{
	const char *reason = NULL;
	chunk_t *packed;

	this->mutex->lock(this->mutex);
	if (this->overflow)
		reason = "it does not read its socket";
	while (!reason && this->out->get_first(this->out, (void **)&packed) == SUCCESS) {
		if (send(this->fd, packed->ptr, packed->len, MSG_NOSIGNAL) < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN)
				reason = strerror(errno);
			break;
		}
		this->out->remove_first(this->out, (void **)&packed);
		this->out_size -= packed->len;
		gsa_local_free_packed(packed);
	}
	if (!this->out->get_count(this->out))
		this->drained->broadcast(this->drained);
	this->mutex->unlock(this->mutex);
	if (reason)
		lost(this, reason);
}

static void take_hello(private_gsa_local_t *this, const Gsa__Hello *hello)
{
	char reason[GSA_LOCAL_REASON];

	if (hello->version != GSA_PROTOCOL_VERSION || hello->role != GSA__ROLE__ROLE_GCKSD) {
		snprintf(reason, sizeof(reason),
			 "it speaks version %u of the local protocol as role %d, not version %d as gcksd",
			 hello->version, hello->role, GSA_PROTOCOL_VERSION);
		lost(this, reason);
		return;
	}
	this->retry_s = RETRY_S;
	this->logged[0] = '\0';
	DBG1(DBG_CFG, "gsa: connected to gcksd");
	this->mutex->lock(this->mutex);
	this->state = UP;
	gsa_local_hand_over(this, NULL);
	this->mutex->unlock(this->mutex);
}

/* Adopts the message. */
static void take(private_gsa_local_t *this, Gsa__Message *message)
{
	char reason[GSA_LOCAL_REASON];

	switch (message->body_case) {
	case GSA__MESSAGE__BODY_REFUSED:
		snprintf(reason, sizeof(reason), "refused: %s", message->refused->reason);
		this->retry_s = RETRY_REFUSED_S;
		gsa_message_free(message);
		lost(this, reason);
		return;
	case GSA__MESSAGE__BODY_HELLO:
		if (this->state == HELLO)
			take_hello(this, message->hello);
		else
			gsa_local_dropped(this, "Hello once more");
		gsa_message_free(message);
		return;
	default:
		break;
	}
	if (this->state != UP) {
		gsa_local_dropped(this, "it came before Hello");
		gsa_message_free(message);
	} else if (message->body_case == GSA__MESSAGE__BODY_REGISTRATION_REPLY) {
		gsa_local_take_reply(this, message);
	} else {
		this->mutex->lock(this->mutex);
		gsa_local_hand_over(this, message);
		this->mutex->unlock(this->mutex);
	}
}

static void read_socket(private_gsa_local_t *this)
{
	Gsa__Message *message;
	const char *reason;
	ssize_t length;
	int i;

	for (i = 0; i < READ_BATCH && this->fd >= 0; i++) {
		length = recv(this->fd, this->buffer, GSA_MESSAGE_MAX + 1, MSG_DONTWAIT);
		if (length < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (length <= 0) {
			lost(this, length ? strerror(errno) : "it closed the connection");
			return;
		}
		message = gsa_message_unpack(this->buffer, length, &reason);
		gsa_wipe(this->buffer, length);
		if (message)
			take(this, message);
		else
			gsa_local_dropped(this, reason);
	}
}

/* Until something happens, or it is time to connect (again). */
static void wait_socket(private_gsa_local_t *this, int timeout_ms)
{
	struct pollfd fds[] = {
		{ .fd = this->wake, .events = POLLIN },
		{ .fd = this->fd },
	};
	uint64_t count;

	this->mutex->lock(this->mutex);
	if (this->in->get_count(this->in) < GSA_LOCAL_IN_MAX)
		fds[1].events |= POLLIN;
	if (this->out->get_count(this->out))
		fds[1].events |= POLLOUT;
	this->mutex->unlock(this->mutex);
	if (poll(fds, this->fd >= 0 ? 2 : 1, timeout_ms) <= 0)
		return;
	if (fds[0].revents && read(this->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
		DBG1(DBG_CFG, "gsa: eventfd: %s", strerror(errno));
	if (this->fd >= 0 && fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		read_socket(this);
}

static bool is_stopped(private_gsa_local_t *this)
{
	bool stopped;

	this->mutex->lock(this->mutex);
	stopped = this->stopped;
	this->mutex->unlock(this->mutex);
	return stopped;
}

static void *socket_main(private_gsa_local_t *this)
{
	time_t next = 0, now;

	while (!is_stopped(this)) {
		now = time_monotonic(NULL);
		if (this->fd < 0 && now >= next) {
			connect_now(this);
			next = now + this->retry_s;
		}
		if (this->fd >= 0)
			write_queue(this);
		/* a lost connection is not tried again at once */
		if (this->fd < 0 && next <= now)
			next = now + 1;
		/* without an eventfd nobody can wake us */
		wait_socket(this, this->wake < 0 ? WAKELESS_MS : this->state == UP ? -1 : 500);
	}
	return NULL;
}

/* ---- life ---- */

/*
 * In a worker: workers run once charon has given up its privileges, and capabilities belong to
 * a thread and those that it creates.
 */
static job_requeue_t start_threads(private_gsa_local_t *this)
{
	this->mutex->lock(this->mutex);
	if (!this->stopped) {
		this->handler_thread = thread_create((thread_main_t)gsa_local_handler_main, this);
		this->socket_thread = thread_create((thread_main_t)socket_main, this);
		if (!this->handler_thread || !this->socket_thread)
			DBG1(DBG_CFG, "gsa: no thread for the connection to gcksd: groups are "
				      "neither joined nor served, restart charon");
	}
	this->mutex->unlock(this->mutex);
	return JOB_REQUEUE_NONE;
}

void gsa_local_start(gsa_local_t *local)
{
	lib->processor->queue_job(lib->processor,
				  (job_t *)callback_job_create_with_prio(
					  (callback_job_cb_t)start_threads, local, NULL, NULL,
					  JOB_PRIO_CRITICAL));
}

/* What the end of charon's IKE_SAs has to tell; the mutex is held. */
static void flush(private_gsa_local_t *this)
{
	timeval_t until;

	time_monotonic(&until);
	timeval_add_ms(&until, FLUSH_MS);
	while (this->open && this->socket_thread && this->out->get_count(this->out))
		if (this->drained->timed_wait_abs(this->drained, this->mutex, until))
			break;
}

void gsa_local_stop(gsa_local_t *local)
{
	private_gsa_local_t *this = (private_gsa_local_t *)local;
	thread_t *socket_thread, *handler_thread;

	this->mutex->lock(this->mutex);
	flush(this);
	this->stopped = TRUE;
	socket_thread = this->socket_thread;
	handler_thread = this->handler_thread;
	this->socket_thread = this->handler_thread = NULL;
	gsa_local_clear(this);
	this->handler_wake->broadcast(this->handler_wake);
	this->mutex->unlock(this->mutex);
	gsa_local_wake(this);
	if (socket_thread)
		socket_thread->join(socket_thread);
	if (handler_thread)
		handler_thread->join(handler_thread);
}

METHOD(gsa_local_t, destroy, void, private_gsa_local_t *this)
{
	gsa_local_stop(&this->public);
	this->mutex->lock(this->mutex);
	gsa_local_clear(this);
	this->mutex->unlock(this->mutex);
	if (this->fd >= 0)
		close(this->fd);
	if (this->wake >= 0)
		close(this->wake);
	this->out->destroy(this->out);
	this->in->destroy(this->in);
	this->questions->destroy(this->questions);
	this->drained->destroy(this->drained);
	this->handler_wake->destroy(this->handler_wake);
	this->mutex->destroy(this->mutex);
	free(this->buffer);
	free(this->path);
	free(this);
}

gsa_local_t *gsa_local_create(void)
{
	private_gsa_local_t *this;

	INIT(this,
		.public = {
			.send = (void *)gsa_local_send,
			.ask = (void *)gsa_local_ask,
			.answered = (void *)gsa_local_answered,
			.forget = (void *)gsa_local_forget,
			.call = (void *)gsa_local_call,
			.destroy = _destroy,
		},
		.path = strdup(lib->settings->get_str(lib->settings, "%s.plugins.gsa.socket",
						      SOCKET_DEFAULT, lib->ns)),
		.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.handler_wake = condvar_create(CONDVAR_TYPE_DEFAULT),
		.drained = condvar_create(CONDVAR_TYPE_DEFAULT),
		.out = linked_list_create(),
		.in = linked_list_create(),
		.questions = hashtable_create(hashtable_hash_ptr, hashtable_equals_ptr, 32),
		.fd = -1,
		.buffer = malloc(GSA_MESSAGE_MAX + 1),
		.retry_s = RETRY_S,
	);
	if (this->wake < 0)
		DBG1(DBG_CFG, "gsa: eventfd: %s; messages to gcksd take a little longer",
		     strerror(errno));
	return &this->public;
}
