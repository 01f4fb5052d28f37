// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tasks that end a registration; the IKE_SA is closed after them only if nothing else uses it.
 *
 *   member:      HDR, SK{IDg, N(NO_PROPOSAL_CHOSEN | REGISTRATION_FAILED)}  (RFC 9838 §2.3.2)
 *   key server:  HDR, SK{[IDg,] D(ESP, 0), D(GIKE_UPDATE, 0),               (RFC 9838 §2.4.3)
 *                        N(group identifier)}
 *
 * The peer acknowledges with an empty message; what else it may say changes nothing.
 */
#include "charon-gsa-plugin/gsa.h"

#include <encoding/payloads/delete_payload.h>

typedef struct {
	task_t public;
	ike_sa_t *ike_sa;
	chunk_t group; /* name, empty: not sent */
	uint32_t identifier;
	uint16_t notify;
	bool close;
} gsa_depart_t;

METHOD(task_t, build_depart, status_t, gsa_depart_t *this, message_t *message)
{
	message->set_exchange_type(message, GSA_REGISTRATION);
	if (!gsa_group_id_add(message, this->group)) {
		message->set_exchange_type(message, EXCHANGE_TYPE_UNDEFINED);
		return SUCCESS;
	}
	gsa_notify_add(message, this->notify, chunk_empty);
	return NEED_MORE;
}

METHOD(task_t, build_exclude, status_t, gsa_depart_t *this, message_t *message)
{
	delete_payload_t *payload;

	message->set_exchange_type(message, GSA_INBAND_REKEY);
	/* SPI 0: all Data-Security SAs of the group, and the member itself */
	payload = delete_payload_create(PLV2_DELETE, PROTO_ESP);
	payload->add_spi(payload, 0);
	message->add_payload(message, &payload->payload_interface);
	payload = delete_payload_create(PLV2_DELETE, PROTO_GIKE_UPDATE);
	payload->set_ike_spi(payload, 0, 0);
	message->add_payload(message, &payload->payload_interface);
	if (this->group.len)
		gsa_group_id_add(message, this->group);
	gsa_group_identifier_add(message, this->identifier);
	return NEED_MORE;
}

METHOD(task_t, process, status_t, gsa_depart_t *this, message_t *message)
{
	if (this->close)
		gsa_close_queue(this->ike_sa, 0);
	return SUCCESS;
}

METHOD(task_t, get_type, task_type_t, gsa_depart_t *this)
{
	return TASK_CUSTOM;
}

METHOD(task_t, migrate, void, gsa_depart_t *this, ike_sa_t *ike_sa)
{
	this->ike_sa = ike_sa;
}

METHOD(task_t, destroy, void, gsa_depart_t *this)
{
	chunk_free(&this->group);
	free(this);
}

static gsa_depart_t *create(ike_sa_t *ike_sa, chunk_t group, bool close)
{
	gsa_depart_t *this;

	INIT(this,
		.public = {
			.process = _process,
			.get_type = _get_type,
			.migrate = _migrate,
			.destroy = _destroy,
		},
		.ike_sa = ike_sa,
		.group = chunk_clone(group),
		.close = close,
	);
	return this;
}

task_t *gsa_depart_create(ike_sa_t *ike_sa, const char *group, uint16_t notify, bool close)
{
	gsa_depart_t *this = create(ike_sa, chunk_create((u_char *)group, strlen(group)), close);

	this->public.build = _build_depart;
	this->notify = notify;
	return &this->public;
}

task_t *gsa_exclude_create(ike_sa_t *ike_sa, uint32_t group, chunk_t group_name, bool close)
{
	gsa_depart_t *this = create(ike_sa, group_name, close);

	this->public.build = _build_exclude;
	this->identifier = group;
	return &this->public;
}
