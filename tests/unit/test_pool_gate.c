/* SPDX-License-Identifier: MIT */
/*
 * threadpool/pool.h: the hooks, and helpers that run jobs themselves.
 *
 * Invariant of every test here: each job that is posted arrives once, is run
 * once, by a worker or a helper, and leaves once, after both.
 */
#include "task.h"

#include <unistd.h>

enum { LONG_MS = 600000, POSTERS = 4, EACH = 500 };

static struct lane lanes[8];

static void open_gate(unsigned max_threads, unsigned cpu_limit, unsigned idle_ms)
{
    for (unsigned i = 0; i < 8; i++)
        queue_init(&lanes[i].tasks);
    open_pool(&gate_hooks, max_threads, cpu_limit, idle_ms);
}

static struct task *set_lane_task(unsigned i, unsigned lane, void (*body)(struct task *task))
{
    struct task *task = set_task(i, POOL_BLOCKING, 0, body);
    task->lane = &lanes[lane];
    return task;
}

static void claim_unposted(struct task *task)
{
    atomic_store_explicit(&task->claimed, true, memory_order_relaxed);
}

static void occupy(unsigned i)
{
    post_task(set_task(i, POOL_BLOCKING, 0, wait_for_go));
    await(&started);
}

/* ---- arriving ------------------------------------------------------------- */

/* "jobs arrive in the order of posting" */
START_TEST(jobs_arrive_in_order)
{
    enum { N = 600 };

    open_gate(3, 0, LONG_MS);
    for (unsigned i = 0; i < N; i++)
        set_task(i, i % 2 ? POOL_CPU : POOL_BLOCKING, i % 5, NULL);
    for (unsigned i = 0; i < N; i += 3) {
        post_tasks(i, 2);
        post_task(&tasks[i + 2]);
    }
    await_n(&over, N);
    pool__destroy(&pool);
    ck_assert(all_ran_once(N));
    ck_assert_uint_eq(trail_len, N);
    for (unsigned i = 0; i < N; i++)
        ck_assert_ptr_eq(trail[i], &tasks[i]);
}
END_TEST

static void *post_own(void *arg)
{
    unsigned first = *(unsigned *)arg;

    for (unsigned i = 0; i < EACH; i += 5) {
        post_tasks(first + i, 4);
        post_task(&tasks[first + i + 4]);
    }
    return NULL;
}

/* ... of each poster, if there are many. */
START_TEST(many_posters_arrive_in_order_each)
{
    pthread_t threads[POSTERS];
    unsigned firsts[POSTERS], next[POSTERS];

    open_gate(3, 1, 1);
    for (unsigned i = 0; i < POSTERS * EACH; i++)
        set_task(i, i % 3 ? POOL_BLOCKING : POOL_CPU, 0, NULL)->poster = i / EACH;
    for (unsigned i = 0; i < POSTERS; i++) {
        next[i] = firsts[i] = i * EACH;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_own, &firsts[i]), 0);
    }
    await_n(&over, POSTERS * EACH);
    for (unsigned i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    pool__destroy(&pool);
    ck_assert(all_ran_once(POSTERS * EACH));
    ck_assert_uint_eq(trail_len, POSTERS * EACH);
    for (unsigned i = 0; i < trail_len; i++)
        ck_assert_ptr_eq(trail[i], &tasks[next[trail[i]->poster]++]);
}
END_TEST

/* ---- holding -------------------------------------------------------------- */

/* "The hook calls pool__ready(), now or, from a later hook, when the job may
 * run." */
START_TEST(held_jobs_run_in_their_turn)
{
    enum { N = 400 };

    open_gate(4, 0, LONG_MS);
    for (unsigned i = 0; i < N; i++)
        set_lane_task(i, i % 4, NULL);
    post_tasks(0, N / 2);
    for (unsigned i = N / 2; i < N; i++)
        post_task(&tasks[i]);
    await_n(&over, N);
    pool__destroy(&pool);
    ck_assert(all_ran_once(N));
    for (unsigned i = 4; i < N; i++)
        ck_assert_uint_gt(tasks[i].rank, tasks[i - 4].rank);
    ck_assert_uint_eq(count(pool.held), 0);
}
END_TEST

START_TEST(a_lane_runs_one_at_a_time)
{
    enum { N = 200 };

    open_gate(4, 0, LONG_MS);
    for (unsigned i = 0; i < N; i++)
        set_lane_task(i, 0, NULL);
    post_tasks(0, N);
    await_n(&over, N);
    pool__destroy(&pool);
    ck_assert(all_ran_once(N));
    ck_assert_uint_eq(count(peak), 1);
}
END_TEST

START_TEST(a_held_job_does_not_run)
{
    open_gate(4, 0, LONG_MS);
    post_task(set_lane_task(0, 0, wait_for_go));
    post_task(set_lane_task(1, 0, NULL));
    await(&started);
    post_task(set_task(2, POOL_BLOCKING, 0, NULL));
    await(&over); /* it overtakes */
    ck_assert_uint_eq(count(tasks[2].leaves), 1);
    ck_assert_uint_eq(count(tasks[1].runs), 0);
    sem_post(&tasks[0].go);
    await_n(&over, 2);
    pool__destroy(&pool);
    ck_assert(all_ran_once(3));
}
END_TEST

/* ---- helpers -------------------------------------------------------------- */

/* "False: somebody else has claimed it meanwhile ...; the worker drops it." */
START_TEST(a_claimed_job_is_dropped)
{
    open_gate(2, 0, LONG_MS);
    claim_unposted(set_task(0, POOL_BLOCKING, 0, NULL));
    set_task(1, POOL_BLOCKING, 0, NULL);
    post_tasks(0, 2);
    await(&over);
    ck_assert_uint_eq(count(tasks[1].leaves), 1);
    ck_assert_uint_eq(count(tasks[0].runs), 0);
    ck_assert_uint_eq(count(tasks[0].leaves), 0);
    pool__retire(&pool, &tasks[0].job);
    let_arrive();
    ck_assert_uint_eq(count(tasks[0].leaves), 1);
    pool__destroy(&pool);
    ck_assert_uint_eq(count(tasks[0].runs), 0);
    ck_assert_uint_eq(count(tasks[0].arrivals), 1);
    ck_assert_uint_eq(count(tasks[0].leaves), 1);
}
END_TEST

/* All workers are busy: what is posted stays in the inbox. */
START_TEST(a_job_may_retire_before_it_arrives)
{
    open_gate(1, 0, LONG_MS);
    occupy(0);
    set_lane_task(1, 0, NULL);
    set_lane_task(2, 0, NULL);
    claim_unposted(&tasks[1]);
    post_task(&tasks[1]);
    post_task(&tasks[2]);
    run_task(&tasks[1]);
    pool__retire(&pool, &tasks[1].job);
    sem_post(&tasks[0].go);
    await_n(&over, 3);
    pool__destroy(&pool);
    ck_assert(all_ran_once(3));
}
END_TEST

/* "leave() is due, now or when the lock is next held": while it is queued. */
START_TEST(a_queued_job_may_retire)
{
    open_gate(1, 0, LONG_MS);
    occupy(0);
    set_task(1, POOL_BLOCKING, 0, NULL);
    set_task(2, POOL_BLOCKING, 0, NULL);
    post_tasks(1, 2);
    let_arrive();
    ck_assert(claim_task(&tasks[1]));
    run_task(&tasks[1]);
    pool__retire(&pool, &tasks[1].job);
    sem_post(&tasks[0].go);
    await_n(&over, 3);
    pool__destroy(&pool);
    ck_assert(all_ran_once(3));
}
END_TEST

START_TEST(retire_now_calls_leave_before_it_returns)
{
    open_gate(1, 0, LONG_MS);
    occupy(0);
    claim_unposted(set_lane_task(1, 0, NULL));
    set_lane_task(2, 0, NULL);
    post_tasks(1, 2);
    run_task(&tasks[1]);
    pool__retire_now(&pool, &tasks[1].job);
    ck_assert_uint_eq(count(tasks[1].leaves), 1);
    sem_post(&tasks[0].go);
    await_n(&over, 3);
    pool__destroy(&pool);
    ck_assert(all_ran_once(3));
}
END_TEST

/* Nothing happens but that a helper retires; the held job has to run, in a
 * worker: the helper may be a signal handler. */
START_TEST(retiring_releases_what_waits)
{
    for (unsigned round = 0; round < 100; round++) {
        open_gate(2, 0, LONG_MS);
        claim_unposted(set_lane_task(0, 0, NULL));
        set_lane_task(1, 0, NULL);
        post_tasks(0, 2);
        if (round % 2)
            ck_assert(all_asleep(1));
        run_task(&tasks[0]);
        pool__retire(&pool, &tasks[0].job);
        await_n(&over, 2);
        ck_assert(all_ran_once(2));
        ck_assert(!pthread_equal(tasks[1].thread, pthread_self()));
        pool__destroy(&pool);
    }
}
END_TEST

/* ... although there was no thread any more when it was posted. */
START_TEST(a_held_job_has_a_thread)
{
    open_gate(2, 0, 1);
    claim_unposted(set_lane_task(0, 0, NULL));
    post_task(&tasks[0]);
    ck_assert(threads_come_to(0));
    post_task(set_lane_task(1, 0, NULL));
    run_task(&tasks[0]);
    pool__retire(&pool, &tasks[0].job);
    await_n(&over, 2);
    pool__destroy(&pool);
    ck_assert(all_ran_once(2));
    ck_assert(!pthread_equal(tasks[1].thread, pthread_self()));
}
END_TEST

/* ... although the threads that there are are busy, and stay so. */
START_TEST(a_held_job_has_a_thread_beside_busy_ones)
{
    open_gate(2, 0, 1);
    occupy(0);
    claim_unposted(set_lane_task(1, 0, NULL));
    post_task(&tasks[1]);
    ck_assert(threads_come_to(1));
    post_task(set_lane_task(2, 0, NULL));
    run_task(&tasks[1]);
    pool__retire(&pool, &tasks[1].job);
    await_n(&over, 2);
    ck_assert_uint_eq(count(tasks[2].leaves), 1);
    sem_post(&tasks[0].go);
    await(&over);
    pool__destroy(&pool);
    ck_assert(all_ran_once(3));
    ck_assert(!pthread_equal(tasks[2].thread, pthread_self()));
}
END_TEST

/* "The caller has claimed a posted job and gives it back unfinished." */
START_TEST(a_dropped_job_can_be_queued_again)
{
    open_gate(1, 0, LONG_MS);
    claim_unposted(set_task(0, POOL_BLOCKING, 0, NULL));
    set_task(1, POOL_BLOCKING, 0, NULL);
    post_tasks(0, 2);
    await(&over); /* the worker has dropped the first */
    pool__requeue(&pool, &tasks[0].job, POOL_BLOCKING);
    await(&over);
    pool__destroy(&pool);
    ck_assert(all_ran_once(2));
}
END_TEST

START_TEST(a_job_can_be_given_back_before_it_is_dropped)
{
    open_gate(1, 0, LONG_MS);
    occupy(0);
    post_task(set_task(1, POOL_BLOCKING, 0, NULL));
    let_arrive();
    ck_assert(claim_task(&tasks[1]));
    pool__requeue(&pool, &tasks[1].job, POOL_BLOCKING);
    sem_post(&tasks[0].go);
    await_n(&over, 2);
    pool__destroy(&pool);
    ck_assert(all_ran_once(2));
}
END_TEST

/* Nothing else happens that would have a thread look, or be there. */
START_TEST(a_job_can_be_given_back_when_all_threads_have_ended)
{
    open_gate(1, 0, 1);
    claim_unposted(set_task(0, POOL_BLOCKING, 0, NULL));
    post_task(&tasks[0]);
    ck_assert(threads_come_to(0));
    pool__requeue(&pool, &tasks[0].job, POOL_BLOCKING);
    await(&over);
    pool__destroy(&pool);
    ck_assert(all_ran_once(1));
}
END_TEST

/* It could be claimed as soon as its owner knew it. */
START_TEST(a_job_can_be_given_back_before_it_is_posted)
{
    open_gate(1, 0, LONG_MS);
    claim_unposted(set_task(0, POOL_BLOCKING, 0, NULL));
    pool__requeue(&pool, &tasks[0].job, POOL_BLOCKING);
    post_task(&tasks[0]);
    await(&over);
    pool__destroy(&pool);
    ck_assert(all_ran_once(1));
}
END_TEST

/* ... and retire. */
START_TEST(a_job_may_retire_before_it_is_posted)
{
    open_gate(1, 0, LONG_MS);
    for (unsigned i = 0; i < 2; i++) {
        claim_unposted(set_task(i, POOL_BLOCKING, 0, NULL));
        run_task(&tasks[i]);
    }
    pool__retire(&pool, &tasks[0].job);
    pool__retire_now(&pool, &tasks[1].job);
    post_tasks(0, 2);
    await_n(&over, 2);
    pool__destroy(&pool);
    ck_assert(all_ran_once(2));
}
END_TEST

enum { HELPERS = 2, STRESS = 1500 };

static atomic_bool helpers_stop;

/* Claim what can be claimed, oldest first or newest first. */
static void *help(void *arg)
{
    unsigned self = *(unsigned *)arg;

    while (!atomic_load_explicit(&helpers_stop, memory_order_relaxed)) {
        for (unsigned i = 0; i < STRESS; i++) {
            struct task *task = &tasks[self ? i : STRESS - 1 - i];
            if (!claim_task(task))
                continue;
            if (i % 11 == self &&
                !atomic_exchange_explicit(&task->given_back, true, memory_order_relaxed)) {
                pool__requeue(&pool, &task->job, POOL_BLOCKING);
                continue;
            }
            run_task(task);
            if (i % 7)
                pool__retire(&pool, &task->job);
            else
                pool__retire_now(&pool, &task->job);
        }
        usleep(self); /* give way, on one CPU */
    }
    return NULL;
}

/* Invariant: as at the top of the file, and in every lane order is kept. */
static void stress_helpers(unsigned max_threads, unsigned cpu_limit, unsigned idle_ms)
{
    pthread_t helpers[HELPERS];
    unsigned ids[HELPERS];

    open_gate(max_threads, cpu_limit, idle_ms);
    for (unsigned i = 0; i < STRESS; i++) {
        set_task(i, i % 5 ? POOL_BLOCKING : POOL_CPU, i % 2, NULL);
        if (i % 4)
            tasks[i].lane = &lanes[i % 8];
    }
    for (unsigned i = 0; i < HELPERS; i++) {
        ids[i] = i;
        ck_assert_int_eq(pthread_create(&helpers[i], NULL, help, &ids[i]), 0);
    }
    for (unsigned i = 0; i < STRESS;) {
        unsigned n = i % 3 ? 1 : 3;
        if (n > STRESS - i)
            n = STRESS - i;
        /* Those in no lane can be claimed at once: they may retire before
         * they arrive, even before they are posted. */
        for (unsigned j = i; j < i + n; j++)
            if (!tasks[j].lane)
                atomic_store_explicit(&tasks[j].ready, true, memory_order_release);
        post_tasks(i, n);
        i += n;
        if (i % 100 < 3)
            usleep(1000);
    }
    for (unsigned i = 0; i < STRESS; i++) {
        /* What left last may lie in the inbox: nothing hurries it. */
        while (sem_trywait(&over) != 0) {
            let_arrive();
            usleep(50);
        }
    }
    atomic_store_explicit(&helpers_stop, true, memory_order_relaxed);
    for (unsigned i = 0; i < HELPERS; i++)
        pthread_join(helpers[i], NULL);
    pool__destroy(&pool);
    ck_assert(all_ran_once(STRESS));
    ck_assert_uint_eq(count(pool.held), 0);
    for (unsigned i = 8; i < STRESS; i++)
        if (tasks[i].lane)
            ck_assert_uint_gt(tasks[i].rank, tasks[i - 8].rank);
}

START_TEST(helpers_race_with_workers)
{
    stress_helpers(3, 1, LONG_MS);
}
END_TEST

START_TEST(helpers_race_with_ending_workers)
{
    stress_helpers(2, 0, 1);
}
END_TEST

/*
 * The same without a look from outside: a held job runs because the one
 * before it retires, whatever the workers are about at that moment.
 */
START_TEST(nobody_has_to_look)
{
    enum { ROUNDS = 500 };

    open_gate(2, 0, 1);
    for (unsigned i = 0; i < 2 * ROUNDS; i += 2) {
        claim_unposted(set_lane_task(i, 0, NULL));
        set_lane_task(i + 1, 0, NULL);
        post_task(&tasks[i]);
        if (i % 3)
            usleep(i % 7 * 300); /* to meet threads that end */
        post_task(&tasks[i + 1]);
        run_task(&tasks[i]);
        pool__retire(&pool, &tasks[i].job);
        while (count(tasks[i + 1].leaves) == 0)
            await(&over);
    }
    pool__destroy(&pool);
    ck_assert(all_ran_once(2 * ROUNDS));
}
END_TEST

void add_gate_cases(Suite *suite)
{
    TCase *gate = add_case(suite, "gate");
    TCase *helpers = add_case(suite, "helpers");

    tcase_add_test(gate, jobs_arrive_in_order);
    tcase_add_test(gate, many_posters_arrive_in_order_each);
    tcase_add_test(gate, held_jobs_run_in_their_turn);
    tcase_add_test(gate, a_lane_runs_one_at_a_time);
    tcase_add_test(gate, a_held_job_does_not_run);
    tcase_add_test(gate, a_claimed_job_is_dropped);
    tcase_add_test(helpers, a_job_may_retire_before_it_arrives);
    tcase_add_test(helpers, a_queued_job_may_retire);
    tcase_add_test(helpers, retire_now_calls_leave_before_it_returns);
    tcase_add_test(helpers, retiring_releases_what_waits);
    tcase_add_test(helpers, a_held_job_has_a_thread);
    tcase_add_test(helpers, a_held_job_has_a_thread_beside_busy_ones);
    tcase_add_test(helpers, a_dropped_job_can_be_queued_again);
    tcase_add_test(helpers, a_job_can_be_given_back_before_it_is_dropped);
    tcase_add_test(helpers, a_job_can_be_given_back_when_all_threads_have_ended);
    tcase_add_test(helpers, a_job_can_be_given_back_before_it_is_posted);
    tcase_add_test(helpers, a_job_may_retire_before_it_is_posted);
    tcase_add_test(helpers, helpers_race_with_workers);
    tcase_add_test(helpers, helpers_race_with_ending_workers);
    tcase_add_test(helpers, nobody_has_to_look);
}
