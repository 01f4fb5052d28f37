// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ike_load: many members at one key server.
 *
 *   ike_load --server ADDRESS --identity FORMAT --server-identity ID --secret SECRET
 *            [--ca FILE --ca-key FILE] [--port N] [--group NAME [--sender] [--gsa-auth]] [--probe]
 *            [--count N] [--in-flight N] [--first N] [--stay]
 *
 * FORMAT has one %u, the member's number.  Without --group they only authenticate (childless
 * IKE_AUTH), and with --probe send an empty INFORMATIONAL; with --gsa-auth they register in the same
 * exchange.  With --ca each has a certificate of that CA in place of the secret.  So many members at a time begin;
 * when all are there, or were refused, a JSON object says how long it took.  With --stay they go on
 * answering the key server, and for each line of standard input a JSON object says what there was
 * since the line before; it ends with the input.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/ike/program.h"

#define RETRANSMIT_S 2.0
#define TRIES_MAX    10
#define WAIT_MS	     100
#define ERRORS_MAX   65536

struct member {
	struct ike_sa sa;
	char identity[128];
	double sent;
	unsigned int tries;
	bool waiting, done, rekeyed;
	uint8_t *certificate;
	size_t certificate_length;
};

static struct {
	struct program_server server;
	const char *identity, *ca, *ca_key;
	unsigned int count, in_flight, first;
	bool probe, stay;
} options = { .count = 100, .in_flight = 16 };

static struct member *members;
static int udp = -1;
static uint8_t run[4]; /* of all SPIs of this process */
static unsigned int started, finished, refused, lost;

/* since the last report */
static struct {
	uint64_t octets_in, octets_out, packets_in, packets_out, retransmitted;
	unsigned int rekeyed, repeated;
	double began, first_rekey, last_rekey;
} seen;

static void transmit(const uint8_t *packet, size_t length)
{
	while (send(udp, packet, length, 0) < 0) {
		if (errno == EINTR || errno == ECONNREFUSED)
			continue;
		program_fail("send: %s", strerror(errno));
	}
	seen.octets_out += length;
	seen.packets_out++;
}

static void request(struct member *member)
{
	member->sent = program_now_s();
	member->tries = 1;
	member->waiting = true;
	transmit(member->sa.request, member->sa.request_length);
}

static void start(void)
{
	struct member *member = &members[started];
	uint8_t spi[8];

	memcpy(spi, run, 4);
	for (int i = 0; i < 4; i++)
		spi[4 + i] = (uint8_t)(started >> (24 - 8 * i));
	started++;
	ike_start(&member->sa, spi);
	request(member);
}

static void finish(struct member *member)
{
	member->done = true;
	finished++;
	if (started < options.count)
		start();
}

static void advance(struct member *member)
{
	struct ike_config config = options.server.config;

	config.identity = member->identity;
	config.certificate = member->certificate;
	config.certificate_length = member->certificate_length;
	member->waiting = false;
	switch (member->sa.state) {
	case IKE_INIT_DONE:
		ike_authenticate(&member->sa, &config);
		request(member);
		break;
	case IKE_UP:
		if (config.group) {
			ike_register(&member->sa, &config);
			request(member);
		} else if (options.probe) {
			ike_probe(&member->sa);
			request(member);
		} else {
			finish(member);
		}
		break;
	case IKE_PROBED:
	case IKE_REGISTERED:
		finish(member);
		break;
	default:
		refused++;
		finish(member);
	}
}

static void asked(struct member *member, const struct ike_message *message)
{
	transmit(member->sa.answer, member->sa.answer_length);
	if (message->exchange != GSA_INBAND_REKEY)
		return;
	seen.last_rekey = program_now_s();
	if (!seen.rekeyed)
		seen.first_rekey = seen.last_rekey;
	seen.rekeyed += !member->rekeyed;
	member->rekeyed = true;
}

static void take(const uint8_t *packet, size_t length)
{
	static uint8_t plain[IKE_MESSAGE];
	struct ike_message message;
	struct member *member;
	uint32_t index;

	seen.octets_in += length;
	seen.packets_in++;
	if (length < IKE_HEADER || memcmp(packet, run, sizeof(run)) != 0)
		return;
	index = (uint32_t)packet[4] << 24 | packet[5] << 16 | packet[6] << 8 | packet[7];
	if (index >= started)
		return;
	member = &members[index];
	switch (ike_take(&member->sa, packet, length, plain, &message)) {
	case IKE_PROGRESS:
		advance(member);
		break;
	case IKE_ASKED:
		asked(member, &message);
		break;
	case IKE_ASKED_AGAIN:
		transmit(member->sa.answer, member->sa.answer_length);
		seen.repeated++;
		break;
	default:
		break;
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

static void retransmit(void)
{
	static double looked;
	double now = program_now_s();

	if (now - looked < 0.1)
		return;
	looked = now;
	for (unsigned int i = 0; i < started; i++) {
		struct member *member = &members[i];

		if (!member->waiting || now - member->sent < RETRANSMIT_S)
			continue;
		if (member->tries++ == TRIES_MAX) {
			member->waiting = false;
			lost++;
			finish(member);
			continue;
		}
		member->sent = now;
		seen.retransmitted++;
		transmit(member->sa.request, member->sa.request_length);
	}
}

static void report(double seconds)
{
	printf("{\"seconds\": %.4f, \"members\": %u, \"refused\": %u, \"unanswered\": %u, "
	       "\"retransmitted\": %llu, \"octets_in\": %llu, \"octets_out\": %llu, "
	       "\"packets_in\": %llu, \"packets_out\": %llu, \"rekeyed\": %u, \"asked_again\": %u, "
	       "\"first_rekey\": %.4f, \"last_rekey\": %.4f}\n",
	       seconds, finished - refused - lost, refused, lost,
	       (unsigned long long)seen.retransmitted, (unsigned long long)seen.octets_in,
	       (unsigned long long)seen.octets_out, (unsigned long long)seen.packets_in,
	       (unsigned long long)seen.packets_out, seen.rekeyed, seen.repeated,
	       seen.rekeyed ? seen.first_rekey - seen.began : 0,
	       seen.rekeyed ? seen.last_rekey - seen.began : 0);
	fflush(stdout);
	memset(&seen, 0, sizeof(seen));
	seen.began = program_now_s();
	for (unsigned int i = 0; i < started; i++)
		members[i].rekeyed = false;
}

static void stay(void)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = udp, .events = POLLIN } };
	char line[256];

	for (;;) {
		if (poll(fds, 2, WAIT_MS) < 0 && errno != EINTR)
			return;
		receive();
		if (!fds[0].revents)
			continue;
		if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
			return;
		report(program_now_s() - seen.began);
	}
}

static void read_options(int argc, char **argv)
{
	const struct program_option own[] = {
		{ "identity", PROGRAM_NEEDED, { .text = &options.identity } },
		{ "sender", PROGRAM_FLAG, { .flag = &options.server.config.sender } },
		{ "gsa-auth", PROGRAM_FLAG, { .flag = &options.server.config.gsa_auth } },
		{ "count", PROGRAM_NUMBER, { .number = &options.count } },
		{ "in-flight", PROGRAM_NUMBER, { .number = &options.in_flight } },
		{ "first", PROGRAM_NUMBER, { .number = &options.first } },
		{ "stay", PROGRAM_FLAG, { .flag = &options.stay } },
		{ "probe", PROGRAM_FLAG, { .flag = &options.probe } },
		{ "ca", PROGRAM_TEXT, { .text = &options.ca } },
		{ "ca-key", PROGRAM_TEXT, { .text = &options.ca_key } },
	};

	program_options(argc, argv, &options.server, own, sizeof(own) / sizeof(*own));
	program_check_format("identity", options.identity);
	if (options.server.config.gsa_auth && !options.server.config.group)
		program_fail("--gsa-auth needs --group");
	if (!options.ca != !options.ca_key || !options.ca == !options.server.config.secret)
		program_fail("either --secret or --ca and --ca-key");
}

/* Before the time is taken. */
static void make_members(void)
{
	members = calloc(options.count, sizeof(*members));
	if (!members)
		program_fail("no memory");
	if (options.ca)
		ike_certificates_open(options.ca, options.ca_key);
	for (unsigned int i = 0; i < options.count; i++) {
		struct member *member = &members[i];

		/* the format is the operator's, of one number (checked at the start) */
		snprintf(member->identity, sizeof(member->identity), options.identity,
			 options.first + i);
		if (options.ca)
			member->certificate = ike_certificate(member->identity,
							      &member->certificate_length);
	}
}

int main(int argc, char **argv)
{
	struct pollfd fd = { .events = POLLIN };

	read_options(argc, argv);
	udp = program_socket(&options.server);
	fd.fd = udp;
	ike_random(run, sizeof(run));
	make_members();
	seen.began = program_now_s();
	while (started < options.count && started < options.in_flight)
		start();
	while (finished < options.count) {
		if (poll(&fd, 1, WAIT_MS) < 0 && errno != EINTR)
			return 2;
		receive();
		retransmit();
	}
	report(program_now_s() - seen.began);
	if (options.stay)
		stay();
	return refused || lost ? 1 : 0;
}
