// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/ike/fragments.h"

#include <string.h>

#include "tests/ike/mutation.h"

#define PARTS_MAX   8	/* of a message that is whole */
#define FILLING_MAX 500 /* octets of a fragment that belongs to nothing */
#define CLEAR_MAX   600
#define LARGE_MAX   120 /* fragments of 100 octets: more than charon takes in all */

/* What all fragments of a request have in common. */
struct request {
	struct ike_sa *sa;
	uint8_t exchange, first;
	uint32_t id;
};

static void add(struct fragments *out, const struct request *request,
		const struct ike_fragment *fragment)
{
	if (out->count == FRAGMENTS_MAX)
		return;
	out->packets[out->count].length =
		ike_protect_fragment(request->sa, request->exchange, FLAG_INITIATOR, request->id,
				     fragment, out->packets[out->count].octets);
	out->count++;
}

static void swap(struct fragments *out, size_t a, size_t b)
{
	static uint8_t octets[IKE_PACKET];
	size_t length = out->packets[a].length;

	memcpy(octets, out->packets[a].octets, sizeof(octets));
	out->packets[a] = out->packets[b];
	out->packets[b].length = length;
	memcpy(out->packets[b].octets, octets, sizeof(octets));
}

static void shuffle(struct fragments *out)
{
	for (size_t i = out->count; i > 1; i--)
		swap(out, i - 1, mutation_number((uint32_t)i));
}

static void take_away(struct fragments *out, size_t index)
{
	out->count--;
	memmove(&out->packets[index], &out->packets[index + 1],
		(out->count - index) * sizeof(*out->packets));
}

/* Cut anywhere; a part may be empty. */
static void split(struct fragments *out, const struct request *request,
		  const struct ike_chain *chain, uint16_t total)
{
	size_t at = 0;

	for (uint16_t number = 1; number <= total; number++) {
		size_t left = chain->length - at;
		size_t length = number == total ? left : mutation_number((uint32_t)left + 1);

		add(out, request,
		    &(struct ike_fragment){ .number = number,
					    .total = total,
					    .first = number == 1 ? request->first : 0,
					    .data = chain->data + at,
					    .length = length });
		at += length;
	}
}

/* A fragment whose content is not the message's. */
static void add_filling(struct fragments *out, const struct request *request, uint16_t number,
			uint16_t total, const struct ike_chain *clear)
{
	uint8_t filling[FILLING_MAX];
	size_t length = mutation_number(sizeof(filling));

	for (size_t i = 0; i < length; i++)
		filling[i] = (uint8_t)mutation_number(256);
	add(out, request,
	    &(struct ike_fragment){
		    .number = number,
		    .total = total,
		    /* else it would not be looked at any further */
		    .first = number == 1 || !mutation_number(20) ? (uint8_t)mutation_number(60) : 0,
		    .data = filling,
		    .length = length,
		    .clear = clear });
}

static uint16_t some_number(uint16_t total)
{
	static const uint16_t likely[] = { 0, 1, 2, 255, 256, 257, 0x7fff, 0x8000, 0xffff };

	switch (mutation_number(3)) {
	case 0:
		return total;
	case 1:
		return (uint16_t)(total + mutation_number(3) - 1);
	default:
		return likely[mutation_number(sizeof(likely) / sizeof(*likely))];
	}
}

/* Payloads outside of what is protected, of types that a message may have there, or unknown. */
static void make_clear(struct ike_chain *clear)
{
	static const uint8_t types[] = { PAYLOAD_IDG, 200, 201, 54, PAYLOAD_NOTIFY };
	uint8_t body[CLEAR_MAX] = { 0 };

	clear->length = 0;
	for (uint32_t times = 1 + mutation_number(4); times; times--)
		ike_chain_add(clear, types[mutation_number(mutation_number(8) ? 4 : 5)], body,
			      4 + mutation_number(sizeof(body) - 4));
}

/* First fragments of ever larger messages, then of one that has too many. */
static void begin_again(struct fragments *out, const struct request *request)
{
	static struct ike_chain clear;
	uint16_t last = (uint16_t)(2 + mutation_number(8));

	for (uint16_t total = 2; total <= last; total++) {
		make_clear(&clear);
		add_filling(out, request, 1, total, &clear);
		if (!mutation_number(3))
			add_filling(out, request, 1, 256, NULL);
	}
}

static void spoil(struct fragments *out, const struct request *request,
		  const struct ike_chain *chain, uint16_t total)
{
	static struct ike_chain clear;
	struct request other = *request;
	size_t index = mutation_number((uint32_t)out->count);

	switch (mutation_number(10)) {
	case 0: /* the last one, or another, does not come */
		take_away(out, mutation_number(2) ? out->count - 1 : index);
		break;
	case 1: /* twice */
		if (out->count < FRAGMENTS_MAX)
			out->packets[out->count++] = out->packets[index];
		break;
	case 2: /* the same number with something else */
		add_filling(out, request, (uint16_t)(index + 1), total, NULL);
		break;
	case 3: /* numbers and totals that cannot be, or are not those of the others */
		for (uint32_t times = 1 + mutation_number(4); times; times--)
			add_filling(out, request, some_number(total), some_number(total), NULL);
		break;
	case 4: /* interleaved with another request, or another exchange of the same ID */
		if (mutation_number(2))
			other.id += 1 + mutation_number(FRAGMENTS_AHEAD);
		else
			other.exchange = mutation_number(2) ? INFORMATIONAL : GSA_REGISTRATION;
		split(out, &other, chain, (uint16_t)(1 + mutation_number(PARTS_MAX)));
		break;
	case 5: /* changed on the way */
		out->packets[index].length =
			mutate_octets(out->packets[index].octets, out->packets[index].length,
				      sizeof(out->packets[index].octets));
		break;
	case 6: /* larger than a message may be */
		for (uint16_t number = 1; number <= LARGE_MAX; number++)
			add_filling(out, request, number, LARGE_MAX, NULL);
		break;
	case 7: /* of more fragments than it may have */
		for (uint16_t number = 1; number <= 256; number++)
			add_filling(out, request, number, (uint16_t)(255 + mutation_number(2)),
				    NULL);
		break;
	case 8:
		make_clear(&clear);
		add_filling(out, request, (uint16_t)(index + 1), total, &clear);
		break;
	default:
		begin_again(out, request);
	}
}

void fragments_make(struct ike_sa *sa, uint8_t exchange, const struct ike_chain *chain,
		    struct fragments *out)
{
	const struct request request = {
		.sa = sa, .exchange = exchange, .first = chain->first, .id = sa->id
	};
	uint16_t total = (uint16_t)(1 + mutation_number(PARTS_MAX));

	out->count = 0;
	split(out, &request, chain, total);
	if (mutation_number(3))
		spoil(out, &request, chain, total);
	if (mutation_number(2))
		shuffle(out);
}
