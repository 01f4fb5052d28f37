// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <string.h>

#include "libgsa/group_attr.h"
#include "tests/unit/vectors.h"

#define GROUP_100   "01 (0 00000064)"
#define GATEWAY_V4  "02 (0 04 c000020b)"
#define SENDER_7    "03 (0 00000064 00000007)"

static const struct refusal refusals[] = {
	{ "", "GROUPS: missing" },
	{ GATEWAY_V4, "GROUPS: missing" },
	{ "01", "TLV: truncated header" },
	{ GROUP_100 "63 00", "TLV: truncated header" },
	{ "01 0005 00000064", "TLV: longer than the attribute" },
	{ "01 (0 )", "GROUPS: empty" },
	{ "01 (0 000064)", "GROUPS: length is not a multiple of 4" },
	{ "01 (0 00000000)", "GROUPS: group 0" },
	{ "01 (0 00000064 00000064)", "GROUPS: not strictly ascending" },
	{ "01 (0 00000064 00000063)", "GROUPS: not strictly ascending" },
	{ GROUP_100 GROUP_100, "GROUPS: present twice" },
	{ GROUP_100 GATEWAY_V4 GATEWAY_V4, "GATEWAY: present twice" },
	{ GROUP_100 "02 (0 )", "GATEWAY: empty" },
	{ GROUP_100 "02 (0 05 c000020b)", "GATEWAY: unknown address family" },
	{ GROUP_100 "02 (0 04 c00002)", "GATEWAY: length does not fit the address family" },
	{ GROUP_100 "02 (0 04 c000020b 00)", "GATEWAY: length does not fit the address family" },
	{ GROUP_100 "02 (0 06 c000020b)", "GATEWAY: length does not fit the address family" },
	{ GROUP_100 "02 (0 04 00000000)", "GATEWAY: not a unicast address" },
	{ GROUP_100 "02 (0 04 e0000001)", "GATEWAY: not a unicast address" },
	{ GROUP_100 "02 (0 04 ffffffff)", "GATEWAY: not a unicast address" },
	{ GROUP_100 "02 (0 06 00000000000000000000000000000000)", "GATEWAY: not a unicast address" },
	{ GROUP_100 "02 (0 06 ff020000000000000000000000000001)", "GATEWAY: not a unicast address" },
	{ SENDER_7, "GROUPS: missing" },
	{ GROUP_100 "03 (0 )", "SENDER_IDS: empty" },
	{ GROUP_100 "03 (0 00000064)", "SENDER_IDS: length is not a multiple of 8" },
	{ GROUP_100 "03 (0 00000064 00000007 00)", "SENDER_IDS: length is not a multiple of 8" },
	{ GROUP_100 "03 (0 00000063 00000007)", "SENDER_IDS: a group that is not in GROUPS" },
	{ GROUP_100 "03 (0 00000064 00000007 00000065 00000007)",
	  "SENDER_IDS: a group that is not in GROUPS" },
	{ "03 (0 00000063 00000007)" GROUP_100, "SENDER_IDS: a group that is not in GROUPS" },
	{ GROUP_100 "03 (0 00000064 00000007 00000064 00000008)",
	  "SENDER_IDS: groups not strictly ascending" },
	{ "01 (0 00000064 00000065) 03 (0 00000065 00000007 00000064 00000008)",
	  "SENDER_IDS: groups not strictly ascending" },
	{ GROUP_100 SENDER_7 SENDER_7, "SENDER_IDS: present twice" },
};

START_TEST(refused)
{
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(refusals[_i].text, data);
	struct gsa_group_attr attr;
	const char *reason = NULL;

	ck_assert_int_eq(gsa_group_attr_decode(data, length, &attr, &reason),
			 GSA_ATTR_TREAT_AS_WITHDRAW);
	ck_assert_str_eq(reason, refusals[_i].reason);
}
END_TEST

START_TEST(fields)
{
	const struct vector *v = vector_named("group_attr", "attr_gateway_ipv4");
	struct gsa_group_attr attr;
	const char *reason = NULL;
	char text[INET6_ADDRSTRLEN];
	uint32_t sender_id;

	ck_assert_int_eq(gsa_group_attr_decode(v->data, v->length, &attr, &reason), GSA_ATTR_OK);
	ck_assert_uint_eq(attr.group_count, 2);
	ck_assert_uint_eq(attr.groups[0], 100);
	ck_assert_uint_eq(attr.groups[1], 200);
	ck_assert_int_eq(attr.gateway.family, AF_INET);
	ck_assert(gsa_group_attr_sender_id(&attr, 100, &sender_id));
	ck_assert_uint_eq(sender_id, 7);
	ck_assert(gsa_group_attr_sender_id(&attr, 200, &sender_id));
	ck_assert_uint_eq(sender_id, 0);
	ck_assert(!gsa_group_attr_sender_id(&attr, 150, &sender_id));
	ck_assert_str_eq(inet_ntop(AF_INET, &attr.gateway.ipv4, text, sizeof(text)), "192.0.2.11");
	ck_assert_uint_eq(attr.unknown_count, 0);

	v = vector_named("group_attr", "attr_gateway_ipv6_unknown");
	ck_assert_int_eq(gsa_group_attr_decode(v->data, v->length, &attr, &reason), GSA_ATTR_OK);
	ck_assert_int_eq(attr.gateway.family, AF_INET6);
	ck_assert_uint_eq(attr.sender_id_count, 0);
	ck_assert_str_eq(inet_ntop(AF_INET6, &attr.gateway.ipv6, text, sizeof(text)),
			 "2001:db8::1");
	ck_assert_uint_eq(attr.unknown_count, 1); /* two TLVs in one run */
	ck_assert_uint_eq(attr.unknown_length[0], 8);

	v = vector_named("group_attr", "attr_one_group");
	ck_assert_int_eq(gsa_group_attr_decode(v->data, v->length, &attr, &reason), GSA_ATTR_OK);
	ck_assert_int_eq(attr.gateway.family, AF_UNSPEC);
}
END_TEST

/* Every good vector: written back to the same octets, and no shorter buffer will do. */
START_TEST(there_and_back)
{
	const struct vector *v = &vectors[_i];
	uint8_t out[GSA_ATTR_VALUE_MAX];
	struct gsa_group_attr attr;
	const char *reason = NULL;

	if (strcmp(v->target, "group_attr") != 0)
		return;
	ck_assert_int_eq(gsa_group_attr_decode(v->data, v->length, &attr, &reason), GSA_ATTR_OK);
	ck_assert_uint_eq(gsa_group_attr_encode(&attr, out, sizeof(out)), v->length);
	ck_assert_mem_eq(out, v->data, v->length);
	for (size_t capacity = 0; capacity < v->length; capacity++)
		ck_assert_uint_eq(gsa_group_attr_encode(&attr, out, capacity), 0);
	for (size_t prefix = 0; prefix < v->length; prefix++) {
		bool whole = prefix > 0 && ends_at_element(v->data, prefix, 1, 3);

		ck_assert_msg((gsa_group_attr_decode(v->data, prefix, &attr, &reason) ==
			       GSA_ATTR_OK) == whole,
			      "%s cut to %zu", v->name, prefix);
	}
}
END_TEST

/* Unknown TLVs on all sides of the known ones are passed on in their order. */
START_TEST(unknown_are_passed_on)
{
	static const char received[] =
		"63 (0 01) 64 (0 )" SENDER_7 "66 (0 )" GROUP_100 "65 (0 02)" GATEWAY_V4 "63 (0 03)";
	static const char sent[] = GROUP_100 GATEWAY_V4 SENDER_7
		"63 (0 01) 64 (0 ) 66 (0 ) 65 (0 02) 63 (0 03)";
	uint8_t in[WIRE_TEXT_MAX], expected[WIRE_TEXT_MAX], out[GSA_ATTR_VALUE_MAX];
	size_t in_length = wire_text(received, in), expected_length = wire_text(sent, expected);
	struct gsa_group_attr attr;
	const char *reason = NULL;

	ck_assert_int_eq(gsa_group_attr_decode(in, in_length, &attr, &reason), GSA_ATTR_OK);
	ck_assert_uint_eq(gsa_group_attr_encode(&attr, out, sizeof(out)), expected_length);
	ck_assert_mem_eq(out, expected, expected_length);
}
END_TEST

START_TEST(bounds)
{
	uint8_t value[GSA_ATTR_VALUE_MAX + 1] = { 1, 0, 4, 0, 0, 0, 1, 99 };
	struct gsa_group_attr attr = { .group_count = GSA_ATTR_GROUPS_MAX }, back;
	const char *reason = NULL;
	size_t length, rest = GSA_ATTR_VALUE_MAX - 10;

	/* one unknown TLV that fills the attribute */
	value[8] = (uint8_t)(rest >> 8);
	value[9] = (uint8_t)rest;
	ck_assert_int_eq(gsa_group_attr_decode(value, GSA_ATTR_VALUE_MAX, &back, &reason),
			 GSA_ATTR_OK);
	value[9]++;
	ck_assert_int_eq(gsa_group_attr_decode(value, GSA_ATTR_VALUE_MAX + 1, &back, &reason),
			 GSA_ATTR_TREAT_AS_WITHDRAW);
	ck_assert_str_eq(reason, "attribute: longer than allowed");

	/* as much as there can be, in as many octets as may be */
	for (uint32_t i = 0; i < GSA_ATTR_GROUPS_MAX; i++) {
		attr.groups[i] = i + 1;
		attr.sender_ids[i] = (struct gsa_group_sender_id){ i + 1, i };
	}
	attr.sender_id_count = GSA_ATTR_GROUPS_MAX;
	attr.gateway = (struct gsa_gateway){ .family = AF_INET6, .ipv6.s6_addr = { 0x20 } };
	ck_assert_uint_gt(gsa_group_attr_encode(&attr, value, sizeof(value)), 0);
	attr.sender_id_count++;
	ck_assert_uint_eq(gsa_group_attr_encode(&attr, value, sizeof(value)), 0);

	attr.sender_id_count = 0;
	attr.gateway.family = AF_UNSPEC;
	length = gsa_group_attr_encode(&attr, value, sizeof(value));
	ck_assert_uint_gt(length, 0);
	ck_assert_int_eq(gsa_group_attr_decode(value, length, &back, &reason), GSA_ATTR_OK);
	ck_assert_uint_eq(back.group_count, GSA_ATTR_GROUPS_MAX);
	/* one group more */
	length -= 3;
	memset(value + 3 + length, 0xff, 4);
	value[1] = (uint8_t)((length + 4) >> 8);
	value[2] = (uint8_t)(length + 4);
	ck_assert_int_eq(gsa_group_attr_decode(value, 3 + length + 4, &back, &reason),
			 GSA_ATTR_TREAT_AS_WITHDRAW);
	ck_assert_str_eq(reason, "GROUPS: more groups than a route may have");
}
END_TEST

START_TEST(not_encodable)
{
	struct gsa_group_attr attr = { .groups = { 2, 1 }, .group_count = 0 };
	uint8_t out[GSA_ATTR_VALUE_MAX];

	ck_assert_uint_eq(gsa_group_attr_encode(&attr, out, sizeof(out)), 0);
	attr.group_count = 2;
	ck_assert_uint_eq(gsa_group_attr_encode(&attr, out, sizeof(out)), 0);
	attr.group_count = 1;
	ck_assert_uint_gt(gsa_group_attr_encode(&attr, out, sizeof(out)), 0);
	attr.sender_ids[0].group = 3;
	attr.sender_id_count = 1;
	ck_assert_uint_eq(gsa_group_attr_encode(&attr, out, sizeof(out)), 0);
	attr.sender_ids[0].group = 2;
	ck_assert_uint_gt(gsa_group_attr_encode(&attr, out, sizeof(out)), 0);
	attr.gateway.family = AF_INET; /* 0.0.0.0 */
	ck_assert_uint_eq(gsa_group_attr_encode(&attr, out, sizeof(out)), 0);
	attr.gateway.family = AF_UNIX;
	ck_assert_uint_eq(gsa_group_attr_encode(&attr, out, sizeof(out)), 0);
}
END_TEST

START_TEST(sets_of_groups)
{
	struct gsa_group_attr attr = { .groups = { 10, 20, 30, 40 }, .group_count = 4 };

	ck_assert(gsa_group_attr_has(&attr, 10));
	ck_assert(gsa_group_attr_has(&attr, 40));
	ck_assert(!gsa_group_attr_has(&attr, 25));
}
END_TEST

/* A peer learns the Sender-IDs of the groups that it shares, not those of the others. */
START_TEST(cut_down)
{
	struct gsa_group_attr attr = { .groups = { 10, 20, 30, 40 },
				       .group_count = 4,
				       .sender_ids = { { 10, 1 }, { 30, 3 }, { 40, 4 } },
				       .sender_id_count = 3 };
	uint32_t sender_id;

	gsa_group_attr_keep(&attr, (uint32_t[]){ 20, 30, 40 }, 3);
	ck_assert_uint_eq(attr.group_count, 3);
	ck_assert_uint_eq(attr.groups[0], 20);
	ck_assert_uint_eq(attr.sender_id_count, 2);
	ck_assert(gsa_group_attr_sender_id(&attr, 30, &sender_id));
	ck_assert_uint_eq(sender_id, 3);
	ck_assert(gsa_group_attr_sender_id(&attr, 40, &sender_id));
	ck_assert_uint_eq(sender_id, 4);
	gsa_group_attr_keep(&attr, (uint32_t[]){ 20 }, 1);
	ck_assert_uint_eq(attr.sender_id_count, 0);
}
END_TEST

START_TEST(gateways)
{
	struct gsa_gateway a = { .family = AF_INET, .ipv4.s_addr = 1 }, b = a;

	ck_assert(gsa_gateway_same_address(&a, &b));
	b.ipv4.s_addr = 2;
	ck_assert(!gsa_gateway_same_address(&a, &b));
	b = (struct gsa_gateway){ .family = AF_INET6 };
	ck_assert(!gsa_gateway_same_address(&a, &b));
	a = b;
	ck_assert(gsa_gateway_same_address(&a, &b));
	a.ipv6.s6_addr[15] = 1;
	ck_assert(!gsa_gateway_same_address(&a, &b));
}
END_TEST

Suite *group_attr_suite(void)
{
	Suite *suite = suite_create("group_attr");
	TCase *codec = tcase_create("codec"), *operations = tcase_create("operations");

	tcase_add_loop_test(codec, refused, 0, COUNT(refusals));
	tcase_add_test(codec, fields);
	tcase_add_loop_test(codec, there_and_back, 0, (int)vector_count);
	tcase_add_test(codec, unknown_are_passed_on);
	tcase_add_test(codec, bounds);
	tcase_add_test(codec, not_encodable);
	suite_add_tcase(suite, codec);
	tcase_add_test(operations, sets_of_groups);
	tcase_add_test(operations, cut_down);
	tcase_add_test(operations, gateways);
	suite_add_tcase(suite, operations);
	return suite;
}
