// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "libgsa/gikev2.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_target[] = "policy";

/* What is ignored (unknown attributes, GSA_NEXT_SPI) is not written again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct gsa_policy first, second;
	const char *reason = NULL;
	uint8_t out[4096], again[4096];
	size_t written;

	if (!gsa_policy_decode(data, length, &first, &reason)) {
		PROPERTY(reason);
		return 0;
	}
	for (size_t i = 0; i < first.data_sa_count; i++) {
		size_t encryption, integrity;

		if (gsa_data_sa_key_sizes(&first.data_sa[i], &encryption, &integrity))
			PROPERTY(encryption + integrity <= GSA_WRAP_PLAIN_MAX);
	}
	written = gsa_policy_encode(&first, out, sizeof(out));
	PROPERTY((written == 0) == first.has_rekey_sa);
	if (first.has_rekey_sa)
		return 0;
	PROPERTY(gsa_policy_decode(out, written, &second, &reason));
	PROPERTY(gsa_policy_encode(&second, again, sizeof(again)) == written);
	PROPERTY(memcmp(out, again, written) == 0);
	return 0;
}
