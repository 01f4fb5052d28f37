// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Identities as strongSwan prints them, compared with patterns.
 *
 * A distinguished name is read as text: RDNs parted by commas.  A comma inside of quotes or
 * behind a backslash belongs to the value, and so does one that no "type=" follows, since
 * strongSwan prints the values of a certificate as they are.
 */
#include <string.h>
#include <strings.h>

#include "gcks/policy.h"

struct text {
	const char *start;
	size_t length;
};

struct rdn {
	struct text type, value;
};

static struct text trim(const char *start, const char *end)
{
	while (start < end && *start == ' ')
		start++;
	while (end > start && end[-1] == ' ')
		end--;
	return (struct text){ start, (size_t)(end - start) };
}

static const char *comma(const char *text)
{
	bool quoted = false;

	for (; *text; text++) {
		if (*text == '\\' && text[1])
			text++;
		else if (*text == '"')
			quoted = !quoted;
		else if (*text == ',' && !quoted)
			break;
	}
	return text;
}

/* Whether the text up to the next comma begins with "type=". */
static bool begins_rdn(const char *text)
{
	size_t length;

	text += strspn(text, " ");
	length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");
	return length && text[length + strspn(text + length, " ")] == '=';
}

/* Takes the next RDN off `cursor`; false at the end, or where there is none. */
static bool next_rdn(const char **cursor, struct rdn *rdn)
{
	const char *equals, *end;

	if (!begins_rdn(*cursor))
		return false;
	equals = strchr(*cursor, '=');
	end = comma(equals + 1);
	while (*end && !begins_rdn(end + 1))
		end = comma(end + 1);
	rdn->type = trim(*cursor, equals);
	rdn->value = trim(equals + 1, end);
	if (rdn->value.length >= 2 && rdn->value.start[0] == '"' &&
	    rdn->value.start[rdn->value.length - 1] == '"') {
		rdn->value.start++;
		rdn->value.length -= 2;
	}
	*cursor = *end ? end + 1 : end;
	return true;
}

static bool same(struct text a, struct text b, bool case_matters)
{
	if (a.length != b.length)
		return false;
	return (case_matters ? strncmp : strncasecmp)(a.start, b.start, a.length) == 0;
}

static bool same_dn(const char *pattern, const char *name, bool case_matters, bool wildcards)
{
	struct rdn wanted, given;

	while (*pattern || *name) {
		if (!next_rdn(&pattern, &wanted) || !next_rdn(&name, &given) ||
		    !same(wanted.type, given.type, false))
			return false;
		if (wildcards && wanted.value.length == 1 && *wanted.value.start == '*')
			continue;
		if (!same(wanted.value, given.value, case_matters))
			return false;
	}
	return true;
}

bool gcks_dn_equal(const char *a, const char *b)
{
	return begins_rdn(a) && begins_rdn(b) && same_dn(a, b, true, false);
}

bool gcks_identity_matches(const char *pattern, const char *identity)
{
	size_t suffix, length = strlen(identity);

	if (!length)
		return false;
	if (strcmp(pattern, "*") == 0)
		return true;
	if (begins_rdn(pattern))
		return begins_rdn(identity) && same_dn(pattern, identity, false, true);
	if (pattern[0] == '*' && (pattern[1] == '.' || pattern[1] == '@')) {
		suffix = strlen(pattern + 1);
		/* the end of a DN is a value that its owner may have chosen, not a domain */
		return suffix > 1 && length > suffix && !begins_rdn(identity) &&
		       strcasecmp(identity + length - suffix, pattern + 1) == 0;
	}
	return strcasecmp(pattern, identity) == 0;
}
