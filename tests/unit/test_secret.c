// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "libgsa/secret.h"

/* Does /proc/self/smaps show the mapping at `address` with the flag (lo, dd)? */
static bool mapping_has_flag(const void *address, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	bool inside = false, found = false;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = from <= (unsigned long)address && (unsigned long)address < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(file);
	return found;
}

START_TEST(starts_zeroed_and_ends_empty)
{
	static const uint8_t zero[33];
	struct gsa_secret secret;

	ck_assert(gsa_secret_alloc(&secret, sizeof(zero)));
	ck_assert_uint_eq(secret.length, sizeof(zero));
	ck_assert_mem_eq(secret.data, zero, sizeof(zero));
	gsa_secret_clear(&secret);
	ck_assert_ptr_null(secret.data);
	ck_assert_uint_eq(secret.length, 0);
	gsa_secret_clear(&secret);
}
END_TEST

START_TEST(empty_secret)
{
	struct gsa_secret a, b;

	ck_assert(gsa_secret_copy(&a, NULL, 0));
	ck_assert(gsa_secret_random(&b, 0));
	ck_assert_ptr_null(a.data);
	ck_assert(gsa_secret_equal(&a, &b));
}
END_TEST

START_TEST(kept_out_of_core_dumps)
{
	struct gsa_secret secret;

	ck_assert(gsa_secret_alloc(&secret, 32));
	ck_assert(mapping_has_flag(secret.data, " dd"));
	gsa_secret_clear(&secret);
}
END_TEST

#ifndef __SANITIZE_ADDRESS__ /* it makes mlock() do nothing */
/* The neighbour stays locked: each secret has pages of its own. */
START_TEST(locked_until_cleared)
{
	struct gsa_secret a, b;

	ck_assert(gsa_secret_alloc(&a, 32));
	ck_assert(gsa_secret_alloc(&b, 32));
	ck_assert(mapping_has_flag(a.data, " lo"));
	ck_assert(mapping_has_flag(b.data, " lo"));
	gsa_secret_clear(&a);
	ck_assert(mapping_has_flag(b.data, " lo"));
	gsa_secret_clear(&b);
}
END_TEST
#endif

START_TEST(too_much)
{
	struct gsa_secret secret = { .length = 1 };

	ck_assert(!gsa_secret_alloc(&secret, SIZE_MAX));
	ck_assert_ptr_null(secret.data);
	ck_assert_uint_eq(secret.length, 0);
	ck_assert(!gsa_secret_alloc(&secret, SIZE_MAX / 2));
	ck_assert_ptr_null(secret.data);
}
END_TEST

START_TEST(copy_and_compare)
{
	struct gsa_secret a, b, shorter;

	ck_assert(gsa_secret_copy(&a, "0123456789", 10));
	ck_assert(gsa_secret_copy(&b, "0123456789", 10));
	ck_assert(gsa_secret_copy(&shorter, "0123456789", 9));
	ck_assert_ptr_ne(a.data, b.data);
	ck_assert(gsa_secret_equal(&a, &b));
	ck_assert(!gsa_secret_equal(&a, &shorter));
	b.data[9] ^= 0x80;
	ck_assert(!gsa_secret_equal(&a, &b));
	gsa_secret_clear(&a);
	gsa_secret_clear(&b);
	gsa_secret_clear(&shorter);
}
END_TEST

START_TEST(random_differs)
{
	struct gsa_secret a, b;

	ck_assert(gsa_secret_random(&a, 32));
	ck_assert(gsa_secret_random(&b, 32));
	ck_assert(!gsa_secret_equal(&a, &b));
	gsa_secret_clear(&a);
	gsa_secret_clear(&b);
}
END_TEST

START_TEST(wipe_overwrites)
{
	uint8_t data[] = { 1, 2, 3, 4 };

	gsa_wipe(data, 3);
	ck_assert_mem_eq(data, ((const uint8_t[]){ 0, 0, 0, 4 }), sizeof(data));
}
END_TEST

Suite *secret_suite(void)
{
	Suite *suite = suite_create("secret");
	TCase *buffers = tcase_create("buffers");

	tcase_add_test(buffers, starts_zeroed_and_ends_empty);
	tcase_add_test(buffers, empty_secret);
	tcase_add_test(buffers, kept_out_of_core_dumps);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_test(buffers, locked_until_cleared);
#endif
	tcase_add_test(buffers, too_much);
	tcase_add_test(buffers, copy_and_compare);
	tcase_add_test(buffers, random_differs);
	tcase_add_test(buffers, wipe_overwrites);
	suite_add_tcase(suite, buffers);
	return suite;
}
