/* SPDX-License-Identifier: MIT */
/*
 * threadpool/pool.h: jobs and threads.  The gate is in test_pool_gate.c, jobs that
 * are tried first in test_pool_copy.c, and what goes wrong around the pool in
 * test_pool_harm.c.
 *
 * The sentences quoted are pool.h's.  Invariant of every test here: each job
 * that is posted runs exactly once, or not at all if it was withdrawn.
 */
#include "task.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LONG_MS = 600000, POSTERS = 4, EACH = 500 };

/* ---- running -------------------------------------------------------------- */

START_TEST(a_job_runs_once)
{
    open_pool(&plain_hooks, 4, 0, LONG_MS);
    post_task(set_task(0, POOL_BLOCKING, 0, NULL));
    await(&over);
    pool__destroy(&pool);
    ck_assert(all_ran_once(1));
    ck_assert(!pthread_equal(tasks[0].thread, pthread_self()));
}
END_TEST

/* "Threads: none before the first job." */
START_TEST(no_thread_before_the_first_job)
{
    struct pool_stats stats;

    open_pool(&plain_hooks, 4, 0, LONG_MS);
    stats = pool__stats(&pool);
    ck_assert_uint_eq(stats.threads, 0);
    ck_assert_uint_eq(stats.started, 0);
    pool__destroy(&pool);
}
END_TEST

static bool spins(void *arg)
{
    sigset_t mask;
    bool does;

    (void)arg;
    pool__enter(&pool, &mask);
    does = pool.spinning;
    pool__exit(&pool, &mask);
    return does;
}

/*
 * "If no worker is already on its way to look": one that looks for work before
 * it sleeps also finds what another thread has made ready meanwhile.
 */
START_TEST(a_spinning_worker_runs_what_others_make_ready)
{
    sigset_t mask;

    open_pool(&plain_hooks, 1, 0, LONG_MS);
    pool.spin_ns = INT64_C(200000000);
    post_task(set_task(0, POOL_BLOCKING, 0, NULL));
    await(&over);
    for (unsigned i = 1; i < 4; i++) { /* while it spins, most likely */
        set_task(i, POOL_BLOCKING, 0, NULL);
        pool__enter(&pool, &mask);
        pool__ready(&pool, &tasks[i].job); /* as a gate does that lets it go */
        pool__exit(&pool, &mask);
        await(&over);
    }
    pool__destroy(&pool);
    ck_assert(all_ran_once(4));
}
END_TEST

/* One that spins is not woken by pool__destroy(): it has to see for itself. */
START_TEST(a_spinning_worker_ends_with_the_pool)
{
    open_pool(&plain_hooks, 1, 0, LONG_MS);
    pool.spin_ns = INT64_C(200000000);
    post_task(set_task(0, POOL_BLOCKING, 0, NULL));
    await(&over);
    ck_assert(eventually(spins, NULL));
    pool__destroy(&pool);
}
END_TEST

/*
 * "The watch runs it if nobody has claimed it": of each that is posted lazily,
 * while the watch keeps, and after it has gone to sleep for good.
 */
START_TEST(a_lazy_post_runs_though_nobody_claims_it)
{
    open_pool(&plain_hooks, 4, 1, LONG_MS);
    for (unsigned i = 0; i < 200; i++) {
        pool__post_lazily(&pool, &set_task(i, _i ? POOL_CPU : POOL_BLOCKING, 0, NULL)->job);
        await(&over);
        if (i % 20 == 0)
            sleepers_come_to(pool__stats(&pool).threads);
    }
    pool__destroy(&pool);
    ck_assert(all_ran_once(200));
}
END_TEST

/* The poster claims it himself, or comes too late for that, or gives up. */
START_TEST(lazy_posts_race_with_their_posters)
{
    open_pool(&gate_hooks, 2, 1, LONG_MS);
    for (unsigned i = 0; i < MANY; i++) {
        struct task *task = set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, 0, NULL);

        sigset_t mask;
        bool claimed;

        pool__post_lazily(&pool, &task->job);
        if (i % 3 == 0) {
            pool__hurry(&pool);
            continue;
        }
        pool__enter(&pool, &mask);
        claimed = claim_task(task);
        pool__exit(&pool, &mask);
        if (claimed) {
            run_task(task);
            pool__retire(&pool, &task->job);
        }
    }
    pool__destroy(&pool);
    ck_assert(all_ran_once(MANY));
}
END_TEST

static void *post_each_singly(void *arg)
{
    unsigned first = *(unsigned *)arg;
    for (unsigned i = first; i < first + EACH; i++)
        post_task(&tasks[i]);
    return NULL;
}

static void *post_in_chains(void *arg)
{
    unsigned first = *(unsigned *)arg;
    for (unsigned i = 0; i < EACH; i += 10)
        post_tasks(first + i, 10);
    return NULL;
}

/* Invariant: many posters, both classes, all priorities: each job once. */
START_TEST(many_posters)
{
    pthread_t threads[POSTERS];
    unsigned firsts[POSTERS];

    open_pool(&plain_hooks, 3, 1, 1);
    for (unsigned i = 0; i < POSTERS * EACH; i++)
        set_task(i, i % 3 ? POOL_BLOCKING : POOL_CPU, i % POOL_PRIORITIES, NULL);
    for (unsigned i = 0; i < POSTERS; i++) {
        firsts[i] = i * EACH;
        ck_assert_int_eq(pthread_create(&threads[i], NULL,
                                        i % 2 ? post_each_singly : post_in_chains, &firsts[i]),
                         0);
    }
    await_n(&over, POSTERS * EACH);
    for (unsigned i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    pool__destroy(&pool);
    ck_assert(all_ran_once(POSTERS * EACH));
}
END_TEST

static void post_peer(struct task *task)
{
    post_task(task->peer);
}

START_TEST(jobs_may_post_jobs)
{
    enum { CHAIN = 500 };

    open_pool(&plain_hooks, 2, 0, LONG_MS);
    for (unsigned i = 0; i < CHAIN; i++) {
        set_task(i, POOL_BLOCKING, 0, i + 1 < CHAIN ? post_peer : NULL);
        tasks[i].peer = &tasks[i + 1];
    }
    post_task(&tasks[0]);
    await_n(&over, CHAIN);
    pool__destroy(&pool);
    ck_assert(all_ran_once(CHAIN));
}
END_TEST

struct fleeting {
    struct pool_job job;
    char text[40];
};

static void run_and_free(struct pool *p, struct pool_job *job)
{
    (void)p;
    free(queue_entry(job, struct fleeting, job));
    sem_post(&over);
}

/* "the pool does not touch a job after it" (AddressSanitizer would tell) */
START_TEST(run_may_free_the_job)
{
    static const struct pool_hooks hooks = {.run = run_and_free};

    open_pool(&hooks, 3, 1, LONG_MS);
    for (unsigned i = 0; i < 1000; i++) {
        struct fleeting *f = malloc(sizeof *f);
        ck_assert_ptr_nonnull(f);
        pool__job_init(&f->job, 0, i % 2 ? POOL_CPU : POOL_BLOCKING);
        pool__post(&pool, &f->job, &f->job, i % 2 ? POOL_CPU : POOL_BLOCKING);
    }
    await_n(&over, 1000);
    pool__destroy(&pool);
}
END_TEST

/* ---- threads -------------------------------------------------------------- */

/* "they get threads up to max_threads" */
START_TEST(growth_is_bounded)
{
    open_pool(&plain_hooks, 3, 0, LONG_MS);
    for (unsigned i = 0; i < 12; i++)
        set_task(i, POOL_BLOCKING, 0, wait_for_go);
    post_tasks(0, 6);
    for (unsigned i = 6; i < 12; i++)
        post_task(&tasks[i]);
    await_n(&started, 3);
    ck_assert_uint_eq(pool__stats(&pool).threads, 3);
    for (unsigned i = 0; i < 12; i++)
        sem_post(&tasks[i].go);
    await_n(&over, 12);
    ck_assert_uint_eq(pool__stats(&pool).threads_max, 3);
    ck_assert_uint_eq(count(peak), 3);
    pool__destroy(&pool);
    ck_assert(all_ran_once(12));
}
END_TEST

/* "a worker that takes a job wakes the next while work is left": first by
 * starting threads, then by waking them. */
START_TEST(a_batch_gets_a_thread_for_each_job)
{
    enum { N = 16 };

    open_pool(&plain_hooks, N, 0, LONG_MS);
    for (unsigned round = 0; round < 20; round++) {
        expect(N);
        for (unsigned i = 0; i < N; i++)
            set_task(i, POOL_BLOCKING, 0, meet);
        post_tasks(0, N);
        await_n(&over, N);
        ck_assert(all_ran_once(N));
    }
    ck_assert_uint_eq(pool__stats(&pool).threads_max, N);
    pool__destroy(&pool);
}
END_TEST

START_TEST(jobs_posted_singly_get_a_thread_each)
{
    enum { N = 16 };

    open_pool(&plain_hooks, N, 0, LONG_MS);
    for (unsigned round = 0; round < 20; round++) {
        expect(N);
        for (unsigned i = 0; i < N; i++)
            post_task(set_task(i, POOL_BLOCKING, 0, meet));
        await_n(&over, N);
    }
    pool__destroy(&pool);
}
END_TEST

static sem_t looking, posted;

static bool claim_slowly(struct pool *p, struct pool_job *job)
{
    (void)p;
    if (job == &tasks[0].job) {
        sem_post(&looking);
        await(&posted);
    }
    return true;
}

/*
 * "only if no worker is already on its way to look": then that worker has to
 * see the job, though it has looked and is just taking another one.  (Its
 * post takes no lock: the worker has it.)
 */
START_TEST(a_post_to_a_looking_worker_is_seen)
{
    struct pool_hooks hooks = plain_hooks;

    hooks.claim = claim_slowly;
    for (unsigned round = 0; round < 20; round++) {
        sem_init(&looking, 0, 0);
        sem_init(&posted, 0, 0);
        open_pool(&hooks, 3, round % 3, LONG_MS);
        post_task(set_task(2, POOL_BLOCKING, 0, NULL));
        await(&over);
        ck_assert(all_asleep(1));
        expect(2);
        set_task(0, round % 2 ? POOL_CPU : POOL_BLOCKING, 0, meet);
        set_task(1, round % 4 > 1 ? POOL_CPU : POOL_BLOCKING, 0, meet);
        post_task(&tasks[0]);
        await(&looking);
        post_task(&tasks[1]);
        sem_post(&posted);
        await_n(&over, 2);
        pool__destroy(&pool);
        ck_assert(all_ran_once(3));
    }
}
END_TEST

/* Set up `n` workers, all asleep. */
static void have_sleepers(unsigned n)
{
    expect(n);
    for (unsigned i = 0; i < n; i++)
        set_task(i, POOL_BLOCKING, 0, meet);
    post_tasks(0, n);
    await_n(&over, n);
    ck_assert(all_asleep(n));
}

/* "A post wakes at most one worker" */
START_TEST(a_job_wakes_one_worker)
{
    struct pool_stats before, after;

    open_pool(&plain_hooks, 4, 0, LONG_MS);
    have_sleepers(4);
    for (unsigned i = 0; i < 100; i++) {
        before = pool__stats(&pool);
        post_task(set_task(0, POOL_BLOCKING, 0, NULL));
        await(&over);
        ck_assert(all_asleep(4));
        after = pool__stats(&pool);
        ck_assert_uint_eq(after.wakeups, before.wakeups + 1);
        ck_assert_uint_eq(after.started, before.started);
    }
    pool__destroy(&pool);
}
END_TEST

/* A batch wakes each worker once at most, however many jobs it has. */
START_TEST(a_batch_wakes_no_worker_twice)
{
    struct pool_stats before, after;

    open_pool(&plain_hooks, 4, 0, LONG_MS);
    have_sleepers(4);
    for (unsigned round = 0; round < 20; round++) {
        before = pool__stats(&pool);
        for (unsigned i = 0; i < 200; i++)
            set_task(i, POOL_BLOCKING, 0, NULL);
        post_tasks(0, 200);
        await_n(&over, 200);
        ck_assert(all_asleep(4));
        after = pool__stats(&pool);
        ck_assert_uint_ge(after.wakeups, before.wakeups + 1);
        ck_assert_uint_le(after.wakeups, before.wakeups + 4);
    }
    pool__destroy(&pool);
}
END_TEST

/* "or starts one": a batch for one thread costs one. */
START_TEST(a_batch_starts_one_thread)
{
    struct pool_stats stats;

    open_pool(&plain_hooks, 1, 0, LONG_MS);
    for (unsigned i = 0; i < 200; i++)
        set_task(i, POOL_BLOCKING, 0, NULL);
    post_tasks(0, 200);
    await_n(&over, 200);
    stats = pool__stats(&pool);
    ck_assert_uint_eq(stats.started, 1);
    ck_assert_uint_eq(stats.wakeups, 0);
    pool__destroy(&pool);
}
END_TEST

/* Post tasks[i] and wait until a worker is in it. */
static void occupy(unsigned i)
{
    post_task(set_task(i, POOL_BLOCKING, 0, wait_for_go));
    await(&started);
}

static void release(unsigned i)
{
    sem_post(&tasks[i].go);
    await(&over);
}

/* "the one that went idle last" */
START_TEST(the_last_to_go_idle_is_woken_first)
{
    static const unsigned to_sleep[4] = {2, 0, 3, 1};

    open_pool(&plain_hooks, 4, 0, LONG_MS);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < 4; i++)
            occupy(i);
        /* Let them go to sleep one by one, in an order of our choice. */
        for (unsigned i = 0; i < 4; i++) {
            release(to_sleep[i]);
            ck_assert(sleepers_come_to(i + 1));
        }
        for (unsigned i = 0; i < 4; i++)
            occupy(4 + i);
        for (unsigned i = 0; i < 4; i++)
            ck_assert(pthread_equal(tasks[4 + i].thread, tasks[to_sleep[3 - i]].thread));
        for (unsigned i = 0; i < 4; i++)
            release(4 + i);
        ck_assert(all_asleep(4));
    }
    ck_assert_uint_eq(pool__stats(&pool).started, 4);
    pool__destroy(&pool);
}
END_TEST

/* "A worker that has been idle for idle_ms ends." */
START_TEST(idle_threads_end)
{
    open_pool(&plain_hooks, 4, 0, 20);
    for (unsigned round = 1; round <= 3; round++) {
        expect(4);
        for (unsigned i = 0; i < 4; i++)
            set_task(i, POOL_BLOCKING, 0, meet);
        post_tasks(0, 4);
        await_n(&over, 4);
        ck_assert(threads_come_to(0));
    }
    ck_assert_uint_le(pool__stats(&pool).threads_max, 4);
    pool__destroy(&pool);
}
END_TEST

static atomic_uint idles;

static void count_idle(struct pool *p)
{
    (void)p;
    atomic_fetch_add_explicit(&idles, 1, memory_order_relaxed);
}

static bool idle_was_called(void *arg)
{
    return count(idles) == *(unsigned *)arg;
}

/* "The pool's last thread ends." */
START_TEST(the_last_thread_calls_idle)
{
    struct pool_hooks hooks = plain_hooks;

    hooks.idle = count_idle;
    open_pool(&hooks, 3, 0, 20);
    for (unsigned round = 1; round <= 3; round++) {
        expect(3);
        for (unsigned i = 0; i < 3; i++)
            set_task(i, POOL_BLOCKING, 0, meet);
        post_tasks(0, 3);
        await_n(&over, 3);
        ck_assert(eventually(idle_was_called, &round));
        ck_assert_uint_eq(pool__stats(&pool).threads, 0);
    }
    pool__destroy(&pool);
    ck_assert_uint_eq(count(idles), 3);
}
END_TEST

/* Posting around the moment at which threads end loses nothing. */
START_TEST(posts_meet_ending_threads)
{
    enum { ROUNDS = 300 };

    open_pool(&plain_hooks, 2, 1, 1);
    for (unsigned i = 0; i < ROUNDS; i++) {
        post_task(set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, 0, NULL));
        await(&over);
        usleep(900 + i % 200); /* not to wait for anything: to come near it */
    }
    pool__destroy(&pool);
    ck_assert(all_ran_once(ROUNDS));
}
END_TEST

/* ---- order ---------------------------------------------------------------- */

START_TEST(priority_goes_first_then_age)
{
    enum { N = 3 * POOL_PRIORITIES };

    open_pool(&plain_hooks, 1, 0, LONG_MS);
    occupy(N);
    for (unsigned i = 0; i < N; i++) /* each priority thrice, scattered */
        set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, i * 7 % POOL_PRIORITIES, NULL);
    for (unsigned i = 0; i < N / 2; i++)
        post_task(&tasks[i]);
    post_tasks(N / 2, N - N / 2);
    release(N);
    await_n(&over, N);
    pool__destroy(&pool);
    ck_assert(all_ran_once(N));
    for (unsigned i = 0; i < N; i++)
        for (unsigned j = i + 1; j < N; j++)
            ck_assert_int_eq(tasks[i].rank < tasks[j].rank,
                             tasks[i].job.priority <= tasks[j].job.priority);
}
END_TEST

/* ---- withdrawing ---------------------------------------------------------- */

/* "Take back a job that is still queued: true, and it will not run." */
START_TEST(a_queued_job_can_be_withdrawn)
{
    open_pool(&plain_hooks, 1, 0, LONG_MS);
    occupy(0);
    for (unsigned i = 1; i < 4; i++)
        set_task(i, i == 2 ? POOL_CPU : POOL_BLOCKING, 5, NULL);
    post_tasks(1, 3);
    ck_assert(!pool__withdraw(&pool, &tasks[0].job)); /* it runs */
    ck_assert(pool__withdraw(&pool, &tasks[2].job));
    ck_assert(!pool__withdraw(&pool, &tasks[2].job)); /* it is ours again */
    ck_assert(pool__withdraw(&pool, &tasks[3].job));
    release(0);
    await(&over);
    ck_assert(!pool__withdraw(&pool, &tasks[1].job)); /* it is over */
    pool__destroy(&pool);
    ck_assert_uint_eq(count(tasks[1].runs), 1);
    ck_assert_uint_eq(count(tasks[2].runs), 0);
    ck_assert_uint_eq(count(tasks[3].runs), 0);
}
END_TEST

START_TEST(a_withdrawn_job_can_be_posted_again)
{
    open_pool(&plain_hooks, 1, 0, LONG_MS);
    occupy(0);
    post_task(set_task(1, POOL_BLOCKING, 0, NULL));
    ck_assert(pool__withdraw(&pool, &tasks[1].job));
    pool__job_init(&tasks[1].job, 0, POOL_BLOCKING);
    post_task(&tasks[1]);
    release(0);
    await(&over);
    pool__destroy(&pool);
    ck_assert(all_ran_once(2));
}
END_TEST

/* Invariant: a job is either withdrawn or run, never both, never neither. */
START_TEST(withdrawing_races_with_workers)
{
    enum { ROUNDS = 50, N = 40 };
    bool back[N];

    open_pool(&plain_hooks, 3, 1, LONG_MS);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned gone = 0;
        for (unsigned i = 0; i < N; i++)
            set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, i % 3, NULL);
        post_tasks(0, N);
        for (unsigned i = N; i-- > 0;) {
            back[i] = pool__withdraw(&pool, &tasks[i].job);
            gone += back[i];
        }
        await_n(&over, N - gone);
        for (unsigned i = 0; i < N; i++)
            ck_assert_uint_eq(count(tasks[i].runs), back[i] ? 0 : 1);
    }
    pool__destroy(&pool);
}
END_TEST

/* ---- classes -------------------------------------------------------------- */

static struct task *taken[8];
static unsigned taken_len; /* pool.lock */

static bool note_claim(struct pool *p, struct pool_job *job)
{
    (void)p;
    if (taken_len < 8)
        taken[taken_len++] = queue_entry(job, struct task, job);
    return true;
}

/*
 * "more of them at once than cpu_limit only get in each other's way, so the
 * rest waits": while one runs, a blocking job overtakes a POOL_CPU job that
 * would come first by priority and age.
 */
START_TEST(cpu_jobs_wait_at_their_limit)
{
    struct pool_hooks hooks = plain_hooks;

    hooks.claim = note_claim;
    open_pool(&hooks, 4, 1, LONG_MS);
    have_sleepers(4);
    taken_len = 0;
    set_task(0, POOL_CPU, 0, wait_for_go);
    set_task(1, POOL_CPU, 0, NULL);
    set_task(2, POOL_BLOCKING, 9, NULL);
    post_tasks(0, 3);
    await_n(&over, 2);
    sem_post(&tasks[0].go);
    await(&over);
    pool__destroy(&pool);
    ck_assert_ptr_eq(taken[0], &tasks[0]);
    ck_assert_ptr_eq(taken[1], &tasks[2]);
    ck_assert_ptr_eq(taken[2], &tasks[1]);
}
END_TEST

static unsigned beyond; /* pool.lock */

static bool count_beyond(struct pool *p, struct pool_job *job)
{
    if (job->class == POOL_CPU && count(p->share[POOL_CPU].busy) >= 2)
        beyond++;
    return true;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Beyond the limit goes the watch alone, and that once a millisecond at most. */
START_TEST(cpu_jobs_keep_to_their_limit)
{
    struct pool_hooks hooks = plain_hooks;
    int64_t begin;

    hooks.claim = count_beyond;
    open_pool(&hooks, 8, 2, LONG_MS);
    have_sleepers(8);
    begin = now_ms();
    for (unsigned i = 0; i < MANY; i++)
        set_task(i, POOL_CPU, i % 4, NULL);
    post_tasks(0, MANY / 2);
    for (unsigned i = MANY / 2; i < MANY; i++)
        post_task(&tasks[i]);
    await_n(&over, MANY);
    pool__destroy(&pool);
    ck_assert_int_le(beyond, now_ms() - begin + 2);
    ck_assert(all_ran_once(MANY));
}
END_TEST

/* "if none was started for a while (the running ones are stuck after all) it
 * runs one itself": here all are stuck until all of them run. */
START_TEST(the_watch_rescues_limited_jobs)
{
    enum { N = 12 };
    enum pool_class class = _i ? POOL_STARTED : POOL_CPU;

    open_pool(&plain_hooks, N, 1, LONG_MS);
    atomic_store(&pool.share[POOL_STARTED].limit, 1);
    for (unsigned round = 0; round < 3; round++) {
        expect(N);
        for (unsigned i = 0; i < N; i++)
            set_task(i, class, 0, meet);
        if (round == 1) {
            for (unsigned i = 0; i < N; i++)
                post_task(&tasks[i]);
        } else {
            post_tasks(0, N);
        }
        await_n(&over, N);
    }
    ck_assert(all_asleep(N));
    ck_assert_uint_eq(count(pool.share[class].busy), 0);
    ck_assert(!atomic_load_explicit(&pool.watched, memory_order_relaxed));
    pool__destroy(&pool);
}
END_TEST

/* The watch can itself be taken for a blocking job, and must be replaced. */
START_TEST(the_watch_is_replaced)
{
    open_pool(&plain_hooks, 8, 1, LONG_MS);
    for (unsigned round = 0; round < 50; round++) {
        expect(6);
        for (unsigned i = 0; i < 6; i++)
            set_task(i, i % 2 ? POOL_BLOCKING : POOL_CPU, 0, meet);
        post_tasks(0, 3);
        for (unsigned i = 3; i < 6; i++)
            post_task(&tasks[i]);
        await_n(&over, 6);
    }
    pool__destroy(&pool);
}
END_TEST

/* ---- bounds and end ------------------------------------------------------- */

START_TEST(resize_lets_more_run)
{
    open_pool(&plain_hooks, 1, 0, LONG_MS);
    expect(4);
    for (unsigned i = 0; i < 4; i++)
        set_task(i, POOL_BLOCKING, 0, meet);
    post_tasks(0, 4);
    pool__resize(&pool, 4, LONG_MS);
    await_n(&over, 4);
    ck_assert_uint_eq(pool__stats(&pool).threads_max, 4);
    pool__destroy(&pool);
}
END_TEST

/* "threads beyond the new ones end when they go idle" */
START_TEST(resize_ends_threads)
{
    open_pool(&plain_hooks, 4, 0, LONG_MS);
    for (unsigned i = 0; i < 4; i++)
        occupy(i);
    pool__resize(&pool, 2, LONG_MS);
    for (unsigned i = 4; i < 8; i++)
        post_task(set_task(i, POOL_BLOCKING, 0, NULL));
    for (unsigned i = 0; i < 4; i++)
        sem_post(&tasks[i].go);
    await_n(&over, 8);
    ck_assert(threads_come_to(2));
    ck_assert(all_asleep(2));
    /* And the accounts are right: two run at once, not three. */
    for (unsigned i = 0; i < 6; i++)
        post_task(set_task(i, POOL_BLOCKING, 0, wait_for_go));
    await_n(&started, 2);
    ck_assert_uint_eq(pool__stats(&pool).threads, 2);
    for (unsigned i = 0; i < 6; i++)
        sem_post(&tasks[i].go);
    await_n(&over, 6);
    pool__destroy(&pool);
}
END_TEST

/* "Wait until all threads have ended; the jobs that are queued run first." */
START_TEST(destroy_runs_what_is_queued)
{
    for (unsigned round = 0; round < 20; round++) {
        open_pool(&plain_hooks, 1 + round % 4, 1, LONG_MS);
        for (unsigned i = 0; i < 100; i++)
            set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, i % 5, NULL);
        post_tasks(0, 100);
        pool__destroy(&pool);
        ck_assert(all_ran_once(100));
    }
}
END_TEST

/* ... POOL_CPU jobs too, although the running ones are stuck. */
START_TEST(destroy_keeps_the_watch)
{
    enum { N = 40 };

    open_pool(&plain_hooks, N, 1, LONG_MS);
    expect(N);
    for (unsigned i = 0; i < N; i++)
        set_task(i, POOL_CPU, 0, meet);
    post_tasks(0, N);
    pool__destroy(&pool);
    ck_assert(all_ran_once(N));
    ck_assert_uint_le(pool.stats.started, 2 * N); /* it does not thrash, either */
}
END_TEST

static sem_t idle_begun;
static atomic_bool idle_ended;

static void linger(struct pool *p)
{
    (void)p;
    sem_post(&idle_begun);
    usleep(50000); /* time enough for a destroy that does not wait */
    atomic_store_explicit(&idle_ended, true, memory_order_relaxed);
}

/* ... and the idle hook is done. */
START_TEST(destroy_waits_for_the_idle_hook)
{
    struct pool_hooks hooks = plain_hooks;

    hooks.idle = linger;
    sem_init(&idle_begun, 0, 0);
    open_pool(&hooks, 1, 0, 1);
    post_task(set_task(0, POOL_BLOCKING, 0, NULL));
    await(&idle_begun);
    pool__destroy(&pool);
    ck_assert(atomic_load_explicit(&idle_ended, memory_order_relaxed));
}
END_TEST

START_TEST(a_pool_can_be_made_again)
{
    for (unsigned i = 0; i < 50; i++) {
        open_pool(&plain_hooks, 2, 0, 1);
        post_task(set_task(0, POOL_BLOCKING, 0, NULL));
        if (i % 2)
            await(&over);
        pool__destroy(&pool);
        ck_assert(all_ran_once(1));
    }
}
END_TEST

Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *running_case = add_case(suite, "running");
    TCase *threads = add_case(suite, "threads");
    TCase *order = add_case(suite, "order");
    TCase *classes = add_case(suite, "classes");
    TCase *bounds = add_case(suite, "bounds");

    tcase_add_test(running_case, a_job_runs_once);
    tcase_add_test(running_case, a_spinning_worker_runs_what_others_make_ready);
    tcase_add_test(running_case, a_spinning_worker_ends_with_the_pool);
    tcase_add_loop_test(running_case, a_lazy_post_runs_though_nobody_claims_it, 0, 2);
    tcase_add_test(running_case, lazy_posts_race_with_their_posters);
    tcase_add_test(running_case, no_thread_before_the_first_job);
    tcase_add_test(running_case, many_posters);
    tcase_add_test(running_case, jobs_may_post_jobs);
    tcase_add_test(running_case, run_may_free_the_job);
    tcase_add_test(threads, growth_is_bounded);
    tcase_add_test(threads, a_batch_gets_a_thread_for_each_job);
    tcase_add_test(threads, jobs_posted_singly_get_a_thread_each);
    tcase_add_test(threads, a_post_to_a_looking_worker_is_seen);
    tcase_add_test(threads, a_job_wakes_one_worker);
    tcase_add_test(threads, a_batch_wakes_no_worker_twice);
    tcase_add_test(threads, a_batch_starts_one_thread);
    tcase_add_test(threads, the_last_to_go_idle_is_woken_first);
    tcase_add_test(threads, idle_threads_end);
    tcase_add_test(threads, the_last_thread_calls_idle);
    tcase_add_test(threads, posts_meet_ending_threads);
    tcase_add_test(order, priority_goes_first_then_age);
    tcase_add_test(order, a_queued_job_can_be_withdrawn);
    tcase_add_test(order, a_withdrawn_job_can_be_posted_again);
    tcase_add_test(order, withdrawing_races_with_workers);
    tcase_add_test(classes, cpu_jobs_wait_at_their_limit);
    tcase_add_test(classes, cpu_jobs_keep_to_their_limit);
    tcase_add_loop_test(classes, the_watch_rescues_limited_jobs, 0, 2);
    tcase_add_test(classes, the_watch_is_replaced);
    tcase_add_test(bounds, resize_lets_more_run);
    tcase_add_test(bounds, resize_ends_threads);
    tcase_add_test(bounds, destroy_runs_what_is_queued);
    tcase_add_test(bounds, destroy_keeps_the_watch);
    tcase_add_test(bounds, destroy_waits_for_the_idle_hook);
    tcase_add_test(bounds, a_pool_can_be_made_again);
    add_gate_cases(suite);
    add_copy_cases(suite);
    add_harm_cases(suite);
    return suite;
}
