/* SPDX-License-Identifier: MIT */
#include "poller.h"
#include "descriptor.h"
#include "engine.h"
#include "process.h"
#include "readiness.h"
#include "os/thread.h"

#include <errno.h>
#include <time.h>

#define STACK_BYTES (256 * 1024)
#define IDLE_MS 1000
#define BATCH 64

static struct {
    pthread_mutex_t starting;
    pthread_mutex_t lock;
    atomic_int set;      /* atomic, changed under the lock: the readiness set; -1: none, and no
                          thread */
    int second;          /* with the set: what it needs besides, or -1 */
    atomic_uint users;   /* atomic: the thread stays while there are any */
    atomic_uint watches; /* atomic: release before each watch, acquire after its report: the
                            kernel's order, put into C's terms */
} poller = {.starting = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER, .set = -1};

static int the_set(void)
{
    return atomic_load_explicit(&poller.set, memory_order_relaxed);
}

static void set_is(int set)
{
    atomic_store_explicit(&poller.set, set, memory_order_relaxed);
}

/* ---- tags ------------------------------------------------------------------ */

#define OF_LANE (UINT64_C(1) << 63) /* an index has less than 31 bits */

uint64_t poller__lane_tag(uint32_t index, uint32_t serial)
{
    return OF_LANE | (uint64_t)index << 32 | serial;
}

uint32_t poller__lane_index(uint64_t tag)
{
    return (uint32_t)((tag & ~OF_LANE) >> 32);
}

bool poller__is_request(uint64_t tag)
{
    return !(tag & OF_LANE);
}

struct request_id poller__request_of(uint64_t tag)
{
    return (struct request_id){(uint32_t)(tag >> 32), (uint32_t)tag};
}

/* ---- the set --------------------------------------------------------------- */

/* Programs that close all there is are not to see it. */
static int open_set(void)
{
    int set = uaio__readiness_open(&poller.second);

    if (set >= 0)
        descriptor__own(set);
    if (set >= 0 && poller.second >= 0)
        descriptor__own(poller.second);
    return set;
}

static void disown_set(int set)
{
    descriptor__disown(set);
    if (poller.second >= 0)
        descriptor__disown(poller.second);
}

static void close_set(int set)
{
    disown_set(set);
    uaio__readiness_close(set);
}

/* ---- the thread -------------------------------------------------------------- */

/* Nothing waits: the thread ends, unless somebody has come meanwhile.  Also if
 * the program has closed our descriptor: never spin. */
static bool may_end(int set, bool broken)
{
    bool end;

    pthread_mutex_lock(&poller.lock);
    /* acquire: pairs with poller__unuse(); what the last user did is done. */
    end = broken || atomic_load_explicit(&poller.users, memory_order_acquire) == 0;
    if (end) {
        if (broken)
            disown_set(set);
        else
            close_set(set);
        set_is(-1);
    }
    pthread_mutex_unlock(&poller.lock);
    return end;
}

/*
 * A descriptor that is reported again and again, and of which nothing comes (a
 * socket's queue of errors that only the program can empty, data that another
 * reader takes each time), must not keep a processor busy.
 */
enum { FRUITLESS_MAX = 16 };

static void pause_if_fruitless(unsigned *fruitless, bool progress)
{
    const struct timespec ms = {0, 1000000};

    *fruitless = progress ? 0 : *fruitless + 1;
    if (*fruitless > FRUITLESS_MAX)
        nanosleep(&ms, NULL);
}

static void *poller_main(void *arg)
{
    int set = (int)(intptr_t)arg;
    struct readiness ready[BATCH];
    bool progress = false;
    unsigned fruitless = 0, epoch = process__epoch();

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &(int){0});
    pool__thread_settle("uaio-poll");
    for (;;) {
        int n = uaio__readiness_wait(set, ready, BATCH, IDLE_MS);
        atomic_load_explicit(&poller.watches, memory_order_acquire);
        if (n > 0)
            progress = engine__ready(ready, n);
        engine__attend();
        if (epoch != process__epoch())
            return NULL; /* a callback ran here, and forked, and this is the child */
        if (n > 0)
            pause_if_fruitless(&fruitless, progress);
        else if (may_end(set, n < 0))
            break;
    }
    engine__attend(); /* poked at the last moment */
    return NULL;
}

static bool is_started(void)
{
    bool started;

    pthread_mutex_lock(&poller.lock);
    started = the_set() >= 0;
    pthread_mutex_unlock(&poller.lock);
    return started;
}

/* [starting] */
static int start(void)
{
    int set = open_set(), err;

    if (set < 0)
        return set;
    err = pool__thread_start(poller_main, (void *)(intptr_t)set, STACK_BYTES);
    if (err) {
        close_set(set);
        return err;
    }
    pthread_mutex_lock(&poller.lock);
    set_is(set);
    pthread_mutex_unlock(&poller.lock);
    return 0;
}

int poller__start(void)
{
    int err = 0;

    if (is_started())
        return 0;
    pthread_mutex_lock(&poller.starting);
    if (!is_started())
        err = start();
    pthread_mutex_unlock(&poller.starting);
    return err;
}

void poller__use(void)
{
    atomic_fetch_add_explicit(&poller.users, 1, memory_order_relaxed);
}

void poller__unuse(void)
{
    atomic_fetch_sub_explicit(&poller.users, 1, memory_order_release);
}

/* ---- watches ----------------------------------------------------------------- */

int poller__watch(int fd, unsigned conditions, uint64_t tag)
{
    int err = -ENXIO;

    pthread_mutex_lock(&poller.lock);
    atomic_fetch_add_explicit(&poller.watches, 1, memory_order_release);
    if (the_set() >= 0)
        err = uaio__readiness_watch(the_set(), fd, conditions, tag);
    pthread_mutex_unlock(&poller.lock);
    return err;
}

int poller__watch_request(int fd, unsigned conditions, struct request_id id)
{
    int err = poller__start();

    /* Never EPERM: that is said of the descriptor. */
    return err ? -EAGAIN : poller__watch(fd, conditions, (uint64_t)id.index << 32 | id.generation);
}

bool poller__poke(void)
{
    bool poked;
    sigset_t mask;

    pool__signals_block(&mask);
    pthread_mutex_lock(&poller.lock);
    poked = the_set() >= 0 && uaio__readiness_poke(the_set());
    pthread_mutex_unlock(&poller.lock);
    pool__signals_restore(&mask);
    return poked;
}

void poller__unwatch(int fd)
{
    pthread_mutex_lock(&poller.lock);
    if (the_set() >= 0)
        uaio__readiness_unwatch(the_set(), fd);
    pthread_mutex_unlock(&poller.lock);
}

void poller__reset(void)
{
    if (the_set() >= 0)
        close_set(the_set());
    set_is(-1);
    atomic_store_explicit(&poller.users, 0, memory_order_relaxed);
    pthread_mutex_init(&poller.starting, NULL);
    pthread_mutex_init(&poller.lock, NULL);
}
