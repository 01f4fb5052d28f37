// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MAX 8

static unsigned int digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	ck_assert_msg(c && at, "'%c' in a wire text", c);
	return (unsigned int)(at - digits);
}

size_t wire_text(const char *text, uint8_t *out)
{
	size_t length = 0, depth = 0, field[DEPTH_MAX], extra[DEPTH_MAX];

	for (; *text; text++) {
		ck_assert_uint_le(length + 2, WIRE_TEXT_MAX);
		if (isspace((unsigned char)*text))
			continue;
		if (*text == '(') {
			ck_assert_uint_lt(depth, DEPTH_MAX);
			extra[depth] = digit(*++text);
			field[depth++] = length;
			length += 2;
		} else if (*text == ')') {
			size_t counted;

			ck_assert_uint_gt(depth, 0);
			depth--;
			counted = length - field[depth] - 2 + extra[depth];
			out[field[depth]] = (uint8_t)(counted >> 8);
			out[field[depth] + 1] = (uint8_t)counted;
		} else {
			unsigned int high = digit(*text++);

			out[length++] = (uint8_t)(high << 4 | digit(*text));
		}
	}
	ck_assert_uint_eq(depth, 0);
	return length;
}

bool ends_at_element(const uint8_t *data, size_t prefix, size_t length_at, size_t uncounted)
{
	size_t at = 0;

	while (at < prefix)
		at += (size_t)(data[at + length_at] << 8 | data[at + length_at + 1]) + uncounted;
	return at == prefix;
}
