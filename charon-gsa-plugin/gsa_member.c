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
#include "charon-gsa-plugin/gsa_group.h"

#include <collections/linked_list.h>
#include <processing/jobs/callback_job.h>
#include <processing/jobs/initiate_tasks_job.h>
#include <sys/random.h>
#include <threading/mutex.h>

/* No attempt comes sooner after another. */
#define DELAY_MIN_MS   200u
/* A look at what swanctl has loaded costs nothing. */
#define DELAY_LOCAL_MS 200u
/* Bound of the delay after the first failure of a new membership; it doubles from there. */
#define DELAY_FIRST_MS 500u

/* Not of G-IKEv2: the peer, or we, failed to authenticate (RFC 7296 §3.10.1). */
#define NOTIFY_AUTHENTICATION_FAILED 24

typedef struct private_gsa_member_t private_gsa_member_t;

typedef struct {
	listener_t public;
	private_gsa_member_t *member;
} member_listener_t;

struct private_gsa_member_t {
	gsa_member_t public;
	member_listener_t listener;
	mutex_t *mutex;
	linked_list_t *groups;
};

static gsa_group_t *find(private_gsa_member_t *this, const char *name)
{
	enumerator_t *enumerator = this->groups->create_enumerator(this->groups);
	gsa_group_t *current, *found = NULL;

	while (!found && enumerator->enumerate(enumerator, &current))
		if (streq(current->name, name))
			found = current;
	enumerator->destroy(enumerator);
	return found;
}

/* A group other than `except` on the IKE_SA. */
static gsa_group_t *find_on(private_gsa_member_t *this, uint32_t ike_sa, const gsa_group_t *except)
{
	enumerator_t *enumerator = this->groups->create_enumerator(this->groups);
	gsa_group_t *current, *found = NULL;

	while (!found && enumerator->enumerate(enumerator, &current))
		if (current->ike_sa == ike_sa && current != except)
			found = current;
	enumerator->destroy(enumerator);
	return found;
}

/* Attempts */

typedef struct {
	char *name;
	uint32_t attempt;
} attempt_t;

static void attempt_destroy(attempt_t *this)
{
	free(this->name);
	free(this);
}

static job_requeue_t attempt_execute(attempt_t *this);

/* Uniform; members that lost the same key server must not come back all at once. */
static uint32_t random_ms(uint32_t from, uint32_t to)
{
	uint32_t number = 0;

	if (to <= from)
		return from;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = random();
	return from + number % (to - from + 1);
}

static void wait_for(gsa_group_t *group, uint32_t delay_ms)
{
	attempt_t *attempt;
	job_t *job;

	group->waiting = TRUE;
	group->registering = FALSE;
	INIT(attempt,
		.name = strdup(group->name),
		.attempt = ++group->attempt,
	);
	job = (job_t *)callback_job_create((void *)attempt_execute, attempt,
					   (void *)attempt_destroy, NULL);
	if (delay_ms)
		lib->scheduler->schedule_job_ms(lib->scheduler, job, delay_ms);
	else
		lib->processor->queue_job(lib->processor, job);
}

static uint32_t retry_ms(const gsa_group_t *group)
{
	return group->retry_s && group->retry_s <= UINT32_MAX / 1000 ? group->retry_s * 1000
								     : 10000;
}

/* Members that lost what they had do so together: they spread over all of the time. */
static void retry_spread(gsa_group_t *group)
{
	wait_for(group, random_ms(DELAY_MIN_MS, retry_ms(group)));
}

/* At the start of a site daemons and configurations come one after the other. */
static void retry_soon(gsa_group_t *group)
{
	uint32_t bound = DELAY_FIRST_MS << min(group->failures, 10u);

	if (gsa_group_holds_sa(group)) {
		retry_spread(group);
		return;
	}
	group->failures++;
	wait_for(group, random_ms(DELAY_MIN_MS, min(bound, retry_ms(group))));
}

/* After a refusal: trying again at once would not help. */
static void retry_late(gsa_group_t *group)
{
	wait_for(group, random_ms(retry_ms(group) / 2, retry_ms(group)));
}

/* With the IKE_SA held by this thread, and the mutex. */
static void queue_register(gsa_group_t *group, ike_sa_t *ike_sa)
{
	group->waiting = FALSE;
	group->registering = TRUE;
	ike_sa->queue_task(
		ike_sa, gsa_register_create(ike_sa, group->name, group->sender, ++group->attempt));
	lib->processor->queue_job(lib->processor,
				  (job_t *)initiate_tasks_job_create(ike_sa->get_id(ike_sa)));
}

/* FALSE: the IKE_SA is of no use to the group now. */
static bool attach(private_gsa_member_t *this, const attempt_t *attempt, ike_sa_t *ike_sa,
		   bool created)
{
	uint32_t id = ike_sa->get_unique_id(ike_sa);
	ike_sa_state_t state = ike_sa->get_state(ike_sa);
	gsa_group_t *group, *other;
	bool wanted;

	this->mutex->lock(this->mutex);
	group = find(this, attempt->name);
	wanted = group && group->attempt == attempt->attempt;
	if (wanted) {
		other = find_on(this, id, group);
		group->ike_sa = id;
		group->initiated = created || (other && other->initiated);
		if (state == IKE_ESTABLISHED || state == IKE_REKEYING)
			queue_register(group, ike_sa);
	}
	this->mutex->unlock(this->mutex);
	return wanted;
}

/* The connection as swanctl loaded it; the name may also be one of its CHILD_SAs. */
static peer_cfg_t *find_connection(const char *name)
{
	backend_manager_t *backends = charon->backends;
	peer_cfg_t *peer_cfg = backends->get_peer_cfg_by_name(backends, (char *)name);

	if (peer_cfg && (!streq(peer_cfg->get_name(peer_cfg), name) ||
			 peer_cfg->get_ike_version(peer_cfg) == IKEV1)) {
		peer_cfg->destroy(peer_cfg);
		return NULL;
	}
	return peer_cfg;
}

/* Brings the connection up without CHILD_SAs, or takes the IKE_SA that is there. */
static void connect_to(private_gsa_member_t *this, const attempt_t *attempt, peer_cfg_t *peer_cfg)
{
	ike_sa_manager_t *manager = charon->ike_sa_manager;
	ike_sa_t *ike_sa = manager->checkout_by_config(manager, peer_cfg);
	bool created, wanted;

	if (!ike_sa)
		return;
	created = ike_sa->get_state(ike_sa) == IKE_CREATED;
	wanted = attach(this, attempt, ike_sa, created);
	if (created && (!wanted || ike_sa->initiate(ike_sa, NULL, NULL) == DESTROY_ME))
		manager->checkin_and_destroy(manager, ike_sa);
	else
		manager->checkin(manager, ike_sa);
}

static job_requeue_t attempt_execute(attempt_t *attempt)
{
	private_gsa_member_t *this = (private_gsa_member_t *)gsa.member;
	char *connection = NULL, text[BUF_LEN];
	peer_cfg_t *peer_cfg;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	group = find(this, attempt->name);
	if (group && group->attempt == attempt->attempt && group->waiting) {
		group->waiting = FALSE;
		connection = strdup(group->connection);
	}
	this->mutex->unlock(this->mutex);
	if (!connection)
		return JOB_REQUEUE_NONE;

	peer_cfg = find_connection(connection);
	if (peer_cfg) {
		connect_to(this, attempt, peer_cfg);
		peer_cfg->destroy(peer_cfg);
	}
	this->mutex->lock(this->mutex);
	group = find(this, attempt->name);
	if (group && group->attempt == attempt->attempt && !group->ike_sa && !group->waiting) {
		snprintf(text, sizeof(text),
			 peer_cfg ? "connection %s cannot be brought up"
				  : "connection %s is not loaded, waiting for swanctl --load-conns",
			 connection);
		gsa_group_attempt_failed(group, 0, text);
		if (peer_cfg)
			retry_soon(group);
		else
			wait_for(group, random_ms(DELAY_LOCAL_MS / 2, DELAY_LOCAL_MS));
	}
	this->mutex->unlock(this->mutex);
	free(connection);
	return JOB_REQUEUE_NONE;
}

/* Results */

static void registered(gsa_group_t *group, ike_sa_t *ike_sa, const Gsa__GroupSa *group_sa)
{
	host_t *host = ike_sa->get_other_host(ike_sa);
	char text[BUF_LEN];

	if (!gsa_group_keep_sa(group, group_sa)) {
		gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED,
				GSA_NOTIFY_REGISTRATION_FAILED,
				"there is no locked memory for its keys");
		ike_sa->queue_task(ike_sa,
				   gsa_depart_create(ike_sa, group->name,
						     GSA_NOTIFY_REGISTRATION_FAILED, FALSE));
		retry_late(group);
		return;
	}
	chunk_free(&group->key_server);
	group->key_server = chunk_clone(host->get_address(host));
	group->ike_sa = ike_sa->get_unique_id(ike_sa);
	group->waiting = FALSE;
	group->failures = 0;
	snprintf(text, sizeof(text), "registered with key server %H over IKE_SA %s[%u]", host,
		 ike_sa->get_name(ike_sa), group->ike_sa);
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED, 0, text);
}

static void refused(gsa_group_t *group, uint16_t notify, const char *text)
{
	/* the key server's trouble (its gcksd is away) is no judgement on us */
	if (notify == GSA_NOTIFY_REGISTRATION_FAILED) {
		gsa_group_attempt_failed(group, notify, text);
		retry_soon(group);
		return;
	}
	gsa_group_drop_sa(group);
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_REFUSED, notify, text);
	retry_late(group);
}

METHOD(gsa_member_t, conclude, void, private_gsa_member_t *this, ike_sa_t *ike_sa,
       const gsa_outcome_t *outcome)
{
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	group = find(this, outcome->group);
	if (group && group->attempt == outcome->attempt && group->registering) {
		group->registering = FALSE;
		if (outcome->group_sa) {
			registered(group, ike_sa, outcome->group_sa);
		} else if (outcome->notify) {
			refused(group, outcome->notify, outcome->text);
		} else {
			gsa_group_attempt_failed(group, 0, outcome->text);
			retry_soon(group);
		}
	}
	this->mutex->unlock(this->mutex);
	gsa_group_sa_free(outcome->group_sa);
}

/* Events of IKE_SAs */

static void up(private_gsa_member_t *this, ike_sa_t *ike_sa)
{
	uint32_t id = ike_sa->get_unique_id(ike_sa);
	enumerator_t *enumerator;
	gsa_group_t *group;

	if (!ike_sa->has_condition(ike_sa, COND_ORIGINAL_INITIATOR))
		return;
	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		/* one that came up otherwise is taken, except to ask again what was refused */
		if (!group->ike_sa && streq(group->connection, ike_sa->get_name(ike_sa)) &&
		    (group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING ||
		     group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST)) {
			gsa_group_t *other = find_on(this, id, group);

			group->ike_sa = id;
			group->initiated = other && other->initiated;
			queue_register(group, ike_sa);
		} else if (group->ike_sa == id && !group->registering && !group->waiting) {
			queue_register(group, ike_sa);
		}
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

static void down(private_gsa_member_t *this, ike_sa_t *ike_sa)
{
	uint32_t id = ike_sa->get_unique_id(ike_sa);
	enumerator_t *enumerator;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		if (group->ike_sa != id)
			continue;
		group->ike_sa = 0;
		if (group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
			gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_LOST, 0,
					"the IKE_SA to the key server is gone");
		else if (!group->waiting)
			gsa_group_attempt_failed(group, 0, "the key server could not be reached");
		if (!group->waiting)
			retry_soon(group);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
}

METHOD(listener_t, ike_updown, bool, member_listener_t *this, ike_sa_t *ike_sa, bool is_up)
{
	if (is_up)
		up(this->member, ike_sa);
	else
		down(this->member, ike_sa);
	return TRUE;
}

/* An IKE_SA that does not come up has no down event. */
METHOD(listener_t, ike_state_change, bool, member_listener_t *this, ike_sa_t *ike_sa,
       ike_sa_state_t state)
{
	if (state == IKE_DESTROYING)
		down(this->member, ike_sa);
	return TRUE;
}

/* Queued tasks move to the new IKE_SA on their own. */
METHOD(listener_t, ike_rekey, bool, member_listener_t *listener, ike_sa_t *old, ike_sa_t *new)
{
	private_gsa_member_t *this = listener->member;
	enumerator_t *enumerator;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group))
		if (group->ike_sa == old->get_unique_id(old))
			group->ike_sa = new->get_unique_id(new);
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

METHOD(listener_t, alert, bool, member_listener_t *listener, ike_sa_t *ike_sa, alert_t alert,
       va_list args)
{
	private_gsa_member_t *this = listener->member;
	enumerator_t *enumerator;
	const char *text;
	gsa_group_t *group;

	if (alert == ALERT_LOCAL_AUTH_FAILED)
		text = "authentication failed: the key server does not accept our credentials";
	else if (alert == ALERT_PEER_AUTH_FAILED)
		text = "authentication failed: the key server's credentials are not acceptable";
	else
		return TRUE;
	if (!ike_sa)
		return TRUE;
	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		if (group->ike_sa != ike_sa->get_unique_id(ike_sa))
			continue;
		gsa_group_attempt_failed(group, NOTIFY_AUTHENTICATION_FAILED, text);
		retry_late(group);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

/* Deletes of the key server (RFC 9838 §2.4.3) */

/* libcharon's own task answers, and finds no CHILD_SA that the Delete is about. */
METHOD(listener_t, message, bool, member_listener_t *listener, ike_sa_t *ike_sa, message_t *message,
       bool incoming, bool plain)
{
	private_gsa_member_t *this = listener->member;
	enumerator_t *enumerator;
	const char *reason;
	struct gsa_idg idg;
	gsa_group_t *group;
	chunk_t body;

	if (!incoming || !plain || !ike_sa || !message->get_request(message) ||
	    message->get_exchange_type(message) != INFORMATIONAL ||
	    ike_sa->get_state(ike_sa) == IKE_CONNECTING || !gsa_message_was_encrypted(message))
		return TRUE;
	body = gsa_payload_find(message, GSA_PAYLOAD_IDG);
	if (body.len && !gsa_idg_decode(body.ptr, body.len, &idg, &reason)) {
		DBG1(DBG_IKE, "gsa: IDg of a Delete on IKE_SA %s[%u] ignored: %s",
		     ike_sa->get_name(ike_sa), ike_sa->get_unique_id(ike_sa), reason);
		return TRUE;
	}
	this->mutex->lock(this->mutex);
	enumerator = this->groups->create_enumerator(this->groups);
	while (enumerator->enumerate(enumerator, &group)) {
		if (group->ike_sa != ike_sa->get_unique_id(ike_sa) || !gsa_group_holds_sa(group))
			continue;
		/* without IDg it is about what is registered over this IKE_SA */
		if (body.len ? !chunk_equals(chunk_create((u_char *)idg.data, idg.length),
					     chunk_from_str(group->name))
			     : group->state != GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
			continue;
		if (!gsa_group_deleted(message, group))
			continue;
		gsa_group_drop_sa(group);
		gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_EXCLUDED, 0,
				"the key server ended the membership");
		retry_spread(group);
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

/* Leaving */

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
	group = find(this, leaving->name);
	again = group && group->ike_sa == leaving->ike_sa;
	this->mutex->unlock(this->mutex);
	return again;
}

static job_requeue_t leave_execute(leave_t *this)
{
	ike_sa_manager_t *manager = charon->ike_sa_manager;
	ike_sa_t *ike_sa = manager->checkout_by_id(manager, this->ike_sa);
	ike_sa_state_t state;

	if (!ike_sa)
		return JOB_REQUEUE_NONE;
	state = ike_sa->get_state(ike_sa);
	if (rejoined((private_gsa_member_t *)gsa.member, this)) {
		DBG2(DBG_IKE, "gsa: group %s: joined again", this->name);
	} else if (this->depart && (state == IKE_ESTABLISHED || state == IKE_REKEYING)) {
		ike_sa->queue_task(ike_sa,
				   gsa_depart_create(ike_sa, this->name,
						     GSA_NOTIFY_REGISTRATION_FAILED, this->close));
		lib->processor->queue_job(
			lib->processor, (job_t *)initiate_tasks_job_create(ike_sa->get_id(ike_sa)));
	} else if (this->close && !gsa.member->uses(gsa.member, this->ike_sa) &&
		   !ike_sa->get_child_count(ike_sa) &&
		   ike_sa->delete(ike_sa, FALSE) == DESTROY_ME) {
		manager->checkin_and_destroy(manager, ike_sa);
		return JOB_REQUEUE_NONE;
	}
	manager->checkin(manager, ike_sa);
	return JOB_REQUEUE_NONE;
}

/* The group is out of the list already; frees it. */
static void leave(private_gsa_member_t *this, gsa_group_t *group)
{
	leave_t *leaving;

	DBG1(DBG_IKE, "gsa: group %s: leaving", group->name);
	if (group->ike_sa) {
		INIT(leaving,
			.name = strdup(group->name),
			.ike_sa = group->ike_sa,
			.depart = gsa_group_holds_sa(group) || group->registering,
			.close = group->initiated && !find_on(this, group->ike_sa, group),
		);
		lib->processor->queue_job(
			lib->processor, (job_t *)callback_job_create((void *)leave_execute, leaving,
								     (void *)leave_destroy, NULL));
	}
	gsa_group_destroy(group);
}

/* Requests of gcksd */

static void join(private_gsa_member_t *this, const Gsa__Join *body)
{
	size_t length = strlen(body->group);
	gsa_group_t *group;

	if (!length || length > GSA_GROUP_NAME_MAX || !*body->connection) {
		DBG1(DBG_IKE, "gsa: Join of gcksd ignored: it needs a group and a connection");
		return;
	}
	group = find(this, body->group);
	if (group && streq(group->connection, body->connection) &&
	    group->sender == !!body->sender) {
		group->marked = FALSE;
		group->retry_s = body->retry_s;
		return;
	}
	if (group) {
		this->groups->remove(this->groups, group, NULL);
		leave(this, group);
	}
	INIT(group,
		.name = strdup(body->group),
		.connection = strdup(body->connection),
		.sender = body->sender,
		.retry_s = body->retry_s,
		.attempt = random_ms(0, INT32_MAX), /* unlike that of a group that was left */
	);
	this->groups->insert_last(this->groups, group);
	gsa_group_enter(group, GSA__MEMBERSHIP_STATE__MEMBERSHIP_CONNECTING, 0, "connecting");
	wait_for(group, 0);
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
		group = find(this, message->leave->group);
		if (group) {
			this->groups->remove(this->groups, group, NULL);
			leave(this, group);
		}
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

METHOD(gsa_member_t, uses, bool, private_gsa_member_t *this, uint32_t ike_sa)
{
	bool used;

	this->mutex->lock(this->mutex);
	used = find_on(this, ike_sa, NULL) != NULL;
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
			.uses = _uses,
			.destroy = _destroy,
		},
		.listener = {
			.public = {
				.alert = _alert,
				.message = _message,
				.ike_state_change = _ike_state_change,
				.ike_updown = _ike_updown,
				.ike_rekey = _ike_rekey,
			},
		},
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.groups = linked_list_create(),
	);
	this->listener.member = this;
	charon->bus->add_listener(charon->bus, &this->listener.public);
	return &this->public;
}
