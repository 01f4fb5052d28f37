// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The local socket (proto/README.md): one connection of charon, one of bgpd.
 *
 *   accepted --Hello, configured--> SYNC --its SyncDone--> UP
 *       |                             |                     |
 *       +--- refused, 5 s of silence  +------- lost --------+--> AWAY
 *
 * A connection that said Hello before the configuration was read waits: nothing is sent to it, and
 * nothing more is read from it.
 */
#include <zebra.h>

#include <ctype.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/frrevent.h"
#include "lib/libfrr.h"
#include "lib/log.h"
#include "lib/network.h"
#include "lib/stream.h"

#include "gcks/gcksd.h"
#include "libgsa/message.h"
#include "libgsa/secret.h"

#define HELLO_TIMEOUT_S 5
#define PENDING_MAX	16		   /* connections without Hello */
#define QUEUE_MAX	((size_t)64 << 20) /* octets; the client hangs: drop it */
#define READ_BATCH	100		   /* messages, then other events get their turn */
#define LOG_INTERVAL_S	60
#define ACCEPT_RETRY_S	1
#define ROLES		(GSA__ROLE__ROLE_BGPD + 1)

PREDECL_DLIST(connections);

struct connection {
	struct connections_item item;
	int fd;
	uid_t uid;
	pid_t pid;
	Gsa__Role role; /* unspecified: no Hello yet */
	bool served, sync_sent;
	const char *failed; /* while sending: close it from the event loop */
	struct stream_fifo *queue;
	size_t queued; /* octets */
	struct event *t_read, *t_write, *t_hello;
};
DECLARE_DLIST(connections, struct connection, item);

static struct {
	struct event_loop *loop;
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uid_t charon_uid;
	bool has_charon_uid;
	struct event *t_accept;
	struct connections_head pending[1]; /* no Hello yet */
	struct connection *clients[ROLES];
	struct gcks_client_status status[ROLES];
} local = { .fd = -1 };

static const char *const role_names[ROLES] = {
	[GSA__ROLE__ROLE_UNSPECIFIED] = "a client without Hello",
	[GSA__ROLE__ROLE_CHARON] = "charon",
	[GSA__ROLE__ROLE_BGPD] = "bgpd",
};

static const char *body_name(const Gsa__Message *message)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		&gsa__message__descriptor, message->body_case);

	return field ? field->name : "unknown";
}

/* Drops are logged once in a while, with how many there were meanwhile. */
static void log_dropped(Gsa__Role role, ssize_t length, const char *reason)
{
	static struct {
		time_t logged;
		uint64_t since;
	} drops[ROLES];
	time_t now = monotime(NULL);

	local.status[role].dropped++;
	drops[role].since++;
	if (drops[role].logged && now - drops[role].logged < LOG_INTERVAL_S)
		return;
	zlog_warn("GSA: dropped a message of %s (%zd octets): %s; %" PRIu64
		  " dropped since the last such line",
		  role_names[role], length, reason, drops[role].since);
	drops[role].logged = now;
	drops[role].since = 0;
}

/* Any user may connect and be refused: that must not fill the log. */
static void log_refused(const struct connection *connection, const char *reason)
{
	static time_t logged;
	static unsigned int since;
	time_t now = monotime(NULL);

	since++;
	if (logged && now - logged < HELLO_TIMEOUT_S)
		return;
	zlog_warn("GSA: local socket: refused process %d of user %u: %s; %u refused since the last "
		  "such line",
		  connection->pid, connection->uid, reason, since);
	logged = now;
	since = 0;
}

/* ---- closing ---- */

/* It may hold keys. */
static void forget_stream(struct stream *stream)
{
	gsa_wipe(STREAM_DATA(stream), STREAM_SIZE(stream));
	stream_free(stream);
}

static void set_state(Gsa__Role role, enum gcks_client_state state)
{
	local.status[role].state = state;
	local.status[role].since = monotime(NULL);
}

static void close_connection(struct connection *connection)
{
	struct stream *stream;

	event_cancel(&connection->t_read);
	event_cancel(&connection->t_write);
	event_cancel(&connection->t_hello);
	while ((stream = stream_fifo_pop(connection->queue)))
		forget_stream(stream);
	stream_fifo_free(connection->queue);
	close(connection->fd);
	if (connection->role == GSA__ROLE__ROLE_UNSPECIFIED) {
		connections_del(local.pending, connection);
	} else if (local.clients[connection->role] == connection) {
		local.clients[connection->role] = NULL;
		if (connection->served)
			set_state(connection->role, GCKS_CLIENT_AWAY);
	}
	XFREE(MTYPE_TMP, connection);
}

static void lost(struct connection *connection, const char *reason)
{
	if (connection->served)
		zlog_warn(
			"GSA: the connection of %s is lost: %s; what it did for us stays as it is",
			role_names[connection->role], reason);
	close_connection(connection);
}

/* Say why and close; what the client has sent is read first, or it would see a reset and not the
 * reason. */
static void refuse(struct connection *connection, const char *reason)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Refused refused = GSA__REFUSED__INIT;
	uint8_t out[512], unread[64];
	size_t length;

	log_refused(connection, reason);
	refused.reason = (char *)reason;
	message.body_case = GSA__MESSAGE__BODY_REFUSED;
	message.refused = &refused;
	if (gsa__message__get_packed_size(&message) <= sizeof(out)) {
		length = gsa_message_pack(&message, out);
		(void)send(connection->fd, out, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	for (int i = 0; i < READ_BATCH; i++)
		if (recv(connection->fd, unread, sizeof(unread), MSG_DONTWAIT) <= 0)
			break;
	gsa_wipe(unread, sizeof(unread));
	close_connection(connection);
}

/* ---- sending ---- */

static void write_queue(struct event *event)
{
	struct connection *connection = EVENT_ARG(event);
	struct stream *stream;

	if (connection->failed) {
		lost(connection, connection->failed);
		return;
	}
	while ((stream = stream_fifo_head(connection->queue))) {
		if (send(connection->fd, STREAM_DATA(stream), stream_get_endp(stream),
			 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			if (errno == EINTR)
				continue;
			if (!ERRNO_IO_RETRY(errno)) {
				lost(connection, safe_strerror(errno));
				return;
			}
			event_add_write(local.loop, write_queue, connection, connection->fd,
					&connection->t_write);
			return;
		}
		local.status[connection->role].sent++;
		connection->queued -= STREAM_SIZE(stream);
		forget_stream(stream_fifo_pop(connection->queue));
	}
}

bool gcks_local_send(Gsa__Role role, const Gsa__Message *message)
{
	static uint8_t out[GSA_MESSAGE_MAX];
	struct connection *connection = role < ROLES ? local.clients[role] : NULL;
	struct stream *stream;
	size_t length;

	if (!connection || !connection->served || connection->failed)
		return false;
	length = gsa_message_pack(message, out);
	if (!length) {
		zlog_err("GSA: a message for %s (%s) is longer than the local protocol allows and "
			 "was not sent",
			 role_names[role], body_name(message));
		return false;
	}
	if (connection->queued + length > QUEUE_MAX) {
		gsa_wipe(out, length);
		connection->failed = "it does not read its socket";
		event_cancel(&connection->t_write); /* it waits for the socket */
		event_add_event(local.loop, write_queue, connection, 0, &connection->t_write);
		return false;
	}
	gcks_debug_log(messages, "to %s: %s, %zu octets", role_names[role], body_name(message),
		       length);
	stream = stream_new(length);
	stream_put(stream, out, length);
	gsa_wipe(out, length);
	stream_fifo_push(connection->queue, stream);
	connection->queued += length;
	/* in order, and not from inside the caller: a failure ends the connection */
	event_add_write(local.loop, write_queue, connection, connection->fd, &connection->t_write);
	return true;
}

/* ---- Hello and SyncDone ---- */

static void send_hello(Gsa__Role role)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Hello hello = GSA__HELLO__INIT;

	hello.version = GSA_PROTOCOL_VERSION;
	hello.role = GSA__ROLE__ROLE_GCKSD;
	hello.software = (char *)"gcksd " GSA_VERSION;
	message.body_case = GSA__MESSAGE__BODY_HELLO;
	message.hello = &hello;
	gcks_local_send(role, &message);
}

static void read_socket(struct event *event);

static void read_later(struct connection *connection)
{
	event_add_read(local.loop, read_socket, connection, connection->fd, &connection->t_read);
}

static void serve(struct connection *connection)
{
	Gsa__Role role = connection->role;

	connection->served = true;
	set_state(role, GCKS_CLIENT_SYNC);
	zlog_info("GSA: %s is connected: %s, process %d of user %u", role_names[role],
		  local.status[role].software, connection->pid, connection->uid);
	send_hello(role);
	if (role == GSA__ROLE__ROLE_CHARON) {
		gcks_client_charon_connected();
	} else {
		gcks_announce_all();
		gcks_client_bgpd_connected();
	}
	gcks_local_sync_done(role);
	read_later(connection);
}

void gcks_local_sync_done(Gsa__Role role)
{
	struct connection *connection = role < ROLES ? local.clients[role] : NULL;
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__SyncDone done = GSA__SYNC_DONE__INIT;

	if (!connection || !gcksd.configured)
		return;
	if (!connection->served) {
		serve(connection);
		return;
	}
	if (connection->sync_sent)
		return;
	message.body_case = GSA__MESSAGE__BODY_SYNC_DONE;
	message.sync_done = &done;
	connection->sync_sent = gcks_local_send(role, &message);
}

/* NULL, or why the process may not have the role. */
static const char *role_fault(const struct connection *connection, Gsa__Role role)
{
	if (connection->uid == 0)
		return NULL;
	if (role == GSA__ROLE__ROLE_BGPD)
		return connection->uid == geteuid() ? NULL
						    : "bgpd has to run as root or as gcksd's user";
	return local.has_charon_uid && connection->uid == local.charon_uid
		       ? NULL
		       : "charon has to run as root or as the user of gcksd --charon-user";
}

static void printable(char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

/* The first message.  False: the connection is gone. */
static bool take_hello(struct connection *connection, const Gsa__Hello *hello)
{
	struct gcks_client_status *status;
	const char *fault = NULL;
	char reason[96];

	if (hello->version != GSA_PROTOCOL_VERSION) {
		snprintf(reason, sizeof(reason),
			 "it speaks version %u of the local protocol, gcksd %d", hello->version,
			 GSA_PROTOCOL_VERSION);
		fault = reason;
	} else if (hello->role != GSA__ROLE__ROLE_CHARON && hello->role != GSA__ROLE__ROLE_BGPD) {
		fault = "only charon and bgpd are clients of gcksd";
	} else {
		fault = role_fault(connection, hello->role);
	}
	if (fault) {
		refuse(connection, fault);
		return false;
	}
	if (local.clients[hello->role])
		lost(local.clients[hello->role], "replaced by a newer one");
	event_cancel(&connection->t_hello);
	connections_del(local.pending, connection);
	connection->role = hello->role;
	local.clients[hello->role] = connection;
	status = &local.status[hello->role];
	strlcpy(status->software, hello->software, sizeof(status->software));
	printable(status->software);
	status->received++;
	if (gcksd.configured)
		serve(connection);
	else
		zlog_info("GSA: %s waits until the configuration is read", role_names[hello->role]);
	return true;
}

static const char *take_sync_done(Gsa__Role role)
{
	if (local.status[role].state != GCKS_CLIENT_SYNC)
		return "SyncDone for the second time";
	set_state(role, GCKS_CLIENT_UP);
	if (role == GSA__ROLE__ROLE_CHARON) {
		gcks_server_charon_synced();
		gcks_client_charon_synced();
	} else {
		gcks_client_bgpd_synced();
	}
	return NULL;
}

/* ---- receiving ---- */

static const struct {
	Gsa__Role role; /* who may send it */
	void (*receive)(const Gsa__Message *message);
} bodies[] = {
	[GSA__MESSAGE__BODY_REGISTRATION_REQUEST] = { GSA__ROLE__ROLE_CHARON, gcks_server_receive },
	[GSA__MESSAGE__BODY_REGISTRATION] = { GSA__ROLE__ROLE_CHARON, gcks_server_receive },
	[GSA__MESSAGE__BODY_REGISTRATION_ENDED] = { GSA__ROLE__ROLE_CHARON, gcks_server_receive },
	[GSA__MESSAGE__BODY_IKE_SA_REKEYED] = { GSA__ROLE__ROLE_CHARON, gcks_server_receive },
	[GSA__MESSAGE__BODY_REFUSED_PEER] = { GSA__ROLE__ROLE_CHARON, gcks_server_receive },
	[GSA__MESSAGE__BODY_MEMBERSHIP] = { GSA__ROLE__ROLE_CHARON, gcks_client_receive },
	[GSA__MESSAGE__BODY_INSTALLED] = { GSA__ROLE__ROLE_CHARON, gcks_client_receive },
	[GSA__MESSAGE__BODY_ROUTE] = { GSA__ROLE__ROLE_BGPD, gcks_client_receive },
	[GSA__MESSAGE__BODY_EXPORT] = { GSA__ROLE__ROLE_BGPD, gcks_client_receive },
};

/* A message of a client that is served.  NULL, or why it is dropped. */
static const char *dispatch(Gsa__Role role, const Gsa__Message *message)
{
	gcks_debug_log(messages, "from %s: %s", role_names[role], body_name(message));
	if (message->body_case == GSA__MESSAGE__BODY_HELLO)
		return "Hello for the second time";
	if (message->body_case == GSA__MESSAGE__BODY_SYNC_DONE)
		return take_sync_done(role);
	if (message->body_case >= array_size(bodies) || !bodies[message->body_case].receive ||
	    bodies[message->body_case].role != role)
		return "not a message that this client may send";
	bodies[message->body_case].receive(message);
	return NULL;
}

/* One datagram.  False: the connection is gone. */
static bool receive(struct connection *connection, const uint8_t *data, size_t length)
{
	const char *reason = NULL;
	Gsa__Message *message = gsa_message_unpack(data, length, &reason);
	bool alive = true;

	if (connection->role != GSA__ROLE__ROLE_UNSPECIFIED) {
		local.status[connection->role].received++;
		if (message)
			reason = dispatch(connection->role, message);
	} else if (message && message->body_case == GSA__MESSAGE__BODY_HELLO) {
		alive = take_hello(connection, message->hello);
	} else {
		refuse(connection, message ? "the first message was not Hello" : reason);
		gsa_message_free(message);
		return false;
	}
	gsa_message_free(message);
	if (alive && reason)
		log_dropped(connection->role, (ssize_t)length, reason);
	return alive;
}

/* recv() says 0 for an empty datagram too. */
static bool peer_closed(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLRDHUP };

	return poll(&poll_fd, 1, 0) != 0;
}

static void read_socket(struct event *event)
{
	static uint8_t data[GSA_MESSAGE_MAX];
	struct connection *connection = EVENT_ARG(event);

	for (int i = 0; i < READ_BATCH; i++) {
		/* MSG_TRUNC: the length of the whole datagram, which may be more than we took */
		ssize_t length = recv(connection->fd, data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC);
		bool alive;

		if (length < 0 && ERRNO_IO_RETRY(errno))
			break;
		if (length < 0 || (length == 0 && peer_closed(connection->fd))) {
			lost(connection, length ? safe_strerror(errno) : "it was closed");
			return;
		}
		alive = receive(connection, data, (size_t)length);
		gsa_wipe(data, MIN((size_t)length, sizeof(data)));
		if (!alive)
			return;
		if (connection->role != GSA__ROLE__ROLE_UNSPECIFIED && !connection->served)
			return; /* waits */
	}
	read_later(connection);
}

/* ---- accepting ---- */

static void hello_missing(struct event *event)
{
	struct connection *connection = EVENT_ARG(event);

	refuse(connection, "no Hello within 5 seconds");
}

static bool known_user(uid_t uid)
{
	return uid == 0 || uid == geteuid() || (local.has_charon_uid && uid == local.charon_uid);
}

static void take_connection(int fd)
{
	struct connection *connection = XCALLOC(MTYPE_TMP, sizeof(*connection));
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);
	bool full = connections_count(local.pending) >= PENDING_MAX;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		peer.uid = (uid_t)-1;
	connection->fd = fd;
	connection->uid = peer.uid;
	connection->pid = peer.pid;
	connection->queue = stream_fifo_new();
	connections_add_tail(local.pending, connection);
	if (!known_user(peer.uid)) {
		refuse(connection, "only charon and bgpd may use this socket");
	} else if (full) {
		refuse(connection, "too many connections that have not said Hello");
	} else {
		event_add_timer(local.loop, hello_missing, connection, HELLO_TIMEOUT_S,
				&connection->t_hello);
		read_later(connection);
	}
}

static void accept_connection(struct event *event)
{
	int fd = accept4(local.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && !ERRNO_IO_RETRY(errno) && errno != ECONNABORTED) {
		/* out of descriptors or memory: it stays readable, so wait a little */
		zlog_err("GSA: local socket: accept: %s", safe_strerror(errno));
		event_add_timer(local.loop, accept_connection, NULL, ACCEPT_RETRY_S,
				&local.t_accept);
		return;
	}
	if (fd >= 0)
		take_connection(fd);
	event_add_read(local.loop, accept_connection, NULL, local.fd, &local.t_accept);
}

/* ---- start and stop ---- */

/* Left behind by a gcksd that was killed; the store's lock keeps out one that lives. */
static void remove_stale_socket(const char *path)
{
	struct stat status;

	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		unlink(path);
}

static bool look_up_user(const char *charon_user)
{
	struct passwd *user;

	if (!charon_user)
		return true;
	user = getpwnam(charon_user);
	if (!user) {
		zlog_err("GSA: --charon-user %s: no such user", charon_user);
		return false;
	}
	local.charon_uid = user->pw_uid;
	local.has_charon_uid = true;
	return true;
}

bool gcks_local_start(struct event_loop *loop, const char *path, const char *charon_user)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	local.loop = loop;
	connections_init(local.pending);
	if (!look_up_user(charon_user))
		return false;
	if (strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
		zlog_err("GSA: local socket %s: the name is too long for a socket", path);
		return false;
	}
	remove_stale_socket(path);
	local.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* anyone may connect: who gets more than Refused is decided by SO_PEERCRED */
	if (local.fd < 0 || bind(local.fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0 || listen(local.fd, PENDING_MAX) < 0) {
		zlog_err("GSA: local socket %s: %s", path, safe_strerror(errno));
		if (local.fd >= 0)
			close(local.fd);
		local.fd = -1;
		return false;
	}
	strlcpy(local.path, path, sizeof(local.path));
	event_add_read(loop, accept_connection, NULL, local.fd, &local.t_accept);
	return true;
}

void gcks_local_stop(void)
{
	struct connection *connection;

	event_cancel(&local.t_accept);
	while (local.fd >= 0 && (connection = connections_first(local.pending)))
		close_connection(connection);
	for (size_t role = 0; role < ROLES; role++)
		if (local.clients[role])
			close_connection(local.clients[role]);
	if (local.fd < 0)
		return;
	close(local.fd);
	local.fd = -1;
	unlink(local.path);
}

const struct gcks_client_status *gcks_local_status(Gsa__Role role)
{
	return &local.status[role < ROLES ? role : GSA__ROLE__ROLE_UNSPECIFIED];
}
