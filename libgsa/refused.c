// SPDX-License-Identifier: GPL-2.0-or-later
#include "libgsa/refused.h"

#include <stdio.h>
#include <string.h>

bool gsa_refused(struct gsa_refused_log *log, const char *line, int64_t now,
		 unsigned int *repeated, unsigned int *others)
{
	size_t slot = 0;
	bool same = false;

	*repeated = *others = 0;
	for (size_t i = 0; i < GSA_REFUSED_LINES && !same; i++) {
		/* compared as it is remembered */
		same = log->lines[i].used &&
		       strncmp(log->lines[i].line, line, GSA_REFUSED_LINE_MAX - 1) == 0;
		if (same || !log->lines[i].used ||
		    (log->lines[slot].used && log->lines[i].logged < log->lines[slot].logged))
			slot = i;
	}
	if (log->lines[slot].used && now - log->lines[slot].logged < GSA_REFUSED_INTERVAL_S) {
		if (same)
			log->lines[slot].repeated++;
		else
			log->others++;
		return false;
	}
	if (same)
		*repeated = log->lines[slot].repeated;
	*others = log->others;
	log->others = 0;
	snprintf(log->lines[slot].line, GSA_REFUSED_LINE_MAX, "%s", line);
	log->lines[slot].used = true;
	log->lines[slot].logged = now;
	log->lines[slot].repeated = 0;
	return true;
}
