/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "task.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

struct pool pool;
struct task tasks[MANY];
sem_t started;
sem_t over;
atomic_uint running;
atomic_uint peak;
struct task *trail[MANY];
unsigned trail_len;

static atomic_uint ranks;
static atomic_uint met;
static atomic_uint expected;
static sem_t complete;

static atomic_uint threads_allowed = ANY;

/* ---- pthread_create() ----------------------------------------------------- */

void allow_threads(unsigned n)
{
    atomic_store_explicit(&threads_allowed, n, memory_order_relaxed);
}

static bool may_create(void)
{
    unsigned n = atomic_load_explicit(&threads_allowed, memory_order_relaxed);

    do
        if (n == ANY || n == 0)
            return n == ANY;
    while (!atomic_compare_exchange_weak_explicit(&threads_allowed, &n, n - 1, memory_order_relaxed,
                                                  memory_order_relaxed));
    return true;
}

typedef int create_fn(pthread_t *restrict, const pthread_attr_t *restrict, void *(*)(void *),
                      void *restrict);

/* A sanitizer's own pthread_create(), which this program's one hides. */
create_fn __interceptor_pthread_create __attribute__((weak));

/*
 * In place of libc's.  The pool's threads are detached, the tests' own are
 * not: that tells them apart.
 */
int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attr,
                   void *(*run)(void *), void *restrict arg)
{
    create_fn *real = __interceptor_pthread_create;
    int state = PTHREAD_CREATE_JOINABLE;

    if (attr)
        pthread_attr_getdetachstate(attr, &state);
    if (state == PTHREAD_CREATE_DETACHED && !may_create())
        return EAGAIN;
    if (!real) {
        void *symbol = dlsym(RTLD_NEXT, "pthread_create");
        memcpy(&real, &symbol, sizeof real);
    }
    return real(thread, attr, run, arg);
}

/* ---- hooks ---------------------------------------------------------------- */

static struct task *task_of(struct pool_job *job)
{
    return queue_entry(job, struct task, job);
}

static void do_task(struct task *task)
{
    unsigned now = atomic_fetch_add_explicit(&running, 1, memory_order_relaxed) + 1;
    unsigned most = atomic_load_explicit(&peak, memory_order_relaxed);

    while (most < now && !atomic_compare_exchange_weak_explicit(
                             &peak, &most, now, memory_order_relaxed, memory_order_relaxed))
        ;
    task->thread = pthread_self();
    task->rank = atomic_fetch_add_explicit(&ranks, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&task->runs, 1, memory_order_relaxed);
    if (task->body)
        task->body(task);
    atomic_fetch_sub_explicit(&running, 1, memory_order_relaxed);
}

static void run_plain(struct pool *p, struct pool_job *job)
{
    (void)p;
    do_task(task_of(job));
    sem_post(&over);
}

static void run_gated(struct pool *p, struct pool_job *job)
{
    (void)p;
    do_task(task_of(job));
}

static void let_through(struct pool *p, struct task *task)
{
    pool__ready(p, &task->job);
    /* Release: pairs with claim_task(). */
    atomic_store_explicit(&task->ready, true, memory_order_release);
}

static void arrive(struct pool *p, struct pool_job *job)
{
    struct task *task = task_of(job);
    struct lane *lane = task->lane;

    atomic_fetch_add_explicit(&task->arrivals, 1, memory_order_relaxed);
    trail[trail_len++] = task;
    if (lane && !queue_empty(&lane->tasks)) {
        task->held = true;
        pool__hold(p, 1);
    } else {
        let_through(p, task);
    }
    if (lane)
        queue_push_back(&lane->tasks, &task->node);
}

static bool claim(struct pool *p, struct pool_job *job)
{
    struct task *task = task_of(job);
    (void)p;
    return !atomic_exchange_explicit(&task->claimed, true, memory_order_acq_rel);
}

static void unclaim(struct pool *p, struct pool_job *job)
{
    (void)p;
    atomic_store_explicit(&task_of(job)->claimed, false, memory_order_release);
}

static void leave(struct pool *p, struct pool_job *job)
{
    struct task *task = task_of(job);
    struct lane *lane = task->lane;

    atomic_fetch_add_explicit(&task->leaves, 1, memory_order_relaxed);
    if (lane) {
        struct queue_node *next;
        queue_remove(&task->node);
        if (task->held)
            pool__hold(p, -1);
        task->held = false;
        next = queue_first(&lane->tasks);
        if (next) {
            struct task *heir = queue_entry(next, struct task, node);
            if (heir->held) {
                heir->held = false;
                pool__hold(p, -1);
                let_through(p, heir);
            }
        }
    }
    sem_post(&over);
}

const struct pool_hooks plain_hooks = {.run = run_plain};
const struct pool_hooks gate_hooks = {
    .arrive = arrive, .claim = claim, .unclaim = unclaim, .run = run_gated, .leave = leave};

bool claim_task(struct task *task)
{
    /* Acquire: what let it through has happened. */
    if (!atomic_load_explicit(&task->ready, memory_order_acquire))
        return false;
    return !atomic_exchange_explicit(&task->claimed, true, memory_order_acq_rel);
}

void run_task(struct task *task)
{
    do_task(task);
}

void let_arrive(void)
{
    sigset_t mask;

    pool__enter(&pool, &mask);
    pool__exit(&pool, &mask);
}

/* ---- setting up ----------------------------------------------------------- */

void open_pool(const struct pool_hooks *hooks, unsigned max_threads, unsigned cpu_limit,
               unsigned idle_ms)
{
    struct pool_config config = {
        .hooks = hooks,
        .name = "unit-test",
        .max_threads = max_threads,
        .cpu_limit = cpu_limit,
        .idle_ms = idle_ms,
    };

    memset(tasks, 0, sizeof tasks);
    trail_len = 0;
    atomic_store_explicit(&running, 0, memory_order_relaxed);
    atomic_store_explicit(&peak, 0, memory_order_relaxed);
    atomic_store_explicit(&ranks, 0, memory_order_relaxed);
    sem_init(&started, 0, 0);
    sem_init(&over, 0, 0);
    sem_init(&complete, 0, 0);
    pool__init(&pool, &config);
}

struct task *set_task(unsigned i, enum pool_class class, unsigned priority,
                      void (*body)(struct task *task))
{
    struct task *task = &tasks[i];

    memset(task, 0, sizeof *task);
    sem_init(&task->go, 0, 0);
    task->body = body;
    pool__job_init(&task->job, priority, class);
    return task;
}

void post_tasks(unsigned first, unsigned n)
{
    enum pool_class class = tasks[first].job.class;

    for (unsigned i = first; i < first + n; i++) {
        if (tasks[i].job.class != class)
            class = POOL_BLOCKING;
        if (i > first)
            tasks[i].job.posted = &tasks[i - 1].job;
    }
    pool__post(&pool, &tasks[first + n - 1].job, &tasks[first].job, class);
}

void post_task(struct task *task)
{
    pool__post(&pool, &task->job, &task->job, (enum pool_class)task->job.class);
}

/* ---- bodies --------------------------------------------------------------- */

void wait_for_go(struct task *task)
{
    sem_post(&started);
    await(&task->go);
}

void expect(unsigned n)
{
    atomic_store_explicit(&met, 0, memory_order_relaxed);
    atomic_store_explicit(&expected, n, memory_order_relaxed);
}

void meet(struct task *task)
{
    unsigned n = atomic_load_explicit(&expected, memory_order_relaxed);

    (void)task;
    if (atomic_fetch_add_explicit(&met, 1, memory_order_relaxed) + 1 == n)
        for (unsigned i = 0; i < n; i++)
            sem_post(&complete);
    await(&complete);
}

/* ---- looking at the pool -------------------------------------------------- */

static bool are_asleep(void *arg)
{
    const unsigned *n = arg;
    unsigned asleep = 0;
    sigset_t mask;

    pool__enter(&pool, &mask);
    for (struct queue_node *node = queue_first(&pool.idle); node;
         node = queue_next(&pool.idle, node))
        asleep++;
    pool__exit(&pool, &mask);
    return asleep == *n;
}

bool sleepers_come_to(unsigned n)
{
    return eventually(are_asleep, &n);
}

static bool are_threads(void *arg)
{
    const unsigned *n = arg;
    return pool__stats(&pool).threads == *n;
}

bool threads_come_to(unsigned n)
{
    return eventually(are_threads, &n);
}

bool all_asleep(unsigned n)
{
    return threads_come_to(n) && sleepers_come_to(n);
}

bool all_ran_once(unsigned n)
{
    unsigned through_gate = pool.hooks->leave ? 1 : 0;

    for (unsigned i = 0; i < n; i++) {
        if (count(tasks[i].runs) != 1)
            return false;
        if (count(tasks[i].arrivals) != through_gate)
            return false;
        if (count(tasks[i].leaves) != through_gate)
            return false;
    }
    return true;
}
