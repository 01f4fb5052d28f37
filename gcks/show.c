// SPDX-License-Identifier: GPL-2.0-or-later
/* What the show commands share: names, JSON members, cells of tables. */
#include <zebra.h>

#include "gcks/show.h"

#include "lib/monotime.h"

#define CELL_SIZE  512
#define CELL_COUNT 12 /* more than the columns of any table */

static char *next_cell(void)
{
	static char cells[CELL_COUNT][CELL_SIZE];
	static unsigned int turn;

	return cells[turn++ % CELL_COUNT];
}

const char *gcks_group_label(uint32_t identifier)
{
	static char number[16];
	const struct gcks_group *group = gcks_policy_find_identifier(&gcksd.policy, identifier);
	const struct gcks_membership *membership;

	if (group)
		return group->name;
	membership = gcks_membership_find_identifier(&gcksd.members, identifier);
	if (membership)
		return membership->name;
	snprintf(number, sizeof(number), "%u", identifier);
	return number;
}

/* ---- JSON ---- */

void gcks_json_text(struct json_object *json, const char *key, const char *text)
{
	if (text && text[0])
		json_object_string_add(json, key, text);
}

void gcks_json_number(struct json_object *json, const char *key, int64_t number)
{
	if (number)
		json_object_int_add(json, key, number);
}

void gcks_json_time(struct json_object *json, const char *key, time_t when)
{
	char text[32];
	struct tm parts;

	if (when && gmtime_r(&when, &parts) &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts))
		json_object_string_add(json, key, text);
}

void gcks_json_spi(struct json_object *json, const char *key, uint32_t spi)
{
	if (spi)
		json_object_string_addf(json, key, "0x%08x", spi);
}

void gcks_json_address(struct json_object *json, const char *key,
		       const struct gcks_address *address)
{
	char text[INET6_ADDRSTRLEN];

	if (address->length)
		json_object_string_add(json, key, gcks_address_text(address, text));
}

void gcks_json_prefixes(struct json_object *json, const char *key,
			const struct gcks_prefix *prefixes, size_t count)
{
	struct json_object *list;
	char text[INET6_ADDRSTRLEN + 4];

	if (!count)
		return;
	list = json_object_new_array();
	for (size_t i = 0; i < count; i++)
		json_array_string_add(list, gcks_prefix_text(&prefixes[i], text, sizeof(text)));
	json_object_object_add(json, key, list);
}

int gcks_json_list(struct vty *vty, const char *key, struct json_object *list)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, key, list);
	return vty_json(vty, json);
}

int gcks_show_unknown(struct vty *vty, const char *kind, const char *name, bool json)
{
	if (json) {
		struct json_object *warning = json_object_new_object();

		json_object_string_addf(warning, "warning", "%s %s is not configured", kind, name);
		vty_json(vty, warning);
	} else {
		vty_out(vty, "%% %s %s is not configured\n", kind, name);
	}
	return CMD_WARNING;
}

/* ---- text ---- */

struct ttable *gcks_table_new(void)
{
	struct ttable *table = ttable_new(&ttable_styles[TTSTYLE_BLANK]);

	table->style.indent = 0;
	table->style.cell.lpad = 0;
	table->style.cell.rpad = 2;
	table->style.corner = ' ';
	return table;
}

void gcks_table_print(struct vty *vty, struct ttable *table)
{
	char *text;

	ttable_restyle(table);
	ttable_rowseps(table, 0, BOTTOM, true, '-');
	text = ttable_dump(table, "\n");
	vty_out(vty, "%s", text);
	XFREE(MTYPE_TMP_TTABLE, text);
	ttable_del(table);
}

const char *gcks_cell(const char *text)
{
	char *cell = next_cell();

	strlcpy(cell, text && text[0] ? text : "-", CELL_SIZE);
	for (char *c = cell; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '|')
			*c = '?';
	return cell;
}

const char *gcks_cell_address(const struct gcks_address *address)
{
	return gcks_address_text(address, next_cell());
}

const char *gcks_cell_spi(uint32_t spi)
{
	char *cell = next_cell();

	snprintf(cell, CELL_SIZE, spi ? "0x%08x" : "-", spi);
	return cell;
}

const char *gcks_cell_since(time_t when)
{
	time_t now = time(NULL);
	char *cell = next_cell();

	if (!when)
		return "-";
	/* the wall clock may have been set back */
	return frrtime_to_interval(now > when ? now - when : 0, cell, CELL_SIZE);
}

const char *gcks_cell_number(uint32_t number)
{
	char *cell = next_cell();

	snprintf(cell, CELL_SIZE, number ? "%u" : "-", number);
	return cell;
}

void gcks_show_init(void)
{
	gcks_show_group_init();
	gcks_show_registration_init();
	gcks_show_member_init();
	gcks_show_daemon_init();
}
