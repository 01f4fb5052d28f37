// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The local socket's connections.  Inside local.c and local_connection.c only; what the daemon sees
 * of them is in gcksd.h.
 */
#ifndef GCKS_LOCAL_H
#define GCKS_LOCAL_H

#include "lib/frrevent.h"
#include "lib/stream.h"
#include "lib/typesafe.h"

#include "gcks/gcksd.h"

#define GCKS_HELLO_TIMEOUT_S 5
#define GCKS_LOCAL_ROLES     (GSA__ROLE__ROLE_BGPD + 1)

PREDECL_DLIST(gcks_connections);

struct gcks_connection {
	struct gcks_connections_item item;
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
DECLARE_DLIST(gcks_connections, struct gcks_connection, item);

struct gcks_local {
	struct event_loop *loop;
	int64_t synced_at; /* monotonic milliseconds, of the store, by whoever was sent to */
	struct gcks_connections_head pending[1]; /* no Hello yet */
	struct gcks_connection *clients[GCKS_LOCAL_ROLES];
	struct gcks_client_status status[GCKS_LOCAL_ROLES];
};
extern struct gcks_local gcks_local;

extern const char *const gcks_role_names[GCKS_LOCAL_ROLES];

void gcks_local_set_state(Gsa__Role role, enum gcks_client_state state);

/* Each of these gives the connection back. */
void gcks_connection_close(struct gcks_connection *connection);
void gcks_connection_lost(struct gcks_connection *connection, const char *reason); /* and logs */
void gcks_connection_refuse(struct gcks_connection *connection, const char *reason);

#endif
