// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/ike/mutation.h"

#include <string.h>

#define PAYLOADS_MAX 32
#define INSERT_MAX   600 /* octets of a payload that is put in */

static uint64_t state;

void mutation_seed(uint64_t seed)
{
	state = seed;
}

/* splitmix64 */
static uint64_t next(void)
{
	uint64_t value = state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

uint32_t mutation_number(uint32_t limit)
{
	return (uint32_t)(next() % limit);
}

static uint8_t octet(void)
{
	static const uint8_t likely[] = { 0, 1, 2, 3, 4, 0x7f, 0x80, 0xff, 11, 33, 50, 51, 52 };

	return mutation_number(2) ? likely[mutation_number(sizeof(likely))] : (uint8_t)next();
}

static void fill(uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++)
		data[i] = octet();
}

/* ---- octets ---- */

static void change_length_field(uint8_t *data, size_t length)
{
	static const uint16_t likely[] = { 0, 1, 3, 4, 5, 7, 8, 9, 0x7fff, 0x8000, 0xffff };
	size_t at = mutation_number((uint32_t)length - 1);
	uint16_t value = (uint16_t)(data[at] << 8 | data[at + 1]);

	switch (mutation_number(3)) {
	case 0: value++; break;
	case 1: value--; break;
	default: value = likely[mutation_number(sizeof(likely) / sizeof(*likely))];
	}
	data[at] = (uint8_t)(value >> 8);
	data[at + 1] = (uint8_t)value;
}

size_t mutate_octets(uint8_t *data, size_t length, size_t capacity)
{
	size_t more;

	switch (mutation_number(6)) {
	case 0:
	case 1:
		if (length)
			data[mutation_number((uint32_t)length)] ^= (uint8_t)(1 << mutation_number(8));
		break;
	case 2:
		if (length)
			data[mutation_number((uint32_t)length)] = octet();
		break;
	case 3:
		if (length > 1)
			change_length_field(data, length);
		break;
	case 4:
		if (length)
			length = mutation_number((uint32_t)length);
		break;
	default:
		more = mutation_number(64);
		if (more > capacity - length)
			more = capacity - length;
		fill(data + length, more);
		length += more;
	}
	return length;
}

/* ---- payloads ---- */

static size_t insert_identification(uint8_t *body)
{
	static const char *const names[] = { "load", "loa", "load2", "LOAD", "other", "",
					     "%n%s%x", "load\n", "../load", "\xff\xfe" };
	const char *name = names[mutation_number(sizeof(names) / sizeof(*names))];
	size_t length = strlen(name);

	fill(body, 4);
	body[0] = mutation_number(3) ? ID_KEY_ID : octet();
	memcpy(body + 4, name, length);
	if (!mutation_number(6)) {
		length = mutation_number(INSERT_MAX - 4);
		fill(body + 4, length);
	}
	return mutation_number(8) ? 4 + length : mutation_number(4);
}

static size_t insert_notify(uint8_t *body)
{
	static const uint16_t types[] = { NOTIFY_GROUP_SENDER, 14, 45, 46, 49, 7, 24, 16384, 16388,
					  16391, 16394, 16396, 16397, 16404, 16417, 16418, 16430,
					  16431, 16434, 16437, 40970 };
	uint16_t type = types[mutation_number(sizeof(types) / sizeof(*types))];
	size_t length = mutation_number(40);

	body[0] = mutation_number(3) ? 0 : octet();
	body[1] = mutation_number(3) ? 0 : octet();
	body[2] = (uint8_t)(type >> 8);
	body[3] = (uint8_t)type;
	fill(body + 4, length);
	return 4 + length;
}

/* Something that looks like policy: substructures with lengths that may even be right. */
static size_t insert_policy(uint8_t *body)
{
	size_t length = 0, count = 1 + mutation_number(3);

	for (size_t i = 0; i < count; i++) {
		size_t part = 8 + mutation_number(120);

		fill(body + length, part);
		body[length + 2] = 0;
		body[length + 3] = (uint8_t)(mutation_number(4) ? part : octet());
		length += part;
	}
	return length;
}

static void insert_payload(struct ike_chain *chain)
{
	static const uint8_t types[] = { PAYLOAD_SA, PAYLOAD_KE, PAYLOAD_IDI, PAYLOAD_IDR, 37, 38,
					 PAYLOAD_AUTH, PAYLOAD_NONCE, PAYLOAD_DELETE, 43, 44, 45,
					 PAYLOAD_SK, 47, 48, PAYLOAD_GSA, PAYLOAD_KD, PAYLOAD_SKF,
					 54, 200, 0 };
	uint8_t body[INSERT_MAX];
	size_t length;

	switch (mutation_number(4)) {
	case 0:
		length = insert_identification(body);
		ike_chain_add(chain, PAYLOAD_IDG, body, length);
		break;
	case 1:
		length = insert_notify(body);
		ike_chain_add(chain, PAYLOAD_NOTIFY, body, length);
		break;
	case 2:
		length = insert_policy(body);
		ike_chain_add(chain, mutation_number(2) ? PAYLOAD_SA : PAYLOAD_GSA, body, length);
		break;
	default:
		length = mutation_number(200);
		fill(body, length);
		ike_chain_add(chain, types[mutation_number(sizeof(types))], body, length);
	}
}

/* The payloads again, in another selection. */
static void rearrange(struct ike_chain *chain)
{
	const struct ike_chain before = *chain;
	struct ike_message message = { .payloads = before.data, .length = before.length };
	struct ike_payload payloads[PAYLOADS_MAX];
	uint8_t type = before.first;
	size_t at = 0, count = 0, number;

	while (count < PAYLOADS_MAX && ike_next(&message, &at, &type, &payloads[count]))
		count++;
	chain->length = 0;
	for (size_t i = 0; i < count; i++) {
		number = i;
		if (!mutation_number(3))
			number = mutation_number((uint32_t)count);
		for (uint32_t times = mutation_number(5) ? 1 : mutation_number(3); times; times--) {
			if (chain->length + payloads[number].length + INSERT_MAX + 8 >
			    sizeof(chain->data))
				return;
			ike_chain_add(chain, payloads[number].type, payloads[number].body,
				      payloads[number].length);
		}
		if (!mutation_number(3))
			insert_payload(chain);
	}
}

void mutate_chain(struct ike_chain *chain)
{
	for (uint32_t times = 1 + mutation_number(3); times; times--) {
		switch (mutation_number(4)) {
		case 0:
			rearrange(chain);
			break;
		case 1:
			if (chain->length + INSERT_MAX + 8 < sizeof(chain->data))
				insert_payload(chain);
			break;
		case 2:
			if (!mutation_number(4))
				chain->first = octet();
			break;
		default:
			chain->length = mutate_octets(chain->data, chain->length,
						      sizeof(chain->data) - INSERT_MAX - 8);
		}
	}
}
