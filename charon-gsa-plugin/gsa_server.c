// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Key server: the registrations that this charon holds, one for each IKE_SA and group.
 *
 *   add() -> held -> left(), IKE_SA down -> gone, RegistrationEnded tells gcksd
 *              |  \-> IKE_SA rekeyed -> held, IkeSaRekeyed tells gcksd
 *              \-> EndRegistration of gcksd -> ending -> Deletes sent -> gone
 *
 * Listeners run under the bus's mutex, so this mutex comes after it: nothing of charon is
 * called with it locked, except the log and the socket.
 */
#include "charon-gsa-plugin/gsa.h"

#include <collections/hashtable.h>
#include <collections/linked_list.h>
#include <threading/mutex.h>

/* A member gets one with each registration; the newest tell the most. */
#define SENDER_IDS_KEPT 64

typedef struct {
	Gsa__Peer *peer;
	uint32_t group;
	chunk_t name;
	/* what was given, for gcksd: its store may be older than what members know */
	uint32_t spi[GSA_DATA_SA_MAX];
	size_t spi_count;
	uint32_t sender_id[SENDER_IDS_KEPT]; /* oldest first */
	size_t sender_id_count;
	bool ending; /* gcksd ended it, the Deletes are not sent yet */
	bool close;  /* and the IKE_SA with it */
} registration_t;

typedef struct private_gsa_server_t private_gsa_server_t;

typedef struct {
	listener_t public;
	private_gsa_server_t *server;
} server_listener_t;

struct private_gsa_server_t {
	gsa_server_t public;
	server_listener_t listener;
	mutex_t *mutex;
	hashtable_t *ike_sas; /* unique id -> linked_list_t of its registrations, never empty */
};

static void registration_destroy(registration_t *this)
{
	gsa__peer__free_unpacked(this->peer, NULL);
	chunk_free(&this->name);
	free(this);
}

static Gsa__Peer *peer_clone(const Gsa__Peer *peer)
{
	size_t length = gsa__peer__get_packed_size(peer);
	uint8_t *packed = malloc(length);
	Gsa__Peer *clone;

	gsa__peer__pack(peer, packed);
	clone = gsa__peer__unpack(NULL, length, packed);
	free(packed);
	return clone;
}

/* Messages; with the mutex locked, so that they leave in the order of the events. */

static void send_registration(const registration_t *registration)
{
	Gsa__Registration body = GSA__REGISTRATION__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	body.peer = registration->peer;
	body.group = registration->group;
	body.spi = (uint32_t *)registration->spi;
	body.n_spi = registration->spi_count;
	body.sender_id = (uint32_t *)registration->sender_id;
	body.n_sender_id = registration->sender_id_count;
	message.body_case = GSA__MESSAGE__BODY_REGISTRATION;
	message.registration = &body;
	gsa.local->send(gsa.local, &message);
}

static void send_ended(uint32_t ike_sa, uint32_t group, Gsa__EndReason reason, const char *text)
{
	Gsa__RegistrationEnded body = GSA__REGISTRATION_ENDED__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	body.ike_sa = ike_sa;
	body.group = group;
	body.reason = reason;
	body.text = (char *)text;
	message.body_case = GSA__MESSAGE__BODY_REGISTRATION_ENDED;
	message.registration_ended = &body;
	gsa.local->send(gsa.local, &message);
}

static void send_rekeyed(uint32_t old, uint32_t new)
{
	Gsa__IkeSaRekeyed body = GSA__IKE_SA_REKEYED__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	body.old_ike_sa = old;
	body.new_ike_sa = new;
	message.body_case = GSA__MESSAGE__BODY_IKE_SA_REKEYED;
	message.ike_sa_rekeyed = &body;
	gsa.local->send(gsa.local, &message);
}

/* The table */

static const void *key_of(uint32_t ike_sa)
{
	return (const void *)(uintptr_t)ike_sa;
}

/* The registrations of an IKE_SA. */
static enumerator_t *create_enumerator(private_gsa_server_t *this, uint32_t ike_sa)
{
	linked_list_t *list = this->ike_sas->get(this->ike_sas, key_of(ike_sa));

	return list ? list->create_enumerator(list) : enumerator_create_empty();
}

static void insert(private_gsa_server_t *this, registration_t *registration)
{
	const void *key = key_of(registration->peer->ike_sa);
	linked_list_t *list = this->ike_sas->get(this->ike_sas, key);

	if (!list) {
		list = linked_list_create();
		this->ike_sas->put(this->ike_sas, key, list);
	}
	list->insert_last(list, registration);
}

/* Not while an enumerator is at it. */
static void take_out(private_gsa_server_t *this, registration_t *registration)
{
	const void *key = key_of(registration->peer->ike_sa);
	linked_list_t *list = this->ike_sas->get(this->ike_sas, key);

	list->remove(list, registration, NULL);
	if (!list->get_count(list)) {
		this->ike_sas->remove(this->ike_sas, key);
		list->destroy(list);
	}
}

static registration_t *find(private_gsa_server_t *this, uint32_t ike_sa, uint32_t group)
{
	enumerator_t *enumerator = create_enumerator(this, ike_sa);
	registration_t *current, *found = NULL;

	while (!found && enumerator->enumerate(enumerator, &current))
		if (current->group == group)
			found = current;
	enumerator->destroy(enumerator);
	return found;
}

/* The group of that name; without a name the first of the IKE_SA. */
static registration_t *find_name(private_gsa_server_t *this, uint32_t ike_sa, chunk_t name)
{
	enumerator_t *enumerator = create_enumerator(this, ike_sa);
	registration_t *current, *found = NULL;

	while (!found && enumerator->enumerate(enumerator, &current))
		if (!name.len || chunk_equals(current->name, name))
			found = current;
	enumerator->destroy(enumerator);
	return found;
}

static size_t count_of(private_gsa_server_t *this, uint32_t ike_sa, bool with_ending)
{
	enumerator_t *enumerator = create_enumerator(this, ike_sa);
	registration_t *current;
	size_t number = 0;

	while (enumerator->enumerate(enumerator, &current))
		if (with_ending || !current->ending)
			number++;
	enumerator->destroy(enumerator);
	return number;
}

METHOD(gsa_server_t, count, size_t, private_gsa_server_t *this, uint32_t ike_sa)
{
	size_t number;

	this->mutex->lock(this->mutex);
	number = count_of(this, ike_sa, FALSE);
	this->mutex->unlock(this->mutex);
	return number;
}

METHOD(gsa_server_t, with_certificate, size_t, private_gsa_server_t *this, uint32_t **ids)
{
	enumerator_t *enumerator;
	registration_t *first;
	linked_list_t *list;
	size_t number = 0;
	const void *key;

	this->mutex->lock(this->mutex);
	*ids = calloc(this->ike_sas->get_count(this->ike_sas), sizeof(**ids));
	enumerator = this->ike_sas->create_enumerator(this->ike_sas);
	while (*ids && enumerator->enumerate(enumerator, &key, &list)) {
		list->get_first(list, (void **)&first);
		if (first->peer->credential == GSA__CREDENTIAL__CREDENTIAL_CERTIFICATE)
			(*ids)[number++] = first->peer->ike_sa;
	}
	enumerator->destroy(enumerator);
	this->mutex->unlock(this->mutex);
	return number;
}

METHOD(gsa_server_t, repeat, void, private_gsa_server_t *this)
{
	enumerator_t *ike_sas, *enumerator;
	registration_t *current;
	linked_list_t *list;
	const void *key;

	this->mutex->lock(this->mutex);
	ike_sas = this->ike_sas->create_enumerator(this->ike_sas);
	while (ike_sas->enumerate(ike_sas, &key, &list)) {
		enumerator = list->create_enumerator(list);
		while (enumerator->enumerate(enumerator, &current))
			if (!current->ending)
				send_registration(current);
		enumerator->destroy(enumerator);
	}
	ike_sas->destroy(ike_sas);
	this->mutex->unlock(this->mutex);
}

static void set_given(registration_t *registration, const gsa_given_t *given)
{
	registration->spi_count = given->spi_count;
	memcpy(registration->spi, given->spi, sizeof(given->spi));
	for (size_t i = 0; i < given->sender_id_count; i++) {
		if (registration->sender_id_count == SENDER_IDS_KEPT)
			memmove(registration->sender_id, registration->sender_id + 1,
				--registration->sender_id_count * sizeof(*registration->sender_id));
		registration->sender_id[registration->sender_id_count++] = given->sender_id[i];
	}
}

METHOD(gsa_server_t, add, void, private_gsa_server_t *this, const Gsa__Peer *peer, uint32_t group,
       chunk_t group_name, const gsa_given_t *given)
{
	char name_text[GSA_GROUP_TEXT];
	registration_t *registration;

	this->mutex->lock(this->mutex);
	registration = find(this, peer->ike_sa, group);
	if (registration) {
		registration->ending = FALSE;
	} else {
		INIT(registration,
			.peer = peer_clone(peer),
			.group = group,
			.name = chunk_clone(group_name),
		);
		insert(this, registration);
	}
	set_given(registration, given);
	this->mutex->unlock(this->mutex);
	DBG1(DBG_IKE, "gsa: %s registered with group %s over IKE_SA %s[%u]", peer->identity,
	     gsa_group_text(group_name, name_text), peer->connection, peer->ike_sa);
}

METHOD(gsa_server_t, rekeyed, void, private_gsa_server_t *this, uint32_t ike_sa, uint32_t group,
       const gsa_given_t *given)
{
	registration_t *registration;

	this->mutex->lock(this->mutex);
	registration = find(this, ike_sa, group);
	if (registration)
		set_given(registration, given);
	this->mutex->unlock(this->mutex);
}

/* IDg is sent when the IKE_SA carries more than one group. */
static chunk_t wire_name(private_gsa_server_t *this, const registration_t *registration)
{
	return count_of(this, registration->peer->ike_sa, TRUE) > 1 ? chunk_clone(registration->name)
								    : chunk_empty;
}

METHOD(gsa_server_t, name, bool, private_gsa_server_t *this, uint32_t ike_sa, uint32_t group,
       chunk_t *name)
{
	registration_t *registration;

	this->mutex->lock(this->mutex);
	registration = find(this, ike_sa, group);
	if (registration)
		*name = wire_name(this, registration);
	this->mutex->unlock(this->mutex);
	return registration != NULL;
}

METHOD(gsa_server_t, left, void, private_gsa_server_t *this, uint32_t ike_sa, chunk_t group_name,
       Gsa__EndReason reason, const char *text)
{
	char name_text[GSA_GROUP_TEXT];
	registration_t *current;
	bool found = FALSE;

	this->mutex->lock(this->mutex);
	while ((current = find_name(this, ike_sa, group_name))) {
		found = TRUE;
		DBG1(DBG_IKE, "gsa: %s is out of group %s: %s", current->peer->identity,
		     gsa_group_text(current->name, name_text), text);
		if (!current->ending)
			send_ended(ike_sa, current->group, reason, text);
		take_out(this, current);
		registration_destroy(current);
	}
	this->mutex->unlock(this->mutex);
	if (!found)
		gsa_log_refused("IKE_SA %u wants to leave group %s, but is not registered", ike_sa,
				gsa_group_text(group_name, name_text));
}

METHOD(gsa_server_t, end, bool, private_gsa_server_t *this, uint32_t ike_sa, uint32_t group,
       bool found, const char *text, chunk_t *name)
{
	char name_text[GSA_GROUP_TEXT];
	registration_t *registration;

	this->mutex->lock(this->mutex);
	registration = find(this, ike_sa, group);
	/* one that was there and is not `ending` was granted anew since */
	if (!registration || (found && !registration->ending)) {
		this->mutex->unlock(this->mutex);
		return FALSE;
	}
	*name = wire_name(this, registration);
	DBG1(DBG_IKE, "gsa: %s is removed from group %s: %s", registration->peer->identity,
	     gsa_group_text(registration->name, name_text), text);
	take_out(this, registration);
	registration_destroy(registration);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

METHOD(gsa_server_t, handle, bool, private_gsa_server_t *this, const Gsa__Message *message)
{
	const Gsa__EndRegistration *body;
	registration_t *registration;
	uint32_t ike_sa;

	if (message->body_case != GSA__MESSAGE__BODY_END_REGISTRATION)
		return FALSE;
	body = message->end_registration;
	/* gcksd may not know yet that it was rekeyed */
	ike_sa = gsa.ike_sas->present(gsa.ike_sas, body->ike_sa);
	this->mutex->lock(this->mutex);
	registration = find(this, ike_sa, body->group);
	if (registration) {
		registration->ending = TRUE;
		registration->close = body->delete_ike_sa;
	}
	/* not found: its answer may be on the way out this moment */
	gsa_end_queue(ike_sa, body->group, registration != NULL, body->delete_ike_sa,
		  *body->reason ? body->reason : "policy");
	this->mutex->unlock(this->mutex);
	return TRUE;
}

/* Events of IKE_SAs */

static void gone(private_gsa_server_t *this, ike_sa_t *ike_sa)
{
	uint32_t id = ike_sa->get_unique_id(ike_sa);
	char name_text[GSA_GROUP_TEXT];
	registration_t *current;
	bool tell = FALSE;

	this->mutex->lock(this->mutex);
	while ((current = find_name(this, id, chunk_empty))) {
		tell |= !current->ending;
		DBG1(DBG_IKE, "gsa: registration of %s with group %s ends with its IKE_SA",
		     current->peer->identity, gsa_group_text(current->name, name_text));
		take_out(this, current);
		registration_destroy(current);
	}
	if (tell)
		send_ended(id, 0, GSA__END_REASON__END_IKE_SA_DOWN, "the IKE_SA is down");
	this->mutex->unlock(this->mutex);
}

METHOD(listener_t, ike_updown, bool, server_listener_t *this, ike_sa_t *ike_sa, bool up)
{
	if (!up)
		gone(this->server, ike_sa);
	return TRUE;
}

/* Some ends have no down event. */
METHOD(listener_t, ike_state_change, bool, server_listener_t *this, ike_sa_t *ike_sa,
       ike_sa_state_t state)
{
	if (state == IKE_DESTROYING)
		gone(this->server, ike_sa);
	return TRUE;
}

METHOD(listener_t, ike_rekey, bool, server_listener_t *listener, ike_sa_t *old, ike_sa_t *new)
{
	uint32_t old_id = old->get_unique_id(old), new_id = new->get_unique_id(new);
	private_gsa_server_t *this = listener->server;
	registration_t *current;
	bool found = FALSE;

	this->mutex->lock(this->mutex);
	while ((current = find_name(this, old_id, chunk_empty))) {
		take_out(this, current);
		current->peer->ike_sa = new_id;
		insert(this, current);
		found = TRUE;
		if (current->ending)
			gsa_end_queue(new_id, current->group, TRUE, current->close, "policy");
	}
	if (found)
		send_rekeyed(old_id, new_id);
	this->mutex->unlock(this->mutex);
	return TRUE;
}

static void destroy_list(void *list, const void *key)
{
	linked_list_t *registrations = list;

	registrations->destroy_function(registrations, (void *)registration_destroy);
}

METHOD(gsa_server_t, destroy, void, private_gsa_server_t *this)
{
	charon->bus->remove_listener(charon->bus, &this->listener.public);
	this->ike_sas->destroy_function(this->ike_sas, destroy_list);
	this->mutex->destroy(this->mutex);
	free(this);
}

gsa_server_t *gsa_server_create(void)
{
	private_gsa_server_t *this;

	INIT(this,
		.public = {
			.repeat = _repeat,
			.handle = _handle,
			.add = _add,
			.rekeyed = _rekeyed,
			.name = _name,
			.left = _left,
			.end = _end,
			.count = _count,
			.with_certificate = _with_certificate,
			.destroy = _destroy,
		},
		.listener = {
			.public = {
				.ike_state_change = _ike_state_change,
				.ike_updown = _ike_updown,
				.ike_rekey = _ike_rekey,
			},
		},
		.mutex = mutex_create(MUTEX_TYPE_DEFAULT),
		.ike_sas = hashtable_create(hashtable_hash_ptr, hashtable_equals_ptr, 64),
	);
	this->listener.server = this;
	charon->bus->add_listener(charon->bus, &this->listener.public);
	return &this->public;
}
