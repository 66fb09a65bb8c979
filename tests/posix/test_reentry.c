/* SPDX-License-Identifier: MIT */
/*
 * What a program may do in the handlers and callbacks of its notifications,
 * and what it may have done with its memory by then.
 */
#include "helpers.h"

#include <sys/mman.h>

/* volatile: libc declares that its functions call nothing of ours back, handlers do. */
static struct aiocb *volatile awaited;
static atomic_int handled;

static void wait_in_handler(int signo)
{
    const struct aiocb *const list[] = {awaited};
    const int saved = errno;

    (void)signo;
    while (aio_error(awaited) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    atomic_fetch_add(&handled, 1);
    errno = saved;
}

static void on_signal(void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};

    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

/* A waiter that ran a request itself gets its signal: the handler may wait for what the request
 * held up. */
START_TEST(a_handler_may_wait_for_what_its_waiter_helped_with)
{
    sigset_t usr1;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    for (int round = 0; round < 200; round++) {
        struct aiocb write, sync;
        const struct aiocb *const list[] = {&write};
        int fd = temp_file(0);

        on_signal(wait_in_handler);
        awaited = &sync;
        prep(&write, fd, "data", 4, 0);
        notify_by_signal(&write.aio_sigevent, SIGUSR1, NULL);
        prep(&sync, fd, NULL, 0, 0);
        block_signal(SIGUSR1);
        must_write(&write);
        must_fsync(&sync);
        ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
        while (aio_error(&write) == EINPROGRESS)
            aio_suspend(list, 1, NULL);
        ck_assert_int_eq(finish(&sync), 0);
        ck_assert_int_eq(finish(&write), 4);
        close(fd);
    }
    ck_assert_int_gt(atomic_load(&handled), 0);
}
END_TEST

/* The handler of one cancelled request may wait for another of the same call. */
START_TEST(a_handler_may_wait_for_another_that_is_cancelled)
{
    struct aiocb first, cbs[2];
    char buf[3][4];
    int ends[2];

    make_pipe(ends);
    prep(&first, ends[0], buf[2], 1, 0);
    must_read(&first);
    on_signal(wait_in_handler);
    for (int i = 0; i < 2; i++) {
        prep(&cbs[i], ends[0], buf[i], 1, 0);
        notify_by_signal(&cbs[i].aio_sigevent, SIGUSR1, NULL);
        must_read(&cbs[i]);
    }
    awaited = &cbs[1];
    aio_cancel(ends[0], NULL);
    awaited = &cbs[0];
    for (int i = 0; i < 2; i++)
        finish_with(&cbs[i], ECANCELED);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    wait_done(&first);
    ck_assert_int_gt(atomic_load(&handled), 0);
}
END_TEST

/* An entry that is done within lio_listio() notifies when the whole list is queued. */
START_TEST(a_handler_within_lio_listio_may_wait_for_the_list)
{
    int in = temp_file(4096), out = reopen(temp_file(0), O_WRONLY | O_APPEND);
    struct aiocb append, read;
    struct aiocb *const list[] = {&append, &read};
    char buf[4096];

    on_signal(wait_in_handler);
    awaited = &append;
    prep(&append, out, "tail", 4, 0);
    append.aio_lio_opcode = LIO_WRITE;
    prep(&read, in, buf, sizeof buf, 0);
    read.aio_lio_opcode = LIO_READ;
    notify_by_signal(&read.aio_sigevent, SIGUSR1, NULL);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, 2, NULL), 0);
    ck_assert_int_eq(finish(&read), sizeof buf);
    ck_assert_int_eq(finish(&append), 4);
    while (atomic_load(&handled) == 0)
        usleep(0);
}
END_TEST

static struct aiocb pending;

static void *wait_shortly(void *argument)
{
    const struct timespec timeout = {0, 50000000};
    const struct aiocb *const list[] = {&pending};

    while (aio_suspend(list, 1, &timeout) != 0 && errno == EINTR)
        ;
    return argument;
}

static void *wait_for_ever(void *argument)
{
    wait_done(&pending);
    return argument;
}

/* However many threads wait for one request, some of which give up, the others are woken. */
START_TEST(a_hundred_waiters_come_and_go)
{
    pthread_t leaving[70], staying[30];
    char byte;
    int ends[2];

    make_pipe(ends);
    prep(&pending, ends[0], &byte, 1, 0);
    must_read(&pending);
    for (size_t i = 0; i < COUNT(leaving); i++)
        ck_assert_int_eq(pthread_create(&leaving[i], NULL, wait_shortly, NULL), 0);
    for (size_t i = 0; i < COUNT(staying); i++)
        ck_assert_int_eq(pthread_create(&staying[i], NULL, wait_for_ever, NULL), 0);
    for (size_t i = 0; i < COUNT(leaving); i++)
        ck_assert_int_eq(pthread_join(leaving[i], NULL), 0);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    for (size_t i = 0; i < COUNT(staying); i++)
        ck_assert_int_eq(pthread_join(staying[i], NULL), 0);
}
END_TEST

static atomic_int unmapped;

static void return_and_unmap(union sigval value)
{
    struct aiocb *cb = value.sival_ptr;

    aio_return(cb);
    munmap(cb, 4096);
    atomic_fetch_add(&unmapped, 1);
}

/* "an aiocb whose status is not EINPROGRESS belongs to the caller wholly": in LIO_WAIT, too. */
START_TEST(callbacks_may_free_the_entries_of_a_list_that_is_waited_for)
{
    int fd = temp_file(64);

    ck_assert_int_eq(setenv("UAIO_INLINE", "0", 1), 0);
    for (int round = 0; round < 50; round++) {
        struct aiocb *list[64];
        static char buf[COUNT(list)];

        atomic_store(&unmapped, 0);
        for (size_t i = 0; i < COUNT(list); i++) {
            list[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            ck_assert_ptr_ne(list[i], MAP_FAILED);
            prep(list[i], fd, &buf[i], 1, (off_t)i);
            list[i]->aio_lio_opcode = LIO_READ;
            notify_by_thread(&list[i]->aio_sigevent, return_and_unmap, list[i], NULL);
        }
        ck_assert_int_eq(lio_listio(LIO_WAIT, list, (int)COUNT(list), NULL), 0);
        while (atomic_load(&unmapped) < (int)COUNT(list))
            usleep(0);
    }
}
END_TEST

static atomic_int second_finished;

static void cancel_itself(union sigval value)
{
    (void)value;
    pthread_cancel(pthread_self());
}

static void finish_after_cancellation_points(union sigval value)
{
    (void)value;
    usleep(1);
    atomic_store(&second_finished, 1);
}

/* A cancellation that a callback leaves pending is its own, not the next callback's. */
START_TEST(a_pending_cancellation_stays_with_its_callback)
{
    struct aiocb first, second;
    char buf[4];
    int fd = temp_file(4);

    prep(&first, fd, buf, 4, 0);
    notify_by_thread(&first.aio_sigevent, cancel_itself, NULL, NULL);
    must_read(&first);
    ck_assert_int_eq(finish(&first), 4);
    prep(&second, fd, buf, 4, 0);
    notify_by_thread(&second.aio_sigevent, finish_after_cancellation_points, NULL, NULL);
    must_read(&second);
    ck_assert_int_eq(finish(&second), 4);
    while (!atomic_load(&second_finished))
        usleep(0);
}
END_TEST

/* "O_APPEND": the offset is not looked at. */
START_TEST(an_append_ignores_its_offset)
{
    const off_t offsets[] = {-1, -4096, (off_t)1 << 30};
    int fd = reopen(temp_file(0), O_RDWR | O_APPEND);
    struct aiocb cb;
    char back[32];

    for (size_t i = 0; i < COUNT(offsets); i++) {
        prep(&cb, fd, "tail", 4, offsets[i]);
        must_write(&cb);
        ck_assert_int_eq(finish(&cb), 4);
    }
    ck_assert_int_eq(pread(fd, back, sizeof back, 0), 12);
    ck_assert_mem_eq(back, "tailtailtail", 12);
}
END_TEST

Suite *reentry_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("reentry", 60, &tc);

    tcase_add_test(tc, a_handler_may_wait_for_what_its_waiter_helped_with);
    tcase_add_test(tc, a_handler_may_wait_for_another_that_is_cancelled);
    tcase_add_test(tc, a_handler_within_lio_listio_may_wait_for_the_list);
    tcase_add_test(tc, a_hundred_waiters_come_and_go);
    tcase_add_test(tc, callbacks_may_free_the_entries_of_a_list_that_is_waited_for);
    tcase_add_test(tc, a_pending_cancellation_stays_with_its_callback);
    tcase_add_test(tc, an_append_ignores_its_offset);
    return suite;
}
