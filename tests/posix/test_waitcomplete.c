/* SPDX-License-Identifier: MIT */
/*
 * aio_waitcomplete(): "waits for completion of an asynchronous I/O request.  Upon
 * completion, aio_waitcomplete() returns the result of the function and sets iocbp
 * to point to the structure associated with the original request.  If an
 * asynchronous I/O request is completed before aio_waitcomplete() is called, it
 * returns immediately with the completed request." [FreeBSD]
 */
#include "helpers.h"

#include <sys/wait.h>

static const struct timespec at_once;

/* From here on requests are collected: the first call.  False: there is no such
 * function here. */
static bool collect(void)
{
    struct aiocb *cb = (struct aiocb *)1;

    ck_assert_int_eq(aio_waitcomplete(&cb, &at_once), -1);
    if (errno == ENOSYS)
        return false;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_ptr_null(cb);
    return true;
}

#define COLLECT()                           \
 do {                                       \
  if (!collect())                           \
   SKIP("libc alone has no such function"); \
 } while (0)

static void nothing_left(void)
{
    struct aiocb *cb;

    errno = 0;
    ck_assert_int_eq(aio_waitcomplete(&cb, &at_once), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_ptr_null(cb);
}

/* Inline and from the pool, read, write and sync: each is given out once. */
START_TEST(every_request_is_given_out_once)
{
    enum { N = 100 };
    static struct aiocb cbs[N];
    static char bytes[N];
    int given[N] = {0}, fd = temp_file(N);

    if (_i)
        queue_everything();
    COLLECT();
    for (int i = 0; i < N; i++) {
        prep(&cbs[i], fd, &bytes[i], 1, i);
        if (i % 10 == 9)
            must_fsync(&cbs[i]);
        else
            must_read(&cbs[i]);
    }
    for (int i = 0; i < N; i++) {
        struct aiocb *cb;
        ssize_t result = aio_waitcomplete(&cb, NULL);
        ck_assert(cb >= cbs && cb < cbs + N);
        ck_assert_int_eq(result, (cb - cbs) % 10 == 9 ? 0 : 1);
        given[cb - cbs]++;
        ck_assert_int_eq(aio_error(cb), 0);
        ck_assert_int_eq(aio_return(cb), -1); /* it has been taken */
    }
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(given[i], 1);
    nothing_left();
}
END_TEST

/* In the order of their ends. */
START_TEST(the_first_to_end_comes_first)
{
    struct aiocb cbs[3], *cb;
    char bytes[3];
    int ends[3][2];

    COLLECT();
    for (int i = 0; i < 3; i++) {
        make_pipe(ends[i]);
        prep(&cbs[i], ends[i][0], &bytes[i], 1, 0);
        must_read(&cbs[i]);
    }
    for (int i = 2; i >= 0; i--) {
        send_pattern(ends[i][1], 0);
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    }
    for (int i = 2; i >= 0; i--) {
        ck_assert_int_eq(aio_waitcomplete(&cb, NULL), 1);
        ck_assert_ptr_eq(cb, &cbs[i]);
    }
    nothing_left();
}
END_TEST

/* "The return value is that of the request": -1 and its errno, with the control block. */
START_TEST(a_failed_request_gives_its_error)
{
    struct aiocb cb, *found;
    char byte;

    COLLECT();
    prep(&cb, closed_fd(), &byte, 1, 0);
    must_read(&cb);
    errno = 0;
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), -1);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_ptr_eq(found, &cb);
    nothing_left();
}
END_TEST

START_TEST(a_cancelled_request_is_given_out)
{
    struct aiocb cb, *found;
    int ends[2];
    char byte;

    COLLECT();
    make_pipe(ends);
    prep(&cb, ends[0], &byte, 1, 0);
    must_read(&cb);
    ck_assert_int_eq(aio_cancel(ends[0], &cb), AIO_CANCELED);
    errno = 0;
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), -1);
    ck_assert_int_eq(errno, ECANCELED);
    ck_assert_ptr_eq(found, &cb);
    nothing_left();
}
END_TEST

/* "aio_return" takes it, and then there is nothing to be given out. */
START_TEST(what_is_returned_otherwise_is_not_given_out)
{
    struct aiocb cb;
    char byte;

    COLLECT();
    prep(&cb, temp_file(1), &byte, 1, 0);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 1);
    nothing_left();
}
END_TEST

/* A control block that is used again is given out for its last request. */
START_TEST(submitted_anew_it_is_given_out_once)
{
    struct aiocb cb, *found;
    char bytes[4];
    int fd = temp_file(4);

    COLLECT();
    for (size_t n = 1; n < 5; n++) {
        prep(&cb, fd, bytes, n, 0);
        must_read(&cb);
        ck_assert_int_eq(wait_done(&cb), 0);
    }
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), 4);
    ck_assert_ptr_eq(found, &cb);
    nothing_left();
}
END_TEST

/* Those that are notified, too: the notification comes besides. */
START_TEST(notified_requests_are_given_out)
{
    struct aiocb cb, *found;
    siginfo_t info;
    char byte;

    if (_i)
        queue_everything();
    COLLECT();
    block_signal(SIGRTMIN);
    prep(&cb, temp_file(1), &byte, 1, 0);
    notify_by_signal(&cb.aio_sigevent, SIGRTMIN, &cb);
    must_read(&cb);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cb);
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
    ck_assert_ptr_eq(found, &cb);
    nothing_left();
}
END_TEST

/* And the members of a list. */
START_TEST(members_of_lists_are_given_out)
{
    struct aiocb cbs[2], *list[] = {&cbs[0], &cbs[1]}, *found;
    char bytes[2];
    int fd = temp_file(2), sum = 0;

    if (_i)
        queue_everything();
    COLLECT();
    for (int i = 0; i < 2; i++) {
        prep(&cbs[i], fd, &bytes[i], 1, i);
        cbs[i].aio_lio_opcode = LIO_READ;
    }
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, 2, NULL), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
        sum += (int)(found - cbs);
    }
    ck_assert_int_eq(sum, 1);
    nothing_left();
}
END_TEST

START_TEST(a_timeout_is_kept)
{
    const struct timespec short_while = {0, 20000000};
    struct aiocb cb, *found = &cb;
    int ends[2];
    char byte;

    COLLECT();
    make_pipe(ends);
    prep(&cb, ends[0], &byte, 1, 0);
    must_read(&cb);
    errno = 0;
    ck_assert_int_eq(aio_waitcomplete(&found, &short_while), -1);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_ptr_null(found);
    send_pattern(ends[1], 0);
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
    ck_assert_ptr_eq(found, &cb);
}
END_TEST

START_TEST(bad_timeouts_are_einval)
{
    static const struct timespec bad[] = {{0, -1}, {0, 1000000000}, {-1, 0}};
    struct aiocb *found = (struct aiocb *)1;

    COLLECT();
    errno = 0;
    ck_assert_int_eq(aio_waitcomplete(&found, &bad[_i]), -1);
    ck_assert_int_eq(errno, EINVAL);
    ck_assert_ptr_null(found);
}
END_TEST

/* A handler ends the wait, with SA_RESTART or not. */
START_TEST(a_signal_ends_the_wait)
{
    struct aiocb cb, *found = &cb;
    int ends[2];
    char byte;

    COLLECT();
    make_pipe(ends);
    prep(&cb, ends[0], &byte, 1, 0);
    must_read(&cb);
    handle(SIGALRM, ignore_quietly, _i ? SA_RESTART : 0);
    storm_begin(SIGALRM, 10000);
    errno = 0;
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), -1);
    storm_end();
    ck_assert_int_eq(errno, EINTR);
    ck_assert_ptr_null(found);
    send_pattern(ends[1], 0);
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
}
END_TEST

/* Of several threads that wait each request wakes one that takes it. */
static atomic_int taken;

static void *take_some(void *argument)
{
    struct aiocb *cb;

    (void)argument;
    for (int i = 0; i < 50; i++)
        if (aio_waitcomplete(&cb, NULL) == 1 && cb)
            atomic_fetch_add(&taken, 1);
    return NULL;
}

START_TEST(threads_share_what_there_is)
{
    enum { THREADS = 4, N = 50 * THREADS };
    static struct aiocb cbs[N];
    static char bytes[N];
    pthread_t threads[THREADS];
    int fd = temp_file(N);

    if (_i)
        queue_everything();
    COLLECT();
    for (int i = 0; i < THREADS; i++)
        start_thread(&threads[i], take_some, NULL);
    for (int i = 0; i < N; i++) {
        prep(&cbs[i], fd, &bytes[i], 1, i);
        must_read(&cbs[i]);
    }
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    ck_assert_int_eq(atomic_load(&taken), N);
    nothing_left();
}
END_TEST

/* The child of a fork has none of them, and a process of its own to collect for. */
START_TEST(a_child_has_none)
{
    struct aiocb over, waits, *found;
    int ends[2], fd = temp_file(1);
    char byte;
    pid_t pid;

    COLLECT();
    make_pipe(ends);
    prep(&waits, ends[0], &byte, 1, 0);
    must_read(&waits);
    prep(&over, fd, &byte, 1, 0);
    must_read(&over);
    ck_assert_int_eq(wait_done(&over), 0);
    pid = fork_by(_i);
    if (pid == 0) {
        struct aiocb own;
        nothing_left();
        prep(&own, fd, &byte, 1, 0);
        must_read(&own);
        ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
        ck_assert_ptr_eq(found, &own);
        nothing_left();
        _exit(0);
    }
    if (pid < 0 && errno == ENOSYS)
        SKIP("no such way to fork here");
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
    ck_assert_ptr_eq(found, &over);
    send_pattern(ends[1], 0);
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
    ck_assert_ptr_eq(found, &waits);
}
END_TEST

/* A thread may be cancelled while it waits, and nothing is lost. */
static void *wait_for_ever(void *argument)
{
    struct aiocb *cb;

    sem_post(argument);
    aio_waitcomplete(&cb, NULL);
    return NULL;
}

START_TEST(it_is_a_cancellation_point)
{
    struct aiocb cb, *found;
    int ends[2];
    pthread_t thread;
    sem_t begun;
    char byte;

    COLLECT();
    make_pipe(ends);
    prep(&cb, ends[0], &byte, 1, 0);
    must_read(&cb);
    ck_assert_int_eq(sem_init(&begun, 0, 0), 0);
    start_thread(&thread, wait_for_ever, &begun);
    await(&begun);
    ck_assert_int_eq(pthread_cancel(thread), 0);
    ck_assert_ptr_eq(join_thread(thread), PTHREAD_CANCELED);
    send_pattern(ends[1], 0);
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
    ck_assert_ptr_eq(found, &cb);
}
END_TEST

#ifdef UAIO_TEST_RT
/* Of a program that is linked to the name all are collected, from the start. */
START_TEST(the_first_request_is_collected)
{
    struct aiocb cb, *found;
    char byte;

    prep(&cb, temp_file(1), &byte, 1, 0);
    must_read(&cb);
    ck_assert_int_eq(wait_done(&cb), 0);
    ck_assert_int_eq(aio_waitcomplete(&found, NULL), 1);
    ck_assert_ptr_eq(found, &cb);
}
END_TEST
#endif

Suite *waitcomplete_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("aio_waitcomplete", 30, &tc);

    tcase_add_loop_test(tc, every_request_is_given_out_once, 0, 2);
    tcase_add_test(tc, the_first_to_end_comes_first);
    tcase_add_test(tc, a_failed_request_gives_its_error);
    tcase_add_test(tc, a_cancelled_request_is_given_out);
    tcase_add_test(tc, what_is_returned_otherwise_is_not_given_out);
    tcase_add_test(tc, submitted_anew_it_is_given_out_once);
    tcase_add_loop_test(tc, notified_requests_are_given_out, 0, 2);
    tcase_add_loop_test(tc, members_of_lists_are_given_out, 0, 2);
    tcase_add_test(tc, a_timeout_is_kept);
    tcase_add_loop_test(tc, bad_timeouts_are_einval, 0, 3);
    tcase_add_loop_test(tc, a_signal_ends_the_wait, 0, 2);
    tcase_add_loop_test(tc, threads_share_what_there_is, 0, 2);
    tcase_add_loop_test(tc, a_child_has_none, 0, FORK_WAYS_HERE);
    tcase_add_test(tc, it_is_a_cancellation_point);
#ifdef UAIO_TEST_RT
    tcase_add_test(tc, the_first_request_is_collected);
#endif
    return suite;
}
