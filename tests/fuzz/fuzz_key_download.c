// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "libgsa/gikev2.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_target[] = "key_download";

static bool bags_equal(const struct gsa_group_key_bag *a, const struct gsa_group_key_bag *b)
{
	return a->protocol == b->protocol && a->spi == b->spi &&
	       a->sa_key.key_id == b->sa_key.key_id &&
	       a->sa_key.key_wrap_key_id == b->sa_key.key_wrap_key_id &&
	       a->sa_key.cipher_length == b->sa_key.cipher_length &&
	       memcmp(a->sa_key.cipher, b->sa_key.cipher, a->sa_key.cipher_length) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static struct gsa_key_download first, second;
	const char *reason = NULL;
	uint8_t out[8192];
	size_t written;

	if (!gsa_key_download_decode(data, length, &first, &reason)) {
		PROPERTY(reason);
		return 0;
	}
	written = gsa_key_download_encode(&first, out, sizeof(out));
	if (first.has_rekey_bag || (first.bag_count == 0 && first.sender_id_count == 0)) {
		PROPERTY(written == 0);
		return 0;
	}
	PROPERTY(written > 0);
	PROPERTY(gsa_key_download_decode(out, written, &second, &reason));
	PROPERTY(first.bag_count == second.bag_count);
	for (size_t i = 0; i < first.bag_count; i++)
		PROPERTY(bags_equal(&first.bag[i], &second.bag[i]));
	PROPERTY(first.sender_id_count == second.sender_id_count);
	PROPERTY(memcmp(first.sender_id, second.sender_id, sizeof(first.sender_id)) == 0);
	return 0;
}
