// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GroupSa of the local protocol <-> bodies of GSA and KD (RFC 9838 §4.4, §4.5).  What the
 * member does not take is refused here, before a key of it is unwrapped.
 */
#include "charon-gsa-plugin/gsa.h"
#include "charon-gsa-plugin/gsa_held.h"

#include <netinet/in.h>

#include "libgsa/keywrap.h"

/* Room for the bodies: GSA_DATA_SA_MAX SAs with the longest keys take less. */
#define BODY_MAX 4096

/* Which traffic an SA protects is decided by the group's routes, not by its policy. */
static const struct gsa_traffic_selector everything = {
	.family = AF_INET,
	.port_to = UINT16_MAX,
	.to = { 255, 255, 255, 255 },
};

static bool is_everything(const struct gsa_traffic_selector *ts)
{
	return ts->family == everything.family && ts->protocol == everything.protocol &&
	       ts->port_from == everything.port_from && ts->port_to == everything.port_to &&
	       untoh32((void *)ts->from) == 0 && untoh32((void *)ts->to) == UINT32_MAX;
}

/* Encoding */

static bool encode_data_sa(const Gsa__DataSa *from, const struct gsa_secret *gsk_w,
			   struct gsa_data_sa *sa, struct gsa_group_key_bag *bag,
			   const char **reason)
{
	size_t encryption, integrity;
	struct gsa_secret key = {};
	bool ok;

	*sa = (struct gsa_data_sa){
		.protocol = GSA_PROTOCOL_ESP,
		.spi = from->spi,
		.source = everything,
		.destination = everything,
		.encryption = from->encryption,
		.encryption_key_bits = from->encryption_key_bits,
		.integrity = from->integrity,
		.sequence_numbers = from->sequence_numbers,
		.has_lifetime = from->lifetime_s != 0,
		.lifetime_s = from->lifetime_s,
	};
	*bag = (struct gsa_group_key_bag){ .protocol = GSA_PROTOCOL_ESP, .spi = from->spi };
	if (!gsa_data_sa_key_sizes(sa, &encryption, &integrity) ||
	    from->key.len != encryption + integrity) {
		*reason = "the group's algorithms or key are not usable";
		return FALSE;
	}
	if (!gsa_secret_copy(&key, from->key.data, from->key.len)) {
		*reason = "out of locked memory";
		return FALSE;
	}
	ok = gsa_key_wrap(gsa_key_wrap_by_key_size(gsk_w->length), gsk_w, &key, bag->sa_key.cipher,
			  &bag->sa_key.cipher_length);
	gsa_secret_clear(&key);
	if (!ok)
		*reason = "the group's key could not be wrapped";
	return ok;
}

static bool encode_group(const Gsa__GroupSa *from, struct gsa_policy *policy,
			 struct gsa_key_download *kd, const char **reason)
{
	if (from->activation_delay_s > UINT16_MAX || from->deactivation_delay_s > UINT16_MAX ||
	    from->sender_id_bits > 32 || from->n_sender_id > GSA_SENDER_ID_MAX) {
		*reason = "the group's policy is out of range";
		return FALSE;
	}
	policy->has_activation_delay = from->activation_delay_s != 0;
	policy->activation_delay_s = from->activation_delay_s;
	policy->has_deactivation_delay = from->deactivation_delay_s != 0;
	policy->deactivation_delay_s = from->deactivation_delay_s;
	policy->has_sender_id_bits = from->sender_id_bits != 0;
	policy->sender_id_bits = from->sender_id_bits;
	kd->sender_id_bits = from->sender_id_bits;
	kd->sender_id_count = from->n_sender_id;
	for (size_t i = 0; i < from->n_sender_id; i++)
		kd->sender_id[i] = from->sender_id[i];
	return TRUE;
}

static bool encode(const Gsa__GroupSa *group_sa, const struct gsa_secret *gsk_w,
		   chunk_t *policy_body, chunk_t *key_download, const char **reason)
{
	struct gsa_policy policy = {};
	struct gsa_key_download kd = {};
	uint8_t body[BODY_MAX];
	size_t length;

	*policy_body = *key_download = chunk_empty;
	if (!group_sa->n_data_sa || group_sa->n_data_sa > GSA_DATA_SA_MAX) {
		*reason = "the group has no SA, or too many";
		return FALSE;
	}
	if (!encode_group(group_sa, &policy, &kd, reason))
		return FALSE;
	for (size_t i = 0; i < group_sa->n_data_sa; i++)
		if (!encode_data_sa(group_sa->data_sa[i], gsk_w, &policy.data_sa[i], &kd.bag[i],
				    reason))
			return FALSE;
	policy.data_sa_count = kd.bag_count = group_sa->n_data_sa;

	*reason = "the group's policy cannot be encoded";
	length = gsa_policy_encode(&policy, body, sizeof(body));
	if (!length)
		return FALSE;
	*policy_body = chunk_clone(chunk_create(body, length));
	length = gsa_key_download_encode(&kd, body, sizeof(body));
	if (!length) {
		chunk_free(policy_body);
		return FALSE;
	}
	*key_download = chunk_clone(chunk_create(body, length));
	return TRUE;
}

bool gsa_group_sa_encode(ike_sa_t *ike_sa, const Gsa__GroupSa *group_sa, gsa_group_sa_t *encoded,
			 const char **reason)
{
	struct gsa_secret gsk_w;
	bool ok;

	*encoded = (gsa_group_sa_t){ .group = group_sa->group };
	*reason = "there is no key wrap key for this IKE_SA";
	if (!gsa_keys_wrap_key(ike_sa, &gsk_w))
		return FALSE;
	ok = encode(group_sa, &gsk_w, &encoded->policy, &encoded->key_download, reason);
	gsa_secret_clear(&gsk_w);
	for (size_t i = 0; ok && i < group_sa->n_data_sa; i++)
		encoded->given.spi[encoded->given.spi_count++] = group_sa->data_sa[i]->spi;
	for (size_t i = 0; ok && i < group_sa->n_sender_id; i++)
		encoded->given.sender_id[encoded->given.sender_id_count++] = group_sa->sender_id[i];
	return ok;
}

void gsa_group_sa_add(const gsa_group_sa_t *encoded, message_t *message)
{
	message->add_payload(message, gsa_payload_create(GSA_PAYLOAD_GSA, encoded->policy));
	message->add_payload(message, gsa_payload_create(GSA_PAYLOAD_KD, encoded->key_download));
	/* gateways put IP in IP and protect that in transport mode: the same octets */
	message->add_notify(message, FALSE, USE_TRANSPORT_MODE, chunk_empty);
	gsa_group_identifier_add(message, encoded->group);
}

void gsa_group_sa_clear(gsa_group_sa_t *encoded)
{
	chunk_free(&encoded->policy);
	chunk_free(&encoded->key_download);
	*encoded = (gsa_group_sa_t){};
}

/* Decoding */

/* NULL: usable. */
static const char *unusable(const struct gsa_data_sa *sa)
{
	size_t encryption, integrity;

	if (sa->protocol != GSA_PROTOCOL_ESP)
		return "an SA that is not ESP";
	if (!gsa_data_sa_key_sizes(sa, &encryption, &integrity))
		return "an SA with algorithms that are not supported";
	switch (sa->sequence_numbers) {
	case GSA_SN_PAIRWISE_32:
		break;
	case GSA_SN_SEQUENTIAL_32:
	case GSA_SN_UNSPECIFIED_32:
		/* senders that share a key would repeat nonces (RFC 6054) */
		if (gsa_data_sa_counter_mode(sa))
			return "an SA with a counter mode cipher, which senders cannot share";
		break;
	default:
		return "an SA with sequence numbers that are not supported";
	}
	if (!is_everything(&sa->source) || !is_everything(&sa->destination))
		return "an SA for some traffic only";
	return NULL;
}

static const struct gsa_wrapped_key *find_key(const struct gsa_key_download *kd,
					      const struct gsa_data_sa *sa)
{
	for (size_t i = 0; i < kd->bag_count; i++)
		if (kd->bag[i].protocol == sa->protocol && kd->bag[i].spi == sa->spi)
			return &kd->bag[i].sa_key;
	return NULL;
}

static const char *decode_data_sa(const struct gsa_data_sa *sa, const struct gsa_key_download *kd,
				  const struct gsa_secret *gsk_w, Gsa__DataSa *to)
{
	const struct gsa_wrapped_key *wrapped = find_key(kd, sa);
	const char *wrong = NULL;
	struct gsa_secret key = {};
	size_t encryption, integrity;

	gsa__data_sa__init(to);
	to->spi = sa->spi;
	to->encryption = sa->encryption;
	to->encryption_key_bits = sa->encryption_key_bits;
	to->integrity = sa->integrity;
	to->sequence_numbers = sa->sequence_numbers;
	to->lifetime_s = sa->has_lifetime ? sa->lifetime_s : 0;
	if (!wrapped)
		return "an SA without a key";
	if (wrapped->key_id != 0 || wrapped->key_wrap_key_id != 0)
		return "a key that is not wrapped under the IKE_SA's own key";
	if (!gsa_key_unwrap(gsa_key_wrap_by_key_size(gsk_w->length), gsk_w, wrapped->cipher,
			    wrapped->cipher_length, &key))
		return "a key that does not unwrap";
	if (!gsa_data_sa_key_sizes(sa, &encryption, &integrity) ||
	    key.length != encryption + integrity)
		wrong = "a key of the wrong size";
	else if (!(to->key.data = malloc(key.length)))
		wrong = "out of memory";
	if (!wrong) {
		memcpy(to->key.data, key.data, key.length);
		to->key.len = key.length;
	}
	gsa_secret_clear(&key);
	return wrong;
}

static Gsa__GroupSa *decode_group(const struct gsa_policy *policy,
				  const struct gsa_key_download *kd)
{
	Gsa__GroupSa *to = malloc_thing(Gsa__GroupSa);

	gsa__group_sa__init(to);
	to->activation_delay_s = policy->has_activation_delay ? policy->activation_delay_s : 0;
	to->deactivation_delay_s =
		policy->has_deactivation_delay ? policy->deactivation_delay_s : 0;
	to->sender_id_bits = policy->has_sender_id_bits ? policy->sender_id_bits : 0;
	to->data_sa = calloc(policy->data_sa_count, sizeof(*to->data_sa));
	if (kd->sender_id_count) {
		to->sender_id = calloc(kd->sender_id_count, sizeof(*to->sender_id));
		to->n_sender_id = kd->sender_id_count;
		for (size_t i = 0; i < kd->sender_id_count; i++)
			to->sender_id[i] = kd->sender_id[i];
	}
	return to;
}

static uint16_t decode(chunk_t policy_body, chunk_t key_download, const struct gsa_secret *gsk_w,
		       Gsa__GroupSa **group_sa, const char **reason)
{
	struct gsa_policy policy;
	struct gsa_key_download kd;
	Gsa__GroupSa *to;

	if (!gsa_policy_decode(policy_body.ptr, policy_body.len, &policy, reason))
		return GSA_NOTIFY_REGISTRATION_FAILED;
	if (policy.has_rekey_sa || !policy.data_sa_count) {
		*reason = policy.has_rekey_sa ? "a Rekey SA, multicast rekey is not supported"
					      : "no Data-Security SA";
		return GSA_NOTIFY_NO_PROPOSAL_CHOSEN;
	}
	for (size_t i = 0; i < policy.data_sa_count; i++) {
		*reason = unusable(&policy.data_sa[i]);
		if (*reason)
			return GSA_NOTIFY_NO_PROPOSAL_CHOSEN;
	}
	if (!gsa_key_download_decode(key_download.ptr, key_download.len, &kd, reason))
		return GSA_NOTIFY_REGISTRATION_FAILED;

	to = decode_group(&policy, &kd);
	for (size_t i = 0; i < policy.data_sa_count; i++) {
		to->data_sa[i] = malloc_thing(Gsa__DataSa);
		to->n_data_sa++;
		*reason = decode_data_sa(&policy.data_sa[i], &kd, gsk_w, to->data_sa[i]);
		if (*reason) {
			gsa_group_sa_free(to);
			return GSA_NOTIFY_REGISTRATION_FAILED;
		}
	}
	*group_sa = to;
	return 0;
}

/* Both or, as a reason, what is missing. */
static const char *find_bodies(message_t *message, chunk_t *policy, chunk_t *key_download)
{
	*policy = gsa_payload_find(message, GSA_PAYLOAD_GSA);
	*key_download = gsa_payload_find(message, GSA_PAYLOAD_KD);
	if (!policy->len)
		return "there is no GSA payload";
	return key_download->len ? NULL : "there is no KD payload";
}

uint16_t gsa_group_sa_take(ike_sa_t *ike_sa, message_t *message, Gsa__GroupSa **group_sa,
			   const char **reason)
{
	chunk_t policy, key_download;
	struct gsa_secret gsk_w;
	uint16_t notify;

	*group_sa = NULL;
	*reason = find_bodies(message, &policy, &key_download);
	if (*reason)
		return GSA_NOTIFY_REGISTRATION_FAILED;
	/* the other mode, a tunnel that preserves addresses, is not what gateways need */
	if (!message->get_notify(message, USE_TRANSPORT_MODE)) {
		*reason = "tunnel mode with address preservation";
		return GSA_NOTIFY_NO_PROPOSAL_CHOSEN;
	}
	if (!gsa_keys_wrap_key(ike_sa, &gsk_w)) {
		*reason = "there is no key wrap key for this IKE_SA";
		return GSA_NOTIFY_REGISTRATION_FAILED;
	}
	notify = decode(policy, key_download, &gsk_w, group_sa, reason);
	gsa_secret_clear(&gsk_w);
	if (!notify)
		(*group_sa)->group = gsa_group_identifier(message);
	return notify;
}

void gsa_group_sa_free(Gsa__GroupSa *group_sa)
{
	gsa_held_free_export(group_sa);
}
