// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Member: the groups that gcksd wants us in.
 *
 *    Join                      IKE_SA up, GSA and KD accepted
 *  --------> CONNECTING ------------------------------------> REGISTERED <--+
 *              |    ^                                           |   |       |
 *      refused |    | timer                        Delete       |   | IKE_SA|
 *              v    |                 EXCLUDED <----------------+   | down  |
 *            REFUSED           (timer, then as CONNECTING)          v       |
 *                                                                 LOST -----+
 *                                                           (timer, SAs stay)
 *
 * Every state but REGISTERED ends in an attempt: a timer runs (`waiting`), or an IKE_SA is
 * coming up (`ike_sa`), or a register task is on it (`registering`).  `attempt` numbers timers
 * and tasks, so that one that is overtaken changes nothing.  A group that holds an SA
 * stays LOST while attempts fail for reasons that an attacker or a restarting key server may
 * cause; only what an authenticated key server says takes the SA away.
 *
 * Listeners run under the bus's mutex, so this mutex comes after it: IKE_SAs are checked out
 * by jobs, without it.
 */
#include "charon-gsa-plugin/gsa_member.h"

#include <processing/jobs/callback_job.h>
#include <processing/jobs/initiate_tasks_job.h>

gsa_group_t *gsa_member_find(private_gsa_member_t *this, const char *name)
{
	enumerator_t *enumerator = this->groups->create_enumerator(this->groups);
	gsa_group_t *current, *found = NULL;

	while (!found && enumerator->enumerate(enumerator, &current))
		if (streq(current->name, name))
			found = current;
	enumerator->destroy(enumerator);
	return found;
}

gsa_group_t *gsa_member_find_on(private_gsa_member_t *this, uint32_t ike_sa,
				const gsa_group_t *except)
{
	enumerator_t *enumerator = this->groups->create_enumerator(this->groups);
	gsa_group_t *current, *found = NULL;

	while (!found && enumerator->enumerate(enumerator, &current))
		if (current->ike_sa == ike_sa && current != except)
			found = current;
	enumerator->destroy(enumerator);
	return found;
}

/* Results */

static void registered(gsa_group_t *group, ike_sa_t *ike_sa, const Gsa__GroupSa *group_sa)
{
	/* the answer may come over the old one when the key server has rekeyed it meanwhile */
	uint32_t id = gsa.ike_sas->present(gsa.ike_sas, ike_sa->get_unique_id(ike_sa));
	host_t *host = ike_sa->get_other_host(ike_sa);
	char text[BUF_LEN];

	if (!gsa_held_replace(&group->held, group_sa, gsa_now_ms(), group->asked_ms)) {
		gsa_group_drop_sa(group);
		gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED,
				GSA_NOTIFY_REGISTRATION_FAILED,
				"there is no locked memory for its keys");
		ike_sa->queue_task(ike_sa,
				   gsa_depart_create(ike_sa, group->name,
						     GSA_NOTIFY_REGISTRATION_FAILED, FALSE));
		gsa_attempt_late(group);
		return;
	}
	chunk_free(&group->key_server);
	group->key_server = chunk_clone(host->get_address(host));
	group->ike_sa = id;
	group->waiting = FALSE;
	group->registered = TRUE;
	group->failures = group->tried = 0;
	snprintf(text, sizeof(text), "registered with key server %H over IKE_SA %s[%u]", host,
		 ike_sa->get_name(ike_sa), group->ike_sa);
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED, 0, text);
}

static void refused(gsa_group_t *group, uint16_t notify, const char *text)
{
	char kept[BUF_LEN];

	/* of a registration that holds: gcksd asks again later if it still needs a Sender-ID */
	if (notify == GSA_NOTIFY_REGISTRATION_FAILED && group->again &&
	    group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED) {
		snprintf(kept, sizeof(kept), "registered as before, with no new Sender-ID: %s",
			 text);
		gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED, 0, kept);
		return;
	}
	/* the key server's trouble (its gcksd is away) is no judgement on us */
	if (notify == GSA_NOTIFY_REGISTRATION_FAILED) {
		gsa_group_attempt_failed(group, notify, text);
		gsa_attempt_soon(group);
		return;
	}
	gsa_group_drop_sa(group);
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED, notify, text);
	/* another one may serve the group */
	if (notify == GSA_NOTIFY_INVALID_GROUP_ID)
		gsa_group_next_connection(group);
	gsa_attempt_late(group);
}

METHOD(gsa_member_t, conclude, void, private_gsa_member_t *this, ike_sa_t *ike_sa,
       const gsa_outcome_t *outcome)
{
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	group = gsa_member_find(this, outcome->group);
	if (group && group->attempt == outcome->attempt && group->registering) {
		group->registering = group->opening = FALSE;
		if (outcome->group_sa) {
			registered(group, ike_sa, outcome->group_sa);
		} else if (outcome->notify) {
			refused(group, outcome->notify, outcome->text);
		} else {
			gsa_group_attempt_failed(group, 0, outcome->text);
			gsa_attempt_soon(group);
		}
	}
	this->mutex->unlock(this->mutex);
	gsa_group_sa_free(outcome->group_sa);
}

/* Leaving */

/* An IKE_SA that carries departures is not closed before they have gone. */
#define CLOSE_MS 200

typedef struct {
	char *name;
	uint32_t ike_sa;
	bool depart, close;
} leave_t;

static void leave_destroy(leave_t *this)
{
	free(this->name);
	free(this);
}

/* Joined again since, over the same IKE_SA: the new registration takes the place of the old. */
static bool rejoined(private_gsa_member_t *this, const leave_t *leaving)
{
	gsa_group_t *group;
	bool again;

	this->mutex->lock(this->mutex);
	group = gsa_member_find(this, leaving->name);
	again = group && group->ike_sa == leaving->ike_sa;
	this->mutex->unlock(this->mutex);
	return again;
}

/* Departures of other groups that are on their way over the IKE_SA. */
static bool is_busy(ike_sa_t *ike_sa)
{
	static const task_queue_t queues[] = { TASK_QUEUE_ACTIVE, TASK_QUEUE_QUEUED };
	enumerator_t *enumerator;
	bool busy = FALSE;
	task_t *task;

	for (size_t i = 0; i < countof(queues); i++) {
		enumerator = ike_sa->create_task_enumerator(ike_sa, queues[i]);
		while (!busy && enumerator->enumerate(enumerator, &task))
			busy = task->get_type(task) == TASK_CUSTOM;
		enumerator->destroy(enumerator);
	}
	return busy;
}

static job_requeue_t leave_execute(leave_t *this)
{
	ike_sa_manager_t *manager = charon->ike_sa_manager;
	ike_sa_t *ike_sa = gsa.ike_sas->checkout(gsa.ike_sas, this->ike_sa);
	ike_sa_state_t state;

	if (!ike_sa)
		return JOB_REQUEUE_NONE;
	this->ike_sa = ike_sa->get_unique_id(ike_sa);
	state = ike_sa->get_state(ike_sa);
	if (rejoined((private_gsa_member_t *)gsa.member, this)) {
		DBG2(DBG_IKE, "gsa: group %s: joined again", this->name);
	} else if (this->depart && (state == IKE_ESTABLISHED || state == IKE_REKEYING)) {
		ike_sa->queue_task(ike_sa,
				   gsa_depart_create(ike_sa, this->name,
						     GSA_NOTIFY_REGISTRATION_FAILED, this->close));
		lib->processor->queue_job(
			lib->processor, (job_t *)initiate_tasks_job_create(ike_sa->get_id(ike_sa)));
	} else if (this->close && is_busy(ike_sa)) {
		manager->checkin(manager, ike_sa);
		return JOB_RESCHEDULE_MS(CLOSE_MS);
	} else if (this->close) {
		gsa_close_queue(ike_sa, 0);
	}
	manager->checkin(manager, ike_sa);
	return JOB_REQUEUE_NONE;
}

void gsa_member_let_go(private_gsa_member_t *this, const gsa_group_t *group, bool depart)
{
	leave_t *leaving;
	job_t *job;

	if (!group->ike_sa)
		return;
	INIT(leaving,
		.name = strdup(group->name),
		.ike_sa = group->ike_sa,
		.depart = depart,
		.close = gsa.ike_sas->is_own(gsa.ike_sas, group->ike_sa) &&
			 !gsa_member_find_on(this, group->ike_sa, group),
	);
	job = (job_t *)callback_job_create((void *)leave_execute, leaving, (void *)leave_destroy,
					   NULL);
	/* other groups may leave now, too, and have something to say before the IKE_SA goes */
	if (leaving->close && !depart)
		lib->scheduler->schedule_job_ms(lib->scheduler, job, CLOSE_MS);
	else
		lib->processor->queue_job(lib->processor, job);
}

/* The group is out of the list already; frees it. */
static void leave(private_gsa_member_t *this, gsa_group_t *group)
{
	DBG1(DBG_IKE, "gsa: group %s: leaving", group->name);
	gsa_member_let_go(this, group, gsa_group_holds_sa(group) || group->registering);
	gsa_group_destroy(group);
}

/* Requests of gcksd */

static bool is_complete(const Gsa__Join *body)
{
	size_t length = strlen(body->group);

	if (!length || length > GSA_GROUP_NAME_MAX || !body->n_connection)
		return FALSE;
	for (size_t i = 0; i < body->n_connection; i++)
		if (!*body->connection[i])
			return FALSE;
	return TRUE;
}

static void set_connections(gsa_group_t *group, const Gsa__Join *body)
{
	char **old = group->connections;
	size_t old_count = group->connection_count, current = group->connection;

	group->connection = 0;
	group->connection_count = body->n_connection;
	group->connections = calloc(body->n_connection, sizeof(*group->connections));
	for (size_t i = 0; i < body->n_connection; i++) {
		group->connections[i] = strdup(body->connection[i]);
		if (old_count && streq(old[current], body->connection[i]))
			group->connection = i;
	}
	for (size_t i = 0; i < old_count; i++)
		free(old[i]);
	free(old);
}

static bool names(const Gsa__Join *body, const char *connection)
{
	for (size_t i = 0; i < body->n_connection; i++)
		if (streq(body->connection[i], connection))
			return TRUE;
	return FALSE;
}

/* A wish to register again that is new; a gcksd that was started again counts from 0. */
static void renew(gsa_group_t *group, const Gsa__Join *body)
{
	bool wished = body->renew > group->renew;

	group->renew = body->renew;
	if (!wished)
		return;
	group->not_acceptable |= body->not_acceptable && gsa_group_holds_sa(group);
	if (group->registering || group->waiting ||
	    group->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
		return; /* it is on the way */
	DBG1(DBG_IKE, "gsa: group %s: registering again, what is held cannot be used", group->name);
	gsa_attempt_after(group, 0);
}

static void join(private_gsa_member_t *this, const Gsa__Join *body)
{
	gsa_group_t *group;

	if (!is_complete(body)) {
		DBG1(DBG_IKE, "gsa: Join of gcksd ignored: it needs a group and connections");
		return;
	}
	group = gsa_member_find(this, body->group);
	if (group && names(body, gsa_group_connection(group)) && group->sender == !!body->sender) {
		group->marked = FALSE;
		group->retry_s = body->retry_s;
		group->gsa_auth = body->gsa_auth;
		set_connections(group, body);
		renew(group, body);
		return;
	}
	if (group) {
		this->groups->remove(this->groups, group, NULL);
		leave(this, group);
	}
	INIT(group,
		.name = strdup(body->group),
		.sender = body->sender,
		.gsa_auth = body->gsa_auth,
		.retry_s = body->retry_s,
		.renew = body->renew,
		.attempt = gsa_random_ms(0, INT32_MAX), /* unlike that of a group that was left */
	);
	set_connections(group, body);
	this->groups->insert_last(this->groups, group);
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING, 0, "connecting");
	gsa_attempt_after(group, 0);
}

/* The rest is told, so that gcksd does not take it for lost; without any we need others. */
static void retire(gsa_group_t *group, uint32_t spi)
{
	if (!gsa_held_remove(&group->held, spi))
		return;
	DBG2(DBG_IKE, "gsa: group %s: SA with SPI %.8x is used no more", group->name, spi);
	if (group->held.count) {
		if (group->registered)
			gsa_group_report(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED);
		return;
	}
	gsa_group_drop_sa(group);
	if (group->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED &&
	    group->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST)
		return;
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING, 0,
			"the last SA has come to its end");
	if (!group->registering && !group->waiting)
		gsa_attempt_spread(group);
}

METHOD(gsa_member_t, handle, bool, private_gsa_member_t *this, const Gsa__Message *message)
{
	gsa_group_t *group;
	bool ours = TRUE;

	this->mutex->lock(this->mutex);
	switch (message->body_case) {
	case GSA__MESSAGE__BODY_JOIN:
		join(this, message->join);
		break;
	case GSA__MESSAGE__BODY_LEAVE:
		group = gsa_member_find(this, message->leave->group);
		if (group) {
			this->groups->remove(this->groups, group, NULL);
			leave(this, group);
		}
		break;
	case GSA__MESSAGE__BODY_RETIRE_SA:
		group = gsa_member_find(this, message->retire_sa->group);
		if (group)
			retire(group, message->retire_sa->spi);
		break;
	default:
		ours = FALSE;
	}
	this->mutex->unlock(this->mutex);
	return ours;
}

METHOD(gsa_member_t, repeat, void, private_gsa_member_t *this)
{
	enumerator_t *enumerator;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		/* the SA first, if it is held: it comes with this state only */
		if (gsa_group_holds_sa(group))
			gsa_group_report(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED);
		if (group->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
			gsa_group_report(group, group->state);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

METHOD(gsa_member_t, mark, void, private_gsa_member_t *this)
{
	enumerator_t *enumerator;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group))
		group->marked = TRUE;
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

METHOD(gsa_member_t, sweep, void, private_gsa_member_t *this)
{
	enumerator_t *enumerator;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		if (!group->marked)
			continue;
		this->groups->remove_at(this->groups, enumerator);
		leave(this, group);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

METHOD(gsa_member_t, holders, bool, private_gsa_member_t *this, uint32_t spi, char *text,
       size_t size)
{
	enumerator_t *enumerator;
	gsa_group_t *group;
	int used = 0;

	*text = '\0';
	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group))
		if (gsa_held_covers(&group->held, spi) && used >= 0 && (size_t)used < size)
			used += snprintf(text + used, size - used, "%sgroup %s", used ? ", " : "",
					 group->name);
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return *text != '\0';
}

METHOD(gsa_member_t, opens, bool, private_gsa_member_t *this, uint32_t ike_sa)
{
	enumerator_t *enumerator;
	gsa_group_t *group;
	bool opens = FALSE;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (!opens && enumerator->enumerate(enumerator, &group))
		opens = group->opening && group->ike_sa == ike_sa;
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return opens;
}

METHOD(gsa_member_t, uses, bool, private_gsa_member_t *this, uint32_t ike_sa)
{
	bool used;

	this->mutex->lock(this->mutex);
	used = gsa_member_find_on(this, ike_sa, NULL) != NULL;
	this->mutex->unlock(this->mutex);
	return used;
}

METHOD(gsa_member_t, destroy, void, private_gsa_member_t *this)
{
	charon->bus->remove_listener(charon->bus, &this->listener.public);
	this->groups->destroy_function(this->groups, (void *)gsa_group_destroy);
	this->mutex->destroy(this->mutex);
	free(this);
}

gsa_member_t *gsa_member_create(void)
{
	private_gsa_member_t *this;

	INIT(this,
		.public = {
			.repeat = _repeat,
			.handle = _handle,
			.mark = _mark,
			.sweep = _sweep,
			.conclude = _conclude,
			.rekey = (void *)gsa_member_rekey,
			.holders = _holders,
			.opens = _opens,
			.uses = _uses,
			.destroy = _destroy,
		},
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.groups = linked_list_create(),
	);
	gsa_member_listen(this);
	return &this->public;
}
