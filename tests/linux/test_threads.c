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

/* Of tests that try to meet a moment: how long they try. */
#define TRIES_NS 700000000

static atomic_ulong current; /* the context that is to be used */
static atomic_ulong submitted;
static atomic_bool stop;
static int never[2];

enum { MIXED = 8, BLOCK = 512 };

/* Submits reads, writes and polls that stay, to whichever context there is. */
static void *submit_mixed(void *argument)
{
    static char bytes[WAITERS][MIXED][BLOCK];
    const struct timespec moment = {0, 2000000};
    size_t me = (uintptr_t)argument;

    for (unsigned round = 0; !atomic_load(&stop); round++) {
        struct iocb cbs[MIXED], *list[MIXED];
        struct io_event events[MIXED];
        aio_context_t ctx = atomic_load(&current);
        int result;

        for (unsigned i = 0; i < MIXED; i++) {
            list[i] = &cbs[i];
            if ((round + i) % 3 == 0)
                prep_poll(&cbs[i], never[0], POLLIN);
            else
                prep(&cbs[i], (round + i) % 3 == 1 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE, shared_fd,
                     bytes[me][i], BLOCK, (int64_t)(i * BLOCK));
        }
        result = t_submit(ctx, MIXED, list);
        if (result > 0)
            atomic_fetch_add(&submitted, 1);
        else if (result != -EINVAL && result != -EAGAIN)
            atomic_store(&wrong, true);
        if (ROAD_LIBAIO && on_kernel())
            continue; /* libaio itself reads the context, which may be gone */
        result = t_getevents(ctx, (long)(round % 3), MIXED, events, &moment);
        if (result < 0 && result != -EINVAL)
            atomic_store(&wrong, true);
    }
    return NULL;
}

/* io_destroy ends, whatever is submitted meanwhile: polls that came too late are cancelled, too. */
START_TEST(io_destroy_races_with_submissions)
{
    pthread_t threads[3];
    int64_t end = now_ns() + TRIES_NS;

    shared_fd = temp_file(MIXED * BLOCK);
    make_pipe(never);
    atomic_store(&current, new_context(64));
    for (uintptr_t i = 0; i < COUNT(threads); i++)
        start_thread(&threads[i], submit_mixed, (void *)i);
    for (unsigned round = 0; now_ns() < end; round++) {
        unsigned long before = atomic_load(&submitted);
        aio_context_t ctx = new_context(64);
        aio_context_t old = atomic_exchange(&current, ctx);

        must_destroy(old);
        while (atomic_load(&submitted) < before + round % 4 && !atomic_load(&wrong))
            sched_yield();
    }
    atomic_store(&stop, true);
    must_destroy(atomic_load(&current));
    for (size_t i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
    ck_assert(!atomic_load(&wrong));
}
END_TEST

static atomic_uint cancelled;

static void *cancel_repeatedly(void *argument)
{
    while (!atomic_load(&stop)) {
        struct io_event event;

        if (t_cancel(shared, argument, &event) == -EINPROGRESS)
            atomic_fetch_add(&cancelled, 1);
    }
    return NULL;
}

/* The same poll is submitted and cancelled at once: it ends once, and others are none the worse. */
START_TEST(io_cancel_races_with_io_submit)
{
    pthread_t thread;
    struct iocb cb;
    struct io_event event;
    unsigned rounds = 0;
    int64_t end = now_ns() + TRIES_NS;

    make_pipe(never);
    shared = new_context(8);
    prep_poll(&cb, never[0], POLLIN);
    start_thread(&thread, cancel_repeatedly, &cb);
    for (; now_ns() < end; rounds++) {
        must_submit(shared, &cb);
        event = reap_one(shared);
        ck_assert(is_event_of(&event, &cb));
    }
    atomic_store(&stop, true);
    join_thread(thread);
    nothing_to_reap(shared);
    ck_assert_uint_eq(atomic_load(&cancelled), rounds);
    for (int i = 0; i < 3; i++) {
        char byte;

        must_submit(shared, &cb);
        nothing_to_reap(shared);
        ck_assert_int_eq((int)write(never[1], "x", 1), 1);
        event = reap_one(shared);
        ck_assert(is_event_of(&event, &cb));
        ck_assert_int_eq((int)read(never[0], &byte, 1), 1);
    }
    must_destroy(shared);
}
END_TEST

static void *submit_when_all_are_there(void *argument)
{
    pthread_barrier_wait(&barrier);
    atomic_store(&results[0], submit(shared, argument));
    return NULL;
}

/* The same with io_destroy: it was submitted and ended once, or it was not. */
START_TEST(io_destroy_races_with_io_submit)
{
    int64_t end = now_ns() + TRIES_NS;
    int count = make_eventfd(0);

    make_pipe(never);
    pthread_barrier_init(&barrier, NULL, 2);
    while (now_ns() < end) {
        pthread_t thread;
        struct iocb cb;

        shared = new_context(4);
        prep_poll(&cb, never[0], POLLIN);
        set_resfd(&cb, count);
        start_thread(&thread, submit_when_all_are_there, &cb);
        pthread_barrier_wait(&barrier);
        must_destroy(shared);
        join_thread(thread);
        if (atomic_load(&results[0]) == 1) {
            ck_assert_uint_eq(take_count(count), 1);
        } else {
            ck_assert_int_eq(atomic_load(&results[0]), -EINVAL);
            ck_assert_uint_eq(take_count(count), 0);
        }
    }
    pthread_barrier_destroy(&barrier);
}
END_TEST

static atomic_uint accepted, refused;

static void *submit_and_reap(void *argument)
{
    while (!atomic_load(&stop)) {
        struct iocb cb;
        struct io_event event;
        char byte;
        int result;

        prep_read(&cb, shared_fd, &byte, 1, 0);
        while ((result = submit(shared, &cb)) == -EAGAIN && !atomic_load(&stop))
            atomic_fetch_add(&refused, 1);
        if (result == -EAGAIN)
            break;
        atomic_fetch_add(&accepted, 1);
        /* Its own event, or another's: there are as many as there are threads. */
        if (result != 1 || t_getevents(shared, 1, 1, &event, NULL) != 1 || event.res != 1)
            atomic_store(&wrong, true);
        if (atomic_load(&wrong))
            break;
    }
    return argument;
}

/*
 * A slot is free again as soon as its event is reaped, by whichever thread.  A
 * reaper that loses its processor while it copies may hold it a little longer:
 * at most one in a thousand is refused.
 */
START_TEST(few_requests_always_fit)
{
    const struct timespec pause = {0, TRIES_NS};
    pthread_t threads[4];

    shared_fd = temp_file(1);
    shared = new_context(1);
    for (size_t i = 0; i < COUNT(threads); i++)
        start_thread(&threads[i], submit_and_reap, NULL);
    nanosleep(&pause, NULL); /* for as long they try */
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
    ck_assert(!atomic_load(&wrong));
    ck_assert_uint_le(atomic_load(&refused), atomic_load(&accepted) / 1000);
    nothing_to_reap(shared);
}
END_TEST

static void *reap_until_stopped(void *argument)
{
    (void)argument;
    do {
        struct io_event event;

        if (t_getevents(shared, 1, 1, &event, NULL) != 1)
            atomic_store(&wrong, true);
        atomic_fetch_add(&taken, 1);
    } while (!atomic_load(&stop) && !atomic_load(&wrong));
    return NULL;
}

/* One request at a time, and others wait for it: they are woken each time. */
START_TEST(no_wakeup_is_lost)
{
    pthread_t threads[3];
    size_t waiters = _i == 0 ? 1 : COUNT(threads);
    int64_t end = now_ns() + TRIES_NS;
    unsigned n = 0, state = 1;
    struct iocb cb;
    char byte;

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    shared = new_context(8);
    for (size_t i = 0; i < waiters; i++)
        start_thread(&threads[i], reap_until_stopped, NULL);
    while (now_ns() < end) {
        must_submit(shared, &cb);
        n++;
        while (atomic_load(&taken) < n) /* for ever, if a wakeup is lost */
            sched_yield();
        state = state * 1664525 + 1013904223;
        for (volatile unsigned i = state >> 23; i > 0; i--)
            ; /* they sleep, are about to, or look once more */
    }
    ck_assert(!atomic_load(&wrong));
    /* One for each to see that it is over. */
    atomic_store(&stop, true);
    for (size_t i = 0; i < waiters; i++)
        must_submit(shared, &cb);
    for (size_t i = 0; i < waiters; i++)
        join_thread(threads[i]);
    ck_assert(!atomic_load(&wrong));
    nothing_to_reap(shared);
}
END_TEST

enum { AT_POLL, AT_READ, AT_FSYNC, AT_PIPE, AT_NOTHING, PLACES };

static int place, full_pipe[2], shared_count;

/* With a cancellation pending: it acts at the first cancellation point, and
 * leaves without the epilogue that AddressSanitizer counts on. */
__attribute__((no_sanitize("address"))) static void *call_while_cancelled(void *argument)
{
    static char byte;
    const struct timespec moment = {0, 2000000};
    struct iocb cb;
    struct io_event event;
    bool waits = place == AT_READ || place == AT_PIPE; /* for its event, as long as it takes */

    (void)argument;
    if (place == AT_POLL)
        prep_poll(&cb, never[0], POLLIN);
    else if (place == AT_FSYNC)
        prep(&cb, IOCB_CMD_FSYNC, never[0], NULL, 0, 0);
    else
        prep_read(&cb, place == AT_PIPE ? full_pipe[0] : shared_fd, &byte, 1, 0);
    if (place == AT_READ)
        set_resfd(&cb, shared_count);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &(int){0});
    pthread_cancel(pthread_self());
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &(int){0});
    if (place != AT_NOTHING)
        atomic_store(&results[0], submit(shared, &cb));
    atomic_store(&results[1], t_getevents(shared, 1, 1, &event, waits ? NULL : &moment));
    pthread_testcancel();
    return NULL;
}

/* The calls are no cancellation points: they do what they do, and the thread ends later. */
START_TEST(the_calls_are_no_cancellation_points)
{
    const int expected[PLACES][2] = {{1, 0}, {1, 1}, {-EINVAL, 0}, {1, 1}, {0, 0}};
    pthread_t thread;
    struct iocb cb;
    struct io_event event;
    char byte;

    place = _i;
    shared_fd = temp_file(1);
    shared_count = make_eventfd(0);
    make_pipe(never);
    make_pipe(full_pipe);
    ck_assert_int_eq((int)write(full_pipe[1], "x", 1), 1);
    shared = new_context(4);
    start_thread(&thread, call_while_cancelled, NULL);
    ck_assert_ptr_eq(join_thread(thread), PTHREAD_CANCELED);
    ck_assert_int_eq(atomic_load(&results[0]), expected[_i][0]);
    ck_assert_int_eq(atomic_load(&results[1]), expected[_i][1]);
    if (_i == AT_READ)
        ck_assert_uint_eq(take_count(shared_count), 1);
    /* The context is whole. */
    if (_i == AT_POLL) {
        ck_assert_int_eq((int)write(never[1], "x", 1), 1);
        event = reap_one(shared);
        ck_assert_int_ne((int)event.res & POLLIN, 0);
    }
    prep_read(&cb, shared_fd, &byte, 1, 0);
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq((int)perform(shared, &cb), 1);
    must_destroy(shared);
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
    tcase_add_test(tc, io_destroy_races_with_submissions);
    tcase_add_test(tc, io_cancel_races_with_io_submit);
    tcase_add_test(tc, io_destroy_races_with_io_submit);
    tcase_add_test(tc, few_requests_always_fit);
    tcase_add_loop_test(tc, no_wakeup_is_lost, 0, 2);
    tcase_add_loop_test(tc, the_calls_are_no_cancellation_points, 0, PLACES);
    return suite;
}
