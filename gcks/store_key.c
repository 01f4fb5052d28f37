// SPDX-License-Identifier: GPL-2.0-or-later
#include "gcks/store_key.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the file ---- */

/* What keeps an open key file from being used; NULL: nothing. */
static const char *key_file_fault(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return strerror(errno);
	if (!S_ISREG(status.st_mode))
		return "is not a regular file";
	if (status.st_uid != geteuid() && status.st_uid != 0)
		return "belongs to another user than gcksd's: chown it";
	if (status.st_mode & (S_IRWXG | S_IRWXO))
		return "is open to group or others, so the key may be known: it has to have mode "
		       "0600";
	if (status.st_size != GCKS_STORE_KEY_SIZE)
		return "is not a key: it has to have exactly 32 octets";
	return NULL;
}

static bool read_all(int fd, uint8_t *data, size_t length)
{
	while (length) {
		ssize_t got = read(fd, data, length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		data += got;
		length -= got;
	}
	return true;
}

static bool write_all(int fd, const uint8_t *data, size_t length)
{
	while (length) {
		ssize_t put = write(fd, data, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		data += put;
		length -= put;
	}
	return true;
}

bool gcks_store_key_read(const char *path, struct gsa_secret *key, char *error, size_t error_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *fault;

	*key = (struct gsa_secret){ 0 };
	if (fd < 0) {
		snprintf(error, error_size, "key file %s: %s", path, strerror(errno));
		return false;
	}
	fault = key_file_fault(fd);
	if (!fault && !gsa_secret_alloc(key, GCKS_STORE_KEY_SIZE))
		fault = "no locked memory for the key (RLIMIT_MEMLOCK)";
	if (!fault && !read_all(fd, key->data, key->length)) {
		gsa_secret_clear(key);
		fault = "cannot be read";
	}
	close(fd);
	if (fault)
		snprintf(error, error_size, "key file %s: %s", path, fault);
	return !fault;
}

/* The new name has to be on the disk before anything depends on the key. */
bool gcks_store_sync_folder_of(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return ok;
}

bool gcks_store_key_create(const char *path, char *error, size_t error_size)
{
	struct gsa_secret key;
	bool ok;
	int fd;

	if (!gsa_secret_random(&key, GCKS_STORE_KEY_SIZE)) {
		snprintf(error, error_size, "key file %s: no random numbers or locked memory",
			 path);
		return false;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0) {
		snprintf(error, error_size, "key file %s: cannot be made: %s", path,
			 strerror(errno));
		gsa_secret_clear(&key);
		return false;
	}
	ok = write_all(fd, key.data, key.length) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	ok = ok && gcks_store_sync_folder_of(path);
	gsa_secret_clear(&key);
	if (!ok) {
		snprintf(error, error_size, "key file %s: cannot be written: %s", path,
			 strerror(errno));
		unlink(path);
	}
	return ok;
}

/* ---- wrapping ---- */

/*
 * Wrapped before an SA's key: group, SPI, generation, then the algorithms, big endian; the group's
 * name, filled up with zeros; only of a pairwise SA, its Sender-ID bits.
 */
#define PURPOSE_MAX (21 + GSA_GROUP_NAME_MAX)

static const uint8_t check_value[] = "frr-gsa key check";

static void put_be(uint8_t **at, uint32_t value, size_t octets)
{
	while (octets--)
		*(*at)++ = value >> (octets * 8);
}

/* Octets of it. */
static size_t put_purpose(const struct gcks_sa *sa, uint8_t *out)
{
	const uint8_t *start = out;

	put_be(&out, sa->group, 4);
	put_be(&out, sa->spi, 4);
	put_be(&out, sa->generation, 4);
	put_be(&out, sa->encryption, 2);
	put_be(&out, sa->encryption_key_bits, 2);
	put_be(&out, sa->integrity, 2);
	put_be(&out, sa->sequence_numbers, 2);
	memset(out, 0, GSA_GROUP_NAME_MAX);
	memcpy(out, sa->group_name, strnlen(sa->group_name, GSA_GROUP_NAME_MAX));
	out += GSA_GROUP_NAME_MAX;
	if (sa->sender_id_bits)
		put_be(&out, sa->sender_id_bits, 1);
	return (size_t)(out - start);
}

bool gcks_store_key_wrap(const struct gsa_secret *key, const struct gcks_sa *sa, uint8_t *out,
			 size_t *length)
{
	uint8_t purpose[PURPOSE_MAX];
	size_t size = put_purpose(sa, purpose);
	struct gsa_secret plain;
	bool ok;

	if (!sa->key.length || sa->key.length > GSA_WRAP_PLAIN_MAX - size ||
	    !gsa_secret_alloc(&plain, size + sa->key.length))
		return false;
	memcpy(plain.data, purpose, size);
	memcpy(plain.data + size, sa->key.data, sa->key.length);
	ok = gsa_key_wrap(GSA_KW_5649_256, key, &plain, out, length);
	gsa_secret_clear(&plain);
	return ok;
}

bool gcks_store_key_unwrap(const struct gsa_secret *key, struct gcks_sa *sa, const uint8_t *wrapped,
			   size_t length)
{
	uint8_t purpose[PURPOSE_MAX];
	size_t size = put_purpose(sa, purpose);
	struct gsa_secret plain;
	bool ok;

	if (!gsa_key_unwrap(GSA_KW_5649_256, key, wrapped, length, &plain))
		return false;
	ok = plain.length > size && memcmp(plain.data, purpose, size) == 0 &&
	     gsa_secret_copy(&sa->key, plain.data + size, plain.length - size);
	gsa_secret_clear(&plain);
	return ok;
}

bool gcks_store_key_check_make(const struct gsa_secret *key, uint8_t *out, size_t *length)
{
	struct gsa_secret plain;
	bool ok;

	if (!gsa_secret_copy(&plain, check_value, sizeof(check_value)))
		return false;
	ok = gsa_key_wrap(GSA_KW_5649_256, key, &plain, out, length);
	gsa_secret_clear(&plain);
	return ok;
}

bool gcks_store_key_check(const struct gsa_secret *key, const uint8_t *wrapped, size_t length)
{
	struct gsa_secret plain;
	bool ok;

	if (!gsa_key_unwrap(GSA_KW_5649_256, key, wrapped, length, &plain))
		return false;
	ok = plain.length == sizeof(check_value) &&
	     memcmp(plain.data, check_value, sizeof(check_value)) == 0;
	gsa_secret_clear(&plain);
	return ok;
}
