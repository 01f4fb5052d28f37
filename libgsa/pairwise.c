// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/pairwise.h"

#include "libgsa/kdf.h"
#include "libgsa/wire.h"

#define PRF_HMAC_SHA2_256 5

static const char pair_label[] = "frr-gsa pair", mark_label[] = "frr-gsa mark";

bool gsa_pair_spi(uint32_t prefix, unsigned int sender_id_bits, uint32_t sender_id, uint32_t *spi)
{
	uint32_t ids;

	if (!sender_id_bits || sender_id_bits > GSA_SENDER_ID_BITS_MAX)
		return false;
	ids = (UINT32_C(1) << sender_id_bits) - 1;
	if (prefix & ids || sender_id > ids)
		return false;
	*spi = prefix | sender_id;
	return true;
}

bool gsa_pair_key(const struct gsa_secret *tek, uint32_t group, uint32_t prefix,
		  unsigned int sender_id_bits, uint32_t sender, uint32_t receiver, size_t length,
		  struct gsa_secret *key)
{
	uint8_t seed[sizeof(pair_label) - 1 + 4 * 4];
	struct gsa_writer writer = gsa_writer_of(seed, sizeof(seed));
	uint32_t spi, of_receiver;

	*key = (struct gsa_secret){ 0 };
	if (!gsa_pair_spi(prefix, sender_id_bits, sender, &spi) ||
	    !gsa_pair_spi(prefix, sender_id_bits, receiver, &of_receiver))
		return false;
	gsa_write_bytes(&writer, pair_label, sizeof(pair_label) - 1);
	gsa_write_u32(&writer, group);
	gsa_write_u32(&writer, spi);
	gsa_write_u32(&writer, sender);
	gsa_write_u32(&writer, receiver);
	return gsa_prf_plus(PRF_HMAC_SHA2_256, tek, seed, sizeof(seed), length, key);
}

bool gsa_key_mark(const struct gsa_secret *key, uint32_t *mark)
{
	struct gsa_secret octets;
	struct gsa_reader reader;
	bool ok;

	if (!gsa_prf_plus(PRF_HMAC_SHA2_256, key, mark_label, sizeof(mark_label) - 1, sizeof(*mark),
			  &octets))
		return false;
	reader = gsa_reader_of(octets.data, octets.length);
	ok = gsa_read_u32(&reader, mark);
	gsa_secret_clear(&octets);
	return ok;
}
