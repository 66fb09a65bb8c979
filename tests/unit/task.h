/* SPDX-License-Identifier: MIT */
/*
 * Jobs to test the pool with, and one pool for them to run in.
 *
 * A task counts what happens to it; the test looks when `over` has been
 * posted for it: in run() where the pool has no leave hook, else in leave().
 * Nothing is asserted but in the test's own thread.
 *
 * The gate knows lanes: the tasks of a lane run one after the other, in the
 * order of their arrival.  With the gate, whoever claims a task first runs
 * it, be it a worker or a helper.
 */
#ifndef UAIO_TESTS_TASK_H
#define UAIO_TESTS_TASK_H

#include "pool.h"
#include "queue.h"
#include "unit.h"

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>

enum { MANY = 4096 };

struct lane {
    struct queue tasks; /* pool.lock: arrived and not left */
};

struct task {
    struct pool_job job;
    void (*body)(struct task *task); /* immutable after posting; may be NULL */
    struct task *peer;               /* immutable after posting; the body's */
    struct lane *lane;               /* immutable after posting; NULL: free */
    unsigned poster;                 /* immutable after posting; the test's */
    sem_t go;                        /* the body's */

    pthread_t thread; /* who ran it; published by `over` */
    unsigned rank;    /* the how-manieth to start; published by `over` */
    atomic_uint runs;
    atomic_uint arrivals;
    atomic_uint leaves;
    atomic_bool claimed;
    atomic_bool given_back; /* a helper has requeued it once */
    atomic_bool ready;      /* the gate has let it through: a helper may claim it */

    struct queue_node node; /* pool.lock: in lane->tasks */
    bool held;              /* pool.lock */
};

extern struct pool pool;
extern struct task tasks[MANY];
extern sem_t started;            /* for bodies: posted when they have begun */
extern sem_t over;               /* posted for each task that is over */
extern atomic_uint running;      /* bodies that run now ... */
extern atomic_uint peak;         /* ... and the most that did */
extern struct task *trail[MANY]; /* arrivals, in order; read under the lock */
extern unsigned trail_len;

extern const struct pool_hooks plain_hooks; /* run() alone */
extern const struct pool_hooks gate_hooks;  /* all but idle() */

/* A fresh pool and fresh tasks.  cpu_limit 0: none. */
void open_pool(const struct pool_hooks *hooks, unsigned max_threads, unsigned cpu_limit,
               unsigned idle_ms);

struct task *set_task(unsigned i, enum pool_class class, unsigned priority,
                      void (*body)(struct task *task));

/* Post tasks[first .. first + n - 1], in this order, as one chain. */
void post_tasks(unsigned first, unsigned n);
void post_task(struct task *task);

/* Let all that was posted arrive. */
void let_arrive(void);

/* Run a task as a helper does, if nobody has claimed it yet. */
bool claim_task(struct task *task);
void run_task(struct task *task);

/* Bodies. */
void wait_for_go(struct task *task); /* posts `started`, waits for `go` */
void meet(struct task *task);        /* waits until `expected` tasks have met */
void expect(unsigned n);             /* how many shall meet */

/* A counter's value; whoever needs more than that has awaited a semaphore. */
#define count(counter) atomic_load_explicit(&(counter), memory_order_relaxed)

/* Wait until `n` threads of the pool are asleep, and in all_asleep() no more
 * than these exist; until `n` exist. */
bool sleepers_come_to(unsigned n);
bool all_asleep(unsigned n);
bool threads_come_to(unsigned n);

/* Each of tasks[0 .. n-1]: arrived, run and left once (gate_hooks), or run
 * once (plain_hooks). */
bool all_ran_once(unsigned n);

/* The rest of the pool's suite, in the files of these names: test_pool_*.c. */
void add_copy_cases(Suite *suite);
void add_gate_cases(Suite *suite);
void add_harm_cases(Suite *suite);

/*
 * pthread_create(), as the pool sees it, in this program: the first `n`
 * threads can be had, and no more; ANY lifts the limit.
 */
#define ANY UINT_MAX
void allow_threads(unsigned n);

#endif
