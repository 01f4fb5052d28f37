// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/names.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *gcks_credential_name(Gsa__Credential credential)
{
	switch (credential) {
	case GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE:
		return "certificate";
	case GSA__CREDENTIAL__CREDENTIAL_PSK:
		return "psk";
	case GSA__CREDENTIAL__CREDENTIAL_PUBLIC_KEY:
		return "public-key";
	case GSA__CREDENTIAL__CREDENTIAL_EAP:
		return "eap";
	default:
		return NULL;
	}
}

const char *gcks_sharing_name(enum gcks_sharing sharing)
{
	switch (sharing) {
	case GCKS_SHARING_GROUP:
		return "group";
	case GCKS_SHARING_PAIRWISE:
		return "pairwise";
	}
	return NULL;
}

const char *gcks_notify_name(uint16_t notify)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = {
		{ 7, "INVALID_SYNTAX" },
		{ GSA_NOTIFY_NO_PROPOSAL_CHOSEN, "NO_PROPOSAL_CHOSEN" },
		{ 24, "AUTHENTICATION_FAILED" },
		{ GSA_NOTIFY_INVALID_GROUP_ID, "INVALID_GROUP_ID" },
		{ GSA_NOTIFY_AUTHORIZATION_FAILED, "AUTHORIZATION_FAILED" },
		{ GSA_NOTIFY_REGISTRATION_FAILED, "REGISTRATION_FAILED" },
	};

	for (size_t i = 0; i < COUNT(names); i++)
		if (names[i].type == notify)
			return names[i].name;
	return NULL;
}

const char *gcks_transforms_name(uint16_t encryption, uint16_t encryption_key_bits,
				 uint16_t integrity)
{
	static char numbers[64];

	for (int cipher = 0; gcks_cipher_name(cipher); cipher++) {
		struct gcks_sa sa = {};

		gcks_cipher_transforms(cipher, &sa);
		if (sa.encryption == encryption && sa.integrity == integrity &&
		    sa.encryption_key_bits == encryption_key_bits)
			return gcks_cipher_name(cipher);
	}
	snprintf(numbers, sizeof(numbers), "encryption-%u-%u-integrity-%u", encryption,
		 encryption_key_bits, integrity);
	return numbers;
}

const char *gcks_membership_state_name(Gsa__MembershipState state)
{
	switch (state) {
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED:
		return "registered";
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED:
		return "refused";
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED:
		return "excluded";
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST:
		return "lost";
	default:
		return "connecting";
	}
}

const char *gcks_membership_status_name(const struct gcks_membership *membership)
{
	if (!membership->connection_count || !membership->gateway.length)
		return "not-configured";
	return gcks_membership_state_name(membership->state);
}

const char *gcks_delivery_name(enum gcks_delivery delivery)
{
	static const char *const names[GCKS_DELIVERIES] = {
		[GCKS_DELIVERY_CURRENT] = "current",
		[GCKS_DELIVERY_WAITING] = "waiting",
		[GCKS_DELIVERY_IN_FLIGHT] = "in-flight",
		[GCKS_DELIVERY_UNANSWERED] = "unanswered",
	};

	return names[delivery];
}

const char *gcks_mode_name(enum gcks_mode mode)
{
	switch (mode) {
	case GCKS_MODE_FAIL_CLOSED:
		return "fail-closed";
	case GCKS_MODE_RECEIVE_ONLY:
		return "receive-only";
	case GCKS_MODE_PASSIVE:
		return "passive";
	}
	return NULL;
}

const char *gcks_initial_exchange_name(bool gsa_auth)
{
	return gsa_auth ? "gsa-auth" : "ike-auth";
}

/* A window over the numbers of many senders would drop all but one of them. */
const char *gcks_replay_protection_name(const struct gcks_member_sa *sa)
{
	return sa->pairwise ? "window per sender" : "none (shared by all senders)";
}

const char *gcks_sa_phase_name(enum gcks_sa_phase phase)
{
	switch (phase) {
	case GCKS_SA_ARRIVED:
		return "arrived";
	case GCKS_SA_ACTIVE:
		return "active";
	case GCKS_SA_RETIRING:
		return "retiring";
	}
	return NULL;
}
