// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tables MEMBERS DECISIONS [KIND]: what a group of so many members costs in gcksd's tables, as one
 * JSON object: octets a member and a group, nanoseconds a decision, and to compare with, of reading
 * a word of as much memory as the members take. Nothing is stored. With KIND only decisions of that
 * kind are made, for tools that count what they take. tables.py runs it once for each size, in a
 * process of its own.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gcks/decide.h"

#define GROUPS_MEASURED 1000

static struct gcks_policy policy;
static struct gcks_registrations registrations;
static struct gcks_sa_table sas;
static const struct gcks_tables tables = { &policy, &registrations, &sas };
static struct gcks_group *group;
static uint32_t last_ike_sa;
static int64_t now = 1000000;

static int64_t clock_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static size_t heap(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "tables: %s\n", what);
	exit(1);
}

static struct gcks_group *add_group(const char *name, uint32_t identifier)
{
	struct gcks_group *added = gcks_policy_add(&policy, name);
	struct gcks_pattern *permit = gcks_pattern_new("*.example");

	need(added && permit, "no memory");
	gcks_pattern_insert(&added->permit, permit);
	added->identifier = identifier;
	added->sharing = GCKS_SHARING_GROUP;
	added->cipher = GCKS_CIPHER_AES256CBC_SHA256;
	added->lifetime_data_s = 3600;
	return added;
}

/* As gcks_server_register(), without store and answer. */
static void decide(const struct gcks_group *of, uint32_t number, bool apply)
{
	Gsa__RegistrationRequest request = GSA__REGISTRATION_REQUEST__INIT;
	Gsa__Peer peer = GSA__PEER__INIT;
	struct gcks_decision decision;
	uint8_t address[4] = { 10, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
			       (uint8_t)number };
	char identity[40], *ca[] = { "C=DE, O=Example, CN=Members" };

	snprintf(identity, sizeof(identity), "site%u.example", number);
	peer.ike_sa = ++last_ike_sa;
	peer.identity = identity;
	peer.address = (ProtobufCBinaryData){ sizeof(address), address };
	peer.credential = GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE;
	peer.ca = ca;
	peer.n_ca = 1;
	request.peer = &peer;
	request.group_id_type = GSA_ID_KEY_ID;
	request.group_id = (ProtobufCBinaryData){ strlen(of->name), (uint8_t *)of->name };
	gcks_decide_registration(&tables, &request, now, now / 1000, &decision);
	need(!decision.verdict.notify, decision.verdict.reason);
	if (apply)
		gcks_decision_apply(&tables, &decision, now);
	else
		gcks_decision_discard(&decision);
}

/* Everybody is told of a new SA and answers. */
static void rekey(uint32_t members)
{
	struct gcks_sa_group *state = gcks_sa_group_find(&sas, group->identifier);
	struct gcks_rekey_action action;
	struct gcks_decision decision;
	uint32_t request = 0;

	gcks_rekey_trigger(state, GCKS_TRIGGER_OPERATOR, now);
	for (;;) {
		action = gcks_rekey_next(&tables, state, now, true);
		if (action.step == GCKS_REKEY_MAKE) {
			need(gcks_decide_rekey(&tables, state, now, now / 1000, &decision),
			     "no memory");
			gcks_decision_apply(&tables, &decision, now);
		} else if (action.step == GCKS_REKEY_PUSH) {
			gcks_rekey_pushed(&tables, action.entry, ++request, now);
			need(gcks_rekey_done(&tables, request, true, now), "the answer is not taken");
		} else {
			break;
		}
	}
	need(action.step == GCKS_REKEY_TOLD && request == members, "not everybody was told");
}

/* ---- decisions ---- */

/* One after the other they are far apart in memory; no two kinds of decisions take the same. */
static uint32_t somebody(uint32_t members, uint32_t i)
{
	return i * 7919u % members;
}

static struct gcks_registration *find(uint32_t number)
{
	struct gcks_registration *entry;
	char identity[40];

	snprintf(identity, sizeof(identity), "site%u.example", number);
	entry = gcks_registration_find(&registrations, group->identifier, identity);
	need(entry, "a member is not found");
	return entry;
}

static void look_up(uint32_t members, uint32_t i)
{
	find(somebody(members, i));
}

static void again(uint32_t members, uint32_t i)
{
	decide(group, somebody(members, i), true);
}

static void newcomer(uint32_t members, uint32_t i)
{
	decide(group, members + i, false);
}

static void leave_and_join(uint32_t members, uint32_t i)
{
	struct gcks_registration *entry = find(somebody(members, i));

	need(gcks_registration_over(&registrations, entry->ike_sa) == entry,
	     "a member is not found");
	gcks_registration_remove(&registrations, entry);
	decide(group, somebody(members, i), true);
}

static const struct {
	const char *name;
	void (*make)(uint32_t members, uint32_t i);
} kinds[] = {
	{ "lookup", look_up },
	{ "again", again },
	{ "new", newcomer },
	{ "leave_and_join", leave_and_join },
};

static void print_ns(const char *name, int64_t began, uint64_t count)
{
	printf(", \"%s_ns\": %.0f", name, (double)(clock_ns() - began) / (double)count);
}

static bool measure_decisions(uint32_t members, uint32_t decisions, const char *kind)
{
	bool found = false;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		int64_t began = clock_ns();

		if (kind && strcmp(kind, kinds[k].name) != 0)
			continue;
		for (uint32_t i = 0; i < decisions; i++)
			kinds[k].make(members, (uint32_t)k * decisions + i);
		print_ns(kinds[k].name, began, decisions);
		found = true;
	}
	return found;
}

static void measure_rekey(uint32_t members)
{
	int64_t began = clock_ns();

	rekey(members);
	print_ns("rekey_per_member", began, members);
}

/*
 * One word in each of as many blocks as there are members, each of a member's size: where the next
 * one is says the one before, so the processor has to wait for each, as it does at a lookup.
 */
static void measure_memory(uint32_t members, uint32_t reads, size_t octets)
{
	size_t words = octets / sizeof(uint32_t), at = 0;
	uint32_t *blocks = malloc(members * words * sizeof(*blocks));
	int64_t began;

	need(blocks, "no memory");
	for (size_t i = 0; i < members * words; i++)
		blocks[i] = 1;
	for (uint32_t i = 0; i < members; i++)
		blocks[somebody(members, i) * words] = somebody(members, i + 1);
	for (size_t i = 0; i < members * words; i++)
		blocks[i] += i % words != 0;
	began = clock_ns();
	for (uint32_t i = 0; i < reads; i++)
		at = blocks[at] * words;
	print_ns("memory_read", began, reads);
	need(at % words == 0, "memory does not keep what is written");
	free(blocks);
}

static void measure_groups(void)
{
	size_t before = heap();
	char name[32];

	for (uint32_t i = 0; i < GROUPS_MEASURED; i++) {
		snprintf(name, sizeof(name), "customer%u", i);
		decide(add_group(name, 1000 + i), i, true);
	}
	/* with one member and one SA */
	printf(", \"octets_per_group\": %zu, \"locked_octets_per_group\": %d",
	       (heap() - before) / GROUPS_MEASURED, GSA_SECRET_SIZE);
}

int main(int argc, char **argv)
{
	const char *kind = argc == 4 ? argv[3] : NULL;
	uint32_t members, decisions;
	size_t before, octets;

	need(argc == 3 || argc == 4, "usage: tables MEMBERS DECISIONS [KIND]");
	members = (uint32_t)strtoul(argv[1], NULL, 10);
	decisions = (uint32_t)strtoul(argv[2], NULL, 10);
	need(members && decisions, "usage: tables MEMBERS DECISIONS [KIND]");
	group = add_group("blue", 100);
	before = heap();
	for (uint32_t i = 0; i < members; i++)
		decide(group, i, true);
	octets = (heap() - before) / members;
	printf("{\"members\": %u, \"octets_per_member\": %zu", members, octets);
	need(measure_decisions(members, decisions, kind), "no such kind of decision");
	if (!kind) {
		measure_rekey(members);
		measure_memory(members, decisions, octets);
		measure_groups();
	}
	printf("}\n");
	gcks_registrations_clear(&registrations);
	gcks_sa_table_clear(&sas);
	gcks_policy_clear(&policy);
	return 0;
}
