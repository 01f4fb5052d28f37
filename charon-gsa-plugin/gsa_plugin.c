// SPDX-License-Identifier: GPL-2.0-or-later
/* charon's gsa plugin: its parts, in their order. */
#include "charon-gsa-plugin/gsa_auth.h"

#include <plugins/plugin.h>

gsa_t gsa;

METHOD(plugin_t, get_name, char *, plugin_t *this)
{
	return "gsa";
}

static void start(void)
{
	gsa.local = gsa_local_create();
	gsa.kernel = gsa_kernel_create();
	/* the first to hear that an IKE_SA was rekeyed */
	gsa.ike_sas = gsa_ike_sas_create();
	gsa.rekeys = gsa_rekeys_create();
	gsa.server = gsa_server_create();
	gsa.refused = gsa_refused_create();
	gsa.credential = gsa_credential_create();
	gsa.auth = gsa_auth_create();
	gsa.member = gsa_member_create();
	gsa_auth_listen(gsa.auth);
	gsa_credential_start(gsa.credential);
}

/* Nothing calls a part when it goes; a part may still send, which does nothing then. */
static void stop(void)
{
	gsa_local_stop(gsa.local);
	gsa_auth_destroy(gsa.auth);
	gsa.member->destroy(gsa.member);
	gsa_credential_destroy(gsa.credential);
	gsa_refused_destroy(gsa.refused);
	gsa.server->destroy(gsa.server);
	gsa.rekeys->destroy(gsa.rekeys);
	gsa.ike_sas->destroy(gsa.ike_sas);
	gsa.kernel->destroy(gsa.kernel);
	gsa.local->destroy(gsa.local);
	memset(&gsa, 0, sizeof(gsa));
}

/* The exchanges that peers begin, and who answers. */
static const struct {
	exchange_type_t type;
	exchange_task_constructor_t create;
} exchanges[] = {
	/* an IKE_AUTH to libcharon; one over an IKE_SA that is authenticated is not answered */
	{ GSA_AUTH, gsa_respond_create },
	{ GSA_REGISTRATION, gsa_respond_create },
	{ GSA_INBAND_REKEY, gsa_rekeyed_create },
};

static void unregister(size_t count)
{
	while (count--)
		message_register_exchange(exchanges[count].type, NULL);
}

static void understand(bool understood)
{
	static const uint8_t payloads[] = { GSA_PAYLOAD_IDG, GSA_PAYLOAD_GSA, GSA_PAYLOAD_KD };

	for (size_t i = 0; i < countof(payloads); i++)
		message_register_payload(payloads[i], understood);
}

static bool load(plugin_t *this, plugin_feature_t *feature, bool reg, void *data)
{
	if (!reg) {
		understand(FALSE);
		message_register_initial_task(NULL);
		unregister(countof(exchanges));
		stop();
		return TRUE;
	}
	start();
	for (size_t i = 0; i < countof(exchanges); i++) {
		if (message_register_exchange(exchanges[i].type, exchanges[i].create))
			continue;
		DBG1(DBG_CFG, "gsa: exchange type %d is taken by another plugin",
		     exchanges[i].type);
		unregister(i);
		stop();
		return FALSE;
	}
	if (!message_register_initial_task(gsa_auth_respond_create)) {
		DBG1(DBG_CFG, "gsa: another plugin answers while IKE_SAs are established");
		unregister(countof(exchanges));
		stop();
		return FALSE;
	}
	understand(TRUE);
	gsa_local_start(gsa.local);
	return TRUE;
}

METHOD(plugin_t, get_features, int, plugin_t *this, plugin_feature_t *features[])
{
	static plugin_feature_t f[] = {
		PLUGIN_CALLBACK(load, NULL),
			PLUGIN_PROVIDE(CUSTOM, "gsa"),
				PLUGIN_DEPENDS(HASHER, HASH_SHA256),
				PLUGIN_SDEPEND(CUSTOM, "kernel-ipsec"),
	};
	*features = f;
	return countof(f);
}

METHOD(plugin_t, destroy, void, plugin_t *this)
{
	free(this);
}

/* What the loader looks for. */
plugin_t *gsa_plugin_create(void);

plugin_t *gsa_plugin_create(void)
{
	plugin_t *this;

	INIT(this,
		.get_name = _get_name,
		.get_features = _get_features,
		.destroy = _destroy,
	);
	return this;
}
