// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When what was lost is made again, or another Sender-ID asked for.  What happens together waits
 * together, and shortly; what happens again soon afterwards waits longer and longer, since each
 * time costs a pairwise group a registration and a Sender-ID.
 */
#include "gcks/member.h"

#define SETTLE_MS    250
#define DELAY_MAX_MS (600 * 1000)
#define STEADY_MS    60000 /* and twice as long as the last delay: what was made again holds */

bool gcks_backoff_is_steady(const struct gcks_backoff *backoff, int64_t now_ms)
{
	return !backoff->again_at ||
	       now_ms - backoff->again_at >= STEADY_MS + 2 * backoff->delay_ms;
}

bool gcks_backoff_add(struct gcks_backoff *backoff, int64_t now_ms, int64_t repeated_ms)
{
	if (now_ms < backoff->again_at)
		return false;
	if (gcks_backoff_is_steady(backoff, now_ms)) {
		backoff->in_a_row = 0;
		backoff->delay_ms = SETTLE_MS;
	} else {
		backoff->delay_ms *= 2;
		if (backoff->delay_ms < repeated_ms)
			backoff->delay_ms = repeated_ms;
		if (backoff->delay_ms > DELAY_MAX_MS)
			backoff->delay_ms = DELAY_MAX_MS;
	}
	backoff->in_a_row++;
	backoff->again_at = now_ms + backoff->delay_ms;
	return true;
}

uint32_t gcks_backoff_wait_s(const struct gcks_backoff *backoff, int64_t now_ms)
{
	return now_ms < backoff->again_at ? (uint32_t)((backoff->again_at - now_ms + 999) / 1000)
					  : 0;
}
