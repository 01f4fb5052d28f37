// SPDX-License-Identifier: GPL-2.0-or-later
/* Unit tests of libgsa, and of what is pure in charon's plugin: one suite a source file. */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

Suite *group_attr_suite(void);
Suite *held_suite(void);
Suite *idg_suite(void);
Suite *kdf_suite(void);
Suite *key_download_suite(void);
Suite *keywrap_suite(void);
Suite *message_suite(void);
Suite *pairwise_suite(void);
Suite *policy_suite(void);
Suite *refused_suite(void);
Suite *sag_suite(void);
Suite *secret_suite(void);
Suite *wire_suite(void);

#define WIRE_TEXT_MAX 4096

/*
 * Octets from text: hexadecimal digits, blanks ignored.  "(4 ... )" is a 16-bit length
 * field of what is inside plus 4, and then what is inside: lengths are derived, so a row
 * of a table says only what it is about.  Octets written to `out` (WIRE_TEXT_MAX).
 */
size_t wire_text(const char *text, uint8_t *out);

/*
 * Whether `prefix` octets of `data` end where one of its elements does.  An element's
 * 16-bit length is at `length_at` and counts all but `uncounted` of its octets.
 */
bool ends_at_element(const uint8_t *data, size_t prefix, size_t length_at, size_t uncounted);

/* One row of a table of refusals. */
struct refusal {
	const char *text; /* wire_text() */
	const char *reason;
};

#endif
