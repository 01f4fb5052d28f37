// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <string.h>

#include "libgsa/gikev2.h"
#include "tests/unit/vectors.h"

#define EIGHT "61 62 63 64 65 66 67 68"
#define SIXTY_FOUR EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT

#define LENGTH "IDg: length does not fit the identification type"
#define TYPE   "IDg: identification type is not one of a group"

static const struct refusal refusals[] = {
	{ "", "IDg: truncated header" },
	{ "0b 0000", "IDg: truncated header" },
	{ "0b 000000", LENGTH },
	{ "0b 000000" SIXTY_FOUR "69", LENGTH },
	{ "01 000000 e00000", LENGTH },
	{ "01 000000 e000000100", LENGTH },
	{ "02 000000", LENGTH },
	{ "02 000000" SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR SIXTY_FOUR, LENGTH },
	{ "02 000000 61 00", "IDg: control character in a name" },
	{ "03 000000 61 0a 62", "IDg: control character in a name" },
	{ "05 000000 e0000001", LENGTH },
	{ "00 000000 61", TYPE },
	{ "09 000000 3000", TYPE }, /* ID_DER_ASN1_DN */
	{ "0a 000000 3000", TYPE }, /* ID_DER_ASN1_GN */
	{ "ff 000000 61", TYPE },
};

START_TEST(refused)
{
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(refusals[_i].text, data);
	const char *reason = NULL;
	struct gsa_idg idg;

	ck_assert(!gsa_idg_decode(data, length, &idg, &reason));
	ck_assert_str_eq(reason, refusals[_i].reason);
}
END_TEST

START_TEST(accepted)
{
	static const char *const texts[] = {
		"0b 000000" SIXTY_FOUR,
		"0b ffffff 00 0a ff", /* reserved octets are ignored, the name is opaque */
		"05 000000" EIGHT EIGHT,
		"03 000000 61 40 62",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		uint8_t data[WIRE_TEXT_MAX];
		size_t length = wire_text(texts[i], data);
		const char *reason = NULL;
		struct gsa_idg idg;

		ck_assert_msg(gsa_idg_decode(data, length, &idg, &reason), "%s: %s", texts[i],
			      reason);
		ck_assert_ptr_eq(idg.data, data + 4);
		ck_assert_uint_eq(idg.length, length - 4);
		ck_assert_uint_eq(idg.type, data[0]);
	}
}
END_TEST

START_TEST(there_and_back)
{
	const struct vector *v = &vectors[_i];
	const char *reason = NULL;
	struct gsa_idg idg;
	uint8_t out[64];

	if (strcmp(v->target, "idg") != 0)
		return;
	ck_assert(gsa_idg_decode(v->data, v->length, &idg, &reason));
	ck_assert_uint_eq(gsa_idg_encode(&idg, out, sizeof(out)), v->length);
	ck_assert_mem_eq(out, v->data, v->length);
	for (size_t capacity = 0; capacity < v->length; capacity++)
		ck_assert_uint_eq(gsa_idg_encode(&idg, out, capacity), 0);
	/* names carry no length: what is cut off shorter names another group */
	for (size_t prefix = 0; prefix < v->length; prefix++)
		ck_assert(gsa_idg_decode(v->data, prefix, &idg, &reason) ==
			  (v->data[0] != 1 && prefix > 4));
}
END_TEST

START_TEST(not_encodable)
{
	struct gsa_idg idg = { .type = GSA_ID_KEY_ID, .data = (const uint8_t *)"blue" };
	uint8_t out[64];

	ck_assert_uint_eq(gsa_idg_encode(&idg, out, sizeof(out)), 0);
	idg.length = 4;
	ck_assert_uint_eq(gsa_idg_encode(&idg, out, sizeof(out)), 8);
	idg.type = 9;
	ck_assert_uint_eq(gsa_idg_encode(&idg, out, sizeof(out)), 0);
}
END_TEST

Suite *idg_suite(void)
{
	Suite *suite = suite_create("idg");
	TCase *codec = tcase_create("codec");

	tcase_add_loop_test(codec, refused, 0, COUNT(refusals));
	tcase_add_test(codec, accepted);
	tcase_add_loop_test(codec, there_and_back, 0, (int)vector_count);
	tcase_add_test(codec, not_encodable);
	suite_add_tcase(suite, codec);
	return suite;
}
