// SPDX-License-Identifier: GPL-2.0-or-later
/* Key server: charon's messages.  Decide, store, table, bgpd, and only then answer. */
#include <zebra.h>

#include "lib/log.h"
#include "lib/memory.h"
#include "lib/monotime.h"

#include "gcks/names.h"
#include "gcks/server.h"
#include "libgsa/gikev2.h"

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

static struct gcks_address address_of(ProtobufCBinaryData octets)
{
	struct gcks_address address;

	gcks_address_from(&address, octets.data, octets.len);
	return address;
}

/* Peers choose it: nothing that could break a log line. */
static void printable_name(char *out, size_t size, ProtobufCBinaryData name)
{
	size_t length = MIN(name.len, size - 1);

	for (size_t i = 0; i < length; i++)
		out[i] = isprint(name.data[i]) ? (char)name.data[i] : '?';
	out[length] = '\0';
}

/* ---- registration ---- */

static void reply(uint32_t request, uint16_t notify, const char *reason, const struct gcks_sa *sa)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__RegistrationReply answer = GSA__REGISTRATION_REPLY__INIT;
	Gsa__GroupSa group_sa = GSA__GROUP_SA__INIT;
	Gsa__DataSa data = GSA__DATA_SA__INIT;
	Gsa__DataSa *list[] = { &data };

	answer.request = request;
	answer.notify = notify;
	answer.reason = (char *)reason;
	if (sa) {
		data.spi = sa->spi;
		data.encryption = sa->encryption;
		data.encryption_key_bits = sa->encryption_key_bits;
		data.integrity = sa->integrity;
		data.sequence_numbers = sa->sequence_numbers;
		data.key.data = sa->key.data; /* borrowed */
		data.key.len = sa->key.length;
		group_sa.n_data_sa = 1;
		group_sa.data_sa = list;
		group_sa.group = sa->group;
		answer.group_sa = &group_sa;
	}
	message.body_case = GSA__MESSAGE__BODY_REGISTRATION_REPLY;
	message.registration_reply = &answer;
	gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

static void refuse(const Gsa__RegistrationRequest *request, uint16_t notify, const char *reason)
{
	static struct refused_log log;
	const char *identity = request->peer ? request->peer->identity : "unknown";
	struct gcks_address address = {};
	char line[REFUSED_LINE_MAX], name[GSA_GROUP_NAME_MAX + 1], text[INET6_ADDRSTRLEN];

	if (request->peer)
		address = address_of(request->peer->address);
	printable_name(name, sizeof(name), request->group_id);
	snprintf(line, sizeof(line), "refused %.200s (%s) in group %s: %s", identity,
		 gcks_address_text(&address, text), name, reason);
	if (log_refused(&log, line))
		gcks_notify_member(GCKS_MEMBER_REFUSED, name, identity, &address, notify, reason);
	reply(request->request, notify, reason, NULL);
}

/* Of all that needs memory nothing is left for after the commit. */
static struct gcks_registration *make_entry(uint32_t group, const Gsa__Peer *peer,
					    const struct gcks_address *address,
					    time_t registered_at)
{
	/* borrowed, and copied */
	struct gcks_registration values = {
		.group = group,
		.identity = peer->identity,
		.address = *address,
		.ike_sa = peer->ike_sa,
		.credential = peer->credential,
		.ca = peer->ca,
		.ca_count = peer->n_ca,
		.registered_at = registered_at,
	};

	return gcks_registration_new(&values);
}

/* One commit for what is new; the tables only change when it is durable.  NULL: logged. */
static struct gcks_registration *store_and_insert(const struct gcks_group *group,
						  const Gsa__Peer *peer,
						  const struct gcks_address *address,
						  const struct gcks_sa **current)
{
	time_t now = time(NULL);
	struct gcks_sa *sa = gcks_sa_current(&gcksd.sas, group->identifier), *made = NULL;
	struct gcks_registration *entry = make_entry(group->identifier, peer, address, now);
	struct gcks_change changes[2];
	size_t count = 0;

	if (!sa)
		sa = made = gcks_sa_new(&gcksd.sas, group, now);
	if (!sa || !entry) {
		zlog_err("GSA: group %s: no memory or randomness to register %s", group->name,
			 peer->identity);
		gcks_sa_free(made);
		gcks_registration_free(entry);
		return NULL;
	}
	if (made)
		changes[count++] = (struct gcks_change){ .kind = GCKS_PUT_SA, .sa = made };
	changes[count++] =
		(struct gcks_change){ .kind = GCKS_PUT_REGISTRATION, .registration = entry };
	if (!gcks_server_commit(changes, count)) {
		zlog_err("GSA: group %s: registration of %s is not stored: %s", group->name,
			 peer->identity, gcks_store_error(gcksd.store));
		gcks_sa_free(made);
		gcks_registration_free(entry);
		return NULL;
	}
	if (made) {
		gcks_sa_insert(&gcksd.sas, made);
		zlog_info("GSA: group %s (%u): new SA, SPI 0x%08x, generation %u", group->name,
			  group->identifier, made->spi, made->generation);
	}
	gcks_registration_insert(&gcksd.registrations, entry);
	*current = sa;
	return entry;
}

static void announce(const struct gcks_registration *entry, const struct gcks_address *old_address)
{
	struct gcks_registration before = *entry;

	if (old_address->length && !gcks_address_equal(old_address, &entry->address)) {
		before.address = *old_address;
		gcks_announce_member(&before, true);
	}
	gcks_announce_member(entry, false);
}

static void grant(const Gsa__RegistrationRequest *request, const struct gcks_group *group)
{
	const Gsa__Peer *peer = request->peer;
	const struct gcks_sa *sa = gcks_sa_current(&gcksd.sas, group->identifier);
	const struct gcks_registration *entry;
	struct gcks_address address, old_address = {};
	char reason[160], text[INET6_ADDRSTRLEN];
	uint32_t old_ike_sa = 0;
	bool again;

	/* another group had the identifier, and policy was not looked at since */
	if (sa && strcmp(sa->group_name, group->name) != 0)
		gcks_server_group_gone(sa->group, sa->group_name);
	entry = gcks_registration_find(&gcksd.registrations, group->identifier, peer->identity);
	again = entry != NULL;
	if (again) {
		old_ike_sa = entry->ike_sa;
		old_address = entry->address;
	}
	if (!gcks_address_from(&address, peer->address.data, peer->address.len)) {
		refuse(request, GSA_NOTIFY_REGISTRATION_FAILED, "its address is not known");
		return;
	}
	if (!again && group->maximum_members &&
	    gcks_registration_count(&gcksd.registrations, group->identifier) >=
		    group->maximum_members) {
		snprintf(reason, sizeof(reason), "maximum-members %u of group %s is reached",
			 group->maximum_members, group->name);
		refuse(request, GSA_NOTIFY_REGISTRATION_FAILED, reason);
		return;
	}
	entry = store_and_insert(group, peer, &address, &sa);
	if (!entry) {
		refuse(request, GSA_NOTIFY_REGISTRATION_FAILED,
		       "the key server cannot store the registration");
		return;
	}
	announce(entry, &old_address);
	zlog_info("GSA: group %s (%u): registered %s (%s), credential %s, IKE_SA %u, SPI 0x%08x%s",
		  group->name, group->identifier, peer->identity, gcks_address_text(&address, text),
		  gcks_credential_name(peer->credential) ?: "unknown", peer->ike_sa, sa->spi,
		  again ? ", in place of its earlier registration" : "");
	reply(request->request, 0, "", sa);
	gcks_notify_member(GCKS_MEMBER_REGISTERED, group->name, peer->identity, &address, 0, NULL);
	if (old_ike_sa && old_ike_sa != peer->ike_sa)
		gcks_server_tell_end(old_ike_sa, group->identifier,
				     "the same identity has registered over another IKE_SA");
}

static void take_request(const Gsa__RegistrationRequest *request)
{
	struct gcks_verdict verdict;
	struct gcks_group *group = NULL;

	/* IKE_SA 0 would be a registration that nothing ever ends */
	if (!request->peer || !request->peer->identity[0] || !request->peer->ike_sa) {
		refuse(request, GSA_NOTIFY_REGISTRATION_FAILED, "charon did not say who it is");
		return;
	}
	if (!gcksd.configured) {
		refuse(request, GSA_NOTIFY_REGISTRATION_FAILED,
		       "the configuration is not read yet");
		return;
	}
	verdict = gcks_policy_decide(&gcksd.policy, (const char *)request->group_id.data,
				     request->group_id.len, request->group_id_type, request->peer,
				     &group);
	if (verdict.notify)
		refuse(request, verdict.notify, verdict.reason);
	else
		grant(request, group);
}

/* ---- what charon holds ---- */

/* NULL, or why charon may not go on holding it. */
static const char *refuses_repeated(const struct gcks_registration *entry, const Gsa__Peer *peer)
{
	static struct gcks_verdict verdict;
	struct gcks_group *group;

	/* ended while charon was away, or of another store: the member may not hold today's key */
	if (!entry)
		return "gcksd does not know this registration";
	group = gcks_policy_find_identifier(&gcksd.policy, entry->group);
	if (!group)
		return "the group is not configured";
	verdict = gcks_policy_decide(&gcksd.policy, group->name, strlen(group->name), GSA_ID_KEY_ID,
				     peer, &group);
	if (verdict.notify)
		return verdict.reason;
	return entry->ike_sa > peer->ike_sa ? "the same identity has registered over another IKE_SA"
					    : NULL;
}

/*
 * Address or credential may be others than at the registration.  What cannot be stored does not
 * count: bgpd goes on with the old address, and the next resynchronisation brings the new one.
 */
static void update_repeated(const struct gcks_registration *before, const Gsa__Peer *peer,
			    const struct gcks_address *address)
{
	struct gcks_registration *entry =
		make_entry(before->group, peer, address, before->registered_at);
	struct gcks_address old_address = before->address;
	struct gcks_change change = { .kind = GCKS_PUT_REGISTRATION, .registration = entry };

	if (entry && gcks_address_equal(&before->address, address) &&
	    gcks_registration_same_credential(before, entry)) {
		gcks_registration_free(entry);
	} else if (entry && gcks_server_commit(&change, 1)) {
		gcks_registration_insert(&gcksd.registrations, entry); /* `before` is gone */
		announce(entry, &old_address);
	} else {
		zlog_err("GSA: group %u: the new address or credential of %s is not stored: %s",
			 before->group, before->identity,
			 entry ? gcks_store_error(gcksd.store) : "out of memory");
		gcks_registration_free(entry);
	}
}

static void take_repeated(const Gsa__Registration *repeated)
{
	const Gsa__Peer *peer = repeated->peer;
	struct gcks_registration *entry;
	struct gcks_address address;
	const char *reason;
	uint32_t old_ike_sa;

	if (!peer || !peer->ike_sa ||
	    !gcks_address_from(&address, peer->address.data, peer->address.len))
		return;
	entry = gcks_registration_find(&gcksd.registrations, repeated->group, peer->identity);
	reason = refuses_repeated(entry, peer);
	if (reason) {
		zlog_info("GSA: group %u: registration of %s that charon holds is ended: %s",
			  repeated->group, peer->identity, reason);
		gcks_server_tell_end(peer->ike_sa, repeated->group, reason);
		return;
	}
	old_ike_sa = entry->ike_sa;
	entry->ike_sa = peer->ike_sa;
	entry->stale = false;
	if (old_ike_sa && old_ike_sa != peer->ike_sa)
		gcks_server_tell_end(old_ike_sa, repeated->group,
				     "the same identity has registered over another IKE_SA");
	update_repeated(entry, peer, &address);
}

static bool ends(const struct gcks_registration *entry, const Gsa__RegistrationEnded *ended)
{
	/* one that was replaced has another IKE_SA by now */
	return entry->ike_sa == ended->ike_sa && (!ended->group || entry->group == ended->group);
}

static const char *why_left(const struct gcks_registration *entry, const void *argument)
{
	const Gsa__RegistrationEnded *ended = argument;
	static char reason[256];

	if (!ends(entry, ended))
		return NULL;
	snprintf(reason, sizeof(reason), "%s%s%s",
		 ended->reason == GSA__END_REASON__END_NOT_DELIVERED
			 ? "the reply could not be delivered"
			 : "it left",
		 ended->text[0] ? ": " : "", ended->text);
	return reason;
}

static void make_stale(const Gsa__RegistrationEnded *ended)
{
	char reason[256];

	snprintf(reason, sizeof(reason), "its IKE_SA is gone%s%s", ended->text[0] ? ": " : "",
		 ended->text);
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		if (ends(entry, ended))
			gcks_server_make_stale(entry, reason);
}

static void take_ended(const Gsa__RegistrationEnded *ended)
{
	if (!ended->ike_sa)
		return;
	if (ended->reason == GSA__END_REASON__END_LEFT ||
	    ended->reason == GSA__END_REASON__END_NOT_ACCEPTABLE ||
	    ended->reason == GSA__END_REASON__END_NOT_DELIVERED)
		gcks_server_end(why_left, ended, false);
	else
		make_stale(ended);
}

static void take_refused_peer(const Gsa__RefusedPeer *peer)
{
	static struct refused_log log; /* a flood of these must not hide those of members */
	struct gcks_address address = address_of(peer->address);
	char line[REFUSED_LINE_MAX], text[INET6_ADDRSTRLEN];

	snprintf(line, sizeof(line), "peer %.200s (%s) refused: authentication failed: %s",
		 peer->identity[0] ? peer->identity : "unknown", gcks_address_text(&address, text),
		 peer->reason);
	log_refused(&log, line);
}

void gcks_server_receive(const Gsa__Message *message)
{
	switch (message->body_case) {
	case GSA__MESSAGE__BODY_REGISTRATION_REQUEST:
		take_request(message->registration_request);
		break;
	case GSA__MESSAGE__BODY_REGISTRATION:
		take_repeated(message->registration);
		break;
	case GSA__MESSAGE__BODY_REGISTRATION_ENDED:
		take_ended(message->registration_ended);
		break;
	case GSA__MESSAGE__BODY_IKE_SA_REKEYED:
		if (message->ike_sa_rekeyed->new_ike_sa)
			gcks_registration_rekeyed(&gcksd.registrations,
						  message->ike_sa_rekeyed->old_ike_sa,
						  message->ike_sa_rekeyed->new_ike_sa);
		break;
	case GSA__MESSAGE__BODY_REFUSED_PEER:
		take_refused_peer(message->refused_peer);
		break;
	default:
		break;
	}
}
