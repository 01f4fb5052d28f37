// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/kdf.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define PRF_PLUS_BLOCKS_MAX 255

/* One row a PRF: IKEv2 transform id, libcrypto's name of the hash, octets of its output. */
static const struct prf {
	uint16_t id;
	const char *digest;
	size_t size;
} prfs[] = {
	{ 2, "SHA1", 20 },
	{ 5, "SHA256", 32 },
	{ 6, "SHA384", 48 },
	{ 7, "SHA512", 64 },
};

static const struct prf *prf_by_id(uint16_t id)
{
	for (size_t i = 0; i < sizeof(prfs) / sizeof(prfs[0]); i++)
		if (prfs[i].id == id)
			return &prfs[i];
	return NULL;
}

/*
 * With an HMAC as PRF, prf+ is the expansion step of HKDF (RFC 5869 §2.3, which was
 * modelled on it): the same chaining, the same counter octet, the same bound.
 */
static bool hkdf_expand(const char *digest, const struct gsa_secret *key, const void *seed,
			size_t seed_length, struct gsa_secret *out)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key->data, key->length),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)seed, seed_length),
		OSSL_PARAM_construct_end(),
	};
	bool ok = ctx && EVP_KDF_derive(ctx, out->data, out->length, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok;
}

bool gsa_prf_plus(uint16_t id, const struct gsa_secret *key, const void *seed, size_t seed_length,
		  size_t length, struct gsa_secret *out)
{
	const struct prf *prf = prf_by_id(id);

	*out = (struct gsa_secret){ 0 };
	if (!prf || key->length == 0 || length == 0 || length > PRF_PLUS_BLOCKS_MAX * prf->size)
		return false;
	if (!gsa_secret_alloc(out, length))
		return false;
	if (!hkdf_expand(prf->digest, key, seed, seed_length, out)) {
		gsa_secret_clear(out);
		return false;
	}
	return true;
}

bool gsa_default_key_wrap_key(uint16_t prf, const struct gsa_secret *sk_d, size_t length,
			      struct gsa_secret *gsk_w)
{
	static const char label[] = "Key Wrap for G-IKEv2";

	return gsa_prf_plus(prf, sk_d, label, strlen(label), length, gsk_w);
}
