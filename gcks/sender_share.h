// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many of a group's Sender-IDs one member may have (RFC 9838 §2.5.1 step 3).  When a group has
 * none left all its members have to register again, so none may use them up by itself: each has a
 * sixteenth of them, and of that as many as it was given come back evenly within a day.  One that
 * asks without end needs two weeks; sixteen together, once they have done it, a day.
 *
 * A share is kept as the monotonic millisecond at which it is whole again; in the past (0) it is.
 * It is not stored: after a restart of gcksd, which is the operator's, all are whole.  Pure.
 */
#ifndef GCKS_SENDER_SHARE_H
#define GCKS_SENDER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#define GCKS_SENDER_SHARE_HOURS 24

/* A whole one. */
uint32_t gcks_sender_share(uint8_t sender_id_bits);
uint32_t gcks_sender_share_left(int64_t whole_at, int64_t now, uint8_t sender_id_bits);
/* When it is whole after so many were given; one that is used up does not get any less. */
int64_t gcks_sender_share_take(int64_t whole_at, int64_t now, uint8_t sender_id_bits,
			       uint32_t count);
/* Milliseconds until one is left; 0: there is. */
int64_t gcks_sender_share_wait(int64_t whole_at, int64_t now, uint8_t sender_id_bits);
/* Is more than an eighth of it used? */
bool gcks_sender_share_is_used(int64_t whole_at, int64_t now);

#endif
