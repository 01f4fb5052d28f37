// SPDX-License-Identifier: GPL-2.0-or-later
/* What a member holds of a group. */
#include <stdlib.h>
#include <string.h>

#include "charon-gsa-plugin/gsa_held.h"
#include "tests/unit/unit.h"

#define MINUTE_MS 60000u

/* A GroupSa of these SPIs; each SA's key is its SPI and `key`, over and over. */
struct given {
	Gsa__GroupSa group_sa;
	Gsa__DataSa sa[2 * GSA_DATA_SA_MAX], *pointers[2 * GSA_DATA_SA_MAX];
	uint8_t keys[2 * GSA_DATA_SA_MAX][36];
	uint32_t sender_id[GSA_SENDER_ID_MAX];
};

static Gsa__GroupSa *give(struct given *given, uint8_t key, size_t count, const uint32_t *spis)
{
	*given = (struct given){ .group_sa = GSA__GROUP_SA__INIT };
	given->group_sa.group = 100;
	given->group_sa.data_sa = given->pointers;
	given->group_sa.n_data_sa = count;
	given->group_sa.activation_delay_s = 5;
	given->group_sa.deactivation_delay_s = 10;
	for (size_t i = 0; i < count; i++) {
		Gsa__DataSa *sa = given->pointers[i] = &given->sa[i];

		gsa__data_sa__init(sa);
		memset(given->keys[i], key, sizeof(given->keys[i]));
		given->keys[i][0] = (uint8_t)(spis[i] >> 16);
		sa->spi = spis[i];
		sa->encryption = GSA_ENCR_AES_GCM_16;
		sa->encryption_key_bits = 256;
		sa->sequence_numbers = GSA_SN_PAIRWISE_32;
		sa->lifetime_s = 3600;
		sa->key.data = given->keys[i];
		sa->key.len = sizeof(given->keys[i]);
	}
	return &given->group_sa;
}

static Gsa__GroupSa *give_sender(struct given *given, uint32_t sender_id)
{
	given->sender_id[0] = sender_id;
	given->group_sa.sender_id = given->sender_id;
	given->group_sa.n_sender_id = 1;
	given->group_sa.sender_id_bits = 16;
	return &given->group_sa;
}

static void check_spis(const struct gsa_held *held, size_t count, const uint32_t *spis)
{
	ck_assert_uint_eq(held->count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(held->sa[i].spi, spis[i]);
}

#define SPIS(...) COUNT(((const uint32_t[]){ __VA_ARGS__ })), ((const uint32_t[]){ __VA_ARGS__ })

START_TEST(registration)
{
	struct gsa_held held = {};
	struct given given;

	ck_assert(gsa_held_replace(&held, give(&given, 1, SPIS(0x10000, 0x20000)), 1000, 900));
	check_spis(&held, SPIS(0x10000, 0x20000));
	ck_assert_uint_eq(held.group, 100);
	ck_assert_uint_eq(held.sa[1].activation_delay_s, 5);
	ck_assert_uint_eq(held.sa[1].deactivation_delay_s, 10);
	ck_assert_uint_eq(held.sa[1].received_ms, 1000);
	ck_assert_uint_eq(held.sa[1].key.length, 36);
	ck_assert_mem_eq(held.sa[1].key.data, given.keys[1], 36);
	/* others take their place */
	ck_assert(gsa_held_replace(&held, give(&given, 1, SPIS(0x30000)), 2000, 1900));
	check_spis(&held, SPIS(0x30000));
	gsa_held_clear(&held);
	check_spis(&held, 0, NULL);
}
END_TEST

START_TEST(rekey)
{
	struct gsa_held held = {};
	struct given given;

	ck_assert(gsa_held_replace(&held, give(&given, 1, SPIS(0x10000)), 1000, 900));
	ck_assert(gsa_held_append(&held, give(&given, 1, SPIS(0x20000)), 5000));
	check_spis(&held, SPIS(0x10000, 0x20000));
	ck_assert_uint_eq(held.sa[1].received_ms, 5000);
	/* told once more: nothing is new, and nothing is younger */
	ck_assert(gsa_held_append(&held, give(&given, 1, SPIS(0x10000, 0x20000)), 9000));
	check_spis(&held, SPIS(0x10000, 0x20000));
	ck_assert_uint_eq(held.sa[0].received_ms, 1000);
	ck_assert_uint_eq(held.sa[1].received_ms, 5000);
	ck_assert(gsa_held_remove(&held, 0x10000));
	ck_assert(!gsa_held_remove(&held, 0x10000));
	check_spis(&held, SPIS(0x20000));
	gsa_held_clear(&held);
}
END_TEST

START_TEST(same_spi_other_key)
{
	struct gsa_held held = {};
	struct given given;

	ck_assert(gsa_held_replace(&held, give(&given, 1, SPIS(0x10000, 0x20000)), 1000, 900));
	ck_assert(gsa_held_append(&held, give(&given, 2, SPIS(0x10000)), 5000));
	check_spis(&held, SPIS(0x20000, 0x10000));
	ck_assert_uint_eq(held.sa[1].received_ms, 5000);
	ck_assert_uint_eq(held.sa[1].key.data[1], 2);
	ck_assert(gsa_held_replace(&held, give(&given, 3, SPIS(0x10000)), 7000, 6000));
	ck_assert_uint_eq(held.sa[0].received_ms, 7000);
	ck_assert_uint_eq(held.sa[0].key.data[1], 3);
	gsa_held_clear(&held);
}
END_TEST

START_TEST(same_once_more)
{
	struct gsa_held held = {};
	struct given given;

	ck_assert(gsa_held_replace(&held, give(&given, 1, SPIS(0x10000)), MINUTE_MS, 0));
	give(&given, 1, SPIS(0x10000));
	given.group_sa.activation_delay_s = 0;
	given.group_sa.deactivation_delay_s = 99;
	given.sa[0].lifetime_s = 3600 - 30; /* a minute later it would be 3540 */
	ck_assert(gsa_held_replace(&held, &given.group_sa, 2 * MINUTE_MS, 2 * MINUTE_MS));
	ck_assert_uint_eq(held.sa[0].received_ms, MINUTE_MS);
	ck_assert_uint_eq(held.sa[0].activation_delay_s, 5);
	ck_assert_uint_eq(held.sa[0].deactivation_delay_s, 10);
	/* the end that is known comes first */
	ck_assert_uint_eq(held.sa[0].lifetime_s, 3600);
	given.sa[0].lifetime_s = 40;
	ck_assert(gsa_held_append(&held, &given.group_sa, 2 * MINUTE_MS));
	ck_assert_uint_eq(held.sa[0].lifetime_s, 60 + 40);
	/* one without an end is no reason to keep it longer */
	given.sa[0].lifetime_s = 0;
	ck_assert(gsa_held_append(&held, &given.group_sa, 2 * MINUTE_MS));
	ck_assert_uint_eq(held.sa[0].lifetime_s, 60 + 40);
	given.sa[0].lifetime_s = UINT32_MAX;
	ck_assert(gsa_held_append(&held, &given.group_sa, 2 * MINUTE_MS));
	ck_assert_uint_eq(held.sa[0].lifetime_s, 60 + 40);
	gsa_held_clear(&held);
}
END_TEST

START_TEST(end_of_an_endless_one)
{
	struct gsa_held held = {};
	struct given given;

	give(&given, 1, SPIS(0x10000));
	given.sa[0].lifetime_s = 0;
	ck_assert(gsa_held_replace(&held, &given.group_sa, MINUTE_MS, 0));
	given.sa[0].lifetime_s = 7;
	ck_assert(gsa_held_append(&held, &given.group_sa, 2 * MINUTE_MS));
	ck_assert_uint_eq(held.sa[0].lifetime_s, 67);
	gsa_held_clear(&held);
}
END_TEST

/* A rekey that is handled before the answer to the registration that it follows. */
START_TEST(overtaken)
{
	struct gsa_held held = {};
	struct given given;

	ck_assert(gsa_held_replace(&held, give(&given, 1, SPIS(0x10000)), 100, 50));
	/* asked again at 1000 */
	ck_assert(gsa_held_append(&held, give(&given, 1, SPIS(0x30000)), 1001));
	ck_assert(gsa_held_replace(&held, give(&given, 1, SPIS(0x10000, 0x20000)), 1002, 1000));
	check_spis(&held, SPIS(0x10000, 0x20000, 0x30000));
	ck_assert_uint_eq(held.sa[2].received_ms, 1001);
	/* one that came before it was asked for is not given any more */
	ck_assert(gsa_held_replace(&held, give(&given, 1, SPIS(0x40000)), 2002, 2000));
	check_spis(&held, SPIS(0x40000));
	gsa_held_clear(&held);
}
END_TEST

START_TEST(too_many)
{
	uint32_t spis[2 * GSA_DATA_SA_MAX];
	struct gsa_held held = {};
	struct given given;

	for (size_t i = 0; i < COUNT(spis); i++)
		spis[i] = (uint32_t)(i + 1) << 16;
	for (size_t i = 0; i < COUNT(spis); i++)
		ck_assert(gsa_held_append(&held, give(&given, 1, 1, &spis[i]), i));
	check_spis(&held, GSA_DATA_SA_MAX, &spis[GSA_DATA_SA_MAX]);
	gsa_held_clear(&held);
	ck_assert(gsa_held_replace(&held, give(&given, 1, COUNT(spis), spis), 1, 0));
	check_spis(&held, GSA_DATA_SA_MAX, &spis[GSA_DATA_SA_MAX]);
	gsa_held_clear(&held);
}
END_TEST

static void check_sender_ids(const struct gsa_held *held, size_t count, const uint32_t *ids)
{
	ck_assert_uint_eq(held->sender_id_count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(held->sender_id[i], ids[i]);
}

START_TEST(sender_ids)
{
	struct gsa_held held = {};
	struct given given;

	give(&given, 1, SPIS(0x10000));
	ck_assert(gsa_held_replace(&held, give_sender(&given, 7), 1, 0));
	/* once more under the same SA, and its successor */
	give(&given, 1, SPIS(0x10000, 0x20000));
	ck_assert(gsa_held_replace(&held, give_sender(&given, 9), 3, 2));
	check_sender_ids(&held, SPIS(7, 9));
	/* a rekey gives none, and takes none away */
	ck_assert(gsa_held_append(&held, give(&given, 1, SPIS(0x30000)), 4));
	check_sender_ids(&held, SPIS(7, 9));
	give(&given, 1, SPIS(0x30000));
	ck_assert(gsa_held_replace(&held, give_sender(&given, 7), 6, 5));
	check_sender_ids(&held, SPIS(9, 7));
	/* no SA of before is left: the counter may have begun again */
	give(&given, 1, SPIS(0x40000));
	ck_assert(gsa_held_replace(&held, give_sender(&given, 1), 8, 7));
	check_sender_ids(&held, SPIS(1));
	/* the same SPI is not the same SA */
	give(&given, 2, SPIS(0x40000));
	ck_assert(gsa_held_replace(&held, give_sender(&given, 2), 10, 9));
	check_sender_ids(&held, SPIS(2));
	for (uint32_t id = 3; id < 3 + GSA_SENDER_ID_MAX; id++)
		ck_assert(gsa_held_replace(&held, give_sender(&given, id), 12, 11));
	ck_assert_uint_eq(held.sender_id_count, GSA_SENDER_ID_MAX);
	ck_assert_uint_eq(held.sender_id[0], 3);
	ck_assert_uint_eq(held.sender_id[GSA_SENDER_ID_MAX - 1], 2 + GSA_SENDER_ID_MAX);
	gsa_held_clear(&held);
}
END_TEST

START_TEST(export)
{
	struct gsa_held held = {};
	struct given given;
	Gsa__GroupSa *out;

	give(&given, 1, SPIS(0x10000));
	ck_assert(gsa_held_replace(&held, give_sender(&given, 7), 1000, 0));
	give(&given, 4, SPIS(0x20000));
	given.group_sa.activation_delay_s = 6;
	ck_assert(gsa_held_append(&held, &given.group_sa, 3000));
	out = gsa_held_export(&held, 3500);
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(out->n_data_sa, 2);
	ck_assert_uint_eq(out->data_sa[0]->age_ms, 2500);
	ck_assert_uint_eq(out->data_sa[1]->age_ms, 500);
	ck_assert_uint_eq(out->data_sa[0]->activation_delay_s, 5);
	ck_assert_uint_eq(out->data_sa[1]->activation_delay_s, 6);
	ck_assert_uint_eq(out->data_sa[1]->deactivation_delay_s, 10);
	ck_assert_uint_eq(out->data_sa[1]->spi, 0x20000);
	ck_assert_uint_eq(out->data_sa[1]->lifetime_s, 3600);
	ck_assert_uint_eq(out->data_sa[1]->encryption, GSA_ENCR_AES_GCM_16);
	ck_assert_uint_eq(out->data_sa[1]->sequence_numbers, GSA_SN_PAIRWISE_32);
	ck_assert_uint_eq(out->data_sa[1]->key.len, 36);
	ck_assert_mem_eq(out->data_sa[1]->key.data, given.keys[0], 36);
	ck_assert_uint_eq(out->sender_id_bits, 16);
	ck_assert_uint_eq(out->n_sender_id, 1);
	ck_assert_uint_eq(out->sender_id[0], 7);
	ck_assert_uint_eq(out->group, 100);
	gsa_held_free_export(out);
	gsa_held_clear(&held);
	out = gsa_held_export(&held, 1);
	ck_assert_uint_eq(out->n_data_sa, 0);
	gsa_held_free_export(out);
	gsa_held_free_export(NULL);
}
END_TEST

START_TEST(covers)
{
	struct gsa_held held = {};
	struct given given;

	give(&given, 1, SPIS(0x10000, 0x20000));
	given.sa[1].sequence_numbers = GSA_SN_UNSPECIFIED_32;
	ck_assert(gsa_held_replace(&held, give_sender(&given, 7), 1000, 0));
	ck_assert(gsa_held_covers(&held, 0x10000));
	ck_assert(gsa_held_covers(&held, 0x1ffff));
	ck_assert(gsa_held_covers(&held, 0x20000));
	ck_assert(!gsa_held_covers(&held, 0x20001));
	ck_assert(!gsa_held_covers(&held, 0x30000));
	ck_assert(!gsa_held_remove(&held, 0x1ffff));
	ck_assert(gsa_held_remove(&held, 0x20000));
	gsa_held_clear(&held);
}
END_TEST

START_TEST(senders)
{
	const struct {
		uint32_t spi, sequence_numbers, bits;
		size_t count;
		uint32_t id;
		const char *reason; /* a part of it */
	} rows[] = {
		{ 0x12345678, GSA_SN_UNSPECIFIED_32, 0, 0, 0, NULL },
		{ 0x12340000, GSA_SN_PAIRWISE_32, 16, 1, 0, NULL },
		{ 0x12340000, GSA_SN_PAIRWISE_32, 16, 1, 0xffff, NULL },
		{ 0x12345600, GSA_SN_PAIRWISE_32, 8, 1, 255, NULL },
		{ 0x12340000, GSA_SN_PAIRWISE_32, 0, 1, 0, "are not said" },
		{ 0x12000000, GSA_SN_PAIRWISE_32, 17, 1, 0, "more bits than are supported" },
		{ 0x12000000, GSA_SN_PAIRWISE_32, 32, 1, 0, "more bits than are supported" },
		{ 0x12340000, GSA_SN_PAIRWISE_32, 16, 0, 0, "without a Sender-ID" },
		{ 0x12340000, GSA_SN_PAIRWISE_32, 16, 1, 0x10000, "more bits than Sender-IDs" },
		{ 0x12345600, GSA_SN_PAIRWISE_32, 8, 1, 256, "more bits than Sender-IDs" },
		{ 0x12340001, GSA_SN_PAIRWISE_32, 16, 1, 0, "no room" },
		{ 0x12345680, GSA_SN_PAIRWISE_32, 8, 1, 0, "no room" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct given given;
		const char *reason;

		give(&given, 1, 1, &rows[i].spi);
		given.sa[0].sequence_numbers = rows[i].sequence_numbers;
		reason = gsa_held_check_senders(&given.group_sa, rows[i].bits, &rows[i].id,
						rows[i].count);
		ck_assert_msg(!reason == !rows[i].reason, "row %zu: %s", i, reason);
		ck_assert_msg(!reason || strstr(reason, rows[i].reason), "row %zu: %s", i, reason);
	}
}
END_TEST

Suite *held_suite(void)
{
	Suite *suite = suite_create("held");
	TCase *tcase = tcase_create("held");

	tcase_add_test(tcase, registration);
	tcase_add_test(tcase, rekey);
	tcase_add_test(tcase, same_spi_other_key);
	tcase_add_test(tcase, same_once_more);
	tcase_add_test(tcase, end_of_an_endless_one);
	tcase_add_test(tcase, overtaken);
	tcase_add_test(tcase, too_many);
	tcase_add_test(tcase, sender_ids);
	tcase_add_test(tcase, export);
	tcase_add_test(tcase, covers);
	tcase_add_test(tcase, senders);
	suite_add_tcase(suite, tcase);
	return suite;
}
