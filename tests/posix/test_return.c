/* SPDX-License-Identifier: MIT */
/* aio_return(): "Status" of the contract. */
#include "helpers.h"

#include <sys/mman.h>

START_TEST(the_result_of_each_operation)
{
    char buf[10];
    struct aiocb cb;
    int fd = temp_file(100);

    prep(&cb, fd, buf, 10, 95);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 5);
    prep(&cb, fd, "1234567", 7, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 7);
    prep(&cb, fd, NULL, 0, 0);
    must_fsync(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}
END_TEST

/* What the failed operation itself would have returned: -1 and its errno. */
START_TEST(a_failed_request_gives_minus_1_and_its_errno)
{
    char buf[10];
    struct aiocb cb;

    prep(&cb, closed_fd(), buf, sizeof buf, 0);
    must_read(&cb);
    ck_assert_int_eq(wait_done(&cb), EBADF);
    errno = 0;
    ck_assert_int_eq(aio_return(&cb), -1);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

/* "aio_return: once per request; a second call gives -1/EINVAL where we can know." */
START_TEST(a_second_call_gives_einval)
{
    char buf[10];
    struct aiocb cb;

    prep(&cb, temp_file(10), buf, sizeof buf, 0);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 10);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(aio_return(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 10);
}
END_TEST

/* "While in progress: -1/EINPROGRESS, the request unharmed." */
START_TEST(einprogress_while_in_progress_and_unharmed)
{
    char buf[4];
    struct aiocb running, queued;
    struct gate gate;

    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &running);
    prep(&queued, temp_file(4), buf, sizeof buf, 0);
    must_read(&queued);
    for (int i = 0; i < 3; i++) {
        errno = 0;
        ck_assert_int_eq(aio_return(&running), -1);
        ck_assert_int_eq(errno, EINPROGRESS);
        errno = 0;
        ck_assert_int_eq(aio_return(&queued), -1);
        ck_assert_int_eq(errno, EINPROGRESS);
    }
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&running), 16);
    ck_assert_int_eq(finish(&queued), 4);
    ck_assert(is_pattern(buf, sizeof buf, 0));
}
END_TEST

/* A control block that was never submitted has no result to give. */
START_TEST(never_submitted_gives_einval)
{
    const int fillings[] = {0x00, 0xff, 0xa5, 0x5a, 0x01, EINPROGRESS};
    struct aiocb cb;

    for (size_t i = 0; i < COUNT(fillings); i++) {
        memset(&cb, fillings[i], sizeof cb);
        errno = 0;
        ck_assert_int_eq(aio_return(&cb), -1);
        ck_assert_int_eq(errno, EINVAL);
    }
}
END_TEST

/*
 * "Result first, then status with release": whoever sees the status sees the
 * result and the data, however tightly it watches.
 */
START_TEST(result_and_data_are_there_with_the_status)
{
    char buf[512];
    struct aiocb cb;
    int fd = temp_file(sizeof buf);

    queue_everything();
    for (int i = 0; i < 5000; i++) {
        memset(buf, 0, sizeof buf);
        prep(&cb, fd, buf, sizeof buf, 0);
        must_read(&cb);
        while (aio_error(&cb) == EINPROGRESS)
            ;
        ck_assert_int_eq(aio_error(&cb), 0);
        ck_assert_int_eq(aio_return(&cb), sizeof buf);
        ck_assert(is_pattern(buf, sizeof buf, 0));
    }
}
END_TEST

static atomic_bool wrong_signal_came;

static void note_wrong_signal(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    atomic_store(&wrong_signal_came, true);
}

/*
 * "an aiocb whose status is not EINPROGRESS belongs to the caller wholly":
 * it is written over, and its memory taken away, the moment the status is
 * seen.
 */
START_TEST(a_done_aiocb_is_not_touched_again)
{
    static const int how[] = {SIGEV_NONE, SIGEV_SIGNAL};
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char buf[4];
    int fd = temp_file(sizeof buf);

    queue_everything();
    handle(SIGUSR1, ignore_quietly, SA_RESTART);
    handle(SIGUSR2, note_wrong_signal, SA_RESTART);
    for (int i = 0; i < 5000; i++) {
        struct aiocb *cb =
            mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(cb, MAP_FAILED);
        prep(cb, fd, buf, sizeof buf, 0);
        cb->aio_sigevent.sigev_notify = how[i % 2];
        cb->aio_sigevent.sigev_signo = SIGUSR1;
        must_read(cb);
        while (aio_error(cb) == EINPROGRESS)
            ;
        cb->aio_sigevent.sigev_notify = SIGEV_SIGNAL;
        cb->aio_sigevent.sigev_signo = SIGUSR2;
        ck_assert_int_eq(munmap(cb, page), 0);
    }
    let_others_run();
    ck_assert(!atomic_load(&wrong_signal_came));
}
END_TEST

/* The same when aio_suspend told of it, and with aio_return said first. */
START_TEST(a_returned_aiocb_is_not_touched_again)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char buf[4];
    int fd = temp_file(sizeof buf);

    queue_everything();
    for (int i = 0; i < 5000; i++) {
        struct aiocb *cb =
            mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(cb, MAP_FAILED);
        prep(cb, fd, buf, sizeof buf, 0);
        must_read(cb);
        ck_assert_int_eq(finish(cb), sizeof buf);
        ck_assert_int_eq(munmap(cb, page), 0);
    }
}
END_TEST

/* Done by cancelling: the caller's wholly, too. */
START_TEST(a_cancelled_aiocb_is_not_touched_again)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char buf[4];
    struct aiocb slow;
    struct gate gate;
    int fd = temp_file(sizeof buf);

    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    for (int i = 0; i < 1000; i++) {
        struct aiocb *cb =
            mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        ck_assert_ptr_ne(cb, MAP_FAILED);
        prep(cb, fd, buf, sizeof buf, 0);
        must_read(cb);
        ck_assert_int_eq(aio_cancel(fd, cb), AIO_CANCELED);
        ck_assert_int_eq(munmap(cb, page), 0);
    }
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
    let_others_run();
}
END_TEST

Suite *return_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_return", 60, &tc);

    tcase_add_test(tc, the_result_of_each_operation);
    tcase_add_test(tc, a_failed_request_gives_minus_1_and_its_errno);
    tcase_add_test(tc, a_second_call_gives_einval);
    tcase_add_test(tc, einprogress_while_in_progress_and_unharmed);
    tcase_add_test(tc, never_submitted_gives_einval);
    tcase_add_test(tc, result_and_data_are_there_with_the_status);
    tcase_add_test(tc, a_done_aiocb_is_not_touched_again);
    tcase_add_test(tc, a_returned_aiocb_is_not_touched_again);
    tcase_add_test(tc, a_cancelled_aiocb_is_not_touched_again);
    return suite;
}
