// SPDX-License-Identifier: GPL-2.0-or-later
/* Protocols of group SAs, and the substructure header that GSA and KD payloads share. */
#include "libgsa/gikev2_parts.h"

static const struct gsa_protocol protocols[] = {
	{ GSA_PROTOCOL_AH, 4, GSA_IN_AH, true },
	{ GSA_PROTOCOL_ESP, 4, GSA_IN_ESP, true },
	{ GSA_PROTOCOL_GIKE_UPDATE, 16, GSA_IN_GIKE_UPDATE, false },
};

const struct gsa_protocol *gsa_protocol_by_id(uint8_t id)
{
	for (size_t i = 0; i < GSA_COUNT(protocols); i++)
		if (protocols[i].id == id)
			return &protocols[i];
	return NULL;
}

const char *gsa_substructure_decode(struct gsa_reader *reader, struct gsa_substructure *sub)
{
	uint16_t length;

	if (!gsa_read_u8(reader, &sub->protocol) || !gsa_read_u8(reader, &sub->spi_size) ||
	    !gsa_read_u16(reader, &length))
		return "substructure: truncated header";
	if (length < GSA_SUBSTRUCTURE_HEADER_SIZE)
		return "substructure: shorter than its header";
	if (!gsa_read_part(reader, length - GSA_SUBSTRUCTURE_HEADER_SIZE, &sub->body))
		return "substructure: longer than the payload";
	return NULL;
}

const char *gsa_spi_decode(struct gsa_substructure *sub, const struct gsa_protocol *protocol,
			   uint32_t *spi)
{
	if (sub->spi_size != protocol->spi_size)
		return "SPI Size: not that of the protocol";
	if (!gsa_reader_has(&sub->body, protocol->spi_size))
		return "SPI: truncated";
	if (!protocol->is_data) {
		gsa_read_skip(&sub->body, protocol->spi_size);
		return NULL;
	}
	gsa_read_u32(&sub->body, spi);
	return *spi < GSA_SPI_MIN ? "SPI: reserved value" : NULL;
}

size_t gsa_substructure_open(struct gsa_writer *writer, uint8_t id, uint32_t spi)
{
	const struct gsa_protocol *protocol = gsa_protocol_by_id(id);
	size_t handle;

	if (id != 0 && (!protocol || !protocol->is_data || spi < GSA_SPI_MIN))
		gsa_write_fail(writer);
	gsa_write_u8(writer, id);
	gsa_write_u8(writer, protocol ? protocol->spi_size : 0);
	handle = gsa_write_length_open(writer);
	if (protocol)
		gsa_write_u32(writer, spi);
	return handle;
}

void gsa_substructure_close(struct gsa_writer *writer, size_t handle)
{
	/* the length counts the two octets before its own field, too */
	gsa_write_length_close(writer, handle, handle - 2);
}
