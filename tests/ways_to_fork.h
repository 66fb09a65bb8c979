/* SPDX-License-Identifier: MIT */
/*
 * Ways to have a child with a copy of the memory.  Only the first calls what
 * pthread_atfork() was told, and only the first is known to the sanitizers, and
 * to the portable variant.
 */
#ifndef UAIO_TESTS_WAYS_TO_FORK_H
#define UAIO_TESTS_WAYS_TO_FORK_H

#include <sys/types.h>

enum { BY_FORK, BY_UNDERSCORE_FORK, BY_SYSCALL, FORK_WAYS };

/*
 * As fork() does.  -1 with ENOSYS where libc has no such way, and where nothing
 * tells of such children, as the system takes MADV_WIPEONFORK for a piece of
 * advice that need not be followed (qemu-user does).
 */
pid_t fork_by(int way);

#endif
