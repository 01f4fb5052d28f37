// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/sa_table.h"

struct cipher {
	const char *name;
	uint16_t encryption, encryption_key_bits, integrity;
};

/* ChaCha20 has one key length, so its transform carries none (RFC 7634 §4). */
static const struct cipher ciphers[] = {
	[GCKS_CIPHER_AES256CBC_SHA256] = { "aes256cbc-sha256", GSA_ENCR_AES_CBC, 256,
					   GSA_INTEG_HMAC_SHA2_256_128 },
	[GCKS_CIPHER_AES128CBC_SHA256] = { "aes128cbc-sha256", GSA_ENCR_AES_CBC, 128,
					   GSA_INTEG_HMAC_SHA2_256_128 },
	[GCKS_CIPHER_AES256GCM16] = { "aes256gcm16", GSA_ENCR_AES_GCM_16, 256, GSA_INTEG_NONE },
	[GCKS_CIPHER_AES128GCM16] = { "aes128gcm16", GSA_ENCR_AES_GCM_16, 128, GSA_INTEG_NONE },
	[GCKS_CIPHER_CHACHA20POLY1305] = { "chacha20poly1305", GSA_ENCR_CHACHA20_POLY1305, 0,
					   GSA_INTEG_NONE },
};

void gcks_cipher_transforms(enum gcks_cipher cipher, struct gcks_sa *sa)
{
	const struct cipher *row = &ciphers[cipher];

	sa->encryption = row->encryption;
	sa->encryption_key_bits = row->encryption_key_bits;
	sa->integrity = row->integrity;
}

size_t gcks_cipher_key_length(enum gcks_cipher cipher)
{
	const struct cipher *row = &ciphers[cipher];
	struct gsa_data_sa sa = {
		.protocol = GSA_PROTOCOL_ESP,
		.encryption = row->encryption,
		.encryption_key_bits = row->encryption_key_bits,
		.integrity = row->integrity,
	};
	size_t encryption, integrity;

	return gsa_data_sa_key_sizes(&sa, &encryption, &integrity) ? encryption + integrity : 0;
}

const char *gcks_cipher_name(enum gcks_cipher cipher)
{
	return (size_t)cipher < sizeof(ciphers) / sizeof(ciphers[0]) ? ciphers[cipher].name : NULL;
}
