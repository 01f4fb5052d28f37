// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/mtu.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define IPV4_HEADER    20
#define IPV6_HEADER    40
#define ESP_HEADER     8 /* SPI, sequence number */
#define ESP_TRAILER    2 /* pad length, next header; behind the padding */
#define ESP_ALIGNMENT  4
#define DISCARD_PORT   9 /* nothing is sent */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One row an encryption algorithm: octets.  `icv` 0: that of the integrity algorithm. */
static const struct encryption {
	uint16_t id;
	uint8_t iv, block, icv;
} encryptions[] = {
	{ GSA_ENCR_AES_CBC, 16, 16, 0 },
	{ 13 /* AES-CTR */, 8, ESP_ALIGNMENT, 0 },
	{ 14 /* AES-CCM-8 */, 8, ESP_ALIGNMENT, 8 },
	{ 15 /* AES-CCM-12 */, 8, ESP_ALIGNMENT, 12 },
	{ 16 /* AES-CCM-16 */, 8, ESP_ALIGNMENT, 16 },
	{ 18 /* AES-GCM-8 */, 8, ESP_ALIGNMENT, 8 },
	{ 19 /* AES-GCM-12 */, 8, ESP_ALIGNMENT, 12 },
	{ GSA_ENCR_AES_GCM_16, 8, ESP_ALIGNMENT, 16 },
	{ GSA_ENCR_CHACHA20_POLY1305, 8, ESP_ALIGNMENT, 16 },
};

static const struct integrity {
	uint16_t id;
	uint8_t icv;
} integrities[] = {
	{ 2 /* HMAC-SHA1-96 */, 12 },
	{ GSA_INTEG_HMAC_SHA2_256_128, 16 },
	{ GSA_INTEG_HMAC_SHA2_384_192, 24 },
	{ GSA_INTEG_HMAC_SHA2_512_256, 32 },
};

static uint8_t integrity_icv(uint16_t id)
{
	for (size_t i = 0; i < COUNT(integrities); i++)
		if (integrities[i].id == id)
			return integrities[i].icv;
	return 0;
}

uint32_t gcks_tunnel_mtu(uint32_t path_mtu, size_t address_length, uint16_t encryption,
			 uint16_t integrity)
{
	uint32_t outer = address_length == sizeof(struct in_addr) ? IPV4_HEADER : IPV6_HEADER;
	uint32_t icv, around, blocks;

	for (size_t i = 0; i < COUNT(encryptions); i++) {
		const struct encryption *row = &encryptions[i];

		if (row->id != encryption)
			continue;
		icv = row->icv ? row->icv : integrity_icv(integrity);
		around = outer + ESP_HEADER + row->iv + icv;
		if (!icv || path_mtu < around)
			return 0;
		/* packet, padding and trailer fill whole blocks */
		blocks = (path_mtu - around) / row->block;
		return blocks * row->block > ESP_TRAILER ? blocks * row->block - ESP_TRAILER : 0;
	}
	return 0;
}

static socklen_t socket_address(const struct gcks_address *address, uint16_t port,
				struct sockaddr_storage *storage)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof(*storage));
	if (address->length == sizeof(ipv4->sin_addr)) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		memcpy(&ipv4->sin_addr, address->octets, sizeof(ipv4->sin_addr));
		return sizeof(*ipv4);
	}
	if (address->length != sizeof(ipv6->sin6_addr))
		return 0;
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(port);
	memcpy(&ipv6->sin6_addr, address->octets, sizeof(ipv6->sin6_addr));
	return sizeof(*ipv6);
}

/*
 * A new socket each time: one that is kept goes on with the route that it was connected by,
 * whatever the kernel has learnt of the path since.
 */
uint32_t gcks_path_mtu(const struct gcks_address *from, const struct gcks_address *to)
{
	struct sockaddr_storage own, other;
	socklen_t own_length = socket_address(from, 0, &own);
	socklen_t other_length = socket_address(to, DISCARD_PORT, &other), size = sizeof(int);
	bool ipv4 = own.ss_family == AF_INET;
	int mtu = 0, fd;

	if (!own_length || own_length != other_length)
		return 0;
	fd = socket(own.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	if (bind(fd, (struct sockaddr *)&own, own_length) < 0 ||
	    connect(fd, (struct sockaddr *)&other, other_length) < 0 ||
	    getsockopt(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_MTU : IPV6_MTU, &mtu,
		       &size) < 0)
		mtu = 0;
	close(fd);
	return mtu > 0 ? (uint32_t)mtu : 0;
}

uint32_t gcks_route_mtu(const struct gcks_membership *membership,
			const struct gcks_member_route *route)
{
	const struct gcks_member_sa *sa = gcks_membership_active(membership);

	if (!sa || membership->mode == GCKS_MODE_RECEIVE_ONLY)
		return 0;
	return gcks_tunnel_mtu(gcks_path_mtu(&membership->gateway, &route->gateway),
			       route->gateway.length, sa->encryption, sa->integrity);
}
