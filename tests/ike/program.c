// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/ike/program.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define OPTIONS_MAX    32
#define NUMBER_MAX     1000000
#define RECEIVE_BUFFER (16 << 20) /* answers to thousands of members come at once */

void program_fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(2);
}

/* ---- options ---- */

static unsigned int number(const char *name, const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || end == text || value > NUMBER_MAX)
		program_fail("--%s %s: a number up to %u", name, text, NUMBER_MAX);
	return (unsigned int)value;
}

static void set(const struct program_option *option, const char *text)
{
	switch (option->kind) {
	case PROGRAM_TEXT:
	case PROGRAM_NEEDED:
		*option->value.text = text;
		break;
	case PROGRAM_NUMBER:
		*option->value.number = number(option->name, text);
		break;
	case PROGRAM_FLAG:
		*option->value.flag = true;
		break;
	}
}

void program_options(int argc, char **argv, struct program_server *server,
		     const struct program_option *own, size_t count)
{
	const struct program_option of_server[] = {
		{ "server", PROGRAM_NEEDED, { .text = &server->address } },
		{ "port", PROGRAM_TEXT, { .text = &server->port } },
		{ "server-identity", PROGRAM_NEEDED, { .text = &server->config.server_identity } },
		{ "secret", PROGRAM_TEXT, { .text = &server->config.secret } },
		{ "group", PROGRAM_TEXT, { .text = &server->config.group } },
	};
	size_t fixed = sizeof(of_server) / sizeof(*of_server);
	struct program_option options[OPTIONS_MAX];
	struct option names[OPTIONS_MAX + 1] = { 0 };
	int found, index;

	if (fixed + count > OPTIONS_MAX)
		abort();
	server->port = "500";
	memcpy(options, of_server, sizeof(of_server));
	memcpy(options + fixed, own, count * sizeof(*own));
	for (size_t i = 0; i < fixed + count; i++)
		names[i] = (struct option){ options[i].name,
					    options[i].kind == PROGRAM_FLAG ? no_argument
									    : required_argument,
					    NULL, 1 };
	while ((found = getopt_long(argc, argv, "", names, &index)) != -1) {
		if (found != 1)
			exit(2); /* it has said why */
		set(&options[index], optarg);
	}
	if (optind != argc)
		program_fail("%s: not an option", argv[optind]);
	for (size_t i = 0; i < fixed + count; i++)
		if (options[i].kind == PROGRAM_NEEDED && !*options[i].value.text)
			program_fail("--%s is needed", options[i].name);
}

void program_check_format(const char *name, const char *format)
{
	const char *percent = strchr(format, '%');

	if (!percent || percent[1] != 'u' || strchr(percent + 1, '%'))
		program_fail("--%s %s: needs one %%u", name, format);
}

/* ---- socket, clock ---- */

int program_socket(const struct program_server *server)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST }, *found;
	int size = RECEIVE_BUFFER, udp;

	if (getaddrinfo(server->address, server->port, &hints, &found) != 0)
		program_fail("--server %s: not an address", server->address);
	udp = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (udp < 0 || connect(udp, found->ai_addr, found->ai_addrlen) < 0)
		program_fail("socket: %s", strerror(errno));
	setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	freeaddrinfo(found);
	return udp;
}

double program_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
