/* SPDX-License-Identifier: MIT */
/*
 * threadpool/pool.h: what a process may do to the pool.  Threads that cannot
 * be had, jobs that end their thread, signal handlers that wait for jobs.
 */
#include "task.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { LONG_MS = 600000 };

static struct lane lane;

static void open_gate(unsigned max_threads, unsigned cpu_limit, unsigned idle_ms)
{
    queue_init(&lane.tasks);
    open_pool(&gate_hooks, max_threads, cpu_limit, idle_ms);
}

static void post_peer(struct task *task)
{
    if (task->peer)
        post_task(task->peer);
}

/* ---- no threads ----------------------------------------------------------- */

/* "If no thread can be had at all, the jobs run in the caller before this
 * returns." */
START_TEST(without_threads_jobs_run_in_the_caller)
{
    struct pool_stats stats;

    allow_threads(0);
    open_pool(&plain_hooks, 4, 1, LONG_MS);
    for (unsigned i = 0; i < 20; i++)
        set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, 20 - i, NULL);
    post_task(&tasks[0]);
    ck_assert_uint_eq(count(tasks[0].runs), 1);
    post_tasks(1, 19);
    ck_assert(all_ran_once(20));
    for (unsigned i = 0; i < 20; i++)
        ck_assert(pthread_equal(tasks[i].thread, pthread_self()));
    stats = pool__stats(&pool);
    ck_assert_uint_eq(stats.threads, 0);
    ck_assert_uint_eq(stats.started, 0);
    ck_assert_uint_ge(stats.start_fails, 2);
    pool__destroy(&pool);
}
END_TEST

/* A job that posts again leaves that to the loop that runs it: no recursion. */
START_TEST(without_threads_jobs_may_post)
{
    enum { CHAIN = 500 };

    allow_threads(0);
    open_pool(&plain_hooks, 4, 0, LONG_MS);
    for (unsigned i = 0; i < CHAIN; i++)
        set_task(i, POOL_BLOCKING, 0, post_peer)->peer = i + 1 < CHAIN ? &tasks[i + 1] : NULL;
    post_task(&tasks[0]);
    ck_assert(all_ran_once(CHAIN));
    ck_assert_uint_eq(count(peak), 1);
    pool__destroy(&pool);
}
END_TEST

START_TEST(without_threads_the_gate_works)
{
    allow_threads(0);
    open_gate(4, 0, LONG_MS);
    for (unsigned i = 0; i < 50; i++)
        set_task(i, POOL_BLOCKING, 50 - i > 31 ? 31 : 50 - i, NULL)->lane = &lane;
    post_tasks(0, 50);
    ck_assert(all_ran_once(50));
    for (unsigned i = 1; i < 50; i++)
        ck_assert_uint_gt(tasks[i].rank, tasks[i - 1].rank);
    ck_assert_uint_eq(count(pool.held), 0);
    pool__destroy(&pool);
}
END_TEST

/* A held job's predecessor retires where no thread can be had. */
START_TEST(without_threads_retiring_works)
{
    allow_threads(0);
    open_gate(4, 0, LONG_MS);
    set_task(0, POOL_BLOCKING, 0, NULL)->lane = &lane;
    set_task(1, POOL_BLOCKING, 0, NULL)->lane = &lane;
    atomic_store_explicit(&tasks[0].claimed, true, memory_order_relaxed);
    post_tasks(0, 2);
    ck_assert_uint_eq(count(tasks[1].runs), 0);
    run_task(&tasks[0]);
    pool__retire(&pool, &tasks[0].job);
    ck_assert(all_ran_once(2));
    pool__destroy(&pool);
}
END_TEST

START_TEST(one_thread_does_all_if_no_more_can_be_had)
{
    allow_threads(1);
    open_pool(&plain_hooks, 4, 0, LONG_MS);
    post_task(set_task(0, POOL_BLOCKING, 0, wait_for_go));
    await(&started);
    for (unsigned i = 1; i < 20; i++)
        set_task(i, i % 2 ? POOL_BLOCKING : POOL_CPU, 0, NULL);
    post_tasks(1, 10);
    for (unsigned i = 11; i < 20; i++)
        post_task(&tasks[i]);
    for (unsigned i = 1; i < 20; i++)
        ck_assert_uint_eq(count(tasks[i].runs), 0);
    sem_post(&tasks[0].go);
    await_n(&over, 20);
    ck_assert(all_ran_once(20));
    for (unsigned i = 1; i < 20; i++)
        ck_assert(pthread_equal(tasks[i].thread, tasks[0].thread));
    ck_assert_uint_eq(pool__stats(&pool).threads, 1);
    ck_assert_uint_ge(pool__stats(&pool).start_fails, 1);
    pool__destroy(&pool);
}
END_TEST

START_TEST(threads_are_tried_again)
{
    enum { N = 4 };

    open_pool(&plain_hooks, N, 0, LONG_MS);
    for (unsigned allowed = 0; allowed < 2; allowed++) {
        allow_threads(allowed);
        for (unsigned i = 0; i < N; i++)
            set_task(i, POOL_BLOCKING, 0, NULL);
        post_tasks(0, N);
        await_n(&over, N);
    }
    ck_assert_uint_le(pool__stats(&pool).threads, 1);
    allow_threads(ANY);
    expect(N);
    for (unsigned i = 0; i < N; i++)
        post_task(set_task(i, POOL_BLOCKING, 0, meet));
    await_n(&over, N);
    ck_assert_uint_eq(pool__stats(&pool).threads, N);
    pool__destroy(&pool);
}
END_TEST

enum { POSTERS = 3, EACH = 600 };

static void *post_own(void *arg)
{
    unsigned first = *(unsigned *)arg;

    for (unsigned i = 0; i < EACH; i += 3) {
        allow_threads(i % 4 == 0 ? ANY : i % 3);
        post_task(&tasks[first + i]);
        post_tasks(first + i + 1, 2);
        if (i % 60 == 0)
            usleep(1000); /* threads come near their end */
    }
    return NULL;
}

/* Invariant: whatever thread can or cannot be had when, each job runs once,
 * and in a lane in its turn. */
START_TEST(threads_come_and_go)
{
    pthread_t threads[POSTERS];
    unsigned firsts[POSTERS];

    open_gate(3, 1, 1);
    for (unsigned i = 0; i < POSTERS * EACH; i++) {
        set_task(i, i % 3 ? POOL_BLOCKING : POOL_CPU, i % 3, NULL);
        if (i < EACH)
            tasks[i].lane = &lane;
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        firsts[i] = i * EACH;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_own, &firsts[i]), 0);
    }
    await_n(&over, POSTERS * EACH);
    for (unsigned i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    pool__destroy(&pool);
    ck_assert(all_ran_once(POSTERS * EACH));
    for (unsigned i = 1; i < EACH; i++)
        ck_assert_uint_gt(tasks[i].rank, tasks[i - 1].rank);
}
END_TEST

/* ---- threads that jobs end ------------------------------------------------ */

static void exit_thread(struct task *task)
{
    post_peer(task);
    atomic_fetch_sub_explicit(&running, 1, memory_order_relaxed);
    pthread_exit(NULL);
}

/* AddressSanitizer has to be told that frames end otherwise than by return;
 * for functions that do not return it knows. */
void __asan_handle_no_return(void) __attribute__((weak));

static void be_canceled(struct task *task)
{
    post_peer(task);
    atomic_fetch_sub_explicit(&running, 1, memory_order_relaxed);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_cancel(pthread_self());
    if (__asan_handle_no_return)
        __asan_handle_no_return();
    pthread_testcancel();
}

/* Invariant: a job that ends its thread leaves all the same, and all others
 * run; the accounts of threads and POOL_CPU jobs stay right. */
static void end_threads(void (*body)(struct task *task), unsigned max_threads)
{
    open_gate(max_threads, 1, LONG_MS);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 30; i++) {
            set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, 0, i % 3 ? NULL : body);
            if (i % 5 == 0)
                tasks[i].lane = &lane;
        }
        post_tasks(0, 15);
        for (unsigned i = 15; i < 30; i++)
            post_task(&tasks[i]);
        await_n(&over, 30);
        ck_assert(all_ran_once(30));
    }
    ck_assert_uint_le(pool__stats(&pool).threads_max, max_threads);
    pool__destroy(&pool);
    ck_assert_uint_eq(count(pool.share[POOL_CPU].busy), 0);
    ck_assert_uint_eq(count(pool.searching), 0);
    ck_assert_uint_eq(count(pool.reserve), max_threads);
    ck_assert_uint_eq(pool.stats.threads, 0);
}

START_TEST(a_job_that_exits_costs_its_thread)
{
    end_threads(exit_thread, 1);
    end_threads(exit_thread, 3);
}
END_TEST

START_TEST(a_job_that_is_canceled_costs_its_thread)
{
    end_threads(be_canceled, 1);
    end_threads(be_canceled, 3);
}
END_TEST

static void enable_cancel(struct task *task)
{
    (void)task;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
}

/* ... and one that leaves cancellation enabled costs no other job anything. */
START_TEST(cancellation_stays_with_its_job)
{
    open_pool(&plain_hooks, 2, 0, LONG_MS);
    post_task(set_task(0, POOL_BLOCKING, 0, enable_cancel));
    await(&over);
    ck_assert(all_asleep(1));
    pthread_cancel(tasks[0].thread);
    expect(2);
    for (unsigned i = 1; i < 3; i++)
        post_task(set_task(i, POOL_BLOCKING, 0, meet));
    await_n(&over, 2);
    ck_assert_uint_eq(pool__stats(&pool).threads, 2);
    pool__destroy(&pool);
    ck_assert(all_ran_once(3));
}
END_TEST

/* The only thread ends, work is left, and there is no other thread. */
START_TEST(the_last_thread_leaves_no_work_behind)
{
    for (unsigned round = 0; round < 20; round++) {
        allow_threads(1);
        open_gate(1, 0, LONG_MS);
        set_task(0, POOL_BLOCKING, 0, exit_thread)->peer = &tasks[1];
        set_task(1, POOL_BLOCKING, 0, post_peer)->peer = &tasks[2];
        set_task(2, POOL_BLOCKING, 0, NULL);
        post_task(&tasks[0]);
        await_n(&over, 3);
        ck_assert(all_ran_once(3));
        pool__destroy(&pool);
        allow_threads(ANY);
    }
}
END_TEST

static void *post_first(void *arg)
{
    (void)arg;
    post_tasks(0, 4);
    return &tasks[0];
}

/* The thread that such a job costs is the poster's own if it runs there. */
START_TEST(a_job_may_end_its_poster)
{
    pthread_t thread;
    void *result;

    allow_threads(0);
    open_gate(4, 1, LONG_MS);
    set_task(0, POOL_CPU, 0, exit_thread)->lane = &lane;
    set_task(1, POOL_CPU, 1, exit_thread);
    set_task(2, POOL_CPU, 2, NULL)->lane = &lane;
    set_task(3, POOL_BLOCKING, 3, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, post_first, NULL), 0);
    pthread_join(thread, &result);
    ck_assert_ptr_null(result);
    ck_assert(all_ran_once(4));
    ck_assert_uint_eq(count(pool.share[POOL_CPU].busy), 0);
    pool__destroy(&pool);
}
END_TEST

static void be_cancellable(struct task *task)
{
    (void)task;
    pthread_testcancel();
}

static void *post_cancelled(void *arg)
{
    (void)arg;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_cancel(pthread_self());
    post_tasks(0, 4);
    if (__asan_handle_no_return)
        __asan_handle_no_return();
    pthread_testcancel();
    return &tasks[0];
}

/* A poster that somebody cancels finishes the jobs that it runs. */
START_TEST(a_cancelled_poster_runs_its_jobs)
{
    pthread_t thread;
    void *result;

    allow_threads(0);
    open_gate(4, 1, LONG_MS);
    for (unsigned i = 0; i < 4; i++)
        set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, 0, be_cancellable);
    ck_assert_int_eq(pthread_create(&thread, NULL, post_cancelled, NULL), 0);
    pthread_join(thread, &result);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    ck_assert(all_ran_once(4));
    ck_assert_uint_eq(count(running), 0);
    pool__destroy(&pool);
}
END_TEST

/* ---- signals -------------------------------------------------------------- */

static sigset_t mask_in_job;

static void note_mask(struct task *task)
{
    pthread_sigmask(SIG_BLOCK, NULL, &mask_in_job);
    wait_for_go(task);
}

/* "workers have all signals blocked" */
START_TEST(workers_block_all_signals)
{
    sigset_t before, after;

    pthread_sigmask(SIG_BLOCK, NULL, &before);
    open_pool(&plain_hooks, 2, 0, LONG_MS);
    post_task(set_task(0, POOL_BLOCKING, 0, note_mask));
    await(&started);
    sem_post(&tasks[0].go);
    await(&over);
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        if (sig == SIGKILL || sig == SIGSTOP || (sig >= 32 && sig < SIGRTMIN))
            continue; /* cannot be blocked, or are libc's own */
        ck_assert_int_eq(sigismember(&mask_in_job, sig), 1);
        ck_assert_int_eq(sigismember(&before, sig), sigismember(&after, sig));
    }
    pool__destroy(&pool);
}
END_TEST

static atomic_uint handled;
static atomic_uint handled_elsewhere;
static pthread_t tester;

static void note_signal(int sig)
{
    (void)sig;
    atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
    if (!pthread_equal(pthread_self(), tester))
        atomic_fetch_add_explicit(&handled_elsewhere, 1, memory_order_relaxed);
}

START_TEST(workers_take_no_signals)
{
    struct sigaction action = {.sa_handler = note_signal};
    sigset_t usr1, pending;

    tester = pthread_self();
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    open_pool(&plain_hooks, 3, 0, LONG_MS);
    expect(2);
    post_task(set_task(0, POOL_BLOCKING, 0, meet));
    post_task(set_task(1, POOL_BLOCKING, 0, meet));
    await_n(&over, 2);
    post_task(set_task(0, POOL_BLOCKING, 0, wait_for_go)); /* one busy, one asleep */
    await(&started);
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    kill(getpid(), SIGUSR1);
    for (unsigned i = 1; i < 3; i++)
        post_task(set_task(i, POOL_BLOCKING, 0, wait_for_go)); /* one started */
    await_n(&started, 2);
    for (unsigned i = 0; i < 3; i++)
        sem_post(&tasks[i].go);
    await_n(&over, 3);
    pool__destroy(&pool);
    ck_assert_uint_eq(count(handled), 0);
    sigpending(&pending);
    ck_assert_int_eq(sigismember(&pending, SIGUSR1), 1);
    pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    ck_assert_uint_eq(count(handled), 1);
    ck_assert_uint_eq(count(handled_elsewhere), 0);
}
END_TEST

/*
 * The storm: a handler that posts a job and waits for it interrupts a thread
 * that does nothing but use the pool.  Invariant: it goes on.
 */
static struct pool_job errand;
static sem_t errand_done;
static atomic_bool storm_over;

static void run_in_storm(struct pool *p, struct pool_job *job)
{
    if (job == &errand)
        sem_post(&errand_done);
    else
        plain_hooks.run(p, job);
}

static void post_and_wait(int sig)
{
    enum pool_class class = count(handled) % 2 ? POOL_CPU : POOL_BLOCKING;

    (void)sig;
    pool__job_init(&errand, 0, class);
    pool__post(&pool, &errand, &errand, class);
    await(&errand_done);
    atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
}

static void *blow(void *arg)
{
    (void)arg;
    while (!atomic_load_explicit(&storm_over, memory_order_relaxed)) {
        pthread_kill(tester, SIGUSR1);
        sched_yield();
    }
    return NULL;
}

static void weather_storm(unsigned threads, unsigned cpu_limit, unsigned idle_ms, unsigned signals)
{
    static const struct pool_hooks hooks = {.run = run_in_storm};
    struct sigaction action = {.sa_handler = post_and_wait};
    struct timespec nap = {.tv_nsec = 100000};
    pthread_t wind;
    unsigned rounds = 0;

    tester = pthread_self();
    sem_init(&errand_done, 0, 0);
    open_pool(&hooks, threads, cpu_limit, idle_ms);
    expect(threads);
    for (unsigned i = 0; i < threads; i++)
        post_task(set_task(i, POOL_BLOCKING, 0, meet));
    await_n(&over, threads);
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    ck_assert_int_eq(pthread_create(&wind, NULL, blow, NULL), 0);
    while (count(handled) < signals) {
        unsigned gone = 0;
        for (unsigned i = 0; i < 40; i++)
            set_task(i, i % 3 ? POOL_BLOCKING : POOL_CPU, i % 4, NULL);
        for (unsigned i = 0; i < 20; i++)
            post_task(&tasks[i]);
        post_tasks(20, 20);
        for (unsigned i = 0; i < 40; i += 4)
            gone += pool__withdraw(&pool, &tasks[i].job);
        await_n(&over, 40 - gone);
        if (++rounds % 10 == 0)
            nanosleep(&nap, NULL);
    }
    atomic_store_explicit(&storm_over, true, memory_order_relaxed);
    pthread_join(wind, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGUSR1, &action, NULL);
    pool__destroy(&pool);
}

START_TEST(handlers_may_wait_for_jobs)
{
    weather_storm(2, 0, LONG_MS, 500);
}
END_TEST

START_TEST(handlers_may_wait_for_cpu_jobs)
{
    weather_storm(3, 1, LONG_MS, 500);
}
END_TEST

/* Threads end meanwhile, and posts start them; the handler's too. */
START_TEST(handlers_may_start_threads)
{
    weather_storm(2, 0, 1, 500);
}
END_TEST

static void leave_and_raise(struct pool *p, struct pool_job *job)
{
    gate_hooks.leave(p, job);
    if (job == &tasks[0].job)
        raise(SIGUSR1); /* blocked here: comes when the pool unblocks it */
}

static void post_second(int sig)
{
    (void)sig;
    post_task(&tasks[1]);
}

/* Without threads, the handler comes after the poster's last look at what it
 * has to run, but before post() returns. */
START_TEST(a_handler_posts_where_no_thread_can_be_had)
{
    struct pool_hooks hooks = gate_hooks;
    struct sigaction action = {.sa_handler = post_second};

    hooks.leave = leave_and_raise;
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    allow_threads(0);
    open_pool(&hooks, 2, 0, LONG_MS);
    set_task(0, POOL_BLOCKING, 0, NULL);
    set_task(1, POOL_BLOCKING, 0, NULL);
    post_task(&tasks[0]);
    ck_assert(all_ran_once(2));
    pool__destroy(&pool);
}
END_TEST

static void lift_limits(void)
{
    allow_threads(ANY);
}

void add_harm_cases(Suite *suite)
{
    TCase *threadless = add_case(suite, "threadless");
    TCase *exits = add_case(suite, "exits");
    TCase *signals = add_case(suite, "signals");

    tcase_add_checked_fixture(threadless, NULL, lift_limits);
    tcase_add_checked_fixture(exits, NULL, lift_limits);
    tcase_add_checked_fixture(signals, NULL, lift_limits);
    tcase_add_test(threadless, without_threads_jobs_run_in_the_caller);
    tcase_add_test(threadless, without_threads_jobs_may_post);
    tcase_add_test(threadless, without_threads_the_gate_works);
    tcase_add_test(threadless, without_threads_retiring_works);
    tcase_add_test(threadless, one_thread_does_all_if_no_more_can_be_had);
    tcase_add_test(threadless, threads_are_tried_again);
    tcase_add_test(threadless, threads_come_and_go);
    tcase_add_test(exits, a_job_that_exits_costs_its_thread);
    tcase_add_test(exits, a_job_that_is_canceled_costs_its_thread);
    tcase_add_test(exits, cancellation_stays_with_its_job);
    tcase_add_test(exits, the_last_thread_leaves_no_work_behind);
    tcase_add_test(exits, a_job_may_end_its_poster);
    tcase_add_test(exits, a_cancelled_poster_runs_its_jobs);
    tcase_add_test(signals, workers_block_all_signals);
    tcase_add_test(signals, workers_take_no_signals);
    tcase_add_test(signals, handlers_may_wait_for_jobs);
    tcase_add_test(signals, handlers_may_wait_for_cpu_jobs);
    tcase_add_test(signals, handlers_may_start_threads);
    tcase_add_test(signals, a_handler_posts_where_no_thread_can_be_had);
}
