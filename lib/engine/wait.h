/* SPDX-License-Identifier: MIT */
/*
 * Waiting for requests, in a way that is async-signal-safe, takes no lock and
 * allocates nothing, and wakes nobody who does not wait for what happened.
 *
 * There are 64 wait slots.  A waiter takes one, and sets its bit in `waiters`
 * of each request that it waits for.  Who completes a request publishes the
 * status, then exchanges `waiters` for 0 and signals the slots of the bits.
 * Setting a bit and exchanging the word are both read-modify-writes of one
 * atomic, so: either the completer sees the bit, or the waiter, who looks at
 * the status after setting the bit, sees the status.
 *
 * The classical way, a list of waiters' records at each request, was rejected:
 * the records lie on stacks, that a signal handler may leave by longjmp(), and
 * lists need a lock.  A stale bit costs one needless look, nothing else.
 *
 * Of more than 56 threads that wait at once the rest share the last slots, and
 * look in vain now and then.  A shared slot's bit is never taken back: it may
 * be another's.
 */
#ifndef UAIO_WAIT_H
#define UAIO_WAIT_H

#include "event.h"
#include "request.h"

#define WAIT_FOREVER EVENT_FOREVER

struct wait {
    unsigned slot;
    bool owned; /* not shared */
};

void wait__begin(struct wait *w);
void wait__end(struct wait *w);

/* Read before the conditions are checked, and passed to wait__sleep(). */
unsigned wait__sequence(const struct wait *w);

/* Ask to be woken by the request's completion, and no longer. */
void wait__watch(const struct wait *w, struct request_id id);
void wait__unwatch(const struct wait *w, struct request_id id);

/*
 * Sleep until a watched request completes (or for no reason): 0; -EINTR, or
 * -ETIMEDOUT at `deadline_ns` of CLOCK_MONOTONIC.  A cancellation point.
 */
int wait__sleep(const struct wait *w, unsigned sequence, int64_t deadline_ns);

/* In a forked child: nobody waits. */
void wait__reset(void);

/* The request's status is published: wake who waits for it. */
void wait__wake(struct request *r);

/* It is in another state again, not over: those who wait for it are to look. */
void wait__nudge(struct request *r);

#endif
