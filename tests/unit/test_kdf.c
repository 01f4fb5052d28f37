// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "libgsa/kdf.h"

static const struct {
	uint16_t prf;
	const EVP_MD *(*hash)(void);
	size_t size;
} prfs[] = {
	{ 2, EVP_sha1, 20 },
	{ 5, EVP_sha256, 32 },
	{ 6, EVP_sha384, 48 },
	{ 7, EVP_sha512, 64 },
};

/* RFC 7296 §2.13 as it is written: T1 = prf(K, S | 1), T2 = prf(K, T1 | S | 2), ... */
static void prf_plus(const EVP_MD *hash, const struct gsa_secret *key, const uint8_t *seed,
		     size_t seed_length, uint8_t *out, size_t length)
{
	uint8_t t[EVP_MAX_MD_SIZE], input[EVP_MAX_MD_SIZE + 256 + 1];
	unsigned int t_length = 0;

	for (unsigned int i = 1; length > 0; i++) {
		size_t part;

		memcpy(input, t, t_length);
		memcpy(input + t_length, seed, seed_length);
		input[t_length + seed_length] = (uint8_t)i;
		ck_assert_ptr_nonnull(HMAC(hash, key->data, (int)key->length, input,
					   t_length + seed_length + 1, t, &t_length));
		part = length < t_length ? length : t_length;
		memcpy(out, t, part);
		out += part;
		length -= part;
	}
}

/* Every length from one octet to two blocks and a bit, and the longest. */
START_TEST(prf_plus_is_that_of_ikev2)
{
	static uint8_t expected[255 * EVP_MAX_MD_SIZE];
	const uint8_t seed[] = "nonces and SPIs stand here in IKEv2";
	size_t size = prfs[_i].size, longest = 255 * size;
	struct gsa_secret key, out;

	ck_assert(gsa_secret_random(&key, size));
	prf_plus(prfs[_i].hash(), &key, seed, sizeof(seed), expected, longest);
	for (size_t i = 1; i <= 2 * size + 2; i++) {
		size_t length = i <= 2 * size + 1 ? i : longest;

		ck_assert(gsa_prf_plus(prfs[_i].prf, &key, seed, sizeof(seed), length, &out));
		ck_assert_uint_eq(out.length, length);
		ck_assert_mem_eq(out.data, expected, length);
		gsa_secret_clear(&out);
	}
	ck_assert(!gsa_prf_plus(prfs[_i].prf, &key, seed, sizeof(seed), longest + 1, &out));
	ck_assert_ptr_null(out.data);
	gsa_secret_clear(&key);
}
END_TEST

START_TEST(refusals)
{
	struct gsa_secret key, empty = { 0 }, out;

	ck_assert(gsa_secret_random(&key, 32));
	ck_assert(!gsa_prf_plus(1, &key, "s", 1, 32, &out));
	ck_assert_ptr_null(out.data);
	ck_assert(!gsa_prf_plus(5, &key, "s", 1, 0, &out));
	ck_assert_ptr_null(out.data);
	ck_assert(!gsa_prf_plus(5, &empty, "s", 1, 32, &out));
	ck_assert_ptr_null(out.data);
	gsa_secret_clear(&key);
}
END_TEST

START_TEST(default_key_wrap_key)
{
	/* RFC 9838 §3.1.1: 20 ASCII characters, no terminator */
	static const uint8_t label[20] = { 'K', 'e', 'y', ' ', 'W', 'r', 'a', 'p', ' ', 'f',
					   'o', 'r', ' ', 'G', '-', 'I', 'K', 'E', 'v', '2' };
	uint8_t expected[32];
	struct gsa_secret sk_d, gsk_w;

	ck_assert(gsa_secret_random(&sk_d, 32));
	prf_plus(EVP_sha256(), &sk_d, label, sizeof(label), expected, sizeof(expected));
	ck_assert(gsa_default_key_wrap_key(5, &sk_d, sizeof(expected), &gsk_w));
	ck_assert_uint_eq(gsk_w.length, sizeof(expected));
	ck_assert_mem_eq(gsk_w.data, expected, sizeof(expected));
	gsa_secret_clear(&sk_d);
	gsa_secret_clear(&gsk_w);
}
END_TEST

Suite *kdf_suite(void)
{
	Suite *suite = suite_create("kdf");
	TCase *derivation = tcase_create("derivation");

	tcase_add_loop_test(derivation, prf_plus_is_that_of_ikev2, 0, COUNT(prfs));
	tcase_add_test(derivation, refusals);
	tcase_add_test(derivation, default_key_wrap_key);
	suite_add_tcase(suite, derivation);
	return suite;
}
