// SPDX-License-Identifier: GPL-2.0-or-later
/* Who may register, what it is given, and what a decision leaves alone. */
#include "tests/unit/key_server.h"

#include "libgsa/gikev2_sag.h"
#include "libgsa/pairwise.h"

static struct key_server server;

static void start(void)
{
	key_server_start(&server);
}

static void stop(void)
{
	key_server_stop(&server);
}

static void pairwise(uint8_t bits)
{
	server.group->sharing = GCKS_SHARING_PAIRWISE;
	server.group->cipher = GCKS_CIPHER_AES256GCM16;
	server.group->sender_id_bits = bits;
}

static struct given granted(const char *identity, uint32_t ike_sa, int sender_ids)
{
	struct given given = key_server_register(&server, identity, ike_sa, sender_ids);

	ck_assert_msg(!given.notify, "%s: %s", identity, given.reason);
	return given;
}

START_TEST(first_and_second)
{
	struct given first = granted("site1", 1, 0), second = granted("site2", 2, 0);

	ck_assert_uint_eq(first.sa_count, 1);
	ck_assert_uint_eq(first.generations[0], 1);
	ck_assert_uint_eq(first.activation_delay_s, 0);
	ck_assert_uint_eq(second.generations[0], 1);
	/* sharing `group` has no Sender-IDs */
	ck_assert_uint_eq(first.sender_id_count, 0);
	ck_assert_uint_eq(server.made, 0);
}
END_TEST

/* All that are in use, oldest first; the newest is not active yet. */
START_TEST(while_two_are_in_use)
{
	struct given given;

	granted("site1", 1, 0);
	gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_OPERATOR, server.now);
	key_server_advance(&server, 1500);
	given = granted("site2", 2, 0);
	ck_assert_uint_eq(given.sa_count, 2);
	ck_assert_uint_eq(given.generations[0], 1);
	ck_assert_uint_eq(given.generations[1], 2);
	ck_assert_uint_eq(given.activation_delay_s, 4); /* of 3.5 s */
	key_server_advance(&server, 5000);
	ck_assert_uint_eq(granted("site3", 3, 0).activation_delay_s, 0);
}
END_TEST

START_TEST(rekey_on_join)
{
	struct given given;

	server.group->rekey_on_join = true;
	granted("site1", 1, 0);
	given = granted("site2", 2, 0);
	ck_assert_uint_eq(given.sa_count, 1);
	ck_assert_uint_eq(given.generations[0], 2);
	ck_assert_uint_eq(given.activation_delay_s, 5);
	/* nothing was sent with that one yet: it is new enough for who comes now */
	ck_assert_uint_eq(granted("site3", 3, 0).generations[0], 2);
	key_server_run(&server);
	ck_assert_uint_eq(server.pushed, 1);
	ck_assert_uint_eq(key_server_find(&server, "site1")->delivered, 2);
	/* it had the older ones: it gets them again */
	given = granted("site1", 4, 0);
	ck_assert_uint_eq(given.sa_count, 1);
	ck_assert_uint_eq(given.generations[0], 2);
	key_server_advance(&server, 6000);
	ck_assert_uint_eq(granted("site4", 5, 0).generations[0], 3);
	given = granted("site1", 6, 0);
	ck_assert_uint_eq(given.sa_count, 2);
	ck_assert_uint_eq(given.generations[0], 2);
	ck_assert_uint_eq(server.made, 2);
}
END_TEST

START_TEST(joins_without_end)
{
	server.group->rekey_on_join = true;
	server.group->activation_delay_s = 0;
	server.group->deactivation_delay_s = 600;
	for (unsigned int i = 1; i <= 50; i++) {
		char identity[32];

		snprintf(identity, sizeof(identity), "site%u", i);
		ck_assert_uint_eq(granted(identity, i, 0).generations[0], i);
		key_server_advance(&server, 1000);
		ck_assert_uint_lt(key_server_sas(&server)->sa_count, GSA_DATA_SA_MAX);
	}
}
END_TEST

START_TEST(refusals)
{
	struct given given;

	server.group->maximum_members = 1;
	granted("site1", 1, 0);
	given = key_server_register(&server, "site2", 2, 0);
	ck_assert_uint_eq(given.notify, GSA_NOTIFY_REGISTRATION_FAILED);
	ck_assert_ptr_nonnull(strstr(given.reason, "maximum-members 1"));
	granted("site1", 3, 0); /* in its own place */
	gcks_pattern_insert(&server.group->deny, pattern_of("site1"));
	given = key_server_register(&server, "site1", 4, 0);
	ck_assert_uint_eq(given.notify, GSA_NOTIFY_AUTHORIZATION_FAILED);
	ck_assert_uint_eq(key_server_register(&server, "site9", 0, 0).notify,
			  GSA_NOTIFY_REGISTRATION_FAILED);
	ck_assert_uint_eq(key_server_register(&server, "", 9, 0).notify,
			  GSA_NOTIFY_REGISTRATION_FAILED);
	server.group->identifier = 0;
	given = key_server_register(&server, "site3", 5, 0);
	ck_assert_uint_eq(given.notify, GSA_NOTIFY_INVALID_GROUP_ID);
	server.group->identifier = BLUE;
	ck_assert_uint_eq(server.registrations.count, 1);
}
END_TEST

START_TEST(sender_ids)
{
	struct given given;

	pairwise(16);
	given = granted("site1", 1, 0);
	ck_assert_uint_eq(given.sender_id_count, 1);
	ck_assert_uint_eq(given.sender_ids[0], 0);
	given = granted("site2", 2, 3);
	ck_assert_uint_eq(given.sender_id_count, 3);
	ck_assert_uint_eq(given.sender_ids[0], 1);
	ck_assert_uint_eq(given.sender_ids[2], 3);
	/* fresh ones each time; the earlier ones stay its own */
	given = granted("site1", 3, 1);
	ck_assert_uint_eq(given.sender_ids[0], 4);
	ck_assert_uint_eq(key_server_find(&server, "site1")->sender_id_count, 2);
	/* no sender */
	ck_assert_uint_eq(granted("site3", 4, -1).sender_id_count, 0);
	ck_assert_uint_eq(granted("site4", 5, 1000).sender_id_count, GCKS_SENDER_IDS_PER_REQUEST);
	/* a rekey changes none of them */
	gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_OPERATOR, server.now);
	key_server_advance(&server, 60000);
	ck_assert_uint_eq(granted("site5", 6, 0).sender_ids[0], 13);
	ck_assert_uint_eq(key_server_sas(&server)->numbers.sender_id_reserved, 64);
}
END_TEST

START_TEST(only_so_many_are_kept)
{
	pairwise(16);
	for (unsigned int i = 0; i < 3 * GCKS_SENDER_IDS_KEPT; i++)
		granted("site1", i + 1, 0);
	ck_assert_uint_eq(key_server_find(&server, "site1")->sender_id_count, GCKS_SENDER_IDS_KEPT);
	ck_assert_uint_eq(key_server_find(&server, "site1")->sender_ids[GCKS_SENDER_IDS_KEPT - 1],
			  3 * GCKS_SENDER_IDS_KEPT - 1);
}
END_TEST

/* Each of so many members has its share of 16. */
static void use_up(unsigned int members)
{
	pairwise(8);
	for (unsigned int i = 0; i < 16 * members; i++) {
		char identity[32];
		struct given given;

		snprintf(identity, sizeof(identity), "site%u", 1 + i % members);
		given = granted(identity, i + 1, 0);
		ck_assert_uint_eq(given.sender_ids[0], i);
		ck_assert(!given.anew);
	}
}

START_TEST(used_up)
{
	struct given given;

	use_up(16);
	given = granted("site17", 257, 0);
	ck_assert(given.anew);
	ck_assert_uint_eq(server.ended, 16);
	ck_assert_uint_eq(server.registrations.count, 1);
	ck_assert_uint_eq(given.sa_count, 1);
	ck_assert_uint_eq(given.generations[0], 2);
	ck_assert_uint_eq(given.sender_ids[0], 0);
	ck_assert_uint_eq(key_server_sas(&server)->sa_count, 1);
	ck_assert_uint_eq(key_server_sas(&server)->numbers.sender_id_reserved, 16);
}
END_TEST

/* The one that finds them used up has registered before: none of its old ones is its own any more.
 */
START_TEST(used_up_by_itself)
{
	use_up(15);
	granted("other", 241, 8);
	granted("other", 242, 7);
	/* one is left, and a little later each may have another one */
	key_server_advance(&server, 2 * 3600 * 1000);
	ck_assert_uint_eq(granted("site2", 243, 0).sender_ids[0], 255);
	ck_assert(granted("site1", 257, 0).anew);
	ck_assert_uint_eq(server.ended, 15);
	ck_assert_uint_eq(server.registrations.count, 1);
	ck_assert_uint_eq(key_server_find(&server, "site1")->sender_id_count, 1);
}
END_TEST

START_TEST(other_sharing)
{
	struct given given;

	granted("site1", 1, 0);
	granted("site2", 2, 0);
	pairwise(12);
	given = granted("site2", 2, 0);
	ck_assert(given.anew);
	ck_assert_ptr_null(key_server_find(&server, "site1"));
	ck_assert_uint_eq(given.sa_count, 1);
	ck_assert_uint_eq(given.sender_ids[0], 0);
	ck_assert_uint_eq(server.sas.head->sender_id_bits, 12);
	server.group->sender_id_bits = 16;
	ck_assert(granted("site1", 1, 0).anew);
}
END_TEST

START_TEST(anew)
{
	struct gcks_decision decision;

	pairwise(16);
	key_server_register_many(&server, 5);
	ck_assert(gcks_decide_anew(&server.tables, key_server_sas(&server), "test", &decision));
	ck_assert_uint_eq(decision.ended_count, 5);
	ck_assert_uint_eq(decision.ended_sa_count, 1);
	ck_assert_uint_eq(server.registrations.count, 5); /* not before it is stored */
	gcks_decision_apply(&server.tables, &decision, server.now);
	ck_assert_uint_eq(server.registrations.count, 0);
	ck_assert_ptr_null(server.sas.head);
	ck_assert_uint_eq(granted("site1", 1, 0).sender_ids[0], 0);
	ck_assert_uint_eq(server.sas.head->generation, 2);
}
END_TEST

/* It cannot be stored yet: nobody is given a Sender-ID of before, and the next one brings it. */
START_TEST(anew_waits)
{
	struct given given;

	pairwise(16);
	key_server_register_many(&server, 5);
	server.store_fails = true;
	gcks_rekey_anew(key_server_sas(&server), "test");
	key_server_advance(&server, 3 * GCKS_REKEY_RETRY_MS);
	ck_assert_uint_eq(server.registrations.count, 5);
	server.store_fails = false;
	given = granted("site6", 6, 0);
	ck_assert(given.anew);
	ck_assert_uint_eq(given.sender_ids[0], 0);
	ck_assert_uint_eq(given.generations[0], 2);
	ck_assert_uint_eq(server.registrations.count, 1);
	/* that was it */
	key_server_advance(&server, 2 * GCKS_REKEY_RETRY_MS);
	ck_assert_uint_eq(server.registrations.count, 1);
	gcks_rekey_anew(key_server_sas(&server), "test");
	key_server_run(&server);
	ck_assert_uint_eq(server.registrations.count, 0);
	ck_assert_ptr_null(server.sas.head);
}
END_TEST

/* A refused or discarded decision is as if nothing had been asked. */
START_TEST(not_stored)
{
	pairwise(16);
	key_server_register_many(&server, 2);
	server.group->rekey_on_join = true;
	server.store_fails = true;
	ck_assert_uint_ne(key_server_register(&server, "site3", 3, 0).notify, 0);
	ck_assert_uint_eq(server.registrations.count, 2);
	ck_assert_uint_eq(key_server_sas(&server)->sa_count, 1);
	ck_assert_uint_eq(key_server_sas(&server)->sender_id_next, 2);
	ck_assert_int_eq(gcks_rekey_phase(key_server_sas(&server)), GCKS_REKEY_IDLE);
	server.store_fails = false;
	ck_assert_uint_eq(granted("site3", 3, 0).sender_ids[0], 2);
	ck_assert_uint_eq(server.sas.head->generation, 2);
}
END_TEST

/* SAg: what our members send accepts all we have; one of AES-CBC alone no AEAD. */
static struct gcks_decision decide_with(const uint8_t *sag, size_t length)
{
	static uint8_t address[] = { 192, 0, 2, 11 };
	Gsa__Peer peer = GSA__PEER__INIT;
	Gsa__RegistrationRequest request = GSA__REGISTRATION_REQUEST__INIT;
	struct gcks_decision decision;

	peer.identity = (char *)"site1";
	peer.ike_sa = 1;
	peer.credential = GSA__CREDENTIAL__CREDENTIAL_PSK;
	peer.address = (ProtobufCBinaryData){ sizeof(address), address };
	request.peer = &peer;
	request.group_id_type = GSA_ID_KEY_ID;
	request.group_id = (ProtobufCBinaryData){ 4, (uint8_t *)"blue" };
	request.sender = true;
	request.sag = (ProtobufCBinaryData){ length, (uint8_t *)sag };
	gcks_decide_registration(&server.tables, &request, server.now, 1, &decision);
	return decision;
}

START_TEST(capabilities)
{
	/* proposal 1, ESP, no SPI: ENCR AES-CBC-256, INTEG HMAC-SHA2-256-128, SN 2 */
	static const uint8_t cbc[] = {
		0, 0, 0, 36, 1, 3, 0, 3, 3, 0,	0, 12, 1, 0, 0, 12, 0x80, 14,
		1, 0, 3, 0,  0, 8, 3, 0, 0, 12, 0, 0,  0, 8, 5, 0,  0,	  2
	};
	struct gcks_decision decision;
	uint8_t all[512];
	size_t length = gsa_sag_encode_supported(all, sizeof(all));

	for (int cipher = 0; gcks_cipher_name(cipher); cipher++) {
		bool is_cbc = gcks_cipher_fits(GCKS_SHARING_GROUP, cipher);

		server.group->cipher = cipher;
		server.group->sharing = is_cbc ? GCKS_SHARING_GROUP : GCKS_SHARING_PAIRWISE;
		decision = decide_with(all, length);
		ck_assert_msg(!decision.verdict.notify, "%s", decision.verdict.reason);
		gcks_decision_discard(&decision);
		decision = decide_with(cbc, sizeof(cbc));
		ck_assert_uint_eq(decision.verdict.notify, cipher == GCKS_CIPHER_AES256CBC_SHA256
								   ? 0
								   : GSA_NOTIFY_NO_PROPOSAL_CHOSEN);
		gcks_decision_discard(&decision);
	}
	decision = decide_with(cbc, 7);
	ck_assert_uint_eq(decision.verdict.notify, GSA_NOTIFY_NO_PROPOSAL_CHOSEN);
	ck_assert_uint_eq(server.registrations.count, 0);
	ck_assert_ptr_null(server.sas.head);
}
END_TEST

/* The member that left for it registers again: it gets the new SA, not the one that it cannot use. */
START_TEST(after_a_conflict)
{
	struct given given;

	granted("site1", 1, 0);
	granted("site2", 2, 0);
	gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_CONFLICT, server.now);
	key_server_leave(&server, "site2");
	key_server_run(&server);
	given = granted("site2", 3, 0);
	ck_assert_uint_eq(given.sa_count, 1);
	ck_assert_uint_eq(given.generations[0], 2);
	/* again within the minute: there is no other yet, and no registration without an SA */
	gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_CONFLICT, server.now);
	key_server_leave(&server, "site2");
	key_server_run(&server);
	ck_assert_uint_ge(granted("site2", 4, 0).sa_count, 1);
	key_server_advance(&server, GCKS_REKEY_CONFLICT_MS);
	ck_assert_uint_eq(granted("site2", 5, 0).generations[0], 3);
	ck_assert_uint_eq(server.made, 2);
}
END_TEST

/* A cipher of policy that has changed comes by rekey; until then the old SA is given. */
START_TEST(other_cipher)
{
	granted("site1", 1, 0);
	ck_assert_int_eq(gcks_sa_fits(server.sas.head, server.group), GCKS_SA_FITS);
	server.group->cipher = GCKS_CIPHER_AES128CBC_SHA256;
	ck_assert_int_eq(gcks_sa_fits(server.sas.head, server.group), GCKS_SA_OTHER_CIPHER);
	granted("site2", 2, 0);
	gcks_rekey_trigger(key_server_sas(&server), GCKS_TRIGGER_POLICY, server.now);
	key_server_run(&server);
	ck_assert_int_eq(gcks_sa_fits(server.sas.head, server.group), GCKS_SA_FITS);
	ck_assert_uint_eq(server.sas.head->key.length, 16 + 32);
}
END_TEST

Suite *decide_suite(void)
{
	Suite *suite = suite_create("decide");
	TCase *tcase = tcase_create("decide");

	/* with sanitizers, on a machine that is busy */
	tcase_add_checked_fixture(tcase, start, stop);
	tcase_add_test(tcase, first_and_second);
	tcase_add_test(tcase, while_two_are_in_use);
	tcase_add_test(tcase, rekey_on_join);
	tcase_add_test(tcase, joins_without_end);
	tcase_add_test(tcase, refusals);
	tcase_add_test(tcase, sender_ids);
	tcase_add_test(tcase, only_so_many_are_kept);
	tcase_add_test(tcase, used_up);
	tcase_add_test(tcase, used_up_by_itself);
	tcase_add_test(tcase, other_sharing);
	tcase_add_test(tcase, anew);
	tcase_add_test(tcase, anew_waits);
	tcase_add_test(tcase, not_stored);
	tcase_add_test(tcase, capabilities);
	tcase_add_test(tcase, other_cipher);
	tcase_add_test(tcase, after_a_conflict);
	suite_add_tcase(suite, tcase);
	return suite;
}
