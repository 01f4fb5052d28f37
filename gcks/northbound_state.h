// SPDX-License-Identifier: GPL-2.0-or-later
/* For the files northbound_state*.c: leaves from values; NULL leaves one out. */
#ifndef GCKS_NORTHBOUND_STATE_H
#define GCKS_NORTHBOUND_STATE_H

#include "gcks/northbound.h"

/* Which leaf is asked for. */
static inline const char *leaf_of(const struct nb_cb_get_elem_args *args)
{
	const char *slash = strrchr(args->xpath, '/');
	const char *name = slash ? slash + 1 : args->xpath;
	const char *colon = strchr(name, ':');

	return colon ? colon + 1 : name;
}

static inline struct yang_data *text_or_none(const char *xpath, const char *text)
{
	return text && text[0] ? yang_data_new_string(xpath, text) : NULL;
}

static inline struct yang_data *number_or_none(const char *xpath, uint32_t number)
{
	return number ? yang_data_new_uint32(xpath, number) : NULL;
}

static inline struct yang_data *spi_or_none(const char *xpath, uint32_t spi)
{
	char text[16];

	if (!spi)
		return NULL;
	snprintf(text, sizeof(text), "0x%08x", spi);
	return yang_data_new_string(xpath, text);
}

static inline struct yang_data *time_or_none(const char *xpath, time_t when)
{
	return when ? yang_data_new_date_and_time(xpath, when, false) : NULL;
}

static inline struct yang_data *address_or_none(const char *xpath,
						const struct gcks_address *address)
{
	char text[INET6_ADDRSTRLEN];

	return address->length ? yang_data_new_string(xpath, gcks_address_text(address, text))
			       : NULL;
}

static inline struct yang_data *prefix_data(const char *xpath, const struct gcks_prefix *prefix)
{
	char text[INET6_ADDRSTRLEN + 4];

	return yang_data_new_string(xpath, gcks_prefix_text(prefix, text, sizeof(text)));
}

static inline void set_key(struct nb_cb_get_keys_args *args, const char *key)
{
	args->keys->num = 1;
	strlcpy(args->keys->key[0], key, sizeof(args->keys->key[0]));
}

/* The entry after `entry` of an array; the first one after NULL. */
static inline const void *array_next(const void *array, size_t count, size_t size,
				     const void *entry)
{
	const char *next = entry ? (const char *)entry + size : array;

	return next && next < (const char *)array + count * size ? next : NULL;
}

#endif
