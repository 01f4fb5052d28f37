// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/simulation/simulation.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct event {
	int64_t when;
	uint64_t order; /* of two at the same time the one that was asked for first */
	action *what;
	struct member *member;
	struct push *push;
	uint64_t number;
};

/* No reboot is simulated: the monotonic clock goes on, from some time after one. */
int64_t sim_now = HOUR;
uint64_t sim_steps;

static uint64_t seed, state, asked;
static struct event *heap;
static size_t count, size;

void sim_seed(uint64_t value)
{
	seed = state = value;
}

/* splitmix64 */
static uint64_t next(void)
{
	uint64_t value = state += 0x9e3779b97f4a7c15;

	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
	value = (value ^ value >> 27) * 0x94d049bb133111eb;
	return value ^ value >> 31;
}

uint64_t sim_random(uint64_t limit)
{
	return next() % limit;
}

int64_t sim_interval(int64_t mean)
{
	double part = (double)(next() >> 11) / (double)(1ull << 53);

	return 1 + (int64_t)(-log1p(-part) * (double)mean);
}

void sim_fail(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "simulation: seed %llu, day %.4f, event %llu: ", (unsigned long long)seed,
		(double)sim_now / DAY, (unsigned long long)sim_steps);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(1);
}

/* ---- heap ---- */

static bool before(const struct event *a, const struct event *b)
{
	return a->when != b->when ? a->when < b->when : a->order < b->order;
}

void sim_at(int64_t when, action *what, struct member *member, struct push *push, uint64_t number)
{
	struct event new = { when, asked++, what, member, push, number };
	size_t at = count++;

	if (count > size) {
		size = size ? 2 * size : 1024;
		heap = realloc(heap, size * sizeof(*heap));
		if (!heap)
			abort();
	}
	for (; at && before(&new, &heap[(at - 1) / 2]); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = new;
}

static struct event take_first(void)
{
	struct event first = heap[0], last = heap[--count];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < count) {
		if (child + 1 < count && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &last))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return first;
}

bool sim_step(int64_t end)
{
	struct event event;

	if (!count || heap[0].when >= end)
		return false;
	event = take_first();
	sim_now = event.when;
	sim_steps++;
	event.what(event.member, event.push, event.number);
	return true;
}
