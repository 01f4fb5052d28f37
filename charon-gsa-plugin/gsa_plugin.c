// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plugin: creates its parts, registers the exchange, and the reverse.
 *
 *   charon.plugins.gsa.load	yes
 *   charon.plugins.gsa.socket	/run/frr/gcksd.sock
 */
#include "charon-gsa-plugin/gsa.h"

#include <plugins/plugin.h>
#include <processing/jobs/callback_job.h>

gsa_t gsa;

/* What plugin_loader_t looks for. */
plugin_t *gsa_plugin_create(void);

/*
 * By a worker: charon has dropped its privileges by then and blocks its signals, which
 * the threads started now inherit.
 */
static job_requeue_t start(gsa_local_t *local)
{
	gsa_local_start(local);
	return JOB_REQUEUE_NONE;
}

/*
 * charon's workers are gone and all IKE_SAs destroyed when plugins are unloaded: what
 * still calls the parts is the socket's threads.
 */
static void unload_parts(void)
{
	if (gsa.local)
		gsa.local->destroy(gsa.local);
	if (gsa.member)
		gsa.member->destroy(gsa.member);
	if (gsa.server)
		gsa.server->destroy(gsa.server);
	if (gsa.kernel)
		gsa.kernel->destroy(gsa.kernel);
	gsa = (gsa_t){};
}

static bool load_parts(void)
{
	gsa.local = gsa_local_create();
	if (!gsa.local)
		return FALSE;
	gsa.kernel = gsa_kernel_create();
	gsa.server = gsa_server_create();
	gsa.member = gsa_member_create();
	if (!message_register_exchange(GSA_REGISTRATION, gsa_respond_create)) {
		DBG1(DBG_CFG, "gsa: another plugin has registered GSA_REGISTRATION already");
		return FALSE;
	}
	lib->processor->queue_job(lib->processor, (job_t *)callback_job_create(
							  (void *)start, gsa.local, NULL, NULL));
	return TRUE;
}

static bool register_gsa(plugin_t *plugin, plugin_feature_t *feature, bool reg, void *data)
{
	if (reg) {
		if (load_parts())
			return TRUE;
		unload_parts();
		return FALSE;
	}
	message_register_exchange(GSA_REGISTRATION, NULL);
	unload_parts();
	return TRUE;
}

METHOD(plugin_t, get_name, char *, plugin_t *this)
{
	return "gsa";
}

METHOD(plugin_t, get_features, int, plugin_t *this, plugin_feature_t *features[])
{
	/* unloaded before what it depends on */
	static plugin_feature_t list[] = {
		PLUGIN_CALLBACK(register_gsa, NULL),
			PLUGIN_PROVIDE(CUSTOM, "gsa"),
				PLUGIN_DEPENDS(CUSTOM, "libcharon-sa-managers"),
				PLUGIN_DEPENDS(CUSTOM, "kernel-ipsec"),
	};

	*features = list;
	return countof(list);
}

METHOD(plugin_t, destroy, void, plugin_t *this)
{
	free(this);
}

plugin_t *gsa_plugin_create(void)
{
	plugin_t *this;

	INIT(this,
		.get_name = _get_name,
		.get_features = _get_features,
		.reload = (void *)return_false,
		.destroy = _destroy,
	);
	return this;
}
