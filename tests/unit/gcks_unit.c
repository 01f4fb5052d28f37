// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>

#include "libgsa/gikev2.h"
#include "tests/unit/gcks_unit.h"

struct gcks_address address_of(const char *text)
{
	struct gcks_address address;
	uint8_t octets[16];
	bool v6 = strchr(text, ':') != NULL;

	ck_assert_msg(inet_pton(v6 ? AF_INET6 : AF_INET, text, octets) == 1, "%s", text);
	ck_assert(gcks_address_from(&address, octets, v6 ? 16 : 4));
	return address;
}

struct gcks_prefix prefix_of(const char *text)
{
	char address_text[64];
	const char *slash = strchr(text, '/');
	struct gcks_address address;
	struct gcks_prefix prefix;

	ck_assert_ptr_nonnull(slash);
	snprintf(address_text, sizeof(address_text), "%.*s", (int)(slash - text), text);
	address = address_of(address_text);
	ck_assert(gcks_prefix_from(&prefix, address.octets, address.length,
				   (uint32_t)atoi(slash + 1)));
	return prefix;
}

struct gcks_pattern *pattern_of(const char *text)
{
	struct gcks_pattern *pattern = gcks_pattern_new(text);

	ck_assert_ptr_nonnull(pattern);
	return pattern;
}

void group_sa_fill(struct group_sa *sa, uint32_t group, uint32_t spi)
{
	gsa__group_sa__init(&sa->group_sa);
	gsa__data_sa__init(&sa->data_sa);
	memset(sa->key, (int)spi, sizeof(sa->key));
	sa->list[0] = &sa->data_sa;
	sa->group_sa.data_sa = sa->list;
	sa->group_sa.n_data_sa = 1;
	sa->group_sa.group = group;
	sa->data_sa.spi = spi;
	sa->data_sa.encryption = GSA_ENCR_AES_CBC;
	sa->data_sa.encryption_key_bits = 256;
	sa->data_sa.integrity = GSA_INTEG_HMAC_SHA2_256_128;
	sa->data_sa.sequence_numbers = GSA_SN_UNSPECIFIED_32;
	sa->data_sa.key.data = sa->key;
	sa->data_sa.key.len = sizeof(sa->key);
}

void pairwise_sa_fill(struct group_sa *sa, uint32_t group, uint32_t prefix, uint32_t tek)
{
	group_sa_fill(sa, group, prefix);
	memset(sa->key, 0, sizeof(sa->key));
	memcpy(sa->key, &tek, sizeof(tek));
	sa->group_sa.sender_id_bits = 16;
	sa->data_sa.encryption = GSA_ENCR_AES_GCM_16;
	sa->data_sa.integrity = GSA_INTEG_NONE;
	sa->data_sa.sequence_numbers = GSA_SN_PAIRWISE_32;
	sa->data_sa.key.len = 32 + 4;
}

void give_sa(struct gcks_membership *membership, uint32_t spi)
{
	const char *reason;
	struct group_sa sa;

	group_sa_fill(&sa, membership->configured_identifier, spi);
	ck_assert_msg(gcks_membership_set_sas(membership, &sa.group_sa, 0, &reason), "%s", reason);
	membership->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED;
	for (struct gcks_member_sa *held = membership->sas; held; held = held->next)
		held->phase = GCKS_SA_ACTIVE;
}

struct gcks_membership *join(struct gcks_member_table *table, const char *name, uint32_t identifier,
			     const char *gateway, uint32_t spi)
{
	struct gcks_membership *membership = gcks_membership_add(table, name);

	ck_assert_ptr_nonnull(membership);
	ck_assert(gcks_membership_add_connection(membership, "hq"));
	membership->configured_identifier = identifier;
	membership->gateway = address_of(gateway);
	membership->state = GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING;
	if (spi)
		give_sa(membership, spi);
	return membership;
}

void set_route(struct gcks_membership *membership, const char *prefix, const char *gateway)
{
	struct gcks_address address = address_of(gateway);
	struct gcks_prefix far = prefix_of(prefix);

	ck_assert(gcks_membership_set_route(membership, &far, &address, NULL));
}

void set_sender(struct gcks_membership *membership, const char *prefix, const char *gateway,
		uint32_t sender_id)
{
	struct gcks_address address = address_of(gateway);
	struct gcks_prefix far = prefix_of(prefix);

	ck_assert(gcks_membership_set_route(membership, &far, &address, &sender_id));
}

static const char *address_or_any(const struct gcks_address *address, char *buffer)
{
	static const struct gcks_address none;

	return memcmp(address->octets, none.octets, sizeof(none.octets))
		       ? gcks_address_text(address, buffer)
		       : "any";
}

const char *id_text(const struct gcks_kernel_id *id, char *buffer, size_t size)
{
	static const char *const directions[] = { "?", "in", "out", "fwd" };
	static const char *const actions[] = { "?", "protect", "block", "pass", "optional" };
	char a[64], b[64], tunnel[128] = "";

	if (id->kind == GCKS_KERNEL_SA) {
		if (id->receiver)
			snprintf(tunnel, sizeof(tunnel), " for %u", id->receiver - 1);
		snprintf(buffer, size, "sa 0x%x %s > %s%s", id->spi, address_or_any(&id->source, a),
			 address_or_any(&id->destination, b), tunnel);
		return buffer;
	}
	if (id->action == GSA__POLICY_ACTION__POLICY_PROTECT ||
	    id->action == GSA__POLICY_ACTION__POLICY_OPTIONAL)
		snprintf(tunnel, sizeof(tunnel), " via %s > %s %s", address_or_any(&id->source, a),
			 address_or_any(&id->destination, b), id->group);
	gcks_prefix_text(&id->selector_source, a, sizeof(a));
	gcks_prefix_text(&id->selector_destination, b, sizeof(b));
	snprintf(buffer, size, "%s %s %s > %s%s", directions[id->direction], actions[id->action], a,
		 b, tunnel);
	return buffer;
}
