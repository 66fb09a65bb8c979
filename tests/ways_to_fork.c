/* SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include "ways_to_fork.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Older C libraries do not have it. */
extern pid_t _Fork(void) __attribute__((weak));

bool wipes_on_fork(void)
{
    const size_t nbytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, nbytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool refuses_nonsense;

    if (page == MAP_FAILED)
        return false;
    refuses_nonsense = madvise(page, nbytes, -1) != 0;
    munmap(page, nbytes);
    return refuses_nonsense;
}

pid_t fork_by(int way)
{
    if (way == BY_FORK)
        return fork();
    if (!wipes_on_fork() || (way == BY_UNDERSCORE_FORK && !_Fork)) {
        errno = ENOSYS;
        return -1;
    }
    if (way == BY_UNDERSCORE_FORK)
        return _Fork();
#ifdef SYS_fork
    return (pid_t)syscall(SYS_fork);
#else
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

bool was_asleep(const void *context)
{
#if defined __linux__ && defined __x86_64__
    const ucontext_t *interrupted = context;
    return interrupted->uc_mcontext.gregs[REG_RAX] == -EINTR;
#elif defined __linux__ && defined __i386__
    const ucontext_t *interrupted = context;
    return interrupted->uc_mcontext.gregs[REG_EAX] == -EINTR;
#else
    (void)context;
    return true;
#endif
}
