// SPDX-License-Identifier: GPL-2.0-or-later
/* The groups that this node serves or belongs to, and their registered members. */
#include "frr-gsa-plugin/gsa_bgp.h"

DEFINE_MTYPE_STATIC(GSA, GSA_GROUP, "GSA group");
DEFINE_MTYPE_STATIC(GSA, GSA_MEMBER, "GSA member");

struct gsa_groups_head gsa_groups[1] = { INIT_RBTREE_UNIQ(gsa_groups[0]) };
unsigned int gsa_joined_count;

int gsa_group_cmp(const struct gsa_group *a, const struct gsa_group *b)
{
	return numcmp(a->identifier, b->identifier);
}

int gsa_member_cmp(const struct gsa_member *a, const struct gsa_member *b)
{
	return ipaddr_cmp(&a->gateway, &b->gateway) ?: strcmp(a->identity, b->identity);
}

struct gsa_group *gsa_group_find(uint32_t identifier)
{
	struct gsa_group key = { .identifier = identifier };

	return gsa_groups_find(gsa_groups, &key);
}

static struct gsa_group *find_name(const char *name)
{
	struct gsa_group *group;

	frr_each (gsa_groups, gsa_groups, group)
		if (strcmp(group->name, name) == 0)
			return group;
	return NULL;
}

uint32_t gsa_group_identifier(const char *name)
{
	struct gsa_group *group = find_name(name);
	unsigned long number;
	char *end;

	/* a group that is called by a number wins over the number */
	if (group)
		return group->identifier;
	if (!isdigit((unsigned char)name[0]))
		return 0;
	errno = 0;
	number = strtoul(name, &end, 10);
	return errno || *end || number > UINT32_MAX ? 0 : number;
}

const char *gsa_group_label(uint32_t identifier, char *buffer, size_t size)
{
	struct gsa_group *group = gsa_group_find(identifier);

	if (group)
		return group->name;
	snprintf(buffer, size, "%u", identifier);
	return buffer;
}

bool gsa_group_reflects(uint32_t identifier)
{
	struct gsa_group *group;

	if (!gsa_joined_count)
		return true;
	group = gsa_group_find(identifier);
	return !group || !group->joined || group->served;
}

static void member_free(struct gsa_member *member)
{
	XFREE(MTYPE_TMP, member->identity);
	XFREE(MTYPE_TMP, member->sender_ids);
	XFREE(MTYPE_GSA_MEMBER, member);
}

static void group_free_strings(struct gsa_group *group)
{
	XFREE(MTYPE_TMP, group->name);
	XFREE(MTYPE_TMP, group->export_prefix_list);
}

/* What follows from a group that came, went or changed. */
static void changed(void)
{
	struct gsa_group *group;

	gsa_joined_count = 0;
	frr_each (gsa_groups, gsa_groups, group)
		gsa_joined_count += group->joined;
	gsa_peers_schedule();
	gsa_exports_schedule();
	gsa_imports_schedule();
}

static bool same(const struct gsa_group *a, const struct gsa_group *b)
{
	return strcmp(a->name, b->name) == 0 && a->served == b->served &&
	       a->joined == b->joined && a->registered == b->registered &&
	       a->has_sender_id == b->has_sender_id && a->sender_id == b->sender_id &&
	       ipaddr_is_same(&a->local_gateway, &b->local_gateway) &&
	       ipaddr_is_same(&a->key_server, &b->key_server) &&
	       a->export_mode == b->export_mode &&
	       strcmp(a->export_prefix_list, b->export_prefix_list) == 0;
}

void gsa_group_set(struct gsa_group *update)
{
	struct gsa_group *group = gsa_group_find(update->identifier);
	bool is_new = !group;

	if (group && same(group, update)) {
		group->stale = false;
		group_free_strings(update);
		return;
	}
	if (is_new) {
		group = XCALLOC(MTYPE_GSA_GROUP, sizeof(*group));
		group->identifier = update->identifier;
		gsa_members_init(group->members);
		gsa_groups_add(gsa_groups, group);
	} else
		group_free_strings(group);

	group->name = update->name;
	group->served = update->served;
	group->joined = update->joined;
	group->registered = update->registered;
	group->has_sender_id = update->has_sender_id;
	group->sender_id = update->sender_id;
	group->local_gateway = update->local_gateway;
	group->key_server = update->key_server;
	group->export_mode = update->export_mode;
	group->export_prefix_list = update->export_prefix_list;
	group->stale = false;
	gsa_debug_log("group %s (%u): %s%s%s", group->name, group->identifier,
		      group->served ? "served " : "", group->joined ? "joined " : "",
		      group->registered ? "registered" : "");
	/* one that was gone a moment ago: gcksd has forgotten its prefixes, and for us none is new */
	if (is_new)
		gsa_send_all(group->identifier);
	changed();
}

static void group_delete(struct gsa_group *group)
{
	struct gsa_member *member;

	zlog_info("GSA: group %s (%u) is gone", group->name, group->identifier);
	while ((member = gsa_members_pop(group->members)))
		member_free(member);
	gsa_groups_del(gsa_groups, group);
	group_free_strings(group);
	XFREE(MTYPE_GSA_GROUP, group);
}

void gsa_group_remove(uint32_t identifier)
{
	struct gsa_group *group = gsa_group_find(identifier);

	if (!group)
		return;
	group_delete(group);
	changed();
}

static struct gsa_member *member_find(struct gsa_group *group, const char *identity,
				      const struct ipaddr *gateway)
{
	struct gsa_member key = { .identity = (char *)identity, .gateway = *gateway };

	return gsa_members_find(group->members, &key);
}

const struct gsa_member *gsa_member_at(const struct gsa_group *group,
				       const struct ipaddr *gateway,
				       const struct gsa_member *previous)
{
	struct gsa_member first = { .identity = (char *)"", .gateway = *gateway };
	const struct gsa_member *member =
		previous ? gsa_members_const_next(group->members, previous)
			 : gsa_members_const_find_gteq(group->members, &first);

	return member && ipaddr_is_same(&member->gateway, gateway) ? member : NULL;
}

static bool set_sender_ids(struct gsa_member *member, const uint32_t *sender_ids, size_t count)
{
	size_t size = count * sizeof(*sender_ids);

	if (member->sender_id_count == count &&
	    (!count || memcmp(member->sender_ids, sender_ids, size) == 0))
		return false;
	XFREE(MTYPE_TMP, member->sender_ids);
	if (count) {
		member->sender_ids = XMALLOC(MTYPE_TMP, size);
		memcpy(member->sender_ids, sender_ids, size);
	}
	member->sender_id_count = count;
	return true;
}

void gsa_member_set(uint32_t identifier, const char *identity, const struct ipaddr *gateway,
		    const uint32_t *sender_ids, size_t sender_id_count)
{
	struct gsa_group *group = gsa_group_find(identifier);
	struct gsa_member *member;

	if (!group) {
		zlog_warn("GSA: member %s at %pIA of group %u, which was not announced: ignored",
			  identity, gateway, identifier);
		return;
	}
	member = member_find(group, identity, gateway);
	if (member) {
		member->stale = false;
		if (set_sender_ids(member, sender_ids, sender_id_count))
			gsa_peers_reconsider(gateway);
		return;
	}
	member = XCALLOC(MTYPE_GSA_MEMBER, sizeof(*member));
	member->identity = XSTRDUP(MTYPE_TMP, identity);
	member->gateway = *gateway;
	set_sender_ids(member, sender_ids, sender_id_count);
	gsa_members_add(group->members, member);
	gsa_debug_log("group %s: member %s at %pIA", group->name, identity, gateway);
	gsa_peers_reconsider(gateway);
}

void gsa_member_remove(uint32_t identifier, const char *identity, const struct ipaddr *gateway)
{
	struct gsa_group *group = gsa_group_find(identifier);
	struct gsa_member *member = group ? member_find(group, identity, gateway) : NULL;

	if (!member)
		return;
	gsa_debug_log("group %s: member %s at %pIA is gone", group->name, identity, gateway);
	gsa_members_del(group->members, member);
	member_free(member);
	gsa_peers_reconsider(gateway);
}

void gsa_groups_mark_stale(void)
{
	struct gsa_member *member;
	struct gsa_group *group;

	frr_each (gsa_groups, gsa_groups, group) {
		group->stale = true;
		frr_each (gsa_members, group->members, member)
			member->stale = true;
	}
}

void gsa_groups_sweep(void)
{
	struct gsa_member *member;
	struct gsa_group *group;

	frr_each_safe (gsa_groups, gsa_groups, group) {
		frr_each_safe (gsa_members, group->members, member) {
			if (!member->stale)
				continue;
			zlog_info("GSA: group %s: member %s at %pIA is no longer registered",
				  group->name, member->identity, &member->gateway);
			gsa_peers_reconsider(&member->gateway);
			gsa_members_del(group->members, member);
			member_free(member);
		}
		if (group->stale)
			group_delete(group);
	}
	changed();
}

void gsa_group_fini(void)
{
	struct gsa_member *member;
	struct gsa_group *group;

	while ((group = gsa_groups_pop(gsa_groups))) {
		while ((member = gsa_members_pop(group->members)))
			member_free(member);
		group_free_strings(group);
		XFREE(MTYPE_GSA_GROUP, group);
	}
}
