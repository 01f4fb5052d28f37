// SPDX-License-Identifier: GPL-2.0-or-later
/* Connections of the local socket: sending, refusing and closing. */
#include <zebra.h>

#include "lib/log.h"
#include "lib/network.h"

#include "gcks/clock.h"
#include "gcks/local.h"
#include "libgsa/message.h"
#include "libgsa/secret.h"

#define QUEUE_MAX    ((size_t)64 << 20) /* octets; the client hangs: drop it */
#define UNREAD_MAX   100		/* messages that are read from a client that is refused */
#define SYNC_RETRY_S 1

struct gcks_local gcks_local;

const char *const gcks_role_names[GCKS_LOCAL_ROLES] = {
	[GSA__ROLE__ROLE_UNSPECIFIED] = "a client without Hello",
	[GSA__ROLE__ROLE_CHARON] = "charon",
	[GSA__ROLE__ROLE_BGPD] = "bgpd",
};

/* Any user may connect and be refused: that must not fill the log. */
static void log_refused(const struct gcks_connection *connection, const char *reason)
{
	static time_t logged;
	static unsigned int since;
	time_t now = monotime(NULL);

	since++;
	if (logged && now - logged < GCKS_HELLO_TIMEOUT_S)
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

void gcks_local_set_state(Gsa__Role role, enum gcks_client_state state)
{
	gcks_local.status[role].state = state;
	gcks_local.status[role].since = monotime(NULL);
}

void gcks_connection_close(struct gcks_connection *connection)
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
		gcks_connections_del(gcks_local.pending, connection);
	} else if (gcks_local.clients[connection->role] == connection) {
		gcks_local.clients[connection->role] = NULL;
		if (connection->served)
			gcks_local_set_state(connection->role, GCKS_CLIENT_AWAY);
	}
	XFREE(MTYPE_TMP, connection);
}

void gcks_connection_lost(struct gcks_connection *connection, const char *reason)
{
	if (connection->served)
		zlog_warn(
			"GSA: the connection of %s is lost: %s; what it did for us stays as it is",
			gcks_role_names[connection->role], reason);
	gcks_connection_close(connection);
}

/* Say why and close; without reading what was sent the client sees a reset, and not the reason. */
void gcks_connection_refuse(struct gcks_connection *connection, const char *reason)
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
	for (int i = 0; i < UNREAD_MAX; i++)
		if (recv(connection->fd, unread, sizeof(unread), MSG_DONTWAIT) <= 0)
			break;
	gsa_wipe(unread, sizeof(unread));
	gcks_connection_close(connection);
}

/* ---- sending ---- */

/* Store before publish: one sync for everything that was decided since the last one. */
static bool sync_store(void)
{
	static bool failed;
	bool synced = gcks_store_is_synced(gcksd.store), ok = gcks_store_sync(gcksd.store);

	if (!ok && !failed)
		zlog_err("GSA: charon and bgpd are told nothing before it is stored: %s",
			 gcks_store_error(gcksd.store));
	else if (ok && failed)
		zlog_info("GSA: all is stored; charon and bgpd are told what has waited for that");
	failed = !ok;
	if (ok && !synced)
		gcks_local.synced_at = gcks_now_ms();
	return ok;
}

static void write_queue(struct event *event)
{
	struct gcks_connection *connection = EVENT_ARG(event);
	struct stream *stream;

	if (connection->failed) {
		gcks_connection_lost(connection, connection->failed);
		return;
	}
	if (!sync_store()) {
		event_add_timer(gcks_local.loop, write_queue, connection, SYNC_RETRY_S,
				&connection->t_write);
		return;
	}
	while ((stream = stream_fifo_head(connection->queue))) {
		if (send(connection->fd, STREAM_DATA(stream), stream_get_endp(stream),
			 MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
			if (errno == EINTR)
				continue;
			if (!ERRNO_IO_RETRY(errno)) {
				gcks_connection_lost(connection, safe_strerror(errno));
				return;
			}
			event_add_write(gcks_local.loop, write_queue, connection, connection->fd,
					&connection->t_write);
			return;
		}
		gcks_local.status[connection->role].sent++;
		connection->queued -= STREAM_SIZE(stream);
		forget_stream(stream_fifo_pop(connection->queue));
	}
}

bool gcks_local_send(Gsa__Role role, const Gsa__Message *message)
{
	static uint8_t out[GSA_MESSAGE_MAX];
	struct gcks_connection *connection =
		role < GCKS_LOCAL_ROLES ? gcks_local.clients[role] : NULL;
	struct stream *stream;
	size_t length;

	if (!connection || !connection->served || connection->failed)
		return false;
	length = gsa_message_pack(message, out);
	if (!length) {
		zlog_err("GSA: a message for %s (%s) is longer than the local protocol allows and "
			 "was not sent",
			 gcks_role_names[role], gsa_message_name(message));
		return false;
	}
	if (connection->queued + length > QUEUE_MAX) {
		gsa_wipe(out, length);
		connection->failed = "it does not read its socket";
		event_cancel(&connection->t_write); /* it waits for the socket */
		event_add_event(gcks_local.loop, write_queue, connection, 0, &connection->t_write);
		return false;
	}
	gcks_debug_log(messages, "to %s: %s, %zu octets", gcks_role_names[role],
		       gsa_message_name(message), length);
	stream = stream_new(length);
	stream_put(stream, out, length);
	gsa_wipe(out, length);
	stream_fifo_push(connection->queue, stream);
	connection->queued += length;
	/* in order, and not from inside the caller: a failure ends the connection */
	event_add_write(gcks_local.loop, write_queue, connection, connection->fd,
			&connection->t_write);
	return true;
}
