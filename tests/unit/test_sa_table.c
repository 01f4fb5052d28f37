// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gcks_unit.h"

static struct gcks_sa_table table;

static void clear(void)
{
	gcks_sa_table_clear(&table);
	ck_assert_ptr_null(table.head);
}

static struct gcks_sa *make(uint32_t group)
{
	struct gcks_group policy = { .name = (char *)"blue",
				     .identifier = group,
				     .cipher = GCKS_CIPHER_AES256CBC_SHA256 };
	struct gcks_sa *sa = gcks_sa_new(&table, &policy, 1000);

	ck_assert_ptr_nonnull(sa);
	return sa;
}

START_TEST(new_sa)
{
	struct gcks_sa *sa = make(100), *other;

	ck_assert_ptr_null(table.head);
	ck_assert_uint_eq(sa->generation, 1);
	ck_assert_str_eq(sa->group_name, "blue");
	ck_assert_uint_ge(sa->spi, 0x1000);
	ck_assert_uint_eq(sa->encryption, GSA_ENCR_AES_CBC);
	ck_assert_uint_eq(sa->encryption_key_bits, 256);
	ck_assert_uint_eq(sa->integrity, GSA_INTEG_HMAC_SHA2_256_128);
	ck_assert_uint_eq(sa->sequence_numbers, GSA_SN_UNSPECIFIED_32);
	ck_assert_uint_eq(sa->key.length, 64);
	ck_assert_int_eq(sa->created_at, 1000);
	ck_assert_str_eq(gcks_cipher_name(GCKS_CIPHER_AES256CBC_SHA256), "aes256cbc-sha256");
	gcks_sa_insert(&table, sa);
	other = make(100);
	ck_assert_uint_ne(other->spi, sa->spi);
	ck_assert(!gsa_secret_equal(&other->key, &sa->key));
	gcks_sa_free(other);
}
END_TEST

START_TEST(generations)
{
	struct gcks_sa *first = make(100), *second, *third;

	gcks_sa_insert(&table, first);
	gcks_sa_insert(&table, make(200));
	second = make(100);
	ck_assert_uint_eq(second->generation, 2);
	ck_assert_ptr_eq(gcks_sa_current(&table, 100), first);
	gcks_sa_insert(&table, second);
	ck_assert_ptr_eq(gcks_sa_current(&table, 100), second);
	third = make(100);
	ck_assert_uint_eq(third->generation, 3);
	gcks_sa_free(third);
	ck_assert_ptr_eq(second->next, first);
	gcks_sa_remove_group(&table, 100);
	ck_assert_ptr_null(gcks_sa_current(&table, 100));
	ck_assert_ptr_nonnull(gcks_sa_current(&table, 200));
}
END_TEST

START_TEST(ciphers)
{
	static const struct {
		enum gcks_cipher cipher;
		uint16_t encryption, bits, integrity;
		size_t key_length; /* with the salt of a counter mode */
	} rows[] = {
		{ GCKS_CIPHER_AES256CBC_SHA256, 12, 256, 12, 64 },
		{ GCKS_CIPHER_AES128CBC_SHA256, 12, 128, 12, 48 },
		{ GCKS_CIPHER_AES256GCM16, 20, 256, 0, 36 },
		{ GCKS_CIPHER_AES128GCM16, 20, 128, 0, 20 },
		{ GCKS_CIPHER_CHACHA20POLY1305, 28, 0, 0, 36 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gcks_group policy = { .name = (char *)"blue",
					     .identifier = 100,
					     .cipher = rows[i].cipher,
					     .sharing = GCKS_SHARING_PAIRWISE,
					     .sender_id_bits = 12,
					     .lifetime_data_s = 100 };
		struct gcks_sa *sa = gcks_sa_new(&table, &policy, 1000);

		ck_assert_ptr_nonnull(sa);
		ck_assert_uint_eq(sa->encryption, rows[i].encryption);
		ck_assert_uint_eq(sa->encryption_key_bits, rows[i].bits);
		ck_assert_uint_eq(sa->integrity, rows[i].integrity);
		ck_assert_uint_eq(sa->key.length, rows[i].key_length);
		ck_assert_uint_eq(sa->sequence_numbers, GSA_SN_PAIRWISE_32);
		ck_assert_uint_eq(sa->spi & 0xfff, 0);
		ck_assert_uint_eq(sa->lifetime_s, 100);
		gcks_sa_free(sa);
	}
	ck_assert_ptr_null(gcks_cipher_name(COUNT(rows)));
}
END_TEST

/* SAs of all sizes of Sender-IDs, and none has an SPI that another one counts out. */
START_TEST(spis)
{
	static const uint8_t bits[] = { 0, 8, 12, 16 };

	for (uint32_t i = 0; i < 400; i++) {
		struct gcks_group policy = { .name = (char *)"blue", .identifier = 1 + i % 100 };
		struct gcks_sa *sa;

		policy.sender_id_bits = bits[i % COUNT(bits)];
		policy.sharing = policy.sender_id_bits ? GCKS_SHARING_PAIRWISE
						       : GCKS_SHARING_GROUP;
		sa = gcks_sa_new(&table, &policy, 1000);
		ck_assert_ptr_nonnull(sa);
		for (const struct gcks_sa *other = table.head; other; other = other->next) {
			uint64_t end = (uint64_t)sa->spi + (1u << sa->sender_id_bits);
			uint64_t other_end = (uint64_t)other->spi + (1u << other->sender_id_bits);

			ck_assert(end <= other->spi || other_end <= sa->spi);
		}
		gcks_sa_insert(&table, sa);
	}
}
END_TEST

START_TEST(times)
{
	struct gcks_sa sa = { .made_at = 5000, .lifetime_s = 10, .activates_at = 8000 };

	ck_assert_int_eq(gcks_sa_expires_at(&sa), 15000);
	ck_assert_uint_eq(gcks_sa_lifetime_left_s(&sa, 5000), 10);
	ck_assert_uint_eq(gcks_sa_lifetime_left_s(&sa, 5001), 9); /* never longer than here */
	ck_assert_uint_eq(gcks_sa_lifetime_left_s(&sa, 14999), 1);
	ck_assert_uint_eq(gcks_sa_activation_left_s(&sa, 5000), 3);
	ck_assert_uint_eq(gcks_sa_activation_left_s(&sa, 7999), 1); /* never earlier */
	ck_assert_uint_eq(gcks_sa_activation_left_s(&sa, 8000), 0);
	sa.lifetime_s = 0;
	ck_assert_int_eq(gcks_sa_expires_at(&sa), GCKS_NEVER);
	ck_assert_uint_eq(gcks_sa_lifetime_left_s(&sa, 5000), 0);
}
END_TEST

Suite *sa_table_suite(void)
{
	Suite *suite = suite_create("sa_table");
	TCase *tcase = tcase_create("sa_table");

	/* with sanitizers, on a machine that is busy */
	tcase_add_checked_fixture(tcase, NULL, clear);
	tcase_add_test(tcase, new_sa);
	tcase_add_test(tcase, generations);
	tcase_add_test(tcase, ciphers);
	tcase_add_test(tcase, spis);
	tcase_add_test(tcase, times);
	suite_add_tcase(suite, tcase);
	return suite;
}
