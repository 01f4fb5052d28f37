// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * simulation [--members N] [--days N] [--seed N]: a month of three groups (see simulation.h).
 *
 *   mesh    nine tenths of the members; sharing pairwise, rekey on-leave
 *   small   the rest; sharing group, rekey on-join and on-leave
 *   few     five, who are often all away; sharing pairwise with 8 bits, rekey on-join only; some of
 *           them now and then want all Sender-IDs
 *
 * Ends with a line of what happened, or with what did not hold and the seed.
 */
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/simulation/simulation.h"

/* No disk is simulated. */
int fsync(int fd)
{
	return 0;
}

int fdatasync(int fd)
{
	return 0;
}

#define DPD   (30 * SECOND)
#define BURST 100
#define FEW   2
#define SHARE 16 /* of the Sender-IDs of few, for each member */
#define SPARE 4 /* members that ever were, in parts of those that are */

static struct {
	uint64_t members, days, seed;
} options = { 10000, 30, 1 };

static uint64_t restarts, bursts, grabs;

static struct member *somebody(struct group *group)
{
	for (int i = 0; i < 1000; i++) {
		struct member *member = &sim_members[sim_random(sim_member_count)];

		if ((!group || member->group == group) && member->wants && member->ike_sa &&
		    member->reachable)
			return member;
	}
	return NULL;
}

/* ---- what happens ---- */

static void join(struct group *group)
{
	if (sim_member_count < options.members * SPARE)
		sim_member_connect(sim_member_new(group), (int64_t)sim_random(10 * SECOND));
}

static void comes(struct member *unused, struct push *push, uint64_t number)
{
	join(&sim_groups[number]);
}

/* One leaves, by itself or denied by the operator, and another one comes. */
static void leave(struct member *member)
{
	struct gcks_pattern *pattern;

	member->wants = false;
	if (sim_random(2)) {
		member->denied = true;
		pattern = gcks_pattern_new(member->identity);
		if (!pattern)
			abort();
		/* the last hundred only, as an operator tidies up */
		gcks_pattern_insert(&member->group->policy->deny, pattern);
		sim_server_end(member);
		SIM_CHECK(!sim_server_register(member), "%s is denied", member->identity);
		gcks_pattern_remove(&member->group->policy->deny, member->identity);
	} else {
		sim_server_end(member);
	}
	member->held_count = 0;
	if (member->group == &sim_groups[FEW])
		sim_at(sim_now + sim_interval(3 * HOUR), comes, NULL, NULL, FEW);
	else
		join(member->group);
}

static void leaves(struct member *unused, struct push *push, uint64_t number)
{
	struct group *group = &sim_groups[number];
	struct member *member = somebody(group);

	if (member)
		leave(member);
	sim_at(sim_now + sim_interval(number ? HOUR : 3 * HOUR), leaves, NULL, NULL, number);
}

static void check_burst(struct member *unused, struct push *push, uint64_t before)
{
	uint64_t rekeys = sim_groups[0].rekeys - before;

	SIM_CHECK(rekeys >= 1 && rekeys <= 3, "%d leaves at once are %llu rekeys", BURST,
		  (unsigned long long)rekeys);
}

static void burst(struct member *unused, struct push *push, uint64_t number)
{
	struct member *member;
	uint64_t before = sim_groups[0].rekeys;

	/* the rest of a rekey under way, the burst's, and perhaps one of a lifetime */
	for (int i = 0; i < BURST && (member = somebody(&sim_groups[0])); i++)
		leave(member);
	bursts++;
	sim_at(sim_now + 3 * MINUTE, check_burst, NULL, NULL, before);
	sim_at(sim_now + sim_interval(2 * DAY), burst, NULL, NULL, 0);
}

static void notices(struct member *member, struct push *push, uint64_t ike_sa)
{
	if (!member->reachable && member->ike_sa == ike_sa)
		sim_server_lost(member);
}

static void back(struct member *member, struct push *push, uint64_t number)
{
	member->reachable = true;
	sim_member_age(member);
	if (!member->wants)
		return;
	if (member->ike_sa && member->charon_holds) { /* short enough for nobody to notice */
		member->settled_since = sim_now;
		return;
	}
	member->ike_sa = 0;
	sim_member_connect(member, (int64_t)sim_random(10 * SECOND));
}

static int64_t how_long(void)
{
	uint64_t kind = sim_random(1000);

	if (kind < 3)
		return 5 * MINUTE + (int64_t)sim_random(6 * HOUR);
	return kind < 25 ? (int64_t)sim_random(280 * SECOND) : (int64_t)sim_random(2 * MINUTE);
}

static void loses(struct member *unused, struct push *push, uint64_t number)
{
	struct member *member = somebody(NULL);

	if (member) {
		member->reachable = false;
		member->settled_since = 0;
		member->group->losses++;
		sim_at(sim_now + DPD, notices, member, NULL, member->ike_sa);
		sim_at(sim_now + how_long(), back, member, NULL, 0);
	}
	/* so often that Sender-IDs run out once or twice */
	sim_at(sim_now + sim_interval(4 * DAY / (int64_t)options.members), loses, NULL, NULL, 0);
}

/* It registers until it is refused. */
static void grab(struct member *unused, struct push *push, uint64_t number)
{
	struct member *member = somebody(&sim_groups[FEW]);
	uint32_t given = 0;

	if (member) {
		member->insider = true;
		while (sim_server_register(member))
			given++;
		/* the group may have begun anew by its last one, and it has another one then */
		SIM_CHECK(given <= SHARE + 1, "%s was given %u Sender-IDs", member->identity,
			  given);
		grabs++;
	}
	sim_at(sim_now + sim_interval(16 * HOUR), grab, NULL, NULL, 0);
}

static void operator_rekeys(struct member *unused, struct push *push, uint64_t number)
{
	sim_server_operator(&sim_groups[sim_random(GROUPS)]);
	sim_at(sim_now + sim_interval(DAY), operator_rekeys, NULL, NULL, 0);
}

static void restarts_gcksd(struct member *unused, struct push *push, uint64_t number)
{
	restarts++;
	sim_server_restart();
	sim_at(sim_now + sim_interval(3 * DAY), restarts_gcksd, NULL, NULL, 0);
}

static void restarts_charon(struct member *unused, struct push *push, uint64_t number)
{
	restarts++;
	sim_server_charon_restart();
	sim_at(sim_now + sim_interval(10 * DAY), restarts_charon, NULL, NULL, 0);
}

static void copies(struct member *unused, struct push *push, uint64_t number)
{
	sim_server_copy_store();
}

static void restores(struct member *unused, struct push *push, uint64_t number)
{
	sim_server_restore_store();
}

static void sweep(struct member *unused, struct push *push, uint64_t number)
{
	for (size_t i = 0; i < GROUPS; i++)
		sim_check_group(&sim_groups[i]);
	sim_at(sim_now + 5 * MINUTE, sweep, NULL, NULL, 0);
}

/* ---- the groups ---- */

static const struct {
	const char *name;
	enum gcks_sharing sharing;
	enum gcks_cipher cipher;
	uint32_t lifetime_s, hold_s;
	uint8_t sender_id_bits;
	bool on_join, on_leave;
} declared[GROUPS] = {
	{ "mesh", GCKS_SHARING_PAIRWISE, GCKS_CIPHER_AES256GCM16, 6 * 3600, 300, 16, false, true },
	{ "small", GCKS_SHARING_GROUP, GCKS_CIPHER_AES256CBC_SHA256, 4 * 3600, 7200, 16, true, true },
	{ "few", GCKS_SHARING_PAIRWISE, GCKS_CIPHER_CHACHA20POLY1305, 8 * 3600, 300, 8, true, false },
};

static void configure(void)
{
	for (uint32_t i = 0; i < GROUPS; i++) {
		struct gcks_group *policy = gcks_policy_add(&sim_policy, declared[i].name);
		struct gcks_pattern *permit = gcks_pattern_new("*.example");

		if (!policy || !permit)
			abort();
		gcks_pattern_insert(&policy->permit, permit);
		policy->identifier = 100 + i;
		policy->sharing = declared[i].sharing;
		policy->cipher = declared[i].cipher;
		policy->lifetime_data_s = declared[i].lifetime_s;
		policy->registration_hold_time_s = declared[i].hold_s;
		policy->sender_id_bits = declared[i].sender_id_bits;
		policy->activation_delay_s = 60;
		policy->deactivation_delay_s = 30;
		policy->rekey_on_leave = declared[i].on_leave;
		policy->rekey_on_join = declared[i].on_join;
		sim_groups[i] = (struct group){
			.policy = policy,
			.identifier = policy->identifier,
			.pairwise = declared[i].sharing == GCKS_SHARING_PAIRWISE,
		};
	}
}

static void plan(void)
{
	/* everybody within the first hour */
	for (uint64_t i = 0; i < options.members; i++) {
		struct member *member =
			sim_member_new(&sim_groups[i < 5 ? FEW : i % 10 == 9]);

		sim_member_connect(member, (int64_t)sim_random(HOUR));
	}
	for (uint64_t i = 0; i < GROUPS; i++)
		sim_at(sim_now + 2 * HOUR, leaves, NULL, NULL, i);
	sim_at(sim_now + 2 * HOUR, loses, NULL, NULL, 0);
	sim_at(sim_now + 6 * HOUR, burst, NULL, NULL, 0);
	sim_at(sim_now + 7 * HOUR, grab, NULL, NULL, 0);
	sim_at(sim_now + 5 * HOUR, operator_rekeys, NULL, NULL, 0);
	sim_at(sim_now + 9 * HOUR, restarts_gcksd, NULL, NULL, 0);
	sim_at(sim_now + 15 * HOUR, restarts_charon, NULL, NULL, 0);
	sim_at(sim_now + (int64_t)options.days * DAY / 2, copies, NULL, NULL, 0);
	sim_at(sim_now + (int64_t)options.days * DAY * 3 / 4, restores, NULL, NULL, 0);
	sim_at(sim_now + MINUTE, sweep, NULL, NULL, 0);
}

static void report(void)
{
	printf("simulation: %llu members, %llu days, seed %llu: %llu events, %llu restarts, "
	       "%llu bursts of leaves, %llu times all Sender-IDs of a share",
	       (unsigned long long)options.members, (unsigned long long)options.days,
	       (unsigned long long)options.seed, (unsigned long long)sim_steps,
	       (unsigned long long)restarts, (unsigned long long)bursts, (unsigned long long)grabs);
	for (size_t i = 0; i < GROUPS; i++) {
		const struct group *group = &sim_groups[i];

		printf("; group %s: %llu registrations, %llu leaves, %llu losses, %llu ended, "
		       "%llu rekeys, %llu pushes, begun anew %llu times",
		       group->policy->name, (unsigned long long)group->joins,
		       (unsigned long long)group->leaves, (unsigned long long)group->losses,
		       (unsigned long long)group->removed, (unsigned long long)group->rekeys,
		       (unsigned long long)group->pushes, (unsigned long long)group->exhausted);
	}
	printf("\n");
}

static int remove_one(const char *name, const struct stat *status, int kind, struct FTW *at)
{
	return remove(name);
}

static void read_options(int argc, char **argv)
{
	static const struct option names[] = { { "members", required_argument, NULL, 'm' },
					       { "days", required_argument, NULL, 'd' },
					       { "seed", required_argument, NULL, 's' },
					       { 0 } };
	int option;

#ifdef SIMULATION_DAYS
	options.days = SIMULATION_DAYS;
#endif
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		uint64_t value = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (option) {
		case 'm': options.members = value; break;
		case 'd': options.days = value; break;
		case 's': options.seed = value; break;
		default: exit(2);
		}
	}
	if (options.members < 300 || options.members > 50000 || !options.days) {
		fprintf(stderr, "simulation: 300 to 50000 members, at least one day\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	const char *temporary = getenv("TMPDIR");
	char folder[256];
	int64_t end;

	read_options(argc, argv);
	sim_seed(options.seed);
	snprintf(folder, sizeof(folder), "%s/simulation-XXXXXX", temporary ? temporary : P_tmpdir);
	sim_members = calloc(options.members * SPARE, sizeof(*sim_members));
	if (!sim_members || !mkdtemp(folder))
		return 2;
	configure();
	sim_server_start(folder);
	plan();
	end = sim_now + (int64_t)options.days * DAY;
	while (sim_step(end))
		;
	report();
	SIM_CHECK(options.days < 20 || sim_groups[0].exhausted || sim_groups[FEW].exhausted, "Sender-IDs never ran out");
	sim_server_stop();
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(sim_members);
	for (size_t i = 0; i < GROUPS; i++)
		free(sim_groups[i].made);
	return 0;
}
