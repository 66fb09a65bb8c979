/* SPDX-License-Identifier: MIT */
/*
 * "fork: the child inherits no requests; AIO works afresh there. No hang
 * whatever the parent was doing; the parent is undisturbed."
 *
 * By fork(), and by what calls no handlers of pthread_atfork(): _Fork() and the
 * system call itself.  The child asserts as the test does.
 */
#include "in_flight.h"

/* Each kind of request in flight, with each way to fork. */
#define CASES (IN_FLIGHT_KINDS * FORK_WAYS_HERE)

static struct shared {
    atomic_int calls[IN_FLIGHT];
    atomic_int elsewhere; /* calls in a process other than the test's */
    atomic_int exited;    /* a child ran its atexit() handlers */
    atomic_int failures;
} * shared;
static pid_t test_process;
static sem_t called;

static void begin(void)
{
    shared = shared_memory(sizeof *shared);
    test_process = getpid();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    no_leak_check_at_exit(); /* a child does not see what the parent's threads point to */
}

static bool no_such_way(pid_t pid, const char *test)
{
    if (pid < 0 && errno == ENOSYS) {
        skipped(test, "there is no _Fork here, or nothing that tells of it");
        return true;
    }
    ck_assert_int_ge(pid, 0);
    return false;
}

/* The child does what is given, with all of the parent's requests in flight. */
static void fork_with_requests(int i, void (*in_child)(void), const char *test)
{
    pid_t pid;
    int fd = temp_file(256);

    if (!in_flight_make(i / FORK_WAYS_HERE, NULL, test))
        return;
    pid = fork_by(i % FORK_WAYS_HERE);
    if (pid == 0) {
        in_child();
        _exit(0);
    }
    if (no_such_way(pid, test))
        return;
    ck_assert_int_eq(status_of(pid), 0);
    in_flight_untouched();
    in_flight_finish();
    aio_works(fd);
}

/* --- the child's copies of what is in flight --- */

static void ask_for_errors(void)
{
    for (int i = 0; i < IN_FLIGHT; i++)
        ck_assert_int_eq(aio_error(&in_flight[i]), ECANCELED);
}

/* "the child inherits no requests": they are cancelled there. */
START_TEST(aio_error_of_the_childs_copy_is_ecanceled)
{
    fork_with_requests(_i, ask_for_errors, __func__);
}
END_TEST

static void take_results(void)
{
    for (int i = 0; i < IN_FLIGHT; i++) {
        errno = 0;
        ck_assert_int_eq(aio_return(&in_flight[i]), -1);
        ck_assert_int_eq(errno, ECANCELED);
        ck_assert_int_eq(aio_error(&in_flight[i]), ECANCELED);
    }
}

/* The same of aio_return(), which is the child's first call. */
START_TEST(aio_return_of_the_childs_copy_is_minus_1_and_ecanceled)
{
    fork_with_requests(_i, take_results, __func__);
}
END_TEST

static void wait_for_each_and_for_all(void)
{
    const struct aiocb *list[IN_FLIGHT];

    for (int i = 0; i < IN_FLIGHT; i++) {
        list[i] = &in_flight[i];
        ck_assert_int_eq(aio_suspend(&list[i], 1, NULL), 0);
    }
    ck_assert_int_eq(aio_suspend(list, IN_FLIGHT, NULL), 0);
}

/* "No hang": aio_suspend() on them returns at once. */
START_TEST(aio_suspend_on_the_childs_copies_returns)
{
    fork_with_requests(_i, wait_for_each_and_for_all, __func__);
}
END_TEST

static void cancel_each_and_all(void)
{
    for (int i = 0; i < IN_FLIGHT; i++) {
        const int fd = in_flight[i].aio_fildes;

        ck_assert_int_eq(aio_cancel(fd, &in_flight[i]), AIO_ALLDONE);
        ck_assert_int_eq(aio_cancel(fd, NULL), AIO_ALLDONE);
        ck_assert_int_eq(aio_error(&in_flight[i]), ECANCELED);
    }
}

/* There is nothing to cancel. */
START_TEST(aio_cancel_of_the_childs_copies_finds_all_done)
{
    fork_with_requests(_i, cancel_each_and_all, __func__);
}
END_TEST

static void submit_the_copies(void)
{
    int fd = temp_file(64);
    char bytes[IN_FLIGHT];

    for (int i = 0; i < IN_FLIGHT; i++) {
        in_flight[i].aio_fildes = fd;
        in_flight[i].aio_buf = &bytes[i];
        in_flight[i].aio_nbytes = 1;
        in_flight[i].aio_offset = i;
        must_read(&in_flight[i]);
    }
    for (int i = 0; i < IN_FLIGHT; i++)
        ck_assert_int_eq(finish(&in_flight[i]), 1);
    ck_assert(is_pattern(bytes, IN_FLIGHT, 0));
}

/* The memory is the child's: it may use the control blocks again. */
START_TEST(the_childs_copies_may_be_submitted)
{
    fork_with_requests(_i, submit_the_copies, __func__);
}
END_TEST

/* A request that is done has its result in memory, of which the child has a copy. */
START_TEST(the_child_has_the_results_of_what_was_done)
{
    struct aiocb good, bad;
    char byte;
    pid_t pid;

    if (_i > 0)
        queue_everything();
    prep(&good, temp_file(1), &byte, 1, 0);
    must_read(&good);
    ck_assert_int_eq(wait_done(&good), 0);
    prep(&bad, closed_fd(), &byte, 1, 0);
    must_read(&bad);
    ck_assert_int_eq(wait_done(&bad), EBADF);
    pid = fork();
    if (pid == 0) {
        ck_assert_int_eq(finish(&good), 1);
        finish_with(&bad, EBADF);
        _exit(0);
    }
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(finish(&good), 1);
    finish_with(&bad, EBADF);
}
END_TEST

/* --- the child's own requests --- */

static void use_aio(void)
{
    aio_works(temp_file(256));
    aio_works(temp_file(256));
}

/* "AIO works afresh there": reads, writes, fsync, lists, streams, signals, callbacks. */
START_TEST(aio_works_in_the_child)
{
    fork_with_requests(_i, use_aio, __func__);
}
END_TEST

static void use_the_same_descriptors(void)
{
    struct aiocb cb;
    char byte;

    prep(&cb, in_flight[1].aio_fildes, &byte, 1, 0);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 1);
    prep(&cb, in_flight[2].aio_fildes, &byte, 0, 0);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 0);
    must_fsync(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}

/* Appends and fsyncs wait for earlier requests of their descriptor, not for the parent's. */
START_TEST(the_childs_requests_do_not_wait_for_the_parents)
{
    fork_with_requests(IN_FLIGHT_FILES * FORK_WAYS_HERE + _i, use_the_same_descriptors, __func__);
}
END_TEST

static void wait_and_cancel(void)
{
    for (int i = 0; i < IN_FLIGHT; i++) {
        const int fd = in_flight[i].aio_fildes;
        struct aiocb cb;
        char buf[4] = "own";

        prep(&cb, fd, buf, sizeof buf, 0);
        if (i == 2 || i == 3)
            must_write(&cb);
        else
            must_read(&cb);
        let_others_run();
        ck_assert_int_eq(aio_error(&cb), EINPROGRESS);
        ck_assert_int_eq(aio_cancel(fd, &cb), AIO_CANCELED);
        finish_with(&cb, ECANCELED);
    }
}

/* "the parent is undisturbed": the child waits for the same descriptors, and gives up. */
START_TEST(the_child_may_wait_and_cancel_where_the_parent_waits)
{
    fork_with_requests(IN_FLIGHT_STREAMS * FORK_WAYS_HERE + _i, wait_and_cancel, __func__);
}
END_TEST

static void close_and_reuse(void)
{
    for (int i = 0; i < IN_FLIGHT; i++) {
        const int number = in_flight[i].aio_fildes;
        const int fd = temp_file(256);

        close(number); /* some are closed already */
        ck_assert_int_eq(dup2(fd, number), number);
        aio_works(number);
    }
}

/* "the parent is undisturbed": the descriptors are closed, and their numbers used again. */
START_TEST(the_child_may_close_what_the_parent_waits_on)
{
    fork_with_requests(_i, close_and_reuse, __func__);
}
END_TEST

/* --- notification --- */

static void count_call(union sigval value)
{
    if (getpid() != test_process)
        atomic_fetch_add(&shared->elsewhere, 1);
    atomic_fetch_add(&shared->calls[value.sival_int], 1);
    sem_post(&called);
}

static void by_callback(struct aiocb *cb, size_t i)
{
    notify_by_thread(&cb->aio_sigevent, count_call, NULL, NULL);
    cb->aio_sigevent.sigev_value.sival_int = (int)i;
}

/* Goes on after the parent's requests are over. */
static void see_that_nothing_comes(int ended)
{
    char byte;

    ck_assert_int_eq(read(ended, &byte, 1), 0);
    use_aio();
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
    ck_assert_int_eq(atomic_load(&shared->elsewhere), 0);
}

static void notify_with_a_child(int i, void (*prepare)(struct aiocb *, size_t), void (*take)(void),
                                const char *test)
{
    int ends[2];
    pid_t pid;

    begin();
    make_pipe(ends);
    if (!in_flight_make(i / FORK_WAYS_HERE, prepare, test))
        return;
    pid = fork_by(i % FORK_WAYS_HERE);
    if (pid == 0) {
        close(ends[1]);
        see_that_nothing_comes(ends[0]);
        _exit(0);
    }
    if (no_such_way(pid, test))
        return;
    in_flight_finish();
    for (int n = 0; n < IN_FLIGHT; n++)
        take();
    close(ends[1]);
    ck_assert_int_eq(status_of(pid), 0);
    for (int n = 0; n < IN_FLIGHT; n++)
        ck_assert_int_eq(atomic_load(&shared->calls[n]), 1);
}

static void take_call(void)
{
    await(&called);
}

/* "the child inherits no requests": their callbacks run once, in the parent. */
START_TEST(callbacks_run_once_and_in_the_parent_only)
{
    notify_with_a_child(_i, by_callback, take_call, __func__);
}
END_TEST

static void by_signal(struct aiocb *cb, size_t i)
{
    notify_by_signal(&cb->aio_sigevent, SIGRTMIN, NULL);
    cb->aio_sigevent.sigev_value.sival_int = (int)i;
}

static void take_and_count_signal(void)
{
    siginfo_t info;

    take_signal(SIGRTMIN, &info);
    ck_assert_int_eq(info.si_code, SI_ASYNCIO);
    atomic_fetch_add(&shared->calls[info.si_value.sival_int], 1);
}

/* The same of signals. */
START_TEST(signals_come_once_and_in_the_parent_only)
{
    block_signal(SIGRTMIN);
    notify_with_a_child(_i, by_signal, take_and_count_signal, __func__);
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

/* The same of a list's own notification. */
START_TEST(a_list_is_told_of_once_and_in_the_parent_only)
{
    struct aiocb cbs[2], *list[2];
    struct sigevent sig;
    char buf[2];
    int ends[2][2], over[2];
    pid_t pid;

    begin();
    queue_everything();
    make_pipe(over);
    for (int i = 0; i < 2; i++) {
        make_pipe(ends[i]);
        prep(&cbs[i], ends[i][0], &buf[i], 1, 0);
        cbs[i].aio_lio_opcode = LIO_READ;
        list[i] = &cbs[i];
    }
    notify_by_thread(&sig, count_call, NULL, NULL);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, 2, &sig), 0);
    let_others_run();
    pid = fork_by(_i);
    if (pid == 0) {
        close(over[1]);
        ck_assert_int_eq(aio_error(&cbs[0]), ECANCELED);
        ck_assert_int_eq(aio_error(&cbs[1]), ECANCELED);
        see_that_nothing_comes(over[0]);
        _exit(0);
    }
    if (no_such_way(pid, __func__))
        return;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(write(ends[i][1], "x", 1), 1);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    await(&called);
    close(over[1]);
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(atomic_load(&shared->calls[0]), 1);
}
END_TEST

/* --- several threads --- */

static atomic_bool enough;

struct submitter {
    pthread_t thread;
    int fd, ends[2];
    bool callbacks;
    sem_t called;
    atomic_int rounds;
};

static void call_submitter(union sigval value)
{
    sem_post(&((struct submitter *)value.sival_ptr)->called);
}

/* Off the main thread, so without assertions. */
static void expect_result(struct aiocb *cb, ssize_t result)
{
    const struct aiocb *const list[] = {cb};

    while (aio_error(cb) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    if (aio_error(cb) != 0 || aio_return(cb) != result)
        atomic_fetch_add(&shared->failures, 1);
}

static void expect(bool condition)
{
    if (!condition)
        atomic_fetch_add(&shared->failures, 1);
}

static void submit_a_round(struct submitter *s)
{
    struct aiocb write_cb, read_cb, stream, *list[] = {&write_cb, &read_cb};
    char sent = (char)atomic_load(&s->rounds), got = 0, got_by_stream = 0;

    prep(&stream, s->ends[0], &got_by_stream, 1, 0);
    expect(aio_read(&stream) == 0);
    prep(&write_cb, s->fd, &sent, 1, 0);
    write_cb.aio_lio_opcode = LIO_WRITE;
    expect(aio_write(&write_cb) == 0);
    expect_result(&write_cb, 1);
    expect(aio_fsync(O_DSYNC, &write_cb) == 0);
    expect_result(&write_cb, 0);
    prep(&read_cb, s->fd, &got, 1, 0);
    read_cb.aio_lio_opcode = LIO_READ;
    write_cb.aio_offset = 1;
    if (s->callbacks)
        notify_by_thread(&read_cb.aio_sigevent, call_submitter, s, NULL);
    expect(lio_listio(LIO_WAIT, list, 2, NULL) == 0);
    expect_result(&write_cb, 1);
    expect_result(&read_cb, 1);
    expect(got == sent);
    if (s->callbacks)
        await(&s->called);
    expect(write(s->ends[1], &sent, 1) == 1);
    expect_result(&stream, 1);
    expect(got_by_stream == sent);
}

static void *keep_submitting(void *argument)
{
    struct submitter *s = argument;

    while (!atomic_load(&enough)) {
        submit_a_round(s);
        atomic_fetch_add(&s->rounds, 1);
    }
    return NULL;
}

/*
 * "No hang whatever the parent was doing": several threads are anywhere in the
 * library when it forks.  Where libc, or a sanitizer, knows nothing of the fork
 * its own locks may be held in the child, so there no thread is started
 * meanwhile.
 */
START_TEST(forks_while_threads_submit)
{
    enum { CHILDREN = SANITIZED ? 20 : 100 };
    static struct submitter submitters[4];
    int fd = temp_file(256);

    begin();
    ck_assert_int_eq(setenv("UAIO_IDLE_MS", "3600000", 1), 0);
    queue_everything();
    aio_works(fd);
    for (size_t i = 0; i < COUNT(submitters); i++) {
        struct submitter *s = &submitters[i];

        s->fd = temp_file(2);
        make_pipe(s->ends);
        s->callbacks = _i == BY_FORK && !SANITIZED;
        ck_assert_int_eq(sem_init(&s->called, 0, 0), 0);
        start_thread(&s->thread, keep_submitting, s);
    }
    for (int n = 0; n < CHILDREN; n++) {
        const int before = atomic_load(&submitters[0].rounds);
        pid_t pid = fork_by(_i);

        if (pid == 0) {
            aio_works(fd);
            _exit(0);
        }
        if (pid < 0 && errno == ENOSYS)
            break;
        ck_assert_int_ge(pid, 0);
        ck_assert_int_eq(status_of(pid), 0);
        while (atomic_load(&submitters[0].rounds) == before)
            sched_yield();
    }
    atomic_store(&enough, true);
    for (size_t i = 0; i < COUNT(submitters); i++)
        join_thread(submitters[i].thread);
    ck_assert_int_eq(atomic_load(&shared->failures), 0);
}
END_TEST

/* --- in callbacks --- */

enum { GO_ON, RETURN, USE_AND_RETURN, PTHREAD_EXIT, EXEC, EXIT, IN_CALLBACK };

static const int expected_status[IN_CALLBACK] = {[GO_ON] = 4, [EXIT] = 3};
static int in_callback;
static int files[2];
static atomic_int child;
static sem_t may_fork;

static void note_exit(void)
{
    if (getpid() != test_process)
        atomic_store(&shared->exited, 1);
}

static void fork_and_go_on(union sigval value)
{
    pid_t pid;

    (void)value;
    await(&may_fork);
    pid = fork();
    if (pid == 0) {
        if (in_callback == GO_ON || in_callback == USE_AND_RETURN)
            aio_works(files[0]);
        if (in_callback == GO_ON)
            _exit(expected_status[GO_ON]);
        if (in_callback == PTHREAD_EXIT)
            pthread_exit(NULL);
        if (in_callback == EXEC) {
            execute_new_image();
            _exit(127);
        }
        if (in_callback == EXIT)
            exit(expected_status[EXIT]);
        return;
    }
    atomic_store(&child, pid);
    sem_post(&called);
}

static bool ends_the_thread(int what)
{
    return what == RETURN || what == USE_AND_RETURN || what == PTHREAD_EXIT;
}

static void fork_in_a_callback(int what, pthread_attr_t *attributes)
{
    struct aiocb cb, waiting;
    char byte;
    int ends[2];

    if (SANITIZED && ends_the_thread(what))
        SKIP("ThreadSanitizer cannot end such a thread");
    begin();
    in_callback = what;
    ck_assert_int_eq(setenv("UAIO_IDLE_MS", "20", 1), 0);
    queue_everything();
    ck_assert_int_eq(sem_init(&may_fork, 0, 0), 0);
    files[0] = temp_file(256);
    files[1] = temp_file(256);
    make_pipe(ends);
    prep(&waiting, ends[0], &byte, 1, 0);
    must_read(&waiting);
    ck_assert_int_eq(atexit(note_exit), 0);
    fflush(NULL); /* what is not written yet would be written by the child, too */
    for (int round = 0; round < 5; round++) {
        prep(&cb, files[1], &byte, 1, 0);
        notify_by_thread(&cb.aio_sigevent, fork_and_go_on, NULL, attributes);
        must_read(&cb);
        sem_post(&may_fork); /* no assertion is under way here, whose lock the child would need */
        await(&called);
        ck_assert_int_gt(atomic_load(&child), 0);
        ck_assert_int_eq(status_of(atomic_load(&child)), expected_status[what]);
        ck_assert_int_eq(finish(&cb), 1);
    }
    if (what != GO_ON && what != EXEC)
        ck_assert_int_eq(atomic_load(&shared->exited), 1);
    ck_assert_int_eq(aio_error(&waiting), EINPROGRESS);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(finish(&waiting), 1);
    aio_works(files[1]);
}

/*
 * In the child of a callback that forks there is the callback's thread alone.
 * It may go on, use AIO, call _exit(), exit() or exec.  If the callback
 * returns, or calls pthread_exit(), that thread ends, as the last of its
 * process: which exits with 0, and runs its atexit() handlers.
 */
START_TEST(a_callback_may_fork)
{
    fork_in_a_callback(_i, NULL);
}
END_TEST

/* The same in a thread that was made with the attributes given. */
START_TEST(a_callback_with_attributes_may_fork)
{
    pthread_attr_t attributes;

    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, (size_t)1 << 20), 0);
    fork_in_a_callback(_i, &attributes);
}
END_TEST

/* --- in signal handlers --- */

static volatile sig_atomic_t forked;
static int handlers_way;
static volatile int fork_error;
static struct aiocb pair[2];

static void fork_once(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;

    (void)signo;
    (void)info;
    if (forked < 0 && aio_error(&pair[1]) == EINPROGRESS &&
        (handlers_way == BY_FORK || was_asleep(context))) {
        forked = fork_by(handlers_way);
        fork_error = errno;
    }
    errno = saved;
}

static void prep_pair(struct aiocb cbs[2], char buf[2], int ends[2])
{
    make_pipe(ends);
    for (int i = 0; i < 2; i++) {
        prep(&cbs[i], ends[0], &buf[i], 1, 0);
        cbs[i].aio_lio_opcode = LIO_READ;
        notify_by_signal(&cbs[i].aio_sigevent, 0, NULL);
    }
}

static void finish_pair(struct aiocb cbs[2], const int ends[2])
{
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(finish(&cbs[0]), 1);
    ck_assert_int_eq(write(ends[1], "y", 1), 1);
    ck_assert_int_eq(finish(&cbs[1]), 1);
    close(ends[0]);
    close(ends[1]);
}

/*
 * A handler that forks: in the child the aio_suspend() that it interrupted
 * waits for what is cancelled there, and returns; in the parent it is EINTR.
 */
START_TEST(a_handler_may_fork_while_aio_suspend_waits)
{
    const struct aiocb *const list[] = {&pair[0], &pair[1]};
    char buf[2];
    int ends[2], fd = temp_file(256);

    handlers_way = _i;
    handle(SIGUSR1, fork_once, 0);
    no_leak_check_at_exit();
    for (int round = 0; round < 10; round++) {
        int result, error;

        prep_pair(pair, buf, ends);
        must_read(&pair[0]);
        must_read(&pair[1]);
        forked = -1;
        storm_begin(SIGUSR1, 1000);
        errno = 0;
        result = aio_suspend(list, 2, NULL);
        error = errno;
        if (forked == 0) {
            ck_assert(result == 0 || (result == -1 && error == EINTR));
            finish_with(&pair[0], ECANCELED);
            finish_with(&pair[1], ECANCELED);
            aio_works(fd);
            _exit(0);
        }
        storm_end();
        errno = fork_error;
        if (no_such_way((pid_t)forked, __func__))
            return;
        ck_assert_int_eq(result, -1);
        ck_assert_int_eq(error, EINTR);
        ck_assert_int_eq(status_of((pid_t)forked), 0);
        ck_assert_int_eq(aio_error(&pair[0]), EINPROGRESS);
        finish_pair(pair, ends);
    }
}
END_TEST

/* The same of lio_listio(LIO_WAIT), which in the child may also say that the entries failed. */
START_TEST(a_handler_may_fork_while_lio_listio_waits)
{
    struct aiocb *const list[] = {&pair[0], &pair[1]};
    char buf[2];
    int ends[2], fd = temp_file(256);

    handlers_way = _i;
    handle(SIGUSR1, fork_once, 0);
    no_leak_check_at_exit();
    for (int round = 0; round < 10; round++) {
        int result, error;

        prep_pair(pair, buf, ends);
        forked = -1;
        storm_begin(SIGUSR1, 1000);
        result = lio_listio(LIO_WAIT, list, 2, NULL);
        error = errno;
        if (forked == 0) {
            ck_assert_int_eq(result, -1);
            ck_assert(error == EINTR || error == EIO);
            finish_with(&pair[0], ECANCELED);
            finish_with(&pair[1], ECANCELED);
            aio_works(fd);
            _exit(0);
        }
        storm_end();
        errno = fork_error;
        if (no_such_way((pid_t)forked, __func__))
            return;
        ck_assert_int_eq(result, -1);
        ck_assert_int_eq(error, EINTR);
        ck_assert_int_eq(status_of((pid_t)forked), 0);
        ck_assert_int_eq(aio_error(&pair[0]), EINPROGRESS);
        finish_pair(pair, ends);
    }
}
END_TEST

/* --- generations --- */

/* A process with requests of its own, and all of its ancestors' cancelled. */
static void live(int generation, int way, int fd)
{
    enum { GENERATIONS = 5 };
    static struct aiocb cbs[GENERATIONS][2];
    char buf[2];
    int ends[2];
    pid_t pid;

    for (int i = 0; i < generation; i++) {
        finish_with(&cbs[i][0], ECANCELED);
        finish_with(&cbs[i][1], ECANCELED);
    }
    aio_works(fd);
    if (generation == GENERATIONS)
        return;
    prep_pair(cbs[generation], buf, ends);
    must_read(&cbs[generation][0]);
    must_read(&cbs[generation][1]);
    pid = fork_by(way);
    if (pid == 0) {
        live(generation + 1, way, fd);
        _exit(0);
    }
    ck_assert_int_ge(pid, 0);
    ck_assert_int_eq(status_of(pid), 0);
    finish_pair(cbs[generation], ends);
    aio_works(fd);
}

/* The child is a parent in its turn. */
START_TEST(children_of_children)
{
    pid_t pid = fork_by(_i); /* before any use */

    if (pid == 0) {
        live(0, _i, temp_file(256));
        _exit(0);
    }
    if (no_such_way(pid, __func__))
        return;
    ck_assert_int_eq(status_of(pid), 0);
    live(0, _i, temp_file(256));
}
END_TEST

/* The parent, too, has children one after the other, that do not end in that order. */
START_TEST(many_children_at_once)
{
    pid_t pids[20];
    struct aiocb cbs[2];
    char buf[2];
    int ends[2], go[2], fd = temp_file(256);

    make_pipe(go);
    prep_pair(cbs, buf, ends);
    must_read(&cbs[0]);
    must_read(&cbs[1]);
    for (size_t i = 0; i < COUNT(pids); i++) {
        pids[i] = fork_by(_i);
        if (pids[i] == 0) {
            char byte;
            int own = temp_file(256);

            close(go[1]);
            ck_assert_int_eq(read(go[0], &byte, 1), 0);
            finish_with(&cbs[0], ECANCELED);
            aio_works(own);
            _exit(0);
        }
        if (no_such_way(pids[i], __func__))
            return;
        aio_works(fd);
    }
    close(go[1]);
    for (size_t i = COUNT(pids); i-- > 0;)
        ck_assert_int_eq(status_of(pids[i]), 0);
    finish_pair(cbs, ends);
}
END_TEST

/* --- handlers of pthread_atfork() --- */

static int atfork_fd;

static void use_aio_in_handler(void)
{
    struct aiocb cb, append, sync;
    char byte;

    prep(&cb, atfork_fd, &byte, 1, 0);
    prep(&append, atfork_fd, "x", 1, 1);
    prep(&sync, atfork_fd, NULL, 0, 0);
    expect(aio_read(&cb) == 0 && aio_write(&append) == 0 && aio_fsync(O_DSYNC, &sync) == 0);
    expect_result(&cb, 1);
    expect_result(&append, 1);
    expect_result(&sync, 0);
}

static void use_aio_in_the_child(void)
{
    expect(aio_error(&in_flight[0]) == ECANCELED);
    use_aio_in_handler();
    atomic_fetch_add(&shared->calls[0], 1);
}

/*
 * The handlers of pthread_atfork() may use AIO, whether they come before ours
 * or after.  (With IN_FLIGHT_FILES the parent has no worker free.)
 */
START_TEST(handlers_of_atfork_may_use_aio)
{
    const int kind = _i % IN_FLIGHT_KINDS;
    void (*const in_parent)(void) = kind == IN_FLIGHT_STREAMS ? use_aio_in_handler : NULL;
    const bool first = _i / IN_FLIGHT_KINDS > 0;
    pid_t pid;

    if ((PORTABLE || !wipes_on_fork()) && first)
        SKIP("the handler comes before the library's");
    begin();
    atfork_fd = temp_file(4);
    if (first)
        ck_assert_int_eq(pthread_atfork(in_parent, in_parent, use_aio_in_the_child), 0);
    if (!in_flight_make(kind, NULL, __func__))
        return;
    if (!first)
        ck_assert_int_eq(pthread_atfork(in_parent, in_parent, use_aio_in_the_child), 0);
    pid = fork();
    if (pid == 0)
        _exit(0);
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(atomic_load(&shared->calls[0]), 1);
    ck_assert_int_eq(atomic_load(&shared->failures), 0);
    in_flight_finish();
}
END_TEST

/* --- threads of a child that meet first --- */

enum { CHILDS_THREADS = 8 };

static atomic_int at_the_start;

/* Off the main thread, so without assertions: NULL if all is right. */
static void *write_and_wait(void *argument)
{
    char byte = 'x';
    struct aiocb cb = {.aio_fildes = *(int *)argument, .aio_buf = &byte, .aio_nbytes = 1};
    const struct aiocb *const list[] = {&cb};

    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    atomic_fetch_sub(&at_the_start, 1);
    while (atomic_load(&at_the_start) > 0)
        sched_yield();
    if (aio_write(&cb) != 0)
        return argument;
    while (aio_error(&cb) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    return aio_return(&cb) == 1 ? NULL : argument;
}

static int meet_in_the_child(int fd)
{
    pthread_t threads[CHILDS_THREADS];
    int wrong = 0;

    atomic_store(&at_the_start, CHILDS_THREADS);
    for (int i = 0; i < CHILDS_THREADS; i++)
        if (pthread_create(&threads[i], NULL, write_and_wait, &fd) != 0)
            return 100;
    for (int i = 0; i < CHILDS_THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        wrong += failed != NULL;
    }
    return wrong;
}

/* "AIO works afresh there", whoever of its threads comes first, or all at once.
 * fork() has handlers, by which its only thread is the first. */
START_TEST(threads_of_a_child_may_meet_first)
{
    const int way = FORK_WAYS_HERE > BY_UNDERSCORE_FORK ? BY_UNDERSCORE_FORK : BY_FORK;
    int fd = temp_file(256);

    if (SANITIZED)
        SKIP("the sanitizers do not know threads of such children");
    aio_works(fd);
    for (int round = 0; round < 200; round++) {
        pid_t pid = fork_by(way);
        if (pid == 0)
            _exit(meet_in_the_child(fd));
        if (no_such_way(pid, __func__))
            return;
        ck_assert_int_eq(status_of(pid), 0);
    }
    aio_works(fd);
}
END_TEST

Suite *fork_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("fork", 30, &tc);

    tcase_add_loop_test(tc, aio_error_of_the_childs_copy_is_ecanceled, 0, CASES);
    tcase_add_loop_test(tc, aio_return_of_the_childs_copy_is_minus_1_and_ecanceled, 0, CASES);
    tcase_add_loop_test(tc, aio_suspend_on_the_childs_copies_returns, 0, CASES);
    tcase_add_loop_test(tc, aio_cancel_of_the_childs_copies_finds_all_done, 0, CASES);
    tcase_add_loop_test(tc, the_childs_copies_may_be_submitted, 0, CASES);
    tcase_add_loop_test(tc, the_child_has_the_results_of_what_was_done, 0, 2);
    tcase_add_loop_test(tc, aio_works_in_the_child, 0, CASES);
    tcase_add_loop_test(tc, the_childs_requests_do_not_wait_for_the_parents, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, the_child_may_wait_and_cancel_where_the_parent_waits, 0,
                        FORK_WAYS_HERE);
    tcase_add_loop_test(tc, the_child_may_close_what_the_parent_waits_on, 0, CASES);
    tcase_add_loop_test(tc, callbacks_run_once_and_in_the_parent_only, 0, CASES);
    tcase_add_loop_test(tc, signals_come_once_and_in_the_parent_only, 0, CASES);
    tcase_add_loop_test(tc, a_list_is_told_of_once_and_in_the_parent_only, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, forks_while_threads_submit, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, a_callback_may_fork, 0, IN_CALLBACK);
    tcase_add_loop_test(tc, a_callback_with_attributes_may_fork, 0, IN_CALLBACK);
    tcase_add_loop_test(tc, a_handler_may_fork_while_aio_suspend_waits, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, a_handler_may_fork_while_lio_listio_waits, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, children_of_children, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, many_children_at_once, 0, FORK_WAYS_HERE);
    tcase_add_test(tc, threads_of_a_child_may_meet_first);
    tcase_add_loop_test(tc, handlers_of_atfork_may_use_aio, 0, 2 * IN_FLIGHT_KINDS);
    return suite;
}
