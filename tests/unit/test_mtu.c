// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gcks_unit.h"

#include <netinet/ip.h>

#include "gcks/mtu.h"

#define IPV4 4
#define IPV6 16

/* As an ESP packet is made (RFC 4303 §2): what leaves for an inner packet of `inner` octets. */
static uint32_t packet_size(uint32_t inner, uint32_t outer, uint32_t iv, uint32_t block,
			    uint32_t icv)
{
	uint32_t plain = inner + 2;

	while (plain % block)
		plain++;
	return outer + 4 + 4 + iv + plain + icv;
}

static const struct {
	uint16_t encryption, integrity;
	size_t address_length;
	uint32_t outer, iv, block, icv;
	uint32_t of_1500; /* worked out by hand */
} ciphers[] = {
	{ GSA_ENCR_AES_CBC, GSA_INTEG_HMAC_SHA2_256_128, IPV4, 20, 16, 16, 16, 1438 },
	{ GSA_ENCR_AES_CBC, GSA_INTEG_HMAC_SHA2_512_256, IPV4, 20, 16, 16, 32, 1422 },
	{ GSA_ENCR_AES_GCM_16, GSA_INTEG_NONE, IPV4, 20, 8, 4, 16, 1446 },
	{ GSA_ENCR_CHACHA20_POLY1305, GSA_INTEG_NONE, IPV4, 20, 8, 4, 16, 1446 },
	{ GSA_ENCR_AES_CBC, GSA_INTEG_HMAC_SHA2_256_128, IPV6, 40, 16, 16, 16, 1406 },
	{ GSA_ENCR_AES_GCM_16, GSA_INTEG_NONE, IPV6, 40, 8, 4, 16, 1426 },
};

START_TEST(largest_that_fits)
{
	for (uint32_t path = 200; path <= 9000; path++) {
		uint32_t mtu = gcks_tunnel_mtu(path, ciphers[_i].address_length,
					       ciphers[_i].encryption, ciphers[_i].integrity);
		uint32_t fits = packet_size(mtu, ciphers[_i].outer, ciphers[_i].iv,
					    ciphers[_i].block, ciphers[_i].icv);
		uint32_t more = packet_size(mtu + 1, ciphers[_i].outer, ciphers[_i].iv,
					    ciphers[_i].block, ciphers[_i].icv);

		ck_assert_msg(fits <= path && more > path, "path %u: %u gives %u and %u", path, mtu,
			      fits, more);
	}
	ck_assert_uint_eq(gcks_tunnel_mtu(1500, ciphers[_i].address_length, ciphers[_i].encryption,
					  ciphers[_i].integrity),
			  ciphers[_i].of_1500);
}
END_TEST

START_TEST(not_known)
{
	/* a path that takes no packet at all */
	for (uint32_t path = 0; path < 60; path++)
		ck_assert_uint_eq(gcks_tunnel_mtu(path, IPV4, GSA_ENCR_AES_CBC,
						  GSA_INTEG_HMAC_SHA2_256_128),
				  0);
	ck_assert_uint_eq(gcks_tunnel_mtu(1500, IPV4, GSA_ENCR_AES_CBC, GSA_INTEG_NONE), 0);
	ck_assert_uint_eq(gcks_tunnel_mtu(1500, IPV4, 999, GSA_INTEG_HMAC_SHA2_256_128), 0);
}
END_TEST

/* The loopback interface's MTU, from the kernel; addresses that are not ours have no path. */
START_TEST(path)
{
	struct gcks_address here = address_of("127.0.0.1"), there = address_of("127.0.0.2");
	struct gcks_address other = address_of("::1"), foreign = address_of("192.0.2.1"), none = {};
	unsigned int loopback;
	FILE *file = fopen("/sys/class/net/lo/mtu", "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%u", &loopback), 1);
	fclose(file);
	ck_assert_uint_eq(gcks_path_mtu(&here, &there),
			  loopback < IP_MAXPACKET ? loopback : IP_MAXPACKET);
	ck_assert_uint_eq(gcks_path_mtu(&here, &other), 0);
	ck_assert_uint_eq(gcks_path_mtu(&foreign, &there), 0);
	ck_assert_uint_eq(gcks_path_mtu(&none, &none), 0);
}
END_TEST

Suite *mtu_suite(void)
{
	Suite *suite = suite_create("mtu");
	TCase *test_case = tcase_create("mtu");

	tcase_add_loop_test(test_case, largest_that_fits, 0, COUNT(ciphers));
	tcase_add_test(test_case, not_known);
	tcase_add_test(test_case, path);
	suite_add_tcase(suite, test_case);
	return suite;
}
