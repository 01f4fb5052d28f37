// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * States and policies that gcksd asks for, through charon's kernel interface: the messages.
 *
 * They belong to gcksd, not to this process: nothing is removed when the plugin or charon
 * ends, however that happens, so that traffic stays protected or blocked meanwhile.  What an
 * earlier charon installed is taken over or removed as if it was ours.
 *
 * Runs in one thread (the one that handles gcksd's messages): no locks.  What the kernel tells of
 * states that others end is looked at there as well.
 */
#include "charon-gsa-plugin/gsa_kernel.h"

typedef struct {
	gsa_kernel_t public;
	gsa_states_t *states;
	gsa_policies_t *policies;
	gsa_events_t *events;
} private_gsa_kernel_t;

host_t *gsa_kernel_host(const ProtobufCBinaryData *bytes)
{
	if (bytes->len != 4 && bytes->len != 16)
		return NULL;
	return host_create_from_chunk(bytes->len == 4 ? AF_INET : AF_INET6,
				      chunk_create(bytes->data, bytes->len), 0);
}

static void send_installed(uint32_t id, const gsa_installed_t *result)
{
	Gsa__Installed body = GSA__INSTALLED__INIT;
	Gsa__Message message = GSA__MESSAGE__INIT;

	/* no answer is wanted */
	if (!id)
		return;
	body.id = id;
	body.ok = result->ok;
	body.gone = result->gone;
	body.conflict = result->conflict;
	body.text = (char *)result->text;
	message.body_case = GSA__MESSAGE__BODY_INSTALLED;
	message.installed = &body;
	gsa.local->send(gsa.local, &message);
}

/* reason: NULL if it is done */
static void answer(uint32_t id, const char *reason)
{
	gsa_installed_t result = { .ok = !reason };

	snprintf(result.text, sizeof(result.text), "%s", reason ? reason : "");
	send_installed(id, &result);
}

METHOD(gsa_kernel_t, handle, bool, private_gsa_kernel_t *this, const Gsa__Message *message)
{
	gsa_installed_t result = {};

	switch (message->body_case) {
	case GSA__MESSAGE__BODY_INSTALL_SA:
		gsa_states_install(this->states, message->install_sa, &result);
		send_installed(message->install_sa->id, &result);
		return TRUE;
	case GSA__MESSAGE__BODY_REMOVE_SA:
		answer(message->remove_sa->id, gsa_states_remove(this->states, message->remove_sa));
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

/* ---- states that others end ---- */

/* On its way to the thread that handles messages. */
typedef struct {
	gsa_states_t *states;
	gsa_ended_t ended;
	uint8_t address[16];
	size_t length;
} look_t;

static void look(void *data)
{
	look_t *this = data;

	if (!this->ended.all)
		this->ended.destination = host_create_from_chunk(
			this->length == 4 ? AF_INET : AF_INET6,
			chunk_create(this->address, this->length), 0);
	if (this->ended.all || this->ended.destination)
		gsa_states_look(this->states, &this->ended);
	DESTROY_IF(this->ended.destination);
	this->ended.destination = NULL;
}

CALLBACK(ended, void, private_gsa_kernel_t *this, const gsa_ended_t *ended)
{
	chunk_t address;
	look_t *later;

	INIT(later,
		.states = this->states,
		.ended = *ended,
	);
	if (!ended->all) {
		address = ended->destination->get_address(ended->destination);
		later->length = min(address.len, sizeof(later->address));
		memcpy(later->address, address.ptr, later->length);
		later->ended.destination = NULL;
	}
	gsa.local->call(gsa.local, look, later);
}

METHOD(gsa_kernel_t, destroy, void, private_gsa_kernel_t *this)
{
	gsa_events_destroy(this->events);
	gsa_states_destroy(this->states);
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
		.states = gsa_states_create(),
		.policies = gsa_policies_create(),
	);
	this->events = gsa_events_create(ended, this);
	return &this->public;
}
