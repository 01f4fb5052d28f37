// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/gikev2.h"
#include "tests/unit/gcks_unit.h"

#define CERTIFICATE GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE
#define PSK	    GSA__CREDENTIAL__CREDENTIAL_PSK
#define BLUE_CA	    "C=DE, O=Blue, CN=Blue CA"

static struct gcks_policy policy;

/* blue: certificates of its CA; red: any credential, anybody; closed: nobody; unnumbered: not
 * served */
static void setup(void)
{
	struct gcks_group *blue = gcks_policy_add(&policy, "blue");
	struct gcks_group *red = gcks_policy_add(&policy, "red");

	gcks_policy_add(&policy, "unnumbered");
	gcks_policy_add(&policy, "closed")->identifier = 300;
	blue->identifier = 100;
	blue->credential = CERTIFICATE;
	blue->ca = strdup("c=DE,O=Blue,CN=Blue CA");
	gcks_pattern_insert(&blue->permit, pattern_of("*.blue.example"));
	gcks_pattern_insert(&blue->permit, pattern_of("hub.example"));
	gcks_pattern_insert(&blue->deny, pattern_of("lost.blue.example"));
	red->identifier = 200;
	gcks_pattern_insert(&red->permit, pattern_of("*"));
}

static void teardown(void)
{
	gcks_policy_clear(&policy);
	ck_assert_ptr_null(policy.groups);
}

static const struct {
	const char *group, *identity;
	Gsa__Credential credential;
	const char *ca[2];
	uint16_t notify;
	const char *reason;
} requests[] = {
	{ "blue", "site1.blue.example", CERTIFICATE, { BLUE_CA }, 0, "" },
	{ "blue", "site1.blue.example", CERTIFICATE, { "CN=Sub", BLUE_CA }, 0, "" },
	{ "blue",
	  "site5.elsewhere.example",
	  CERTIFICATE,
	  { BLUE_CA },
	  46,
	  "identity site5.elsewhere.example is not permitted in group blue: permitted are "
	  "*.blue.example, hub.example" },
	{ "blue",
	  "lost.blue.example",
	  CERTIFICATE,
	  { BLUE_CA },
	  46,
	  "identity lost.blue.example is denied in group blue by deny identity "
	  "lost.blue.example" },
	{ "blue",
	  "site1.blue.example",
	  PSK,
	  { NULL },
	  46,
	  "group blue needs a certificate of CA \"c=DE,O=Blue,CN=Blue CA\", the member "
	  "authenticated by psk" },
	{ "blue",
	  "site1.blue.example",
	  CERTIFICATE,
	  { "CN=Other CA" },
	  46,
	  "group blue needs a certificate of CA \"c=DE,O=Blue,CN=Blue CA\", the member's is of "
	  "\"CN=Other CA\"" },
	{ "blue",
	  "site1.blue.example",
	  CERTIFICATE,
	  { NULL },
	  46,
	  "group blue needs a certificate of CA \"c=DE,O=Blue,CN=Blue CA\", the member's is of "
	  "an unknown CA" },
	{ "red", "whoever", PSK, { NULL }, 0, "" },
	{ "red",
	  "",
	  PSK,
	  { NULL },
	  46,
	  "identity  is not permitted in group red: permitted are *" },
	{ "red",
	  "whoever",
	  GSA__CREDENTIAL__CREDENTIAL_UNSPECIFIED,
	  { NULL },
	  46,
	  "group red needs a credential, the member authenticated by a method that is not "
	  "known" },
	{ "closed",
	  "whoever",
	  PSK,
	  { NULL },
	  46,
	  "identity whoever is not permitted in group closed: it has no permit identity" },
	{ "green",
	  "whoever",
	  PSK,
	  { NULL },
	  45,
	  "group green is not configured on this key server" },
	{ "gr\nen",
	  "whoever",
	  PSK,
	  { NULL },
	  45,
	  "group gr?en is not configured on this key server" },
	{ "unnumbered",
	  "whoever",
	  PSK,
	  { NULL },
	  45,
	  "group unnumbered is not served: it has no identifier" },
};

START_TEST(decides)
{
	char *ca[2] = { (char *)requests[_i].ca[0], (char *)requests[_i].ca[1] };
	Gsa__Peer peer = GSA__PEER__INIT;
	struct gcks_verdict verdict;
	struct gcks_group *group;

	peer.identity = (char *)requests[_i].identity;
	peer.credential = requests[_i].credential;
	peer.ca = ca;
	peer.n_ca = (ca[0] != NULL) + (ca[1] != NULL);
	verdict = gcks_policy_decide(&policy, requests[_i].group, strlen(requests[_i].group),
				     GSA_ID_KEY_ID, &peer, &group);
	ck_assert_uint_eq(verdict.notify, requests[_i].notify);
	ck_assert_str_eq(verdict.reason, requests[_i].reason);
	ck_assert((group != NULL) == (verdict.notify != GSA_NOTIFY_INVALID_GROUP_ID));
}
END_TEST

START_TEST(group_names)
{
	static const struct {
		const char *name;
		size_t length;
		uint32_t type;
		const char *reason;
	} rows[] = {
		{ "red", 3, 2, "ID of type 2" },
		{ "red", 0, GSA_ID_KEY_ID, "has 0 octets" },
		{ "red\0x", 5, GSA_ID_KEY_ID, "not configured" },
		{ "gr\xfcn\x7f\n", 6, GSA_ID_KEY_ID, "group gr?n?? is not configured" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456", 65,
		  GSA_ID_KEY_ID, "has 65 octets" },
	};
	Gsa__Peer peer = GSA__PEER__INIT;
	struct gcks_group *group;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gcks_verdict verdict = gcks_policy_decide(
			&policy, rows[i].name, rows[i].length, rows[i].type, &peer, &group);

		ck_assert_uint_eq(verdict.notify, GSA_NOTIFY_INVALID_GROUP_ID);
		ck_assert_ptr_null(group);
		ck_assert_msg(strstr(verdict.reason, rows[i].reason) != NULL, "%s", verdict.reason);
		for (const char *octet = verdict.reason; *octet; octet++)
			ck_assert(*octet >= ' ' && *octet <= '~');
	}
}
END_TEST

/* As a registered member that has a certificate of the blue CA. */
static bool allows(const struct gcks_group *group, const char *identity, const char **reason)
{
	static char *ca[] = { "C=DE, O=Blue, CN=Blue Issuing", BLUE_CA };
	Gsa__Peer peer = GSA__PEER__INIT;

	peer.identity = (char *)identity;
	peer.credential = GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE;
	peer.ca = ca;
	peer.n_ca = COUNT(ca);
	return gcks_policy_allows(group, &peer, reason);
}

/* However long names and lists are, a reason is text that says it was cut. */
START_TEST(long_reasons)
{
	struct gcks_group *group = gcks_policy_find(&policy, "closed");
	char identity[300], pattern[64];
	const char *reason;

	memset(identity, 'i', sizeof(identity) - 1);
	identity[sizeof(identity) - 1] = '\0';
	for (int i = 0; i < 100; i++) {
		snprintf(pattern, sizeof(pattern), "*.%d.blue.example", i);
		gcks_pattern_insert(&group->permit, pattern_of(pattern));
		ck_assert(!allows(group, identity, &reason));
		ck_assert_uint_lt(strlen(reason), sizeof(((struct gcks_verdict *)0)->reason));
	}
	ck_assert_msg(strstr(reason, ", ...") != NULL, "%s", reason);
}
END_TEST

START_TEST(allows_after_change)
{
	struct gcks_group *blue = gcks_policy_find(&policy, "blue");
	const char *reason;

	ck_assert(allows(blue, "site2.blue.example", &reason));
	gcks_pattern_insert(&blue->deny, pattern_of("site2.blue.example"));
	ck_assert(!allows(blue, "site2.blue.example", &reason));
	gcks_pattern_remove(&blue->deny, "site2.blue.example");
	ck_assert(allows(blue, "site2.blue.example", &reason));
	gcks_pattern_remove(&blue->permit, "*.blue.example");
	ck_assert(!allows(blue, "site2.blue.example", &reason));
	/* the CA was exchanged, or only its issuer is wanted */
	gcks_pattern_insert(&blue->permit, pattern_of("*.blue.example"));
	free(blue->ca);
	blue->ca = strdup("C=DE, O=Blue, CN=New CA");
	ck_assert(!allows(blue, "site2.blue.example", &reason));
	ck_assert_msg(strstr(reason, "CN=New CA") != NULL, "%s", reason);
	free(blue->ca);
	blue->ca = strdup("C=DE, O=Blue, CN=Blue Issuing");
	ck_assert(allows(blue, "site2.blue.example", &reason));
	blue->credential = PSK;
	free(blue->ca);
	blue->ca = NULL;
	ck_assert(!allows(blue, "site2.blue.example", &reason));
}
END_TEST

START_TEST(table)
{
	struct gcks_group *blue = gcks_policy_find(&policy, "blue");

	ck_assert_uint_eq(blue->registration_hold_time_s, 300);
	ck_assert_uint_eq(blue->maximum_members, 0);
	ck_assert_ptr_eq(gcks_policy_add(&policy, "blue"), blue);
	ck_assert_ptr_eq(gcks_policy_find_identifier(&policy, 100), blue);
	ck_assert_ptr_null(gcks_policy_find_identifier(&policy, 0));
	for (const struct gcks_group *group = policy.groups; group->next; group = group->next)
		ck_assert_int_lt(strcmp(group->name, group->next->name), 0);
	gcks_policy_remove(&policy, blue);
	ck_assert_ptr_null(gcks_policy_find(&policy, "blue"));
}
END_TEST

START_TEST(data_keys)
{
	static const bool counter_mode[] = {
		[GCKS_CIPHER_AES256CBC_SHA256] = false, [GCKS_CIPHER_AES128CBC_SHA256] = false,
		[GCKS_CIPHER_AES256GCM16] = true,	[GCKS_CIPHER_AES128GCM16] = true,
		[GCKS_CIPHER_CHACHA20POLY1305] = true,
	};
	const struct gcks_group *blue = gcks_policy_find(&policy, "blue");

	ck_assert_uint_gt(blue->lifetime_data_s,
			  2 * (blue->activation_delay_s + blue->deactivation_delay_s));
	ck_assert_uint_eq(gcks_lifetime_data_minimum(0, 0), 1);
	ck_assert_uint_eq(gcks_lifetime_data_minimum(300, 600), 1801);
	for (size_t i = 0; i < COUNT(counter_mode); i++) {
		ck_assert_ptr_nonnull(gcks_cipher_name(i));
		ck_assert(gcks_cipher_fits(GCKS_SHARING_PAIRWISE, i));
		ck_assert_int_eq(gcks_cipher_fits(GCKS_SHARING_GROUP, i), !counter_mode[i]);
	}
	ck_assert_ptr_null(gcks_cipher_name(COUNT(counter_mode)));
	ck_assert(gcks_cipher_fits(GCKS_SHARING_GROUP, gcks_cipher_default(GCKS_SHARING_GROUP)));
	ck_assert(gcks_cipher_fits(blue->sharing, blue->cipher));
}
END_TEST

Suite *gcks_policy_suite(void)
{
	Suite *suite = suite_create("gcks_policy");
	TCase *tcase = tcase_create("policy");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, decides, 0, COUNT(requests));
	tcase_add_test(tcase, group_names);
	tcase_add_test(tcase, long_reasons);
	tcase_add_test(tcase, allows_after_change);
	tcase_add_test(tcase, table);
	tcase_add_test(tcase, data_keys);
	suite_add_tcase(suite, tcase);
	return suite;
}
