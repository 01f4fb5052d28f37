// SPDX-License-Identifier: GPL-2.0-or-later
/* Member: what charon is asked for, as messages. */
#include <zebra.h>

#include "lib/log.h"

#include "gcks/client.h"
#include "libgsa/pairwise.h"

/* Packets.  With one key for all senders there is none: their numbers are not one sequence. */
#define REPLAY_WINDOW 128

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

/* The keys of the state: the SA's, or those of the pair. */
static bool state_key(const struct gcks_desired *desired, struct gsa_secret *key)
{
	const struct gcks_member_sa *sa = desired->sa;
	uint32_t sender = desired->id.spi & ((UINT32_C(1) << sa->sender_id_bits) - 1);

	if (!sa->pairwise)
		return gsa_secret_copy(key, sa->key.data, sa->key.length);
	return gsa_pair_key(&sa->key, sa->group, sa->spi, sa->sender_id_bits, sender,
			    desired->id.receiver - 1, sa->key.length, key);
}

static bool send_sa(Gsa__InstallSa *install, const struct gcks_desired *desired,
		    const struct gsa_secret *key)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	struct gsa_data_sa transforms = {
		.protocol = GSA_PROTOCOL_ESP,
		.encryption = desired->sa->encryption,
		.encryption_key_bits = desired->sa->encryption_key_bits,
	};
	size_t encryption = gsa_data_sa_encryption_key_size(&transforms);

	install->encryption_key = (ProtobufCBinaryData){ encryption, key->data };
	install->integrity_key =
		(ProtobufCBinaryData){ key->length - encryption, key->data + encryption };
	message.body_case = GSA__MESSAGE__BODY_INSTALL_SA;
	message.install_sa = install;
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

bool gcks_request_sa(uint32_t id, const struct gcks_desired *desired)
{
	Gsa__InstallSa install = GSA__INSTALL_SA__INIT;
	const struct gcks_member_sa *sa = desired->sa;
	struct gsa_secret key;
	bool sent;

	install.id = id;
	install.spi = desired->id.spi;
	install.source = octets(&desired->id.source);
	install.destination = octets(&desired->id.destination);
	install.inbound = desired->id.direction == GSA__DIRECTION__DIRECTION_IN;
	install.reqid = desired->id.reqid;
	install.encryption = sa->encryption;
	install.encryption_key_bits = sa->encryption_key_bits;
	install.integrity = sa->integrity;
	install.lifetime_s = gcks_member_sa_lifetime_s(sa, gcks_now_ms());
	/* what is there has seen which packets came, and sent which numbers */
	install.keep = sa->pairwise;
	install.fresh = sa->pairwise && desired->fresh;
	if (sa->pairwise && install.inbound)
		install.replay_window = REPLAY_WINDOW;
	if (!state_key(desired, &key)) {
		zlog_err("GSA: group %s: out of memory that may be locked: no keys for a state",
			 desired->id.group);
		return false;
	}
	sent = send_sa(&install, desired, &key);
	gsa_secret_clear(&key);
	return sent;
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
