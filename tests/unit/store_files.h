// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of a store in a test, in a folder of its own. */
#ifndef TESTS_UNIT_STORE_FILES_H
#define TESTS_UNIT_STORE_FILES_H

#include <sys/types.h>

#include "gcks/store.h"
#include "tests/unit/gcks_unit.h"

extern char store_folder[256], store_path[288], store_key_file[288], store_anchor_file[320];
extern char store_error[512]; /* of the last call that had something to say */

/* The folder alone: the store is made when it is opened. */
void store_files_make(void);
void store_files_remove(void);
/* Another file in the folder; until the fourth call after it. */
const char *store_file_beside(const char *name);
void copy_file(const char *from, const char *to);
void write_file(const char *name, const void *data, size_t length, mode_t mode);
struct gcks_store *must_open(void);
/* Another program works on the database. */
void edit_database(const char *statements);

#endif
