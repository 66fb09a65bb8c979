/* SPDX-License-Identifier: MIT */
#include "poller.h"
#include "engine.h"
#include "readiness.h"
#include "os/thread.h"

#include <errno.h>

#define STACK_BYTES (256 * 1024)
#define IDLE_MS 1000
#define BATCH 64

/* How the thread and those who add come to terms: it ends, and they start it,
 * under the lock, taken with all signals blocked. */
static struct {
    pthread_mutex_t lock;
    atomic_int set;     /* atomic, changed under the lock: the readiness set; -1: none, and
                           no thread; stays while anything waits */
    atomic_int waiting; /* atomic: descriptors in the set; raised under the lock */
} poller = {.lock = PTHREAD_MUTEX_INITIALIZER, .set = -1};

static int the_set(void)
{
    return atomic_load_explicit(&poller.set, memory_order_relaxed);
}

static void set_is(int set)
{
    atomic_store_explicit(&poller.set, set, memory_order_relaxed);
}

static void lock(sigset_t *mask)
{
    pool__signals_block(mask);
    pthread_mutex_lock(&poller.lock);
}

static void unlock(const sigset_t *mask)
{
    pthread_mutex_unlock(&poller.lock);
    pool__signals_restore(mask);
}

/* Nothing waits: the thread ends, unless something has been added meanwhile.
 * Also if the program has closed our descriptor: never spin. */
static bool may_end(int set, bool broken)
{
    bool end;

    pthread_mutex_lock(&poller.lock);
    end = broken || atomic_load_explicit(&poller.waiting, memory_order_acquire) == 0;
    if (end) {
        if (!broken)
            uaio__readiness_close(set);
        set_is(-1);
    }
    pthread_mutex_unlock(&poller.lock);
    return end;
}

static void *poller_main(void *arg)
{
    int set = (int)(intptr_t)arg;
    struct readiness ready[BATCH];

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &(int){0});
    pool__thread_settle("uaio-poll");
    for (;;) {
        int n = uaio__readiness_wait(set, ready, BATCH, IDLE_MS);
        for (int i = 0; i < n; i++)
            engine__ready(
                (struct request_id){(uint32_t)(ready[i].tag >> 32), (uint32_t)ready[i].tag},
                ready[i].conditions);
        if (n <= 0 && may_end(set, n < 0))
            return NULL;
    }
}

/* [lock] 0 or -errno. */
static int start(void)
{
    int set = uaio__readiness_open(), err;

    if (set < 0)
        return set;
    err = pool__thread_start(poller_main, (void *)(intptr_t)set, STACK_BYTES);
    if (err) {
        uaio__readiness_close(set);
        return err;
    }
    set_is(set);
    return 0;
}

int poller__add(int fd, unsigned wanted, struct request_id id)
{
    uint64_t tag = (uint64_t)id.index << 32 | id.generation;
    sigset_t mask;
    int err;

    lock(&mask);
    err = the_set() < 0 ? start() : 0;
    if (err == 0) {
        atomic_fetch_add_explicit(&poller.waiting, 1, memory_order_relaxed);
        err = uaio__readiness_add(the_set(), fd, wanted, tag);
        if (err)
            atomic_fetch_sub_explicit(&poller.waiting, 1, memory_order_release);
    }
    unlock(&mask);
    return err;
}

/* No lock: while it waits, the set is there. */
void poller__remove(int fd)
{
    uaio__readiness_remove(the_set(), fd);
    /* release: pairs with may_end(), which closes the set. */
    atomic_fetch_sub_explicit(&poller.waiting, 1, memory_order_release);
}

void poller__reset(void)
{
    if (the_set() >= 0)
        uaio__readiness_close(the_set());
    set_is(-1);
    atomic_store_explicit(&poller.waiting, 0, memory_order_relaxed);
    pthread_mutex_init(&poller.lock, NULL);
}
