// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/decide.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gcks/former.h"
#include "gcks/sender_share.h"
#include "libgsa/gikev2_sag.h"

/* ---- parts of a decision ---- */

static void free_lists(struct gcks_decision *decision)
{
	free(decision->ended);
	free(decision->ended_sas);
	free(decision->changes);
	decision->ended = NULL;
	decision->ended_sas = NULL;
	decision->changes = NULL;
}

void gcks_decision_discard(struct gcks_decision *decision)
{
	gcks_registration_free(decision->entry);
	gcks_sa_free(decision->sa);
	decision->entry = NULL;
	decision->sa = NULL;
	free_lists(decision);
}

__attribute__((format(printf, 3, 4))) static void refuse(struct gcks_decision *decision,
							 uint16_t notify, const char *format, ...)
{
	va_list arguments;

	decision->verdict.notify = notify;
	va_start(arguments, format);
	vsnprintf(decision->verdict.reason, sizeof(decision->verdict.reason), format, arguments);
	va_end(arguments);
	gcks_decision_discard(decision);
}

static void fault(struct gcks_decision *decision)
{
	decision->fault = true;
	refuse(decision, GSA_NOTIFY_REGISTRATION_FAILED,
	       "the key server is out of memory, random numbers or SPIs");
}

typedef bool ends(const struct gcks_tables *tables, const struct gcks_registration *entry,
		  const void *argument);

/* Registrations of the group that end. */
static bool end_registrations(const struct gcks_tables *tables, struct gcks_decision *decision,
			      uint32_t group, ends *why, const void *argument, const char *reason)
{
	size_t count = gcks_registration_count(tables->registrations, group);

	decision->ended_reason = reason;
	if (!count)
		return true;
	decision->ended = calloc(count, sizeof(struct gcks_registration *));
	if (!decision->ended)
		return false;
	for (int delivery = 0; delivery < GCKS_DELIVERIES; delivery++)
		for (struct gcks_registration *entry =
			     gcks_registration_first(tables->registrations, group, delivery);
		     entry; entry = gcks_registration_following(entry))
			if (why(tables, entry, argument))
				decision->ended[decision->ended_count++] = entry;
	return true;
}

static bool end_sas(struct gcks_decision *decision, struct gcks_sa_group *group)
{
	if (!group->sa_count)
		return true;
	decision->ended_sas = calloc(group->sa_count, sizeof(struct gcks_sa *));
	if (!decision->ended_sas)
		return false;
	for (struct gcks_sa *sa = group->newest; sa; sa = gcks_sa_older(sa))
		decision->ended_sas[decision->ended_sa_count++] = sa;
	return true;
}

static void add_change(struct gcks_decision *decision, struct gcks_change change)
{
	decision->changes[decision->change_count++] = change;
}

/* Of the Sender-IDs of a group that begins anew none is anybody's any more. */
static void add_ends(const struct gcks_tables *tables, struct gcks_decision *decision)
{
	if (!decision->anew) {
		decision->change_count +=
			gcks_former_changes(tables->sas, decision->ended, decision->ended_count,
					    decision->changes + decision->change_count);
		return;
	}
	for (size_t i = 0; i < decision->ended_count; i++)
		add_change(decision, (struct gcks_change){ .kind = GCKS_REMOVE_REGISTRATION,
							   .registration = decision->ended[i] });
	add_change(decision,
		   (struct gcks_change){ .kind = GCKS_FORGET_FORMER,
					 .former = { decision->numbers.group, GCKS_FORMER_ALL } });
}

/* What ends first, so that it never takes what came in its place. */
static bool make_changes(const struct gcks_tables *tables, struct gcks_decision *decision,
			 bool numbers_changed)
{
	decision->changes = calloc(2 * decision->ended_count + decision->ended_sa_count + 4,
				   sizeof(*decision->changes));
	if (!decision->changes)
		return false;
	add_ends(tables, decision);
	for (size_t i = 0; i < decision->ended_sa_count; i++)
		add_change(decision, (struct gcks_change){ .kind = GCKS_REMOVE_SA,
							   .sa = decision->ended_sas[i] });
	if (decision->sa)
		add_change(decision,
			   (struct gcks_change){ .kind = GCKS_PUT_SA, .sa = decision->sa });
	if (numbers_changed)
		add_change(decision, (struct gcks_change){ .kind = GCKS_PUT_NUMBERS,
							   .numbers = &decision->numbers });
	if (decision->entry)
		add_change(decision, (struct gcks_change){ .kind = GCKS_PUT_REGISTRATION,
							   .registration = decision->entry });
	return true;
}

static void look_at_group(struct gcks_decision *decision, struct gcks_sa_group *group)
{
	decision->group = group;
	decision->numbers = group->numbers;
	decision->sender_id_next = group->sender_id_next;
}

static void count_anew(struct gcks_decision *decision)
{
	decision->anew = true;
	decision->numbers.sender_id_reserved = 0;
	decision->sender_id_next = 0;
}

/* `at_once`: nobody has to be given time to get it. */
static bool make_sa(const struct gcks_tables *tables, struct gcks_decision *decision, int64_t now,
		    time_t wall, bool at_once)
{
	struct gcks_sa *sa = gcks_sa_new(tables->sas, decision->policy, wall);

	if (!sa)
		return false;
	sa->made_at = now;
	sa->activates_at = now + (at_once ? 0 : decision->policy->activation_delay_s * 1000);
	decision->sa = sa;
	decision->numbers.generation = sa->generation;
	gcks_sa_remember_spi(&decision->numbers, sa->spi, sa->sender_id_bits);
	return true;
}

/* ---- Sender-IDs ---- */

/* Sender-IDs that are reserved at a time. */
static uint32_t sender_id_block(uint8_t sender_id_bits)
{
	uint32_t all = 1u << sender_id_bits;

	return all / 16 < 64 ? all / 16 : 64;
}

/*
 * How many it is given, by what is left of its share.  One that has none under the SAs of today, as
 * the group has begun anew, gets one whatever it was given before.  False: refused.
 */
static bool count_sender_ids(struct gcks_decision *decision,
			     const Gsa__RegistrationRequest *request,
			     const struct gcks_registration *before, bool anew, int64_t now)
{
	uint8_t bits = decision->policy->sender_id_bits;
	int64_t whole_at = decision->share_whole_at,
		wait = gcks_sender_share_wait(whole_at, now, bits);
	uint32_t left = gcks_sender_share_left(whole_at, now, bits),
		 count = request->sender_ids ? request->sender_ids : 1;

	if (!left && !anew && before && before->sender_id_count) {
		refuse(decision, GSA_NOTIFY_REGISTRATION_FAILED,
		       "it has used up its share of the group's Sender-IDs: %u in %u hours; the "
		       "next in %u minutes",
		       gcks_sender_share(bits), GCKS_SENDER_SHARE_HOURS,
		       (unsigned int)((wait + 59999) / 60000));
		return false;
	}
	left = left ? left : 1;
	count = count < left ? count : left;
	count = count < GCKS_SENDER_IDS_PER_REQUEST ? count : GCKS_SENDER_IDS_PER_REQUEST;
	decision->sender_id_count = count;
	decision->share_whole_at = gcks_sender_share_take(whole_at, now, bits, count);
	return true;
}

/* True: a block was reserved. */
static bool reserve(struct gcks_decision *decision, uint8_t bits)
{
	uint32_t end = decision->sender_id_next + (uint32_t)decision->sender_id_count;

	if (end <= decision->numbers.sender_id_reserved)
		return false;
	end = decision->numbers.sender_id_reserved + sender_id_block(bits);
	if (end < decision->sender_id_next + decision->sender_id_count)
		end = decision->sender_id_next + (uint32_t)decision->sender_id_count;
	if (end > 1u << bits)
		end = 1u << bits;
	decision->numbers.sender_id_reserved = end;
	return true;
}

/* ---- registration ---- */

static bool are_others(const struct gcks_tables *tables, const struct gcks_registration *entry,
		       const void *identity)
{
	return strcmp(entry->identity, identity) != 0;
}

/* Does the member support what it is going to get?  SAg is optional. */
static bool suits(struct gcks_decision *decision, const Gsa__RegistrationRequest *request,
		  const struct gcks_sa *sa)
{
	struct gsa_data_sa policy = {
		.protocol = GSA_PROTOCOL_ESP,
		.spi = sa->spi,
		.encryption = sa->encryption,
		.encryption_key_bits = sa->encryption_key_bits,
		.integrity = sa->integrity,
		.sequence_numbers = sa->sequence_numbers,
	};
	const char *reason;

	if (!request->sag.len ||
	    gsa_sag_accepts(request->sag.data, request->sag.len, &policy, &reason))
		return true;
	refuse(decision, GSA_NOTIFY_NO_PROPOSAL_CHOSEN,
	       "group %s: the member cannot use its SA: %s", decision->policy->name, reason);
	return false;
}

/* Borrows from request and decision; gcks_registration_new() copies. */
static bool make_entry(struct gcks_decision *decision, const Gsa__RegistrationRequest *request,
		       const struct gcks_address *address, const struct gcks_registration *before,
		       uint32_t generation, time_t wall)
{
	const Gsa__Peer *peer = request->peer;
	uint32_t ids[GCKS_SENDER_IDS_KEPT + GCKS_SENDER_IDS_PER_REQUEST];
	struct gcks_registration values = {
		.group = decision->policy->identifier,
		.identity = peer->identity,
		.address = *address,
		.ike_sa = peer->ike_sa,
		.credential = peer->credential,
		.ca = peer->ca,
		.ca_count = peer->n_ca,
		.registered_at = wall,
		.delivered = generation,
		.stored_delivered = generation,
		.sender_ids = ids,
		.share_whole_at = decision->share_whole_at,
	};

	/* it may go on with one that its kernel states have (RFC 9838 §2.5.1 step 4 is about new
	 * ones) */
	for (size_t i = 0; before && !decision->anew && i < before->sender_id_count; i++)
		ids[values.sender_id_count++] = before->sender_ids[i];
	for (size_t i = 0; i < decision->sender_id_count; i++)
		ids[values.sender_id_count++] = decision->sender_id_next++;
	if (values.sender_id_count > GCKS_SENDER_IDS_KEPT) {
		values.sender_ids += values.sender_id_count - GCKS_SENDER_IDS_KEPT;
		values.sender_id_count = GCKS_SENDER_IDS_KEPT;
	}
	decision->entry = gcks_registration_new(&values);
	return decision->entry != NULL;
}

/*
 * Generation of the oldest SA that it gets.  With rekey on-join one that was used before it joined
 * is none of its business, unless it has had it.  One whose SPI a member could not use is given to
 * nobody while it lasts, as soon as there is another: this may be that member.
 */
static uint32_t first_generation(const struct gcks_group *policy,
				 const struct gcks_registration *old, uint32_t newest,
				 uint32_t conflict)
{
	uint32_t usable = conflict < newest ? conflict + 1 : 0, first = 0;

	if (policy->rekey_on_join)
		first = old && old->delivered && old->delivered < newest ? old->delivered : newest;
	return first > usable ? first : usable;
}

static void grant(const struct gcks_tables *tables, const Gsa__RegistrationRequest *request,
		  const struct gcks_address *address, const struct gcks_registration *old,
		  int64_t now, time_t wall, struct gcks_decision *decision)
{
	const struct gcks_group *policy = decision->policy;
	struct gcks_sa_group *group = decision->group;
	const struct gcks_registration *before =
		old ? old : gcks_former_find(group, request->peer->identity);
	const struct gcks_sa *newest = group->newest, *sa;
	bool pairwise = policy->sharing == GCKS_SHARING_PAIRWISE, reserved = false;
	bool others = gcks_registration_count(tables->registrations, policy->identifier) >
		      (old ? 1u : 0u);
	bool anew = group->rekey.anew ||
		    (newest && gcks_sa_fits(newest, policy) == GCKS_SA_OTHER_SHARING);
	/* nobody is there, but those who have left sent with it */
	bool deserted = newest && policy->rekey_on_join && !old && !others;
	bool make;

	decision->share_whole_at = before ? before->share_whole_at : 0;
	if (pairwise && request->sender) {
		if (!count_sender_ids(decision, request, before, anew, now))
			return;
		anew |= decision->sender_id_next + decision->sender_id_count >
			1u << policy->sender_id_bits;
	}
	/* a rekey waits to bring the SA of today's policy: it may as well come now */
	make = !newest || anew || deserted || now >= gcks_sa_expires_at(newest) ||
	       (policy->rekey_on_join && !old && others && now >= newest->activates_at);
	if (anew) {
		if (!end_registrations(
			    tables, decision, policy->identifier, are_others,
			    request->peer->identity,
			    group->rekey.anew ? group->rekey.anew
					      : "Sender-IDs are used up or policy has changed")) {
			fault(decision);
			return;
		}
		count_anew(decision);
	}
	if ((anew || deserted) && !end_sas(decision, group)) {
		fault(decision);
		return;
	}
	decision->begins = make && others && !anew;
	if (make && !make_sa(tables, decision, now, wall, !decision->begins)) {
		fault(decision);
		return;
	}
	newest = decision->sa ? decision->sa : group->newest;
	decision->first_generation =
		anew ? newest->generation
		     : first_generation(policy, old, newest->generation,
					group->rekey.conflict_generation);
	for (sa = newest; sa;
	     sa = sa == decision->sa ? (anew || deserted ? NULL : group->newest) : gcks_sa_older(sa))
		if (sa->generation >= decision->first_generation && !suits(decision, request, sa))
			return;
	if (decision->sender_id_count)
		reserved = reserve(decision, policy->sender_id_bits);
	if (!make_entry(decision, request, address, before, newest->generation, wall) ||
	    !make_changes(tables, decision, reserved || decision->sa || anew))
		fault(decision);
}

void gcks_decide_registration(const struct gcks_tables *tables,
			      const Gsa__RegistrationRequest *request, int64_t now, time_t wall,
			      struct gcks_decision *decision)
{
	const Gsa__Peer *peer = request->peer;
	const struct gcks_registration *old;
	struct gcks_sa_group *group;
	struct gcks_group *policy = NULL;
	struct gcks_address address;

	*decision = (struct gcks_decision){};
	/* IKE_SA 0 would be a registration that nothing ever ends */
	if (!peer || !peer->identity[0] || !peer->ike_sa) {
		refuse(decision, GSA_NOTIFY_REGISTRATION_FAILED, "charon did not say who it is");
		return;
	}
	decision->verdict =
		gcks_policy_decide(tables->policy, (const char *)request->group_id.data,
				   request->group_id.len, request->group_id_type, peer, &policy);
	if (decision->verdict.notify)
		return;
	if (!gcks_address_from(&address, peer->address.data, peer->address.len)) {
		refuse(decision, GSA_NOTIFY_REGISTRATION_FAILED, "its address is not known");
		return;
	}
	old = gcks_registration_find(tables->registrations, policy->identifier, peer->identity);
	if (!old && policy->maximum_members &&
	    gcks_registration_count(tables->registrations, policy->identifier) >=
		    policy->maximum_members) {
		refuse(decision, GSA_NOTIFY_REGISTRATION_FAILED,
		       "maximum-members %u of group %s is reached", policy->maximum_members,
		       policy->name);
		return;
	}
	decision->policy = policy;
	decision->again = old != NULL;
	if (old) {
		decision->old_ike_sa = old->ike_sa;
		decision->old_address = old->address;
	}
	group = gcks_sa_group_get(tables->sas, policy->identifier, policy->name);
	if (!group) {
		fault(decision);
		return;
	}
	look_at_group(decision, group);
	grant(tables, request, &address, old, now, wall, decision);
}

/* ---- rekey ---- */

static bool has_missed_too_many(const struct gcks_tables *tables,
				const struct gcks_registration *entry, const void *policy)
{
	return gcks_rekey_missed_too_many(policy, entry);
}

bool gcks_decide_rekey(const struct gcks_tables *tables, struct gcks_sa_group *group, int64_t now,
		       time_t wall, struct gcks_decision *decision)
{
	bool ok;

	*decision = (struct gcks_decision){};
	look_at_group(decision, group);
	decision->policy = gcks_policy_find_identifier(tables->policy, group->numbers.group);
	ok = end_registrations(tables, decision, group->numbers.group, has_missed_too_many,
			       decision->policy,
			       "it did not acknowledge as many rekeys as "
			       "rekey missed-maximum allows");
	/* without members nobody has to be told: the next one gets a new SA, and nobody knows that
	 */
	if (ok && decision->ended_count ==
			  gcks_registration_count(tables->registrations, group->numbers.group)) {
		ok = end_sas(decision, group);
	} else if (ok) {
		decision->begins = true;
		ok = make_sa(tables, decision, now, wall, false);
	}
	ok = ok && make_changes(tables, decision, decision->sa != NULL);
	if (!ok)
		gcks_decision_discard(decision);
	return ok;
}

static bool are_all(const struct gcks_tables *tables, const struct gcks_registration *entry,
		    const void *argument)
{
	return true;
}

bool gcks_decide_anew(const struct gcks_tables *tables, struct gcks_sa_group *group,
		      const char *reason, struct gcks_decision *decision)
{
	*decision = (struct gcks_decision){};
	look_at_group(decision, group);
	count_anew(decision);
	if (end_registrations(tables, decision, group->numbers.group, are_all, NULL, reason) &&
	    end_sas(decision, group) && make_changes(tables, decision, true))
		return true;
	gcks_decision_discard(decision);
	return false;
}

/* ---- carried out ---- */

void gcks_decision_apply(const struct gcks_tables *tables, struct gcks_decision *decision,
			 int64_t now)
{
	struct gcks_sa_group *group = decision->group;

	if (decision->anew)
		gcks_former_anew(group, now);
	for (size_t i = 0; i < decision->ended_count; i++) {
		gcks_registration_take_out(tables->registrations, decision->ended[i]);
		if (decision->anew)
			gcks_former_keep_share(tables->sas, decision->ended[i], now);
		else
			gcks_former_keep(tables->sas, decision->ended[i]);
	}
	for (size_t i = 0; i < decision->ended_sa_count; i++)
		gcks_sa_remove(tables->sas, decision->ended_sas[i]);
	group->numbers = decision->numbers;
	group->sender_id_next = decision->sender_id_next;
	if (decision->anew || !group->newest)
		group->rekey = (struct gcks_rekey){ .due_at = GCKS_NEVER,
						    .conflict_at = group->rekey.conflict_at };
	if (decision->sa)
		gcks_sa_insert(tables->sas, decision->sa);
	if (decision->begins) {
		if (decision->entry)
			group->rekey.wished |= GCKS_TRIGGER_JOIN;
		gcks_rekey_begin(tables, group, now);
	}
	if (decision->entry) {
		gcks_former_forget(group, decision->entry->identity);
		gcks_registration_insert(tables->registrations, decision->entry);
	}
	free_lists(decision);
}
