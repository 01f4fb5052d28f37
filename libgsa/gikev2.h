// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * G-IKEv2 payload bodies (RFC 9838 §4): IDg, GSA, KD, without the generic payload
 * header.  Decoders accept what the RFC allows and name what they refuse; they
 * neither decrypt nor decide.  Keys appear here only wrapped (keywrap.h).
 */
#ifndef LIBGSA_GIKEV2_H
#define LIBGSA_GIKEV2_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keywrap.h"

/* Payload types, protocol ids */
enum { GSA_PAYLOAD_SAG = 33, GSA_PAYLOAD_IDG = 50, GSA_PAYLOAD_GSA = 51, GSA_PAYLOAD_KD = 52 };
enum { GSA_PROTOCOL_AH = 2, GSA_PROTOCOL_ESP = 3, GSA_PROTOCOL_GIKE_UPDATE = 6 };

/* Notify message types */
enum { GSA_NOTIFY_NO_PROPOSAL_CHOSEN = 14, GSA_NOTIFY_INVALID_GROUP_ID = 45,
       GSA_NOTIFY_AUTHORIZATION_FAILED = 46, GSA_NOTIFY_REGISTRATION_FAILED = 49,
       GSA_NOTIFY_GROUP_SENDER = 16429,
       /* private use: the group's 32-bit identifier in BGP (4 octets), sent with a GSA */
       GSA_NOTIFY_GROUP_IDENTIFIER = 40970 };

/* Transform types and ids that group policies use */
enum { GSA_TRANSFORM_ENCR = 1, GSA_TRANSFORM_INTEG = 3, GSA_TRANSFORM_SN = 5,
       GSA_TRANSFORM_KWA = 13, GSA_TRANSFORM_GCAUTH = 14 };
enum { GSA_ENCR_AES_CBC = 12, GSA_ENCR_AES_GCM_16 = 20, GSA_ENCR_CHACHA20_POLY1305 = 28 };
enum { GSA_INTEG_NONE = 0, GSA_INTEG_HMAC_SHA2_256_128 = 12, GSA_INTEG_HMAC_SHA2_384_192 = 13,
       GSA_INTEG_HMAC_SHA2_512_256 = 14 };
enum { GSA_SN_SEQUENTIAL_32 = 0, GSA_SN_ESN_64 = 1, GSA_SN_UNSPECIFIED_32 = 2,
       GSA_SN_PAIRWISE_32 = 0xf001 /* private use: pairwise.h */ };

/* IDg: identification type (RFC 7296 §3.5) and data */
enum { GSA_ID_KEY_ID = 11 };
#define GSA_GROUP_NAME_MAX 64 /* octets; what we accept as ID_KEY_ID */

struct gsa_idg {
	uint8_t type;
	const uint8_t *data; /* borrowed from the decoded buffer */
	size_t length;
};

/* A traffic selector (RFC 7296 §3.13.1): one address range */
struct gsa_traffic_selector {
	uint8_t family;   /* AF_INET or AF_INET6 */
	uint8_t protocol; /* 0: any */
	uint16_t port_from, port_to;
	uint8_t from[16], to[16]; /* network order, 4 octets used for AF_INET */
};

/* GSA policy of one Data-Security SA (§4.4.2) */
struct gsa_data_sa {
	uint8_t protocol; /* ESP or AH */
	uint32_t spi;	  /* host order; 0 to 255 are reserved */
	struct gsa_traffic_selector source, destination;
	uint16_t encryption;	      /* ENCR id */
	uint16_t encryption_key_bits; /* Key Length attribute, 0: absent */
	uint16_t integrity;	      /* INTEG id, GSA_INTEG_NONE: absent or NONE */
	uint16_t sequence_numbers;    /* SN id */
	bool has_lifetime;
	uint32_t lifetime_s; /* GSA_KEY_LIFETIME, not 0 */
};

#define GSA_DATA_SA_MAX 8
struct gsa_policy {
	struct gsa_data_sa data_sa[GSA_DATA_SA_MAX];
	size_t data_sa_count;
	bool has_rekey_sa; /* a Rekey SA policy was present (decoded no further yet) */
	/* group-wide policy (§4.4.3), values in seconds and bits */
	bool has_activation_delay, has_deactivation_delay, has_sender_id_bits;
	uint16_t activation_delay_s, deactivation_delay_s, sender_id_bits;
};

/* One wrapped key (§4.5.4) */
struct gsa_wrapped_key {
	uint32_t key_id, key_wrap_key_id;
	uint8_t cipher[GSA_WRAP_CIPHER_MAX];
	size_t cipher_length;
};

/* KD (§4.5): a group key bag for each Data-Security SA, and at most one member bag */
struct gsa_group_key_bag {
	uint8_t protocol;
	uint32_t spi; /* host order */
	struct gsa_wrapped_key sa_key;
};

#define GSA_SENDER_ID_MAX 16
struct gsa_key_download {
	struct gsa_group_key_bag bag[GSA_DATA_SA_MAX];
	size_t bag_count;
	bool has_rekey_bag; /* a GIKE_UPDATE bag was present (decoded no further yet) */
	uint32_t sender_id[GSA_SENDER_ID_MAX];
	size_t sender_id_count;
	/*
	 * For the encoder: GWP_SENDER_ID_BITS of the policy, each GM_SENDER_ID takes the
	 * fewest octets that hold so many bits; 0: 4 octets.  The decoder takes 1 to 4
	 * octets and leaves 0 here.
	 */
	uint16_t sender_id_bits;
};

/*
 * Decoders: true, or false with *reason pointing to a static string that names the
 * field; what they were to fill is not to be used then.  Encoders: octets written, 0
 * when `capacity` is short or a value is not encodable: one that the decoder would
 * refuse, or a Rekey SA, of which only the presence is known.
 *
 * Reserved octets and unknown attributes are ignored.  An unknown protocol, transform
 * type or transform attribute is refused (RFC 7296 §3.3.6): it may restrict the SA in a
 * way that we would not keep to.
 */
bool gsa_idg_decode(const uint8_t *body, size_t length, struct gsa_idg *idg, const char **reason);
size_t gsa_idg_encode(const struct gsa_idg *idg, uint8_t *out, size_t capacity);

bool gsa_policy_decode(const uint8_t *body, size_t length, struct gsa_policy *policy,
		       const char **reason);
size_t gsa_policy_encode(const struct gsa_policy *policy, uint8_t *out, size_t capacity);

bool gsa_key_download_decode(const uint8_t *body, size_t length, struct gsa_key_download *kd,
			     const char **reason);
size_t gsa_key_download_encode(const struct gsa_key_download *kd, uint8_t *out, size_t capacity);

/*
 * Octets of keying material that a Data-Security SA takes (§3.4): encryption key
 * (with the salt of a counter mode) followed by the integrity key.  False: an
 * algorithm or key length that we do not know.
 */
bool gsa_data_sa_key_sizes(const struct gsa_data_sa *sa, size_t *encryption, size_t *integrity);

/* That of the encryption key alone; 0 also when the SA has none (AH). */
size_t gsa_data_sa_encryption_key_size(const struct gsa_data_sa *sa);

/* A cipher whose nonces several senders under one key would repeat (RFC 6054)? */
bool gsa_data_sa_counter_mode(const struct gsa_data_sa *sa);

#endif
