// SPDX-License-Identifier: GPL-2.0-or-later
/* Key server: a registration that gcksd ended; in a job, because it waits for the IKE_SA. */
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
