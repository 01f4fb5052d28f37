// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The BGP path attribute that names a route's groups (optional, transitive, type
 * 254 unless configured otherwise).  Its value is a sequence of TLVs:
 *
 *   type (1 octet) | length (2 octets, of the value) | value
 *
 *   1 GROUPS      one or more group identifiers, 4 octets each, not 0, strictly ascending
 *   2 GATEWAY     family (1 octet: 4 or 6) | unicast address (4 or 16)
 *   3 SENDER_IDS  one or more pairs, the groups strictly ascending and all in GROUPS:
 *                 group identifier (4 octets) | the gateway's Sender-ID in the group (4)
 *   others        kept in order and passed on unchanged, behind the known ones
 *
 * GROUPS has to be present exactly once, the others at most once.  A Sender-ID belongs to a
 * group (RFC 9838 §2.5.1): it goes where the group goes, and nobody else learns it.
 */
#ifndef LIBGSA_GROUP_ATTR_H
#define LIBGSA_GROUP_ATTR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GSA_ATTR_DEFAULT_TYPE 254
#define GSA_ATTR_GROUPS_MAX 64
#define GSA_ATTR_VALUE_MAX 1024 /* what we build; longer received values are malformed */

struct gsa_gateway {
	uint8_t family; /* AF_INET, AF_INET6; AF_UNSPEC: no GATEWAY TLV */
	union {
		struct in_addr ipv4;
		struct in6_addr ipv6;
	};
};

struct gsa_group_sender_id {
	uint32_t group, sender_id;
};

struct gsa_group_attr {
	uint32_t groups[GSA_ATTR_GROUPS_MAX]; /* strictly ascending */
	size_t group_count;		      /* at least 1 after a successful decode */
	struct gsa_gateway gateway;
	struct gsa_group_sender_id sender_ids[GSA_ATTR_GROUPS_MAX]; /* as in SENDER_IDS */
	size_t sender_id_count;
	/*
	 * Runs of adjacent unknown TLVs, headers included, borrowed from the buffer that
	 * was decoded: however many TLVs there are, the known ones part them in four.
	 */
	const uint8_t *unknown[16];
	size_t unknown_length[16];
	size_t unknown_count;
};

/* RFC 7606: what to do with the route that carries the attribute. */
enum gsa_attr_verdict {
	GSA_ATTR_OK,
	GSA_ATTR_TREAT_AS_WITHDRAW,
};

/*
 * Decode the attribute's value (without the BGP attribute header).  On
 * GSA_ATTR_TREAT_AS_WITHDRAW *reason is a static string that names the field.
 */
enum gsa_attr_verdict gsa_group_attr_decode(const uint8_t *value, size_t length,
					    struct gsa_group_attr *attr, const char **reason);

/* Octets written into `out`, 0 if `capacity` is short or `attr` is not encodable. */
size_t gsa_group_attr_encode(const struct gsa_group_attr *attr, uint8_t *out, size_t capacity);

bool gsa_group_attr_has(const struct gsa_group_attr *attr, uint32_t group);

/* Does the route carry a Sender-ID in the group? */
bool gsa_group_attr_sender_id(const struct gsa_group_attr *attr, uint32_t group,
			      uint32_t *sender_id);

/* Cut down to `groups`, ascending and all of them the attribute's; their Sender-IDs stay. */
void gsa_group_attr_keep(struct gsa_group_attr *attr, const uint32_t *groups, size_t count);

bool gsa_gateway_same_address(const struct gsa_gateway *a, const struct gsa_gateway *b);

#endif
