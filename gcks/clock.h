// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The two clocks.  What has to last is counted by the monotonic one, which nobody can step; over
 * a restart of gcksd it goes on, over a reboot the time of day has to help.
 */
#ifndef GCKS_CLOCK_H
#define GCKS_CLOCK_H

#include <stdint.h>

struct gcks_clock {
	int64_t now;   /* monotonic milliseconds */
	int64_t wall;  /* time of day, milliseconds */
	char boot[40]; /* which boot `now` counts from; "": not known */
};

int64_t gcks_now_ms(void); /* monotonic */
void gcks_clock_read(struct gcks_clock *clock);
/* Milliseconds that the time of day was stepped by between two readings of one boot. */
int64_t gcks_clock_stepped(const struct gcks_clock *before, const struct gcks_clock *after);

#endif
