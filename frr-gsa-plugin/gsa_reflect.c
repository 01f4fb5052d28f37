// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is announced to whom: a group route to the members of its groups only, the other
 * groups and their Sender-IDs taken out, the next hop (the gateway) kept.  And what goes to zebra: no group
 * route that this node only reflects.
 */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "bgpd/bgp_updgrp.h"
#include "bgpd/bgp_zebra.h"

static bool shares_group(const struct gsa_class *class, const struct gsa_group_attr *tag)
{
	for (size_t i = 0; class->count && i < tag->group_count; i++)
		if (gsa_class_has(class, tag->groups[i]))
			return true;
	return false;
}

/*
 * Into which of the path's groups may it be announced to peers of `class`?  Own exports
 * to everyone in the group; routes of others where this node reflects.
 */
static size_t announced_groups(const struct gsa_instance *instance,
			       const struct bgp_path_info *pi, const struct gsa_class *class,
			       const struct gsa_group_attr *tag, uint32_t *groups)
{
	uint32_t accepted[GSA_ATTR_GROUPS_MAX];
	bool own = gsa_path_is_export(pi);
	const char *reason;
	size_t total, count = 0;

	/* most refusals are of this kind: no need to know what the path is accepted into */
	if (!shares_group(class, tag))
		return 0;
	total = gsa_accepted_groups(instance, pi, tag, accepted, &reason);
	for (size_t i = 0; i < total; i++)
		if (gsa_class_has(class, accepted[i]) &&
		    (own || gsa_group_reflects(accepted[i])))
			groups[count++] = accepted[i];
	return count;
}

static int announce_check(struct update_subgroup *subgrp, struct bgp_dest *dest,
			  struct bgp_path_info *pi, struct attr *attr, bool *announce)
{
	struct gsa_instance *instance;
	uint32_t groups[GSA_ATTR_GROUPS_MAX];
	const struct gsa_group_attr *tag;
	struct gsa_group_attr left;
	struct transit *transit;
	size_t count;

	if (!bgp_attr_get_transit(attr))
		return 0;
	instance = gsa_instance_get(SUBGRP_INST(subgrp));
	switch (gsa_tag(instance, attr, &tag)) {
	case GSA_TAG_NONE:
		return 0;
	case GSA_TAG_MALFORMED:
		*announce = false;
		return 0;
	case GSA_TAG_OK:
		break;
	}

	count = announced_groups(instance, pi, gsa_class_of(SUBGRP_PEER(subgrp)->update_class),
				 tag, groups);
	if (!count) {
		instance->withheld++;
		*announce = false;
		return 0;
	}
	if (count != tag->group_count) {
		left = *tag;
		gsa_group_attr_keep(&left, groups, count);
		transit = gsa_tag_transit(instance, attr, &left);
		if (!transit) {
			*announce = false;
			return 0;
		}
		bgp_attr_set_transit(attr, transit);
	}
	SET_FLAG(attr->rmap_change_flags, BATTR_RMAP_NEXTHOP_UNCHANGED);
	return 0;
}

static int install_check(struct bgp *bgp, struct bgp_dest *dest, struct bgp_path_info *pi,
			 bool *install)
{
	struct gsa_instance *instance = gsa_instance_get(bgp);
	const struct gsa_group_attr *tag;

	switch (gsa_tag(instance, pi->attr, &tag)) {
	case GSA_TAG_NONE:
		return 0;
	case GSA_TAG_MALFORMED:
		*install = false;
		return 0;
	case GSA_TAG_OK:
		break;
	}
	for (size_t i = 0; i < tag->group_count; i++)
		if (gsa_import_is_ready(tag->groups[i], bgp_dest_get_prefix(dest), &tag->gateway))
			return 0;
	*install = false;
	return 0;
}

void gsa_reflect_init(void)
{
	hook_register(bgp_announce_check, announce_check);
	hook_register(bgp_zebra_install_check, install_check);
}
