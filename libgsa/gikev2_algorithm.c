// SPDX-License-Identifier: GPL-2.0-or-later
/* What the codecs and the key split have to know of algorithms. */
#include "libgsa/gikev2_parts.h"

/*
 * One row an encryption algorithm.  `fixed_bits` 0: AES, whose key size the Key Length
 * attribute has to say.  `salt` octets of a counter mode's nonce come with the key.
 */
static const struct encryption {
	uint16_t id;
	bool aead;
	uint16_t fixed_bits;
	uint8_t salt;
} encryptions[] = {
	{ GSA_ENCR_AES_CBC, false, 0, 0 },
	{ 13 /* AES-CTR */, false, 0, 4 },
	{ 14 /* AES-CCM-8 */, true, 0, 3 },
	{ 15 /* AES-CCM-12 */, true, 0, 3 },
	{ 16 /* AES-CCM-16 */, true, 0, 3 },
	{ 18 /* AES-GCM-8 */, true, 0, 4 },
	{ 19 /* AES-GCM-12 */, true, 0, 4 },
	{ GSA_ENCR_AES_GCM_16, true, 0, 4 },
	{ GSA_ENCR_CHACHA20_POLY1305, true, 256, 4 },
};

/* One row an integrity algorithm: octets of its key. */
static const struct integrity {
	uint16_t id;
	uint8_t key_size;
} integrities[] = {
	{ 2 /* HMAC-SHA1-96 */, 20 },
	{ GSA_INTEG_HMAC_SHA2_256_128, 32 },
	{ GSA_INTEG_HMAC_SHA2_384_192, 48 },
	{ GSA_INTEG_HMAC_SHA2_512_256, 64 },
};

static const struct encryption *encryption_by_id(uint16_t id)
{
	for (size_t i = 0; i < GSA_COUNT(encryptions); i++)
		if (encryptions[i].id == id)
			return &encryptions[i];
	return NULL;
}

const char *gsa_encryption_check(uint16_t id, uint16_t key_bits)
{
	const struct encryption *encryption = encryption_by_id(id);

	if (!encryption)
		return NULL;
	if (encryption->fixed_bits)
		return key_bits ? "Key Length: not with a fixed-length key" : NULL;
	if (key_bits == 0)
		return "Key Length: missing";
	if (key_bits != 128 && key_bits != 192 && key_bits != 256)
		return "Key Length: not a key size of AES";
	return NULL;
}

enum gsa_aead gsa_encryption_aead(uint16_t id)
{
	const struct encryption *encryption = encryption_by_id(id);

	if (!encryption)
		return GSA_AEAD_UNKNOWN;
	return encryption->aead ? GSA_AEAD_YES : GSA_AEAD_NO;
}

size_t gsa_data_sa_encryption_key_size(const struct gsa_data_sa *sa)
{
	const struct encryption *encryption = encryption_by_id(sa->encryption);
	size_t bits;

	if (sa->protocol != GSA_PROTOCOL_ESP || !encryption ||
	    gsa_encryption_check(sa->encryption, sa->encryption_key_bits))
		return 0;
	bits = encryption->fixed_bits ? encryption->fixed_bits : sa->encryption_key_bits;
	return bits / 8 + encryption->salt;
}

static size_t integrity_key_size(const struct gsa_data_sa *sa)
{
	for (size_t i = 0; i < GSA_COUNT(integrities); i++)
		if (integrities[i].id == sa->integrity)
			return integrities[i].key_size;
	return 0;
}

bool gsa_data_sa_key_sizes(const struct gsa_data_sa *sa, size_t *encryption, size_t *integrity)
{
	bool aead = gsa_encryption_aead(sa->encryption) == GSA_AEAD_YES;

	*encryption = gsa_data_sa_encryption_key_size(sa);
	*integrity = integrity_key_size(sa);
	if (sa->protocol == GSA_PROTOCOL_AH)
		return *integrity != 0;
	if (sa->protocol != GSA_PROTOCOL_ESP || *encryption == 0)
		return false;
	return aead ? sa->integrity == GSA_INTEG_NONE : *integrity != 0;
}

bool gsa_data_sa_counter_mode(const struct gsa_data_sa *sa)
{
	const struct encryption *encryption = encryption_by_id(sa->encryption);

	/* all of them, and no others, have a salt */
	return sa->protocol == GSA_PROTOCOL_ESP && encryption && encryption->salt;
}
