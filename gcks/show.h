// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the show commands share.  JSON keys are YANG leaf names, times are RFC 3339 in
 * UTC, empty values are left out; text is made of tables.  Nothing here sees a key.
 */
#ifndef GCKS_SHOW_H
#define GCKS_SHOW_H

#include "lib/command.h"
#include "lib/json.h"
#include "lib/termtable.h"
#include "lib/vty.h"

#include "gcks/cli.h"
#include "gcks/gcksd.h"
#include "gcks/names.h"

#define SHOW_GSA_STR SHOW_STR GSA_STR

void gcks_show_init(void); /* installs all of them */
void gcks_show_group_init(void);
void gcks_show_registration_init(void);
void gcks_show_member_init(void);
void gcks_show_daemon_init(void);

/* The name of a group we serve or belong to, else its identifier as text (static buffer). */
const char *gcks_group_label(uint32_t identifier);

/* -- show.c: JSON -- */

void gcks_json_text(struct json_object *json, const char *key, const char *text);
void gcks_json_number(struct json_object *json, const char *key, int64_t number); /* not 0 */
void gcks_json_time(struct json_object *json, const char *key, time_t when);
void gcks_json_spi(struct json_object *json, const char *key, uint32_t spi);
void gcks_json_address(struct json_object *json, const char *key,
		       const struct gcks_address *address);
void gcks_json_prefixes(struct json_object *json, const char *key,
			const struct gcks_prefix *prefixes, size_t count);
/* Prints and frees {key: list}. */
int gcks_json_list(struct vty *vty, const char *key, struct json_object *list);
/* "% KIND NAME is not configured", or the same in a JSON object; CMD_WARNING. */
int gcks_show_unknown(struct vty *vty, const char *kind, const char *name, bool json);

/* -- show.c: text -- */

/* A table without lines but one under its head; the head is the first row added. */
struct ttable *gcks_table_new(void);
void gcks_table_print(struct vty *vty, struct ttable *table); /* and frees */
/*
 * What came from outside, for a cell of a table: "-" for nothing, control characters and the
 * table's own separator replaced.  In one of a few static buffers, enough for a row.
 */
const char *gcks_cell(const char *text);
const char *gcks_cell_address(const struct gcks_address *address);
const char *gcks_cell_spi(uint32_t spi);       /* 0: "-" */
const char *gcks_cell_since(time_t when);      /* wall clock; 0: "-" */
const char *gcks_cell_number(uint32_t number); /* 0: "-" */

#endif
