/* SPDX-License-Identifier: MIT */
/* FSYNC and FDSYNC. */
#include "helpers.h"

static const int opcodes[] = {IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC};

START_TEST(files_are_synced)
{
    struct iocb cb;
    int fd = temp_file(10000);
    aio_context_t ctx = new_context(4);

    prep(&cb, opcodes[_i], fd, NULL, 0, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    /* The mode does not matter, nor that it is a directory. */
    prep(&cb, opcodes[_i], reopen(fd, O_RDONLY), NULL, 0, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
    prep(&cb, opcodes[_i], open(".", O_RDONLY | O_CLOEXEC), NULL, 0, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
}
END_TEST

/* "buf, offset, nbytes and rw_flags must be 0, else EINVAL" */
START_TEST(einval_for_fields_that_are_not_zero)
{
    struct iocb cb;
    int fd = temp_file(4);
    aio_context_t ctx = new_context(4);

    prep(&cb, opcodes[_i], fd, &cb, 0, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep(&cb, opcodes[_i], fd, NULL, 1, 0);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep(&cb, opcodes[_i], fd, NULL, 0, 1);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep(&cb, opcodes[_i], fd, NULL, 0, -1);
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    prep(&cb, opcodes[_i], fd, NULL, 0, 0);
    cb.aio_rw_flags = 1;
    ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    nothing_to_reap(ctx);
}
END_TEST

/* "File types that cannot sync: EINVAL." */
START_TEST(einval_for_what_cannot_be_synced)
{
    struct iocb cb;
    int ends[2], fds[5];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    fds[0] = ends[0];
    fds[1] = ends[1];
    make_sockets(ends);
    fds[2] = ends[0];
    fds[3] = make_eventfd(0);
    fds[4] = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (size_t i = 0; i < COUNT(fds); i++) {
        prep(&cb, opcodes[_i], fds[i], NULL, 0, 0);
        ck_assert_int_eq(submit(ctx, &cb), -EINVAL);
    }
}
END_TEST

/* The priority is for reads and writes. */
START_TEST(the_priority_is_not_looked_at)
{
    struct iocb cb;
    aio_context_t ctx = new_context(4);

    prep(&cb, opcodes[_i], temp_file(4), NULL, 0, 0);
    cb.aio_flags = IOCB_FLAG_IOPRIO;
    cb.aio_reqprio = -1;
    ck_assert_int_eq((int)perform(ctx, &cb), 0);
}
END_TEST

START_TEST(a_sync_may_have_an_eventfd)
{
    struct iocb cb;
    int count = make_eventfd(0);
    aio_context_t ctx = new_context(4);

    prep(&cb, opcodes[_i], temp_file(4), NULL, 0, 0);
    set_resfd(&cb, count);
    must_submit(ctx, &cb);
    await_readable(count);
    ck_assert_uint_eq(in_ring(ring_of(ctx)), 1);
    ck_assert_uint_eq(take_count(count), 1);
}
END_TEST

/* The file is pinned, as everywhere. */
START_TEST(the_file_may_be_closed_at_once)
{
    struct iocb cb;
    struct io_event event;
    int fd = temp_file(100000);
    aio_context_t ctx = new_context(4);

    prep(&cb, opcodes[_i], fd, NULL, 0, 0);
    must_submit(ctx, &cb);
    close(fd);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    ck_assert_int_eq((int)event.res, 0);
}
END_TEST

/* "no barrier against earlier writes (unlike aio_fsync)": one that is stuck holds up no sync. */
START_TEST(it_does_not_wait_for_earlier_writes)
{
    struct iocb stuck, cb;
    struct io_event event;
    struct gate gate;
    int fd = temp_file(10000);
    aio_context_t ctx;

    MAKE_GATE(&gate);
    ctx = new_context(4);
    prep_read(&stuck, fd, gate.page, 16, 0);
    must_submit(ctx, &stuck);
    gate_await(&gate);
    prep(&cb, opcodes[_i], fd, NULL, 0, 0);
    must_submit(ctx, &cb);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &cb));
    gate_open(&gate);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &stuck));
}
END_TEST

Suite *sync_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("sync", 60, &tc);

    tcase_add_loop_test(tc, files_are_synced, 0, 2);
    tcase_add_loop_test(tc, einval_for_fields_that_are_not_zero, 0, 2);
    tcase_add_loop_test(tc, einval_for_what_cannot_be_synced, 0, 2);
    tcase_add_loop_test(tc, the_priority_is_not_looked_at, 0, 2);
    tcase_add_loop_test(tc, a_sync_may_have_an_eventfd, 0, 2);
    tcase_add_loop_test(tc, the_file_may_be_closed_at_once, 0, 2);
    tcase_add_loop_test(tc, it_does_not_wait_for_earlier_writes, 0, 2);
    return suite;
}
