// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/sender_share.h"

#define SHARES	  16
#define PERIOD_MS (GCKS_SENDER_SHARE_HOURS * 3600 * (int64_t)1000)

uint32_t gcks_sender_share(uint8_t sender_id_bits)
{
	return (UINT32_C(1) << sender_id_bits) / SHARES;
}

/* After which one comes back. */
static int64_t interval(uint8_t sender_id_bits)
{
	return PERIOD_MS / gcks_sender_share(sender_id_bits);
}

static int64_t missing(int64_t whole_at, int64_t now)
{
	return whole_at > now ? whole_at - now : 0;
}

uint32_t gcks_sender_share_left(int64_t whole_at, int64_t now, uint8_t sender_id_bits)
{
	uint32_t share = gcks_sender_share(sender_id_bits);
	int64_t one = interval(sender_id_bits), used = (missing(whole_at, now) + one - 1) / one;

	return used < share ? share - (uint32_t)used : 0;
}

int64_t gcks_sender_share_take(int64_t whole_at, int64_t now, uint8_t sender_id_bits,
			       uint32_t count)
{
	int64_t one = interval(sender_id_bits), most = gcks_sender_share(sender_id_bits) * one,
		taken = missing(whole_at, now) + count * one;

	return now + (taken < most ? taken : most);
}

int64_t gcks_sender_share_wait(int64_t whole_at, int64_t now, uint8_t sender_id_bits)
{
	int64_t allowed = (gcks_sender_share(sender_id_bits) - 1) * interval(sender_id_bits),
		used = missing(whole_at, now);

	return used > allowed ? used - allowed : 0;
}

bool gcks_sender_share_is_used(int64_t whole_at, int64_t now)
{
	return missing(whole_at, now) > PERIOD_MS / 8;
}
