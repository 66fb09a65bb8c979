/* SPDX-License-Identifier: MIT */
/* aio_suspend(). */
#include "helpers.h"

#include <sched.h>
#include <sys/resource.h>

static const struct timespec no_time = {0, 0};
static const struct timespec long_time = {3600, 0};

/* aio_suspend with a clean errno. */
static int suspend_once(const struct aiocb *const list[], int nent, const struct timespec *timeout)
{
    errno = 0;
    return aio_suspend(list, nent, timeout);
}

/* "NULL entries ignored" */
START_TEST(null_entries_are_ignored)
{
    char buf[4];
    struct aiocb cb, slow;
    const struct aiocb *list[] = {NULL, &slow, NULL, &cb, NULL};
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&cb, temp_file(4), buf, sizeof buf, 0);
    must_read(&cb);
    ck_assert_int_eq(suspend_once(list, COUNT(list), NULL), 0);
    ck_assert_int_eq(aio_error(&cb), 0);
    list[3] = NULL;
    ck_assert_int_eq(suspend_once(list, COUNT(list), &no_time), -1);
    ck_assert_int_eq(errno, EAGAIN);
    gate_open(&gate, 0);
    ck_assert_int_eq(suspend_once(list, COUNT(list), NULL), 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

/* "with nothing to wait for (empty [...]) it returns 0 at once, as glibc does" */
START_TEST(an_empty_list_returns_at_once)
{
    const struct aiocb *list[1] = {NULL};

    ck_assert_int_eq(suspend_once(list, 0, NULL), 0);
    ck_assert_int_eq(suspend_once(list, 0, &long_time), 0);
    ck_assert_int_eq(suspend_once(list, 0, &no_time), 0);
}
END_TEST

/* "all NULL" */
START_TEST(a_list_of_nulls_returns_at_once)
{
    const struct aiocb *list[100] = {NULL};

    ck_assert_int_eq(suspend_once(list, COUNT(list), NULL), 0);
    ck_assert_int_eq(suspend_once(list, COUNT(list), &long_time), 0);
    ck_assert_int_eq(suspend_once(list, COUNT(list), &no_time), 0);
}
END_TEST

/* "none ever submitted" */
START_TEST(never_submitted_aiocbs_return_at_once)
{
    const int fillings[] = {0x00, 0xff, 0xa5, EINPROGRESS};
    struct aiocb cb;
    const struct aiocb *list[] = {&cb};

    for (size_t i = 0; i < COUNT(fillings); i++) {
        memset(&cb, fillings[i], sizeof cb);
        ck_assert_int_eq(suspend_once(list, COUNT(list), NULL), 0);
    }
}
END_TEST

/* "Returns at once if any is already done." */
START_TEST(returns_at_once_if_any_is_done)
{
    char buf[4];
    struct aiocb done, slow;
    const struct aiocb *list[] = {&slow, &done};
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&done, temp_file(4), buf, sizeof buf, 0);
    must_read(&done);
    ck_assert_int_eq(wait_done(&done), 0);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(suspend_once(list, COUNT(list), NULL), 0);
        ck_assert_int_eq(suspend_once(list, COUNT(list), &no_time), 0);
    }
    ck_assert_int_eq(aio_error(&slow), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

/* "zero timeout polls" */
START_TEST(zero_timeout_polls)
{
    struct aiocb slow;
    const struct aiocb *list[] = {&slow};
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(suspend_once(list, 1, &no_time), -1);
        ck_assert_int_eq(errno, EAGAIN);
    }
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
    ck_assert_int_eq(suspend_once(list, 1, &no_time), 0);
}
END_TEST

static int64_t now_ns(void)
{
    struct timespec now;

    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* "Timeout on CLOCK_MONOTONIC, EAGAIN when it passes": never sooner by that clock. */
START_TEST(eagain_when_the_time_has_passed_and_not_before)
{
    const long times[] = {1, 1000, 1000000, 20000000, 999999999};
    struct aiocb slow;
    const struct aiocb *list[] = {&slow};
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    for (size_t i = 0; i < COUNT(times); i++) {
        const struct timespec timeout = {0, times[i]};
        int64_t start = now_ns();

        ck_assert_int_eq(suspend_once(list, 1, &timeout), -1);
        ck_assert_int_eq(errno, EAGAIN);
        ck_assert_int_ge(now_ns() - start, times[i]);
    }
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

static struct gate late_gate;
static sem_t about_to_wait;

static void *open_late(void *argument)
{
    await(&about_to_wait);
    gate_open(&late_gate, 0);
    return argument;
}

/* A timeout that cannot be added to the clock's time is a long one. */
START_TEST(the_longest_timeout_does_not_overflow)
{
    const struct timespec longest = {(time_t)(sizeof(time_t) == 8 ? INT64_MAX : INT32_MAX),
                                     999999999};
    struct aiocb slow;
    const struct aiocb *list[] = {&slow};
    pthread_t thread;

    queue_everything();
    MAKE_GATE(&late_gate, 1);
    occupy_worker(&late_gate, 0, &slow);
    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    start_thread(&thread, open_late, NULL);
    sem_post(&about_to_wait);
    ck_assert_int_eq(suspend_once(list, 1, &longest), 0);
    ck_assert_int_eq(aio_error(&slow), 0);
    join_thread(thread);
}
END_TEST

/* "invalid timespec EINVAL (glibc aborts)" */
START_TEST(einval_for_an_invalid_timeout)
{
    const struct timespec bad[] = {{0, -1}, {0, 1000000000}, {-1, 0}, {1, LONG_MAX}, {1, LONG_MIN}};
    struct aiocb slow;
    const struct aiocb *list[] = {&slow};
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_int_eq(suspend_once(list, 1, &bad[i]), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

/* "Negative count EINVAL." */
START_TEST(einval_for_a_negative_count)
{
    const struct aiocb *list[1] = {NULL};

    ck_assert_int_eq(suspend_once(list, -1, NULL), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_int_eq(suspend_once(list, INT_MIN, &no_time), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* "EINTR on a caught signal": with and without SA_RESTART. */
START_TEST(eintr_on_a_caught_signal)
{
    const struct timespec *timeouts[] = {NULL, &long_time};
    struct aiocb slow;
    const struct aiocb *list[] = {&slow};
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    handle(SIGUSR1, ignore_quietly, _i == 0 ? 0 : SA_RESTART);
    for (size_t i = 0; i < COUNT(timeouts); i++) {
        for (int round = 0; round < 20; round++) {
            storm_begin(SIGUSR1, 500);
            ck_assert_int_eq(suspend_once(list, 1, timeouts[i]), -1);
            ck_assert_int_eq(errno, EINTR);
            storm_end();
        }
    }
    ck_assert_int_eq(aio_error(&slow), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

static atomic_int signals_seen;

static void count_signal(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    atomic_fetch_add(&signals_seen, 1);
}

/* "(which may be the completion's own)" */
START_TEST(eintr_may_be_the_completions_own_signal)
{
    char buf[4];
    struct aiocb cb;
    const struct aiocb *list[] = {&cb};
    int fd = temp_file(4);

    queue_everything();
    handle(SIGUSR1, count_signal, 0);
    for (int i = 1; i <= 1000; i++) {
        prep(&cb, fd, buf, sizeof buf, 0);
        notify_by_signal(&cb.aio_sigevent, SIGUSR1, NULL);
        must_read(&cb);
        if (suspend_once(list, 1, NULL) != 0)
            ck_assert_int_eq(errno, EINTR);
        ck_assert_int_eq(finish(&cb), 4);
        while (atomic_load(&signals_seen) < i)
            ; /* the signal of this one, so that the next cannot merge with it */
    }
    ck_assert_int_eq(atomic_load(&signals_seen), 1000);
}
END_TEST

static struct aiocb waited[8];
static atomic_int woken;

static void *suspend_for_ever(void *argument)
{
    const struct aiocb *list[] = {argument};

    sem_post(&about_to_wait);
    if (aio_suspend(list, 1, NULL) == 0 && aio_error(argument) != EINPROGRESS)
        atomic_fetch_add(&woken, 1);
    return NULL;
}

/* "It is a cancellation point" */
START_TEST(it_is_a_cancellation_point)
{
    pthread_t thread;
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &waited[0]);
    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    for (int i = 0; i < 20; i++) {
        start_thread(&thread, suspend_for_ever, &waited[0]);
        await(&about_to_wait);
        ck_assert_int_eq(pthread_cancel(thread), 0);
        ck_assert_ptr_eq(join_thread(thread), PTHREAD_CANCELED);
    }
    ck_assert_int_eq(atomic_load(&woken), 0);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&waited[0]), 16);
}
END_TEST

/* All that wait for one request are woken by it. */
START_TEST(every_waiter_of_a_request_is_woken)
{
    pthread_t threads[16];
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &waited[0]);
    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        start_thread(&threads[i], suspend_for_ever, &waited[0]);
    for (size_t i = 0; i < COUNT(threads); i++)
        await(&about_to_wait);
    gate_open(&gate, 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
    ck_assert_int_eq(atomic_load(&woken), COUNT(threads));
}
END_TEST

/* A request that is cancelled is done: who waits for it is woken. */
START_TEST(waiters_of_a_cancelled_request_are_woken)
{
    char buf[4];
    struct aiocb slow;
    pthread_t thread;
    struct gate gate;
    int fd = temp_file(4);

    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&waited[0], fd, buf, sizeof buf, 0);
    must_read(&waited[0]);
    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    start_thread(&thread, suspend_for_ever, &waited[0]);
    await(&about_to_wait);
    ck_assert_int_eq(aio_cancel(fd, &waited[0]), AIO_CANCELED);
    join_thread(thread);
    ck_assert_int_eq(atomic_load(&woken), 1);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

START_TEST(one_request_may_be_listed_often)
{
    const struct aiocb *list[50];
    pthread_t thread;

    queue_everything();
    MAKE_GATE(&late_gate, 1);
    occupy_worker(&late_gate, 0, &waited[0]);
    for (size_t i = 0; i < COUNT(list); i++)
        list[i] = &waited[0];
    ck_assert_int_eq(suspend_once(list, COUNT(list), &no_time), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    start_thread(&thread, open_late, NULL);
    sem_post(&about_to_wait);
    ck_assert_int_eq(suspend_once(list, COUNT(list), NULL), 0);
    ck_assert_int_eq(finish(&waited[0]), 16);
    join_thread(thread);
}
END_TEST

static _Atomic long switches[COUNT(waited)];

static void *suspend_and_count_switches(void *argument)
{
    size_t i = (uintptr_t)argument;
    const struct aiocb *list[] = {&waited[i]};
    struct rusage before, after;

    getrusage(RUSAGE_THREAD, &before);
    sem_post(&about_to_wait);
    while (aio_error(&waited[i]) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    getrusage(RUSAGE_THREAD, &after);
    atomic_store(&switches[i], after.ru_nvcsw - before.ru_nvcsw);
    return NULL;
}

/*
 * "No thundering herd: waiters not concerned are not woken."  While they wait,
 * a thousand requests of others complete; each waiter has left the CPU far
 * fewer times.
 */
START_TEST(waiters_not_concerned_are_not_woken)
{
    pthread_t threads[COUNT(waited)];
    struct gate gate;

    queue_everything();
    use_workers(COUNT(waited) + 2);
    MAKE_GATE(&gate, COUNT(waited));
    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    for (unsigned i = 0; i < COUNT(waited); i++)
        occupy_worker(&gate, i, &waited[i]);
    for (uintptr_t i = 0; i < COUNT(waited); i++)
        start_thread(&threads[i], suspend_and_count_switches, (void *)i);
    for (size_t i = 0; i < COUNT(waited); i++)
        await(&about_to_wait);
    let_others_run();
    for (unsigned i = 0; i < COUNT(waited); i++)
        gate_open(&gate, i);
    for (size_t i = 0; i < COUNT(waited); i++)
        join_thread(threads[i]);
    for (size_t i = 0; i < COUNT(waited); i++) {
        ck_assert_int_eq(finish(&waited[i]), 16);
        ck_assert_int_lt(atomic_load(&switches[i]), 200);
    }
}
END_TEST

/* With helping on, who waits for a queued read gets it done though every worker is busy. */
START_TEST(a_queued_read_is_had_though_the_only_worker_is_stuck)
{
    char buf[4];
    struct aiocb slow, cb;
    const struct aiocb *list[] = {&cb};
    struct gate gate;

    queue_everything();
    ck_assert_int_eq(setenv("UAIO_HELP", "1", 1), 0);
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&cb, temp_file(4), buf, sizeof buf, 0);
    must_read(&cb);
    ck_assert_int_eq(suspend_once(list, 1, NULL), 0);
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert(is_pattern(buf, 4, 0));
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

/* --- what a thread has done before --- */

static int habit_fd;

/* Nothing but write and wait, so often that it is sure to go on like that. */
static void write_and_wait(int times)
{
    struct aiocb cb;

    for (int i = 0; i < times; i++) {
        prep(&cb, habit_fd, "x", 1, i % 256);
        must_write(&cb);
        ck_assert_int_eq(finish(&cb), 1);
    }
}

static void *finish_elsewhere(void *cb)
{
    return (void *)(intptr_t)(finish(cb) == 1);
}

enum { BY_FILE, BY_POLLING, BY_THREAD, BY_SIGNAL, BY_SHORT_TIMES, BY_LIST, WAYS_TO_KNOW };

/* The request is done without the thread's waiting for it as before. */
static void know_otherwise(struct aiocb *cb, int way)
{
    const struct aiocb *const list[] = {cb};
    const struct timespec millisecond = {0, 1000000};
    pthread_t thread;
    siginfo_t info;
    char byte = 0;

    switch (way) {
    case BY_FILE:
        while (byte != 'y')
            ck_assert_int_eq(pread(habit_fd, &byte, 1, 300), 1);
        break;
    case BY_THREAD:
        start_thread(&thread, finish_elsewhere, cb);
        ck_assert_ptr_nonnull(join_thread(thread));
        return;
    case BY_SIGNAL:
        take_signal(SIGRTMIN, &info);
        ck_assert_ptr_eq(info.si_value.sival_ptr, cb);
        break;
    case BY_SHORT_TIMES:
        while (suspend_once(list, 1, &millisecond) != 0)
            ck_assert_int_eq(errno, EAGAIN);
        break;
    default:
        break;
    }
    while (aio_error(cb) == EINPROGRESS)
        sched_yield();
    ck_assert_int_eq(aio_return(cb), 1);
}

/* Whoever has always waited may stop doing so: requests are done all the same. */
START_TEST(a_request_is_done_whatever_its_thread_did_before)
{
    struct aiocb cb, other;

    habit_fd = temp_file(512);
    block_signal(SIGRTMIN);
    for (int round = 0; round < 3; round++) {
        write_and_wait(200);
        ck_assert_int_eq(pwrite(habit_fd, "-", 1, 300), 1);
        prep(&cb, habit_fd, "y", 1, 300);
        if (_i == BY_SIGNAL)
            notify_by_signal(&cb.aio_sigevent, SIGRTMIN, &cb);
        must_write(&cb);
        if (_i == BY_LIST) { /* and in the company of one that is never done */
            const struct aiocb *const list[] = {&other, &cb};
            char byte;
            int ends[2];

            make_pipe(ends);
            prep(&other, ends[0], &byte, 1, 0);
            must_read(&other);
            ck_assert_int_eq(suspend_once(list, 2, NULL), 0);
            ck_assert_int_eq(aio_cancel(ends[0], NULL), AIO_CANCELED);
            close(ends[0]);
            close(ends[1]);
        }
        know_otherwise(&cb, _i);
    }
}
END_TEST

/* The request that was left to the waiter is cancelled, or closed, before he waits. */
START_TEST(what_was_left_to_the_waiter_can_be_ended)
{
    struct aiocb cb;
    int result, status;

    habit_fd = temp_file(512);
    for (int round = 0; round < 50; round++) {
        write_and_wait(100);
        ck_assert_int_eq(pwrite(habit_fd, "-", 1, 300), 1);
        prep(&cb, habit_fd, "y", 1, 300);
        must_write(&cb);
        result = aio_cancel(habit_fd, _i == 0 ? &cb : NULL);
        status = wait_done(&cb);
        if (result == AIO_CANCELED)
            ck_assert_int_eq(status, ECANCELED);
        else
            ck_assert_int_eq(status, 0);
        ck_assert_int_eq(aio_return(&cb), status == 0 ? 1 : -1);
        char byte;
        ck_assert_int_eq(pread(habit_fd, &byte, 1, 300), 1);
        ck_assert_int_eq(byte, status == 0 ? 'y' : '-');
    }
}
END_TEST

Suite *suspend_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_suspend", 60, &tc);

    tcase_add_test(tc, null_entries_are_ignored);
    tcase_add_test(tc, an_empty_list_returns_at_once);
    tcase_add_test(tc, a_list_of_nulls_returns_at_once);
    tcase_add_test(tc, never_submitted_aiocbs_return_at_once);
    tcase_add_test(tc, returns_at_once_if_any_is_done);
    tcase_add_test(tc, zero_timeout_polls);
    tcase_add_test(tc, eagain_when_the_time_has_passed_and_not_before);
    tcase_add_test(tc, the_longest_timeout_does_not_overflow);
    tcase_add_test(tc, einval_for_an_invalid_timeout);
    tcase_add_test(tc, einval_for_a_negative_count);
    tcase_add_loop_test(tc, eintr_on_a_caught_signal, 0, 2);
    tcase_add_test(tc, eintr_may_be_the_completions_own_signal);
    tcase_add_test(tc, it_is_a_cancellation_point);
    tcase_add_test(tc, every_waiter_of_a_request_is_woken);
    tcase_add_test(tc, waiters_of_a_cancelled_request_are_woken);
    tcase_add_test(tc, one_request_may_be_listed_often);
    tcase_add_test(tc, waiters_not_concerned_are_not_woken);
    tcase_add_test(tc, a_queued_read_is_had_though_the_only_worker_is_stuck);
    tcase_add_loop_test(tc, a_request_is_done_whatever_its_thread_did_before, 0, WAYS_TO_KNOW);
    tcase_add_loop_test(tc, what_was_left_to_the_waiter_can_be_ended, 0, 2);
    return suite;
}
