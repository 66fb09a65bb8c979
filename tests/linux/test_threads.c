/* SPDX-License-Identifier: MIT */
/* Several threads on one context. */
#include "helpers.h"

#include <sched.h>

enum { WAITERS = 8 };

static aio_context_t shared;
static atomic_int results[WAITERS];
static atomic_int ids[WAITERS];
static uint64_t got_data[WAITERS];
static pthread_barrier_t barrier;

static void *wait_for_one(void *argument)
{
    size_t i = (uintptr_t)argument;
    struct io_event event = {0};

    atomic_store(&ids[i], (int)thread_id());
    atomic_store(&results[i], t_getevents(shared, 1, 1, &event, NULL));
    got_data[i] = event.data;
    return NULL;
}

static void start_waiters(pthread_t *threads)
{
    for (uintptr_t i = 0; i < WAITERS; i++) {
        start_thread(&threads[i], wait_for_one, (void *)i);
        while (atomic_load(&ids[i]) == 0)
            sched_yield();
        await_asleep(atomic_load(&ids[i]));
    }
}

/* "Several threads may wait on one context." Each event is one's. */
START_TEST(each_waiter_gets_an_event)
{
    pthread_t threads[WAITERS];
    struct iocb cbs[WAITERS];
    bool seen[WAITERS] = {false};
    int ends[WAITERS][2];

    shared = new_context(WAITERS);
    for (size_t i = 0; i < WAITERS; i++) {
        make_pipe(ends[i]);
        prep_poll(&cbs[i], ends[i][0], POLLIN);
        cbs[i].aio_data = i;
        must_submit(shared, &cbs[i]);
    }
    start_waiters(threads);
    for (size_t i = 0; i < WAITERS; i++)
        ck_assert_int_eq((int)write(ends[i][1], "x", 1), 1);
    for (size_t i = 0; i < WAITERS; i++) {
        join_thread(threads[i]);
        ck_assert_int_eq(atomic_load(&results[i]), 1);
        ck_assert_uint_lt(got_data[i], WAITERS);
        ck_assert(!seen[got_data[i]]);
        seen[got_data[i]] = true;
    }
    nothing_to_reap(shared);
}
END_TEST

/* "Wakes those waiting in io_getevents": with EINVAL, which MariaDB relies on */
START_TEST(io_destroy_wakes_those_who_wait)
{
    pthread_t threads[WAITERS];

    shared = new_context(4);
    start_waiters(threads);
    must_destroy(shared);
    for (size_t i = 0; i < WAITERS; i++) {
        join_thread(threads[i]);
        ck_assert_int_eq(atomic_load(&results[i]), -EINVAL);
    }
}
END_TEST

/* The same with a request in flight. */
START_TEST(io_destroy_wakes_those_who_wait_for_a_poll)
{
    pthread_t threads[WAITERS];
    struct iocb cb;
    int ends[2];

    make_pipe(ends);
    shared = new_context(4);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(shared, &cb);
    start_waiters(threads);
    must_destroy(shared);
    for (size_t i = 0; i < WAITERS; i++) {
        join_thread(threads[i]);
        ck_assert_int_eq(atomic_load(&results[i]), -EINVAL);
    }
}
END_TEST

static void *destroy_it(void *argument)
{
    size_t i = (uintptr_t)argument;

    pthread_barrier_wait(&barrier);
    atomic_store(&results[i], t_destroy(shared));
    return NULL;
}

/* "EINVAL (also in a racing second call)" */
START_TEST(one_of_many_destroys_wins)
{
    for (int round = 0; round < (on_kernel() ? 20 : 200); round++) {
        pthread_t threads[4];
        struct iocb cb;
        int ends[2], won = 0;

        make_pipe(ends);
        shared = new_context(4);
        prep_poll(&cb, ends[0], POLLIN);
        must_submit(shared, &cb);
        pthread_barrier_init(&barrier, NULL, COUNT(threads));
        for (uintptr_t i = 0; i < COUNT(threads); i++)
            start_thread(&threads[i], destroy_it, (void *)i);
        for (size_t i = 0; i < COUNT(threads); i++) {
            join_thread(threads[i]);
            if (atomic_load(&results[i]) == 0)
                won++;
            else
                ck_assert_int_eq(atomic_load(&results[i]), -EINVAL);
        }
        ck_assert_int_eq(won, 1);
        pthread_barrier_destroy(&barrier);
        close(ends[0]);
        close(ends[1]);
    }
}
END_TEST

enum { SUBMITTERS = 3, REAPERS = 3, EACH = 10000 };

static atomic_uchar times[SUBMITTERS * EACH];
static atomic_uint taken;
static atomic_bool wrong;
static int shared_fd;

static void *submit_many(void *argument)
{
    size_t first = (uintptr_t)argument * EACH;
    static char byte;

    for (size_t i = first; i < first + EACH; i++) {
        struct iocb cb;
        int result;

        memset(&cb, 0, sizeof cb);
        prep_write(&cb, shared_fd, &byte, 1, (int64_t)(i % 1000));
        cb.aio_data = i;
        while ((result = submit(shared, &cb)) == -EAGAIN)
            sched_yield();
        if (result != 1)
            atomic_store(&wrong, true);
    }
    return NULL;
}

static void *reap_many(void *argument)
{
    const struct timespec moment = {0, 2000000};

    while (atomic_load(&taken) < SUBMITTERS * EACH && !atomic_load(&wrong)) {
        struct io_event events[16];
        int n = t_getevents(shared, argument == NULL ? 1 : 4, COUNT(events), events, &moment);

        if (n < 0)
            atomic_store(&wrong, true);
        for (int i = 0; i < n; i++) {
            if (events[i].data >= COUNT(times) || events[i].res != 1)
                atomic_store(&wrong, true);
            else
                atomic_fetch_add(&times[events[i].data], 1);
        }
        if (n > 0)
            atomic_fetch_add(&taken, (unsigned)n);
    }
    return NULL;
}

/* Each event is seen exactly once. */
START_TEST(submitters_and_reapers)
{
    pthread_t submitters[SUBMITTERS], reapers[REAPERS];

    shared_fd = temp_file(1000);
    shared = new_context(64);
    for (uintptr_t i = 0; i < REAPERS; i++)
        start_thread(&reapers[i], reap_many, (void *)i);
    for (uintptr_t i = 0; i < SUBMITTERS; i++)
        start_thread(&submitters[i], submit_many, (void *)i);
    for (size_t i = 0; i < SUBMITTERS; i++)
        join_thread(submitters[i]);
    for (size_t i = 0; i < REAPERS; i++)
        join_thread(reapers[i]);
    ck_assert(!atomic_load(&wrong));
    for (size_t i = 0; i < COUNT(times); i++)
        ck_assert_uint_eq(atomic_load(&times[i]), 1);
    nothing_to_reap(shared);
}
END_TEST

static void *make_and_destroy(void *argument)
{
    int rounds = on_kernel() ? 10 : 200;

    for (int i = 0; i < rounds; i++) {
        struct iocb cb;
        struct io_event event;
        static char bytes[WAITERS];
        aio_context_t ctx = 0;

        prep_read(&cb, shared_fd, &bytes[(uintptr_t)argument], 1, 0);
        if (t_setup(4, &ctx) != 0 || submit(ctx, &cb) != 1 ||
            t_getevents(ctx, 1, 1, &event, NULL) != 1 || event.obj != as_u64(&cb) ||
            submit(ctx, &cb) != 1 || t_destroy(ctx) != 0)
            atomic_store(&wrong, true);
    }
    return NULL;
}

/* Contexts are made and destroyed beside each other. */
START_TEST(every_thread_has_its_own_contexts)
{
    pthread_t threads[WAITERS];

    shared_fd = temp_file(1);
    for (uintptr_t i = 0; i < WAITERS; i++)
        start_thread(&threads[i], make_and_destroy, (void *)i);
    for (size_t i = 0; i < WAITERS; i++)
        join_thread(threads[i]);
    ck_assert(!atomic_load(&wrong));
}
END_TEST

static void *submit_and_end(void *argument)
{
    atomic_store(&results[0], submit(shared, argument));
    return NULL;
}

/* A request outlives the thread that submitted it. */
START_TEST(requests_outlive_their_thread)
{
    pthread_t thread;
    struct iocb cb;
    struct io_event event;
    int ends[2];

    make_pipe(ends);
    shared = new_context(4);
    prep_poll(&cb, ends[0], POLLIN);
    start_thread(&thread, submit_and_end, &cb);
    join_thread(thread);
    ck_assert_int_eq(atomic_load(&results[0]), 1);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(shared);
    ck_assert(is_event_of(&event, &cb));
}
END_TEST

Suite *threads_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("threads", 120, &tc);

    tcase_add_test(tc, each_waiter_gets_an_event);
    tcase_add_test(tc, io_destroy_wakes_those_who_wait);
    tcase_add_test(tc, io_destroy_wakes_those_who_wait_for_a_poll);
    tcase_add_test(tc, one_of_many_destroys_wins);
    tcase_add_test(tc, submitters_and_reapers);
    tcase_add_test(tc, every_thread_has_its_own_contexts);
    tcase_add_test(tc, requests_outlive_their_thread);
    return suite;
}
