// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A key server takes and gives back several keys for each registration, and to map, lock and unmap a
 * page for each is a tenth of its work; so keys share pages.  mlock() does not nest: a page stays
 * locked until its last key is given back.  What is longer than a place has pages of its own.
 *
 *   page   | its state | place 1 | place 2 | ... | place 31 |   each GSA_SECRET_SIZE octets
 */
#include "libgsa/locked.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, length)	((void)(at))
#define ASAN_UNPOISON_MEMORY_REGION(at, length) ((void)(at))
#endif

#include "libgsa/secret.h"

#define PLACES 31

struct page {
	struct page *next, *previous; /* of those with room */
	uint32_t used;		      /* bit N: place N + 1 */
	pid_t owner;		      /* locks are not inherited */
};

_Static_assert(sizeof(struct page) <= GSA_SECRET_SIZE, "a page's state fits into a place");

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* for all below */
static struct page *with_room;
static pid_t owner; /* of with_room */

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mapped_size(size_t length)
{
	return (length + page_size() - 1) / page_size() * page_size();
}

static void *map(size_t length)
{
	size_t size = mapped_size(length);
	void *pages;

	if (size < length)
		return NULL;
	pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return NULL;
	if (mlock(pages, size) == 0 && madvise(pages, size, MADV_DONTDUMP) == 0)
		return pages;
	munmap(pages, size);
	return NULL;
}

/* ---- pages with room; the mutex is held ---- */

static void link_page(struct page *page)
{
	page->previous = NULL;
	page->next = with_room;
	if (with_room)
		with_room->previous = page;
	with_room = page;
}

static void unlink_page(struct page *page)
{
	if (page->previous)
		page->previous->next = page->next;
	else
		with_room = page->next;
	if (page->next)
		page->next->previous = page->previous;
}

static uint8_t *place_of(struct page *page, unsigned int number)
{
	return (uint8_t *)page + (number + 1) * GSA_SECRET_SIZE;
}

static bool is_full(const struct page *page)
{
	return page->used == (1u << PLACES) - 1;
}

static struct page *find_page(void)
{
	struct page *page;

	if (owner != getpid()) {
		/* forked: the parent's pages are not locked here, and no new secret is put there */
		owner = getpid();
		with_room = NULL;
	}
	if (with_room)
		return with_room;
	page = map(page_size());
	if (!page)
		return NULL;
	page->owner = owner;
	link_page(page);
	ASAN_POISON_MEMORY_REGION(place_of(page, 0), PLACES * GSA_SECRET_SIZE);
	return page;
}

static void *take_place(size_t length)
{
	struct page *page = find_page();
	unsigned int number;

	if (!page)
		return NULL;
	number = (unsigned int)__builtin_ctz(~page->used);
	page->used |= 1u << number;
	if (is_full(page))
		unlink_page(page);
	ASAN_UNPOISON_MEMORY_REGION(place_of(page, number), length);
	return place_of(page, number);
}

static void give_place(uint8_t *place)
{
	struct page *page = (struct page *)((uintptr_t)place & ~(uintptr_t)(page_size() - 1));
	unsigned int number = (unsigned int)((place - (uint8_t *)page) / GSA_SECRET_SIZE) - 1;

	ASAN_POISON_MEMORY_REGION(place, GSA_SECRET_SIZE);
	if (page->owner != getpid())
		return; /* the parent's: not used again */
	if (is_full(page))
		link_page(page);
	page->used &= ~(1u << number);
	/* one stays for the next secret */
	if (page->used || (!page->next && !page->previous))
		return;
	unlink_page(page);
	ASAN_UNPOISON_MEMORY_REGION(page, page_size());
	munmap(page, page_size());
}

/* ---- taking and giving back ---- */

void *gsa_locked_take(size_t length)
{
	void *place;

	if (length > GSA_SECRET_SIZE)
		return map(length);
	pthread_mutex_lock(&mutex);
	place = take_place(length);
	pthread_mutex_unlock(&mutex);
	return place;
}

void gsa_locked_give(void *memory, size_t length)
{
	gsa_wipe(memory, length);
	if (length > GSA_SECRET_SIZE) {
		munmap(memory, mapped_size(length)); /* unlocks */
		return;
	}
	pthread_mutex_lock(&mutex);
	give_place(memory);
	pthread_mutex_unlock(&mutex);
}
