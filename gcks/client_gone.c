// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Member: kernel ids that the kernel does not hold any more leave the store; what must not be made again
 * is remembered there as used.
 */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"
#include "lib/memory.h"

#include "gcks/client.h"
#include "gcks/planner.h"

#define FORGET_S 1 /* one commit for all that have gone meanwhile */
#define RETRY_S	 60

static struct gcks_kernel_ids gone; /* still to be forgotten by the store */
static struct event *t_forget;

/* Of what is gone, what must not be made again is remembered as used. */
static void forget(struct event *event)
{
	struct gcks_kernel_id *ids = gone.ids;
	struct gcks_change *changes;
	size_t count = gone.count;

	if (!count)
		return;
	changes = XCALLOC(MTYPE_TMP, count * sizeof(*changes));
	for (size_t i = 0; i < count; i++) {
		ids[i].used = gcks_is_remembered(&gcksd.members, &gcksd.known, &ids[i]);
		changes[i] = (struct gcks_change){
			.kind = ids[i].used ? GCKS_PUT_KERNEL_ID : GCKS_REMOVE_KERNEL_ID,
			.kernel_id = &ids[i],
		};
	}
	if (gcks_store_commit(gcksd.store, changes, count)) {
		for (size_t i = 0; i < count; i++)
			if (ids[i].used)
				gcks_kernel_ids_set_used(&gcksd.known, &ids[i]);
			else
				gcks_kernel_ids_remove(&gcksd.known, &ids[i]);
		gcks_kernel_ids_clear(&gone);
		/* what had to wait for their place */
		gcks_client_reconsider();
	} else {
		zlog_err("GSA: removed kernel state is not stored: %s",
			 gcks_store_error(gcksd.store));
		event_add_timer(gcksd.loop, forget, NULL, RETRY_S, &t_forget);
	}
	XFREE(MTYPE_TMP, changes);
}

/* Without memory it stays known and is removed once more. */
void gcks_gone_add(const struct gcks_kernel_id *id)
{
	if (gcks_kernel_ids_add(&gone, id))
		event_add_timer(gcksd.loop, forget, NULL, FORGET_S, &t_forget);
}

/* The SAs of these are gone: nothing can be made again. */
void gcks_gone_add_used(void)
{
	for (size_t i = 0; i < gcksd.known.count; i++)
		if (gcksd.known.ids[i].used &&
		    !gcks_is_remembered(&gcksd.members, &gcksd.known, &gcksd.known.ids[i]))
			gcks_gone_add(&gcksd.known.ids[i]);
}

bool gcks_gone_has(const struct gcks_kernel_id *id)
{
	return gcks_kernel_ids_has(&gone, id);
}

void gcks_gone_withdraw(const struct gcks_kernel_id *id)
{
	gcks_kernel_ids_remove(&gone, id);
}

void gcks_gone_stop(void)
{
	gcks_kernel_ids_clear(&gone);
	event_cancel(&t_forget);
}
