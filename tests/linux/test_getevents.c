/* SPDX-License-Identifier: MIT */
/* io_getevents(). */
#include "helpers.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static const struct timespec moment = {0, 10000}; /* 10 us */
static const struct timespec short_time = {0, 20000000};

/* "0 <= min_nr <= nr, else EINVAL." */
START_TEST(einval_for_bad_numbers)
{
    const long bad[][2] = {{-1, 1}, {2, 1},        {1, 0},        {-1, -1},
                           {0, -1}, {LONG_MIN, 1}, {LONG_MAX, 1}, {0, LONG_MIN}};
    const struct timespec *timeouts[] = {NULL, &long_time, &moment};
    struct io_event events[2];
    aio_context_t ctx = new_context(4);

    for (size_t i = 0; i < COUNT(bad); i++) {
        for (size_t j = 0; j < COUNT(timeouts); j++)
            ck_assert_int_eq(t_getevents(ctx, bad[i][0], bad[i][1], events, timeouts[j]), -EINVAL);
        /* "libaio's own function returns 0 without a call when the ring is empty" */
        if (!ROAD_LIBAIO)
            ck_assert_int_eq(t_getevents(ctx, bad[i][0], bad[i][1], events, &no_time), -EINVAL);
    }
}
END_TEST

START_TEST(nothing_of_nothing)
{
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq(t_getevents(ctx, 0, 0, NULL, NULL), 0);
    ck_assert_int_eq(t_getevents(ctx, 0, 0, NULL, &no_time), 0);
    ck_assert_int_eq(t_getevents(ctx, 0, 0, NULL, &long_time), 0);
}
END_TEST

START_TEST(einval_for_an_unknown_context)
{
    struct io_event event;

    ck_assert_int_eq(t_getevents(0, 1, 1, &event, NULL), -EINVAL);
    ck_assert_int_eq(t_getevents(0, 0, 1, &event, &no_time), -EINVAL);
    ck_assert_int_eq(t_getevents(0, 0, 0, NULL, NULL), -EINVAL);
}
END_TEST

/* "zero polls" */
START_TEST(zero_timeout_polls)
{
    struct iocb cb;
    struct io_event events[4];
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(t_getevents(ctx, i % 5, 4, events, &no_time), 0);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    await_in_ring(ring_of(ctx), 1);
    ck_assert_int_eq(t_getevents(ctx, 4, 4, events, &no_time), 1);
    ck_assert(is_event_of(events, &cb));
}
END_TEST

/* "min_nr == 0 never waits", with whatever timeout, for what is not a file's. */
START_TEST(min_nr_of_zero_never_waits)
{
    const struct timespec *timeouts[] = {NULL, &long_time, &no_time};
    struct iocb cb;
    struct io_event event;
    int ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    for (size_t i = 0; i < COUNT(timeouts); i++)
        ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, timeouts[i]), 0);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    for (size_t i = 0; i < COUNT(timeouts); i++)
        ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, timeouts[i]), 0);
}
END_TEST

/* "The trap": `io_getevents(ctx, 0, n, ev, long timeout)` finds a buffered file's request */
START_TEST(min_nr_of_zero_finds_what_was_just_submitted)
{
    static char bytes[64][512];
    struct iocb cbs[COUNT(bytes)], *list[COUNT(bytes)];
    struct io_event events[COUNT(bytes)];
    aio_context_t ctx = new_context(COUNT(bytes));
    int fd = temp_file(sizeof bytes);

    ck_assert_int_eq((int)pread(fd, bytes, sizeof bytes, 0), sizeof bytes);
    for (int round = 0; round < 300; round++) {
        for (size_t i = 0; i < COUNT(bytes); i++) {
            prep(&cbs[i], round % 2 == 0 ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE, fd, bytes[i],
                 sizeof bytes[i], (int64_t)(i * sizeof bytes[i]));
            list[i] = &cbs[i];
        }
        if (round % 3 == 0) {
            must_submit(ctx, &cbs[0]);
            ck_assert_int_eq(t_getevents(ctx, 0, 1, events, &long_time), 1);
            ck_assert(is_event_of(events, &cbs[0]));
        } else {
            int got = 0;

            ck_assert_int_eq(t_submit(ctx, COUNT(bytes), list), COUNT(bytes));
            while (got < (int)COUNT(bytes)) {
                int n = t_getevents(ctx, 0, (long)COUNT(bytes), events, &long_time);

                ck_assert_int_gt(n, 0);
                got += n;
            }
            ck_assert_int_eq(got, COUNT(bytes));
        }
    }
    ck_assert(is_pattern(bytes, sizeof bytes, 0));
}
END_TEST

/* "and on 10 us being enough": for a cached file. */
START_TEST(ten_microseconds_are_enough_for_a_cached_read)
{
    struct iocb cb;
    struct io_event event;
    char bytes[512];
    aio_context_t ctx = new_context(4);
    int fd = temp_file(sizeof bytes), misses = 0;

    for (int round = 0; round < 1000; round++) {
        prep_read(&cb, fd, bytes, sizeof bytes, 0);
        must_submit(ctx, &cb);
        if (t_getevents(ctx, _i, 1, &event, &moment) != 1) {
            misses++;
            reap(ctx, 1, NULL);
        }
    }
    /* A machine that is busy elsewhere may take the processor away for longer than that. */
    ck_assert_int_le(misses, on_kernel() ? 0 : 10);
}
END_TEST

/* "(never for others), and no longer than the timeout" */
START_TEST(a_stuck_file_is_not_waited_for_longer_than_the_timeout)
{
    struct iocb cb;
    struct io_event event;
    struct gate gate;
    aio_context_t ctx;

    MAKE_GATE(&gate);
    ctx = new_context(4);
    prep_read(&cb, temp_file(16), gate.page, 16, 0);
    must_submit(ctx, &cb);
    gate_await(&gate);
    ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &no_time), 0);
    ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &moment), 0);
    ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &short_time), 0);
    ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, &short_time), 0);
    gate_open(&gate);
    event = reap_one(ctx);
    ck_assert_int_eq((int)event.res, 16);
}
END_TEST

/* Nor is a sync run by a waiter who has no time for it. The best of some: others may be slow. */
START_TEST(helping_does_not_overrun_a_short_timeout)
{
    enum { SIZE = 32 << 20, BOUND_NS = 20000000 };
    const struct timespec millisecond = {0, 1000000};
    char *block = malloc(SIZE);
    int64_t best = INT64_MAX;
    int fd = temp_file(0);
    aio_context_t ctx = new_context(4);

    ck_assert_ptr_nonnull(block);
    memset(block, 'd', SIZE);
    for (int round = 0; round < 5 && best >= BOUND_NS; round++) {
        struct iocb cb;
        struct io_event event;
        int64_t took;
        int got;

        ck_assert_int_eq((int)pwrite(fd, block, SIZE, 0), SIZE);
        prep(&cb, IOCB_CMD_FSYNC, fd, NULL, 0, 0);
        must_submit(ctx, &cb);
        took = -now_ns();
        got = t_getevents(ctx, 1, 1, &event, &millisecond);
        took += now_ns();
        if (took < best)
            best = took;
        if (got == 0)
            event = reap_one(ctx);
        ck_assert(is_event_of(&event, &cb));
        ck_assert_int_eq((int)event.res, 0);
    }
    free(block);
    ck_assert_int_lt(best, BOUND_NS);
}
END_TEST

/* "on timeout returns what there is, 0 included", and not sooner. */
START_TEST(on_timeout_it_returns_what_there_is)
{
    struct iocb polls[2], *list[2] = {&polls[0], &polls[1]};
    struct io_event events[4];
    int ready[2], never[2];
    int64_t start;
    aio_context_t ctx = new_context(4);

    make_pipe(ready);
    make_pipe(never);
    prep_poll(&polls[0], ready[1], POLLOUT);
    prep_poll(&polls[1], never[0], POLLIN);
    ck_assert_int_eq(t_submit(ctx, 2, list), 2);
    start = now_ns();
    ck_assert_int_eq(t_getevents(ctx, 2, 4, events, &short_time), 1);
    ck_assert_int_ge(now_ns() - start, short_time.tv_nsec);
    ck_assert(is_event_of(events, &polls[0]));
    start = now_ns();
    ck_assert_int_eq(t_getevents(ctx, 1, 4, events, &short_time), 0);
    ck_assert_int_ge(now_ns() - start, short_time.tv_nsec);
}
END_TEST

/* "The timeout is relative, is not updated" */
START_TEST(the_timeout_is_not_updated)
{
    struct timespec timeout = short_time;
    struct io_event event;
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, &timeout), 0);
    ck_assert(timeout.tv_sec == short_time.tv_sec && timeout.tv_nsec == short_time.tv_nsec);
}
END_TEST

/* "timeouts with tv_nsec >= 1e9 are not refused": they are as long as they say. */
START_TEST(more_nanoseconds_than_a_second_has)
{
    const struct timespec timeout = {0, 1100000000};
    struct io_event event;
    int64_t start = now_ns();
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, &timeout), 0);
    ck_assert_int_ge(now_ns() - start, timeout.tv_nsec);
}
END_TEST

/* "stress-ng: wall-clock time as relative timeout": decades, and the longest there is. */
START_TEST(the_longest_timeouts_do_not_overflow)
{
    const struct timespec timeouts[] = {{1800000000, 0}, {INT32_MAX, 999999999}, {LONG_MAX, 0}};
    struct iocb cb;
    struct io_event event;
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(4);

    for (size_t i = 0; i < COUNT(timeouts); i++) {
        prep_read(&cb, fd, &byte, 1, 0);
        must_submit(ctx, &cb);
        ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, &timeouts[i]), 1);
        ck_assert(is_event_of(&event, &cb));
    }
}
END_TEST

/* "invalid ones EINVAL" */
START_TEST(einval_for_a_negative_timeout)
{
    const struct timespec bad[] = {{-1, 0}, {0, -1}, {LONG_MIN, 0}};
    struct io_event event;
    aio_context_t ctx = new_context(4);

    BEYOND_THE_KERNEL(); /* it waits for ever */
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, &bad[i]), -EINVAL);
}
END_TEST

static aio_context_t late_ctx;
static int late_fd;
static pid_t main_thread;

static void *write_when_main_sleeps(void *argument)
{
    await_asleep(main_thread);
    return write(late_fd, "late", 4) == 4 ? argument : &late_fd;
}

/* "NULL timeout waits" */
START_TEST(null_timeout_waits)
{
    const struct timespec *timeouts[] = {NULL, &long_time};
    struct iocb cb;
    struct io_event event;
    pthread_t thread;
    int ends[2];

    late_ctx = new_context(4);
    make_pipe(ends);
    late_fd = ends[1];
    main_thread = thread_id();
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(late_ctx, &cb);
    start_thread(&thread, write_when_main_sleeps, NULL);
    ck_assert_int_eq(t_getevents(late_ctx, 1, 1, &event, timeouts[_i]), 1);
    ck_assert(is_event_of(&event, &cb));
    ck_assert_ptr_null(join_thread(thread));
}
END_TEST

static int late_fds[3];

static void *write_one_by_one(void *argument)
{
    void *result = argument;

    for (size_t i = 0; i < COUNT(late_fds); i++) {
        await_asleep(main_thread);
        if (write(late_fds[i], "late", 4) != 4)
            result = late_fds;
    }
    return result;
}

/* It waits until there are min_nr, and takes more if there are. */
START_TEST(it_waits_for_min_nr)
{
    struct iocb cbs[3];
    struct io_event events[8];
    pthread_t thread;
    int ends[2];

    late_ctx = new_context(8);
    main_thread = thread_id();
    for (size_t i = 0; i < COUNT(cbs); i++) {
        make_pipe(ends);
        late_fds[i] = ends[1];
        prep_poll(&cbs[i], ends[0], POLLIN);
        must_submit(late_ctx, &cbs[i]);
    }
    start_thread(&thread, write_one_by_one, NULL);
    ck_assert_int_eq(t_getevents(late_ctx, 3, 8, events, NULL), 3);
    ck_assert_ptr_null(join_thread(thread));
    nothing_to_reap(late_ctx);
}
END_TEST

/* Not more than nr, in the order of the ring; the rest stays. */
START_TEST(it_takes_no_more_than_nr)
{
    char bytes[20];
    struct iocb cbs[COUNT(bytes)];
    struct io_event events[COUNT(bytes) + 1], copies[COUNT(bytes)];
    aio_context_t ctx = new_context(COUNT(bytes));
    struct ring *ring = ring_of(ctx);
    int fd = temp_file(COUNT(bytes));

    for (size_t i = 0; i < COUNT(bytes); i++) {
        prep_read(&cbs[i], fd, &bytes[i], 1, (int64_t)i);
        must_submit(ctx, &cbs[i]);
    }
    await_in_ring(ring, COUNT(bytes));
    for (size_t i = 0; i < COUNT(bytes); i++)
        copies[i] = ring->events[i];
    memset(events, 0x77, sizeof events);
    ck_assert_int_eq(t_getevents(ctx, 0, 7, events, &no_time), 7);
    ck_assert_uint_eq(events[7].obj, 0x7777777777777777);
    ck_assert_uint_eq(in_ring(ring), 13);
    ck_assert_int_eq(t_getevents(ctx, 1, 5, events + 7, NULL), 5);
    ck_assert_int_eq(t_getevents(ctx, 8, 9, events + 12, &no_time), 8);
    ck_assert_mem_eq(events, copies, sizeof copies);
    ck_assert_uint_eq(ring_head(ring), COUNT(bytes));
}
END_TEST

/* "Bad events pointer: EFAULT. [...] A bad `events` pointer loses no event" */
START_TEST(efault_loses_no_event)
{
    struct iocb cbs[3];
    struct io_event *events = (struct io_event *)(void *)page_end() - 2, event;
    char bytes[3];
    int fd = temp_file(3);
    aio_context_t ctx = new_context(4);

    for (size_t i = 0; i < 3; i++) {
        prep_read(&cbs[i], fd, &bytes[i], 1, (int64_t)i);
        must_submit(ctx, &cbs[i]);
    }
    await_in_ring(ring_of(ctx), 3);
    for (size_t i = 0; i < BAD_ADDRESSES; i++)
        ck_assert_int_eq(t_getevents(ctx, 1, 3, bad_address(i), NULL), -EFAULT);
    ck_assert_int_eq(t_getevents(ctx, 1, 3, read_only_page(), &no_time), -EFAULT);
    ck_assert_int_eq(t_getevents(ctx, 1, 3, events, NULL), -EFAULT); /* the third */
    ck_assert_uint_eq(in_ring(ring_of(ctx)), 3);
    ck_assert_int_eq(t_getevents(ctx, 1, 2, events, NULL), 2);
    event = reap_one(ctx);
    ck_assert_int_eq((int)event.res, 1);
    ck_assert(event.obj != events[0].obj && event.obj != events[1].obj);
}
END_TEST

/* Nor is one waited for that there is no room for. */
START_TEST(a_wait_ends_with_the_room_for_events)
{
    const struct itimerspec soon = {.it_value = {0, 20000000}};
    struct iocb cb, waiting;
    struct io_event *events = (struct io_event *)(void *)page_end() - 1, event;
    char byte;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    must_submit(ctx, &cb);
    await_in_ring(ring_of(ctx), 1);
    prep_poll(&waiting, timer, POLLIN);
    must_submit(ctx, &waiting);
    ck_assert_int_eq(timerfd_settime(timer, 0, &soon, NULL), 0);
    ck_assert_int_eq(t_getevents(ctx, 2, 2, events, NULL), 1);
    ck_assert(is_event_of(events, &cb));
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &waiting));
    close(timer);
}
END_TEST

/* A bad pointer that nothing is written to does not matter. */
START_TEST(a_bad_pointer_matters_only_with_an_event)
{
    aio_context_t ctx = new_context(4);

    for (size_t i = 0; i < BAD_ADDRESSES; i++) {
        ck_assert_int_eq(t_getevents(ctx, 0, 4, bad_address(i), &no_time), 0);
        ck_assert_int_eq(t_getevents(ctx, 1, 4, bad_address(i), &moment), 0);
    }
}
END_TEST

/* "a bad timeout pointer is EFAULT before EINVAL" */
START_TEST(efault_for_a_bad_timeout_comes_first)
{
    struct io_event event;
    aio_context_t ctx = new_context(4);

    if (ROAD_LIBAIO && on_kernel())
        SKIP("libaio itself reads the timeout");
    for (size_t i = 1; i < BAD_ADDRESSES; i++) {
        ck_assert_int_eq(t_getevents_at(ctx, 1, 1, &event, bad_address(i)), -EFAULT);
        ck_assert_int_eq(t_getevents_at(ctx, 2, 1, &event, bad_address(i)), -EFAULT);
        ck_assert_int_eq(t_getevents_at(0, 1, 1, &event, bad_address(i)), -EFAULT);
    }
    ck_assert_int_eq(t_getevents_at(ctx, 1, 1, &event, page_end() - sizeof(long)), -EFAULT);
}
END_TEST

/* "EINTR only with no event in hand [...]; EINTR even with SA_RESTART" */
START_TEST(eintr_on_a_caught_signal)
{
    const struct timespec *timeouts[] = {NULL, &long_time};
    struct io_event event;
    aio_context_t ctx = new_context(4);

    handle(SIGUSR1, count_signal, _i == 0 ? 0 : SA_RESTART);
    for (size_t i = 0; i < COUNT(timeouts); i++) {
        for (int round = 0; round < 20; round++) {
            storm_begin(SIGUSR1, 500);
            ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, timeouts[i]), -EINTR);
            storm_end();
        }
    }
    ck_assert_int_ge(atomic_load(&signals_seen), 40);
}
END_TEST

/* With an event in hand, fewer than min_nr: those. */
START_TEST(a_signal_gives_what_is_in_hand)
{
    struct iocb cb;
    struct io_event events[4];
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(4);

    handle(SIGUSR1, count_signal, SA_RESTART);
    for (int round = 0; round < 20; round++) {
        prep_read(&cb, fd, &byte, 1, 0);
        must_submit(ctx, &cb);
        await_in_ring(ring_of(ctx), 1);
        storm_begin(SIGUSR1, 500);
        ck_assert_int_eq(t_getevents(ctx, 2, 4, events, NULL), 1);
        storm_end();
        ck_assert(is_event_of(events, &cb));
    }
}
END_TEST

/* A signal that has no handler interrupts nothing. */
START_TEST(ignored_signals_do_not_interrupt)
{
    struct io_event event;
    aio_context_t ctx = new_context(4);

    handle(SIGUSR1, SIG_IGN, 0);
    storm_begin(SIGUSR1, 500);
    ck_assert_int_eq(t_getevents(ctx, 1, 1, &event, &short_time), 0);
    storm_end();
}
END_TEST

/* A storm of signals loses no event and brings none twice. */
START_TEST(no_event_is_lost_by_signals)
{
    enum { N = 2000 };
    struct iocb cb;
    struct io_event events[16];
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(16);

    handle(SIGUSR1, count_signal, 0);
    storm_begin(SIGUSR1, 100);
    for (unsigned i = 0; i < N; i++) {
        int got;

        prep_read(&cb, fd, &byte, 1, 0);
        cb.aio_data = i;
        must_submit(ctx, &cb);
        while ((got = t_getevents(ctx, 1, 16, events, NULL)) == -EINTR)
            ;
        ck_assert_int_eq(got, 1);
        ck_assert_uint_eq(events[0].data, i);
    }
    storm_end();
    nothing_to_reap(ctx);
}
END_TEST

/* --- what a thread has done before --- */

enum { BY_RING, BY_POLLING, BY_EVENTFD, BY_CANCEL, WAYS_TO_KNOW };

/* Whoever has always waited may stop doing so: requests are done all the same. */
START_TEST(a_request_is_done_whatever_its_thread_did_before)
{
    aio_context_t ctx = new_context(8);
    int fd = temp_file(512), eventfd = make_eventfd(EFD_NONBLOCK);
    struct io_event event;
    struct iocb cb;

    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 200; i++) {
            prep_write(&cb, fd, "x", 1, i);
            ck_assert_int_eq((int)perform(ctx, &cb), 1);
        }
        prep_write(&cb, fd, "y", 1, 300);
        if (_i == BY_EVENTFD)
            set_resfd(&cb, eventfd);
        must_submit(ctx, &cb);
        if (_i == BY_RING)
            await_in_ring(ring_of(ctx), 1);
        if (_i == BY_EVENTFD) {
            await_readable(eventfd);
            ck_assert_uint_eq(take_count(eventfd), 1);
        }
        if (_i == BY_CANCEL) /* too late for a write, or too early: EINVAL or EAGAIN */
            ck_assert_int_lt(t_cancel(ctx, &cb, &event), 0);
        while (t_getevents(ctx, 0, 1, &event, &no_time) == 0)
            sched_yield();
        ck_assert(is_event_of(&event, &cb));
        ck_assert_int_eq((int)event.res, 1);
    }
}
END_TEST

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 4096; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A descriptor that is used over and over costs one of the process's, not more and more. */
START_TEST(descriptors_do_not_pile_up)
{
    BEYOND_THE_KERNEL();
    aio_context_t ctx = new_context(8);
    int fd = temp_file(512), before, after;
    struct iocb cb;

    queue_everything();
    prep_write(&cb, fd, "x", 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    before = open_descriptors();
    for (int i = 0; i < 20000; i++) {
        must_submit(ctx, &cb);
        for (int spins = i % 256; spins > 0; spins--) /* to meet the end of the one before */
            atomic_signal_fence(memory_order_seq_cst);
        must_submit(ctx, &cb);
        reap(ctx, 2, NULL);
    }
    after = open_descriptors();
    ck_assert_int_le(after, before + 1);
}
END_TEST

Suite *getevents_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("getevents", 60, &tc);

    tcase_add_test(tc, einval_for_bad_numbers);
    tcase_add_test(tc, nothing_of_nothing);
    tcase_add_test(tc, einval_for_an_unknown_context);
    tcase_add_test(tc, zero_timeout_polls);
    tcase_add_test(tc, min_nr_of_zero_never_waits);
    tcase_add_test(tc, min_nr_of_zero_finds_what_was_just_submitted);
    tcase_add_loop_test(tc, ten_microseconds_are_enough_for_a_cached_read, 0, 2);
    tcase_add_test(tc, a_stuck_file_is_not_waited_for_longer_than_the_timeout);
    tcase_add_test(tc, helping_does_not_overrun_a_short_timeout);
    tcase_add_test(tc, on_timeout_it_returns_what_there_is);
    tcase_add_test(tc, the_timeout_is_not_updated);
    tcase_add_test(tc, more_nanoseconds_than_a_second_has);
    tcase_add_test(tc, the_longest_timeouts_do_not_overflow);
    tcase_add_test(tc, einval_for_a_negative_timeout);
    tcase_add_loop_test(tc, null_timeout_waits, 0, 2);
    tcase_add_test(tc, it_waits_for_min_nr);
    tcase_add_test(tc, it_takes_no_more_than_nr);
    tcase_add_test(tc, efault_loses_no_event);
    tcase_add_test(tc, a_wait_ends_with_the_room_for_events);
    tcase_add_test(tc, a_bad_pointer_matters_only_with_an_event);
    tcase_add_test(tc, efault_for_a_bad_timeout_comes_first);
    tcase_add_loop_test(tc, eintr_on_a_caught_signal, 0, 2);
    tcase_add_test(tc, a_signal_gives_what_is_in_hand);
    tcase_add_test(tc, ignored_signals_do_not_interrupt);
    tcase_add_test(tc, no_event_is_lost_by_signals);
    tcase_add_loop_test(tc, a_request_is_done_whatever_its_thread_did_before, 0, WAYS_TO_KNOW);
    tcase_add_test(tc, descriptors_do_not_pile_up);
    return suite;
}
