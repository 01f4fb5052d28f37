// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A key server in a test: the pure tables and decisions, driven as gcksd drives them, on a clock
 * that the test moves.  Members are what the test says of them.
 */
#ifndef TESTS_UNIT_KEY_SERVER_H
#define TESTS_UNIT_KEY_SERVER_H

#include "gcks/decide.h"
#include "tests/unit/gcks_unit.h"

#define BLUE 100

struct key_server {
	struct gcks_policy policy;
	struct gcks_registrations registrations;
	struct gcks_sa_table sas;
	struct gcks_tables tables;
	struct gcks_group *group; /* blue, everybody may join */
	struct gcks_store *store; /* NULL: nothing is stored */
	int64_t now;
	bool connected;	   /* charon is there */
	bool store_fails;  /* without a store: as if it did */
	bool silent;	   /* members do not answer; else at once */
	uint32_t requests; /* Rekeys that were sent */
	unsigned int made, told, pushed, ended_sas, ended, most_in_flight;
};

void key_server_start(struct key_server *server);
void key_server_stop(struct key_server *server);

/* What a registration came to. */
struct given {
	uint16_t notify;
	char reason[256];
	size_t sa_count;
	uint32_t generations[GSA_DATA_SA_MAX]; /* oldest first */
	uint32_t activation_delay_s;
	size_t sender_id_count;
	uint32_t sender_ids[GCKS_SENDER_IDS_PER_REQUEST];
	bool anew;
};
/* As a sender, unless `sender_ids` is negative. */
struct given key_server_register(struct key_server *server, const char *identity, uint32_t ike_sa,
				 int sender_ids);
/* site1 ... siteN, over IKE_SAs 1 ... N. */
void key_server_register_many(struct key_server *server, unsigned int count);
void key_server_leave(struct key_server *server, const char *identity);
/* The same without assertions.  False: it has ended, and the store does not know it. */
bool key_server_end(struct key_server *server, struct gcks_registration *entry);
struct gcks_registration *key_server_find(struct key_server *server, const char *identity);
struct gcks_sa_group *key_server_sas(struct key_server *server);

/* Of its rekeys. */
enum gcks_rekey_phase key_server_phase(struct key_server *server);
uint32_t key_server_generation(struct key_server *server); /* of the newest SA */
void key_server_trigger(struct key_server *server, enum gcks_trigger why);
size_t key_server_count(struct key_server *server, enum gcks_delivery delivery); /* members */

/* Everything that is to be done now; then, step by step, up to a later time. */
void key_server_run(struct key_server *server);
void key_server_advance(struct key_server *server, int64_t milliseconds);

#endif
