// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policy server: the groups that this key server serves and who may join them.
 * Pure: no I/O, no clock.  Filled by the northbound callbacks (northbound_group.c).
 */
#ifndef GCKS_POLICY_H
#define GCKS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/gsa.pb-c.h"

/* The numbers are those of YANG's enumerations. */
enum gcks_sharing { GCKS_SHARING_GROUP, GCKS_SHARING_PAIRWISE };
enum gcks_cipher {
	GCKS_CIPHER_AES256CBC_SHA256,
	GCKS_CIPHER_AES128CBC_SHA256,
	GCKS_CIPHER_AES256GCM16, /* this one and the rest: `pairwise` only */
	GCKS_CIPHER_AES128GCM16,
	GCKS_CIPHER_CHACHA20POLY1305,
};

struct gcks_pattern {
	struct gcks_pattern *next;
	char *text;
};

struct gcks_group {
	struct gcks_group *next; /* sorted by name */
	char *name;		 /* 1..64 octets, also the IDg */
	uint32_t identifier;	 /* 0: not configured yet, the group is not served */
	Gsa__Credential credential; /* UNSPECIFIED: any */
	char *ca;		    /* subject of the CA needed, NULL: any */
	struct gcks_pattern *permit, *deny;
	enum gcks_sharing sharing;
	enum gcks_cipher cipher;
	uint32_t maximum_members;
	uint32_t registration_hold_time_s;

	/* data keys */
	uint32_t lifetime_data_s;	      /* hard lifetime of an SA */
	bool rekey_on_join, rekey_on_leave;
	uint16_t activation_delay_s;	      /* from delivery to sending with a new SA (GWP_ATD) */
	uint16_t deactivation_delay_s;	      /* from then to the end of the old SA (GWP_DTD) */
	uint8_t sender_id_bits;		      /* `pairwise`: 8, 12 or 16 */
	/* rekeying in band */
	uint32_t rekey_in_flight;	      /* members told at the same time */
	uint32_t rekey_missed_maximum;	      /* rekeys in a row that a member may miss; 0: any number */
};

#define GCKS_LIFETIME_DATA_S	   3600
#define GCKS_ACTIVATION_DELAY_S	   5
#define GCKS_DEACTIVATION_DELAY_S  10
#define GCKS_SENDER_ID_BITS	   16
#define GCKS_REKEY_IN_FLIGHT	   64
#define GCKS_REKEY_MISSED_MAXIMUM  3

struct gcks_policy {
	struct gcks_group *groups;
};

/* May members that share an SA in this way use the cipher?  One key for many senders and a counter mode repeat nonces. */
bool gcks_cipher_fits(enum gcks_sharing sharing, enum gcks_cipher cipher);
/* What is used where none is configured. */
enum gcks_cipher gcks_cipher_default(enum gcks_sharing sharing);
/*
 * Twice the delays, so that there is a time with one SA only between two rekeys: the least lifetime
 * is one second more.
 */
uint32_t gcks_lifetime_data_minimum(uint32_t activation_delay_s, uint32_t deactivation_delay_s);

struct gcks_group *gcks_policy_find(const struct gcks_policy *policy, const char *name);
struct gcks_group *gcks_policy_find_identifier(const struct gcks_policy *policy, uint32_t identifier);
/* Create (with the defaults) or return the one that exists.  NULL: no memory. */
struct gcks_group *gcks_policy_add(struct gcks_policy *policy, const char *name);
void gcks_policy_remove(struct gcks_policy *policy, struct gcks_group *group);
void gcks_policy_clear(struct gcks_policy *policy);

/* NULL: no memory. */
struct gcks_pattern *gcks_pattern_new(const char *text);
void gcks_pattern_free(struct gcks_pattern *pattern);
/* At the end; adopts the pattern, which is freed if the list has one like it. */
void gcks_pattern_insert(struct gcks_pattern **list, struct gcks_pattern *pattern);
void gcks_pattern_remove(struct gcks_pattern **list, const char *text);

/*
 * Does `identity` (as strongSwan prints it) match `pattern`?  Case-insensitive.  `*` alone matches
 * everything; `*.domain` and `*@domain` match what ends so (at least one
 * character before) and is no DN; a DN pattern ("C=DE, O=Blue, CN=*") matches RDN by RDN, `*` a whole value.
 */
bool gcks_identity_matches(const char *pattern, const char *identity);
/* The same DN?  Blanks around commas and the case of types do not matter, that of values does. */
bool gcks_dn_equal(const char *a, const char *b);

/* The verdict on one request: 0 or an error notify, and a reason for the log. */
struct gcks_verdict {
	uint16_t notify;
	char reason[256];
};

/*
 * May this peer join?  *group is NULL only where the group is not known or not served.
 * Unknown group -> 45, the rest -> 46 (RFC 9838 §4.7). deny wins over permit; without a
 * permit nobody may join.
 */
struct gcks_verdict gcks_policy_decide(const struct gcks_policy *policy, const char *group_name,
				       size_t group_name_length, uint32_t group_id_type,
				       const Gsa__Peer *peer, struct gcks_group **group);
/*
 * Would it still be allowed (after a change of configuration)?  Of the peer identity,
 * credential and CAs count.  *reason: until the next call.
 */
bool gcks_policy_allows(const struct gcks_group *group, const Gsa__Peer *peer,
			const char **reason);

#endif
