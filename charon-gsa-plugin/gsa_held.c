// SPDX-License-Identifier: GPL-2.0-or-later
/* The SAs and Sender-IDs that a member holds of a group. */
#include "charon-gsa-plugin/gsa_held.h"

#include <stdlib.h>
#include <string.h>

#include "libgsa/pairwise.h"

/* -- SAs -- */

static void move_sa(struct gsa_held_sa *to, struct gsa_held_sa *from)
{
	*to = *from;
	*from = (struct gsa_held_sa){};
}

/* NULL: none has the SPI. */
static struct gsa_held_sa *find(const struct gsa_held *held, uint32_t spi)
{
	for (size_t i = 0; i < held->count; i++)
		if (held->sa[i].spi == spi)
			return (struct gsa_held_sa *)&held->sa[i];
	return NULL;
}

static bool same_key(const struct gsa_held_sa *held, const Gsa__DataSa *given)
{
	struct gsa_secret key = { .data = given->key.data, .length = given->key.len };

	return gsa_secret_equal(&held->key, &key);
}

/* The end of one that is given once more: the earlier of both. */
static uint32_t common_lifetime(const struct gsa_held_sa *held, uint32_t lifetime_s,
				uint64_t now_ms)
{
	uint64_t again_s = (now_ms - held->received_ms) / 1000 + lifetime_s;

	if (!lifetime_s || again_s > UINT32_MAX)
		return held->lifetime_s;
	return !held->lifetime_s || again_s < held->lifetime_s ? (uint32_t)again_s
							       : held->lifetime_s;
}

static bool take(struct gsa_held_sa *to, const struct gsa_held *held, const Gsa__GroupSa *given,
		 const Gsa__DataSa *sa, uint64_t now_ms)
{
	const struct gsa_held_sa *old = find(held, sa->spi);

	*to = (struct gsa_held_sa){
		.spi = sa->spi,
		.encryption = sa->encryption,
		.encryption_key_bits = sa->encryption_key_bits,
		.integrity = sa->integrity,
		.sequence_numbers = sa->sequence_numbers,
		.lifetime_s = sa->lifetime_s,
		.activation_delay_s = given->activation_delay_s,
		.deactivation_delay_s = given->deactivation_delay_s,
		.received_ms = now_ms,
	};
	if (old && same_key(old, sa)) {
		to->lifetime_s = common_lifetime(old, sa->lifetime_s, now_ms);
		to->activation_delay_s = old->activation_delay_s;
		to->deactivation_delay_s = old->deactivation_delay_s;
		to->received_ms = old->received_ms;
	}
	return gsa_secret_copy(&to->key, sa->key.data, sa->key.len);
}

static void clear_sas(struct gsa_held *held)
{
	for (size_t i = 0; i < held->count; i++)
		gsa_secret_clear(&held->sa[i].key);
	held->count = 0;
}

/* What is given, in `to`, which holds nothing; held stays as it is. */
static bool take_all(struct gsa_held *to, const struct gsa_held *held, const Gsa__GroupSa *given,
		     uint64_t now_ms)
{
	size_t skip = given->n_data_sa > GSA_DATA_SA_MAX ? given->n_data_sa - GSA_DATA_SA_MAX : 0;

	for (size_t i = skip; i < given->n_data_sa; i++) {
		if (!take(&to->sa[to->count], held, given, given->data_sa[i], now_ms)) {
			clear_sas(to);
			return false;
		}
		to->count++;
	}
	return true;
}

static void drop_oldest(struct gsa_held *held)
{
	gsa_secret_clear(&held->sa[0].key);
	held->count--;
	memmove(&held->sa[0], &held->sa[1], held->count * sizeof(held->sa[0]));
	held->sa[held->count] = (struct gsa_held_sa){};
}

static void put_behind(struct gsa_held *held, struct gsa_held_sa *sa)
{
	gsa_held_remove(held, sa->spi);
	if (held->count == GSA_DATA_SA_MAX)
		drop_oldest(held);
	move_sa(&held->sa[held->count++], sa);
}

bool gsa_held_remove(struct gsa_held *held, uint32_t spi)
{
	for (size_t i = 0; i < held->count; i++) {
		if (held->sa[i].spi != spi)
			continue;
		gsa_secret_clear(&held->sa[i].key);
		held->count--;
		memmove(&held->sa[i], &held->sa[i + 1], (held->count - i) * sizeof(held->sa[0]));
		held->sa[held->count] = (struct gsa_held_sa){};
		return true;
	}
	return false;
}

void gsa_held_clear(struct gsa_held *held)
{
	clear_sas(held);
	*held = (struct gsa_held){};
}

/* -- Sender-IDs -- */

static void add_sender_id(struct gsa_held *held, uint32_t sender_id)
{
	size_t at = 0;

	while (at < held->sender_id_count && held->sender_id[at] != sender_id)
		at++;
	if (at == GSA_SENDER_ID_MAX)
		at = 0;
	/* the newest is the last */
	if (at < held->sender_id_count)
		memmove(&held->sender_id[at], &held->sender_id[at + 1],
			(--held->sender_id_count - at) * sizeof(held->sender_id[0]));
	held->sender_id[held->sender_id_count++] = sender_id;
}

/* Does an SA under which the old Sender-IDs may be in use stay? */
static bool any_stays(const struct gsa_held *held, const Gsa__GroupSa *given)
{
	for (size_t i = 0; i < given->n_data_sa; i++) {
		const struct gsa_held_sa *old = find(held, given->data_sa[i]->spi);

		if (old && same_key(old, given->data_sa[i]))
			return true;
	}
	return false;
}

/* -- what came -- */

bool gsa_held_replace(struct gsa_held *held, const Gsa__GroupSa *given, uint64_t now_ms,
		      uint64_t asked_ms)
{
	struct gsa_held new = { .group = given->group, .sender_id_bits = given->sender_id_bits };

	if (!take_all(&new, held, given, now_ms))
		return false;
	if (held->sender_id_bits == given->sender_id_bits && any_stays(held, given))
		for (size_t i = 0; i < held->sender_id_count; i++)
			add_sender_id(&new, held->sender_id[i]);
	for (size_t i = 0; i < given->n_sender_id; i++)
		add_sender_id(&new, given->sender_id[i]);
	/* a rekey that overtook the answer */
	for (size_t i = 0; i < held->count; i++)
		if (held->sa[i].received_ms >= asked_ms && !find(&new, held->sa[i].spi))
			put_behind(&new, &held->sa[i]);
	clear_sas(held);
	*held = new;
	return true;
}

bool gsa_held_append(struct gsa_held *held, const Gsa__GroupSa *given, uint64_t now_ms)
{
	struct gsa_held new = {};

	if (!take_all(&new, held, given, now_ms))
		return false;
	for (size_t i = 0; i < new.count; i++) {
		struct gsa_held_sa *old = find(held, new.sa[i].spi);

		/* the same once more has its place */
		if (old && gsa_secret_equal(&old->key, &new.sa[i].key)) {
			old->lifetime_s = new.sa[i].lifetime_s;
			gsa_secret_clear(&new.sa[i].key);
		} else {
			put_behind(held, &new.sa[i]);
		}
	}
	if (given->group)
		held->group = given->group;
	return true;
}

/* -- for gcksd -- */

static bool export_sa(const struct gsa_held_sa *held, uint64_t now_ms, Gsa__GroupSa *to)
{
	Gsa__DataSa *sa = malloc(sizeof(*sa));

	if (!sa)
		return false;
	gsa__data_sa__init(sa);
	to->data_sa[to->n_data_sa++] = sa;
	sa->spi = held->spi;
	sa->encryption = held->encryption;
	sa->encryption_key_bits = held->encryption_key_bits;
	sa->integrity = held->integrity;
	sa->sequence_numbers = held->sequence_numbers;
	sa->lifetime_s = held->lifetime_s;
	sa->activation_delay_s = held->activation_delay_s;
	sa->deactivation_delay_s = held->deactivation_delay_s;
	sa->age_ms = now_ms - held->received_ms;
	sa->key.data = malloc(held->key.length);
	if (!sa->key.data)
		return false;
	memcpy(sa->key.data, held->key.data, held->key.length);
	sa->key.len = held->key.length;
	return true;
}

Gsa__GroupSa *gsa_held_export(const struct gsa_held *held, uint64_t now_ms)
{
	Gsa__GroupSa *to = malloc(sizeof(*to));
	bool ok;

	if (!to)
		return NULL;
	gsa__group_sa__init(to);
	to->group = held->group;
	to->sender_id_bits = held->sender_id_bits;
	to->data_sa = calloc(held->count + 1, sizeof(*to->data_sa));
	to->sender_id = calloc(held->sender_id_count + 1, sizeof(*to->sender_id));
	ok = to->data_sa && to->sender_id;
	for (size_t i = 0; ok && i < held->sender_id_count; i++)
		to->sender_id[to->n_sender_id++] = held->sender_id[i];
	for (size_t i = 0; ok && i < held->count; i++)
		ok = export_sa(&held->sa[i], now_ms, to);
	if (ok && held->count) {
		to->activation_delay_s = held->sa[held->count - 1].activation_delay_s;
		to->deactivation_delay_s = held->sa[held->count - 1].deactivation_delay_s;
	}
	if (ok)
		return to;
	gsa_held_free_export(to);
	return NULL;
}

void gsa_held_free_export(Gsa__GroupSa *group_sa)
{
	if (!group_sa)
		return;
	for (size_t i = 0; i < group_sa->n_data_sa; i++)
		if (group_sa->data_sa[i]->key.len)
			gsa_wipe(group_sa->data_sa[i]->key.data, group_sa->data_sa[i]->key.len);
	gsa__group_sa__free_unpacked(group_sa, NULL);
}

/* -- checks -- */

bool gsa_held_covers(const struct gsa_held *held, uint32_t spi)
{
	uint32_t bits = held->sender_id_bits < 32 ? held->sender_id_bits : 0;

	for (size_t i = 0; i < held->count; i++) {
		uint32_t mask =
			held->sa[i].sequence_numbers == GSA_SN_PAIRWISE_32 ? (1u << bits) - 1 : 0;

		if ((spi & ~mask) == held->sa[i].spi)
			return true;
	}
	return false;
}

static bool is_pairwise(const Gsa__DataSa *sa)
{
	return sa->sequence_numbers == GSA_SN_PAIRWISE_32;
}

const char *gsa_held_check_senders(const Gsa__GroupSa *group_sa, uint32_t sender_id_bits,
				   const uint32_t *sender_ids, size_t sender_id_count)
{
	bool pairwise = false;

	for (size_t i = 0; i < group_sa->n_data_sa; i++)
		pairwise |= is_pairwise(group_sa->data_sa[i]);
	if (!pairwise)
		return NULL;
	if (!sender_id_bits || sender_id_bits > GSA_SENDER_ID_BITS_MAX)
		return sender_id_bits ? "Sender-IDs of more bits than are supported"
				      : "a pairwise SA, the bits of Sender-IDs are not said";
	if (!sender_id_count)
		return "a pairwise SA without a Sender-ID for us";
	for (size_t i = 0; i < sender_id_count; i++)
		if (sender_ids[i] >> sender_id_bits)
			return "a Sender-ID that has more bits than Sender-IDs have";
	for (size_t i = 0; i < group_sa->n_data_sa; i++)
		if (is_pairwise(group_sa->data_sa[i]) &&
		    group_sa->data_sa[i]->spi & ((1u << sender_id_bits) - 1))
			return "a pairwise SA whose SPI leaves no room for Sender-IDs";
	return NULL;
}
