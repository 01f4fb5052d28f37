// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <string.h>

#include "gcks/registration.h"

bool gcks_address_from(struct gcks_address *address, const uint8_t *octets, size_t length)
{
	*address = (struct gcks_address){ 0 };
	if (length != 4 && length != 16)
		return false;
	address->length = (uint8_t)length;
	memcpy(address->octets, octets, length);
	return true;
}

bool gcks_address_equal(const struct gcks_address *a, const struct gcks_address *b)
{
	return a->length == b->length && memcmp(a->octets, b->octets, a->length) == 0;
}

const char *gcks_address_text(const struct gcks_address *address, char *buffer)
{
	if (!address->length)
		return strcpy(buffer, "-");
	inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->octets, buffer,
		  INET6_ADDRSTRLEN);
	return buffer;
}
