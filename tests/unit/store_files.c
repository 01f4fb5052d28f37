// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "tests/unit/store_files.h"

char store_folder[256], store_path[288], store_key_file[288], store_anchor_file[320];
char store_error[512];

void store_files_make(void)
{
	const char *temporary = getenv("TMPDIR");

	snprintf(store_folder, sizeof(store_folder), "%s/gcks-store-XXXXXX",
		 temporary ? temporary : P_tmpdir);
	ck_assert_ptr_nonnull(mkdtemp(store_folder));
	snprintf(store_path, sizeof(store_path), "%s/gcksd.db", store_folder);
	snprintf(store_key_file, sizeof(store_key_file), "%s/gcksd.key", store_folder);
	snprintf(store_anchor_file, sizeof(store_anchor_file), "%s.anchor", store_path);
	store_error[0] = '\0';
}

static int remove_one(const char *name, const struct stat *status, int kind, struct FTW *at)
{
	return remove(name);
}

void store_files_remove(void)
{
	chmod(store_folder, 0700);
	nftw(store_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *store_file_beside(const char *name)
{
	static char full[4][512];
	static int next;

	next = (next + 1) % 4;
	snprintf(full[next], sizeof(full[next]), "%s/%s", store_folder, name);
	return full[next];
}

void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char octets[65536];
	ssize_t length;

	ck_assert_msg(in >= 0 && out >= 0, "%s, %s", from, to);
	while ((length = read(in, octets, sizeof(octets))) > 0)
		ck_assert_int_eq(write(out, octets, (size_t)length), length);
	ck_assert_int_eq(length, 0);
	close(in);
	close(out);
}

void write_file(const char *name, const void *data, size_t length, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, mode);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, length), (ssize_t)length);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
}

struct gcks_store *must_open(void)
{
	struct gcks_store *store =
		gcks_store_open(store_path, store_key_file, store_error, sizeof(store_error));

	ck_assert_msg(store != NULL, "%s", store_error);
	return store;
}

void edit_database(const char *statements)
{
	char *message = NULL;
	sqlite3 *database;

	ck_assert_int_eq(sqlite3_open(store_path, &database), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(database, statements, NULL, NULL, &message) == SQLITE_OK, "%s",
		      message);
	sqlite3_close(database);
}
