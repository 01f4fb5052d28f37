// SPDX-License-Identifier: GPL-2.0-or-later
/* The GSA payload: policies of SAs and of the group as a whole (RFC 9838 §4.4). */
#include "libgsa/gikev2_parts.h"

#define SENDER_ID_BITS_MAX 32

/* -- GSA attributes (§4.4.2.2) -- */

/* What the attributes of one substructure fill and are checked against. */
struct gsa_attributes {
	uint8_t spi_size;
	bool has_lifetime;
	uint32_t lifetime_s;
};

static const char *lifetime_decode(struct gsa_reader *value, void *target)
{
	struct gsa_attributes *attributes = target;

	attributes->has_lifetime = true;
	gsa_read_u32(value, &attributes->lifetime_s);
	/* elsewhere 0 stands for "not limited", the opposite of what it says here */
	return attributes->lifetime_s ? NULL : "GSA_KEY_LIFETIME: zero";
}

static void lifetime_encode(struct gsa_writer *writer, const struct gsa_attribute_row *row,
			    const void *source)
{
	const struct gsa_attributes *attributes = source;
	size_t handle;

	if (!attributes->has_lifetime)
		return;
	if (attributes->lifetime_s == 0)
		gsa_write_fail(writer);
	handle = gsa_attribute_open_tlv(writer, row);
	gsa_write_u32(writer, attributes->lifetime_s);
	gsa_attribute_close_tlv(writer, handle);
}

static const char *next_spi_decode(struct gsa_reader *value, void *target)
{
	const struct gsa_attributes *attributes = target;

	return gsa_reader_left(value) == attributes->spi_size
		       ? NULL
		       : "GSA_NEXT_SPI: length is not the SPI Size";
}

static const struct gsa_attribute_row gsa_rows[] = {
	{ 1, GSA_ATTRIBUTE_TLV, false, GSA_IN_ALL, 4, 4, GSA_ATTRIBUTE_WRONG("GSA_KEY_LIFETIME"),
	  lifetime_decode, lifetime_encode },
	{ 2, GSA_ATTRIBUTE_TLV, false, GSA_IN_GIKE_UPDATE, 4, 4,
	  GSA_ATTRIBUTE_WRONG("GSA_INITIAL_MESSAGE_ID"), NULL, NULL },
	{ 3, GSA_ATTRIBUTE_TLV, true, GSA_IN_ALL, 4, 16, GSA_ATTRIBUTE_WRONG("GSA_NEXT_SPI"),
	  next_spi_decode, NULL },
};
static const struct gsa_attribute_table gsa_attribute_table = {
	gsa_rows, GSA_COUNT(gsa_rows), "GSA attribute: truncated", NULL
};

/* -- group-wide policy attributes (§4.4.3.1) -- */

static const char *activation_delay_decode(struct gsa_reader *value, void *target)
{
	struct gsa_policy *policy = target;

	policy->has_activation_delay = true;
	gsa_read_u16(value, &policy->activation_delay_s);
	return NULL;
}

static void activation_delay_encode(struct gsa_writer *writer, const struct gsa_attribute_row *row,
				    const void *source)
{
	const struct gsa_policy *policy = source;

	if (policy->has_activation_delay)
		gsa_attribute_write_tv(writer, row, policy->activation_delay_s);
}

static const char *deactivation_delay_decode(struct gsa_reader *value, void *target)
{
	struct gsa_policy *policy = target;

	policy->has_deactivation_delay = true;
	gsa_read_u16(value, &policy->deactivation_delay_s);
	return NULL;
}

static void deactivation_delay_encode(struct gsa_writer *writer,
				      const struct gsa_attribute_row *row, const void *source)
{
	const struct gsa_policy *policy = source;

	if (policy->has_deactivation_delay)
		gsa_attribute_write_tv(writer, row, policy->deactivation_delay_s);
}

static bool sender_id_bits_valid(uint16_t bits)
{
	return bits >= 1 && bits <= SENDER_ID_BITS_MAX;
}

static const char *sender_id_bits_decode(struct gsa_reader *value, void *target)
{
	struct gsa_policy *policy = target;

	policy->has_sender_id_bits = true;
	gsa_read_u16(value, &policy->sender_id_bits);
	return sender_id_bits_valid(policy->sender_id_bits) ? NULL
							    : "GWP_SENDER_ID_BITS: not 1 to 32";
}

static void sender_id_bits_encode(struct gsa_writer *writer, const struct gsa_attribute_row *row,
				  const void *source)
{
	const struct gsa_policy *policy = source;

	if (!policy->has_sender_id_bits)
		return;
	if (!sender_id_bits_valid(policy->sender_id_bits))
		gsa_write_fail(writer);
	gsa_attribute_write_tv(writer, row, policy->sender_id_bits);
}

static const struct gsa_attribute_row group_wide_rows[] = {
	{ 1, GSA_ATTRIBUTE_TV, false, GSA_IN_ALL, 2, 2, GSA_ATTRIBUTE_WRONG("GWP_ATD"),
	  activation_delay_decode, activation_delay_encode },
	{ 2, GSA_ATTRIBUTE_TV, false, GSA_IN_ALL, 2, 2, GSA_ATTRIBUTE_WRONG("GWP_DTD"),
	  deactivation_delay_decode, deactivation_delay_encode },
	{ 3, GSA_ATTRIBUTE_TV, false, GSA_IN_ALL, 2, 2, GSA_ATTRIBUTE_WRONG("GWP_SENDER_ID_BITS"),
	  sender_id_bits_decode, sender_id_bits_encode },
};
static const struct gsa_attribute_table group_wide_table = {
	group_wide_rows, GSA_COUNT(group_wide_rows), "GW policy attribute: truncated", NULL
};

/* -- substructures -- */

static bool selectors_equal(const struct gsa_traffic_selector *a,
			    const struct gsa_traffic_selector *b)
{
	return a->family == b->family && a->protocol == b->protocol &&
	       a->port_from == b->port_from && a->port_to == b->port_to &&
	       memcmp(a->from, b->from, sizeof(a->from)) == 0 &&
	       memcmp(a->to, b->to, sizeof(a->to)) == 0;
}

/* Rules between an SA and those before it, in both directions. */
static const char *data_sa_check(const struct gsa_policy *policy, size_t index)
{
	const struct gsa_data_sa *sa = &policy->data_sa[index];

	if (sa->source.family != sa->destination.family)
		return "traffic selectors: of different address families";
	for (size_t i = 0; i < index; i++) {
		const struct gsa_data_sa *other = &policy->data_sa[i];

		if (other->protocol == sa->protocol && other->spi == sa->spi)
			return "SPI: two policies for one SA";
		/* §4.4.2 */
		if (other->protocol != sa->protocol &&
		    selectors_equal(&other->source, &sa->source) &&
		    selectors_equal(&other->destination, &sa->destination))
			return "traffic selectors: both ESP and AH for the same traffic";
	}
	return NULL;
}

static const char *sa_policy_decode(struct gsa_substructure *sub, struct gsa_policy *policy)
{
	const struct gsa_protocol *protocol = gsa_protocol_by_id(sub->protocol);
	struct gsa_attributes attributes = { .spi_size = sub->spi_size };
	struct gsa_data_sa sa = { .protocol = sub->protocol };
	struct gsa_transforms transforms;
	const char *reason;

	if (!protocol)
		return "Protocol: not one of a group SA";
	reason = gsa_spi_decode(sub, protocol, &sa.spi);
	if (!reason)
		reason = gsa_selector_decode(&sub->body, &sa.source);
	if (!reason)
		reason = gsa_selector_decode(&sub->body, &sa.destination);
	if (!reason)
		reason = gsa_transforms_decode(&sub->body, protocol, &transforms);
	if (!reason)
		reason = gsa_attributes_decode(&gsa_attribute_table, &sub->body, protocol->set,
					       &attributes);
	if (reason)
		return reason;
	if (!protocol->is_data) {
		if (policy->has_rekey_sa)
			return "Rekey SA: more than one";
		policy->has_rekey_sa = true;
		return NULL;
	}
	sa.encryption = transforms.id[GSA_SLOT_ENCR];
	sa.encryption_key_bits = transforms.encryption_key_bits;
	sa.integrity = transforms.id[GSA_SLOT_INTEG];
	sa.sequence_numbers = transforms.id[GSA_SLOT_SN];
	sa.has_lifetime = attributes.has_lifetime;
	sa.lifetime_s = attributes.lifetime_s;
	if (policy->data_sa_count == GSA_DATA_SA_MAX)
		return "Data-Security SA: more than are supported";
	policy->data_sa[policy->data_sa_count] = sa;
	return data_sa_check(policy, policy->data_sa_count++);
}

static void sa_policy_encode(struct gsa_writer *writer, const struct gsa_data_sa *sa)
{
	const struct gsa_protocol *protocol = gsa_protocol_by_id(sa->protocol);
	bool esp = sa->protocol == GSA_PROTOCOL_ESP;
	struct gsa_attributes attributes = { .has_lifetime = sa->has_lifetime,
					     .lifetime_s = sa->lifetime_s };
	struct gsa_transforms transforms = {
		.present = { [GSA_SLOT_ENCR] = esp,
			     [GSA_SLOT_INTEG] = sa->integrity != GSA_INTEG_NONE,
			     [GSA_SLOT_SN] = true },
		.id = { [GSA_SLOT_ENCR] = sa->encryption,
			[GSA_SLOT_INTEG] = sa->integrity,
			[GSA_SLOT_SN] = sa->sequence_numbers },
		.encryption_key_bits = sa->encryption_key_bits,
	};
	size_t handle = gsa_substructure_open(writer, sa->protocol, sa->spi);

	if (!protocol || (!esp && (sa->encryption || sa->encryption_key_bits))) {
		gsa_write_fail(writer);
		return;
	}
	gsa_selector_encode(writer, &sa->source);
	gsa_selector_encode(writer, &sa->destination);
	gsa_transforms_encode(writer, protocol, &transforms);
	gsa_attributes_encode(&gsa_attribute_table, writer, &attributes);
	gsa_substructure_close(writer, handle);
}

static const char *policy_decode(struct gsa_reader *reader, struct gsa_policy *policy)
{
	bool group_wide = false;

	while (!gsa_reader_at_end(reader)) {
		struct gsa_substructure sub;
		const char *reason = gsa_substructure_decode(reader, &sub);

		if (reason)
			return reason;
		if (sub.protocol != 0) {
			reason = sa_policy_decode(&sub, policy);
		} else if (group_wide) {
			reason = "group-wide policy: more than one";
		} else {
			group_wide = true;
			reason = gsa_attributes_decode(&group_wide_table, &sub.body, GSA_IN_ALL,
						       policy);
		}
		if (reason)
			return reason;
	}
	if (policy->data_sa_count == 0 && !policy->has_rekey_sa)
		return "GSA: policy of no SA";
	return NULL;
}

bool gsa_policy_decode(const uint8_t *body, size_t length, struct gsa_policy *policy,
		       const char **reason)
{
	struct gsa_reader reader = gsa_reader_of(body, length);
	const char *wrong;

	memset(policy, 0, sizeof(*policy));
	wrong = policy_decode(&reader, policy);
	if (wrong)
		*reason = wrong;
	return !wrong;
}

size_t gsa_policy_encode(const struct gsa_policy *policy, uint8_t *out, size_t capacity)
{
	struct gsa_writer writer = gsa_writer_of(out, capacity);

	if (policy->has_rekey_sa || policy->data_sa_count == 0 ||
	    policy->data_sa_count > GSA_DATA_SA_MAX)
		return 0;
	for (size_t i = 0; i < policy->data_sa_count; i++) {
		if (data_sa_check(policy, i))
			return 0;
		sa_policy_encode(&writer, &policy->data_sa[i]);
	}
	if (policy->has_activation_delay || policy->has_deactivation_delay ||
	    policy->has_sender_id_bits) {
		size_t handle = gsa_substructure_open(&writer, 0, 0);

		gsa_attributes_encode(&group_wide_table, &writer, policy);
		gsa_substructure_close(&writer, handle);
	}
	return gsa_writer_written(&writer);
}
