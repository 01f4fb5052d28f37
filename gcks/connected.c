// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connected prefixes, from zebra: what stays in the site in clear (the planner's pass policies), as
 * long as its interface is up.  zebra only tells about interfaces; gcksd has no routes to give it.
 *
 * A connection that is lost changes nothing.  After the next one the addresses are read again,
 * and the old set is compared with the new one only when zebra has repeated all of them.
 */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/if.h"
#include "lib/log.h"
#include "lib/prefix.h"
#include "lib/vrf.h"
#include "lib/zclient.h"

#include "gcks/gcksd.h"

/* Messages come in bursts; zebra does not say when it has repeated everything. */
#define SETTLE_MS	 20
#define SETTLE_REPEAT_MS 250

static struct zclient *zclient;
static struct event *t_settled;
static struct event_loop *loop;
static bool repeating; /* zebra repeats its interfaces */

/* A LAN that hosts can be in; `prefix` is filled. */
static bool lan_of(const struct connected *connected, struct gcks_prefix *prefix)
{
	struct prefix network;

	if (CHECK_FLAG(connected->flags, ZEBRA_IFA_UNNUMBERED) || !CONNECTED_PREFIX(connected))
		return false;
	prefix_copy(&network, CONNECTED_PREFIX(connected));
	apply_mask(&network);
	switch (network.family) {
	case AF_INET:
		if (IPV4_NET127(ntohl(network.u.prefix4.s_addr)) ||
		    IPV4_LINKLOCAL(ntohl(network.u.prefix4.s_addr)))
			return false;
		break;
	case AF_INET6:
		if (IN6_IS_ADDR_LINKLOCAL(&network.u.prefix6) ||
		    IN6_IS_ADDR_LOOPBACK(&network.u.prefix6))
			return false;
		break;
	default:
		return false;
	}
	return gcks_prefix_from(prefix, (const uint8_t *)&network.u.prefix, prefix_blen(&network),
				network.prefixlen);
}

static bool has(const struct gcks_prefix *prefixes, size_t count, const struct gcks_prefix *prefix)
{
	for (size_t i = 0; i < count; i++)
		if (gcks_prefix_equal(&prefixes[i], prefix))
			return true;
	return false;
}

/* Every LAN once, of the operative interfaces; at most `size` are written, all are counted. */
static size_t collect(struct gcks_prefix *lans, size_t size)
{
	struct vrf *vrf = vrf_lookup_by_id(VRF_DEFAULT);
	struct connected *connected;
	struct interface *interface;
	struct gcks_prefix prefix;
	size_t count = 0;

	FOR_ALL_INTERFACES(vrf, interface)
	{
		if (if_is_loopback(interface) || !if_is_operative(interface))
			continue;
		frr_each (if_connected, interface->connected, connected) {
			if (!lan_of(connected, &prefix) || has(lans, MIN(count, size), &prefix))
				continue;
			if (count < size)
				lans[count] = prefix;
			count++;
		}
	}
	return count;
}

/* Bring the member table's set to `lans`.  True: something changed. */
static bool update(const struct gcks_prefix *lans, size_t count)
{
	struct gcks_member_table *table = &gcksd.members;
	bool changed = false;

	for (size_t i = table->connected_count; i-- > 0;) {
		struct gcks_prefix prefix = table->connected[i];

		if (has(lans, count, &prefix))
			continue;
		gcks_member_remove_connected(table, &prefix);
		changed = true;
	}
	for (size_t i = 0; i < count; i++) {
		char text[PREFIX_STRLEN];

		if (has(table->connected, table->connected_count, &lans[i]))
			continue;
		if (gcks_member_add_connected(table, &lans[i]))
			changed = true;
		else
			zlog_err("GSA: out of memory: connected prefix %s is not exempt from "
				 "protection",
				 gcks_prefix_text(&lans[i], text, sizeof(text)));
	}
	return changed;
}

static void settled(struct event *event)
{
	size_t count = collect(NULL, 0);
	struct gcks_prefix *lans = XCALLOC(MTYPE_TMP, (count + 1) * sizeof(*lans));

	repeating = false;
	count = collect(lans, count);
	if (update(lans, count)) {
		gcks_debug_log(member, "%zu connected prefixes", count);
		gcks_client_reconsider();
	}
	XFREE(MTYPE_TMP, lans);
}

/* While zebra repeats, every message starts the wait again. */
static void something_changed(void)
{
	if (repeating)
		event_cancel(&t_settled);
	event_add_timer_msec(loop, settled, NULL, repeating ? SETTLE_REPEAT_MS : SETTLE_MS,
			     &t_settled);
}

/* ---- from zebra ---- */

/* What it knew before may have gone while we were not connected. */
static void forget_addresses(void)
{
	struct vrf *vrf = vrf_lookup_by_id(VRF_DEFAULT);
	struct connected *connected;
	struct interface *interface;

	FOR_ALL_INTERFACES(vrf, interface)
	while ((connected = if_connected_pop(interface->connected)))
		connected_free(&connected);
}

static void zebra_connected(struct zclient *client)
{
	zlog_info("GSA: connected to zebra");
	forget_addresses();
	repeating = true;
	something_changed();
}

static int address_added(ZAPI_CALLBACK_ARGS)
{
	zebra_interface_address_read(cmd, zclient->ibuf, vrf_id);
	something_changed();
	return 0;
}

static int address_removed(ZAPI_CALLBACK_ARGS)
{
	struct connected *connected = zebra_interface_address_read(cmd, zclient->ibuf, vrf_id);

	if (connected)
		connected_free(&connected);
	something_changed();
	return 0;
}

static int interface_changed(struct interface *interface)
{
	something_changed();
	return 0;
}

static zclient_handler *const handlers[] = {
	[ZEBRA_INTERFACE_ADDRESS_ADD] = address_added,
	[ZEBRA_INTERFACE_ADDRESS_DELETE] = address_removed,
};

void gcks_connected_start(struct event_loop *event_loop)
{
	loop = event_loop;
	vrf_init(NULL, NULL, NULL, NULL);
	hook_register(if_real, interface_changed);
	hook_register(if_up, interface_changed);
	hook_register(if_down, interface_changed);
	hook_register(if_unreal, interface_changed);
	zclient = zclient_new(loop, &zclient_options_default, handlers, array_size(handlers));
	zclient->zebra_connected = zebra_connected;
	/* no protocol of its own: zebra has no routes of ours to remove when we go */
	zclient_init(zclient, ZEBRA_ROUTE_SYSTEM, 0, NULL);
}

void gcks_connected_stop(void)
{
	event_cancel(&t_settled);
	if (!zclient)
		return;
	hook_unregister(if_real, interface_changed);
	hook_unregister(if_up, interface_changed);
	hook_unregister(if_down, interface_changed);
	hook_unregister(if_unreal, interface_changed);
	zclient_stop(zclient);
	zclient_free(zclient);
	zclient = NULL;
	vrf_terminate();
}
