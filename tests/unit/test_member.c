// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/gikev2.h"
#include "tests/unit/gcks_unit.h"

static struct gcks_member_table table;

static void clear(void)
{
	gcks_member_table_clear(&table);
}

START_TEST(prefixes)
{
	struct gcks_prefix wide = prefix_of("10.0.0.0/8"), narrow = prefix_of("10.1.2.3/20"), bad;
	char text[64];

	ck_assert_str_eq(gcks_prefix_text(&narrow, text, sizeof(text)), "10.1.0.0/20");
	ck_assert(gcks_prefix_contains(&wide, &narrow));
	ck_assert(gcks_prefix_contains(&wide, &wide));
	ck_assert(!gcks_prefix_contains(&narrow, &wide));
	wide = prefix_of("0.0.0.0/0");
	ck_assert(gcks_prefix_contains(&wide, &narrow));
	narrow = prefix_of("2001:db8::/33");
	ck_assert(!gcks_prefix_contains(&wide, &narrow));
	ck_assert(!gcks_prefix_from(&bad, narrow.address.octets, 4, 33));
	ck_assert(!gcks_prefix_from(&bad, narrow.address.octets, 3, 8));
	ck_assert(!gcks_prefix_from(&bad, narrow.address.octets, 4, 256 + 8));
}
END_TEST

START_TEST(memberships)
{
	struct gcks_membership *red = join(&table, "red", 200, "192.0.2.13", 0);
	struct gcks_membership *blue = join(&table, "blue", 100, "192.0.2.13", 0);
	uint32_t reqid = blue->reqid;

	ck_assert_ptr_eq(table.memberships, blue);
	ck_assert_ptr_eq(gcks_membership_find(&table, "red"), red);
	ck_assert_ptr_eq(gcks_membership_add(&table, "red"), red);
	ck_assert_ptr_eq(gcks_membership_find_identifier(&table, 200), red);
	ck_assert_ptr_null(gcks_membership_find_identifier(&table, 0));
	ck_assert_uint_ne(red->reqid, blue->reqid);
	ck_assert_uint_eq(reqid & ~GCKS_REQID_MASK, GCKS_REQID_BASE);
	red->learnt_identifier = 201;
	ck_assert_uint_eq(gcks_membership_identifier(red), 201);
	/* the same in another run of gcksd */
	gcks_member_table_clear(&table);
	ck_assert_uint_eq(gcks_membership_add(&table, "blue")->reqid, reqid);
}
END_TEST

START_TEST(reqids_are_unique)
{
	char name[16];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		ck_assert_ptr_nonnull(gcks_membership_add(&table, name));
	}
	for (const struct gcks_membership *a = table.memberships; a; a = a->next)
		for (const struct gcks_membership *b = a->next; b; b = b->next)
			ck_assert_uint_ne(a->reqid, b->reqid);
}
END_TEST

START_TEST(sa_is_taken_apart)
{
	struct gcks_membership *blue = join(&table, "blue", 100, "192.0.2.13", 0);
	const char *reason;
	struct group_sa sa;

	group_sa_fill(&sa, 101, 0x1234);
	for (size_t i = 0; i < sizeof(sa.key); i++)
		sa.key[i] = (uint8_t)i;
	sa.data_sa.lifetime_s = 60;
	ck_assert(gcks_membership_set_sas(blue, &sa.group_sa, 1000, &reason));
	ck_assert_uint_eq(blue->learnt_identifier, 101);
	ck_assert_uint_eq(blue->sas->spi, 0x1234);
	ck_assert_int_eq(blue->sas->expires_at, 61000);
	ck_assert_uint_eq(gcks_member_sa_lifetime_s(blue->sas, 1001), 60);
	ck_assert_uint_eq(gcks_member_sa_lifetime_s(blue->sas, 60999), 1);
	ck_assert_uint_eq(blue->sas->key.length, 64);
	ck_assert_mem_eq(blue->sas->key.data, sa.key, 64);
	gcks_membership_drop_sas(blue);
	ck_assert_ptr_null(blue->sas);
}
END_TEST

static const struct {
	const char *reason;
	size_t field; /* of Gsa__DataSa, all of them uint32_t */
	uint32_t value;
} unusable[] = {
	{ "SPI", offsetof(Gsa__DataSa, spi), 255 },
	{ "encryption", offsetof(Gsa__DataSa, encryption), GSA_ENCR_AES_GCM_16 },
	{ "keys of this size", offsetof(Gsa__DataSa, encryption_key_bits), 255 },
	{ "length", offsetof(Gsa__DataSa, encryption_key_bits), 128 },
	{ "integrity", offsetof(Gsa__DataSa, integrity), GSA_INTEG_NONE },
	{ "length", offsetof(Gsa__DataSa, integrity), GSA_INTEG_HMAC_SHA2_512_256 },
	{ "sequence numbers", offsetof(Gsa__DataSa, sequence_numbers), GSA_SN_ESN_64 },
};

/* Refused with a reason; the SA that was there stays. */
START_TEST(unusable_sas)
{
	struct gcks_membership *blue = join(&table, "blue", 100, "192.0.2.13", 0x1000);
	const char *reason;
	struct group_sa sa;

	group_sa_fill(&sa, 300, 0x2000);
	memcpy((char *)&sa.data_sa + unusable[_i].field, &unusable[_i].value, sizeof(uint32_t));
	ck_assert(!gcks_membership_set_sas(blue, &sa.group_sa, 1000, &reason));
	ck_assert_msg(strstr(reason, unusable[_i].reason) != NULL, "%s", reason);
	ck_assert_uint_eq(blue->sas->spi, 0x1000);
	ck_assert_uint_eq(blue->learnt_identifier, 100);
	sa.group_sa.n_data_sa = 0;
	ck_assert(!gcks_membership_set_sas(blue, &sa.group_sa, 1000, &reason));
}
END_TEST

START_TEST(routes)
{
	struct gcks_membership *blue = join(&table, "blue", 100, "192.0.2.13", 0);
	struct gcks_prefix prefix;
	char text[32];

	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "10.%d.0.0/16", i * 37 % 100);
		set_route(blue, text, "192.0.2.1");
	}
	ck_assert_uint_eq(blue->route_count, 100);
	blue->routes[7].ready = blue->routes[7].told_ready = true;
	set_route(blue, "10.7.0.0/16", "192.0.2.1");
	ck_assert(blue->routes[7].ready && blue->routes[7].told_ready);
	set_route(blue, "10.7.0.0/16", "192.0.2.2");
	ck_assert(!blue->routes[7].ready && !blue->routes[7].told_ready);
	ck_assert_uint_eq(blue->route_count, 100);
	prefix = prefix_of("10.7.0.0/16");
	gcks_membership_remove_route(blue, &prefix);
	gcks_membership_remove_route(blue, &prefix);
	ck_assert_uint_eq(blue->route_count, 99);
	for (size_t i = 0; i < blue->route_count; i++)
		ck_assert(!gcks_prefix_equal(&blue->routes[i].prefix, &prefix));
}
END_TEST

START_TEST(protect_and_connected)
{
	struct gcks_membership *blue = join(&table, "blue", 100, "192.0.2.13", 0);
	struct gcks_prefix a = prefix_of("10.0.0.0/8"), b = prefix_of("172.16.0.0/12");

	ck_assert(gcks_membership_add_protect(blue, &b));
	ck_assert(gcks_membership_add_protect(blue, &a));
	ck_assert(gcks_membership_add_protect(blue, &a));
	ck_assert_uint_eq(blue->protect_count, 2);
	gcks_membership_remove_protect(blue, &a);
	ck_assert_uint_eq(blue->protect_count, 1);
	ck_assert(gcks_prefix_equal(&blue->protect[0], &b));
	ck_assert(gcks_member_add_connected(&table, &a));
	ck_assert(gcks_member_add_connected(&table, &b));
	gcks_member_remove_connected(&table, &a);
	gcks_member_remove_connected(&table, &a);
	ck_assert_uint_eq(table.connected_count, 1);
}
END_TEST

START_TEST(stale)
{
	struct gcks_membership *blue = join(&table, "blue", 100, "192.0.2.13", 0);
	struct gcks_prefix kept = prefix_of("10.3.0.0/24"), gone = prefix_of("10.3.1.0/24");

	set_route(blue, "10.1.0.0/24", "192.0.2.11");
	set_route(blue, "10.2.0.0/24", "192.0.2.12");
	ck_assert(gcks_membership_set_export(blue, &gone));
	ck_assert(gcks_membership_set_export(blue, &kept));
	gcks_member_mark_stale(&table);
	set_route(blue, "10.2.0.0/24", "192.0.2.12");
	ck_assert(gcks_membership_set_export(blue, &kept));
	gcks_member_sweep_stale(&table);
	ck_assert_uint_eq(blue->route_count, 1);
	ck_assert_uint_eq(blue->routes[0].prefix.address.octets[1], 2);
	ck_assert_uint_eq(blue->export_count, 1);
	ck_assert(gcks_prefix_equal(&blue->exports[0], &kept));
	gcks_membership_remove_export(blue, &kept);
	gcks_membership_remove_export(blue, &kept);
	ck_assert_uint_eq(blue->export_count, 0);
}
END_TEST

Suite *member_suite(void)
{
	Suite *suite = suite_create("member");
	TCase *tcase = tcase_create("member");

	tcase_add_checked_fixture(tcase, NULL, clear);
	tcase_add_test(tcase, prefixes);
	tcase_add_test(tcase, memberships);
	tcase_add_test(tcase, reqids_are_unique);
	tcase_add_test(tcase, sa_is_taken_apart);
	tcase_add_loop_test(tcase, unusable_sas, 0, COUNT(unusable));
	tcase_add_test(tcase, routes);
	tcase_add_test(tcase, protect_and_connected);
	tcase_add_test(tcase, stale);
	suite_add_tcase(suite, tcase);
	return suite;
}
