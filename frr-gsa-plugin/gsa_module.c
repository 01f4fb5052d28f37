// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's table of contents: version check, instances, hooks. */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/libfrr.h"
#include "lib/module.h"
#include "lib/version.h"

#include "bgpd/bgp_module.h"

DEFINE_MGROUP(GSA, "GSA module");
DEFINE_MTYPE_STATIC(GSA, GSA_INSTANCE, "GSA instance");

struct gsa_instances_head gsa_instances[1] = { INIT_DLIST(gsa_instances[0]) };

struct gsa_instance *gsa_instance_get(struct bgp *bgp)
{
	struct gsa_instance *instance;

	frr_each (gsa_instances, gsa_instances, instance)
		if (instance->bgp == bgp)
			return instance;

	instance = XCALLOC(MTYPE_GSA_INSTANCE, sizeof(*instance));
	instance->bgp = bgp;
	instance->attribute_type = GSA_ATTR_DEFAULT_TYPE;
	gsa_instances_add_tail(gsa_instances, instance);
	return instance;
}

struct gsa_instance *gsa_instance_member(void)
{
	struct gsa_instance *instance;

	frr_each (gsa_instances, gsa_instances, instance)
		if (instance->enabled && instance->bgp->inst_type == BGP_INSTANCE_TYPE_DEFAULT)
			return instance;
	return NULL;
}

/* Another type makes other routes group routes: look at all of them. */
static void instance_changed(struct gsa_instance *instance)
{
	gsa_peers_schedule();
	gsa_exports_schedule();
	gsa_instance_reconsider(instance);
}

void gsa_instance_enable(struct gsa_instance *instance, uint8_t attribute_type)
{
	if (instance->enabled && instance->attribute_type == attribute_type)
		return;
	instance->enabled = true;
	instance->attribute_type = attribute_type;
	instance_changed(instance);
}

void gsa_instance_disable(struct gsa_instance *instance)
{
	if (!instance->enabled)
		return;
	/* the type is remembered: its routes stay withheld */
	instance->enabled = false;
	instance_changed(instance);
}

static int instance_deleted(struct bgp *bgp)
{
	struct gsa_instance *instance = gsa_instance_get(bgp);

	gsa_instances_del(gsa_instances, instance);
	XFREE(MTYPE_GSA_INSTANCE, instance);
	gsa_exports_forget(bgp);
	gsa_imports_schedule();
	return 0;
}

/* Print which value differs and refuse: such a module would corrupt bgpd's memory. */
static bool abi_matches(void)
{
	static const struct bgp_module_abi mine = BGP_MODULE_ABI_INIT;
	const struct {
		const char *what;
		uint32_t mine, bgpd;
	} values[] = {
		{ "hook version", mine.version, bgp_module_abi.version },
		{ "size of struct bgp", mine.size_bgp, bgp_module_abi.size_bgp },
		{ "size of struct peer", mine.size_peer, bgp_module_abi.size_peer },
		{ "size of struct attr", mine.size_attr, bgp_module_abi.size_attr },
		{ "size of struct bgp_path_info", mine.size_path_info,
		  bgp_module_abi.size_path_info },
		{ "size of struct bgp_dest", mine.size_dest, bgp_module_abi.size_dest },
	};

	if (strcmp(mine.frr_version, bgp_module_abi.frr_version) != 0) {
		fprintf(stderr,
			"bgpd_gsa: built for FRR %s, this bgpd is %s: install the module that belongs to it\n",
			mine.frr_version, bgp_module_abi.frr_version);
		return false;
	}
	for (size_t i = 0; i < array_size(values); i++) {
		if (values[i].mine == values[i].bgpd)
			continue;
		fprintf(stderr,
			"bgpd_gsa: %s is %u here and %u in bgpd: built against another configuration of FRR %s\n",
			values[i].what, values[i].mine, values[i].bgpd, mine.frr_version);
		return false;
	}
	return true;
}

static int late_init(struct event_loop *loop)
{
	gsa_config_init();
	gsa_show_init();
	gsa_link_start(loop);
	return 0;
}

static int early_fini(void)
{
	gsa_link_stop();
	gsa_import_fini();
	gsa_export_fini();
	gsa_eligible_fini();
	gsa_tag_fini();
	return 0;
}

/* After the last peer and route. */
static int fini(void)
{
	gsa_peer_fini();
	gsa_group_fini();
	return 0;
}

static int module_init(void)
{
	if (!abi_matches())
		return -1;

	gsa_attribute_init();
	gsa_peer_init();
	gsa_eligible_init();
	gsa_reflect_init();
	gsa_export_init();
	hook_register(bgp_inst_delete, instance_deleted);
	hook_register(frr_late_init, late_init);
	hook_register(frr_early_fini, early_fini);
	hook_register(frr_fini, fini);
	return 0;
}

FRR_MODULE_SETUP(.name = "bgpd_gsa", .version = GSA_VERSION,
		 .description = "routes of security groups (GSA) for their members only",
		 .init = module_init, );
