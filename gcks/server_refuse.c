// SPDX-License-Identifier: GPL-2.0-or-later
/* Key server: refusals, each logged once in a while. */
#include <zebra.h>

#include "lib/log.h"
#include "lib/monotime.h"

#include "gcks/server.h"

#define REFUSED_INTERVAL_S 60
#define REFUSED_LINES	   128 /* different ones that are remembered */
#define REFUSED_LINE_MAX   640

/*
 * A peer may try again at any rate, and one that is not authenticated under any name: each line
 * once an interval, and REFUSED_LINES of them at most.
 */
struct refused_log {
	struct {
		char line[REFUSED_LINE_MAX];
		time_t logged;
		unsigned int repeated; /* since then */
	} lines[REFUSED_LINES];
	unsigned int others; /* not logged, as too many different ones came */
};

/* False: not logged this time. */
static bool log_refused(struct refused_log *log, const char *line)
{
	time_t now = monotime(NULL);
	size_t slot = 0;
	bool same = false;

	for (size_t i = 0; i < REFUSED_LINES && !same; i++) {
		same = log->lines[i].logged && strcmp(log->lines[i].line, line) == 0;
		if (same || log->lines[i].logged < log->lines[slot].logged)
			slot = i;
	}
	if (log->lines[slot].logged && now - log->lines[slot].logged < REFUSED_INTERVAL_S) {
		if (same)
			log->lines[slot].repeated++;
		else
			log->others++;
		return false;
	}
	if (same && log->lines[slot].repeated)
		zlog_warn("GSA: %s; %u more times since the last such line", line,
			  log->lines[slot].repeated);
	else
		zlog_warn("GSA: %s", line);
	if (log->others)
		zlog_warn("GSA: %u other refusals were not logged: too many different ones",
			  log->others);
	log->others = 0;
	strlcpy(log->lines[slot].line, line, sizeof(log->lines[slot].line));
	log->lines[slot].logged = now;
	log->lines[slot].repeated = 0;
	return true;
}

/* Peers choose it: nothing that could break a log line. */
static void printable_name(char *out, size_t size, ProtobufCBinaryData name)
{
	size_t length = MIN(name.len, size - 1);

	for (size_t i = 0; i < length; i++)
		out[i] = isprint(name.data[i]) ? (char)name.data[i] : '?';
	out[length] = '\0';
}

void gcks_server_refused(const Gsa__RegistrationRequest *request, uint16_t notify,
			 const char *reason)
{
	static struct refused_log log;
	const char *identity = request->peer ? request->peer->identity : "unknown";
	struct gcks_address address = {};
	char line[REFUSED_LINE_MAX], name[GSA_GROUP_NAME_MAX + 1], text[INET6_ADDRSTRLEN];

	if (request->peer)
		gcks_address_from(&address, request->peer->address.data,
				  request->peer->address.len);
	printable_name(name, sizeof(name), request->group_id);
	snprintf(line, sizeof(line), "refused %.200s (%s) in group %s: %s", identity,
		 gcks_address_text(&address, text), name, reason);
	if (log_refused(&log, line))
		gcks_notify_member(GCKS_MEMBER_REFUSED, name, identity, &address, notify, reason);
}

void gcks_server_refused_peer(const Gsa__RefusedPeer *peer)
{
	static struct refused_log log; /* a flood of these must not hide those of members */
	struct gcks_address address;
	char line[REFUSED_LINE_MAX], text[INET6_ADDRSTRLEN];

	gcks_address_from(&address, peer->address.data, peer->address.len);
	snprintf(line, sizeof(line), "peer %.200s (%s) refused: authentication failed: %s",
		 peer->identity[0] ? peer->identity : "unknown", gcks_address_text(&address, text),
		 peer->reason);
	log_refused(&log, line);
}
