/* SPDX-License-Identifier: MIT */
/* thread.h on Linux: the part that POSIX has no word for. */
#define _GNU_SOURCE
#include "thread.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

void pool__thread_settle(const char *name)
{
    cpu_set_t process, own;

    pthread_setname_np(pthread_self(), name);
    /* The thread that happened to submit first may have pinned itself; the
     * main thread's set is the nearest there is to the process's own. */
    if (sched_getaffinity(getpid(), sizeof process, &process) == 0 &&
        sched_getaffinity(0, sizeof own, &own) == 0 && !CPU_EQUAL(&process, &own))
        sched_setaffinity(0, sizeof process, &process);
}

unsigned pool__cpus(void)
{
    cpu_set_t process;

    if (sched_getaffinity(getpid(), sizeof process, &process) == 0 && CPU_COUNT(&process) > 0)
        return (unsigned)CPU_COUNT(&process);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}
