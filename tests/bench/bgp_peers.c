// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many BGP peers of one route server in one process, for `bench reflect`.
 *
 *   injector of group 0 --+            +-- 9 receivers of group 0
 *                         +-- server --+
 *   injector of group 1 --+            +-- 9 receivers of group 1
 *
 * The first peer of each group announces the group's share of the prefixes, the
 * others count what reaches them.  The clock runs from the first UPDATE until the
 * last receiver holds its last prefix; the sessions are up before, with the End-of-RIB
 * marker received (RFC 4724), so that no timer of their start is measured.  A prefix
 * of another group is an error when the server is meant to keep groups apart.
 *
 * Prints the seconds and how many prefixes the receivers got, and stays until standard
 * input ends.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libgsa/group_attr.h"

#define HEADER 19
#define MESSAGE_MAX 4096
#define PREFIXES_PER_UPDATE 100 /* each UPDATE has attributes of its own (MED) */
#define FIRST_PREFIX 0x14000000u /* 20.0.0.0/24 and on */
#define FIRST_PEER 0x0a420000u	 /* 10.66.<group>.<number> */
#define FIRST_GROUP 100

enum message { OPEN = 1, UPDATE = 2, NOTIFICATION = 3, KEEPALIVE = 4 };

struct peer {
	int fd;
	unsigned int group;
	bool injector, established, end_of_rib;
	struct in_addr address;
	uint8_t in[65536];
	size_t in_length;
	const uint8_t *out; /* borrowed: the injector's stream */
	size_t out_left;
	uint8_t *seen; /* a bit per prefix */
	unsigned int own, foreign;
};

static struct {
	struct in_addr server;
	unsigned int groups, peers_per_group, prefixes, seconds;
	uint32_t as;
	uint8_t attribute_type;
	bool separate;
} options = { .groups = 2, .peers_per_group = 10, .prefixes = 100000, .seconds = 300, .as = 65000,
	      .attribute_type = GSA_ATTR_DEFAULT_TYPE, .separate = true };

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static unsigned int prefixes_of_group(void)
{
	return options.prefixes / options.groups;
}

static uint8_t *put(uint8_t *at, uint32_t value, int octets)
{
	while (octets--)
		*at++ = value >> (8 * octets);
	return at;
}

static uint8_t *put_header(uint8_t *message, size_t length, enum message type)
{
	memset(message, 0xff, 16);
	put(message + 16, length, 2);
	message[18] = type;
	return message + length;
}

static void send_all(struct peer *peer, const uint8_t *data, size_t length)
{
	if (send(peer->fd, data, length, MSG_NOSIGNAL) != (ssize_t)length)
		err(1, "send to the server from %s", inet_ntoa(peer->address));
}

static void send_open(struct peer *peer)
{
	/*
	 * Capabilities: graceful restart, for End-of-RIB; 4-octet AS numbers, whose value
	 * follows.  IPv4 unicast is the default without one.
	 */
	static const uint8_t parameters[] = { 2, 10, 64, 2, 0, 0, 65, 4 };
	uint8_t message[HEADER + 10 + sizeof(parameters) + 4], *at = message + HEADER;

	at = put(at, 4, 1);
	at = put(at, options.as, 2);
	at = put(at, 180, 2);
	at = put(at, ntohl(peer->address.s_addr), 4);
	at = put(at, sizeof(parameters) + 4, 1);
	memcpy(at, parameters, sizeof(parameters));
	put(at + sizeof(parameters), options.as, 4);
	put_header(message, sizeof(message), OPEN);
	send_all(peer, message, sizeof(message));
}

static void send_keepalive(struct peer *peer)
{
	uint8_t message[HEADER];

	put_header(message, sizeof(message), KEEPALIVE);
	send_all(peer, message, sizeof(message));
}

/* All UPDATEs of an injector, back to back. */
static uint8_t *build_updates(const struct peer *peer, size_t *length)
{
	unsigned int count = prefixes_of_group(), first = peer->group * count;
	struct gsa_group_attr groups = { .groups = { FIRST_GROUP + peer->group }, .group_count = 1 };
	uint8_t *stream = malloc((count / PREFIXES_PER_UPDATE + 1) * MESSAGE_MAX), *message = stream;
	uint8_t value[GSA_ATTR_VALUE_MAX];
	size_t value_length;

	if (!stream)
		errx(1, "no memory for the UPDATEs");
	groups.gateway.family = AF_INET;
	groups.gateway.ipv4 = peer->address;
	value_length = gsa_group_attr_encode(&groups, value, sizeof(value));
	for (unsigned int i = 0; i < count;) {
		uint8_t *at = message + HEADER, *attributes;

		at = put(at, 0, 2);
		attributes = at += 2;
		at = put(at, 0x40010100, 4); /* ORIGIN IGP */
		at = put(at, 0x400200, 3);   /* AS_PATH, empty: iBGP */
		at = put(at, 0x400304, 3);   /* NEXT_HOP */
		at = put(at, ntohl(peer->address.s_addr), 4);
		at = put(at, 0x800404, 3); /* MED */
		at = put(at, i, 4);
		at = put(at, 0x400504, 3); /* LOCAL_PREF */
		at = put(at, 100, 4);
		at = put(at, 0xc0, 1);
		at = put(at, options.attribute_type, 1);
		at = put(at, value_length, 1);
		memcpy(at, value, value_length);
		at += value_length;
		put(attributes - 2, at - attributes, 2);
		for (unsigned int end = i + PREFIXES_PER_UPDATE; i < end && i < count; i++) {
			at = put(at, 24, 1);
			at = put(at, (FIRST_PREFIX >> 8) + first + i, 3);
		}
		message = put_header(message, at - message, UPDATE);
	}
	*length = message - stream;
	return stream;
}

static void count_prefix(struct peer *peer, uint32_t prefix)
{
	unsigned int index = (prefix >> 8) - (FIRST_PREFIX >> 8);

	if (index >= options.prefixes || peer->seen[index / 8] & (1 << index % 8))
		return;
	peer->seen[index / 8] |= 1 << index % 8;
	if (index / prefixes_of_group() == peer->group)
		peer->own++;
	else
		peer->foreign++;
}

static uint32_t get(const uint8_t *at, int octets)
{
	uint32_t value = 0;

	while (octets--)
		value = value << 8 | *at++;
	return value;
}

static void handle_update(struct peer *peer, const uint8_t *at, const uint8_t *end)
{
	if (end - at == 4 && !get(at, 4))
		peer->end_of_rib = true;
	for (int part = 0; part < 2; part++) { /* withdrawn routes, path attributes */
		if (end - at < 2 || (size_t)(end - at - 2) < get(at, 2))
			errx(1, "malformed UPDATE from the server");
		at += 2 + get(at, 2);
	}
	while (at < end) {
		unsigned int octets = (*at + 7) / 8;
		uint32_t prefix;

		if (octets > 4 || (size_t)(end - at - 1) < octets)
			errx(1, "malformed NLRI from the server");
		prefix = octets ? get(at + 1, octets) << (32 - 8 * octets) : 0;
		at += 1 + octets;
		count_prefix(peer, prefix);
	}
}

static void handle_input(struct peer *peer)
{
	ssize_t got = recv(peer->fd, peer->in + peer->in_length, sizeof(peer->in) - peer->in_length, 0);
	size_t done = 0;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
		errx(1, "the server closed the session of %s", inet_ntoa(peer->address));
	peer->in_length += got;
	while (peer->in_length - done >= HEADER) {
		const uint8_t *message = peer->in + done;
		size_t length = get(message + 16, 2);

		if (length < HEADER || length > MESSAGE_MAX)
			errx(1, "bad message length %zu from the server", length);
		if (peer->in_length - done < length)
			break;
		switch (message[18]) {
		case OPEN:
			send_keepalive(peer);
			break;
		case KEEPALIVE:
			peer->established = true;
			break;
		case UPDATE:
			handle_update(peer, message + HEADER, message + length);
			break;
		case NOTIFICATION:
			errx(1, "NOTIFICATION %u/%u for %s", message[19], message[20],
			     inet_ntoa(peer->address));
		}
		done += length;
	}
	memmove(peer->in, peer->in + done, peer->in_length - done);
	peer->in_length -= done;
}

static void handle_output(struct peer *peer)
{
	ssize_t sent = send(peer->fd, peer->out, peer->out_left, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		err(1, "send");
	if (sent > 0) {
		peer->out += sent;
		peer->out_left -= sent;
	}
}

static bool all_ready(const struct peer *peers, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (!peers[i].established || !peers[i].end_of_rib)
			return false;
	return true;
}

static bool all_received(const struct peer *peers, unsigned int count)
{
	unsigned int own = prefixes_of_group(), foreign = options.separate ? 0 : own * (options.groups - 1);

	for (unsigned int i = 0; i < count; i++)
		if (!peers[i].injector && (peers[i].own < own || peers[i].foreign < foreign))
			return false;
	return true;
}

/* Serve the sessions until `done` holds; the seconds it took. */
static double run(struct peer *peers, unsigned int count,
		  bool (*done)(const struct peer *peers, unsigned int count), const char *what)
{
	struct pollfd *fds = calloc(count, sizeof(*fds));
	double start = now_s();

	if (!fds)
		errx(1, "no memory");
	while (!done(peers, count)) {
		if (now_s() - start > options.seconds)
			errx(1, "%s: not within %u s", what, options.seconds);
		for (unsigned int i = 0; i < count; i++)
			fds[i] = (struct pollfd){ .fd = peers[i].fd,
						  .events = POLLIN | (peers[i].out_left ? POLLOUT : 0) };
		if (poll(fds, count, 1000) < 0 && errno != EINTR)
			err(1, "poll");
		for (unsigned int i = 0; i < count; i++) {
			if (fds[i].revents & (POLLIN | POLLHUP | POLLERR))
				handle_input(&peers[i]);
			if (fds[i].revents & POLLOUT)
				handle_output(&peers[i]);
		}
	}
	free(fds);
	return now_s() - start;
}

static void start_peer(struct peer *peer, unsigned int group, unsigned int number)
{
	struct sockaddr_in local = { .sin_family = AF_INET }, server = { .sin_family = AF_INET };
	int one = 1;

	*peer = (struct peer){ .group = group, .injector = number == 0 };
	peer->address.s_addr = htonl(FIRST_PEER + (group << 8) + number + 1);
	peer->seen = calloc(options.prefixes / 8 + 1, 1);
	peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!peer->seen || peer->fd < 0)
		err(1, "peer %s", inet_ntoa(peer->address));
	setsockopt(peer->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	local.sin_addr = peer->address;
	server.sin_addr = options.server;
	server.sin_port = htons(179);
	if (bind(peer->fd, (struct sockaddr *)&local, sizeof(local)) ||
	    connect(peer->fd, (struct sockaddr *)&server, sizeof(server)))
		err(1, "session from %s", inet_ntoa(peer->address));
	send_open(peer);
}

static void parse_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "server", required_argument, NULL, 's' },   { "as", required_argument, NULL, 'a' },
		{ "groups", required_argument, NULL, 'g' },   { "peers", required_argument, NULL, 'p' },
		{ "prefixes", required_argument, NULL, 'n' }, { "all-to-all", no_argument, NULL, 'A' },
		{ "timeout", required_argument, NULL, 't' },  { 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		switch (option) {
		case 's':
			if (!inet_aton(optarg, &options.server))
				errx(2, "--server: '%s' is not an IPv4 address", optarg);
			break;
		case 'a':
			options.as = strtoul(optarg, NULL, 10);
			break;
		case 'g':
			options.groups = strtoul(optarg, NULL, 10);
			break;
		case 'p':
			options.peers_per_group = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			options.prefixes = strtoul(optarg, NULL, 10);
			break;
		case 'A':
			options.separate = false;
			break;
		case 't':
			options.seconds = strtoul(optarg, NULL, 10);
			break;
		default:
			exit(2);
		}
	if (!options.server.s_addr || !options.groups || options.peers_per_group < 2 ||
	    options.prefixes < options.groups || options.prefixes % options.groups)
		errx(2, "usage: bgp_peers --server A.B.C.D [--as N] [--groups N] [--peers N] "
			"[--prefixes N, a multiple of groups] [--all-to-all] [--timeout S]");
}

int main(int argc, char **argv)
{
	unsigned int count, number = 0;
	unsigned long received = 0;
	struct peer *peers;
	double seconds;

	parse_options(argc, argv);
	count = options.groups * options.peers_per_group;
	peers = calloc(count, sizeof(*peers));
	if (!peers)
		errx(1, "no memory for %u peers", count);
	for (unsigned int group = 0; group < options.groups; group++)
		for (unsigned int i = 0; i < options.peers_per_group; i++)
			start_peer(&peers[number++], group, i);
	run(peers, count, all_ready, "sessions");

	for (unsigned int i = 0; i < count; i++)
		if (peers[i].injector)
			peers[i].out = build_updates(&peers[i], &peers[i].out_left);
	seconds = run(peers, count, all_received, "convergence");

	for (unsigned int i = 0; i < count; i++) {
		if (options.separate && peers[i].foreign)
			errx(1, "%s got %u prefixes of other groups", inet_ntoa(peers[i].address),
			     peers[i].foreign);
		if (!peers[i].injector)
			received += peers[i].own + peers[i].foreign;
	}
	printf("%.3f %lu\n", seconds, received);
	fflush(stdout);
	/* the server's memory is read while the sessions are up */
	if (!isatty(0))
		while (getchar() != EOF)
			;
	return 0;
}
