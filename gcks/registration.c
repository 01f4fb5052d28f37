// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/registration.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ---- lists ---- */

#define LINK_ADD(list, entry, link)                                                                \
	do {                                                                                       \
		(entry)->link.next = *(list);                                                      \
		(entry)->link.at = (list);                                                         \
		if (*(list))                                                                       \
			(*(list))->link.at = &(entry)->link.next;                                  \
		*(list) = (entry);                                                                 \
	} while (0)

/* Of none: nothing happens. */
#define LINK_REMOVE(entry, link)                                                                   \
	do {                                                                                       \
		if ((entry)->link.at)                                                              \
			*(entry)->link.at = (entry)->link.next;                                    \
		if ((entry)->link.at && (entry)->link.next)                                        \
			(entry)->link.next->link.at = (entry)->link.at;                            \
		(entry)->link.next = NULL;                                                         \
		(entry)->link.at = NULL;                                                           \
	} while (0)

/* FNV-1a with a seed: members choose their identities, and must not be able to choose a chain. */
static uint64_t hash_octets(uint64_t hash, const void *octets, size_t length)
{
	const uint8_t *at = octets;

	while (length--)
		hash = (hash ^ *at++) * 0x100000001b3u;
	return hash;
}

static uint64_t hash_seed(void)
{
	static uint64_t seed;

	/* without random numbers an address that the loader has chosen has to do */
	if (!seed && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uintptr_t)&seed;
	seed |= 1; /* not 0: made */
	return seed;
}

static size_t buckets_of(const struct gcks_registrations *table)
{
	return table->buckets ? table->buckets : GCKS_REGISTRATION_FEW;
}

static uint32_t hash_of(uint32_t group, const char *identity)
{
	uint64_t hash = hash_octets(hash_seed(), &group, sizeof(group));

	hash = hash_octets(hash, identity, strlen(identity));
	return (uint32_t)(hash ^ hash >> 32);
}

static struct gcks_registration **identity_chain(const struct gcks_registrations *table,
						 uint32_t hash)
{
	struct gcks_registration *const *chains =
		table->buckets ? table->identities : table->few_identities;

	return (struct gcks_registration **)&chains[hash & (buckets_of(table) - 1)];
}

static struct gcks_registration **ike_sa_chain(const struct gcks_registrations *table,
					       uint32_t ike_sa)
{
	struct gcks_registration *const *chains =
		table->buckets ? table->ike_sas : table->few_ike_sas;

	/* charon counts them up */
	return (struct gcks_registration **)&chains[ike_sa & (buckets_of(table) - 1)];
}

static struct gcks_registration **request_chain(const struct gcks_registrations *table,
						uint32_t request)
{
	return (struct gcks_registration **)&table->requests[request % GCKS_REGISTRATION_FEW];
}

static struct gcks_registration_group **group_chain(const struct gcks_registrations *table,
						    uint32_t group)
{
	return (struct gcks_registration_group **)&table->groups[group % GCKS_REGISTRATION_GROUPS];
}

/* Twice as many chains; without memory they only get longer. */
static void grow(struct gcks_registrations *table)
{
	size_t buckets = buckets_of(table) * 2;
	struct gcks_registration **identities = calloc(buckets, sizeof(*identities));
	struct gcks_registration **ike_sas = calloc(buckets, sizeof(*ike_sas));

	if (!identities || !ike_sas) {
		free(identities);
		free(ike_sas);
		return;
	}
	free(table->identities);
	free(table->ike_sas);
	memset(table->few_identities, 0, sizeof(table->few_identities));
	memset(table->few_ike_sas, 0, sizeof(table->few_ike_sas));
	table->identities = identities;
	table->ike_sas = ike_sas;
	table->buckets = buckets;
	for (struct gcks_registration *entry = table->head; entry; entry = entry->next) {
		struct gcks_registration **chain = identity_chain(table, entry->hash);

		LINK_ADD(chain, entry, by_identity);
		if (!entry->ike_sa)
			continue;
		chain = ike_sa_chain(table, entry->ike_sa);
		LINK_ADD(chain, entry, by_ike_sa);
	}
}

/* ---- entries ---- */

/* Octets of the strings and arrays that go with it. */
static size_t size_of_rest(const struct gcks_registration *values)
{
	size_t size = values->ca_count * sizeof(*values->ca) +
		      values->sender_id_count * sizeof(*values->sender_ids) +
		      strlen(values->identity) + 1;

	for (size_t i = 0; i < values->ca_count; i++)
		size += strlen(values->ca[i]) + 1;
	return size;
}

/* What needs alignment first. */
static void copy_rest(struct gcks_registration *entry, const struct gcks_registration *values)
{
	char *at;

	entry->ca = (char **)(entry + 1);
	entry->sender_ids = (uint32_t *)(entry->ca + values->ca_count);
	entry->identity = (char *)(entry->sender_ids + values->sender_id_count);
	if (values->sender_id_count)
		memcpy(entry->sender_ids, values->sender_ids,
		       values->sender_id_count * sizeof(*entry->sender_ids));
	at = stpcpy(entry->identity, values->identity) + 1;
	for (size_t i = 0; i < values->ca_count; i++) {
		entry->ca[i] = at;
		at = stpcpy(at, values->ca[i]) + 1;
	}
}

struct gcks_registration *gcks_registration_new(const struct gcks_registration *values)
{
	struct gcks_registration *entry = calloc(1, sizeof(*entry) + size_of_rest(values));

	if (!entry)
		return NULL;
	entry->hash = hash_of(values->group, values->identity);
	entry->group = values->group;
	entry->address = values->address;
	entry->ike_sa = values->ike_sa;
	entry->credential = values->credential;
	entry->registered_at = values->registered_at;
	entry->delivered = values->delivered;
	entry->stored_delivered = values->stored_delivered;
	entry->missed = values->missed;
	entry->pushed = values->pushed;
	entry->delivery = values->delivery == GCKS_DELIVERY_IN_FLIGHT ? GCKS_DELIVERY_WAITING
								      : values->delivery;
	entry->ca_count = values->ca_count;
	entry->sender_id_count = values->sender_id_count;
	entry->share_whole_at = values->share_whole_at;
	copy_rest(entry, values);
	entry->spare = calloc(1, sizeof(*entry->spare));
	if (entry->spare)
		return entry;
	free(entry);
	return NULL;
}

void gcks_registration_free(struct gcks_registration *entry)
{
	if (!entry)
		return;
	free(entry->spare);
	free(entry);
}

uint32_t gcks_registration_may_hold(const struct gcks_registration *entry)
{
	return entry->pushed > entry->delivered ? entry->pushed : entry->delivered;
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

/* ---- groups and deliveries ---- */

static struct gcks_registration_group *find_group(const struct gcks_registrations *table,
						  uint32_t group)
{
	struct gcks_registration_group *each = *group_chain(table, group);

	while (each && each->group != group)
		each = each->next;
	return each;
}

static struct gcks_registration_group *add_group(struct gcks_registrations *table,
						 struct gcks_registration *entry)
{
	struct gcks_registration_group **chain = group_chain(table, entry->group);
	struct gcks_registration_group *group = entry->spare;

	entry->spare = NULL;
	group->group = entry->group;
	for (size_t i = 0; i < GCKS_DELIVERIES; i++)
		group->deliveries[i].end = &group->deliveries[i].first;
	group->next = *chain;
	group->at = chain;
	if (*chain)
		(*chain)->at = &group->next;
	*chain = group;
	return group;
}

static void remove_group(struct gcks_registration_group *group)
{
	*group->at = group->next;
	if (group->next)
		group->next->at = group->at;
	free(group);
}

static void queue(struct gcks_registrations *table, struct gcks_registration *entry,
		  enum gcks_delivery delivery)
{
	struct gcks_registration_group *group = entry->of;

	entry->delivery = delivery;
	entry->by_delivery.next = NULL;
	entry->by_delivery.at = group->deliveries[delivery].end;
	*group->deliveries[delivery].end = entry;
	group->deliveries[delivery].end = &entry->by_delivery.next;
	group->deliveries[delivery].count++;
	if (delivery == GCKS_DELIVERY_IN_FLIGHT) {
		struct gcks_registration **chain = request_chain(table, entry->request);

		LINK_ADD(chain, entry, by_request);
	}
}

static void unqueue(struct gcks_registration *entry)
{
	struct gcks_registration_group *group = entry->of;

	if (!entry->by_delivery.next)
		group->deliveries[entry->delivery].end = entry->by_delivery.at;
	group->deliveries[entry->delivery].count--;
	LINK_REMOVE(entry, by_delivery);
	LINK_REMOVE(entry, by_request);
}

void gcks_registration_deliver(struct gcks_registrations *table, struct gcks_registration *entry,
			       enum gcks_delivery delivery)
{
	unqueue(entry);
	queue(table, entry, delivery);
}

const struct gcks_registration_group *
gcks_registration_group(const struct gcks_registrations *table, uint32_t group)
{
	return find_group(table, group);
}

struct gcks_registration *gcks_registration_first(const struct gcks_registrations *table,
						  uint32_t group, enum gcks_delivery delivery)
{
	const struct gcks_registration_group *found = find_group(table, group);

	return found ? found->deliveries[delivery].first : NULL;
}

struct gcks_registration *gcks_registration_following(const struct gcks_registration *entry)
{
	return entry->by_delivery.next;
}

struct gcks_registration *gcks_registration_of_request(const struct gcks_registrations *table,
						       uint32_t request)
{
	struct gcks_registration *entry = *request_chain(table, request);

	while (entry && entry->request != request)
		entry = entry->by_request.next;
	return entry;
}

size_t gcks_registration_count(const struct gcks_registrations *table, uint32_t group)
{
	const struct gcks_registration_group *found = find_group(table, group);

	return found ? found->count : 0;
}

size_t gcks_registration_stale_count(const struct gcks_registrations *table, uint32_t group)
{
	const struct gcks_registration_group *found = find_group(table, group);

	return found ? found->stale : 0;
}

/* ---- table ---- */

static struct gcks_registration *find(const struct gcks_registrations *table, uint32_t hash,
				      uint32_t group, const char *identity)
{
	struct gcks_registration *entry = *identity_chain(table, hash);

	while (entry && (entry->hash != hash || entry->group != group ||
			 strcmp(entry->identity, identity) != 0))
		entry = entry->by_identity.next;
	return entry;
}

struct gcks_registration *gcks_registration_find(const struct gcks_registrations *table,
						 uint32_t group, const char *identity)
{
	return find(table, hash_of(group, identity), group, identity);
}

void gcks_registration_insert(struct gcks_registrations *table, struct gcks_registration *entry)
{
	struct gcks_registration *old =
		find(table, entry->hash, entry->group, entry->identity);
	struct gcks_registration **chain;

	entry->of = find_group(table, entry->group);
	if (!entry->of)
		entry->of = add_group(table, entry);
	free(entry->spare);
	entry->spare = NULL;
	entry->of->count++;
	if (old)
		gcks_registration_remove(table, old);
	entry->next = table->head;
	if (table->head)
		table->head->previous = entry;
	table->head = entry;
	table->count++;
	queue(table, entry, entry->delivery);
	chain = identity_chain(table, entry->hash);
	LINK_ADD(chain, entry, by_identity);
	if (entry->ike_sa) {
		chain = ike_sa_chain(table, entry->ike_sa);
		LINK_ADD(chain, entry, by_ike_sa);
	}
	if (table->count > buckets_of(table))
		grow(table);
}

void gcks_registration_take_out(struct gcks_registrations *table, struct gcks_registration *entry)
{
	struct gcks_registration_group *group = entry->of;

	if (entry->previous)
		entry->previous->next = entry->next;
	else
		table->head = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	table->count--;
	LINK_REMOVE(entry, by_identity);
	LINK_REMOVE(entry, by_ike_sa);
	unqueue(entry);
	group->stale -= entry->stale;
	if (!--group->count)
		remove_group(group);
	entry->of = NULL;
}

void gcks_registration_remove(struct gcks_registrations *table, struct gcks_registration *entry)
{
	gcks_registration_take_out(table, entry);
	gcks_registration_free(entry);
}

void gcks_registrations_clear(struct gcks_registrations *table)
{
	while (table->head)
		gcks_registration_remove(table, table->head);
	free(table->identities);
	free(table->ike_sas);
	table->identities = table->ike_sas = NULL;
	table->buckets = 0;
}

/* ---- IKE_SAs ---- */

static struct gcks_registration *next_over(struct gcks_registration *entry, uint32_t ike_sa)
{
	while (entry && entry->ike_sa != ike_sa)
		entry = entry->by_ike_sa.next;
	return entry;
}

struct gcks_registration *gcks_registration_over(const struct gcks_registrations *table,
						 uint32_t ike_sa)
{
	return ike_sa ? next_over(*ike_sa_chain(table, ike_sa), ike_sa) : NULL;
}

struct gcks_registration *gcks_registration_over_next(const struct gcks_registration *entry)
{
	return next_over(entry->by_ike_sa.next, entry->ike_sa);
}

void gcks_registration_set_ike_sa(struct gcks_registrations *table, struct gcks_registration *entry,
				  uint32_t ike_sa)
{
	LINK_REMOVE(entry, by_ike_sa);
	entry->ike_sa = ike_sa;
	if (ike_sa) {
		struct gcks_registration **chain = ike_sa_chain(table, ike_sa);

		LINK_ADD(chain, entry, by_ike_sa);
	}
}

void gcks_registration_set_stale(struct gcks_registration *entry, int64_t until)
{
	entry->of->stale -= entry->stale;
	entry->stale = until != 0;
	entry->of->stale += entry->stale;
	entry->stale_until = until;
}

void gcks_registration_rekeyed(struct gcks_registrations *table, uint32_t old_ike_sa,
			       uint32_t new_ike_sa)
{
	struct gcks_registration *entry;

	if (old_ike_sa == new_ike_sa)
		return;
	while ((entry = gcks_registration_over(table, old_ike_sa)))
		gcks_registration_set_ike_sa(table, entry, new_ike_sa);
}

bool gcks_registration_ike_sa_in_use(const struct gcks_registrations *table, uint32_t ike_sa)
{
	return gcks_registration_over(table, ike_sa) != NULL;
}
