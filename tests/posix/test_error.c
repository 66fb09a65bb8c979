/* SPDX-License-Identifier: MIT */
/* aio_error(): "Status" of the contract. */
#include "helpers.h"

/*
 * "aio_error: EINPROGRESS, 0 [...]. Never blocks."  The request is stopped in
 * a worker while it is asked about.
 */
START_TEST(einprogress_while_running_and_0_when_done)
{
    struct aiocb cb;
    struct gate gate;

    queue_everything();
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &cb);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(aio_error(&cb), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&cb), 16);
}
END_TEST

START_TEST(einprogress_while_queued)
{
    char buf[4];
    struct aiocb slow, cb;
    struct gate gate;

    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&cb, temp_file(4), buf, 4, 0);
    must_read(&cb);
    ck_assert_int_eq(aio_error(&cb), EINPROGRESS);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&cb), 4);
    ck_assert_int_eq(aio_error(&slow), 0);
}
END_TEST

/* "aio_error: [...] an errno" */
START_TEST(the_errno_of_a_failed_request)
{
    char buf[4];
    struct aiocb cb;

    prep(&cb, closed_fd(), buf, sizeof buf, 0);
    must_read(&cb);
    ck_assert_int_eq(wait_done(&cb), EBADF);
}
END_TEST

/* "aio_error: [...] or ECANCELED" */
START_TEST(ecanceled_of_a_cancelled_request)
{
    char buf[4];
    struct aiocb slow, cb;
    struct gate gate;
    int fd = temp_file(4);

    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&cb, fd, buf, 4, 0);
    must_read(&cb);
    ck_assert_int_eq(aio_cancel(fd, &cb), AIO_CANCELED);
    ck_assert_int_eq(aio_error(&cb), ECANCELED);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

/* "After aio_return it keeps giving the request's final status (programs ask again)." */
START_TEST(final_status_is_kept_after_aio_return)
{
    char buf[4];
    struct aiocb good, bad;

    prep(&good, temp_file(4), buf, sizeof buf, 0);
    must_read(&good);
    ck_assert_int_eq(finish(&good), 4);
    prep(&bad, closed_fd(), buf, sizeof buf, 0);
    must_read(&bad);
    finish_with(&bad, EBADF);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(aio_error(&good), 0);
        ck_assert_int_eq(aio_error(&bad), EBADF);
    }
}
END_TEST

/* The same while others take the place of the request that was returned. */
START_TEST(final_status_is_kept_while_others_are_submitted)
{
    char buf[4];
    struct aiocb good, bad;

    prep(&good, temp_file(4), buf, sizeof buf, 0);
    must_read(&good);
    ck_assert_int_eq(finish(&good), 4);
    prep(&bad, closed_fd(), buf, sizeof buf, 0);
    must_read(&bad);
    finish_with(&bad, EBADF);
    let_others_run();
    ck_assert_int_eq(aio_error(&good), 0);
    ck_assert_int_eq(aio_error(&bad), EBADF);
}
END_TEST

/*
 * "On an aiocb never submitted: 0 or EINVAL, never a crash; one must not
 * crash or hang on a zero-filled or garbage one."
 */
START_TEST(never_submitted_is_0_or_einval)
{
    const int fillings[] = {0x00, 0xff, 0xa5, 0x5a, 0x01, 0x7f, 0x80, EINPROGRESS};
    struct aiocb cb;
    int error;

    for (size_t i = 0; i < COUNT(fillings); i++) {
        memset(&cb, fillings[i], sizeof cb);
        error = aio_error(&cb);
        ck_assert_msg(error == 0 || error == EINVAL, "filled with %#x: %d", fillings[i], error);
    }
}
END_TEST

/* The same with each word of it EINPROGRESS, as a stale stack frame may have it. */
START_TEST(never_submitted_but_looks_in_progress)
{
    struct aiocb cb;
    int words[sizeof cb / sizeof(int)];
    int error;

    for (size_t i = 0; i < COUNT(words); i++)
        words[i] = EINPROGRESS;
    memcpy(&cb, words, sizeof cb);
    error = aio_error(&cb);
    ck_assert_msg(error == 0 || error == EINVAL, "%d", error);
}
END_TEST

static struct aiocb polled;
static atomic_bool stop_polling;
static atomic_bool wrong_status;

static void *poll_status(void *argument)
{
    while (!atomic_load(&stop_polling)) {
        int error = aio_error(&polled);

        if (error != 0 && error != EINPROGRESS)
            atomic_store(&wrong_status, true);
    }
    return argument;
}

/* "takes no lock": any number of threads may ask while another submits. */
START_TEST(threads_may_ask_while_another_submits)
{
    struct aiocb others[64];
    char bytes[COUNT(others)];
    pthread_t threads[4];
    struct gate gate;
    int fd = temp_file(COUNT(others));

    queue_everything();
    use_workers(4);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &polled);
    for (size_t i = 0; i < COUNT(threads); i++)
        start_thread(&threads[i], poll_status, NULL);
    for (int round = 0; round < 100; round++) {
        for (size_t i = 0; i < COUNT(others); i++) {
            prep(&others[i], fd, &bytes[i], 1, (off_t)i);
            must_read(&others[i]);
        }
        for (size_t i = 0; i < COUNT(others); i++)
            ck_assert_int_eq(finish(&others[i]), 1);
    }
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&polled), 16);
    atomic_store(&stop_polling, true);
    for (size_t i = 0; i < COUNT(threads); i++)
        join_thread(threads[i]);
    ck_assert(!atomic_load(&wrong_status));
}
END_TEST

Suite *error_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_error", 60, &tc);

    tcase_add_test(tc, einprogress_while_running_and_0_when_done);
    tcase_add_test(tc, einprogress_while_queued);
    tcase_add_test(tc, the_errno_of_a_failed_request);
    tcase_add_test(tc, ecanceled_of_a_cancelled_request);
    tcase_add_test(tc, final_status_is_kept_after_aio_return);
    tcase_add_test(tc, final_status_is_kept_while_others_are_submitted);
    tcase_add_test(tc, never_submitted_is_0_or_einval);
    tcase_add_test(tc, never_submitted_but_looks_in_progress);
    tcase_add_test(tc, threads_may_ask_while_another_submits);
    return suite;
}
