// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Key server: are the certificates with which members authenticated still good?  A registration
 * outlives the IKE_AUTH of its IKE_SA by days; a certificate that has expired since, was revoked
 * or has lost its CA ends it: gcksd is told, the member gets the Deletes, the IKE_SA is closed
 * (RFC 9838 §2.4.3).
 *
 * Soon after the CRLs or CAs that charon has loaded change, when the dates of the chain say so, and
 * every charon.plugins.gsa.revalidate seconds if the certificate names a CRL or OCSP server; what
 * these say is libcharon's business (revocation plugin, `revocation` in swanctl.conf).  Which
 * certificate it was libcharon keeps with the IKE_SA, unless charon.flush_auth_cfg tells it not to:
 * such a member is refused in the first place.
 */
#include "charon-gsa-plugin/gsa.h"

#include <collections/array.h>
#include <collections/linked_list.h>
#include <credentials/certificates/crl.h>
#include <credentials/certificates/x509.h>
#include <credentials/sets/auth_cfg_wrapper.h>
#include <crypto/hashers/hasher.h>
#include <processing/jobs/callback_job.h>
#include <processing/jobs/delete_ike_sa_job.h>
#include <processing/jobs/initiate_tasks_job.h>
#include <threading/thread_value.h>

#define REVALIDATE_DEFAULT_S 60
/* How often charon's CRLs and CAs are looked at; swanctl does not tell when it has loaded some. */
#define LOOK_S 2
/* A member that does not acknowledge its Deletes by then keeps no IKE_SA. */
#define CLOSE_S 5

struct gsa_credential_t {
	listener_t listener;
	u_int period_s;
	u_int looks;			  /* since all were checked */
	uint8_t loaded[HASH_SIZE_SHA256]; /* digest of CRLs and CAs */
	bool again;			  /* some could not be checked when these changed */
	/* why a certificate is not accepted, in the thread that checks one */
	thread_value_t *reason;
};

const char *gsa_credential_reason(alert_t alert)
{
	switch (alert) {
	case ALERT_CERT_EXPIRED:
		return "its certificate, or one of a CA above, is not valid now";
	case ALERT_CERT_REVOKED:
		return "its certificate is revoked";
	case ALERT_CERT_VALIDATION_FAILED:
		return "its certificate's status is not known";
	case ALERT_CERT_NO_ISSUER:
	case ALERT_CERT_UNTRUSTED_ROOT:
		return "its certificate is not of a trusted CA";
	case ALERT_CERT_EXCEEDED_PATH_LEN:
	case ALERT_CERT_POLICY_VIOLATION:
		return "its certificate violates a policy";
	default:
		return NULL;
	}
}

METHOD(listener_t, alert_hook, bool, listener_t *listener, ike_sa_t *ike_sa, alert_t alert,
       va_list args)
{
	const char *reason = gsa_credential_reason(alert);

	if (reason)
		gsa.credential->reason->set(gsa.credential->reason, (void *)reason);
	return TRUE;
}

static void expel(uint32_t id, const char *reason)
{
	ike_sa_t *ike_sa = gsa.ike_sas->checkout(gsa.ike_sas, id);

	if (!ike_sa)
		return;
	id = ike_sa->get_unique_id(ike_sa);
	gsa.server->left(gsa.server, id, chunk_empty, GSA__END_REASON__END_CREDENTIAL, reason);
	ike_sa->queue_task(ike_sa, gsa_exclude_create(ike_sa, 0, chunk_empty, TRUE));
	lib->processor->queue_job(lib->processor,
				  (job_t *)initiate_tasks_job_create(ike_sa->get_id(ike_sa)));
	lib->scheduler->schedule_job(
		lib->scheduler, (job_t *)delete_ike_sa_job_create(ike_sa->get_id(ike_sa), TRUE),
		CLOSE_S);
	charon->ike_sa_manager->checkin(charon->ike_sa_manager, ike_sa);
}

/*
 * Does a round of the peer's authentication with a certificate still hold?  As IKE_AUTH found it,
 * with what came there; what the round has gathered is not added to, as the IKE_SA's own
 * verify_peer_certificate() does, since this is done again and again.
 */
static bool holds(auth_cfg_t *done, auth_cfg_t *wanted)
{
	certificate_t *peer = done->get(done, AUTH_RULE_SUBJECT_CERT), *found;
	enumerator_t *trusted;
	auth_cfg_t *auth, *copy;
	auth_cfg_wrapper_t *wrapper;
	public_key_t *key;
	bool ok = FALSE;

	if ((uintptr_t)done->get(done, AUTH_RULE_AUTH_CLASS) != AUTH_CLASS_PUBKEY || !peer)
		return TRUE;
	key = peer->get_public_key(peer);
	if (!key)
		return FALSE;
	wrapper = auth_cfg_wrapper_create(done);
	lib->credmgr->add_local_set(lib->credmgr, &wrapper->set, FALSE);
	trusted = lib->credmgr->create_trusted_enumerator(lib->credmgr, key->get_type(key),
							  peer->get_subject(peer), TRUE);
	key->destroy(key);
	while (!ok && trusted->enumerate(trusted, &found, &auth)) {
		if (!peer->equals(peer, found))
			continue;
		copy = auth_cfg_create();
		copy->merge(copy, done, TRUE);
		copy->merge(copy, auth, FALSE);
		ok = copy->complies(copy, wanted, FALSE);
		copy->destroy(copy);
	}
	trusted->destroy(trusted);
	lib->credmgr->remove_local_set(lib->credmgr, &wrapper->set);
	wrapper->destroy(wrapper);
	return ok;
}

/*
 * What IKE_AUTH found, and what the connection wants of it.  It is looked at without the IKE_SA:
 * what a CRL or OCSP server says may take as long as that server likes.
 */
typedef struct {
	peer_cfg_t *peer_cfg;
	linked_list_t *rounds; /* auth_cfg_t */
} proof_t;

static proof_t *proof_create(ike_sa_t *ike_sa)
{
	peer_cfg_t *peer_cfg = ike_sa->get_peer_cfg(ike_sa);
	enumerator_t *enumerator = ike_sa->create_auth_cfg_enumerator(ike_sa, FALSE);
	auth_cfg_t *round;
	proof_t *this;

	INIT(this,
		.peer_cfg = peer_cfg->get_ref(peer_cfg),
		.rounds = linked_list_create(),
	);
	while (enumerator->enumerate(enumerator, &round))
		this->rounds->insert_last(this->rounds, round->clone(round));
	enumerator->destroy(enumerator);
	return this;
}

static void proof_destroy(proof_t *this)
{
	this->rounds->destroy_offset(this->rounds, offsetof(auth_cfg_t, destroy));
	this->peer_cfg->destroy(this->peer_cfg);
	free(this);
}

/* Round by round, as the connection wants them. */
static bool all_hold(const proof_t *proof)
{
	enumerator_t *wanted = proof->peer_cfg->create_auth_cfg_enumerator(proof->peer_cfg, FALSE);
	enumerator_t *done = proof->rounds->create_enumerator(proof->rounds);
	auth_cfg_t *cfg, *cfg_done;
	bool ok = TRUE;

	while (ok && wanted->enumerate(wanted, &cfg) && done->enumerate(done, &cfg_done))
		ok = holds(cfg_done, cfg);
	wanted->destroy(wanted);
	done->destroy(done);
	return ok;
}

static bool in_time(auth_cfg_t *done)
{
	enumerator_t *enumerator = done->create_enumerator(done);
	certificate_t *certificate;
	auth_rule_t rule;
	bool ok = TRUE;

	while (ok && enumerator->enumerate(enumerator, &rule, &certificate))
		if (rule == AUTH_RULE_SUBJECT_CERT || rule == AUTH_RULE_IM_CERT ||
		    rule == AUTH_RULE_CA_CERT)
			ok = certificate->get_validity(certificate, NULL, NULL, NULL);
	enumerator->destroy(enumerator);
	return ok;
}

static bool names_server(auth_cfg_t *done)
{
	certificate_t *certificate = done->get(done, AUTH_RULE_SUBJECT_CERT);
	x509_t *x509 = (x509_t *)certificate;
	enumerator_t *crls, *ocsp;
	bool found;
	void *uri;

	if (!certificate || certificate->get_type(certificate) != CERT_X509)
		return FALSE;
	crls = x509->create_crl_uri_enumerator(x509);
	ocsp = x509->create_ocsp_uri_enumerator(x509);
	found = crls->enumerate(crls, &uri) || ocsp->enumerate(ocsp, &uri);
	crls->destroy(crls);
	ocsp->destroy(ocsp);
	return found;
}

/* Verifying a chain costs time and lines in the log: only when something may be wrong with it. */
static bool in_doubt(ike_sa_t *ike_sa)
{
	enumerator_t *done = ike_sa->create_auth_cfg_enumerator(ike_sa, FALSE);
	auth_cfg_t *cfg;
	bool doubt = FALSE;

	while (!doubt && done->enumerate(done, &cfg))
		doubt = !in_time(cfg) || names_server(cfg);
	done->destroy(done);
	return doubt;
}

/* FALSE: not now, it is being rekeyed. */
static bool check(gsa_credential_t *this, uint32_t id, bool changed)
{
	ike_sa_t *ike_sa = gsa.ike_sas->checkout(gsa.ike_sas, id);
	proof_t *proof = NULL;
	const char *reason;
	bool established;

	if (!ike_sa)
		return TRUE;
	established = ike_sa->get_state(ike_sa) == IKE_ESTABLISHED;
	if (established && (changed || in_doubt(ike_sa)))
		proof = proof_create(ike_sa);
	charon->ike_sa_manager->checkin(charon->ike_sa_manager, ike_sa);
	if (!proof)
		return established;
	this->reason->set(this->reason, NULL);
	if (!all_hold(proof)) {
		reason = this->reason->get(this->reason);
		expel(id, reason ? reason : "its certificate is not accepted any more");
	}
	proof_destroy(proof);
	return TRUE;
}

/* FALSE: not all of them. */
static bool check_all(gsa_credential_t *this, bool changed)
{
	uint32_t *ids;
	size_t count = gsa.server->with_certificate(gsa.server, &ids);
	bool all = TRUE;

	for (size_t i = 0; i < count; i++)
		all &= check(this, ids[i], changed);
	free(ids);
	return all;
}

typedef struct {
	uint8_t octets[HASH_SIZE_SHA256];
} digest_t;

static void add_digests(array_t *digests, hasher_t *hasher, certificate_type_t type, bool trusted)
{
	enumerator_t *enumerator =
		lib->credmgr->create_cert_enumerator(lib->credmgr, type, KEY_ANY, NULL, trusted);
	certificate_t *certificate;
	chunk_t encoding;
	digest_t digest;

	while (enumerator->enumerate(enumerator, &certificate)) {
		if (!certificate->get_encoding(certificate, CERT_ASN1_DER, &encoding))
			continue;
		if (hasher->get_hash(hasher, encoding, digest.octets))
			array_insert(digests, ARRAY_TAIL, &digest);
		chunk_free(&encoding);
	}
	enumerator->destroy(enumerator);
}

static int compare(const void *a, const void *b, void *user)
{
	return memcmp(a, b, sizeof(digest_t));
}

/* One digest of all, in an order of their own and each once: libcharon's cache repeats some. */
static bool digest_of(hasher_t *hasher, array_t *digests, digest_t *all)
{
	digest_t current, last = {};
	bool ok = TRUE;

	array_sort(digests, compare, NULL);
	for (int i = 0; ok && array_get(digests, i, &current); i++) {
		if (!i || compare(&current, &last, NULL))
			ok = hasher->get_hash(hasher, chunk_from_thing(current.octets), NULL);
		last = current;
	}
	return ok && hasher->get_hash(hasher, chunk_empty, all->octets);
}

static bool has_changed(gsa_credential_t *this)
{
	hasher_t *hasher = lib->crypto->create_hasher(lib->crypto, HASH_SHA256);
	array_t *digests = array_create(sizeof(digest_t), 0);
	digest_t all = {};
	bool changed = FALSE;

	if (hasher) {
		add_digests(digests, hasher, CERT_X509_CRL, FALSE);
		add_digests(digests, hasher, CERT_X509, TRUE);
		changed = digest_of(hasher, digests, &all) &&
			  !memeq(all.octets, this->loaded, sizeof(this->loaded));
		hasher->destroy(hasher);
	}
	array_destroy(digests);
	if (changed)
		memcpy(this->loaded, all.octets, sizeof(this->loaded));
	return changed;
}

static job_requeue_t look(gsa_credential_t *this)
{
	bool changed = has_changed(this);

	/* libcharon goes on using a CRL that it has verified, though a newer one has replaced it */
	if (changed)
		lib->credmgr->flush_cache(lib->credmgr, CERT_X509_CRL);
	changed |= this->again;
	if (changed || ++this->looks * LOOK_S >= this->period_s) {
		this->looks = 0;
		this->again = !check_all(this, changed) && changed;
	}
	return JOB_RESCHEDULE(LOOK_S);
}

static bool cancel(gsa_credential_t *this)
{
	return TRUE;
}

gsa_credential_t *gsa_credential_create(void)
{
	gsa_credential_t *this;

	INIT(this,
		.listener = {
			.alert = _alert_hook,
		},
		.period_s = lib->settings->get_time(lib->settings, "%s.plugins.gsa.revalidate",
						    REVALIDATE_DEFAULT_S, lib->ns),
		.reason = thread_value_create(NULL),
	);
	return this;
}

void gsa_credential_start(gsa_credential_t *this)
{
	charon->bus->add_listener(charon->bus, &this->listener);
	if (this->period_s)
		lib->scheduler->schedule_job(
			lib->scheduler,
			(job_t *)callback_job_create_with_prio((void *)look, this, NULL,
							       (void *)cancel, JOB_PRIO_LOW),
			LOOK_S);
}

void gsa_credential_destroy(gsa_credential_t *this)
{
	charon->bus->remove_listener(charon->bus, &this->listener);
	this->reason->destroy(this->reason);
	free(this);
}
