// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/ike/ike.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUTH_SHARED_KEY	 2
#define AUTH_ECDSA_256	 9 /* RFC 4754 */
#define CERTIFICATE_X509 4

static void put_identification(struct ike_chain *chain, uint8_t payload, uint8_t type,
			       const char *name, uint8_t *body, size_t *length)
{
	*length = 4 + strlen(name);
	memset(body, 0, 4);
	body[0] = type;
	memcpy(body + 4, name, *length - 4);
	ike_chain_add(chain, payload, body, *length);
}

/* ---- requests ---- */

void ike_start(struct ike_sa *sa, const uint8_t spi[8])
{
	/* ENCR 20 with 256 bits, PRF 5, group 19; with KWA 3 (KW_5649_256), and without */
	static const uint8_t proposals[] = {
		2, 0, 0, 44, 1, 1, 0, 4,
		3, 0, 0, 12, 1, 0, 0, 20, 0x80, 14, 1, 0,
		3, 0, 0, 8, 2, 0, 0, 5,
		3, 0, 0, 8, 4, 0, 0, 19,
		0, 0, 0, 8, 13, 0, 0, 3,
		0, 0, 0, 36, 2, 1, 0, 3,
		3, 0, 0, 12, 1, 0, 0, 20, 0x80, 14, 1, 0,
		3, 0, 0, 8, 2, 0, 0, 5,
		0, 0, 0, 8, 4, 0, 0, 19,
	};
	static struct ike_chain chain;
	uint8_t exchange[4 + 64] = { 0, 19 };

	chain.length = 0;
	memcpy(sa->spi_i, spi, sizeof(sa->spi_i));
	memset(sa->spi_r, 0, sizeof(sa->spi_r));
	ike_random(sa->nonce_i, sizeof(sa->nonce_i));
	sa->dh = ike_dh_new(exchange + 4);
	ike_chain_add(&chain, PAYLOAD_SA, proposals, sizeof(proposals));
	ike_chain_add(&chain, PAYLOAD_KE, exchange, sizeof(exchange));
	ike_chain_add(&chain, PAYLOAD_NONCE, sa->nonce_i, sizeof(sa->nonce_i));
	sa->id = 0;
	sa->request_length = ike_clear(sa, IKE_SA_INIT, FLAG_INITIATOR, 0, &chain, sa->request);
	sa->init = malloc(sa->request_length);
	if (!sa->init)
		abort();
	memcpy(sa->init, sa->request, sa->request_length);
	sa->init_length = sa->request_length;
	sa->state = IKE_INIT_SENT;
}

static void put_certificate(struct ike_chain *chain, const struct ike_config *config)
{
	uint8_t body[IKE_PACKET] = { CERTIFICATE_X509 };

	if (config->certificate_length >= sizeof(body))
		abort();
	memcpy(body + 1, config->certificate, config->certificate_length);
	ike_chain_add(chain, PAYLOAD_CERT, body, 1 + config->certificate_length);
}

static void put_signature(struct ike_chain *chain, const struct ike_part parts[3])
{
	uint8_t auth[4 + IKE_SIGNATURE] = { AUTH_ECDSA_256 };

	ike_sign(parts, 3, auth + 4);
	ike_chain_add(chain, PAYLOAD_AUTH, auth, sizeof(auth));
}

static void put_shared_key(struct ike_chain *chain, const struct ike_config *config,
			   const struct ike_part parts[3])
{
	uint8_t auth[4 + PRF_LENGTH] = { AUTH_SHARED_KEY }, key[PRF_LENGTH];

	ike_prf(config->secret, strlen(config->secret), &(struct ike_part){ "Key Pad for IKEv2", 17 },
		1, key);
	ike_prf(key, sizeof(key), parts, 3, auth + 4);
	ike_chain_add(chain, PAYLOAD_AUTH, auth, sizeof(auth));
}

/* RFC 7296 §2.15 */
void ike_authentication(const struct ike_sa *sa, const struct ike_config *config,
			struct ike_chain *chain)
{
	uint8_t own[4 + 256], peer[4 + 256], digest[PRF_LENGTH];
	const struct ike_part signed_parts[] = { { sa->init, sa->init_length },
						 { sa->nonce_r, sa->nonce_r_length },
						 { digest, sizeof(digest) } };
	size_t own_length, peer_length;

	chain->length = 0;
	put_identification(chain, PAYLOAD_IDI, ID_FQDN, config->identity, own, &own_length);
	if (config->certificate)
		put_certificate(chain, config);
	put_identification(chain, PAYLOAD_IDR, ID_FQDN, config->server_identity, peer,
			   &peer_length);
	ike_prf(sa->pi, sizeof(sa->pi), &(struct ike_part){ own, own_length }, 1, digest);
	if (config->certificate)
		put_signature(chain, signed_parts);
	else
		put_shared_key(chain, config, signed_parts);
}

void ike_authenticate(struct ike_sa *sa, const struct ike_config *config)
{
	static struct ike_chain chain;

	ike_authentication(sa, config, &chain);
	if (config->gsa_auth)
		ike_registration_add(config, &chain);
	sa->request_length = ike_protect(sa, config->gsa_auth ? GSA_AUTH : IKE_AUTH, FLAG_INITIATOR,
					 sa->id, &chain, sa->request);
	sa->state = IKE_AUTH_SENT;
}

void ike_registration_add(const struct ike_config *config, struct ike_chain *chain)
{
	static const uint8_t one[4] = { 0, 0, 0, 1 };
	uint8_t body[4 + 256];
	size_t length;

	put_identification(chain, PAYLOAD_IDG, ID_KEY_ID, config->group, body, &length);
	if (config->sender)
		ike_chain_notify(chain, NOTIFY_GROUP_SENDER, one, sizeof(one));
}

void ike_registration(const struct ike_config *config, struct ike_chain *chain)
{
	chain->length = 0;
	ike_registration_add(config, chain);
}

void ike_register(struct ike_sa *sa, const struct ike_config *config)
{
	static struct ike_chain chain;

	ike_registration(config, &chain);
	sa->request_length =
		ike_protect(sa, GSA_REGISTRATION, FLAG_INITIATOR, sa->id, &chain, sa->request);
	sa->state = IKE_REGISTERING;
}

void ike_probe(struct ike_sa *sa)
{
	static const struct ike_chain nothing;

	sa->request_length =
		ike_protect(sa, INFORMATIONAL, FLAG_INITIATOR, sa->id, &nothing, sa->request);
	sa->state = IKE_PROBING;
}

/* ---- what comes ---- */

/* RFC 7296 §2.14 */
static bool derive_keys(struct ike_sa *sa, const struct ike_payload *exchange)
{
	uint8_t nonces[sizeof(sa->nonce_i) + sizeof(sa->nonce_r)], shared[32], seed[PRF_LENGTH];
	uint8_t stream[32 + 36 + 36 + 32 + 32], *at = stream;
	size_t length = sizeof(sa->nonce_i) + sa->nonce_r_length;

	if (exchange->length < 4 ||
	    !ike_dh_shared(sa->dh, exchange->body + 4, exchange->length - 4, shared))
		return false;
	memcpy(nonces, sa->nonce_i, sizeof(sa->nonce_i));
	memcpy(nonces + sizeof(sa->nonce_i), sa->nonce_r, sa->nonce_r_length);
	ike_prf(nonces, length, &(struct ike_part){ shared, sizeof(shared) }, 1, seed);
	ike_prf_plus(seed,
		     (struct ike_part[]){ { nonces, length },
					  { sa->spi_i, sizeof(sa->spi_i) },
					  { sa->spi_r, sizeof(sa->spi_r) } },
		     3, stream, sizeof(stream));
	memcpy(sa->d, at, 32);
	memcpy(sa->ei, at + 32, 36);
	memcpy(sa->er, at + 68, 36);
	memcpy(sa->pi, at + 104, 32);
	memcpy(sa->pr, at + 136, 32);
	sa->has_keys = true;
	return true;
}

static void refuse(struct ike_sa *sa, uint16_t error)
{
	sa->error = error;
	sa->state = IKE_REFUSED;
}

static void take_init(struct ike_sa *sa, const struct ike_message *message, const uint8_t *packet)
{
	struct ike_payload nonce, exchange;
	uint16_t error = ike_error(message);

	if (error || !ike_find(message, PAYLOAD_NONCE, &nonce) ||
	    nonce.length > sizeof(sa->nonce_r) || !ike_find(message, PAYLOAD_KE, &exchange)) {
		refuse(sa, error);
		return;
	}
	memcpy(sa->spi_r, packet + 8, sizeof(sa->spi_r));
	memcpy(sa->nonce_r, nonce.body, nonce.length);
	sa->nonce_r_length = nonce.length;
	if (derive_keys(sa, &exchange)) {
		sa->state = IKE_INIT_DONE;
		sa->id = 1;
	} else {
		refuse(sa, 0);
	}
	EVP_PKEY_free(sa->dh);
	sa->dh = NULL;
}

static enum ike_event take_answer(struct ike_sa *sa, const struct ike_message *message,
				  const uint8_t *packet)
{
	struct ike_payload found;

	if (message->id != sa->id)
		return IKE_OTHER;
	switch (sa->state) {
	case IKE_INIT_SENT:
		take_init(sa, message, packet);
		return IKE_PROGRESS;
	case IKE_AUTH_SENT:
		if (!message->encrypted)
			return IKE_NOTHING;
		if (!ike_find(message, PAYLOAD_AUTH, &found))
			refuse(sa, ike_error(message));
		else if (message->exchange != GSA_AUTH)
			sa->state = IKE_UP;
		else if (ike_find(message, PAYLOAD_GSA, &found) &&
			 ike_find(message, PAYLOAD_KD, &found))
			sa->state = IKE_REGISTERED;
		else
			refuse(sa, ike_error(message));
		sa->id++;
		return IKE_PROGRESS;
	case IKE_REGISTERING:
		if (!message->encrypted)
			return IKE_NOTHING;
		if (ike_find(message, PAYLOAD_GSA, &found) && ike_find(message, PAYLOAD_KD, &found))
			sa->state = IKE_REGISTERED;
		else
			refuse(sa, ike_error(message));
		sa->id++;
		return IKE_PROGRESS;
	case IKE_PROBING:
		if (!message->encrypted)
			return IKE_NOTHING;
		sa->state = IKE_PROBED;
		sa->id++;
		return IKE_PROGRESS;
	default:
		return IKE_OTHER;
	}
}

static bool deletes_ike_sa(const struct ike_message *message)
{
	struct ike_payload payload;

	return ike_find(message, PAYLOAD_DELETE, &payload) && payload.length && payload.body[0] == 1;
}

/* Every request of the key server is answered by an empty message. */
static enum ike_event take_request(struct ike_sa *sa, const struct ike_message *message)
{
	static const struct ike_chain nothing;

	if (!message->encrypted)
		return IKE_NOTHING;
	if (sa->was_asked && message->id == sa->asked_id)
		return IKE_ASKED_AGAIN;
	sa->was_asked = true;
	sa->asked_id = message->id;
	sa->answer_length = ike_protect(sa, message->exchange, FLAG_INITIATOR | FLAG_RESPONSE,
					message->id, &nothing, sa->answer);
	if (deletes_ike_sa(message))
		sa->state = IKE_CLOSED;
	return IKE_ASKED;
}

static bool decode(const struct ike_sa *sa, const uint8_t *packet, size_t length, uint8_t *plain,
		   struct ike_message *message)
{
	const uint8_t *sk = packet + IKE_HEADER;
	size_t sealed;

	if (length < IKE_HEADER || memcmp(packet, sa->spi_i, 8) != 0)
		return false;
	*message = (struct ike_message){
		.first = packet[16],
		.exchange = packet[18],
		.flags = packet[19],
		.id = (uint32_t)packet[20] << 24 | packet[21] << 16 | packet[22] << 8 | packet[23],
		.payloads = packet + IKE_HEADER,
		.length = length - IKE_HEADER,
	};
	if (message->first != PAYLOAD_SK)
		return true;
	if (!sa->has_keys || length < IKE_HEADER + 4 + 8 + 1 + 16)
		return false;
	sealed = length - IKE_HEADER - 4 - 8;
	if (!ike_open(sa->er, sk + 4, packet, IKE_HEADER + 4, sk + 12, sealed, plain))
		return false;
	message->encrypted = true;
	message->first = sk[0];
	message->payloads = plain;
	message->length = sealed - 16 - 1;
	if (plain[message->length] > message->length)
		return false;
	message->length -= plain[message->length];
	return true;
}

enum ike_event ike_take(struct ike_sa *sa, const uint8_t *packet, size_t length, uint8_t *plain,
			struct ike_message *message)
{
	if (!decode(sa, packet, length, plain, message))
		return IKE_NOTHING;
	return message->flags & FLAG_RESPONSE ? take_answer(sa, message, packet)
					      : take_request(sa, message);
}

void ike_free(struct ike_sa *sa)
{
	EVP_PKEY_free(sa->dh);
	free(sa->init);
	memset(sa, 0, sizeof(*sa));
}
