// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Wire vectors that are good: written by hand, with the meaning of every field beside
 * it.  The unit tests decode them, cut them short and encode them again; the seeds of
 * the fuzz targets are made from them (write_seeds.c).
 */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include <stddef.h>
#include <stdint.h>

struct vector {
	const char *target; /* fuzz target that takes it */
	const char *name;
	const uint8_t *data;
	size_t length;
};

extern const struct vector vectors[];
extern const size_t vector_count;

/* By target and name; ends the program if there is none. */
const struct vector *vector_named(const char *target, const char *name);

#endif
