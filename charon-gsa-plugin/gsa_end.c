// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ends, in jobs because they wait for the IKE_SA: key server: of a registration that gcksd ended;
 * of an IKE_SA that nothing needs.
 */
#include "charon-gsa-plugin/gsa.h"

#include <processing/jobs/callback_job.h>
#include <processing/jobs/initiate_tasks_job.h>

typedef struct {
	uint32_t ike_sa, group;
	bool found; /* in the table when gcksd asked */
	bool close;
	char *reason;
} end_t;

static void end_destroy(end_t *this)
{
	free(this->reason);
	free(this);
}

static job_requeue_t end_execute(end_t *this)
{
	ike_sa_manager_t *manager = charon->ike_sa_manager;
	ike_sa_t *ike_sa = gsa.ike_sas->checkout(gsa.ike_sas, this->ike_sa);
	chunk_t name;

	if (!ike_sa)
		return JOB_REQUEUE_NONE;
	if (gsa.server->end(gsa.server, ike_sa->get_unique_id(ike_sa), this->group, this->found,
			    this->reason, &name)) {
		ike_sa->queue_task(ike_sa,
				   gsa_exclude_create(ike_sa, this->group, name, this->close));
		lib->processor->queue_job(
			lib->processor, (job_t *)initiate_tasks_job_create(ike_sa->get_id(ike_sa)));
		chunk_free(&name);
	}
	manager->checkin(manager, ike_sa);
	return JOB_REQUEUE_NONE;
}

void gsa_end_queue(uint32_t ike_sa, uint32_t group, bool found, bool close, const char *reason)
{
	end_t *this;

	INIT(this,
		.ike_sa = ike_sa,
		.group = group,
		.found = found,
		.close = close,
		.reason = strdup(reason),
	);
	lib->processor->queue_job(
		lib->processor,
		(job_t *)callback_job_create((void *)end_execute, this, (void *)end_destroy, NULL));
}

/* Asked with the IKE_SA held: one that is to be closed is not taken any more. */
static bool is_unused(ike_sa_t *ike_sa)
{
	uint32_t id = ike_sa->get_unique_id(ike_sa);

	return !gsa.server->count(gsa.server, id) && !gsa.member->uses(gsa.member, id) &&
	       !ike_sa->get_child_count(ike_sa);
}

static job_requeue_t close_execute(void *id)
{
	ike_sa_manager_t *manager = charon->ike_sa_manager;
	ike_sa_t *ike_sa = gsa.ike_sas->checkout(gsa.ike_sas, (uintptr_t)id);

	if (!ike_sa)
		return JOB_REQUEUE_NONE;
	if (gsa_ike_sa_answers(ike_sa)) {
		/* somebody may be registering over it */
		manager->checkin(manager, ike_sa);
		return JOB_RESCHEDULE_MS(GSA_REPLY_TIMEOUT_MS);
	}
	if (is_unused(ike_sa)) {
		DBG1(DBG_IKE, "gsa: IKE_SA %s[%u] is closed: no group needs it",
		     ike_sa->get_name(ike_sa), ike_sa->get_unique_id(ike_sa));
		if (ike_sa->delete(ike_sa, FALSE) == DESTROY_ME) {
			manager->checkin_and_destroy(manager, ike_sa);
			return JOB_REQUEUE_NONE;
		}
	}
	manager->checkin(manager, ike_sa);
	return JOB_REQUEUE_NONE;
}

void gsa_close_queue(ike_sa_t *ike_sa, uint32_t delay_s)
{
	job_t *job = (job_t *)callback_job_create(
		close_execute, (void *)(uintptr_t)ike_sa->get_unique_id(ike_sa), NULL, NULL);

	if (delay_s)
		lib->scheduler->schedule_job(lib->scheduler, job, delay_s);
	else
		lib->processor->queue_job(lib->processor, job);
}
