// SPDX-License-Identifier: GPL-2.0-or-later
/* The member's two files: client.c is what is wanted, client_install.c brings it into the kernel. */
#ifndef GCKS_CLIENT_H
#define GCKS_CLIENT_H

#include "gcks/gcksd.h"

/* Plan and send; `allow_remove`: everybody has repeated what they know. */
void gcks_install_plan(bool allow_remove);
void gcks_install_acknowledged(const Gsa__Installed *installed);
/* charon connected: nothing is acknowledged any more, all of it is asked for again. */
void gcks_install_reset(void);
/* The keys of this SPI have changed: install it again. */
void gcks_install_forget_spi(uint32_t spi);
/* Set `ready` of all routes from what the kernel holds. */
void gcks_install_update_ready(void);
void gcks_install_start(void);

/* -- client.c -- */

/* Plan soon; and tell bgpd which routes are ready now. */
void gcks_client_tell_ready(void);

#endif
