// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration commands: what both blocks, `gsa group` and `gsa member`, share. */
#include <zebra.h>

#include "gcks/cli.h"

#include "lib/northbound_cli.h"

#include "gcks/names.h"

#define IDENTITY_LENGTH_MAX 255

/* ---- checks; the same rules as in frr-gsa.yang ---- */

/* Printable ASCII; quotes would end a string in XPath, or in the written configuration. */
static bool is_plain(const char *text, bool blanks, bool quotes)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~' || (*text == ' ' && !blanks))
			return false;
		if ((*text == '"' || *text == '\'') && !quotes)
			return false;
	}
	return true;
}

bool gcks_cli_check_name(struct vty *vty, const char *what, const char *name, size_t maximum)
{
	if (name[0] && strlen(name) <= maximum && is_plain(name, false, false))
		return true;
	vty_out(vty,
		"%% %s %s: not a name; allowed are 1 to %zu printable ASCII characters without "
		"blanks "
		"and quotes\n",
		what, name, maximum);
	return false;
}

/* LINE..., without double quotes around it and blanks inside of these. */
static char *line_text(struct cmd_token **argv, int argc, int first)
{
	char *text = first < argc ? argv_concat(argv, argc, first) : XSTRDUP(MTYPE_TMP, "");
	size_t length = strlen(text), blanks;

	if (length < 2 || text[0] != '"' || text[length - 1] != '"')
		return text;
	for (text[--length] = '\0'; text[length - 1] == ' '; length--)
		text[length - 1] = '\0';
	blanks = strspn(text + 1, " ");
	memmove(text, text + 1 + blanks, strlen(text + 1 + blanks) + 1);
	return text;
}

char *gcks_cli_identity(struct vty *vty, const char *what, struct cmd_token **argv, int argc,
			int first, bool quotes)
{
	char *text = line_text(argv, argc, first);

	if (text[0] && strlen(text) <= IDENTITY_LENGTH_MAX && is_plain(text, true, quotes))
		return text;
	vty_out(vty,
		"%% %s %s: not an identity; allowed are 1 to %d printable ASCII characters%s\n",
		what, text, IDENTITY_LENGTH_MAX, quotes ? "" : " without quotes inside");
	XFREE(MTYPE_TMP, text);
	return NULL;
}

/* ---- blocks ---- */

void gcks_cli_collect(struct vty *vty)
{
	if (vty->type != VTY_FILE)
		return;
	vty->pending_allowed = true;
	/* libfrr would commit a full batch, and tell nobody if that failed */
	vty->buffer_cmd_count = 0;
}

int gcks_cli_remove_block(struct vty *vty, const char *list, const char *name)
{
	char xpath[XPATH_MAXLEN];

	if (!gcks_cli_check_name(vty, list, name, GCKS_NAME_LENGTH_MAX))
		return CMD_WARNING_CONFIG_FAILED;
	snprintf(xpath, sizeof(xpath), "/frr-gsa:gsa/%s[name='%s']", list, name);
	if (!yang_dnode_exists(vty->candidate_config->dnode, xpath)) {
		vty_out(vty, "%% gsa %s %s is not configured\n", list, name);
		return CMD_WARNING_CONFIG_FAILED;
	}
	nb_cli_enqueue_change(vty, xpath, NB_OP_DESTROY, NULL);
	return nb_cli_apply_changes(vty, NULL);
}

/* ---- the configuration as text ---- */

const char *gcks_cli_leaf(const struct lyd_node *dnode, const char *name)
{
	return yang_dnode_exists(dnode, name) ? yang_dnode_get_string(dnode, "%s", name) : NULL;
}

void gcks_cli_show_leaf(struct vty *vty, const struct lyd_node *dnode, const char *name,
			const char *command, bool show_defaults)
{
	if (yang_dnode_exists(dnode, name) &&
	    (show_defaults || !yang_dnode_is_default(dnode, name)))
		vty_out(vty, " %s %s\n", command, yang_dnode_get_string(dnode, "%s", name));
}

void gcks_cli_show_flag(struct vty *vty, const struct lyd_node *dnode, const char *name,
			const char *command, bool show_defaults)
{
	bool on = yang_dnode_exists(dnode, name) && yang_dnode_get_bool(dnode, "%s", name);

	if (on || show_defaults)
		vty_out(vty, " %s%s\n", on ? "" : "no ", command);
}

void gcks_cli_show_leaf_list(struct vty *vty, const struct lyd_node *dnode, const char *name,
			     const char *command)
{
	const struct lyd_node *child;

	LY_LIST_FOR(lyd_child(dnode), child)
	if (strmatch(child->schema->name, name))
		vty_out(vty, " %s %s\n", command, yang_dnode_get_string(child, NULL));
}

void gcks_cli_block_end(struct vty *vty, const struct lyd_node *dnode)
{
	vty_out(vty, "exit\n!\n");
}

int gcks_cli_write_block(const struct lyd_node *dnode, void *vty)
{
	nb_cli_show_dnode_cmds(vty, dnode, false);
	return YANG_ITER_CONTINUE;
}

/* ---- completion ---- */

static void complete_sharing(vector out, struct cmd_token *token)
{
	for (int sharing = 0; gcks_sharing_name(sharing); sharing++)
		vector_set(out, XSTRDUP(MTYPE_COMPLETION, gcks_sharing_name(sharing)));
}

static void complete_cipher(vector out, struct cmd_token *token)
{
	for (int cipher = 0; gcks_cipher_name(cipher); cipher++)
		vector_set(out, XSTRDUP(MTYPE_COMPLETION, gcks_cipher_name(cipher)));
}

static const struct cmd_variable_handler handlers[] = {
	{ .varname = "gsa_group", .xpath = "/frr-gsa:gsa/group/name" },
	{ .varname = "gsa_member", .xpath = "/frr-gsa:gsa/member/name" },
	{ .varname = "sharing", .completions = complete_sharing },
	{ .varname = "cipher", .completions = complete_cipher },
	{ .completions = NULL, .xpath = NULL },
};

void gcks_cli_init(void)
{
	cmd_variable_handler_register(handlers);
	gcks_cli_group_init();
	gcks_cli_member_init();
	gcks_cli_exec_init();
}
