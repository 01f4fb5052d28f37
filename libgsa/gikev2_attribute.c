// SPDX-License-Identifier: GPL-2.0-or-later
/* Attributes (RFC 7296 §3.3.5), driven by the tables of those who use them. */
#include "libgsa/gikev2_parts.h"

#define ATTRIBUTE_FORMAT_TV 0x8000

static const char *row_decode(const struct gsa_attribute_row *row, bool again,
			      enum gsa_attribute_format format, struct gsa_reader *value,
			      uint8_t protocol, void *target)
{
	size_t length = gsa_reader_left(value);

	if (format != row->format)
		return row->wrong.format;
	if (again && !row->multi_valued)
		return row->wrong.twice;
	if (!(row->protocols & protocol))
		return row->wrong.protocol;
	if (length < row->min || length > row->max)
		return row->wrong.length;
	return row->decode ? row->decode(value, target) : NULL;
}

const char *gsa_attributes_decode(const struct gsa_attribute_table *table,
				  struct gsa_reader *reader, uint8_t protocol, void *target)
{
	const char *reason = NULL;
	uint32_t seen = 0;

	while (!reason && !gsa_reader_at_end(reader)) {
		enum gsa_attribute_format format = GSA_ATTRIBUTE_TLV;
		uint16_t type, length = sizeof(uint16_t);
		struct gsa_reader value;
		size_t i;

		if (!gsa_read_u16(reader, &type))
			return table->truncated;
		if (type & ATTRIBUTE_FORMAT_TV)
			format = GSA_ATTRIBUTE_TV;
		else if (!gsa_read_u16(reader, &length))
			return table->truncated;
		if (!gsa_read_part(reader, length, &value))
			return table->truncated;
		type &= (uint16_t)~ATTRIBUTE_FORMAT_TV;

		for (i = 0; i < table->count && table->rows[i].type != type; i++)
			;
		if (i == table->count) {
			reason = table->unknown;
			continue;
		}
		reason = row_decode(&table->rows[i], seen & 1u << i, format, &value, protocol,
				    target);
		seen |= 1u << i;
	}
	return reason;
}

void gsa_attributes_encode(const struct gsa_attribute_table *table, struct gsa_writer *writer,
			   const void *source)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->rows[i].encode)
			table->rows[i].encode(writer, &table->rows[i], source);
}

void gsa_attribute_write_tv(struct gsa_writer *writer, const struct gsa_attribute_row *row,
			    uint16_t value)
{
	gsa_write_u16(writer, row->type | ATTRIBUTE_FORMAT_TV);
	gsa_write_u16(writer, value);
}

size_t gsa_attribute_open_tlv(struct gsa_writer *writer, const struct gsa_attribute_row *row)
{
	gsa_write_u16(writer, row->type);
	return gsa_write_length_open(writer);
}

void gsa_attribute_close_tlv(struct gsa_writer *writer, size_t handle)
{
	gsa_write_length_close(writer, handle, handle + sizeof(uint16_t));
}
