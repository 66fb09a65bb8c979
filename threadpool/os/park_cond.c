/* SPDX-License-Identifier: MIT */
/* park.h on any POSIX system: a mutex and a condition variable. */
#include "park.h"

#include <time.h>

void pool__park_init(struct park *p)
{
    pthread_condattr_t attr;

    atomic_init(&p->token, 0);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->woken, &attr);
    pthread_condattr_destroy(&attr);
}

bool pool__park_wait(struct park *p, int64_t timeout_ns)
{
    struct timespec end;
    bool taken;

    clock_gettime(CLOCK_MONOTONIC, &end);
    if (timeout_ns != PARK_FOREVER) {
        end.tv_sec += (time_t)(timeout_ns / 1000000000);
        end.tv_nsec += (long)(timeout_ns % 1000000000);
        if (end.tv_nsec >= 1000000000) {
            end.tv_sec++;
            end.tv_nsec -= 1000000000;
        }
    }
    pthread_mutex_lock(&p->lock);
    while (!(taken = atomic_exchange_explicit(&p->token, 0, memory_order_relaxed) == 1)) {
        if (timeout_ns == PARK_FOREVER)
            pthread_cond_wait(&p->woken, &p->lock);
        else if (pthread_cond_timedwait(&p->woken, &p->lock, &end) != 0)
            break;
    }
    if (!taken)
        taken = atomic_exchange_explicit(&p->token, 0, memory_order_relaxed) == 1;
    pthread_mutex_unlock(&p->lock);
    return taken;
}

void pool__park_wake(struct park *p)
{
    /* Relaxed: the lock orders it. */
    pthread_mutex_lock(&p->lock);
    atomic_store_explicit(&p->token, 1, memory_order_relaxed);
    pthread_cond_signal(&p->woken);
    pthread_mutex_unlock(&p->lock);
}
