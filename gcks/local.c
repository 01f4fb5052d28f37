// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The local socket (proto/README.md): one connection of charon, one of bgpd.
 *
 *   accepted --Hello, configured--> SYNC --its SyncDone--> UP
 *       |                             |                     |
 *       +--- refused, 5 s of silence  +------- lost --------+--> AWAY
 *
 * A connection that said Hello before it may be served (the configuration is not read, or bgpd
 * would miss groups) waits: nothing is sent to it, and nothing more is read from it.
 */
#include <zebra.h>

#include <ctype.h>
#include <poll.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/log.h"
#include "lib/network.h"

#include "gcks/clock.h"
#include "gcks/local.h"
#include "libgsa/message.h"
#include "libgsa/secret.h"

#define PENDING_MAX	 16  /* connections without Hello */
#define READ_BATCH	 100 /* messages, then other events get their turn */
#define SYNC_INTERVAL_MS 10
#define LOG_INTERVAL_S	 60
#define LOG_BURST	 5 /* other reasons than the last one, in an interval */
#define ACCEPT_RETRY_S	 1

static struct {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uid_t charon_uid;
	bool has_charon_uid;
	struct event *t_accept;
} listener = { .fd = -1 };

/* A reason is logged at once, and then once in a while, with how many there were meanwhile. */
static void log_dropped(Gsa__Role role, ssize_t length, const char *reason)
{
	static struct drops {
		time_t began; /* of the interval */
		unsigned int lines;
		uint64_t since;
		char reason[128];
	} all[GCKS_LOCAL_ROLES];
	struct drops *drops = &all[role];
	time_t now = monotime(NULL);

	gcks_local.status[role].dropped++;
	drops->since++;
	if (!drops->lines || now - drops->began >= LOG_INTERVAL_S) {
		drops->began = now;
		drops->lines = 0;
	} else if (drops->lines >= LOG_BURST ||
		   strncmp(drops->reason, reason, sizeof(drops->reason) - 1) == 0)
		return;
	zlog_warn("GSA: dropped a message of %s (%zd octets): %s; %" PRIu64
		  " dropped since the last such line",
		  gcks_role_names[role], length, reason, drops->since);
	strlcpy(drops->reason, reason, sizeof(drops->reason));
	drops->lines++;
	drops->since = 0;
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

static void read_on(struct gcks_connection *connection)
{
	event_add_read(gcks_local.loop, read_socket, connection, connection->fd,
		       &connection->t_read);
}

/*
 * A sync costs as much as several registrations.  In a burst it is shared: what comes soon after
 * one waits in the socket, for the next.
 */
static void read_later(struct gcks_connection *connection)
{
	int64_t wait = gcks_local.synced_at + SYNC_INTERVAL_MS - gcks_now_ms();

	if (wait > 0)
		event_add_timer_msec(gcks_local.loop, read_socket, connection, (long)wait,
				     &connection->t_read);
	else
		read_on(connection);
}

static bool may_serve(Gsa__Role role)
{
	return gcksd.configured && (role != GSA__ROLE__ROLE_BGPD || gcks_client_settled());
}

static void serve(struct gcks_connection *connection)
{
	Gsa__Role role = connection->role;

	connection->served = true;
	gcks_local_set_state(role, GCKS_CLIENT_SYNC);
	zlog_info("GSA: %s is connected: %s, process %d of user %u", gcks_role_names[role],
		  gcks_local.status[role].software, connection->pid, connection->uid);
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
	struct gcks_connection *connection =
		role < GCKS_LOCAL_ROLES ? gcks_local.clients[role] : NULL;
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__SyncDone done = GSA__SYNC_DONE__INIT;

	if (!connection || !gcksd.configured)
		return;
	if (!connection->served) {
		if (may_serve(role))
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
static const char *role_fault(const struct gcks_connection *connection, Gsa__Role role)
{
	if (connection->uid == 0)
		return NULL;
	if (role == GSA__ROLE__ROLE_BGPD)
		return connection->uid == geteuid() ? NULL
						    : "bgpd has to run as root or as gcksd's user";
	return listener.has_charon_uid && connection->uid == listener.charon_uid
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
static bool take_hello(struct gcks_connection *connection, const Gsa__Hello *hello)
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
		gcks_connection_refuse(connection, fault);
		return false;
	}
	if (gcks_local.clients[hello->role])
		gcks_connection_lost(gcks_local.clients[hello->role], "replaced by a newer one");
	event_cancel(&connection->t_hello);
	gcks_connections_del(gcks_local.pending, connection);
	connection->role = hello->role;
	gcks_local.clients[hello->role] = connection;
	status = &gcks_local.status[hello->role];
	strlcpy(status->software, hello->software, sizeof(status->software));
	printable(status->software);
	status->received++;
	if (may_serve(hello->role))
		serve(connection);
	else
		zlog_info("GSA: %s waits until %s", gcks_role_names[hello->role],
			  gcksd.configured ? "charon has repeated which groups it is in"
					   : "the configuration is read");
	return true;
}

static const char *take_sync_done(Gsa__Role role)
{
	if (gcks_local.status[role].state != GCKS_CLIENT_SYNC)
		return "SyncDone for the second time";
	gcks_local_set_state(role, GCKS_CLIENT_UP);
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
	[GSA__MESSAGE__BODY_REKEY_DONE] = { GSA__ROLE__ROLE_CHARON, gcks_server_receive },
	[GSA__MESSAGE__BODY_MEMBERSHIP] = { GSA__ROLE__ROLE_CHARON, gcks_client_receive },
	[GSA__MESSAGE__BODY_INSTALLED] = { GSA__ROLE__ROLE_CHARON, gcks_client_receive },
	[GSA__MESSAGE__BODY_STATE_ENDED] = { GSA__ROLE__ROLE_CHARON, gcks_client_receive },
	[GSA__MESSAGE__BODY_ROUTE] = { GSA__ROLE__ROLE_BGPD, gcks_client_receive },
	[GSA__MESSAGE__BODY_EXPORT] = { GSA__ROLE__ROLE_BGPD, gcks_client_receive },
};

/* A message of a client that is served.  NULL, or why it is dropped. */
static const char *dispatch(Gsa__Role role, const Gsa__Message *message)
{
	gcks_debug_log(messages, "from %s: %s", gcks_role_names[role], gsa_message_name(message));
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
static bool receive(struct gcks_connection *connection, const uint8_t *data, size_t length)
{
	const char *reason = NULL;
	Gsa__Message *message = gsa_message_unpack(data, length, &reason);
	bool alive = true;

	if (connection->role != GSA__ROLE__ROLE_UNSPECIFIED) {
		gcks_local.status[connection->role].received++;
		if (message)
			reason = dispatch(connection->role, message);
	} else if (message && message->body_case == GSA__MESSAGE__BODY_HELLO) {
		alive = take_hello(connection, message->hello);
	} else {
		gcks_connection_refuse(connection,
				       message ? "the first message was not Hello" : reason);
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
	struct gcks_connection *connection = EVENT_ARG(event);

	for (int i = 0; i < READ_BATCH; i++) {
		/* MSG_TRUNC: the length of the whole datagram, which may be more than we took */
		ssize_t length = recv(connection->fd, data, sizeof(data), MSG_DONTWAIT | MSG_TRUNC);
		bool alive;

		if (length < 0 && ERRNO_IO_RETRY(errno)) {
			read_later(connection);
			return;
		}
		if (length < 0 || (length == 0 && peer_closed(connection->fd))) {
			gcks_connection_lost(connection,
					     length ? safe_strerror(errno) : "it was closed");
			return;
		}
		alive = receive(connection, data, (size_t)length);
		gsa_wipe(data, MIN((size_t)length, sizeof(data)));
		if (!alive)
			return;
		if (connection->role != GSA__ROLE__ROLE_UNSPECIFIED && !connection->served)
			return; /* waits */
	}
	read_on(connection);
}

/* ---- accepting ---- */

static void hello_missing(struct event *event)
{
	struct gcks_connection *connection = EVENT_ARG(event);

	gcks_connection_refuse(connection, "no Hello within 5 seconds");
}

static bool known_user(uid_t uid)
{
	return uid == 0 || uid == geteuid() ||
	       (listener.has_charon_uid && uid == listener.charon_uid);
}

static void take_connection(int fd)
{
	struct gcks_connection *connection = XCALLOC(MTYPE_TMP, sizeof(*connection));
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);
	bool full = gcks_connections_count(gcks_local.pending) >= PENDING_MAX;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
		peer.uid = (uid_t)-1;
	connection->fd = fd;
	connection->uid = peer.uid;
	connection->pid = peer.pid;
	connection->queue = stream_fifo_new();
	gcks_connections_add_tail(gcks_local.pending, connection);
	if (!known_user(peer.uid)) {
		gcks_connection_refuse(connection, "only charon and bgpd may use this socket");
	} else if (full) {
		gcks_connection_refuse(connection, "too many connections that have not said Hello");
	} else {
		event_add_timer(gcks_local.loop, hello_missing, connection, GCKS_HELLO_TIMEOUT_S,
				&connection->t_hello);
		read_later(connection);
	}
}

static void accept_connection(struct event *event)
{
	int fd = accept4(listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && !ERRNO_IO_RETRY(errno) && errno != ECONNABORTED) {
		/* out of descriptors or memory: it stays readable, so wait a little */
		zlog_err("GSA: local socket: accept: %s", safe_strerror(errno));
		event_add_timer(gcks_local.loop, accept_connection, NULL, ACCEPT_RETRY_S,
				&listener.t_accept);
		return;
	}
	if (fd >= 0)
		take_connection(fd);
	event_add_read(gcks_local.loop, accept_connection, NULL, listener.fd, &listener.t_accept);
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
	listener.charon_uid = user->pw_uid;
	listener.has_charon_uid = true;
	return true;
}

bool gcks_local_start(struct event_loop *loop, const char *path, const char *charon_user)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	gcks_local.loop = loop;
	gcks_connections_init(gcks_local.pending);
	if (!look_up_user(charon_user))
		return false;
	if (strlcpy(address.sun_path, path, sizeof(address.sun_path)) >= sizeof(address.sun_path)) {
		zlog_err("GSA: local socket %s: the name is too long for a socket", path);
		return false;
	}
	remove_stale_socket(path);
	listener.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* anyone may connect: who gets more than Refused is decided by SO_PEERCRED */
	if (listener.fd < 0 ||
	    bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    chmod(path, 0666) < 0 || listen(listener.fd, PENDING_MAX) < 0) {
		zlog_err("GSA: local socket %s: %s", path, safe_strerror(errno));
		if (listener.fd >= 0)
			close(listener.fd);
		listener.fd = -1;
		return false;
	}
	strlcpy(listener.path, path, sizeof(listener.path));
	event_add_read(loop, accept_connection, NULL, listener.fd, &listener.t_accept);
	return true;
}

void gcks_local_stop(void)
{
	struct gcks_connection *connection;

	event_cancel(&listener.t_accept);
	while (listener.fd >= 0 && (connection = gcks_connections_first(gcks_local.pending)))
		gcks_connection_close(connection);
	for (size_t role = 0; role < GCKS_LOCAL_ROLES; role++)
		if (gcks_local.clients[role])
			gcks_connection_close(gcks_local.clients[role]);
	if (listener.fd < 0)
		return;
	close(listener.fd);
	listener.fd = -1;
	unlink(listener.path);
}

const struct gcks_client_status *gcks_local_status(Gsa__Role role)
{
	return &gcks_local.status[role < GCKS_LOCAL_ROLES ? role : GSA__ROLE__ROLE_UNSPECIFIED];
}
