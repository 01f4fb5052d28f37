// SPDX-License-Identifier: GPL-2.0-or-later
/* Key server: charon's messages. */
#include <zebra.h>

#include "lib/log.h"

#include "gcks/given.h"
#include "gcks/server.h"

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

/* What it holds stays.  NULL: no memory. */
static struct gcks_registration *make_repeated(const struct gcks_registration *before,
					       const Gsa__Peer *peer,
					       const struct gcks_address *address)
{
	struct gcks_registration values = *before; /* borrowed, and copied */

	values.address = *address;
	values.ike_sa = peer->ike_sa;
	values.credential = peer->credential;
	values.ca = peer->ca;
	values.ca_count = peer->n_ca;
	return gcks_registration_new(&values);
}

/*
 * Address or credential may be others than at the registration.  What cannot be stored does not
 * count: bgpd goes on with the old address, and the next resynchronisation brings the new one.
 */
static void update_repeated(const struct gcks_registration *before, const Gsa__Peer *peer,
			    const struct gcks_address *address)
{
	struct gcks_registration *entry = make_repeated(before, peer, address);
	struct gcks_address old_address = before->address;
	struct gcks_change change = { .kind = GCKS_PUT_REGISTRATION, .registration = entry };

	if (entry && gcks_address_equal(&before->address, address) &&
	    gcks_registration_same_credential(before, entry)) {
		gcks_registration_free(entry);
	} else if (entry && gcks_server_commit(&change, 1)) {
		gcks_registration_insert(&gcksd.registrations, entry); /* `before` is gone */
		gcks_server_announce(entry, &old_address);
	} else {
		zlog_err("GSA: group %u: the new address or credential of %s is not stored: %s",
			 before->group, before->identity,
			 entry ? gcks_store_error(gcksd.store) : "out of memory");
		gcks_registration_free(entry);
	}
}

/* True: the group begins anew, with all of its registrations. */
static bool look_at_given(const Gsa__Registration *repeated, const struct gcks_registration *entry)
{
	struct gcks_sa_group *group = gcks_sa_group_find(&gcksd.sas, repeated->group);

	if (!gcks_given_later(group, entry, repeated))
		return false;
	gcks_rekey_anew(group, "a member has SAs or Sender-IDs that this store does not know: it "
			       "is an older copy");
	gcks_server_rekey_soon();
	return true;
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
		look_at_given(repeated, entry);
		return;
	}
	old_ike_sa = entry->ike_sa;
	gcks_registration_set_ike_sa(&gcksd.registrations, entry, peer->ike_sa);
	gcks_registration_set_stale(entry, 0);
	if (look_at_given(repeated, entry))
		return;
	if (old_ike_sa && old_ike_sa != peer->ike_sa)
		gcks_server_tell_end(old_ike_sa, repeated->group,
				     "the same identity has registered over another IKE_SA");
	update_repeated(entry, peer, &address);
}

/* ---- ends ---- */

static void make_stale(const Gsa__RegistrationEnded *ended)
{
	struct gcks_registration *entry, *next;
	const char *reason = ended->text[0] ? ended->text : "the IKE_SA is gone";

	for (entry = gcks_registration_over(&gcksd.registrations, ended->ike_sa); entry;
	     entry = next) {
		next = gcks_registration_over_next(entry);
		if (!ended->group || entry->group == ended->group)
			gcks_server_make_stale(entry, reason);
	}
	gcks_server_rekey_soon();
}

/* Others cannot use the SPI either where it is taken: the group gets another one. */
static void trigger_conflict(const Gsa__RegistrationEnded *ended)
{
	for (const struct gcks_registration *entry =
		     gcks_registration_over(&gcksd.registrations, ended->ike_sa);
	     entry; entry = gcks_registration_over_next(entry)) {
		struct gcks_sa_group *group = gcks_sa_group_find(&gcksd.sas, entry->group);

		if (group && (!ended->group || entry->group == ended->group))
			gcks_rekey_trigger(group, GCKS_TRIGGER_CONFLICT, gcks_now_ms());
	}
}

static void take_ended(const Gsa__RegistrationEnded *ended)
{
	static const char *const whys[] = {
		[GSA__END_REASON__END_LEFT] = "it left",
		[GSA__END_REASON__END_NOT_DELIVERED] = "the reply could not be delivered",
		[GSA__END_REASON__END_CREDENTIAL] = "its certificate has expired or is revoked",
		[GSA__END_REASON__END_NOT_ACCEPTABLE] = "it cannot use the group's SAs",
	};
	const char *why =
		(unsigned int)ended->reason < array_size(whys) ? whys[ended->reason] : NULL;
	char reason[256];

	if (!ended->ike_sa)
		return;
	/* one that was replaced has another IKE_SA by now */
	if (!why) {
		make_stale(ended);
		return;
	}
	if (!ended->text[0])
		snprintf(reason, sizeof(reason), "%s", why);
	else if (ended->reason == GSA__END_REASON__END_NOT_DELIVERED)
		snprintf(reason, sizeof(reason), "%s: %s", why, ended->text);
	else /* charon says why, and more */
		snprintf(reason, sizeof(reason), "%s", ended->text);
	if (ended->reason == GSA__END_REASON__END_NOT_ACCEPTABLE)
		trigger_conflict(ended);
	gcks_server_end_over(ended->ike_sa, ended->group, reason, false);
}

void gcks_server_receive(const Gsa__Message *message)
{
	switch (message->body_case) {
	case GSA__MESSAGE__BODY_REGISTRATION_REQUEST:
		gcks_server_register(message->registration_request);
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
		gcks_server_refused_peer(message->refused_peer);
		break;
	case GSA__MESSAGE__BODY_REKEY_DONE:
		gcks_server_rekey_done(message->rekey_done);
		break;
	default:
		break;
	}
}
