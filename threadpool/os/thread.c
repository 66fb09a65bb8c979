/* SPDX-License-Identifier: MIT */
#include "thread.h"
#include "park.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <time.h>

/*
 * A policy that lets a thread of ours starve the program, or that the
 * program chose for one thread of its own, is not for workers.  What the
 * whole process runs under (batch, idle, niceness) stays.
 */
static void drop_realtime(pthread_attr_t *attr)
{
    struct sched_param param;
    int policy;

    if (pthread_getschedparam(pthread_self(), &policy, &param) != 0)
        return;
    if (policy != SCHED_FIFO && policy != SCHED_RR)
        return;
    memset(&param, 0, sizeof param);
    pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(attr, SCHED_OTHER);
    pthread_attr_setschedparam(attr, &param);
}

int pool__thread_start(void *(*run)(void *), void *arg, size_t stack)
{
    pthread_attr_t attr;
    pthread_t thread;
    int err = pthread_attr_init(&attr);

    if (err)
        return -err;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (stack)
        pthread_attr_setstacksize(&attr, stack);
    drop_realtime(&attr);
    err = pthread_create(&thread, &attr, run, arg);
    if (err == EINVAL || err == EPERM) {
        /* Much thread-local data wants a larger stack; a sandbox may refuse
         * the scheduling attributes.  The plain thread will do. */
        pthread_attr_destroy(&attr);
        if (pthread_attr_init(&attr) != 0)
            return -err;
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        err = pthread_create(&thread, &attr, run, arg);
    }
    pthread_attr_destroy(&attr);
    return -err;
}

int64_t pool__now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void pool__signals_block(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, old);
}

void pool__signals_restore(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}
