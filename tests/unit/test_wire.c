// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include "libgsa/wire.h"

START_TEST(reader_stops_at_its_end)
{
	static const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7 };
	struct gsa_reader reader = gsa_reader_of(data, sizeof(data)), part;
	const uint8_t *bytes;
	uint32_t u32;
	uint16_t u16;
	uint8_t u8;

	ck_assert(gsa_read_u32(&reader, &u32));
	ck_assert_uint_eq(u32, 0x01020304);
	ck_assert(!gsa_read_u32(&reader, &u32));
	ck_assert_uint_eq(gsa_reader_left(&reader), 3); /* a failed read moves nothing */
	ck_assert(!gsa_read_part(&reader, 4, &part));
	ck_assert(!gsa_read_bytes(&reader, SIZE_MAX, &bytes));
	ck_assert(gsa_read_u16(&reader, &u16));
	ck_assert_uint_eq(u16, 0x0506);
	ck_assert(!gsa_read_u16(&reader, &u16));
	ck_assert(gsa_read_u8(&reader, &u8));
	ck_assert_uint_eq(u8, 7);
	ck_assert(!gsa_read_u8(&reader, &u8));
	ck_assert(gsa_reader_at_end(&reader));
	ck_assert(gsa_read_bytes(&reader, 0, &bytes));
}
END_TEST

START_TEST(reader_of_nothing)
{
	struct gsa_reader reader = gsa_reader_of(NULL, 0), part;
	uint8_t u8;

	ck_assert(gsa_reader_at_end(&reader));
	ck_assert(!gsa_read_u8(&reader, &u8));
	ck_assert(gsa_read_part(&reader, 0, &part));
	ck_assert(gsa_reader_at_end(&part));
}
END_TEST

START_TEST(part_is_bounded)
{
	static const uint8_t data[] = { 1, 2, 3 };
	struct gsa_reader reader = gsa_reader_of(data, sizeof(data)), part;
	uint16_t u16;
	uint8_t u8;

	ck_assert(gsa_read_part(&reader, 1, &part));
	ck_assert(!gsa_read_u16(&part, &u16));
	ck_assert(gsa_read_u8(&part, &u8));
	ck_assert_uint_eq(u8, 1);
	ck_assert(gsa_read_u16(&reader, &u16));
	ck_assert_uint_eq(u16, 0x0203);
}
END_TEST

START_TEST(writer_fails_for_good)
{
	uint8_t out[4] = { 0 };
	struct gsa_writer writer = gsa_writer_of(out, 3);

	gsa_write_u16(&writer, 0x0102);
	ck_assert_uint_eq(gsa_writer_written(&writer), 2);
	gsa_write_u16(&writer, 0x0304);
	ck_assert_uint_eq(gsa_writer_written(&writer), 0);
	gsa_write_u8(&writer, 5); /* there would be room */
	ck_assert_uint_eq(gsa_writer_written(&writer), 0);
	ck_assert_uint_eq(out[2], 0);
	ck_assert_uint_eq(out[3], 0);
}
END_TEST

START_TEST(length_is_patched)
{
	static uint8_t out[UINT16_MAX + 4];
	static const uint8_t bytes[UINT16_MAX];
	struct gsa_writer writer = gsa_writer_of(out, sizeof(out));
	size_t field;

	gsa_write_u8(&writer, 9);
	field = gsa_write_length_open(&writer);
	gsa_write_bytes(&writer, bytes, 258);
	gsa_write_length_close(&writer, field, field + 2);
	ck_assert_uint_eq(out[1], 1);
	ck_assert_uint_eq(out[2], 2);

	writer = gsa_writer_of(out, sizeof(out));
	field = gsa_write_length_open(&writer);
	gsa_write_bytes(&writer, bytes, UINT16_MAX);
	gsa_write_length_close(&writer, field, field); /* 65537 do not fit */
	ck_assert_uint_eq(gsa_writer_written(&writer), 0);
}
END_TEST

Suite *wire_suite(void)
{
	Suite *suite = suite_create("wire");
	TCase *cursors = tcase_create("cursors");

	tcase_add_test(cursors, reader_stops_at_its_end);
	tcase_add_test(cursors, reader_of_nothing);
	tcase_add_test(cursors, part_is_bounded);
	tcase_add_test(cursors, writer_fails_for_good);
	tcase_add_test(cursors, length_is_patched);
	suite_add_tcase(suite, cursors);
	return suite;
}
