// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a member holds of a group: its Data-Security SAs, oldest first, each with the time of its
 * arrival and the delays that its message said, and the Sender-IDs that it was given.
 *
 * Pure: times are monotonic milliseconds of the caller.  Keys are in locked memory.  A function
 * that may fail has changed nothing then.
 */
#ifndef GSA_HELD_H_
#define GSA_HELD_H_

#include "libgsa/gikev2.h"
#include "libgsa/secret.h"
#include "proto/gsa.pb-c.h"

struct gsa_held_sa {
	uint32_t spi; /* host order */
	uint32_t encryption, encryption_key_bits, integrity, sequence_numbers;
	uint32_t lifetime_s; /* from received_ms on; 0: not limited */
	uint32_t activation_delay_s, deactivation_delay_s;
	uint64_t received_ms;
	struct gsa_secret key;
};

/* All zeros: nothing is held. */
struct gsa_held {
	struct gsa_held_sa sa[GSA_DATA_SA_MAX];
	size_t count;
	uint32_t group;			       /* identifier, 0: not known */
	uint32_t sender_id_bits;	       /* 0: none */
	uint32_t sender_id[GSA_SENDER_ID_MAX]; /* oldest first */
	size_t sender_id_count;
};

/*
 * A registration's GSA takes the place of all that is held, except for what came after `asked_ms`,
 * when the registration was asked for.  An SA that is held already keeps its time of arrival and
 * its delays; its end may only come earlier.  Sender-IDs that are held stay behind the new ones'
 * front as long as one of the SAs that they were given for does.
 */
bool gsa_held_replace(struct gsa_held *held, const Gsa__GroupSa *given, uint64_t now_ms,
		      uint64_t asked_ms);
/* A rekey's GSA comes behind what is held; the oldest go when there are too many. */
bool gsa_held_append(struct gsa_held *held, const Gsa__GroupSa *given, uint64_t now_ms);
/* False: it was not there. */
bool gsa_held_remove(struct gsa_held *held, uint32_t spi);
void gsa_held_clear(struct gsa_held *held);
/* May the SPI be one of ours on the wire?  That of a pairwise SA has a Sender-ID in it. */
bool gsa_held_covers(const struct gsa_held *held, uint32_t spi);

/*
 * All of it as the local protocol has it; NULL: no memory.  Keys are copied: free it with
 * gsa_held_free_export(), which wipes them.
 */
Gsa__GroupSa *gsa_held_export(const struct gsa_held *held, uint64_t now_ms);
/* Of any GroupSa from malloc(); NULL is fine. */
void gsa_held_free_export(Gsa__GroupSa *group_sa);

/*
 * Can a member use these SAs with these Sender-IDs?  NULL, or why not: pairwise SAs need a
 * Sender-ID of a size that we know, and an SPI with room for it.
 */
const char *gsa_held_check_senders(const Gsa__GroupSa *group_sa, uint32_t sender_id_bits,
				   const uint32_t *sender_ids, size_t sender_id_count);

#endif
