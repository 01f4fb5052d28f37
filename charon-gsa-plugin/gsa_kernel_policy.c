// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Policies that gcksd asks for.
 *
 * kernel-netlink keeps a list of users for each selector, counts them, and installs the one
 * with the best priority.  Here a selector has one user, the last one installed: the table
 * says which, so that it can be replaced and that an old one's removal does no harm.
 */
#include "charon-gsa-plugin/gsa_kernel.h"

#include <collections/hashtable.h>

typedef struct {
	kernel_ipsec_policy_id_t id;	   /* selectors owned */
	kernel_ipsec_manage_policy_t data; /* hosts owned; sa is the one below */
	ipsec_sa_cfg_t sa;
} policy_t;

struct gsa_policies_t {
	hashtable_t *table; /* policy_t, by direction and selector */
};

/*
 * Selectors
 *
 * kernel-netlink installs a route (table 220, before FRR's) beside an outbound tunnel policy
 * when a local address is in the policy's source.  Routes are bgpd's, so our selectors say of
 * every address that it is not: nothing else asks them.  Clones are kept, and say the same.
 */

static traffic_selector_t *selector_create(host_t *net, uint8_t bits);

METHOD(traffic_selector_t, selector_includes, bool, traffic_selector_t *this, host_t *host)
{
	return FALSE;
}

METHOD(traffic_selector_t, selector_clone, traffic_selector_t *, traffic_selector_t *this)
{
	uint8_t bits;
	host_t *net;

	this->to_subnet(this, &net, &bits);
	return selector_create(net, bits);
}

/* Adopts the host; any protocol, any port. */
static traffic_selector_t *selector_create(host_t *net, uint8_t bits)
{
	traffic_selector_t *this = traffic_selector_create_from_subnet(net, bits, 0, 0, 65535);

	this->includes = _selector_includes;
	this->clone = _selector_clone;
	return this;
}

static traffic_selector_t *selector_from_prefix(const Gsa__Prefix *prefix)
{
	host_t *net;

	if (!prefix || prefix->length > prefix->address.len * 8)
		return NULL;
	net = gsa_kernel_host(&prefix->address);
	return net ? selector_create(net, prefix->length) : NULL;
}

/* Policies */

static u_int policy_hash(const void *key)
{
	const policy_t *this = key;

	return this->id.src_ts->hash(this->id.src_ts,
				     this->id.dst_ts->hash(this->id.dst_ts, this->id.dir));
}

static bool policy_equals(const void *key, const void *other_key)
{
	const policy_t *this = key, *other = other_key;

	return this->id.dir == other->id.dir &&
	       this->id.src_ts->equals(this->id.src_ts, other->id.src_ts) &&
	       this->id.dst_ts->equals(this->id.dst_ts, other->id.dst_ts);
}

/* For two policies of the same selector. */
static bool policy_does_same(const policy_t *this, const policy_t *other)
{
	return this->data.type == other->data.type &&
	       this->data.manual_prio == other->data.manual_prio &&
	       this->data.src->ip_equals(this->data.src, other->data.src) &&
	       this->data.dst->ip_equals(this->data.dst, other->data.dst) &&
	       ipsec_sa_cfg_equals((ipsec_sa_cfg_t *)&this->sa, (ipsec_sa_cfg_t *)&other->sa);
}

static void policy_destroy(policy_t *this)
{
	DESTROY_IF(this->id.src_ts);
	DESTROY_IF(this->id.dst_ts);
	DESTROY_IF(this->data.src);
	DESTROY_IF(this->data.dst);
	free(this);
}

static void policy_without_tunnel(policy_t *this, policy_type_t type, ipsec_mode_t mode)
{
	int family = this->id.src_ts->get_type(this->id.src_ts) == TS_IPV4_ADDR_RANGE ? AF_INET
										      : AF_INET6;

	DESTROY_IF(this->data.src);
	DESTROY_IF(this->data.dst);
	this->data.src = host_create_any(family);
	this->data.dst = host_create_any(family);
	this->data.type = type;
	memset(&this->sa, 0, sizeof(this->sa));
	this->sa.mode = mode;
}

static const char *set_tunnel(policy_t *this, const Gsa__InstallPolicy *request)
{
	this->data.src = gsa_kernel_host(&request->tunnel_source);
	this->data.dst = gsa_kernel_host(&request->tunnel_destination);
	if (!this->data.src)
		return "tunnel_source is no IPv4 or IPv6 address";
	if (!this->data.dst)
		return "tunnel_destination is no IPv4 or IPv6 address";
	if (request->tunnel_source.len != request->tunnel_destination.len)
		return "tunnel_source and tunnel_destination are of different address families";
	if (this->id.dir == POLICY_OUT && this->data.dst->is_anyaddr(this->data.dst))
		return "tunnel_destination of an outbound policy is not set";
	/* kernel-netlink would leave out the template, and the policy would let all pass */
	if (!request->reqid)
		return "reqid is 0";
	this->data.type = POLICY_IPSEC;
	this->sa.mode = MODE_TUNNEL;
	this->sa.reqid = request->reqid;
	this->sa.esp.use = TRUE; /* SPI 0: the state is found by reqid and addresses */
	return NULL;
}

static const char *set_action(policy_t *this, const Gsa__InstallPolicy *request)
{
	switch (request->action) {
	case GSA__POLICY_ACTION__POLICY_PROTECT:
		return set_tunnel(this, request);
	case GSA__POLICY_ACTION__POLICY_OPTIONAL:
		/* what leaves is protected or not, which the policy has to say */
		if (this->id.dir == POLICY_OUT)
			return "action is not for outbound policies";
		this->sa.optional = TRUE;
		return set_tunnel(this, request);
	case GSA__POLICY_ACTION__POLICY_BLOCK:
		policy_without_tunnel(this, POLICY_DROP, MODE_DROP);
		return NULL;
	case GSA__POLICY_ACTION__POLICY_PASS:
		/*
		 * Not POLICY_PASS, which brings a route to table 220 as well.  Without a reqid
		 * there is no template: the kernel gets the same policy.
		 */
		policy_without_tunnel(this, POLICY_IPSEC, MODE_TRANSPORT);
		return NULL;
	default:
		return "action is not known";
	}
}

static const char *set_direction(policy_t *this, Gsa__Direction direction)
{
	switch (direction) {
	case GSA__DIRECTION__DIRECTION_IN:
		this->id.dir = POLICY_IN;
		return NULL;
	case GSA__DIRECTION__DIRECTION_OUT:
		this->id.dir = POLICY_OUT;
		return NULL;
	case GSA__DIRECTION__DIRECTION_FORWARD:
		this->id.dir = POLICY_FWD;
		return NULL;
	default:
		return "direction is not known";
	}
}

/* Returns what is wrong with the request. */
static const char *policy_set(policy_t *this, const Gsa__InstallPolicy *request)
{
	const char *reason = set_direction(this, request->direction);

	if (reason)
		return reason;
	this->id.src_ts = selector_from_prefix(request->source);
	if (!this->id.src_ts)
		return "source is no IPv4 or IPv6 prefix";
	this->id.dst_ts = selector_from_prefix(request->destination);
	if (!this->id.dst_ts)
		return "destination is no IPv4 or IPv6 prefix";
	if (request->source->address.len != request->destination->address.len)
		return "source and destination are of different address families";
	if (!request->priority)
		return "priority is 0";
	this->data.manual_prio = request->priority;
	this->data.prio = POLICY_PRIORITY_DEFAULT;
	return set_action(this, request);
}

static policy_t *policy_create(const Gsa__InstallPolicy *request, const char **reason)
{
	policy_t *this;

	INIT(this, .data = { .hw_offload = HW_OFFLOAD_NO });
	this->data.sa = &this->sa;
	*reason = policy_set(this, request);
	if (!*reason)
		return this;
	policy_destroy(this);
	return NULL;
}

static bool policy_add(policy_t *this)
{
	return charon->kernel->add_policy(charon->kernel, &this->id, &this->data) == SUCCESS;
}

static bool policy_delete(policy_t *this)
{
	return charon->kernel->del_policy(charon->kernel, &this->id, &this->data) == SUCCESS;
}

/*
 * The new one is added as a second user of the selector, then the old one is deleted: the
 * kernel's policy is updated with the one or the other, and there is never none.  The same
 * for one that is there already, which puts it back if somebody flushed the kernel.
 */
const char *gsa_policies_install(gsa_policies_t *this, const Gsa__InstallPolicy *request)
{
	const char *reason;
	policy_t *policy = policy_create(request, &reason), *old;
	bool ok;

	if (!policy) {
		DBG1(DBG_KNL, "gsa: policy is refused, gcksd's request is wrong: %s", reason);
		return reason;
	}
	ok = policy_add(policy);
	if (!ok && this->table->get(this->table, policy)) {
		/* back to the old one */
		policy_delete(policy);
	} else {
		/*
		 * A first one that failed is kept too: what an earlier charon installed may be
		 * there, and is better than nothing until gcksd asks again or removes it.
		 */
		old = this->table->put(this->table, policy, policy);
		if (old) {
			ok = policy_delete(old);
			policy_destroy(old);
		}
	}
	if (ok) {
		DBG2(DBG_KNL, "gsa: installed policy %R === %R %N, priority %u, reqid %u",
		     policy->id.src_ts, policy->id.dst_ts, policy_dir_names, policy->id.dir,
		     request->priority, policy->sa.reqid);
		return NULL;
	}
	DBG1(DBG_KNL, "gsa: the kernel refused the policy %R === %R %N, priority %u",
	     policy->id.src_ts, policy->id.dst_ts, policy_dir_names, policy->id.dir,
	     request->priority);
	if (this->table->get(this->table, policy) != policy)
		policy_destroy(policy);
	return "the kernel refused the policy, charon's log says why";
}

/* What was asked for before this charon was started: kernel-netlink deletes only what it added. */
static bool remove_foreign(policy_t *policy)
{
	/* should it be gone already, then nothing may pass in between */
	policy_without_tunnel(policy, POLICY_DROP, MODE_DROP);
	policy_add(policy);
	return policy_delete(policy);
}

const char *gsa_policies_remove(gsa_policies_t *this, const Gsa__RemovePolicy *request)
{
	Gsa__InstallPolicy same = GSA__INSTALL_POLICY__INIT;
	policy_t *policy, *current;
	const char *reason;
	bool ok = TRUE;

	same.direction = request->direction;
	same.source = request->source;
	same.destination = request->destination;
	same.priority = request->priority;
	same.action = request->action;
	same.reqid = request->reqid;
	same.tunnel_source = request->tunnel_source;
	same.tunnel_destination = request->tunnel_destination;
	policy = policy_create(&same, &reason);
	if (!policy) {
		DBG1(DBG_KNL, "gsa: policy is not removed, gcksd's request is wrong: %s", reason);
		return reason;
	}
	current = this->table->get(this->table, policy);
	if (!current) {
		ok = remove_foreign(policy);
	} else if (policy_does_same(current, policy)) {
		this->table->remove(this->table, current);
		ok = policy_delete(current);
		policy_destroy(current);
	} else {
		DBG2(DBG_KNL, "gsa: policy %R === %R %N was replaced, its successor stays",
		     policy->id.src_ts, policy->id.dst_ts, policy_dir_names, policy->id.dir);
		policy_destroy(policy);
		return NULL;
	}
	if (ok)
		DBG2(DBG_KNL, "gsa: removed policy %R === %R %N", policy->id.src_ts,
		     policy->id.dst_ts, policy_dir_names, policy->id.dir);
	else
		DBG1(DBG_KNL, "gsa: the kernel did not remove the policy %R === %R %N",
		     policy->id.src_ts, policy->id.dst_ts, policy_dir_names, policy->id.dir);
	policy_destroy(policy);
	return ok ? NULL : "the kernel did not remove the policy, charon's log says why";
}

CALLBACK(destroy_policy, void, policy_t *policy, const void *key)
{
	policy_destroy(policy);
}

void gsa_policies_destroy(gsa_policies_t *this)
{
	this->table->destroy_function(this->table, destroy_policy);
	free(this);
}

gsa_policies_t *gsa_policies_create(void)
{
	gsa_policies_t *this;

	INIT(this,
		.table = hashtable_create(policy_hash, policy_equals, 32),
	);
	return this;
}
