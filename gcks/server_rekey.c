// SPDX-License-Identifier: GPL-2.0-or-later
/* Key server: drives the rekeys of all groups (rekey.h), and watches the clock. */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"
#include "lib/memory.h"

#include "gcks/clock.h"
#include "gcks/former.h"
#include "gcks/sa_message.h"
#include "gcks/server.h"

#define PROGRESS_MS   10000
#define CLOCK_S	      10
#define CLOCK_STEP_MS 2000 /* what a slew of ten seconds never is */
#define NAMES_MAX     10   /* who did not answer, in one line of the log */

static struct event *t_rekey, *t_clock;
static int64_t planned = GCKS_NEVER; /* when t_rekey fires */
static struct gcks_clock last_clock;
static bool ages_stored = true; /* by the time of day as it is now */

static bool charon_is_up(void)
{
	return gcksd.configured &&
	       gcks_local_status(GSA__ROLE__ROLE_CHARON)->state == GCKS_CLIENT_UP;
}

/* ---- one group ---- */

static void end_sa(struct gcks_sa *sa, int64_t now)
{
	struct gcks_change change = { .kind = GCKS_REMOVE_SA, .sa = sa };
	bool newest = gcks_sa_current(&gcksd.sas, sa->group) == sa;

	if (newest && gcks_registration_count(&gcksd.registrations, sa->group))
		zlog_err(
			"GSA: group %s (%u): SA 0x%08x, generation %u, has expired and there is no "
			"newer one: members have no SA until a rekey succeeds or they register "
			"again",
			gcks_server_group_name(sa->group), sa->group, sa->spi, sa->generation);
	else
		zlog_info("GSA: group %s (%u): SA 0x%08x, generation %u, %s",
			  gcks_server_group_name(sa->group), sa->group, sa->spi, sa->generation,
			  now >= gcks_sa_expires_at(sa) ? "has expired" : "is retired");
	gcks_server_commit_removals("group SAs", &change, 1);
	gcks_sa_remove(&gcksd.sas, sa);
}

static void begin_anew(struct gcks_sa_group *group, int64_t now)
{
	uint32_t identifier = group->numbers.group;
	const char *name = gcks_server_group_name(identifier), *reason = group->rekey.anew;
	struct gcks_decision decision;
	size_t registrations, sas;

	if (!gcks_decide_anew(&gcks_server_tables, group, reason, &decision)) {
		zlog_err("GSA: group %s (%u): no memory to begin anew; tried again in %d s", name,
			 identifier, GCKS_REKEY_RETRY_MS / 1000);
		gcks_rekey_failed(group, now);
		return;
	}
	registrations = decision.ended_count;
	sas = decision.ended_sa_count;
	if (!gcks_server_carry_out(&decision)) {
		zlog_err("GSA: group %s (%u): that it begins anew is not stored, tried again in %d "
			 "s: %s",
			 name, identifier, GCKS_REKEY_RETRY_MS / 1000,
			 gcks_store_error(gcksd.store));
		gcks_rekey_failed(group, now);
		return;
	}
	zlog_notice(
		"GSA: group %s (%u) begins anew: %s; %zu registrations and %zu SAs end, members "
		"register again",
		name, identifier, reason, registrations, sas);
}

static void make(struct gcks_sa_group *group, int64_t now)
{
	uint32_t identifier = group->numbers.group;
	const char *name = gcks_server_group_name(identifier);
	struct gcks_decision decision;
	char reasons[96];
	bool made;

	gcks_rekey_reasons(group->rekey.wished, reasons, sizeof(reasons));
	if (!gcks_decide_rekey(&gcks_server_tables, group, now, time(NULL), &decision)) {
		zlog_err("GSA: group %s (%u): rekey (%s) is put off by %d s: out of memory, random "
			 "numbers or SPIs",
			 name, identifier, reasons, GCKS_REKEY_RETRY_MS / 1000);
		gcks_rekey_failed(group, now);
		return;
	}
	made = decision.sa != NULL;
	if (!gcks_server_carry_out(&decision)) {
		zlog_err("GSA: group %s (%u): rekey (%s) is put off by %d s, the new SA is not "
			 "stored: %s",
			 name, identifier, reasons, GCKS_REKEY_RETRY_MS / 1000,
			 gcks_store_error(gcksd.store));
		gcks_rekey_failed(group, now);
		return;
	}
	if (made)
		zlog_info("GSA: group %s (%u): rekey (%s) begins: generation %u, SPI 0x%08x, %zu "
			  "members to be told",
			  name, identifier, reasons, group->newest->generation, group->newest->spi,
			  group->rekey.total);
	else
		zlog_info("GSA: group %s (%u): rekey (%s): nobody is registered; the next member "
			  "gets a new SA",
			  name, identifier, reasons);
}

static bool push(const struct gcks_sa_group *group, struct gcks_registration *entry, int64_t now)
{
	static uint32_t last_request;
	const struct gcks_group *policy = gcks_policy_find_identifier(&gcksd.policy, entry->group);
	struct gcks_sa_message group_sa;
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Rekey rekey = GSA__REKEY__INIT;

	/* one that has missed some gets those too that are still in use */
	if (!gcks_sa_message_fill(&group_sa, group, policy, entry->delivered + 1, now))
		return false;
	rekey.request = ++last_request;
	rekey.ike_sa = entry->ike_sa;
	rekey.group = entry->group;
	rekey.group_name = policy->name;
	rekey.group_sa = &group_sa.group_sa;
	message.body_case = GSA__MESSAGE__BODY_REKEY;
	message.rekey = &rekey;
	if (!gcks_local_send(GSA__ROLE__ROLE_CHARON, &message))
		return false;
	gcks_rekey_pushed(&gcks_server_tables, entry, rekey.request, now);
	return true;
}

/* One commit for all; what is not stored is told again after a restart, which does no harm. */
static void store_deliveries(const struct gcks_sa_group *group)
{
	uint32_t identifier = group->numbers.group;
	size_t members = gcks_registration_count(&gcksd.registrations, identifier), count = 0;
	struct gcks_change *changes = XCALLOC(MTYPE_TMP, (members + 1) * sizeof(*changes));

	for (int delivery = 0; delivery < GCKS_DELIVERIES; delivery++)
		for (struct gcks_registration *entry =
			     gcks_registration_first(&gcksd.registrations, identifier, delivery);
		     entry; entry = gcks_registration_following(entry))
			if (entry->delivered != entry->stored_delivered || entry->missed)
				changes[count++] = (struct gcks_change){ .kind = GCKS_PUT_DELIVERED,
									 .registration = entry };
	if (gcks_server_commit(changes, count)) {
		for (size_t i = 0; i < count; i++) {
			struct gcks_registration *entry =
				(struct gcks_registration *)changes[i].registration;

			entry->stored_delivered = entry->delivered;
		}
	} else {
		zlog_warn("GSA: group %s (%u): who holds generation %u is not stored: %s",
			  gcks_server_group_name(identifier), identifier, group->newest->generation,
			  gcks_store_error(gcksd.store));
	}
	XFREE(MTYPE_TMP, changes);
}

static bool is_unanswered(const struct gcks_sa_group *group, const struct gcks_registration *entry)
{
	return entry->delivery == GCKS_DELIVERY_UNANSWERED;
}

/* Some of `count` members, as a clause of a sentence. */
static void name_members(const struct gcks_sa_group *group, enum gcks_delivery delivery,
			 bool (*is_meant)(const struct gcks_sa_group *,
					  const struct gcks_registration *),
			 size_t count, char *names, size_t size)
{
	size_t listed = 0;

	names[0] = '\0';
	for (const struct gcks_registration *entry =
		     gcks_registration_first(&gcksd.registrations, group->numbers.group, delivery);
	     entry && listed < NAMES_MAX; entry = gcks_registration_following(entry)) {
		if (!is_meant(group, entry))
			continue;
		strlcat(names, listed++ ? ", " : "", size);
		strlcat(names, entry->identity, size);
	}
	if (count > listed)
		strlcat(names, " and others", size);
}

/* Nobody can be told a later moment who has been told one. */
static void log_late(const struct gcks_sa_group *group)
{
	const struct gcks_group *policy =
		gcks_policy_find_identifier(&gcksd.policy, group->numbers.group);
	const struct gcks_rekey *rekey = &group->rekey;
	char names[512];

	if (!rekey->late || !policy)
		return;
	name_members(group, GCKS_DELIVERY_CURRENT, gcks_rekey_was_late, rekey->late, names,
		     sizeof(names));
	zlog_warn(
		"GSA: group %s (%u): generation %u: %zu members acknowledged it later than "
		"activation-delay (%u s), when others sent with it already: what was sent to them "
		"meanwhile is lost; raise activation-delay or rekey in-flight (%u): %s",
		policy->name, group->numbers.group, group->newest->generation, rekey->late,
		policy->activation_delay_s, policy->rekey_in_flight, names);
}

static void log_told(const struct gcks_sa_group *group)
{
	uint32_t identifier = group->numbers.group;
	const struct gcks_rekey *rekey = &group->rekey;
	const struct gcks_registration_group *members =
		gcks_registration_group(&gcksd.registrations, identifier);
	size_t missing = members ? members->deliveries[GCKS_DELIVERY_UNANSWERED].count : 0;
	char names[512] = "";

	if (missing)
		name_members(group, GCKS_DELIVERY_UNANSWERED, is_unanswered, missing, names,
			     sizeof(names));
	zlog_info("GSA: group %s (%u): generation %u: %zu members have acknowledged, %zu have not, "
		  "in "
		  "%" PRId64 ".%01" PRId64 " s%s%s",
		  gcks_server_group_name(identifier), identifier, group->newest->generation,
		  rekey->acknowledged, missing, (rekey->told_at - rekey->begun_at) / 1000,
		  (rekey->told_at - rekey->begun_at) / 100 % 10,
		  missing ? "; without an answer: " : "", names);
	log_late(group);
	gcks_notify_rekey(gcks_server_group_name(identifier), group->newest->generation,
			  members ? members->count : 0, missing);
}

static void log_progress(struct gcks_sa_group *group, int64_t now)
{
	struct gcks_rekey *rekey = &group->rekey;

	if (!rekey->pushing || now - MAX(rekey->begun_at, rekey->logged_at) < PROGRESS_MS)
		return;
	rekey->logged_at = now;
	zlog_info(
		"GSA: group %s (%u): generation %u: %zu members have acknowledged so far, %zu have "
		"not answered, of %zu",
		gcks_server_group_name(group->numbers.group), group->numbers.group,
		group->newest->generation, rekey->acknowledged, rekey->unanswered, rekey->total);
}

static void run_group(struct gcks_sa_group *group)
{
	int64_t now = gcks_now_ms();
	bool connected = charon_is_up();

	for (;;) {
		struct gcks_rekey_action action =
			gcks_rekey_next(&gcks_server_tables, group, now, connected);

		switch (action.step) {
		case GCKS_REKEY_NOTHING:
			log_progress(group, now);
			return;
		case GCKS_REKEY_END_SA:
			end_sa(action.sa, now);
			break;
		case GCKS_REKEY_ANEW:
			begin_anew(group, now);
			break;
		case GCKS_REKEY_MAKE:
			make(group, now);
			break;
		case GCKS_REKEY_PUSH:
			connected = push(group, action.entry, now);
			break;
		case GCKS_REKEY_TOLD:
			store_deliveries(group);
			log_told(group);
			break;
		}
	}
}

/* ---- all groups ---- */

static void run_all(struct event *event);

static void plan(int64_t at)
{
	int64_t now = gcks_now_ms();

	if (at >= planned)
		return;
	planned = at;
	event_cancel(&t_rekey);
	event_add_timer_msec(gcksd.loop, run_all, NULL, MIN(MAX(at - now, 0), INT32_MAX), &t_rekey);
}

static void run_all(struct event *event)
{
	bool connected = charon_is_up();
	int64_t next = GCKS_NEVER;

	planned = GCKS_NEVER;
	for (struct gcks_sa_group *group = gcksd.sas.groups; group; group = group->next) {
		run_group(group);
		next = MIN(next, gcks_rekey_wakeup(&gcks_server_tables, group, connected));
	}
	if (next != GCKS_NEVER)
		plan(MAX(next, gcks_now_ms() + 1));
}

void gcks_server_rekey_soon(void)
{
	plan(0);
}

void gcks_server_rekey_done(const Gsa__RekeyDone *done)
{
	const struct gcks_registration *entry =
		gcks_rekey_done(&gcks_server_tables, done->request, done->ok, gcks_now_ms());
	struct gcks_sa_group *group;

	if (!entry)
		return;
	if (done->ok)
		gcks_debug_log(server, "group %u: %s has acknowledged generation %u", entry->group,
			       entry->identity, entry->delivered);
	else
		zlog_info("GSA: group %s (%u): %s has not acknowledged generation %u: %s",
			  gcks_server_group_name(entry->group), entry->group, entry->identity,
			  entry->pushed, done->text);
	group = gcks_sa_group_find(&gcksd.sas, entry->group);
	run_group(group);
	plan(gcks_rekey_wakeup(&gcks_server_tables, group, charon_is_up()));
}

bool gcks_server_rekey(uint32_t identifier)
{
	struct gcks_sa_group *group = gcks_sa_group_find(&gcksd.sas, identifier);

	if (!group || !gcks_rekey_trigger(group, GCKS_TRIGGER_OPERATOR, gcks_now_ms()))
		return false;
	if (!charon_is_up())
		zlog_warn("GSA: group %s (%u): the rekey waits for charon, which is not connected",
			  gcks_server_group_name(identifier), identifier);
	gcks_server_rekey_soon();
	return true;
}

/* Once, when the configuration is read: a rekey on-leave that an earlier gcksd has not come to. */
static void make_up_for_leaves(const struct gcks_group *policy, struct gcks_sa_group *group)
{
	if (!policy->rekey_on_leave || !gcks_former_hold_newest(group))
		return;
	zlog_notice("GSA: group %s (%u): somebody left who may hold the newest SA, and there was no "
		    "rekey before gcksd ended: it comes now",
		    policy->name, policy->identifier);
	gcks_rekey_trigger(group, GCKS_TRIGGER_LEAVE, gcks_now_ms());
}

void gcks_server_rekey_reconsider(void)
{
	static bool looked_back;

	for (struct gcks_group *policy = gcksd.policy.groups; policy; policy = policy->next) {
		struct gcks_sa_group *group =
			policy->identifier ? gcks_sa_group_find(&gcksd.sas, policy->identifier)
					   : NULL;

		if (!group || !group->newest)
			continue;
		if (!looked_back)
			make_up_for_leaves(policy, group);
		switch (gcks_sa_fits(group->newest, policy)) {
		case GCKS_SA_FITS:
			break;
		case GCKS_SA_OTHER_CIPHER:
			gcks_rekey_trigger(group, GCKS_TRIGGER_POLICY, gcks_now_ms());
			break;
		case GCKS_SA_OTHER_SHARING:
			gcks_rekey_anew(group, "sharing or sender-id-bits were changed");
			break;
		}
	}
	looked_back = true;
	gcks_server_rekey_soon();
}

void gcks_server_rekey_resume(void)
{
	for (struct gcks_sa_group *group = gcksd.sas.groups; group; group = group->next) {
		size_t behind = gcks_rekey_resume(&gcks_server_tables, group, gcks_now_ms());

		if (behind)
			zlog_info("GSA: group %s (%u): %zu members are behind and are told of "
				  "generation %u",
				  gcks_server_group_name(group->numbers.group),
				  group->numbers.group, behind, group->newest->generation);
	}
	gcks_server_rekey_soon();
}

/* ---- the clock ---- */

/*
 * The store has each SA's age by the time of day for a reboot.  Until it has it by the one of today
 * this is tried again: else an SA could live longer, by the step.
 */
static void store_ages(void)
{
	static bool failed;
	struct gcks_change *changes;
	size_t count = 0;

	for (struct gcks_sa *sa = gcksd.sas.head; sa; sa = sa->next)
		count++;
	changes = XCALLOC(MTYPE_TMP, (count + 1) * sizeof(*changes));
	count = 0;
	for (struct gcks_sa *sa = gcksd.sas.head; sa; sa = sa->next)
		changes[count++] = (struct gcks_change){ .kind = GCKS_PUT_SA, .sa = sa };
	ages_stored = gcks_server_commit(changes, count);
	XFREE(MTYPE_TMP, changes);
	if (!ages_stored && !failed)
		zlog_warn("GSA: the ages of SAs by the new time of day are not stored yet: %s",
			  gcks_store_error(gcksd.store));
	else if (ages_stored && failed)
		zlog_info("GSA: the ages of SAs by the new time of day are stored");
	failed = !ages_stored;
}

/*
 * Lifetimes, delays and hold times go by the monotonic clock, so a step changes none.  What is
 * known by the time of day follows; an SA may have been made since the step.
 */
static void follow_step(const struct gcks_clock *clock, int64_t step_ms)
{
	zlog_warn("GSA: the time of day was stepped by %+" PRId64
		  " s; lifetimes of SAs, delays and "
		  "hold times go on as they were",
		  step_ms / 1000);
	for (struct gcks_sa *sa = gcksd.sas.head; sa; sa = sa->next)
		sa->created_at = MAX((clock->wall - clock->now + sa->made_at) / 1000, 0);
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		entry->registered_at = MAX(entry->registered_at + step_ms / 1000, 0);
	ages_stored = false;
}

static void watch_clock(struct event *event)
{
	struct gcks_clock clock;
	int64_t step;

	gcks_clock_read(&clock);
	step = gcks_clock_stepped(&last_clock, &clock);
	if (step >= CLOCK_STEP_MS || step <= -CLOCK_STEP_MS)
		follow_step(&clock, step);
	if (!ages_stored)
		store_ages();
	last_clock = clock;
	event_add_timer(gcksd.loop, watch_clock, NULL, CLOCK_S, &t_clock);
}

void gcks_server_rekey_start(void)
{
	for (struct gcks_sa_group *group = gcksd.sas.groups; group; group = group->next)
		gcks_rekey_loaded(&gcks_server_tables, group);
	gcks_clock_read(&last_clock);
	event_add_timer(gcksd.loop, watch_clock, NULL, CLOCK_S, &t_clock);
	gcks_server_rekey_soon();
}

void gcks_server_rekey_stop(void)
{
	event_cancel(&t_rekey);
	event_cancel(&t_clock);
}
