/* SPDX-License-Identifier: MIT */
/*
 * What happens to a process but fork(): vfork, posix_spawn, exec, exit, daemon,
 * and the end of its main thread.
 *
 * "exec, exit: nothing of ours survives into the new image; exit never hangs."
 */
#include "in_flight.h"

#include <dirent.h>
#include <spawn.h>
#include <sys/wait.h>

static pid_t test_process;
static atomic_int *exited; /* shared: how often another process ran its atexit() handlers */

static void note_exit(void)
{
    if (getpid() != test_process)
        atomic_fetch_add(exited, 1);
}

static void watch_exits(void)
{
    test_process = getpid();
    exited = shared_memory(sizeof *exited);
    ck_assert_int_eq(atexit(note_exit), 0);
    no_leak_check_at_exit();
    fflush(NULL); /* what is not written yet would be written by the child, too */
}

/* --- children that share the memory --- */

enum { UNDERSCORE_EXIT, EXEC, SHARING_WAYS };

/*
 * A child of vfork() has the parent's memory, and descriptors of its own: what
 * it does with those, before it calls _exit() or exec, is not the parent's.
 */
START_TEST(a_child_of_vfork_leaves_requests_alone)
{
    const int other = temp_file(256);
    volatile int worked = 0;
    pid_t pid;

    if (!in_flight_make(_i / SHARING_WAYS, NULL, __func__))
        return;
    pid = vfork();
    if (pid == 0) {
        worked += close(in_flight[0].aio_fildes) == 0;
        worked += dup2(other, in_flight[1].aio_fildes) >= 0;
        worked += dup3(other, in_flight[2].aio_fildes, O_CLOEXEC) >= 0;
        worked += close(in_flight[4].aio_fildes) == 0;
        if (worked == 4 && _i % SHARING_WAYS == EXEC)
            execl("/bin/true", "true", (char *)NULL);
        _exit(worked == 4 && _i % SHARING_WAYS == UNDERSCORE_EXIT ? 0 : 127);
    }
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(status_of(pid), 0);
    in_flight_untouched();
    in_flight_finish();
    aio_works(other);
}
END_TEST

extern char **environ;

/* The same of posix_spawn(), which moves and closes descriptors in its child. */
START_TEST(a_spawned_program_leaves_requests_alone)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    posix_spawn_file_actions_t actions;
    const int other = temp_file(256);
    pid_t pid;

    if (!in_flight_make(_i, NULL, __func__))
        return;
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_addclose(&actions, in_flight[0].aio_fildes), 0);
    for (int i = 1; i < IN_FLIGHT; i++)
        ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, other, in_flight[i].aio_fildes),
                         0);
    ck_assert_int_eq(posix_spawn(&pid, "/bin/true", &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(system("true"), 0);
    in_flight_untouched();
    in_flight_finish();
    aio_works(other);
}
END_TEST

/* --- the end, by exit, _exit and exec --- */

enum { LEAVE_EXIT, LEAVE_UNDERSCORE_EXIT, LEAVE_QUICK_EXIT, LEAVE_EXEC, WAYS_TO_LEAVE };

static _Noreturn void leave(int way)
{
    switch (way) {
    case LEAVE_EXIT:
        exit(0);
    case LEAVE_QUICK_EXIT:
        quick_exit(0);
    case LEAVE_EXEC:
        execute_new_image();
        _exit(127);
    default:
        _exit(0);
    }
}

static int left_exits(int way)
{
    return way == LEAVE_EXIT;
}

/*
 * "exit never hangs on a descriptor that will never be ready", nor on files:
 * with what is never let go on in flight.
 */
START_TEST(leaving_does_not_hang)
{
    const int way = _i % WAYS_TO_LEAVE;
    pid_t pid;

    watch_exits();
    pid = fork();
    if (pid == 0) {
        if (!in_flight_make(_i / WAYS_TO_LEAVE, NULL, __func__))
            _exit(0);
        leave(way);
    }
    ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

/* The same of a child that has them from its parent. */
START_TEST(a_child_may_leave_at_once)
{
    const int way = _i % WAYS_TO_LEAVE;
    pid_t pid;

    watch_exits();
    if (!in_flight_make(_i / WAYS_TO_LEAVE, NULL, __func__))
        return;
    pid = fork();
    if (pid == 0)
        leave(way);
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(atomic_load(exited), left_exits(way));
    in_flight_untouched();
    in_flight_finish();
}
END_TEST

/* The process ends where it is told to: in a callback, another thread, a handler. */
enum { IN_CALLBACK, IN_THREAD, IN_HANDLER, PLACES };

static int way_to_leave;

static void leave_in_callback(union sigval value)
{
    (void)value;
    leave(way_to_leave);
}

static void *leave_in_thread(void *argument)
{
    (void)argument;
    leave(way_to_leave);
}

static void leave_in_handler(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    leave(way_to_leave);
}

static _Noreturn void leave_elsewhere(int place)
{
    const struct aiocb *const list[] = {&in_flight[0]};
    struct aiocb cb;
    pthread_t thread;
    char byte;

    if (place == IN_THREAD)
        start_thread(&thread, leave_in_thread, NULL);
    if (place == IN_CALLBACK) {
        prep(&cb, temp_file(1), &byte, 1, 0);
        notify_by_thread(&cb.aio_sigevent, leave_in_callback, NULL, NULL);
        must_read(&cb);
    }
    if (place == IN_HANDLER) {
        handle(SIGUSR1, leave_in_handler, 0);
        storm_begin_shots(SIGUSR1, 1000);
    }
    for (;;)
        aio_suspend(list, 1, NULL);
}

/* "exit never hangs", whichever thread calls it while the main thread waits in aio_suspend(). */
START_TEST(any_thread_may_end_the_process)
{
    const int place = _i % PLACES;
    pid_t pid;

    watch_exits();
    way_to_leave = _i / PLACES % WAYS_TO_LEAVE;
    if (place == IN_HANDLER && way_to_leave != LEAVE_UNDERSCORE_EXIT)
        return; /* only that is async-signal-safe, and needs nothing that may be locked */
    pid = fork();
    if (pid == 0) {
        if (!in_flight_make(IN_FLIGHT_STREAMS, NULL, __func__))
            _exit(0);
        leave_elsewhere(place);
    }
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(atomic_load(exited), left_exits(way_to_leave));
}
END_TEST

/* Callbacks that block for ever do not keep the process, either. */
static void block_for_ever(union sigval value)
{
    sem_post(value.sival_ptr);
    for (;;)
        pause();
}

START_TEST(leaving_does_not_wait_for_callbacks)
{
    pid_t pid;

    watch_exits();
    pid = fork();
    if (pid == 0) {
        struct aiocb cbs[10];
        char byte;
        int fd = temp_file(1);
        sem_t blocked;

        ck_assert_int_eq(sem_init(&blocked, 0, 0), 0);
        for (size_t i = 0; i < COUNT(cbs); i++) {
            prep(&cbs[i], fd, &byte, 1, 0);
            notify_by_thread(&cbs[i].aio_sigevent, block_for_ever, &blocked, NULL);
            must_read(&cbs[i]);
        }
        for (size_t i = 0; i < COUNT(cbs); i++)
            await(&blocked);
        leave(_i);
    }
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(atomic_load(exited), left_exits(_i));
}
END_TEST

/* atexit() handlers run before a library's destructors, or after: AIO works in them. */
static int exit_fd;

static void use_aio_at_exit(void)
{
    if (getpid() != test_process) {
        aio_works(exit_fd);
        atomic_fetch_add(exited, 1);
    }
}

START_TEST(handlers_of_atexit_may_use_aio)
{
    pid_t pid;

    watch_exits();
    exit_fd = temp_file(256);
    ck_assert_int_eq(atexit(use_aio_at_exit), 0);
    if (_i > 0)
        aio_works(exit_fd);
    pid = fork();
    if (pid == 0) {
        if (_i > 1)
            aio_works(exit_fd);
        exit(0);
    }
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(atomic_load(exited), 2);
}
END_TEST

/* --- the new image --- */

/* "nothing of ours survives into the new image": what is open is the program's. */
START_TEST(no_descriptor_of_ours_is_open)
{
    const char *const ours[] = {"anon_inode:[eventpoll]", "anon_inode:[eventfd]",
                                "anon_inode:[timerfd]", "anon_inode:[signalfd]"};
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL) {
        char what[64] = "";

        if (readlinkat(dirfd(dir), entry->d_name, what, sizeof what - 1) < 0)
            continue;
        for (size_t i = 0; i < COUNT(ours); i++)
            ck_assert_str_ne(what, ours[i]);
    }
    closedir(dir);
}
END_TEST

/* And the one thread that there is has no signals blocked but those that the program had. */
START_TEST(the_signal_mask_is_the_programs)
{
    sigset_t mask;
    int blocked = 0;

    if (!SANITIZED && !getenv("UAIO_TEST_EMULATOR")) /* these have one of their own */
        ck_assert_uint_eq(list_threads(NULL, 0), 1);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    for (int signo = 1; signo <= SIGRTMAX; signo++)
        blocked += sigismember(&mask, signo) == 1;
    ck_assert_int_lt(blocked, 4);
}
END_TEST

START_TEST(aio_works_in_the_new_image)
{
    aio_works(temp_file(256));
}
END_TEST

/* --- daemons --- */

/*
 * daemon() is a fork whose parent ends: the daemon has no requests of its
 * parent's, and AIO works afresh.  It reports over a pipe, for it is nobody's
 * child, and has nothing to say to Check after that: it would write into the file
 * that Check, as the test may be over, is reading.  It ends by itself if something
 * hangs, as it is in no group of Check's.
 */
START_TEST(a_daemon_uses_aio)
{
    const int fd = temp_file(256);
    char answer[3] = "";
    int ends[2];
    pid_t pid;

    if (_i / 2 == 0)
        make_pipe(ends);
    else
        make_sockets(ends);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        if (_i % 2 > 0 && !in_flight_make(IN_FLIGHT_STREAMS, NULL, __func__))
            _exit(0);
        if (daemon(_i % 2, 0) != 0)
            _exit(1);
        signal(SIGALRM, SIG_DFL); /* Check has a handler */
        alarm(30);
        for (int i = 0; _i % 2 > 0 && i < IN_FLIGHT; i++)
            finish_with(&in_flight[i], ECANCELED);
        aio_works(fd);
        _exit(write(ends[1], "ok", 2) == 2 ? 0 : 1);
    }
    close(ends[1]);
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(read(ends[0], answer, 2), 2);
    ck_assert_str_eq(answer, "ok");
}
END_TEST

/* --- the end of the main thread --- */

static atomic_int calls_left;
static int own_status;

static void count_down(union sigval value)
{
    if (atomic_fetch_sub(&calls_left, 1) == 1 && own_status >= 0)
        _exit(own_status);
    (void)value;
}

/* Submits requests with callbacks, one of which is done only when the main thread has gone. */
static _Noreturn void submit_and_end(int status)
{
    static struct aiocb cbs[20];
    static char bytes[COUNT(cbs)];
    int ends[2], fd = temp_file(COUNT(cbs));

    own_status = status;
    atomic_store(&calls_left, COUNT(cbs));
    make_pipe(ends);
    for (size_t i = 0; i < COUNT(cbs); i++) {
        prep(&cbs[i], i == 0 ? ends[0] : fd, &bytes[i], 1, (off_t)i);
        notify_by_thread(&cbs[i].aio_sigevent, count_down, NULL, NULL);
        must_read(&cbs[i]);
    }
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    pthread_exit(NULL);
}

/*
 * "A thread that submitted may exit, its requests go on": the main thread, too,
 * by pthread_exit().  The process lives on in the callbacks.
 */
START_TEST(the_main_thread_may_end_and_callbacks_come)
{
    pid_t pid;

    no_leak_check_at_exit();
    fflush(NULL);
    if (_i > 0)
        queue_everything();
    pid = fork();
    if (pid == 0)
        submit_and_end(7);
    ck_assert_int_eq(status_of(pid), 7);
}
END_TEST

/* When our threads are idle they end, and the last one of the process ends it, as exit(0) does. */
START_TEST(a_process_ends_with_its_last_thread)
{
    pid_t pid;

    if (SANITIZED)
        SKIP("ThreadSanitizer has a thread of its own, which stays");
    watch_exits();
    ck_assert_int_eq(setenv("UAIO_IDLE_MS", "10", 1), 0);
    if (_i > 0)
        queue_everything();
    pid = fork();
    if (pid == 0)
        submit_and_end(-1);
    ck_assert_int_eq(status_of(pid), 0);
    ck_assert_int_eq(atomic_load(exited), 1);
}
END_TEST

Suite *process_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("process", 30, &tc);

    tcase_add_loop_test(tc, a_child_of_vfork_leaves_requests_alone, 0,
                        IN_FLIGHT_KINDS * SHARING_WAYS);
    tcase_add_loop_test(tc, a_spawned_program_leaves_requests_alone, 0, IN_FLIGHT_KINDS);
    tcase_add_loop_test(tc, leaving_does_not_hang, 0, IN_FLIGHT_KINDS * WAYS_TO_LEAVE);
    tcase_add_loop_test(tc, a_child_may_leave_at_once, 0, IN_FLIGHT_KINDS * WAYS_TO_LEAVE);
    tcase_add_loop_test(tc, any_thread_may_end_the_process, 0, PLACES * WAYS_TO_LEAVE);
    tcase_add_loop_test(tc, leaving_does_not_wait_for_callbacks, 0, WAYS_TO_LEAVE);
    tcase_add_loop_test(tc, handlers_of_atexit_may_use_aio, 0, 3);
    tcase_add_loop_test(tc, a_daemon_uses_aio, 0, 4);
    tcase_add_loop_test(tc, the_main_thread_may_end_and_callbacks_come, 0, 2);
    tcase_add_loop_test(tc, a_process_ends_with_its_last_thread, 0, 2);
    return suite;
}

/* What execute_new_image() runs. */
Suite *new_image_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("new_image", 30, &tc);

    tcase_add_test(tc, no_descriptor_of_ours_is_open);
    tcase_add_test(tc, the_signal_mask_is_the_programs);
    tcase_add_test(tc, aio_works_in_the_new_image);
    return suite;
}
