/* SPDX-License-Identifier: MIT */
/* fork, clone, exec and exit. */
#include "helpers.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static bool no_such_way(pid_t pid, const char *test)
{
    if (pid < 0 && errno == ENOSYS) {
        skipped(test, "there is no _Fork here, or nothing that tells of it");
        return true;
    }
    ck_assert_int_ge(pid, 0);
    return false;
}

/* "fork: the child's copy of a context is dead (EINVAL), new ones work", whoever forks. */
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
    pid = fork_by(_i);
    if (no_such_way(pid, __func__))
        return;
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
    pid = fork_by(_i);
    if (no_such_way(pid, __func__))
        return;
    if (pid == 0) {
        for (int i = 0; i < 5; i++) {
            struct io_event event;
            aio_context_t old = ctx;

            EXPECT(submit(old, &cb) == -EINVAL);
            ctx = 0;
            EXPECT(t_setup(4, &ctx) == 0);
            EXPECT(submit(ctx, &cb) == 1);
            EXPECT(t_getevents(ctx, 1, 1, &event, NULL) == 1);
            pid = fork_by(_i);
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

static atomic_bool enough;
static atomic_int failures;

struct submitter {
    pthread_t thread;
    int fd;
    atomic_int rounds;
};

/* Off the main thread, so without assertions. */
static void *keep_submitting(void *argument)
{
    struct submitter *s = argument;
    aio_context_t ctx = 0;

    if (t_setup(4, &ctx) != 0)
        atomic_fetch_add(&failures, 1);
    while (!atomic_load(&enough)) {
        struct iocb write_cb, sync_cb, *list[] = {&write_cb, &sync_cb};
        struct io_event events[2];

        prep_write(&write_cb, s->fd, "x", 1, 0);
        prep(&sync_cb, IOCB_CMD_FSYNC, s->fd, NULL, 0, 0);
        if (t_submit(ctx, 2, list) != 2 || t_getevents(ctx, 2, 2, events, NULL) != 2 ||
            events[0].res + events[1].res != 1)
            atomic_fetch_add(&failures, 1);
        atomic_fetch_add(&s->rounds, 1);
    }
    if (t_destroy(ctx) != 0)
        atomic_fetch_add(&failures, 1);
    return NULL;
}

/* Forks while several threads are anywhere in the library: the child has none of their locks. */
START_TEST(forks_while_threads_submit)
{
    const int children = SANITIZED || on_kernel() ? 20 : 100; /* the kernel's io_destroy is slow */
    static struct submitter submitters[4];
    struct iocb cb;
    char byte;
    int fd = temp_file(1);
    aio_context_t ctx = new_context(4);

    queue_everything();
    prep_read(&cb, fd, &byte, 1, 0);
    for (size_t i = 0; i < COUNT(submitters); i++) {
        submitters[i].fd = temp_file(1);
        start_thread(&submitters[i].thread, keep_submitting, &submitters[i]);
    }
    for (int n = 0; n < children; n++) {
        const int before = atomic_load(&submitters[0].rounds);
        pid_t pid = fork_by(_i);

        if (pid == 0) {
            struct io_event event;
            aio_context_t mine = 0;

            EXPECT(submit(ctx, &cb) == -EINVAL);
            EXPECT(t_setup(4, &mine) == 0);
            EXPECT(submit(mine, &cb) == 1);
            EXPECT(t_getevents(mine, 1, 1, &event, NULL) == 1);
            EXPECT(event.res == 1);
            EXPECT(t_destroy(mine) == 0);
            _exit(0);
        }
        if (no_such_way(pid, __func__))
            break;
        ck_assert_int_eq(status_of(pid, 0), 0);
        while (atomic_load(&submitters[0].rounds) == before)
            sched_yield();
    }
    atomic_store(&enough, true);
    for (size_t i = 0; i < COUNT(submitters); i++)
        join_thread(submitters[i].thread);
    ck_assert_int_eq(atomic_load(&failures), 0);
    ck_assert_int_eq((int)perform(ctx, &cb), 1);
    must_destroy(ctx);
}
END_TEST

/*
 * A child of vfork() has our memory and descriptors of its own: what it closes
 * and replaces, before it calls _exit() or exec, is not closed for us.
 */
START_TEST(a_child_of_vfork_leaves_contexts_alone)
{
    struct iocb polled, read_cb;
    struct io_event event;
    volatile int worked = 0;
    char byte;
    int ends[2], read_ends[2], other = temp_file(1);
    aio_context_t ctx = new_context(4);
    pid_t pid;

    make_pipe(ends);
    make_pipe(read_ends);
    prep_poll(&polled, ends[0], POLLIN);
    must_submit(ctx, &polled);
    prep_read(&read_cb, read_ends[0], &byte, 1, 0);
    if (!on_kernel())
        must_submit(ctx, &read_cb);
    pid = vfork();
    if (pid == 0) {
        worked += dup2(other, read_ends[0]) == read_ends[0];
        worked += close(ends[0]) == 0;
        if (worked == 2 && _i > 0)
            execl("/bin/true", "true", (char *)NULL);
        _exit(worked == 2 && _i == 0 ? 0 : 127);
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(status_of(pid, 0), 0);
    nothing_to_reap(ctx);
    ck_assert_int_eq((int)write(ends[1], "x", 1), 1);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, &polled));
    if (!on_kernel()) {
        ck_assert_int_eq((int)write(read_ends[1], "y", 1), 1);
        event = reap_one(ctx);
        ck_assert(is_event_of(&event, &read_cb));
        ck_assert_int_eq(byte, 'y');
    }
    must_destroy(ctx);
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

#ifndef UAIO_TEST_WITHOUT_SYSCALL
/*
 * The same of daemon(), whose caller ends within: the writes that were accepted
 * are done, and the daemon, which has none of it, uses contexts of its own.
 */
START_TEST(a_daemon_leaves_no_write_undone)
{
    enum { N = 60, SIZE = 10000 };
    static char found_bytes[N * SIZE];
    char answer = 0;
    int fd = temp_file(0), ends[2];
    pid_t pid;

    make_pipe(ends);
    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        static struct iocb cbs[N], *list[N];
        static char bytes[N * SIZE];
        struct io_event event;
        aio_context_t ctx = 0, old;

        close(ends[0]);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)pattern(i);
        EXPECT(t_setup(N, &ctx) == 0);
        for (int i = 0; i < N; i++) {
            prep_write(&cbs[i], fd, bytes + i * SIZE, SIZE, i * SIZE);
            list[i] = &cbs[i];
        }
        EXPECT(t_submit(ctx, N, list) == N);
        EXPECT(daemon(1, _i) == 0);
        signal(SIGALRM, SIG_DFL); /* Check has a handler, and no hold of a daemon */
        alarm(30);
        old = ctx;
        ctx = 0;
        EXPECT(submit(old, &cbs[0]) == -EINVAL);
        EXPECT(t_setup(4, &ctx) == 0);
        EXPECT(submit(ctx, &cbs[0]) == 1);
        EXPECT(t_getevents(ctx, 1, 1, &event, NULL) == 1 && event.res == SIZE);
        EXPECT(write(ends[1], "!", 1) == 1);
        _exit(0);
    }
    close(ends[1]);
    ck_assert_int_eq(status_of(pid, 0), 0);
    ck_assert_int_eq((int)pread(fd, found_bytes, sizeof found_bytes, 0), sizeof found_bytes);
    ck_assert(is_pattern(found_bytes, sizeof found_bytes, 0));
    ck_assert_int_eq((int)read(ends[0], &answer, 1), 1);
    ck_assert_int_eq(answer, '!');
}
END_TEST
#endif

static pid_t forked;
static int handlers_way, fork_error;

/*
 * The interrupted call may not change errno, so neither may this.  The child goes on in
 * it, where the parent's ring is no more: so only if it slept.  (The sanitizers put
 * handlers off until the call has returned.)
 */
static void fork_once(int signo, siginfo_t *info, void *context)
{
    const int before = errno;

    (void)signo;
    (void)info;
    if (forked < 0 && (SANITIZED || was_asleep(context))) {
        forked = fork_by(handlers_way);
        fork_error = errno;
    }
    errno = before;
}

/*
 * A handler that forks: in the child the call that it interrupted is one on the
 * parent's context, which is dead there, and must return; the parent has EINTR.
 */
START_TEST(a_handler_may_fork_while_it_waits)
{
    const struct sigaction action = {.sa_sigaction = fork_once, .sa_flags = SA_SIGINFO};
    struct iocb cb, waiting;
    struct io_event event;
    sigset_t none;
    char byte;
    int fd = temp_file(1), ends[2];
    aio_context_t ctx = new_context(4);

    make_pipe(ends);
    sigemptyset(&none);
    handlers_way = _i / 3;
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    prep_read(&cb, fd, &byte, 1, 0);
    prep_poll(&waiting, ends[0], POLLIN);
    if (_i % 3 > 0)
        must_submit(ctx, &waiting);
    for (int round = 0; round < 20; round++) {
        int result;

        forked = -1;
        fflush(NULL);
        storm_begin(SIGUSR1, 1000);
        result = _i % 3 < 2 ? t_getevents(ctx, 1, 1, &event, NULL)
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
        errno = fork_error;
        if (no_such_way(forked, __func__))
            break;
        ck_assert_int_eq(result, -EINTR);
        ck_assert_int_eq(status_of(forked, 0), 0);
        if (_i % 3 == 0)
            ck_assert_int_eq((int)perform(ctx, &cb), 1);
    }
    if (_i % 3 > 0) {
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

    tcase_add_loop_test(tc, the_childs_copy_is_dead, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, generations, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, forks_while_threads_submit, 0, FORK_WAYS_HERE);
    tcase_add_loop_test(tc, a_child_of_vfork_leaves_contexts_alone, 0, 2);
    tcase_add_test(tc, a_child_that_shares_memory_shares_contexts);
    tcase_add_loop_test(tc, leaving_does_not_wait_for_what_is_never_ready, 0, WAYS);
#ifdef UAIO_TEST_WITHOUT_SYSCALL /* libaio.so.1 takes over libaio's names only */
    tcase_add_loop_test(tc, leaving_finishes_writes, EXIT, EXIT + 1);
#else
    tcase_add_loop_test(tc, leaving_finishes_writes, 0, WAYS);
    tcase_add_loop_test(tc, a_daemon_leaves_no_write_undone, 0, 2);
#endif
    tcase_add_loop_test(tc, a_handler_may_fork_while_it_waits, 0, 3 * FORK_WAYS_HERE);
    return suite;
}
