/* SPDX-License-Identifier: MIT */
/*
 * Ways to have a child with a copy of the memory.  Only the first calls what
 * pthread_atfork() was told, and only the first is known to the sanitizers, and
 * to the portable variant.
 */
#ifndef UAIO_TESTS_WAYS_TO_FORK_H
#define UAIO_TESTS_WAYS_TO_FORK_H

#include <stdbool.h>
#include <sys/types.h>

enum { BY_FORK, BY_UNDERSCORE_FORK, BY_SYSCALL, FORK_WAYS };

/* Whether the system has MADV_WIPEONFORK; where it takes that for a piece of advice
 * that need not be followed (qemu-user does), only handlers tell of children. */
bool wipes_on_fork(void);

/* As fork() does.  -1 with ENOSYS where libc has no such way, or nothing tells of it. */
pid_t fork_by(int way);

/*
 * Of a handler's third argument: has the signal interrupted a system call that slept?
 * Also true where nothing is known of the machine.  In the child of a fork without
 * handlers nothing is as new until the library is called again: so a handler may only
 * fork there, if the child goes on in the call that was interrupted.
 */
bool was_asleep(const void *context);

#endif
