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

/* ---- entries ---- */

static bool copy_ca(struct gcks_registration *entry, const struct gcks_registration *values)
{
	if (!values->ca_count)
		return true;
	entry->ca = calloc(values->ca_count, sizeof(*entry->ca));
	if (!entry->ca)
		return false;
	for (; entry->ca_count < values->ca_count; entry->ca_count++) {
		entry->ca[entry->ca_count] = strdup(values->ca[entry->ca_count]);
		if (!entry->ca[entry->ca_count])
			return false;
	}
	return true;
}

struct gcks_registration *gcks_registration_new(const struct gcks_registration *values)
{
	struct gcks_registration *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	entry->group = values->group;
	entry->address = values->address;
	entry->ike_sa = values->ike_sa;
	entry->credential = values->credential;
	entry->registered_at = values->registered_at;
	entry->identity = strdup(values->identity);
	if (entry->identity && copy_ca(entry, values))
		return entry;
	gcks_registration_free(entry);
	return NULL;
}

void gcks_registration_free(struct gcks_registration *entry)
{
	if (!entry)
		return;
	for (size_t i = 0; i < entry->ca_count; i++)
		free(entry->ca[i]);
	free(entry->ca);
	free(entry->identity);
	free(entry);
}

bool gcks_registration_same_credential(const struct gcks_registration *a,
				       const struct gcks_registration *b)
{
	if (a->credential != b->credential || a->ca_count != b->ca_count)
		return false;
	for (size_t i = 0; i < a->ca_count; i++)
		if (strcmp(a->ca[i], b->ca[i]) != 0)
			return false;
	return true;
}

/* ---- table ---- */

void gcks_registration_insert(struct gcks_registrations *table, struct gcks_registration *entry)
{
	struct gcks_registration **link = &table->head, *old;

	while (*link &&
	       ((*link)->group != entry->group || strcmp((*link)->identity, entry->identity) != 0))
		link = &(*link)->next;
	old = *link;
	if (old) {
		entry->next = old->next;
		*link = entry;
		gcks_registration_free(old);
		return;
	}
	entry->next = table->head;
	table->head = entry;
	table->count++;
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
	gcks_registration_free(entry);
}

void gcks_registrations_clear(struct gcks_registrations *table)
{
	struct gcks_registration *entry;

	while ((entry = table->head)) {
		table->head = entry->next;
		gcks_registration_free(entry);
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
