// SPDX-License-Identifier: GPL-2.0-or-later
/* The KD payload: keys of SAs and of one member, wrapped (RFC 9838 §4.5). */
#include "libgsa/gikev2_parts.h"

#define WRAPPED_KEY_HEADER_SIZE 8
#define WRAPPED_KEY_MIN		(WRAPPED_KEY_HEADER_SIZE + 1)
#define WRAPPED_KEY_MAX		(WRAPPED_KEY_HEADER_SIZE + GSA_WRAP_CIPHER_MAX)

/* Wrapped Key (§4.5.4); the rows of the tables below bound its length. */
static void wrapped_key_decode(struct gsa_reader *value, struct gsa_wrapped_key *key)
{
	gsa_read_u32(value, &key->key_id);
	gsa_read_u32(value, &key->key_wrap_key_id);
	key->cipher_length = gsa_reader_left(value);
	gsa_read_copy(value, key->cipher_length, key->cipher);
}

/* -- group key bags (§4.5.2) -- */

/* What the attributes of one bag fill. */
struct group_bag_attributes {
	bool is_data;
	size_t sa_keys;
	struct gsa_wrapped_key sa_key; /* the last one */
};

/* NULL, or why this cannot be the key of a data SA, which is wrapped by GSK_w always. */
static const char *data_sa_key_check(const struct gsa_wrapped_key *key)
{
	if (key->key_id != 0)
		return "SA_KEY: Key ID is not 0";
	if (key->key_wrap_key_id != 0)
		return "SA_KEY: KWK ID is not 0 for a Data-Security SA";
	return NULL;
}

static const char *sa_key_decode(struct gsa_reader *value, void *target)
{
	struct group_bag_attributes *bag = target;

	wrapped_key_decode(value, &bag->sa_key);
	if (bag->is_data && bag->sa_keys++ > 0)
		return "SA_KEY: more than one for a Data-Security SA";
	if (bag->is_data)
		return data_sa_key_check(&bag->sa_key);
	bag->sa_keys++;
	return bag->sa_key.key_id ? "SA_KEY: Key ID is not 0" : NULL;
}

static void sa_key_encode(struct gsa_writer *writer, const struct gsa_attribute_row *row,
			  const void *source)
{
	const struct gsa_wrapped_key *key = source;
	size_t handle;

	if (data_sa_key_check(key) || key->cipher_length == 0 ||
	    key->cipher_length > sizeof(key->cipher)) {
		gsa_write_fail(writer);
		return;
	}
	handle = gsa_attribute_open_tlv(writer, row);
	gsa_write_u32(writer, key->key_id);
	gsa_write_u32(writer, key->key_wrap_key_id);
	gsa_write_bytes(writer, key->cipher, key->cipher_length);
	gsa_attribute_close_tlv(writer, handle);
}

/* Encodes a struct gsa_wrapped_key. */
static const struct gsa_attribute_row group_bag_rows[] = {
	{ 1, GSA_ATTRIBUTE_TLV, true, GSA_IN_ALL, WRAPPED_KEY_MIN, WRAPPED_KEY_MAX,
	  GSA_ATTRIBUTE_WRONG("SA_KEY"), sa_key_decode, sa_key_encode },
};
static const struct gsa_attribute_table group_bag_table = {
	group_bag_rows, GSA_COUNT(group_bag_rows), "group key bag attribute: truncated", NULL
};

/* -- the member key bag (§4.5.3) -- */

static const char *wrap_key_decode(struct gsa_reader *value, void *target)
{
	struct gsa_wrapped_key key;

	wrapped_key_decode(value, &key);
	return key.key_id ? NULL : "WRAP_KEY: Key ID is 0";
}

static const char *sender_id_decode(struct gsa_reader *value, void *target)
{
	struct gsa_key_download *kd = target;
	uint32_t sender_id = 0;
	uint8_t octet;

	while (gsa_read_u8(value, &octet))
		sender_id = sender_id << 8 | octet;
	for (size_t i = 0; i < kd->sender_id_count; i++)
		if (kd->sender_id[i] == sender_id)
			return "GM_SENDER_ID: the same value twice";
	if (kd->sender_id_count == GSA_SENDER_ID_MAX)
		return "GM_SENDER_ID: more than are supported";
	kd->sender_id[kd->sender_id_count++] = sender_id;
	return NULL;
}

static void sender_id_encode(struct gsa_writer *writer, const struct gsa_attribute_row *row,
			     const void *source)
{
	const struct gsa_key_download *kd = source;
	unsigned int bits = kd->sender_id_bits ? kd->sender_id_bits : 32;

	for (size_t i = 0; i < kd->sender_id_count; i++) {
		size_t handle = gsa_attribute_open_tlv(writer, row);

		for (unsigned int octets = (bits + 7) / 8; octets > 0; octets--)
			gsa_write_u8(writer, (uint8_t)(kd->sender_id[i] >> 8 * (octets - 1)));
		gsa_attribute_close_tlv(writer, handle);
	}
}

static const struct gsa_attribute_row member_bag_rows[] = {
	{ 1, GSA_ATTRIBUTE_TLV, true, GSA_IN_ALL, WRAPPED_KEY_MIN, WRAPPED_KEY_MAX,
	  GSA_ATTRIBUTE_WRONG("WRAP_KEY"), wrap_key_decode, NULL },
	{ 2, GSA_ATTRIBUTE_TLV, false, GSA_IN_ALL, 1, UINT16_MAX, GSA_ATTRIBUTE_WRONG("AUTH_KEY"),
	  NULL, NULL },
	{ 3, GSA_ATTRIBUTE_TLV, true, GSA_IN_ALL, 1, 4, GSA_ATTRIBUTE_WRONG("GM_SENDER_ID"),
	  sender_id_decode, sender_id_encode },
};
static const struct gsa_attribute_table member_bag_table = {
	member_bag_rows, GSA_COUNT(member_bag_rows), "member key bag attribute: truncated", NULL
};

/* Not two of the same, and each in the bits it is said to have. */
static bool sender_ids_encodable(const struct gsa_key_download *kd)
{
	if (kd->sender_id_count > GSA_SENDER_ID_MAX || kd->sender_id_bits > 32)
		return false;
	for (size_t i = 0; i < kd->sender_id_count; i++) {
		if (kd->sender_id_bits && (uint64_t)kd->sender_id[i] >> kd->sender_id_bits)
			return false;
		for (size_t j = 0; j < i; j++)
			if (kd->sender_id[i] == kd->sender_id[j])
				return false;
	}
	return true;
}

/* -- substructures -- */

static bool bag_repeats(const struct gsa_key_download *kd, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (kd->bag[i].protocol == kd->bag[index].protocol &&
		    kd->bag[i].spi == kd->bag[index].spi)
			return true;
	return false;
}

static const char *group_bag_decode(struct gsa_substructure *sub, struct gsa_key_download *kd)
{
	const struct gsa_protocol *protocol = gsa_protocol_by_id(sub->protocol);
	struct group_bag_attributes attributes = { 0 };
	const char *reason;
	uint32_t spi = 0;

	if (!protocol)
		return "Protocol: not one of a group SA";
	attributes.is_data = protocol->is_data;
	reason = gsa_spi_decode(sub, protocol, &spi);
	if (!reason)
		reason = gsa_attributes_decode(&group_bag_table, &sub->body, protocol->set,
					       &attributes);
	if (reason)
		return reason;
	if (attributes.sa_keys == 0)
		return "SA_KEY: missing";
	if (!protocol->is_data) {
		if (kd->has_rekey_bag)
			return "group key bag: two for the Rekey SA";
		kd->has_rekey_bag = true;
		return NULL;
	}
	if (kd->bag_count == GSA_DATA_SA_MAX)
		return "group key bag: more than are supported";
	kd->bag[kd->bag_count] = (struct gsa_group_key_bag){
		.protocol = sub->protocol,
		.spi = spi,
		.sa_key = attributes.sa_key,
	};
	return bag_repeats(kd, kd->bag_count++) ? "SPI: two key bags for one SA" : NULL;
}

static const char *key_download_decode(struct gsa_reader *reader, struct gsa_key_download *kd)
{
	bool member_bag = false;

	while (!gsa_reader_at_end(reader)) {
		struct gsa_substructure sub;
		const char *reason = gsa_substructure_decode(reader, &sub);

		if (reason)
			return reason;
		if (sub.protocol != 0) {
			reason = group_bag_decode(&sub, kd);
		} else if (member_bag) {
			reason = "member key bag: more than one";
		} else {
			member_bag = true;
			reason = gsa_attributes_decode(&member_bag_table, &sub.body, GSA_IN_ALL,
						       kd);
		}
		if (reason)
			return reason;
	}
	if (kd->bag_count == 0 && !kd->has_rekey_bag && !member_bag)
		return "KD: no key bag";
	return NULL;
}

bool gsa_key_download_decode(const uint8_t *body, size_t length, struct gsa_key_download *kd,
			     const char **reason)
{
	struct gsa_reader reader = gsa_reader_of(body, length);
	const char *wrong;

	memset(kd, 0, sizeof(*kd));
	wrong = key_download_decode(&reader, kd);
	if (wrong)
		*reason = wrong;
	return !wrong;
}

size_t gsa_key_download_encode(const struct gsa_key_download *kd, uint8_t *out, size_t capacity)
{
	struct gsa_writer writer = gsa_writer_of(out, capacity);

	if (kd->has_rekey_bag || kd->bag_count > GSA_DATA_SA_MAX || !sender_ids_encodable(kd) ||
	    (kd->bag_count == 0 && kd->sender_id_count == 0))
		return 0;
	for (size_t i = 0; i < kd->bag_count; i++) {
		size_t handle;

		if (bag_repeats(kd, i))
			return 0;
		handle = gsa_substructure_open(&writer, kd->bag[i].protocol, kd->bag[i].spi);
		if (kd->bag[i].protocol == 0)
			gsa_write_fail(&writer);
		gsa_attributes_encode(&group_bag_table, &writer, &kd->bag[i].sa_key);
		gsa_substructure_close(&writer, handle);
	}
	if (kd->sender_id_count) {
		size_t handle = gsa_substructure_open(&writer, 0, 0);

		gsa_attributes_encode(&member_bag_table, &writer, kd);
		gsa_substructure_close(&writer, handle);
	}
	return gsa_writer_written(&writer);
}
