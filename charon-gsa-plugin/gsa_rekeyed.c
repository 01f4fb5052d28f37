// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Member: rekeys of the key server (RFC 9838 §2.4.2, §2.4.3).
 *
 *   HDR, SK{[IDg,] [GSA, KD, N] [, D]}  -->
 *                                      <--  HDR, SK{}  or  HDR, SK{N(error)}
 *
 * Taken only over the IKE_SA over which the group was registered.  A refused rekey changes nothing:
 * the notify tells the key server, and the SAs that are held stay in use.
 */
#include "charon-gsa-plugin/gsa_member.h"

/* Which group is it about?  With the mutex locked. */

static bool is_open(const gsa_group_t *group, uint32_t ike_sa)
{
	/* a rekey may overtake the answer to the registration */
	return group->ike_sa == ike_sa &&
	       (group->registering || group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED);
}

/* IDg names it; without one it is the only one, or the one of the identifier. */
static gsa_group_t *find_group(private_gsa_member_t *this, uint32_t ike_sa, chunk_t name,
			       uint32_t identifier)
{
	enumerator_t *enumerator = this->groups->create_enumerator(this->groups);
	gsa_group_t *group, *only = NULL, *named = NULL;
	int count = 0;

	while (enumerator->enumerate(enumerator, &group)) {
		if (!is_open(group, ike_sa))
			continue;
		only = group;
		count++;
		if (name.len ? chunk_equals(name, chunk_from_str(group->name))
			     : identifier && group->held.group == identifier)
			named = group;
	}
	enumerator->destroy(enumerator);
	return named || name.len ? named : count == 1 ? only : NULL;
}

/* What it brings */

static uint16_t take(gsa_group_t *group, ike_sa_t *ike_sa, message_t *message, const char **reason)
{
	Gsa__GroupSa *group_sa;
	uint16_t notify = gsa_group_sa_take(ike_sa, message, &group_sa, reason);

	if (notify)
		return notify;
	/* our Sender-IDs come with the registration */
	if (!group->registering) {
		*reason =
			gsa_held_check_senders(group_sa, group->held.sender_id_bits,
					       group->held.sender_id, group->held.sender_id_count);
		notify = *reason ? GSA_NOTIFY_REGISTRATION_FAILED : 0;
	}
	if (!notify && !gsa_held_append(&group->held, group_sa, gsa_now_ms())) {
		*reason = "there is no locked memory for its keys";
		notify = GSA_NOTIFY_REGISTRATION_FAILED;
	}
	gsa_group_sa_free(group_sa);
	return notify;
}

static void applied(gsa_group_t *group, bool brought)
{
	char text[BUF_LEN];

	if (!group->held.count) {
		gsa_group_excluded(group);
		return;
	}
	if (group->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
		return; /* the answer to the registration will tell all */
	if (brought)
		snprintf(text, sizeof(text), "rekeyed by the key server, newest SA has SPI %.8x",
			 group->held.sa[group->held.count - 1].spi);
	else
		snprintf(text, sizeof(text), "the key server deleted an SA");
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED, 0, text);
}

static bool has_deletes(message_t *message)
{
	return message->get_payload(message, PLV2_DELETE) != NULL;
}

static bool has_group_sa(message_t *message)
{
	return gsa_payload_has(message, GSA_PAYLOAD_GSA) ||
	       gsa_payload_has(message, GSA_PAYLOAD_KD);
}

static uint16_t apply(gsa_group_t *group, ike_sa_t *ike_sa, message_t *message, const char **reason)
{
	bool brought = has_group_sa(message), deleted;
	uint16_t notify;

	if (!brought && !has_deletes(message)) {
		*reason = "there is neither a GSA nor a Delete payload";
		return GSA_NOTIFY_REGISTRATION_FAILED;
	}
	notify = brought ? take(group, ike_sa, message, reason) : 0;
	if (notify)
		return notify;
	deleted = gsa_group_apply_deletes(group, message, brought);
	if (brought || deleted)
		applied(group, brought);
	return 0;
}

uint16_t gsa_member_rekey(private_gsa_member_t *this, ike_sa_t *ike_sa, message_t *message,
			  const char **reason)
{
	chunk_t body = gsa_payload_find(message, GSA_PAYLOAD_IDG), name = chunk_empty;
	uint16_t notify = GSA_NOTIFY_INVALID_GROUP_ID;
	struct gsa_idg idg;
	gsa_group_t *group;

	if (gsa_payload_has(message, GSA_PAYLOAD_IDG)) {
		if (!gsa_idg_decode(body.ptr, body.len, &idg, reason))
			return notify;
		name = chunk_create((u_char *)idg.data, idg.length);
	}
	this->mutex->lock(this->mutex);
	group = find_group(this, ike_sa->get_unique_id(ike_sa), name,
			   gsa_group_identifier(message));
	if (group)
		notify = apply(group, ike_sa, message, reason);
	else
		*reason = "it is about no group that is registered over this IKE_SA";
	this->mutex->unlock(this->mutex);
	return notify;
}

/* The task */

typedef struct {
	task_t public;
	ike_sa_t *ike_sa;
	uint16_t error; /* the answer is this notify, else it is empty */
} gsa_rekeyed_t;

METHOD(task_t, process, status_t, gsa_rekeyed_t *this, message_t *message)
{
	const char *reason = "the IKE_SA is not established";

	this->error = GSA_NOTIFY_REGISTRATION_FAILED;
	if (gsa_ike_sa_is_authenticated(this->ike_sa)) {
		if (gsa_message_was_encrypted(message))
			this->error = gsa.member->rekey(gsa.member, this->ike_sa, message, &reason);
		else
			reason = "it was not encrypted";
	}
	if (this->error)
		DBG1(DBG_IKE,
		     "gsa: rekey of the key server over IKE_SA %s[%u] refused: %s (notify %u)",
		     this->ike_sa->get_name(this->ike_sa),
		     this->ike_sa->get_unique_id(this->ike_sa), reason, this->error);
	return NEED_MORE;
}

METHOD(task_t, build, status_t, gsa_rekeyed_t *this, message_t *message)
{
	if (this->error)
		gsa_notify_add(message, this->error, chunk_empty);
	return SUCCESS;
}

METHOD(task_t, get_type, task_type_t, gsa_rekeyed_t *this)
{
	return TASK_CUSTOM;
}

METHOD(task_t, migrate, void, gsa_rekeyed_t *this, ike_sa_t *ike_sa)
{
	this->ike_sa = ike_sa;
}

METHOD(task_t, destroy, void, gsa_rekeyed_t *this)
{
	free(this);
}

task_t *gsa_rekeyed_create(ike_sa_t *ike_sa, message_t *request)
{
	gsa_rekeyed_t *this;

	INIT(this,
		.public = {
			.build = _build,
			.process = _process,
			.get_type = _get_type,
			.migrate = _migrate,
			.destroy = _destroy,
		},
		.ike_sa = ike_sa,
	);
	return &this->public;
}
