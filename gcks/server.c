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

#include "gcks/server.h"

#define REMOVAL_RETRY_S 10

static struct event *t_reconsider, *t_stale, *t_removals;

static const char *group_name(uint32_t identifier)
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
	end.group_name = (char *)group_name(group);
	end.delete_ike_sa = !gcks_registration_ike_sa_in_use(&gcksd.registrations, ike_sa);
	end.reason = (char *)reason;
	message.body_case = GSA__MESSAGE__BODY_END_REGISTRATION;
	message.end_registration = &end;
	gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

/* ---- removals from the store ---- */

/*
 * What ends has to end also when the disk is full: it leaves the tables at once and waits here
 * until the store can be written.  Removals are the first in every commit, so they never take what
 * came in their place.  Those that wait when gcksd ends are lost: the registration is loaded again,
 * and ends when policy is looked at or its hold time is over.
 */
struct removal {
	struct removal *next;
	struct gcks_change change;
	struct gcks_registration registration; /* group and identity only */
	struct gcks_sa sa;		       /* SPI only, never the key */
};

static struct removal *removals;

static void add_removal(const struct gcks_change *change)
{
	struct removal *removal = XCALLOC(MTYPE_TMP, sizeof(*removal));

	removal->change.kind = change->kind;
	if (change->kind == GCKS_REMOVE_REGISTRATION) {
		removal->registration.group = change->registration->group;
		removal->registration.identity = XSTRDUP(MTYPE_TMP, change->registration->identity);
		removal->change.registration = &removal->registration;
	} else {
		removal->sa.spi = change->sa->spi;
		removal->change.sa = &removal->sa;
	}
	removal->next = removals;
	removals = removal;
}

static void free_removals(void)
{
	struct removal *removal;

	while ((removal = removals)) {
		removals = removal->next;
		XFREE(MTYPE_TMP, removal->registration.identity);
		XFREE(MTYPE_TMP, removal);
	}
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

/* What the changes name may be freed afterwards. */
static void store_removals(const char *what, const struct gcks_change *changes, size_t count)
{
	if (gcks_server_commit(changes, count))
		return;
	zlog_err("GSA: the end of %zu %s is not stored yet: %s", count, what,
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

static void end(struct ending *ending, bool tell_charon)
{
	struct gcks_registration *entry = ending->entry;
	uint32_t ike_sa = entry->ike_sa, group = entry->group;

	zlog_info("GSA: group %s (%u): registration of %s ended: %s", group_name(group), group,
		  entry->identity, ending->reason);
	gcks_notify_member(GCKS_MEMBER_REMOVED, group_name(group), entry->identity, &entry->address,
			   0, ending->reason);
	gcks_announce_member(entry, true);
	gcks_registration_remove(&gcksd.registrations, entry);
	if (tell_charon)
		gcks_server_tell_end(ike_sa, group, ending->reason);
	XFREE(MTYPE_TMP, ending->reason);
}

unsigned int gcks_server_end(gcks_why_ended *why, const void *argument, bool tell_charon)
{
	struct gcks_change *changes;
	struct ending *endings;
	unsigned int count = 0;
	const char *reason;

	if (!gcksd.registrations.count)
		return 0;
	endings = XCALLOC(MTYPE_TMP, gcksd.registrations.count * sizeof(*endings));
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		if ((reason = why(entry, argument)))
			endings[count++] = (struct ending){ entry, XSTRDUP(MTYPE_TMP, reason) };
	if (count) {
		changes = XCALLOC(MTYPE_TMP, count * sizeof(*changes));
		for (unsigned int i = 0; i < count; i++)
			changes[i] = (struct gcks_change){ .kind = GCKS_REMOVE_REGISTRATION,
							   .registration = endings[i].entry };
		store_removals("registrations", changes, count);
		XFREE(MTYPE_TMP, changes);
	}
	for (unsigned int i = 0; i < count; i++)
		end(&endings[i], tell_charon);
	XFREE(MTYPE_TMP, endings);
	return count;
}

/* ---- stale registrations ---- */

static void expire_stale(struct event *event);

static void schedule_stale(void)
{
	int64_t now = monotime(NULL), next = INT64_MAX;

	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		if (entry->stale && entry->stale_until < next)
			next = entry->stale_until;
	event_cancel(&t_stale);
	if (next != INT64_MAX)
		event_add_timer(gcksd.loop, expire_stale, NULL, MAX(next - now, 0), &t_stale);
}

static const char *why_expired(const struct gcks_registration *entry, const void *now)
{
	return entry->stale && entry->stale_until <= *(const int64_t *)now
		       ? "it did not register again within the hold time"
		       : NULL;
}

static void expire_stale(struct event *event)
{
	int64_t now = monotime(NULL);

	gcks_server_end(why_expired, &now, false);
	schedule_stale();
}

static void mark_stale(struct gcks_registration *entry, const char *reason)
{
	const struct gcks_group *group = gcks_policy_find_identifier(&gcksd.policy, entry->group);
	uint32_t hold_s = group ? group->registration_hold_time_s : 0;

	entry->ike_sa = 0;
	entry->stale = true;
	entry->stale_until = (int64_t)monotime(NULL) + hold_s;
	zlog_info("GSA: group %s (%u): registration of %s is stale: %s; kept for %u s",
		  group_name(entry->group), entry->group, entry->identity, reason, hold_s);
}

void gcks_server_make_stale(struct gcks_registration *entry, const char *reason)
{
	mark_stale(entry, reason);
	schedule_stale();
}

void gcks_server_charon_connected(void)
{
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		entry->ike_sa = 0;
}

void gcks_server_charon_synced(void)
{
	for (struct gcks_registration *entry = gcksd.registrations.head; entry; entry = entry->next)
		if (!entry->ike_sa && !entry->stale)
			mark_stale(entry, "charon was restarted");
	schedule_stale();
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
 * They leave the table even if the store cannot be written: another group that takes the
 * identifier must never get a key that members of this one hold.
 */
static void remove_sas(uint32_t identifier)
{
	size_t count = 0;
	struct gcks_change *changes;

	for (struct gcks_sa *sa = gcksd.sas.head; sa; sa = sa->next)
		count += sa->group == identifier;
	if (!count)
		return;
	changes = XCALLOC(MTYPE_TMP, count * sizeof(*changes));
	count = 0;
	for (struct gcks_sa *sa = gcksd.sas.head; sa; sa = sa->next)
		if (sa->group == identifier)
			changes[count++] = (struct gcks_change){ .kind = GCKS_REMOVE_SA, .sa = sa };
	store_removals("group SAs", changes, count);
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
	gcks_server_end(why_gone, &gone, true);
	remove_sas(identifier);
}

/*
 * Its group is not served any more.  Another one may have its identifier by now, when the removal
 * was lost with an earlier gcksd, or the group was renamed while none ran.
 */
static bool is_orphaned(const struct gcks_sa *sa)
{
	const struct gcks_group *group = gcks_policy_find_identifier(&gcksd.policy, sa->group);

	return !group || strcmp(group->name, sa->group_name) != 0;
}

static void end_orphans(void)
{
	const struct gcks_sa *sa = gcksd.sas.head;

	while (sa) {
		if (is_orphaned(sa)) {
			gcks_server_group_gone(sa->group, sa->group_name);
			sa = gcksd.sas.head;
		} else {
			sa = sa->next;
		}
	}
}

static void reconsider(struct event *event)
{
	if (!gcksd.configured)
		return;
	end_orphans();
	gcks_server_end(why_forbidden, NULL, true);
	gcks_announce_groups();
	schedule_stale();
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

	return gcks_server_end(why_cleared, &cleared, true);
}

void gcks_server_start(void)
{
	/* what was loaded waits for charon's resynchronisation: its hold time begins there */
	if (gcksd.registrations.count)
		zlog_info("GSA: %zu registrations loaded from the store",
			  gcksd.registrations.count);
}

void gcks_server_stop(void)
{
	free_removals();
	event_cancel(&t_reconsider);
	event_cancel(&t_stale);
}
