// SPDX-License-Identifier: GPL-2.0-or-later
/* What gsa_kernel.c (messages, states) and gsa_kernel_policy.c share. */
#ifndef GSA_KERNEL_H_
#define GSA_KERNEL_H_

#include "charon-gsa-plugin/gsa.h"

/** Address of 4 or 16 octets; NULL: another length. */
host_t *gsa_kernel_host(const ProtobufCBinaryData *bytes);

/** The policies that this process installed; destroying them leaves the kernel as it is. */
typedef struct gsa_policies_t gsa_policies_t;
gsa_policies_t *gsa_policies_create(void);
void gsa_policies_destroy(gsa_policies_t *this);
/** NULL if it is installed, else why not (static string); logged. */
const char *gsa_policies_install(gsa_policies_t *this, const Gsa__InstallPolicy *request);
/** NULL if it is not there (any more), or was replaced; else as above. */
const char *gsa_policies_remove(gsa_policies_t *this, const Gsa__RemovePolicy *request);

#endif
