// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attempts to register: when the next one comes, and the IKE_SA that it needs.
 *
 * An attempt is a job that checks out an IKE_SA, without the mutex.  `attempt` of the group numbers
 * timers and tasks, so that one that is overtaken changes nothing.
 */
#include "charon-gsa-plugin/gsa_member.h"

#include <processing/jobs/callback_job.h>
#include <processing/jobs/initiate_tasks_job.h>
#include <sys/random.h>

/* No attempt comes sooner after another. */
#define DELAY_MIN_MS 200u
/* A look at what swanctl has loaded costs nothing. */
#define DELAY_LOCAL_MS 200u
/* After an IKE_SA that may stay half open at the key server. */
#define DELAY_HALF_OPEN_MS 10000u
/* Bound of the delay after the first failure of a new membership; it doubles from there. */
#define DELAY_FIRST_MS 500u

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

uint32_t gsa_random_ms(uint32_t from, uint32_t to)
{
	uint32_t number = 0;

	if (to <= from)
		return from;
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		number = random();
	return from + number % (to - from + 1);
}

void gsa_attempt_after(gsa_group_t *group, uint32_t delay_ms)
{
	attempt_t *attempt;
	job_t *job;

	group->waiting = TRUE;
	group->registering = group->opening = FALSE;
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
void gsa_attempt_spread(gsa_group_t *group)
{
	gsa_attempt_after(group, gsa_random_ms(DELAY_MIN_MS, retry_ms(group)));
}

/*
 * At the start of a site daemons and configurations come one after the other.  The next key server
 * has its turn; only when all of them failed does it take longer.
 */
void gsa_attempt_soon(gsa_group_t *group)
{
	uint32_t bound = DELAY_FIRST_MS << min(group->failures, 10u);

	gsa_group_next_connection(group);
	if (gsa_group_holds_sa(group)) {
		gsa_attempt_spread(group);
		return;
	}
	if (group->tried % group->connection_count == 0)
		group->failures++;
	gsa_attempt_after(group, gsa_random_ms(DELAY_MIN_MS, min(bound, retry_ms(group))));
}

/* After a refusal: trying again at once would not help. */
void gsa_attempt_late(gsa_group_t *group)
{
	gsa_attempt_after(group, gsa_random_ms(retry_ms(group) / 2, retry_ms(group)));
}

/*
 * The key server keeps an IKE_SA that we cannot authenticate on for half a minute (charon's
 * half_open_timeout), and takes five from an address; other groups need some of them.
 */
void gsa_attempt_half_open(gsa_group_t *group)
{
	uint32_t bound = retry_ms(group);

	gsa_group_next_connection(group);
	gsa_attempt_after(group, gsa_random_ms(max(bound / 2, DELAY_HALF_OPEN_MS),
					       max(bound, 2 * DELAY_HALF_OPEN_MS)));
}

/* With the IKE_SA held by this thread, and the mutex. */
void gsa_attempt_register(gsa_group_t *group, ike_sa_t *ike_sa, bool again)
{
	group->waiting = FALSE;
	group->registering = TRUE;
	group->asked_ms = gsa_now_ms();
	group->again = again && !group->not_acceptable;
	if (group->not_acceptable && group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
		ike_sa->queue_task(ike_sa, gsa_depart_create(ike_sa, group->name,
							     GSA_NOTIFY_NO_PROPOSAL_CHOSEN, FALSE));
	group->not_acceptable = FALSE;
	ike_sa->queue_task(
		ike_sa, gsa_register_create(ike_sa, group->name, group->sender, ++group->attempt));
	lib->processor->queue_job(lib->processor,
				  (job_t *)initiate_tasks_job_create(ike_sa->get_id(ike_sa)));
}

/* The same with one that is not initiated yet. */
static void open_with(gsa_group_t *group, ike_sa_t *ike_sa)
{
	group->waiting = FALSE;
	group->registering = group->opening = TRUE;
	group->again = FALSE;
	group->asked_ms = gsa_now_ms();
	ike_sa->queue_task(ike_sa,
			   gsa_open_create(ike_sa, group->name, group->sender, ++group->attempt));
}

/* FALSE: the IKE_SA is of no use to the group now. */
static bool attach(private_gsa_member_t *this, const attempt_t *attempt, ike_sa_t *ike_sa,
		   bool created)
{
	uint32_t id = ike_sa->get_unique_id(ike_sa);
	ike_sa_state_t state = ike_sa->get_state(ike_sa);
	gsa_group_t *group, *other;
	bool wanted, registered;

	this->mutex->lock(this->mutex);
	group = gsa_member_find(this, attempt->name);
	wanted = group && group->attempt == attempt->attempt;
	if (wanted) {
		other = gsa_member_find_on(this, id, group);
		if (created)
			gsa.ike_sas->claim(gsa.ike_sas, ike_sa);
		registered = group->ike_sa == id &&
			     group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED;
		if (group->ike_sa != id) {
			gsa_member_let_go(this, group, FALSE);
			group->ike_sa = id;
			group->asked = other && other->asked;
		}
		if (state == IKE_ESTABLISHED || state == IKE_REKEYING)
			gsa_attempt_register(group, ike_sa, registered);
		else if (created && group->gsa_auth)
			open_with(group, ike_sa);
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

/* Members have credentials of the same kind, and one of them could pose as the key server. */
static void warn_of_nameless(peer_cfg_t *peer_cfg)
{
	enumerator_t *enumerator = peer_cfg->create_auth_cfg_enumerator(peer_cfg, FALSE);
	identification_t *id;
	auth_cfg_t *round;
	bool named = FALSE;

	/* all rounds have to succeed */
	while (enumerator->enumerate(enumerator, &round)) {
		id = round->get(round, AUTH_RULE_IDENTITY);
		named |= id && !id->contains_wildcards(id);
	}
	enumerator->destroy(enumerator);
	if (!named)
		gsa_log_refused("connection %s does not say which identity the key server has, "
				"anybody with a credential may be it: set remote.id",
				peer_cfg->get_name(peer_cfg));
}

/*
 * Brings the connection up without CHILD_SAs, or takes the IKE_SA that is there.  FALSE: there is
 * none for the group.
 */
static bool connect_to(private_gsa_member_t *this, const attempt_t *attempt, peer_cfg_t *peer_cfg)
{
	ike_sa_manager_t *manager = charon->ike_sa_manager;
	ike_sa_t *ike_sa = manager->checkout_by_config(manager, peer_cfg);
	bool created, wanted;

	if (!ike_sa)
		return FALSE;
	created = ike_sa->get_state(ike_sa) == IKE_CREATED;
	wanted = attach(this, attempt, ike_sa, created);
	if (created && (!wanted || ike_sa->initiate(ike_sa, NULL, NULL) == DESTROY_ME))
		manager->checkin_and_destroy(manager, ike_sa);
	else
		manager->checkin(manager, ike_sa);
	return wanted;
}

/* Registered over it, and only the GSA is wanted once more. */
static bool register_again(private_gsa_member_t *this, const attempt_t *attempt, uint32_t id)
{
	ike_sa_t *ike_sa = gsa.ike_sas->checkout(gsa.ike_sas, id);

	if (!ike_sa)
		return FALSE;
	attach(this, attempt, ike_sa, FALSE);
	charon->ike_sa_manager->checkin(charon->ike_sa_manager, ike_sa);
	return TRUE;
}

static job_requeue_t attempt_execute(attempt_t *attempt)
{
	private_gsa_member_t *this = (private_gsa_member_t *)gsa.member;
	char *connection = NULL, text[BUF_LEN];
	uint32_t registered = 0;
	peer_cfg_t *peer_cfg;
	bool attached = FALSE;
	gsa_group_t *group;

	this->mutex->lock(this->mutex);
	group = gsa_member_find(this, attempt->name);
	if (group && group->attempt == attempt->attempt && group->waiting) {
		group->waiting = FALSE;
		connection = strdup(gsa_group_connection(group));
		if (group->state == GSA__MEMBERSHIP_STATE__MEMBERSHIP_REGISTERED)
			registered = group->ike_sa;
	}
	this->mutex->unlock(this->mutex);
	if (!connection)
		return JOB_REQUEUE_NONE;
	if (registered && register_again(this, attempt, registered)) {
		free(connection);
		return JOB_REQUEUE_NONE;
	}

	peer_cfg = find_connection(connection);
	if (peer_cfg) {
		warn_of_nameless(peer_cfg);
		attached = connect_to(this, attempt, peer_cfg);
		peer_cfg->destroy(peer_cfg);
	}
	this->mutex->lock(this->mutex);
	group = gsa_member_find(this, attempt->name);
	if (group && group->attempt == attempt->attempt && !group->waiting &&
	    (!attached || !group->ike_sa)) {
		snprintf(text, sizeof(text),
			 peer_cfg ? "connection %s cannot be brought up"
				  : "connection %s is not loaded, waiting for swanctl --load-conns",
			 connection);
		gsa_group_attempt_failed(group, 0, text);
		if (peer_cfg) {
			gsa_attempt_soon(group);
		} else {
			gsa_group_next_connection(group);
			gsa_attempt_after(group, gsa_random_ms(DELAY_LOCAL_MS / 2, DELAY_LOCAL_MS));
		}
	}
	this->mutex->unlock(this->mutex);
	free(connection);
	return JOB_REQUEUE_NONE;
}
