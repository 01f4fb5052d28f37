// SPDX-License-Identifier: GPL-2.0-or-later
/* The Data-Security SAs of a membership: whether we can use them, and their phases. */
#include <stdlib.h>

#include "gcks/member.h"
#include "libgsa/pairwise.h"

/* ---- what we can use ---- */

static struct gsa_data_sa transforms_of(const Gsa__DataSa *data_sa)
{
	return (struct gsa_data_sa){
		.protocol = GSA_PROTOCOL_ESP,
		.encryption = (uint16_t)data_sa->encryption,
		.encryption_key_bits = (uint16_t)data_sa->encryption_key_bits,
		.integrity = (uint16_t)data_sa->integrity,
	};
}

/* One key in several senders: neither a counter mode, nor a replay window. */
static const char *check_group(const Gsa__DataSa *data_sa)
{
	if (data_sa->encryption != GSA_ENCR_AES_CBC)
		return "the encryption is not AES-CBC, the only one that is safe with one key in "
		       "several senders";
	if (data_sa->sequence_numbers != GSA_SN_SEQUENTIAL_32 &&
	    data_sa->sequence_numbers != GSA_SN_UNSPECIFIED_32)
		return "the sequence numbers have not 32 bits, as those of several senders need";
	return NULL;
}

/* For each pair of members a key of its own. */
static const char *check_pairwise(const Gsa__DataSa *data_sa, const Gsa__GroupSa *group_sa)
{
	uint32_t bits = group_sa->sender_id_bits;

	if (data_sa->encryption != GSA_ENCR_AES_CBC && data_sa->encryption != GSA_ENCR_AES_GCM_16 &&
	    data_sa->encryption != GSA_ENCR_CHACHA20_POLY1305)
		return "the encryption is none of AES-CBC, AES-GCM-16 and ChaCha20-Poly1305";
	if (bits != 8 && bits != 12 && bits != 16)
		return "a pairwise SA needs Sender-IDs of 8, 12 or 16 bits";
	if (data_sa->spi & ((1u << bits) - 1))
		return "the SPI of a pairwise SA has Sender-ID bits that are not 0";
	return NULL;
}

static bool knows_integrity(const Gsa__DataSa *data_sa)
{
	switch (data_sa->integrity) {
	case GSA_INTEG_NONE:
		return data_sa->encryption != GSA_ENCR_AES_CBC;
	case GSA_INTEG_HMAC_SHA2_256_128:
	case GSA_INTEG_HMAC_SHA2_384_192:
	case GSA_INTEG_HMAC_SHA2_512_256:
		return data_sa->encryption == GSA_ENCR_AES_CBC;
	default:
		return false;
	}
}

/* NULL, or why we cannot use it. */
static const char *check_sa(const Gsa__DataSa *data_sa, const Gsa__GroupSa *group_sa)
{
	struct gsa_data_sa transforms = transforms_of(data_sa);
	bool pairwise = data_sa->sequence_numbers == GSA_SN_PAIRWISE_32;
	size_t encryption, integrity;
	const char *fault;

	if (data_sa->spi <= 255)
		return "the SPI is a reserved one, it has to be above 255";
	fault = pairwise ? check_pairwise(data_sa, group_sa) : check_group(data_sa);
	if (fault)
		return fault;
	if (!knows_integrity(data_sa))
		return "the integrity algorithm is not HMAC-SHA2-256-128, -384-192 or -512-256 "
		       "with AES-CBC, and none with an AEAD cipher";
	if (data_sa->encryption_key_bits > UINT16_MAX ||
	    !gsa_data_sa_key_sizes(&transforms, &encryption, &integrity))
		return "the cipher has no keys of this size";
	if (data_sa->key.len != encryption + integrity)
		return "the key does not have the length that the algorithms need";
	return NULL;
}

/* ---- the list ---- */

void gcks_member_sa_free(struct gcks_member_sa *sa)
{
	if (!sa)
		return;
	gsa_secret_clear(&sa->key);
	free(sa);
}

static void free_list(struct gcks_member_sa *sa)
{
	struct gcks_member_sa *next;

	for (; sa; sa = next) {
		next = sa->next;
		gcks_member_sa_free(sa);
	}
}

static struct gcks_member_sa *sa_from(const Gsa__DataSa *data_sa, const Gsa__GroupSa *group_sa,
				      uint32_t group, int64_t now_ms)
{
	struct gcks_member_sa *sa = calloc(1, sizeof(*sa));
	int64_t age_ms = data_sa->age_ms < INT64_MAX / 2 ? (int64_t)data_sa->age_ms : INT64_MAX / 2;

	if (!sa)
		return NULL;
	*sa = (struct gcks_member_sa){
		.spi = data_sa->spi,
		.encryption = (uint16_t)data_sa->encryption,
		.encryption_key_bits = (uint16_t)data_sa->encryption_key_bits,
		.integrity = (uint16_t)data_sa->integrity,
		.sequence_numbers = (uint16_t)data_sa->sequence_numbers,
		.pairwise = data_sa->sequence_numbers == GSA_SN_PAIRWISE_32,
		.received_at = now_ms - age_ms,
		.activate_at = now_ms - age_ms + 1000 * (int64_t)data_sa->activation_delay_s,
		.deactivation_delay_s = data_sa->deactivation_delay_s,
	};
	if (sa->pairwise) {
		sa->sender_id_bits = (uint8_t)group_sa->sender_id_bits;
		sa->group = group;
	}
	if (data_sa->lifetime_s)
		sa->expires_at = sa->received_at + 1000 * (int64_t)data_sa->lifetime_s;
	if (gsa_secret_copy(&sa->key, data_sa->key.data, data_sa->key.len) &&
	    gsa_key_mark(&sa->key, &sa->mark))
		return sa;
	gcks_member_sa_free(sa);
	return NULL;
}

/* The same SPI, algorithms and key? */
static bool same_sa(const struct gcks_member_sa *a, const struct gcks_member_sa *b)
{
	return a->spi == b->spi && a->encryption == b->encryption &&
	       a->encryption_key_bits == b->encryption_key_bits && a->integrity == b->integrity &&
	       a->sequence_numbers == b->sequence_numbers &&
	       a->sender_id_bits == b->sender_id_bits && a->group == b->group && gsa_secret_equal(&a->key, &b->key);
}

/* Told again: a new age may be that of another message. */
static void keep_times(struct gcks_member_sa *sa, const struct gcks_member_sa *held)
{
	for (; held; held = held->next) {
		if (!same_sa(sa, held))
			continue;
		sa->phase = held->phase;
		sa->received_at = held->received_at;
		sa->activate_at = held->activate_at;
		sa->retire_at = held->retire_at;
		sa->expires_at = held->expires_at;
		sa->deactivation_delay_s = held->deactivation_delay_s;
		sa->logged = held->logged;
	}
}

/* The activation delay of a message is that of its newest SA: the others send with the rest already. */
static void drop_delays(struct gcks_member_sa *sa)
{
	for (; sa && sa->next; sa = sa->next)
		if (sa->received_at == sa->next->received_at && sa->activate_at > sa->received_at &&
		    sa->phase == GCKS_SA_ARRIVED)
			sa->activate_at = sa->received_at;
}

/* What was to take the place of all of these is not told any more. */
static void revive(struct gcks_member_sa *sa)
{
	while (sa->phase == GCKS_SA_RETIRING && sa->next)
		sa = sa->next;
	if (sa->phase != GCKS_SA_RETIRING)
		return;
	sa->phase = GCKS_SA_ARRIVED;
	sa->retire_at = 0;
}

bool gcks_membership_set_sas(struct gcks_membership *membership, const Gsa__GroupSa *group_sa,
			     int64_t now_ms, const char **reason)
{
	uint32_t group = group_sa->group ? group_sa->group : membership->configured_identifier;
	struct gcks_member_sa *list = NULL, **end = &list;
	const char *fault;

	*reason = group_sa->n_data_sa ? NULL : "the key server sent no data SA";
	for (size_t i = 0; i < group_sa->n_data_sa; i++) {
		fault = check_sa(group_sa->data_sa[i], group_sa);
		if (fault) {
			*reason = fault;
			continue;
		}
		*end = sa_from(group_sa->data_sa[i], group_sa, group, now_ms);
		if (!*end) {
			*reason = "out of memory, or of memory that may be locked";
			free_list(list);
			return false;
		}
		keep_times(*end, membership->sas);
		end = &(*end)->next;
	}
	if (!list)
		return false;
	drop_delays(list);
	revive(list);
	free_list(membership->sas);
	membership->sas = list;
	membership->ended = false;
	membership->sender_id_count = 0;
	for (size_t i = group_sa->n_sender_id > GSA_SENDER_ID_MAX
				? group_sa->n_sender_id - GSA_SENDER_ID_MAX
				: 0;
	     i < group_sa->n_sender_id; i++)
		membership->sender_ids[membership->sender_id_count++] = group_sa->sender_id[i];
	if (group_sa->group)
		membership->learnt_identifier = group_sa->group;
	return true;
}

void gcks_membership_drop_sas(struct gcks_membership *membership)
{
	free_list(membership->sas);
	free_list(membership->gone);
	membership->sas = membership->gone = NULL;
	membership->ended = false;
	membership->sender_id_count = 0;
	membership->has_sender_id = membership->resuming = false;
}

struct gcks_member_sa *gcks_membership_active(const struct gcks_membership *membership)
{
	struct gcks_member_sa *sa = membership->sas;

	while (sa && sa->phase != GCKS_SA_ACTIVE)
		sa = sa->next;
	return sa;
}

uint32_t gcks_member_sa_lifetime_s(const struct gcks_member_sa *sa, int64_t now_ms)
{
	int64_t left = sa->expires_at - now_ms;

	if (!sa->expires_at)
		return 0;
	return left > 1000 ? (uint32_t)((left + 999) / 1000) : 1;
}

const char *gcks_membership_conflict(const struct gcks_membership *membership)
{
	for (const struct gcks_member_sa *sa = membership->sas; sa; sa = sa->next)
		if (membership->conflict && sa->mark == membership->conflict_mark)
			return membership->conflict;
	return NULL;
}

/* ---- phases ---- */

static void retire(struct gcks_member_sa *sa, const struct gcks_member_sa *newer)
{
	if (sa->phase == GCKS_SA_RETIRING)
		return;
	sa->phase = GCKS_SA_RETIRING;
	sa->logged = false;
	sa->retire_at = newer->activate_at + 1000 * (int64_t)newer->deactivation_delay_s;
}

static void activate(struct gcks_membership *membership, struct gcks_member_sa *sa)
{
	const struct gcks_member_sa *newer = sa->next;

	if (sa->phase == GCKS_SA_ACTIVE)
		return;
	/* charon has told of it before it was told that it is gone: its place was taken */
	while (newer && newer->phase == GCKS_SA_ARRIVED)
		newer = newer->next;
	if (newer) {
		retire(sa, newer);
		return;
	}
	sa->phase = GCKS_SA_ACTIVE;
	sa->logged = false;
	for (struct gcks_member_sa *older = membership->sas; older != sa; older = older->next)
		retire(older, sa);
}

static bool is_over(const struct gcks_member_sa *sa, int64_t now_ms)
{
	return (sa->expires_at && sa->expires_at <= now_ms) ||
	       (sa->phase == GCKS_SA_RETIRING && sa->retire_at <= now_ms);
}

/* Their keys are not needed to tell of them. */
static void end_over(struct gcks_membership *membership, int64_t now_ms)
{
	struct gcks_member_sa **at = &membership->sas, **end = &membership->gone, *sa;

	while (*end)
		end = &(*end)->next;
	while ((sa = *at)) {
		if (!is_over(sa, now_ms)) {
			at = &sa->next;
			continue;
		}
		*at = sa->next;
		sa->next = NULL;
		gsa_secret_clear(&sa->key);
		*end = sa;
		end = &sa->next;
		membership->ended = !membership->sas;
	}
}

static void advance(struct gcks_membership *membership, int64_t now_ms)
{
	struct gcks_member_sa *sa;

	/* in the order of their times, as if it had been called at each of them */
	for (sa = membership->sas; sa; sa = sa->next)
		if (sa->phase == GCKS_SA_ARRIVED && sa->activate_at <= now_ms)
			activate(membership, sa);
	end_over(membership, now_ms);
	if (gcks_membership_active(membership))
		return;
	for (sa = membership->sas; sa && sa->phase != GCKS_SA_ARRIVED;)
		sa = sa->next;
	if (sa) {
		sa->activate_at = now_ms;
		activate(membership, sa);
	}
}

static int64_t earlier(int64_t deadline, int64_t when)
{
	return when && when < deadline ? when : deadline;
}

int64_t gcks_member_advance(struct gcks_member_table *table, int64_t now_ms)
{
	int64_t deadline = INT64_MAX;

	for (struct gcks_membership *each = table->memberships; each; each = each->next) {
		advance(each, now_ms);
		for (const struct gcks_member_sa *sa = each->sas; sa; sa = sa->next) {
			deadline = earlier(deadline, sa->expires_at);
			if (sa->phase == GCKS_SA_ARRIVED)
				deadline = earlier(deadline, sa->activate_at);
			if (sa->phase == GCKS_SA_RETIRING)
				deadline = earlier(deadline, sa->retire_at);
		}
	}
	return deadline;
}
