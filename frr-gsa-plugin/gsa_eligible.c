// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which paths may be used.  A path without the group attribute is none of our business.
 *
 *   reflected group   the peer belongs to it, the route's gateway is that peer, and the
 *                     Sender-ID is one that the member was given
 *   joined group      the peer belongs to it (key server, or configured), the route names a
 *                     gateway, and gcksd says that traffic to it is protected
 *   own export        always
 *
 * One group for which it holds is enough; the others are left out when it is announced.
 */
#include "frr-gsa-plugin/gsa_bgp.h"

#include "lib/jhash.h"
#include "lib/prefix.h"

DEFINE_MTYPE_STATIC(GSA, GSA_CONFLICT, "GSA prefix conflict");

static const char refused_disabled[] = "gsa is not configured in this BGP instance";
static const char refused_malformed[] = "malformed group attribute";
static const char refused_origin[] = "originated here, but not exported into a group";
static const char refused_membership[] = "the peer is not a member of the route's groups";
static const char refused_gateway[] = "the route's gateway is not the peer that announced it";
static const char refused_sender_id[] =
	"the route's Sender-ID is not one that the member was given";
static const char refused_no_sender_id[] =
	"the route carries no Sender-ID, and the group's members have one";
static const char refused_needless_sender_id[] =
	"the route carries a Sender-ID, and the member was given none";
static const char refused_no_gateway[] = "the route names no gateway";
static const char refused_not_ready[] = "waits for gcksd to protect its traffic";

/* Those that are logged. */
static const char *const refused_reasons[GSA_REFUSED_REASONS] = {
	refused_disabled,   refused_malformed, refused_origin,	     refused_membership,
	refused_gateway,    refused_sender_id, refused_no_sender_id, refused_needless_sender_id,
	refused_no_gateway,
};

struct gsa_conflicts_head gsa_conflicts[1] = { INIT_HASH(gsa_conflicts[0]) };

int gsa_conflict_cmp(const struct gsa_conflict *a, const struct gsa_conflict *b)
{
	return numcmp((uintptr_t)a->bgp, (uintptr_t)b->bgp) ?: prefix_cmp(&a->prefix, &b->prefix);
}

uint32_t gsa_conflict_hash(const struct gsa_conflict *conflict)
{
	return prefix_hash_key(&conflict->prefix);
}

/* Does `member` say so of its routes?  NULL: it does. */
static const char *sender_id_refused(const struct gsa_member *member, const uint32_t *sender_id)
{
	if (!sender_id)
		return member->sender_id_count ? refused_no_sender_id : NULL;
	if (!member->sender_id_count)
		return refused_needless_sender_id;
	for (size_t i = 0; i < member->sender_id_count; i++)
		if (member->sender_ids[i] == *sender_id)
			return NULL;
	return refused_sender_id;
}

/*
 * Whose Sender-ID it is was decided by the key server that gave it.  A peer that is a member
 * by configuration alone was given none: it is trusted as the configuration trusts it.
 */
static const char *sender_refused(const struct ipaddr *peer, const struct gsa_group_attr *tag,
				  uint32_t identifier)
{
	const struct gsa_group *group = gsa_group_find(identifier);
	const struct gsa_member *member = NULL;
	const char *reason = NULL;
	uint32_t sender_id;
	bool carried;

	if (!group)
		return NULL;
	carried = gsa_group_attr_sender_id(tag, identifier, &sender_id);
	while ((member = gsa_member_at(group, peer, member))) {
		reason = sender_id_refused(member, carried ? &sender_id : NULL);
		if (!reason)
			return NULL;
	}
	return reason;
}

/* NULL: accepted into this group. */
static const char *group_refused(const struct gsa_class *class, const struct ipaddr *peer,
				 const struct gsa_group_attr *tag, uint32_t group)
{
	struct ipaddr gateway;

	if (!gsa_class_has(class, group))
		return refused_membership;
	if (!gsa_group_reflects(group))
		return gsa_gateway_address(&tag->gateway, &gateway) ? NULL : refused_no_gateway;
	if (gsa_gateway_address(&tag->gateway, &gateway) && !ipaddr_is_same(&gateway, peer))
		return refused_gateway;
	return sender_refused(peer, tag, group);
}

size_t gsa_accepted_groups(const struct gsa_instance *instance, const struct bgp_path_info *pi,
			   const struct gsa_group_attr *tag, uint32_t *groups, const char **reason)
{
	const struct gsa_class *class = gsa_class_of(pi->peer->update_class);
	struct ipaddr address;
	size_t count = 0;

	if (!instance->enabled) {
		*reason = refused_disabled;
		return 0;
	}
	if (pi->peer == instance->bgp->peer_self) {
		if (!gsa_path_is_export(pi)) {
			*reason = refused_origin;
			return 0;
		}
		memcpy(groups, tag->groups, tag->group_count * sizeof(*groups));
		return tag->group_count;
	}

	*reason = refused_membership;
	gsa_peer_address(pi->peer, &address);
	for (size_t i = 0; i < tag->group_count; i++) {
		const char *refused = group_refused(class, &address, tag, tag->groups[i]);

		if (!refused)
			groups[count++] = tag->groups[i];
		else if (refused != refused_membership)
			*reason = refused;
	}
	return count;
}

const char *gsa_path_refused(const struct gsa_instance *instance, const struct bgp_dest *dest,
			     const struct bgp_path_info *pi)
{
	uint32_t groups[GSA_ATTR_GROUPS_MAX];
	const struct gsa_group_attr *tag;
	const char *reason = NULL;
	size_t count;

	switch (gsa_tag(instance, pi->attr, &tag)) {
	case GSA_TAG_NONE:
		return NULL;
	case GSA_TAG_MALFORMED:
		return refused_malformed;
	case GSA_TAG_OK:
		break;
	}
	count = gsa_accepted_groups(instance, pi, tag, groups, &reason);
	if (!count)
		return reason;
	if (gsa_path_is_export(pi))
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (gsa_group_reflects(groups[i]) ||
		    gsa_import_is_ready(groups[i], bgp_dest_get_prefix(dest), &tag->gateway))
			return NULL;
	return refused_not_ready;
}

/* Each reason once a peer and minute: a peer can cause any number of them, in any order. */
static void log_refused(struct gsa_instance *instance, const struct bgp_dest *dest,
			struct bgp_path_info *pi, const char *reason)
{
	time_t *logged, now;
	size_t which = 0;

	gsa_debug_log("%pBD from %pBP is not used: %s", dest, pi->peer, reason);
	if (reason == refused_not_ready)
		return;
	instance->refused++;
	if (pi->peer == instance->bgp->peer_self)
		return;
	while (which < GSA_REFUSED_REASONS - 1 && refused_reasons[which] != reason)
		which++;
	logged = &gsa_peer_get(pi->peer)->refused_times[which];
	now = monotime(NULL);
	if (*logged && now - *logged < GSA_LOG_INTERVAL_S)
		return;
	*logged = now;
	zlog_warn("GSA: %pBD (and maybe others) from %pBP is not used: %s; `show bgp gsa routes` lists all",
		  dest, pi->peer, reason);
}

/* ---- equal prefixes of different groups ---- */

static bool share_group(const struct gsa_group_attr *a, const struct gsa_group_attr *b)
{
	for (size_t i = 0; i < a->group_count; i++)
		if (gsa_group_attr_has(b, a->groups[i]))
			return true;
	return false;
}

/* The first two usable paths of `dest` without a common group and gateway. */
static bool find_conflict(const struct gsa_instance *instance, struct bgp_dest *dest,
			  struct gsa_conflict *conflict)
{
	struct gsa_group_attr first = {};
	const struct gsa_group_attr *tag;
	struct bgp_path_info *pi;
	bool have_first = false;

	for (pi = bgp_dest_get_bgp_path_info(dest); pi; pi = pi->next) {
		if (CHECK_FLAG(pi->flags, BGP_PATH_REMOVED) ||
		    gsa_tag(instance, pi->attr, &tag) != GSA_TAG_OK ||
		    gsa_path_refused(instance, dest, pi))
			continue;
		/* the call above may have used the cache: ask again */
		gsa_tag(instance, pi->attr, &tag);
		if (!have_first) {
			first = *tag;
			have_first = true;
			continue;
		}
		if (share_group(&first, tag) ||
		    gsa_gateway_same_address(&first.gateway, &tag->gateway))
			continue;
		conflict->group[0] = first.groups[0];
		conflict->group[1] = tag->groups[0];
		gsa_gateway_address(&first.gateway, &conflict->gateway[0]);
		gsa_gateway_address(&tag->gateway, &conflict->gateway[1]);
		return true;
	}
	return false;
}

static void update_conflict(struct gsa_instance *instance, struct bgp_dest *dest)
{
	struct gsa_conflict key = { .bgp = instance->bgp, .prefix = *bgp_dest_get_prefix(dest) };
	struct bgp_path_info *first = bgp_dest_get_bgp_path_info(dest);
	struct gsa_conflict *known;
	char name[2][16];

	if (!first->next && !gsa_conflicts_count(gsa_conflicts))
		return;
	known = gsa_conflicts_find(gsa_conflicts, &key);
	if (!find_conflict(instance, dest, &key)) {
		if (known) {
			gsa_conflicts_del(gsa_conflicts, known);
			XFREE(MTYPE_GSA_CONFLICT, known);
		}
		return;
	}
	if (known)
		return;
	known = XCALLOC(MTYPE_GSA_CONFLICT, sizeof(*known));
	known->bgp = key.bgp;
	known->prefix = key.prefix;
	memcpy(known->group, key.group, sizeof(key.group));
	memcpy(known->gateway, key.gateway, sizeof(key.gateway));
	gsa_conflicts_add(gsa_conflicts, known);
	zlog_warn("GSA: %pFX is announced into group %s by %pIA and into group %s by %pIA: only one of them is used; give the groups different prefixes",
		  &known->prefix,
		  gsa_group_label(known->group[0], name[0], sizeof(name[0])), &known->gateway[0],
		  gsa_group_label(known->group[1], name[1], sizeof(name[1])), &known->gateway[1]);
}

/* ---- hook: the path is new, changed or removed, best path selection follows ---- */

static int path_check(struct bgp *bgp, afi_t afi, safi_t safi, struct bgp_dest *dest,
		      struct bgp_path_info *pi, bool *eligible)
{
	struct gsa_instance *instance = gsa_instance_get(bgp);
	const char *reason;

	if (!CHECK_FLAG(pi->flags, BGP_PATH_REMOVED)) {
		reason = gsa_path_refused(instance, dest, pi);
		if (reason) {
			*eligible = false;
			log_refused(instance, dest, pi, reason);
		}
	}
	if (safi == SAFI_UNICAST && instance->enabled) {
		gsa_import_update(instance, afi, safi, dest);
		update_conflict(instance, dest);
		if (pi->peer == bgp->peer_self && !gsa_path_is_export(pi))
			gsa_exports_schedule();
	}
	return 0;
}

void gsa_eligible_init(void)
{
	hook_register(bgp_path_check, path_check);
}

void gsa_eligible_fini(void)
{
	struct gsa_conflict *conflict;

	while ((conflict = gsa_conflicts_pop(gsa_conflicts)))
		XFREE(MTYPE_GSA_CONFLICT, conflict);
}
