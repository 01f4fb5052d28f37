// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Runs a fuzz target over its corpus: every file of tests/vectors/<target> (or the files
 * and folders given), and every shorter beginning of each.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 131072

static size_t inputs;

/* In a block of exactly its size, so that a sanitizer sees a read behind it. */
static void run_exact(const uint8_t *data, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	if (!copy)
		abort();
	memcpy(copy, data, length);
	LLVMFuzzerTestOneInput(copy, length);
	free(copy);
	inputs++;
}

static bool run_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	size_t length;

	if (!file) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	length = fread(data, 1, sizeof(data), file);
	fclose(file);
	for (size_t i = 0; i <= length; i++)
		run_exact(data, i);
	return true;
}

static bool run_path(const char *path)
{
	struct dirent *entry;
	struct stat status;
	bool ok = true;
	DIR *folder;

	if (stat(path, &status) == 0 && S_ISREG(status.st_mode))
		return run_file(path);
	folder = opendir(path);
	if (!folder) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	while ((entry = readdir(folder))) {
		char name[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		ok = run_file(name) && ok;
	}
	closedir(folder);
	return ok;
}

int main(int argc, char **argv)
{
	char corpus[PATH_MAX];
	bool ok = true;

	for (int i = 1; i < argc; i++)
		ok = run_path(argv[i]) && ok;
	if (argc == 1) {
		snprintf(corpus, sizeof(corpus), "%s/%s", GSA_VECTORS, fuzz_target);
		ok = run_path(corpus);
	}
	if (inputs == 0) {
		fprintf(stderr, "%s: no corpus\n", fuzz_target);
		ok = false;
	}
	printf("%s: %zu inputs\n", fuzz_target, inputs);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
