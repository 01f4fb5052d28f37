// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GSK_w, the default key wrap key of an IKE_SA (RFC 9838 §3.1.1).  It follows from SK_d:
 * an IKE_SA that was rekeyed has another one, so it is derived for each message and never kept.
 *
 * Its algorithm is negotiated in IKE_SA_INIT, and again when the IKE_SA is rekeyed (§4.5.4).
 * Without one there is no key: what a peer that never heard of key wrapping would unwrap with is
 * anybody's guess, unless charon.plugins.gsa.key_wrap_default says which it is.
 */
#include "charon-gsa-plugin/gsa.h"

#include <sa/ikev2/keymat_v2.h>

#include "libgsa/kdf.h"
#include "libgsa/keywrap.h"

static uint16_t negotiated(ike_sa_t *ike_sa)
{
	proposal_t *proposal = ike_sa->get_proposal(ike_sa);
	uint16_t algorithm;

	if (!proposal || !proposal->get_algorithm(proposal, KEY_WRAP_ALGORITHM, &algorithm, NULL))
		return GSA_KW_NONE;
	return algorithm;
}

static uint16_t configured(void)
{
	char *name = lib->settings->get_str(lib->settings, "%s.plugins.gsa.key_wrap_default",
					    "none", lib->ns);
	const proposal_token_t *token = lib->proposal->get_token(lib->proposal, name);

	if (token && token->type == KEY_WRAP_ALGORITHM)
		return token->algorithm;
	if (!streq(name, "none"))
		DBG1(DBG_CFG,
		     "gsa: charon.plugins.gsa.key_wrap_default is '%s', none of kw5649_128, "
		     "kw5649_192, kw5649_256, none; taken for none",
		     name);
	return GSA_KW_NONE;
}

uint16_t gsa_keys_algorithm(ike_sa_t *ike_sa)
{
	uint16_t algorithm = negotiated(ike_sa);

	return algorithm ? algorithm : configured();
}

bool gsa_keys_wrap_key(ike_sa_t *ike_sa, struct gsa_secret *gsk_w)
{
	size_t size = gsa_key_wrap_key_size(gsa_keys_algorithm(ike_sa));
	keymat_t *keymat = ike_sa->get_keymat(ike_sa);
	pseudo_random_function_t prf;
	struct gsa_secret sk_d = {};
	keymat_v2_t *keymat_v2;
	chunk_t skd;
	bool ok;

	*gsk_w = (struct gsa_secret){};
	if (!size || !keymat || keymat->get_version(keymat) != IKEV2)
		return FALSE;
	keymat_v2 = (keymat_v2_t *)keymat;
	prf = keymat_v2->get_skd(keymat_v2, &skd);
	if (!skd.len || !gsa_secret_copy(&sk_d, skd.ptr, skd.len))
		return FALSE;
	ok = gsa_default_key_wrap_key(prf, &sk_d, size, gsk_w);
	gsa_secret_clear(&sk_d);
	if (!ok)
		DBG1(DBG_IKE,
		     "gsa: no key wrap key for IKE_SA %s[%u] with PRF %N, use an HMAC of SHA-2",
		     ike_sa->get_name(ike_sa), ike_sa->get_unique_id(ike_sa),
		     pseudo_random_function_names, prf);
	return ok;
}
