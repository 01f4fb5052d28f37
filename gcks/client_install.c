// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Member: plans become requests to charon, acknowledgements become kernel ids.
 *
 *   planned --store--> asked --Installed--> installed --removal asked--> removing --Installed-->
 *   gone --client_gone.c--> forgotten
 *   installed --StateEnded--> planned; what must not be made again: gone
 *
 * An id is in the store from before it is asked for until charon has said that it is gone.
 */
#include <zebra.h>

#include "lib/frrevent.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/monotime.h"

#include "gcks/client.h"
#include "gcks/planner.h"
#include "libgsa/refused.h"

#define RETRY_MIN_S   1
#define RETRY_MAX_S   60

/* charon answers in the order of the requests. */
struct request {
	struct request *next;
	uint32_t id;
	bool removal;
	bool superseded; /* the opposite was asked for since: the answer to that counts */
	bool supersedes; /* installation: its removal was asked for before */
	struct gcks_kernel_id kernel_id;
};

static struct request *asked, **asked_end = &asked; /* in order */
static struct gcks_kernel_ids asked_ids;	    /* to be installed */
static struct gcks_kernel_ids removing;		    /* asked, not superseded */
static uint32_t last_id;
static struct gcks_kernel_ids in_kernel; /* acknowledged by this charon or an earlier one */
/* not asked again before t_retry */
static struct gcks_kernel_ids failed, failed_removals;
static struct event *t_retry;
static unsigned int retry_s = RETRY_MIN_S;

/* ---- requests ---- */

static uint32_t next_id(void)
{
	if (!++last_id)
		last_id = 1; /* 0: no answer */
	return last_id;
}

static struct request *add_request(uint32_t id, const struct gcks_kernel_id *kernel_id,
				   bool removal)
{
	struct request *request = XCALLOC(MTYPE_TMP, sizeof(*request));

	request->id = id;
	request->kernel_id = *kernel_id;
	request->removal = removal;
	*asked_end = request;
	asked_end = &request->next;
	return request;
}

/* The request that is answered, out of the list; NULL: of an earlier connection. */
static struct request *take_request(uint32_t id)
{
	struct request **at = &asked, *request;

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	request = *at;
	if (!request)
		return NULL;
	*at = request->next;
	if (!*at)
		asked_end = at;
	return request;
}

static void forget_requests(void)
{
	struct request *next;

	for (; asked; asked = next) {
		next = asked->next;
		XFREE(MTYPE_TMP, asked);
	}
	asked_end = &asked;
	gcks_kernel_ids_clear(&asked_ids);
	gcks_kernel_ids_clear(&removing);
}

/* Those of the id that have still to be answered. */
static void supersede(const struct gcks_kernel_id *id, bool removals)
{
	for (struct request *request = asked; request; request = request->next)
		if (request->removal == removals &&
		    gcks_kernel_id_compare(&request->kernel_id, id) == 0)
			request->superseded = true;
}

/* False: there is none. */
static bool supersede_removal(const struct gcks_kernel_id *id)
{
	bool done = gcks_gone_has(id);

	gcks_gone_withdraw(id);
	gcks_kernel_ids_remove(&failed_removals, id);
	if (!gcks_kernel_ids_has(&removing, id))
		return done;
	gcks_kernel_ids_remove(&removing, id);
	supersede(id, true);
	return true;
}

/* It may be wanted again before the answer comes: then it has to be asked for again. */
static void supersede_installation(const struct gcks_kernel_id *id)
{
	if (!gcks_kernel_ids_has(&asked_ids, id))
		return;
	gcks_kernel_ids_remove(&asked_ids, id);
	supersede(id, false);
}

/* ---- acknowledgement ---- */

static void retry(struct event *event)
{
	gcks_kernel_ids_clear(&failed);
	gcks_kernel_ids_clear(&failed_removals);
	gcks_client_reconsider();
}

static void retry_later(void)
{
	if (t_retry)
		return;
	event_add_timer(gcksd.loop, retry, NULL, retry_s, &t_retry);
	retry_s = MIN(retry_s * 2, RETRY_MAX_S);
}

static void out_of_memory(void)
{
	zlog_err("GSA: out of memory: kernel state is asked for again");
	event_add_timer(gcksd.loop, retry, NULL, RETRY_MAX_S, &t_retry);
}

static const char *describe(const struct gcks_kernel_id *id, char *buffer, size_t size)
{
	static const char *const actions[] = { "?", "protect", "block", "pass", "optional" };
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

/* A kernel often takes none of all the states and policies, again and again: a line a reason. */
static void log_failed(const struct gcks_kernel_id *id, const char *what, const char *text)
{
	static struct gsa_refused_log log;
	char which[256], line[GSA_REFUSED_LINE_MAX], more[64] = "";
	unsigned int repeated, others;

	if (!text[0])
		text = "charon does not say why";
	snprintf(line, sizeof(line), "%s: %s", what, text);
	if (!gsa_refused(&log, line, monotime(NULL), &repeated, &others))
		return;
	if (repeated)
		snprintf(more, sizeof(more), "; %u more since the last such line", repeated);
	zlog_err("GSA: %s could not be %s: %s; tried again in at most %u s%s",
		 describe(id, which, sizeof(which)), what, text, retry_s, more);
}

/* The kernel does not hold it any more.  After that of a pair another Sender-ID has to take over. */
static void is_gone(const struct gcks_kernel_id *id)
{
	gcks_kernel_ids_remove(&gcksd.installed, id);
	gcks_kernel_ids_remove(&in_kernel, id);
	if (!gcks_is_pair(id))
		return;
	gcks_kernel_ids_set_used(&gcksd.known, id);
	gcks_gone_add(id);
}

static void has_failed(const struct gcks_kernel_id *id, const Gsa__Installed *answer)
{
	char which[256];

	if (answer->conflict)
		gcks_sender_conflict(id, describe(id, which, sizeof(which)), answer->text);
	else
		log_failed(id, "installed", answer->text);
	if (!gcks_kernel_ids_add(&failed, id))
		out_of_memory();
	retry_later();
}

static void installed_answer(const struct request *request, const Gsa__Installed *answer)
{
	const struct gcks_kernel_id *id = &request->kernel_id;
	char which[256];

	gcks_kernel_ids_remove(&asked_ids, id);
	if (answer->ok) {
		gcks_sender_installed(id);
		if (!gcks_kernel_ids_add(&gcksd.installed, id) ||
		    !gcks_kernel_ids_add(&in_kernel, id))
			out_of_memory();
	} else {
		gcks_kernel_ids_remove(&gcksd.installed, id);
		gcks_kernel_ids_remove(&in_kernel, id);
		if (answer->gone) {
			/* unless it was our own removal that took it away */
			if (!request->supersedes)
				gcks_lost(id, describe(id, which, sizeof(which)),
					  GSA__ENDED_BY__ENDED_BY_UNSPECIFIED);
			is_gone(id);
		} else {
			has_failed(id, answer);
		}
	}
	if (!asked_ids.count || !answer->ok)
		gcks_client_reconsider();
}

static void removed_answer(const struct gcks_kernel_id *id, const Gsa__Installed *answer)
{
	gcks_kernel_ids_remove(&removing, id);
	if (answer->ok) {
		gcks_gone_add(id);
		return;
	}
	log_failed(id, "removed", answer->text);
	if (!gcks_kernel_ids_add(&failed_removals, id))
		out_of_memory();
	retry_later();
}

void gcks_install_acknowledged(const Gsa__Installed *installed)
{
	struct request *request = take_request(installed->id);

	if (!request)
		return;
	if (!request->superseded && request->removal)
		removed_answer(&request->kernel_id, installed);
	else if (!request->superseded)
		installed_answer(request, installed);
	if (!asked && !failed.count && !failed_removals.count)
		retry_s = RETRY_MIN_S;
	XFREE(MTYPE_TMP, request);
}

static bool is_place(const struct gcks_kernel_id *id, const Gsa__StateEnded *ended)
{
	struct gcks_address source, destination;

	return id->kind == GCKS_KERNEL_SA && id->spi == ended->spi && id->reqid == ended->reqid &&
	       gcks_address_from(&source, ended->source.data, ended->source.len) &&
	       gcks_address_from(&destination, ended->destination.data, ended->destination.len) &&
	       gcks_address_equal(&id->source, &source) &&
	       gcks_address_equal(&id->destination, &destination);
}

/* One that is asked for again is not looked at: the answer, still to come, is newer. */
void gcks_install_ended(const Gsa__StateEnded *ended)
{
	char which[256];

	for (size_t i = in_kernel.count; i-- > 0;) {
		struct gcks_kernel_id id = in_kernel.ids[i];

		if (is_place(&id, ended) && !gcks_kernel_ids_has(&asked_ids, &id) &&
		    gcks_lost(&id, describe(&id, which, sizeof(which)), ended->by)) {
			is_gone(&id);
			gcks_client_reconsider();
		}
	}
}

void gcks_install_reset(void)
{
	/* what the lost connection was asked to remove may still be there: it stays known */
	forget_requests();
	gcks_kernel_ids_clear(&gcksd.installed);
	gcks_kernel_ids_clear(&failed);
	gcks_kernel_ids_clear(&failed_removals);
	event_cancel(&t_retry);
	retry_s = RETRY_MIN_S;
}

bool gcks_install_is_pending(void)
{
	return asked_ids.count != 0;
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

static bool wanted(const struct gcks_desired *desired)
{
	return !gcks_kernel_ids_has(&asked_ids, &desired->id) &&
	       !gcks_kernel_ids_has(&failed, &desired->id) && !gcks_lost_waits(&desired->id);
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
	uint32_t id = next_id();
	bool supersedes;

	if (!(desired->id.kind == GCKS_KERNEL_SA ? gcks_request_sa(id, desired)
						 : gcks_request_policy(id, &desired->id)))
		return;
	if (!gcks_kernel_ids_add(&asked_ids, &desired->id))
		out_of_memory(); /* at worst it is asked for twice */
	supersedes = supersede_removal(&desired->id);
	add_request(id, &desired->id, false)->supersedes = supersedes;
}

/*
 * A block policy goes when everything is known to be in its place.  Removing anything else closes,
 * so charon's order (all installs first) is enough.
 */
static bool may_remove(const struct gcks_kernel_id *id)
{
	return id->kind != GCKS_KERNEL_POLICY || id->action != GSA__POLICY_ACTION__POLICY_BLOCK ||
	       (!asked_ids.count && !failed.count);
}

static void ask_removal(const struct gcks_kernel_id *id)
{
	uint32_t request;

	if (gcks_kernel_ids_has(&removing, id) || gcks_gone_has(id) ||
	    gcks_kernel_ids_has(&failed_removals, id))
		return;
	request = next_id();
	/* before it is sent: without memory it stays known, and is asked for later */
	if (!gcks_kernel_ids_add(&removing, id)) {
		out_of_memory();
		return;
	}
	if (!gcks_request_removal(request, id)) {
		gcks_kernel_ids_remove(&removing, id);
		return;
	}
	gcks_kernel_ids_remove(&gcksd.installed, id);
	gcks_kernel_ids_remove(&in_kernel, id);
	supersede_installation(id);
	add_request(request, id, true);
}

/*
 * What lets packets through goes after the block policies of the same plan, so that none is
 * dropped; but not when something could not be installed: these may have to stay for long.
 */
static void ask_removals(const struct gcks_plan *plan)
{
	bool wait = false;

	for (size_t i = 0; i < plan->remove_count; i++) {
		const struct gcks_kernel_id *id = &plan->remove[i];

		if (!may_remove(id))
			wait = !failed.count;
		else if (!wait || id->kind != GCKS_KERNEL_POLICY)
			ask_removal(id);
	}
}

void gcks_install_plan(enum gcks_removal removal)
{
	struct gcks_plan plan = {};

	if (gcks_local_status(GSA__ROLE__ROLE_CHARON)->state == GCKS_CLIENT_AWAY)
		return;
	if (!gcks_plan_make(&gcksd.members, &gcksd.installed, &gcksd.known, removal, &plan)) {
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
	ask_removals(&plan);
	if (removal != GCKS_REMOVE_NOTHING)
		gcks_gone_add_used();
	gcks_debug_log(member, "planned: %zu to install, %zu to remove", plan.install_count,
		       plan.remove_count);
	gcks_plan_clear(&plan);
}

/* ---- start ---- */

void gcks_install_start(void)
{
	bool same = gcks_is_same_kernel();

	for (size_t i = 0; i < gcksd.known.count; i++) {
		struct gcks_kernel_id *id = &gcksd.known.ids[i];

		if (!same && gcks_is_pair(id))
			id->used = true;
		if (same && !id->used && !gcks_kernel_ids_add(&in_kernel, id))
			out_of_memory();
	}
}

void gcks_install_stop(void)
{
	forget_requests();
	gcks_kernel_ids_clear(&in_kernel);
	gcks_kernel_ids_clear(&failed);
	gcks_kernel_ids_clear(&failed_removals);
	event_cancel(&t_retry);
}
