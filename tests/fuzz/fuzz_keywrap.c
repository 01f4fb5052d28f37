// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "libgsa/keywrap.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_target[] = "keywrap";

/* The first octet chooses the algorithm; the rest is unwrapped, and wrapped and back. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static const uint8_t key[32] = "the same key for all of the runs";
	uint8_t cipher[GSA_WRAP_CIPHER_MAX], again[GSA_WRAP_CIPHER_MAX];
	enum gsa_key_wrap_algorithm algorithm;
	struct gsa_secret kek, plain, back;
	size_t written;

	if (length == 0)
		return 0;
	algorithm = data[0] % 5;
	data++;
	length--;
	PROPERTY(gsa_secret_copy(&kek, key, gsa_key_wrap_key_size(algorithm)));

	/* whatever unwraps wraps to the same */
	if (gsa_key_unwrap(algorithm, &kek, data, length, &plain)) {
		PROPERTY(plain.length > 0 && plain.length <= GSA_WRAP_PLAIN_MAX);
		PROPERTY(gsa_key_wrap(algorithm, &kek, &plain, cipher, &written));
		PROPERTY(written == length && memcmp(cipher, data, length) == 0);
	} else {
		PROPERTY(!plain.data && plain.length == 0);
	}
	gsa_secret_clear(&plain);

	PROPERTY(gsa_secret_copy(&plain, data, length));
	if (gsa_key_wrap(algorithm, &kek, &plain, cipher, &written)) {
		PROPERTY(written % 8 == 0 && written >= 16 && written <= sizeof(cipher));
		PROPERTY(gsa_key_unwrap(algorithm, &kek, cipher, written, &back));
		PROPERTY(gsa_secret_equal(&plain, &back));
		gsa_secret_clear(&back);
		/* no octet of it can be changed unnoticed */
		memcpy(again, cipher, written);
		again[data[0] % written] ^= 0x01;
		PROPERTY(!gsa_key_unwrap(algorithm, &kek, again, written, &back));
	} else {
		PROPERTY(length == 0 || length > GSA_WRAP_PLAIN_MAX || kek.length == 0);
	}
	gsa_secret_clear(&plain);
	gsa_secret_clear(&kek);
	return 0;
}
