// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gcks_unit.h"

static const struct {
	const char *pattern, *identity;
	bool matches;
} patterns[] = {
	{ "*", "site1.blue.example", true },
	{ "*", "C=DE, O=Blue", true },
	{ "*", "", false },
	{ "site1.blue.example", "site1.blue.example", true },
	{ "site1.blue.example", "SITE1.Blue.Example", true },
	{ "site1.blue.example", "site1.blue.example.org", false },
	{ "*.blue.example", "site1.blue.example", true },
	{ "*.blue.example", "a.b.BLUE.example", true },
	{ "*.blue.example", "blue.example", false },
	{ "*.blue.example", ".blue.example", false },
	{ "*.blue.example", "site1.notblue.example", false },
	{ "*.blue.example", "site1.blue.example.evil.example", false },
	{ "*.blue.example", "C=DE, CN=site1.blue.example", false },
	{ "*@blue.example", "admin@blue.example", true },
	{ "*@blue.example", "@blue.example", false },
	{ "*@blue.example", "admin@x.blue.example", false },
	{ "*.", "site1.", false },
	{ "site*", "site1", false },
	{ "", "site1", false },
	{ "192.0.2.11", "192.0.2.11", true },
	{ "C=DE, O=Blue, CN=*", "C=DE, O=Blue, CN=site1", true },
	{ "C=DE, O=Blue, CN=*", "c=DE,o=blue,  cn=site1", true },
	{ "C=DE, O=Blue, CN=*", "C=DE, O=Red, CN=site1", false },
	{ "C=DE, O=Blue, CN=*", "C=DE, O=Blue", false },
	{ "C=DE, O=Blue, CN=*", "C=DE, O=Blue, CN=site1, CN=site2", false },
	{ "C=DE, O=Blue, CN=*", "O=Blue, C=DE, CN=site1", false },
	{ "C=DE, O=Blue, CN=*", "site1.blue.example", false },
	{ "C=DE, O=Blue, CN=s*", "C=DE, O=Blue, CN=site1", false },
	{ "O=Blue, Inc, CN=*", "O=Blue, Inc, CN=site1", true },
	{ "O=*, CN=site1", "O=Blue, Inc, CN=site1", true },
	{ "O=\"Blue, C=Inc\", CN=*", "O=\"Blue, C=Inc\", CN=site1", true },
	{ "O=*, CN=site1", "O=\"Blue, C=Inc\", CN=site1", true },
	{ "O=Blue\\, C=Inc, CN=*", "O=Blue\\, C=Inc, CN=site1", true },
	{ "CN=", "CN=", true },
	{ "CN=*", "CN=\"", true },
	{ "CN=*", "CN=a\\", true },
};

START_TEST(matches)
{
	ck_assert_msg(gcks_identity_matches(patterns[_i].pattern, patterns[_i].identity) ==
			      patterns[_i].matches,
		      "pattern \"%s\", identity \"%s\"", patterns[_i].pattern,
		      patterns[_i].identity);
}
END_TEST

static const struct {
	const char *a, *b;
	bool equal;
} names[] = {
	{ "C=DE, O=Blue, CN=Blue CA", "C=DE, O=Blue, CN=Blue CA", true },
	{ "C=DE, O=Blue, CN=Blue CA", "c=DE,O=Blue ,cn=Blue CA", true },
	{ "C=DE, O=Blue, CN=Blue CA", "C=DE, O=Blue, CN=blue ca", false },
	{ "C=DE, O=Blue, CN=Blue CA", "C=DE, O=Blue", false },
	{ "C=DE, O=Blue", "C=DE, O=Blue, CN=Blue CA", false },
	{ "C=DE, O=*", "C=DE, O=Blue", false },
	{ "Blue CA", "Blue CA", false },
	{ "", "", false },
};

START_TEST(dn_equal)
{
	ck_assert_msg(gcks_dn_equal(names[_i].a, names[_i].b) == names[_i].equal, "%s | %s",
		      names[_i].a, names[_i].b);
}
END_TEST

Suite *identity_suite(void)
{
	Suite *suite = suite_create("identity");
	TCase *tcase = tcase_create("identity");

	tcase_add_loop_test(tcase, matches, 0, COUNT(patterns));
	tcase_add_loop_test(tcase, dn_equal, 0, COUNT(names));
	suite_add_tcase(suite, tcase);
	return suite;
}
