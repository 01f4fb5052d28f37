// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ike_mutate: malformed and untimely messages to a live key server.
 *
 *   ike_mutate --server ADDRESS --member FORMAT --stranger FORMAT --server-identity ID
 *              --secret SECRET --group NAME [--cases N] [--in-flight N] [--seed N]
 *
 * Both formats have one %u.  Members may join the group; strangers authenticate as well as they
 * do, but may not.  What is sent, each on an IKE_SA that is set up as far as it takes:
 *
 *   garbage     any octets to the port
 *   init        a malformed IKE_SA_INIT
 *   opening     a malformed GSA_AUTH of a member
 *   half-open   registrations and others over an IKE_SA that is not authenticated, and malformed
 *               or wrong authentications (IKE_AUTH, GSA_AUTH)
 *   member      a good registration, then malformed ones
 *   stranger    good and malformed registrations of one who may not join
 *   unprotected registrations of a member in clear, with another key, or changed on the way
 *
 * What is protected is in fragments every fourth time, in order or not (fragments.c).
 *
 * Keys may only come over an authenticated IKE_SA of a member, in answer to a protected request
 * whose IDg names the group; a member's good registration has to be granted
 * (now and then a busy key server may put it off).  The group's key may
 * never be seen unwrapped.  Ends with a JSON object; status 1 if any of this does not hold.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/ike/mutation.h"
#include "tests/ike/program.h"
#include "tests/ike/scenarios.h"

#define SILENCE_S     0.15 /* what is dropped is not answered */
#define RETRANSMIT_S  1.0
#define TRIES_MAX     20
#define SILENT_MAX    4 /* in a row: the IKE_SA is gone */
#define IN_FLIGHT_MAX 1000
#define SCENARIO_MAX  24 /* messages over one IKE_SA, below 60 */

static const char *const scenario_names[] = { "garbage", "init",     "opening",	   "half_open",
					      "member",	 "stranger", "unprotected" };

static struct {
	struct program_server server;
	const char *member, *stranger;
	unsigned int cases, in_flight, seed;
} options = { .cases = 1000, .in_flight = 32, .seed = 1 };

static struct slot *slots;
static int udp = -1;
static uint32_t scenarios_begun;
static unsigned int fragmented, fragmented_answered;
static unsigned int cases[SCENARIOS], answered, granted, members_served, busy, failures, total;
static uint8_t group_key[256];
static size_t group_key_length;

static void failed(const struct slot *slot, const char *what)
{
	failures++;
	if (failures <= 20)
		fprintf(stderr, "ike_mutate: seed %u, case %u, %s of %s: %s\n", options.seed, total,
			scenario_names[slot->scenario], slot->identity, what);
}

void mutate_transmit(const uint8_t *packet, size_t length)
{
	/* a packet that is too long for UDP, or an ICMP error of an earlier one, is no failure */
	(void)!send(udp, packet, length, 0);
}

static void send_request(struct slot *slot)
{
	slot->sent = program_now_s();
	mutate_transmit(slot->sa.request, slot->sa.request_length);
}

/* ---- scenarios ---- */

static void begin(struct slot *slot)
{
	uint8_t spi[8];
	bool stranger;

	ike_free(&slot->sa);
	slot->scenario = (enum scenario)mutation_number(SCENARIOS);
	slot->left = slot->scenario == INIT ? 1 : 1 + mutation_number(SCENARIO_MAX);
	slot->silent = 0;
	slot->tries = 1;
	slot->entitled = 0;
	slot->phase = SETUP;
	stranger =
		slot->scenario == STRANGER || (slot->scenario == HALF_OPEN && mutation_number(2));
	slot->may_join = !stranger;
	snprintf(slot->identity, sizeof(slot->identity),
		 stranger ? options.stranger : options.member, (unsigned int)(slot - slots));
	slot->config = options.server.config;
	slot->config.identity = slot->identity;
	slot->config.sender = mutation_number(2);
	ike_random(spi, sizeof(spi));
	spi[0] = spi[1] = 0xfe; /* of this program; then whose */
	spi[2] = (uint8_t)((slot - slots) >> 8);
	spi[3] = (uint8_t)(slot - slots);
	scenarios_begun++;
	ike_start(&slot->sa, spi);
	if (slot->scenario == GARBAGE || slot->scenario == INIT) {
		slot->phase = CASES;
		slot->sent = 0;
	} else {
		send_request(slot);
	}
}

static void send_case(struct slot *slot)
{
	cases[slot->scenario]++;
	total++;
	slot->left--;
	slot->sent = program_now_s();
	slot->fragmented = false;
	scenario_send(slot);
	fragmented += slot->fragmented;
}

/* The IKE_SA ends in order, so that the key server keeps nothing. */
static void close_slot(struct slot *slot)
{
	static const uint8_t body[4] = { 1 };
	static struct ike_chain chain;

	if (slot->phase == CLOSING || slot->sa.state < IKE_UP || slot->sa.state == IKE_CLOSED ||
	    slot->silent >= SILENT_MAX) {
		begin(slot);
		return;
	}
	chain.length = 0;
	ike_chain_add(&chain, PAYLOAD_DELETE, body, sizeof(body));
	slot->phase = CLOSING;
	slot->sent = program_now_s();
	scenario_send_whole(slot, INFORMATIONAL, &chain);
}

static void next_case(struct slot *slot)
{
	if (slot->left && slot->silent < SILENT_MAX && slot->sa.state != IKE_CLOSED)
		send_case(slot);
	else
		close_slot(slot);
}

/* ---- what comes ---- */

/* A member's first registration shows what the group's key is. */
static void learn_key(struct slot *slot, const struct ike_message *message)
{
	uint8_t key[32];
	struct ike_payload kd;

	if (group_key_length || !ike_find(message, PAYLOAD_KD, &kd))
		return;
	ike_prf_plus(slot->sa.d, &(struct ike_part){ "Key Wrap for G-IKEv2", 20 }, 1, key,
		     sizeof(key));
	/* where it stands does not matter here: unwrapping is authenticated */
	for (size_t at = 0; at + 24 <= kd.length && !group_key_length; at++)
		for (size_t size = 24; size <= 80 && at + size <= kd.length; size += 8) {
			group_key_length = ike_unwrap(key, kd.body + at, size, group_key);
			if (group_key_length)
				break;
		}
	if (!group_key_length)
		failed(slot, "the group's key cannot be unwrapped");
}

static void inspect(struct slot *slot, const struct ike_message *message, const uint8_t *packet,
		    size_t length)
{
	struct ike_payload found;
	bool keys = ike_find(message, PAYLOAD_KD, &found) || ike_find(message, PAYLOAD_GSA, &found);

	/* who was let in is told of rekeys too */
	bool entitled = message->flags & FLAG_RESPONSE ? scenario_is_entitled(slot, message->id)
						       : slot->entitled != 0;

	if (keys && !entitled)
		failed(slot, "keys for one who is not entitled to them");
	if (keys && !message->encrypted)
		failed(slot, "keys in clear");
	granted += keys;
	if (group_key_length &&
	    (memmem(packet, length, group_key, group_key_length) ||
	     memmem(message->payloads, message->length, group_key, group_key_length)))
		failed(slot, "the group's key is not wrapped");
}

static void set_up(struct slot *slot, const struct ike_message *message)
{
	slot->tries = 1;
	switch (slot->sa.state) {
	case IKE_INIT_DONE:
		if (slot->scenario == HALF_OPEN || slot->scenario == OPENING) {
			slot->phase = CASES;
			next_case(slot);
			return;
		}
		ike_authenticate(&slot->sa, &slot->config);
		send_request(slot);
		return;
	case IKE_UP:
		if (slot->scenario == MEMBER) {
			slot->phase = FIRST;
			scenario_entitle(slot);
			ike_register(&slot->sa, &slot->config);
			send_request(slot);
		} else {
			slot->phase = CASES;
			next_case(slot);
		}
		return;
	case IKE_REGISTERED:
		learn_key(slot, message);
		members_served++;
		slot->phase = CASES;
		next_case(slot);
		return;
	case IKE_REFUSED:
		/* gcksd did not answer in time, or could not store: a member tries again */
		if (slot->phase == FIRST && slot->sa.error == NOTIFY_REGISTRATION_FAILED) {
			busy++;
			begin(slot);
			return;
		}
		/* fall through */
	default:
		failed(slot, slot->phase == FIRST ? "a good registration is refused"
						  : "a good authentication is refused");
		begin(slot);
	}
}

static void take(const uint8_t *packet, size_t length)
{
	static uint8_t plain[IKE_MESSAGE];
	struct ike_message message;
	enum ike_event event;
	struct slot *slot;
	size_t index;

	if (length < IKE_HEADER || packet[0] != 0xfe || packet[1] != 0xfe)
		return;
	index = (size_t)packet[2] << 8 | packet[3];
	if (index >= options.in_flight)
		return;
	slot = &slots[index];
	event = ike_take(&slot->sa, packet, length, plain, &message);
	if (event == IKE_NOTHING)
		return;
	inspect(slot, &message, packet, length);
	if (event == IKE_ASKED || event == IKE_ASKED_AGAIN) {
		mutate_transmit(slot->sa.answer, slot->sa.answer_length);
	} else if (event == IKE_PROGRESS && slot->phase == CASES) {
		answered++; /* of a malformed IKE_SA_INIT, whatever it says */
		begin(slot);
	} else if (event == IKE_PROGRESS) {
		set_up(slot, &message);
	} else if (message.id == slot->sa.id && slot->phase == CLOSING && message.encrypted) {
		begin(slot);
	} else if (message.id == slot->sa.id && slot->phase == CASES && message.encrypted) {
		answered++;
		fragmented_answered += slot->fragmented;
		slot->sa.id++;
		slot->silent = 0;
		next_case(slot);
	}
}

static void receive(void)
{
	static uint8_t packet[IKE_MESSAGE];
	ssize_t length;

	while ((length = recv(udp, packet, sizeof(packet), MSG_DONTWAIT)) >= 0 ||
	       errno == ECONNREFUSED)
		if (length >= 0)
			take(packet, (size_t)length);
}

static void look_at(struct slot *slot, double now)
{
	if (slot->phase == CASES || slot->phase == CLOSING) {
		if (now - slot->sent < SILENCE_S)
			return;
		slot->silent++;
		next_case(slot);
	} else if (now - slot->sent > RETRANSMIT_S) {
		if (slot->tries++ < TRIES_MAX) {
			send_request(slot);
			return;
		}
		failed(slot, "a good request is not answered");
		begin(slot);
	}
}

/* ---- start ---- */

static void read_options(int argc, char **argv)
{
	const struct program_option own[] = {
		{ "member", PROGRAM_NEEDED, { .text = &options.member } },
		{ "stranger", PROGRAM_NEEDED, { .text = &options.stranger } },
		{ "cases", PROGRAM_NUMBER, { .number = &options.cases } },
		{ "in-flight", PROGRAM_NUMBER, { .number = &options.in_flight } },
		{ "seed", PROGRAM_NUMBER, { .number = &options.seed } },
	};

	program_options(argc, argv, &options.server, own, sizeof(own) / sizeof(*own));
	program_check_format("member", options.member);
	program_check_format("stranger", options.stranger);
	if (!options.server.config.group || !options.server.config.secret)
		program_fail("--group and --secret are needed");
	if (!options.in_flight || options.in_flight > IN_FLIGHT_MAX)
		program_fail("--in-flight: 1 to %u", IN_FLIGHT_MAX);
}

static void report(double seconds)
{
	printf("{\"cases\": %u, \"seed\": %u, \"seconds\": %.1f", total, options.seed, seconds);
	for (int i = 0; i < SCENARIOS; i++)
		printf(", \"%s\": %u", scenario_names[i], cases[i]);
	printf(", \"answered\": %u, \"granted\": %u, \"ike_sas\": %u, \"members_served\": %u, "
	       "\"fragmented\": %u, \"fragmented_answered\": %u, \"busy\": %u, \"failures\": %u}\n",
	       answered, granted, scenarios_begun, members_served, fragmented, fragmented_answered,
	       busy, failures);
}

int main(int argc, char **argv)
{
	struct pollfd fd = { .events = POLLIN };
	double began = program_now_s();

	read_options(argc, argv);
	udp = program_socket(&options.server);
	fd.fd = udp;
	mutation_seed(options.seed);
	slots = calloc(options.in_flight, sizeof(*slots));
	if (!slots)
		return 2;
	for (unsigned int i = 0; i < options.in_flight; i++)
		begin(&slots[i]);
	while (total < options.cases) {
		if (poll(&fd, 1, 20) < 0 && errno != EINTR)
			return 2;
		receive();
		for (unsigned int i = 0; i < options.in_flight; i++)
			look_at(&slots[i], program_now_s());
	}
	if (busy > 10 + members_served / 10) {
		fprintf(stderr, "ike_mutate: %u good registrations were put off, %u granted\n",
			busy, members_served);
		failures++;
	}
	report(program_now_s() - began);
	return failures ? 1 : 0;
}
