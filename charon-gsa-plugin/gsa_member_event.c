// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What happens to the IKE_SAs of the member's groups: up, down, rekeyed, failed to authenticate,
 * Deletes of the key server.  Listeners run under the bus's mutex, with the IKE_SA held.
 */
#include "charon-gsa-plugin/gsa_member.h"

/* Not of G-IKEv2: the peer, or we, failed to authenticate (RFC 7296 §3.10.1). */
#define NOTIFY_AUTHENTICATION_FAILED 24

/* Does an IKE_SA that came up take the place of the group's? */
static bool takes_over(const gsa_group_t *group, const char *connection)
{
	switch (group->state) {
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING:
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST:
		/* one that came up otherwise is taken, except to ask again what was refused */
		return !group->ike_sa && gsa_group_has_connection(group, connection);
	case GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED:
		/* reauthentication makes before it breaks: the old one goes after this */
		return streq(gsa_group_connection(group), connection);
	default:
		return FALSE;
	}
}

static void use_connection(gsa_group_t *group, const char *connection)
{
	for (size_t i = 0; i < group->connection_count; i++)
		if (streq(group->connections[i], connection))
			group->connection = i;
}

static void up(private_gsa_member_t *this, ike_sa_t *ike_sa)
{
	uint32_t id = ike_sa->get_unique_id(ike_sa);
	const char *connection = ike_sa->get_name(ike_sa);
	enumerator_t *enumerator;
	gsa_group_t *group;

	if (!ike_sa->has_condition(ike_sa, COND_ORIGINAL_INITIATOR))
		return;
	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		if (group->ike_sa == id) {
			if (!group->registering && !group->waiting)
				gsa_attempt_register(group, ike_sa, FALSE);
		} else if (takes_over(group, connection)) {
			/* in the place of ours */
			if (group->ike_sa && gsa.ike_sas->is_own(gsa.ike_sas, group->ike_sa))
				gsa.ike_sas->claim(gsa.ike_sas, ike_sa);
			use_connection(group, connection);
			group->ike_sa = id;
			gsa_attempt_register(group, ike_sa, FALSE);
		}
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

/*
 * The key server accepted IKE_SA_INIT, and waits for an IKE_AUTH that never came.  One that is
 * not configured yet refuses it and keeps nothing.
 */
static bool left_half_open(const gsa_group_t *group, ike_sa_t *ike_sa)
{
	return !group->asked && ike_sa->get_state(ike_sa) == IKE_CONNECTING &&
	       ike_sa->has_condition(ike_sa, COND_ORIGINAL_INITIATOR) &&
	       ike_sa->get_proposal(ike_sa);
}

static void down(private_gsa_member_t *this, ike_sa_t *ike_sa)
{
	uint32_t id = ike_sa->get_unique_id(ike_sa);
	enumerator_t *enumerator;
	gsa_group_t *group;
	bool half_open;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		if (group->ike_sa != id)
			continue;
		group->ike_sa = 0;
		group->opening = FALSE;
		half_open = left_half_open(group, ike_sa);
		if (group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
			gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST, 0,
					"the IKE_SA to the key server is gone");
		else if (!group->waiting)
			gsa_group_attempt_failed(group, 0, "the key server could not be reached");
		if (group->waiting)
			continue;
		if (half_open)
			gsa_attempt_half_open(group);
		else
			gsa_attempt_soon(group);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

METHOD(listener_t, ike_updown, bool, gsa_member_listener_t *this, ike_sa_t *ike_sa, bool is_up)
{
	if (is_up)
		up(this->member, ike_sa);
	else
		down(this->member, ike_sa);
	return TRUE;
}

/* An IKE_SA that does not come up has no down event. */
METHOD(listener_t, ike_state_change, bool, gsa_member_listener_t *this, ike_sa_t *ike_sa,
       ike_sa_state_t state)
{
	if (state == IKE_DESTROYING)
		down(this->member, ike_sa);
	return TRUE;
}

/* Queued tasks move to the new IKE_SA on their own. */
METHOD(listener_t, ike_rekey, bool, gsa_member_listener_t *listener, ike_sa_t *old, ike_sa_t *new)
{
	private_gsa_member_t *this = listener->member;
	enumerator_t *enumerator;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group))
		if (group->ike_sa == old->get_unique_id(old))
			group->ike_sa = new->get_unique_id(new);
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

METHOD(listener_t, alert, bool, gsa_member_listener_t *listener, ike_sa_t *ike_sa, alert_t alert,
       va_list args)
{
	private_gsa_member_t *this = listener->member;
	enumerator_t *enumerator;
	const char *text;
	gsa_group_t *group;

	if (alert == ALERT_LOCAL_AUTH_FAILED)
		text = "authentication failed: the key server does not accept our credentials";
	else if (alert == ALERT_PEER_AUTH_FAILED)
		text = "authentication failed: the key server's credentials are not acceptable";
	else
		return TRUE;
	if (!ike_sa)
		return TRUE;
	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		if (group->ike_sa != ike_sa->get_unique_id(ike_sa))
			continue;
		if (left_half_open(group, ike_sa)) {
			gsa_group_attempt_failed(group, NOTIFY_AUTHENTICATION_FAILED,
						 "the connection has no usable secret, or key with "
						 "certificate, to authenticate with");
			gsa_attempt_half_open(group);
			continue;
		}
		gsa_group_attempt_failed(group, NOTIFY_AUTHENTICATION_FAILED, text);
		gsa_group_next_connection(group);
		gsa_attempt_late(group);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

/* Deletes of the key server (RFC 9838 §2.4.3) */

/* GSA_AUTH may have its own name by now. */
static bool is_auth(message_t *message)
{
	exchange_type_t type = message->get_exchange_type(message);

	return type == IKE_AUTH || type == GSA_AUTH;
}

static void sends_auth(private_gsa_member_t *this, ike_sa_t *ike_sa)
{
	enumerator_t *enumerator;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group))
		if (group->ike_sa == ike_sa->get_unique_id(ike_sa))
			group->asked = TRUE;
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

/* libcharon's own task answers, and finds no CHILD_SA that the Delete is about. */
METHOD(listener_t, message, bool, gsa_member_listener_t *listener, ike_sa_t *ike_sa,
       message_t *message, bool incoming, bool plain)
{
	private_gsa_member_t *this = listener->member;
	enumerator_t *enumerator;
	const char *reason;
	struct gsa_idg idg;
	gsa_group_t *group;
	chunk_t body;

	if (!incoming && plain && ike_sa && is_auth(message))
		sends_auth(this, ike_sa);
	if (!incoming || !plain || !ike_sa || !message->get_request(message) ||
	    message->get_exchange_type(message) != INFORMATIONAL ||
	    ike_sa->get_state(ike_sa) == IKE_CONNECTING || !gsa_message_was_encrypted(message))
		return TRUE;
	body = gsa_payload_find(message, GSA_PAYLOAD_IDG);
	if (body.len && !gsa_idg_decode(body.ptr, body.len, &idg, &reason)) {
		DBG1(DBG_IKE, "gsa: IDg of a Delete on IKE_SA %s[%u] ignored: %s",
		     ike_sa->get_name(ike_sa), ike_sa->get_unique_id(ike_sa), reason);
		return TRUE;
	}
	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		if (group->ike_sa != ike_sa->get_unique_id(ike_sa) || !gsa_group_holds_sa(group))
			continue;
		/* without IDg it is about what is registered over this IKE_SA */
		if (body.len ? !chunk_equals(chunk_create((u_char *)idg.data, idg.length),
					     chunk_from_str(group->name))
			     : group->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
			continue;
		if (!gsa_group_apply_deletes(group, message, FALSE))
			continue;
		if (group->held.count)
			gsa_group_report(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED);
		else
			gsa_group_excluded(group);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

void gsa_member_listen(private_gsa_member_t *this)
{
	this->listener.public = (listener_t){
		.alert = _alert,
		.message = _message,
		.ike_state_change = _ike_state_change,
		.ike_updown = _ike_updown,
		.ike_rekey = _ike_rekey,
	};
	this->listener.member = this;
	charon->bus->add_listener(charon->bus, &this->listener.public);
}
