// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cursors over octets on the wire, network order.
 *
 * A reader never passes its end: each read says whether the octets were there, and
 * leaves the cursor where it was if not.  A writer fails once and for all when its
 * buffer is too small; what it then reports as written is 0.
 */
#ifndef LIBGSA_WIRE_H
#define LIBGSA_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrows the buffer; what it hands out points into it. */
struct gsa_reader {
	const uint8_t *cursor, *end;
};

static inline struct gsa_reader gsa_reader_of(const void *data, size_t length)
{
	const uint8_t *start = data;

	/* NULL + 0 is undefined in C; an empty reader needs no address */
	return (struct gsa_reader){ start, length ? start + length : start };
}

static inline size_t gsa_reader_left(const struct gsa_reader *reader)
{
	return reader->cursor ? (size_t)(reader->end - reader->cursor) : 0;
}

static inline bool gsa_reader_has(const struct gsa_reader *reader, size_t length)
{
	return length <= gsa_reader_left(reader);
}

static inline bool gsa_reader_at_end(const struct gsa_reader *reader)
{
	return gsa_reader_left(reader) == 0;
}

static inline bool gsa_read_bytes(struct gsa_reader *reader, size_t length, const uint8_t **bytes)
{
	if (!gsa_reader_has(reader, length))
		return false;
	*bytes = reader->cursor;
	if (length)
		reader->cursor += length;
	return true;
}

static inline bool gsa_read_copy(struct gsa_reader *reader, size_t length, void *out)
{
	const uint8_t *bytes;

	if (!gsa_read_bytes(reader, length, &bytes))
		return false;
	if (length)
		memcpy(out, bytes, length);
	return true;
}

static inline bool gsa_read_skip(struct gsa_reader *reader, size_t length)
{
	const uint8_t *bytes;

	return gsa_read_bytes(reader, length, &bytes);
}

static inline bool gsa_read_u8(struct gsa_reader *reader, uint8_t *value)
{
	return gsa_read_copy(reader, 1, value);
}

static inline bool gsa_read_u16(struct gsa_reader *reader, uint16_t *value)
{
	const uint8_t *b;

	if (!gsa_read_bytes(reader, 2, &b))
		return false;
	*value = (uint16_t)(b[0] << 8 | b[1]);
	return true;
}

static inline bool gsa_read_u32(struct gsa_reader *reader, uint32_t *value)
{
	const uint8_t *b;

	if (!gsa_read_bytes(reader, 4, &b))
		return false;
	*value = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
	return true;
}

/* A reader of the next `length` octets, which `reader` leaves behind. */
static inline bool gsa_read_part(struct gsa_reader *reader, size_t length, struct gsa_reader *part)
{
	const uint8_t *bytes;

	if (!gsa_read_bytes(reader, length, &bytes))
		return false;
	*part = gsa_reader_of(bytes, length);
	return true;
}

/* Borrows the buffer. */
struct gsa_writer {
	uint8_t *start;
	size_t length, capacity;
	bool failed;
};

static inline struct gsa_writer gsa_writer_of(uint8_t *out, size_t capacity)
{
	return (struct gsa_writer){ .start = out, .capacity = capacity };
}

/* For a value that has no encoding: the writer reports nothing as written. */
static inline void gsa_write_fail(struct gsa_writer *writer)
{
	writer->failed = true;
}

static inline size_t gsa_writer_written(const struct gsa_writer *writer)
{
	return writer->failed ? 0 : writer->length;
}

static inline void gsa_write_bytes(struct gsa_writer *writer, const void *bytes, size_t length)
{
	if (writer->failed || length > writer->capacity - writer->length) {
		writer->failed = true;
		return;
	}
	if (length)
		memcpy(writer->start + writer->length, bytes, length);
	writer->length += length;
}

static inline void gsa_write_u8(struct gsa_writer *writer, uint8_t value)
{
	gsa_write_bytes(writer, &value, 1);
}

static inline void gsa_write_u16(struct gsa_writer *writer, uint16_t value)
{
	const uint8_t octets[] = { (uint8_t)(value >> 8), (uint8_t)value };

	gsa_write_bytes(writer, octets, sizeof(octets));
}

static inline void gsa_write_u32(struct gsa_writer *writer, uint32_t value)
{
	gsa_write_u16(writer, (uint16_t)(value >> 16));
	gsa_write_u16(writer, (uint16_t)value);
}

/*
 * A 16-bit length that is known only when what it counts has been written: open the
 * field, write, close it.  It counts the octets from `from` on, an offset of the
 * writer: some formats count their own header, some do not.
 */
static inline size_t gsa_write_length_open(struct gsa_writer *writer)
{
	size_t field = writer->length;

	gsa_write_u16(writer, 0);
	return field;
}

static inline void gsa_write_length_close(struct gsa_writer *writer, size_t field, size_t from)
{
	size_t length = writer->length - from;

	if (writer->failed || length > UINT16_MAX) {
		writer->failed = true;
		return;
	}
	writer->start[field] = (uint8_t)(length >> 8);
	writer->start[field + 1] = (uint8_t)length;
}

#endif
