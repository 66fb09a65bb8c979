/* SPDX-License-Identifier: MIT */
/*
 * A context's events: slots are reserved by submitters, filled by whoever
 * completes a request, and emptied by io_getevents() or by the program itself,
 * which reads the ring in memory and moves `head`.
 *
 * Filling.  `tail` may move only when the event before it is there, and
 * programs read the ring at any time, so events go in one at a time: by the
 * thread that holds `publishing`.  Nobody waits for it.  Who finds it taken
 * pushes his event on `backlog` and goes; the holder looks there after letting
 * go.  (Both sides store and then load the other's, seq_cst: one of them sees
 * the other.)  Workers hold it with their signals blocked.  A submitter's
 * thread has its open, as blocking them costs more than the event, and so does
 * not touch the backlog while it holds it: a handler that interrupts it there
 * can hold up nothing but the event of the io_submit() that it interrupted.
 * Its own reaping takes events from the backlog, past the ring.
 *
 * Emptying.  Of several threads in io_getevents() each takes some events by one
 * compare-and-swap of {head, tail}: while neither has changed, these are the
 * events that it saw.  It copies them afterwards, so they must not be
 * overwritten yet: it first announces from which slot on it will copy, in
 * `claims`, and submitters do not count what is behind that as free.  Copying
 * first and then moving `head` would be simpler, and wrong: after nr events
 * head is the same again, and the copy stale.
 *
 * Slots.  A request has one from ring__reserve() until its event is reaped:
 * slots in flight are `accepted` - `bypassed` - `tail`, free ones lie between
 * `tail` and `head` or the first claim.  `head` is the program's to change:
 * taken modulo nr each time, it can only confuse the program itself.
 *
 * Waiters sleep until `tail` reaches `wake_at`, which they lower to what they
 * need; see ring__sleep().
 */
#ifndef UAIO_LINUX_RING_H
#define UAIO_LINUX_RING_H

#include "context.h"

/* Take a slot for a request; false: none is free. */
bool ring__reserve(struct context *c);
void ring__unreserve(struct context *c);

/* Events that could be reaped now. */
unsigned ring__available(struct context *c);

/* Events on their way there, that ring__reap() may find first. */
bool ring__has_backlog(struct context *c);

/*
 * Put an event into the ring, bump its eventfd, wake waiters.  A request's
 * event may be published by another thread after this has returned.
 */
void ring__publish(struct context *c, struct request *r);

/* The same for an event without a request. */
void ring__publish_inline(struct context *c, const struct linux_event *event, struct resfd resfd);

/* A request that c->prompt counts is not one after all. */
void ring__prompt_over(struct context *c);

/* Copy up to `max` events to `to`, however aligned, and take them out. */
long ring__reap(struct context *c, unsigned char *to, long max);

/* Before the conditions are checked. */
unsigned ring__sequence(struct context *c);

/*
 * Sleep until there are `wanted` events to reap (0: until the next one is
 * published, if any that c->prompt counts is to come), or for no reason; 0,
 * -EINTR, or -ETIMEDOUT at `deadline_ns` of CLOCK_MONOTONIC.  With a signal
 * mask: it holds for the time of the sleep.
 */
int ring__sleep(struct context *c, unsigned sequence, unsigned wanted, int64_t deadline_ns,
                const sigset_t *mask);

/* Wake everybody who sleeps on the context. */
void ring__wake_all(struct context *c);

#endif
