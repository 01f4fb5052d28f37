// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "libgsa/gikev2.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_target[] = "idg";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct gsa_idg first, second;
	const char *reason = NULL;
	uint8_t out[512];
	size_t written;

	if (!gsa_idg_decode(data, length, &first, &reason)) {
		PROPERTY(reason);
		return 0;
	}
	written = gsa_idg_encode(&first, out, sizeof(out));
	PROPERTY(written == length);
	PROPERTY(gsa_idg_decode(out, written, &second, &reason));
	PROPERTY(first.type == second.type && first.length == second.length);
	PROPERTY(memcmp(first.data, second.data, first.length) == 0);
	return 0;
}
