// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/simulation/simulation.h"

#include "gcks/former.h"

#include <stdlib.h>
#include <string.h>

/* Long enough for a push with members that do not answer, the delays, and what was before it. */
#define SETTLED	  (10 * MINUTE)
#define FOLLOWS	  (15 * MINUTE)
/* A lifetime counts from when it is told: whole seconds, and the way to who was cut off. */
#define ON_THE_WAY (GIVE_UP + 2 * SECOND)

static struct made *find_made(struct group *group, uint32_t spi)
{
	for (size_t i = group->made_count; i--;)
		if (group->made[i].spi == spi)
			return &group->made[i];
	sim_fail("group %s: nobody has made SPI 0x%08x", group->policy->name, spi);
}

/* ---- SAs that are made and given ---- */

static void look(struct member *member, struct push *push, uint64_t number)
{
	sim_check_group(&sim_groups[number]);
}

/* In the middle of a push, and when everybody changes to the new SA. */
static void look_later(struct group *group, int64_t when)
{
	if (when > sim_now)
		sim_at(when, look, NULL, NULL, (uint64_t)(group - sim_groups));
}

void sim_check_made(struct group *group, const struct gcks_sa *sa, bool for_new_member)
{
	if (group->made_count == group->made_size) {
		group->made_size = group->made_size ? 2 * group->made_size : 256;
		group->made = realloc(group->made, group->made_size * sizeof(*group->made));
		if (!group->made)
			abort();
	}
	for (size_t i = group->made_before; i < group->made_count; i++)
		SIM_CHECK(group->made[i].spi != sa->spi || group->made_count - i > GCKS_SPIS_KEPT,
			  "group %s: SPI 0x%08x is given again at once", group->policy->name,
			  sa->spi);
	group->made[group->made_count] = (struct made){
		.spi = sa->spi,
		/* counted here: an old copy of the store would begin again */
		.generation = (uint32_t)group->made_count + 1,
		.epoch = group->epoch,
		.made_at = sim_now,
		.activates_at = sa->activates_at,
	};
	group->made_count++;
	/* everything that was held by those who have left is followed by this one */
	group->left_at = 0;
	look_later(group, sim_now + 3 * SECOND);
	look_later(group, sa->activates_at - SECOND);
	look_later(group, sa->activates_at + SECOND);
	look_later(group, sa->activates_at + group->policy->deactivation_delay_s * SECOND + SECOND);
}

static void mark_used(struct group *group)
{
	struct gcks_sa_group *sas = gcks_sa_group_find(&sim_sas, group->identifier);

	for (struct gcks_sa *sa = sas->newest; sa; sa = gcks_sa_older(sa))
		find_made(group, sa->spi)->had_members = true;
}

void sim_check_given(struct member *member, const struct gcks_sa_message *message, bool is_new)
{
	struct group *group = member->group;

	SIM_CHECK(!member->denied && member->wants, "%s gets keys and may not", member->identity);
	for (size_t i = 0; i < message->group_sa.n_data_sa; i++) {
		const struct made *made = find_made(group, message->list[i]->spi);

		SIM_CHECK(made->epoch == group->epoch, "%s gets an SA from before the group began anew",
			  member->identity);
		SIM_CHECK(!is_new || !group->policy->rekey_on_join || !made->had_members ||
				  made->activates_at >= sim_now,
			  "%s joins group %s and gets generation %u, which others used before it",
			  member->identity, group->policy->name, made->generation);
	}
	mark_used(group);
}

static void check_new_sender_id(struct member *member, uint32_t id)
{
	struct group *group = member->group;

	SIM_CHECK(id < 1u << group->policy->sender_id_bits, "group %s: Sender-ID %u is too large",
		  group->policy->name, id);
	SIM_CHECK(!(group->given[id / 8] & 1 << id % 8),
		  "group %s: Sender-ID %u is given twice under a TEK", group->policy->name, id);
	group->given[id / 8] |= (uint8_t)(1 << id % 8);
	group->owner[id] = member;
}

/* Those of before are its own, and what it may be sending with is among them. */
static void check_earlier_sender_ids(const struct member *member, const uint32_t *ids, size_t count)
{
	const struct group *group = member->group;
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		SIM_CHECK(group->given[ids[i] / 8] & 1 << ids[i] % 8 &&
				  group->owner[ids[i]] == member,
			  "%s has Sender-ID %u back, which it never had", member->identity, ids[i]);
		found |= ids[i] == member->sender_id;
	}
	SIM_CHECK(found || !member->has_sender_id || member->sender_epoch != group->epoch ||
			  group->removed - member->removed >= GCKS_FORMER_KEPT,
		  "%s had Sender-ID %u, which is not its own any more", member->identity,
		  member->sender_id);
}

void sim_check_sender_ids(struct member *member, const struct gcks_registration *entry,
			  size_t given)
{
	struct group *group = member->group;
	size_t earlier = entry->sender_id_count - given;

	SIM_CHECK(given == group->pairwise, "group %s: %zu Sender-IDs are given",
		  group->policy->name, given);
	if (!given)
		return;
	check_earlier_sender_ids(member, entry->sender_ids, earlier);
	for (size_t i = earlier; i < entry->sender_id_count; i++)
		check_new_sender_id(member, entry->sender_ids[i]);
	member->sender_id = entry->sender_ids[entry->sender_id_count - 1];
	member->sender_epoch = group->epoch;
	member->has_sender_id = true;
}

void sim_check_pushed(struct member *member, const struct gcks_sa_message *message)
{
	struct group *group = member->group;

	SIM_CHECK(!member->denied, "%s is denied and gets new keys", member->identity);
	SIM_CHECK(member->charon_holds, "%s has no IKE_SA and gets new keys", member->identity);
	for (size_t i = 0; i < message->group_sa.n_data_sa; i++)
		SIM_CHECK(find_made(group, message->list[i]->spi)->epoch == group->epoch,
			  "%s gets an SA from before the group began anew", member->identity);
}

/* ---- a rekey is over ---- */

void sim_check_told(struct group *group)
{
	const struct gcks_sa *newest = gcks_sa_current(&sim_sas, group->identifier);
	const struct made *made = find_made(group, newest->spi);

	for (struct gcks_registration *entry = gcks_registration_first(
		     &sim_registrations, group->identifier, GCKS_DELIVERY_CURRENT);
	     entry; entry = gcks_registration_following(entry)) {
		const struct member *member = sim_member_of(entry);

		SIM_CHECK(!member->settled_since || member->ike_sa != entry->ike_sa ||
				  sim_member_holds(member, made->generation),
			  "%s does not hold generation %u, which it has acknowledged",
			  member->identity, made->generation);
	}
	mark_used(group);
}

/* ---- ends ---- */

void sim_check_missed(struct member *member)
{
	const struct gcks_registration *entry = sim_server_entry(member);

	SIM_CHECK(entry->delivery == GCKS_DELIVERY_UNANSWERED &&
			  entry->missed + 1 >= member->group->policy->rekey_missed_maximum &&
			  !member->settled_since,
		  "%s is removed wrongly: delivery %d, missed %u", member->identity,
		  (int)entry->delivery, entry->missed);
}

/* ---- everybody ---- */

static bool settled(const struct member *member)
{
	return member->settled_since && member->charon_holds &&
	       sim_now - member->settled_since > SETTLED &&
	       sim_now - member->group->quiet_at > SETTLED;
}

static void check_member(struct member *member, const struct made *newest, size_t *senders)
{
	struct group *group = member->group;
	const struct gcks_registration *entry;
	uint32_t generation;

	sim_member_age(member);
	for (size_t i = 0; i < member->held_count; i++) {
		const struct held *held = &member->held[i];
		const struct made *made = &group->made[held->generation - 1];

		SIM_CHECK(held->ends_at <= made->made_at + group->policy->lifetime_data_s * SECOND +
						   ON_THE_WAY,
			  "%s holds generation %u beyond its lifetime", member->identity,
			  held->generation);
	}
	if (!settled(member))
		return;
	/* looking it up costs most: some each time */
	if ((size_t)(member - sim_members) % 16 == sim_steps % 16) {
		entry = sim_server_entry(member);
		SIM_CHECK(entry && entry->ike_sa == member->ike_sa && !entry->stale,
			  "%s is registered, and gcksd does not know it", member->identity);
	}
	generation = sim_member_sends_with(member);
	SIM_CHECK(generation, "%s has no SA to send with", member->identity);
	SIM_CHECK(sim_now - newest->made_at < SETTLED ||
			  sim_member_holds(member, newest->generation),
		  "%s does not hold generation %u, made %lld s ago", member->identity,
		  newest->generation, (long long)(sim_now - newest->made_at) / 1000);
	SIM_CHECK(group->made[generation - 1].epoch == group->epoch,
		  "%s sends with an SA from before the group began anew", member->identity);
	senders[generation % HELD_MAX]++;
}

/* What anybody sends with everybody can open. */
static void check_open(struct group *group, const struct made *newest, const size_t *senders)
{
	for (uint32_t back = 0; back < HELD_MAX && back < newest->generation; back++) {
		uint32_t generation = newest->generation - back;

		if (!senders[generation % HELD_MAX])
			continue;
		for (size_t i = 0; i < sim_member_count; i++) {
			const struct member *member = &sim_members[i];

			SIM_CHECK(member->group != group || !settled(member) ||
					  sim_member_holds(member, generation),
				  "%s cannot open what is sent with generation %u",
				  member->identity, generation);
		}
	}
}

/* Without an SA there is nobody who would need one. */
static void check_deserted(const struct group *group)
{
	for (size_t i = 0; i < sim_member_count; i++)
		SIM_CHECK(sim_members[i].group != group || !settled(&sim_members[i]),
			  "%s is registered with group %s, which has no SA", sim_members[i].identity,
			  group->policy->name);
}

void sim_check_group(struct group *group)
{
	const struct gcks_sa *sa = gcks_sa_current(&sim_sas, group->identifier);
	size_t senders[HELD_MAX] = { 0 };
	const struct made *newest, *newer;

	if (!sa) {
		check_deserted(group);
		return;
	}
	newer = newest = find_made(group, sa->spi);
	for (; sa; sa = gcks_sa_older(sa)) {
		const struct made *made = find_made(group, sa->spi);

		SIM_CHECK(sim_now <= made->made_at + group->policy->lifetime_data_s * SECOND,
			  "group %s: generation %u is in the table beyond its lifetime",
			  group->policy->name, made->generation);
		SIM_CHECK(made == newest || sim_now - newer->made_at < FOLLOWS ||
				  sim_now - group->quiet_at < FOLLOWS,
			  "group %s: generation %u does not retire", group->policy->name,
			  made->generation);
		newer = made;
	}
	SIM_CHECK(!group->left_at || sim_now - group->left_at < FOLLOWS ||
			  sim_now - group->quiet_at < FOLLOWS,
		  "group %s: no rekey follows a leave", group->policy->name);
	for (size_t i = 0; i < sim_member_count; i++)
		if (sim_members[i].group == group)
			check_member(&sim_members[i], newest, senders);
	check_open(group, newest, senders);
}
