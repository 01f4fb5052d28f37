// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/ike/ike.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#define PRF_INPUT_MAX 8192

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "ike: %s failed\n", what);
	exit(2);
}

void ike_prf(const void *key, size_t key_length, const struct ike_part *parts, size_t count,
	     uint8_t out[PRF_LENGTH])
{
	uint8_t input[PRF_INPUT_MAX];
	size_t length = 0;

	for (size_t i = 0; i < count; i++) {
		need(length + parts[i].length <= sizeof(input), "PRF input");
		memcpy(input + length, parts[i].data, parts[i].length);
		length += parts[i].length;
	}
	need(HMAC(EVP_sha256(), key, (int)key_length, input, length, out, NULL), "HMAC");
}

void ike_prf_plus(const uint8_t key[PRF_LENGTH], const struct ike_part *seed, size_t count,
		  uint8_t *out, size_t length)
{
	uint8_t block[PRF_LENGTH], number = 0;
	struct ike_part parts[8];
	size_t take;

	need(count + 2 <= sizeof(parts) / sizeof(*parts), "prf+");
	while (length) {
		parts[0] = (struct ike_part){ block, number ? sizeof(block) : 0 };
		memcpy(parts + 1, seed, count * sizeof(*seed));
		number++;
		parts[count + 1] = (struct ike_part){ &number, 1 };
		ike_prf(key, PRF_LENGTH, parts, count + 2, block);
		take = length < sizeof(block) ? length : sizeof(block);
		memcpy(out, block, take);
		out += take;
		length -= take;
	}
}

void ike_random(void *out, size_t length)
{
	need(RAND_bytes(out, (int)length) == 1, "the random number generator");
}

EVP_PKEY *ike_dh_new(uint8_t public_value[64])
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	uint8_t point[65];
	size_t length;

	need(key && EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
						    sizeof(point), &length) &&
		     length == sizeof(point),
	     "a key of P-256");
	memcpy(public_value, point + 1, 64);
	return key;
}

bool ike_dh_shared(EVP_PKEY *own, const uint8_t *peer, size_t length, uint8_t shared[32])
{
	EVP_PKEY *other = EVP_PKEY_new();
	EVP_PKEY_CTX *context = NULL;
	uint8_t point[65] = { 4 };
	size_t size = 32;
	bool ok;

	if (length != 64)
		return false;
	memcpy(point + 1, peer, 64);
	ok = other && EVP_PKEY_copy_parameters(other, own) &&
	     EVP_PKEY_set1_encoded_public_key(other, point, sizeof(point)) &&
	     (context = EVP_PKEY_CTX_new(own, NULL)) && EVP_PKEY_derive_init(context) == 1 &&
	     EVP_PKEY_derive_set_peer(context, other) == 1 &&
	     EVP_PKEY_derive(context, shared, &size) == 1 && size == 32;
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(other);
	return ok;
}

/* Both directions; one context serves all, as this is one thread. */
static bool gcm(bool seal, const uint8_t key[36], const uint8_t vector[8], const void *head,
		size_t head_length, const uint8_t *in, size_t length, uint8_t *out, uint8_t *tag)
{
	static EVP_CIPHER_CTX *context;
	uint8_t nonce[12];
	int count = 0;

	if (!context) {
		context = EVP_CIPHER_CTX_new();
		need(context && EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, NULL, NULL, 1),
		     "AES-GCM");
	}
	memcpy(nonce, key + 32, 4);
	memcpy(nonce + 4, vector, 8);
	if (!EVP_CipherInit_ex(context, NULL, NULL, key, nonce, seal) ||
	    !EVP_CipherUpdate(context, NULL, &count, head, (int)head_length) ||
	    !EVP_CipherUpdate(context, out, &count, in, (int)length))
		return false;
	if (!seal && !EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16, tag))
		return false;
	if (!EVP_CipherFinal_ex(context, out + length, &count))
		return false;
	return !seal || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, tag);
}

void ike_seal(const uint8_t key[36], const uint8_t vector[8], const void *head, size_t head_length,
	      const uint8_t *plain, size_t length, uint8_t *out)
{
	need(gcm(true, key, vector, head, head_length, plain, length, out, out + length),
	     "encryption");
}

bool ike_open(const uint8_t key[36], const uint8_t vector[8], const void *head, size_t head_length,
	      const uint8_t *sealed, size_t length, uint8_t *plain)
{
	uint8_t tag[16];

	if (length < sizeof(tag))
		return false;
	memcpy(tag, sealed + length - sizeof(tag), sizeof(tag));
	return gcm(false, key, vector, head, head_length, sealed, length - sizeof(tag), plain, tag);
}

size_t ike_unwrap(const uint8_t key[32], const uint8_t *wrapped, size_t length, uint8_t *out)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int count = 0;

	need(context != NULL, "memory");
	EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (!EVP_DecryptInit_ex(context, EVP_aes_256_wrap_pad(), NULL, key, NULL) ||
	    !EVP_DecryptUpdate(context, out, &count, wrapped, (int)length))
		count = 0;
	EVP_CIPHER_CTX_free(context);
	return count < 0 ? 0 : (size_t)count;
}
