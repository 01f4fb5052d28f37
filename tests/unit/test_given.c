// SPDX-License-Identifier: GPL-2.0-or-later
/* What charon repeats of a member, against what the key server knows. */
#include "gcks/given.h"
#include "tests/unit/key_server.h"

static struct key_server server;
static uint32_t spis[GSA_DATA_SA_MAX], sender_ids[2];
static Gsa__Registration repeated;

static void start(void)
{
	key_server_start(&server);
	server.group->sharing = GCKS_SHARING_PAIRWISE;
	server.group->cipher = GCKS_CIPHER_AES256GCM16;
	server.group->sender_id_bits = 16;
	server.group->rekey_missed_maximum = 0;
	server.group->rekey_in_flight = 8;
	key_server_register_many(&server, 2);
	gsa__registration__init(&repeated);
	repeated.spi = spis;
	repeated.n_spi = 1;
	spis[0] = key_server_sas(&server)->newest->spi;
	repeated.sender_id = sender_ids;
	repeated.n_sender_id = 1;
	sender_ids[0] = 0;
}

static void stop(void)
{
	key_server_stop(&server);
}

static bool later(const char *identity)
{
	return gcks_given_later(key_server_sas(&server),
				identity ? key_server_find(&server, identity) : NULL, &repeated);
}

/* site1 has no answer, the others do. */
static void rekey(void)
{
	struct gcks_sa_group *group = key_server_sas(&server);
	uint32_t before = group->numbers.generation;

	ck_assert(gcks_rekey_trigger(group, GCKS_TRIGGER_OPERATOR, server.now));
	server.silent = true;
	key_server_run(&server);
	for (uint32_t request = 1; request <= server.requests; request++) {
		const struct gcks_registration *entry =
			gcks_registration_of_request(&server.registrations, request);

		if (entry)
			gcks_rekey_done(&server.tables, request,
					strcmp(entry->identity, "site1") != 0, server.now);
	}
	server.silent = false;
	key_server_advance(&server, 600000);
	ck_assert_uint_eq(group->numbers.generation, before + 1);
}

START_TEST(what_is_known)
{
	ck_assert(!later("site1"));
	ck_assert(!later(NULL));
	ck_assert(!gcks_given_later(NULL, NULL, &repeated));
	/* the newest is the last */
	spis[1] = spis[0] + 0x10000;
	repeated.n_spi = 2;
	ck_assert(later("site1"));
	ck_assert(later(NULL));
	repeated.n_spi = 0;
	ck_assert(!later("site1"));
	repeated.n_spi = 1;
	sender_ids[0] = key_server_sas(&server)->numbers.sender_id_reserved;
	ck_assert(later("site1"));
	ck_assert(later(NULL));
	/* of an earlier counter */
	repeated.n_spi = 0;
	ck_assert(later("site1"));
	ck_assert(!later(NULL));
}
END_TEST

/* A member that does not answer for as long as policy lets it says nothing of the store. */
START_TEST(missed_without_end)
{
	const struct gcks_registration *site1 = key_server_find(&server, "site1");

	for (unsigned int i = 1; i <= GCKS_SPIS_KEPT + 2; i++) {
		rekey();
		ck_assert_uint_eq(site1->missed, i - 1);
		ck_assert_msg(!later("site1"), "after %u rekeys", i);
	}
	ck_assert(!gcks_sa_knows_spi(&key_server_sas(&server)->numbers, spis[0]));
	/* its Sender-ID still does */
	sender_ids[0] = key_server_sas(&server)->numbers.sender_id_reserved;
	ck_assert(later("site1"));
	/* and so does a member that the store has not seen, or that goes along */
	sender_ids[0] = 0;
	ck_assert(later(NULL));
	ck_assert(later("site2"));
}
END_TEST

/* One that came when older SAs were in use was given them, too; they are forgotten first. */
START_TEST(given_several)
{
	struct gcks_sa_group *group = key_server_sas(&server);

	for (unsigned int i = 0; i < GCKS_SPIS_KEPT - 1; i++)
		rekey();
	spis[1] = group->newest->spi;
	repeated.n_spi = 2;
	ck_assert(!later("site2"));
	rekey();
	ck_assert(!gcks_sa_knows_spi(&group->numbers, spis[0]));
	ck_assert(!later("site2"));
}
END_TEST

Suite *given_suite(void)
{
	Suite *suite = suite_create("given");
	TCase *tests = tcase_create("given");

	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, what_is_known);
	tcase_add_test(tests, missed_without_end);
	tcase_add_test(tests, given_several);
	suite_add_tcase(suite, tests);
	return suite;
}
