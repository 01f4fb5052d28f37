// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GSK_w, the default key wrap key of an IKE_SA (RFC 9838 §3.1.1).  It follows from SK_d:
 * an IKE_SA that was rekeyed has another one, so it is derived for each message and never kept.
 */
#include "charon-gsa-plugin/gsa.h"

#include <sa/ikev2/keymat_v2.h>

#include "libgsa/kdf.h"
#include "libgsa/keywrap.h"

bool gsa_keys_wrap_key(ike_sa_t *ike_sa, struct gsa_secret *gsk_w)
{
	size_t size = gsa_key_wrap_key_size(GSA_KW_5649_256);
	keymat_t *keymat = ike_sa->get_keymat(ike_sa);
	pseudo_random_function_t prf;
	struct gsa_secret sk_d = {};
	keymat_v2_t *keymat_v2;
	chunk_t skd;
	bool ok;

	*gsk_w = (struct gsa_secret){};
	if (!keymat || keymat->get_version(keymat) != IKEV2)
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
