/* SPDX-License-Identifier: MIT */
/*
 * A place for one thread to sleep until one other thread wakes it: the
 * pool's only way of waiting.  A wake-up is a token that is kept until it is
 * taken, so it does not matter whether the sleeper or the waker comes first.
 *
 * One file a platform: park_futex.c (Linux), park_cond.c (POSIX).
 */
#ifndef UAIO_OS_PARK_H
#define UAIO_OS_PARK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct park {
    atomic_uint token; /* 1: a wake-up waits to be taken */
#ifdef UAIO_PORTABLE
    pthread_mutex_t lock;
    pthread_cond_t woken;
#endif
};

#define PARK_FOREVER INT64_MAX

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t pool__now_ns(void);

void pool__park_init(struct park *p);

/*
 * Sleep until there is a token, at most `timeout_ns` nanoseconds.  True if
 * the token was there and is taken now, false if the time is up.
 */
bool pool__park_wait(struct park *p, int64_t timeout_ns);

/*
 * Leave the token and wake the sleeper.  The park must outlive the call, even
 * if the sleeper has gone on meanwhile: parks are recycled, never freed.
 */
void pool__park_wake(struct park *p);

#endif
