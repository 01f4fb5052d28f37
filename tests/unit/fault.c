// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fault.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__real_gsa_locked_take(size_t length);
void __real_gsa_locked_give(void *memory, size_t length);
void __real_free(void *memory);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_gsa_locked_take(size_t length);
void __wrap_gsa_locked_give(void *memory, size_t length);
void __wrap_free(void *memory);

static unsigned int countdown;
static bool failed;
static long live;

void fault_arm(unsigned int allocations)
{
	countdown = allocations;
	failed = false;
}

bool fault_disarm(void)
{
	countdown = 0;
	return failed;
}

long fault_live(void)
{
	return live;
}

static bool fails(void)
{
	if (!countdown || --countdown)
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *memory)
{
	live += memory != NULL;
	return memory;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__real_calloc(count, size));
}

/* Of what was there before the number stays the same. */
void *__wrap_realloc(void *memory, size_t size)
{
	if (fails())
		return NULL;
	return memory ? __real_realloc(memory, size) : counted(__real_realloc(NULL, size));
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
	if (fails())
		return NULL;
	return memory ? __real_reallocarray(memory, count, size)
		      : counted(__real_reallocarray(NULL, count, size));
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : counted(__real_strdup(text));
}

void *__wrap_gsa_locked_take(size_t length)
{
	return fails() ? NULL : counted(__real_gsa_locked_take(length));
}

void __wrap_gsa_locked_give(void *memory, size_t length)
{
	live--;
	__real_gsa_locked_give(memory, length);
}

void __wrap_free(void *memory)
{
	live -= memory != NULL;
	__real_free(memory);
}
