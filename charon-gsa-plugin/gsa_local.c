// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The client of gcksd's socket (proto/README.md).
 *
 *   away --connected, Hello sent--> greeting --gcksd's Hello--> ready --lost--> away
 *                                      \--Refused, lost--> away
 *
 * Two threads.  One owns the socket: it connects, writes what send() queued and reads; an
 * answer goes from it to the thread that asked.  The other dispatches gcksd's messages in
 * their order, its Hello first: that starts the resynchronisation.  A handler may so take its
 * time, or send, while others wait for an answer.
 *
 * Only the dispatching thread makes the connection ready, so what a handler sends because of
 * a message of an earlier connection never reaches the new one.  Locks of the other parts
 * are held by those who send: nothing of theirs is called with ours locked.
 */
#include "charon-gsa-plugin/gsa_local.h"

#include <collections/linked_list.h>
#include <threading/condvar.h>
#include <threading/mutex.h>
#include <threading/thread.h>

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SOCKET_DEFAULT "/run/frr/gcksd.sock"
#define OUTPUT_MAX     ((size_t)64 << 20) /* octets; gcksd hangs: start over */
#define INPUT_MAX      20000		  /* messages; then gcksd has to wait */
#define READ_BATCH     100		  /* messages, then it is the turn of writing */
#define LOG_INTERVAL_S 60

/* A thread in ask(); on its stack. */
typedef struct {
	uint32_t request;
	bool done;
	Gsa__Message *answer;
} question_t;

typedef struct {
	gsa_local_t public;
	char *path;
	int wake; /* eventfd: output, room for input, stop */
	thread_t *transport, *dispatcher;
	mutex_t *mutex;
	/* of the socket's thread only */
	int fd;
	bool greeted;			  /* gcksd's Hello came */
	char reason[GSA_REASON_MAX];	  /* why it is away, as logged */
	/* the rest with the mutex */
	condvar_t *arrived, *answered;
	linked_list_t *input;	  /* Gsa__Message */
	linked_list_t *output;	  /* gsa_packet_t */
	linked_list_t *questions; /* question_t */
	size_t output_size;
	uint32_t last_request;
	bool ready, overflow, stop;
	time_t drop_logged;
	uint32_t dropped;
} private_gsa_local_t;

static void wake_transport(private_gsa_local_t *this)
{
	/* fails only if the counter is full: then it is awake */
	(void)!eventfd_write(this->wake, 1);
}

static bool is_stopped(private_gsa_local_t *this)
{
	bool stop;

	this->mutex->lock(this->mutex);
	stop = this->stop;
	this->mutex->unlock(this->mutex);
	return stop;
}

/* Drops are logged once in a while, with how many there were meanwhile. */
static void log_dropped(private_gsa_local_t *this, const char *name, const char *reason)
{
	time_t now = time_monotonic(NULL);
	uint32_t dropped;
	bool log;

	this->mutex->lock(this->mutex);
	dropped = ++this->dropped;
	log = !this->drop_logged || now - this->drop_logged >= LOG_INTERVAL_S;
	if (log) {
		this->drop_logged = now;
		this->dropped = 0;
	}
	this->mutex->unlock(this->mutex);
	if (log)
		DBG1(DBG_CFG, "gsa: dropped a message of gcksd (%s): %s; %u dropped since the last "
		     "such line", name, reason, dropped);
}

/* ---- sending ---- */

/* FALSE: there is no room.  With the mutex; takes the packet then. */
static bool queue_packet(private_gsa_local_t *this, gsa_packet_t *packet)
{
	if (this->output_size + packet->length > OUTPUT_MAX)
		return FALSE;
	this->output->insert_last(this->output, packet);
	this->output_size += packet->length;
	return TRUE;
}

METHOD(gsa_local_t, send_, bool, private_gsa_local_t *this, Gsa__Message *message)
{
	gsa_packet_t *packet = gsa_packet_create(message);
	bool sent = FALSE;

	if (!packet) {
		DBG1(DBG_CFG, "gsa: a message for gcksd (%s) is longer than the local protocol "
		     "allows and was not sent", gsa_message_name(message));
		return FALSE;
	}
	this->mutex->lock(this->mutex);
	if (this->ready && !this->overflow) {
		sent = queue_packet(this, packet);
		this->overflow = !sent;
		wake_transport(this);
	}
	this->mutex->unlock(this->mutex);
	if (sent)
		DBG2(DBG_CFG, "gsa: to gcksd: %s", gsa_message_name(message));
	else
		gsa_packet_destroy(packet);
	return sent;
}

METHOD(gsa_local_t, ask, Gsa__Message *, private_gsa_local_t *this,
       Gsa__RegistrationRequest *request)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	question_t question = {};
	timeval_t end;
	bool sent;

	message.body_case = GSA__MESSAGE__BODY_REGISTRATION_REQUEST;
	message.registration_request = request;
	this->mutex->lock(this->mutex);
	request->request = question.request = ++this->last_request;
	this->questions->insert_last(this->questions, &question);
	this->mutex->unlock(this->mutex);

	time_monotonic(&end);
	timeval_add_ms(&end, GSA_REPLY_TIMEOUT_MS);
	sent = send_(this, &message);

	this->mutex->lock(this->mutex);
	while (sent && !question.done)
		if (this->answered->timed_wait_abs(this->answered, this->mutex, end))
			break;
	this->questions->remove(this->questions, &question, NULL);
	this->mutex->unlock(this->mutex);
	return question.answer;
}

/* ---- receiving ---- */

/* NULL: it has taken the message; else why it is dropped. */
static const char *answer_question(private_gsa_local_t *this, Gsa__Message *message)
{
	const char *reason = "nobody waits for this answer (any more)";
	enumerator_t *enumerator;
	question_t *question;

	this->mutex->lock(this->mutex);
	enumerator = this->questions->create_enumerator(this->questions);
	while (reason && enumerator->enumerate(enumerator, &question)) {
		if (question->done || question->request != message->registration_reply->request)
			continue;
		question->answer = message;
		question->done = TRUE;
		reason = NULL;
	}
	enumerator->destroy(enumerator);
	this->answered->broadcast(this->answered);
	this->mutex->unlock(this->mutex);
	return reason;
}

static void queue_input(private_gsa_local_t *this, Gsa__Message *message)
{
	this->mutex->lock(this->mutex);
	this->input->insert_last(this->input, message);
	this->arrived->signal(this->arrived);
	this->mutex->unlock(this->mutex);
}

/* The first message; taken if it is accepted.  FALSE: lost, for the reason. */
static bool take_hello(private_gsa_local_t *this, Gsa__Message *message, char *reason)
{
	const Gsa__Hello *hello = message->hello;

	if (message->body_case != GSA__MESSAGE__BODY_HELLO) {
		snprintf(reason, GSA_REASON_MAX, "its first message was not Hello");
		return FALSE;
	}
	if (hello->version != GSA_PROTOCOL_VERSION || hello->role != GSA__ROLE__ROLE_GCKSD) {
		snprintf(reason, GSA_REASON_MAX,
			 "it speaks version %u of the local protocol as role %d, charon's plugin "
			 "version %d with gcksd", hello->version, (int)hello->role,
			 GSA_PROTOCOL_VERSION);
		return FALSE;
	}
	this->greeted = TRUE;
	queue_input(this, message);
	return TRUE;
}

/* Takes the message.  FALSE: the connection is lost, for the reason. */
static bool receive(private_gsa_local_t *this, Gsa__Message *message, char *reason)
{
	const char *name = gsa_message_name(message), *dropped;

	DBG2(DBG_CFG, "gsa: from gcksd: %s", name);
	if (message->body_case == GSA__MESSAGE__BODY_REFUSED) {
		snprintf(reason, GSA_REASON_MAX, "it refuses charon: %s", message->refused->reason);
		gsa_message_free(message);
		return FALSE;
	}
	if (!this->greeted) {
		if (take_hello(this, message, reason))
			return TRUE;
		gsa_message_free(message);
		return FALSE;
	}
	if (message->body_case == GSA__MESSAGE__BODY_REGISTRATION_REPLY) {
		dropped = answer_question(this, message);
	} else if (message->body_case == GSA__MESSAGE__BODY_HELLO) {
		dropped = "Hello for the second time";
	} else {
		queue_input(this, message);
		return TRUE;
	}
	if (dropped) {
		log_dropped(this, name, dropped);
		gsa_message_free(message);
	}
	return TRUE;
}

static bool has_room(private_gsa_local_t *this)
{
	bool room;

	this->mutex->lock(this->mutex);
	room = this->input->get_count(this->input) < INPUT_MAX;
	this->mutex->unlock(this->mutex);
	return room;
}

static bool read_socket(private_gsa_local_t *this, uint8_t *data, char *reason)
{
	for (int i = 0; i < READ_BATCH && has_room(this); i++) {
		const char *fault;
		Gsa__Message *message;
		ssize_t length;

		fault = gsa_socket_receive(this->fd, data, &length);
		if (fault) {
			snprintf(reason, GSA_REASON_MAX, "%s", fault);
			return FALSE;
		}
		if (length < 0)
			return TRUE;
		message = gsa_message_unpack(data, length, &fault);
		gsa_wipe(data, min(length, GSA_MESSAGE_MAX));
		if (!message)
			log_dropped(this, "not readable", fault);
		else if (!receive(this, message, reason))
			return FALSE;
	}
	return TRUE;
}

/* ---- the socket's thread ---- */

static bool write_socket(private_gsa_local_t *this, char *reason)
{
	bool full = FALSE, overflow = FALSE;
	const char *fault = NULL;
	gsa_packet_t *packet;

	/* only this thread takes packets out */
	while (!full && !fault) {
		this->mutex->lock(this->mutex);
		overflow = this->overflow;
		if (this->output->get_first(this->output, (void **)&packet) != SUCCESS)
			packet = NULL;
		this->mutex->unlock(this->mutex);
		if (!packet || overflow)
			break;
		fault = gsa_socket_send(this->fd, packet, &full);
		if (full || fault)
			break;
		this->mutex->lock(this->mutex);
		this->output->remove_first(this->output, (void **)&packet);
		this->output_size -= packet->length;
		this->mutex->unlock(this->mutex);
		gsa_packet_destroy(packet);
	}
	if (overflow)
		fault = "it does not read its socket";
	if (fault)
		snprintf(reason, GSA_REASON_MAX, "%s", fault);
	return !fault;
}

static bool has_output(private_gsa_local_t *this)
{
	bool output;

	this->mutex->lock(this->mutex);
	output = this->output->get_count(this->output) != 0;
	this->mutex->unlock(this->mutex);
	return output;
}

/* Until it is lost, which gives the reason, or the plugin is unloaded. */
static void serve(private_gsa_local_t *this, uint8_t *data, char *reason)
{
	bool alive = TRUE;

	while (alive && !is_stopped(this)) {
		bool room = has_room(this);
		struct pollfd fds[] = {
			{ .fd = this->wake, .events = POLLIN },
			{ .fd = this->fd,
			  .events = (room ? POLLIN : 0) | (has_output(this) ? POLLOUT : 0) },
		};
		eventfd_t count;

		if (poll(fds, countof(fds), -1) < 0)
			continue; /* interrupted */
		if (fds[0].revents)
			eventfd_read(this->wake, &count);
		/* read first: gcksd says why before it closes */
		if (room && fds[1].revents & (POLLIN | POLLHUP | POLLERR)) {
			alive = read_socket(this, data, reason);
		} else if (fds[1].revents & (POLLHUP | POLLERR)) {
			snprintf(reason, GSA_REASON_MAX, "it was closed");
			alive = FALSE;
		}
		alive = alive && write_socket(this, reason);
	}
	if (alive)
		write_socket(this, reason); /* a last try */
}

/* What gcksd gets first; before that nothing else is sent. */
static void queue_hello(private_gsa_local_t *this)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Hello hello = GSA__HELLO__INIT;

	hello.version = GSA_PROTOCOL_VERSION;
	hello.role = GSA__ROLE__ROLE_CHARON;
	hello.software = "charon " VERSION ", gsa " GSA_VERSION;
	message.body_case = GSA__MESSAGE__BODY_HELLO;
	message.hello = &hello;
	this->mutex->lock(this->mutex);
	queue_packet(this, gsa_packet_create(&message));
	this->mutex->unlock(this->mutex);
}

/* All that belonged to the connection is void; gcksd gets and says it again. */
static void disconnect(private_gsa_local_t *this)
{
	enumerator_t *enumerator;
	question_t *question;
	gsa_packet_t *packet;
	Gsa__Message *message;

	close(this->fd);
	this->fd = -1;
	this->greeted = FALSE;
	this->mutex->lock(this->mutex);
	this->ready = this->overflow = FALSE;
	while (this->output->remove_first(this->output, (void **)&packet) == SUCCESS)
		gsa_packet_destroy(packet);
	this->output_size = 0;
	while (this->input->remove_first(this->input, (void **)&message) == SUCCESS)
		gsa_message_free(message);
	enumerator = this->questions->create_enumerator(this->questions);
	while (enumerator->enumerate(enumerator, &question))
		question->done = TRUE;
	enumerator->destroy(enumerator);
	this->answered->broadcast(this->answered);
	this->mutex->unlock(this->mutex);
}

static void pause_ms(private_gsa_local_t *this, uint32_t delay_ms)
{
	struct pollfd wake = { .fd = this->wake, .events = POLLIN };
	timeval_t now, end;
	eventfd_t count;

	time_monotonic(&end);
	timeval_add_ms(&end, delay_ms);
	for (time_monotonic(&now); timercmp(&now, &end, <) && !is_stopped(this);
	     time_monotonic(&now)) {
		timeval_t left;

		timersub(&end, &now, &left);
		if (poll(&wake, 1, left.tv_sec * 1000 + left.tv_usec / 1000 + 1) > 0)
			eventfd_read(this->wake, &count);
	}
}

/* A reason is logged once, until it changes or gcksd was there. */
static void log_away(private_gsa_local_t *this, bool was_ready, const char *reason)
{
	if (was_ready)
		DBG1(DBG_CFG, "gsa: the connection to gcksd at %s is lost: %s; registrations, "
		     "memberships and SAs stay as they are, trying to connect again", this->path,
		     reason);
	else if (!streq(this->reason, reason))
		DBG1(DBG_CFG, "gsa: no connection to gcksd at %s: %s; trying again", this->path,
		     reason);
	snprintf(this->reason, sizeof(this->reason), "%s", reason);
}

static void *transport(private_gsa_local_t *this)
{
	static const uint32_t delays_ms[] = { 1000, 2000, 4000, 5000 };
	uint8_t *data = malloc(GSA_MESSAGE_MAX);
	size_t attempt = 0;

	while (!is_stopped(this)) {
		char reason[GSA_REASON_MAX] = "";
		bool greeted = FALSE;

		this->fd = gsa_socket_connect(this->path, reason);
		if (this->fd >= 0) {
			queue_hello(this);
			serve(this, data, reason);
			greeted = this->greeted;
			disconnect(this);
		}
		if (is_stopped(this))
			break;
		log_away(this, greeted, reason);
		if (greeted)
			attempt = 0;
		pause_ms(this, delays_ms[attempt]);
		if (attempt < countof(delays_ms) - 1)
			attempt++;
	}
	gsa_wipe(data, GSA_MESSAGE_MAX);
	free(data);
	return NULL;
}

/* ---- the dispatching thread ---- */

static void send_sync_done(private_gsa_local_t *this)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__SyncDone done = GSA__SYNC_DONE__INIT;

	message.body_case = GSA__MESSAGE__BODY_SYNC_DONE;
	message.sync_done = &done;
	send_(this, &message);
}

static void dispatch(private_gsa_local_t *this, const Gsa__Message *message)
{
	switch (message->body_case) {
	case GSA__MESSAGE__BODY_HELLO:
		DBG1(DBG_CFG, "gsa: connected to gcksd at %s: %s", this->path,
		     message->hello->software);
		gsa.member->mark(gsa.member);
		gsa.server->repeat(gsa.server);
		gsa.member->repeat(gsa.member);
		send_sync_done(this);
		break;
	case GSA__MESSAGE__BODY_SYNC_DONE:
		gsa.member->sweep(gsa.member);
		break;
	default:
		if (!gsa.server->handle(gsa.server, message) &&
		    !gsa.member->handle(gsa.member, message) &&
		    !gsa.kernel->handle(gsa.kernel, message))
			log_dropped(this, gsa_message_name(message),
				    "not a message that charon gets");
	}
}

/* Waits; NULL: the plugin is unloaded. */
static Gsa__Message *next_message(private_gsa_local_t *this)
{
	Gsa__Message *message = NULL;

	this->mutex->lock(this->mutex);
	while (!this->stop &&
	       this->input->remove_first(this->input, (void **)&message) != SUCCESS)
		this->arrived->wait(this->arrived, this->mutex);
	if (message && message->body_case == GSA__MESSAGE__BODY_HELLO)
		this->ready = TRUE;
	if (this->input->get_count(this->input) == INPUT_MAX - 1)
		wake_transport(this);
	this->mutex->unlock(this->mutex);
	return message;
}

static void *dispatcher(private_gsa_local_t *this)
{
	Gsa__Message *message;

	while ((message = next_message(this))) {
		dispatch(this, message);
		gsa_message_free(message);
	}
	return NULL;
}

/* ---- life ---- */

METHOD(gsa_local_t, destroy, void, private_gsa_local_t *this)
{
	Gsa__Message *message;

	this->mutex->lock(this->mutex);
	this->stop = TRUE;
	this->arrived->broadcast(this->arrived);
	this->mutex->unlock(this->mutex);
	wake_transport(this);
	if (this->dispatcher)
		this->dispatcher->join(this->dispatcher);
	if (this->transport)
		this->transport->join(this->transport);
	while (this->input->remove_first(this->input, (void **)&message) == SUCCESS)
		gsa_message_free(message);
	this->input->destroy(this->input);
	this->output->destroy_function(this->output, (void *)gsa_packet_destroy);
	this->questions->destroy(this->questions);
	this->arrived->destroy(this->arrived);
	this->answered->destroy(this->answered);
	this->mutex->destroy(this->mutex);
	if (this->wake >= 0)
		close(this->wake);
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
		.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.fd = -1,
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.arrived = condvar_create(CONDVAR_TYPE_DEFAULT),
		.answered = condvar_create(CONDVAR_TYPE_DEFAULT),
		.input = linked_list_create(),
		.output = linked_list_create(),
		.questions = linked_list_create(),
	);
	if (this->wake < 0) {
		DBG1(DBG_CFG, "gsa: cannot create an eventfd: %s", strerror(errno));
		_destroy(this);
		return NULL;
	}
	return &this->public;
}

void gsa_local_start(gsa_local_t *local)
{
	private_gsa_local_t *this = (private_gsa_local_t *)local;

	this->dispatcher = thread_create((void *)dispatcher, this);
	this->transport = thread_create((void *)transport, this);
	if (!this->dispatcher || !this->transport)
		DBG1(DBG_CFG, "gsa: cannot start the threads for gcksd: groups stay as they are");
}
