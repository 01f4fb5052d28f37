// SPDX-License-Identifier: GPL-2.0-or-later
/* SAg: proposals and transforms (RFC 7296 §3.3) without negotiation (RFC 9838 §2.3.3). */
#include "libgsa/gikev2_sag.h"

#include "libgsa/gikev2_parts.h"

#define PROPOSAL_HEADER_SIZE  8
#define TRANSFORM_HEADER_SIZE 8

enum { PROPOSAL_LAST = 0, PROPOSAL_MORE = 2 };
enum { TRANSFORM_LAST = 0, TRANSFORM_MORE = 3 };
enum { ATTRIBUTE_FORMAT_TV = 0x8000, KEY_LENGTH = 14 };

/* -- decoding -- */

const char *gsa_sag_next_proposal(struct gsa_reader *body, struct gsa_sag_proposal *proposal)
{
	uint8_t last, reserved, spi_size;
	uint16_t length;

	if (!gsa_read_u8(body, &last) || !gsa_read_u8(body, &reserved) ||
	    !gsa_read_u16(body, &length) || !gsa_read_u8(body, &proposal->number) ||
	    !gsa_read_u8(body, &proposal->protocol) || !gsa_read_u8(body, &spi_size) ||
	    !gsa_read_u8(body, &proposal->transform_count))
		return "SAg: truncated proposal header";
	if (last != PROPOSAL_LAST && last != PROPOSAL_MORE)
		return "SAg: Last Substruc of a proposal is neither 0 nor 2";
	if (length < PROPOSAL_HEADER_SIZE)
		return "SAg: a proposal is shorter than its header";
	if (!gsa_read_part(body, length - PROPOSAL_HEADER_SIZE, &proposal->transforms))
		return "SAg: a proposal is longer than the payload";
	/* §2.3.3: neither the SPI nor its length may be used */
	if (!gsa_read_skip(&proposal->transforms, spi_size))
		return "SAg: a proposal is shorter than its SPI";
	proposal->last = last == PROPOSAL_LAST;
	if (proposal->last != gsa_reader_at_end(body))
		return "SAg: Last Substruc of a proposal does not tell the last one";
	return NULL;
}

/* Only the Key Length has a meaning here. */
static const char *read_attributes(struct gsa_reader *attributes,
				   struct gsa_sag_transform *transform)
{
	while (!gsa_reader_at_end(attributes)) {
		uint16_t type, value;

		if (!gsa_read_u16(attributes, &type) || !gsa_read_u16(attributes, &value))
			return "SAg: truncated attribute of a transform";
		if (!(type & ATTRIBUTE_FORMAT_TV) && !gsa_read_skip(attributes, value))
			return "SAg: truncated attribute of a transform";
		if (type == (ATTRIBUTE_FORMAT_TV | KEY_LENGTH) && !transform->key_bits && value)
			transform->key_bits = value;
		else
			transform->restricted = true;
	}
	return NULL;
}

static const char *read_transform(struct gsa_reader *transforms,
				  struct gsa_sag_transform *transform, bool *last)
{
	uint8_t more, reserved;
	struct gsa_reader attributes;
	uint16_t length;

	memset(transform, 0, sizeof(*transform));
	if (!gsa_read_u8(transforms, &more) || !gsa_read_u8(transforms, &reserved) ||
	    !gsa_read_u16(transforms, &length) || !gsa_read_u8(transforms, &transform->type) ||
	    !gsa_read_u8(transforms, &reserved) || !gsa_read_u16(transforms, &transform->id))
		return "SAg: truncated transform header";
	if (more != TRANSFORM_LAST && more != TRANSFORM_MORE)
		return "SAg: Last Substruc of a transform is neither 0 nor 3";
	if (length < TRANSFORM_HEADER_SIZE)
		return "SAg: a transform is shorter than its header";
	if (!gsa_read_part(transforms, length - TRANSFORM_HEADER_SIZE, &attributes))
		return "SAg: a transform is longer than the proposal";
	*last = more == TRANSFORM_LAST;
	if (*last != gsa_reader_at_end(transforms))
		return "SAg: Last Substruc of a transform does not tell the last one";
	return read_attributes(&attributes, transform);
}

const char *gsa_sag_next_transform(struct gsa_reader *transforms,
				   struct gsa_sag_transform *transform)
{
	bool last;

	return read_transform(transforms, transform, &last);
}

static const char *proposal_check(const struct gsa_sag_proposal *proposal)
{
	struct gsa_reader transforms = proposal->transforms;
	struct gsa_sag_transform transform;
	const char *reason = NULL;
	size_t count = 0;

	while (!reason && !gsa_reader_at_end(&transforms)) {
		reason = gsa_sag_next_transform(&transforms, &transform);
		count++;
	}
	if (!reason && count != proposal->transform_count)
		return "SAg: a proposal has not as many transforms as it says";
	return reason;
}

const char *gsa_sag_check(const uint8_t *body, size_t length)
{
	struct gsa_reader reader = gsa_reader_of(body, length);
	struct gsa_sag_proposal proposal;
	const char *reason = NULL;

	if (gsa_reader_at_end(&reader))
		return "SAg: no proposal";
	while (!reason && !gsa_reader_at_end(&reader)) {
		reason = gsa_sag_next_proposal(&reader, &proposal);
		if (!reason)
			reason = proposal_check(&proposal);
	}
	return reason;
}

/* -- comparing -- */

static bool proposal_has(const struct gsa_sag_proposal *proposal, uint8_t type, uint16_t id,
			 uint16_t key_bits)
{
	struct gsa_reader transforms = proposal->transforms;
	struct gsa_sag_transform transform;

	while (!gsa_reader_at_end(&transforms) && !gsa_sag_next_transform(&transforms, &transform))
		if (transform.type == type && transform.id == id &&
		    transform.key_bits == key_bits && !transform.restricted)
			return true;
	return false;
}

/* How far a proposal goes along with the policy; what is said when it goes no further. */
enum { COVERS_NOTHING, COVERS_PROTOCOL, COVERS_ENCRYPTION, COVERS_INTEGRITY, COVERS_ALL };
static const char *const missing[] = {
	[COVERS_NOTHING] = "SAg: no proposal for the group's protocol",
	[COVERS_PROTOCOL] = "SAg: the group's cipher is not among those that are supported",
	[COVERS_ENCRYPTION] = "SAg: the group's integrity algorithm is not among those that are "
			      "supported with its cipher",
	[COVERS_INTEGRITY] = "SAg: the group's kind of sequence numbers is not among those that "
			     "are supported with its cipher",
};

static size_t proposal_covers(const struct gsa_sag_proposal *proposal,
			      const struct gsa_data_sa *policy)
{
	if (proposal->protocol != policy->protocol)
		return COVERS_NOTHING;
	if (policy->protocol == GSA_PROTOCOL_ESP &&
	    !proposal_has(proposal, GSA_TRANSFORM_ENCR, policy->encryption,
			  policy->encryption_key_bits))
		return COVERS_PROTOCOL;
	if (policy->integrity != GSA_INTEG_NONE &&
	    !proposal_has(proposal, GSA_TRANSFORM_INTEG, policy->integrity, 0))
		return COVERS_ENCRYPTION;
	if (!proposal_has(proposal, GSA_TRANSFORM_SN, policy->sequence_numbers, 0))
		return COVERS_INTEGRITY;
	return COVERS_ALL;
}

bool gsa_sag_accepts(const uint8_t *body, size_t length, const struct gsa_data_sa *policy,
		     const char **reason)
{
	struct gsa_reader reader = gsa_reader_of(body, length);
	const char *wrong = gsa_sag_check(body, length);
	struct gsa_sag_proposal proposal;
	size_t covers, best = COVERS_NOTHING;

	while (!wrong && best != COVERS_ALL && !gsa_reader_at_end(&reader)) {
		wrong = gsa_sag_next_proposal(&reader, &proposal);
		covers = wrong ? COVERS_NOTHING : proposal_covers(&proposal, policy);
		if (covers > best)
			best = covers;
	}
	if (!wrong && best != COVERS_ALL)
		wrong = missing[best];
	if (wrong)
		*reason = wrong;
	return !wrong;
}

/* -- what our members support -- */

static const struct gsa_sag_transform any_cipher[] = {
	{ GSA_TRANSFORM_ENCR, GSA_ENCR_AES_GCM_16, 256, false },
	{ GSA_TRANSFORM_ENCR, GSA_ENCR_AES_GCM_16, 128, false },
	{ GSA_TRANSFORM_ENCR, GSA_ENCR_CHACHA20_POLY1305, 0, false },
	{ GSA_TRANSFORM_ENCR, GSA_ENCR_AES_CBC, 256, false },
	{ GSA_TRANSFORM_ENCR, GSA_ENCR_AES_CBC, 128, false },
	{ GSA_TRANSFORM_INTEG, GSA_INTEG_HMAC_SHA2_256_128, 0, false },
	{ GSA_TRANSFORM_INTEG, GSA_INTEG_HMAC_SHA2_384_192, 0, false },
	{ GSA_TRANSFORM_INTEG, GSA_INTEG_HMAC_SHA2_512_256, 0, false },
	{ GSA_TRANSFORM_SN, GSA_SN_PAIRWISE_32, 0, false },
};

static const struct gsa_sag_transform no_counter_mode[] = {
	{ GSA_TRANSFORM_ENCR, GSA_ENCR_AES_CBC, 256, false },
	{ GSA_TRANSFORM_ENCR, GSA_ENCR_AES_CBC, 128, false },
	{ GSA_TRANSFORM_INTEG, GSA_INTEG_HMAC_SHA2_256_128, 0, false },
	{ GSA_TRANSFORM_INTEG, GSA_INTEG_HMAC_SHA2_384_192, 0, false },
	{ GSA_TRANSFORM_INTEG, GSA_INTEG_HMAC_SHA2_512_256, 0, false },
	{ GSA_TRANSFORM_SN, GSA_SN_UNSPECIFIED_32, 0, false },
	{ GSA_TRANSFORM_SN, GSA_SN_SEQUENTIAL_32, 0, false },
};

static const struct gsa_sag_transform key_wrap[] = {
	{ GSA_TRANSFORM_KWA, GSA_KW_5649_256, 0, false },
	{ GSA_TRANSFORM_KWA, GSA_KW_5649_192, 0, false },
	{ GSA_TRANSFORM_KWA, GSA_KW_5649_128, 0, false },
};

/* One number for all: nothing of one protocol depends on another. */
static const struct supported {
	uint8_t protocol;
	const struct gsa_sag_transform *transforms;
	size_t count;
} supported[] = {
	{ GSA_PROTOCOL_ESP, any_cipher, GSA_COUNT(any_cipher) },
	{ GSA_PROTOCOL_ESP, no_counter_mode, GSA_COUNT(no_counter_mode) },
	{ GSA_PROTOCOL_GIKE_UPDATE, key_wrap, GSA_COUNT(key_wrap) },
};

static void transform_encode(struct gsa_writer *writer, const struct gsa_sag_transform *transform,
			     bool last)
{
	size_t start = writer->length, field;

	gsa_write_u8(writer, last ? TRANSFORM_LAST : TRANSFORM_MORE);
	gsa_write_u8(writer, 0);
	field = gsa_write_length_open(writer);
	gsa_write_u8(writer, transform->type);
	gsa_write_u8(writer, 0);
	gsa_write_u16(writer, transform->id);
	if (transform->key_bits) {
		gsa_write_u16(writer, ATTRIBUTE_FORMAT_TV | KEY_LENGTH);
		gsa_write_u16(writer, transform->key_bits);
	}
	gsa_write_length_close(writer, field, start);
}

size_t gsa_sag_encode_supported(uint8_t *out, size_t capacity)
{
	struct gsa_writer writer = gsa_writer_of(out, capacity);

	for (size_t i = 0; i < GSA_COUNT(supported); i++) {
		size_t start = writer.length, field;

		gsa_write_u8(&writer,
			     i + 1 == GSA_COUNT(supported) ? PROPOSAL_LAST : PROPOSAL_MORE);
		gsa_write_u8(&writer, 0);
		field = gsa_write_length_open(&writer);
		gsa_write_u8(&writer, 1);
		gsa_write_u8(&writer, supported[i].protocol);
		gsa_write_u8(&writer, 0); /* SPI Size */
		gsa_write_u8(&writer, (uint8_t)supported[i].count);
		for (size_t j = 0; j < supported[i].count; j++)
			transform_encode(&writer, &supported[i].transforms[j],
					 j + 1 == supported[i].count);
		gsa_write_length_close(&writer, field, start);
	}
	return gsa_writer_written(&writer);
}
