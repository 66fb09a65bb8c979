/* SPDX-License-Identifier: MIT */
/*
 * A pool of threads that run jobs.  It knows jobs and threads and nothing of
 * what the jobs do; whoever wants order among jobs brings it as a gate (the
 * arrive and leave hooks).
 *
 * The idea: posting takes no lock.  A job is pushed on a lock-free inbox, and
 * whoever holds the pool's lock next moves the inbox, in posting order, to
 * the ready queues.  Only workers take the lock on the hot path, and workers
 * have all signals blocked; other threads take it on rare paths, with signals
 * blocked for the time.  So a thread that is interrupted by a signal handler
 * never holds the lock, and the handler may wait for jobs to be done: with an
 * ordinary lock around posting it would deadlock.
 *
 * Threads: none before the first job.  A post wakes at most one worker (the
 * one that went idle last) or starts one, and only if no worker is already on
 * its way to look; a worker that takes a job wakes the next while work is
 * left.  A worker that has been idle for idle_ms ends.
 *
 * Four classes of jobs share the queues.  POOL_BLOCKING jobs sleep in the
 * kernel most of their time (a disk): they get threads up to max_threads.
 * POOL_CPU jobs burn it (a copy to the page cache): more of them at once than
 * cpu_limit only get in each other's way, so the rest waits, but not for
 * ever: while some wait, one idle worker keeps watch, and if none was started
 * for a while (the running ones are stuck after all) it runs one itself.
 * POOL_COPY jobs burn it, too, if what they copy is there (a large read from the page
 * cache); they are tried first, and one that has to sleep after all counts for their
 * limit, copy_limit, no more.
 * POOL_STARTED jobs wait for what is, most likely, under way already (a read into
 * the page cache that the kernel has begun): the limit for them is found out as they
 * run (tuner.h), from one worker, if it is as they say, to as many as there may be.
 *
 * The watch also is there for jobs that nobody is woken for (pool__post_lazily()).
 *
 * Every field and hook says which of the following holds:
 *   [lock]   guarded by pool.lock, taken with all signals blocked
 *   [const]  set by pool__init(), or before the job is posted
 *   [atomic] with its partner named in pool.c
 *
 * Nothing here is async-signal-safe but pool__post() and pool__retire() on a
 * pool whose threads need not be woken; see there.
 */
#ifndef UAIO_POOL_H
#define UAIO_POOL_H

#include "os/park.h"
#include "queue.h"
#include "tuner.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define POOL_PRIORITIES 32 /* 0 is the highest */
#define POOL_MAX_THREADS 1024

struct pool;

enum pool_class {
    POOL_CPU,
    POOL_COPY,
    POOL_STARTED,
    POOL_BLOCKING,
    POOL_CLASSES,
};

#define POOL_LIMITED POOL_BLOCKING /* the classes before it have limits */

struct pool_job {
    struct queue_node node;  /* [lock] in a ready queue, if `linked`; else the owner's */
    struct pool_job *posted; /* inbox link: the job posted before this one */
    atomic_uint marks;       /* [atomic] JOB_ARRIVED, JOB_RETIRED */
    uint32_t order;          /* [lock] when it became ready */
    uint8_t priority;        /* [const] below POOL_PRIORITIES */
    uint8_t class;           /* [const] enum pool_class, but for pool__requeue() */
    atomic_bool linked;      /* [atomic] it is in a ready queue; changed under the lock */
};

struct pool_hooks {
    /*
     * [lock] A posted job has arrived; jobs arrive in the order of posting.
     * The hook calls pool__ready(), now or, from a later hook, when the job
     * may run.  NULL: every job is ready at once.
     */
    void (*arrive)(struct pool *pool, struct pool_job *job);
    /*
     * [lock] A worker is about to run the job.  False: somebody else has
     * claimed it meanwhile and will retire it; the worker drops it.  NULL:
     * workers are the only ones to run jobs.
     */
    bool (*claim)(struct pool *pool, struct pool_job *job);
    /* [lock] A claimant gives the job back by pool__requeue(): it may be
     * claimed again from now on.  May be NULL. */
    void (*unclaim)(struct pool *pool, struct pool_job *job);
    /* Run a POOL_COPY job without sleeping; no lock is held.  False: it is not done, and
     * run() is to do the rest.  May be NULL if there are none. */
    bool (*copy)(struct pool *pool, struct pool_job *job);
    /* Run the job; no lock is held. */
    void (*run)(struct pool *pool, struct pool_job *job);
    /*
     * [lock] The job is over, run or retired; the hook owns its memory.
     * NULL: run() does, and the pool does not touch a job after it.
     */
    void (*leave)(struct pool *pool, struct pool_job *job);
    /* The pool's last thread ends.  No lock is held.  May be NULL. */
    void (*idle)(struct pool *pool);
    /* pool__call_attention() was called.  No lock is held.  May be NULL if it is not. */
    void (*attend)(struct pool *pool);
};

/* A thread's record.  Recycled, never freed: a waker may come late to it. */
struct pool_worker {
    struct park park;
    struct queue_node node; /* [lock] in pool.idle or pool.spare */
    struct pool *pool;
    struct pool_job *job; /* what it runs; its own */
    uint8_t class;        /* of job; its own */
    bool idle;            /* [lock] in pool.idle: may be woken for work */
    bool searching;       /* [lock] counted in pool.searching */
    bool watching;        /* [lock] it is the watch */
};

/* Counters for observation; never decreasing but `threads`. */
struct pool_stats {
    uint64_t wakeups;     /* idle workers woken */
    uint64_t started;     /* threads started */
    uint64_t start_fails; /* threads that could not be started */
    unsigned threads;
    unsigned threads_max;
};

/* A limited class's. */
struct pool_share {
    atomic_uint busy;  /* [atomic] its jobs that workers run */
    atomic_uint limit; /* relaxed, changed under the lock: at once */
    uint32_t taken;    /* [lock] started so far */
};

struct pool {
    _Atomic(struct pool_job *) inbox; /* [atomic] the newest posted job */
    atomic_uint searching; /* [atomic] workers that look at the inbox before they sleep */
    atomic_uint reserve;   /* [atomic] workers that could be woken or started */
    atomic_uint held;      /* [atomic] jobs that the gate holds back */
    atomic_uint lazy;      /* relaxed: lazy posts so far */
    atomic_bool watched;   /* [atomic] a worker keeps watch */
    atomic_uint starved;   /* [atomic] a thread was wanted, and was not started */

    pthread_mutex_t lock;
    struct queue ready[POOL_CLASSES][POOL_PRIORITIES]; /* [lock] */
    uint32_t nonempty[POOL_CLASSES];                   /* [lock] a bit a ready queue */
    uint32_t order;                                    /* [lock] */
    unsigned lazy_seen;                                /* [lock] lazy, at the last look */
    struct pool_share share[POOL_LIMITED];
    struct tuner tuner;      /* [lock] of POOL_STARTED */
    struct queue idle;       /* [lock] workers asleep, the last to sleep first */
    struct queue spare;      /* [lock] records of workers that have ended */
    unsigned max_threads;    /* [lock] */
    int64_t idle_ns;         /* [lock] */
    struct pool_stats stats; /* [lock] */
    unsigned ending;         /* [lock] threads that are over but for their last words */
    bool stopping;           /* [lock] */
    bool attention;          /* [lock] the attend hook is due */
    bool spinning;           /* [lock] a worker spins before it sleeps; one at most */
    int spin_score;          /* [lock] whether that has paid lately */
    int64_t spin_ns;         /* [const] for how long; 0: never */
    pthread_cond_t stopped;  /* with lock */

    unsigned generation;            /* [const] another one in a forked child, see pool.c */
    const struct pool_hooks *hooks; /* [const] */
    const char *name;               /* [const] of the threads */
    size_t stack;                   /* [const] bytes, 0: the system's default */

    /* [lock] Within the pool, so that nothing is allocated under the lock: a
     * thread interrupted in malloc() would hold up all workers. */
    unsigned workers_used;
    struct pool_worker workers[POOL_MAX_THREADS];
};

struct pool_config {
    const struct pool_hooks *hooks;
    const char *name;     /* at most 15 bytes, static */
    size_t stack;         /* bytes of a thread's stack, 0: the system's default */
    unsigned max_threads; /* 1..POOL_MAX_THREADS */
    unsigned cpu_limit;   /* POOL_CPU jobs at once; 0: as many as threads */
    unsigned copy_limit;  /* POOL_COPY jobs that do not sleep at once; 0: the same */
    unsigned idle_ms;     /* milliseconds that an idle thread stays */
    unsigned spin_us;     /* microseconds to look for work before sleeping, where that pays */
};

void pool__init(struct pool *pool, const struct pool_config *config);

/* Wait until all threads have ended; the jobs that are queued run first. */
void pool__destroy(struct pool *pool);

/* Change the bounds; threads beyond the new ones end when they go idle. */
void pool__resize(struct pool *pool, unsigned max_threads, unsigned idle_ms);

/* Fill in a job that is not posted. */
static inline void pool__job_init(struct pool_job *job, unsigned priority, enum pool_class class)
{
    job->posted = NULL;
    atomic_store_explicit(&job->marks, 0, memory_order_relaxed);
    job->priority = (uint8_t)priority;
    job->class = (uint8_t) class;
    atomic_store_explicit(&job->linked, false, memory_order_relaxed);
}

/* A chain linked by `posted`, the other way round. */
static inline struct pool_job *pool__reversed(struct pool_job *chain)
{
    struct pool_job *out = NULL;

    while (chain) {
        struct pool_job *next = chain->posted;
        chain->posted = out;
        out = chain;
        chain = next;
    }
    return out;
}

/*
 * Post the chain newest -> posted -> ... -> oldest, oldest to arrive first,
 * with at most one wake-up.  For a single job, newest == oldest.  `class` is
 * theirs, or POOL_BLOCKING if they differ.  If no thread can be had at all, the
 * jobs run in the caller before this returns.
 */
void pool__post(struct pool *pool, struct pool_job *newest, struct pool_job *oldest,
                enum pool_class class);

/*
 * Post one job that the caller is about to claim himself: as long as a worker
 * keeps watch, which it does while such posts keep coming, nobody is woken for it.
 * The watch runs it in a millisecond or two if nobody has claimed it.
 */
void pool__post_lazily(struct pool *pool, struct pool_job *job);

/* It will not be claimed after all: a worker that is idle is woken.  No thread is
 * started; async-signal-safe. */
void pool__hurry(struct pool *pool);

/*
 * Post one job that the gate will not make ready, or that it does not matter
 * when a worker finds: it arrives in this thread, before this returns, and
 * nobody is woken for it.  The caller has all signals blocked.
 */
void pool__arrive(struct pool *pool, struct pool_job *job);

/* Does this thread, no worker, run the pool's jobs at the moment, for want of
 * threads?  Async-signal-safe. */
bool pool__stands_in(const struct pool *pool);

/*
 * For signal handlers.  Between these two the thread starts no thread of any
 * pool and runs no job, whatever it calls here: pthread_create() allocates and
 * takes locks.  What wants one is `starved`, until another thread catches up.
 * They nest.  Async-signal-safe, as are the two below.
 */
void pool__begin_quiet(void);
void pool__end_quiet(void);
bool pool__is_starved(struct pool *pool);

/* Have one of the pool's threads call the attend hook, soon: false if there is
 * no thread. */
bool pool__call_attention(struct pool *pool);

/* Start, or stand in for, the thread that was wanted, if one was. */
void pool__catch_up(struct pool *pool);

/* Take back a job that is still queued: true, and it will not run. */
bool pool__withdraw(struct pool *pool, struct pool_job *job);

/*
 * The caller has claimed a posted job (so that the claim hook refuses it) and
 * is done with it: leave() is due, now or when the lock is next held.  Takes
 * no lock unless a job that is held back may have waited for this one.
 */
void pool__retire(struct pool *pool, struct pool_job *job);

/* The same, with leave() called before this returns if the job has arrived.
 * The caller has all signals blocked. */
void pool__retire_now(struct pool *pool, struct pool_job *job);

/* The caller has claimed a posted job and gives it back unfinished, as one of that
 * class. */
void pool__requeue(struct pool *pool, struct pool_job *job, enum pool_class class);

/*
 * For who claims a job that he has not been given; pool__retire() is due then.
 * `is_queued`, without the lock: it has arrived, and waits for a worker.
 * `has_arrived` [lock]: has it?  And `unlink` [lock]: no worker need look at it.
 */
static inline bool pool__is_queued(const struct pool_job *job)
{
    /* Acquire: what the gate has done when it arrived is done. */
    return atomic_load_explicit(&job->linked, memory_order_acquire);
}
bool pool__has_arrived(const struct pool_job *job);
void pool__unlink(struct pool *pool, struct pool_job *job);

/* [lock] For the hooks: the job may run now. */
void pool__ready(struct pool *pool, struct pool_job *job);

/* [lock] For the hooks: `n` more (or, negative, fewer) jobs are held back. */
static inline void pool__hold(struct pool *pool, int n)
{
    /* seq_cst: pairs with the load in pool__retire(), see there. */
    atomic_fetch_add_explicit(&pool->held, (unsigned)n, memory_order_seq_cst);
}

/* Could one more worker be woken or started?  No lock; a hint. */
static inline bool pool__has_reserve(struct pool *pool)
{
    return atomic_load_explicit(&pool->reserve, memory_order_relaxed) != 0;
}

/* Is a worker awake that looks for what is posted now?  A hint, and exact under the
 * lock. */
static inline bool pool__is_searched(struct pool *pool)
{
    return atomic_load_explicit(&pool->searching, memory_order_relaxed) > 0;
}

/* For how many nanoseconds is it worth looking for the end of a job before sleeping,
 * if it is one that computes?  0: none is running, or there is no CPU to look from.  A hint. */
static inline int64_t pool__worth_looking_ns(struct pool *pool)
{
    bool busy = atomic_load_explicit(&pool->share[POOL_CPU].busy, memory_order_relaxed) > 0 ||
                atomic_load_explicit(&pool->share[POOL_COPY].busy, memory_order_relaxed) > 0;

    return busy ? pool->spin_ns : 0;
}

/*
 * Hold the pool's lock from outside, with all that was posted arrived:
 * to look at what the gate keeps.  Not from within a hook.  `mask` NULL: the
 * caller has all signals blocked.
 */
void pool__enter(struct pool *pool, sigset_t *mask);
void pool__exit(struct pool *pool, const sigset_t *mask);

struct pool_stats pool__stats(struct pool *pool);

#endif
