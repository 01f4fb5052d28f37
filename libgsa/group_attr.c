// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/group_attr.h"

#include <stdlib.h>

#include "libgsa/wire.h"

#define TLV_HEADER_SIZE 3

enum tlv_type { TLV_GROUPS = 1, TLV_GATEWAY = 2, TLV_SENDER_IDS = 3 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* NULL, or what is wrong: the rules that hold for both directions. */
static const char *groups_check(const uint32_t *groups, size_t count)
{
	if (count == 0)
		return "GROUPS: empty";
	if (count > GSA_ATTR_GROUPS_MAX)
		return "GROUPS: more groups than a route may have";
	if (groups[0] == 0)
		return "GROUPS: group 0";
	for (size_t i = 1; i < count; i++)
		if (groups[i] <= groups[i - 1])
			return "GROUPS: not strictly ascending";
	return NULL;
}

static const char *groups_decode(struct gsa_reader *value, struct gsa_group_attr *attr)
{
	size_t count = gsa_reader_left(value) / sizeof(uint32_t);

	if (gsa_reader_left(value) % sizeof(uint32_t) != 0)
		return "GROUPS: length is not a multiple of 4";
	if (count > GSA_ATTR_GROUPS_MAX)
		return "GROUPS: more groups than a route may have";
	for (size_t i = 0; i < count; i++)
		gsa_read_u32(value, &attr->groups[i]);
	attr->group_count = count;
	return groups_check(attr->groups, count);
}

static void groups_encode(struct gsa_writer *writer, const struct gsa_group_attr *attr)
{
	for (size_t i = 0; i < attr->group_count; i++)
		gsa_write_u32(writer, attr->groups[i]);
}

/*
 * Kernel states are keyed by the gateway's address: the unspecified address means
 * "any" there, and a group's traffic has one gateway.
 */
static bool gateway_is_unicast(const struct gsa_gateway *gateway)
{
	if (gateway->family == AF_INET6)
		return !IN6_IS_ADDR_UNSPECIFIED(&gateway->ipv6) &&
		       !IN6_IS_ADDR_MULTICAST(&gateway->ipv6);
	return gateway->ipv4.s_addr != INADDR_ANY && gateway->ipv4.s_addr != INADDR_BROADCAST &&
	       !IN_MULTICAST(ntohl(gateway->ipv4.s_addr));
}

static const char *gateway_decode(struct gsa_reader *value, struct gsa_group_attr *attr)
{
	struct gsa_gateway *gateway = &attr->gateway;
	uint8_t family;
	bool complete;

	if (!gsa_read_u8(value, &family))
		return "GATEWAY: empty";
	if (family != 4 && family != 6)
		return "GATEWAY: unknown address family";
	gateway->family = family == 6 ? AF_INET6 : AF_INET;
	complete = family == 6 ? gsa_read_copy(value, sizeof(gateway->ipv6), &gateway->ipv6)
			       : gsa_read_copy(value, sizeof(gateway->ipv4), &gateway->ipv4);
	if (!complete || !gsa_reader_at_end(value))
		return "GATEWAY: length does not fit the address family";
	if (!gateway_is_unicast(gateway))
		return "GATEWAY: not a unicast address";
	return NULL;
}

static void gateway_encode(struct gsa_writer *writer, const struct gsa_group_attr *attr)
{
	const struct gsa_gateway *gateway = &attr->gateway;
	bool six = gateway->family == AF_INET6;

	if ((!six && gateway->family != AF_INET) || !gateway_is_unicast(gateway)) {
		gsa_write_fail(writer);
		return;
	}
	gsa_write_u8(writer, six ? 6 : 4);
	if (six)
		gsa_write_bytes(writer, &gateway->ipv6, sizeof(gateway->ipv6));
	else
		gsa_write_bytes(writer, &gateway->ipv4, sizeof(gateway->ipv4));
}

static bool gateway_present(const struct gsa_group_attr *attr)
{
	return attr->gateway.family != AF_UNSPEC;
}

static int compare_sender_ids(const void *a, const void *b)
{
	const struct gsa_group_sender_id *x = a, *y = b;

	return (x->group > y->group) - (x->group < y->group);
}

/* GROUPS may come behind: whether all are in there is asked when everything is read. */
static const char *sender_ids_order(const struct gsa_group_attr *attr)
{
	for (size_t i = 1; i < attr->sender_id_count; i++)
		if (compare_sender_ids(&attr->sender_ids[i - 1], &attr->sender_ids[i]) >= 0)
			return "SENDER_IDS: groups not strictly ascending";
	return NULL;
}

static const char *sender_ids_check(const struct gsa_group_attr *attr)
{
	if (attr->sender_id_count > GSA_ATTR_GROUPS_MAX)
		return "SENDER_IDS: more groups than a route may have";
	for (size_t i = 0; i < attr->sender_id_count; i++)
		if (!gsa_group_attr_has(attr, attr->sender_ids[i].group))
			return "SENDER_IDS: a group that is not in GROUPS";
	return sender_ids_order(attr);
}

static const char *sender_ids_decode(struct gsa_reader *value, struct gsa_group_attr *attr)
{
	size_t count = gsa_reader_left(value) / (2 * sizeof(uint32_t));

	if (gsa_reader_left(value) % (2 * sizeof(uint32_t)) != 0)
		return "SENDER_IDS: length is not a multiple of 8";
	if (count == 0)
		return "SENDER_IDS: empty";
	if (count > GSA_ATTR_GROUPS_MAX)
		return "SENDER_IDS: more groups than a route may have";
	for (size_t i = 0; i < count; i++) {
		gsa_read_u32(value, &attr->sender_ids[i].group);
		gsa_read_u32(value, &attr->sender_ids[i].sender_id);
	}
	attr->sender_id_count = count;
	return sender_ids_order(attr);
}

static void sender_ids_encode(struct gsa_writer *writer, const struct gsa_group_attr *attr)
{
	for (size_t i = 0; i < attr->sender_id_count; i++) {
		gsa_write_u32(writer, attr->sender_ids[i].group);
		gsa_write_u32(writer, attr->sender_ids[i].sender_id);
	}
}

static bool sender_ids_present(const struct gsa_group_attr *attr)
{
	return attr->sender_id_count > 0;
}

/*
 * One row a known TLV, in the order in which we write them.  `decode` reads the value
 * and returns NULL or the reason for which the route is withdrawn; `encode` writes the
 * value; `present` tells whether there is one to write (NULL: always).
 */
static const struct tlv {
	enum tlv_type type;
	bool mandatory;
	const char *twice, *missing;
	const char *(*decode)(struct gsa_reader *value, struct gsa_group_attr *attr);
	void (*encode)(struct gsa_writer *writer, const struct gsa_group_attr *attr);
	bool (*present)(const struct gsa_group_attr *attr);
} tlvs[] = {
	{ TLV_GROUPS, true, "GROUPS: present twice", "GROUPS: missing", groups_decode,
	  groups_encode, NULL },
	{ TLV_GATEWAY, false, "GATEWAY: present twice", NULL, gateway_decode, gateway_encode,
	  gateway_present },
	{ TLV_SENDER_IDS, false, "SENDER_IDS: present twice", NULL, sender_ids_decode,
	  sender_ids_encode, sender_ids_present },
};

/* Adds a TLV that we do not know, header included, to the run before it or as a new run. */
static void keep_unknown(struct gsa_group_attr *attr, const uint8_t *tlv, size_t length)
{
	size_t last = attr->unknown_count - 1;

	if (attr->unknown_count && attr->unknown[last] + attr->unknown_length[last] == tlv) {
		attr->unknown_length[last] += length;
		return;
	}
	attr->unknown[attr->unknown_count] = tlv;
	attr->unknown_length[attr->unknown_count++] = length;
}

/* Known TLVs are there once each, so that runs of others between them are bounded. */
_Static_assert(COUNT(tlvs) < COUNT(((struct gsa_group_attr *)NULL)->unknown), "too few runs");

static const char *tlv_decode(struct gsa_reader *reader, struct gsa_group_attr *attr,
			      uint32_t *seen)
{
	const uint8_t *start = reader->cursor;
	struct gsa_reader value;
	uint16_t length;
	uint8_t type;

	if (!gsa_read_u8(reader, &type) || !gsa_read_u16(reader, &length))
		return "TLV: truncated header";
	if (!gsa_read_part(reader, length, &value))
		return "TLV: longer than the attribute";
	for (size_t i = 0; i < COUNT(tlvs); i++) {
		if (tlvs[i].type != type)
			continue;
		if (*seen & 1u << i)
			return tlvs[i].twice;
		*seen |= 1u << i;
		return tlvs[i].decode(&value, attr);
	}
	keep_unknown(attr, start, TLV_HEADER_SIZE + length);
	return NULL;
}

static const char *attr_decode(const uint8_t *value, size_t length, struct gsa_group_attr *attr)
{
	struct gsa_reader reader = gsa_reader_of(value, length);
	const char *reason = NULL;
	uint32_t seen = 0;

	if (length > GSA_ATTR_VALUE_MAX)
		return "attribute: longer than allowed";
	while (!reason && !gsa_reader_at_end(&reader))
		reason = tlv_decode(&reader, attr, &seen);
	for (size_t i = 0; !reason && i < COUNT(tlvs); i++)
		if (tlvs[i].mandatory && !(seen & 1u << i))
			reason = tlvs[i].missing;
	return reason ? reason : sender_ids_check(attr);
}

enum gsa_attr_verdict gsa_group_attr_decode(const uint8_t *value, size_t length,
					    struct gsa_group_attr *attr, const char **reason)
{
	const char *wrong;

	memset(attr, 0, sizeof(*attr));
	wrong = attr_decode(value, length, attr);
	if (!wrong)
		return GSA_ATTR_OK;
	*reason = wrong;
	return GSA_ATTR_TREAT_AS_WITHDRAW;
}

size_t gsa_group_attr_encode(const struct gsa_group_attr *attr, uint8_t *out, size_t capacity)
{
	struct gsa_writer writer =
		gsa_writer_of(out, capacity < GSA_ATTR_VALUE_MAX ? capacity : GSA_ATTR_VALUE_MAX);

	if (groups_check(attr->groups, attr->group_count) || sender_ids_check(attr) ||
	    attr->unknown_count > COUNT(attr->unknown))
		return 0;
	for (size_t i = 0; i < COUNT(tlvs); i++) {
		size_t field;

		if (tlvs[i].present && !tlvs[i].present(attr))
			continue;
		gsa_write_u8(&writer, tlvs[i].type);
		field = gsa_write_length_open(&writer);
		tlvs[i].encode(&writer, attr);
		gsa_write_length_close(&writer, field, field + sizeof(uint16_t));
	}
	for (size_t i = 0; i < attr->unknown_count; i++)
		gsa_write_bytes(&writer, attr->unknown[i], attr->unknown_length[i]);
	return gsa_writer_written(&writer);
}

static int compare_groups(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

bool gsa_group_attr_has(const struct gsa_group_attr *attr, uint32_t group)
{
	return bsearch(&group, attr->groups, attr->group_count, sizeof(group), compare_groups) !=
	       NULL;
}

bool gsa_group_attr_sender_id(const struct gsa_group_attr *attr, uint32_t group,
			      uint32_t *sender_id)
{
	const struct gsa_group_sender_id key = { .group = group };
	const struct gsa_group_sender_id *found = bsearch(&key, attr->sender_ids,
							  attr->sender_id_count, sizeof(key),
							  compare_sender_ids);

	if (found)
		*sender_id = found->sender_id;
	return found != NULL;
}

void gsa_group_attr_keep(struct gsa_group_attr *attr, const uint32_t *groups, size_t count)
{
	size_t kept = 0;

	memmove(attr->groups, groups, count * sizeof(*groups));
	attr->group_count = count;
	for (size_t i = 0; i < attr->sender_id_count; i++)
		if (gsa_group_attr_has(attr, attr->sender_ids[i].group))
			attr->sender_ids[kept++] = attr->sender_ids[i];
	attr->sender_id_count = kept;
}

bool gsa_gateway_same_address(const struct gsa_gateway *a, const struct gsa_gateway *b)
{
	if (a->family != b->family)
		return false;
	if (a->family == AF_INET)
		return a->ipv4.s_addr == b->ipv4.s_addr;
	if (a->family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->ipv6, &b->ipv6);
	return true;
}
