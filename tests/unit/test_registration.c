// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>

#include "tests/unit/gcks_unit.h"

#define PSK GSA__CREDENTIAL__CREDENTIAL_PSK

static struct gcks_registrations table;

static struct gcks_registration *make(uint32_t group, const char *identity, uint32_t ike_sa)
{
	static char *ca[] = { "CN=Issuing", "CN=Root" };
	struct gcks_registration values = {
		.group = group,
		.identity = (char *)identity,
		.address = address_of("192.0.2.11"),
		.ike_sa = ike_sa,
		.credential = PSK,
		.ca = ca,
		.ca_count = COUNT(ca),
		.registered_at = 1000,
		.stale = true,
	};
	struct gcks_registration *entry = gcks_registration_new(&values);

	ck_assert_ptr_nonnull(entry);
	ck_assert(!entry->stale);
	return entry;
}

static struct gcks_registration *put(uint32_t group, const char *identity, uint32_t ike_sa)
{
	struct gcks_registration *entry = make(group, identity, ike_sa);

	gcks_registration_insert(&table, entry);
	return entry;
}

static void clear(void)
{
	gcks_registrations_clear(&table);
	ck_assert_uint_eq(table.count, 0);
}

START_TEST(one_for_each_group_and_identity)
{
	struct gcks_registration *entry = put(100, "site1", 7), *again;

	ck_assert_ptr_ne(put(200, "site1", 7), entry);
	ck_assert_ptr_ne(put(100, "site2", 8), entry);
	entry->stale = true;
	entry->stale_until = 5;
	again = put(100, "site1", 9);
	entry = gcks_registration_find(&table, 100, "site1");
	ck_assert_ptr_eq(entry, again);
	ck_assert(!entry->stale && entry->stale_until == 0);
	ck_assert_uint_eq(entry->ike_sa, 9);
	ck_assert_uint_eq(table.count, 3);
	ck_assert_uint_eq(gcks_registration_count(&table, 100), 2);
	gcks_registration_remove(&table, entry);
	ck_assert_ptr_null(gcks_registration_find(&table, 100, "site1"));
	ck_assert_ptr_nonnull(gcks_registration_find(&table, 200, "site1"));
	ck_assert_uint_eq(table.count, 2);
}
END_TEST

START_TEST(credentials)
{
	struct gcks_registration *a = make(100, "site1", 7), *b = make(100, "site1", 8);

	ck_assert(gcks_registration_same_credential(a, b));
	ck_assert_str_eq(b->ca[0], "CN=Issuing");
	b->ca[1][3] = 'r';
	ck_assert(!gcks_registration_same_credential(a, b));
	b->ca[1][3] = 'R';
	b->credential = GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE;
	ck_assert(!gcks_registration_same_credential(a, b));
	gcks_registration_free(a);
	gcks_registration_free(b);
	gcks_registration_free(NULL);
}
END_TEST

START_TEST(ike_sas)
{
	put(100, "site1", 7);
	put(200, "site1", 7);
	put(100, "site2", 0);
	put(100, "site3", 0);
	gcks_registration_rekeyed(&table, 7, 8);
	ck_assert(!gcks_registration_ike_sa_in_use(&table, 7));
	ck_assert(gcks_registration_ike_sa_in_use(&table, 8));
	gcks_registration_remove(&table, gcks_registration_find(&table, 100, "site1"));
	ck_assert(gcks_registration_ike_sa_in_use(&table, 8));
	gcks_registration_remove(&table, gcks_registration_find(&table, 200, "site1"));
	ck_assert(!gcks_registration_ike_sa_in_use(&table, 8));
	/* 0 is no IKE_SA, but a registration that charon does not hold */
	gcks_registration_rekeyed(&table, 0, 9);
	ck_assert(!gcks_registration_ike_sa_in_use(&table, 0));
	ck_assert(!gcks_registration_ike_sa_in_use(&table, 9));
}
END_TEST

/* The same as a list would say, whatever the hash tables do meanwhile. */
START_TEST(many)
{
	enum { COUNT_OF = 5000 };
	static struct gcks_registration *all[COUNT_OF];
	size_t live = 0, in_flight = 0, stale = 0;

	srand(1);
	for (int step = 0; step < 8 * COUNT_OF; step++) {
		unsigned int n = (unsigned int)rand() % COUNT_OF, event = (unsigned int)rand() % 8;
		char identity[32];

		snprintf(identity, sizeof(identity), "site%u", n);
		ck_assert_ptr_eq(gcks_registration_find(&table, n % 7, identity), all[n]);
		if (!all[n] || event < 3) {
			all[n] = put(n % 7, identity, n / 3);
		} else if (event == 3) {
			gcks_registration_remove(&table, all[n]);
			all[n] = NULL;
		} else if (event == 4) {
			gcks_registration_set_ike_sa(&table, all[n], (uint32_t)step);
		} else if (event == 5) {
			gcks_registration_set_stale(all[n], rand() % 2);
		} else {
			all[n]->request = (uint32_t)step;
			gcks_registration_deliver(&table, all[n], rand() % GCKS_DELIVERIES);
		}
	}
	for (unsigned int n = 0; n < COUNT_OF; n++) {
		const struct gcks_registration *over;

		if (!all[n])
			continue;
		live++;
		in_flight += all[n]->delivery == GCKS_DELIVERY_IN_FLIGHT;
		stale += all[n]->stale;
		if (all[n]->delivery == GCKS_DELIVERY_IN_FLIGHT)
			ck_assert_ptr_eq(gcks_registration_of_request(&table, all[n]->request),
					 all[n]);
		if (!all[n]->ike_sa)
			continue;
		over = gcks_registration_over(&table, all[n]->ike_sa);
		while (over && over != all[n])
			over = gcks_registration_over_next(over);
		ck_assert_ptr_eq(over, all[n]);
	}
	ck_assert_uint_eq(table.count, live);
	ck_assert_uint_gt(table.buckets, GCKS_REGISTRATION_FEW);
	for (uint32_t group = 0; group < 7; group++) {
		const struct gcks_registration_group *of = gcks_registration_group(&table, group);
		size_t listed = 0;

		for (int delivery = 0; delivery < GCKS_DELIVERIES; delivery++) {
			size_t before = listed;

			for (struct gcks_registration *each =
				     gcks_registration_first(&table, group, delivery);
			     each; each = gcks_registration_following(each), listed++)
				ck_assert_int_eq(each->delivery, delivery);
			ck_assert_uint_eq(listed - before, of->deliveries[delivery].count);
		}
		ck_assert_uint_eq(listed, gcks_registration_count(&table, group));
		in_flight -= of->deliveries[GCKS_DELIVERY_IN_FLIGHT].count;
		stale -= of->stale;
	}
	ck_assert_uint_eq(in_flight, 0);
	ck_assert_uint_eq(stale, 0);
}
END_TEST

/* What was told to one that is replaced is not told to the one in its place. */
START_TEST(in_flight)
{
	struct gcks_registration *entry = put(100, "site1", 7);

	entry->request = 5;
	gcks_registration_deliver(&table, entry, GCKS_DELIVERY_IN_FLIGHT);
	ck_assert_ptr_eq(gcks_registration_of_request(&table, 5), entry);
	ck_assert_ptr_null(gcks_registration_of_request(&table, 5 + GCKS_REGISTRATION_FEW));
	put(100, "site1", 8);
	ck_assert_ptr_null(gcks_registration_of_request(&table, 5));
	ck_assert_ptr_null(gcks_registration_first(&table, 100, GCKS_DELIVERY_IN_FLIGHT));
	gcks_registration_remove(&table, gcks_registration_find(&table, 100, "site1"));
	ck_assert_ptr_null(gcks_registration_group(&table, 100));
}
END_TEST

START_TEST(addresses)
{
	char text[INET6_ADDRSTRLEN];
	struct gcks_address a = address_of("192.0.2.11"), b = address_of("2001:db8::1"), none;

	ck_assert_str_eq(gcks_address_text(&a, text), "192.0.2.11");
	ck_assert_str_eq(gcks_address_text(&b, text), "2001:db8::1");
	ck_assert(!gcks_address_equal(&a, &b));
	ck_assert(gcks_address_equal(&a, &a));
	ck_assert(!gcks_address_from(&none, a.octets, 5));
	ck_assert_uint_eq(none.length, 0);
	ck_assert(!gcks_address_from(&none, NULL, 0));
	ck_assert_str_eq(gcks_address_text(&none, text), "-");
}
END_TEST

Suite *registration_suite(void)
{
	Suite *suite = suite_create("registration");
	TCase *tcase = tcase_create("registration");

	/* with sanitizers, on a machine that is busy */
	tcase_add_checked_fixture(tcase, NULL, clear);
	tcase_add_test(tcase, one_for_each_group_and_identity);
	tcase_add_test(tcase, credentials);
	tcase_add_test(tcase, ike_sas);
	tcase_add_test(tcase, many);
	tcase_add_test(tcase, in_flight);
	tcase_add_test(tcase, addresses);
	suite_add_tcase(suite, tcase);
	return suite;
}
