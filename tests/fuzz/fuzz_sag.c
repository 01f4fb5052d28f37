// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/gikev2_sag.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_target[] = "sag";

/* SAs that differ from what a proposal says in one transform each. */
static bool accepts(const uint8_t *data, size_t length, uint8_t protocol, uint16_t encryption,
		    uint16_t key_bits, uint16_t integrity, uint16_t sequence_numbers)
{
	struct gsa_data_sa sa = {
		.protocol = protocol,
		.encryption = encryption,
		.encryption_key_bits = key_bits,
		.integrity = integrity,
		.sequence_numbers = sequence_numbers,
	};
	const char *reason = NULL;
	bool accepted = gsa_sag_accepts(data, length, &sa, &reason);

	PROPERTY(accepted == !reason);
	return accepted;
}

static size_t count_transforms(const struct gsa_sag_proposal *proposal)
{
	struct gsa_reader transforms = proposal->transforms;
	struct gsa_sag_transform transform;
	size_t count = 0;

	for (; !gsa_reader_at_end(&transforms); count++)
		PROPERTY(!gsa_sag_next_transform(&transforms, &transform));
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct gsa_reader reader = gsa_reader_of(data, length);
	bool well_formed = !gsa_sag_check(data, length);
	bool pairwise = accepts(data, length, GSA_PROTOCOL_ESP, GSA_ENCR_AES_GCM_16, 256,
				GSA_INTEG_NONE, GSA_SN_PAIRWISE_32);
	bool group = accepts(data, length, GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, 256,
			     GSA_INTEG_HMAC_SHA2_256_128, GSA_SN_UNSPECIFIED_32);
	bool without_integrity = accepts(data, length, GSA_PROTOCOL_ESP, GSA_ENCR_AES_CBC, 256,
					 GSA_INTEG_NONE, GSA_SN_UNSPECIFIED_32);

	/* nothing malformed is accepted, and what covers an SA covers one that asks for less */
	PROPERTY(well_formed || !(pairwise || group || without_integrity));
	PROPERTY(!group || without_integrity);
	if (!well_formed)
		return 0;
	while (!gsa_reader_at_end(&reader)) {
		struct gsa_sag_proposal proposal;

		PROPERTY(!gsa_sag_next_proposal(&reader, &proposal));
		PROPERTY(count_transforms(&proposal) == proposal.transform_count);
		PROPERTY(proposal.last == gsa_reader_at_end(&reader));
	}
	return 0;
}
