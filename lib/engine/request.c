/* SPDX-License-Identifier: MIT */
#include "request.h"
#include "config.h"
#include "stats.h"

#include <assert.h>
#include <string.h>

#define STATE_BITS 3u
#define STATE_MASK ((1u << STATE_BITS) - 1)

/* A slot is a whole number of cache lines, two threads never share one. */
#define SLOT_ALIGN 64u
#define SLOT_BYTES ((sizeof(struct request) + SLOT_ALIGN - 1) & ~(size_t)(SLOT_ALIGN - 1))

/* What a million requests cost: README has the figure. */
static_assert(SLOT_BYTES <= 256, "a request takes more than 256 bytes");

static struct slab slab = {.slot_size = SLOT_BYTES};

atomic_uint request__copies_in_flight;
atomic_uint request__now_in_flight;

static bool count(void)
{
    unsigned n = atomic_fetch_add_explicit(&request__now_in_flight, 1, memory_order_relaxed);

    if (n >= uaio__config()->max_requests) {
        atomic_fetch_sub_explicit(&request__now_in_flight, 1, memory_order_relaxed);
        return false;
    }
    uaio__stats_in_flight(n + 1);
    return true;
}

void request__uncount(struct request *r)
{
    if (r->counted)
        atomic_fetch_sub_explicit(&request__now_in_flight, 1, memory_order_relaxed);
    r->counted = false;
    request__set_work(r, WORK_SLEEPS);
}

void request__set_work(struct request *r, enum work work)
{
    enum work before = atomic_load_explicit(&r->work, memory_order_relaxed);

    if (work == before)
        return;
    atomic_store_explicit(&r->work, (unsigned char)work, memory_order_relaxed);
    if (work == WORK_COPIES)
        atomic_fetch_add_explicit(&request__copies_in_flight, 1, memory_order_relaxed);
    else if (before == WORK_COPIES)
        atomic_fetch_sub_explicit(&request__copies_in_flight, 1, memory_order_relaxed);
}

unsigned request__in_flight(void)
{
    return atomic_load_explicit(&request__now_in_flight, memory_order_relaxed);
}

/* Slots start at 0 again when their memory was given back: then from here, so
 * that an id from before does not name a new request. */
static _Atomic uint32_t first_generation;

static uint32_t next_generation(uint32_t control)
{
    uint32_t last = control >> STATE_BITS;

    if (last == 0)
        last = atomic_load_explicit(&first_generation, memory_order_relaxed);
    return last + 1;
}

struct request *request__new(enum request_state state, bool counted)
{
    struct request *r;
    uint32_t generation;

    if (counted && !count())
        return NULL;
    r = (struct request *)(void *)slab__get(&slab);
    if (!r) {
        if (counted)
            atomic_fetch_sub_explicit(&request__now_in_flight, 1, memory_order_relaxed);
        return NULL;
    }
    /* Everything but the slot's header, the word that outlives a use, and what
     * a late waiter may look at, or set a bit in, at any time. */
    memset((char *)r + offsetof(struct request, job), 0, sizeof *r - offsetof(struct request, job));
    r->counted = counted;
    atomic_store_explicit(&r->holders, 1, memory_order_relaxed);
    generation = next_generation(atomic_load_explicit(&r->control, memory_order_relaxed));
    /* release: pairs with the acquire in request__state() and __move(). */
    atomic_store_explicit(&r->control, generation << STATE_BITS | state, memory_order_release);
    return r;
}

void request__hold(struct request *r)
{
    atomic_fetch_add_explicit(&r->holders, 1, memory_order_relaxed);
}

void request__release(struct request *r)
{
    /* acq_rel: the last one sees what the others did. */
    if (atomic_fetch_sub_explicit(&r->holders, 1, memory_order_acq_rel) != 1)
        return;
    uint32_t control = atomic_load_explicit(&r->control, memory_order_relaxed);
    assert((control & STATE_MASK) == REQUEST_DONE);
    atomic_store_explicit(&r->control, (control & ~STATE_MASK) | REQUEST_FREE,
                          memory_order_release);
    slab__put(&slab, &r->slot);
}

/* The arrows of request.h. */
__attribute__((unused)) static bool allowed(enum request_state from, enum request_state to)
{
    static const unsigned char next[] = {
        [REQUEST_HELD] = 1u << REQUEST_QUEUED | 1u << REQUEST_WAITING | 1u << REQUEST_PUBLISHING,
        [REQUEST_QUEUED] = 1u << REQUEST_RUNNING | 1u << REQUEST_PUBLISHING,
        [REQUEST_RUNNING] = 1u << REQUEST_PUBLISHING | 1u << REQUEST_QUEUED,
        [REQUEST_PUBLISHING] = 1u << REQUEST_DONE,
        [REQUEST_DONE] = 1u << REQUEST_FREE,
        [REQUEST_WAITING] = 1u << REQUEST_TRYING | 1u << REQUEST_RUNNING | 1u << REQUEST_QUEUED |
                            1u << REQUEST_PUBLISHING,
        [REQUEST_TRYING] = 1u << REQUEST_WAITING | 1u << REQUEST_QUEUED | 1u << REQUEST_PUBLISHING |
                           1u << REQUEST_RUNNING,
    };
    return next[from] >> to & 1;
}

bool request__move(struct request *r, uint32_t generation, enum request_state from,
                   enum request_state to)
{
    uint32_t expected = generation << STATE_BITS | from;

    assert(allowed(from, to));
    return atomic_compare_exchange_strong_explicit(&r->control, &expected,
                                                   generation << STATE_BITS | to,
                                                   memory_order_acq_rel, memory_order_acquire);
}

void request__advance(struct request *r, enum request_state from, enum request_state to)
{
    bool moved = request__move(r, request__id(r).generation, from, to);
    assert(moved);
    (void)moved;
}

struct request *request__at(struct request_id id)
{
    return (struct request *)(void *)slab__at(&slab, id.index);
}

enum request_state request__state(const struct request *r, uint32_t generation)
{
    uint32_t control = atomic_load_explicit(&r->control, memory_order_acquire);
    if (control >> STATE_BITS != (generation & (UINT32_MAX >> STATE_BITS)))
        return REQUEST_FREE;
    return (enum request_state)(control & STATE_MASK);
}

bool request__reserve(unsigned n)
{
    return slab__reserve(&slab, n);
}

void request__trim(void)
{
    atomic_fetch_add_explicit(&first_generation, 1u << 16, memory_order_relaxed);
    slab__trim(&slab);
}

void request__reset(void)
{
    atomic_store_explicit(&request__now_in_flight, 0, memory_order_relaxed);
    atomic_store_explicit(&request__copies_in_flight, 0, memory_order_relaxed);
    slab__reset(&slab);
}
