/* SPDX-License-Identifier: MIT */
/* io_destroy(). */
#include "helpers.h"

#include <sys/resource.h>

/* "Unknown or already destroyed: EINVAL" */
START_TEST(einval_for_unknown_and_destroyed)
{
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq(t_destroy(0), -EINVAL);
    must_destroy(ctx);
    ck_assert_int_eq(t_destroy(ctx), -EINVAL);
    ck_assert_int_eq(t_destroy(ctx), -EINVAL);
}
END_TEST

/* Events that nobody took go with it. */
START_TEST(events_in_the_ring_are_forgotten)
{
    struct iocb cb;
    char byte;
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    for (int i = 0; i < 4; i++)
        must_submit(ctx, &cb);
    must_destroy(ctx);
    ctx = new_context(4);
    nothing_to_reap(ctx);
}
END_TEST

/* "cancels what it can": it does not wait for polls. */
START_TEST(polls_are_cancelled)
{
    struct iocb cbs[40];
    int ends[2], count = make_eventfd(0);
    uint64_t counted;
    aio_context_t ctx = new_context(COUNT(cbs));

    make_pipe(ends);
    for (size_t i = 0; i < COUNT(cbs); i++) {
        prep_poll(&cbs[i], ends[0], POLLIN);
        set_resfd(&cbs[i], count);
        must_submit(ctx, &cbs[i]);
    }
    must_destroy(ctx);
    /* "no [...] eventfd bump [...] after it returns" */
    counted = take_count(count);
    ck_assert_uint_le(counted, COUNT(cbs));
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    ck_assert_uint_eq(take_count(count), 0);
}
END_TEST

/* The files of cancelled polls are let go: a pipe without a reader is one. */
START_TEST(files_are_let_go)
{
    struct iocb cb;
    int ends[2];
    aio_context_t ctx = new_context(4);

    handle(SIGPIPE, SIG_IGN, 0);
    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    must_submit(ctx, &cb);
    close(ends[0]);
    must_destroy(ctx);
    while (on_kernel() && write(ends[1], "x", 1) == 1)
        sched_yield(); /* a moment later */
    ck_assert_int_eq((int)write(ends[1], "x", 1), -1);
    ck_assert_int_eq(errno, EPIPE);
}
END_TEST

static struct gate gate;
static pid_t main_thread;

static void *open_when_main_sleeps(void *argument)
{
    await_asleep(main_thread);
    gate_open(&gate);
    return argument;
}

/* "waits for the rest; no [...] buffer access after it returns" */
START_TEST(a_read_in_progress_is_waited_for)
{
    struct iocb cb;
    pthread_t thread;
    int count;
    aio_context_t ctx;
    char *buf;

    MAKE_GATE(&gate);
    count = make_eventfd(0);
    ctx = new_context(4);
    buf = gate.page;
    main_thread = thread_id();
    prep_read(&cb, temp_file(16), buf, 16, 0);
    set_resfd(&cb, count);
    must_submit(ctx, &cb);
    gate_await(&gate);
    start_thread(&thread, open_when_main_sleeps, NULL);
    must_destroy(ctx);
    ck_assert(is_pattern(buf, 16, 0));
    ck_assert_uint_eq(take_count(count), 1);
    join_thread(thread);
}
END_TEST

/* No write into a buffer that is the caller's again. */
START_TEST(buffers_are_not_touched_afterwards)
{
    enum { N = 60 };
    static char bytes[N][4096];
    struct iocb cbs[N], *list[N];
    int fd = temp_file(sizeof bytes);

    for (int round = 0; round < (on_kernel() ? 20 : 200); round++) {
        aio_context_t ctx = new_context(N);

        for (int i = 0; i < N; i++) {
            prep_read(&cbs[i], fd, bytes[i], sizeof bytes[i], i * 4096);
            list[i] = &cbs[i];
        }
        ck_assert_int_eq(t_submit(ctx, N, list), N);
        must_destroy(ctx);
        memset(bytes, 0x3c, sizeof bytes);
        for (int i = 0; i < N; i++) {
            ck_assert_int_eq(bytes[i][0], 0x3c);
            ck_assert_int_eq(bytes[i][4095], 0x3c);
        }
    }
}
END_TEST

/* What was written is written. */
START_TEST(writes_are_done_or_not_begun)
{
    enum { N = 60 };
    static char block[1000];
    struct iocb cbs[N], *list[N];
    int fd = temp_file(0);
    aio_context_t ctx = new_context(N);

    memset(block, 'w', sizeof block);
    for (int i = 0; i < N; i++) {
        prep_write(&cbs[i], fd, block, sizeof block, i * 1000);
        list[i] = &cbs[i];
    }
    ck_assert_int_eq(t_submit(ctx, N, list), N);
    must_destroy(ctx);
    for (int i = 0; i < N; i++) {
        char found[sizeof block] = {0};
        ssize_t n = pread(fd, found, sizeof found, i * 1000);

        ck_assert(n == 0 || n == sizeof found);
        ck_assert(found[0] == found[sizeof found - 1]);
        ck_assert(found[0] == 0 || found[0] == 'w');
    }
}
END_TEST

/* A program that has used up its descriptors gets rid of what it can. */
START_TEST(it_needs_no_descriptor)
{
    struct rlimit limit;
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_lt(dup(0), 0);
    must_destroy(ctx);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit),
                     0); /* a leak checker opens files at the end */
}
END_TEST

Suite *destroy_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("destroy", 60, &tc);

    tcase_add_test(tc, einval_for_unknown_and_destroyed);
    tcase_add_test(tc, events_in_the_ring_are_forgotten);
    tcase_add_test(tc, polls_are_cancelled);
    tcase_add_test(tc, files_are_let_go);
    tcase_add_test(tc, a_read_in_progress_is_waited_for);
    tcase_add_test(tc, buffers_are_not_touched_afterwards);
    tcase_add_test(tc, writes_are_done_or_not_begun);
    tcase_add_test(tc, it_needs_no_descriptor);
    return suite;
}
