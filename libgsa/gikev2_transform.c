// SPDX-License-Identifier: GPL-2.0-or-later
/* Transforms of a group SA (RFC 7296 §3.3.2, RFC 9838 §4.4.2.1). */
#include "libgsa/gikev2_parts.h"

#define TRANSFORM_HEADER_SIZE 8

enum { TRANSFORM_LAST = 0, TRANSFORM_MORE = 3 };
enum { KEY_LENGTH = 14, SIGNATURE_ALGORITHM_IDENTIFIER = 18 };
enum { GCAUTH_RESERVED = 0, GCAUTH_DIGITAL_SIGNATURE = 2 };
enum { KWA_RESERVED = 0 };
enum { ENCR_RESERVED = 0 };

static const char *key_length_decode(struct gsa_reader *value, void *target)
{
	struct gsa_transforms *transforms = target;

	gsa_read_u16(value, &transforms->encryption_key_bits);
	return transforms->encryption_key_bits ? NULL : "Key Length: zero";
}

static void key_length_encode(struct gsa_writer *writer, const struct gsa_attribute_row *row,
			      const void *source)
{
	const struct gsa_transforms *transforms = source;

	if (transforms->encryption_key_bits)
		gsa_attribute_write_tv(writer, row, transforms->encryption_key_bits);
}

static const char *signature_algorithm_decode(struct gsa_reader *value, void *target)
{
	struct gsa_transforms *transforms = target;

	transforms->has_signature_algorithm = true;
	return NULL;
}

static const struct gsa_attribute_row encr_attributes[] = {
	{ KEY_LENGTH, GSA_ATTRIBUTE_TV, false, GSA_IN_ALL, 2, 2, GSA_ATTRIBUTE_WRONG("Key Length"),
	  key_length_decode, key_length_encode },
};

static const struct gsa_attribute_row gcauth_attributes[] = {
	{ SIGNATURE_ALGORITHM_IDENTIFIER, GSA_ATTRIBUTE_TLV, false, GSA_IN_GIKE_UPDATE, 1,
	  UINT16_MAX, GSA_ATTRIBUTE_WRONG("Signature Algorithm Identifier"),
	  signature_algorithm_decode, NULL },
};

/* `rows` and their count, or NULL and 0 */
#define ATTRIBUTES(name, rows, count)                                                              \
	{                                                                                          \
		rows, count, name ": truncated attribute", name ": unknown attribute"              \
	}
#define WRONG(name)                                                                                \
	{                                                                                          \
		name ": present twice", name ": missing", name ": not with this protocol"          \
	}

/*
 * One row a transform type, in the order in which we write them and of enum
 * gsa_transform_slot.  Of a mandatory type there is exactly one, of an optional type at
 * most one; INTEG is optional here because it depends on ENCR (transforms_check()).
 */
static const struct transform {
	uint8_t type;
	uint8_t mandatory, optional; /* sets of protocols */
	struct {
		const char *twice, *missing, *protocol;
	} wrong;
	struct gsa_attribute_table attributes;
} table[GSA_SLOTS] = {
	[GSA_SLOT_ENCR] = { GSA_TRANSFORM_ENCR, GSA_IN_ESP | GSA_IN_GIKE_UPDATE, 0, WRONG("ENCR"),
			    ATTRIBUTES("ENCR", encr_attributes, GSA_COUNT(encr_attributes)) },
	[GSA_SLOT_INTEG] = { GSA_TRANSFORM_INTEG, GSA_IN_AH, GSA_IN_ESP | GSA_IN_GIKE_UPDATE,
			     WRONG("INTEG"), ATTRIBUTES("INTEG", NULL, 0) },
	[GSA_SLOT_SN] = { GSA_TRANSFORM_SN, GSA_IN_DATA, 0, WRONG("SN"),
			  ATTRIBUTES("SN", NULL, 0) },
	[GSA_SLOT_KWA] = { GSA_TRANSFORM_KWA, GSA_IN_GIKE_UPDATE, 0, WRONG("KWA"),
			   ATTRIBUTES("KWA", NULL, 0) },
	/* sent at a registration, barred from rekeys */
	[GSA_SLOT_GCAUTH] = { GSA_TRANSFORM_GCAUTH, 0, GSA_IN_GIKE_UPDATE, WRONG("GCAUTH"),
			      ATTRIBUTES("GCAUTH", gcauth_attributes,
					 GSA_COUNT(gcauth_attributes)) },
};

static const char *integrity_check(const struct gsa_protocol *protocol,
				   const struct gsa_transforms *t)
{
	bool none = !t->present[GSA_SLOT_INTEG] || t->id[GSA_SLOT_INTEG] == GSA_INTEG_NONE;

	if (!t->present[GSA_SLOT_ENCR])
		return none ? "INTEG: NONE without encryption" : NULL;
	switch (gsa_encryption_aead(t->id[GSA_SLOT_ENCR])) {
	case GSA_AEAD_YES:
		return none ? NULL : "INTEG: not with an AEAD algorithm";
	case GSA_AEAD_NO:
		return none ? "INTEG: missing, ENCR is not an AEAD algorithm" : NULL;
	case GSA_AEAD_UNKNOWN:
		break;
	}
	return NULL;
}

/* Rules between transforms, and about their ids. */
static const char *transforms_check(const struct gsa_protocol *protocol,
				    const struct gsa_transforms *t)
{
	const char *reason;

	for (size_t slot = 0; slot < GSA_SLOTS; slot++)
		if ((table[slot].mandatory & protocol->set) && !t->present[slot])
			return table[slot].wrong.missing;
	if (t->present[GSA_SLOT_ENCR]) {
		if (t->id[GSA_SLOT_ENCR] == ENCR_RESERVED)
			return "ENCR: reserved value";
		reason = gsa_encryption_check(t->id[GSA_SLOT_ENCR], t->encryption_key_bits);
		if (reason)
			return reason;
	}
	/* §4.4.2.1.3: a late member cannot know the upper half of the number */
	if (t->present[GSA_SLOT_SN] && t->id[GSA_SLOT_SN] == GSA_SN_ESN_64)
		return "SN: 64-bit numbers are not allowed in a group";
	if (t->present[GSA_SLOT_KWA] && t->id[GSA_SLOT_KWA] == KWA_RESERVED)
		return "KWA: reserved value";
	if (t->present[GSA_SLOT_GCAUTH]) {
		if (t->id[GSA_SLOT_GCAUTH] == GCAUTH_RESERVED)
			return "GCAUTH: reserved value";
		if (t->has_signature_algorithm !=
		    (t->id[GSA_SLOT_GCAUTH] == GCAUTH_DIGITAL_SIGNATURE))
			return "GCAUTH: Signature Algorithm Identifier is for signatures only";
	}
	return integrity_check(protocol, t);
}

static const char *transform_decode(struct gsa_reader *reader, const struct gsa_protocol *protocol,
				    struct gsa_transforms *transforms, bool *more)
{
	uint8_t last, reserved, type;
	uint16_t length, id;
	struct gsa_reader attributes;

	if (!gsa_read_u8(reader, &last) || !gsa_read_u8(reader, &reserved) ||
	    !gsa_read_u16(reader, &length) || !gsa_read_u8(reader, &type) ||
	    !gsa_read_u8(reader, &reserved) || !gsa_read_u16(reader, &id))
		return "transform: truncated header";
	if (last != TRANSFORM_LAST && last != TRANSFORM_MORE)
		return "transform: Last Substruc is neither 0 nor 3";
	if (length < TRANSFORM_HEADER_SIZE)
		return "transform: shorter than its header";
	if (!gsa_read_part(reader, length - TRANSFORM_HEADER_SIZE, &attributes))
		return "transform: longer than the substructure";
	*more = last == TRANSFORM_MORE;

	for (size_t slot = 0; slot < GSA_SLOTS; slot++) {
		const struct transform *row = &table[slot];

		if (row->type != type)
			continue;
		if (!((row->mandatory | row->optional) & protocol->set))
			return row->wrong.protocol;
		if (transforms->present[slot])
			return row->wrong.twice;
		transforms->present[slot] = true;
		transforms->id[slot] = id;
		return gsa_attributes_decode(&row->attributes, &attributes, protocol->set,
					     transforms);
	}
	return "transform: unknown type";
}

const char *gsa_transforms_decode(struct gsa_reader *reader, const struct gsa_protocol *protocol,
				  struct gsa_transforms *transforms)
{
	const char *reason = NULL;
	bool more = true;

	memset(transforms, 0, sizeof(*transforms));
	while (!reason && more)
		reason = transform_decode(reader, protocol, transforms, &more);
	return reason ? reason : transforms_check(protocol, transforms);
}

void gsa_transforms_encode(struct gsa_writer *writer, const struct gsa_protocol *protocol,
			   const struct gsa_transforms *transforms)
{
	size_t last = 0;

	if (transforms_check(protocol, transforms)) {
		gsa_write_fail(writer);
		return;
	}
	for (size_t slot = 0; slot < GSA_SLOTS; slot++)
		if (transforms->present[slot])
			last = slot;
	for (size_t slot = 0; slot < GSA_SLOTS; slot++) {
		size_t start = writer->length, field;

		if (!transforms->present[slot])
			continue;
		gsa_write_u8(writer, slot == last ? TRANSFORM_LAST : TRANSFORM_MORE);
		gsa_write_u8(writer, 0);
		field = gsa_write_length_open(writer);
		gsa_write_u8(writer, table[slot].type);
		gsa_write_u8(writer, 0);
		gsa_write_u16(writer, transforms->id[slot]);
		gsa_attributes_encode(&table[slot].attributes, writer, transforms);
		gsa_write_length_close(writer, field, start);
	}
}
