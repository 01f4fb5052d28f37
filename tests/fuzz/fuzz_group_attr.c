// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "libgsa/group_attr.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_target[] = "group_attr";

static size_t unknown_octets(const struct gsa_group_attr *attr)
{
	size_t octets = 0;

	for (size_t i = 0; i < attr->unknown_count; i++)
		octets += attr->unknown_length[i];
	return octets;
}

/* Cut down to every other group, it can be written, and says of those groups what it said. */
static void check_cut_down(const struct gsa_group_attr *whole)
{
	struct gsa_group_attr cut = *whole;
	uint32_t groups[GSA_ATTR_GROUPS_MAX], before = 0, after = 0;
	uint8_t out[GSA_ATTR_VALUE_MAX];
	size_t count = 0;

	for (size_t i = 0; i < whole->group_count; i += 2)
		groups[count++] = whole->groups[i];
	gsa_group_attr_keep(&cut, groups, count);
	PROPERTY(gsa_group_attr_encode(&cut, out, sizeof(out)) > 0);
	for (size_t i = 0; i < whole->group_count; i++) {
		bool kept = i % 2 == 0, had = gsa_group_attr_sender_id(whole, whole->groups[i],
									&before);

		PROPERTY(gsa_group_attr_has(&cut, whole->groups[i]) == kept);
		PROPERTY(gsa_group_attr_sender_id(&cut, whole->groups[i], &after) == (kept && had));
		PROPERTY(!kept || !had || before == after);
	}
}

/* Decoded, written and decoded again, an attribute says the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	struct gsa_group_attr first, second;
	uint8_t out[GSA_ATTR_VALUE_MAX], again[GSA_ATTR_VALUE_MAX];
	const char *reason = NULL;
	size_t written;

	if (gsa_group_attr_decode(data, length, &first, &reason) != GSA_ATTR_OK) {
		PROPERTY(reason);
		return 0;
	}
	written = gsa_group_attr_encode(&first, out, sizeof(out));
	PROPERTY(written == length); /* the order may differ, the size may not */
	PROPERTY(gsa_group_attr_decode(out, written, &second, &reason) == GSA_ATTR_OK);
	PROPERTY(first.group_count == second.group_count);
	PROPERTY(memcmp(first.groups, second.groups, sizeof(first.groups)) == 0);
	PROPERTY(gsa_gateway_same_address(&first.gateway, &second.gateway));
	PROPERTY(first.sender_id_count == second.sender_id_count);
	PROPERTY(memcmp(first.sender_ids, second.sender_ids, sizeof(first.sender_ids)) == 0);
	PROPERTY(unknown_octets(&first) == unknown_octets(&second));
	PROPERTY(gsa_group_attr_encode(&second, again, sizeof(again)) == written);
	PROPERTY(memcmp(out, again, written) == 0);
	PROPERTY(gsa_group_attr_has(&first, first.groups[0]));
	check_cut_down(&first);
	return 0;
}
