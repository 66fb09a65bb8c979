/* SPDX-License-Identifier: MIT */
#include "wait.h"

#define SLOTS 64u
#define OWNED 56u /* the slots below belong to one waiter at a time; the rest is shared */

/* Each in a cache line of its own: sleepers do not disturb each other. */
static struct {
    _Alignas(64) struct event event;
} slots[SLOTS];

static _Atomic uint64_t taken; /* atomic: a bit a slot in use */
static atomic_uint shared;     /* atomic: the next slot to be shared */

void wait__begin(struct wait *w)
{
    uint64_t bits = atomic_load_explicit(&taken, memory_order_relaxed);
    unsigned slot;

    while ((slot = (unsigned)__builtin_ctzll(~bits)) < OWNED) {
        /* acquire: pairs with wait__end(); the last owner has cleared its bits. */
        if (atomic_compare_exchange_weak_explicit(&taken, &bits, bits | UINT64_C(1) << slot,
                                                  memory_order_acquire, memory_order_relaxed)) {
            *w = (struct wait){slot, true};
            return;
        }
    }
    slot = OWNED + atomic_fetch_add_explicit(&shared, 1, memory_order_relaxed) % (SLOTS - OWNED);
    *w = (struct wait){slot, false};
}

void wait__end(struct wait *w)
{
    if (w->owned)
        atomic_fetch_and_explicit(&taken, ~(UINT64_C(1) << w->slot), memory_order_release);
}

unsigned wait__sequence(const struct wait *w)
{
    return uaio__event_sequence(&slots[w->slot].event);
}

void wait__watch(const struct wait *w, struct request_id id)
{
    struct request *r = request__at(id);

    /* acq_rel: pairs with wait__wake(), see wait.h.  If the slot is another
     * request's by now, its completion wakes us for nothing. */
    if (r)
        atomic_fetch_or_explicit(&r->waiters, UINT64_C(1) << w->slot, memory_order_acq_rel);
}

void wait__unwatch(const struct wait *w, struct request_id id)
{
    struct request *r = request__at(id);

    if (r && w->owned)
        atomic_fetch_and_explicit(&r->waiters, ~(UINT64_C(1) << w->slot), memory_order_relaxed);
}

int wait__sleep(const struct wait *w, unsigned sequence, int64_t deadline_ns)
{
    return uaio__event_wait(&slots[w->slot].event, sequence, deadline_ns);
}

static void signal_all(uint64_t bits)
{
    while (bits) {
        uaio__event_signal(&slots[__builtin_ctzll(bits)].event);
        bits &= bits - 1;
    }
}

void wait__wake(struct request *r)
{
    signal_all(atomic_exchange_explicit(&r->waiters, 0, memory_order_acq_rel));
}

/* Nothing is changed, but by a read-modify-write: see wait.h. */
void wait__nudge(struct request *r)
{
    signal_all(atomic_fetch_or_explicit(&r->waiters, 0, memory_order_acq_rel));
}

void wait__reset(void)
{
    atomic_store_explicit(&taken, 0, memory_order_relaxed);
    for (unsigned i = 0; i < SLOTS; i++)
        uaio__event_reset(&slots[i].event);
}
