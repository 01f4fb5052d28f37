// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/keywrap.h"

#include <openssl/evp.h>

/* RFC 5649 §4.1: an eight-octet check value, then whole semiblocks of 8 octets. */
#define SEMIBLOCK	8
#define WRAP_CIPHER_MIN (2 * SEMIBLOCK)

/* One row an algorithm: libcrypto's cipher, octets of its key. */
static const struct algorithm {
	enum gsa_key_wrap_algorithm id;
	const char *cipher;
	size_t key_size;
} algorithms[] = {
	{ GSA_KW_5649_128, "AES-128-WRAP-PAD", 16 },
	{ GSA_KW_5649_192, "AES-192-WRAP-PAD", 24 },
	{ GSA_KW_5649_256, "AES-256-WRAP-PAD", 32 },
};

static const struct algorithm *algorithm_by_id(enum gsa_key_wrap_algorithm id)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (algorithms[i].id == id)
			return &algorithms[i];
	return NULL;
}

size_t gsa_key_wrap_key_size(enum gsa_key_wrap_algorithm id)
{
	const struct algorithm *algorithm = algorithm_by_id(id);

	return algorithm ? algorithm->key_size : 0;
}

enum gsa_key_wrap_algorithm gsa_key_wrap_by_key_size(size_t size)
{
	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (algorithms[i].key_size == size)
			return algorithms[i].id;
	return GSA_KW_NONE;
}

/* One pass of the cipher: a key wrap mode takes all of its input in one call. */
static bool run(const char *name, bool encrypt, const struct gsa_secret *kek, const uint8_t *in,
		size_t in_length, uint8_t *out, size_t *out_length)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int written = 0;
	bool ok;

	ok = cipher && ctx &&
	     EVP_CipherInit_ex2(ctx, cipher, kek->data, NULL, encrypt ? 1 : 0, NULL) == 1 &&
	     EVP_CipherUpdate(ctx, out, &written, in, (int)in_length) == 1 && written > 0;
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(cipher);
	*out_length = ok ? (size_t)written : 0;
	return ok;
}

bool gsa_key_wrap(enum gsa_key_wrap_algorithm id, const struct gsa_secret *kek,
		  const struct gsa_secret *plain, uint8_t *out, size_t *out_length)
{
	const struct algorithm *algorithm = algorithm_by_id(id);

	*out_length = 0;
	if (!algorithm || kek->length != algorithm->key_size || plain->length == 0 ||
	    plain->length > GSA_WRAP_PLAIN_MAX)
		return false;
	return run(algorithm->cipher, true, kek, plain->data, plain->length, out, out_length);
}

bool gsa_key_unwrap(enum gsa_key_wrap_algorithm id, const struct gsa_secret *kek,
		    const uint8_t *cipher, size_t cipher_length, struct gsa_secret *plain)
{
	const struct algorithm *algorithm = algorithm_by_id(id);
	struct gsa_secret padded;
	size_t length;
	bool ok;

	*plain = (struct gsa_secret){ 0 };
	if (!algorithm || kek->length != algorithm->key_size || cipher_length < WRAP_CIPHER_MIN ||
	    cipher_length > GSA_WRAP_CIPHER_MAX || cipher_length % SEMIBLOCK != 0)
		return false;
	/* libcrypto may write the padding, too, before it finds the key's length */
	if (!gsa_secret_alloc(&padded, cipher_length))
		return false;
	ok = run(algorithm->cipher, false, kek, cipher, cipher_length, padded.data, &length) &&
	     length <= cipher_length - SEMIBLOCK && gsa_secret_copy(plain, padded.data, length);
	gsa_secret_clear(&padded);
	return ok;
}
