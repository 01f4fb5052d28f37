// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into a daemon: how much memory it has allocated and not freed, whatever the allocator
 * and its caches keep besides. In the file $LAB_HEAP.PID, for as long as the process lives, two
 * int64_t: octets, blocks.
 *
 * Without sanitizers malloc and its like are replaced by ones that count; with AddressSanitizer,
 * whose malloc has to stay, its hooks do.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct counters {
	int64_t octets, blocks;
};

static struct counters own, *counters = &own;

static void count(const volatile void *pointer, int sign, size_t size)
{
	if (!pointer)
		return;
	__atomic_fetch_add(&counters->octets, sign * (int64_t)size, __ATOMIC_RELAXED);
	__atomic_fetch_add(&counters->blocks, sign, __ATOMIC_RELAXED);
}

/* ---- glibc's malloc ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *pointer);

static void *taken(void *pointer)
{
	count(pointer, 1, malloc_usable_size(pointer));
	return pointer;
}

void *malloc(size_t size)
{
	return taken(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
	return taken(__libc_calloc(number, size));
}

void *realloc(void *pointer, size_t size)
{
	size_t before = malloc_usable_size(pointer);
	void *moved = __libc_realloc(pointer, size);

	/* of size 0 it is freed */
	if (moved || (pointer && !size))
		count(pointer, -1, before);
	return taken(moved);
}

void *memalign(size_t alignment, size_t size)
{
	return taken(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **pointer, size_t alignment, size_t size)
{
	void *found = memalign(alignment, size);

	if (!found)
		return ENOMEM;
	*pointer = found;
	return 0;
}

void free(void *pointer)
{
	count(pointer, -1, malloc_usable_size(pointer));
	__libc_free(pointer);
}

/* ---- AddressSanitizer's ---- */

__attribute__((weak)) int
__sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
					  void (*freed)(const volatile void *));
__attribute__((weak)) size_t __sanitizer_get_allocated_size(const volatile void *pointer);

static void hook_allocated(const volatile void *pointer, size_t size)
{
	count(pointer, 1, size);
}

static void hook_freed(const volatile void *pointer)
{
	if (pointer)
		count(pointer, -1, __sanitizer_get_allocated_size(pointer));
}

/* ---- */

__attribute__((constructor)) static void begin(void)
{
	const char *prefix = getenv("LAB_HEAP");
	char name[4096];
	void *shared;
	int fd;

	if (!prefix)
		return;
	snprintf(name, sizeof(name), "%s.%d", prefix, (int)getpid());
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*counters)) < 0)
		abort();
	shared = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		abort();
	close(fd);
	/* nobody else runs yet */
	*(struct counters *)shared = own;
	counters = shared;
	if (__sanitizer_install_malloc_and_free_hooks)
		__sanitizer_install_malloc_and_free_hooks(hook_allocated, hook_freed);
}
