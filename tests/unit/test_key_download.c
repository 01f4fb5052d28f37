// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <string.h>

#include "libgsa/gikev2.h"
#include "tests/unit/vectors.h"

#define WRAPPED "afbeb0f07dfbf541 9200f2ccb50bb24f"
#define KEY	"0001 (0 00000000 00000000" WRAPPED ")"
#define ESP(spi, rest) "03 04 (4" spi rest ")"
#define REKEY(rest)    "06 10 (4 00112233445566778899aabbccddeeff" rest ")"
#define MEMBER(rest)   "00 00 (4" rest ")"
#define GOOD	ESP("00001000", KEY)

static const struct refusal refusals[] = {
	{ "", "KD: no key bag" },
	{ GOOD "03 04 00", "substructure: truncated header" },
	{ GOOD "00 00 0003", "substructure: shorter than its header" },
	{ GOOD "00 00 0005", "substructure: longer than the payload" },
	{ "01 04 (4 00001000" KEY ")", "Protocol: not one of a group SA" },
	{ "03 10 (4 00112233445566778899aabbccddeeff" KEY ")",
	  "SPI Size: not that of the protocol" },
	{ "06 04 (4 00001000" KEY ")", "SPI Size: not that of the protocol" },
	{ "03 04 (4 001000)", "SPI: truncated" },
	{ ESP("00000001", KEY), "SPI: reserved value" },
	{ GOOD GOOD, "SPI: two key bags for one SA" },
	{ ESP("00001000", ""), "SA_KEY: missing" },
	{ ESP("00001000", "4001 (0 00)"), "SA_KEY: missing" },
	{ ESP("00001000", KEY KEY), "SA_KEY: more than one for a Data-Security SA" },
	{ ESP("00001000", "8001 0000"), "SA_KEY: wrong attribute format" },
	{ ESP("00001000", "0001 (0 00000000 00000000)"), "SA_KEY: wrong length" },
	{ ESP("00001000", "0001 (0 00000000 000000)"), "SA_KEY: wrong length" },
	{ ESP("00001000", "0001 (0 00000001 00000000" WRAPPED ")"), "SA_KEY: Key ID is not 0" },
	{ ESP("00001000", "0001 (0 00000000 00000001" WRAPPED ")"),
	  "SA_KEY: KWK ID is not 0 for a Data-Security SA" },
	{ ESP("00001000", KEY "00"), "group key bag attribute: truncated" },
	{ ESP("00001000", "0001 0019 00000000 00000000" WRAPPED),
	  "group key bag attribute: truncated" },
	{ REKEY(""), "SA_KEY: missing" },
	{ REKEY("0001 (0 00000001 00000000" WRAPPED ")"), "SA_KEY: Key ID is not 0" },
	{ REKEY(KEY) REKEY(KEY), "group key bag: two for the Rekey SA" },
	{ GOOD MEMBER("") MEMBER(""), "member key bag: more than one" },
	{ GOOD MEMBER("0001 (0 00000000 00000000" WRAPPED ")"), "WRAP_KEY: Key ID is 0" },
	{ GOOD MEMBER("0001 (0 00000001 00000000)"), "WRAP_KEY: wrong length" },
	{ GOOD MEMBER("0002 (0 )"), "AUTH_KEY: wrong length" },
	{ GOOD MEMBER("0002 (0 30) 0002 (0 30)"), "AUTH_KEY: present twice" },
	{ GOOD MEMBER("0003 (0 )"), "GM_SENDER_ID: wrong length" },
	{ GOOD MEMBER("0003 (0 0000000001)"), "GM_SENDER_ID: wrong length" },
	{ GOOD MEMBER("8003 0001"), "GM_SENDER_ID: wrong attribute format" },
	{ GOOD MEMBER("0003 (0 01) 0003 (0 0001)"), "GM_SENDER_ID: the same value twice" },
	{ GOOD MEMBER("0003"), "member key bag attribute: truncated" },
};

START_TEST(refused)
{
	static struct gsa_key_download kd;
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(refusals[_i].text, data);
	const char *reason = NULL;

	ck_assert_msg(!gsa_key_download_decode(data, length, &kd, &reason), "accepted, not: %s",
		      refusals[_i].reason);
	ck_assert_str_eq(reason, refusals[_i].reason);
}
END_TEST

/* Reserved octets are ignored, and so is what only multicast rekeys and later standards need. */
START_TEST(accepted)
{
	static const char *const texts[] = {
		GOOD "00 ff (4 0003 (0 05))",
		GOOD MEMBER("0001 (0 00000007 00000000" WRAPPED ") 0002 (0 3000) 0003 (0 05)"),
		GOOD MEMBER("4001 (0 ff) 0003 (0 05) c001 ffff"),
		ESP("00001000", "c001 ffff" KEY "4001 (0 ff)") MEMBER("0003 (0 05)"),
	};
	static struct gsa_key_download kd;

	for (size_t i = 0; i < COUNT(texts); i++) {
		uint8_t data[WIRE_TEXT_MAX];
		size_t length = wire_text(texts[i], data);
		const char *reason = NULL;

		ck_assert_msg(gsa_key_download_decode(data, length, &kd, &reason), "%s: %s",
			      texts[i], reason);
		ck_assert_uint_eq(kd.bag_count, 1);
		ck_assert_uint_eq(kd.sender_id_count, 1);
		ck_assert_uint_eq(kd.sender_id[0], 5);
	}
}
END_TEST

START_TEST(fields)
{
	static struct gsa_key_download kd;
	const struct vector *v = vector_named("key_download", "kd_sender_ids");
	uint8_t wrapped[WIRE_TEXT_MAX];
	size_t wrapped_length = wire_text(WRAPPED, wrapped);
	const char *reason = NULL;

	ck_assert(gsa_key_download_decode(v->data, v->length, &kd, &reason));
	ck_assert_uint_eq(kd.bag_count, 2);
	ck_assert_uint_eq(kd.bag[0].protocol, GSA_PROTOCOL_ESP);
	ck_assert_uint_eq(kd.bag[1].protocol, GSA_PROTOCOL_AH);
	for (size_t i = 0; i < kd.bag_count; i++) {
		ck_assert_uint_eq(kd.bag[i].spi, 256);
		ck_assert_uint_eq(kd.bag[i].sa_key.key_id, 0);
		ck_assert_uint_eq(kd.bag[i].sa_key.key_wrap_key_id, 0);
		ck_assert_uint_eq(kd.bag[i].sa_key.cipher_length, wrapped_length);
		ck_assert_mem_eq(kd.bag[i].sa_key.cipher, wrapped, wrapped_length);
	}
	ck_assert(!kd.has_rekey_bag);
	ck_assert_uint_eq(kd.sender_id_count, 2);
	ck_assert_uint_eq(kd.sender_id[0], 1);
	ck_assert_uint_eq(kd.sender_id[1], 258);

	v = vector_named("key_download", "kd_rekey");
	ck_assert(gsa_key_download_decode(v->data, v->length, &kd, &reason));
	ck_assert(kd.has_rekey_bag);
	ck_assert_uint_eq(kd.bag_count, 0);
}
END_TEST

START_TEST(there_and_back)
{
	static struct gsa_key_download kd;
	const struct vector *v = &vectors[_i];
	const char *reason = NULL;
	uint8_t out[512];

	if (strcmp(v->target, "key_download") != 0)
		return;
	ck_assert_msg(gsa_key_download_decode(v->data, v->length, &kd, &reason), "%s", reason);
	kd.sender_id_bits = 16;
	if (kd.has_rekey_bag) {
		ck_assert_uint_eq(gsa_key_download_encode(&kd, out, sizeof(out)), 0);
	} else {
		ck_assert_uint_eq(gsa_key_download_encode(&kd, out, sizeof(out)), v->length);
		ck_assert_mem_eq(out, v->data, v->length);
		for (size_t capacity = 0; capacity < v->length; capacity++)
			ck_assert_uint_eq(gsa_key_download_encode(&kd, out, capacity), 0);
	}
	for (size_t prefix = 0; prefix < v->length; prefix++)
		ck_assert_msg(gsa_key_download_decode(v->data, prefix, &kd, &reason) ==
				      (prefix > 0 && ends_at_element(v->data, prefix, 2, 0)),
			      "%s cut to %zu", v->name, prefix);
}
END_TEST

START_TEST(longest_wrapped_key)
{
	static struct gsa_key_download kd, back;
	const char *reason = NULL;
	uint8_t out[1024];
	size_t length;

	kd.bag_count = 1;
	kd.bag[0].protocol = GSA_PROTOCOL_ESP;
	kd.bag[0].spi = 4096;
	kd.bag[0].sa_key.cipher_length = GSA_WRAP_CIPHER_MAX;
	length = gsa_key_download_encode(&kd, out, sizeof(out));
	ck_assert_uint_gt(length, GSA_WRAP_CIPHER_MAX);
	ck_assert(gsa_key_download_decode(out, length, &back, &reason));
	ck_assert_uint_eq(back.bag[0].sa_key.cipher_length, GSA_WRAP_CIPHER_MAX);
	/* one octet more: in the attribute (offset 10) and in the bag (offset 2) */
	out[length++] = 0;
	out[11]++;
	out[3]++;
	ck_assert(!gsa_key_download_decode(out, length, &back, &reason));
	ck_assert_str_eq(reason, "SA_KEY: wrong length");
	kd.bag[0].sa_key.cipher_length++;
	ck_assert_uint_eq(gsa_key_download_encode(&kd, out, sizeof(out)), 0);
	kd.bag[0].sa_key.cipher_length = 0;
	ck_assert_uint_eq(gsa_key_download_encode(&kd, out, sizeof(out)), 0);
}
END_TEST

START_TEST(too_many)
{
	static struct gsa_key_download kd;
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(GOOD, data), at;
	const char *reason = NULL;

	for (size_t i = 1; i <= GSA_DATA_SA_MAX; i++) {
		memcpy(data + i * length, data, length);
		data[i * length + 7] = (uint8_t)i; /* another SPI */
	}
	ck_assert(gsa_key_download_decode(data, GSA_DATA_SA_MAX * length, &kd, &reason));
	ck_assert(!gsa_key_download_decode(data, (GSA_DATA_SA_MAX + 1) * length, &kd, &reason));
	ck_assert_str_eq(reason, "group key bag: more than are supported");

	at = wire_text("00 00", data) + 2;
	for (uint8_t i = 0; i <= GSA_SENDER_ID_MAX; i++) {
		memcpy(data + at, (const uint8_t[]){ 0, 3, 0, 1, i }, 5);
		at += 5;
		data[2] = (uint8_t)(at >> 8);
		data[3] = (uint8_t)at;
		ck_assert(gsa_key_download_decode(data, at, &kd, &reason) ==
			  (i < GSA_SENDER_ID_MAX));
	}
	ck_assert_str_eq(reason, "GM_SENDER_ID: more than are supported");
}
END_TEST

/* GM_SENDER_ID takes the fewest octets that hold GWP_SENDER_ID_BITS. */
START_TEST(sender_id_octets)
{
	static const struct {
		uint16_t bits;
		uint32_t sender_id;
		const char *text; /* NULL: not encodable */
	} rows[] = {
		{ 0, 7, MEMBER("0003 (0 00000007)") },
		{ 1, 1, MEMBER("0003 (0 01)") },
		{ 8, 255, MEMBER("0003 (0 ff)") },
		{ 8, 256, NULL },
		{ 12, 4095, MEMBER("0003 (0 0fff)") },
		{ 12, 4096, NULL },
		{ 24, 7, MEMBER("0003 (0 000007)") },
		{ 32, 0xffffffff, MEMBER("0003 (0 ffffffff)") },
		{ 33, 0, NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gsa_key_download kd = { .sender_id = { rows[i].sender_id },
					       .sender_id_count = 1,
					       .sender_id_bits = rows[i].bits };
		uint8_t expected[WIRE_TEXT_MAX], out[64];
		size_t length = rows[i].text ? wire_text(rows[i].text, expected) : 0;

		ck_assert_uint_eq(gsa_key_download_encode(&kd, out, sizeof(out)), length);
		if (length)
			ck_assert_mem_eq(out, expected, length);
	}
}
END_TEST

/* Each row makes one thing wrong. */
static void spoil(struct gsa_key_download *kd, int row)
{
	switch (row) {
	case 0:
		kd->bag_count = 0;
		break;
	case 1:
		kd->bag_count = GSA_DATA_SA_MAX + 1;
		break;
	case 2:
		kd->has_rekey_bag = true;
		break;
	case 3:
		kd->bag[0].protocol = 0;
		break;
	case 4:
		kd->bag[0].protocol = GSA_PROTOCOL_GIKE_UPDATE;
		break;
	case 5:
		kd->bag[0].sa_key.key_id = 1;
		break;
	case 6:
		kd->bag[kd->bag_count++] = kd->bag[0];
		break;
	case 7: /* Sender-ID 0 twice */
		kd->sender_id_count = 2;
		break;
	default:
		ck_abort_msg("no row %d", row);
	}
}

START_TEST(not_encodable)
{
	static struct gsa_key_download kd, good;
	uint8_t data[WIRE_TEXT_MAX], out[512];
	size_t length = wire_text(GOOD, data);
	const char *reason = NULL;

	ck_assert(gsa_key_download_decode(data, length, &good, &reason));
	for (int row = 0; row < 8; row++) {
		kd = good;
		spoil(&kd, row);
		ck_assert_msg(gsa_key_download_encode(&kd, out, sizeof(out)) == 0, "row %d", row);
	}
	ck_assert_uint_eq(gsa_key_download_encode(&good, out, sizeof(out)), length);
}
END_TEST

Suite *key_download_suite(void)
{
	Suite *suite = suite_create("key_download");
	TCase *codec = tcase_create("codec");

	tcase_add_loop_test(codec, refused, 0, COUNT(refusals));
	tcase_add_test(codec, accepted);
	tcase_add_test(codec, fields);
	tcase_add_loop_test(codec, there_and_back, 0, (int)vector_count);
	tcase_add_test(codec, longest_wrapped_key);
	tcase_add_test(codec, too_many);
	tcase_add_test(codec, sender_id_octets);
	tcase_add_test(codec, not_encodable);
	suite_add_tcase(suite, codec);
	return suite;
}
