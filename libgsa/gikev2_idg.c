// SPDX-License-Identifier: GPL-2.0-or-later
/* IDg, the group that a member wants to join (RFC 9838 §4.2, RFC 7296 §3.5). */
#include "libgsa/gikev2_parts.h"

/*
 * One row an identification type that a group may have: octets of the data, and
 * whether it is text, in which control characters must not be.
 */
static const struct id_type {
	uint8_t type;
	size_t min, max;
	bool text;
} types[] = {
	{ 1 /* ID_IPV4_ADDR */, 4, 4, false },
	{ 2 /* ID_FQDN */, 1, 255, true },
	{ 3 /* ID_RFC822_ADDR */, 1, 255, true },
	{ 5 /* ID_IPV6_ADDR */, 16, 16, false },
	{ GSA_ID_KEY_ID, 1, GSA_GROUP_NAME_MAX, false },
};

static bool has_control_character(const struct gsa_idg *idg)
{
	for (size_t i = 0; i < idg->length; i++)
		if (idg->data[i] < 0x20 || idg->data[i] == 0x7f)
			return true;
	return false;
}

static const char *idg_check(const struct gsa_idg *idg)
{
	for (size_t i = 0; i < GSA_COUNT(types); i++) {
		if (types[i].type != idg->type)
			continue;
		if (idg->length < types[i].min || idg->length > types[i].max)
			return "IDg: length does not fit the identification type";
		if (types[i].text && has_control_character(idg))
			return "IDg: control character in a name";
		return NULL;
	}
	return "IDg: identification type is not one of a group";
}

bool gsa_idg_decode(const uint8_t *body, size_t length, struct gsa_idg *idg, const char **reason)
{
	struct gsa_reader reader = gsa_reader_of(body, length);
	const char *wrong = NULL;

	memset(idg, 0, sizeof(*idg));
	if (!gsa_read_u8(&reader, &idg->type) || !gsa_read_skip(&reader, 3)) {
		wrong = "IDg: truncated header";
	} else {
		idg->length = gsa_reader_left(&reader);
		gsa_read_bytes(&reader, idg->length, &idg->data);
		wrong = idg_check(idg);
	}
	if (wrong)
		*reason = wrong;
	return !wrong;
}

size_t gsa_idg_encode(const struct gsa_idg *idg, uint8_t *out, size_t capacity)
{
	static const uint8_t reserved[3];
	struct gsa_writer writer = gsa_writer_of(out, capacity);

	if (idg_check(idg))
		return 0;
	gsa_write_u8(&writer, idg->type);
	gsa_write_bytes(&writer, reserved, sizeof(reserved));
	gsa_write_bytes(&writer, idg->data, idg->length);
	return gsa_writer_written(&writer);
}
