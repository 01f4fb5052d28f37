// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/gcks_unit.h"

int main(void)
{
	SRunner *runner;
	int failed;

	setenv("CK_DEFAULT_TIMEOUT", "240", 0); /* that a machine is slow is no failure */
	runner = srunner_create(identity_suite());
	srunner_add_suite(runner, gcks_policy_suite());
	srunner_add_suite(runner, registration_suite());
	srunner_add_suite(runner, sa_table_suite());
	srunner_add_suite(runner, rekey_suite());
	srunner_add_suite(runner, rekey_delivery_suite());
	srunner_add_suite(runner, decide_suite());
	srunner_add_suite(runner, sender_share_suite());
	srunner_add_suite(runner, kernel_id_suite());
	srunner_add_suite(runner, member_suite());
	srunner_add_suite(runner, member_backoff_suite());
	srunner_add_suite(runner, member_connection_suite());
	srunner_add_suite(runner, member_sa_suite());
	srunner_add_suite(runner, former_suite());
	srunner_add_suite(runner, given_suite());
	srunner_add_suite(runner, mtu_suite());
	srunner_add_suite(runner, planner_suite());
	srunner_add_suite(runner, planner_sa_suite());
	srunner_add_suite(runner, planner_mode_suite());
	srunner_add_suite(runner, planner_random_suite());
	srunner_add_suite(runner, planner_pairwise_suite());
	srunner_add_suite(runner, planner_sender_suite());
	srunner_add_suite(runner, pairwise_random_suite());
	srunner_add_suite(runner, store_suite());
	srunner_add_suite(runner, store_refused_suite());
	srunner_add_suite(runner, store_sync_suite());
	srunner_add_suite(runner, store_version_suite());
	srunner_add_suite(runner, store_copy_suite());
	srunner_add_suite(runner, store_key_server_suite());
	srunner_add_suite(runner, store_time_suite());
	srunner_add_suite(runner, key_server_random_suite());
	srunner_add_suite(runner, key_server_fault_suite());
	srunner_add_suite(runner, gcks_memory_suite());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
