// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "tests/unit/unit.h"

int main(void)
{
	SRunner *runner;
	int failed;

	setenv("CK_DEFAULT_TIMEOUT", "240", 0); /* that a machine is slow is no failure */
	runner = srunner_create(wire_suite());
	srunner_add_suite(runner, secret_suite());
	srunner_add_suite(runner, kdf_suite());
	srunner_add_suite(runner, keywrap_suite());
	srunner_add_suite(runner, pairwise_suite());
	srunner_add_suite(runner, group_attr_suite());
	srunner_add_suite(runner, idg_suite());
	srunner_add_suite(runner, policy_suite());
	srunner_add_suite(runner, key_download_suite());
	srunner_add_suite(runner, sag_suite());
	srunner_add_suite(runner, message_suite());
	srunner_add_suite(runner, held_suite());
	srunner_add_suite(runner, refused_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
