// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/rekey.h"

#include <stdio.h>

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

static size_t count_of(const struct gcks_tables *tables, const struct gcks_sa_group *group,
		       enum gcks_delivery delivery)
{
	const struct gcks_registration_group *found =
		gcks_registration_group(tables->registrations, group->numbers.group);

	return found ? found->deliveries[delivery].count : 0;
}

static struct gcks_registration *first_of(const struct gcks_tables *tables,
					  const struct gcks_sa_group *group,
					  enum gcks_delivery delivery)
{
	return gcks_registration_first(tables->registrations, group->numbers.group, delivery);
}

static const struct gcks_group *policy_of(const struct gcks_tables *tables,
					  const struct gcks_sa_group *group)
{
	return gcks_policy_find_identifier(tables->policy, group->numbers.group);
}

/* ---- triggers ---- */

bool gcks_rekey_trigger(struct gcks_sa_group *group, enum gcks_trigger trigger, int64_t now)
{
	struct gcks_rekey *rekey = &group->rekey;
	int64_t due = now;

	if (!group->newest)
		return false;
	if (trigger == GCKS_TRIGGER_LEAVE)
		due = now + GCKS_REKEY_COLLECT_MS;
	/* at once: the member registers again soon, and is to get another SPI then */
	if (trigger == GCKS_TRIGGER_CONFLICT) {
		rekey->conflict_generation = group->newest->generation;
		if (rekey->wished & GCKS_TRIGGER_CONFLICT)
			return true;
		if (rekey->conflict_at)
			due = MAX_OF(due, rekey->conflict_at + GCKS_REKEY_CONFLICT_MS);
		rekey->conflict_at = due;
	}
	rekey->wished |= trigger;
	rekey->due_at = MIN_OF(rekey->due_at, due);
	return true;
}

void gcks_rekey_left(const struct gcks_tables *tables, const struct gcks_registration *entry,
		     int64_t now)
{
	const struct gcks_group *policy = gcks_policy_find_identifier(tables->policy, entry->group);
	struct gcks_sa_group *group = gcks_sa_group_find(tables->sas, entry->group);

	if (!policy || !policy->rekey_on_leave || !group)
		return;
	/* it knows nothing of the SA that the others change to */
	if (group->newest && gcks_registration_may_hold(entry) < group->newest->generation)
		return;
	gcks_rekey_trigger(group, GCKS_TRIGGER_LEAVE, now);
}

void gcks_rekey_anew(struct gcks_sa_group *group, const char *reason)
{
	group->rekey.anew = reason;
}

/*
 * When the newest SA has to be replaced, so that the next one is in use everywhere before it ends:
 * the delays, and some time for the push; of a long lifetime a tenth.
 */
static int64_t lifetime_due(const struct gcks_sa *sa, const struct gcks_group *policy)
{
	int64_t lifetime = policy->lifetime_data_s, margin;

	if (sa->lifetime_s && sa->lifetime_s < lifetime)
		lifetime = sa->lifetime_s;
	if (!lifetime)
		return GCKS_NEVER;
	lifetime *= 1000;
	margin = ((int64_t)policy->activation_delay_s + policy->deactivation_delay_s + 5) * 1000;
	margin = MAX_OF(margin, lifetime / 10);
	margin = MIN_OF(margin, lifetime / 2);
	return sa->made_at + lifetime - margin;
}

/* ---- what to do ---- */

enum gcks_rekey_phase gcks_rekey_phase(const struct gcks_sa_group *group)
{
	if (group->rekey.pushing)
		return GCKS_REKEY_PUSHING;
	if (group->rekey.wished)
		return GCKS_REKEY_DUE;
	return group->sa_count > 1 ? GCKS_REKEY_SETTLING : GCKS_REKEY_IDLE;
}

struct gcks_rekey_status gcks_rekey_status(const struct gcks_tables *tables,
					   const struct gcks_sa_group *group)
{
	const struct gcks_rekey *rekey = &group->rekey;
	struct gcks_rekey_status status = {
		.phase = gcks_rekey_phase(group),
		.acknowledged = rekey->acknowledged,
	};

	status.reasons = status.phase == GCKS_REKEY_DUE ? rekey->wished : rekey->reasons;
	status.members = rekey->acknowledged + count_of(tables, group, GCKS_DELIVERY_UNANSWERED) +
			 count_of(tables, group, GCKS_DELIVERY_WAITING) +
			 count_of(tables, group, GCKS_DELIVERY_IN_FLIGHT);
	return status;
}

static int64_t ends_at(const struct gcks_sa *sa)
{
	return MIN_OF(sa->retires_at, gcks_sa_expires_at(sa));
}

/* Of more than fit into one message the oldest is over as well: joins may come quickly. */
static struct gcks_sa *over(const struct gcks_sa_group *group, int64_t now)
{
	for (struct gcks_sa *sa = group->newest; sa; sa = gcks_sa_older(sa))
		if (now >= ends_at(sa) ||
		    (group->sa_count >= GSA_DATA_SA_MAX && !gcks_sa_older(sa)))
			return sa;
	return NULL;
}

static void give_up_late(const struct gcks_tables *tables, struct gcks_sa_group *group, int64_t now)
{
	struct gcks_registration *entry;

	while ((entry = first_of(tables, group, GCKS_DELIVERY_IN_FLIGHT)) &&
	       now - entry->pushed_at >= GCKS_REKEY_ANSWER_MS) {
		gcks_registration_deliver(tables->registrations, entry, GCKS_DELIVERY_UNANSWERED);
		group->rekey.unanswered++;
	}
}

/* The old SAs go on until the last member has had the time to change to the new one. */
static void end_push(struct gcks_sa_group *group, const struct gcks_group *policy, int64_t now)
{
	int64_t end = MAX_OF(now, group->newest->activates_at) +
		      (int64_t)policy->deactivation_delay_s * 1000;

	group->rekey.pushing = false;
	group->rekey.told_at = now;
	for (struct gcks_sa *sa = gcks_sa_older(group->newest); sa; sa = gcks_sa_older(sa))
		sa->retires_at = MIN_OF(sa->retires_at, end);
}

static bool may_push(const struct gcks_tables *tables, const struct gcks_sa_group *group,
		     const struct gcks_group *policy)
{
	return count_of(tables, group, GCKS_DELIVERY_WAITING) &&
	       count_of(tables, group, GCKS_DELIVERY_IN_FLIGHT) < policy->rekey_in_flight;
}

struct gcks_rekey_action gcks_rekey_next(const struct gcks_tables *tables,
					 struct gcks_sa_group *group, int64_t now, bool connected)
{
	const struct gcks_group *policy = policy_of(tables, group);
	struct gcks_rekey_action action = { .sa = over(group, now) };
	struct gcks_rekey *rekey = &group->rekey;

	if (action.sa) {
		action.step = GCKS_REKEY_END_SA;
		return action;
	}
	if (rekey->anew) {
		if (now >= rekey->retry_at)
			action.step = GCKS_REKEY_ANEW;
		return action;
	}
	if (!group->newest) {
		rekey->pushing = false;
		rekey->wished = 0;
		rekey->due_at = GCKS_NEVER;
		return action;
	}
	if (!policy)
		return action;
	if (now >= lifetime_due(group->newest, policy))
		gcks_rekey_trigger(group, GCKS_TRIGGER_LIFETIME, now);
	if (rekey->pushing) {
		give_up_late(tables, group, now);
		if (connected && may_push(tables, group, policy)) {
			action.step = GCKS_REKEY_PUSH;
			action.entry = first_of(tables, group, GCKS_DELIVERY_WAITING);
		} else if (!count_of(tables, group, GCKS_DELIVERY_WAITING) &&
			   !count_of(tables, group, GCKS_DELIVERY_IN_FLIGHT)) {
			end_push(group, policy, now);
			action.step = GCKS_REKEY_TOLD;
		}
	} else if (connected && now >= rekey->due_at && now >= rekey->retry_at &&
		   group->sa_count < GCKS_SA_LIVE) {
		action.step = GCKS_REKEY_MAKE;
	}
	return action;
}

int64_t gcks_rekey_wakeup(const struct gcks_tables *tables, const struct gcks_sa_group *group,
			  bool connected)
{
	const struct gcks_group *policy = policy_of(tables, group);
	const struct gcks_rekey *rekey = &group->rekey;
	const struct gcks_registration *late;
	int64_t next = GCKS_NEVER;

	for (struct gcks_sa *sa = group->newest; sa; sa = gcks_sa_older(sa))
		next = MIN_OF(next, ends_at(sa));
	if (rekey->anew)
		return MIN_OF(next, rekey->retry_at);
	if (!group->newest || !policy)
		return next;
	if (!(rekey->wished & GCKS_TRIGGER_LIFETIME))
		next = MIN_OF(next, lifetime_due(group->newest, policy));
	late = first_of(tables, group, GCKS_DELIVERY_IN_FLIGHT);
	if (late)
		next = MIN_OF(next, late->pushed_at + GCKS_REKEY_ANSWER_MS);
	if (connected && rekey->pushing && may_push(tables, group, policy))
		return 0;
	if (connected && !rekey->pushing && group->sa_count < GCKS_SA_LIVE)
		next = MIN_OF(next, MAX_OF(rekey->due_at, rekey->retry_at));
	return next;
}

/* ---- what was done ---- */

/* Every one of a list: to those that charon holds the SA can be told. */
static void wait_all(const struct gcks_tables *tables, struct gcks_sa_group *group,
		     enum gcks_delivery delivery)
{
	size_t count = count_of(tables, group, delivery);
	uint32_t newest = group->newest->generation;

	while (count--) {
		struct gcks_registration *entry = first_of(tables, group, delivery);
		enum gcks_delivery next = GCKS_DELIVERY_CURRENT;

		if (entry->delivered != newest)
			next = entry->ike_sa ? GCKS_DELIVERY_WAITING : GCKS_DELIVERY_UNANSWERED;
		gcks_registration_deliver(tables->registrations, entry, next);
	}
}

static void count_all(const struct gcks_tables *tables, struct gcks_sa_group *group)
{
	struct gcks_rekey *rekey = &group->rekey;

	rekey->unanswered = count_of(tables, group, GCKS_DELIVERY_UNANSWERED);
	rekey->acknowledged = 0;
	rekey->late = 0;
	rekey->total = rekey->unanswered + count_of(tables, group, GCKS_DELIVERY_WAITING) +
		       count_of(tables, group, GCKS_DELIVERY_IN_FLIGHT);
}

void gcks_rekey_begin(const struct gcks_tables *tables, struct gcks_sa_group *group, int64_t now)
{
	struct gcks_rekey *rekey = &group->rekey;
	struct gcks_registration *entry;

	rekey->pushing = true;
	rekey->reasons = rekey->wished;
	rekey->wished = 0;
	rekey->due_at = GCKS_NEVER;
	rekey->retry_at = 0;
	rekey->begun_at = now;
	for (entry = first_of(tables, group, GCKS_DELIVERY_UNANSWERED); entry;
	     entry = gcks_registration_following(entry))
		entry->missed++;
	wait_all(tables, group, GCKS_DELIVERY_UNANSWERED);
	wait_all(tables, group, GCKS_DELIVERY_CURRENT);
	count_all(tables, group);
}

void gcks_rekey_failed(struct gcks_sa_group *group, int64_t now)
{
	group->rekey.retry_at = now + GCKS_REKEY_RETRY_MS;
}

void gcks_rekey_pushed(const struct gcks_tables *tables, struct gcks_registration *entry,
		       uint32_t request, int64_t now)
{
	entry->request = request;
	entry->pushed = gcks_sa_current(tables->sas, entry->group)->generation;
	entry->pushed_at = now;
	gcks_registration_deliver(tables->registrations, entry, GCKS_DELIVERY_IN_FLIGHT);
}

bool gcks_rekey_was_late(const struct gcks_sa_group *group, const struct gcks_registration *entry)
{
	const struct gcks_sa *newest = group->newest;

	/* the first SA, and one that takes the place of none that goes on, is used at once */
	return newest && gcks_sa_older(newest) && newest->activates_at > group->rekey.begun_at &&
	       entry->delivered == newest->generation && entry->answered_at > newest->activates_at;
}

struct gcks_registration *gcks_rekey_done(const struct gcks_tables *tables, uint32_t request,
					  bool ok, int64_t now)
{
	struct gcks_registration *entry =
		gcks_registration_of_request(tables->registrations, request);
	struct gcks_sa_group *group = entry ? gcks_sa_group_find(tables->sas, entry->group) : NULL;
	enum gcks_delivery delivery = GCKS_DELIVERY_UNANSWERED;

	if (!group)
		return NULL;
	if (ok) {
		entry->delivered = MAX_OF(entry->delivered, entry->pushed);
		entry->missed = 0;
		entry->answered_at = now;
		delivery = GCKS_DELIVERY_CURRENT;
		if (group->newest && entry->delivered != group->newest->generation)
			delivery = GCKS_DELIVERY_WAITING; /* a newer one was made meanwhile */
	}
	if (delivery == GCKS_DELIVERY_CURRENT) {
		group->rekey.acknowledged++;
		group->rekey.late += gcks_rekey_was_late(group, entry);
	} else if (delivery == GCKS_DELIVERY_UNANSWERED)
		group->rekey.unanswered++;
	gcks_registration_deliver(tables->registrations, entry, delivery);
	return entry;
}

size_t gcks_rekey_resume(const struct gcks_tables *tables, struct gcks_sa_group *group, int64_t now)
{
	bool unsettled = false;
	size_t waiting;

	if (!group->newest)
		return 0;
	for (int delivery = 0; delivery < GCKS_DELIVERIES; delivery++)
		wait_all(tables, group, delivery);
	waiting = count_of(tables, group, GCKS_DELIVERY_WAITING);
	/* old SAs whose end is not set: an earlier gcksd was in the middle of a push, or after one
	 */
	for (const struct gcks_sa *sa = gcks_sa_older(group->newest); sa; sa = gcks_sa_older(sa))
		unsettled |= sa->retires_at == GCKS_NEVER;
	if (!waiting && !unsettled && !group->rekey.pushing)
		return 0;
	if (!group->rekey.pushing)
		group->rekey.begun_at = now;
	group->rekey.pushing = true;
	count_all(tables, group);
	return waiting;
}

void gcks_rekey_loaded(const struct gcks_tables *tables, struct gcks_sa_group *group)
{
	if (!group->newest)
		return;
	/* whom the earlier gcksd has told, and could not store any more, is not known */
	for (int delivery = 0; delivery < GCKS_DELIVERIES; delivery++)
		for (struct gcks_registration *entry = first_of(tables, group, delivery); entry;
		     entry = gcks_registration_following(entry))
			entry->pushed = group->newest->generation;
	for (int delivery = 0; delivery < GCKS_DELIVERIES; delivery++)
		wait_all(tables, group, delivery);
}

void gcks_rekey_lost(const struct gcks_tables *tables, struct gcks_registration *entry)
{
	gcks_registration_set_ike_sa(tables->registrations, entry, 0);
	if (entry->delivery != GCKS_DELIVERY_WAITING && entry->delivery != GCKS_DELIVERY_IN_FLIGHT)
		return;
	gcks_registration_deliver(tables->registrations, entry, GCKS_DELIVERY_UNANSWERED);
}

bool gcks_rekey_missed_too_many(const struct gcks_group *policy,
				const struct gcks_registration *entry)
{
	return policy->rekey_missed_maximum && entry->delivery == GCKS_DELIVERY_UNANSWERED &&
	       entry->missed + 1 >= policy->rekey_missed_maximum;
}

/* ---- names ---- */

const char *gcks_rekey_phase_name(enum gcks_rekey_phase phase)
{
	static const char *const names[] = {
		[GCKS_REKEY_IDLE] = "idle",
		[GCKS_REKEY_DUE] = "waiting",
		[GCKS_REKEY_PUSHING] = "pushing",
		[GCKS_REKEY_SETTLING] = "settling",
	};

	return names[phase];
}

const char *gcks_rekey_reasons(unsigned int triggers, char *buffer, size_t size)
{
	static const char *const names[GCKS_TRIGGERS] = { "lifetime", "operator", "policy",
							  "join",     "leave",	  "conflict" };
	size_t length = 0;

	snprintf(buffer, size, "-");
	for (int i = 0; i < GCKS_TRIGGERS; i++)
		if (triggers & (1u << i) && length < size)
			length += (size_t)snprintf(buffer + length, size - length, "%s%s",
						   length ? ", " : "", names[i]);
	return buffer;
}
