// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel's files share: gsa_kernel.c (messages), gsa_kernel_state.c, gsa_kernel_owner.c,
 * gsa_kernel_policy.c, gsa_kernel_event.c.
 */
#ifndef GSA_KERNEL_H_
#define GSA_KERNEL_H_

#include "charon-gsa-plugin/gsa.h"

/** Address of 4 or 16 octets; NULL: another length. */
host_t *gsa_kernel_host(const ProtobufCBinaryData *bytes);

/** gcksd chooses the reqids of groups from a range of its own; charon counts from 1 up. */
#define GSA_REQID_BASE 0x47000000u
#define GSA_REQID_MASK 0x00ffffffu
static inline bool gsa_kernel_is_ours(uint32_t reqid)
{
	return (reqid & ~GSA_REQID_MASK) == GSA_REQID_BASE;
}

/** Questions to the kernel about states, and who they belong to. */
typedef struct gsa_owners_t gsa_owners_t;
gsa_owners_t *gsa_owners_create(void);
void gsa_owners_destroy(gsa_owners_t *this);
/**
 * The reqid of the ESP state with this SPI (network order) and destination.
 * @return	SUCCESS, NOT_FOUND, FAILED: the kernel does not say (logged)
 */
status_t gsa_owners_reqid(gsa_owners_t *this, host_t *destination, uint32_t spi, uint32_t *reqid);
#define GSA_OWNER_TEXT 256
/** Who has it, as a sentence that names the CHILD_SA or the groups.  May wait for an IKE_SA. */
void gsa_owners_print(host_t *destination, uint32_t spi, uint32_t reqid, char *text, size_t size);

/** The states that this process installed; destroying them leaves the kernel as it is. */
typedef struct gsa_states_t gsa_states_t;
gsa_states_t *gsa_states_create(void);
void gsa_states_destroy(gsa_states_t *this);
/** How an InstallSa ended. */
typedef struct {
	bool ok, gone, conflict;   /* as in Installed */
	char text[GSA_OWNER_TEXT]; /* why not; logged */
} gsa_installed_t;
void gsa_states_install(gsa_states_t *this, const Gsa__InstallSa *request, gsa_installed_t *result);
/** NULL if it is not there (any more), was replaced, or is another's; else why it stays. */
const char *gsa_states_remove(gsa_states_t *this, const Gsa__RemoveSa *request);
/** What the kernel tells of a state, or of all. */
typedef struct {
	bool all;
	host_t *destination; /* else: of this one; borrowed */
	uint32_t spi;	     /* network order */
	Gsa__EndedBy by;
} gsa_ended_t;
/** Asks the kernel; what is not there any more is told to gcksd and forgotten. */
void gsa_states_look(gsa_states_t *this, const gsa_ended_t *ended);

/** Listens to the kernel for states that others end; `ended` is called in charon's workers. */
typedef struct gsa_events_t gsa_events_t;
typedef void (*gsa_ended_cb_t)(void *data, const gsa_ended_t *ended);
gsa_events_t *gsa_events_create(gsa_ended_cb_t ended, void *data);
void gsa_events_destroy(gsa_events_t *this);

/** The policies that this process installed; destroying them leaves the kernel as it is. */
typedef struct gsa_policies_t gsa_policies_t;
gsa_policies_t *gsa_policies_create(void);
void gsa_policies_destroy(gsa_policies_t *this);
/** NULL if it is installed, else why not (static string); logged. */
const char *gsa_policies_install(gsa_policies_t *this, const Gsa__InstallPolicy *request);
/** NULL if it is not there (any more), or was replaced; else as above. */
const char *gsa_policies_remove(gsa_policies_t *this, const Gsa__RemovePolicy *request);

#endif
