// SPDX-License-Identifier: GPL-2.0-or-later
/* The key server: what server*.c of gcksd does around the pure tables, without daemons. */
#include "tests/simulation/simulation.h"

#include "gcks/former.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATENCY_MIN 20LL
#define LATENCY	    80
#define CHARON_AWAY (20 * SECOND)

/* A Rekey on its way. */
struct push {
	uint32_t request, ike_sa;
	bool again; /* once more, at the end of charon's patience */
	Gsa__GroupSa group_sa;
	Gsa__DataSa data_sa[GSA_DATA_SA_MAX], *list[GSA_DATA_SA_MAX];
};

struct gcks_policy sim_policy;
struct gcks_registrations sim_registrations;
struct gcks_sa_table sim_sas;
const struct gcks_tables sim_tables = { &sim_policy, &sim_registrations, &sim_sas };
struct group sim_groups[GROUPS];

static struct gcks_store *store;
static char path[300], key_file[300], copy[320];
static uint32_t last_ike_sa, last_request;
static uint64_t run; /* of charon: what was in flight in an earlier one is not answered */
static bool connected;

static void look_at(struct group *group);

/* ---- time and store ---- */

static time_t wall(void)
{
	return 1700000000 + sim_now / 1000;
}

static void set_clock(void)
{
	struct gcks_clock clock = { .now = sim_now, .wall = (int64_t)wall() * 1000, .boot = "one" };

	gcks_store_set_clock(store, &clock);
}

static void commit(const struct gcks_change *changes, size_t count)
{
	SIM_CHECK(gcks_store_commit(store, changes, count) && gcks_store_sync(store),
		  "the store: %s", gcks_store_error(store));
}

static void open_store(void)
{
	struct gcks_kernel_ids installed = {};
	char error[512] = "";

	store = gcks_store_open(path, key_file, error, sizeof(error));
	SIM_CHECK(store, "the store: %s", error);
	set_clock();
	SIM_CHECK(gcks_store_load(store, &sim_registrations, &sim_sas, &installed, error,
				  sizeof(error)),
		  "the store: %s", error);
}

/* ---- finding ---- */

static struct group *group_of(uint32_t identifier)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (sim_groups[i].identifier == identifier)
			return &sim_groups[i];
	sim_fail("no group %u", identifier);
}

struct member *sim_member_of(const struct gcks_registration *entry)
{
	return &sim_members[strtoul(entry->identity + 1, NULL, 10)];
}

struct gcks_registration *sim_server_entry(const struct member *member)
{
	return gcks_registration_find(&sim_registrations, member->group->identifier,
				      member->identity);
}

/* ---- ends ---- */

/* Deletes over the IKE_SA; who is cut off does not hear of it. */
static void tell_end(struct member *member, uint32_t ike_sa)
{
	if (!ike_sa || ike_sa != member->ike_sa)
		return;
	member->charon_holds = false;
	if (!member->reachable)
		return;
	sim_member_forget(member);
	if (member->wants)
		sim_member_connect(member, (int64_t)sim_random(20 * SECOND));
}

static void end_entry(struct gcks_registration *entry)
{
	struct group *group = group_of(entry->group);
	struct gcks_change changes[2];

	/* it holds what everybody sends with, or is about to */
	if (group->policy->rekey_on_leave && !group->left_at &&
	    sim_member_holds(sim_member_of(entry), (uint32_t)group->made_count))
		group->left_at = sim_now;
	sim_member_of(entry)->removed = ++group->removed;
	commit(changes, gcks_former_changes(&sim_sas, &entry, 1, changes));
	gcks_rekey_left(&sim_tables, entry, sim_now);
	gcks_registration_take_out(&sim_registrations, entry);
	gcks_former_keep(&sim_sas, entry);
}

void sim_server_end(struct member *member)
{
	struct gcks_registration *entry = sim_server_entry(member);
	uint32_t ike_sa = entry ? entry->ike_sa : 0;

	if (entry) {
		end_entry(entry);
		member->group->leaves++;
	}
	tell_end(member, ike_sa);
	if (!member->wants && member->reachable)
		sim_member_forget(member);
	look_at(member->group);
}

static void expire(struct member *member, struct push *push, uint64_t until)
{
	struct gcks_registration *entry = sim_server_entry(member);

	if (!entry || !entry->stale || (uint64_t)entry->stale_until != until)
		return;
	SIM_CHECK(!member->settled_since || !member->charon_holds,
		  "%s ends by hold time although it is there", member->identity);
	end_entry(entry);
	look_at(member->group);
}

static void make_stale(struct gcks_registration *entry)
{
	struct member *member = sim_member_of(entry);
	int64_t until = sim_now / 1000 + member->group->policy->registration_hold_time_s;

	gcks_rekey_lost(&sim_tables, entry);
	gcks_registration_set_stale(entry, until);
	sim_at(until * 1000, expire, member, NULL, (uint64_t)until);
}

void sim_server_lost(struct member *member)
{
	struct gcks_registration *entry = sim_server_entry(member);

	if (!member->charon_holds)
		return;
	member->charon_holds = false;
	if (entry && entry->ike_sa == member->ike_sa)
		make_stale(entry);
	look_at(member->group);
}

/* ---- decisions carried out ---- */

struct told {
	struct member *member;
	uint32_t ike_sa;
};

static void carry_out(struct group *group, struct gcks_decision *decision)
{
	size_t count = decision->ended_count;
	struct told *told = calloc(count + 1, sizeof(*told));
	const struct gcks_sa *sa = decision->sa;
	bool for_new_member = decision->entry && !decision->again;

	if (!told)
		abort();
	commit(decision->changes, decision->change_count);
	for (size_t i = 0; i < count; i++) {
		struct gcks_registration *entry = decision->ended[i];

		told[i] = (struct told){ sim_member_of(entry), entry->ike_sa };
		/* its end is the reason of the rekey, or everybody's */
		if (!decision->anew)
			sim_check_missed(told[i].member);
		told[i].member->removed = ++group->removed;
	}
	if (decision->anew) {
		group->epoch++;
		group->exhausted++;
		memset(group->given, 0, sizeof(group->given));
	} else if (decision->ended_sa_count) {
		/* nobody is there, so nobody waits for what follows a leave */
		group->left_at = 0;
	}
	gcks_decision_apply(&sim_tables, decision, sim_now);
	if (sa)
		sim_check_made(group, sa, for_new_member);
	for (size_t i = 0; i < count; i++)
		tell_end(told[i].member, told[i].ike_sa);
	free(told);
}

bool sim_server_register(struct member *member)
{
	Gsa__RegistrationRequest request = GSA__REGISTRATION_REQUEST__INIT;
	Gsa__Peer peer = GSA__PEER__INIT;
	struct group *group = member->group;
	struct gcks_sa_message message;
	struct gcks_decision decision;
	uint8_t address[4];
	bool again, is_new;

	if (!connected)
		return false;
	for (int i = 0; i < 4; i++)
		address[i] = (uint8_t)(member->address >> (24 - 8 * i));
	peer.ike_sa = ++last_ike_sa;
	peer.identity = member->identity;
	peer.address = (ProtobufCBinaryData){ sizeof(address), address };
	peer.credential = GSA__CREDENTIAL__CREDENTIAL_PSK;
	request.peer = &peer;
	request.group_id_type = GSA_ID_KEY_ID;
	request.group_id =
		(ProtobufCBinaryData){ strlen(group->policy->name), (uint8_t *)group->policy->name };
	request.sender = true;
	request.sender_ids = 1;
	gcks_decide_registration(&sim_tables, &request, sim_now, wall(), &decision);
	SIM_CHECK(!decision.fault, "%s", decision.verdict.reason);
	SIM_CHECK(!!decision.verdict.notify == member->denied ||
			  (member->insider && strstr(decision.verdict.reason, "its share")),
		  "%s is %s: %s", member->identity,
		  member->denied ? "let in although it is denied" : "refused",
		  decision.verdict.reason);
	if (decision.verdict.notify)
		return false;
	again = decision.again;
	is_new = !again;
	carry_out(group, &decision);
	SIM_CHECK(gcks_sa_message_fill(&message,
				       gcks_sa_group_find(&sim_sas, group->identifier),
				       group->policy, decision.first_generation, sim_now),
		  "%s is let in without an SA", member->identity);
	sim_check_sender_ids(member, decision.entry, decision.sender_id_count);
	sim_check_given(member, &message, is_new);
	member->ike_sa = peer.ike_sa;
	member->charon_holds = true;
	member->settled_since = sim_now;
	member->missed = 0;
	sim_member_take(member, &message.group_sa, true);
	group->joins++;
	look_at(group);
	return true;
}

/* ---- rekeys ---- */

static void answer(struct member *member, struct push *push, uint64_t number);

static void conclude(struct member *member, struct push *push, bool ok)
{
	struct gcks_registration *entry;

	if (ok) {
		sim_member_take(member, &push->group_sa, false);
		member->missed = 0;
	} else {
		member->missed++;
	}
	entry = gcks_rekey_done(&sim_tables, push->request, ok, sim_now);
	SIM_CHECK(!entry || sim_member_of(entry) == member, "the answer of %s is taken for %s's",
		  member->identity, entry->identity);
	if (!ok)
		sim_server_lost(member);
	free(push);
	look_at(member->group);
}

/* At the end of GIVE_UP nobody waits any more. */
static void answer(struct member *member, struct push *push, uint64_t number)
{
	bool same = member->ike_sa == push->ike_sa && member->charon_holds;

	if (number != run || !same) {
		/* charon tells of a push that its IKE_SA did not survive, if it is there itself */
		if (number == run)
			gcks_rekey_done(&sim_tables, push->request, false, sim_now);
		free(push);
		look_at(member->group);
		return;
	}
	if (member->reachable) {
		conclude(member, push, true);
	} else if (!push->again) {
		push->again = true;
		sim_at(sim_now + GIVE_UP, answer, member, push, number);
	} else {
		conclude(member, push, false);
	}
}

static void copy_message(struct push *push, const struct gcks_sa_message *message)
{
	push->group_sa = message->group_sa;
	for (size_t i = 0; i < message->group_sa.n_data_sa; i++) {
		push->data_sa[i] = message->data_sa[i];
		push->data_sa[i].key = (ProtobufCBinaryData){};
		push->list[i] = &push->data_sa[i];
	}
	push->group_sa.data_sa = push->list;
}

static bool push_to(struct group *group, const struct gcks_sa_group *sas,
		    struct gcks_registration *entry)
{
	struct member *member = sim_member_of(entry);
	const struct gcks_registration_group *members =
		gcks_registration_group(&sim_registrations, entry->group);
	struct push *push = calloc(1, sizeof(*push));
	struct gcks_sa_message message;

	if (!push)
		abort();
	if (!gcks_sa_message_fill(&message, sas, group->policy, entry->delivered + 1, sim_now)) {
		free(push);
		return false;
	}
	SIM_CHECK(entry->ike_sa == member->ike_sa, "%s is told over an IKE_SA that it does not have",
		  member->identity);
	sim_check_pushed(member, &message);
	copy_message(push, &message);
	push->request = ++last_request;
	push->ike_sa = entry->ike_sa;
	gcks_rekey_pushed(&sim_tables, entry, push->request, sim_now);
	SIM_CHECK(members->deliveries[GCKS_DELIVERY_IN_FLIGHT].count <=
			  group->policy->rekey_in_flight,
		  "group %s: %zu in flight, rekey in-flight is %u", group->policy->name,
		  members->deliveries[GCKS_DELIVERY_IN_FLIGHT].count,
		  group->policy->rekey_in_flight);
	group->pushes++;
	sim_at(sim_now + LATENCY_MIN + (int64_t)sim_random(LATENCY), answer, member, push, run);
	return true;
}

static void make(struct group *group, struct gcks_sa_group *sas)
{
	struct gcks_decision decision;

	SIM_CHECK(gcks_decide_rekey(&sim_tables, sas, sim_now, wall(), &decision),
		  "group %s: no rekey", group->policy->name);
	group->rekeys += decision.sa != NULL;
	carry_out(group, &decision);
}

static void end_sa(struct gcks_sa *sa)
{
	struct gcks_change change = { .kind = GCKS_REMOVE_SA, .sa = sa };

	commit(&change, 1);
	gcks_sa_remove(&sim_sas, sa);
}

static void wake(struct member *member, struct push *push, uint64_t number)
{
	look_at(&sim_groups[number]);
}

/* Until there is nothing to do, and again when there is. */
static void look_at(struct group *group)
{
	static int64_t planned[GROUPS];
	struct gcks_sa_group *sas = gcks_sa_group_find(&sim_sas, group->identifier);
	bool can_tell = connected, more = true;
	int64_t next;

	while (sas && more) {
		struct gcks_rekey_action next_action =
			gcks_rekey_next(&sim_tables, sas, sim_now, can_tell);

		switch (next_action.step) {
		case GCKS_REKEY_NOTHING:
		case GCKS_REKEY_ANEW: /* only by a change of policy, or another store */
			more = false;
			break;
		case GCKS_REKEY_END_SA:
			end_sa(next_action.sa);
			break;
		case GCKS_REKEY_MAKE:
			make(group, sas);
			break;
		case GCKS_REKEY_PUSH:
			can_tell = push_to(group, sas, next_action.entry);
			break;
		case GCKS_REKEY_TOLD:
			sim_check_told(group);
			break;
		}
	}
	next = sas ? gcks_rekey_wakeup(&sim_tables, sas, connected) : GCKS_NEVER;
	if (next == GCKS_NEVER)
		return;
	next = next > sim_now ? next : sim_now + 1;
	if (planned[group - sim_groups] > sim_now && planned[group - sim_groups] <= next)
		return;
	planned[group - sim_groups] = next;
	sim_at(next, wake, NULL, NULL, (uint64_t)(group - sim_groups));
}

void sim_server_operator(struct group *group)
{
	struct gcks_sa_group *sas = gcks_sa_group_find(&sim_sas, group->identifier);

	if (sas)
		gcks_rekey_trigger(sas, GCKS_TRIGGER_OPERATOR, sim_now);
	look_at(group);
}

/* ---- restarts ---- */

static void start_groups(void)
{
	for (struct gcks_sa_group *group = sim_sas.groups; group; group = group->next)
		gcks_rekey_loaded(&sim_tables, group);
}

/* charon has repeated what it holds; the rest is stale. */
static void resume(void)
{
	struct gcks_registration *entry, *next;

	connected = true;
	for (entry = sim_registrations.head; entry; entry = next) {
		struct member *member = sim_member_of(entry);

		next = entry->next;
		if (member->charon_holds) {
			gcks_registration_set_ike_sa(&sim_registrations, entry, member->ike_sa);
			gcks_registration_set_stale(entry, 0);
		} else if (!entry->stale) {
			make_stale(entry);
		}
	}
	/* what gcksd does not know is ended */
	for (size_t i = 0; i < sim_member_count; i++)
		if (sim_members[i].charon_holds && !sim_server_entry(&sim_members[i]))
			tell_end(&sim_members[i], sim_members[i].ike_sa);
	for (size_t i = 0; i < GROUPS; i++) {
		struct gcks_sa_group *sas =
			gcks_sa_group_find(&sim_sas, sim_groups[i].identifier);

		if (sas)
			gcks_rekey_resume(&sim_tables, sas, sim_now);
		sim_groups[i].quiet_at = sim_now;
		look_at(&sim_groups[i]);
	}
}

static void load_again(void)
{
	gcks_store_close(store);
	gcks_registrations_clear(&sim_registrations);
	gcks_sa_table_clear(&sim_sas);
	open_store();
	start_groups();
	connected = false;
}

void sim_server_restart(void)
{
	load_again();
	resume();
}

static void charon_is_back(struct member *member, struct push *push, uint64_t number)
{
	resume();
}

void sim_server_charon_restart(void)
{
	run++;
	connected = false;
	for (struct gcks_registration *entry = sim_registrations.head; entry; entry = entry->next)
		gcks_registration_set_ike_sa(&sim_registrations, entry, 0);
	for (size_t i = 0; i < sim_member_count; i++) {
		struct member *member = &sim_members[i];

		if (!member->ike_sa)
			continue;
		member->charon_holds = false;
		member->ike_sa = 0; /* it finds out soon, and keeps its SAs */
		member->settled_since = 0;
		sim_member_connect(member, CHARON_AWAY + (int64_t)sim_random(2 * MINUTE));
	}
	sim_at(sim_now + CHARON_AWAY / 2, charon_is_back, NULL, NULL, 0);
}

/* ---- old copies ---- */

static void copy_file(const char *from, const char *to)
{
	char buffer[65536];
	FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
	size_t length;

	SIM_CHECK(in && out, "%s cannot be copied to %s", from, to);
	while ((length = fread(buffer, 1, sizeof(buffer), in)))
		SIM_CHECK(fwrite(buffer, 1, length, out) == length, "%s cannot be written", to);
	fclose(in);
	SIM_CHECK(fclose(out) == 0, "%s cannot be written", to);
}

void sim_server_copy_store(void)
{
	/* closed, so that all is in the one file */
	gcks_store_close(store);
	copy_file(path, copy);
	gcks_registrations_clear(&sim_registrations);
	gcks_sa_table_clear(&sim_sas);
	open_store();
	start_groups();
	resume();
}

void sim_server_restore_store(void)
{
	gcks_store_close(store);
	copy_file(copy, path);
	gcks_registrations_clear(&sim_registrations);
	gcks_sa_table_clear(&sim_sas);
	open_store();
	SIM_CHECK(!sim_sas.head && !sim_registrations.count,
		  "an older copy of the store brings back SAs or registrations");
	for (size_t i = 0; i < GROUPS; i++) {
		sim_groups[i].epoch++;
		sim_groups[i].left_at = 0;
		sim_groups[i].made_before = sim_groups[i].made_count;
		memset(sim_groups[i].given, 0, sizeof(sim_groups[i].given));
	}
	start_groups();
	resume();
}

/* ---- life ---- */

void sim_server_start(const char *folder)
{
	snprintf(path, sizeof(path), "%s/gcksd.db", folder);
	snprintf(key_file, sizeof(key_file), "%s/gcksd.key", folder);
	snprintf(copy, sizeof(copy), "%s/copy.db", folder);
	open_store();
	connected = true;
}

void sim_server_stop(void)
{
	gcks_store_close(store);
	gcks_registrations_clear(&sim_registrations);
	gcks_sa_table_clear(&sim_sas);
	gcks_policy_clear(&sim_policy);
}
