/* SPDX-License-Identifier: MIT */
/*
 * What happens to the process as a whole.
 *
 * fork(): the child has a copy of our memory and none of our threads.  Nothing
 * that was in flight is the child's, so each part forgets what it knows, without
 * a look at it: locks may have been held, and lists been half changed, by
 * threads that are not there any more.  Nothing is prepared in the parent.
 *
 * Processes are told from their children by an epoch: a number that differs
 * from that of all ancestors.  What is of another epoch is not ours.  Of a fork
 * without handlers (_Fork(), a bare system call) the first call into uaio finds
 * out, by a word that the kernel clears (lib/os/fork_mark.h).  A child that
 * shares the memory (vfork(), clone() with CLONE_VM) shares all of it, and
 * none of this happens.
 *
 * The end, by exit(), _exit() or exec(): our threads die with whatever they are
 * doing, so those who promised more wait first.
 */
#ifndef UAIO_PROCESS_H
#define UAIO_PROCESS_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Call `reset` in every forked child, after those that were named before. */
void process__in_child(void (*reset)(void));

/* atomic: points to the epoch; 0 there: this is a child, and nobody has noticed */
extern _Atomic(atomic_uint *) process__mark;

#define PROCESS_RESETTING UINT_MAX /* in place of an epoch: a thread of the child has noticed */

/* The epoch; 0 in a child that has not called process__check() yet. */
static inline unsigned process__epoch(void)
{
    return atomic_load_explicit(atomic_load_explicit(&process__mark, memory_order_acquire),
                                memory_order_acquire);
}

/* Everything is as new when this returns, whoever has done it. */
void process__reset(void);

/* To be called before anything is used that a child must not.  Async-signal-safe. */
static inline void process__check(void)
{
    unsigned epoch = process__epoch();

    if (epoch == 0 || epoch == PROCESS_RESETTING)
        process__reset();
}

/* Call `finish` before the process that uses us ends.  It must not wait for
 * what may never come. */
void process__before_end(void (*finish)(void));

/*
 * The process becomes another program, or ends, with the report that UAIO_STATS
 * asks for.  Async-signal-safe; nothing is done in a child that shares our
 * memory.
 */
void process__before_exec(void);
void process__end(void);

#endif
