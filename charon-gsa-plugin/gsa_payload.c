// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * IDg, GSA and KD as payloads of IKE messages.  libcharon knows their numbers but not
 * their insides: what we send is a payload_t of our own, what we receive arrives as
 * unknown_payload_t.  SAg it takes for a Security Association payload.
 */
#include "charon-gsa-plugin/gsa.h"

#include <encoding/generator.h>
#include <encoding/payloads/notify_payload.h>
#include <encoding/payloads/unknown_payload.h>

#include "libgsa/gikev2_sag.h"

#define PAYLOAD_HEADER_SIZE 4
/* Where the IKE header has the type of the first payload (RFC 7296 §3.1). */
#define FIRST_PAYLOAD_OFFSET 16
/* Error notifies end here (RFC 7296 §3.10.1). */
#define NOTIFY_ERROR_MAX 16383

typedef struct {
	payload_t public;
	payload_type_t type;
	/* the generic payload header (RFC 7296 §3.2) and what follows, for the generator */
	uint8_t next_payload;
	bool critical;
	bool reserved[7];
	uint16_t length;
	chunk_t body;
} gsa_payload_t;

static encoding_rule_t rules[] = {
	{ U_INT_8, offsetof(gsa_payload_t, next_payload) },
	{ FLAG, offsetof(gsa_payload_t, critical) },
	{ RESERVED_BIT, offsetof(gsa_payload_t, reserved[0]) },
	{ RESERVED_BIT, offsetof(gsa_payload_t, reserved[1]) },
	{ RESERVED_BIT, offsetof(gsa_payload_t, reserved[2]) },
	{ RESERVED_BIT, offsetof(gsa_payload_t, reserved[3]) },
	{ RESERVED_BIT, offsetof(gsa_payload_t, reserved[4]) },
	{ RESERVED_BIT, offsetof(gsa_payload_t, reserved[5]) },
	{ RESERVED_BIT, offsetof(gsa_payload_t, reserved[6]) },
	{ PAYLOAD_LENGTH, offsetof(gsa_payload_t, length) },
	{ CHUNK_DATA, offsetof(gsa_payload_t, body) },
};

METHOD(payload_t, get_encoding_rules, int, gsa_payload_t *this, encoding_rule_t **encoding)
{
	*encoding = rules;
	return countof(rules);
}

METHOD(payload_t, get_header_length, int, gsa_payload_t *this)
{
	return PAYLOAD_HEADER_SIZE;
}

METHOD(payload_t, get_type, payload_type_t, gsa_payload_t *this)
{
	return this->type;
}

METHOD(payload_t, get_next_type, payload_type_t, gsa_payload_t *this)
{
	return this->next_payload;
}

METHOD(payload_t, set_next_type, void, gsa_payload_t *this, payload_type_t type)
{
	this->next_payload = type;
}

METHOD(payload_t, get_length, size_t, gsa_payload_t *this)
{
	return this->length;
}

METHOD(payload_t, verify, status_t, gsa_payload_t *this)
{
	return SUCCESS;
}

METHOD(payload_t, destroy, void, gsa_payload_t *this)
{
	chunk_clear(&this->body);
	free(this);
}

payload_t *gsa_payload_create(uint8_t type, chunk_t body)
{
	gsa_payload_t *this;

	INIT(this,
		.public = {
			.get_encoding_rules = _get_encoding_rules,
			.get_header_length = _get_header_length,
			.get_type = _get_type,
			.get_next_type = _get_next_type,
			.set_next_type = _set_next_type,
			.get_length = _get_length,
			.verify = _verify,
			.destroy = _destroy,
		},
		.type = type,
		.length = PAYLOAD_HEADER_SIZE + body.len,
		.body = chunk_clone(body),
	);
	return &this->public;
}

static unknown_payload_t *find(message_t *message, uint8_t type)
{
	enumerator_t *enumerator = message->create_payload_enumerator(message);
	unknown_payload_t *found = NULL;
	payload_t *payload;

	while (!found && enumerator->enumerate(enumerator, &payload)) {
		unknown_payload_t *unknown = (unknown_payload_t *)payload;

		if (payload->get_type(payload) == PL_UNKNOWN &&
		    (uint8_t)unknown->get_type(unknown) == type)
			found = unknown;
	}
	enumerator->destroy(enumerator);
	return found;
}

bool gsa_payload_has(message_t *message, uint8_t type)
{
	return find(message, type) != NULL;
}

chunk_t gsa_payload_find(message_t *message, uint8_t type)
{
	unknown_payload_t *found = find(message, type);

	return found ? found->get_data(found) : chunk_empty;
}

#define SAG_MAX 512

void gsa_sag_add(message_t *message)
{
	uint8_t body[SAG_MAX];
	size_t length = gsa_sag_encode_supported(body, sizeof(body));

	if (length)
		message->add_payload(
			message, gsa_payload_create(GSA_PAYLOAD_SAG, chunk_create(body, length)));
}

/* libcharon keeps what it parsed, not the octets: all of it is in the payload's objects. */
chunk_t gsa_sag_find(message_t *message)
{
	payload_t *payload = message->get_payload(message, PLV2_SECURITY_ASSOCIATION);
	chunk_t octets, body = chunk_empty;
	generator_t *generator;

	if (!payload)
		return chunk_empty;
	generator = generator_create_no_dbg();
	generator->generate_payload(generator, payload);
	octets = generator->get_chunk(generator, NULL);
	if (octets.len > PAYLOAD_HEADER_SIZE)
		body = chunk_clone(chunk_skip(octets, PAYLOAD_HEADER_SIZE));
	generator->destroy(generator);
	return body;
}

/*
 * libcharon does not ask of payloads that it has no name for whether they were encrypted.  What
 * was put together of fragments has no packet of its own, and its fragments were decrypted.
 */
bool gsa_message_was_encrypted(message_t *message)
{
	chunk_t packet = message->get_packet_data(message);

	return !packet.len || (packet.len > FIRST_PAYLOAD_OFFSET &&
			       (packet.ptr[FIRST_PAYLOAD_OFFSET] == PLV2_ENCRYPTED ||
				packet.ptr[FIRST_PAYLOAD_OFFSET] == PLV2_FRAGMENT));
}

void gsa_notify_add(message_t *message, uint16_t type, chunk_t data)
{
	message->add_notify(message, FALSE, (notify_type_t)type, data);
}

notify_payload_t *gsa_notify_find(message_t *message, uint16_t type)
{
	return message->get_notify(message, (notify_type_t)type);
}

uint16_t gsa_error_find(message_t *message)
{
	enumerator_t *enumerator = message->create_payload_enumerator(message);
	payload_t *payload;
	uint16_t error = 0;

	while (!error && enumerator->enumerate(enumerator, &payload)) {
		notify_payload_t *notify = (notify_payload_t *)payload;
		uint32_t type;

		if (payload->get_type(payload) != PLV2_NOTIFY)
			continue;
		type = notify->get_notify_type(notify);
		if (type <= NOTIFY_ERROR_MAX)
			error = type;
	}
	enumerator->destroy(enumerator);
	return error;
}

void gsa_group_identifier_add(message_t *message, uint32_t group)
{
	uint8_t identifier[4];

	if (!group)
		return;
	htoun32(identifier, group);
	gsa_notify_add(message, GSA_NOTIFY_GROUP_IDENTIFIER, chunk_from_thing(identifier));
}

uint32_t gsa_group_identifier(message_t *message)
{
	notify_payload_t *notify = gsa_notify_find(message, GSA_NOTIFY_GROUP_IDENTIFIER);
	chunk_t data;

	if (!notify)
		return 0;
	data = notify->get_notification_data(notify);
	return data.len == 4 ? untoh32(data.ptr) : 0;
}

bool gsa_group_id_add(message_t *message, chunk_t name)
{
	struct gsa_idg idg = {
		.type = GSA_ID_KEY_ID,
		.data = name.ptr,
		.length = name.len,
	};
	uint8_t body[GSA_GROUP_NAME_MAX + 8];
	size_t length = gsa_idg_encode(&idg, body, sizeof(body));
	char text[GSA_GROUP_TEXT];

	if (!length) {
		DBG1(DBG_IKE, "gsa: '%s' cannot be sent as IDg: not a name of a group",
		     gsa_group_text(name, text));
		return FALSE;
	}
	message->add_payload(message,
			     gsa_payload_create(GSA_PAYLOAD_IDG, chunk_create(body, length)));
	return TRUE;
}

const char *gsa_group_text(chunk_t name, char buffer[GSA_GROUP_TEXT])
{
	size_t length = min(name.len, (size_t)GSA_GROUP_NAME_MAX);

	for (size_t i = 0; i < length; i++)
		buffer[i] = name.ptr[i] > ' ' && name.ptr[i] < 0x7f ? name.ptr[i] : '?';
	buffer[length] = '\0';
	return length ? buffer : "(not named)";
}
