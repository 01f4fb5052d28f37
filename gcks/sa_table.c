// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/former.h"
#include "gcks/sa_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* 0..255 are reserved (RFC 4303); what is small collides with SPIs that people type. */
#define SPI_MIN 0x10000
/* With so many tries the SPIs of the last time are avoided; after as many more there is none. */
#define SPI_TRIES 256

/* ---- groups ---- */

static struct gcks_sa_group **chain_of(const struct gcks_sa_table *table, uint32_t group)
{
	return (struct gcks_sa_group **)&table->chains[group % GCKS_SA_GROUP_CHAINS];
}

struct gcks_sa_group *gcks_sa_group_find(const struct gcks_sa_table *table, uint32_t group)
{
	struct gcks_sa_group *found = *chain_of(table, group);

	while (found && found->numbers.group != group)
		found = found->chain;
	return found;
}

struct gcks_sa_group *gcks_sa_group_get(struct gcks_sa_table *table, uint32_t group,
					const char *group_name)
{
	struct gcks_sa_group *found = gcks_sa_group_find(table, group);

	if (found)
		return found;
	found = calloc(1, sizeof(*found));
	if (!found)
		return NULL;
	found->numbers.group = group;
	strncpy(found->numbers.group_name, group_name, sizeof(found->numbers.group_name) - 1);
	found->rekey.due_at = GCKS_NEVER;
	found->next = table->groups;
	table->groups = found;
	found->chain = *chain_of(table, group);
	*chain_of(table, group) = found;
	return found;
}

static void free_group(struct gcks_sa_table *table, struct gcks_sa_group *group)
{
	struct gcks_sa_group **chain = chain_of(table, group->numbers.group);
	struct gcks_sa_group **at = &table->groups;

	while (*chain != group)
		chain = &(*chain)->chain;
	*chain = group->chain;
	while (*at != group)
		at = &(*at)->next;
	*at = group->next;
	gcks_former_clear(group);
	free(group);
}

/* ---- SPIs ---- */

/* SPIs that are the same but for the bits of a Sender-ID in either. */
static bool overlap(uint32_t a, uint8_t a_bits, uint32_t b, uint8_t b_bits)
{
	uint8_t bits = a_bits > b_bits ? a_bits : b_bits;

	return a >> bits == b >> bits;
}

static bool in_use(const struct gcks_sa_table *table, uint32_t spi, uint8_t bits)
{
	for (const struct gcks_sa *sa = table->head; sa; sa = sa->next)
		if (overlap(spi, bits, sa->spi, sa->sender_id_bits))
			return true;
	return false;
}

/* Packets and logs of the last time name them. */
static bool was_in_use(const struct gcks_sa_table *table, uint32_t spi, uint8_t bits)
{
	for (const struct gcks_sa_group *group = table->groups; group; group = group->next)
		for (size_t i = 0; i < group->numbers.spi_count; i++)
			if (overlap(spi, bits, group->numbers.spis[i].spi,
				    group->numbers.spis[i].sender_id_bits))
				return true;
	return false;
}

static bool random_spi(const struct gcks_sa_table *table, struct gcks_sa *sa)
{
	for (int i = 0; i < 2 * SPI_TRIES; i++) {
		uint32_t spi;

		if (getrandom(&spi, sizeof(spi), 0) != sizeof(spi))
			return false;
		spi = spi >> sa->sender_id_bits << sa->sender_id_bits;
		if (spi < SPI_MIN || in_use(table, spi, sa->sender_id_bits) ||
		    (i < SPI_TRIES && was_in_use(table, spi, sa->sender_id_bits)))
			continue;
		sa->spi = spi;
		return true;
	}
	return false;
}

void gcks_sa_remember_spi(struct gcks_sa_numbers *numbers, uint32_t spi, uint8_t sender_id_bits)
{
	if (numbers->spi_count < GCKS_SPIS_KEPT)
		numbers->spi_count++;
	memmove(&numbers->spis[1], &numbers->spis[0],
		(numbers->spi_count - 1) * sizeof(numbers->spis[0]));
	numbers->spis[0] = (struct gcks_spi){ spi, sender_id_bits };
}

bool gcks_sa_knows_spi(const struct gcks_sa_numbers *numbers, uint32_t spi)
{
	for (size_t i = 0; i < numbers->spi_count; i++)
		if (numbers->spis[i].spi == spi)
			return true;
	return false;
}

/* ---- SAs ---- */

struct gcks_sa *gcks_sa_current(const struct gcks_sa_table *table, uint32_t group)
{
	const struct gcks_sa_group *found = gcks_sa_group_find(table, group);

	return found ? found->newest : NULL;
}

struct gcks_sa *gcks_sa_older(const struct gcks_sa *sa)
{
	return sa->next && sa->next->group == sa->group ? sa->next : NULL;
}

struct gcks_sa *gcks_sa_new(struct gcks_sa_table *table, const struct gcks_group *group, time_t now)
{
	struct gcks_sa_group *of = gcks_sa_group_get(table, group->identifier, group->name);
	struct gcks_sa *sa = of ? calloc(1, sizeof(*sa)) : NULL;

	if (!sa)
		return NULL;
	sa->group = group->identifier;
	strncpy(sa->group_name, group->name, sizeof(sa->group_name) - 1);
	sa->generation = of->numbers.generation + 1;
	sa->created_at = now;
	sa->lifetime_s = group->lifetime_data_s;
	sa->retires_at = GCKS_NEVER;
	gcks_cipher_transforms(group->cipher, sa);
	sa->sequence_numbers = GSA_SN_UNSPECIFIED_32;
	if (group->sharing == GCKS_SHARING_PAIRWISE) {
		sa->sequence_numbers = GSA_SN_PAIRWISE_32;
		sa->sender_id_bits = group->sender_id_bits;
	}
	if (random_spi(table, sa) &&
	    gsa_secret_random(&sa->key, gcks_cipher_key_length(group->cipher)))
		return sa;
	gcks_sa_free(sa);
	return NULL;
}

void gcks_sa_insert(struct gcks_sa_table *table, struct gcks_sa *sa)
{
	struct gcks_sa_group *of = gcks_sa_group_find(table, sa->group);
	struct gcks_sa **link = &table->head;

	/* by group, newest first */
	while (*link && ((*link)->group < sa->group ||
			 ((*link)->group == sa->group && (*link)->generation > sa->generation)))
		link = &(*link)->next;
	sa->next = *link;
	*link = sa;
	if (!of->newest || of->newest->generation < sa->generation)
		of->newest = sa;
	of->sa_count++;
	if (of->numbers.generation < sa->generation)
		of->numbers.generation = sa->generation;
	if (!gcks_sa_knows_spi(&of->numbers, sa->spi))
		gcks_sa_remember_spi(&of->numbers, sa->spi, sa->sender_id_bits);
}

void gcks_sa_remove(struct gcks_sa_table *table, struct gcks_sa *sa)
{
	struct gcks_sa_group *of = gcks_sa_group_find(table, sa->group);
	struct gcks_sa **link = &table->head;

	if (of->newest == sa)
		of->newest = gcks_sa_older(sa);
	of->sa_count--;
	while (*link != sa)
		link = &(*link)->next;
	*link = sa->next;
	gcks_sa_free(sa);
}

void gcks_sa_remove_group(struct gcks_sa_table *table, uint32_t group)
{
	struct gcks_sa_group *of = gcks_sa_group_find(table, group);

	if (!of)
		return;
	while (of->newest)
		gcks_sa_remove(table, of->newest);
	free_group(table, of);
}

void gcks_sa_free(struct gcks_sa *sa)
{
	if (!sa)
		return;
	gsa_secret_clear(&sa->key);
	free(sa);
}

void gcks_sa_table_clear(struct gcks_sa_table *table)
{
	while (table->groups)
		gcks_sa_remove_group(table, table->groups->numbers.group);
}

/* ---- times ---- */

int64_t gcks_sa_expires_at(const struct gcks_sa *sa)
{
	return sa->lifetime_s ? sa->made_at + (int64_t)sa->lifetime_s * 1000 : GCKS_NEVER;
}

static uint32_t seconds_until(int64_t end, int64_t now)
{
	return end <= now ? 0 : (uint32_t)((end - now + 999) / 1000);
}

uint32_t gcks_sa_lifetime_left_s(const struct gcks_sa *sa, int64_t now)
{
	uint32_t left;

	if (!sa->lifetime_s)
		return 0;
	/* rounded down: it ends nowhere later than here */
	left = (uint32_t)((gcks_sa_expires_at(sa) - now) / 1000);
	return gcks_sa_expires_at(sa) - now < 1000 ? 1 : left;
}

uint32_t gcks_sa_activation_left_s(const struct gcks_sa *sa, int64_t now)
{
	return seconds_until(sa->activates_at, now);
}

/* ---- policy ---- */

bool gcks_sa_pairwise(const struct gcks_sa *sa)
{
	return sa->sequence_numbers == GSA_SN_PAIRWISE_32;
}

enum gcks_sa_fit gcks_sa_fits(const struct gcks_sa *sa, const struct gcks_group *group)
{
	bool pairwise = group->sharing == GCKS_SHARING_PAIRWISE;
	struct gcks_sa wanted = {};

	if (gcks_sa_pairwise(sa) != pairwise ||
	    (pairwise && sa->sender_id_bits != group->sender_id_bits))
		return GCKS_SA_OTHER_SHARING;
	gcks_cipher_transforms(group->cipher, &wanted);
	return sa->encryption == wanted.encryption && sa->integrity == wanted.integrity &&
			       sa->encryption_key_bits == wanted.encryption_key_bits
		       ? GCKS_SA_FITS
		       : GCKS_SA_OTHER_CIPHER;
}
