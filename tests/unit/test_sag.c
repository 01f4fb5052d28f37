// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <string.h>

#include "libgsa/gikev2_sag.h"
#include "tests/unit/vectors.h"

/* transforms: the last of a proposal ends with E */
#define CBC256	  "03 00 (4 01 00 000c 800e 0100)"
#define GCM256	  "03 00 (4 01 00 0014 800e 0100)"
#define CHACHA	  "03 00 (4 01 00 001c)"
#define SHA256	  "03 00 (4 03 00 000c)"
#define NONE	  "03 00 (4 03 00 0000)"
#define UNIQUE_E  "00 00 (4 05 00 f001)"
#define SHARED_E  "00 00 (4 05 00 0002)"
#define UNKNOWN_E "00 00 (4 f1 00 0001)"
/* a proposal for ESP: whether more follow, how many transforms */
#define ESP(more, count, transforms) more " 00 (4 01 03 00 " count transforms ")"
#define AH(more, count, transforms)  more " 00 (4 01 02 00 " count transforms ")"

static const struct refusal malformed[] = {
	{ "", "SAg: no proposal" },
	{ "00 00 0008 01 03 00", "SAg: truncated proposal header" },
	{ "01 00 (4 01 03 00 00)", "SAg: Last Substruc of a proposal is neither 0 nor 2" },
	{ "00 00 0007 01 03 00 00", "SAg: a proposal is shorter than its header" },
	{ "00 00 0010 01 03 00 01", "SAg: a proposal is longer than the payload" },
	{ "00 00 (4 01 03 01 00)", "SAg: a proposal is shorter than its SPI" },
	{ "02 00 (4 01 03 00 00)", "SAg: Last Substruc of a proposal does not tell the last one" },
	{ "00 00 (4 01 03 00 00) 00 00 (4 01 03 00 00)",
	  "SAg: Last Substruc of a proposal does not tell the last one" },
	{ ESP("00", "01", "00 00 0008 05 00 00"), "SAg: truncated transform header" },
	{ ESP("00", "01", "02 00 (4 05 00 0002)"),
	  "SAg: Last Substruc of a transform is neither 0 nor 3" },
	{ ESP("00", "01", "00 00 0007 05 00 0002"), "SAg: a transform is shorter than its header" },
	{ ESP("00", "01", "00 00 0009 05 00 0002"),
	  "SAg: a transform is longer than the proposal" },
	{ ESP("00", "01", "03 00 (4 05 00 0002)"),
	  "SAg: Last Substruc of a transform does not tell the last one" },
	{ ESP("00", "02", SHARED_E SHARED_E),
	  "SAg: Last Substruc of a transform does not tell the last one" },
	{ ESP("00", "01", "00 00 (4 05 00 0002 80)"), "SAg: truncated attribute of a transform" },
	{ ESP("00", "01", "00 00 (4 05 00 0002 0012 0005 0000)"),
	  "SAg: truncated attribute of a transform" },
	{ ESP("00", "02", SHARED_E), "SAg: a proposal has not as many transforms as it says" },
	{ ESP("00", "00", SHARED_E), "SAg: a proposal has not as many transforms as it says" },
	{ ESP("00", "01", ""), "SAg: a proposal has not as many transforms as it says" },
};

/* What the groups of this project's key servers use, and one for AH. */
static const struct gsa_data_sa shared = {
	.protocol = GSA_PROTOCOL_ESP,
	.encryption = GSA_ENCR_AES_CBC,
	.encryption_key_bits = 256,
	.integrity = GSA_INTEG_HMAC_SHA2_256_128,
	.sequence_numbers = GSA_SN_UNSPECIFIED_32,
};
static const struct gsa_data_sa pairwise = {
	.protocol = GSA_PROTOCOL_ESP,
	.encryption = GSA_ENCR_AES_GCM_16,
	.encryption_key_bits = 256,
	.sequence_numbers = GSA_SN_PAIRWISE_32,
};
static const struct gsa_data_sa chacha = {
	.protocol = GSA_PROTOCOL_ESP,
	.encryption = GSA_ENCR_CHACHA20_POLY1305,
	.sequence_numbers = GSA_SN_PAIRWISE_32,
};
static const struct gsa_data_sa ah = {
	.protocol = GSA_PROTOCOL_AH,
	.integrity = GSA_INTEG_HMAC_SHA2_256_128,
	.sequence_numbers = GSA_SN_UNSPECIFIED_32,
};

#define PROTOCOL "SAg: no proposal for the group's protocol"
#define CIPHER	 "SAg: the group's cipher is not among those that are supported"
#define INTEGRITY                                                                                  \
	"SAg: the group's integrity algorithm is not among those that are supported with its "     \
	"cipher"
#define NUMBERS                                                                                    \
	"SAg: the group's kind of sequence numbers is not among those that are supported with "    \
	"its cipher"

static const struct {
	const char *text;
	const struct gsa_data_sa *policy;
	const char *reason; /* NULL: accepted */
} verdicts[] = {
	{ ESP("00", "03", CBC256 SHA256 SHARED_E), &shared, NULL },
	{ ESP("00", "03", CBC256 SHA256 UNIQUE_E), &shared, NUMBERS },
	{ ESP("00", "02", CBC256 SHARED_E), &shared, INTEGRITY },
	{ ESP("00", "03", CBC256 NONE SHARED_E), &shared, INTEGRITY },
	{ ESP("00", "02", SHA256 SHARED_E), &shared, CIPHER },
	{ ESP("00", "02", CBC256 SHA256 "00 00 (4 f1 00 0001)"), &shared,
	  "SAg: a proposal has not as many transforms as it says" },
	{ AH("00", "02", SHA256 SHARED_E), &shared, PROTOCOL },
	{ AH("00", "02", SHA256 SHARED_E), &ah, NULL },
	{ AH("00", "01", SHARED_E), &ah, INTEGRITY },
	/* AEAD and others in one proposal, with and without INTEG NONE */
	{ ESP("00", "04", GCM256 CBC256 SHA256 UNIQUE_E), &pairwise, NULL },
	{ ESP("00", "03", GCM256 NONE UNIQUE_E), &pairwise, NULL },
	{ ESP("00", "02", CHACHA UNIQUE_E), &chacha, NULL },
	{ ESP("00", "02", CHACHA UNIQUE_E), &pairwise, CIPHER },
	/* the key length counts, and what is not known about a transform */
	{ ESP("00", "02", "03 00 (4 01 00 0014 800e 0080)" UNIQUE_E), &pairwise, CIPHER },
	{ ESP("00", "02", "03 00 (4 01 00 0014)" UNIQUE_E), &pairwise, CIPHER },
	{ ESP("00", "02", "03 00 (4 01 00 0014 800e 0100 800f 0001)" UNIQUE_E), &pairwise, CIPHER },
	{ ESP("00", "02", "03 00 (4 01 00 0014 800e 0100 800e 0100)" UNIQUE_E), &pairwise, CIPHER },
	{ ESP("00", "02", "03 00 (4 01 00 001c 800e 0100)" UNIQUE_E), &chacha, CIPHER },
	/* several proposals are alternatives, each has to do alone */
	{ ESP("02", "02", GCM256 SHARED_E) ESP("00", "02", CHACHA UNIQUE_E), &pairwise, NUMBERS },
	{ ESP("02", "02", CHACHA UNIQUE_E) ESP("00", "02", GCM256 UNIQUE_E), &pairwise, NULL },
	{ AH("02", "01", SHARED_E) ESP("00", "03", GCM256 "03 00 (4 05 00 0002)" UNIQUE_E),
	  &pairwise, NULL },
	/* a sequence number is not left out; types and protocols that are not known do no harm */
	{ ESP("00", "02", GCM256 UNKNOWN_E), &pairwise, NUMBERS },
	{ "02 00 (4 01 c9 00 01" UNKNOWN_E ")" ESP("00", "02", GCM256 UNIQUE_E), &pairwise, NULL },
	/* SPIs are skipped */
	{ "00 00 (4 01 03 04 02 01020304" GCM256 UNIQUE_E ")", &pairwise, NULL },
	{ "00 00 (4 01 03 04 02 01020304" CHACHA UNIQUE_E ")", &pairwise, CIPHER },
};

START_TEST(refused)
{
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(malformed[_i].text, data);
	const char *reason = NULL;

	ck_assert_str_eq(gsa_sag_check(data, length), malformed[_i].reason);
	ck_assert(!gsa_sag_accepts(data, length, &shared, &reason));
	ck_assert_str_eq(reason, malformed[_i].reason);
}
END_TEST

START_TEST(compared)
{
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(verdicts[_i].text, data);
	const char *reason = NULL;
	bool accepted = gsa_sag_accepts(data, length, verdicts[_i].policy, &reason);

	if (verdicts[_i].reason) {
		ck_assert(!accepted);
		ck_assert_str_eq(reason, verdicts[_i].reason);
	} else {
		ck_assert_msg(accepted, "%s", reason);
		ck_assert_ptr_null(reason);
	}
}
END_TEST

START_TEST(cut_short)
{
	const struct vector *v = &vectors[_i];

	if (strcmp(v->target, "sag") != 0)
		return;
	ck_assert_ptr_null(gsa_sag_check(v->data, v->length));
	for (size_t prefix = 0; prefix < v->length; prefix++)
		ck_assert_ptr_nonnull(gsa_sag_check(v->data, prefix));
}
END_TEST

START_TEST(foreign)
{
	const struct vector *v = vector_named("sag", "sag_foreign");
	struct gsa_reader reader = gsa_reader_of(v->data, v->length);
	struct gsa_sag_proposal proposal;
	struct gsa_sag_transform transform;
	const char *reason = NULL;

	ck_assert_ptr_null(gsa_sag_next_proposal(&reader, &proposal));
	ck_assert_uint_eq(proposal.number, 1);
	ck_assert_uint_eq(proposal.protocol, GSA_PROTOCOL_GIKE_UPDATE);
	ck_assert_uint_eq(proposal.transform_count, 4);
	ck_assert(!proposal.last);
	ck_assert_ptr_null(gsa_sag_next_transform(&proposal.transforms, &transform));
	ck_assert_uint_eq(transform.type, GSA_TRANSFORM_ENCR);
	ck_assert_uint_eq(transform.key_bits, 128);
	ck_assert(!transform.restricted);
	ck_assert_ptr_null(gsa_sag_next_transform(&proposal.transforms, &transform));
	ck_assert_uint_eq(transform.type, GSA_TRANSFORM_GCAUTH);
	ck_assert(transform.restricted);
	ck_assert(gsa_sag_accepts(v->data, v->length, &ah, &reason));
	ck_assert(!gsa_sag_accepts(v->data, v->length, &shared, &reason));
	ck_assert_str_eq(reason, PROTOCOL);
}
END_TEST

/* What we send says of ourselves what the member's decoder takes. */
START_TEST(supported)
{
	struct gsa_data_sa sa = pairwise;
	const char *reason = NULL;
	uint8_t body[512];
	size_t length = gsa_sag_encode_supported(body, sizeof(body));

	ck_assert_uint_gt(length, 0);
	ck_assert_ptr_null(gsa_sag_check(body, length));
	for (size_t capacity = 0; capacity < length; capacity++)
		ck_assert_uint_eq(gsa_sag_encode_supported(body, capacity), 0);
	length = gsa_sag_encode_supported(body, sizeof(body));
	ck_assert(gsa_sag_accepts(body, length, &shared, &reason));
	ck_assert(gsa_sag_accepts(body, length, &pairwise, &reason));
	ck_assert(gsa_sag_accepts(body, length, &chacha, &reason));
	/* nonces would repeat */
	sa.sequence_numbers = GSA_SN_UNSPECIFIED_32;
	ck_assert(!gsa_sag_accepts(body, length, &sa, &reason));
	ck_assert(!gsa_sag_accepts(body, length, &ah, &reason));
}
END_TEST

/* RFC 9838 §4.5.4: the key wrap algorithms are told; §2.3.3: no SPI. */
START_TEST(supported_tells_key_wrap)
{
	uint8_t body[512];
	struct gsa_reader reader =
		gsa_reader_of(body, gsa_sag_encode_supported(body, sizeof(body)));
	unsigned int algorithms = 0;

	for (const uint8_t *start = body; !gsa_reader_at_end(&reader); start = reader.cursor) {
		struct gsa_sag_proposal proposal;

		ck_assert_ptr_null(gsa_sag_next_proposal(&reader, &proposal));
		ck_assert_uint_eq(start[6], 0); /* SPI Size */
		ck_assert_uint_eq(proposal.number, 1);
		while (!gsa_reader_at_end(&proposal.transforms)) {
			struct gsa_sag_transform transform;

			ck_assert_ptr_null(
				gsa_sag_next_transform(&proposal.transforms, &transform));
			if (transform.type == GSA_TRANSFORM_KWA) {
				ck_assert_uint_eq(proposal.protocol, GSA_PROTOCOL_GIKE_UPDATE);
				ck_assert_uint_gt(gsa_key_wrap_key_size(transform.id), 0);
				algorithms++;
			}
		}
	}
	ck_assert_uint_eq(algorithms, 3);
}
END_TEST

Suite *sag_suite(void)
{
	Suite *suite = suite_create("sag");
	TCase *codec = tcase_create("codec");

	tcase_add_loop_test(codec, refused, 0, COUNT(malformed));
	tcase_add_loop_test(codec, compared, 0, COUNT(verdicts));
	tcase_add_loop_test(codec, cut_short, 0, (int)vector_count);
	tcase_add_test(codec, foreign);
	tcase_add_test(codec, supported);
	tcase_add_test(codec, supported_tells_key_wrap);
	suite_add_tcase(suite, codec);
	return suite;
}
