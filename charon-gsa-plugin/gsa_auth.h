// SPDX-License-Identifier: GPL-2.0-or-later
/* GSA_AUTH (RFC 9838 §2.3.1): exchange type 39, handled as an IKE_AUTH with more in it. */
#ifndef GSA_AUTH_H_
#define GSA_AUTH_H_

#include "charon-gsa-plugin/gsa.h"

/** Once gsa.member is there: gsa_auth_listen(). */
gsa_auth_t *gsa_auth_create(void);
void gsa_auth_listen(gsa_auth_t *this);
void gsa_auth_destroy(gsa_auth_t *this);

/** Did the request that this thread handles come as GSA_AUTH? */
bool gsa_auth_is_renamed(gsa_auth_t *this);
/** As if it did: this thread completes the response to one that did. */
void gsa_auth_rename(gsa_auth_t *this);
/** The group-related error in a response, for the member's task; 0: none. */
uint16_t gsa_auth_error(message_t *message);

/** Constructor for message_register_initial_task(): answers a GSA_AUTH, if one comes. */
task_t *gsa_auth_respond_create(ike_sa_t *ike_sa, message_t *request);

#endif
