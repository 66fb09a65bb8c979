/* SPDX-License-Identifier: MIT */
/*
 * Something that happens again and again, and threads that wait for it to
 * happen once more: an event count.  Waiters read the sequence number, check
 * their condition, and wait for the number to change.
 *
 * Async-signal-safe all of it, and a wait ends with -EINTR when a signal
 * handler ran: so no condition variables here.  event_futex.c (Linux),
 * event_pipe.c (POSIX).
 */
#ifndef UAIO_OS_EVENT_H
#define UAIO_OS_EVENT_H

#include <stdatomic.h>
#include <stdint.h>

struct event {
    atomic_uint sequence; /* atomic: how often it happened */
    atomic_uint sleepers; /* atomic: threads that wait or are about to */
    atomic_uint resets;   /* atomic: a sleeper of before a reset does not count any more */
#ifdef UAIO_PORTABLE
    _Atomic uint64_t ends; /* atomic: the pipe's, write end << 32 | read end; 0: none yet */
#endif
};

#define EVENT_FOREVER INT64_MAX

/* seq_cst, as is the change in uaio__event_signal(): of a waiter that
 * announces itself and then checks, and a signaller that acts and then looks
 * for waiters, one sees the other. */
static inline unsigned uaio__event_sequence(struct event *e)
{
    return atomic_load_explicit(&e->sequence, memory_order_seq_cst);
}

/*
 * Wait until the sequence is not `sequence` any more: 0 (also without reason),
 * -EINTR, or -ETIMEDOUT at `deadline_ns` of CLOCK_MONOTONIC.  A cancellation
 * point.
 */
int uaio__event_wait(struct event *e, unsigned sequence, int64_t deadline_ns);

void uaio__event_signal(struct event *e);

/* In a forked child: nobody waits. */
void uaio__event_reset(struct event *e);

#endif
