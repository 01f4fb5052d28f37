// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The connection to gcksd.
 *
 *   DOWN --connect, Hello--> HELLO --Hello--> UP
 *    ^                          |             |
 *    +------- 1, 2, 4, 5 s -----+--- lost ----+
 *
 * Two threads.  One owns the socket: it connects, reads and writes, never runs anyone else's
 * code and so never waits long.  The other handles what was received, in its order; it may wait
 * for an IKE_SA whose holder in turn waits for an answer, which the first one hands over.
 *
 * Nothing is removed because the connection is lost.
 */
#include "charon-gsa-plugin/gsa.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <collections/linked_list.h>
#include <processing/jobs/callback_job.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <threading/thread.h>

#define SOCKET_DEFAULT	"/run/frr/gcksd.sock"
#define RETRY_MAX_S	5U
#define OUT_MAX		(32 * 1024 * 1024) /* octets; gcksd hangs: drop the connection */
#define IN_MAX		100000		   /* messages; then reading waits for the handlers */
#define READ_BATCH	100
#define LOG_INTERVAL_S	60
#define REASON_SIZE	256

typedef enum { DOWN, HELLO, UP } link_state_t;

/* A thread that waits for an answer; lives on its stack. */
typedef struct {
	uint32_t request;
	bool over;
	Gsa__Message *reply;
} question_t;

/* For the handling thread. */
typedef struct {
	Gsa__Message *message; /* NULL: gcksd has said Hello */
	uint32_t generation;
} received_t;

typedef struct {
	gsa_local_t public;
	char *path;
	int wake; /* eventfd: look at `out` and `stopped` */
	thread_t *socket_thread, *handler_thread;

	mutex_t *mutex; /* for all below */
	condvar_t *handler_wake, *answered;
	bool stopped;
	link_state_t state;
	bool open; /* the handling thread is at this connection: others may send */
	uint32_t generation; /* of the connection */
	linked_list_t *out;  /* chunk_t * */
	size_t out_size;
	bool overflow;
	linked_list_t *in;	  /* received_t * */
	linked_list_t *questions; /* question_t * */
	uint32_t last_request;

	/* the socket's thread only */
	int fd;
	uint8_t *buffer;
	u_int retry_s;
	time_t dropped_logged;
	char logged[REASON_SIZE];
} private_gsa_local_t;

static void wake_socket(private_gsa_local_t *this)
{
	uint64_t one = 1;

	/* fails only if it is set already */
	if (write(this->wake, &one, sizeof(one)) < 0)
		return;
}

/* ---- queues; the mutex is held ---- */

static void free_packed(chunk_t *packed)
{
	chunk_clear(packed);
	free(packed);
}

static void free_received(received_t *received)
{
	gsa_message_free(received->message);
	free(received);
}

static void clear_queues(private_gsa_local_t *this)
{
	question_t *question;
	received_t *received;
	chunk_t *packed;

	while (this->out->remove_first(this->out, (void **)&packed) == SUCCESS)
		free_packed(packed);
	this->out_size = 0;
	this->overflow = FALSE;
	while (this->in->remove_first(this->in, (void **)&received) == SUCCESS)
		free_received(received);
	while (this->questions->remove_first(this->questions, (void **)&question) == SUCCESS)
		question->over = TRUE;
	this->answered->broadcast(this->answered);
}

static bool enqueue(private_gsa_local_t *this, const Gsa__Message *message)
{
	size_t size = gsa__message__get_packed_size(message);
	chunk_t *packed;

	if (size > GSA_MESSAGE_MAX) {
		DBG1(DBG_CFG, "gsa: a message for gcksd of %zu octets is too long, not sent", size);
		return FALSE;
	}
	if (this->overflow || this->out_size + size > OUT_MAX) {
		this->overflow = TRUE;
		wake_socket(this);
		return FALSE;
	}
	INIT(packed);
	*packed = chunk_alloc(size);
	packed->len = gsa_message_pack(message, packed->ptr);
	this->out_size += size;
	this->out->insert_last(this->out, packed);
	wake_socket(this);
	return TRUE;
}

static void hand_over(private_gsa_local_t *this, Gsa__Message *message)
{
	received_t *received;

	INIT(received, .message = message, .generation = this->generation);
	this->in->insert_last(this->in, received);
	this->handler_wake->signal(this->handler_wake);
}

/* ---- what other threads call ---- */

METHOD(gsa_local_t, send_, bool, private_gsa_local_t *this, Gsa__Message *message)
{
	bool sent;

	this->mutex->lock(this->mutex);
	sent = this->open && !this->stopped && enqueue(this, message);
	this->mutex->unlock(this->mutex);
	return sent;
}

METHOD(gsa_local_t, ask, Gsa__Message *, private_gsa_local_t *this,
	Gsa__RegistrationRequest *request)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	question_t question = {};
	timeval_t until;

	message.body_case = GSA__MESSAGE__BODY_REGISTRATION_REQUEST;
	message.registration_request = request;
	time_monotonic(&until);
	timeval_add_ms(&until, GSA_REPLY_TIMEOUT_MS);

	this->mutex->lock(this->mutex);
	question.request = request->request = ++this->last_request;
	if (this->open && !this->stopped && enqueue(this, &message)) {
		this->questions->insert_last(this->questions, &question);
		while (!question.over) {
			if (this->answered->timed_wait_abs(this->answered, this->mutex, until))
				break;
		}
		if (!question.over)
			this->questions->remove(this->questions, &question, NULL);
	}
	this->mutex->unlock(this->mutex);
	return question.reply;
}

/* ---- the handling thread ---- */

/* SyncDone speaks for what was repeated on the same connection. */
static void resynchronise(private_gsa_local_t *this, uint32_t generation)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__SyncDone done = GSA__SYNC_DONE__INIT;

	gsa.member->mark(gsa.member);
	gsa.server->repeat(gsa.server);
	gsa.member->repeat(gsa.member);
	message.body_case = GSA__MESSAGE__BODY_SYNC_DONE;
	message.sync_done = &done;
	this->mutex->lock(this->mutex);
	if (this->state == UP && this->generation == generation && !this->stopped)
		enqueue(this, &message);
	this->mutex->unlock(this->mutex);
}

static void handle(private_gsa_local_t *this, received_t *received)
{
	const Gsa__Message *message = received->message;

	if (!message)
		resynchronise(this, received->generation);
	else if (message->body_case == GSA__MESSAGE__BODY_SYNC_DONE)
		gsa.member->sweep(gsa.member);
	else if (!gsa.kernel->handle(gsa.kernel, message) &&
		 !gsa.member->handle(gsa.member, message) &&
		 !gsa.server->handle(gsa.server, message))
		DBG1(DBG_CFG, "gsa: dropped a message of gcksd: type %d is not for charon",
		     message->body_case);
}

static void *handler_main(private_gsa_local_t *this)
{
	received_t *received;

	this->mutex->lock(this->mutex);
	while (!this->stopped) {
		if (this->in->remove_first(this->in, (void **)&received) != SUCCESS) {
			this->handler_wake->wait(this->handler_wake, this->mutex);
			continue;
		}
		/* not before: what it did for an earlier connection is not for this one */
		if (!received->message)
			this->open = TRUE;
		if (this->in->get_count(this->in) == IN_MAX - 1)
			wake_socket(this);
		this->mutex->unlock(this->mutex);
		handle(this, received);
		free_received(received);
		this->mutex->lock(this->mutex);
	}
	this->mutex->unlock(this->mutex);
	return NULL;
}

/* ---- the socket's thread ---- */

static void lost(private_gsa_local_t *this, const char *reason)
{
	if (this->fd >= 0)
		close(this->fd);
	this->fd = -1;
	this->mutex->lock(this->mutex);
	this->state = DOWN;
	this->open = FALSE;
	this->generation++;
	clear_queues(this);
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
	hello.software = "charon gsa " GSA_VERSION;
	message.body_case = GSA__MESSAGE__BODY_HELLO;
	message.hello = &hello;
	this->mutex->lock(this->mutex);
	this->state = HELLO;
	enqueue(this, &message);
	this->mutex->unlock(this->mutex);
}

/* Who listens: root, or whom the socket belongs to. */
static bool trusted(private_gsa_local_t *this)
{
	struct ucred peer;
	struct stat info;
	socklen_t length = sizeof(peer);

	return getsockopt(this->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || (stat(this->path, &info) == 0 && peer.uid == info.st_uid));
}

static void connect_now(private_gsa_local_t *this)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char reason[REASON_SIZE];

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s", this->path) >=
	    (int)sizeof(address.sun_path)) {
		lost(this, "charon.plugins.gsa.socket is too long for a socket's name");
		return;
	}
	/* not blocking: connect() fails with EAGAIN if gcksd's backlog is full */
	this->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (this->fd < 0 ||
	    connect(this->fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		snprintf(reason, sizeof(reason), "%s: %s", this->path, strerror(errno));
		lost(this, reason);
		return;
	}
	if (!trusted(this)) {
		lost(this, "its socket is served by neither root nor the socket's owner");
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
		free_packed(packed);
	}
	this->mutex->unlock(this->mutex);
	if (reason)
		lost(this, reason);
}

static void dropped(private_gsa_local_t *this, const char *reason)
{
	time_t now = time_monotonic(NULL);

	if (this->dropped_logged && now - this->dropped_logged < LOG_INTERVAL_S)
		return;
	this->dropped_logged = now;
	DBG1(DBG_CFG, "gsa: dropped a message of gcksd: %s", reason);
}

static void take_reply(private_gsa_local_t *this, Gsa__Message *message)
{
	enumerator_t *enumerator;
	question_t *question;

	this->mutex->lock(this->mutex);
	enumerator = this->questions->create_enumerator(this->questions);
	while (enumerator->enumerate(enumerator, &question)) {
		if (question->request != message->registration_reply->request)
			continue;
		this->questions->remove_at(this->questions, enumerator);
		question->reply = message;
		question->over = TRUE;
		message = NULL;
		this->answered->broadcast(this->answered);
		break;
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	if (message) {
		dropped(this, "an answer came too late, or to no question");
		gsa_message_free(message);
	}
}

static void take_hello(private_gsa_local_t *this, const Gsa__Hello *hello)
{
	char reason[REASON_SIZE];

	if (hello->version != GSA_PROTOCOL_VERSION || hello->role != GSA__ROLE__ROLE_GCKSD) {
		snprintf(reason, sizeof(reason),
			 "it speaks version %u of the local protocol as role %d, not version %d as gcksd",
			 hello->version, hello->role, GSA_PROTOCOL_VERSION);
		lost(this, reason);
		return;
	}
	this->retry_s = 1;
	this->logged[0] = '\0';
	DBG1(DBG_CFG, "gsa: connected to gcksd");
	this->mutex->lock(this->mutex);
	this->state = UP;
	hand_over(this, NULL);
	this->mutex->unlock(this->mutex);
}

/* Adopts the message. */
static void take(private_gsa_local_t *this, Gsa__Message *message)
{
	char reason[REASON_SIZE];

	switch (message->body_case) {
	case GSA__MESSAGE__BODY_REFUSED:
		snprintf(reason, sizeof(reason), "refused: %s", message->refused->reason);
		gsa_message_free(message);
		lost(this, reason);
		return;
	case GSA__MESSAGE__BODY_HELLO:
		if (this->state == HELLO)
			take_hello(this, message->hello);
		else
			dropped(this, "Hello once more");
		gsa_message_free(message);
		return;
	default:
		break;
	}
	if (this->state != UP) {
		dropped(this, "it came before Hello");
		gsa_message_free(message);
	} else if (message->body_case == GSA__MESSAGE__BODY_REGISTRATION_REPLY) {
		take_reply(this, message);
	} else {
		this->mutex->lock(this->mutex);
		hand_over(this, message);
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
			dropped(this, reason);
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
	if (this->in->get_count(this->in) < IN_MAX)
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
			this->retry_s = min(this->retry_s * 2, RETRY_MAX_S);
		}
		if (this->fd >= 0)
			write_queue(this);
		/* a lost connection is not tried again at once */
		if (this->fd < 0 && next <= now)
			next = now + 1;
		wait_socket(this, this->state == UP ? -1 : 500);
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
		this->handler_thread = thread_create((thread_main_t)handler_main, this);
		this->socket_thread = thread_create((thread_main_t)socket_main, this);
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

void gsa_local_stop(gsa_local_t *local)
{
	private_gsa_local_t *this = (private_gsa_local_t *)local;
	thread_t *socket_thread, *handler_thread;

	this->mutex->lock(this->mutex);
	this->stopped = TRUE;
	socket_thread = this->socket_thread;
	handler_thread = this->handler_thread;
	this->socket_thread = this->handler_thread = NULL;
	clear_queues(this);
	this->handler_wake->broadcast(this->handler_wake);
	this->mutex->unlock(this->mutex);
	wake_socket(this);
	if (socket_thread)
		socket_thread->join(socket_thread);
	if (handler_thread)
		handler_thread->join(handler_thread);
}

METHOD(gsa_local_t, destroy, void, private_gsa_local_t *this)
{
	gsa_local_stop(&this->public);
	this->mutex->lock(this->mutex);
	clear_queues(this);
	this->mutex->unlock(this->mutex);
	if (this->fd >= 0)
		close(this->fd);
	if (this->wake >= 0)
		close(this->wake);
	this->out->destroy(this->out);
	this->in->destroy(this->in);
	this->questions->destroy(this->questions);
	this->answered->destroy(this->answered);
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
			.send = _send_,
			.ask = _ask,
			.destroy = _destroy,
		},
		.path = strdup(lib->settings->get_str(lib->settings, "%s.plugins.gsa.socket",
						      SOCKET_DEFAULT, lib->ns)),
		.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.handler_wake = condvar_create(CONDVAR_TYPE_DEFAULT),
		.answered = condvar_create(CONDVAR_TYPE_DEFAULT),
		.out = linked_list_create(),
		.in = linked_list_create(),
		.questions = linked_list_create(),
		.fd = -1,
		.buffer = malloc(GSA_MESSAGE_MAX + 1),
		.retry_s = 1,
	);
	return &this->public;
}
