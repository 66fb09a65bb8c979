/* SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include "ways_to_fork.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
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

static pid_t sleeper;
static int sleepers_signal;

static bool is_asleep(pid_t tid)
{
    char path[64], line[512];
    const char *state;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (n <= 0)
        abort();
    close(fd);
    line[n] = '\0';
    state = strrchr(line, ')'); /* the name before it may hold anything */
    return state && strncmp(state, ") S", 3) == 0;
}

static void *send_when_asleep(void *argument)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (!is_asleep(sleeper))
        sched_yield();
    if (syscall(SYS_tgkill, getpid(), sleeper, sleepers_signal) != 0)
        abort();
    return argument;
}

void signal_when_asleep_begin(pthread_t *sender, int signo)
{
    sleeper = (pid_t)syscall(SYS_gettid);
    sleepers_signal = signo;
    if (pthread_create(sender, NULL, send_when_asleep, NULL) != 0)
        abort();
}

void signal_when_asleep_end(pthread_t sender)
{
    pthread_join(sender, NULL);
}
