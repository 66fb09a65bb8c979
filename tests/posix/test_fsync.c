/* SPDX-License-Identifier: MIT */
/* aio_fsync(): its arguments.  What it waits for, and what it reports, is in test_order.c. */
#include "helpers.h"

/* "aio_fsync(O_SYNC|O_DSYNC, cb)": both are accepted, "O_DSYNC is fdatasync". */
START_TEST(both_operations_complete)
{
    const int ops[] = {O_SYNC, O_DSYNC};
    struct aiocb written, synced;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(ops); i++) {
        prep(&written, fd, "data", 4, 0);
        must_write(&written);
        prep(&synced, fd, NULL, 0, 0);
        ck_assert_int_eq(aio_fsync(ops[i], &synced), 0);
        ck_assert_int_eq(finish(&synced), 0);
        ck_assert_int_eq(aio_error(&written), 0);
        ck_assert_int_eq(aio_return(&written), 4);
    }
}
END_TEST

START_TEST(fsync_with_nothing_queued_completes)
{
    struct aiocb cb;

    prep(&cb, temp_file(100), NULL, 0, 0);
    must_fsync(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}
END_TEST

/* "EINVAL for another op [...] at the call" */
START_TEST(einval_for_another_operation)
{
    const int ops[] = {0, -1, 12345, O_APPEND, O_SYNC | O_APPEND, INT_MAX};
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(ops); i++) {
        prep(&cb, fd, NULL, 0, 0);
        ck_assert_int_eq(aio_fsync(ops[i], &cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

/* "EBADF for a descriptor not open, both at the call", "(aio_fsync fails at once)" */
START_TEST(ebadf_for_a_descriptor_not_open)
{
    const int fds[] = {closed_fd(), -1, INT_MAX, INT_MIN};
    struct aiocb cb;

    for (size_t i = 0; i < COUNT(fds); i++) {
        prep(&cb, fds[i], NULL, 0, 0);
        ck_assert_int_eq(aio_fsync(O_SYNC, &cb), -1);
        ck_assert_int_eq(errno, EBADF);
        ck_assert_int_eq(aio_fsync(O_DSYNC, &cb), -1);
        ck_assert_int_eq(errno, EBADF);
    }
}
END_TEST

/* "allowed on a read-only descriptor" */
START_TEST(read_only_descriptor_is_allowed)
{
    struct aiocb cb;

    prep(&cb, reopen(temp_file(100), O_RDONLY), NULL, 0, 0);
    must_fsync(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}
END_TEST

/* "aio_fsync ignores reqprio, offset, nbytes and buf, which may be garbage." */
START_TEST(other_fields_may_be_garbage)
{
    const int garbage[] = {0xff, 0xa5, 0x5a, 0x80};
    struct aiocb cb;
    int fd = temp_file(100);

    for (size_t i = 0; i < COUNT(garbage); i++) {
        memset(&cb, garbage[i], sizeof cb);
        cb.aio_fildes = fd;
        cb.aio_sigevent.sigev_notify = SIGEV_NONE;
        must_fsync(&cb);
        ck_assert_int_eq(finish(&cb), 0);
    }
}
END_TEST

/* "Bad aio_sigevent.sigev_notify or signal number: EINVAL" */
START_TEST(einval_for_a_bad_sigevent)
{
    struct aiocb cb;
    int fd = temp_file(100);

    prep(&cb, fd, NULL, 0, 0);
    cb.aio_sigevent.sigev_notify = 99;
    ck_assert_int_eq(aio_fsync(O_SYNC, &cb), -1);
    ck_assert_int_eq(errno, EINVAL);
    prep(&cb, fd, NULL, 0, 0);
    cb.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    cb.aio_sigevent.sigev_signo = SIGRTMAX + 1;
    ck_assert_int_eq(aio_fsync(O_SYNC, &cb), -1);
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* "later errors come through aio_error": a pipe cannot be synchronised. */
START_TEST(later_errors_come_through_aio_error)
{
    struct aiocb cb;
    int ends[2];

    make_pipe(ends);
    prep(&cb, ends[1], NULL, 0, 0);
    must_fsync(&cb);
    finish_with(&cb, EINVAL);
}
END_TEST

/* "The caller's aiocb is not modified apart from the private fields." */
START_TEST(public_fields_are_not_modified)
{
    struct aiocb cb, before;

    prep_over_garbage(&cb, 0x5a, temp_file(100), NULL, 4, 7);
    before = cb;
    must_fsync(&cb);
    ck_assert(same_public_fields(&cb, &before));
    ck_assert_int_eq(finish(&cb), 0);
    ck_assert(same_public_fields(&cb, &before));
}
END_TEST

/*
 * "EAGAIN: no resources; nothing queued, the aiocb unchanged except its
 * status."
 */
START_TEST(eagain_when_full)
{
    static struct aiocb cbs[20000];
    struct aiocb slow;
    struct gate gate;
    size_t accepted = 0;
    int fd = temp_file(10);

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "16", 1), 0);
    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    for (;; accepted++) {
        ck_assert_uint_lt(accepted, COUNT(cbs));
        prep(&cbs[accepted], fd, NULL, 0, 0);
        if (aio_fsync(O_SYNC, &cbs[accepted]) != 0)
            break;
    }
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_ne(aio_error(&cbs[accepted]), EINPROGRESS);
    gate_open(&gate, 0);
    for (size_t i = 0; i < accepted; i++)
        ck_assert_int_eq(finish(&cbs[i]), 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

Suite *fsync_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_fsync", 60, &tc);

    tcase_add_test(tc, both_operations_complete);
    tcase_add_test(tc, fsync_with_nothing_queued_completes);
    tcase_add_test(tc, einval_for_another_operation);
    tcase_add_test(tc, ebadf_for_a_descriptor_not_open);
    tcase_add_test(tc, read_only_descriptor_is_allowed);
    tcase_add_test(tc, other_fields_may_be_garbage);
    tcase_add_test(tc, einval_for_a_bad_sigevent);
    tcase_add_test(tc, later_errors_come_through_aio_error);
    tcase_add_test(tc, public_fields_are_not_modified);
    tcase_add_test(tc, eagain_when_full);
    return suite;
}
