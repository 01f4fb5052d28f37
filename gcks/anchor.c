// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gcks/store_key.h"

static const char magic[8] = "gsa-anch";
#define SERIAL	 (sizeof(magic) + GCKS_STORE_ID_SIZE) /* where it is */
#define SIZE_OLD (SERIAL + 8)			      /* no mark */
#define SIZE	 (SIZE_OLD + 1)

static bool fail(const char *path, const char *what, char *error, size_t error_size)
{
	snprintf(error, error_size, "anchor %s: %s: %s", path, what, strerror(errno));
	return false;
}

bool gcks_anchor_read(const char *path, struct gcks_anchor *anchor, bool *found, char *error,
		      size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	uint8_t octets[SIZE + 1];
	ssize_t got;

	*found = false;
	if (fd < 0)
		return errno == ENOENT || fail(path, "cannot be opened", error, error_size);
	got = pread(fd, octets, sizeof(octets), 0);
	close(fd);
	if (got < 0)
		return fail(path, "cannot be read", error, error_size);
	if ((got != SIZE && got != SIZE_OLD) || memcmp(octets, magic, sizeof(magic)) != 0)
		return true;
	memcpy(anchor->store, octets + sizeof(magic), GCKS_STORE_ID_SIZE);
	anchor->serial = 0;
	for (size_t i = SERIAL; i < SIZE_OLD; i++)
		anchor->serial = anchor->serial << 8 | octets[i];
	anchor->incomplete = got == SIZE && octets[SIZE_OLD];
	*found = true;
	return true;
}

bool gcks_anchor_write(const char *path, const struct gcks_anchor *anchor, char *error,
		       size_t error_size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	bool made = fd < 0 && errno == ENOENT, ok;
	uint8_t octets[SIZE];

	if (made)
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return fail(path, "cannot be written", error, error_size);
	memcpy(octets, magic, sizeof(magic));
	memcpy(octets + sizeof(magic), anchor->store, GCKS_STORE_ID_SIZE);
	for (size_t i = 0; i < 8; i++)
		octets[SIZE_OLD - 1 - i] = anchor->serial >> (8 * i);
	octets[SIZE_OLD] = anchor->incomplete;
	ok = pwrite(fd, octets, SIZE, 0) == SIZE && ftruncate(fd, SIZE) == 0 && fdatasync(fd) == 0;
	if (!ok)
		fail(path, "cannot be written", error, error_size);
	close(fd);
	if (ok && made && !gcks_store_sync_folder_of(path))
		return fail(path, "its folder cannot be synced", error, error_size);
	return ok;
}
