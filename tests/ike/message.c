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

/* From the SK or SKF payload at `at` of a message of `clear` octets before it; octets in all. */
static size_t seal(struct ike_sa *sa, const uint8_t *data, size_t length, uint8_t *out,
		   size_t clear, size_t head)
{
	uint8_t plain[IKE_PACKET + 1], *vector = out + clear + head;
	size_t payload = head + 8 + length + 1 + 16;

	if (length >= sizeof(plain))
		abort();
	put16(out + clear + 2, payload);
	put32(out + 24, clear + payload);
	sa->sequence++;
	put32(vector, sa->sequence >> 32);
	put32(vector + 4, sa->sequence);
	if (length)
		memcpy(plain, data, length);
	plain[length] = 0;
	ike_seal(sa->ei, vector, out, clear + head, plain, length + 1, vector + 8);
	return clear + payload;
}

/* Header, SK header, vector, payloads, pad length, ICV (RFC 5282 §3). */
size_t ike_protect(struct ike_sa *sa, uint8_t exchange, uint8_t flags, uint32_t id,
		   const struct ike_chain *chain, uint8_t *out)
{
	put_header(sa, PAYLOAD_SK, exchange, flags, id, 0, out);
	out[IKE_HEADER] = chain->first;
	out[IKE_HEADER + 1] = 0;
	return seal(sa, chain->data, chain->length, out, IKE_HEADER, 4);
}

/* The same with an SKF header, which the number and the total belong to (RFC 7383 §2.5). */
size_t ike_protect_fragment(struct ike_sa *sa, uint8_t exchange, uint8_t flags, uint32_t id,
			    const struct ike_fragment *fragment, uint8_t *out)
{
	size_t clear = IKE_HEADER;

	put_header(sa, PAYLOAD_SKF, exchange, flags, id, 0, out);
	if (fragment->clear && fragment->clear->length) {
		out[16] = fragment->clear->first;
		memcpy(out + clear, fragment->clear->data, fragment->clear->length);
		out[clear + fragment->clear->last] = PAYLOAD_SKF;
		clear += fragment->clear->length;
	}
	out[clear] = fragment->first;
	out[clear + 1] = 0;
	put16(out + clear + 4, fragment->number);
	put16(out + clear + 6, fragment->total);
	return seal(sa, fragment->data, fragment->length, out, clear, 8);
}
