// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a group's rekey stands; rekey.h is what changes it. */
#ifndef GCKS_REKEY_STATE_H
#define GCKS_REKEY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GCKS_NEVER INT64_MAX

/* Why; several come together. */
enum gcks_trigger {
	GCKS_TRIGGER_LIFETIME = 1 << 0,
	GCKS_TRIGGER_OPERATOR = 1 << 1,
	GCKS_TRIGGER_POLICY = 1 << 2,
	GCKS_TRIGGER_JOIN = 1 << 3,
	GCKS_TRIGGER_LEAVE = 1 << 4,
	GCKS_TRIGGER_CONFLICT = 1 << 5, /* a member cannot use the SPI */
};
#define GCKS_TRIGGERS 6

struct gcks_rekey {
	/* the next one: not before due_at (GCKS_NEVER: none is wished for; 0 is as good) */
	unsigned int wished; /* triggers */
	int64_t due_at;	     /* monotonic milliseconds, as all here */
	int64_t retry_at;    /* the store or memory failed: not before; 0: they have not */
	const char *anew;    /* why the group has to begin anew (static); NULL: it has not */
	int64_t conflict_at; /* of the last trigger of this kind that counted; 0: none */
	uint32_t conflict_generation; /* the newest SA then: it and older ones are not given again */
	/* the one that is going on, or the last one */
	bool pushing;
	unsigned int reasons;
	int64_t begun_at, told_at; /* told_at: every member was told and has answered or not */
	int64_t logged_at;	   /* for the caller's log of progress */
	size_t total, acknowledged, unanswered;
	size_t late; /* of the acknowledged: gcks_rekey_was_late() */
};

#endif
