// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/unit.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "libgsa/message.h"
#include "tests/unit/vectors.h"

START_TEST(there_and_back)
{
	const struct vector *v = &vectors[_i];
	static uint8_t out[GSA_MESSAGE_MAX];
	const char *reason = NULL;
	Gsa__Message *message;

	if (strcmp(v->target, "message") != 0)
		return;
	message = gsa_message_unpack(v->data, v->length, &reason);
	ck_assert_msg(message, "%s", reason);
	ck_assert_uint_eq(gsa_message_pack(message, out), v->length);
	ck_assert_mem_eq(out, v->data, v->length);
	gsa_message_free(message);
	for (size_t prefix = 0; prefix < v->length; prefix++) {
		reason = NULL;
		ck_assert_ptr_null(gsa_message_unpack(v->data, prefix, &reason));
		ck_assert_ptr_nonnull(reason);
	}
}
END_TEST

START_TEST(fields)
{
	const struct vector *v = vector_named("message", "message_registration_reply");
	const char *reason = NULL;
	Gsa__Message *message = gsa_message_unpack(v->data, v->length, &reason);
	const Gsa__DataSa *sa;

	ck_assert_ptr_nonnull(message);
	ck_assert_int_eq(message->body_case, GSA__MESSAGE__BODY_REGISTRATION_REPLY);
	ck_assert_uint_eq(message->registration_reply->request, 7);
	ck_assert_uint_eq(message->registration_reply->group_sa->group, 100);
	ck_assert_uint_eq(message->registration_reply->group_sa->n_data_sa, 1);
	sa = message->registration_reply->group_sa->data_sa[0];
	ck_assert_uint_eq(sa->spi, 0xc0ffee01);
	ck_assert_uint_eq(sa->encryption_key_bits, 256);
	ck_assert_uint_eq(sa->key.len, 4);
	ck_assert_mem_eq(sa->key.data, "key!", 4);
	gsa_message_free(message);
	gsa_message_free(NULL);
}
END_TEST

static const struct refusal refusals[] = {
	{ "", "empty datagram" },
	{ "ff", "truncated, or not a message" },
	{ "0a 05 08 01", "truncated, or not a message" },     /* hello, longer than the datagram */
	{ "0a 02 08 80", "truncated, or not a message" },     /* version without an end */
	{ "92 3f 00", "no body, or one of a newer version" }, /* field 1010 */
};

START_TEST(refused)
{
	uint8_t data[WIRE_TEXT_MAX];
	size_t length = wire_text(refusals[_i].text, data);
	const char *reason = NULL;

	ck_assert_ptr_null(gsa_message_unpack(data, length, &reason));
	ck_assert_str_eq(reason, refusals[_i].reason);
}
END_TEST

/*
 * The program is linked with --wrap=free: what libgsa gives back passes here, and is
 * looked at while it is still ours.
 */
void __real_free(void *pointer);
void __wrap_free(void *pointer);

static bool watch_frees;
static size_t blocks_freed, octets_left;

void __wrap_free(void *pointer)
{
	if (watch_frees && pointer) {
		const uint8_t *octets = pointer;
		size_t size = malloc_usable_size(pointer);

		blocks_freed++;
		for (size_t i = 0; i < size; i++)
			octets_left += octets[i] != 0;
	}
	__real_free(pointer);
}

/* Nothing of a message is left in memory: whole, cut short, or with a field sent twice. */
START_TEST(freed_memory_is_wiped)
{
	static const char *const names[] = { "message_registration_reply", "message_install_sa" };

	for (size_t i = 0; i < COUNT(names); i++) {
		const struct vector *v = vector_named("message", names[i]);
		uint8_t twice[128];
		const char *reason = NULL;

		blocks_freed = octets_left = 0;
		for (size_t length = 1; length <= v->length; length++) {
			watch_frees = true;
			gsa_message_free(gsa_message_unpack(v->data, length, &reason));
			watch_frees = false;
		}
		ck_assert_uint_gt(blocks_freed, 0);
		ck_assert_uint_eq(octets_left, 0);

		ck_assert_uint_le(2 * v->length, sizeof(twice));
		memcpy(twice, v->data, v->length);
		memcpy(twice + v->length, v->data, v->length);
		blocks_freed = octets_left = 0;
		watch_frees = true;
		gsa_message_free(gsa_message_unpack(twice, 2 * v->length, &reason));
		watch_frees = false;
		ck_assert_uint_gt(blocks_freed, 0);
		ck_assert_uint_eq(octets_left, 0);
	}
}
END_TEST

/* A Refused whose reason makes the message `length` octets long. */
static size_t pack_of_length(size_t length, uint8_t *out)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__Refused refused = GSA__REFUSED__INIT;
	size_t header = 8, written; /* two tags, two lengths of three octets */
	char *reason = malloc(length);

	ck_assert_ptr_nonnull(reason);
	memset(reason, 'x', length - header);
	reason[length - header] = '\0';
	refused.reason = reason;
	message.body_case = GSA__MESSAGE__BODY_REFUSED;
	message.refused = &refused;
	written = gsa_message_pack(&message, out);
	free(reason);
	return written;
}

START_TEST(length_is_capped)
{
	static uint8_t out[GSA_MESSAGE_MAX + 1];
	const char *reason = NULL;
	Gsa__Message *message;

	ck_assert_uint_eq(pack_of_length(GSA_MESSAGE_MAX, out), GSA_MESSAGE_MAX);
	message = gsa_message_unpack(out, GSA_MESSAGE_MAX, &reason);
	ck_assert_ptr_nonnull(message);
	gsa_message_free(message);
	ck_assert_uint_eq(pack_of_length(GSA_MESSAGE_MAX + 1, out), 0);
	ck_assert_ptr_null(gsa_message_unpack(out, GSA_MESSAGE_MAX + 1, &reason));
	ck_assert_str_eq(reason, "longer than a message may be");
}
END_TEST

START_TEST(no_body_packs_to_nothing)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	static uint8_t out[GSA_MESSAGE_MAX];

	ck_assert_uint_eq(gsa_message_pack(&message, out), 0);
}
END_TEST

Suite *message_suite(void)
{
	Suite *suite = suite_create("message");
	TCase *framing = tcase_create("framing");

	tcase_add_loop_test(framing, there_and_back, 0, (int)vector_count);
	tcase_add_test(framing, fields);
	tcase_add_loop_test(framing, refused, 0, COUNT(refusals));
	tcase_add_test(framing, freed_memory_is_wiped);
	tcase_add_test(framing, length_is_capped);
	tcase_add_test(framing, no_body_packs_to_nothing);
	suite_add_tcase(suite, framing);
	return suite;
}
