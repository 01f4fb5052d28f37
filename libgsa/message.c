// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/message.h"

#include <malloc.h>
#include <stdlib.h>

#include "libgsa/secret.h"

static void *plain_alloc(void *data, size_t size)
{
	return malloc(size);
}

/*
 * Wipes every allocation of a message rather than a list of fields: the parser also
 * frees on its own, when it refuses a message half-way or meets a field twice, and a key
 * may be in what it frees.  Blocks stay plain malloc() blocks, so that a caller may
 * take one out of a message.
 */
static void wiping_free(void *data, void *pointer)
{
	if (!pointer)
		return;
	gsa_wipe(pointer, malloc_usable_size(pointer));
	free(pointer);
}

/* Not const: protobuf-c's interface takes it so.  It is never written. */
static ProtobufCAllocator wiping_allocator = { .alloc = plain_alloc, .free = wiping_free };

Gsa__Message *gsa_message_unpack(const uint8_t *data, size_t length, const char **reason)
{
	Gsa__Message *message;

	if (length == 0) {
		*reason = "empty datagram";
		return NULL;
	}
	if (length > GSA_MESSAGE_MAX) {
		*reason = "longer than a message may be";
		return NULL;
	}
	message = gsa__message__unpack(&wiping_allocator, length, data);
	if (!message) {
		*reason = "truncated, or not a message";
		return NULL;
	}
	if (message->body_case == GSA__MESSAGE__BODY__NOT_SET) {
		*reason = "no body, or one of a newer version";
		gsa_message_free(message);
		return NULL;
	}
	return message;
}

void gsa_message_free(Gsa__Message *message)
{
	if (message)
		gsa__message__free_unpacked(message, &wiping_allocator);
}

const char *gsa_message_name(const Gsa__Message *message)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
		&gsa__message__descriptor, message->body_case);

	return field ? field->name : "unknown";
}

size_t gsa_message_pack(const Gsa__Message *message, uint8_t *out)
{
	if (gsa__message__get_packed_size(message) > GSA_MESSAGE_MAX)
		return 0;
	return gsa__message__pack(message, out);
}
