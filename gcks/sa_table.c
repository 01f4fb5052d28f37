// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gcks/sa_table.h"

/* 0..255 are reserved (RFC 4303); what is small collides with SPIs that people type. */
#define SPI_MIN 0x1000

struct cipher {
	const char *name;
	uint16_t encryption, encryption_key_bits, integrity;
	size_t key_length; /* octets: encryption key, salt of a counter mode, integrity key */
};

static const struct cipher ciphers[] = {
	[GCKS_CIPHER_AES256CBC_SHA256] = {
		.name = "aes256cbc-sha256",
		.encryption = GSA_ENCR_AES_CBC,
		.encryption_key_bits = 256,
		.integrity = GSA_INTEG_HMAC_SHA2_256_128,
		.key_length = 32 + 32,
	},
	[GCKS_CIPHER_AES128CBC_SHA256] = {
		.name = "aes128cbc-sha256",
		.encryption = GSA_ENCR_AES_CBC,
		.encryption_key_bits = 128,
		.integrity = GSA_INTEG_HMAC_SHA2_256_128,
		.key_length = 16 + 32,
	},
	[GCKS_CIPHER_AES256GCM16] = {
		.name = "aes256gcm16",
		.encryption = GSA_ENCR_AES_GCM_16,
		.encryption_key_bits = 256,
		.key_length = 32 + 4,
	},
	[GCKS_CIPHER_AES128GCM16] = {
		.name = "aes128gcm16",
		.encryption = GSA_ENCR_AES_GCM_16,
		.encryption_key_bits = 128,
		.key_length = 16 + 4,
	},
	[GCKS_CIPHER_CHACHA20POLY1305] = {
		.name = "chacha20poly1305",
		.encryption = GSA_ENCR_CHACHA20_POLY1305,
		.key_length = 32 + 4,
	},
};

struct gcks_sa *gcks_sa_current(const struct gcks_sa_table *table, uint32_t group)
{
	struct gcks_sa *newest = NULL;

	for (struct gcks_sa *sa = table->head; sa; sa = sa->next)
		if (sa->group == group && (!newest || sa->generation > newest->generation))
			newest = sa;
	return newest;
}

static bool spi_in_use(const struct gcks_sa_table *table, uint32_t spi)
{
	for (const struct gcks_sa *sa = table->head; sa; sa = sa->next)
		if (sa->spi == spi)
			return true;
	return false;
}

static bool random_spi(const struct gcks_sa_table *table, uint32_t *spi)
{
	do {
		if (getrandom(spi, sizeof(*spi), 0) != sizeof(*spi))
			return false;
	} while (*spi < SPI_MIN || spi_in_use(table, *spi));
	return true;
}

struct gcks_sa *gcks_sa_new(const struct gcks_sa_table *table, const struct gcks_group *group,
			    time_t now)
{
	const struct gcks_sa *current = gcks_sa_current(table, group->identifier);
	struct gcks_sa *sa = calloc(1, sizeof(*sa));

	if (!sa)
		return NULL;
	sa->group = group->identifier;
	strncpy(sa->group_name, group->name, sizeof(sa->group_name) - 1);
	sa->generation = current ? current->generation + 1 : 1;
	sa->created_at = now;
	gcks_cipher_transforms(group->cipher, sa);
	sa->sequence_numbers = group->sharing == GCKS_SHARING_PAIRWISE ? GSA_SN_PAIRWISE_32
								       : GSA_SN_UNSPECIFIED_32;
	if (random_spi(table, &sa->spi) &&
	    gsa_secret_random(&sa->key, ciphers[group->cipher].key_length))
		return sa;
	gcks_sa_free(sa);
	return NULL;
}

void gcks_sa_insert(struct gcks_sa_table *table, struct gcks_sa *sa)
{
	struct gcks_sa **link = &table->head;

	/* by group, newest first */
	while (*link && ((*link)->group < sa->group ||
			 ((*link)->group == sa->group && (*link)->generation > sa->generation)))
		link = &(*link)->next;
	sa->next = *link;
	*link = sa;
}

void gcks_sa_remove_group(struct gcks_sa_table *table, uint32_t group)
{
	struct gcks_sa **link = &table->head, *sa;

	while ((sa = *link)) {
		if (sa->group != group) {
			link = &sa->next;
			continue;
		}
		*link = sa->next;
		gcks_sa_free(sa);
	}
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
	struct gcks_sa *sa;

	while ((sa = table->head)) {
		table->head = sa->next;
		gcks_sa_free(sa);
	}
}

void gcks_cipher_transforms(enum gcks_cipher cipher, struct gcks_sa *sa)
{
	const struct cipher *row = &ciphers[cipher];

	sa->encryption = row->encryption;
	sa->encryption_key_bits = row->encryption_key_bits;
	sa->integrity = row->integrity;
}

const char *gcks_cipher_name(enum gcks_cipher cipher)
{
	return (size_t)cipher < sizeof(ciphers) / sizeof(ciphers[0]) ? ciphers[cipher].name : NULL;
}
