// SPDX-License-Identifier: GPL-2.0-or-later
/* Key server: decisions carried out.  Decide, store, table, bgpd, and only then answer. */
#include <zebra.h>

#include "lib/log.h"
#include "lib/memory.h"

#include "gcks/names.h"
#include "gcks/sa_message.h"
#include "gcks/server.h"
#include "libgsa/refused.h"

/* ---- answers ---- */

static void reply(uint32_t request, uint16_t notify, const char *reason, Gsa__GroupSa *group_sa)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__RegistrationReply answer = GSA__REGISTRATION_REPLY__INIT;

	answer.request = request;
	answer.notify = notify;
	answer.reason = (char *)reason;
	answer.group_sa = group_sa;
	message.body_case = GSA__MESSAGE__BODY_REGISTRATION_REPLY;
	message.registration_reply = &answer;
	gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

static void refuse(const Gsa__RegistrationRequest *request, uint16_t notify, const char *reason)
{
	gcks_server_refused(request, notify, reason, false);
	reply(request->request, notify, reason, NULL);
}

/* An error of ours; `cause` is for our log alone. */
static void fail(const Gsa__RegistrationRequest *request, const char *reason, const char *cause)
{
	char line[GSA_REFUSED_LINE_MAX];

	snprintf(line, sizeof(line), "%s%s%s", reason, cause[0] ? ": " : "", cause);
	gcks_server_refused(request, GSA_NOTIFY_REGISTRATION_FAILED, line, true);
	reply(request->request, GSA_NOTIFY_REGISTRATION_FAILED, reason, NULL);
}

/* Sender-IDs only for who has asked for them, and then with their size (RFC 9838 §4.4.3.1.2). */
static void reply_granted(const Gsa__RegistrationRequest *request,
			  const struct gcks_decision *decision)
{
	const struct gcks_registration *entry = decision->entry;
	const struct gcks_sa_group *group = gcks_sa_group_find(&gcksd.sas, entry->group);
	struct gcks_sa_message message;

	if (!gcks_sa_message_fill(&message, group, decision->policy, decision->first_generation,
				  gcks_now_ms())) {
		refuse(request, GSA_NOTIFY_REGISTRATION_FAILED, "the group's SA has just expired");
		return;
	}
	if (decision->sender_id_count) {
		message.group_sa.sender_id_bits = group->newest->sender_id_bits;
		message.group_sa.n_sender_id = decision->sender_id_count;
		message.group_sa.sender_id =
			entry->sender_ids + entry->sender_id_count - decision->sender_id_count;
	}
	reply(request->request, 0, "", &message.group_sa);
}

/* ---- decisions ---- */

struct told_end {
	uint32_t ike_sa, group;
};

bool gcks_server_carry_out(struct gcks_decision *decision)
{
	struct told_end *told;
	size_t count = decision->ended_count;
	const char *reason = decision->ended_reason;

	if (!gcks_server_commit(decision->changes, decision->change_count)) {
		gcks_decision_discard(decision);
		return false;
	}
	told = XCALLOC(MTYPE_TMP, (count + 1) * sizeof(*told));
	for (size_t i = 0; i < count; i++) {
		told[i] =
			(struct told_end){ decision->ended[i]->ike_sa, decision->ended[i]->group };
		gcks_server_ends(decision->ended[i], reason);
	}
	gcks_decision_apply(&gcks_server_tables, decision, gcks_now_ms());
	/* after: which IKE_SAs are still in use is known now */
	for (size_t i = 0; i < count; i++)
		gcks_server_tell_end(told[i].ike_sa, told[i].group, reason);
	XFREE(MTYPE_TMP, told);
	return true;
}

void gcks_server_announce(const struct gcks_registration *entry,
			  const struct gcks_address *old_address)
{
	struct gcks_registration before = *entry;

	if (old_address->length && !gcks_address_equal(old_address, &entry->address)) {
		before.address = *old_address;
		gcks_announce_member(&before, true);
	}
	gcks_announce_member(entry, false);
}

/* ---- registration ---- */

static void log_registered(const struct gcks_decision *decision, bool new_sa, bool begins)
{
	const struct gcks_registration *entry = decision->entry;
	const struct gcks_sa *sa = gcks_sa_current(&gcksd.sas, entry->group);
	const struct gcks_group *group = decision->policy;
	char text[INET6_ADDRSTRLEN], sender[32] = "";

	if (new_sa)
		zlog_info("GSA: group %s (%u): new SA, SPI 0x%08x, generation %u%s", group->name,
			  group->identifier, sa->spi, sa->generation,
			  begins ? ": a member joins, rekey begins" : "");
	if (decision->sender_id_count)
		snprintf(sender, sizeof(sender), ", Sender-ID %u",
			 entry->sender_ids[entry->sender_id_count - 1]);
	zlog_info(
		"GSA: group %s (%u): registered %s (%s), credential %s, IKE_SA %u, SPI 0x%08x%s%s",
		group->name, group->identifier, entry->identity,
		gcks_address_text(&entry->address, text),
		gcks_credential_name(entry->credential) ?: "unknown", entry->ike_sa, sa->spi,
		sender, decision->again ? ", in place of its earlier registration" : "");
}

static void grant(const Gsa__RegistrationRequest *request, struct gcks_decision *decision)
{
	bool new_sa = decision->sa != NULL, begins = decision->begins, anew = decision->anew;
	const struct gcks_registration *entry;

	if (!gcks_server_carry_out(decision)) {
		fail(request, "the key server cannot store the registration",
		     gcks_store_error(gcksd.store));
		return;
	}
	entry = decision->entry;
	if (anew)
		zlog_notice(
			"GSA: group %s (%u) has begun anew: %s; members register again",
			decision->policy->name, entry->group, decision->ended_reason);
	gcks_server_announce(entry, &decision->old_address);
	log_registered(decision, new_sa, begins);
	reply_granted(request, decision);
	gcks_notify_member(GCKS_MEMBER_REGISTERED, decision->policy->name, entry->identity,
			   &entry->address, 0, NULL);
	if (decision->old_ike_sa && decision->old_ike_sa != entry->ike_sa)
		gcks_server_tell_end(decision->old_ike_sa, entry->group,
				     "the same identity has registered over another IKE_SA");
	gcks_server_rekey_soon();
}

/* Another group had the identifier, and policy was not looked at since. */
static void end_predecessor(const Gsa__RegistrationRequest *request)
{
	const struct gcks_sa_group *group;
	const struct gcks_group *policy;
	char name[GSA_GROUP_NAME_MAX + 1] = "";

	memcpy(name, request->group_id.data,
	       MIN(request->group_id.len, (size_t)GSA_GROUP_NAME_MAX));
	policy = gcks_policy_find(&gcksd.policy, name);
	group = policy ? gcks_sa_group_find(&gcksd.sas, policy->identifier) : NULL;
	if (group && strcmp(group->numbers.group_name, policy->name) != 0)
		gcks_server_group_gone(policy->identifier, group->numbers.group_name);
}

void gcks_server_register(const Gsa__RegistrationRequest *request)
{
	struct gcks_decision decision;

	if (!gcksd.configured) {
		refuse(request, GSA_NOTIFY_REGISTRATION_FAILED,
		       "the configuration is not read yet");
		return;
	}
	/*
	 * What charon has still to repeat may tell that this is an older copy of the store: another
	 * member could have the Sender-ID that this one would get.  And a rekey on-join would not
	 * know yet whom it can tell.
	 */
	if (gcks_local_status(GSA__ROLE__ROLE_CHARON)->state != GCKS_CLIENT_UP) {
		refuse(request, GSA_NOTIFY_REGISTRATION_FAILED,
		       "charon has not repeated all registrations yet");
		return;
	}
	end_predecessor(request);
	gcks_decide_registration(&gcks_server_tables, request, gcks_now_ms(), time(NULL),
				 &decision);
	if (!decision.verdict.notify) {
		grant(request, &decision);
		return;
	}
	if (decision.fault)
		fail(request, decision.verdict.reason, "");
	else
		refuse(request, decision.verdict.notify, decision.verdict.reason);
}
