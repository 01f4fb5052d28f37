// SPDX-License-Identifier: GPL-2.0-or-later
/* What the programs share: their options, the socket to the key server, the clock. */
#ifndef TESTS_IKE_PROGRAM_H
#define TESTS_IKE_PROGRAM_H

#include "tests/ike/ike.h"

/* One `--name VALUE`, or `--name` alone if it is a flag. Numbers go up to 1000000. */
struct program_option {
	const char *name;
	enum { PROGRAM_TEXT, PROGRAM_NEEDED /* text */, PROGRAM_NUMBER, PROGRAM_FLAG } kind;
	union {
		const char **text;
		unsigned int *number;
		bool *flag;
	} value;
};

/* Where the key server is, and what it is asked as whom. */
struct program_server {
	const char *address, *port;
	struct ike_config config;
};

/*
 * Reads the options: those of the key server (--server, --port, --server-identity, --secret,
 * --group) and `own`. Ends the program if they are not good.
 */
void program_options(int argc, char **argv, struct program_server *server,
		     const struct program_option *own, size_t count);
/* Ends the program unless `format` has one %u and no other conversion. */
void program_check_format(const char *name, const char *format);
/* Ends the program, with status 2. */
__attribute__((noreturn, format(printf, 1, 2))) void program_fail(const char *format, ...);

/* A UDP socket that is connected to the key server. */
int program_socket(const struct program_server *server);
/* Of the monotonic clock. */
double program_now_s(void);

#endif
