// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Key server: peers whose authentication charon refused, for gcksd's log.  Anybody may come here,
 * at any rate, so they are counted before gcksd is told.  The listener runs under the bus's mutex.
 */
#include "charon-gsa-plugin/gsa.h"

#include <threading/mutex.h>

#include "libgsa/refused.h"

struct gsa_refused_t {
	listener_t listener;
	mutex_t *mutex;
	/* why a certificate was last rejected, and on which IKE_SA */
	uint32_t rejected_ike_sa;
	const char *rejected_reason;
	struct gsa_refused_log log;
};

static void send_refused(gsa_refused_t *this, ike_sa_t *ike_sa, const char *reason)
{
	identification_t *identity = ike_sa->get_other_id(ike_sa);
	host_t *host = ike_sa->get_other_host(ike_sa);
	Gsa__RefusedPeer body = GSA__REFUSED_PEER__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;
	chunk_t address = host->get_address(host);
	char name[BUF_LEN] = "", line[GSA_REFUSED_LINE_MAX];

	if (identity->get_type(identity) != ID_ANY)
		snprintf(name, sizeof(name), "%Y", identity);
	snprintf(line, sizeof(line), "%.200s (%H): %s", name, host, reason);
	if (!gsa_refused(&this->log, line, time_monotonic(NULL), &body.repeated_times,
			 &body.others))
		return;
	body.identity = name;
	body.address.data = address.ptr;
	body.address.len = address.len;
	body.reason = (char *)reason;
	message.body_case = GSA__MESSAGE__BODY_REFUSED_PEER;
	message.refused_peer = &body;
	/* gcksd is away: whatever comes when it is back is new to it */
	if (!gsa.local->send(gsa.local, &message))
		memset(&this->log, 0, sizeof(this->log));
}

METHOD(listener_t, alert, bool, gsa_refused_t *this, ike_sa_t *ike_sa, alert_t alert, va_list args)
{
	const char *certificate = gsa_credential_reason(alert);
	const char *reason = "wrong key or signature, or no connection permits its authentication";
	uint32_t id;

	/* only peers that come to us */
	if (!ike_sa || ike_sa->has_condition(ike_sa, COND_ORIGINAL_INITIATOR))
		return TRUE;
	id = ike_sa->get_unique_id(ike_sa);
	this->mutex->lock(this->mutex);
	if (certificate) {
		this->rejected_ike_sa = id;
		this->rejected_reason = certificate;
	} else if (alert == ALERT_PEER_AUTH_FAILED) {
		if (this->rejected_reason && this->rejected_ike_sa == id)
			reason = this->rejected_reason;
		send_refused(this, ike_sa, reason);
	} else if (alert == ALERT_PROPOSAL_MISMATCH_IKE) {
		send_refused(this, ike_sa, "no common IKE proposal");
	}
	this->mutex->unlock(this->mutex);
	return TRUE;
}

void gsa_refused_destroy(gsa_refused_t *this)
{
	charon->bus->remove_listener(charon->bus, &this->listener);
	this->mutex->destroy(this->mutex);
	free(this);
}

gsa_refused_t *gsa_refused_create(void)
{
	gsa_refused_t *this;

	INIT(this,
		.listener = {
			.alert = _alert,
		},
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
	);
	charon->bus->add_listener(charon->bus, &this->listener);
	return this;
}
