// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the member's files share.
 *
 *   gsa_member.c        the table of groups: join, leave, resynchronisation, results
 *   gsa_attempt.c       attempts: when the next one comes, and the IKE_SA that it needs
 *   gsa_member_event.c  what happens to IKE_SAs: up, down, rekeyed, Deletes
 *   gsa_rekeyed.c       rekeys of the key server
 *
 * Everything wants the mutex locked, unless it says otherwise.
 */
#ifndef GSA_MEMBER_H_
#define GSA_MEMBER_H_

#include "charon-gsa-plugin/gsa_group.h"

#include <collections/linked_list.h>
#include <encoding/payloads/notify_payload.h>
#include <threading/mutex.h>

typedef struct private_gsa_member_t private_gsa_member_t;

typedef struct {
	listener_t public;
	private_gsa_member_t *member;
} gsa_member_listener_t;

struct private_gsa_member_t {
	gsa_member_t public;
	gsa_member_listener_t listener;
	mutex_t *mutex;
	linked_list_t *groups; /* gsa_group_t */
};

/* gsa_member.c */

gsa_group_t *gsa_member_find(private_gsa_member_t *this, const char *name);
/** A group other than `except` on the IKE_SA. */
gsa_group_t *gsa_member_find_on(private_gsa_member_t *this, uint32_t ike_sa,
				const gsa_group_t *except);

/** The group's IKE_SA is closed if nothing needs it; `depart`: the key server is told before. */
void gsa_member_let_go(private_gsa_member_t *this, const gsa_group_t *group, bool depart);

/* gsa_attempt.c */

/** Uniform; members that lost the same key server must not come back all at once. */
uint32_t gsa_random_ms(uint32_t from, uint32_t to);
/** The next attempt comes after a delay, whatever is going on now. */
void gsa_attempt_after(gsa_group_t *group, uint32_t delay_ms);
/** The same; the delay depends on what was before. */
void gsa_attempt_spread(gsa_group_t *group);
void gsa_attempt_soon(gsa_group_t *group);
void gsa_attempt_late(gsa_group_t *group);
void gsa_attempt_half_open(gsa_group_t *group);
/** Register over an IKE_SA that this thread holds; `again`: it is registered over it already. */
void gsa_attempt_register(gsa_group_t *group, ike_sa_t *ike_sa, bool again);

/* gsa_rekeyed.c; takes the mutex */

uint16_t gsa_member_rekey(private_gsa_member_t *this, ike_sa_t *ike_sa, message_t *message,
			  const char **reason);

/* gsa_member_event.c */

/** Does not touch the mutex. */
void gsa_member_listen(private_gsa_member_t *this);

#endif
