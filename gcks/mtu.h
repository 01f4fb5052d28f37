// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How large a packet may be that goes through the group's tunnel in one piece: what the kernel
 * answers in ICMP fragmentation needed.
 */
#ifndef GCKS_MTU_H
#define GCKS_MTU_H

#include "gcks/member.h"

/*
 * Octets of the largest packet that fits `path_mtu` when it is inside an ESP tunnel (RFC 4303
 * §2, §3.1.2) whose outer addresses have `address_length` octets.  0: not even an empty one, or
 * transforms (IKEv2 ids) that we do not know.  Pure.
 */
uint32_t gcks_tunnel_mtu(uint32_t path_mtu, size_t address_length, uint16_t encryption,
			 uint16_t integrity);

/* What the kernel knows of the path between two own and other gateway addresses.  0: nothing. */
uint32_t gcks_path_mtu(const struct gcks_address *from, const struct gcks_address *to);

/* Of packets to the route's prefix, under the SA that the membership sends with.  0: none. */
uint32_t gcks_route_mtu(const struct gcks_membership *membership,
			const struct gcks_member_route *route);

#endif
