// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bgpd module: what its files share.
 *
 *   gsa_module.c      init, version check, hooks: the table of contents
 *   gsa_attribute.c   the group attribute in attr->transit
 *   gsa_group.c       groups and registered members, as gcksd told
 *   gsa_peer.c        which peer belongs to which groups; update classes
 *   gsa_reflect.c     what is announced to whom; what goes to zebra
 *   gsa_eligible.c    which received paths may be used, and why not
 *   gsa_import.c      group prefixes that gcksd has to protect; RouteState
 *   gsa_export.c      prefixes that this node announces into its groups
 *   gsa_link.c        the socket to gcksd: connection, queue, resynchronisation
 *   gsa_message.c     the messages on it, in both directions
 *   gsa_config.c      configuration commands; gsa_show.c, gsa_show_routes.c: show commands
 *
 * Everything runs in bgpd's main thread.
 */
#ifndef GSA_BGP_H
#define GSA_BGP_H

#include <zebra.h>

#include "lib/hook.h"
#include "lib/ipaddr.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/typesafe.h"

#include "bgpd/bgpd.h"
#include "bgpd/bgp_attr.h"
#include "bgpd/bgp_route.h"
#include "bgpd/bgp_table.h"

#include "libgsa/group_attr.h"

DECLARE_MGROUP(GSA);

/* What a peer can cause at any rate is logged once in this time, and counted. */
#define GSA_LOG_INTERVAL_S 60

extern bool gsa_debug;
#define gsa_debug_log(...)                                                                         \
	do {                                                                                       \
		if (gsa_debug)                                                                     \
			zlog_debug("GSA: " __VA_ARGS__);                                           \
	} while (0)

/* ---- instances ---- */

PREDECL_DLIST(gsa_instances);

/* One for each `router bgp`; lives as long as that. */
struct gsa_instance {
	struct gsa_instances_item item;
	struct bgp *bgp;
	/* off: routes that carry the attribute are neither used nor announced */
	bool enabled;
	uint8_t attribute_type;

	uint64_t malformed, withheld, refused;
	time_t malformed_logged;
};
DECLARE_DLIST(gsa_instances, struct gsa_instance, item);
extern struct gsa_instances_head gsa_instances[1];

/* Never NULL: an instance that was not configured yet is a disabled one. */
struct gsa_instance *gsa_instance_get(struct bgp *bgp);
void gsa_instance_enable(struct gsa_instance *instance, uint8_t attribute_type);
void gsa_instance_disable(struct gsa_instance *instance);
/* Joined groups live in the default instance; NULL when it is off. */
struct gsa_instance *gsa_instance_member(void);

/* ---- attribute ---- */

enum gsa_tag_state { GSA_TAG_NONE, GSA_TAG_OK, GSA_TAG_MALFORMED };

/*
 * The decoded group attribute of `attr`.  With GSA_TAG_OK *tag is set; it stays valid
 * until the next call.
 */
enum gsa_tag_state gsa_tag(const struct gsa_instance *instance, const struct attr *attr,
			   const struct gsa_group_attr **tag);
/*
 * The transit attributes of `attr` with the group attribute replaced by `tag`; interned
 * and borrowed: held for the next use of the same combination.  NULL: not encodable.
 */
struct transit *gsa_tag_transit(const struct gsa_instance *instance, const struct attr *attr,
				const struct gsa_group_attr *tag);
void gsa_tag_fini(void);
bool gsa_gateway_address(const struct gsa_gateway *gateway, struct ipaddr *address);
void gsa_attribute_init(void);

/* ---- groups, as gcksd told ---- */

enum gsa_export_mode { GSA_EXPORT_NONE, GSA_EXPORT_CONNECTED, GSA_EXPORT_PREFIX_LIST };

PREDECL_RBTREE_UNIQ(gsa_groups);
PREDECL_RBTREE_UNIQ(gsa_members);

struct gsa_group {
	struct gsa_groups_item item;
	uint32_t identifier;
	char *name;
	bool served, joined, registered;
	bool stale; /* not repeated yet after a reconnect */
	bool has_sender_id;
	uint32_t sender_id;
	struct ipaddr local_gateway; /* joined */
	struct ipaddr key_server;    /* joined; ipa_type IPADDR_NONE: not known */
	enum gsa_export_mode export_mode;
	char *export_prefix_list;
	struct gsa_members_head members[1]; /* registered, when served */
};

struct gsa_member {
	struct gsa_members_item item;
	char *identity;
	struct ipaddr gateway;
	uint32_t *sender_ids; /* under which its routes may come; none: without one */
	size_t sender_id_count;
	bool stale;
};

int gsa_group_cmp(const struct gsa_group *a, const struct gsa_group *b);
DECLARE_RBTREE_UNIQ(gsa_groups, struct gsa_group, item, gsa_group_cmp);
/* by gateway, then identity: several identities may have registered from one address */
int gsa_member_cmp(const struct gsa_member *a, const struct gsa_member *b);
DECLARE_RBTREE_UNIQ(gsa_members, struct gsa_member, item, gsa_member_cmp);
extern struct gsa_groups_head gsa_groups[1];
extern unsigned int gsa_joined_count;

struct gsa_group *gsa_group_find(uint32_t identifier);
/* Name or number; 0: no group of that name is known. */
uint32_t gsa_group_identifier(const char *name);
/* The group's name, or its number when there is none. */
const char *gsa_group_label(uint32_t identifier, char *buffer, size_t size);

/* `update` is adopted: its strings now belong to the table. */
void gsa_group_set(struct gsa_group *update);
void gsa_group_remove(uint32_t identifier);
void gsa_member_set(uint32_t group, const char *identity, const struct ipaddr *gateway,
		    const uint32_t *sender_ids, size_t sender_id_count);
void gsa_member_remove(uint32_t group, const char *identity, const struct ipaddr *gateway);
/* The group's members at the address, one after the other; the first behind NULL. */
const struct gsa_member *gsa_member_at(const struct gsa_group *group,
				       const struct ipaddr *gateway,
				       const struct gsa_member *previous);
/* A connection began: mark everything; it ended its repetition: drop what is marked. */
void gsa_groups_mark_stale(void);
void gsa_groups_sweep(void);
void gsa_group_fini(void);

/*
 * A route of a joined group is taken in by this node itself; one of any other group is
 * reflected among the group's members.
 */
static inline bool gsa_group_is_member_here(uint32_t identifier)
{
	struct gsa_group *group = gsa_joined_count ? gsa_group_find(identifier) : NULL;

	return group && group->joined;
}
bool gsa_group_reflects(uint32_t identifier);

/* ---- peers ---- */

PREDECL_HASH(gsa_peers);

/* A set of groups that peers of one update class belong to; never freed. */
struct gsa_class {
	uint32_t id;
	size_t count;
	uint32_t groups[]; /* ascending */
};

#define GSA_REFUSED_REASONS 9 /* gsa_eligible.c */

struct gsa_peer {
	struct gsa_peers_item item;
	struct peer *peer;
	char **configured; /* names or numbers, `neighbor X gsa group` */
	size_t configured_count;
	const struct gsa_class *class;
	bool changed; /* membership or Sender-IDs changed, routes not looked at yet */
	/* when each reason to refuse its routes was in the log, to say it once in a while */
	time_t refused_times[GSA_REFUSED_REASONS];
};

/* NULL: nothing is known about the peer, it belongs to no group. */
struct gsa_peer *gsa_peer_find(const struct peer *peer);
struct gsa_peer *gsa_peer_get(struct peer *peer);
bool gsa_peer_configure(struct peer *peer, const char *group);
bool gsa_peer_unconfigure(struct peer *peer, const char *group);
const struct gsa_class *gsa_class_of(uint32_t update_class);
bool gsa_class_has(const struct gsa_class *class, uint32_t group);
bool gsa_peer_address(const struct peer *peer, struct ipaddr *address);
/* Something that membership depends on has changed: work it out soon. */
void gsa_peers_schedule(void);
/* What the routes of the peers at this address may carry has changed: look at them soon. */
void gsa_peers_reconsider(const struct ipaddr *address);
/* Look at every tagged path of the instance again. */
void gsa_instance_reconsider(struct gsa_instance *instance);
void gsa_peer_init(void);
void gsa_peer_fini(void);

/* ---- decisions ---- */

/*
 * The groups of a path into which it is accepted from its peer, ascending.  0 with
 * *reason set (a static string) if there is none.
 */
size_t gsa_accepted_groups(const struct gsa_instance *instance, const struct bgp_path_info *pi,
			   const struct gsa_group_attr *tag, uint32_t *groups,
			   const char **reason);
/* NULL, or why the path may not be used. */
const char *gsa_path_refused(const struct gsa_instance *instance, const struct bgp_dest *dest,
			     const struct bgp_path_info *pi);
void gsa_eligible_init(void);
void gsa_eligible_fini(void);
void gsa_reflect_init(void);

PREDECL_HASH(gsa_conflicts);

/* Equal prefixes of different groups and gateways, of which only one can win. */
struct gsa_conflict {
	struct gsa_conflicts_item item;
	struct bgp *bgp;
	struct prefix prefix;
	uint32_t group[2];
	struct ipaddr gateway[2];
};
int gsa_conflict_cmp(const struct gsa_conflict *a, const struct gsa_conflict *b);
uint32_t gsa_conflict_hash(const struct gsa_conflict *conflict);
DECLARE_HASH(gsa_conflicts, struct gsa_conflict, item, gsa_conflict_cmp, gsa_conflict_hash);
extern struct gsa_conflicts_head gsa_conflicts[1];

/* ---- imports ---- */

PREDECL_HASH(gsa_imports);

/* From where a prefix of a joined group is reached. */
struct gsa_origin {
	struct gsa_gateway gateway;
	bool has_sender_id; /* in the group */
	uint32_t sender_id;
};

/* A prefix of a joined group. */
struct gsa_import {
	struct gsa_imports_item item;
	uint32_t group;
	struct prefix prefix;
	bool reported; /* gcksd should protect it, through `origin` */
	struct gsa_origin origin;
	bool ready; /* gcksd does protect it, through `ready_gateway` */
	struct ipaddr ready_gateway;
};
int gsa_import_cmp(const struct gsa_import *a, const struct gsa_import *b);
uint32_t gsa_import_hash(const struct gsa_import *import);
DECLARE_HASH(gsa_imports, struct gsa_import, item, gsa_import_cmp, gsa_import_hash);
extern struct gsa_imports_head gsa_imports[1];

bool gsa_import_is_ready(uint32_t group, const struct prefix *prefix,
			 const struct gsa_gateway *gateway);
/* The paths of `dest` changed: tell gcksd what that means for the joined groups. */
void gsa_import_update(struct gsa_instance *instance, afi_t afi, safi_t safi,
		       struct bgp_dest *dest);
/* All of them, soon, after groups changed. */
void gsa_imports_schedule(void);
void gsa_import_state(uint32_t group, const struct prefix *prefix, const struct ipaddr *gateway,
		      bool ready);
/* BGP has converged: what gcksd protects and no route asked for is forgotten. */
void gsa_imports_sweep(void);
void gsa_import_fini(void);

/* ---- exports ---- */

PREDECL_HASH(gsa_exports);

struct gsa_export {
	struct gsa_exports_item item;
	struct prefix prefix;
	struct gsa_group_attr tag; /* groups, gateway, Sender-IDs */
	struct ipaddr next_hop;
	uint8_t attribute_type; /* with which it is originated */
};
int gsa_export_cmp(const struct gsa_export *a, const struct gsa_export *b);
uint32_t gsa_export_hash(const struct gsa_export *export);
DECLARE_HASH(gsa_exports, struct gsa_export, item, gsa_export_cmp, gsa_export_hash);
extern struct gsa_exports_head gsa_exports[1];

/* Own routes are told from configured ones (network, redistribute) by their type. */
static inline bool gsa_path_is_export(const struct bgp_path_info *pi)
{
	return pi->type == ZEBRA_ROUTE_SYSTEM && pi->sub_type == BGP_ROUTE_STATIC;
}
void gsa_exports_schedule(void);
/* The instance and its routes are going. */
void gsa_exports_forget(const struct bgp *bgp);
void gsa_export_init(void);
void gsa_export_fini(void);

/* ---- link to gcksd ---- */

enum gsa_link_state { GSA_LINK_DOWN, GSA_LINK_HELLO, GSA_LINK_SYNC, GSA_LINK_UP };
extern struct gsa_link_status {
	enum gsa_link_state state;
	char error[128]; /* why it is down */
	uint64_t sent, received, dropped;
	time_t since;
} gsa_link_status;

/* Without effect until the connection is through its Hello: the state is repeated then. */
void gsa_send_route(const struct gsa_import *import, bool withdrawn);
void gsa_send_export(uint32_t group, const struct prefix *prefix, bool withdrawn);
void gsa_send_hello(void);
void gsa_send_all(uint32_t group); /* what is told of it; 0: of every one */
void gsa_send_sync_done(void);
/* One datagram from gcksd.  NULL, or why it was dropped (until the next call). */
const char *gsa_receive(const uint8_t *data, size_t length);

void gsa_link_send(const uint8_t *data, size_t length);
/* What gsa_receive() found; `reason`: gcksd's, or why its Hello is not acceptable. */
void gsa_link_hello_received(void);
void gsa_link_sync_received(void);
void gsa_link_refused(const char *reason);
void gsa_link_start(struct event_loop *loop);
void gsa_link_stop(void);

/* ---- commands ---- */
#define GSA_SHOW_STR SHOW_STR BGP_STR "Security groups (group security association)\n"
void gsa_config_init(void);
void gsa_show_init(void);
void gsa_show_routes_init(void);
/* Left out when there is none. */
struct json_object;
void gsa_json_add_address(struct json_object *json, const char *key, const struct ipaddr *address);

#endif
