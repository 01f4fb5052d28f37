// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Member: the kernel that an earlier gcksd has filled.  After a reboot, or in another network namespace, it is
 * another one and empty, and a route must not count as protected.
 */
#include <zebra.h>

#include "lib/libfrr.h"
#include "lib/log.h"

#include "gcks/client.h"

bool gcks_is_same_kernel(void)
{
	char path[MAXPATHLEN], now[256] = "", before[256] = "", boot[64] = "", net[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(boot, sizeof(boot), file) ||
	    readlink("/proc/self/ns/net", net, sizeof(net) - 1) < 0)
		boot[0] = '\0';
	if (file)
		fclose(file);
	if (!boot[0])
		return false;
	boot[strcspn(boot, "\n")] = '\0';
	snprintf(now, sizeof(now), "%s %s", boot, net);
	snprintf(path, sizeof(path), "%s/gcksd.kernel", frr_runstatedir);
	file = fopen(path, "re");
	if (file) {
		if (!fgets(before, sizeof(before), file))
			before[0] = '\0';
		fclose(file);
	}
	if (strcmp(now, before) == 0)
		return true;
	file = fopen(path, "we");
	if (!file || fputs(now, file) < 0)
		zlog_warn("GSA: %s cannot be written: %m", path);
	if (file)
		fclose(file);
	return false;
}
