/* SPDX-License-Identifier: MIT */
#include "process.h"
#include "stats.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define MAX_HOOKS 8

typedef void hook(void);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hook *resets[MAX_HOOKS];           /* lock */
static int n;                             /* lock */
static _Atomic(hook *) finish[MAX_HOOKS]; /* atomic: release when set, acquire when called */

static void in_child(void)
{
    int saved = errno;

    for (int i = 0; i < n; i++)
        resets[i]();
    errno = saved;
}

void process__in_child(void (*reset)(void))
{
    pthread_mutex_lock(&lock);
    assert(n < MAX_HOOKS);
    if (n == 0)
        pthread_atfork(NULL, NULL, in_child);
    resets[n++] = reset;
    pthread_mutex_unlock(&lock);
}

void process__before_end(void (*function)(void))
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_HOOKS; i++) {
        if (!atomic_load_explicit(&finish[i], memory_order_relaxed)) {
            atomic_store_explicit(&finish[i], function, memory_order_release);
            break;
        }
    }
    pthread_mutex_unlock(&lock);
}

void process__before_exec(void)
{
    int saved = errno;

    for (int i = 0; uaio__stats_own() && i < MAX_HOOKS; i++) {
        hook *function = atomic_load_explicit(&finish[i], memory_order_acquire);
        if (function)
            function();
    }
    errno = saved;
}

void process__end(void)
{
    process__before_exec();
    uaio__report();
}

__attribute__((destructor)) static void at_exit(void)
{
    process__end();
}
