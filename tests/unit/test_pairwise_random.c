// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A member of a pairwise group through random rekeys, route flaps, Sender-ID changes, restarts of
 * charon, gcksd and the host, each at any point of a plan that is being carried out, and a store
 * that was lost or put back.  Whatever comes:
 *
 *   - no outbound state is made twice for one (TEK, our Sender-ID, the other's): its nonces would
 * repeat
 *   - nor is an inbound one, whose replay window would be empty, but for SAs that nobody sends with
 * yet
 *   - what the kernel loses is made up for, whatever is lost
 *   - while one that may be used is there, the way to a gateway is never without an outbound state,
 *     but for a change of one of the two Sender-IDs, or while we need another one and are given
 * none
 *   - inbound states of every SA held are there once it settles, and go only with their SA, or when
 *     one of the two Sender-IDs changes; one that is lost while its SA is about to go stays away
 *   - when it settles, every gateway whose Sender-ID is known can be sent to, if the key server
 * gives a Sender-ID where another one is needed
 */
#include "gcks/planner.h"
#include "tests/unit/gcks_unit.h"

#define REMOTES	      4
#define STEPS	      400
#define MADE_MAX      8192
#define ACTIVATION    5
#define DEACTIVATION  10
#define LIFETIME      120
#define SENDER_ID_MAX 0xffff

static struct gcks_member_table table;
static struct gcks_membership *blue;
static uint32_t state;

/* gcksd: what the store keeps, and what charon has acknowledged */
static struct gcks_kernel_ids known, installed;
static struct gcks_kernel_ids saved; /* a copy of the store */

/* the kernel */
static struct gcks_kernel_ids kernel;
static struct gcks_kernel_id made[MADE_MAX];
static size_t made_count;

/* the key server, and what charon has of it */
static int64_t now_s;
static uint32_t next_tek, next_sender_id;
static struct held {
	uint32_t tek;
	int64_t received_s;
} held[GSA_DATA_SA_MAX];
static size_t held_count;
static uint32_t given[GSA_SENDER_ID_MAX];
static size_t given_count;
static bool incomplete; /* the store, by its anchor */
static bool refuses;	/* our share of the group's Sender-IDs is used up */
static bool needs_one;
static unsigned int refusals;

static struct {
	uint32_t sender_id;
	bool routed;
} remotes[REMOTES];

static uint32_t random_below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % limit;
}

/* ---- charon's side ---- */

static void give_sender_id(void)
{
	if (given_count == COUNT(given)) {
		memmove(given, given + 1, sizeof(given) - sizeof(given[0]));
		given_count--;
	}
	given[given_count++] = next_sender_id++;
	ck_assert_uint_le(next_sender_id, SENDER_ID_MAX);
}

static void report(void)
{
	struct group_sa parts[GSA_DATA_SA_MAX];
	Gsa__DataSa *list[GSA_DATA_SA_MAX];
	const char *reason;

	if (!held_count)
		return;
	for (size_t i = 0; i < held_count; i++) {
		/* prefixes come again; the key tells */
		pairwise_sa_fill(&parts[i], 100, (1 + held[i].tek % 9) << 16, held[i].tek);
		parts[i].data_sa.age_ms = 1000 * (uint64_t)(now_s - held[i].received_s);
		parts[i].data_sa.activation_delay_s = ACTIVATION;
		parts[i].data_sa.deactivation_delay_s = DEACTIVATION;
		parts[i].data_sa.lifetime_s = LIFETIME;
		list[i] = &parts[i].data_sa;
	}
	parts[0].group_sa.data_sa = list;
	parts[0].group_sa.n_data_sa = held_count;
	parts[0].group_sa.sender_id = given;
	parts[0].group_sa.n_sender_id = given_count;
	ck_assert_msg(gcks_membership_set_sas(blue, &parts[0].group_sa, 1000 * now_s, &reason),
		      "%s", reason);
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED;
}

static void rekey(void)
{
	if (held_count == COUNT(held))
		return;
	held[held_count++] = (struct held){ .tek = next_tek++, .received_s = now_s };
	report();
}

/* charon forgets all but what the key server gives it again. */
static void restart_charon(void)
{
	given_count = 0;
	gcks_kernel_ids_clear(&installed);
	give_sender_id();
	if (!held_count)
		rekey();
	report();
}

static void join_blue(void)
{
	struct gcks_prefix own = prefix_of("10.99.0.0/24");

	blue = join(&table, "blue", 100, "192.0.2.99", 0);
	ck_assert(gcks_membership_set_export(blue, &own));
}

static void set_remote(size_t i)
{
	char prefix[32], gateway[32];

	snprintf(prefix, sizeof(prefix), "10.%zu.0.0/24", i);
	snprintf(gateway, sizeof(gateway), "192.0.2.%zu", i + 1);
	if (remotes[i].routed) {
		set_sender(blue, prefix, gateway, remotes[i].sender_id);
	} else {
		struct gcks_prefix gone = prefix_of(prefix);

		gcks_membership_remove_route(blue, &gone);
	}
}

/* All that gcksd knows is what the store keeps, with its anchor, and what it is told again. */
static void restart_gcksd(void)
{
	gcks_member_table_clear(&table);
	gcks_kernel_ids_clear(&installed);
	join_blue();
	blue->resuming = true;
	report();
	if (incomplete)
		gcks_membership_doubt(blue);
	for (size_t i = 0; i < REMOTES; i++)
		set_remote(i);
}

/* The store is empty, or one of some time ago, and an operator has flushed the kernel as well. */
static void lose_store(void)
{
	gcks_kernel_ids_clear(&kernel);
	gcks_kernel_ids_clear(&known);
	for (size_t i = 0; random_below(2) && i < saved.count; i++)
		ck_assert(gcks_kernel_ids_add(&known, &saved.ids[i]));
	incomplete = true;
	restart_gcksd();
}

static void save_store(void)
{
	gcks_kernel_ids_clear(&saved);
	for (size_t i = 0; i < known.count; i++)
		ck_assert(gcks_kernel_ids_add(&saved, &known.ids[i]));
}

static void reboot(void)
{
	gcks_kernel_ids_clear(&kernel);
	restart_gcksd();
	/* as gcks_install_start() does, if it notices that the kernel is another one */
	for (size_t i = 0; random_below(2) && i < known.count; i++)
		if (gcks_is_pair(&known.ids[i]))
			known.ids[i].used = true;
	restart_charon();
}

static void excluded(void)
{
	blue->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED;
	gcks_membership_drop_sas(blue);
	given_count = 0;
	give_sender_id();
}

/* Somebody deletes a state, or a few; it is seen at once, or when charon is back. */
static void lose(void)
{
	bool seen = random_below(2);

	for (uint32_t i = 1 + random_below(3); i && kernel.count; i--) {
		struct gcks_kernel_id id = kernel.ids[random_below((uint32_t)kernel.count)];

		gcks_kernel_ids_remove(&kernel, &id);
		if (!seen)
			continue;
		gcks_kernel_ids_remove(&installed, &id);
		gcks_kernel_ids_set_used(&known, &id);
	}
	if (!seen)
		restart_charon();
}

static void change(void)
{
	size_t i = random_below(REMOTES);

	switch (random_below(20)) {
	case 0:
	case 1:
		rekey();
		break;
	case 2:
		restart_charon();
		break;
	case 3:
		restart_gcksd();
		break;
	case 4:
		if (!random_below(4))
			reboot();
		break;
	case 5:
		if (!random_below(4))
			excluded();
		break;
	case 6:
		remotes[i].sender_id = next_sender_id++;
		set_remote(i);
		break;
	case 7: /* an old message */
		if (remotes[i].sender_id && !random_below(4))
			remotes[i].sender_id--;
		set_remote(i);
		break;
	case 16:
		if (!random_below(3))
			lose();
		break;
	case 8:
	case 9:
		remotes[i].routed = !remotes[i].routed;
		set_remote(i);
		break;
	case 17:
		if (!random_below(4))
			lose_store();
		break;
	case 18:
		if (!random_below(4))
			save_store();
		break;
	case 19:
		refuses = random_below(2);
		break;
	default:
		now_s += random_below(6);
		break;
	}
}

/* ---- the kernel ---- */

static bool same_pair(const struct gcks_kernel_id *a, const struct gcks_kernel_id *b)
{
	return a->mark == b->mark && a->spi == b->spi && a->receiver == b->receiver &&
	       a->direction == b->direction;
}

static bool in_kernel(const struct gcks_kernel_id *id)
{
	for (size_t i = 0; i < kernel.count; i++)
		if (gcks_same_place(&kernel.ids[i], id)) {
			/* what charon would keep has to be what is asked for */
			ck_assert(same_pair(&kernel.ids[i], id));
			return true;
		}
	return false;
}

static void make_state(const struct gcks_desired *desired)
{
	const struct gcks_kernel_id *id = &desired->id;
	bool unused = id->direction == GSA__DIRECTION__DIRECTION_IN &&
		      desired->sa->phase == GCKS_SA_ARRIVED;

	for (size_t i = 0; i < made_count; i++)
		ck_assert_msg(!same_pair(&made[i], id) || unused, "made twice");
	ck_assert_uint_lt(made_count, MADE_MAX);
	made[made_count++] = *id;
	ck_assert(gcks_kernel_ids_add(&kernel, id));
}

static bool reaches(const struct gcks_address *gateway)
{
	for (size_t i = 0; i < kernel.count; i++)
		if (kernel.ids[i].direction == GSA__DIRECTION__DIRECTION_OUT &&
		    gcks_address_equal(&kernel.ids[i].destination, gateway))
			return true;
	return false;
}

static bool is_held(const struct gcks_kernel_id *id)
{
	for (const struct gcks_member_sa *sa = blue->sas; sa; sa = sa->next)
		if (gcks_is_of_sa(id, sa))
			return true;
	return false;
}

static size_t remote_of(const struct gcks_address *gateway)
{
	ck_assert_uint_le(gateway->octets[3], REMOTES);
	return gateway->octets[3] - 1u;
}

static bool is_claimed_by_another(size_t remote, uint32_t sender_id)
{
	for (size_t i = 0; i < REMOTES; i++)
		if (i != remote && remotes[i].routed && remotes[i].sender_id == sender_id)
			return true;
	return false;
}

static void remove_state(const struct gcks_kernel_id *id)
{
	uint32_t sender = id->spi & SENDER_ID_MAX;
	size_t remote;

	if (id->direction == GSA__DIRECTION__DIRECTION_IN) {
		remote = remote_of(&id->source);
		ck_assert(!is_held(id) || id->receiver != blue->sender_id + 1 ||
			  (remotes[remote].routed && remotes[remote].sender_id != sender) ||
			  is_claimed_by_another(remote, sender));
		gcks_kernel_ids_remove(&kernel, id);
		return;
	}
	remote = remote_of(&id->destination);
	gcks_kernel_ids_remove(&kernel, id);
	if (is_held(id) && sender == blue->sender_id && remotes[remote].routed &&
	    remotes[remote].sender_id == id->receiver - 1)
		ck_assert(reaches(&id->destination) || needs_one);
}

/* ---- gcksd's side: what client_install.c does, until `crash` requests are done ---- */

static bool carry_out(uint32_t crash)
{
	struct gcks_plan plan;
	bool more;

	ck_assert(gcks_plan_make(&table, &installed, &known, GCKS_REMOVE_ALL, &plan));
	more = plan.install_count || plan.remove_count;
	/* all of it is stored before any of it is asked for */
	for (size_t i = 0; i < plan.install_count; i++)
		ck_assert(gcks_kernel_ids_add(&known, &plan.install[i].id));
	for (size_t i = 0; i < plan.install_count && crash; i++, crash--) {
		const struct gcks_kernel_id *id = &plan.install[i].id;
		bool lost = crash == 1; /* its answer */

		if (id->kind == GCKS_KERNEL_SA && !in_kernel(id)) {
			if (plan.install[i].fresh) {
				make_state(&plan.install[i]);
			} else {
				if (!lost)
					gcks_kernel_ids_set_used(&known, id);
				continue;
			}
		}
		if (!lost)
			ck_assert(gcks_kernel_ids_add(&installed, id));
	}
	for (size_t i = 0; i < plan.remove_count && crash; i++, crash--) {
		const struct gcks_kernel_id *id = &plan.remove[i];

		if (id->kind == GCKS_KERNEL_SA)
			remove_state(id);
		gcks_kernel_ids_remove(&installed, id);
		if (crash == 1)
			break;
		if (gcks_is_remembered(&table, &known, id))
			gcks_kernel_ids_set_used(&known, id);
		else
			gcks_kernel_ids_remove(&known, id);
	}
	for (size_t i = known.count; i-- > 0;) {
		struct gcks_kernel_id id = known.ids[i];

		if (id.used && !gcks_is_remembered(&table, &known, &id))
			gcks_kernel_ids_remove(&known, &id);
	}
	gcks_plan_clear(&plan);
	return more;
}

static void advance(void)
{
	size_t kept = 0;

	gcks_member_advance(&table, 1000 * now_s);
	while (blue->gone) { /* RetireSa */
		struct gcks_member_sa *gone = blue->gone;

		blue->gone = gone->next;
		gcks_member_sa_free(gone);
	}
	if (blue->sas)
		for (size_t i = 0; i < held_count; i++)
			for (const struct gcks_member_sa *sa = blue->sas; sa; sa = sa->next)
				if (memcmp(sa->key.data, &held[i].tek, sizeof(held[i].tek)) == 0) {
					held[kept++] = held[i];
					break;
				}
	held_count = blue->sas || blue->ended ? kept : held_count;
	if (!blue->sas && !held_count)
		rekey();
	needs_one = gcks_membership_choose_sender_id(blue, &known) == GCKS_SENDER_ID_NEEDED;
	incomplete &= !gcks_membership_is_settled(blue, &known);
	if (needs_one && refuses) {
		refusals++;
	} else if (needs_one) {
		give_sender_id();
		report();
		needs_one = false;
		ck_assert_int_ne(gcks_membership_choose_sender_id(blue, &known),
				 GCKS_SENDER_ID_NEEDED);
		incomplete &= !gcks_membership_is_settled(blue, &known);
	}
}

static void check_settled(void)
{
	gcks_member_update_ready(&table, &installed);
	for (size_t i = 0; i < blue->route_count && blue->sas; i++) {
		const struct gcks_member_route *route = &blue->routes[i];
		struct gcks_senders senders;
		const struct gcks_sender *sender;
		struct gcks_kernel_id id;

		ck_assert(gcks_senders_make(&senders, blue));
		sender = gcks_senders_find(&senders, &route->gateway);
		ck_assert_ptr_nonnull(sender);
		ck_assert(route->ready == !sender->refused);
		for (const struct gcks_member_sa *sa = blue->sas; sa && !sender->refused;
		     sa = sa->next) {
			ck_assert(gcks_inbound_id(blue, sa, sender, &id));
			ck_assert(in_kernel(&id) || (sa->phase == GCKS_SA_RETIRING &&
						     gcks_must_not_be_made(&id, &known)));
		}
		gcks_senders_clear(&senders);
	}
	/* and nothing else */
	for (size_t i = 0; i < kernel.count; i++)
		ck_assert(is_held(&kernel.ids[i]));
}

static void setup(void)
{
	made_count = held_count = given_count = refusals = 0;
	refuses = incomplete = false;
	now_s = 1000;
	next_tek = next_sender_id = 1;
	memset(remotes, 0, sizeof(remotes));
	for (size_t i = 0; i < REMOTES; i++)
		remotes[i].sender_id = next_sender_id++;
	join_blue();
	restart_charon();
	for (size_t i = 0; i < REMOTES; i++) {
		remotes[i].routed = true;
		set_remote(i);
	}
}

static void teardown(void)
{
	gcks_member_table_clear(&table);
	gcks_kernel_ids_clear(&installed);
	gcks_kernel_ids_clear(&known);
	gcks_kernel_ids_clear(&saved);
	gcks_kernel_ids_clear(&kernel);
}

START_TEST(random_events)
{
	state = 2463534242u + (uint32_t)_i;
	for (int step = 0; step < STEPS; step++) {
		int rounds = 0;

		change();
		if (random_below(3)) {
			advance();
			carry_out(random_below(4));
			continue;
		}
		do
			advance();
		while (carry_out(UINT32_MAX) && ++rounds < 12);
		ck_assert_int_lt(rounds, 12);
		if (!needs_one)
			check_settled();
	}
	ck_assert_uint_gt(made_count, 40);
	ck_assert_uint_gt(refusals, 0);
}
END_TEST

Suite *pairwise_random_suite(void)
{
	Suite *suite = suite_create("pairwise_random");
	TCase *tcase = tcase_create("pairwise_random");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, random_events, 0, 40);
	suite_add_tcase(suite, tcase);
	return suite;
}
