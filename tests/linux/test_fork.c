/* SPDX-License-Identifier: MIT */
/* fork, clone, exec and exit. */
#include "helpers.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* "fork: the child's copy of a context is dead (EINVAL), new ones work" */
START_TEST(the_childs_copy_is_dead)
{
    struct iocb cb, waiting;
    struct io_event event;
    char byte;
    int fd = temp_file(1), ends[2];
    aio_context_t ctx = new_context(4);
    pid_t pid;

    make_pipe(ends);
    prep_read(&cb, fd, &byte, 1, 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    prep_poll(&waiting, ends[0], POLLIN);
    must_submit(ctx, &waiting);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        aio_context_t mine = 0;

        EXPECT(submit(ctx, &cb) == -EINVAL);
        EXPECT(t_getevents(ctx, 1, 1, &event, NULL) == -EINVAL);
        EXPECT(t_cancel(ctx, &waiting, NULL) == -EINVAL);
        EXPECT(t_destroy(ctx) == -EINVAL);
        EXPECT(t_setup(4, &mine) == 0);
        byte = 0;
        EXPECT(submit(mine, &cb) == 1);
        EXPECT(t_getevents(mine, 1, 1, &event, NULL) == 1);
        EXPECT(event.res == 1 && byte == (char)pattern(0));
        EXPECT(t_destroy(mine) == 0);
        _exit(0);
    }
    ck_assert_int_eq(status_of(pid, 0), 0);
    /* The parent's lives on. */
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &waiting));
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    must_destroy(ctx);
}
END_TEST

/* The child of a child, and contexts made before any request. */
START_TEST(generations)
{
    struct iocb cb;
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(4);
    pid_t pid;

    prep_read(&cb, fd, &byte, 1, 0);
    pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 5; i++) {
            struct io_event event;
            aio_context_t old = ctx;

            EXPECT(submit(old, &cb) == -EINVAL);
            ctx = 0;
            EXPECT(t_setup(4, &ctx) == 0);
            EXPECT(submit(ctx, &cb) == 1);
            EXPECT(t_getevents(ctx, 1, 1, &event, NULL) == 1);
            pid = fork();
            EXPECT(pid >= 0);
            if (pid > 0) {
                int status;

                EXPECT(waitpid(pid, &status, 0) == pid);
                _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 255);
            }
        }
        _exit(0);
    }
    ck_assert_int_eq(status_of(pid, 0), 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
}
END_TEST

static aio_context_t shared;
static struct iocb shared_cb;
static char shared_byte;
static int found[4];

static int use_the_shared(void *argument)
{
    struct io_event event;

    (void)argument;
    found[0] = t_getevents(shared, 1, 1, &event, NULL);
    found[1] = submit(shared, &shared_cb);
    found[2] = t_getevents(shared, 1, 1, &event, NULL);
    found[3] = (int)event.res;
    syscall(SYS_exit, 0); /* of this thread of execution, without what exit() does */
    return 0;
}

/* "a CLONE_VM child shares the contexts, so do not tell a fork by getpid()" */
START_TEST(a_child_that_shares_memory_shares_contexts)
{
    static char stack[1 << 18] __attribute__((aligned(64)));
    pid_t pid;

    if (SANITIZED)
        SKIP("the sanitizers do not know such children");
    shared = new_context(4);
    prep_read(&shared_cb, temp_file(1), &shared_byte, 1, 0);
    must_submit(shared, &shared_cb);
    await_in_ring(ring_of(shared), 1);
    pid = clone(use_the_shared, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(status_of(pid, 0), 0);
    ck_assert_int_eq(found[0], 1);
    ck_assert_int_eq(found[1], 1);
    ck_assert_int_eq(found[2], 1);
    ck_assert_int_eq(found[3], 1);
    ck_assert_int_eq((int)perform(shared, &shared_cb), 1);
    must_destroy(shared);
}
END_TEST

enum { EXIT, UNDERSCORE_EXIT, EXEC, WAYS };

static void leave(int way)
{
    if (way == EXIT)
        exit(0);
    if (way == EXEC)
        execl("/bin/true", "true", (char *)NULL);
    _exit(way == EXEC);
}

/* "exit never hangs on a descriptor that will never be ready" */
START_TEST(leaving_does_not_wait_for_what_is_never_ready)
{
    int ends[2];
    pid_t pid;

    make_pipe(ends);
    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct iocb cb, read_cb;
        char byte;
        aio_context_t ctx = 0;

        EXPECT(t_setup(4, &ctx) == 0);
        prep_poll(&cb, ends[0], POLLIN);
        EXPECT(submit(ctx, &cb) == 1);
        if (!on_kernel()) {
            prep_read(&read_cb, ends[0], &byte, 1, 0);
            EXPECT(submit(ctx, &read_cb) == 1);
        }
        leave(_i);
    }
    ck_assert_int_eq(status_of(pid, 0), 0);
}
END_TEST

/* "exec and exit: in-flight requests are finished before the memory goes" */
START_TEST(leaving_finishes_writes)
{
    enum { N = 60, SIZE = 10000 };
    static char found_bytes[N * SIZE];
    int fd = temp_file(0);
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        static struct iocb cbs[N], *list[N];
        static char bytes[N * SIZE];
        aio_context_t ctx = 0;

        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)pattern(i);
        EXPECT(t_setup(N, &ctx) == 0);
        for (int i = 0; i < N; i++) {
            prep_write(&cbs[i], fd, bytes + i * SIZE, SIZE, i * SIZE);
            list[i] = &cbs[i];
        }
        EXPECT(t_submit(ctx, N, list) == N);
        leave(_i);
    }
    ck_assert_int_eq(status_of(pid, 0), 0);
    ck_assert_int_eq((int)pread(fd, found_bytes, sizeof found_bytes, 0), sizeof found_bytes);
    ck_assert(is_pattern(found_bytes, sizeof found_bytes, 0));
}
END_TEST

static pid_t forked;

static void fork_once(int signo)
{
    (void)signo;
    if (forked < 0)
        forked = fork();
}

/*
 * A handler that forks: in the child the call that it interrupted is one on the
 * parent's context, which is dead there, and must return; the parent has EINTR.
 */
START_TEST(a_handler_may_fork_while_it_waits)
{
    struct iocb cb, waiting;
    struct io_event event;
    sigset_t none;
    char byte;
    int fd = temp_file(1), ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    sigemptyset(&none);
    handle(SIGUSR1, fork_once, 0);
    prep_read(&cb, fd, &byte, 1, 0);
    prep_poll(&waiting, ends[0], POLLIN);
    if (_i > 0)
        must_submit(ctx, &waiting);
    for (int round = 0; round < 20; round++) {
        int result;

        forked = -1;
        fflush(NULL);
        storm_begin(SIGUSR1, 1000);
        result = _i < 2 ? t_getevents(ctx, 1, 1, &event, NULL)
                        : t_pgetevents(ctx, 1, 1, &event, NULL, &none);
        if (forked == 0) {
            aio_context_t mine = 0;

            EXPECT(result == -EINTR || result == -EINVAL);
            EXPECT(t_setup(4, &mine) == 0);
            EXPECT(submit(mine, &cb) == 1);
            EXPECT(t_getevents(mine, 1, 1, &event, NULL) == 1);
            EXPECT(t_destroy(mine) == 0);
            _exit(0);
        }
        storm_end();
        ck_assert_int_eq(result, -EINTR);
        ck_assert_int_gt(forked, 0);
        ck_assert_int_eq(status_of(forked, 0), 0);
        if (_i == 0)
            ck_assert_int_eq((int)perform(ctx, &cb), 1);
    }
    if (_i > 0) {
        ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
        event = reap_one(ctx);
        ck_assert(is_event_of(&event, &waiting));
    }
    must_destroy(ctx);
}
END_TEST

Suite *fork_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("fork", 60, &tc);

    tcase_add_test(tc, the_childs_copy_is_dead);
    tcase_add_test(tc, generations);
    tcase_add_test(tc, a_child_that_shares_memory_shares_contexts);
    tcase_add_loop_test(tc, leaving_does_not_wait_for_what_is_never_ready, 0, WAYS);
#ifdef UAIO_TEST_WITHOUT_SYSCALL /* libaio.so.1 takes over libaio's names only */
    tcase_add_loop_test(tc, leaving_finishes_writes, EXIT, EXIT + 1);
#else
    tcase_add_loop_test(tc, leaving_finishes_writes, 0, WAYS);
#endif
    tcase_add_loop_test(tc, a_handler_may_fork_while_it_waits, 0, 3);
    return suite;
}
