/* SPDX-License-Identifier: MIT */
/*
 * Six well-known defects of libc's AIO.  Each test asks for what the standard
 * lets a program expect, fails on glibc, and must pass on uaio; it is small
 * enough to be shown to somebody.  The contract itself is tested elsewhere.
 *
 * defects.sh runs this program on both and makes a table of what happened.
 */
#include "helpers.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#ifdef __GLIBC__
# include <gnu/libc-version.h>
#endif

/* What has not come after so long is called lost. */
#define LOST_S 2

static char bytes[100];

static struct timespec lost_at(clockid_t clock)
{
    struct timespec t;

    ck_assert_int_eq(clock_gettime(clock, &t), 0);
    t.tv_sec += LOST_S;
    return t;
}

static void read_pending_pipes(struct aiocb *cbs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int ends[2];

        make_pipe(ends);
        prep(&cbs[i], ends[0], &bytes[i], 1, 0);
        must_read(&cbs[i]);
    }
}

/* glibc gives each a thread, of which it has 20, until it gets something.  The
 * hundred are for those who have more threads. */
START_TEST(pending_pipe_reads)
{
    static struct aiocb pending[100], cb;
    int fd = temp_file(10);

    queue_everything(); /* cached reads too: it is about the threads */
    read_pending_pipes(pending, COUNT(pending));
    prep(&cb, fd, bytes, 10, 0);
    must_read(&cb);
    ck_assert_int_eq(finish(&cb), 10);
    must_write(&cb);
    ck_assert_int_eq(finish(&cb), 10);
    must_fsync(&cb);
    ck_assert_int_eq(finish(&cb), 0);
}
END_TEST

/* In glibc a descriptor has one queue for both directions. */
START_TEST(pending_socket_read)
{
    static struct aiocb reading, writing;
    char question[4], answer[4];
    int ends[2];

    make_sockets(ends);
    prep(&reading, ends[0], answer, sizeof answer, 0);
    must_read(&reading);
    prep(&writing, ends[0], "why?", 4, 0);
    must_write(&writing);
    read_fully(ends[1], question, sizeof question);
    ck_assert_int_eq(write(ends[1], "so.", 4), 4);
    ck_assert_int_eq(finish(&reading), 4);
    ck_assert_str_eq(answer, "so.");
    ck_assert_int_eq(finish(&writing), 4);
}
END_TEST

/* glibc looks up the descriptor when the request's turn has come.  dup2() closes
 * and opens in one step: between close() and open() glibc's thread would at
 * times find no descriptor, and the defect would not show. */
START_TEST(descriptor_used_again)
{
    static struct aiocb blocked, queued;
    struct stat st;
    int ends[2], file = temp_file(0);

    make_sockets(ends);
    fill_up(ends[0]);
    prep(&blocked, ends[0], "for the client", 14, 0);
    prep(&queued, ends[0], "for the client, too", 19, 0);
    must_write(&blocked);
    must_write(&queued);
    ck_assert_int_eq(dup2(file, ends[0]), ends[0]);
    while (read(ends[1], bytes, sizeof bytes) > 0)
        ;
    wait_done(&queued);
    ck_assert_int_eq(fstat(file, &st), 0);
    if (st.st_size != 0)
        ck_abort_msg("a write to a closed socket is in a file");
}
END_TEST

/* 0 if the child of a fork can read a file by AIO. */
static int read_in_child(int fd)
{
    static struct aiocb cb;
    const struct aiocb *const list[] = {&cb};

    prep(&cb, fd, bytes, 10, 0);
    if (aio_read(&cb) != 0)
        return 1;
    while (aio_error(&cb) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    return aio_return(&cb) == 10 ? 0 : 2;
}

/* glibc counts on threads that only the parent has. */
START_TEST(forked_child)
{
    static struct aiocb pending[20];
    int fd = temp_file(10), status;
    pid_t child;

    queue_everything();
    read_pending_pipes(pending, COUNT(pending));
    child = fork();
    if (child == 0)
        _exit(read_in_child(fd));
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

static sem_t called;

static void call_back(union sigval value)
{
    (void)value;
    sem_post(&called);
}

/* glibc starts a thread for each callback, and forgets the callback if that fails. */
START_TEST(callback_without_threads)
{
    static struct aiocb cb;
    struct timespec lost;
    int ends[2];

    make_pipe(ends);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    prep(&cb, ends[0], bytes, 1, 0);
    notify_by_thread(&cb.aio_sigevent, call_back, NULL, NULL);
    must_read(&cb);
    if (!forbid_threads())
        SKIP("pthread_create cannot be made to fail here");
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    wait_done(&cb);
    lost = lost_at(CLOCK_REALTIME);
    while (sem_timedwait(&called, &lost) != 0)
        if (errno == ETIMEDOUT)
            ck_abort_msg("the callback is lost");
}
END_TEST

/* glibc sends a signal once, whether it can be queued or not. */
START_TEST(full_signal_queue)
{
    static struct aiocb cbs[20];
    const struct timespec lost = {.tv_sec = LOST_S};
    struct rlimit limit;
    int fd = temp_file(COUNT(cbs));
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    block_signal(SIGRTMIN);
    ck_assert_int_eq(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
    limit.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
    for (size_t i = 0; i < COUNT(cbs); i++) {
        prep(&cbs[i], fd, &bytes[i], 1, (off_t)i);
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, NULL);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < COUNT(cbs); i++)
        wait_done(&cbs[i]);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
    for (size_t i = 0; i < COUNT(cbs); i++)
        if (sigtimedwait(&set, NULL, &lost) != SIGRTMIN)
            ck_abort_msg("%zu of %zu signals are lost", COUNT(cbs) - i, COUNT(cbs));
}
END_TEST

static __attribute__((noinline)) int wait_for_list(struct aiocb *cb)
{
    struct aiocb *list[] = {cb};

    return lio_listio(LIO_WAIT, list, 1, NULL) == 0 ? 0 : errno;
}

/* What has ended with its frames here: that memory holds other things now. */
static __attribute__((noinline)) void end_over_dead_frames(struct aiocb *cb, int writer, int fd)
{
    volatile char dead[32768];
    struct aiocb next;

    for (size_t i = 0; i < sizeof dead; i++)
        dead[i] = (char)0xa5;
    ck_assert_int_eq(write(writer, "x", 1), 1);
    while (aio_error(cb) == EINPROGRESS)
        sched_yield();
    /* Under the lock that glibc's thread held when it told the waiters. */
    prep(&next, fd, bytes, 1, 0);
    must_read(&next);
    ck_assert_int_eq(finish(&next), 1);
}

/* glibc's requests keep pointers to their waiters, which are on the stack of lio_listio(). */
START_TEST(interrupted_list)
{
    static struct aiocb cb;
    int ends[2], fd = temp_file(1);

    make_pipe(ends);
    prep(&cb, ends[0], bytes, 1, 0);
    cb.aio_lio_opcode = LIO_READ;
    handle(SIGUSR1, ignore_quietly, 0);
    storm_begin(SIGUSR1, 500);
    ck_assert_int_eq(wait_for_list(&cb), EINTR);
    storm_end();
    end_over_dead_frames(&cb, ends[1], fd);
    ck_assert_int_eq(finish(&cb), 1);
}
END_TEST

int main(void)
{
    TCase *tc;
    SRunner *runner = srunner_create(new_suite("defects", 4, &tc));
    int failed;

    tcase_add_test(tc, pending_pipe_reads);
    tcase_add_test(tc, pending_socket_read);
    tcase_add_test(tc, descriptor_used_again);
    tcase_add_test(tc, forked_child);
    tcase_add_test(tc, callback_without_threads);
    tcase_add_test(tc, full_signal_queue);
    tcase_add_test(tc, interrupted_list);

#ifdef __GLIBC__
    printf("libc: glibc %s\n", gnu_get_libc_version());
#else
    printf("libc: another\n");
#endif
    fflush(stdout);
    if (!temp_begin()) {
        perror("temporary directory");
        srunner_free(runner);
        return EXIT_FAILURE;
    }
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    temp_end();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
