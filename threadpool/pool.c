/* SPDX-License-Identifier: MIT */
/*
 * Who sleeps, who wakes: the handshake.
 *
 * A poster pushes on the inbox and then asks whether some worker will look at
 * it; a worker withdraws its promise to look and then looks once more.  Both
 * sides are "store, then load the other's store", in one total order (all
 * four are seq_cst), so at least one of them sees the other:
 *
 *     poster                            worker, going to sleep or to work
 *     push(inbox)                       searching--, or busy--; reserve++
 *     searching == 0 && reserve > 0 ?   inbox empty ?
 *       yes: rouse a worker               no: look again
 *
 * The promise to look is one of
 *   searching > 0   a worker is awake and looks before it sleeps;
 *   reserve == 0    all threads there may be are busy, and each looks when
 *                   its job is done: a wake-up could achieve nothing;
 *   in a limited    as many run as may, each looks when its job is done, or
 *   class           does not count any more, and the watch is there in case
 *                   they are stuck;
 *   for a lazy post the watch is there, which looks every WATCH_NS.
 *
 * searching, reserve, busy and watched change under the lock only; they
 * are atomic for the sake of posters, who read them without it.
 *
 * Retiring (helpers run jobs without the lock) is a second use of the inbox.
 * A job retires when it has both arrived and been marked retired: whichever
 * of the two marks comes second sees the first and owns the rest.  If the
 * second is the retiring side, the job's inbox link is free again and carries
 * the message.
 *
 * Forks.  A job may fork (a callback of the program's, say), and return in the
 * child: there the pool has been initialised again meanwhile, and knows nothing
 * of the thread that ran it.  Whoever runs a job notes the pool's generation
 * first; if it is another one afterwards, he touches nothing.
 */
#include "pool.h"
#include "probes.h"
#include "spin_score.h"
#include "os/thread.h"

#include <limits.h>
#include <sched.h>
#include <string.h>

enum {
    JOB_ARRIVED = 1u,
    JOB_RETIRED = 2u,
};

/* How long queued jobs of a limited class may see none started before the watch acts, and
 * how often it looks for what was posted lazily. */
#define WATCH_NS 1000000

/* What POOL_STARTED begins with: enough to be no loss if nothing is under way. */
#define STARTED_LIMIT 8u

/* Classes whose limits do not matter, a bit each. */
#define ANY_CLASS UINT_MAX

/* What is to be done once the lock is released: at most one wake-up. */
struct errand {
    struct pool_worker *wake;  /* this one sleeps */
    struct pool_worker *start; /* or this one has no thread yet */
};

/* The pool whose jobs this thread, not a worker, is running for want of any. */
static _Thread_local struct pool *standing_in;
static _Thread_local volatile sig_atomic_t quiet; /* see pool__begin_quiet() */

static void *worker_main(void *arg);
static void stand_in(struct pool *pool);

void pool__init(struct pool *pool, const struct pool_config *config)
{
    static atomic_uint generations; /* relaxed: they need only differ */

    memset(pool, 0, sizeof *pool);
    pool->generation = atomic_fetch_add_explicit(&generations, 1, memory_order_relaxed) + 1;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->stopped, NULL);
    for (int c = 0; c < POOL_CLASSES; c++)
        for (int p = 0; p < POOL_PRIORITIES; p++)
            queue_init(&pool->ready[c][p]);
    queue_init(&pool->idle);
    queue_init(&pool->spare);
    pool->hooks = config->hooks;
    pool->name = config->name;
    pool->stack = config->stack;
    pool->max_threads = config->max_threads;
    tuner__init(&pool->tuner, STARTED_LIMIT, config->max_threads);
    atomic_store_explicit(&pool->share[POOL_CPU].limit,
                          config->cpu_limit ? config->cpu_limit : UINT_MAX, memory_order_relaxed);
    atomic_store_explicit(&pool->share[POOL_COPY].limit,
                          config->copy_limit ? config->copy_limit : UINT_MAX, memory_order_relaxed);
    atomic_store_explicit(&pool->share[POOL_STARTED].limit, pool->tuner.limit,
                          memory_order_relaxed);
    pool->idle_ns = (int64_t)config->idle_ms * 1000000;
    pool->spin_ns = pool__cpus() > 1 ? (int64_t)config->spin_us * 1000 : 0;
    atomic_store_explicit(&pool->reserve, config->max_threads, memory_order_relaxed);
}

/* ---- counters that posters read ----------------------------------------- */

/* [lock] All of these are seq_cst: see the handshake above. */
static void set_searching(struct pool *pool, struct pool_worker *w, bool on)
{
    if (w->searching == on)
        return;
    w->searching = on;
    atomic_fetch_add_explicit(&pool->searching, on ? 1u : UINT_MAX, memory_order_seq_cst);
}

static void set_watching(struct pool *pool, struct pool_worker *w, bool on)
{
    if (w->watching == on)
        return;
    w->watching = on;
    atomic_store_explicit(&pool->watched, on, memory_order_seq_cst);
}

/* [lock] Idle workers, and threads that may still be started. */
static void count_reserve(struct pool *pool, unsigned idle_change)
{
    atomic_fetch_add_explicit(&pool->reserve, idle_change, memory_order_seq_cst);
}

/* ---- the ready queues ---------------------------------------------------- */

static void link_ready(struct pool *pool, struct pool_job *job)
{
    queue_push_back(&pool->ready[job->class][job->priority], &job->node);
    pool->nonempty[job->class] |= UINT32_C(1) << job->priority;
    /* Release: pairs with pool__is_queued(). */
    atomic_store_explicit(&job->linked, true, memory_order_release);
}

static void unlink_ready(struct pool *pool, struct pool_job *job)
{
    queue_remove(&job->node);
    atomic_store_explicit(&job->linked, false, memory_order_relaxed);
    if (queue_empty(&pool->ready[job->class][job->priority]))
        pool->nonempty[job->class] &= ~(UINT32_C(1) << job->priority);
}

void pool__ready(struct pool *pool, struct pool_job *job)
{
    job->order = pool->order++;
    link_ready(pool, job);
}

static struct pool_job *first_of(struct pool *pool, unsigned class)
{
    uint32_t bits = pool->nonempty[class];
    if (!bits)
        return NULL;
    struct queue *q = &pool->ready[class][__builtin_ctz(bits)];
    return queue_entry(queue_first(q), struct pool_job, node);
}

/* May one more of the class run?  seq_cst: for posters, see the handshake above. */
static bool is_allowed(const struct pool *pool, unsigned class)
{
    const struct pool_share *share = &pool->share[class];

    return class >= POOL_LIMITED || atomic_load_explicit(&share->busy, memory_order_seq_cst) <
                                        atomic_load_explicit(&share->limit, memory_order_relaxed);
}

/* Which of two heads goes first: the higher priority, then the older. */
static bool goes_before(const struct pool_job *a, const struct pool_job *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    return (int32_t)(a->order - b->order) < 0;
}

/* [lock] The best of those that may run; whose class is in `over_limit`, any. */
static struct pool_job *best_of(struct pool *pool, unsigned over_limit)
{
    struct pool_job *best = NULL;

    for (unsigned class = 0; class < POOL_CLASSES; class ++) {
        struct pool_job *job = NULL;
        if (over_limit & 1u << class || is_allowed(pool, class))
            job = first_of(pool, class);
        if (job && (!best || goes_before(job, best)))
            best = job;
    }
    return best;
}

/* [lock] Take the job to run next. */
static struct pool_job *take(struct pool *pool, unsigned over_limit)
{
    for (;;) {
        struct pool_job *job = best_of(pool, over_limit);

        if (!job)
            return NULL;
        unlink_ready(pool, job);
        if (pool->hooks->claim && !pool->hooks->claim(pool, job))
            continue;
        if (job->class < POOL_LIMITED) {
            pool->share[job->class].taken++;
            atomic_fetch_add_explicit(&pool->share[job->class].busy, 1, memory_order_seq_cst);
        }
        return job;
    }
}

/* ---- the inbox ----------------------------------------------------------- */

static void push(struct pool *pool, struct pool_job *newest, struct pool_job *oldest)
{
    struct pool_job *head = atomic_load_explicit(&pool->inbox, memory_order_relaxed);
    do
        oldest->posted = head;
    while (!atomic_compare_exchange_weak_explicit(&pool->inbox, &head, newest, memory_order_seq_cst,
                                                  memory_order_relaxed));
}

static bool inbox_empty(struct pool *pool)
{
    return atomic_load_explicit(&pool->inbox, memory_order_seq_cst) == NULL;
}

/* [lock] The end of a job that has arrived. */
static void end_job(struct pool *pool, struct pool_job *job)
{
    pool__unlink(pool, job);
    if (pool->hooks->leave)
        pool->hooks->leave(pool, job);
}

/*
 * [lock] Let everything that was posted arrive, and leave what has retired.
 * The leaving comes last: a job that arrives (a barrier, say) must still see
 * those that were under way when it was posted.
 */
static void drain(struct pool *pool)
{
    while (atomic_load_explicit(&pool->inbox, memory_order_seq_cst)) {
        struct pool_job *leavers = NULL;
        struct pool_job *job =
            pool__reversed(atomic_exchange_explicit(&pool->inbox, NULL, memory_order_seq_cst));

        while (job) {
            struct pool_job *next = job->posted;
            /* acq_rel: pairs with pool__retire(). */
            unsigned marks =
                atomic_fetch_or_explicit(&job->marks, JOB_ARRIVED, memory_order_acq_rel);
            if (!(marks & JOB_ARRIVED)) {
                if (pool->hooks->arrive)
                    pool->hooks->arrive(pool, job);
                else
                    pool__ready(pool, job);
            }
            if (marks & JOB_RETIRED) {
                job->posted = leavers;
                leavers = job;
            }
            job = next;
        }
        while (leavers) {
            struct pool_job *next = leavers->posted;
            end_job(pool, leavers);
            leavers = next;
        }
    }
}

/* ---- waking and starting workers ---------------------------------------- */

/* [lock] A record for a new thread; NULL if there may be none. */
static struct pool_worker *new_worker(struct pool *pool)
{
    struct pool_worker *w;

    if (pool->stats.threads >= pool->max_threads)
        return NULL;
    if (!queue_empty(&pool->spare)) {
        w = queue_entry(queue_first(&pool->spare), struct pool_worker, node);
        queue_remove(&w->node);
    } else {
        w = &pool->workers[pool->workers_used++];
        pool__park_init(&w->park);
        w->pool = pool;
    }
    pool->stats.threads++;
    if (pool->stats.threads > pool->stats.threads_max)
        pool->stats.threads_max = pool->stats.threads;
    count_reserve(pool, UINT_MAX);
    return w;
}

/* [lock] A thread has ended, or never came to be. */
static void drop_worker(struct pool *pool, struct pool_worker *w)
{
    set_searching(pool, w, false);
    set_watching(pool, w, false);
    queue_push_front(&pool->spare, &w->node);
    pool->stats.threads--;
    count_reserve(pool, 1);
}

/* [lock] The worker is not idle any more: woken, or ending. */
static void leave_idle(struct pool *pool, struct pool_worker *w)
{
    queue_remove(&w->node);
    w->idle = false;
    count_reserve(pool, UINT_MAX);
}

/*
 * [lock] Choose a worker that shall look for work; it is counted at once.
 * Without `may_start` no thread is started: pthread_create() allocates, which
 * a caller in a signal handler must not.
 */
static void rouse(struct pool *pool, struct errand *errand, bool may_start)
{
    struct queue_node *node = queue_first(&pool->idle);

    if (node) {
        struct pool_worker *w = queue_entry(node, struct pool_worker, node);
        leave_idle(pool, w);
        set_watching(pool, w, false);
        set_searching(pool, w, true);
        pool->stats.wakeups++;
        errand->wake = w;
    } else if (may_start && quiet > 0) {
        /* Release: pairs with pool__catch_up(); what is left is in the queues. */
        atomic_store_explicit(&pool->starved, 1, memory_order_release);
    } else if (may_start) {
        errand->start = new_worker(pool);
        if (errand->start)
            set_searching(pool, errand->start, true);
    }
}

/* [lock] Is there something that one more worker could do? */
static bool work_left(struct pool *pool)
{
    bool watched = atomic_load_explicit(&pool->watched, memory_order_relaxed);

    for (unsigned class = 0; class < POOL_CLASSES; class ++)
        if (pool->nonempty[class] && (is_allowed(pool, class) || !watched))
            return true;
    return false;
}

/*
 * [lock] Is a worker wanted that looks for work?  Also where jobs are held
 * back and no worker is idle: what retires may make them ready where no
 * thread can be started, and those that run may be busy for long.
 */
static bool worker_wanted(struct pool *pool)
{
    if (pool__is_searched(pool))
        return false;
    if (work_left(pool))
        return true;
    return atomic_load_explicit(&pool->held, memory_order_relaxed) > 0 &&
           queue_empty(&pool->idle) && !pool->stopping;
}

/*
 * [lock] Pass the wake on.  The caller may have stopped searching, or raised
 * the reserve, since it looked at the inbox: once more, for the handshake.
 */
static void rouse_if_needed(struct pool *pool, struct errand *errand)
{
    drain(pool);
    if (worker_wanted(pool))
        rouse(pool, errand, true);
}

/*
 * [lock] A thread could not be started.  Posters may have relied on it, and
 * a worker may have gone to sleep meanwhile: it takes over.  False if there
 * is no thread at all.
 */
static bool start_failed(struct pool *pool, struct errand *errand)
{
    pool->stats.start_fails++;
    drop_worker(pool, errand->start);
    errand->start = NULL;
    drain(pool);
    if (worker_wanted(pool))
        rouse(pool, errand, false);
    return pool->stats.threads > 0;
}

/*
 * Do what was decided under the lock, after its release and with signals
 * still blocked.  False: there is work, but no thread, and none can be had.
 */
static bool run_errand(struct pool *pool, struct errand *errand)
{
    bool served = true;

    if (errand->start) {
        int err = pool__thread_start(worker_main, errand->start, pool->stack);
        pthread_mutex_lock(&pool->lock);
        if (err)
            served = start_failed(pool, errand);
        else
            pool->stats.started++;
        pthread_mutex_unlock(&pool->lock);
    }
    if (errand->wake)
        pool__park_wake(&errand->wake->park);
    return served;
}

static bool needs_wake(struct pool *pool, enum pool_class class)
{
    if (atomic_load_explicit(&pool->searching, memory_order_seq_cst) > 0)
        return false;
    if (atomic_load_explicit(&pool->reserve, memory_order_seq_cst) == 0)
        return false;
    return is_allowed(pool, class) || !atomic_load_explicit(&pool->watched, memory_order_seq_cst);
}

/* See to it that a worker looks at the inbox.  False: there is work, but no thread. */
static bool rouse_worker(struct pool *pool, bool may_start)
{
    struct errand errand = {NULL, NULL};
    bool served;
    sigset_t mask;

    pool__signals_block(&mask);
    pthread_mutex_lock(&pool->lock);
    drain(pool);
    if (worker_wanted(pool))
        rouse(pool, &errand, may_start);
    served = pool->stats.threads > 0 || !work_left(pool);
    pthread_mutex_unlock(&pool->lock);
    served = run_errand(pool, &errand) && served;
    pool__signals_restore(&mask);
    return served;
}

/* The slow half of a post: somebody is to look at the inbox, if need be the caller. */
static void find_worker(struct pool *pool, bool may_start)
{
    if (!rouse_worker(pool, may_start))
        stand_in(pool);
}

/* ---- what callers do ----------------------------------------------------- */

void pool__post(struct pool *pool, struct pool_job *newest, struct pool_job *oldest,
                enum pool_class class)
{
    push(pool, newest, oldest);
    if (needs_wake(pool, class))
        find_worker(pool, true);
}

void pool__post_lazily(struct pool *pool, struct pool_job *job)
{
    enum pool_class class = job->class; /* it may be over, and another, once it is posted */

    push(pool, job, job);
    atomic_fetch_add_explicit(&pool->lazy, 1, memory_order_relaxed);
    if (!atomic_load_explicit(&pool->watched, memory_order_seq_cst) && needs_wake(pool, class))
        find_worker(pool, true);
}

void pool__hurry(struct pool *pool)
{
    rouse_worker(pool, false);
}

void pool__arrive(struct pool *pool, struct pool_job *job)
{
    push(pool, job, job);
    pool__enter(pool, NULL);
    pool__exit(pool, NULL);
}

void pool__enter(struct pool *pool, sigset_t *mask)
{
    if (mask)
        pool__signals_block(mask);
    pthread_mutex_lock(&pool->lock);
    drain(pool);
}

void pool__exit(struct pool *pool, const sigset_t *mask)
{
    struct errand errand = {NULL, NULL};
    bool served;

    rouse_if_needed(pool, &errand);
    pthread_mutex_unlock(&pool->lock);
    served = run_errand(pool, &errand);
    if (mask)
        pool__signals_restore(mask);
    if (!served)
        stand_in(pool);
}

/* ---- callers in signal handlers ------------------------------------------ */

void pool__begin_quiet(void)
{
    quiet++;
}

void pool__end_quiet(void)
{
    quiet--;
}

bool pool__is_starved(struct pool *pool)
{
    return atomic_load_explicit(&pool->starved, memory_order_acquire);
}

void pool__catch_up(struct pool *pool)
{
    if (pool__is_starved(pool) && atomic_exchange_explicit(&pool->starved, 0, memory_order_acq_rel))
        find_worker(pool, true);
}

bool pool__call_attention(struct pool *pool)
{
    struct errand errand = {NULL, NULL};
    bool heard;
    sigset_t mask;

    pool__signals_block(&mask);
    pthread_mutex_lock(&pool->lock);
    heard = pool->stats.threads > 0;
    pool->attention = heard;
    if (heard && !pool__is_searched(pool))
        rouse(pool, &errand, false);
    pthread_mutex_unlock(&pool->lock);
    run_errand(pool, &errand);
    pool__signals_restore(&mask);
    return heard;
}

bool pool__has_arrived(const struct pool_job *job)
{
    /* Relaxed: drain() sets it, under the lock. */
    return atomic_load_explicit(&job->marks, memory_order_relaxed) & JOB_ARRIVED;
}

void pool__unlink(struct pool *pool, struct pool_job *job)
{
    if (pool__is_queued(job))
        unlink_ready(pool, job);
}

bool pool__withdraw(struct pool *pool, struct pool_job *job)
{
    sigset_t mask;
    bool queued;

    pool__enter(pool, &mask);
    queued = pool__is_queued(job);
    if (queued)
        unlink_ready(pool, job);
    pool__exit(pool, &mask);
    return queued;
}

void pool__retire(struct pool *pool, struct pool_job *job)
{
    /* acq_rel: pairs with drain(); what the claimant did is visible there. */
    unsigned marks = atomic_fetch_or_explicit(&job->marks, JOB_RETIRED, memory_order_acq_rel);

    if (!(marks & JOB_ARRIVED))
        return; /* drain() sees the mark; the post saw to somebody's looking */
    push(pool, job, job);
    /*
     * If a job is held back, this one's leaving may be what it waits for,
     * and must not lie in the inbox while all workers are busy.  The holder
     * counts `held` before it looks at the inbox for the last time, we push
     * before we read `held`: one of us sees the other.
     */
    if (atomic_load_explicit(&pool->held, memory_order_seq_cst) > 0)
        find_worker(pool, false);
}

void pool__retire_now(struct pool *pool, struct pool_job *job)
{
    pool__enter(pool, NULL);
    /* A job that was claimed even before it was posted is not here yet; it
     * leaves when it arrives, see drain(). */
    unsigned marks = atomic_fetch_or_explicit(&job->marks, JOB_RETIRED, memory_order_acq_rel);
    if (marks & JOB_ARRIVED)
        end_job(pool, job);
    pool__exit(pool, NULL);
}

void pool__requeue(struct pool *pool, struct pool_job *job, enum pool_class class)
{
    sigset_t mask;

    pool__enter(pool, &mask);
    if (pool->hooks->unclaim)
        pool->hooks->unclaim(pool, job);
    pool__unlink(pool, job); /* which no worker may have looked at yet */
    job->class = (uint8_t) class;
    if (pool__has_arrived(job))
        link_ready(pool, job);
    pool__exit(pool, &mask); /* who was to look has perhaps found it claimed, and is busy now */
}

void pool__resize(struct pool *pool, unsigned max_threads, unsigned idle_ms)
{
    sigset_t mask;

    pool__enter(pool, &mask);
    /* The reserve is idle + max_threads - threads; it wraps below zero while
     * more threads are alive than there may be, which the end of each mends.
     * To posters a wrapped value says "try", and the lock then tells. */
    count_reserve(pool, max_threads - pool->max_threads);
    pool->max_threads = max_threads;
    pool->idle_ns = (int64_t)idle_ms * 1000000;
    pool__exit(pool, &mask);
}

struct pool_stats pool__stats(struct pool *pool)
{
    struct pool_stats stats;
    sigset_t mask;

    pool__signals_block(&mask);
    pthread_mutex_lock(&pool->lock);
    stats = pool->stats;
    pthread_mutex_unlock(&pool->lock);
    pool__signals_restore(&mask);
    return stats;
}

void pool__destroy(struct pool *pool)
{
    sigset_t mask;

    pool__enter(pool, &mask);
    pool->stopping = true;
    for (struct queue_node *node; (node = queue_first(&pool->idle));) {
        struct pool_worker *w = queue_entry(node, struct pool_worker, node);
        leave_idle(pool, w);
        set_watching(pool, w, false);
        set_searching(pool, w, true);
        pool__park_wake(&w->park);
    }
    while (pool->stats.threads > 0 || pool->ending > 0)
        pthread_cond_wait(&pool->stopped, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pool__signals_restore(&mask);
    pthread_cond_destroy(&pool->stopped);
    pthread_mutex_destroy(&pool->lock);
}

/* ---- workers ------------------------------------------------------------- */

/* A thread that runs jobs, as its stack remembers it. */
struct runner {
    struct pool *pool;
    struct pool_worker *worker;
    unsigned generation;
};

/* It has come by a fork into a process where it is no worker. */
static bool is_orphan(const struct runner *self)
{
    return self->generation != self->pool->generation;
}

/* [lock] A POOL_STARTED job is over.  A limit that is raised is made use of by who
 * takes the next job, see rouse_if_needed(). */
static void tune(struct pool *pool)
{
    if (!tuner__count(&pool->tuner, pool->nonempty[POOL_STARTED]))
        return;
    tuner__judge(&pool->tuner, pool__now_ns());
    atomic_store_explicit(&pool->share[POOL_STARTED].limit, pool->tuner.limit,
                          memory_order_relaxed);
}

/* [lock] The worker's job is over, run to its end or not. */
static void finish_job(struct pool *pool, struct pool_worker *w)
{
    struct pool_job *job = w->job;

    w->job = NULL;
    if (w->class < POOL_LIMITED)
        atomic_fetch_sub_explicit(&pool->share[w->class].busy, 1, memory_order_seq_cst);
    drain(pool);
    if (w->class == POOL_STARTED)
        tune(pool);
    if (pool->hooks->leave)
        end_job(pool, job);
}

/* The worker's job is going to sleep, against what its class says: make room. */
static void stop_counting(struct pool *pool, struct pool_worker *w)
{
    pool__enter(pool, NULL);
    atomic_fetch_sub_explicit(&pool->share[w->class].busy, 1, memory_order_seq_cst);
    w->class = POOL_BLOCKING;
    pool__exit(pool, NULL);
}

static void run_job(struct pool *pool, struct pool_worker *w, struct pool_job *job)
{
    if (w->class == POOL_COPY) {
        if (pool->hooks->copy(pool, job))
            return;
        stop_counting(pool, w);
    }
    pool->hooks->run(pool, job);
}

/* [lock] Run one job, if there is one; the lock is released meanwhile. */
static bool run_one(struct pool *pool, struct pool_worker *w, unsigned over_limit)
{
    const struct runner self = {pool, w, pool->generation};
    struct errand errand = {NULL, NULL};
    struct pool_job *job = take(pool, over_limit);

    if (!job)
        return false;
    w->job = job;
    w->class = job->class;
    set_searching(pool, w, false);
    set_watching(pool, w, false);
    rouse_if_needed(pool, &errand);
    pthread_mutex_unlock(&pool->lock);
    run_errand(pool, &errand);
    run_job(pool, w, job);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL); /* the job may have enabled it */
    if (is_orphan(&self))
        pthread_exit(NULL); /* the child's last thread: it ends as from exit(0) */
    pthread_mutex_lock(&pool->lock);
    finish_job(pool, w);
    return true;
}

/* [lock] One is enough. */
static bool may_watch(struct pool *pool, const struct pool_worker *w)
{
    return w->watching || !atomic_load_explicit(&pool->watched, memory_order_relaxed);
}

/* [lock] Does a worker that goes to sleep now have to keep watch? */
static bool watch_needed(struct pool *pool, const struct pool_worker *w)
{
    unsigned waiting = 0;

    for (unsigned class = 0; class < POOL_LIMITED; class ++)
        waiting |= pool->nonempty[class];
    return waiting && may_watch(pool, w);
}

/* [lock] Since this was asked last: there may well be more. */
static bool were_lazy_posts(struct pool *pool)
{
    unsigned seen = pool->lazy_seen;

    pool->lazy_seen = atomic_load_explicit(&pool->lazy, memory_order_relaxed);
    return pool->lazy_seen != seen;
}

/*
 * [lock] May a worker that has been idle for idle_ms end?  Not the last idle
 * one while jobs are held back, see worker_wanted().
 */
static bool may_end(struct pool *pool)
{
    for (int class = 0; class < POOL_CLASSES; class ++)
        if (pool->nonempty[class])
            return false;
    return !queue_empty(&pool->idle) ||
           atomic_load_explicit(&pool->held, memory_order_relaxed) == 0;
}

/* [lock] Is there work that one more worker may not do?  What comes next may be the same,
 * and whoever looked for it would look for ever. */
static bool limit_reached(struct pool *pool)
{
    for (unsigned class = 0; class < POOL_LIMITED; class ++)
        if (pool->nonempty[class] && !is_allowed(pool, class))
            return true;
    return false;
}

/*
 * [lock, released meanwhile] Look for work for a moment before going to sleep:
 * where jobs keep coming, being woken costs the poster and the job more than
 * that.  One worker at a time; it counts as searching, so posters wake nobody.
 */
static bool spin(struct pool *pool, struct pool_worker *w)
{
    bool found = false;
    int64_t end;

    if (pool->spin_ns == 0 || pool->spinning || limit_reached(pool) ||
        !spin_score__wanted(&pool->spin_score))
        return false;
    pool->spinning = true;
    set_searching(pool, w, true);
    end = pool__now_ns() + pool->spin_ns;
    pthread_mutex_unlock(&pool->lock);
    while (!found && pool__now_ns() < end)
        if (!(found = !inbox_empty(pool)))
            sched_yield();
    pthread_mutex_lock(&pool->lock);
    pool->spinning = false;
    drain(pool);
    /* Not by whether there was something in the inbox: it may be over its limit, and others
     * may have emptied it and have left the jobs to us, who are searching. */
    found = best_of(pool, 0);
    spin_score__count(&pool->spin_score, found);
    /* pool__destroy() and pool__call_attention() wake only those who are asleep by then. */
    return found || pool->stopping || pool->attention;
}

/*
 * [lock] Sleep until there is something to do.  False: the worker has been
 * idle for long enough, and ends.
 */
static bool sleep_until_needed(struct pool *pool, struct pool_worker *w)
{
    unsigned stuck = 0;
    uint32_t taken[POOL_LIMITED];
    bool lazy = were_lazy_posts(pool), woken;

    for (int class = 0; class < POOL_LIMITED; class ++)
        taken[class] = pool->share[class].taken;
    if (!w->watching && !pool->stopping && !lazy && spin(pool, w))
        return true;
    set_watching(pool, w, watch_needed(pool, w) || (lazy && may_watch(pool, w)));
    set_searching(pool, w, false);
    queue_push_front(&pool->idle, &w->node);
    w->idle = true;
    count_reserve(pool, 1);
    if (!inbox_empty(pool)) { /* the second half of the handshake */
        leave_idle(pool, w);
        set_searching(pool, w, true);
        return true;
    }
    bool on_watch = w->watching;
    /* Whoever may not end yet must not spin, if idle_ns is 0. */
    int64_t timeout = on_watch || pool->idle_ns < WATCH_NS ? WATCH_NS : pool->idle_ns;
    pthread_mutex_unlock(&pool->lock);
    woken = pool__park_wait(&w->park, timeout);
    pthread_mutex_lock(&pool->lock);
    if (!w->idle) { /* chosen by rouse(): the token is here or on its way */
        if (!woken) {
            pthread_mutex_unlock(&pool->lock);
            pool__park_wait(&w->park, PARK_FOREVER);
            pthread_mutex_lock(&pool->lock);
        }
        return true;
    }
    leave_idle(pool, w);
    set_searching(pool, w, true);
    drain(pool);
    if (!on_watch)
        return !may_end(pool);
    for (int class = 0; class < POOL_LIMITED; class ++)
        stuck |= (unsigned)(taken[class] == pool->share[class].taken) << class;
    if (stuck)
        run_one(pool, w, stuck);
    return true;
}

/* [lock] Has somebody asked for it, since it was asked last? */
static bool take_attention(struct pool *pool)
{
    bool attention = pool->attention;

    pool->attention = false;
    return attention;
}

/*
 * [lock] The thread is over.  The lock is the one under which that was
 * decided, lest others decide the same for the same reason; it is released.
 */
static void end_worker(struct pool *pool, struct pool_worker *w)
{
    struct errand errand = {NULL, NULL};
    bool last = pool->stats.threads == 1 && !pool->stopping, attentive;

    PROBE1(thread_exit, pool->name);
    drop_worker(pool, w);
    pool->ending++; /* not counted any more, but still using the pool */
    rouse_if_needed(pool, &errand);
    last = last && !errand.start && !errand.wake;
    attentive = take_attention(pool);
    pthread_mutex_unlock(&pool->lock);
    if (!run_errand(pool, &errand))
        stand_in(pool);
    if (attentive)
        pool->hooks->attend(pool);
    if (last && pool->hooks->idle)
        pool->hooks->idle(pool);
    pthread_mutex_lock(&pool->lock);
    pool->ending--;
    if (pool->stopping && pool->ending == 0 && pool->stats.threads == 0)
        pthread_cond_broadcast(&pool->stopped);
    pthread_mutex_unlock(&pool->lock);
}

/* A job called pthread_exit(), or was cancelled. */
static void worker_gone(void *arg)
{
    const struct runner *self = arg;
    sigset_t mask;

    if (is_orphan(self))
        return;
    pool__signals_block(&mask);
    pthread_mutex_lock(&self->pool->lock);
    finish_job(self->pool, self->worker);
    end_worker(self->pool, self->worker);
}

/* [lock, released meanwhile] */
static void attend(struct pool *pool)
{
    if (!take_attention(pool))
        return;
    pthread_mutex_unlock(&pool->lock);
    pool->hooks->attend(pool);
    pthread_mutex_lock(&pool->lock);
}

static void *worker_main(void *arg)
{
    struct pool_worker *w = arg;
    struct pool *pool = w->pool;
    struct runner self = {pool, w, pool->generation};

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pool__thread_settle(pool->name);
    PROBE1(thread_start, pool->name);
    pthread_cleanup_push(worker_gone, &self);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        drain(pool);
        attend(pool);
        if (run_one(pool, w, 0))
            continue;
        if (pool->stopping && !watch_needed(pool, w))
            break;
        if (pool->stats.threads > pool->max_threads)
            break;
        if (!sleep_until_needed(pool, w))
            break;
    }
    pthread_cleanup_pop(0);
    end_worker(pool, w);
    return NULL;
}

struct stand_in {
    struct runner runner;
    struct pool *outer; /* what this thread was standing in for before */
    struct pool_worker self;
};

/* Nothing is left to run, or a job called pthread_exit(). */
static void stand_in_over(void *arg)
{
    struct stand_in *here = arg;
    sigset_t mask;

    standing_in = here->outer;
    if (!here->self.job || is_orphan(&here->runner))
        return;
    pool__signals_block(&mask);
    pthread_mutex_lock(&here->runner.pool->lock);
    finish_job(here->runner.pool, &here->self);
    pool__exit(here->runner.pool, &mask); /* sees to the jobs that are left */
}

/*
 * Run what is queued.  `here` is the caller's: what pthread_cleanup_push()
 * makes of this function may forget its own variables' changes.
 */
static void run_here(struct stand_in *here)
{
    struct pool *pool = here->runner.pool;
    sigset_t mask;
    int cancel;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* jobs are not the thread's own */
    pool__enter(pool, &mask);
    standing_in = pool;
    pthread_cleanup_push(stand_in_over, here);
    for (struct pool_job *job; (job = take(pool, ANY_CLASS));) {
        here->self.job = job;
        here->self.class = job->class;
        pthread_mutex_unlock(&pool->lock);
        pool__signals_restore(&mask);
        pool->hooks->run(pool, job);
        pool__signals_block(&mask);
        if (is_orphan(&here->runner))
            break; /* and the child goes on with what is its own */
        pthread_mutex_lock(&pool->lock);
        finish_job(pool, &here->self);
    }
    if (!is_orphan(&here->runner))
        pthread_mutex_unlock(&pool->lock);
    pthread_cleanup_pop(1);
    pool__signals_restore(&mask); /* a handler may post: not before the end */
    pthread_setcancelstate(cancel, NULL);
}

bool pool__stands_in(const struct pool *pool)
{
    return standing_in == pool;
}

/*
 * No thread can be had: run what is queued in this one.  A job that posts
 * again from within leaves that to the loop that is already running; a quiet
 * thread leaves it to who catches up.
 */
static void stand_in(struct pool *pool)
{
    struct stand_in here = {.runner = {pool, NULL, pool->generation}, .outer = standing_in};

    if (standing_in != pool && quiet == 0)
        run_here(&here);
}
