// SPDX-License-Identifier: GPL-2.0-or-later
/* Member: what charon is asked for, as messages. */
#include <zebra.h>

#include "gcks/client.h"

#define REPLAY_WINDOW 0 /* several senders share an SA: their numbers are not one sequence */

static ProtobufCBinaryData octets(const struct gcks_address *address)
{
	return (ProtobufCBinaryData){ address->length, (uint8_t *)address->octets };
}

static void set_prefix(Gsa__Prefix *out, const struct gcks_prefix *prefix)
{
	gsa__prefix__init(out);
	out->address = octets(&prefix->address);
	out->length = prefix->length;
}

bool gcks_request_sa(uint32_t id, const struct gcks_desired *desired)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__InstallSa install = GSA__INSTALL_SA__INIT;
	const struct gcks_member_sa *sa = desired->sa;
	struct gsa_data_sa transforms = {
		.protocol = GSA_PROTOCOL_ESP,
		.encryption = sa->encryption,
		.encryption_key_bits = sa->encryption_key_bits,
	};
	size_t encryption = gsa_data_sa_encryption_key_size(&transforms);

	install.id = id;
	install.spi = desired->id.spi;
	install.source = octets(&desired->id.source);
	install.destination = octets(&desired->id.destination);
	install.inbound = desired->id.direction == GSA__DIRECTION__DIRECTION_IN;
	install.reqid = desired->id.reqid;
	install.encryption = sa->encryption;
	install.encryption_key_bits = sa->encryption_key_bits;
	install.encryption_key = (ProtobufCBinaryData){ encryption, sa->key.data };
	install.integrity = sa->integrity;
	install.integrity_key = (ProtobufCBinaryData){ sa->key.length - encryption,
						       sa->key.data + encryption };
	install.replay_window = REPLAY_WINDOW;
	install.lifetime_s = gcks_member_sa_lifetime_s(sa, gcks_now_ms());
	message.body_case = GSA__MESSAGE__BODY_INSTALL_SA;
	message.install_sa = &install;
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

bool gcks_request_policy(uint32_t id, const struct gcks_kernel_id *policy)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__InstallPolicy install = GSA__INSTALL_POLICY__INIT;
	Gsa__Prefix source, destination;

	set_prefix(&source, &policy->selector_source);
	set_prefix(&destination, &policy->selector_destination);
	install.id = id;
	install.direction = policy->direction;
	install.source = &source;
	install.destination = &destination;
	install.action = policy->action;
	install.priority = policy->priority;
	install.tunnel_source = octets(&policy->source);
	install.tunnel_destination = octets(&policy->destination);
	install.reqid = policy->reqid;
	message.body_case = GSA__MESSAGE__BODY_INSTALL_POLICY;
	message.install_policy = &install;
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

bool gcks_request_removal(uint32_t request, const struct gcks_kernel_id *id)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__RemoveSa sa = GSA__REMOVE_SA__INIT;
	Gsa__RemovePolicy policy = GSA__REMOVE_POLICY__INIT;
	Gsa__Prefix source, destination;

	if (id->kind == GCKS_KERNEL_SA) {
		sa.id = request;
		sa.spi = id->spi;
		sa.source = octets(&id->source);
		sa.destination = octets(&id->destination);
		sa.reqid = id->reqid;
		message.body_case = GSA__MESSAGE__BODY_REMOVE_SA;
		message.remove_sa = &sa;
	} else {
		set_prefix(&source, &id->selector_source);
		set_prefix(&destination, &id->selector_destination);
		policy.id = request;
		policy.direction = id->direction;
		policy.source = &source;
		policy.destination = &destination;
		policy.priority = id->priority;
		policy.action = id->action;
		policy.reqid = id->reqid;
		policy.tunnel_source = octets(&id->source);
		policy.tunnel_destination = octets(&id->destination);
		message.body_case = GSA__MESSAGE__BODY_REMOVE_POLICY;
		message.remove_policy = &policy;
	}
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}
