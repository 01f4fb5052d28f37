// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <string.h>

#include "libgsa/gikev2.h"
#include "tests/unit/vectors.h"

/* Parts of a policy; see wire_text() for the parentheses. */
#define TS4   "07 00 (4 0000 ffff 00000000 ffffffff)"
#define ZERO  "00000000000000000000000000000000"
#define ONES  "ffffffffffffffffffffffffffffffff"
#define TS6   "08 00 (4 0000 ffff" ZERO ONES ")"
#define TS44  TS4 TS4
#define CBC   "03 00 (4 01 00 000c 800e 0100)" /* ENCR, AES-CBC-256, more follow */
#define GCM   "03 00 (4 01 00 0014 800e 0100)" /* ENCR, AES-GCM-16-256 */
#define CHA   "03 00 (4 01 00 001c)"	       /* ENCR, ChaCha20-Poly1305 */
#define NEW   "03 00 (4 01 00 0400)"	       /* ENCR, an algorithm that we do not know */
#define SHA   "03 00 (4 03 00 000c)"	       /* INTEG, HMAC-SHA2-256-128 */
#define NONE  "03 00 (4 03 00 0000)"	       /* INTEG, NONE */
#define SN    "00 00 (4 05 00 0002)"	       /* SN, 32-bit Unspecified, the last */
#define LIFE  "0001 (0 00000e10)"	       /* GSA_KEY_LIFETIME 3600 */
#define ESP(spi, rest)	 "03 04 (4" spi rest ")"
#define AH(spi, rest)	 "02 04 (4" spi rest ")"
#define REKEY(rest)	 "06 10 (4 00112233445566778899aabbccddeeff" rest ")"
#define KWA   "03 00 (4 0d 00 0003)"
#define IMPLICIT "00 00 (4 0e 00 0001)"
#define GOOD  ESP("00001000", TS44 CBC SHA SN)

static const struct refusal refusals[] = {
	{ "", "GSA: policy of no SA" },
	{ "00 00 (4 8001 0005)", "GSA: policy of no SA" },
	{ "00 00 (4 ) 00 00 (4 )" GOOD, "group-wide policy: more than one" },
	/* substructure */
	{ GOOD "03", "substructure: truncated header" },
	{ GOOD "03 04 00", "substructure: truncated header" },
	{ GOOD "00 00 0003", "substructure: shorter than its header" },
	{ GOOD "00 00 0000", "substructure: shorter than its header" },
	{ GOOD "00 00 0005", "substructure: longer than the payload" },
	{ "01 04 (4 00001000" TS44 CBC SHA SN ")", "Protocol: not one of a group SA" },
	{ "c9 04 (4 00001000" TS44 CBC SHA SN ")", "Protocol: not one of a group SA" },
	{ "03 08 (4 00001000 00001000" TS44 CBC SHA SN ")", "SPI Size: not that of the protocol" },
	{ "02 00 (4" TS44 SHA SN ")", "SPI Size: not that of the protocol" },
	{ "06 04 (4 00001000" TS44 CBC SHA KWA IMPLICIT ")", "SPI Size: not that of the protocol" },
	{ "03 04 (4 000010)", "SPI: truncated" },
	{ "06 10 (4 00112233445566778899aabbccddee)", "SPI: truncated" },
	{ ESP("00000000", TS44 CBC SHA SN), "SPI: reserved value" },
	{ ESP("000000ff", TS44 CBC SHA SN), "SPI: reserved value" },
	{ GOOD GOOD, "SPI: two policies for one SA" },
	{ REKEY(TS44 CBC SHA KWA IMPLICIT) REKEY(TS44 CBC SHA KWA IMPLICIT),
	  "Rekey SA: more than one" },
	{ GOOD AH("00001000", TS44 SHA SN),
	  "traffic selectors: both ESP and AH for the same traffic" },
	/* traffic selectors */
	{ ESP("00001000", ""), "traffic selector: truncated" },
	{ ESP("00001000", TS4), "traffic selector: truncated" },
	{ ESP("00001000", "07 00 0010 0000 ffff 00000000 ffffff"), "traffic selector: truncated" },
	{ ESP("00001000", "09 00 (4 0000 ffff 00000000 ffffffff)" TS4 CBC SHA SN),
	  "traffic selector: unknown type" },
	{ ESP("00001000", "07 00 000f 0000 ffff 00000000 ffffffff" TS4 CBC SHA SN),
	  "traffic selector: length does not fit the type" },
	{ ESP("00001000", "08 00 0010 0000 ffff 00000000 ffffffff" TS4 CBC SHA SN),
	  "traffic selector: length does not fit the type" },
	{ ESP("00001000", "07 00 (4 0000 ffff 0a000002 0a000001)" TS4 CBC SHA SN),
	  "traffic selector: addresses are not a range" },
	{ ESP("00001000", "07 11 (4 0036 0035 00000000 ffffffff)" TS4 CBC SHA SN),
	  "traffic selector: ports are not a range" },
	{ ESP("00001000", "07 00 (4 0035 0035 00000000 ffffffff)" TS4 CBC SHA SN),
	  "traffic selector: ports are not a range" },
	{ ESP("00001000", TS4 TS6 CBC SHA SN), "traffic selectors: of different address families" },
	/* transforms */
	{ ESP("00001000", TS44), "transform: truncated header" },
	{ ESP("00001000", TS44 CBC SHA "03 00 (4 05 00 0002)"), "transform: truncated header" },
	{ ESP("00001000", TS44 "01 00 (4 01 00 000c 800e 0100)" SHA SN),
	  "transform: Last Substruc is neither 0 nor 3" },
	{ ESP("00001000", TS44 "03 00 0007 01 00 000c"), "transform: shorter than its header" },
	{ ESP("00001000", TS44 CBC SHA "00 00 0009 05 00 0002"),
	  "transform: longer than the substructure" },
	{ ESP("00001000", TS44 CBC SHA "03 00 (4 06 00 0001)" SN), "transform: unknown type" },
	{ ESP("00001000", TS44 CBC SHA "03 00 (4 02 00 0005)" SN), "transform: unknown type" },
	{ ESP("00001000", TS44 CBC CBC SHA SN), "ENCR: present twice" },
	{ ESP("00001000", TS44 CBC SHA SHA SN), "INTEG: present twice" },
	{ ESP("00001000", TS44 CBC SHA "03 00 (4 05 00 0002)" SN), "SN: present twice" },
	{ ESP("00001000", TS44 SHA SN), "ENCR: missing" },
	{ ESP("00001000", TS44 CBC "00 00 (4 03 00 000c)"), "SN: missing" },
	{ ESP("00001000", TS44 CBC SN), "INTEG: missing, ENCR is not an AEAD algorithm" },
	{ ESP("00001000", TS44 CBC NONE SN), "INTEG: missing, ENCR is not an AEAD algorithm" },
	{ ESP("00001000", TS44 GCM SHA SN), "INTEG: not with an AEAD algorithm" },
	{ ESP("00001000", TS44 CBC SHA KWA SN), "KWA: not with this protocol" },
	{ ESP("00001000", TS44 CBC SHA "03 00 (4 0e 00 0001)" SN),
	  "GCAUTH: not with this protocol" },
	{ ESP("00001000", TS44 CBC SHA "00 00 (4 05 00 0001)"),
	  "SN: 64-bit numbers are not allowed in a group" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 0000)" SHA SN), "ENCR: reserved value" },
	{ AH("00001000", TS44 CBC SHA SN), "ENCR: not with this protocol" },
	{ AH("00001000", TS44 SN), "INTEG: missing" },
	{ AH("00001000", TS44 NONE SN), "INTEG: NONE without encryption" },
	{ AH("00001000", TS44 "00 00 (4 03 00 000c)"), "SN: missing" },
	/* transform attributes */
	{ ESP("00001000", TS44 "03 00 (4 01 00 000c)" SHA SN), "Key Length: missing" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 000c 800e 0000)" SHA SN), "Key Length: zero" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 000c 800e 0101)" SHA SN),
	  "Key Length: not a key size of AES" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 001c 800e 0100)" SN),
	  "Key Length: not with a fixed-length key" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 000c 000e (0 0100))" SHA SN),
	  "Key Length: wrong attribute format" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 000c 800e 0100 800e 0100)" SHA SN),
	  "Key Length: present twice" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 000c 800e 0100 800f 0100)" SHA SN),
	  "ENCR: unknown attribute" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 000c 800e 01)" SHA SN),
	  "ENCR: truncated attribute" },
	{ ESP("00001000", TS44 "03 00 (4 01 00 000c 80)" SHA SN), "ENCR: truncated attribute" },
	{ ESP("00001000", TS44 CBC "03 00 (4 03 00 000c 800e 0100)" SN),
	  "INTEG: unknown attribute" },
	{ ESP("00001000", TS44 CBC SHA "00 00 (4 05 00 0002 00)"), "SN: truncated attribute" },
	/* GSA attributes */
	{ ESP("00001000", TS44 CBC SHA SN LIFE LIFE), "GSA_KEY_LIFETIME: present twice" },
	{ ESP("00001000", TS44 CBC SHA SN "8001 0e10"),
	  "GSA_KEY_LIFETIME: wrong attribute format" },
	{ ESP("00001000", TS44 CBC SHA SN "0001 (0 0e10)"), "GSA_KEY_LIFETIME: wrong length" },
	{ ESP("00001000", TS44 CBC SHA SN "0001 (0 0000000e10)"),
	  "GSA_KEY_LIFETIME: wrong length" },
	{ ESP("00001000", TS44 CBC SHA SN "0001 (0 00000000)"), "GSA_KEY_LIFETIME: zero" },
	{ ESP("00001000", TS44 CBC SHA SN "0002 (0 00000001)"),
	  "GSA_INITIAL_MESSAGE_ID: not with this protocol" },
	{ ESP("00001000", TS44 CBC SHA SN "0003 (0 0000100000)"),
	  "GSA_NEXT_SPI: length is not the SPI Size" },
	{ ESP("00001000", TS44 CBC SHA SN "0003 (0 001000)"), "GSA_NEXT_SPI: wrong length" },
	{ ESP("00001000", TS44 CBC SHA SN "00"), "GSA attribute: truncated" },
	{ ESP("00001000", TS44 CBC SHA SN "4001 00"), "GSA attribute: truncated" },
	{ ESP("00001000", TS44 CBC SHA SN "4001 0001"), "GSA attribute: truncated" },
	{ ESP("00001000", TS44 CBC SHA SN "c001 00"), "GSA attribute: truncated" },
	/* Rekey SA: walked, though not used */
	{ REKEY(TS44 CBC SHA IMPLICIT), "KWA: missing" },
	{ REKEY(TS44 SHA KWA IMPLICIT), "ENCR: missing" },
	{ REKEY(TS44 CBC KWA IMPLICIT), "INTEG: missing, ENCR is not an AEAD algorithm" },
	{ REKEY(TS44 GCM SHA KWA IMPLICIT), "INTEG: not with an AEAD algorithm" },
	{ REKEY(TS44 CBC SHA KWA SN), "SN: not with this protocol" },
	{ REKEY(TS44 GCM KWA KWA IMPLICIT), "KWA: present twice" },
	{ REKEY(TS44 GCM "03 00 (4 0d 00 0000)" IMPLICIT), "KWA: reserved value" },
	{ REKEY(TS44 GCM KWA "03 00 (4 0e 00 0001)" IMPLICIT), "GCAUTH: present twice" },
	{ REKEY(TS44 GCM KWA "00 00 (4 0e 00 0000)"), "GCAUTH: reserved value" },
	{ REKEY(TS44 GCM KWA "00 00 (4 0e 00 0002)"),
	  "GCAUTH: Signature Algorithm Identifier is for signatures only" },
	{ REKEY(TS44 GCM KWA "00 00 (4 0e 00 0001 0012 (0 3000))"),
	  "GCAUTH: Signature Algorithm Identifier is for signatures only" },
	{ REKEY(TS44 GCM KWA "00 00 (4 0e 00 0002 0012 (0 ))"),
	  "Signature Algorithm Identifier: wrong length" },
	{ REKEY(TS44 GCM KWA IMPLICIT "0003 (0 00001000)"),
	  "GSA_NEXT_SPI: length is not the SPI Size" },
	{ REKEY(TS44 GCM KWA IMPLICIT "0002 (0 00)"), "GSA_INITIAL_MESSAGE_ID: wrong length" },
	/* group-wide policy */
	{ GOOD "00 00 (4 8001 0005 8001 0005)", "GWP_ATD: present twice" },
	{ GOOD "00 00 (4 0001 (0 0005))", "GWP_ATD: wrong attribute format" },
	{ GOOD "00 00 (4 8002 0005 8002 0006)", "GWP_DTD: present twice" },
	{ GOOD "00 00 (4 8003 0000)", "GWP_SENDER_ID_BITS: not 1 to 32" },
	{ GOOD "00 00 (4 8003 0021)", "GWP_SENDER_ID_BITS: not 1 to 32" },
	{ GOOD "00 00 (4 8003 00)", "GW policy attribute: truncated" },
};

START_TEST(refused)
{
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(refusals[_i].text, data);
	struct gsa_policy policy;
	const char *reason = NULL;

	ck_assert_msg(!gsa_policy_decode(data, length, &policy, &reason), "accepted, not: %s",
		      refusals[_i].reason);
	ck_assert_str_eq(reason, refusals[_i].reason);
}
END_TEST

/* What has to be accepted, and how many data SAs it has. */
static const struct {
	const char *text;
	size_t data_sas;
	bool rekey_sa;
} good[] = {
	{ GOOD, 1, false },
	{ ESP("00001000", TS6 TS6 GCM SN), 1, false },
	{ ESP("00001000", TS44 GCM NONE SN), 1, false },
	{ ESP("00001000", TS44 CHA SN), 1, false },
	{ ESP("00001000", TS44 NEW SN), 1, false },
	{ ESP("00001000", TS44 NEW SHA SN), 1, false },
	{ ESP("00001000", TS44 SHA CBC SN), 1, false }, /* in any order */
	{ AH("00001000", TS44 SHA SN), 1, false },
	{ GOOD AH("00001000", TS6 TS6 SHA SN), 2, false },
	{ "03 04 (4 00001000" TS44 "03 ff (4 01 ff 000c 800e 0100)" SHA SN ")", 1, false },
	{ ESP("00001000", TS44 CBC SHA SN LIFE "0003 (0 00001001) 0003 (0 00001002)"), 1, false },
	{ ESP("00001000", TS44 CBC SHA SN "4001 (0 ) c001 0000 4001 (0 ff)"), 1, false },
	{ REKEY(TS44 GCM KWA IMPLICIT), 0, true },
	{ REKEY(TS44 CBC SHA "00 00 (4 0d 00 0003)"), 0, true }, /* a rekey has no GCAUTH */
	{ GOOD REKEY(TS44 GCM KWA IMPLICIT), 1, true },
	{ "00 ff (4 c001 0000 4001 (0 ))" GOOD, 1, false },
};

START_TEST(accepted)
{
	uint8_t data[WIRE_TEXT_MAX], out[WIRE_TEXT_MAX];
	size_t length = wire_text(good[_i].text, data);
	struct gsa_policy policy;
	const char *reason = NULL;

	ck_assert_msg(gsa_policy_decode(data, length, &policy, &reason), "%s", reason);
	ck_assert_uint_eq(policy.data_sa_count, good[_i].data_sas);
	ck_assert(policy.has_rekey_sa == good[_i].rekey_sa);
	ck_assert((gsa_policy_encode(&policy, out, sizeof(out)) == 0) == policy.has_rekey_sa);
}
END_TEST

START_TEST(fields)
{
	const struct vector *v = vector_named("policy", "policy_group");
	static const uint8_t any_to[4] = { 0xff, 0xff, 0xff, 0xff };
	const struct gsa_data_sa *sa;
	struct gsa_policy policy;
	const char *reason = NULL;
	size_t encryption, integrity;

	ck_assert(gsa_policy_decode(v->data, v->length, &policy, &reason));
	ck_assert_uint_eq(policy.data_sa_count, 1);
	sa = &policy.data_sa[0];
	ck_assert_uint_eq(sa->protocol, GSA_PROTOCOL_ESP);
	ck_assert_uint_eq(sa->spi, 0xc0ffee01);
	ck_assert_uint_eq(sa->source.family, AF_INET);
	ck_assert_uint_eq(sa->source.port_to, 65535);
	ck_assert_mem_eq(sa->destination.to, any_to, sizeof(any_to));
	ck_assert_uint_eq(sa->encryption, GSA_ENCR_AES_CBC);
	ck_assert_uint_eq(sa->encryption_key_bits, 256);
	ck_assert_uint_eq(sa->integrity, GSA_INTEG_HMAC_SHA2_256_128);
	ck_assert_uint_eq(sa->sequence_numbers, GSA_SN_UNSPECIFIED_32);
	ck_assert(sa->has_lifetime);
	ck_assert_uint_eq(sa->lifetime_s, 3600);
	ck_assert(gsa_data_sa_key_sizes(sa, &encryption, &integrity));
	ck_assert_uint_eq(encryption, 32);
	ck_assert_uint_eq(integrity, 32);
	ck_assert(!policy.has_rekey_sa);
	ck_assert(policy.has_activation_delay && policy.has_deactivation_delay);
	ck_assert_uint_eq(policy.activation_delay_s, 5);
	ck_assert_uint_eq(policy.deactivation_delay_s, 10);
	ck_assert(policy.has_sender_id_bits);
	ck_assert_uint_eq(policy.sender_id_bits, 8);
}
END_TEST

START_TEST(pairwise_fields)
{
	const struct vector *v = vector_named("policy", "policy_pairwise");
	size_t encryption, integrity;
	struct gsa_policy policy;
	const char *reason = NULL;

	ck_assert(gsa_policy_decode(v->data, v->length, &policy, &reason));
	ck_assert_uint_eq(policy.data_sa_count, 2);
	for (size_t i = 0; i < policy.data_sa_count; i++) {
		ck_assert_uint_eq(policy.data_sa[i].sequence_numbers, GSA_SN_PAIRWISE_32);
		ck_assert_uint_eq(policy.data_sa[i].integrity, GSA_INTEG_NONE);
		ck_assert(gsa_data_sa_key_sizes(&policy.data_sa[i], &encryption, &integrity));
		ck_assert_uint_eq(encryption, 36); /* with the salt */
		ck_assert_uint_eq(integrity, 0);
	}
	ck_assert_uint_eq(policy.data_sa[0].spi, 0xc0ff0000);
	ck_assert_uint_eq(policy.data_sa[0].lifetime_s, 60);
	ck_assert_uint_eq(policy.data_sa[1].encryption, GSA_ENCR_CHACHA20_POLY1305);
	ck_assert_uint_eq(policy.data_sa[1].encryption_key_bits, 0);
	ck_assert(policy.has_activation_delay && !policy.has_deactivation_delay);
	ck_assert_uint_eq(policy.sender_id_bits, 16);
}
END_TEST

START_TEST(counter_modes)
{
	static const struct {
		uint8_t protocol;
		uint16_t encryption;
		bool counter;
	} rows[] = {
		{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, false },
		{ GSA_PROTOCOL_ESP, 13 /* AES-CTR, which has an integrity algorithm */, true },
		{ GSA_PROTOCOL_ESP, 16 /* AES-CCM-16 */, true },
		{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_GCM_16, true },
		{ GSA_PROTOCOL_ESP, GSA_ENCR_CHACHA20_POLY1305, true },
		{ GSA_PROTOCOL_ESP, 1023, false }, /* not known, and not taken for that */
		{ GSA_PROTOCOL_AH, 0, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gsa_data_sa sa = { .protocol = rows[i].protocol,
					  .encryption = rows[i].encryption };

		ck_assert_msg(gsa_data_sa_counter_mode(&sa) == rows[i].counter, "row %zu", i);
	}
}
END_TEST

START_TEST(there_and_back)
{
	const struct vector *v = &vectors[_i];
	struct gsa_policy policy, again;
	const char *reason = NULL;
	uint8_t out[512];
	size_t length;

	if (strcmp(v->target, "policy") != 0)
		return;
	ck_assert_msg(gsa_policy_decode(v->data, v->length, &policy, &reason), "%s", reason);
	length = gsa_policy_encode(&policy, out, sizeof(out));
	if (policy.has_rekey_sa) {
		ck_assert_uint_eq(length, 0);
	} else if (strcmp(v->name, "policy_aead_and_ah") != 0) {
		ck_assert_uint_eq(length, v->length);
		ck_assert_mem_eq(out, v->data, length);
	} else { /* INTEG NONE is left out: 8 octets */
		ck_assert_uint_eq(length, v->length - 8);
		ck_assert(gsa_policy_decode(out, length, &again, &reason));
		ck_assert_uint_eq(again.data_sa_count, policy.data_sa_count);
	}
	for (size_t capacity = 0; capacity < length; capacity++)
		ck_assert_uint_eq(gsa_policy_encode(&policy, out, capacity), 0);
	for (size_t prefix = 0; prefix < v->length; prefix++)
		ck_assert_msg(gsa_policy_decode(v->data, prefix, &policy, &reason) ==
				      (prefix > 0 && ends_at_element(v->data, prefix, 2, 0)),
			      "%s cut to %zu", v->name, prefix);
}
END_TEST

START_TEST(too_many)
{
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(GOOD, data);
	struct gsa_policy policy;
	const char *reason = NULL;

	for (size_t i = 1; i <= GSA_DATA_SA_MAX; i++) {
		memcpy(data + i * length, data, length);
		data[i * length + 7] = (uint8_t)i; /* another SPI */
	}
	ck_assert(gsa_policy_decode(data, GSA_DATA_SA_MAX * length, &policy, &reason));
	ck_assert_uint_eq(policy.data_sa_count, GSA_DATA_SA_MAX);
	ck_assert(!gsa_policy_decode(data, (GSA_DATA_SA_MAX + 1) * length, &policy, &reason));
	ck_assert_str_eq(reason, "Data-Security SA: more than are supported");
}
END_TEST

/* What the encoder has to refuse as the decoder would: each row spoils one thing. */
static const char *spoil(struct gsa_policy *policy, int row)
{
	struct gsa_data_sa *sa = &policy->data_sa[0];

	switch (row) {
	case 0:
		policy->data_sa_count = 0;
		return "no SA";
	case 1:
		policy->data_sa_count = GSA_DATA_SA_MAX + 1;
		return "too many SAs";
	case 2:
		policy->has_rekey_sa = true;
		return "Rekey SA";
	case 3:
		policy->data_sa[policy->data_sa_count++] = *sa;
		return "two for one SPI";
	case 4:
		policy->sender_id_bits = 33;
		return "Sender-ID bits";
	case 5:
		sa->protocol = GSA_PROTOCOL_GIKE_UPDATE;
		return "protocol";
	case 6:
		sa->protocol = 0;
		return "no protocol";
	case 7:
		sa->protocol = GSA_PROTOCOL_AH;
		return "AH that encrypts";
	case 8:
		sa->spi = 255;
		return "reserved SPI";
	case 9:
		sa->lifetime_s = 0;
		return "lifetime";
	case 10:
		sa->sequence_numbers = GSA_SN_ESN_64;
		return "ESN";
	case 11:
		sa->integrity = GSA_INTEG_NONE;
		return "no integrity";
	case 12:
		sa->encryption = GSA_ENCR_AES_GCM_16;
		return "AEAD and integrity";
	case 13:
		sa->encryption_key_bits = 0;
		return "key length";
	case 14:
		sa->source.family = AF_INET6;
		return "address families";
	case 15:
		sa->source.family = AF_UNIX;
		sa->destination.family = AF_UNIX;
		return "no address family";
	case 16:
		sa->source.from[0] = 1;
		sa->source.to[0] = 0;
		return "address range";
	case 17:
		sa->source.port_to = 53;
		return "ports of any protocol";
	case 18:
		policy->data_sa[policy->data_sa_count] = *sa;
		sa = &policy->data_sa[policy->data_sa_count++];
		sa->protocol = GSA_PROTOCOL_AH;
		sa->encryption = sa->encryption_key_bits = 0;
		return "ESP and AH for the same traffic";
	}
	return NULL;
}

START_TEST(not_encodable)
{
	const struct vector *v = vector_named("policy", "policy_group");
	struct gsa_policy policy;
	const char *reason = NULL, *what;
	uint8_t out[2048];
	int row = 0;

	do {
		ck_assert(gsa_policy_decode(v->data, v->length, &policy, &reason));
		ck_assert_uint_eq(gsa_policy_encode(&policy, out, sizeof(out)), v->length);
		what = spoil(&policy, row++);
		if (what)
			ck_assert_msg(!gsa_policy_encode(&policy, out, sizeof(out)), "%s", what);
	} while (what);
	ck_assert_int_gt(row, 1);
}
END_TEST

static const struct {
	uint8_t protocol;
	uint16_t encryption, key_bits, integrity;
	bool known;
	size_t encryption_size, integrity_size;
} keys[] = {
	{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, 256, GSA_INTEG_HMAC_SHA2_256_128, true, 32, 32 },
	{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, 128, GSA_INTEG_HMAC_SHA2_384_192, true, 16, 48 },
	{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, 192, GSA_INTEG_HMAC_SHA2_512_256, true, 24, 64 },
	{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_GCM_16, 256, GSA_INTEG_NONE, true, 36, 0 },
	{ GSA_PROTOCOL_ESP, GSA_ENCR_CHACHA20_POLY1305, 0, GSA_INTEG_NONE, true, 36, 0 },
	{ GSA_PROTOCOL_AH, 0, 0, GSA_INTEG_HMAC_SHA2_256_128, true, 0, 32 },
	{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, 256, GSA_INTEG_NONE, false, 32, 0 },
	{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, 0, GSA_INTEG_HMAC_SHA2_256_128, false, 0, 32 },
	{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_GCM_16, 256, GSA_INTEG_HMAC_SHA2_256_128, false, 36, 32 },
	{ GSA_PROTOCOL_ESP, 1024, 256, GSA_INTEG_HMAC_SHA2_256_128, false, 0, 32 },
	{ GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, 256, 1024, false, 32, 0 },
	{ GSA_PROTOCOL_AH, 0, 0, 1024, false, 0, 0 },
	{ GSA_PROTOCOL_GIKE_UPDATE, GSA_ENCR_AES_CBC, 256, GSA_INTEG_HMAC_SHA2_256_128, false, 0,
	  32 },
};

START_TEST(key_sizes)
{
	struct gsa_data_sa sa = { .protocol = keys[_i].protocol,
				  .encryption = keys[_i].encryption,
				  .encryption_key_bits = keys[_i].key_bits,
				  .integrity = keys[_i].integrity };
	size_t encryption, integrity;

	ck_assert(gsa_data_sa_key_sizes(&sa, &encryption, &integrity) == keys[_i].known);
	ck_assert_uint_eq(encryption, keys[_i].encryption_size);
	ck_assert_uint_eq(integrity, keys[_i].integrity_size);
	ck_assert_uint_eq(gsa_data_sa_encryption_key_size(&sa), encryption);
}
END_TEST

Suite *policy_suite(void)
{
	Suite *suite = suite_create("policy");
	TCase *codec = tcase_create("codec");

	tcase_add_loop_test(codec, refused, 0, COUNT(refusals));
	tcase_add_loop_test(codec, accepted, 0, COUNT(good));
	tcase_add_test(codec, fields);
	tcase_add_test(codec, pairwise_fields);
	tcase_add_test(codec, counter_modes);
	tcase_add_loop_test(codec, there_and_back, 0, (int)vector_count);
	tcase_add_test(codec, too_many);
	tcase_add_test(codec, not_encodable);
	tcase_add_loop_test(codec, key_sizes, 0, COUNT(keys));
	suite_add_tcase(suite, codec);
	return suite;
}
