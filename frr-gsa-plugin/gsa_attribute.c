// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The group attribute.  bgpd keeps it as one of the attributes in attr->transit, flags,
 * type and length included, interned: equal attributes are one pointer.
 */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/jhash.h"

#include "bgpd/bgp_aspath.h"
#include "bgpd/bgp_memory.h"

DEFINE_MTYPE_STATIC(GSA, GSA_TAG, "GSA attribute cache");

#define ATTRIBUTE_FLAGS_CHECKED (BGP_ATTR_FLAG_OPTIONAL | BGP_ATTR_FLAG_TRANS)

/*
 * Decoding is remembered by pointer.  An entry holds no reference: the pointer may be
 * another attribute's by now, so the octets are compared too.
 */
#define DECODED_SLOTS 256 /* see decoded_slot() */
#define DECODED_OCTETS 128

struct decoded {
	const struct transit *transit;
	uint8_t type;
	uint8_t octets[DECODED_OCTETS];
	int length;
	enum gsa_tag_state state;
	struct gsa_group_attr tag;
};
static struct decoded *decoded_slots[DECODED_SLOTS];

/*
 * Rewritten attributes are held (by an interned struct attr), so that a prefix which is
 * announced with the same change as another costs no allocation.
 */
#define REWRITTEN_SLOTS 64
struct rewritten {
	uint8_t type;
	uint8_t octets[DECODED_OCTETS];
	int length;
	size_t group_count;
	uint32_t groups[GSA_ATTR_GROUPS_MAX];
	struct attr *holder;
};
static struct rewritten *rewritten_slots[REWRITTEN_SLOTS];

/* Finds the attribute `type` in the sequence; false: not there. */
static bool find(const uint8_t *octets, size_t length, uint8_t type, size_t *start, size_t *value,
		 size_t *end)
{
	size_t offset = 0;

	while (offset + BGP_ATTR_MIN_LEN <= length) {
		size_t header = CHECK_FLAG(octets[offset], BGP_ATTR_FLAG_EXTLEN) ? 4 : 3, size;

		if (offset + header > length)
			return false;
		size = header == 4 ? (size_t)(octets[offset + 2] << 8 | octets[offset + 3])
				   : octets[offset + 2];
		if (offset + header + size > length)
			return false;
		if (octets[offset + 1] == type) {
			*start = offset;
			*value = offset + header;
			*end = offset + header + size;
			return true;
		}
		offset += header + size;
	}
	return false;
}

static enum gsa_tag_state decode(const struct transit *transit, uint8_t type,
				 struct gsa_group_attr *tag)
{
	size_t start, value, end;
	const char *reason;

	if (!find(transit->val, transit->length, type, &start, &value, &end))
		return GSA_TAG_NONE;
	if (gsa_group_attr_decode(transit->val + value, end - value, tag, &reason) != GSA_ATTR_OK)
		return GSA_TAG_MALFORMED;
	return GSA_TAG_OK;
}

/* Asked several times a prefix: cheap, and good enough for what an allocator hands out. */
static size_t decoded_slot(const struct transit *transit)
{
	return (uint32_t)((uintptr_t)transit >> 4) * UINT32_C(2654435761) >> 24;
}

enum gsa_tag_state gsa_tag(const struct gsa_instance *instance, const struct attr *attr,
			   const struct gsa_group_attr **tag)
{
	const struct transit *transit = bgp_attr_get_transit(attr);
	static struct gsa_group_attr large;
	struct decoded **slot, *entry;
	enum gsa_tag_state state;

	if (!transit)
		return GSA_TAG_NONE;
	if (transit->length > DECODED_OCTETS) {
		*tag = &large;
		return decode(transit, instance->attribute_type, &large);
	}

	slot = &decoded_slots[decoded_slot(transit)];
	if (!*slot)
		*slot = XCALLOC(MTYPE_GSA_TAG, sizeof(**slot));
	entry = *slot;
	if (entry->transit != transit || entry->type != instance->attribute_type ||
	    entry->length != transit->length ||
	    memcmp(entry->octets, transit->val, transit->length) != 0) {
		/* what `unknown` of the tag points to has to be the entry's own copy */
		struct transit copy = { .length = transit->length, .val = entry->octets };

		memcpy(entry->octets, transit->val, transit->length);
		entry->length = transit->length;
		entry->transit = transit;
		entry->type = instance->attribute_type;
		state = decode(&copy, entry->type, &entry->tag);
		entry->state = state;
	}
	*tag = &entry->tag;
	return entry->state;
}

/* The sequence with the group attribute replaced, or appended when it is not there. */
static struct transit *rewrite(const struct transit *old, uint8_t type,
			       const struct gsa_group_attr *tag)
{
	size_t start = 0, value = 0, end = 0, size, before = 0, after = 0, header;
	uint8_t flags = BGP_ATTR_FLAG_OPTIONAL | BGP_ATTR_FLAG_TRANS, octets[GSA_ATTR_VALUE_MAX];
	struct transit *new;
	uint8_t *out;

	size = gsa_group_attr_encode(tag, octets, sizeof(octets));
	if (!size)
		return NULL;
	if (old) {
		before = old->length;
		if (find(old->val, old->length, type, &start, &value, &end)) {
			before = start;
			after = old->length - end;
			flags |= old->val[start] & BGP_ATTR_FLAG_PARTIAL;
		}
	}
	header = size > UINT8_MAX ? 4 : 3;
	if (header == 4)
		flags |= BGP_ATTR_FLAG_EXTLEN;

	new = XCALLOC(MTYPE_TRANSIT, sizeof(*new));
	new->length = before + header + size + after;
	new->val = out = XCALLOC(MTYPE_TRANSIT_VAL, new->length);
	if (before)
		memcpy(out, old->val, before);
	out += before;
	*out++ = flags;
	*out++ = type;
	if (header == 4)
		*out++ = size >> 8;
	*out++ = size;
	memcpy(out, octets, size);
	if (after)
		memcpy(out + size, old->val + end, after);
	return new;
}

static bool rewritten_matches(const struct rewritten *entry, uint8_t type,
			      const struct transit *old, const struct gsa_group_attr *tag)
{
	return entry && entry->type == type && old && entry->length == old->length &&
	       memcmp(entry->octets, old->val, old->length) == 0 &&
	       entry->group_count == tag->group_count &&
	       memcmp(entry->groups, tag->groups, tag->group_count * sizeof(*tag->groups)) == 0;
}

struct transit *gsa_tag_transit(const struct gsa_instance *instance, const struct attr *attr,
				const struct gsa_group_attr *tag)
{
	const struct transit *old = bgp_attr_get_transit(attr);
	struct rewritten **slot, *entry;
	struct transit *new;
	struct attr holder;
	uint32_t hash = instance->attribute_type;

	if (old)
		hash = jhash(old->val, old->length, hash);
	hash = jhash(tag->groups, tag->group_count * sizeof(*tag->groups), hash);
	slot = &rewritten_slots[hash % REWRITTEN_SLOTS];
	if (rewritten_matches(*slot, instance->attribute_type, old, tag))
		return bgp_attr_get_transit((*slot)->holder);

	new = rewrite(old, instance->attribute_type, tag);
	if (!new)
		return NULL;
	if (!*slot)
		*slot = XCALLOC(MTYPE_GSA_TAG, sizeof(**slot));
	entry = *slot;
	if (entry->holder)
		bgp_attr_unintern(&entry->holder);
	bgp_attr_default_set(&holder, instance->bgp, BGP_ORIGIN_IGP);
	bgp_attr_set_transit(&holder, new);
	entry->holder = bgp_attr_intern(&holder);
	aspath_unintern(&holder.aspath);
	entry->type = instance->attribute_type;
	/* too long to compare: held until the next one, and made again then */
	entry->length = old && old->length <= DECODED_OCTETS ? old->length : -1;
	if (entry->length >= 0)
		memcpy(entry->octets, old->val, old->length);
	entry->group_count = tag->group_count;
	memcpy(entry->groups, tag->groups, tag->group_count * sizeof(*tag->groups));
	return bgp_attr_get_transit(entry->holder);
}

void gsa_tag_fini(void)
{
	for (size_t i = 0; i < DECODED_SLOTS; i++)
		XFREE(MTYPE_GSA_TAG, decoded_slots[i]);
	for (size_t i = 0; i < REWRITTEN_SLOTS; i++) {
		if (rewritten_slots[i])
			bgp_attr_unintern(&rewritten_slots[i]->holder);
		XFREE(MTYPE_GSA_TAG, rewritten_slots[i]);
	}
}

bool gsa_gateway_address(const struct gsa_gateway *gateway, struct ipaddr *address)
{
	memset(address, 0, sizeof(*address));
	switch (gateway->family) {
	case AF_INET:
		SET_IPADDR_V4(address);
		address->ipaddr_v4 = gateway->ipv4;
		return true;
	case AF_INET6:
		SET_IPADDR_V6(address);
		address->ipaddr_v6 = gateway->ipv6;
		return true;
	}
	return false;
}

/* A received attribute of a type that bgpd does not know. */
static int attribute_received(struct peer *peer, uint8_t type, uint8_t flags, const uint8_t *value,
			      bgp_size_t length, enum bgp_attr_owner_verdict *verdict)
{
	struct gsa_instance *instance = gsa_instance_get(peer->bgp);
	struct gsa_group_attr tag;
	const char *reason = NULL;

	if (type != instance->attribute_type || !instance->enabled)
		return 0;

	*verdict = BGP_ATTR_OWNED;
	if ((flags & ATTRIBUTE_FLAGS_CHECKED) != ATTRIBUTE_FLAGS_CHECKED)
		reason = "flags: not optional transitive";
	else if (gsa_group_attr_decode(value, length, &tag, &reason) == GSA_ATTR_OK)
		return 0;

	*verdict = BGP_ATTR_OWNED_WITHDRAW;
	instance->malformed++;
	if (instance->malformed_logged && !gsa_debug &&
	    monotime(NULL) - instance->malformed_logged < GSA_LOG_INTERVAL_S)
		return 0;
	instance->malformed_logged = monotime(NULL);
	zlog_warn("GSA: malformed group attribute (type %u, %u octets) from %pBP: %s; the routes of that UPDATE are treated as withdrawn, the session goes on",
		  type, length, peer, reason);
	return 0;
}

void gsa_attribute_init(void)
{
	hook_register(bgp_attr_receive, attribute_received);
}
