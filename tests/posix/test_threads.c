/* SPDX-License-Identifier: MIT */
/* What "Lifecycle" of the contract says of threads and signals. */
#include "helpers.h"

#define MANY 64

static struct aiocb cbs[MANY];
static char bytes[MANY];
static struct gate gate;
static int file;
static atomic_int failures;

static void check_all_is_well(void)
{
    let_others_run();
    for (size_t i = 0; i < MANY; i++) {
        prep(&cbs[i], file, &bytes[i], 1, (off_t)i);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(finish(&cbs[i]), 1);
        ck_assert(is_pattern(&bytes[i], 1, i));
    }
}

static void *submit_and_exit(void *argument)
{
    for (size_t i = 0; i < MANY; i++) {
        prep(&cbs[i], file, i == 0 ? gate_page(&gate, 0) : &bytes[i], 1, (off_t)i);
        if (aio_read(&cbs[i]) != 0)
            atomic_fetch_add(&failures, 1);
    }
    return argument;
}

/* "A thread that submitted may exit, its requests go on." */
START_TEST(a_thread_that_submitted_may_exit)
{
    pthread_t thread;

    queue_everything();
    if (_i == 0)
        use_workers(1);
    file = temp_file(MANY);
    MAKE_GATE(&gate, 1);
    start_thread(&thread, submit_and_exit, NULL);
    join_thread(thread);
    ck_assert_int_eq(atomic_load(&failures), 0);
    gate_await(&gate, 0);
    ck_assert_int_eq(aio_error(&cbs[0]), EINPROGRESS);
    gate_open(&gate, 0);
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(finish(&cbs[i]), 1);
        if (i > 0)
            ck_assert(is_pattern(&bytes[i], 1, i));
    }
}
END_TEST

/* The same for many threads, one after the other: none of them leaves anything behind. */
START_TEST(many_threads_may_submit_and_exit)
{
    pthread_t thread;

    ck_assert_int_eq(setenv("UAIO_MAX_REQUESTS", "1000", 1), 0);
    if (_i > 0)
        queue_everything();
    file = temp_file(MANY);
    MAKE_GATE(&gate, 1);
    gate_open(&gate, 0);
    for (int round = 0; round < 500; round++) {
        start_thread(&thread, submit_and_exit, NULL);
        join_thread(thread);
        ck_assert_int_eq(atomic_load(&failures), 0);
        for (size_t i = 0; i < MANY; i++)
            ck_assert_int_eq(finish(&cbs[i]), 1);
    }
}
END_TEST

static sem_t about_to_wait;

static void *suspend_with_a_list_on_the_stack(void *argument)
{
    const struct aiocb *list[MANY];

    for (size_t i = 0; i < MANY; i++)
        list[i] = &cbs[i];
    sem_post(&about_to_wait);
    aio_suspend(list, MANY, NULL);
    atomic_fetch_add(&failures, 1); /* it could only be cancelled */
    return argument;
}

/*
 * "pthread_cancel of a thread inside any of our functions leaves the library
 * sound": aio_suspend, the thread's list and stack being gone afterwards.
 */
START_TEST(a_thread_cancelled_in_aio_suspend_leaves_the_library_sound)
{
    pthread_t threads[8];
    struct aiocb slow;

    queue_everything();
    use_workers(1);
    file = temp_file(MANY);
    ck_assert_int_eq(sem_init(&about_to_wait, 0, 0), 0);
    MAKE_GATE(&gate, 11);
    for (unsigned round = 0; round < 10; round++) {
        prep(&slow, file, gate_page(&gate, round), 1, 0);
        must_read(&slow);
        gate_await(&gate, round);
        for (size_t i = 0; i < MANY; i++) {
            prep(&cbs[i], file, &bytes[i], 1, (off_t)i);
            must_read(&cbs[i]);
        }
        for (size_t i = 0; i < COUNT(threads); i++)
            start_thread(&threads[i], suspend_with_a_list_on_the_stack, NULL);
        for (size_t i = 0; i < COUNT(threads); i++)
            await(&about_to_wait);
        for (size_t i = 0; i < COUNT(threads); i++)
            ck_assert_int_eq(pthread_cancel(threads[i]), 0);
        for (size_t i = 0; i < COUNT(threads); i++)
            ck_assert_ptr_eq(join_thread(threads[i]), PTHREAD_CANCELED);
        gate_open(&gate, round);
        for (size_t i = 0; i < MANY; i++) {
            ck_assert_int_eq(finish(&cbs[i]), 1);
            ck_assert(is_pattern(&bytes[i], 1, i));
        }
        ck_assert_int_eq(finish(&slow), 1);
    }
    ck_assert_int_eq(atomic_load(&failures), 0);
    check_all_is_well();
}
END_TEST

static sem_t in_the_loop;

static void *use_every_function(void *argument)
{
    static struct aiocb mine[4];
    static struct aiocb *list[4];
    static char to[4];
    const struct aiocb *const waited[] = {&mine[0]};

    sem_post(&in_the_loop);
    for (;;) {
        for (int i = 0; i < 4; i++) {
            while (aio_error(&mine[i]) == EINPROGRESS)
                sched_yield();
            prep(&mine[i], file, &to[i], 1, i);
            list[i] = &mine[i];
        }
        if (aio_read(&mine[0]) != 0)
            atomic_fetch_add(&failures, 1);
        aio_suspend(waited, 1, NULL);
        while (aio_error(&mine[0]) == EINPROGRESS)
            sched_yield();
        aio_return(&mine[0]);
        lio_listio(LIO_WAIT, list, 4, NULL);
        for (int i = 0; i < 4; i++) {
            while (aio_error(&mine[i]) == EINPROGRESS)
                sched_yield();
        }
        if (aio_fsync(O_DSYNC, &mine[1]) != 0)
            atomic_fetch_add(&failures, 1);
        aio_cancel(file, NULL);
        lio_listio(LIO_NOWAIT, &list[2], 2, NULL);
        pthread_testcancel();
    }
    return argument;
}

/* "inside any of our functions" */
START_TEST(a_thread_cancelled_in_any_function_leaves_the_library_sound)
{
    pthread_t thread;

    if (_i > 0)
        queue_everything();
    file = temp_file(MANY);
    ck_assert_int_eq(sem_init(&in_the_loop, 0, 0), 0);
    for (int round = 0; round < 100; round++) {
        start_thread(&thread, use_every_function, NULL);
        await(&in_the_loop);
        for (int i = 0; i < round % 10; i++)
            let_others_run();
        ck_assert_int_eq(pthread_cancel(thread), 0);
        ck_assert_ptr_eq(join_thread(thread), PTHREAD_CANCELED);
        if (round % 10 == 9)
            check_all_is_well();
    }
    ck_assert_int_eq(atomic_load(&failures), 0);
}
END_TEST

static atomic_int handlers_run;

/* Job control signals undo one another, and libc keeps some to itself. */
static bool can_stay_pending(int signo, const sigset_t *all)
{
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGCONT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return false;
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGSYS:
        return !SANITIZED; /* a sanitizer keeps these for itself */
    default:
        return sigismember(all, signo) == 1;
    }
}

static void count_handler(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    atomic_fetch_add(&handlers_run, 1);
}

/*
 * "Worker threads never run the program's signal handlers."  The program's
 * only thread has every signal blocked: what is sent to the process stays
 * pending, or a thread of ours took it.
 */
START_TEST(workers_never_run_the_programs_handlers)
{
    struct aiocb slow, piped;
    sigset_t all, pending;
    char buf[4];
    int ends[2];

    queue_everything();
    use_workers(4);
    MAKE_GATE(&gate, 1);
    sigfillset(&all);
    if (_i == 0) {
        /* Threads of ours start while the program has all signals open. */
        let_others_run();
    }
    make_pipe(ends);
    prep(&piped, ends[0], buf, sizeof buf, 0);
    must_read(&piped);
    occupy_worker(&gate, 0, &slow);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    for (int signo = 1; signo <= SIGRTMAX; signo++) {
        struct sigaction action = {0};

        if (!can_stay_pending(signo, &all))
            continue;
        action.sa_sigaction = count_handler;
        action.sa_flags = SA_SIGINFO;
        ck_assert_int_eq(sigaction(signo, &action, NULL), 0);
        ck_assert_int_eq(kill(getpid(), signo), 0);
    }
    let_others_run();
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
    ck_assert_int_eq(write(ends[1], "1234", 4), 4);
    ck_assert_int_eq(finish(&piped), 4);
    ck_assert_int_eq(sigpending(&pending), 0);
    for (int signo = 1; signo <= SIGRTMAX; signo++) {
        if (can_stay_pending(signo, &all))
            ck_assert_msg(sigismember(&pending, signo) == 1, "signal %d was taken", signo);
    }
    ck_assert_int_eq(atomic_load(&handlers_run), 0);
}
END_TEST

/* Nor do they keep the program from changing its user: libc signals every thread for that. */
START_TEST(the_user_can_be_changed_with_workers_alive)
{
    uid_t real, effective, saved;

    queue_everything();
    file = temp_file(MANY);
    let_others_run();
    ck_assert_int_eq(getresuid(&real, &effective, &saved), 0);
    ck_assert_int_eq(setresuid(real, effective, saved), 0);
    ck_assert_int_eq(setresgid(getgid(), getegid(), getegid()), 0);
    check_all_is_well();
}
END_TEST

/* The mask of a thread that calls us is its own business. */
START_TEST(the_callers_signal_mask_is_left_alone)
{
    struct aiocb *list[1] = {&cbs[0]};
    const struct aiocb *const waited[1] = {&cbs[0]};
    sigset_t before, after;
    char buf[4];
    int fd = temp_file(4);

    if (_i > 0)
        queue_everything();
    block_signal(SIGUSR2);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &before), 0);
    prep(&cbs[0], fd, buf, sizeof buf, 0);
    must_read(&cbs[0]);
    ck_assert_int_eq(aio_suspend(waited, 1, NULL), 0);
    ck_assert_int_eq(finish(&cbs[0]), 4);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, 1, NULL), 0);
    ck_assert_int_eq(aio_cancel(fd, NULL), AIO_ALLDONE);
    prep(&cbs[0], closed_fd(), buf, sizeof buf, 0);
    ck_assert_int_eq(aio_fsync(O_SYNC, &cbs[0]), -1);
    cbs[0].aio_reqprio = -1;
    ck_assert_int_eq(aio_write(&cbs[0]), -1);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &after), 0);
    for (int signo = 1; signo <= SIGRTMAX; signo++)
        ck_assert_int_eq(sigismember(&before, signo), sigismember(&after, signo));
}
END_TEST

/* The main thread's exit with requests in flight ends the process at once. */
START_TEST(exit_does_not_wait_for_a_blocked_request)
{
    pthread_t thread;

    queue_everything();
    file = temp_file(MANY);
    MAKE_GATE(&gate, 1);
    no_leak_check_at_exit();
    start_thread(&thread, submit_and_exit, NULL);
    join_thread(thread);
    gate_await(&gate, 0);
    exit(EXIT_SUCCESS);
}
END_TEST

Suite *threads_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("threads", 60, &tc);

    tcase_add_loop_test(tc, a_thread_that_submitted_may_exit, 0, 2);
    tcase_add_loop_test(tc, many_threads_may_submit_and_exit, 0, 2);
    tcase_add_test(tc, a_thread_cancelled_in_aio_suspend_leaves_the_library_sound);
    tcase_add_loop_test(tc, a_thread_cancelled_in_any_function_leaves_the_library_sound, 0, 2);
    tcase_add_loop_test(tc, workers_never_run_the_programs_handlers, 0, 2);
    tcase_add_test(tc, the_user_can_be_changed_with_workers_alive);
    tcase_add_loop_test(tc, the_callers_signal_mask_is_left_alone, 0, 2);
    tcase_add_exit_test(tc, exit_does_not_wait_for_a_blocked_request, EXIT_SUCCESS);
    return suite;
}
