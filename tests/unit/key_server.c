// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/key_server.h"

#include "gcks/former.h"
#include "gcks/sa_message.h"

#define WALL 1700000000

/* Takes no memory while all is well: some tests let allocations fail. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			ck_abort_msg("%s", #condition);                                            \
	} while (0)

void key_server_start(struct key_server *server)
{
	*server = (struct key_server){ .now = 1000000, .connected = true };
	server->tables =
		(struct gcks_tables){ &server->policy, &server->registrations, &server->sas };
	server->group = gcks_policy_add(&server->policy, "blue");
	ck_assert_ptr_nonnull(server->group);
	server->group->identifier = BLUE;
	gcks_pattern_insert(&server->group->permit, pattern_of("*"));
}

void key_server_stop(struct key_server *server)
{
	gcks_policy_clear(&server->policy);
	gcks_registrations_clear(&server->registrations);
	gcks_sa_table_clear(&server->sas);
}

struct gcks_registration *key_server_find(struct key_server *server, const char *identity)
{
	return gcks_registration_find(&server->registrations, BLUE, identity);
}

struct gcks_sa_group *key_server_sas(struct key_server *server)
{
	return gcks_sa_group_find(&server->sas, BLUE);
}

enum gcks_rekey_phase key_server_phase(struct key_server *server)
{
	return gcks_rekey_phase(key_server_sas(server));
}

uint32_t key_server_generation(struct key_server *server)
{
	return gcks_sa_current(&server->sas, BLUE)->generation;
}

void key_server_trigger(struct key_server *server, enum gcks_trigger why)
{
	ck_assert(gcks_rekey_trigger(key_server_sas(server), why, server->now));
}

size_t key_server_count(struct key_server *server, enum gcks_delivery delivery)
{
	const struct gcks_registration_group *group =
		gcks_registration_group(&server->registrations, BLUE);

	return group ? group->deliveries[delivery].count : 0;
}

static time_t wall(const struct key_server *server)
{
	return WALL + server->now / 1000;
}

static bool carry_out(struct key_server *server, struct gcks_decision *decision)
{
	bool stored = server->store ? gcks_store_commit(server->store, decision->changes,
							decision->change_count)
				    : !server->store_fails;

	if (!stored) {
		gcks_decision_discard(decision);
		return false;
	}
	server->ended += decision->ended_count;
	gcks_decision_apply(&server->tables, decision, server->now);
	return !server->store || gcks_store_sync(server->store);
}

static void take_given(struct key_server *server, const struct gcks_decision *decision,
		       struct given *given)
{
	struct gcks_sa_message message;
	size_t kept = decision->entry->sender_id_count;

	if (!gcks_sa_message_fill(&message, key_server_sas(server), server->group,
				  decision->first_generation, server->now))
		return;
	given->activation_delay_s = message.group_sa.activation_delay_s;
	given->sa_count = message.group_sa.n_data_sa;
	for (size_t i = 0; i < given->sa_count; i++)
		for (struct gcks_sa *sa = server->sas.head; sa; sa = sa->next)
			if (sa->spi == message.data_sa[i].spi)
				given->generations[i] = sa->generation;
	given->sender_id_count = decision->sender_id_count;
	for (size_t i = 0; i < given->sender_id_count; i++)
		given->sender_ids[i] =
			decision->entry->sender_ids[kept - given->sender_id_count + i];
}

struct given key_server_register(struct key_server *server, const char *identity, uint32_t ike_sa,
				 int sender_ids)
{
	static uint8_t address[] = { 192, 0, 2, 11 }, name[] = "blue";
	Gsa__Peer peer = GSA__PEER__INIT;
	Gsa__RegistrationRequest request = GSA__REGISTRATION_REQUEST__INIT;
	struct gcks_decision decision;
	struct given given = {};

	peer.identity = (char *)identity;
	peer.ike_sa = ike_sa;
	peer.credential = GSA__CREDENTIAL__CREDENTIAL_PSK;
	peer.address = (ProtobufCBinaryData){ sizeof(address), address };
	request.peer = &peer;
	request.group_id_type = GSA_ID_KEY_ID;
	request.group_id = (ProtobufCBinaryData){ sizeof(name) - 1, name };
	request.sender = sender_ids >= 0;
	request.sender_ids = sender_ids > 0 ? (uint32_t)sender_ids : 0;
	gcks_decide_registration(&server->tables, &request, server->now, wall(server), &decision);
	given.notify = decision.verdict.notify;
	memcpy(given.reason, decision.verdict.reason, sizeof(given.reason));
	given.anew = decision.anew;
	server->made += !given.notify && decision.begins;
	if (!given.notify && carry_out(server, &decision))
		take_given(server, &decision, &given);
	else if (!given.notify)
		given.notify = GSA_NOTIFY_REGISTRATION_FAILED;
	return given;
}

void key_server_register_many(struct key_server *server, unsigned int count)
{
	for (unsigned int i = 1; i <= count; i++) {
		char identity[32];

		snprintf(identity, sizeof(identity), "site%u", i);
		ck_assert_uint_eq(key_server_register(server, identity, i, 0).notify, 0);
	}
}

void key_server_leave(struct key_server *server, const char *identity)
{
	struct gcks_registration *entry = key_server_find(server, identity);

	ck_assert_ptr_nonnull(entry);
	ck_assert(key_server_end(server, entry));
}

bool key_server_end(struct key_server *server, struct gcks_registration *entry)
{
	struct gcks_change changes[2];
	size_t count = gcks_former_changes(&server->sas, &entry, 1, changes);
	bool stored = !server->store || gcks_store_commit(server->store, changes, count);

	gcks_rekey_left(&server->tables, entry, server->now);
	gcks_registration_take_out(&server->registrations, entry);
	gcks_former_keep(&server->sas, entry);
	return stored;
}

static void make(struct key_server *server, struct gcks_sa_group *group)
{
	struct gcks_decision decision;
	bool made;

	if (!gcks_decide_rekey(&server->tables, group, server->now, wall(server), &decision)) {
		gcks_rekey_failed(group, server->now);
		return;
	}
	made = decision.sa != NULL;
	if (carry_out(server, &decision))
		server->made += made;
	else
		gcks_rekey_failed(group, server->now);
}

static void begin_anew(struct key_server *server, struct gcks_sa_group *group)
{
	struct gcks_decision decision;

	if (!gcks_decide_anew(&server->tables, group, group->rekey.anew, &decision) ||
	    !carry_out(server, &decision))
		gcks_rekey_failed(group, server->now);
}

static void end_sa(struct key_server *server, struct gcks_sa *sa)
{
	struct gcks_change change = { .kind = GCKS_REMOVE_SA, .sa = sa };

	if (server->store)
		gcks_store_commit(server->store, &change, 1); /* gcksd tries again later */
	server->ended_sas++;
	gcks_sa_remove(&server->sas, sa);
}

/* True: there may be more. */
static bool step(struct key_server *server, struct gcks_sa_group *group)
{
	struct gcks_rekey_action action =
		gcks_rekey_next(&server->tables, group, server->now, server->connected);
	size_t in_flight;

	switch (action.step) {
	case GCKS_REKEY_NOTHING:
		return false;
	case GCKS_REKEY_END_SA:
		end_sa(server, action.sa);
		break;
	case GCKS_REKEY_ANEW:
		begin_anew(server, group);
		break;
	case GCKS_REKEY_MAKE:
		make(server, group);
		break;
	case GCKS_REKEY_PUSH:
		MUST(action.entry->ike_sa != 0);
		server->pushed++;
		gcks_rekey_pushed(&server->tables, action.entry, ++server->requests, server->now);
		in_flight = gcks_registration_group(&server->registrations, group->numbers.group)
				    ->deliveries[GCKS_DELIVERY_IN_FLIGHT]
				    .count;
		if (in_flight > server->most_in_flight)
			server->most_in_flight = (unsigned int)in_flight;
		if (!server->silent)
			MUST(gcks_rekey_done(&server->tables, server->requests, true, server->now) ==
			     action.entry);
		break;
	case GCKS_REKEY_TOLD:
		server->told++;
		break;
	}
	return true;
}

void key_server_run(struct key_server *server)
{
	for (struct gcks_sa_group *group = server->sas.groups; group; group = group->next) {
		unsigned int steps = 0;

		while (step(server, group))
			MUST(++steps < 1000000);
	}
}

void key_server_advance(struct key_server *server, int64_t milliseconds)
{
	int64_t end = server->now + milliseconds;

	for (;;) {
		int64_t next = end;

		key_server_run(server);
		for (struct gcks_sa_group *group = server->sas.groups; group; group = group->next) {
			int64_t at = gcks_rekey_wakeup(&server->tables, group, server->connected);

			if (at < next)
				next = at;
		}
		if (server->now >= end)
			return;
		/* what is due now was done just now: it must not be due again */
		ck_assert_msg(next > server->now, "due at %lld, now %lld", (long long)next,
			      (long long)server->now);
		server->now = next;
	}
}
