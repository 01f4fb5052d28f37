// SPDX-License-Identifier: GPL-2.0-or-later
/* Key server: refusals, each logged once in a while. */
#include <zebra.h>

#include "lib/log.h"
#include "lib/monotime.h"

#include "gcks/server.h"
#include "libgsa/refused.h"

static void log_refused(const char *line, int priority, unsigned int repeated, unsigned int others)
{
	if (repeated)
		zlog(priority, "GSA: %s; %u more times since the last such line", line, repeated);
	else
		zlog(priority, "GSA: %s", line);
	if (others)
		zlog_warn("GSA: %u other refusals were not logged: too many different ones",
			  others);
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
			 const char *reason, bool fault)
{
	static struct gsa_refused_log log;
	const char *identity = request->peer ? request->peer->identity : "unknown";
	struct gcks_address address = {};
	char line[GSA_REFUSED_LINE_MAX], name[GSA_GROUP_NAME_MAX + 1], text[INET6_ADDRSTRLEN];
	unsigned int repeated, others;

	if (request->peer)
		gcks_address_from(&address, request->peer->address.data,
				  request->peer->address.len);
	printable_name(name, sizeof(name), request->group_id);
	snprintf(line, sizeof(line), "refused %.200s (%s) in group %s: %s", identity,
		 gcks_address_text(&address, text), name, reason);
	if (!gsa_refused(&log, line, monotime(NULL), &repeated, &others))
		return;
	log_refused(line, fault ? LOG_ERR : LOG_WARNING, repeated, others);
	gcks_notify_member(GCKS_MEMBER_REFUSED, name, identity, &address, notify, reason);
}

/* charon has counted them: a flood of these is not even sent. */
void gcks_server_refused_peer(const Gsa__RefusedPeer *peer)
{
	struct gcks_address address;
	char line[GSA_REFUSED_LINE_MAX], text[INET6_ADDRSTRLEN];

	gcks_address_from(&address, peer->address.data, peer->address.len);
	snprintf(line, sizeof(line), "peer %.200s (%s) refused: authentication failed: %s",
		 peer->identity[0] ? peer->identity : "unknown", gcks_address_text(&address, text),
		 peer->reason);
	log_refused(line, LOG_WARNING, peer->repeated_times, peer->others);
}
