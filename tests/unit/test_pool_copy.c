/* SPDX-License-Identifier: MIT */
/*
 * threadpool/pool.h: POOL_COPY, jobs that most likely do not sleep; and who looks for
 * work that he may not do.
 */
#include "task.h"

#include <stdint.h>

enum { NO_LIMIT = 0, LONG_MS = 3600000 };

static sem_t in_copy;
static sem_t leave_copy;
static bool copies;            /* set before anything is posted: what is tried succeeds */
static atomic_uint tried;      /* copies */
static unsigned busy_at[MANY]; /* pool.lock: as tasks are taken, in order */
static unsigned taken;         /* pool.lock */

static bool note_busy(struct pool *p, struct pool_job *job)
{
    (void)job;
    busy_at[taken++] = count(p->share[POOL_COPY].busy);
    return true;
}

static bool copy(struct pool *p, struct pool_job *job)
{
    (void)p;
    atomic_fetch_add_explicit(&tried, 1, memory_order_relaxed);
    if (!copies)
        return false;
    sem_post(&in_copy);
    await(&leave_copy);
    run_task(queue_entry(job, struct task, job));
    sem_post(&over);
    return true;
}

static void open_copying(unsigned max_threads, unsigned copy_limit, bool succeed)
{
    static struct pool_hooks hooks;

    hooks = plain_hooks;
    hooks.claim = note_busy;
    hooks.copy = copy;
    open_pool(&hooks, max_threads, 0, LONG_MS);
    atomic_store(&pool.share[POOL_COPY].limit, copy_limit ? copy_limit : UINT_MAX);
    sem_init(&in_copy, 0, 0);
    sem_init(&leave_copy, 0, 0);
    atomic_store(&tried, 0);
    copies = succeed;
    taken = 0;
}

/* Copied, or else run. */
START_TEST(copies_are_tried_and_then_are_done)
{
    open_copying(4, NO_LIMIT, _i == 0);
    for (unsigned i = 0; i < 100; i++) {
        set_task(i, POOL_COPY, i % 5, NULL);
        sem_post(&leave_copy);
    }
    post_tasks(0, 100);
    await_n(&over, 100);
    pool__destroy(&pool);
    ck_assert_uint_eq(count(tried), 100);
    ck_assert(all_ran_once(100));
    ck_assert_uint_eq(count(pool.share[POOL_COPY].busy), 0);
}
END_TEST

/* While as many copy as may, another job overtakes one that would come first. */
START_TEST(copies_wait_at_their_limit)
{
    open_copying(4, 1, true);
    set_task(0, POOL_COPY, 0, NULL);
    set_task(1, POOL_COPY, 0, NULL);
    set_task(2, POOL_BLOCKING, 9, NULL);
    post_task(&tasks[0]);
    await(&in_copy);
    post_tasks(1, 2);
    await(&over);
    ck_assert_uint_eq(count(tasks[2].runs), 1);
    sem_post(&leave_copy);
    sem_post(&leave_copy);
    await_n(&over, 2);
    pool__destroy(&pool);
    ck_assert(all_ran_once(3));
}
END_TEST

/* "counts for their limit no more": as the next one is taken, nothing is counted,
 * though all before it sleep. */
START_TEST(what_sleeps_after_all_makes_room)
{
    enum { N = 6 };

    open_copying(N, 1, false);
    for (unsigned i = 0; i < N; i++) {
        post_task(set_task(i, POOL_COPY, 0, wait_for_go));
        await(&started);
    }
    for (unsigned i = 0; i < N; i++)
        sem_post(&tasks[i].go);
    await_n(&over, N);
    pool__destroy(&pool);
    ck_assert_uint_eq(taken, N);
    for (unsigned i = 0; i < N; i++)
        ck_assert_uint_eq(busy_at[i], 0);
    ck_assert_uint_eq(count(pool.share[POOL_COPY].busy), 0);
}
END_TEST

/* ... and whoever waits at the limit is let in, by whom that is told. */
START_TEST(all_sleep_in_the_end)
{
    enum { N = 16 };

    open_copying(N, 1, false);
    for (unsigned round = 0; round < 20; round++) {
        expect(N);
        for (unsigned i = 0; i < N; i++)
            set_task(i, POOL_COPY, 0, meet);
        post_tasks(0, N);
        await_n(&over, N);
        taken = 0;
    }
    pool__destroy(&pool);
    ck_assert_uint_eq(count(pool.share[POOL_COPY].busy), 0);
}
END_TEST

/* "gives it back unfinished, as one of that class": it is not tried, nor counted. */
START_TEST(a_job_given_back_has_another_class)
{
    static struct pool_hooks hooks;

    open_copying(2, 1, true);
    hooks = gate_hooks;
    hooks.copy = copy;
    pool.hooks = &hooks;
    set_task(0, POOL_BLOCKING, 0, wait_for_go);
    set_task(1, POOL_BLOCKING, 0, wait_for_go);
    set_task(2, POOL_COPY, 0, NULL);
    post_tasks(0, 2);
    await_n(&started, 2); /* all threads are busy */
    post_task(&tasks[2]);
    let_arrive();
    ck_assert(claim_task(&tasks[2]));
    pool__requeue(&pool, &tasks[2].job, POOL_BLOCKING);
    sem_post(&tasks[0].go);
    await_n(&over, 2);
    sem_post(&tasks[1].go);
    await(&over);
    pool__destroy(&pool);
    ck_assert_uint_eq(count(tried), 0);
    ck_assert(all_ran_once(3));
}
END_TEST

/* ---- who looks --------------------------------------------------------------- */

static void spin_for(int64_t ns)
{
    sigset_t mask;

    pool__enter(&pool, &mask);
    pool.spin_ns = ns;
    pool__exit(&pool, &mask);
}

static bool somebody_looks(void)
{
    sigset_t mask;
    bool looks;

    pool__enter(&pool, &mask);
    looks = pool.spinning;
    pool__exit(&pool, &mask);
    return looks;
}

/*
 * Whoever may not do what there is keeps watch, in place of looking for more of it, and
 * does it himself if the others are stuck.  He was woken for it; or has looked since before
 * there was anything, and would do so for ever.
 */
START_TEST(who_may_not_run_what_waits_does_not_look_for_it)
{
    open_pool(&plain_hooks, 2, 1, LONG_MS);
    if (_i)
        spin_for(INT64_MAX / 4);
    post_task(set_task(0, POOL_CPU, 0, wait_for_go));
    await(&started);
    if (_i) {
        post_task(set_task(1, POOL_BLOCKING, 0, NULL));
        await(&over); /* and now that thread looks */
    } else {
        spin_for(INT64_MAX / 4);
    }
    post_task(set_task(2, POOL_CPU, 0, NULL));
    await(&over);
    spin_for(0);
    sem_post(&tasks[0].go);
    await(&over);
    do { /* until who looks has had one, and does not look again */
        post_task(set_task(3, POOL_CPU, 0, NULL));
        await(&over);
    } while (somebody_looks());
    pool__destroy(&pool);
}
END_TEST

void add_copy_cases(Suite *suite)
{
    TCase *tcase = tcase_create("copy");

    tcase_add_loop_test(tcase, copies_are_tried_and_then_are_done, 0, 2);
    tcase_add_test(tcase, copies_wait_at_their_limit);
    tcase_add_test(tcase, what_sleeps_after_all_makes_room);
    tcase_add_test(tcase, all_sleep_in_the_end);
    tcase_add_test(tcase, a_job_given_back_has_another_class);
    tcase_add_loop_test(tcase, who_may_not_run_what_waits_does_not_look_for_it, 0, 2);
    suite_add_tcase(suite, tcase);
}
