// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The connection to gcksd.
 *
 *   DOWN --connect, Hello--> HELLO --Hello--> SYNC --SyncDone--> UP
 *    ^                          |               |                 |
 *    +------- 1, 2, 4, 5 s -----+---------------+------ lost -----+
 *
 * Nothing is forgotten when the connection is lost: bgpd goes on with what it was told.
 * Our own SyncDone makes gcksd drop what it did not hear of again, so after a start of bgpd it
 * waits until BGP has come back.
 */
#include "frr-gsa-plugin/gsa_bgp.h"

#include <sys/un.h>

#include "lib/frrevent.h"
#include "lib/libfrr.h"
#include "lib/network.h"
#include "lib/stream.h"

#include "bgpd/bgp_fsm.h"

#include "libgsa/message.h"

#define RETRY_S		1 /* a rekey may wait for gcksd, and a local socket costs nothing */
#define RETRY_REFUSED_S 5
#define QUEUE_MAX 1000000 /* messages; gcksd hangs: drop the connection, start over */
/* How long a started bgpd waits for its peers, see above; BGP's default restart time. */
#define CONVERGENCE_MAX_S 120

struct gsa_link_status gsa_link_status;

static struct {
	struct event_loop *loop;
	int fd;
	unsigned int retry_s;
	struct stream_fifo *queue;
	struct event *t_read, *t_write, *t_connect, *t_converged;
	time_t started;
	bool converged;	    /* once since bgpd started */
	unsigned int settled; /* seconds that every peer's routes have been complete */
	char logged[sizeof(gsa_link_status.error)];
} connection = { .fd = -1, .retry_s = RETRY_S };

static void connect_now(struct event *event);

/* The reason is logged when it changes, not at every attempt. */
static void down(const char *reason)
{
	strlcpy(gsa_link_status.error, reason, sizeof(gsa_link_status.error));
	if (strcmp(connection.logged, reason) != 0) {
		zlog_warn("GSA: connection to gcksd %s: %s; groups and members stay as they are",
			  gsa_link_status.state == GSA_LINK_DOWN ? "not made" : "lost", reason);
		strlcpy(connection.logged, reason, sizeof(connection.logged));
	}
	event_cancel(&connection.t_read);
	event_cancel(&connection.t_write);
	event_cancel(&connection.t_converged);
	if (connection.fd >= 0)
		close(connection.fd);
	connection.fd = -1;
	stream_fifo_clean(connection.queue);
	gsa_link_status.state = GSA_LINK_DOWN;
	gsa_link_status.since = monotime(NULL);
	gsa_peers_schedule();
	event_add_timer(connection.loop, connect_now, NULL, connection.retry_s,
			&connection.t_connect);
}

static void write_queue(struct event *event)
{
	struct stream *stream;

	while ((stream = stream_fifo_head(connection.queue))) {
		if (send(connection.fd, STREAM_DATA(stream), stream_get_endp(stream), MSG_NOSIGNAL) < 0) {
			if (errno == EINTR)
				continue;
			if (!ERRNO_IO_RETRY(errno)) {
				down(safe_strerror(errno));
				return;
			}
			event_add_write(connection.loop, write_queue, NULL, connection.fd, &connection.t_write);
			return;
		}
		gsa_link_status.sent++;
		stream_free(stream_fifo_pop(connection.queue));
	}
}

void gsa_link_send(const uint8_t *data, size_t length)
{
	struct stream *stream;

	if (connection.fd < 0)
		return;
	if (stream_fifo_count_safe(connection.queue) >= QUEUE_MAX) {
		down("does not read its socket");
		return;
	}
	stream = stream_new(length);
	stream_put(stream, data, length);
	stream_fifo_push(connection.queue, stream);
	/* in order, and not from inside the caller: a failure ends the connection */
	event_add_write(connection.loop, write_queue, NULL, connection.fd, &connection.t_write);
}

/* ---- SyncDone ---- */

/* Have the peers that can tell us about joined groups told everything? */
static bool routes_complete(void)
{
	struct gsa_instance *instance = gsa_instance_member();
	struct gsa_group *group;
	struct listnode *node;
	struct peer *peer;

	if (!gsa_joined_count)
		return true;
	if (!instance)
		return false;
	for (ALL_LIST_ELEMENTS_RO(instance->bgp->peer, node, peer)) {
		const struct gsa_class *class = gsa_class_of(peer->update_class);
		bool concerned = false;

		frr_each (gsa_groups, gsa_groups, group)
			concerned |= group->joined && gsa_class_has(class, group->identifier);
		if (concerned && !CHECK_FLAG(peer->af_sflags[AFI_IP][SAFI_UNICAST],
					     PEER_STATUS_EOR_RECEIVED))
			return false;
	}
	return true;
}

/*
 * bgpd calls itself restarted in its OPEN (RFC 4724, R bit) for all of its restart time, 120 s.  An
 * S/R whose bgpd restarts in this time would not wait for our routes before it says that it has
 * told all it knows, and the other members would drop them for a moment.  We have what we restarted
 * without.
 */
static void end_startup(void)
{
	struct gsa_instance *instance = gsa_instance_member();

	if (gsa_joined_count && instance && routes_complete() &&
	    !instance->bgp->gr_info[AFI_IP][SAFI_UNICAST].t_select_deferral)
		event_cancel(&instance->bgp->t_startup);
}

static void check_converged(struct event *event)
{
	/* what was received has to get through best path selection too */
	connection.settled = routes_complete() ? connection.settled + 1 : 0;
	if (connection.settled < 2 && monotime(NULL) - connection.started < CONVERGENCE_MAX_S &&
	    !connection.converged && gsa_joined_count) {
		event_add_timer(connection.loop, check_converged, NULL, 1, &connection.t_converged);
		return;
	}
	connection.converged = true;
	end_startup();
	gsa_imports_sweep();
	gsa_send_sync_done();
}

void gsa_link_hello_received(void)
{
	if (gsa_link_status.state != GSA_LINK_HELLO)
		return;
	gsa_link_status.state = GSA_LINK_SYNC;
	gsa_link_status.since = monotime(NULL);
	gsa_link_status.error[0] = '\0';
	connection.logged[0] = '\0';
	connection.retry_s = RETRY_S;
	zlog_info("GSA: connected to gcksd");
	gsa_groups_mark_stale();
	gsa_send_all(0);
}

void gsa_link_sync_received(void)
{
	if (gsa_link_status.state != GSA_LINK_SYNC)
		return;
	gsa_link_status.state = GSA_LINK_UP;
	gsa_link_status.since = monotime(NULL);
	gsa_groups_sweep();
	connection.settled = 0;
	event_add_event(connection.loop, check_converged, NULL, 0, &connection.t_converged);
}

/* gsa_receive() is at work: close after it. */
static bool refused;
static char refused_reason[sizeof(gsa_link_status.error)];

void gsa_link_refused(const char *reason)
{
	refused = true;
	connection.retry_s = RETRY_REFUSED_S;
	snprintf(refused_reason, sizeof(refused_reason), "refused: %s", reason);
}

/* ---- reading ---- */

#define READ_BATCH 100 /* messages, then other events get their turn */

static void read_socket(struct event *event)
{
	static uint8_t data[GSA_MESSAGE_MAX + 1];
	const char *reason;
	ssize_t length;

	for (int i = 0; i < READ_BATCH; i++) {
		length = recv(connection.fd, data, sizeof(data), MSG_DONTWAIT);
		if (length < 0 && (ERRNO_IO_RETRY(errno)))
			break;
		if (length <= 0) {
			down(length ? safe_strerror(errno) : "closed the connection");
			return;
		}
		gsa_link_status.received++;
		reason = gsa_receive(data, length);
		if (refused) {
			refused = false;
			down(refused_reason);
			return;
		}
		if (reason) {
			static time_t logged;

			gsa_link_status.dropped++;
			if (!logged || monotime(NULL) - logged >= GSA_LOG_INTERVAL_S) {
				logged = monotime(NULL);
				zlog_warn("GSA: dropped a message of gcksd (%zd octets): %s",
					  length, reason);
			}
		}
	}
	event_add_read(connection.loop, read_socket, NULL, connection.fd, &connection.t_read);
}

/* ---- connecting ---- */

static void connect_now(struct event *event)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/gcksd.sock",
		     frr_runstatedir) >= (int)sizeof(address.sun_path)) {
		down("the state folder's name is too long for a socket");
		return;
	}
	connection.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connection.fd < 0 || connect(connection.fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		char reason[sizeof(gsa_link_status.error)];

		snprintf(reason, sizeof(reason), "%s: %s", address.sun_path, safe_strerror(errno));
		down(reason);
		return;
	}
	gsa_link_status.state = GSA_LINK_HELLO;
	gsa_link_status.since = monotime(NULL);
	gsa_send_hello();
	event_add_read(connection.loop, read_socket, NULL, connection.fd, &connection.t_read);
}

void gsa_link_start(struct event_loop *loop)
{
	connection.loop = loop;
	connection.queue = stream_fifo_new();
	connection.started = monotime(NULL);
	event_add_event(loop, connect_now, NULL, 0, &connection.t_connect);
}

void gsa_link_stop(void)
{
	event_cancel(&connection.t_connect);
	event_cancel(&connection.t_read);
	event_cancel(&connection.t_write);
	event_cancel(&connection.t_converged);
	if (connection.fd >= 0)
		close(connection.fd);
	connection.fd = -1;
	if (connection.queue)
		stream_fifo_free(connection.queue);
}
