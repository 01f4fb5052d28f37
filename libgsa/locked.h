// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory for secrets (secret.h): never swapped, not in a core dump, overwritten when it is given back.
 */
#ifndef LIBGSA_LOCKED_H
#define LIBGSA_LOCKED_H

#include <stddef.h>

/*
 * Zeroed octets; NULL: no memory, or none that may be locked.  Any thread.  What was taken before a
 * fork() is not locked in the child, what is taken after it is.
 */
void *gsa_locked_take(size_t length);
/* Wipes them; `length` is what was taken. */
void gsa_locked_give(void *memory, size_t length);

#endif
