// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t milliseconds(clockid_t clock)
{
	struct timespec time = {};

	clock_gettime(clock, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int64_t gcks_now_ms(void)
{
	return milliseconds(CLOCK_MONOTONIC);
}

void gcks_clock_read(struct gcks_clock *clock)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	clock->now = milliseconds(CLOCK_MONOTONIC);
	clock->wall = milliseconds(CLOCK_REALTIME);
	if (!file || !fgets(clock->boot, sizeof(clock->boot), file))
		clock->boot[0] = '\0';
	clock->boot[strcspn(clock->boot, "\n")] = '\0';
	if (file)
		fclose(file);
}

int64_t gcks_clock_stepped(const struct gcks_clock *before, const struct gcks_clock *after)
{
	return (after->wall - before->wall) - (after->now - before->now);
}
