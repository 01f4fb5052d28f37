// SPDX-License-Identifier: GPL-2.0-or-later
/* Who stands at the other end of an IKE_SA, as gcksd is told. */
#include "charon-gsa-plugin/gsa.h"

#include <ctype.h>

/* Printed; a longer one cannot be permitted by name. */
#define IDENTITY_MAX 1024

static char *print_identity(identification_t *identity)
{
	char text[IDENTITY_MAX];

	snprintf(text, sizeof(text), "%Y", identity);
	return strdup(text);
}

/*
 * Names that strongSwan compares without regard to case are told in one way, so that nobody is
 * another member, with a place and Sender-IDs of its own, by spelling its name in another way.
 */
static char *print_peer(identification_t *identity, auth_cfg_t *round)
{
	certificate_t *certificate = round ? round->get(round, AUTH_RULE_SUBJECT_CERT) : NULL;
	id_type_t type = identity->get_type(identity);
	char *text;

	/* of a distinguished name as the CA spells it */
	if (type == ID_DER_ASN1_DN && certificate &&
	    certificate->get_type(certificate) == CERT_X509)
		if (identity->equals(identity, certificate->get_subject(certificate)))
			identity = certificate->get_subject(certificate);
	text = print_identity(identity);
	if (type == ID_FQDN || type == ID_RFC822_ADDR)
		for (char *at = text; *at; at++)
			*at = tolower(*at);
	return text;
}

/* Subjects of the trust chain: intermediate CAs from the leaf up, then the root. */
static void add_authorities(Gsa__Peer *peer, auth_cfg_t *round)
{
	static const auth_rule_t rules[] = { AUTH_RULE_IM_CERT, AUTH_RULE_CA_CERT };

	for (size_t i = 0; i < countof(rules); i++) {
		enumerator_t *enumerator = round->create_enumerator(round);
		certificate_t *certificate;
		auth_rule_t rule;

		while (enumerator->enumerate(enumerator, &rule, &certificate)) {
			if (rule != rules[i])
				continue;
			peer->ca = realloc(peer->ca, (peer->n_ca + 1) * sizeof(*peer->ca));
			peer->ca[peer->n_ca++] =
				print_identity(certificate->get_subject(certificate));
		}
		enumerator->destroy(enumerator);
	}
}

static Gsa__Credential credential_of(auth_cfg_t *round)
{
	certificate_t *certificate;

	switch ((uintptr_t)round->get(round, AUTH_RULE_AUTH_CLASS)) {
	case AUTH_CLASS_PSK:
		return GSA__CREDENTIAL__CREDENTIAL_PSK;
	case AUTH_CLASS_EAP:
		return GSA__CREDENTIAL__CREDENTIAL_EAP;
	case AUTH_CLASS_PUBKEY:
		certificate = round->get(round, AUTH_RULE_SUBJECT_CERT);
		if (certificate && certificate->get_type(certificate) == CERT_X509)
			return GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE;
		if (certificate && certificate->get_type(certificate) == CERT_TRUSTED_PUBKEY)
			return GSA__CREDENTIAL__CREDENTIAL_PUBLIC_KEY;
	}
	return GSA__CREDENTIAL__CREDENTIAL_UNSPECIFIED;
}

/*
 * The identity is that of the last authentication round, so the credential is too.  If
 * charon was told to forget the rounds (flush_auth_cfg), none is known and gcksd refuses.
 */
Gsa__Peer *gsa_peer_create(ike_sa_t *ike_sa)
{
	host_t *host = ike_sa->get_other_host(ike_sa);
	chunk_t address = chunk_clone(host->get_address(host));
	Gsa__Peer *peer = malloc_thing(Gsa__Peer);
	enumerator_t *enumerator;
	auth_cfg_t *round, *last = NULL;

	gsa__peer__init(peer);
	peer->ike_sa = ike_sa->get_unique_id(ike_sa);
	peer->address.data = address.ptr;
	peer->address.len = address.len;
	peer->connection = strdup(ike_sa->get_name(ike_sa));
	enumerator = ike_sa->create_auth_cfg_enumerator(ike_sa, FALSE);
	while (enumerator->enumerate(enumerator, &round))
		last = round;
	peer->identity = print_peer(ike_sa->get_other_eap_id(ike_sa), last);
	if (last) {
		peer->credential = credential_of(last);
		if (peer->credential == GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE)
			add_authorities(peer, last);
	}
	enumerator->destroy(enumerator);
	return peer;
}
