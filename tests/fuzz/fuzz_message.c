// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <string.h>

#include "libgsa/message.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_target[] = "message";

/* Does `message`, or one in it, have an unknown field with the number 0? */
static bool has_field_zero(const ProtobufCMessage *message)
{
	const uint8_t *base = (const uint8_t *)message;

	for (unsigned int i = 0; i < message->n_unknown_fields; i++)
		if (message->unknown_fields[i].tag == 0)
			return true;
	for (unsigned int i = 0; i < message->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		const void *value = base + field->offset, *count = base + field->quantifier_offset;
		ProtobufCMessage *const *parts = value;
		size_t n = 1;

		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
			n = *(const uint32_t *)count == field->id;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			n = *(const size_t *)count;
			parts = *(ProtobufCMessage *const *const *)value;
		}
		for (size_t j = 0; j < n; j++)
			if (parts[j] && has_field_zero(parts[j]))
				return true;
	}
	return false;
}

/*
 * What is packed from an unpacked message unpacks and packs to the same octets.
 * libprotobuf-c takes a field number 0, which there is not, when its octets are not the
 * shortest, and refuses it when they are: such a message does not come back.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	static uint8_t first[GSA_MESSAGE_MAX], second[GSA_MESSAGE_MAX];
	const char *reason = NULL;
	Gsa__Message *message = gsa_message_unpack(data, length, &reason);
	bool returns;
	size_t written;

	if (!message) {
		PROPERTY(reason);
		return 0;
	}
	PROPERTY(length <= GSA_MESSAGE_MAX);
	PROPERTY(message->body_case != GSA__MESSAGE__BODY__NOT_SET);
	returns = !has_field_zero(&message->base);
	written = gsa_message_pack(message, first);
	gsa_message_free(message);
	if (written == 0) /* packed fields are written one by one: it may grow */
		return 0;
	message = gsa_message_unpack(first, written, &reason);
	PROPERTY(message || !returns);
	if (!message)
		return 0;
	PROPERTY(gsa_message_pack(message, second) == written);
	PROPERTY(memcmp(first, second, written) == 0);
	gsa_message_free(message);
	return 0;
}
