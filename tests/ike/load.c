// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ike_load: many members at one key server.
 *
 *   ike_load --server ADDRESS --identity FORMAT --server-identity ID --secret SECRET
 *            [--group NAME [--sender] [--gsa-auth]] [--count N] [--in-flight N] [--first N] [--stay]
 *
 * FORMAT has one %u, the member's number.  Without --group they only authenticate (childless
 * IKE_AUTH); with --gsa-auth they register in the same exchange.  So many members at a time begin; when all are there, or were refused, a JSON object
 * says how long it took.  With --stay they go on answering the key server, and for each line of
 * standard input a JSON object says what there was since the line before; it ends with the input.
 */
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/ike/ike.h"

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
};

static struct {
	struct ike_config config;
	const char *server, *port, *identity;
	unsigned int count, in_flight, first;
	bool stay;
} options = { .port = "500", .count = 100, .in_flight = 16 };

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

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void transmit(const uint8_t *packet, size_t length)
{
	while (send(udp, packet, length, 0) < 0) {
		if (errno == EINTR || errno == ECONNREFUSED)
			continue;
		perror("ike_load: send");
		exit(2);
	}
	seen.octets_out += length;
	seen.packets_out++;
}

static void request(struct member *member)
{
	member->sent = now_s();
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
	/* the format is the operator's, of one number (checked at the start) */
	snprintf(member->identity, sizeof(member->identity), options.identity,
		 options.first + started);
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
	struct ike_config config = options.config;

	config.identity = member->identity;
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
		} else {
			finish(member);
		}
		break;
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
	seen.last_rekey = now_s();
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
	double now = now_s();

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
	seen.began = now_s();
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
		report(now_s() - seen.began);
	}
}

/* ---- start ---- */

static void open_socket(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST }, *found;
	int size = 16 << 20;

	if (!options.server || getaddrinfo(options.server, options.port, &hints, &found) != 0) {
		fprintf(stderr, "ike_load: --server %s: not an address\n", options.server ?: "");
		exit(2);
	}
	udp = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp < 0 || connect(udp, found->ai_addr, found->ai_addrlen) < 0) {
		perror("ike_load: socket");
		exit(2);
	}
	setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	freeaddrinfo(found);
}

static unsigned int number(const char *name, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > 1000000) {
		fprintf(stderr, "ike_load: --%s %s: a number up to 1000000\n", name, text);
		exit(2);
	}
	return (unsigned int)value;
}

/* One %u and no other conversion. */
static void check_format(const char *format)
{
	const char *percent = format ? strchr(format, '%') : NULL;

	if (percent && percent[1] == 'u' && !strchr(percent + 1, '%'))
		return;
	fprintf(stderr, "ike_load: --identity needs one %%u\n");
	exit(2);
}

static void read_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "server", required_argument, NULL, 's' },
		{ "port", required_argument, NULL, 'p' },
		{ "identity", required_argument, NULL, 'i' },
		{ "server-identity", required_argument, NULL, 'r' },
		{ "secret", required_argument, NULL, 'k' },
		{ "group", required_argument, NULL, 'g' },
		{ "sender", no_argument, NULL, 'S' },
		{ "gsa-auth", no_argument, NULL, 'A' },
		{ "count", required_argument, NULL, 'n' },
		{ "in-flight", required_argument, NULL, 'f' },
		{ "first", required_argument, NULL, '1' },
		{ "stay", no_argument, NULL, 'y' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 's': options.server = optarg; break;
		case 'p': options.port = optarg; break;
		case 'i': options.identity = optarg; break;
		case 'r': options.config.server_identity = optarg; break;
		case 'k': options.config.secret = optarg; break;
		case 'g': options.config.group = optarg; break;
		case 'S': options.config.sender = true; break;
		case 'A': options.config.gsa_auth = true; break;
		case 'n': options.count = number("count", optarg); break;
		case 'f': options.in_flight = number("in-flight", optarg); break;
		case '1': options.first = number("first", optarg); break;
		case 'y': options.stay = true; break;
		default: exit(2);
		}
	}
	check_format(options.identity);
	if (options.config.gsa_auth && !options.config.group) {
		fprintf(stderr, "ike_load: --gsa-auth needs --group\n");
		exit(2);
	}
	if (optind != argc || !options.config.server_identity || !options.config.secret) {
		fprintf(stderr, "ike_load: --server-identity and --secret are needed\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct pollfd fd = { .events = POLLIN };

	read_options(argc, argv);
	open_socket();
	fd.fd = udp;
	ike_random(run, sizeof(run));
	members = calloc(options.count, sizeof(*members));
	if (!members)
		return 2;
	seen.began = now_s();
	while (started < options.count && started < options.in_flight)
		start();
	while (finished < options.count) {
		if (poll(&fd, 1, WAIT_MS) < 0 && errno != EINTR)
			return 2;
		receive();
		retransmit();
	}
	report(now_s() - seen.began);
	if (options.stay)
		stay();
	return refused || lost ? 1 : 0;
}
