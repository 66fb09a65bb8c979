/* SPDX-License-Identifier: MIT */
#include "process.h"
#include "fork_mark.h"
#include "report.h"
#include "stats.h"
#include "os/thread.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define MAX_HOOKS 8

typedef void hook(void);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hook *resets[MAX_HOOKS];           /* lock */
static int n;                             /* lock */
static _Atomic(hook *) finish[MAX_HOOKS]; /* atomic: release when set, acquire when called */

/* ---- forked children ------------------------------------------------------ */

static atomic_uint unmarked = 1; /* in place of a word that the kernel clears */
_Atomic(atomic_uint *) process__mark = &unmarked;
static unsigned last_epoch = 1; /* a child's is its parent's, plus 1 */
static _Thread_local bool resetting;

void process__reset(void)
{
    atomic_uint *mark = atomic_load_explicit(&process__mark, memory_order_relaxed);
    unsigned epoch = 0;
    int saved = errno;
    sigset_t mask;

    /* What is reset may come here: close() is ours, too. */
    if (resetting)
        return;
    /* Several threads of the child may come here first.  But no handler, on top of
     * the one that resets: it would wait for itself. */
    pool__signals_block(&mask);
    if (atomic_compare_exchange_strong_explicit(mark, &epoch, PROCESS_RESETTING,
                                                memory_order_acquire, memory_order_acquire)) {
        resetting = true;
        pthread_mutex_init(&lock, NULL);
        for (int i = 0; i < n; i++)
            resets[i]();
        resetting = false;
        atomic_store_explicit(mark, ++last_epoch, memory_order_release);
    }
    pool__signals_restore(&mask);
    while (process__epoch() == PROCESS_RESETTING)
        sched_yield();
    errno = saved;
}

static void in_child(void)
{
    atomic_store_explicit(&unmarked, 0, memory_order_relaxed);
    process__check();
}

/* [lock] */
static void set_mark(void)
{
    atomic_uint *mark = uaio__fork_mark();

    if (!mark)
        return;
    atomic_store_explicit(mark, last_epoch, memory_order_relaxed);
    atomic_store_explicit(&process__mark, mark, memory_order_release);
}

void process__in_child(void (*reset)(void))
{
    pthread_mutex_lock(&lock);
    assert(n < MAX_HOOKS);
    if (n == 0) {
        set_mark();
        pthread_atfork(NULL, NULL, in_child);
    }
    resets[n++] = reset;
    pthread_mutex_unlock(&lock);
}

/* ---- the end -------------------------------------------------------------- */

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
