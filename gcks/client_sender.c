// SPDX-License-Identifier: GPL-2.0-or-later
/* Member: Sender-IDs, SPIs that somebody else has, and new registrations because of either. */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"

#include "gcks/client.h"

#define RENEW_INTERVAL_MS    10000
#define CONFLICT_INTERVAL_MS 60000
#define LOG_INTERVAL_MS	     60000
#define ABSENCE_MS	     60000

static struct event *t_renew;

static void renew_now(struct event *event)
{
	gcks_client_reconsider();
}

/* A key server that gives nothing better is not asked all the time; nor if states go again and again. */
static void renew(struct gcks_membership *membership, bool not_acceptable, int64_t interval_ms)
{
	int64_t now = gcks_now_ms(),
		not_before = MAX(MAX(membership->renew_at, membership->renewals.again_at),
				 membership->losses.backoff.again_at);

	if (membership->renew_wished && !not_acceptable)
		return; /* its answer is still to come */
	/* charon has to have a registration to end; the state is asked for again soon */
	if (not_acceptable && !membership->reported)
		return;
	if (now < not_before) {
		if (!not_acceptable)
			event_add_timer_msec(gcksd.loop, renew_now, NULL, (long)(not_before - now),
					     &t_renew);
		return;
	}
	/*
	 * A lost state has made it wait already.  Else it is a gateway that went back to a former
	 * Sender-ID, whose states must not be made again; it may do so as often as it likes.
	 */
	if (!not_acceptable && gcks_backoff_is_steady(&membership->losses.backoff, now))
		gcks_backoff_add(&membership->renewals, now, 2 * interval_ms);
	membership->renew_at = now + interval_ms;
	membership->renew_wished = true;
	membership->not_acceptable = not_acceptable;
	membership->renew++;
	if (not_acceptable && membership->sender_id_count) {
		membership->abandoned = true;
		membership->last_sender_id =
			membership->sender_ids[membership->sender_id_count - 1];
	}
	zlog_info("GSA: group %s: registering again, %s", membership->name,
		  not_acceptable ? "for SAs with another SPI" : "for a Sender-ID that may be used");
}

/*
 * The key server keeps what an absent member was given for a while (registration-hold-time, which
 * we do not know).  Afterwards nobody believes routes that come with it, so after a long absence the
 * new Sender-ID is used at once, at the price of the packets until the others have learnt it.
 */
void gcks_sender_registered(struct gcks_membership *membership, int64_t lost_ms)
{
	if (lost_ms < ABSENCE_MS || !membership->has_sender_id || !membership->sender_id_count)
		return;
	membership->abandoned = true;
	membership->last_sender_id = membership->sender_id;
}

/* ---- Sender-IDs ---- */

static const struct gcks_sender *holder(const struct gcks_senders *senders, uint32_t sender_id)
{
	for (size_t i = 0; i < senders->count; i++)
		if (!senders->list[i].refused && senders->list[i].sender_id == sender_id)
			return &senders->list[i];
	return NULL;
}

static void log_refused(struct gcks_membership *membership)
{
	int64_t now = gcks_now_ms();
	struct gcks_senders senders;

	if (!gcks_senders_make(&senders, membership))
		return;
	for (size_t i = 0; i < senders.count; i++) {
		const struct gcks_sender *refused = &senders.list[i], *other;
		char text[INET6_ADDRSTRLEN], other_text[INET6_ADDRSTRLEN];

		if (!refused->refused ||
		    (gcks_address_equal(&refused->gateway, &membership->refused_logged.gateway) &&
		     now < membership->refused_logged_at + LOG_INTERVAL_MS))
			continue;
		membership->refused_logged = *refused;
		membership->refused_logged_at = now;
		other = holder(&senders, refused->sender_id);
		zlog_warn("GSA: group %s: gateway %s claims Sender-ID %u, which is %s%s: its routes "
			  "are not used",
			  membership->name, gcks_address_text(&refused->gateway, text),
			  refused->sender_id, other ? "that of " : "our own",
			  other ? gcks_address_text(&other->gateway, other_text) : "");
	}
	gcks_senders_clear(&senders);
}

/* When charon has told all that it was given, and what the store may not know is of no use any more. */
static void settle_doubts(void)
{
	if (gcks_store_is_complete(gcksd.store) ||
	    gcks_local_status(GSA__ROLE__ROLE_CHARON)->state != GCKS_CLIENT_UP)
		return;
	for (const struct gcks_membership *each = gcksd.members.memberships; each;
	     each = each->next)
		if (!gcks_membership_is_settled(each, &gcksd.known))
			return;
	gcks_store_set_complete(gcksd.store);
}

void gcks_senders_update(void)
{
	for (struct gcks_membership *each = gcksd.members.memberships; each; each = each->next) {
		if (!gcks_membership_is_pairwise(each))
			continue;
		switch (gcks_membership_choose_sender_id(each, &gcksd.known)) {
		case GCKS_SENDER_ID_KEPT:
			break;
		case GCKS_SENDER_ID_CHANGED:
			zlog_info("GSA: group %s: sending as Sender-ID %u", each->name,
				  each->sender_id);
			break;
		case GCKS_SENDER_ID_NEEDED:
			renew(each, false, RENEW_INTERVAL_MS);
			break;
		}
		log_refused(each);
	}
	settle_doubts();
}

/* ---- SPIs ---- */

void gcks_sender_conflict(const struct gcks_kernel_id *id, const char *which, const char *text)
{
	struct gcks_membership *membership = gcks_membership_find(&gcksd.members, id->group);

	zlog_err("GSA: %s cannot be installed, its SPI is in use here: %s", which, text);
	if (!membership)
		return;
	free(membership->conflict);
	membership->conflict = strdup(text);
	membership->conflict_spi = id->spi;
	membership->conflict_mark = id->mark;
	renew(membership, true, CONFLICT_INTERVAL_MS);
}

void gcks_sender_installed(const struct gcks_kernel_id *id)
{
	struct gcks_membership *membership = gcks_membership_find(&gcksd.members, id->group);

	if (!membership || !membership->conflict || membership->conflict_spi != id->spi ||
	    membership->conflict_mark != id->mark)
		return;
	free(membership->conflict);
	membership->conflict = NULL;
}

void gcks_senders_stop(void)
{
	event_cancel(&t_renew);
}
