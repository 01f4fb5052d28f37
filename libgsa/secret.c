// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every secret has pages of its own.  mlock() does not nest: with two secrets on one
 * page, giving back the first would unlock the second.
 */
#include "libgsa/secret.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

static size_t mapped_size(size_t length)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (length + page - 1) / page * page;
}

bool gsa_secret_alloc(struct gsa_secret *secret, size_t length)
{
	size_t size;
	void *pages;

	*secret = (struct gsa_secret){ 0 };
	if (length == 0)
		return true;
	size = mapped_size(length);
	if (size < length)
		return false;
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return false;
	if (mlock(pages, size) != 0 || madvise(pages, size, MADV_DONTDUMP) != 0) {
		munmap(pages, size);
		return false;
	}
	*secret = (struct gsa_secret){ .data = pages, .length = length };
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
	if (secret->data) {
		gsa_wipe(secret->data, secret->length);
		munmap(secret->data, mapped_size(secret->length)); /* unlocks */
	}
	*secret = (struct gsa_secret){ 0 };
}

void gsa_wipe(void *data, size_t length)
{
	OPENSSL_cleanse(data, length);
}
