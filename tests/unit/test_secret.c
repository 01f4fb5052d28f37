// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
/* The neighbour stays locked, though they share a page. */
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

/* Locks are not inherited: what a child puts into a secret is not on a page of its parent. */
START_TEST(locked_after_fork)
{
	struct gsa_secret before, after;
	int status;
	pid_t child;

	ck_assert(gsa_secret_copy(&before, "before", 6));
	child = fork();
	if (!child) {
		bool ok = gsa_secret_alloc(&after, 32) && mapping_has_flag(after.data, " lo") &&
			  memcmp(before.data, "before", 6) == 0;

		gsa_secret_clear(&before);
		/* not the place that it has just given back, either */
		ok = ok && gsa_secret_alloc(&before, 32) && mapping_has_flag(before.data, " lo");
		_exit(ok ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert(mapping_has_flag(before.data, " lo"));
	ck_assert_mem_eq(before.data, "before", 6);
	gsa_secret_clear(&before);
}
END_TEST
#endif

#define MANY 1000

/* Short and long ones, given back in another order. */
START_TEST(many)
{
	static struct gsa_secret secrets[MANY];
	size_t lengths[] = { 16, 32, GSA_SECRET_SIZE, GSA_SECRET_SIZE + 1, 20000 };
	uint8_t expected[20000], zero[20000] = { 0 };

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < MANY; i++) {
			size_t length = lengths[(i + round) % 5];

			ck_assert(gsa_secret_alloc(&secrets[i], length));
			ck_assert_mem_eq(secrets[i].data, zero, length);
			memset(secrets[i].data, (int)(i & 0xff), length);
		}
		for (size_t i = 0; i < MANY; i++) {
			struct gsa_secret *secret = &secrets[i * 7 % MANY];

			memset(expected, (int)(i * 7 % MANY & 0xff), secret->length);
			ck_assert_mem_eq(secret->data, expected, secret->length);
			gsa_secret_clear(secret);
		}
	}
}
END_TEST

static void *take_and_give(void *mark)
{
	struct gsa_secret secrets[40];
	bool ok = true;

	for (int round = 0; round < 500; round++) {
		for (size_t i = 0; i < 40; i++)
			ok = gsa_secret_copy(&secrets[i], mark, 16) && ok;
		for (size_t i = 0; i < 40; i++) {
			ok = memcmp(secrets[i].data, mark, 16) == 0 && ok;
			gsa_secret_clear(&secrets[i]);
		}
	}
	return ok ? mark : NULL;
}

START_TEST(from_several_threads)
{
	char marks[4][17] = { "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb", "cccccccccccccccc",
			      "dddddddddddddddd" };
	pthread_t threads[4];
	void *result;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, marks[i]), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		ck_assert_ptr_eq(result, marks[i]);
	}
}
END_TEST

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
	tcase_add_test(buffers, locked_after_fork);
#endif
	tcase_add_test(buffers, many);
	tcase_add_test(buffers, from_several_threads);
	tcase_add_test(buffers, too_much);
	tcase_add_test(buffers, copy_and_compare);
	tcase_add_test(buffers, random_differs);
	tcase_add_test(buffers, wipe_overwrites);
	suite_add_tcase(suite, buffers);
	return suite;
}
