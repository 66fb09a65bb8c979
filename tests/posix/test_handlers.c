/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers that call what is async-signal-safe: aio_error, aio_return
 * and aio_suspend.
 *
 * A storm of signals interrupts the one thread that submits, waits and
 * cancels as fast as it can, so that the handler runs inside every part of
 * the library; the handler asks about requests and waits for them.  A lock
 * that both need is a deadlock, which Check's timeout ends.
 *
 * The handler leaves out the control block that is being submitted: whether
 * that is in flight is not decided yet.
 */
#include "helpers.h"

#define REQUESTS 64
#define SHOT_US 60

static struct aiocb cbs[REQUESTS];
static char bytes[REQUESTS];
static volatile sig_atomic_t being_submitted = -1;
static atomic_int storms;
static atomic_int wrong;
static int file;

enum { ROUNDS = SANITIZED ? 3000 : 30000, STORMS_MIN = SANITIZED ? 20 : 200 };

static const struct aiocb *next_of_the_submitted(void)
{
    static volatile sig_atomic_t turn;

    turn = (turn + 1) % REQUESTS;
    if (turn == being_submitted)
        turn = (turn + 1) % REQUESTS;
    return &cbs[turn];
}

static void begin_handler(void)
{
    atomic_fetch_add(&storms, 1);
}

/* aio_error of everything. */
static void ask(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;

    (void)signo;
    (void)info;
    (void)context;
    begin_handler();
    for (int i = 0; i < REQUESTS; i++) {
        if (i != being_submitted) {
            int error = aio_error(&cbs[i]);

            if (error != 0 && error != EINPROGRESS && error != ECANCELED)
                atomic_fetch_add(&wrong, 1);
        }
    }
    errno = saved;
    storm_again();
}

/* aio_return of one that is done: its result, or EINVAL if that was had already. */
static void take_result(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;
    struct aiocb *cb = (struct aiocb *)(uintptr_t)next_of_the_submitted();

    (void)signo;
    (void)info;
    (void)context;
    begin_handler();
    if (aio_error(cb) == 0) {
        ssize_t result = aio_return(cb);

        if (result != 1 && !(result == -1 && errno == EINVAL))
            atomic_fetch_add(&wrong, 1);
    }
    errno = saved;
    storm_again();
}

/* aio_suspend of all, polling. */
static void poll_all(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;
    const struct aiocb *list[REQUESTS];
    const struct timespec no_time = {0, 0};

    (void)signo;
    (void)info;
    (void)context;
    begin_handler();
    for (int i = 0; i < REQUESTS; i++)
        list[i] = i == being_submitted ? NULL : &cbs[i];
    if (aio_suspend(list, REQUESTS, &no_time) != 0 && errno != EAGAIN && errno != EINTR)
        atomic_fetch_add(&wrong, 1);
    errno = saved;
    storm_again();
}

/* aio_suspend of one, for a short time. */
static void wait_shortly(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;
    const struct aiocb *list[] = {next_of_the_submitted()};
    const struct timespec timeout = {0, 200000};

    (void)signo;
    (void)info;
    (void)context;
    begin_handler();
    if (aio_suspend(list, 1, &timeout) != 0 && errno != EAGAIN && errno != EINTR)
        atomic_fetch_add(&wrong, 1);
    errno = saved;
    storm_again();
}

/* aio_suspend of one until it is done. */
static void wait_until_done(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;
    const struct aiocb *list[] = {next_of_the_submitted()};

    (void)signo;
    (void)info;
    (void)context;
    begin_handler();
    while (aio_error(list[0]) == EINPROGRESS) {
        if (aio_suspend(list, 1, NULL) != 0 && errno != EINTR)
            atomic_fetch_add(&wrong, 1);
    }
    errno = saved;
    storm_again();
}

static void submit(int i)
{
    being_submitted = i;
    wait_done(&cbs[i]);
    bytes[i] = 'x';
    prep(&cbs[i], file, &bytes[i], 1, i);
    must_write(&cbs[i]);
    being_submitted = -1;
}

/* Runs until the handler has had its chance often enough. */
static bool enough(int round)
{
    return round >= ROUNDS && atomic_load(&storms) >= STORMS_MIN;
}

static void write_in_a_storm(void (*handler)(int, siginfo_t *, void *))
{
    queue_everything();
    file = temp_file(REQUESTS);
    handle(SIGUSR1, handler, SA_RESTART);
    storm_begin_shots(SIGUSR1, SHOT_US);
    for (int round = 0; !enough(round); round++)
        submit(round % REQUESTS);
    storm_end();
    for (int i = 0; i < REQUESTS; i++)
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    ck_assert_int_eq(atomic_load(&wrong), 0);
}

/* "aio_error [...] Never blocks, takes no lock." */
START_TEST(aio_error_in_a_handler_that_interrupts_submission)
{
    write_in_a_storm(ask);
}
END_TEST

/* aio_return is async-signal-safe by the standard. */
START_TEST(aio_return_in_a_handler_that_interrupts_submission)
{
    write_in_a_storm(take_result);
}
END_TEST

/* aio_suspend "is [...] async-signal-safe: no lock that a submitting thread could hold" */
START_TEST(polling_aio_suspend_in_a_handler_that_interrupts_submission)
{
    write_in_a_storm(poll_all);
}
END_TEST

START_TEST(timed_aio_suspend_in_a_handler_that_interrupts_submission)
{
    write_in_a_storm(wait_shortly);
}
END_TEST

/* The strictest: the interrupted thread must not hold what the request needs to get done. */
START_TEST(endless_aio_suspend_in_a_handler_that_interrupts_submission)
{
    write_in_a_storm(wait_until_done);
}
END_TEST

/* The same with the default settings: done within the submitting and the waiting thread. */
START_TEST(endless_aio_suspend_in_a_handler_with_default_settings)
{
    file = temp_file(REQUESTS);
    handle(SIGUSR1, wait_until_done, SA_RESTART);
    storm_begin_shots(SIGUSR1, SHOT_US);
    for (int round = 0; !enough(round); round++) {
        const int i = round % REQUESTS;

        being_submitted = i;
        wait_done(&cbs[i]);
        prep(&cbs[i], file, &bytes[i], 1, i);
        if (round / REQUESTS % 2 == 0)
            must_write(&cbs[i]);
        else
            must_read(&cbs[i]);
        being_submitted = -1;
    }
    storm_end();
    for (int i = 0; i < REQUESTS; i++)
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    ck_assert_int_eq(atomic_load(&wrong), 0);
}
END_TEST

/* The handler interrupts waiting and cancelling, too. */
START_TEST(aio_suspend_in_a_handler_that_interrupts_waiting_and_cancelling)
{
    static struct aiocb mine[8];
    struct aiocb *list[COUNT(mine)];
    const struct timespec short_time = {0, 50000};
    char to[COUNT(mine)];

    queue_everything();
    file = temp_file(REQUESTS);
    handle(SIGUSR1, _i == 0 ? wait_until_done : poll_all, SA_RESTART);
    storm_begin_shots(SIGUSR1, SHOT_US);
    for (int round = 0; !enough(round * 8); round++) {
        submit(round % REQUESTS);
        for (size_t i = 0; i < COUNT(mine); i++) {
            wait_done(&mine[i]);
            prep(&mine[i], file, &to[i], 1, 0);
            mine[i].aio_lio_opcode = LIO_READ;
            list[i] = &mine[i];
        }
        if (lio_listio(LIO_WAIT, list, COUNT(list), NULL) != 0)
            ck_assert(errno == EINTR || errno == EIO);
        aio_suspend((const struct aiocb *const *)list, COUNT(list), &short_time);
        aio_cancel(file, &mine[round % 8]);
    }
    storm_end();
    for (size_t i = 0; i < COUNT(mine); i++)
        wait_done(&mine[i]);
    for (int i = 0; i < REQUESTS; i++)
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    ck_assert_int_eq(atomic_load(&wrong), 0);
}
END_TEST

/* A handler that runs as the completion's own signal, and waits for the next request. */
static void wait_for_another(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;
    const struct aiocb *list[] = {next_of_the_submitted()};

    (void)signo;
    (void)context;
    begin_handler();
    if (info->si_code == SI_ASYNCIO && aio_error(info->si_value.sival_ptr) == EINVAL)
        atomic_fetch_add(&wrong, 1);
    while (aio_error(list[0]) == EINPROGRESS) {
        if (aio_suspend(list, 1, NULL) != 0 && errno != EINTR)
            atomic_fetch_add(&wrong, 1);
    }
    errno = saved;
}

START_TEST(a_completions_handler_may_wait_for_another_request)
{
    if (_i > 0)
        queue_everything();
    file = temp_file(REQUESTS);
    handle(SIGUSR1, wait_for_another, SA_RESTART);
    for (int round = 0; round < ROUNDS; round++) {
        const int i = round % REQUESTS;

        being_submitted = i;
        wait_done(&cbs[i]);
        prep(&cbs[i], file, &bytes[i], 1, i);
        notify_by_signal(&cbs[i].aio_sigevent, SIGUSR1, &cbs[i]);
        must_read(&cbs[i]);
        being_submitted = -1;
    }
    for (int i = 0; i < REQUESTS; i++)
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    ck_assert_int_eq(atomic_load(&wrong), 0);
    ck_assert_int_gt(atomic_load(&storms), 0);
}
END_TEST

Suite *handlers_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("handlers", 60, &tc);

    tcase_add_test(tc, aio_error_in_a_handler_that_interrupts_submission);
    tcase_add_test(tc, aio_return_in_a_handler_that_interrupts_submission);
    tcase_add_test(tc, polling_aio_suspend_in_a_handler_that_interrupts_submission);
    tcase_add_test(tc, timed_aio_suspend_in_a_handler_that_interrupts_submission);
    tcase_add_test(tc, endless_aio_suspend_in_a_handler_that_interrupts_submission);
    tcase_add_test(tc, endless_aio_suspend_in_a_handler_with_default_settings);
    tcase_add_loop_test(tc, aio_suspend_in_a_handler_that_interrupts_waiting_and_cancelling, 0, 2);
    tcase_add_loop_test(tc, a_completions_handler_may_wait_for_another_request, 0, 2);
    return suite;
}
