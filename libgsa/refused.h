// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which refusals to log: a peer may try again at any rate, and one that is not authenticated under
 * any name. Each line once an interval, and so many different ones at most. Pure: `now` is
 * monotonic seconds, and who calls from several threads locks.
 */
#ifndef LIBGSA_REFUSED_H
#define LIBGSA_REFUSED_H

#include <stdbool.h>
#include <stdint.h>

#define GSA_REFUSED_INTERVAL_S 60
#define GSA_REFUSED_LINES      128 /* different ones that are remembered */
#define GSA_REFUSED_LINE_MAX   640

/* Zeros are an empty one. */
struct gsa_refused_log {
	struct {
		char line[GSA_REFUSED_LINE_MAX];
		bool used;
		int64_t logged;
		unsigned int repeated; /* since then */
	} lines[GSA_REFUSED_LINES];
	unsigned int others;
};

/*
 * False: not this time.  Else the line is to be logged; *repeated: how often the same came since it
 * was logged last; *others: how many were not logged, as too many different ones came.
 */
bool gsa_refused(struct gsa_refused_log *log, const char *line, int64_t now,
		 unsigned int *repeated, unsigned int *others);

#endif
