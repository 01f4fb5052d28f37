// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A small IKEv2 initiator (RFC 7296) for tests that need thousands of members: IKE_SA_INIT,
 * childless IKE_AUTH (RFC 6023) with a pre-shared key or a certificate, GSA_REGISTRATION, and answers to what the
 * key server asks.  AES-GCM-256, HMAC-SHA-256, P-256, key wrap by AES-256 (RFC 5649).
 * Shares no code with what it tests.  Never blocks: whoever uses it sends `request` and gives it what comes.
 *
 *   crypto.c      PRF, ECDH, AEAD, key unwrap
 *   certificate.c members with certificates
 *   message.c     payload chains, protection
 *   initiator.c   one IKE_SA
 *   program.c     what the programs share: options, socket
 *   load.c        program: many members (benches)
 *   hold.c        program: one member that asks for the same again and again
 *   mutate.c      program: malformed and untimely messages (robustness); scenarios.c: what
 *                 it sends, mutation.c: changes to payloads and packets, fragments.c: messages in
 *                 fragments that are not in order
 */
#ifndef TESTS_IKE_H
#define TESTS_IKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

enum { IKE_SA_INIT = 34, IKE_AUTH = 35, INFORMATIONAL = 37, GSA_AUTH = 39, GSA_REGISTRATION = 40,
       GSA_REKEY = 41, GSA_INBAND_REKEY = 42 };
enum { PAYLOAD_SA = 33, PAYLOAD_KE = 34, PAYLOAD_IDI = 35, PAYLOAD_IDR = 36, PAYLOAD_CERT = 37,
       PAYLOAD_AUTH = 39,
       PAYLOAD_NONCE = 40, PAYLOAD_NOTIFY = 41, PAYLOAD_DELETE = 42, PAYLOAD_SK = 46,
       PAYLOAD_IDG = 50, PAYLOAD_GSA = 51, PAYLOAD_KD = 52, PAYLOAD_SKF = 53 };
enum { NOTIFY_REGISTRATION_FAILED = 49, NOTIFY_GROUP_SENDER = 16429 };
enum { ID_FQDN = 2, ID_KEY_ID = 11 };
enum { FLAG_INITIATOR = 0x08, FLAG_RESPONSE = 0x20 };

#define IKE_HEADER  28
#define IKE_PACKET  4096  /* of what is sent */
#define IKE_MESSAGE 65536 /* of what may come */
#define PRF_LENGTH  32
#define IKE_SIGNATURE 64

/* ---- crypto.c ---- */

struct ike_part {
	const void *data;
	size_t length;
};

void ike_prf(const void *key, size_t key_length, const struct ike_part *parts, size_t count,
	     uint8_t out[PRF_LENGTH]);
void ike_prf_plus(const uint8_t key[PRF_LENGTH], const struct ike_part *seed, size_t count,
		  uint8_t *out, size_t length);
void ike_random(void *out, size_t length);
/* A key of P-256, and its public part as KE has it. */
EVP_PKEY *ike_dh_new(uint8_t public_value[64]);
bool ike_dh_shared(EVP_PKEY *own, const uint8_t *peer, size_t length, uint8_t shared[32]);
/* AES-256-GCM with an ICV of 16 octets; key is 32 octets, then 4 of salt (RFC 5282). */
void ike_seal(const uint8_t key[36], const uint8_t vector[8], const void *head, size_t head_length,
	      const uint8_t *plain, size_t length, uint8_t *out);
bool ike_open(const uint8_t key[36], const uint8_t vector[8], const void *head, size_t head_length,
	      const uint8_t *sealed, size_t length, uint8_t *plain);
/* RFC 5649; the length of what was wrapped, 0: not wrapped under this key. */
size_t ike_unwrap(const uint8_t key[32], const uint8_t *wrapped, size_t length, uint8_t *out);

/* ---- certificate.c ---- */

/* Who issues certificates, PEM.  Before the functions below. */
void ike_certificates_open(const char *ca, const char *ca_key);
/* One of a member, DER, to be freed with OPENSSL_free(). */
uint8_t *ike_certificate(const char *identity, size_t *length);
/* By the key that is in all of them: ECDSA with SHA-256 on P-256. */
void ike_sign(const struct ike_part *parts, size_t count, uint8_t out[IKE_SIGNATURE]);

/* ---- message.c ---- */

/* Payloads, one after the other. */
struct ike_chain {
	uint8_t first;
	size_t length, last; /* where the last payload begins */
	uint8_t data[IKE_PACKET];
};

void ike_chain_add(struct ike_chain *chain, uint8_t type, const void *body, size_t length);
void ike_chain_notify(struct ike_chain *chain, uint16_t type, const void *data, size_t length);

/* A message that came. */
struct ike_message {
	uint8_t exchange, flags, first;
	uint32_t id;
	bool encrypted;
	size_t length;		/* of the payloads */
	const uint8_t *payloads; /* decrypted */
};

/* The next payload; false: no more, or malformed.  Start with *at = 0 and *type = first. */
struct ike_payload {
	uint8_t type;
	const uint8_t *body;
	size_t length;
};
bool ike_next(const struct ike_message *message, size_t *at, uint8_t *type,
	      struct ike_payload *payload);
bool ike_find(const struct ike_message *message, uint8_t type, struct ike_payload *payload);
/* The first error notify, 0: none. */
uint16_t ike_error(const struct ike_message *message);

/* ---- initiator.c ---- */

enum ike_state { IKE_IDLE, IKE_INIT_SENT, IKE_INIT_DONE, IKE_AUTH_SENT, IKE_UP, IKE_REGISTERING,
		 IKE_REGISTERED, IKE_PROBING, IKE_PROBED, IKE_REFUSED, IKE_CLOSED };

struct ike_config {
	const char *identity, *server_identity, *secret;
	const char *group; /* IDg */
	bool sender;	   /* with GROUP_SENDER */
	bool gsa_auth;	   /* GSA_AUTH in place of IKE_AUTH and GSA_REGISTRATION */
	const uint8_t *certificate; /* in place of the secret */
	size_t certificate_length;
};

struct ike_sa {
	enum ike_state state;
	uint16_t error; /* why it was refused */
	uint8_t spi_i[8], spi_r[8];
	uint8_t nonce_i[32], nonce_r[256];
	size_t nonce_r_length;
	EVP_PKEY *dh;
	uint8_t *init; /* IKE_SA_INIT request, for AUTH */
	size_t init_length;
	bool has_keys;
	uint8_t d[32], pi[32], pr[32], ei[36], er[36];
	uint64_t sequence;
	/* our request that is under way */
	uint32_t id;
	size_t request_length;
	uint8_t request[IKE_PACKET];
	/* what the peer asked last, and our answer */
	bool was_asked;
	uint32_t asked_id;
	size_t answer_length;
	uint8_t answer[128];
};

/* What a packet meant. */
enum ike_event { IKE_NOTHING, IKE_PROGRESS /* the state is another one */, IKE_ASKED,
		 IKE_ASKED_AGAIN, IKE_OTHER /* an answer in a state that awaits none */ };

/* Each makes `request`; the caller sends it, and again until it is answered. */
void ike_start(struct ike_sa *sa, const uint8_t spi[8]);
void ike_authenticate(struct ike_sa *sa, const struct ike_config *config);
void ike_register(struct ike_sa *sa, const struct ike_config *config);
void ike_probe(struct ike_sa *sa); /* an empty INFORMATIONAL */
/*
 * Takes a packet of this IKE_SA.  With IKE_ASKED `answer` is to be sent.  `message` says what it
 * was; its payloads are in `plain`, of IKE_MESSAGE octets.
 */
enum ike_event ike_take(struct ike_sa *sa, const uint8_t *packet, size_t length, uint8_t *plain,
			struct ike_message *message);
void ike_free(struct ike_sa *sa);

/* For those who send what is not in order; octets written. */
size_t ike_clear(const struct ike_sa *sa, uint8_t exchange, uint8_t flags, uint32_t id,
		 const struct ike_chain *chain, uint8_t *out);
size_t ike_protect(struct ike_sa *sa, uint8_t exchange, uint8_t flags, uint32_t id,
		   const struct ike_chain *chain, uint8_t *out);

/* A part of a message's payloads (RFC 7383). */
struct ike_fragment {
	uint16_t number, total;
	uint8_t first; /* type of the message's first payload in number 1, else 0 */
	const uint8_t *data;
	size_t length;
	const struct ike_chain *clear; /* payloads before it that are not protected; NULL: none */
};
size_t ike_protect_fragment(struct ike_sa *sa, uint8_t exchange, uint8_t flags, uint32_t id,
			    const struct ike_fragment *fragment, uint8_t *out);

/* The payloads of a GSA_REGISTRATION. */
void ike_registration(const struct ike_config *config, struct ike_chain *chain);
void ike_registration_add(const struct ike_config *config, struct ike_chain *chain);
void ike_authentication(const struct ike_sa *sa, const struct ike_config *config,
			struct ike_chain *chain);

#endif
