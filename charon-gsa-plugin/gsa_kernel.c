// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * States and policies that gcksd asks for, through charon's kernel interface.
 *
 * They belong to gcksd, not to this process: nothing is removed when the plugin or charon
 * ends, however that happens, so that traffic stays protected or blocked meanwhile.  What an
 * earlier charon installed is taken over or removed as if it was ours.
 *
 * Here: the states, and the messages.  A table of what this process installed keeps an SA that
 * is asked for once more from losing packets and its sequence numbers.
 *
 * Runs in one thread (the one that handles gcksd's messages): no locks.
 */
#include "charon-gsa-plugin/gsa_kernel.h"

#include <collections/hashtable.h>
#include <crypto/hashers/hasher.h>

#define SPI_RESERVED_MAX  255
#define REPLAY_WINDOW_MAX 4096 /* the kernel's */
#define SAME_EXPIRY_S	  5    /* what a lifetime's rounding and way may make of it */

typedef struct {
	kernel_ipsec_sa_id_t id; /* hosts owned; the kernel tells states apart by dst and SPI */
	uint8_t digest[HASH_SIZE_SHA256]; /* of the request */
	bool has_digest;
	uint32_t lifetime_s; /* 0: no limit */
	time_t expires;	     /* monotonic, with a limit */
} state_t;

typedef struct {
	gsa_kernel_t public;
	hashtable_t *states;
	gsa_policies_t *policies;
} private_gsa_kernel_t;

host_t *gsa_kernel_host(const ProtobufCBinaryData *bytes)
{
	if (bytes->len != 4 && bytes->len != 16)
		return NULL;
	return host_create_from_chunk(bytes->len == 4 ? AF_INET : AF_INET6,
				      chunk_create(bytes->data, bytes->len), 0);
}

/* id 0: no answer is wanted; reason: NULL if it is done */
static void answer(uint32_t id, const char *reason)
{
	Gsa__Installed body = GSA__INSTALLED__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	if (!id)
		return;
	body.id = id;
	body.ok = !reason;
	body.text = (char *)(reason ? reason : "");
	message.body_case = GSA__MESSAGE__BODY_INSTALLED;
	message.installed = &body;
	gsa.local->send(gsa.local, &message);
}

/* States */

static u_int state_hash(const void *key)
{
	const state_t *this = key;

	return chunk_hash_inc(this->id.dst->get_address(this->id.dst), this->id.spi);
}

static bool state_equals(const void *key, const void *other_key)
{
	const state_t *this = key, *other = other_key;

	return this->id.spi == other->id.spi &&
	       this->id.dst->ip_equals(this->id.dst, other->id.dst);
}

static void state_destroy(state_t *this)
{
	DESTROY_IF(this->id.src);
	DESTROY_IF(this->id.dst);
	free(this);
}

static state_t *state_create(uint32_t spi, const ProtobufCBinaryData *source,
			     const ProtobufCBinaryData *destination, const char **reason)
{
	state_t *this;

	INIT(this,
		.id = {
			.src = gsa_kernel_host(source),
			.dst = gsa_kernel_host(destination),
			.spi = htonl(spi),
			.proto = IPPROTO_ESP,
		},
	);
	if (!this->id.src)
		*reason = "source is no IPv4 or IPv6 address";
	else if (!this->id.dst || this->id.dst->is_anyaddr(this->id.dst))
		*reason = "destination is no IPv4 or IPv6 address";
	else if (source->len != destination->len)
		*reason = "source and destination are of different address families";
	else if (spi <= SPI_RESERVED_MAX)
		*reason = "spi is reserved";
	else
		return this;
	state_destroy(this);
	return NULL;
}

static const char *check_sa(const Gsa__InstallSa *request, const state_t *state)
{
	struct gsa_data_sa sa = {
		.protocol = GSA_PROTOCOL_ESP,
		.encryption = request->encryption,
		.encryption_key_bits = request->encryption_key_bits,
		.integrity = request->integrity,
	};
	size_t encryption, integrity;

	if (!request->inbound && state->id.src->is_anyaddr(state->id.src))
		return "source of an outbound state is not set";
	if (!request->reqid)
		return "reqid is 0";
	if (request->replay_window > REPLAY_WINDOW_MAX)
		return "replay_window is out of range";
	if (sa.encryption != request->encryption ||
	    sa.encryption_key_bits != request->encryption_key_bits ||
	    sa.integrity != request->integrity ||
	    !gsa_data_sa_key_sizes(&sa, &encryption, &integrity))
		return "encryption, encryption_key_bits and integrity are no known combination";
	if (request->encryption_key.len != encryption)
		return "encryption_key has not the size of the algorithm's keys";
	if (request->integrity_key.len != integrity)
		return "integrity_key has not the size of the algorithm's keys";
	return NULL;
}

/* Of all that makes the state, except for how long. */
static bool digest_request(const Gsa__InstallSa *request, uint8_t digest[HASH_SIZE_SHA256])
{
	hasher_t *hasher = lib->crypto->create_hasher(lib->crypto, HASH_SHA256);
	Gsa__InstallSa copy = *request;
	chunk_t packed;
	bool ok;

	if (!hasher)
		return FALSE;
	copy.id = 0;
	copy.lifetime_s = 0;
	packed = chunk_alloc(gsa__install_sa__get_packed_size(&copy));
	gsa__install_sa__pack(&copy, packed.ptr);
	ok = hasher->get_hash(hasher, packed, digest);
	chunk_clear(&packed);
	hasher->destroy(hasher);
	return ok;
}

/* Does the kernel hold just this state?  `old` is what we installed there last. */
static bool state_stands(const state_t *old, const state_t *new)
{
	kernel_ipsec_sa_id_t id = new->id;
	kernel_ipsec_query_sa_t query = {};
	uint64_t bytes, packets;
	time_t used;

	if (!old || !old->has_digest || !new->has_digest ||
	    !memeq_const(old->digest, new->digest, sizeof(new->digest)))
		return FALSE;
	/* gcksd may repeat the lifetime as it was, or send what is left of it */
	if (old->lifetime_s != new->lifetime_s &&
	    (!old->lifetime_s || !new->lifetime_s ||
	     llabs((long long)old->expires - (long long)new->expires) > SAME_EXPIRY_S))
		return FALSE;
	return charon->kernel->query_sa(charon->kernel, &id, &query, &bytes, &packets, &used) ==
	       SUCCESS;
}

static status_t add_state(const Gsa__InstallSa *request, state_t *state)
{
	lifetime_cfg_t lifetime = { .time = { .life = request->lifetime_s } };
	kernel_ipsec_add_sa_t data = {
		.reqid = request->reqid,
		.mode = MODE_TUNNEL,
		.lifetime = &lifetime,
		.enc_alg = request->encryption,
		.enc_key = chunk_create(request->encryption_key.data, request->encryption_key.len),
		.int_alg = request->integrity ?: AUTH_UNDEFINED,
		.int_key = chunk_create(request->integrity_key.data, request->integrity_key.len),
		.replay_window = request->replay_window,
		.copy_df = TRUE,
		.copy_ecn = TRUE,
		.copy_dscp = DSCP_COPY_OUT_ONLY,
		.initiator = !request->inbound,
		.inbound = request->inbound,
	};

	return charon->kernel->add_sa(charon->kernel, &state->id, &data);
}

static status_t delete_state(state_t *state)
{
	kernel_ipsec_del_sa_t data = {};

	return charon->kernel->del_sa(charon->kernel, &state->id, &data);
}

/* Returns why not, NULL: installed. */
static const char *install_sa(private_gsa_kernel_t *this, const Gsa__InstallSa *request)
{
	const char *reason = NULL;
	state_t *state =
		state_create(request->spi, &request->source, &request->destination, &reason);
	state_t *old;

	if (state)
		reason = check_sa(request, state);
	if (reason) {
		DBG1(DBG_KNL, "gsa: state with SPI %.8x is refused, gcksd's request is wrong: %s",
		     request->spi, reason);
		if (state)
			state_destroy(state);
		return reason;
	}
	state->lifetime_s = request->lifetime_s;
	state->expires = time_monotonic(NULL) + request->lifetime_s;
	state->has_digest = digest_request(request, state->digest);
	if (state_stands(this->states->get(this->states, state), state)) {
		DBG2(DBG_KNL, "gsa: state with SPI %.8x to %H is there already", request->spi,
		     state->id.dst);
		state_destroy(state);
		return NULL;
	}
	/*
	 * Updating a state would not replace its key, and a state of an earlier charon is in
	 * none of our tables: always delete first.
	 */
	delete_state(state);
	old = this->states->remove(this->states, state);
	if (old)
		state_destroy(old);
	if (add_state(request, state) != SUCCESS) {
		DBG1(DBG_KNL, "gsa: the kernel refused the state with SPI %.8x from %H to %H",
		     request->spi, state->id.src, state->id.dst);
		state_destroy(state);
		return "the kernel refused the state, charon's log says why";
	}
	DBG2(DBG_KNL, "gsa: installed state with SPI %.8x from %H to %H, reqid %u, %u s",
	     request->spi, state->id.src, state->id.dst, request->reqid, request->lifetime_s);
	this->states->put(this->states, state, state);
	return NULL;
}

/* Returns why it could not be removed; what is not there (any more) is no failure. */
static const char *remove_sa(private_gsa_kernel_t *this, const Gsa__RemoveSa *request)
{
	const char *reason = NULL;
	state_t *state =
		state_create(request->spi, &request->source, &request->destination, &reason);
	state_t *old;

	if (!state) {
		DBG1(DBG_KNL,
		     "gsa: state with SPI %.8x is not removed, gcksd's request is wrong: %s",
		     request->spi, reason);
		return reason;
	}
	old = this->states->get(this->states, state);
	if (old && !old->id.src->ip_equals(old->id.src, state->id.src)) {
		DBG2(DBG_KNL,
		     "gsa: state with SPI %.8x from %H to %H was replaced, its successor stays",
		     request->spi, state->id.src, state->id.dst);
		state_destroy(state);
		return NULL;
	}
	if (old) {
		this->states->remove(this->states, old);
		state_destroy(old);
	}
	switch (delete_state(state)) {
	case SUCCESS:
		DBG2(DBG_KNL, "gsa: removed state with SPI %.8x to %H", request->spi,
		     state->id.dst);
		break;
	case NOT_FOUND:
		DBG2(DBG_KNL, "gsa: state with SPI %.8x to %H is gone already", request->spi,
		     state->id.dst);
		break;
	default:
		reason = "the kernel did not remove the state, charon's log says why";
		DBG1(DBG_KNL, "gsa: the kernel did not remove the state with SPI %.8x to %H",
		     request->spi, state->id.dst);
		break;
	}
	state_destroy(state);
	return reason;
}

METHOD(gsa_kernel_t, handle, bool, private_gsa_kernel_t *this, const Gsa__Message *message)
{
	switch (message->body_case) {
	case GSA__MESSAGE__BODY_INSTALL_SA:
		answer(message->install_sa->id, install_sa(this, message->install_sa));
		return TRUE;
	case GSA__MESSAGE__BODY_REMOVE_SA:
		answer(message->remove_sa->id, remove_sa(this, message->remove_sa));
		return TRUE;
	case GSA__MESSAGE__BODY_INSTALL_POLICY:
		answer(message->install_policy->id,
		       gsa_policies_install(this->policies, message->install_policy));
		return TRUE;
	case GSA__MESSAGE__BODY_REMOVE_POLICY:
		answer(message->remove_policy->id,
		       gsa_policies_remove(this->policies, message->remove_policy));
		return TRUE;
	default:
		return FALSE;
	}
}

CALLBACK(destroy_state, void, state_t *state, const void *key)
{
	state_destroy(state);
}

METHOD(gsa_kernel_t, destroy, void, private_gsa_kernel_t *this)
{
	this->states->destroy_function(this->states, destroy_state);
	gsa_policies_destroy(this->policies);
	free(this);
}

gsa_kernel_t *gsa_kernel_create(void)
{
	private_gsa_kernel_t *this;

	INIT(this,
		.public = {
			.handle = _handle,
			.destroy = _destroy,
		},
		.states = hashtable_create(state_hash, state_equals, 32),
		.policies = gsa_policies_create(),
	);
	return &this->public;
}
