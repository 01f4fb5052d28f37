// SPDX-License-Identifier: GPL-2.0-or-later
/* A membership's connections to key servers, in the order of preference. */
#include <stdlib.h>
#include <string.h>

#include "gcks/member.h"

static size_t find(const struct gcks_membership *membership, const char *name)
{
	size_t at = 0;

	while (at < membership->connection_count && strcmp(membership->connections[at], name) != 0)
		at++;
	return at;
}

bool gcks_membership_add_connection(struct gcks_membership *membership, const char *name)
{
	size_t count = membership->connection_count;
	char **larger, *copy;

	if (find(membership, name) < count)
		return true;
	larger = reallocarray(membership->connections, count + 1, sizeof(*larger));
	if (!larger)
		return false;
	membership->connections = larger;
	copy = strdup(name);
	if (!copy)
		return false;
	membership->connections[membership->connection_count++] = copy;
	return true;
}

void gcks_membership_remove_connection(struct gcks_membership *membership, const char *name)
{
	size_t at = find(membership, name);

	if (at == membership->connection_count)
		return;
	free(membership->connections[at]);
	membership->connection_count--;
	memmove(membership->connections + at, membership->connections + at + 1,
		(membership->connection_count - at) * sizeof(*membership->connections));
}

void gcks_membership_order_connections(struct gcks_membership *membership, const char *const *names,
				       size_t count)
{
	size_t done = 0;

	for (size_t i = 0; i < count; i++) {
		size_t at = find(membership, names[i]);
		char *connection;

		if (at == membership->connection_count || at < done)
			continue;
		connection = membership->connections[at];
		memmove(membership->connections + done + 1, membership->connections + done,
			(at - done) * sizeof(*membership->connections));
		membership->connections[done++] = connection;
	}
}

void gcks_membership_clear_connections(struct gcks_membership *membership)
{
	for (size_t i = 0; i < membership->connection_count; i++)
		free(membership->connections[i]);
	free(membership->connections);
	membership->connections = NULL;
	membership->connection_count = 0;
}
