/* SPDX-License-Identifier: MIT */
/*
 * The library's threads are threads of somebody else's process: they have its
 * user and groups, whenever these change (libc sends every thread a signal for
 * that), and they have nothing of what one thread of the program may have for
 * itself: its processors, its real-time policy, its signal mask, its handlers.
 */
#include "in_flight.h"

#include <grp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define NOBODY 65534
#define THREADS_MAX 64

static struct aiocb cbs[64];
static char bytes[64];
static int file;

/* --- the library's threads --- */

static pid_t programs_threads[THREADS_MAX];
static size_t n_programs_threads;

/* Those that are there now are the program's; before the first AIO call. */
static void note_programs_threads(void)
{
    n_programs_threads = list_threads(programs_threads, THREADS_MAX);
    ck_assert_uint_le(n_programs_threads, THREADS_MAX);
}

static bool is_programs(pid_t tid)
{
    for (size_t i = 0; i < n_programs_threads; i++) {
        if (programs_threads[i] == tid)
            return true;
    }
    return false;
}

static size_t list_our_threads(pid_t *ours)
{
    pid_t tids[THREADS_MAX];
    const size_t n = list_threads(tids, THREADS_MAX);
    size_t found = 0;

    ck_assert_uint_le(n, THREADS_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!is_programs(tids[i]))
            ours[found++] = tids[i];
    }
    return found;
}

static int piped[2], filled[2];
static size_t in_filled;
static struct aiocb waiting_read, waiting_write;
static char read_bytes[16], written_bytes[1 << 17];

static sem_t arrived, go, called;
static pid_t callback_threads[2];
static atomic_int callbacks;

static void arrive_and_wait(union sigval value)
{
    /* Unblocked here, and meant for the main thread. */
    block_signal(SIGUSR1);
    block_signal(IN_FLIGHT_SIGNAL);
    callback_threads[value.sival_int] = (pid_t)syscall(SYS_gettid);
    atomic_fetch_add(&callbacks, 1);
    sem_post(&arrived);
    await(&go);
    sem_post(&called);
}

static void submit_blocked_callback(int i, pthread_attr_t *attributes)
{
    prep(&cbs[i], file, &bytes[i], 1, i);
    notify_by_thread(&cbs[i].aio_sigevent, arrive_and_wait, NULL, attributes);
    cbs[i].aio_sigevent.sigev_value.sival_int = i;
    must_read(&cbs[i]);
    await(&arrived);
}

/*
 * A thread of each kind: workers; the one that waits for a pipe to be readable,
 * and another writable; and two that run callbacks, one with attributes of its
 * own.  Idle ones stay.
 */
static void make_every_thread(void)
{
    static pthread_attr_t attributes; /* libc may look at it after the callback's start */

    ck_assert_int_eq(setenv("UAIO_IDLE_MS", "3600000", 1), 0);
    queue_everything();
    no_leak_check_at_exit();
    note_programs_threads();
    file = temp_file(1 << 20);
    ck_assert_int_eq(sem_init(&arrived, 0, 0), 0);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go, 0, 0), 0);
    make_pipe(piped);
    make_pipe(filled);
    in_filled = fill_up(filled[1]);
    prep(&waiting_read, piped[0], read_bytes, sizeof read_bytes, 0);
    must_read(&waiting_read);
    prep(&waiting_write, filled[1], written_bytes, sizeof written_bytes, 0);
    must_write(&waiting_write);
    let_others_run();
    submit_blocked_callback(0, NULL);
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED), 0);
    submit_blocked_callback(1, &attributes);
}

/* Lets them go on: all of it has its full result. */
static void finish_every_request(void)
{
    static char sink[1 << 17];
    size_t left = in_filled + sizeof written_bytes;

    ck_assert_int_eq(aio_error(&waiting_read), EINPROGRESS);
    ck_assert_int_eq(aio_error(&waiting_write), EINPROGRESS);
    ck_assert_int_eq(write(piped[1], "0123456789abcdef", 16), 16);
    ck_assert_int_eq(finish(&waiting_read), 16);
    ck_assert_mem_eq(read_bytes, "0123456789abcdef", 16);
    for (; left > 0;) {
        const size_t n = left < sizeof sink ? left : sizeof sink;

        read_fully(filled[0], sink, n);
        left -= n;
    }
    ck_assert_int_eq(finish(&waiting_write), sizeof written_bytes);
    for (int i = 0; i < 2; i++) {
        sem_post(&go);
        await(&called);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    ck_assert_int_eq(atomic_load(&callbacks), 2);
}

/* Whether the test may not change its user; says so. */
static bool is_not_root(const char *test)
{
    if (geteuid() == 0)
        return false;
    skipped(test, "only root may change its user");
    return true;
}
#define AS_ROOT()            \
 do {                        \
  if (is_not_root(__func__)) \
   return;                   \
 } while (0)

/* --- users and groups --- */

static int become_by_setuid(void)
{
    return setuid(NOBODY);
}

static int become_by_seteuid(void)
{
    return seteuid(NOBODY);
}

static int become_by_setreuid(void)
{
    return setreuid(1, NOBODY);
}

static int become_by_setresuid(void)
{
    return setresuid(1, 2, 3);
}

static int become_by_setgid(void)
{
    return setgid(NOBODY);
}

static int become_by_setegid(void)
{
    return setegid(NOBODY);
}

static int become_by_setregid(void)
{
    return setregid(1, NOBODY);
}

static int become_by_setresgid(void)
{
    return setresgid(1, 2, 3);
}

static int become_by_setgroups(void)
{
    const gid_t groups[] = {11, 12, 13};

    return setgroups(COUNT(groups), groups);
}

static const struct change {
    int (*become)(void);
    const char *field;
} changes[] = {
    {become_by_setuid, "Uid"},    {become_by_seteuid, "Uid"},   {become_by_setreuid, "Uid"},
    {become_by_setresuid, "Uid"}, {become_by_setgid, "Gid"},    {become_by_setegid, "Gid"},
    {become_by_setregid, "Gid"},  {become_by_setresgid, "Gid"}, {become_by_setgroups, "Groups"},
};

/*
 * The user and the groups are those of the process (POSIX), the one that counts
 * for files included: what one thread sets, all threads have.
 */
START_TEST(every_thread_has_the_process_user_and_groups)
{
    const struct change *change = &changes[_i];
    char before[THREAD_VALUE_MAX], after[THREAD_VALUE_MAX], value[THREAD_VALUE_MAX];
    pid_t ours[THREADS_MAX];
    size_t n;

    AS_ROOT();
    make_every_thread();
    thread_value(getpid(), change->field, before);
    ck_assert_int_eq(change->become(), 0);
    thread_value(getpid(), change->field, after);
    ck_assert_str_ne(before, after);
    n = list_our_threads(ours);
    ck_assert_uint_ge(n, 3);
    for (size_t i = 0; i < n; i++) {
        thread_value(ours[i], change->field, value);
        ck_assert_str_eq(value, after);
    }
    finish_every_request();
}
END_TEST

/* What was opened before is read and written after, and threads come and go. */
START_TEST(aio_works_after_a_change_of_user)
{
    int fd = temp_file(256);

    AS_ROOT();
    if (_i > 0)
        make_every_thread();
    ck_assert_int_eq(setgroups(0, NULL), 0);
    ck_assert_int_eq(setresgid(NOBODY, NOBODY, NOBODY), 0);
    ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
    aio_works(fd);
    if (_i > 0)
        finish_every_request();
    aio_works(fd);
}
END_TEST

static atomic_int opened_as_root, opened_as_nobody;
static char private_path[PATH_MAX];

static void try_to_open(union sigval value)
{
    const int fd = open(private_path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    atomic_fetch_add(value.sival_int == 0 ? &opened_as_root : &opened_as_nobody, fd >= 0);
    sem_post(&called);
}

/* A callback in a thread that ran one before has the new user's rights, not the old one's. */
START_TEST(callbacks_have_the_new_users_rights)
{
    AS_ROOT();
    ck_assert_int_eq(setenv("UAIO_IDLE_MS", "3600000", 1), 0);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    file = temp_file(64);
    ck_assert_int_eq(fchmod(file, 0600), 0);
    snprintf(private_path, sizeof private_path, "/proc/self/fd/%d", file);
    for (int user = 0; user < 2; user++) {
        if (user > 0)
            ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
        for (int i = 0; i < 20; i++) {
            prep(&cbs[i], file, &bytes[i], 1, i);
            notify_by_thread(&cbs[i].aio_sigevent, try_to_open, NULL, NULL);
            cbs[i].aio_sigevent.sigev_value.sival_int = user;
            must_read(&cbs[i]);
        }
        for (int i = 0; i < 20; i++)
            await(&called);
    }
    ck_assert_int_eq(atomic_load(&opened_as_root), 20);
    ck_assert_int_eq(atomic_load(&opened_as_nobody), 0);
}
END_TEST

static void change_user_often(int times)
{
    for (int i = 0; i < times; i++) {
        ck_assert_int_eq(seteuid(NOBODY), 0);
        ck_assert_int_eq(seteuid(0), 0);
    }
}

static void *wait_for_read(void *argument)
{
    const struct aiocb *const list[] = {argument};

    while (aio_error(argument) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    return NULL;
}

/*
 * The signal that libc sends is none of the program's: no request has EINTR, or
 * less than all of it, for that.  Here those that wait: for data, for room
 * (with more to write than there is ever room for), for a callback's end.
 */
START_TEST(a_change_of_user_does_not_disturb_what_waits)
{
    static char taken[16384];
    pthread_t thread;

    AS_ROOT();
    make_every_thread();
    start_thread(&thread, wait_for_read, &waiting_read);
    change_user_often(100);
    ck_assert_int_eq(aio_error(&waiting_read), EINPROGRESS);
    ck_assert_int_eq(aio_error(&waiting_write), EINPROGRESS);
    /* The write is under way now, and stops again. */
    read_fully(filled[0], taken, sizeof taken);
    in_filled -= sizeof taken;
    change_user_often(100);
    finish_every_request();
    join_thread(thread);
}
END_TEST

/* The same of those that a worker runs: the user changes until all are done. */
START_TEST(a_change_of_user_does_not_disturb_what_runs)
{
    enum { PIECE = 1 << 16, PIECES = 16, ROUNDS = 20 };
    static char out[PIECES][PIECE], in[PIECES][PIECE];
    const int fd = temp_file(PIECES * PIECE), copy = temp_file(PIECES * PIECE);

    AS_ROOT();
    queue_everything();
    for (size_t i = 0; i < sizeof out; i++)
        out[i / PIECE][i % PIECE] = (char)pattern(i);
    for (int round = 0; round < ROUNDS; round++) {
        static struct aiocb piece[2 * PIECES];
        int done = 0;

        memset(in, 0, sizeof in);
        for (int i = 0; i < PIECES; i++) {
            prep(&piece[i], fd, in[i], PIECE, i * PIECE);
            must_read(&piece[i]);
            prep(&piece[PIECES + i], copy, out[i], PIECE, i * PIECE);
            must_write(&piece[PIECES + i]);
        }
        while (done < 2 * PIECES) {
            change_user_often(1);
            while (done < 2 * PIECES && aio_error(&piece[done]) != EINPROGRESS)
                done++;
        }
        for (int i = 0; i < 2 * PIECES; i++)
            ck_assert_int_eq(finish(&piece[i]), PIECE);
        ck_assert(is_pattern(in, sizeof in, 0));
        ck_assert_int_eq(pread(copy, in, sizeof in, 0), sizeof in);
        ck_assert(is_pattern(in, sizeof in, 0));
    }
}
END_TEST

static struct gate gate;
static sem_t about_to_change;

static void *open_gate_when_main_sleeps(void *argument)
{
    char state[THREAD_VALUE_MAX];

    await(&about_to_change);
    do {
        sched_yield();
        thread_value(getpid(), "State", state);
    } while (state[0] != 'S');
    gate_open(&gate, 0);
    return argument;
}

/* And of one that is stopped in a system call meanwhile.  (A gate may end that by EFAULT.) */
START_TEST(a_change_of_user_does_not_disturb_what_is_stopped)
{
    struct aiocb slow, queued;
    pthread_t thread;
    int fd = temp_file(256);

    AS_ROOT();
    queue_everything();
    use_workers(1);
    MAKE_GATE(&gate, 1);
    ck_assert_int_eq(sem_init(&about_to_change, 0, 0), 0);
    start_thread(&thread, open_gate_when_main_sleeps, NULL);
    occupy_worker(&gate, 0, &slow);
    prep(&queued, fd, bytes, 1, 0);
    must_read(&queued);
    sem_post(&about_to_change);
    ck_assert_int_eq(setresuid(NOBODY, NOBODY, NOBODY), 0);
    if (wait_done(&slow) != EFAULT)
        ck_assert_int_eq(finish(&slow), 16);
    ck_assert_int_eq(finish(&queued), 1);
    join_thread(thread);
    aio_works(fd);
}
END_TEST

/* --- processors and policies --- */

/* Submits one of each kind, in a thread that does not assert, to be the first user of the library. */
static void *submit_each_kind(void *argument)
{
    int *failures = argument;

    *failures += aio_read(&waiting_read) != 0;
    for (int i = 0; i < 10; i++)
        *failures += aio_read(&cbs[i]) != 0;
    return NULL;
}

static void prep_each_kind(void)
{
    ck_assert_int_eq(setenv("UAIO_IDLE_MS", "3600000", 1), 0);
    queue_everything();
    no_leak_check_at_exit();
    note_programs_threads();
    ck_assert_int_eq(sem_init(&arrived, 0, 0), 0);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go, 0, 0), 0);
    file = temp_file(64);
    make_pipe(piped);
    prep(&waiting_read, piped[0], read_bytes, sizeof read_bytes, 0);
    for (int i = 0; i < 10; i++)
        prep(&cbs[i], file, &bytes[i], 1, i);
    notify_by_thread(&cbs[9].aio_sigevent, arrive_and_wait, NULL, NULL);
}

/* The threads that are there now, of which one is blocked in a callback. */
static size_t list_each_kind(pid_t *ours)
{
    size_t n;

    await(&arrived);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    n = list_our_threads(ours);
    ck_assert_uint_ge(n, 2);
    return n;
}

static void finish_each_kind(void)
{
    ck_assert_int_eq(write(piped[1], "x", 1), 1);
    ck_assert_int_eq(finish(&waiting_read), 1);
    sem_post(&go);
    await(&called);
}

/* The first of the processors that the process may use; false if it is the only one. */
static bool take_one_cpu(cpu_set_t *one)
{
    cpu_set_t all;
    size_t cpu = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(one);
    CPU_SET(cpu, one);
    return CPU_COUNT(&all) > 1;
}

static cpu_set_t one_cpu;

static void *submit_pinned(void *argument)
{
    int *failures = argument;

    *failures += sched_setaffinity(0, sizeof one_cpu, &one_cpu) != 0;
    return submit_each_kind(argument);
}

/* "the creator's scheduling policy and CPU pinning not inherited by accident" */
START_TEST(a_pinned_submitter_does_not_pin_our_threads)
{
    char before[THREAD_VALUE_MAX], value[THREAD_VALUE_MAX];
    pid_t ours[THREADS_MAX];
    pthread_t thread;
    int failures = 0;
    size_t n;

    if (PORTABLE)
        SKIP("POSIX knows no sets of processors");
    if (!take_one_cpu(&one_cpu))
        SKIP("there is one processor");
    thread_value(getpid(), "Cpus_allowed_list", before);
    prep_each_kind();
    start_thread(&thread, submit_pinned, &failures);
    join_thread(thread);
    ck_assert_int_eq(failures, 0);
    n = list_each_kind(ours);
    for (size_t i = 0; i < n; i++) {
        thread_value(ours[i], "Cpus_allowed_list", value);
        ck_assert_str_eq(value, before);
    }
    finish_each_kind();
}
END_TEST

/* What the process runs under is kept: as taskset and nice make it, before it starts. */
START_TEST(the_processors_and_niceness_of_the_process_are_kept)
{
    char before[THREAD_VALUE_MAX], value[THREAD_VALUE_MAX];
    pid_t ours[THREADS_MAX];
    int failures = 0, niceness;
    size_t n;

    take_one_cpu(&one_cpu);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one_cpu, &one_cpu), 0);
    thread_value(getpid(), "Cpus_allowed_list", before);
    ck_assert_int_eq(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 3), 0);
    niceness = getpriority(PRIO_PROCESS, 0); /* 19 at most */
    prep_each_kind();
    submit_each_kind(&failures);
    ck_assert_int_eq(failures, 0);
    n = list_each_kind(ours);
    for (size_t i = 0; i < n; i++) {
        thread_value(ours[i], "Cpus_allowed_list", value);
        ck_assert_str_eq(value, before);
        ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)ours[i]), niceness);
    }
    finish_each_kind();
}
END_TEST

/* "the creator's scheduling policy [...] not inherited by accident" */
START_TEST(a_real_time_submitter_has_ordinary_workers)
{
    const int policies[] = {SCHED_FIFO, SCHED_RR};
    const struct sched_param param = {.sched_priority = 1};
    pid_t ours[THREADS_MAX];
    pthread_attr_t attributes;
    pthread_t thread;
    int failures = 0;
    size_t n;

    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED), 0);
    ck_assert_int_eq(pthread_attr_setschedpolicy(&attributes, policies[_i]), 0);
    ck_assert_int_eq(pthread_attr_setschedparam(&attributes, &param), 0);
    prep_each_kind();
    if (pthread_create(&thread, &attributes, submit_each_kind, &failures) != 0)
        SKIP("no right to a real-time policy");
    join_thread(thread);
    ck_assert_int_eq(failures, 0);
    n = list_each_kind(ours);
    for (size_t i = 0; i < n; i++)
        ck_assert_int_eq(sched_getscheduler(ours[i]), SCHED_OTHER);
    finish_each_kind();
}
END_TEST

/* --- signals --- */

static bool is_callbacks(pid_t tid)
{
    return tid == callback_threads[0] || tid == callback_threads[1];
}

static unsigned long long blocked_by(pid_t tid)
{
    char value[THREAD_VALUE_MAX];

    thread_value(tid, "SigBlk", value);
    return strtoull(value, NULL, 16);
}

/*
 * "Worker threads never run the program's signal handlers": they have all
 * signals blocked, but the two that libc keeps for itself.  (Those it blocks for
 * a moment, when a thread starts: that is waited for.)
 */
START_TEST(our_threads_block_every_signal)
{
    unsigned long long libcs = 0, programs = 0;
    pid_t ours[THREADS_MAX];
    size_t n;

    for (int signo = 1; signo <= SIGRTMAX; signo++) {
        if (signo >= 32 && signo < SIGRTMIN)
            libcs |= 1ULL << (signo - 1);
        else if (signo != SIGKILL && signo != SIGSTOP)
            programs |= 1ULL << (signo - 1);
    }
    make_every_thread();
    n = list_our_threads(ours);
    ck_assert_uint_ge(n, 3);
    for (size_t i = 0; i < n; i++) {
        if (is_callbacks(ours[i]))
            continue;
        ck_assert_uint_eq(blocked_by(ours[i]) & programs, programs);
        while ((blocked_by(ours[i]) & libcs) != 0)
            sched_yield();
    }
    finish_every_request();
}
END_TEST

static sem_t handled;
static atomic_int handled_elsewhere;
static atomic_bool storm_over;

static void note_thread(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;

    (void)signo;
    (void)info;
    (void)context;
    if (syscall(SYS_gettid) != getpid())
        atomic_fetch_add(&handled_elsewhere, 1);
    sem_post(&handled);
    errno = saved;
}

/* One when the last has been taken: to leave the program some time. */
static void *send_signals(void *argument)
{
    for (int i = 0; i < 1000; i++) {
        kill(getpid(), SIGUSR1);
        await(&handled);
    }
    atomic_store(&storm_over, true);
    return argument;
}

/* "Worker threads never run the program's signal handlers", however many signals there are. */
START_TEST(a_storm_of_signals_meets_the_program_alone)
{
    pthread_t thread;
    sigset_t set;
    int fd = temp_file(256);

    ck_assert_int_eq(sem_init(&handled, 0, 0), 0);
    handle(SIGUSR1, note_thread, SA_RESTART);
    block_signal(SIGUSR1);
    make_every_thread();
    start_thread(&thread, send_signals, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    ck_assert_int_eq(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    while (!atomic_load(&storm_over)) {
        struct aiocb cb;
        char buf[200];

        prep(&cb, fd, buf, sizeof buf, 0);
        must_read(&cb);
        ck_assert_int_eq(finish(&cb), sizeof buf);
    }
    join_thread(thread);
    finish_every_request();
    ck_assert_int_eq(atomic_load(&handled_elsewhere), 0);
}
END_TEST

/* --- names and stacks --- */

/* "small stacks, named": top and debuggers show whose they are. */
START_TEST(our_threads_have_names)
{
    char value[THREAD_VALUE_MAX];
    pid_t ours[THREADS_MAX];
    size_t n, named = 0;

    if (SANITIZED)
        SKIP("ThreadSanitizer has a thread of its own");
    if (PORTABLE)
        SKIP("POSIX knows no names of threads");
    make_every_thread();
    n = list_our_threads(ours);
    for (size_t i = 0; i < n; i++) {
        if (ours[i] == callback_threads[1])
            continue; /* made with the program's attributes */
        thread_value(ours[i], "Name", value);
        ck_assert_msg(strncmp(value, "uaio-", 5) == 0, "a thread is called %s", value);
        named++;
    }
    ck_assert_uint_ge(named, 2);
    finish_every_request();
}
END_TEST

/* libc takes `ulimit -s` of the start for its threads' stacks: AIO works with a small one, a large
 * one, and with none. */
START_TEST(aio_works_whatever_the_limit_of_stacks)
{
    const rlim_t limits[] = {(rlim_t)160 << 10, (rlim_t)1 << 30, RLIM_INFINITY};
    struct rlimit limit;
    pid_t pid;

    if (SANITIZED)
        SKIP("a sanitizer needs stacks of its own");
    ck_assert_int_eq(getrlimit(RLIMIT_STACK, &limit), 0);
    if (limit.rlim_max < limits[_i])
        SKIP("no right to that limit");
    limit.rlim_cur = limits[_i];
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        ck_assert_int_eq(setrlimit(RLIMIT_STACK, &limit), 0);
        execute_new_image();
        _exit(127);
    }
    ck_assert_int_eq(status_of(pid), 0);
}
END_TEST

Suite *credentials_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("credentials", 30, &tc);

    tcase_add_loop_test(tc, every_thread_has_the_process_user_and_groups, 0, COUNT(changes));
    tcase_add_loop_test(tc, aio_works_after_a_change_of_user, 0, 2);
    tcase_add_test(tc, callbacks_have_the_new_users_rights);
    tcase_add_test(tc, a_change_of_user_does_not_disturb_what_waits);
    tcase_add_test(tc, a_change_of_user_does_not_disturb_what_runs);
    tcase_add_test(tc, a_change_of_user_does_not_disturb_what_is_stopped);
    tcase_add_test(tc, a_pinned_submitter_does_not_pin_our_threads);
    tcase_add_test(tc, the_processors_and_niceness_of_the_process_are_kept);
    tcase_add_loop_test(tc, a_real_time_submitter_has_ordinary_workers, 0, 2);
    tcase_add_test(tc, our_threads_block_every_signal);
    tcase_add_test(tc, a_storm_of_signals_meets_the_program_alone);
    tcase_add_test(tc, our_threads_have_names);
    tcase_add_loop_test(tc, aio_works_whatever_the_limit_of_stacks, 0, 3);
    return suite;
}
