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

Suite *sa_table_suite(void)
{
	Suite *suite = suite_create("sa_table");
	TCase *tcase = tcase_create("sa_table");

	tcase_add_checked_fixture(tcase, NULL, clear);
	tcase_add_test(tcase, new_sa);
	tcase_add_test(tcase, generations);
	suite_add_tcase(suite, tcase);
	return suite;
}
