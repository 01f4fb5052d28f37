// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The key server's answer to a request to register: what gsa_respond.c (GSA_REGISTRATION) and
 * gsa_auth_respond.c (GSA_AUTH) share.  For one request, by whoever holds its IKE_SA.
 */
#ifndef GSA_ANSWER_H_
#define GSA_ANSWER_H_

#include "charon-gsa-plugin/gsa.h"

typedef struct gsa_answer_t gsa_answer_t;

gsa_answer_t *gsa_answer_create(ike_sa_t *ike_sa);
/** A granted answer that was not sent is told to gcksd. */
void gsa_answer_destroy(gsa_answer_t *this);
void gsa_answer_migrate(gsa_answer_t *this, ike_sa_t *ike_sa);

/** IDg, SAg and N(GROUP_SENDER) of a message, which need not be there. */
void gsa_answer_take(gsa_answer_t *this, message_t *message);
bool gsa_answer_taken(const gsa_answer_t *this);

/**
 * Is the group named, by a peer that is authenticated?
 * @return	FALSE if not, the answer is a refusal then
 */
bool gsa_answer_group(gsa_answer_t *this, uint8_t *id_type);
/** The name, once it was found; borrowed. */
chunk_t gsa_answer_group_name(const gsa_answer_t *this);

/**
 * Asks gcksd, unless the request is refused for what it is.
 * @return	FALSE: it has not answered; build() returns INVALID_STATE, and decides once more when
 *		it is called again
 */
bool gsa_answer_decide(gsa_answer_t *this);
void gsa_answer_refuse(gsa_answer_t *this, uint16_t error, const char *reason);

/**
 * GSA, KD and their notifies, or the error notify.
 * @return	TRUE if it is a grant: sent() is to be called when it was sent
 */
bool gsa_answer_add(gsa_answer_t *this, message_t *message);
void gsa_answer_sent(gsa_answer_t *this);

#endif
