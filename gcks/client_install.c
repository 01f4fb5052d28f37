// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Member: plans become requests to charon, acknowledgements become kernel ids.
 *
 *   planned --store--> asked --Installed--> installed --removal asked--> settled --> forgotten
 *
 * An id is in the store from before it is asked for until its removal has settled.
 */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/libfrr.h"

#include "gcks/client.h"

#define REPLAY_WINDOW 0 /* several senders share an SA: their numbers are not one sequence */
#define RETRY_MIN_S   1
#define RETRY_MAX_S   60
/* Removals are not acknowledged; charon applies requests in order. */
#define SETTLE_S 5

struct request {
	struct request *next;
	uint32_t id;
	struct gcks_kernel_id kernel_id;
};

static struct request *asked, **asked_end = &asked; /* in order */
static struct gcks_kernel_ids asked_ids;
static uint32_t last_id;
static struct gcks_kernel_ids in_kernel; /* acknowledged by this charon or an earlier one */
static struct gcks_kernel_ids failed;	 /* not asked again before t_retry */
static struct gcks_kernel_ids removing;
static struct event *t_retry, *t_settle;
static unsigned int retry_s = RETRY_MIN_S;

static ProtobufCBinaryData octets(const struct gcks_address *address)
{
	return (ProtobufCBinaryData){ address->length, (uint8_t *)address->octets };
}

static void set_prefix(Gsa__Prefix *out, const struct gcks_prefix *prefix)
{
	gsa__prefix__init(out);
	out->address = octets(&prefix->address);
	out->length = prefix->length;
}

static ProtobufCBinaryData key_octets(const struct gsa_secret *key)
{
	return (ProtobufCBinaryData){ key->length, key->data };
}

static bool send_sa(uint32_t id, const struct gcks_desired *desired)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__InstallSa install = GSA__INSTALL_SA__INIT;
	const struct gcks_member_sa *sa = desired->sa;

	install.id = id;
	install.spi = desired->id.spi;
	install.source = octets(&desired->id.source);
	install.destination = octets(&desired->id.destination);
	install.inbound = desired->inbound;
	install.reqid = desired->id.reqid;
	install.encryption = sa->encryption;
	install.encryption_key_bits = sa->encryption_key_bits;
	install.encryption_key = key_octets(&sa->encryption_key);
	install.integrity = sa->integrity;
	install.integrity_key = key_octets(&sa->integrity_key);
	install.replay_window = REPLAY_WINDOW;
	install.lifetime_s = sa->lifetime_s;
	message.body_case = GSA__MESSAGE__BODY_INSTALL_SA;
	message.install_sa = &install;
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

static bool send_policy(uint32_t id, const struct gcks_kernel_id *policy)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__InstallPolicy install = GSA__INSTALL_POLICY__INIT;
	Gsa__Prefix source, destination;

	set_prefix(&source, &policy->selector_source);
	set_prefix(&destination, &policy->selector_destination);
	install.id = id;
	install.direction = policy->direction;
	install.source = &source;
	install.destination = &destination;
	install.action = policy->action;
	install.priority = policy->priority;
	install.tunnel_source = octets(&policy->source);
	install.tunnel_destination = octets(&policy->destination);
	install.reqid = policy->reqid;
	message.body_case = GSA__MESSAGE__BODY_INSTALL_POLICY;
	message.install_policy = &install;
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

static bool send_remove(const struct gcks_kernel_id *id)
{
	Gsa__Message message = GSA__MESSAGE__INIT;
	Gsa__RemoveSa sa = GSA__REMOVE_SA__INIT;
	Gsa__RemovePolicy policy = GSA__REMOVE_POLICY__INIT;
	Gsa__Prefix source, destination;

	if (id->kind == GCKS_KERNEL_SA) {
		sa.spi = id->spi;
		sa.source = octets(&id->source);
		sa.destination = octets(&id->destination);
		message.body_case = GSA__MESSAGE__BODY_REMOVE_SA;
		message.remove_sa = &sa;
	} else {
		set_prefix(&source, &id->selector_source);
		set_prefix(&destination, &id->selector_destination);
		policy.direction = id->direction;
		policy.source = &source;
		policy.destination = &destination;
		policy.priority = id->priority;
		policy.action = id->action;
		policy.reqid = id->reqid;
		policy.tunnel_source = octets(&id->source);
		policy.tunnel_destination = octets(&id->destination);
		message.body_case = GSA__MESSAGE__BODY_REMOVE_POLICY;
		message.remove_policy = &policy;
	}
	return gcks_local_send(GSA__ROLE__ROLE_CHARON, &message);
}

/* ---- acknowledgement ---- */

static void retry(struct event *event)
{
	gcks_kernel_ids_clear(&failed);
	gcks_client_reconsider();
}

static void out_of_memory(void)
{
	zlog_err("GSA: out of memory: kernel state is asked for again");
	event_add_timer(gcksd.loop, retry, NULL, RETRY_MAX_S, &t_retry);
}

static const char *describe(const struct gcks_kernel_id *id, char *buffer, size_t size)
{
	static const char *const actions[] = { "?", "protect", "block", "pass" };
	static const char *const directions[] = { "?", "in", "out", "forward" };
	char a[INET6_ADDRSTRLEN + 4], b[INET6_ADDRSTRLEN + 4];

	if (id->kind == GCKS_KERNEL_SA)
		snprintf(buffer, size, "group %s: the SA 0x%08x from %s to %s", id->group, id->spi,
			 gcks_address_text(&id->source, a), gcks_address_text(&id->destination, b));
	else
		snprintf(buffer, size, "%s%s%sthe %s policy (%s) from %s to %s",
			 id->group[0] ? "group " : "", id->group, id->group[0] ? ": " : "",
			 actions[id->action < array_size(actions) ? id->action : 0],
			 directions[id->direction < array_size(directions) ? id->direction : 0],
			 gcks_prefix_text(&id->selector_source, a, sizeof(a)),
			 gcks_prefix_text(&id->selector_destination, b, sizeof(b)));
	return buffer;
}

static void install_failed(const struct gcks_kernel_id *id, const char *text)
{
	char what[256];

	zlog_err("GSA: %s could not be installed: %s; tried again in %u s",
		 describe(id, what, sizeof(what)), text[0] ? text : "charon does not say why",
		 retry_s);
	gcks_kernel_ids_remove(&gcksd.installed, id);
	gcks_kernel_ids_remove(&in_kernel, id);
	if (!gcks_kernel_ids_add(&failed, id))
		out_of_memory();
	if (t_retry)
		return;
	event_add_timer(gcksd.loop, retry, NULL, retry_s, &t_retry);
	retry_s = MIN(retry_s * 2, RETRY_MAX_S);
}

void gcks_install_acknowledged(const Gsa__Installed *installed)
{
	struct request **at = &asked, *request;

	while (*at && (*at)->id != installed->id)
		at = &(*at)->next;
	request = *at;
	if (!request)
		return; /* of an earlier connection */
	*at = request->next;
	if (!*at)
		asked_end = at;
	gcks_kernel_ids_remove(&asked_ids, &request->kernel_id);
	if (!installed->ok) {
		install_failed(&request->kernel_id, installed->text);
	} else if (!gcks_kernel_ids_add(&gcksd.installed, &request->kernel_id) ||
		   !gcks_kernel_ids_add(&in_kernel, &request->kernel_id)) {
		out_of_memory();
	} else if (!asked && !failed.count) {
		retry_s = RETRY_MIN_S;
	}
	XFREE(MTYPE_TMP, request);
	if (!asked || !installed->ok)
		gcks_client_reconsider();
}

void gcks_install_reset(void)
{
	struct request *next;

	for (; asked; asked = next) {
		next = asked->next;
		XFREE(MTYPE_TMP, asked);
	}
	asked_end = &asked;
	gcks_kernel_ids_clear(&asked_ids);
	gcks_kernel_ids_clear(&gcksd.installed);
	gcks_kernel_ids_clear(&failed);
	/* what the lost connection was asked to remove may still be there */
	gcks_kernel_ids_clear(&removing);
	event_cancel(&t_settle);
	event_cancel(&t_retry);
	retry_s = RETRY_MIN_S;
}

void gcks_install_forget_spi(uint32_t spi)
{
	for (size_t i = gcksd.installed.count; i-- > 0;) {
		struct gcks_kernel_id id = gcksd.installed.ids[i];

		if (id.kind == GCKS_KERNEL_SA && id.spi == spi)
			gcks_kernel_ids_remove(&gcksd.installed, &id);
	}
}

bool gcks_install_is_pending(void)
{
	return asked != NULL;
}

bool gcks_install_has_failed(void)
{
	return failed.count != 0;
}

bool gcks_install_holds_sa(const char *group)
{
	for (size_t i = 0; i < in_kernel.count; i++)
		if (in_kernel.ids[i].kind == GCKS_KERNEL_SA &&
		    strcmp(in_kernel.ids[i].group, group) == 0)
			return true;
	return false;
}

void gcks_install_update_ready(void)
{
	gcks_member_update_ready(&gcksd.members, &in_kernel);
}

/* ---- planning ---- */

static void settled(struct event *event)
{
	struct gcks_change *changes;
	size_t count = removing.count;

	if (!count || gcks_local_status(GSA__ROLE__ROLE_CHARON)->state == GCKS_CLIENT_AWAY)
		return;
	changes = XCALLOC(MTYPE_TMP, count * sizeof(*changes));
	for (size_t i = 0; i < count; i++)
		changes[i] = (struct gcks_change){ .kind = GCKS_REMOVE_KERNEL_ID,
						   .kernel_id = &removing.ids[i] };
	if (gcks_store_commit(gcksd.store, changes, count)) {
		for (size_t i = 0; i < count; i++)
			gcks_kernel_ids_remove(&gcksd.known, &removing.ids[i]);
		gcks_kernel_ids_clear(&removing);
	} else {
		zlog_err("GSA: removed kernel state is not stored: %s",
			 gcks_store_error(gcksd.store));
		event_add_timer(gcksd.loop, settled, NULL, RETRY_MAX_S, &t_settle);
	}
	XFREE(MTYPE_TMP, changes);
}

static bool wanted(const struct gcks_desired *desired)
{
	return !gcks_kernel_ids_has(&asked_ids, &desired->id) &&
	       !gcks_kernel_ids_has(&failed, &desired->id);
}

/* Before any of it is asked for, so that it can be removed after whatever happens. */
static bool store_plan(const struct gcks_plan *plan)
{
	struct gcks_change *changes;
	size_t count = 0;
	bool ok;

	if (!plan->install_count)
		return true;
	changes = XCALLOC(MTYPE_TMP, plan->install_count * sizeof(*changes));
	for (size_t i = 0; i < plan->install_count; i++)
		if (wanted(&plan->install[i]) &&
		    !gcks_kernel_ids_has(&gcksd.known, &plan->install[i].id))
			changes[count++] =
				(struct gcks_change){ .kind = GCKS_PUT_KERNEL_ID,
						      .kernel_id = &plan->install[i].id };
	ok = gcks_store_commit(gcksd.store, changes, count);
	if (!ok)
		zlog_err("GSA: nothing is installed, as it cannot be stored: %s",
			 gcks_store_error(gcksd.store));
	for (size_t i = 0; ok && i < count; i++)
		ok = gcks_kernel_ids_add(&gcksd.known, changes[i].kernel_id);
	XFREE(MTYPE_TMP, changes);
	return ok;
}

static void ask(const struct gcks_desired *desired)
{
	struct request *request;
	bool sent;

	if (!++last_id)
		last_id = 1;
	sent = desired->id.kind == GCKS_KERNEL_SA ? send_sa(last_id, desired)
						  : send_policy(last_id, &desired->id);
	if (!sent)
		return;
	if (!gcks_kernel_ids_add(&asked_ids, &desired->id))
		out_of_memory(); /* at worst it is asked for twice */
	gcks_kernel_ids_remove(&removing, &desired->id);
	request = XCALLOC(MTYPE_TMP, sizeof(*request));
	request->id = last_id;
	request->kernel_id = desired->id;
	*asked_end = request;
	asked_end = &request->next;
}

/*
 * Removing anything else closes, so charon's order (all installs first) is enough; a block policy
 * goes when everything is known to be in its place.
 */
static bool may_remove(const struct gcks_kernel_id *id)
{
	return id->kind != GCKS_KERNEL_POLICY || id->action != GSA__POLICY_ACTION__POLICY_BLOCK ||
	       (!asked && !failed.count);
}

static void ask_removal(const struct gcks_kernel_id *id)
{
	if (!may_remove(id) || gcks_kernel_ids_has(&removing, id) || !send_remove(id))
		return;
	gcks_kernel_ids_remove(&gcksd.installed, id);
	gcks_kernel_ids_remove(&in_kernel, id);
	if (!gcks_kernel_ids_add(&removing, id))
		return; /* it stays known and is removed once more */
	event_cancel(&t_settle);
	event_add_timer(gcksd.loop, settled, NULL, SETTLE_S, &t_settle);
}

void gcks_install_plan(bool allow_remove)
{
	struct gcks_plan plan = {};

	if (gcks_local_status(GSA__ROLE__ROLE_CHARON)->state == GCKS_CLIENT_AWAY)
		return;
	if (!gcks_plan_make(&gcksd.members, &gcksd.installed, &gcksd.known, allow_remove, &plan)) {
		out_of_memory();
		return;
	}
	if (store_plan(&plan)) {
		for (size_t i = 0; i < plan.install_count; i++)
			if (wanted(&plan.install[i]))
				ask(&plan.install[i]);
	} else {
		event_add_timer(gcksd.loop, retry, NULL, RETRY_MAX_S, &t_retry);
	}
	for (size_t i = 0; i < plan.remove_count; i++)
		ask_removal(&plan.remove[i]);
	gcks_debug_log(member, "planned: %zu to install, %zu to remove", plan.install_count,
		       plan.remove_count);
	gcks_plan_clear(&plan);
}

/* ---- start ---- */

/*
 * Is the kernel the one that an earlier gcksd has filled?  After a reboot, or in another network
 * namespace, it is empty, and a route must not count as protected.
 */
static bool same_kernel(void)
{
	char path[MAXPATHLEN], now[256] = "", before[256] = "", boot[64] = "", net[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(boot, sizeof(boot), file) ||
	    readlink("/proc/self/ns/net", net, sizeof(net) - 1) < 0)
		boot[0] = '\0';
	if (file)
		fclose(file);
	if (!boot[0])
		return false;
	boot[strcspn(boot, "\n")] = '\0';
	snprintf(now, sizeof(now), "%s %s", boot, net);
	snprintf(path, sizeof(path), "%s/gcksd.kernel", frr_runstatedir);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(before, sizeof(before), file))
			before[0] = '\0';
		fclose(file);
	}
	if (strcmp(now, before) == 0)
		return true;
	file = fopen(path, "we");
	if (!file || fputs(now, file) < 0)
		zlog_warn("GSA: %s cannot be written: %m", path);
	if (file)
		fclose(file);
	return false;
}

void gcks_install_start(void)
{
	if (!same_kernel())
		return;
	for (size_t i = 0; i < gcksd.known.count; i++)
		if (!gcks_kernel_ids_add(&in_kernel, &gcksd.known.ids[i]))
			out_of_memory();
}
