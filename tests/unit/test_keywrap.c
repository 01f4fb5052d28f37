// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include "libgsa/keywrap.h"

/* RFC 5649 §6; the key-encrypting key has 192 bits */
#define KEK "5840df6e29b02af1 ab493b705bf16ea1 ae8338f4dcc176a8"

static const struct {
	const char *key, *wrap;
} examples[] = {
	{ "c37b7e6492584340 bed1220780894115 5068f738",
	  "138bdeaa9b8fa7fc 61f97742e72248ee 5ae6ae5360d1ae6a 5f54f373fa543b6a" },
	{ "466f7250617369", "afbeb0f07dfbf541 9200f2ccb50bb24f" },
};

static struct gsa_secret secret_of(const char *text)
{
	uint8_t data[WIRE_TEXT_MAX];
	struct gsa_secret secret;
	size_t length = wire_text(text, data);

	ck_assert(gsa_secret_copy(&secret, data, length));
	return secret;
}

START_TEST(examples_of_the_rfc)
{
	struct gsa_secret kek = secret_of(KEK), key = secret_of(examples[_i].key), back;
	uint8_t wrap[WIRE_TEXT_MAX], out[GSA_WRAP_CIPHER_MAX];
	size_t wrap_length = wire_text(examples[_i].wrap, wrap), length;

	ck_assert(gsa_key_wrap(GSA_KW_5649_192, &kek, &key, out, &length));
	ck_assert_uint_eq(length, wrap_length);
	ck_assert_mem_eq(out, wrap, length);
	ck_assert(gsa_key_unwrap(GSA_KW_5649_192, &kek, wrap, wrap_length, &back));
	ck_assert(gsa_secret_equal(&back, &key));
	gsa_secret_clear(&back);
	gsa_secret_clear(&key);
	gsa_secret_clear(&kek);
}
END_TEST

static const struct {
	enum gsa_key_wrap_algorithm id;
	size_t key_size;
} algorithms[] = {
	{ GSA_KW_5649_128, 16 },
	{ GSA_KW_5649_192, 24 },
	{ GSA_KW_5649_256, 32 },
};

START_TEST(every_length_there_and_back)
{
	enum gsa_key_wrap_algorithm id = algorithms[_i].id;
	uint8_t out[GSA_WRAP_CIPHER_MAX];
	struct gsa_secret kek, key, back;
	size_t written;

	ck_assert_uint_eq(gsa_key_wrap_key_size(id), algorithms[_i].key_size);
	ck_assert(gsa_secret_random(&kek, algorithms[_i].key_size));
	for (size_t length = 1; length <= GSA_WRAP_PLAIN_MAX; length++) {
		ck_assert(gsa_secret_random(&key, length));
		ck_assert(gsa_key_wrap(id, &kek, &key, out, &written));
		ck_assert_uint_eq(written, (length + 7) / 8 * 8 + 8);
		ck_assert(gsa_key_unwrap(id, &kek, out, written, &back));
		ck_assert(gsa_secret_equal(&key, &back));
		gsa_secret_clear(&key);
		gsa_secret_clear(&back);
	}
	gsa_secret_clear(&kek);
}
END_TEST

START_TEST(every_changed_bit_is_noticed)
{
	uint8_t out[GSA_WRAP_CIPHER_MAX];
	struct gsa_secret kek, key, back;
	size_t written;

	ck_assert(gsa_secret_random(&kek, 32));
	ck_assert(gsa_secret_random(&key, 36));
	ck_assert(gsa_key_wrap(GSA_KW_5649_256, &kek, &key, out, &written));
	for (size_t bit = 0; bit < 8 * written; bit++) {
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert(!gsa_key_unwrap(GSA_KW_5649_256, &kek, out, written, &back));
		ck_assert_ptr_null(back.data);
		ck_assert_uint_eq(back.length, 0);
		out[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* any shorter part, and another key */
	for (size_t length = 0; length < written; length++)
		ck_assert(!gsa_key_unwrap(GSA_KW_5649_256, &kek, out, length, &back));
	kek.data[31] ^= 1;
	ck_assert(!gsa_key_unwrap(GSA_KW_5649_256, &kek, out, written, &back));
	gsa_secret_clear(&kek);
	gsa_secret_clear(&key);
}
END_TEST

START_TEST(refusals)
{
	uint8_t out[GSA_WRAP_CIPHER_MAX + 8] = { 0 };
	struct gsa_secret kek, key, longest, empty = { 0 }, back;
	size_t written;

	ck_assert(gsa_secret_random(&kek, 32));
	ck_assert(gsa_secret_random(&key, 32));
	ck_assert(gsa_secret_random(&longest, GSA_WRAP_PLAIN_MAX + 1));
	ck_assert_uint_eq(gsa_key_wrap_key_size(GSA_KW_NONE), 0);
	ck_assert_uint_eq(gsa_key_wrap_key_size((enum gsa_key_wrap_algorithm)4), 0);
	for (size_t size = 0; size < 64; size++) {
		enum gsa_key_wrap_algorithm algorithm = gsa_key_wrap_by_key_size(size);

		ck_assert_uint_eq(gsa_key_wrap_key_size(algorithm), algorithm ? size : 0);
		ck_assert_int_eq(algorithm != GSA_KW_NONE, size == 16 || size == 24 || size == 32);
	}
	ck_assert(!gsa_key_wrap(GSA_KW_NONE, &kek, &key, out, &written));
	ck_assert_uint_eq(written, 0);
	ck_assert(!gsa_key_wrap(GSA_KW_NONE, &empty, &key, out, &written));
	ck_assert(!gsa_key_wrap(GSA_KW_5649_128, &kek, &key, out, &written));
	ck_assert(!gsa_key_wrap(GSA_KW_5649_256, &empty, &key, out, &written));
	ck_assert(!gsa_key_wrap(GSA_KW_5649_256, &kek, &empty, out, &written));
	ck_assert(!gsa_key_wrap(GSA_KW_5649_256, &kek, &longest, out, &written));
	ck_assert(!gsa_key_unwrap(GSA_KW_NONE, &kek, out, 40, &back));
	ck_assert(!gsa_key_unwrap(GSA_KW_5649_128, &kek, out, 40, &back));
	ck_assert(!gsa_key_unwrap(GSA_KW_5649_256, &kek, out, sizeof(out), &back));
	ck_assert_ptr_null(back.data);
	gsa_secret_clear(&kek);
	gsa_secret_clear(&key);
	gsa_secret_clear(&longest);
}
END_TEST

Suite *keywrap_suite(void)
{
	Suite *suite = suite_create("keywrap");
	TCase *wrap = tcase_create("wrap");

	tcase_add_loop_test(wrap, examples_of_the_rfc, 0, COUNT(examples));
	tcase_add_loop_test(wrap, every_length_there_and_back, 0, COUNT(algorithms));
	tcase_add_test(wrap, every_changed_bit_is_noticed);
	tcase_add_test(wrap, refusals);
	suite_add_tcase(suite, wrap);
	return suite;
}
