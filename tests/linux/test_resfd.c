/* SPDX-License-Identifier: MIT */
/* Eventfds that count completions. */
#include "helpers.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

/* "Event into the ring, THEN the eventfd is bumped by 1": whoever sees the count sees the event. */
START_TEST(the_event_is_there_before_the_count)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(1), count = make_eventfd(0);
    aio_context_t ctx = new_context(4);

    for (int i = 0; i < 5000; i++) {
        struct io_event event;

        prep_read(&cb, fd, &byte, 1, 0);
        set_resfd(&cb, count);
        must_submit(ctx, &cb);
        await_readable(count);
        ck_assert_uint_eq(take_count(count), 1);
        ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &no_time), 1);
        ck_assert(is_event_of(&event, &cb));
    }
}
END_TEST

/* "exactly one eventfd increment per completion" */
START_TEST(each_completion_counts_once)
{
    enum { N = 60 };
    struct iocb cbs[N], *list[N];
    char bytes[N];
    int fd = temp_file(N), count = make_eventfd(0), ends[2];
    aio_context_t ctx = new_context(N);
    uint64_t sum = 0;

    make_pipe(ends);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < N; i++) {
            if (i % 3 == 0)
                prep_poll(&cbs[i], ends[1], POLLOUT);
            else
                prep_read(&cbs[i], fd, &bytes[i], 1, i);
            set_resfd(&cbs[i], count);
            list[i] = &cbs[i];
        }
        ck_assert_int_eq(t_submit(ctx, N, list), N);
        reap(ctx, N, NULL);
        while (sum < (uint64_t)(round + 1) * N) {
            await_readable(count);
            sum += take_count(count);
        }
        ck_assert_uint_eq(sum, (uint64_t)(round + 1) * N);
    }
    nothing_to_reap(ctx);
    must_destroy(ctx);
    ck_assert_uint_eq(take_count(count), 0);
}
END_TEST

/* Only those that ask for it. */
START_TEST(without_the_flag_nothing_counts)
{
    struct iocb cb;
    char byte;
    int count = make_eventfd(0);
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, 0);
    cb.aio_resfd = (uint32_t)count;
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    must_destroy(ctx);
    ck_assert_uint_eq(take_count(count), 0);
}
END_TEST

/* Those that are refused do not count. */
START_TEST(refused_requests_do_not_count)
{
    struct iocb cb;
    char byte;
    int count = make_eventfd(0);
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), &byte, 1, -1);
    set_resfd(&cb, count);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    cb.aio_lio_opcode = 99;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    ck_assert_uint_eq(take_count(count), 0);
}
END_TEST

/* Failed ones do. */
START_TEST(failed_requests_count)
{
    struct iocb cb;
    int count = make_eventfd(0);
    aio_context_t ctx = new_context(4);

    prep_read(&cb, temp_file(1), NULL, 1, 0);
    set_resfd(&cb, count);
    ck_assert_int_eq((int)perform(ctx, &cb), -EFAULT);
    await_readable(count);
    ck_assert_uint_eq(take_count(count), 1);
}
END_TEST

/* An eventfd that is counted down one by one. */
START_TEST(semaphores_count)
{
    enum { N = 20 };
    struct iocb cb;
    char byte;
    int fd = temp_file(1), count = make_eventfd(EFD_SEMAPHORE);
    aio_context_t ctx = new_context(N);

    prep_read(&cb, fd, &byte, 1, 0);
    set_resfd(&cb, count);
    for (int i = 0; i < N; i++)
        must_submit(ctx, &cb);
    for (int i = 0; i < N; i++) {
        await_readable(count);
        ck_assert_uint_eq(take_count(count), 1);
        ck_assert_int_ge((int)in_ring(ring_of(ctx)), 1);
        reap(ctx, 1, NULL);
    }
    ck_assert_uint_eq(take_count(count), 0);
}
END_TEST

/* "nginx: eventfd with edge-triggered epoll: one lost or early bump is a hang" */
START_TEST(edge_triggered_as_nginx)
{
    struct iocb cb;
    struct io_event events[64];
    char bytes[64];
    int fd = temp_file(64), count = make_eventfd(0), ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
    uint64_t submitted = 0, taken = 0, counted = 0;
    aio_context_t ctx = new_context(64);

    ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, count, &edge), 0);
    for (unsigned round = 0; round < 1000; round++) {
        unsigned size = 1 + round % 64;

        for (unsigned i = 0; i < size; i++) {
            prep_read(&cb, fd, &bytes[i], 1, i);
            set_resfd(&cb, count);
            must_submit(ctx, &cb);
        }
        submitted += size;
        while (taken < submitted) {
            int n;

            ck_assert_int_eq(epoll_wait(ep, &edge, 1, -1), 1);
            counted += take_count(count);
            while ((n = t_getevents(ctx, 1, 64, events, &no_time)) > 0)
                taken += (unsigned)n;
            ck_assert_int_eq(n, 0);
            /* "tgt blocks if the eventfd counts more than there are events" */
            ck_assert_uint_le(counted, taken);
        }
        ck_assert_uint_eq(taken, submitted);
    }
    while (counted < taken) {
        await_readable(count);
        counted += take_count(count);
    }
    ck_assert_uint_eq(counted, taken);
}
END_TEST

/* It is pinned, as the file is. */
START_TEST(the_eventfd_may_be_closed_at_once)
{
    struct iocb cb;
    int count = make_eventfd(0), copy, ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    copy = dup(count);
    prep_poll(&cb, ends[0], POLLIN);
    set_resfd(&cb, copy);
    must_submit(ctx, &cb);
    close(copy);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    await_readable(count);
    ck_assert_uint_eq(take_count(count), 1);
    reap(ctx, 1, NULL);
}
END_TEST

/* Another file under the number of a closed one is not written to. */
START_TEST(another_file_may_take_the_eventfds_number)
{
    struct iocb cb;
    int count = make_eventfd(0), other = temp_file(0), used, ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    used = dup(count);
    prep_poll(&cb, ends[0], POLLIN);
    set_resfd(&cb, used);
    must_submit(ctx, &cb);
    ck_assert_int_eq(dup2(other, used), used);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    await_readable(count);
    ck_assert_uint_eq(take_count(count), 1);
    ck_assert_int_eq((int)lseek(other, 0, SEEK_END), 0);
}
END_TEST

/* A cancelled request counts, too: it has an event. */
START_TEST(cancelled_requests_count)
{
    struct iocb cb;
    int count = make_eventfd(0), ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    prep_poll(&cb, ends[0], POLLIN);
    set_resfd(&cb, count);
    must_submit(ctx, &cb);
    ck_assert_int_eq(t_cancel(ctx, &cb, NULL), -EINPROGRESS);
    await_readable(count);
    ck_assert_uint_eq(take_count(count), 1);
    reap(ctx, 1, NULL);
}
END_TEST

/* A count that is at its end blocks nobody. */
START_TEST(a_full_count_blocks_nothing)
{
    struct iocb cb;
    char byte;
    uint64_t most = UINT64_MAX - 1;
    int count = make_eventfd(0), fd = temp_file(1);
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq((int)write(count, &most, sizeof most), sizeof most);
    prep_read(&cb, fd, &byte, 1, 0);
    set_resfd(&cb, count);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
    must_destroy(ctx);
}
END_TEST

/* The same where the descriptor would block. */
START_TEST(a_full_blocking_count_blocks_nothing)
{
    struct iocb cb;
    char byte;
    uint64_t most = UINT64_MAX - 1;
    int count = eventfd(0, EFD_CLOEXEC), fd = temp_file(1);
    aio_context_t ctx = new_context(4);

    ck_assert_int_eq((int)write(count, &most, sizeof most), sizeof most);
    prep_read(&cb, fd, &byte, 1, 0);
    set_resfd(&cb, count);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq((int)perform(ctx, &cb), 1);
    must_destroy(ctx);
}
END_TEST

/* A descriptor of a mere path is open for nothing: EBADF; another file: EINVAL. */
START_TEST(ebadf_for_a_mere_path)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(1), path = open(".", O_PATH | O_CLOEXEC);
    aio_context_t ctx = new_context(4);

    ck_assert_int_ge(path, 0);
    prep_read(&cb, fd, &byte, 1, 0);
    set_resfd(&cb, path);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    set_resfd(&cb, fd);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep_read(&cb, path, &byte, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EBADF);
    nothing_to_reap(ctx);
}
END_TEST

Suite *resfd_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("resfd", 60, &tc);

    tcase_add_test(tc, the_event_is_there_before_the_count);
    tcase_add_test(tc, each_completion_counts_once);
    tcase_add_test(tc, without_the_flag_nothing_counts);
    tcase_add_test(tc, refused_requests_do_not_count);
    tcase_add_test(tc, failed_requests_count);
    tcase_add_test(tc, semaphores_count);
    tcase_add_test(tc, edge_triggered_as_nginx);
    tcase_add_test(tc, the_eventfd_may_be_closed_at_once);
    tcase_add_test(tc, another_file_may_take_the_eventfds_number);
    tcase_add_test(tc, cancelled_requests_count);
    tcase_add_test(tc, a_full_count_blocks_nothing);
    tcase_add_test(tc, a_full_blocking_count_blocks_nothing);
    tcase_add_test(tc, ebadf_for_a_mere_path);
    return suite;
}
