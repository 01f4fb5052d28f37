// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ike_hold: one IKE_SA that lives, over which the same is asked again and again.
 *
 *   ike_hold --server ADDRESS --identity NAME --server-identity ID --secret SECRET --group NAME
 *            --kind KIND [--rounds N]
 *
 *   registrations  the member registers as a sender, again
 *   refused        it asks for a group that does not exist
 *   fragments      first fragments with payloads beside what is protected, of a message that
 *                  never becomes complete and begins anew
 *   half-open      the same, before it has authenticated
 *
 * For each line of standard input it does that N times and prints a line; it ends with the input.
 * What the key server holds for the IKE_SA may not depend on how often.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/ike/program.h"

#define ANSWER_S     1.0
#define TRIES_MAX    20
#define PAUSE_US     1000 /* between packets that nothing answers */
#define CLEAR_OCTETS 2500
#define UNKNOWN	     200 /* payload type, not critical */
#define TOO_MANY     256 /* fragments */

static struct {
	struct program_server server;
	const char *identity, *kind;
	unsigned int rounds;
} options = { .rounds = 100 };

static struct ike_sa sa;
static int udp = -1;

static void transmit(const uint8_t *packet, size_t length)
{
	if (send(udp, packet, length, 0) < 0 && errno != ECONNREFUSED)
		program_fail("send: %s", strerror(errno));
}

static bool take(void)
{
	static uint8_t packet[IKE_MESSAGE], plain[IKE_MESSAGE];
	ssize_t length = recv(udp, packet, sizeof(packet), MSG_DONTWAIT);
	struct ike_message message;

	if (length < 0)
		return false;
	switch (ike_take(&sa, packet, (size_t)length, plain, &message)) {
	case IKE_ASKED:
	case IKE_ASKED_AGAIN:
		transmit(sa.answer, sa.answer_length);
		return false;
	case IKE_PROGRESS:
		return true;
	default:
		return false;
	}
}

/* Sends `sa.request` until it is answered. */
static void ask(void)
{
	struct pollfd fd = { .fd = udp, .events = POLLIN };

	for (int tries = 0; tries < TRIES_MAX; tries++) {
		double until = program_now_s() + ANSWER_S;

		transmit(sa.request, sa.request_length);
		while (program_now_s() < until) {
			poll(&fd, 1, 50);
			if (take())
				return;
		}
	}
	program_fail("a request is not answered");
}

static void set_up(bool authenticate)
{
	uint8_t spi[8];

	ike_random(spi, sizeof(spi));
	ike_start(&sa, spi);
	ask();
	if (sa.state == IKE_INIT_DONE && authenticate) {
		ike_authenticate(&sa, &options.server.config);
		ask();
	}
	if (sa.state != (authenticate ? IKE_UP : IKE_INIT_DONE))
		program_fail("no IKE_SA, error %u", sa.error);
}

static void registration(const char *group)
{
	struct ike_config config = options.server.config;

	config.group = group;
	config.sender = true;
	ike_register(&sa, &config);
	ask();
	if ((sa.state == IKE_REGISTERED) != (group == options.server.config.group))
		program_fail("group %s: state %d, error %u", group, sa.state, sa.error);
}

static void fragment(uint8_t exchange, uint16_t number, uint16_t total,
		     const struct ike_chain *clear)
{
	uint8_t packet[IKE_PACKET + 128];

	transmit(packet,
		 ike_protect_fragment(
			 &sa, exchange, FLAG_INITIATOR, sa.id,
			 &(struct ike_fragment){ .number = number, .total = total, .clear = clear },
			 packet));
	usleep(PAUSE_US);
	take();
}

static void fragments(uint8_t exchange)
{
	static const uint8_t body[CLEAR_OCTETS];
	struct ike_chain clear = { 0 };

	ike_chain_add(&clear, UNKNOWN, body, sizeof(body));
	fragment(exchange, 1, 2, &clear);
	fragment(exchange, 1, 3, &clear);
	fragment(exchange, 2, TOO_MANY, NULL);
}

static void round_once(void)
{
	if (strcmp(options.kind, "registrations") == 0)
		registration(options.server.config.group);
	else if (strcmp(options.kind, "refused") == 0)
		registration("another");
	else
		fragments(sa.state == IKE_UP ? GSA_REGISTRATION : IKE_AUTH);
}

int main(int argc, char **argv)
{
	const struct program_option own[] = {
		{ "identity", PROGRAM_NEEDED, { .text = &options.identity } },
		{ "kind", PROGRAM_NEEDED, { .text = &options.kind } },
		{ "rounds", PROGRAM_NUMBER, { .number = &options.rounds } },
	};
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	char line[256];

	program_options(argc, argv, &options.server, own, sizeof(own) / sizeof(*own));
	if (!options.server.config.group || !options.server.config.secret)
		program_fail("--group and --secret are needed");
	options.server.config.identity = options.identity;
	udp = program_socket(&options.server);
	fds[1].fd = udp;
	set_up(strcmp(options.kind, "half-open") != 0);
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 2;
		if (fds[1].revents)
			take();
		if (!fds[0].revents)
			continue;
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			return sa.state == IKE_CLOSED;
		for (unsigned int i = 0; i < options.rounds; i++)
			round_once();
		puts("done");
		fflush(stdout);
	}
}
