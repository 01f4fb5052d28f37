// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * IKE_SAs by unique id, the number by which gcksd and our jobs know them.
 *
 * libcharon finds one by its unique id by looking at all of them, and waits for each that a thread
 * holds on the way: one whose thread waits for gcksd, or for a RADIUS server, would hold up what is
 * to be done with all the others.  By its SPIs it is found at once.
 *
 * An IKE_SA that is rekeyed has another unique id, which gcksd, or a job that waits for it, may not
 * know yet.
 *
 * Listeners run under the bus's mutex, so this mutex comes after it, and nothing of charon is called
 * with it locked.
 */
#include "charon-gsa-plugin/gsa.h"

#include <collections/hashtable.h>
#include <threading/mutex.h>

/* IKE_SAs that were rekeyed lately, for requests that were on the way meanwhile. */
#define MOVED_KEPT 256

typedef struct {
	ike_sa_id_t *id;
	bool own;
} entry_t;

typedef struct private_gsa_ike_sas_t private_gsa_ike_sas_t;

typedef struct {
	listener_t public;
	private_gsa_ike_sas_t *ike_sas;
} ike_sas_listener_t;

struct private_gsa_ike_sas_t {
	gsa_ike_sas_t public;
	ike_sas_listener_t listener;
	mutex_t *mutex;
	hashtable_t *entries; /* unique id -> entry_t */
	struct {
		uint32_t from, to; /* unique ids */
	} moved[MOVED_KEPT];	   /* a ring */
	size_t moves;
};

static const void *key_of(uint32_t unique_id)
{
	return (const void *)(uintptr_t)unique_id;
}

/* With the mutex locked: the IKE_SA that has the place of this one by now. */
static uint32_t resolve(const private_gsa_ike_sas_t *this, uint32_t unique_id)
{
	size_t first = this->moves > MOVED_KEPT ? this->moves - MOVED_KEPT : 0;

	for (size_t i = first; i < this->moves; i++)
		if (this->moved[i % MOVED_KEPT].from == unique_id)
			unique_id = this->moved[i % MOVED_KEPT].to;
	return unique_id;
}

METHOD(gsa_ike_sas_t, present, uint32_t, private_gsa_ike_sas_t *this, uint32_t unique_id)
{
	this->mutex->lock(this->mutex);
	unique_id = resolve(this, unique_id);
	this->mutex->unlock(this->mutex);
	return unique_id;
}

/* NULL: there is none (any more). */
static ike_sa_id_t *find(private_gsa_ike_sas_t *this, uint32_t unique_id)
{
	ike_sa_id_t *id = NULL;
	entry_t *entry;

	this->mutex->lock(this->mutex);
	entry = this->entries->get(this->entries, key_of(unique_id));
	if (entry)
		id = entry->id->clone(entry->id);
	this->mutex->unlock(this->mutex);
	return id;
}

bool gsa_ike_sa_is_authenticated(ike_sa_t *ike_sa)
{
	ike_sa_state_t state = ike_sa->get_state(ike_sa);

	return (state == IKE_ESTABLISHED || state == IKE_REKEYING) &&
	       ike_sa->has_condition(ike_sa, COND_AUTHENTICATED);
}

bool gsa_ike_sa_answers(ike_sa_t *ike_sa)
{
	ike_sa_state_t state = ike_sa->get_state(ike_sa);
	enumerator_t *enumerator;
	task_t *task;
	bool found;

	if (state != IKE_ESTABLISHED && state != IKE_REKEYING)
		return FALSE;
	enumerator = ike_sa->create_task_enumerator(ike_sa, TASK_QUEUE_PASSIVE);
	found = enumerator->enumerate(enumerator, &task);
	enumerator->destroy(enumerator);
	return found;
}

/*
 * A response that can be completed by now goes first: what the IKE_SA is wanted for may be about
 * what it grants, as gcksd has answered before it asked for that.  Adopts the IKE_SA.
 */
static ike_sa_t *complete(ike_sa_t *ike_sa)
{
	ike_sa_manager_t *manager = charon->ike_sa_manager;

	if (!ike_sa || !gsa_ike_sa_answers(ike_sa) ||
	    ike_sa->initiate(ike_sa, NULL, NULL) != DESTROY_ME)
		return ike_sa;
	manager->checkin_and_destroy(manager, ike_sa);
	return NULL;
}

METHOD(gsa_ike_sas_t, checkout, ike_sa_t *, private_gsa_ike_sas_t *this, uint32_t unique_id)
{
	ike_sa_manager_t *manager = charon->ike_sa_manager;
	uint32_t present = _present(this, unique_id);
	ike_sa_t *ike_sa;
	ike_sa_id_t *id;

	while ((id = find(this, present))) {
		ike_sa = manager->checkout(manager, id);
		id->destroy(id);
		unique_id = present;
		present = _present(this, unique_id);
		if (present == unique_id)
			return complete(ike_sa);
		/* it was rekeyed while we waited for it */
		if (ike_sa)
			manager->checkin(manager, ike_sa);
	}
	return NULL;
}

static void entry_destroy(entry_t *this)
{
	this->id->destroy(this->id);
	free(this);
}

/* With the mutex locked. */
static entry_t *get_or_add(private_gsa_ike_sas_t *this, ike_sa_t *ike_sa)
{
	const void *key = key_of(ike_sa->get_unique_id(ike_sa));
	ike_sa_id_t *id = ike_sa->get_id(ike_sa);
	entry_t *entry = this->entries->get(this->entries, key);

	if (!entry) {
		INIT(entry);
		this->entries->put(this->entries, key, entry);
	}
	/* SPIs change until it is established */
	DESTROY_IF(entry->id);
	entry->id = id->clone(id);
	return entry;
}

METHOD(gsa_ike_sas_t, claim, void, private_gsa_ike_sas_t *this, ike_sa_t *ike_sa)
{
	this->mutex->lock(this->mutex);
	get_or_add(this, ike_sa)->own = TRUE;
	this->mutex->unlock(this->mutex);
}

METHOD(gsa_ike_sas_t, is_own, bool, private_gsa_ike_sas_t *this, uint32_t unique_id)
{
	entry_t *entry;
	bool own;

	this->mutex->lock(this->mutex);
	entry = this->entries->get(this->entries, key_of(resolve(this, unique_id)));
	own = entry && entry->own;
	this->mutex->unlock(this->mutex);
	return own;
}

static void forget(private_gsa_ike_sas_t *this, ike_sa_t *ike_sa)
{
	entry_t *entry;

	this->mutex->lock(this->mutex);
	entry = this->entries->remove(this->entries, key_of(ike_sa->get_unique_id(ike_sa)));
	this->mutex->unlock(this->mutex);
	if (entry)
		entry_destroy(entry);
}

METHOD(listener_t, ike_state_change, bool, ike_sas_listener_t *listener, ike_sa_t *ike_sa,
       ike_sa_state_t state)
{
	private_gsa_ike_sas_t *this = listener->ike_sas;
	ike_sa_id_t *id = ike_sa->get_id(ike_sa);

	if (state == IKE_DESTROYING) {
		forget(this, ike_sa);
		return TRUE;
	}
	/* those of peers that never authenticate are of no interest */
	if (state == IKE_ESTABLISHED || id->is_initiator(id)) {
		this->mutex->lock(this->mutex);
		get_or_add(this, ike_sa);
		this->mutex->unlock(this->mutex);
	}
	return TRUE;
}

METHOD(listener_t, ike_rekey, bool, ike_sas_listener_t *listener, ike_sa_t *old, ike_sa_t *new)
{
	private_gsa_ike_sas_t *this = listener->ike_sas;

	this->mutex->lock(this->mutex);
	get_or_add(this, new)->own = get_or_add(this, old)->own;
	this->moved[this->moves % MOVED_KEPT].from = old->get_unique_id(old);
	this->moved[this->moves++ % MOVED_KEPT].to = new->get_unique_id(new);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

CALLBACK(destroy_entry, void, entry_t *entry, const void *key)
{
	entry_destroy(entry);
}

METHOD(gsa_ike_sas_t, destroy, void, private_gsa_ike_sas_t *this)
{
	charon->bus->remove_listener(charon->bus, &this->listener.public);
	this->entries->destroy_function(this->entries, destroy_entry);
	this->mutex->destroy(this->mutex);
	free(this);
}

gsa_ike_sas_t *gsa_ike_sas_create(void)
{
	private_gsa_ike_sas_t *this;

	INIT(this,
		.public = {
			.present = _present,
			.checkout = _checkout,
			.claim = _claim,
			.is_own = _is_own,
			.destroy = _destroy,
		},
		.listener = {
			.public = {
				.ike_state_change = _ike_state_change,
				.ike_rekey = _ike_rekey,
			},
		},
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.entries = hashtable_create(hashtable_hash_ptr, hashtable_equals_ptr, 64),
	);
	this->listener.ike_sas = this;
	charon->bus->add_listener(charon->bus, &this->listener.public);
	return &this->public;
}
