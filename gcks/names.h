// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What values are called in CLI, YANG, show and log.  Static strings; NULL where a value has
 * no name.  Pure.
 */
#ifndef GCKS_NAMES_H
#define GCKS_NAMES_H

#include "gcks/member.h"
#include "gcks/sa_table.h"

const char *gcks_credential_name(Gsa__Credential credential);
const char *gcks_sharing_name(enum gcks_sharing sharing);
const char *gcks_notify_name(uint16_t notify); /* as the RFCs call it */
/* As in CLI and YANG; of transforms that no cipher of ours has, their numbers (static buffer). */
const char *gcks_transforms_name(uint16_t encryption, uint16_t encryption_key_bits,
				 uint16_t integrity);
/* What charon reported; "connecting" as long as it has not. */
const char *gcks_membership_state_name(Gsa__MembershipState state);
/* The same, "not-configured" for a membership that cannot register yet. */
const char *gcks_membership_status_name(const struct gcks_membership *membership);
const char *gcks_delivery_name(enum gcks_delivery delivery);
const char *gcks_mode_name(enum gcks_mode mode);
const char *gcks_initial_exchange_name(bool gsa_auth);
const char *gcks_sa_phase_name(enum gcks_sa_phase phase);
const char *gcks_replay_protection_name(const struct gcks_member_sa *sa);

#endif
