// SPDX-License-Identifier: GPL-2.0-or-later
/* Traffic selectors (RFC 7296 §3.13.1). */
#include "libgsa/gikev2_parts.h"

#define SELECTOR_HEADER_SIZE 8

/* One row a TS type. */
static const struct selector_type {
	uint8_t type, family;
	uint8_t address_size;
} types[] = {
	{ 7, AF_INET, 4 },
	{ 8, AF_INET6, 16 },
};

/* OPAQUE (RFC 4301 §4.4.1.1) is the one range that runs backwards. */
static bool ports_valid(const struct gsa_traffic_selector *ts)
{
	if (ts->protocol == 0)
		return ts->port_from == 0 && ts->port_to == UINT16_MAX;
	return ts->port_from <= ts->port_to || (ts->port_from == UINT16_MAX && ts->port_to == 0);
}

static const char *selector_check(const struct gsa_traffic_selector *ts,
				  const struct selector_type *type)
{
	if (!ports_valid(ts))
		return "traffic selector: ports are not a range";
	if (memcmp(ts->from, ts->to, type->address_size) > 0)
		return "traffic selector: addresses are not a range";
	return NULL;
}

const char *gsa_selector_decode(struct gsa_reader *reader, struct gsa_traffic_selector *ts)
{
	const struct selector_type *row = NULL;
	uint8_t type;
	uint16_t length;

	memset(ts, 0, sizeof(*ts));
	if (!gsa_read_u8(reader, &type) || !gsa_read_u8(reader, &ts->protocol) ||
	    !gsa_read_u16(reader, &length) || !gsa_read_u16(reader, &ts->port_from) ||
	    !gsa_read_u16(reader, &ts->port_to))
		return "traffic selector: truncated";
	for (size_t i = 0; i < GSA_COUNT(types); i++)
		if (types[i].type == type)
			row = &types[i];
	if (!row)
		return "traffic selector: unknown type";
	if (length != SELECTOR_HEADER_SIZE + 2 * row->address_size)
		return "traffic selector: length does not fit the type";
	if (!gsa_read_copy(reader, row->address_size, ts->from) ||
	    !gsa_read_copy(reader, row->address_size, ts->to))
		return "traffic selector: truncated";
	ts->family = row->family;
	return selector_check(ts, row);
}

void gsa_selector_encode(struct gsa_writer *writer, const struct gsa_traffic_selector *ts)
{
	const struct selector_type *row = NULL;

	for (size_t i = 0; i < GSA_COUNT(types); i++)
		if (types[i].family == ts->family)
			row = &types[i];
	if (!row || selector_check(ts, row)) {
		gsa_write_fail(writer);
		return;
	}
	gsa_write_u8(writer, row->type);
	gsa_write_u8(writer, ts->protocol);
	gsa_write_u16(writer, SELECTOR_HEADER_SIZE + 2 * row->address_size);
	gsa_write_u16(writer, ts->port_from);
	gsa_write_u16(writer, ts->port_to);
	gsa_write_bytes(writer, ts->from, row->address_size);
	gsa_write_bytes(writer, ts->to, row->address_size);
}
