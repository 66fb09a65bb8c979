/* SPDX-License-Identifier: MIT */
/*
 * Starting a thread of ours in a process that is somebody else's: detached,
 * with every signal blocked (the program's handlers run in the program's
 * threads only), without the creator's real-time policy.
 *
 * thread.c is plain POSIX; what a new thread does about its name and its
 * CPUs is in settle_linux.c, or settle_none.c where there is nothing to do.
 */
#ifndef UAIO_OS_THREAD_H
#define UAIO_OS_THREAD_H

#include <signal.h>
#include <stddef.h>

/*
 * Start `run(arg)` in a new thread with at least `stack` bytes (0: the
 * system's default).  0, or -errno.  All signals must be blocked by the
 * caller: the new thread inherits the mask, and a handler that interrupts
 * pthread_create() could wait for the very thread that is being made.
 */
int pool__thread_start(void *(*run)(void *), void *arg, size_t stack);

/* Called by the new thread itself: its name (at most 15 bytes), its CPUs. */
void pool__thread_settle(const char *name);

/* CPUs that this process may use; at least 1. */
unsigned pool__cpus(void);

/* Block all signals, and put the former mask back. */
void pool__signals_block(sigset_t *old);
void pool__signals_restore(const sigset_t *old);

#endif
