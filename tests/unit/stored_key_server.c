// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/stored_key_server.h"

struct key_server stored;
struct gcks_kernel_ids stored_kernel_ids;

void stored_start(void)
{
	store_files_make();
	key_server_start(&stored);
	stored.group->sharing = GCKS_SHARING_PAIRWISE;
	stored.group->cipher = GCKS_CIPHER_AES256GCM16;
}

void stored_stop(void)
{
	if (stored.store)
		gcks_store_close(stored.store);
	key_server_stop(&stored);
	gcks_kernel_ids_clear(&stored_kernel_ids);
	store_files_remove();
}

void stored_open(void)
{
	stored.store = must_open();
}

void stored_load(void)
{
	ck_assert_msg(gcks_store_load(stored.store, &stored.registrations, &stored.sas,
				      &stored_kernel_ids, store_error, sizeof(store_error)),
		      "%s", store_error);
}

void stored_close(void)
{
	gcks_store_close(stored.store);
	stored.store = NULL;
	gcks_registrations_clear(&stored.registrations);
	gcks_sa_table_clear(&stored.sas);
	gcks_kernel_ids_clear(&stored_kernel_ids);
}

void stored_reopen(void)
{
	stored_close();
	stored_open();
	stored_load();
}

struct given stored_granted(const char *identity, uint32_t ike_sa)
{
	struct given given = key_server_register(&stored, identity, ike_sa, 0);

	ck_assert_msg(!given.notify, "%s", given.reason);
	return given;
}
