// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/secret.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "libgsa/locked.h"

bool gsa_secret_alloc(struct gsa_secret *secret, size_t length)
{
	*secret = (struct gsa_secret){ 0 };
	if (length == 0)
		return true;
	secret->data = gsa_locked_take(length);
	if (!secret->data)
		return false;
	secret->length = length;
	return true;
}

bool gsa_secret_copy(struct gsa_secret *secret, const void *data, size_t length)
{
	if (!gsa_secret_alloc(secret, length))
		return false;
	if (length)
		memcpy(secret->data, data, length);
	return true;
}

bool gsa_secret_random(struct gsa_secret *secret, size_t length)
{
	if (!gsa_secret_alloc(secret, length))
		return false;
	if (length && RAND_priv_bytes_ex(NULL, secret->data, length, 0) != 1) {
		gsa_secret_clear(secret);
		return false;
	}
	return true;
}

bool gsa_secret_equal(const struct gsa_secret *a, const struct gsa_secret *b)
{
	if (a->length != b->length)
		return false;
	return a->length == 0 || CRYPTO_memcmp(a->data, b->data, a->length) == 0;
}

void gsa_secret_clear(struct gsa_secret *secret)
{
	if (secret->data)
		gsa_locked_give(secret->data, secret->length);
	*secret = (struct gsa_secret){ 0 };
}

void gsa_wipe(void *data, size_t length)
{
	OPENSSL_cleanse(data, length);
}
