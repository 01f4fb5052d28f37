// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Commands that configure gcksd, and how the configuration is written.  Values of WORD tokens
 * called $gsa_group and $gsa_member are completed with the configured names, in every
 * command of gcksd.
 */
#ifndef GCKS_CLI_H
#define GCKS_CLI_H

#include "lib/command.h"
#include "lib/vty.h"

#define GSA_STR	       "Group security associations\n"
#define GSA_GROUP_STR  "Group that this router serves as key server\n"
#define GSA_MEMBER_STR "Group that this router joins\n"

/* libfrr sizes nothing by NODE_TYPE_MAX; gcks/nodes.json has them in the same order. */
#define GSA_GROUP_NODE	((enum node_type)(NODE_TYPE_MAX + 0))
#define GSA_MEMBER_NODE ((enum node_type)(NODE_TYPE_MAX + 1))
#define GSA_DEBUG_NODE	((enum node_type)(NODE_TYPE_MAX + 2)) /* no command enters it */

#define GCKS_NAME_LENGTH_MAX	    64	/* groups */
#define GCKS_OBJECT_NAME_LENGTH_MAX 128 /* connections, prefix lists */

struct lyd_node;

void gcks_cli_init(void); /* installs everything below */
void gcks_cli_group_init(void);
void gcks_cli_group_sa_init(void); /* by gcks_cli_group_init() */
void gcks_cli_member_init(void);
void gcks_cli_exec_init(void); /* clear, rekey, debug */

/*
 * -- cli.c: checks before the candidate is edited --
 * libfrr reports a value that YANG refuses, but goes on as if the command had worked; so
 * what is wrong and what is allowed is written to vty here.
 */

bool gcks_cli_check_name(struct vty *vty, const char *what, const char *name, size_t maximum);
/*
 * The words of LINE... from argv[first] on, without double quotes around them, to be freed
 * with XFREE(MTYPE_TMP, ...); NULL: not an identity.  `quotes`: may be inside of it; not in
 * the configuration, where they would end a string.
 */
char *gcks_cli_identity(struct vty *vty, const char *what, struct cmd_token **argv, int argc,
			int first, bool quotes);

/*
 * -- cli.c: a block begins --
 * In the daemon's own file: its lines become one transaction, as those of vtysh -b do; each line by
 * itself would take time with the square of their number.  main.c commits when the file is read.
 */
void gcks_cli_collect(struct vty *vty);

/* -- cli.c: for both blocks; `list` is "group" or "member" -- */

int gcks_cli_remove_block(struct vty *vty, const char *list, const char *name);
/* The value of a leaf of the block, NULL: it has none. */
const char *gcks_cli_leaf(const struct lyd_node *dnode, const char *name);
void gcks_cli_show_leaf(struct vty *vty, const struct lyd_node *dnode, const char *name,
			const char *command, bool show_defaults);
/* A boolean leaf that is false by default: the command, or `no` of it. */
void gcks_cli_show_flag(struct vty *vty, const struct lyd_node *dnode, const char *name,
			const char *command, bool show_defaults);
void gcks_cli_show_leaf_list(struct vty *vty, const struct lyd_node *dnode, const char *name,
			     const char *command);
int gcks_cli_write_block(const struct lyd_node *dnode, void *vty); /* of yang_dnode_iterate() */

/* -- cli_show of northbound.c -- */

void gcks_cli_group_show(struct vty *vty, const struct lyd_node *dnode, bool show_defaults);
void gcks_cli_group_sa_show(struct vty *vty, const struct lyd_node *dnode, bool show_defaults);
void gcks_cli_member_show(struct vty *vty, const struct lyd_node *dnode, bool show_defaults);
void gcks_cli_block_end(struct vty *vty, const struct lyd_node *dnode);

#endif
