/* SPDX-License-Identifier: MIT */
/*
 * Ways to have a child with a copy of the memory.  Only the first calls what
 * pthread_atfork() was told, and only the first is known to the sanitizers, and
 * to the portable variant.
 */
#ifndef UAIO_TESTS_WAYS_TO_FORK_H
#define UAIO_TESTS_WAYS_TO_FORK_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

enum { BY_FORK, BY_UNDERSCORE_FORK, BY_SYSCALL, FORK_WAYS };

/* Whether the system has MADV_WIPEONFORK; where it takes that for a piece of advice
 * that need not be followed (qemu-user does), only handlers tell of children. */
bool wipes_on_fork(void);

/* As fork() does.  -1 with ENOSYS where libc has no such way, or nothing tells of it. */
pid_t fork_by(int way);

/*
 * Linux: between the two, the calling thread gets the signal once, when it is seen
 * asleep.  A handler that forks otherwise than by fork() may do so there only: the
 * child goes on in the call that was interrupted, and only what asks the system
 * again tells it that it is one.
 */
void signal_when_asleep_begin(pthread_t *sender, int signo);
void signal_when_asleep_end(pthread_t sender);

#endif
