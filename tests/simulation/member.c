// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/simulation/simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY (20 * SECOND)

struct member *sim_members;
size_t sim_member_count;

struct member *sim_member_new(struct group *group)
{
	struct member *member = &sim_members[sim_member_count];

	memset(member, 0, sizeof(*member));
	snprintf(member->identity, sizeof(member->identity), "m%zu.example", sim_member_count);
	member->address = 0x0a000000 + (uint32_t)sim_member_count++;
	member->group = group;
	member->wants = member->reachable = true;
	return member;
}

static void attempt(struct member *member, struct push *push, uint64_t number)
{
	if (number != member->attempt || !member->wants || member->ike_sa)
		return;
	if (!member->reachable || !sim_server_register(member))
		sim_member_connect(member, RETRY / 2 + (int64_t)sim_random(RETRY));
}

void sim_member_connect(struct member *member, int64_t delay)
{
	sim_at(sim_now + delay, attempt, member, NULL, ++member->attempt);
}

/* ---- SAs ---- */

void sim_member_forget(struct member *member)
{
	member->held_count = 0;
	member->ike_sa = 0;
	member->settled_since = 0;
	member->missed = 0;
	member->attempt++;
}

static void add(struct member *member, const Gsa__GroupSa *group_sa, const Gsa__DataSa *data)
{
	const struct group *group = member->group;
	struct held *held = &member->held[member->held_count];
	bool newest = data == group_sa->data_sa[group_sa->n_data_sa - 1];

	for (size_t i = 0; i < member->held_count; i++)
		if (member->held[i].spi == data->spi)
			return;
	SIM_CHECK(member->held_count < HELD_MAX, "%s holds too many SAs", member->identity);
	*held = (struct held){
		.spi = data->spi,
		.received_at = sim_now,
		/* the older ones of a message are in use already */
		.active_at = sim_now + (newest ? group_sa->activation_delay_s * SECOND : 0),
		.ends_at = data->lifetime_s ? sim_now + data->lifetime_s * SECOND : INT64_MAX,
		.deactivation = group_sa->deactivation_delay_s * SECOND,
	};
	for (size_t i = group->made_count; i-- && !held->generation;)
		if (group->made[i].spi == data->spi)
			held->generation = group->made[i].generation;
	SIM_CHECK(held->generation, "%s got an SA that nobody has made", member->identity);
	member->held_count++;
}

void sim_member_take(struct member *member, const Gsa__GroupSa *group_sa, bool registration)
{
	size_t kept = 0;

	for (size_t i = 0; i < member->held_count && registration; i++)
		for (size_t j = 0; j < group_sa->n_data_sa; j++)
			if (member->held[i].spi == group_sa->data_sa[j]->spi) {
				member->held[kept++] = member->held[i];
				break;
			}
	if (registration)
		member->held_count = kept;
	for (size_t i = 0; i < group_sa->n_data_sa; i++)
		add(member, group_sa, group_sa->data_sa[i]);
	sim_member_age(member);
}

/* The newest one that is active; without an active one the oldest. */
static const struct held *active(const struct member *member)
{
	const struct held *found = NULL;

	for (size_t i = 0; i < member->held_count; i++)
		if (member->held[i].active_at <= sim_now &&
		    (!found || member->held[i].generation > found->generation))
			found = &member->held[i];
	return found ? found : member->held_count ? member->held : NULL;
}

/* Is a newer one in use for so long that nobody sends with this one any more? */
static bool has_retired(const struct member *member, const struct held *held)
{
	for (size_t i = 0; i < member->held_count; i++) {
		const struct held *newer = &member->held[i];

		if (newer->generation > held->generation &&
		    newer->active_at + newer->deactivation <= sim_now)
			return true;
	}
	return false;
}

void sim_member_age(struct member *member)
{
	size_t kept = 0;

	/* a newer one stands behind, so what is kept in front of it hides none */
	for (size_t i = 0; i < member->held_count; i++)
		if (member->held[i].ends_at > sim_now && !has_retired(member, &member->held[i]))
			member->held[kept++] = member->held[i];
	member->held_count = kept;
}

uint32_t sim_member_sends_with(const struct member *member)
{
	const struct held *found = active(member);

	return found && found->ends_at > sim_now ? found->generation : 0;
}

bool sim_member_holds(const struct member *member, uint32_t generation)
{
	for (size_t i = 0; i < member->held_count; i++)
		if (member->held[i].generation == generation && member->held[i].ends_at > sim_now)
			return true;
	return false;
}
