// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "gcks/registration.h"

struct gcks_registration *gcks_registration_find(const struct gcks_registrations *table,
						 uint32_t group, const char *identity)
{
	struct gcks_registration *entry;

	for (entry = table->head; entry; entry = entry->next)
		if (entry->group == group && strcmp(entry->identity, identity) == 0)
			break;
	return entry;
}

struct gcks_registration *gcks_registration_find_ike_sa(const struct gcks_registrations *table,
							uint32_t group, uint32_t ike_sa)
{
	struct gcks_registration *entry;

	/* 0 is what all have that charon does not hold */
	if (!ike_sa)
		return NULL;
	for (entry = table->head; entry; entry = entry->next)
		if (entry->group == group && entry->ike_sa == ike_sa)
			break;
	return entry;
}

struct gcks_registration *gcks_registration_put(struct gcks_registrations *table, uint32_t group,
						const char *identity,
						const struct gcks_address *address, uint32_t ike_sa,
						Gsa__Credential credential, time_t registered_at)
{
	struct gcks_registration *entry = gcks_registration_find(table, group, identity);

	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return NULL;
		entry->identity = strdup(identity);
		if (!entry->identity) {
			free(entry);
			return NULL;
		}
		entry->group = group;
		entry->next = table->head;
		table->head = entry;
		table->count++;
	}
	entry->address = *address;
	entry->ike_sa = ike_sa;
	entry->credential = credential;
	entry->registered_at = registered_at;
	entry->stale = false;
	entry->stale_until = 0;
	return entry;
}

static void free_entry(struct gcks_registration *entry)
{
	free(entry->identity);
	free(entry);
}

void gcks_registration_remove(struct gcks_registrations *table, struct gcks_registration *entry)
{
	struct gcks_registration **link = &table->head;

	while (*link && *link != entry)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = entry->next;
	table->count--;
	free_entry(entry);
}

void gcks_registrations_clear(struct gcks_registrations *table)
{
	struct gcks_registration *entry;

	while ((entry = table->head)) {
		table->head = entry->next;
		free_entry(entry);
	}
	table->count = 0;
}

size_t gcks_registration_count(const struct gcks_registrations *table, uint32_t group)
{
	size_t count = 0;

	for (const struct gcks_registration *entry = table->head; entry; entry = entry->next)
		count += entry->group == group;
	return count;
}

void gcks_registration_rekeyed(struct gcks_registrations *table, uint32_t old_ike_sa,
			       uint32_t new_ike_sa)
{
	if (!old_ike_sa)
		return;
	for (struct gcks_registration *entry = table->head; entry; entry = entry->next)
		if (entry->ike_sa == old_ike_sa)
			entry->ike_sa = new_ike_sa;
}

bool gcks_registration_ike_sa_in_use(const struct gcks_registrations *table, uint32_t ike_sa)
{
	if (!ike_sa)
		return false;
	for (const struct gcks_registration *entry = table->head; entry; entry = entry->next)
		if (entry->ike_sa == ike_sa)
			return true;
	return false;
}

/* ---- addresses ---- */

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
