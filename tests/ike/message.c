// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/ike/ike.h"

#include <stdlib.h>
#include <string.h>

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, size_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* ---- payloads ---- */

void ike_chain_add(struct ike_chain *chain, uint8_t type, const void *body, size_t length)
{
	uint8_t *at = chain->data + chain->length;

	if (chain->length + 4 + length > sizeof(chain->data))
		abort();
	if (chain->length)
		chain->data[chain->last] = type;
	else
		chain->first = type;
	chain->last = chain->length;
	at[0] = at[1] = 0;
	put16(at + 2, length + 4);
	if (length)
		memcpy(at + 4, body, length);
	chain->length += length + 4;
}

void ike_chain_notify(struct ike_chain *chain, uint16_t type, const void *data, size_t length)
{
	uint8_t body[512] = { 0 };

	if (length + 4 > sizeof(body))
		abort();
	put16(body + 2, type);
	if (length)
		memcpy(body + 4, data, length);
	ike_chain_add(chain, PAYLOAD_NOTIFY, body, length + 4);
}

bool ike_next(const struct ike_message *message, size_t *at, uint8_t *type,
	      struct ike_payload *payload)
{
	const uint8_t *head = message->payloads + *at;
	size_t length;

	if (!*type || message->length - *at < 4)
		return false;
	length = (size_t)head[2] << 8 | head[3];
	if (length < 4 || length > message->length - *at)
		return false;
	*payload = (struct ike_payload){ *type, head + 4, length - 4 };
	*type = head[0];
	*at += length;
	return true;
}

bool ike_find(const struct ike_message *message, uint8_t type, struct ike_payload *payload)
{
	uint8_t next = message->first;
	size_t at = 0;

	while (ike_next(message, &at, &next, payload))
		if (payload->type == type)
			return true;
	return false;
}

uint16_t ike_error(const struct ike_message *message)
{
	struct ike_payload payload;
	uint8_t next = message->first;
	size_t at = 0;

	while (ike_next(message, &at, &next, &payload)) {
		uint16_t type;

		if (payload.type != PAYLOAD_NOTIFY || payload.length < 4)
			continue;
		type = (uint16_t)(payload.body[2] << 8 | payload.body[3]);
		if (type < 16384)
			return type;
	}
	return 0;
}

/* ---- packets ---- */

static void put_header(const struct ike_sa *sa, uint8_t first, uint8_t exchange, uint8_t flags,
		       uint32_t id, size_t length, uint8_t *out)
{
	memcpy(out, sa->spi_i, 8);
	memcpy(out + 8, sa->spi_r, 8);
	out[16] = first;
	out[17] = 0x20;
	out[18] = exchange;
	out[19] = flags;
	put32(out + 20, id);
	put32(out + 24, length);
}

size_t ike_clear(const struct ike_sa *sa, uint8_t exchange, uint8_t flags, uint32_t id,
		 const struct ike_chain *chain, uint8_t *out)
{
	put_header(sa, chain->first, exchange, flags, id, IKE_HEADER + chain->length, out);
	memcpy(out + IKE_HEADER, chain->data, chain->length);
	return IKE_HEADER + chain->length;
}

/* Header, SK header, vector, payloads, pad length, ICV (RFC 5282 §3). */
size_t ike_protect(struct ike_sa *sa, uint8_t exchange, uint8_t flags, uint32_t id,
		   const struct ike_chain *chain, uint8_t *out)
{
	size_t payload = 4 + 8 + chain->length + 1 + 16;
	uint8_t plain[sizeof(chain->data) + 1], *at = out + IKE_HEADER;

	put_header(sa, PAYLOAD_SK, exchange, flags, id, IKE_HEADER + payload, out);
	at[0] = chain->first;
	at[1] = 0;
	put16(at + 2, payload);
	sa->sequence++;
	put32(at + 4, sa->sequence >> 32);
	put32(at + 8, sa->sequence);
	memcpy(plain, chain->data, chain->length);
	plain[chain->length] = 0;
	ike_seal(sa->ei, at + 4, out, IKE_HEADER + 4, plain, chain->length + 1, at + 12);
	return IKE_HEADER + payload;
}
