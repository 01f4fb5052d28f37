// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gcksd: start, order of initialisation, stop.
 *
 *   options, libfrr, commands, YANG        as root, then as the FRR user
 *   fork (-d)                              locks on memory would not survive it
 *   store --> tables                       cannot be read: stop, nothing is touched
 *   server, client, local socket, zebra
 *   event loop: configuration (own file or vtysh -b), then everything else
 */
#include <zebra.h>

#include <getopt.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib/command.h"
#include "lib/frrevent.h"
#include "lib/libfrr.h"
#include "lib/log.h"
#include "lib/northbound_cli.h"
#include "lib/privs.h"
#include "lib/sigevent.h"
#include "lib/version.h"
#include "lib/vty.h"
#include "lib/zlog.h"

#include "gcks/cli.h"
#include "gcks/gcksd.h"
#include "gcks/northbound.h"
#include "gcks/show.h"

#define GCKSD_VTY_PORT 2640 /* FRR's own end at 2624 */

/* How often to look whether something was configured, on a node that has no configuration. */
#define EMPTY_CHECK_S 1

#define START_FAILED_US 200000

enum {
	OPTION_LOCAL_SOCKET = 2000,
	OPTION_STORE,
	OPTION_KEY_FILE,
	OPTION_CHARON_USER,
	OPTION_CORE_DUMPS,
};

static const struct option options[] = {
	{ "local-socket", required_argument, NULL, OPTION_LOCAL_SOCKET },
	{ "store", required_argument, NULL, OPTION_STORE },
	{ "key-file", required_argument, NULL, OPTION_KEY_FILE },
	{ "charon-user", required_argument, NULL, OPTION_CHARON_USER },
	{ "core-dumps", no_argument, NULL, OPTION_CORE_DUMPS },
	{ 0 },
};

static const char option_help[] =
	"      --local-socket PATH  Socket for charon and bgpd (default gcksd.sock in FRR's run "
	"folder)\n"
	"      --store PATH         Store (default gcksd.db in FRR's state folder)\n"
	"      --key-file PATH      Key that wraps the store's keys (default gcksd.key there)\n"
	"      --charon-user USER   User that charon runs as, if not root\n"
	"      --core-dumps         Allow core dumps and debuggers, which may see keys\n";

static struct {
	char local_socket[MAXPATHLEN], store[MAXPATHLEN], key_file[MAXPATHLEN];
	const char *charon_user;
	bool core_dumps;
} settings;

struct gcksd gcksd;

/*
 * No capability: kernel state is charon's to install.  Locked memory is a limit that is
 * raised before root is given up (raise_memory_limit()), since CAP_IPC_LOCK counts only
 * while it is effective, which libfrr's privileges are not outside of short sections.
 */
static zebra_capabilities_t capabilities[] = {};

static struct zebra_privs_t privileges = {
#if defined(FRR_USER) && defined(FRR_GROUP)
	.user = FRR_USER,
	.group = FRR_GROUP,
#endif
#if defined(VTY_GROUP)
	.vty_group = VTY_GROUP,
#endif
	.caps_p = capabilities,
	.cap_num_p = array_size(capabilities),
	.cap_num_i = 0,
};

static struct frr_daemon_info gcksd_di;

/* ---- configuration ---- */

static bool reading;	      /* between vtysh's marks */
static struct event *t_empty; /* no configuration anywhere, but the store is not empty */

static void configuration_loaded(void)
{
	if (!gcksd.configured)
		zlog_info("GSA: the configuration is read");
	gcksd.configured = true;
	event_cancel(&t_empty);
	gcks_server_reconsider();
	gcks_client_reconsider();
	/* clients that have connected meanwhile are served now */
	gcks_local_sync_done(GSA__ROLE__ROLE_BGPD);
	gcks_local_sync_done(GSA__ROLE__ROLE_CHARON);
}

static bool anything_configured(void)
{
	return gcksd.policy.groups || gcksd.members.memberships;
}

static void check_empty(struct event *event)
{
	if (anything_configured() && !reading)
		configuration_loaded();
	else
		event_add_timer(gcksd.loop, check_empty, NULL, EMPTY_CHECK_S, &t_empty);
}

/*
 * Nothing more will be read.  When that leaves no group at all while the store knows
 * registrations, SAs or kernel state, a configuration has more likely been lost or rejected
 * than removed while gcksd was down; to act on it would end every registration and
 * unprotect what the policies in the kernel protect.
 */
static void configuration_ends(void)
{
	if (gcksd.configured || anything_configured() ||
	    (!gcksd.registrations.head && !gcksd.sas.head && !gcksd.known.count)) {
		configuration_loaded();
		return;
	}
	zlog_warn(
		"GSA: no group is configured, but the store knows %zu registrations and %zu kernel "
		"states and policies; all of them stay until a group or member is configured",
		gcksd.registrations.count, gcksd.known.count);
	event_add_timer(gcksd.loop, check_empty, NULL, EMPTY_CHECK_S, &t_empty);
}

static void vtysh_read_starts(void)
{
	reading = true;
}

static void vtysh_read_ends(void)
{
	reading = false;
	configuration_ends();
}

static bool readable(const char *path)
{
	char backup[MAXPATHLEN];

	snprintf(backup, sizeof(backup), "%s%s", path, CONF_BACKUP_EXT);
	return access(path, R_OK) == 0 || access(backup, R_OK) == 0;
}

/*
 * Is there a file that vtysh -b reads?  libfrr skips the daemon's own file when the one without
 * pathspace exists (it does not look at -N); vtysh reads the one of the pathspace.
 */
static bool integrated_file(const char *pathspace)
{
	char path[MAXPATHLEN];

	snprintf(path, sizeof(path), "%s%s%s" INTEGRATE_DEFAULT_CONFIG, frr_sysconfdir,
		 pathspace ? pathspace : "", pathspace ? "/" : "");
	return access(path, F_OK) == 0;
}

/* What the commands of the own file have left in the candidate (gcks_cli_collect()). */
static void commit_own_file(void)
{
	struct nb_context context = { .client = NB_CLIENT_CLI };
	char error[BUFSIZ] = "";
	int result = nb_candidate_commit(context, vty_shared_candidate_config, true,
					 "Read configuration file", NULL, error, sizeof(error));

	if (result == NB_OK || result == NB_ERR_NO_CHANGES)
		return;
	zlog_err("GSA: the configuration file is rejected, nothing of it is in force: %s (%s)",
		 error[0] ? error : "no reason given", nb_err_name(result));
	nb_config_replace(vty_shared_candidate_config, running_config, true);
}

/* libfrr has read the daemon's own file, or not. */
static int own_file_read(struct event_loop *loop)
{
	commit_own_file();
	if (gcksd_di.dryrun) /* nothing is started then */
		return 0;
	if (gcksd_di.config_file) {
		if (readable(gcksd_di.config_file))
			configuration_ends();
		else
			zlog_warn("GSA: %s cannot be read: nothing is removed or refused for good "
				  "before vtysh -b has read a configuration",
				  gcksd_di.config_file);
	} else if (integrated_file(NULL) || integrated_file(gcksd_di.pathspace)) {
		zlog_info("GSA: vtysh -b will read the integrated configuration");
	} else {
		configuration_ends();
	}
	return 0;
}

/* ---- start ---- */

/* Keys take locked memory (libgsa/secret.h). */
static void raise_memory_limit(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_MEMLOCK, &limit);
}

static void log_memory_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		zlog_info(
			"GSA: the limit of locked memory (RLIMIT_MEMLOCK) is enough for %llu keys",
			(unsigned long long)limit.rlim_cur / GSA_SECRET_SIZE);
}

/*
 * Keys are kept out of core dumps, but not what OpenSSL, SQLite and protobuf do with them on
 * their way; and bgpd, which listens to the network, may run as the same user: it must not
 * be able to trace gcksd.
 */
static void limit_inspection(void)
{
	/* also on request: the change of user has switched it off */
	if (prctl(PR_SET_DUMPABLE, settings.core_dumps ? 1 : 0) != 0)
		zlog_warn("GSA: core dumps cannot be switched %s: %m",
			  settings.core_dumps ? "on" : "off");
}

static bool open_store(void)
{
	char error[512] = "";

	gcksd.store = gcks_store_open(settings.store, settings.key_file, error, sizeof(error));
	if (!gcksd.store) {
		zlog_err("GSA: gcksd does not start: %s", error);
		return false;
	}
	if (!gcks_store_load(gcksd.store, &gcksd.registrations, &gcksd.sas, &gcksd.known, error,
			     sizeof(error))) {
		zlog_err("GSA: gcksd does not start: %s", error);
		return false;
	}
	if (gcks_store_notice(gcksd.store)[0])
		zlog_warn("GSA: %s; what was given to members since is not known, so every group "
			  "begins anew: new SAs, and members register again",
			  gcks_store_notice(gcksd.store));
	return true;
}

static void close_tables(void)
{
	gcks_policy_clear(&gcksd.policy);
	gcks_registrations_clear(&gcksd.registrations);
	gcks_sa_table_clear(&gcksd.sas);
	gcks_member_table_clear(&gcksd.members);
	gcks_kernel_ids_clear(&gcksd.known);
	gcks_kernel_ids_clear(&gcksd.installed);
	if (gcksd.store)
		gcks_store_close(gcksd.store);
	gcksd.store = NULL;
}

static bool start(void)
{
	limit_inspection();
	log_memory_limit();
	if (!open_store())
		return false;
	gcks_server_start();
	gcks_client_start();
	if (!gcks_local_start(gcksd.loop, settings.local_socket, settings.charon_user))
		return false;
	gcks_connected_start(gcksd.loop);
	return true;
}

/*
 * In the background, libfrr's first process takes our status as soon as our end of its
 * socket is closed, which is before there is one: the command would report success.  A process
 * that ends later than this one holds the socket open until the status is there.
 */
static void __attribute__((noreturn)) start_failed(void)
{
	close_tables();
	zlog_tls_buffer_flush();
	if ((gcksd_di.daemon_mode || gcksd_di.terminal) && fork() == 0) {
		usleep(START_FAILED_US);
		_exit(1);
	}
	exit(1);
}

/* ---- stop, signals ---- */

/* Kernel state, registrations and the store stay as they are: the next gcksd goes on with them. */
static void __attribute__((noreturn)) terminate(void)
{
	zlog_notice("GSA: terminating on signal; registrations and kernel state stay");
	frr_early_fini();
	event_cancel(&t_empty);
	gcks_local_stop();
	gcks_server_stop();
	gcks_client_stop();
	gcks_announce_stop();
	gcks_connected_stop();
	close_tables();
	frr_fini();
	exit(0);
}

static void hang_up(void)
{
	zlog_info("GSA: SIGHUP ignored; vtysh changes the configuration");
}

static void rotate_log(void)
{
	zlog_rotate();
}

static struct frr_signal_t signals[] = {
	{ .signal = SIGHUP, .handler = hang_up },
	{ .signal = SIGUSR1, .handler = rotate_log },
	{ .signal = SIGINT, .handler = terminate },
	{ .signal = SIGTERM, .handler = terminate },
};

static const struct frr_yang_module_info *const gcksd_yang_modules[] = { &frr_gsa_info };

/* A terminal over TCP only for this host, unless -A says more. */
static char vty_address[] = "127.0.0.1";

/* clang-format off */
FRR_DAEMON_INFO(gcksd, GCKS,
	.vty_addr = vty_address,
	.vty_port = GCKSD_VTY_PORT,
	.proghelp = "Group controller/key server and group member for IPsec group SAs.",

	.signals = signals,
	.n_signals = array_size(signals),

	.privs = &privileges,

	.yang_modules = gcksd_yang_modules,
	.n_yang_modules = array_size(gcksd_yang_modules),
);
/* clang-format on */

static void copy_path(char *out, const char *option, const char *path)
{
	if (strlcpy(out, path, MAXPATHLEN) >= MAXPATHLEN || !path[0]) {
		fprintf(stderr, "gcksd: the path of --%s is empty or too long\n", option);
		exit(1);
	}
}

static void read_options(int argc, char **argv)
{
	int option;

	while ((option = frr_getopt(argc, argv, NULL)) != EOF) {
		switch (option) {
		case 0:
			break;
		case OPTION_LOCAL_SOCKET:
			copy_path(settings.local_socket, "local-socket", optarg);
			break;
		case OPTION_STORE:
			copy_path(settings.store, "store", optarg);
			break;
		case OPTION_KEY_FILE:
			copy_path(settings.key_file, "key-file", optarg);
			break;
		case OPTION_CHARON_USER:
			settings.charon_user = optarg;
			break;
		case OPTION_CORE_DUMPS:
			settings.core_dumps = true;
			break;
		default:
			frr_help_exit(1);
		}
	}
	/* after the loop: -N changes the folders */
	if (!settings.local_socket[0])
		snprintf(settings.local_socket, MAXPATHLEN, "%s/gcksd.sock", frr_runstatedir);
	if (!settings.store[0])
		snprintf(settings.store, MAXPATHLEN, "%s/gcksd.db", frr_libstatedir);
	if (!settings.key_file[0])
		snprintf(settings.key_file, MAXPATHLEN, "%s/gcksd.key", frr_libstatedir);
}

int main(int argc, char **argv)
{
	frr_preinit(&gcksd_di, argc, argv);
	frr_opt_add("", options, option_help);
	read_options(argc, argv);
	raise_memory_limit();

	gcksd.loop = frr_init();
	gcks_nb_member_init();
	gcks_cli_init();
	gcks_show_init();
	cmd_init_config_callbacks(vtysh_read_starts, vtysh_read_ends);
	hook_register(frr_config_post, own_file_read);

	frr_config_fork();
	if (!start())
		start_failed();
	frr_run(gcksd.loop);
	return 0;
}
