// SPDX-License-Identifier: GPL-2.0-or-later
/* A pattern of the configuration, a zero octet, an identity as a peer chose it. */
#include <string.h>

#include "gcks/policy.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_target[] = "identity";

/* Whether `one` and `other` stand for the same name must not depend on who asks. */
static void check_names(const char *one, const char *other)
{
	PROPERTY(gcks_dn_equal(one, other) == gcks_dn_equal(other, one));
	/* a peer without an identity matches nothing */
	PROPERTY(gcks_identity_matches("*", other) == (*other != 0));
	/* a domain pattern never takes a DN, whatever its last value ends with */
	if (strncmp(one, "*.", 2) == 0 && strncmp(other, "CN=", 3) == 0)
		PROPERTY(!gcks_identity_matches(one, other));
	gcks_identity_matches(one, other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	char *text = malloc(length + 2);
	const char *identity;

	if (!text)
		return 0;
	if (length)
		memcpy(text, data, length);
	text[length] = text[length + 1] = '\0';
	identity = text + strlen(text) + 1;
	check_names(text, identity);
	free(text);
	return 0;
}
