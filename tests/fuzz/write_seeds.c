// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes the good wire vectors as seeds of the fuzz targets: write_seeds FOLDER */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/vectors.h"

static void fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: write_seeds FOLDER\n");
		return EXIT_FAILURE;
	}
	for (size_t i = 0; i < vector_count; i++) {
		char path[PATH_MAX];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", argv[1], vectors[i].target);
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			fail(path);
		snprintf(path, sizeof(path), "%s/%s/%s", argv[1], vectors[i].target,
			 vectors[i].name);
		file = fopen(path, "wb");
		if (!file ||
		    fwrite(vectors[i].data, vectors[i].length, 1, file) != 1 ||
		    fclose(file) != 0)
			fail(path);
	}
	return EXIT_SUCCESS;
}
