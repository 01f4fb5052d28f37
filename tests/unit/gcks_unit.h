// SPDX-License-Identifier: GPL-2.0-or-later
/* Unit tests of gcksd's tables, planner and store: one suite a source file. */
#ifndef TESTS_UNIT_GCKS_UNIT_H
#define TESTS_UNIT_GCKS_UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gcks/member.h"
#include "gcks/policy.h"
#include "gcks/registration.h"
#include "gcks/sa_table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

Suite *decide_suite(void);
Suite *former_suite(void);
Suite *gcks_memory_suite(void);
Suite *gcks_policy_suite(void);
Suite *given_suite(void);
Suite *identity_suite(void);
Suite *kernel_id_suite(void);
Suite *key_server_fault_suite(void);
Suite *key_server_random_suite(void);
Suite *member_suite(void);
Suite *member_backoff_suite(void);
Suite *member_connection_suite(void);
Suite *member_sa_suite(void);
Suite *mtu_suite(void);
Suite *pairwise_random_suite(void);
Suite *planner_suite(void);
Suite *planner_sa_suite(void);
Suite *planner_mode_suite(void);
Suite *planner_pairwise_suite(void);
Suite *planner_sender_suite(void);
Suite *planner_random_suite(void);
Suite *registration_suite(void);
Suite *rekey_suite(void);
Suite *rekey_delivery_suite(void);
Suite *sa_table_suite(void);
Suite *sender_share_suite(void);
Suite *store_suite(void);
Suite *store_refused_suite(void);
Suite *store_version_suite(void);
Suite *store_copy_suite(void);
Suite *store_key_server_suite(void);
Suite *store_time_suite(void);
Suite *store_sync_suite(void);

/* From text; what is wrong ends the test. */
struct gcks_address address_of(const char *text);
struct gcks_prefix prefix_of(const char *text);
struct gcks_pattern *pattern_of(const char *text);

/* What a key server sends: AES-CBC-256, HMAC-SHA2-256-128, a key of this SPI's. */
struct group_sa {
	Gsa__GroupSa group_sa;
	Gsa__DataSa data_sa, *list[1];
	uint8_t key[64];
};
void group_sa_fill(struct group_sa *sa, uint32_t group, uint32_t spi);

/* A membership with gateway and connection, registered and with an SA unless `spi` is 0. */
struct gcks_membership *join(struct gcks_member_table *table, const char *name, uint32_t identifier,
			     const char *gateway, uint32_t spi);
void give_sa(struct gcks_membership *membership, uint32_t spi);
/* The same of a pairwise SA: AES-GCM-256, Sender-IDs of 16 bits; its key is made of `tek`. */
void pairwise_sa_fill(struct group_sa *sa, uint32_t group, uint32_t prefix, uint32_t tek);
void set_route(struct gcks_membership *membership, const char *prefix, const char *gateway);
void set_sender(struct gcks_membership *membership, const char *prefix, const char *gateway,
		uint32_t sender_id);

/*
 * An id as one line: "sa 0x1000 any > 192.0.2.11", "out block 0.0.0.0/0 > 10.0.0.0/8",
 * "out protect 10.1.0.0/24 > 10.2.0.0/24 via 192.0.2.11 > 192.0.2.12 blue", of a pair
 * "sa 0x10001 192.0.2.11 > 192.0.2.12 for 2".
 */
const char *id_text(const struct gcks_kernel_id *id, char *buffer, size_t size);

#endif
