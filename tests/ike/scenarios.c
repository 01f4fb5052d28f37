// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/ike/scenarios.h"

#include <string.h>

#include "tests/ike/fragments.h"
#include "tests/ike/mutation.h"

/* The answer may come late, or again. */
static uint64_t entitlement(uint32_t id)
{
	return 1ull << id % 64;
}

void scenario_entitle(struct slot *slot)
{
	slot->entitled |= entitlement(slot->sa.id);
}

bool scenario_is_entitled(const struct slot *slot, uint32_t id)
{
	return slot->entitled & entitlement(id);
}

/* Does the first IDg that can be found name the group? */
static bool names_group(const struct slot *slot, const struct ike_chain *chain)
{
	struct ike_message message = { .first = chain->first,
				       .payloads = chain->data,
				       .length = chain->length };
	size_t length = strlen(slot->config.group);
	struct ike_payload idg;

	return ike_find(&message, PAYLOAD_IDG, &idg) && idg.length == 4 + length &&
	       idg.body[0] == ID_KEY_ID && memcmp(idg.body + 4, slot->config.group, length) == 0;
}

void scenario_send_whole(struct slot *slot, uint8_t exchange, const struct ike_chain *chain)
{
	uint8_t packet[IKE_PACKET + 128];

	mutate_transmit(packet, ike_protect(&slot->sa, exchange, FLAG_INITIATOR, slot->sa.id, chain,
					    packet));
}

/* Among fragments may be those of the same request with one of the next IDs, whose turn may come.
 */
static void entitle_next(struct slot *slot, const struct ike_chain *chain)
{
	if (!slot->may_join || slot->scenario == UNPROTECTED || !names_group(slot, chain))
		return;
	for (uint32_t ahead = 1; ahead <= FRAGMENTS_AHEAD; ahead++)
		slot->entitled |= entitlement(slot->sa.id + ahead);
}

static void send_protected(struct slot *slot, uint8_t exchange, const struct ike_chain *chain)
{
	static struct fragments fragments;

	slot->fragmented = !mutation_number(4);
	if (!slot->fragmented) {
		scenario_send_whole(slot, exchange, chain);
		return;
	}
	entitle_next(slot, chain);
	fragments_make(&slot->sa, exchange, chain, &fragments);
	for (size_t i = 0; i < fragments.count; i++)
		mutate_transmit(fragments.packets[i].octets, fragments.packets[i].length);
}

static uint8_t some_exchange(void)
{
	static const uint8_t exchanges[] = { IKE_SA_INIT,
					     IKE_AUTH,
					     36,
					     INFORMATIONAL,
					     38,
					     GSA_AUTH,
					     GSA_REGISTRATION,
					     GSA_REGISTRATION,
					     GSA_REGISTRATION,
					     GSA_REKEY,
					     GSA_INBAND_REKEY,
					     43,
					     240 };

	return exchanges[mutation_number(sizeof(exchanges))];
}

static void send_garbage(void)
{
	uint8_t packet[2000];
	size_t length = mutation_number(sizeof(packet));

	for (size_t i = 0; i < length; i++)
		packet[i] = (uint8_t)mutation_number(256);
	if (length > IKE_HEADER && mutation_number(2)) {
		packet[17] = 0x20;
		packet[18] = some_exchange();
		packet[24] = packet[25] = 0;
		packet[26] = (uint8_t)(length >> 8);
		packet[27] = (uint8_t)length;
	}
	mutate_transmit(packet, length);
}

/* Changed, so that it is another one. */
static void send_changed(const uint8_t *packet, size_t length)
{
	uint8_t changed[IKE_PACKET + 256];
	size_t size;

	do {
		memcpy(changed, packet, length);
		size = mutate_octets(changed, length, sizeof(changed));
	} while (size == length && memcmp(changed, packet, length) == 0);
	mutate_transmit(changed, size);
}

static void send_half_open(struct slot *slot)
{
	static struct ike_chain chain;
	struct ike_config wrong = slot->config;

	switch (mutation_number(4)) {
	case 0:
		ike_registration(&slot->config, &chain);
		if (mutation_number(2))
			mutate_chain(&chain);
		send_protected(slot, some_exchange(), &chain);
		break;
	case 1:
		wrong.secret = "another secret";
		ike_authentication(&slot->sa, &wrong, &chain);
		ike_registration_add(&wrong, &chain);
		send_protected(slot, mutation_number(2) ? GSA_AUTH : IKE_AUTH, &chain);
		break;
	case 2:
		/* it may be good enough, so nothing comes after it */
		ike_authentication(&slot->sa, &slot->config, &chain);
		mutate_chain(&chain);
		send_protected(slot, IKE_AUTH, &chain);
		slot->left = 0;
		break;
	default:
		ike_registration(&slot->config, &chain);
		mutate_transmit(slot->sa.request,
				ike_clear(&slot->sa, some_exchange(), FLAG_INITIATOR, slot->sa.id,
					  &chain, slot->sa.request));
	}
}

/* What authenticates may be granted, so there is one for each IKE_SA. */
static void send_opening(struct slot *slot)
{
	static struct ike_chain chain;

	ike_authentication(&slot->sa, &slot->config, &chain);
	ike_registration_add(&slot->config, &chain);
	mutate_chain(&chain);
	if (names_group(slot, &chain))
		scenario_entitle(slot);
	send_protected(slot, GSA_AUTH, &chain);
	slot->left = 0;
}

static void send_unprotected(struct slot *slot)
{
	static struct ike_chain chain;
	uint8_t packet[IKE_PACKET + 128], key[36];
	size_t length;

	ike_registration(&slot->config, &chain);
	switch (mutation_number(3)) {
	case 0:
		length = ike_clear(&slot->sa, GSA_REGISTRATION, FLAG_INITIATOR, slot->sa.id, &chain,
				   packet);
		mutate_transmit(packet, length);
		break;
	case 1:
		memcpy(key, slot->sa.ei, sizeof(key));
		slot->sa.ei[mutation_number(32)] ^= 1;
		send_protected(slot, GSA_REGISTRATION, &chain);
		memcpy(slot->sa.ei, key, sizeof(key));
		break;
	default:
		length = ike_protect(&slot->sa, GSA_REGISTRATION, FLAG_INITIATOR, slot->sa.id,
				     &chain, packet);
		send_changed(packet, length);
	}
}

static void send_registration(struct slot *slot)
{
	static struct ike_chain chain;

	ike_registration(&slot->config, &chain);
	if (slot->scenario == MEMBER || mutation_number(2))
		mutate_chain(&chain);
	if (slot->scenario == MEMBER && names_group(slot, &chain))
		scenario_entitle(slot);
	send_protected(slot, GSA_REGISTRATION, &chain);
}

void scenario_send(struct slot *slot)
{
	switch (slot->scenario) {
	case GARBAGE:
		send_garbage();
		break;
	case INIT:
		send_changed(slot->sa.request, slot->sa.request_length);
		break;
	case OPENING:
		send_opening(slot);
		break;
	case HALF_OPEN:
		send_half_open(slot);
		break;
	case UNPROTECTED:
		send_unprotected(slot);
		break;
	default:
		send_registration(slot);
	}
}
