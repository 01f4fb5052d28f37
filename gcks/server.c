// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Key server: the end of registrations.
 *
 *   live --IKE_SA down, not repeated by charon--> stale --registers again--> live
 *     |                                             |
 *     +-- left, cleared, policy --> gone <-- hold time over
 */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/monotime.h"

#include "gcks/former.h"
#include "gcks/server.h"

#define REMOVAL_RETRY_S 10

static struct event *t_reconsider, *t_stale, *t_removals;

const struct gcks_tables gcks_server_tables = { &gcksd.policy, &gcksd.registrations, &gcksd.sas };

const char *gcks_server_group_name(uint32_t identifier)
{
	const struct gcks_group *group = gcks_policy_find_identifier(&gcksd.policy, identifier);

	return group ? group->name : "";
}

void gcks_server_tell_end(uint32_t ike_sa, uint32_t group, const char *reason)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__EndRegistration end = GSA__END_REGISTRATION__INIT;

	if (!ike_sa)
		return;
	end.ike_sa = ike_sa;
	end.group = group;
	end.group_name = (char *)gcks_server_group_name(group);
	end.delete_ike_sa = !gcks_registration_ike_sa_in_use(&gcksd.registrations, ike_sa);
	end.reason = (char *)reason;
	message.body_case = GSA__MESSAGE__BODY_END_REGISTRATION;
	message.end_registration = &end;
	gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

/* ---- removals from the store ---- */

/*
 * What ends has to end also when the disk is full: it leaves the tables at once and waits here
 * until the store can be written.  Removals are the first in every commit, in the order in which
 * they came, so they never take what came in their place.  Those that wait when gcksd ends are
 * lost: the registration is loaded again, and ends when policy is looked at or its hold time is
 * over.
 */
struct removal {
	struct removal *next;
	struct gcks_change change;
	struct gcks_registration registration; /* group, identity, number and what it may hold */
	struct gcks_sa sa;		       /* SPI only, never the key */
	struct gcks_sa_numbers numbers;	       /* identifier only */
};

static struct removal *removals, **last_removal = &removals;

static void add_removal(const struct gcks_change *change)
{
	struct removal *removal = XCALLOC(MTYPE_TMP, sizeof(*removal));

	removal->change = *change;
	switch (change->kind) {
	case GCKS_REMOVE_REGISTRATION:
	case GCKS_END_REGISTRATION:
		removal->registration.group = change->registration->group;
		removal->registration.left = change->registration->left;
		removal->registration.delivered = gcks_registration_may_hold(change->registration);
		removal->registration.identity = XSTRDUP(MTYPE_TMP, change->registration->identity);
		removal->change.registration = &removal->registration;
		break;
	case GCKS_REMOVE_SA:
		removal->sa.spi = change->sa->spi;
		removal->change.sa = &removal->sa;
		break;
	case GCKS_REMOVE_NUMBERS:
		removal->numbers.group = change->numbers->group;
		removal->change.numbers = &removal->numbers;
		break;
	default: /* it borrows nothing */
		break;
	}
	*last_removal = removal;
	last_removal = &removal->next;
}

static void free_removals(void)
{
	struct removal *removal;

	while ((removal = removals)) {
		removals = removal->next;
		XFREE(MTYPE_TMP, removal->registration.identity);
		XFREE(MTYPE_TMP, removal);
	}
	last_removal = &removals;
	event_cancel(&t_removals);
}

bool gcks_server_commit(const struct gcks_change *changes, size_t count)
{
	struct gcks_change *all;
	size_t waiting = 0;
	bool stored;

	for (const struct removal *removal = removals; removal; removal = removal->next)
		waiting++;
	if (!waiting)
		return gcks_store_commit(gcksd.store, changes, count);
	all = XCALLOC(MTYPE_TMP, (waiting + count) * sizeof(*all));
	waiting = 0;
	for (const struct removal *removal = removals; removal; removal = removal->next)
		all[waiting++] = removal->change;
	for (size_t i = 0; i < count; i++)
		all[waiting + i] = changes[i];
	stored = gcks_store_commit(gcksd.store, all, waiting + count);
	XFREE(MTYPE_TMP, all);
	if (stored) {
		zlog_info("GSA: the store can be written again: %zu removals are stored", waiting);
		free_removals();
	}
	return stored;
}

static void retry_removals(struct event *event)
{
	if (!gcks_server_commit(NULL, 0))
		event_add_timer(gcksd.loop, retry_removals, NULL, REMOVAL_RETRY_S, &t_removals);
}

/* What the changes borrow may be freed afterwards. */
void gcks_server_commit_removals(const char *what, const struct gcks_change *changes, size_t count)
{
	if (gcks_server_commit(changes, count))
		return;
	zlog_err("GSA: the end of %s is not stored yet (%zu changes): %s", what, count,
		 gcks_store_error(gcksd.store));
	for (size_t i = 0; i < count; i++)
		add_removal(&changes[i]);
	event_add_timer(gcksd.loop, retry_removals, NULL, REMOVAL_RETRY_S, &t_removals);
}

/* ---- ending registrations ---- */

struct ending {
	struct gcks_registration *entry;
	char *reason;
};

struct endings {
	struct ending *all;
	size_t count, size;
};

static void add_ending(struct endings *endings, struct gcks_registration *entry, const char *reason)
{
	if (endings->count == endings->size) {
		endings->size = endings->size ? 2 * endings->size : 8;
		endings->all =
			XREALLOC(MTYPE_TMP, endings->all, endings->size * sizeof(*endings->all));
	}
	endings->all[endings->count++] = (struct ending){ entry, XSTRDUP(MTYPE_TMP, reason) };
}

void gcks_server_ends(const struct gcks_registration *entry, const char *reason)
{
	const char *name = gcks_server_group_name(entry->group);

	zlog_info("GSA: group %s (%u): registration of %s ended: %s", name, entry->group,
		  entry->identity, reason);
	gcks_notify_member(GCKS_MEMBER_REMOVED, name, entry->identity, &entry->address, 0, reason);
	gcks_announce_member(entry, true);
}

static void end(struct ending *ending, bool tell_charon)
{
	struct gcks_registration *entry = ending->entry;
	uint32_t ike_sa = entry->ike_sa, group = entry->group;

	gcks_server_ends(entry, ending->reason);
	gcks_rekey_left(&gcks_server_tables, entry, gcks_now_ms());
	gcks_registration_take_out(&gcksd.registrations, entry);
	gcks_former_keep(&gcksd.sas, entry);
	if (tell_charon)
		gcks_server_tell_end(ike_sa, group, ending->reason);
	XFREE(MTYPE_TMP, ending->reason);
}

static void store_ends(const struct endings *endings)
{
	struct gcks_registration **entries;
	struct gcks_change *changes;

	entries = XCALLOC(MTYPE_TMP, endings->count * sizeof(struct gcks_registration *));
	changes = XCALLOC(MTYPE_TMP, 2 * endings->count * sizeof(*changes));
	for (size_t i = 0; i < endings->count; i++)
		entries[i] = endings->all[i].entry;
	gcks_server_commit_removals(
		"registrations", changes,
		gcks_former_changes(&gcksd.sas, entries, endings->count, changes));
	XFREE(MTYPE_TMP, changes);
	XFREE(MTYPE_TMP, entries);
}

static unsigned int end_all(struct endings *endings, bool tell_charon)
{
	if (endings->count) {
		store_ends(endings);
		gcks_server_rekey_soon();
	}
	for (size_t i = 0; i < endings->count; i++)
		end(&endings->all[i], tell_charon);
	XFREE(MTYPE_TMP, endings->all);
	return (unsigned int)endings->count;
}

/* Every registration that `why` names a reason for (NULL: it stays).  The reason is copied. */
typedef const char *why_ended(const struct gcks_registration *entry, const void *argument);

static unsigned int end_where(why_ended *why, const void *argument, bool tell_charon)
{
	struct endings endings = {};
	const char *reason;

	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		if ((reason = why(entry, argument)))
			add_ending(&endings, entry, reason);
	return end_all(&endings, tell_charon);
}

unsigned int gcks_server_end_over(uint32_t ike_sa, uint32_t group, const char *reason,
				  bool tell_charon)
{
	struct endings endings = {};

	for (struct gcks_registration *entry = gcks_registration_over(&gcksd.registrations, ike_sa);
	     entry; entry = gcks_registration_over_next(entry))
		if (!group || entry->group == group)
			add_ending(&endings, entry, reason);
	return end_all(&endings, tell_charon);
}

/* ---- stale registrations ---- */

static void expire_stale(struct event *event);

static int64_t next_expiry = INT64_MAX; /* monotonic seconds */

static void schedule_stale(int64_t at)
{
	if (at >= next_expiry)
		return;
	next_expiry = at;
	event_cancel(&t_stale);
	event_add_timer(gcksd.loop, expire_stale, NULL, MAX(at - (int64_t)monotime(NULL), 0),
			&t_stale);
}

static const char *why_expired(const struct gcks_registration *entry, const void *now)
{
	return entry->stale && entry->stale_until <= *(const int64_t *)now
		       ? "it did not register again within the hold time"
		       : NULL;
}

static void expire_stale(struct event *event)
{
	int64_t now = monotime(NULL), next = INT64_MAX;

	end_where(why_expired, &now, false);
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		if (entry->stale)
			next = MIN(next, entry->stale_until);
	next_expiry = INT64_MAX;
	if (next != INT64_MAX)
		schedule_stale(next);
}

void gcks_server_make_stale(struct gcks_registration *entry, const char *reason)
{
	const struct gcks_group *group = gcks_policy_find_identifier(&gcksd.policy, entry->group);
	uint32_t hold_s = group ? group->registration_hold_time_s : 0;

	gcks_rekey_lost(&gcks_server_tables, entry);
	gcks_registration_set_stale(entry, (int64_t)monotime(NULL) + hold_s);
	zlog_info("GSA: group %s (%u): registration of %s is stale: %s; kept for %u s",
		  gcks_server_group_name(entry->group), entry->group, entry->identity, reason,
		  hold_s);
	schedule_stale(entry->stale_until);
}

void gcks_server_charon_connected(void)
{
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		gcks_registration_set_ike_sa(&gcksd.registrations, entry, 0);
}

void gcks_server_charon_synced(void)
{
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		if (!entry->ike_sa && !entry->stale)
			gcks_server_make_stale(entry, "charon was restarted");
	gcks_server_rekey_resume();
}

/* ---- configuration ---- */

static const char *why_forbidden(const struct gcks_registration *entry, const void *unused)
{
	const struct gcks_group *group = gcks_policy_find_identifier(&gcksd.policy, entry->group);
	Gsa__Peer peer = GSA__PEER__INIT;
	const char *reason;

	if (!group)
		return "the group is not configured";
	peer.identity = entry->identity;
	peer.credential = entry->credential;
	peer.ca = entry->ca;
	peer.n_ca = entry->ca_count;
	return gcks_policy_allows(group, &peer, &reason) ? NULL : reason;
}

/*
 * SAs and counters leave the table even if the store cannot be written: another group that takes
 * the identifier must never get a key that members of this one hold.
 */
static void remove_sas(uint32_t identifier)
{
	struct gcks_sa_group *group = gcks_sa_group_find(&gcksd.sas, identifier);
	struct gcks_change *changes;
	size_t count = 0;

	if (!group)
		return;
	changes = XCALLOC(MTYPE_TMP, (group->sa_count + 2) * sizeof(*changes));
	for (struct gcks_sa *sa = group->newest; sa; sa = gcks_sa_older(sa))
		changes[count++] = (struct gcks_change){ .kind = GCKS_REMOVE_SA, .sa = sa };
	changes[count++] = (struct gcks_change){ .kind = GCKS_FORGET_FORMER,
						 .former = { identifier, GCKS_FORMER_ALL } };
	changes[count++] =
		(struct gcks_change){ .kind = GCKS_REMOVE_NUMBERS, .numbers = &group->numbers };
	gcks_server_commit_removals("group SAs and counters", changes, count);
	XFREE(MTYPE_TMP, changes);
	gcks_sa_remove_group(&gcksd.sas, identifier);
}

struct gone {
	uint32_t identifier;
	char reason[128];
};

static const char *why_gone(const struct gcks_registration *entry, const void *argument)
{
	const struct gone *gone = argument;

	return entry->group == gone->identifier ? gone->reason : NULL;
}

void gcks_server_group_gone(uint32_t identifier, const char *name)
{
	struct gone gone = { .identifier = identifier };

	snprintf(gone.reason, sizeof(gone.reason), "group %s is not served any more", name);
	end_where(why_gone, &gone, true);
	remove_sas(identifier);
}

/*
 * Its group is not served any more.  Another one may have its identifier by now, when the removal
 * was lost with an earlier gcksd, or the group was renamed while none ran.
 */
static bool is_orphaned(const struct gcks_sa_numbers *numbers)
{
	const struct gcks_group *group = gcks_policy_find_identifier(&gcksd.policy, numbers->group);

	return !group || strcmp(group->name, numbers->group_name) != 0;
}

static void end_orphans(void)
{
	struct gcks_sa_group *group = gcksd.sas.groups, *next;
	char name[GSA_GROUP_NAME_MAX + 1];

	for (; group; group = next) {
		next = group->next;
		if (!is_orphaned(&group->numbers))
			continue;
		strlcpy(name, group->numbers.group_name, sizeof(name));
		gcks_server_group_gone(group->numbers.group, name);
	}
}

static void reconsider(struct event *event)
{
	if (!gcksd.configured)
		return;
	end_orphans();
	end_where(why_forbidden, NULL, true);
	gcks_announce_groups();
	gcks_server_rekey_reconsider();
}

void gcks_server_reconsider(void)
{
	event_add_event(gcksd.loop, reconsider, NULL, 0, &t_reconsider);
}

struct cleared {
	const char *identity;
	uint32_t group;
};

static const char *why_cleared(const struct gcks_registration *entry, const void *argument)
{
	const struct cleared *cleared = argument;

	if (strcmp(entry->identity, cleared->identity) != 0 ||
	    (cleared->group && entry->group != cleared->group))
		return NULL;
	return "cleared by the operator";
}

unsigned int gcks_server_clear(const char *identity, uint32_t group)
{
	struct cleared cleared = { identity, group };

	return end_where(why_cleared, &cleared, true);
}

void gcks_server_start(void)
{
	/* what was loaded waits for charon's resynchronisation: its hold time begins there */
	if (gcksd.registrations.count)
		zlog_info("GSA: %zu registrations loaded from the store",
			  gcksd.registrations.count);
	gcks_server_rekey_start();
}

void gcks_server_stop(void)
{
	free_removals();
	event_cancel(&t_reconsider);
	event_cancel(&t_stale);
	gcks_server_rekey_stop();
}
