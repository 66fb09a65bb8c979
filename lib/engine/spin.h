/* SPDX-License-Identifier: MIT */
/*
 * Looking for a moment before sleeping.
 *
 * What a worker is just computing (a copy to the page cache) is done in a few
 * microseconds.  A thread that sleeps for as long costs that worker a system call
 * and an interrupt of another CPU to wake it, and is late: one that looks meanwhile
 * costs only itself.  Nobody looks for what sleeps in a device.
 *
 *     if (spin__begin(&spin, pool, deadline_ns)) {
 *         while (!(found = is there anything?) && spin__goes_on(&spin))
 *             ;
 *         spin__end(found);
 *     }
 *
 * Each thread keeps for itself whether it has paid lately: if not, it is tried now
 * and then only.  What comes first gets the CPU: the looks are sched_yield()s apart.
 *
 * A signal that is handled meanwhile has come before the sleep, as one that comes
 * before the call does; so a call does this once at most, before its first sleep.
 * Async-signal-safe: a handler's waits spoil the guess, no more.
 */
#ifndef UAIO_SPIN_H
#define UAIO_SPIN_H

#include "pool.h"

#include <stdbool.h>
#include <stdint.h>

struct spin {
    int64_t end_ns;
};

/* False: it is not worth it, now. */
bool spin__begin(struct spin *spin, struct pool *pool, int64_t deadline_ns);
bool spin__goes_on(const struct spin *spin);
void spin__end(bool paid);

#endif
