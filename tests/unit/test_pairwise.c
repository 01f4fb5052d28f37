// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include "libgsa/pairwise.h"

static const struct {
	uint8_t first; /* of the TEK's octets, which count up */
	size_t size;
	uint32_t group, prefix;
	unsigned int bits;
	uint32_t sender, receiver, spi, mark;
	const char *key; /* hexadecimal */
} vectors[] = {
#include "tests/unit/pairwise_vectors.h"
};

static void counting(struct gsa_secret *tek, uint8_t first, size_t size)
{
	ck_assert(gsa_secret_alloc(tek, size));
	for (size_t i = 0; i < size; i++)
		tek->data[i] = (uint8_t)(first + i);
}

START_TEST(vector)
{
	uint8_t expected[WIRE_TEXT_MAX];
	size_t length = wire_text(vectors[_i].key, expected);
	struct gsa_secret tek, key;
	uint32_t spi, mark;

	counting(&tek, vectors[_i].first, vectors[_i].size);
	ck_assert(gsa_pair_spi(vectors[_i].prefix, vectors[_i].bits, vectors[_i].sender, &spi));
	ck_assert_uint_eq(spi, vectors[_i].spi);
	ck_assert(gsa_pair_key(&tek, vectors[_i].group, vectors[_i].prefix, vectors[_i].bits,
			       vectors[_i].sender, vectors[_i].receiver, length, &key));
	ck_assert_uint_eq(key.length, length);
	ck_assert_mem_eq(key.data, expected, length);
	ck_assert(gsa_key_mark(&tek, &mark));
	ck_assert_uint_eq(mark, vectors[_i].mark);
	gsa_secret_clear(&key);
	gsa_secret_clear(&tek);
}
END_TEST

/* Whatever of it differs, the key does. */
START_TEST(keys_differ)
{
	static const struct {
		uint8_t first;
		uint32_t group, prefix;
		unsigned int bits;
		uint32_t sender, receiver;
	} rows[] = {
		{ 0, 100, 0x10000, 16, 1, 2 }, { 1, 100, 0x10000, 16, 1, 2 },
		{ 0, 101, 0x10000, 16, 1, 2 }, { 0, 100, 0x20000, 16, 1, 2 },
		{ 0, 100, 0x10000, 16, 2, 1 }, { 0, 100, 0x10000, 16, 1, 3 },
		{ 0, 100, 0x10000, 16, 3, 2 },
	};
	struct gsa_secret keys[COUNT(rows)];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gsa_secret tek;

		counting(&tek, rows[i].first, 36);
		ck_assert(gsa_pair_key(&tek, rows[i].group, rows[i].prefix, rows[i].bits,
				       rows[i].sender, rows[i].receiver, 36, &keys[i]));
		gsa_secret_clear(&tek);
		for (size_t j = 0; j < i; j++)
			ck_assert(!gsa_secret_equal(&keys[i], &keys[j]));
	}
	for (size_t i = 0; i < COUNT(rows); i++)
		gsa_secret_clear(&keys[i]);
}
END_TEST

START_TEST(refusals)
{
	struct gsa_secret tek, key;
	uint32_t spi;

	ck_assert(!gsa_pair_spi(0x10001, 16, 0, &spi));
	ck_assert(!gsa_pair_spi(0x10080, 8, 0, &spi));
	ck_assert(!gsa_pair_spi(0x10000, 16, 0x10000, &spi));
	ck_assert(!gsa_pair_spi(0x10000, 8, 256, &spi));
	ck_assert(!gsa_pair_spi(0x10000, 0, 0, &spi));
	ck_assert(!gsa_pair_spi(0x20000, 17, 0, &spi));
	counting(&tek, 0, 36);
	ck_assert(!gsa_pair_key(&tek, 1, 0x10001, 16, 0, 0, 36, &key));
	ck_assert(!gsa_pair_key(&tek, 1, 0x10000, 8, 256, 0, 36, &key));
	ck_assert(!gsa_pair_key(&tek, 1, 0x10000, 8, 0, 256, 36, &key));
	ck_assert(!gsa_pair_key(&tek, 1, 0x10000, 8, 0, 1, 0, &key));
	ck_assert_ptr_null(key.data);
	gsa_secret_clear(&tek);
	ck_assert(!gsa_pair_key(&tek, 1, 0x10000, 8, 0, 1, 36, &key));
	ck_assert(!gsa_key_mark(&tek, &spi));
}
END_TEST

Suite *pairwise_suite(void)
{
	Suite *suite = suite_create("pairwise");
	TCase *tcase = tcase_create("pairwise");

	tcase_add_loop_test(tcase, vector, 0, COUNT(vectors));
	tcase_add_test(tcase, keys_differ);
	tcase_add_test(tcase, refusals);
	suite_add_tcase(suite, tcase);
	return suite;
}
