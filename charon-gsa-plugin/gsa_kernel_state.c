// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * States that gcksd asks for.
 *
 * A table of what this process installed keeps an SA that is asked for once more from losing
 * packets and its sequence numbers.  What the kernel holds counts, though: it is asked before
 * anything is installed or removed, and what others have there stays.
 */
#include "charon-gsa-plugin/gsa_kernel.h"

#include <collections/hashtable.h>
#include <crypto/hashers/hasher.h>

#define SPI_RESERVED_MAX  255
#define REPLAY_WINDOW_MAX 4096 /* the kernel's */
/*
 * Sequence numbers of 32 bits must not begin anew (RFC 9838 §2.6): at the last one Linux would drop
 * all that is sent, and tell nobody.  A state that ends before that is told of, and made up for.
 */
#define PACKETS_MAX	  (UINT32_MAX - 0xfffff)
#define SAME_EXPIRY_S	  5    /* what a lifetime's rounding and way may make of it */

typedef struct {
	kernel_ipsec_sa_id_t id; /* hosts owned; the kernel tells states apart by dst and SPI */
	uint32_t reqid;
	uint8_t digest[HASH_SIZE_SHA256]; /* of the request */
	bool has_digest;
	uint32_t lifetime_s; /* 0: no limit */
	time_t expires;	     /* monotonic, with a limit */
} state_t;

struct gsa_states_t {
	hashtable_t *table; /* state_t */
	gsa_owners_t *owners;
};

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
	copy.keep = copy.fresh = FALSE;
	packed = chunk_alloc(gsa__install_sa__get_packed_size(&copy));
	gsa__install_sa__pack(&copy, packed.ptr);
	ok = hasher->get_hash(hasher, packed, digest);
	chunk_clear(&packed);
	hasher->destroy(hasher);
	return ok;
}

static bool same_request(const state_t *old, const state_t *new)
{
	return old && old->has_digest && new->has_digest &&
	       memeq_const(old->digest, new->digest, sizeof(new->digest));
}

/* gcksd may repeat the lifetime as it was, or send what is left of it. */
static bool same_end(const state_t *old, const state_t *new)
{
	return old->lifetime_s == new->lifetime_s ||
	       (old->lifetime_s && new->lifetime_s &&
		llabs((long long)old->expires - (long long)new->expires) <= SAME_EXPIRY_S);
}

static status_t add_state(const Gsa__InstallSa *request, state_t *state)
{
	lifetime_cfg_t lifetime = {
		.time = { .life = request->lifetime_s },
		.packets = { .life = request->inbound ? 0 : PACKETS_MAX },
	};
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

/* Adopts the state; the one of before is forgotten. */
static void remember(gsa_states_t *this, state_t *state)
{
	state_t *old = this->table->put(this->table, state, state);

	if (old)
		state_destroy(old);
}

static void forget(gsa_states_t *this, const state_t *state)
{
	state_t *old = this->table->remove(this->table, state);

	if (old)
		state_destroy(old);
}

static void refuse(gsa_installed_t *result, const char *reason)
{
	snprintf(result->text, sizeof(result->text), "%s", reason);
}

/* One of ours is there: does it do?  Else it has to go before another can come. */
static bool stands(gsa_states_t *this, const state_t *state, bool keep)
{
	const state_t *old = this->table->get(this->table, state);

	/* of an earlier charon: its SPI says that it has this key */
	if (keep && !old)
		return TRUE;
	return same_request(old, state) && (keep || same_end(old, state));
}

/*
 * Updating a state would not replace its key: another one is deleted first.  SUCCESS: it stands,
 * NOT_FOUND: it can be made, else the result says why not.
 */
static status_t make_way(gsa_states_t *this, const Gsa__InstallSa *request, state_t *state,
			 gsa_installed_t *result)
{
	uint32_t reqid = 0;

	switch (gsa_owners_reqid(this->owners, state->id.dst, state->id.spi, &reqid)) {
	case SUCCESS:
		break;
	case NOT_FOUND:
		forget(this, state);
		result->gone = request->keep && !request->fresh;
		if (!result->gone)
			return NOT_FOUND;
		refuse(result, "the kernel does not hold it any more");
		return FAILED;
	default:
		refuse(result, "the kernel does not say what it holds, charon's log says why");
		return FAILED;
	}
	if (reqid != request->reqid) {
		result->conflict = TRUE;
		gsa_owners_print(state->id.dst, state->id.spi, reqid, result->text,
				 sizeof(result->text));
		return FAILED;
	}
	if (stands(this, state, request->keep))
		return SUCCESS;
	result->gone = request->keep && !request->fresh;
	if (result->gone) {
		refuse(result, "the kernel holds another one in its place");
		return FAILED;
	}
	delete_state(state);
	forget(this, state);
	return NOT_FOUND;
}

static void install(gsa_states_t *this, const Gsa__InstallSa *request, state_t *state,
		    gsa_installed_t *result)
{
	switch (make_way(this, request, state, result)) {
	case SUCCESS:
		DBG2(DBG_KNL, "gsa: state with SPI %.8x to %H is there already", request->spi,
		     state->id.dst);
		result->ok = TRUE;
		if (this->table->get(this->table, state))
			state_destroy(state);
		else
			remember(this, state);
		return;
	case NOT_FOUND:
		break;
	default:
		DBG1(DBG_KNL, "gsa: state with SPI %.8x from %H to %H is not installed: %s",
		     request->spi, state->id.src, state->id.dst, result->text);
		state_destroy(state);
		return;
	}
	if (add_state(request, state) != SUCCESS) {
		DBG1(DBG_KNL, "gsa: the kernel refused the state with SPI %.8x from %H to %H",
		     request->spi, state->id.src, state->id.dst);
		refuse(result, "the kernel refused the state, charon's log says why");
		state_destroy(state);
		return;
	}
	DBG2(DBG_KNL, "gsa: installed state with SPI %.8x from %H to %H, reqid %u, %u s",
	     request->spi, state->id.src, state->id.dst, request->reqid, request->lifetime_s);
	result->ok = TRUE;
	remember(this, state);
}

void gsa_states_install(gsa_states_t *this, const Gsa__InstallSa *request, gsa_installed_t *result)
{
	const char *reason = NULL;
	state_t *state =
		state_create(request->spi, &request->source, &request->destination, &reason);

	*result = (gsa_installed_t){};
	if (state)
		reason = check_sa(request, state);
	if (reason) {
		DBG1(DBG_KNL, "gsa: state with SPI %.8x is refused, gcksd's request is wrong: %s",
		     request->spi, reason);
		refuse(result, reason);
		if (state)
			state_destroy(state);
		return;
	}
	state->reqid = request->reqid;
	state->lifetime_s = request->lifetime_s;
	state->expires = time_monotonic(NULL) + request->lifetime_s;
	state->has_digest = digest_request(request, state->digest);
	install(this, request, state, result);
}

/* Is what the kernel holds the one that shall go?  NULL: it is. */
static const char *why_stays(gsa_states_t *this, const Gsa__RemoveSa *request, const state_t *state,
			     uint32_t reqid)
{
	const state_t *old = this->table->get(this->table, state);

	if (request->reqid ? reqid != request->reqid : !gsa_kernel_is_ours(reqid))
		return "is another's";
	if (old && !old->id.src->ip_equals(old->id.src, state->id.src))
		return "was replaced";
	return NULL;
}

/* Returns why it could not be removed. */
static const char *remove_found(gsa_states_t *this, const Gsa__RemoveSa *request, state_t *state,
				uint32_t reqid)
{
	const char *stays = why_stays(this, request, state, reqid);

	if (stays) {
		DBG2(DBG_KNL, "gsa: state with SPI %.8x from %H to %H %s and stays", request->spi,
		     state->id.src, state->id.dst, stays);
		return NULL;
	}
	forget(this, state);
	switch (delete_state(state)) {
	case SUCCESS:
		DBG2(DBG_KNL, "gsa: removed state with SPI %.8x to %H", request->spi,
		     state->id.dst);
		return NULL;
	case NOT_FOUND:
		return NULL;
	default:
		DBG1(DBG_KNL, "gsa: the kernel did not remove the state with SPI %.8x to %H",
		     request->spi, state->id.dst);
		return "the kernel did not remove the state, charon's log says why";
	}
}

const char *gsa_states_remove(gsa_states_t *this, const Gsa__RemoveSa *request)
{
	const char *reason = NULL;
	uint32_t reqid = 0;
	state_t *state =
		state_create(request->spi, &request->source, &request->destination, &reason);

	if (!state) {
		DBG1(DBG_KNL,
		     "gsa: state with SPI %.8x is not removed, gcksd's request is wrong: %s",
		     request->spi, reason);
		return reason;
	}
	switch (gsa_owners_reqid(this->owners, state->id.dst, state->id.spi, &reqid)) {
	case SUCCESS:
		reason = remove_found(this, request, state, reqid);
		break;
	case NOT_FOUND:
		DBG2(DBG_KNL, "gsa: state with SPI %.8x to %H is gone already", request->spi,
		     state->id.dst);
		forget(this, state);
		break;
	default:
		reason = "the kernel does not say what it holds, charon's log says why";
	}
	state_destroy(state);
	return reason;
}

/* ---- what others have ended ---- */

static ProtobufCBinaryData octets(host_t *host)
{
	chunk_t address = host->get_address(host);

	return (ProtobufCBinaryData){ address.len, address.ptr };
}

static void send_ended(const state_t *state, Gsa__EndedBy by)
{
	Gsa__StateEnded body = GSA__STATE_ENDED__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	body.spi = ntohl(state->id.spi);
	body.source = octets(state->id.src);
	body.destination = octets(state->id.dst);
	body.reqid = state->reqid;
	body.by = by;
	message.body_case = GSA__MESSAGE__BODY_STATE_ENDED;
	message.state_ended = &body;
	gsa.local->send(gsa.local, &message);
}

/* Is it gone?  What the kernel does not tell is taken to be there. */
static bool has_ended(gsa_states_t *this, const state_t *state, Gsa__EndedBy by)
{
	uint32_t reqid = 0;

	switch (gsa_owners_reqid(this->owners, state->id.dst, state->id.spi, &reqid)) {
	case SUCCESS:
		if (reqid == state->reqid)
			return FALSE;
		break;
	case NOT_FOUND:
		break;
	default:
		return FALSE;
	}
	DBG1(DBG_KNL, "gsa: the state with SPI %.8x from %H to %H is gone, not by charon",
	     ntohl(state->id.spi), state->id.src, state->id.dst);
	send_ended(state, by);
	return TRUE;
}

void gsa_states_look(gsa_states_t *this, const gsa_ended_t *ended)
{
	state_t place = { .id = { .dst = ended->destination, .spi = ended->spi } }, *state;
	enumerator_t *enumerator;
	const void *key;

	if (!ended->all) {
		state = this->table->get(this->table, &place);
		if (state && has_ended(this, state, ended->by))
			forget(this, state);
		return;
	}
	enumerator = this->table->create_enumerator(this->table);
	while (enumerator->enumerate(enumerator, &key, &state)) {
		if (!has_ended(this, state, ended->by))
			continue;
		this->table->remove_at(this->table, enumerator);
		state_destroy(state);
	}
	enumerator->destroy(enumerator);
}

CALLBACK(destroy_state, void, state_t *state, const void *key)
{
	state_destroy(state);
}

void gsa_states_destroy(gsa_states_t *this)
{
	this->table->destroy_function(this->table, destroy_state);
	gsa_owners_destroy(this->owners);
	free(this);
}

gsa_states_t *gsa_states_create(void)
{
	gsa_states_t *this;

	INIT(this,
		.table = hashtable_create(state_hash, state_equals, 32),
		.owners = gsa_owners_create(),
	);
	return this;
}
