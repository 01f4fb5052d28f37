// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * States of a membership that others have ended: when they are made again.  What is lost together is
 * made again together; what is lost once more soon afterwards waits longer and longer, since each
 * time costs a pairwise group a registration and a Sender-ID.
 */
#include "gcks/member.h"

#define SETTLE_MS    250
#define REPEATED_MS  1000
#define DELAY_MAX_MS (600 * 1000)
#define STEADY_MS    60000 /* and as long as the last delay was, twice: what was made again holds */

static bool is_steady(const struct gcks_losses *losses, int64_t now_ms)
{
	return !losses->again_at ||
	       now_ms - losses->again_at >= STEADY_MS + 2 * losses->delay_ms;
}

bool gcks_losses_add(struct gcks_losses *losses, int64_t now_ms)
{
	losses->count++;
	if (now_ms < losses->again_at)
		return false;
	if (is_steady(losses, now_ms)) {
		losses->in_a_row = 0;
		losses->delay_ms = SETTLE_MS;
	} else {
		losses->delay_ms *= 2;
		if (losses->delay_ms < REPEATED_MS)
			losses->delay_ms = REPEATED_MS;
		if (losses->delay_ms > DELAY_MAX_MS)
			losses->delay_ms = DELAY_MAX_MS;
	}
	losses->in_a_row++;
	losses->again_at = now_ms + losses->delay_ms;
	return true;
}

uint32_t gcks_losses_wait_s(const struct gcks_losses *losses, int64_t now_ms)
{
	return now_ms < losses->again_at ? (uint32_t)((losses->again_at - now_ms + 999) / 1000) : 0;
}
