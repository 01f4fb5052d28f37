// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fuzz target: one function that takes any octets, and the name of the folder under
 * tests/vectors with its corpus.  Linked with libFuzzer (`make fuzz`), or with replay.c
 * (`make check`), which needs no clang.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
extern const char fuzz_target[];

/* A property that has to hold for every input. */
#define PROPERTY(condition)                                                                        \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
