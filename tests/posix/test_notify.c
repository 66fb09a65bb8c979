/* SPDX-License-Identifier: MIT */
/* "Notification" of the contract. */
#include "helpers.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define MANY 500

static struct aiocb cbs[MANY];
static char bytes[MANY];
static sem_t called;
static atomic_int calls[MANY];
static atomic_int in_progress_seen;

static size_t index_of(const void *cb)
{
    return (size_t)((const struct aiocb *)cb - cbs);
}

/* What every test's callback does: counts, and looks at the status. */
static void count_call(union sigval value)
{
    if (aio_error(value.sival_ptr) == EINPROGRESS)
        atomic_fetch_add(&in_progress_seen, 1);
    atomic_fetch_add(&calls[index_of(value.sival_ptr)], 1);
    sem_post(&called);
}

static void prep_read(size_t i, int fd)
{
    prep(&cbs[i], fd, &bytes[i], 1, (off_t)i);
}

/* Its thread has all signals unblocked: it must not get those that are yet to
 * be queued, and that the test takes itself. */
static void block_and_count_call(union sigval value)
{
    block_signal(SIGRTMIN);
    count_call(value);
}

/* Runs one whole request with a callback, as a sign that callbacks still work. */
static void check_a_callback_works(size_t i, int fd)
{
    const int before = atomic_load(&calls[i]);

    prep_read(i, fd);
    notify_by_thread(&cbs[i].aio_sigevent, block_and_count_call, &cbs[i], NULL);
    must_read(&cbs[i]);
    do
        await(&called);
    while (atomic_load(&calls[i]) == before);
    ck_assert_int_eq(finish(&cbs[i]), 1);
}

/* --- signals --- */

/* "SIGEV_NONE": nothing is sent. */
START_TEST(none_sends_nothing)
{
    siginfo_t info;
    int fd = temp_file(MANY);

    block_signal(SIGRTMIN);
    for (size_t i = 0; i < 10; i++) {
        prep_read(i, fd);
        cbs[i].aio_sigevent.sigev_signo = SIGRTMIN;
        must_read(&cbs[i]);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    prep_read(10, fd);
    notify_by_signal(&cbs[10].aio_sigevent, SIGRTMIN, &cbs[10]);
    must_read(&cbs[10]);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[10]);
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

/* "SIGEV_SIGNAL with si_code SI_ASYNCIO, si_value, si_pid, si_uid" */
START_TEST(signal_has_code_value_pid_and_uid)
{
    const int signals[] = {SIGRTMIN, SIGRTMAX, SIGUSR1, SIGIO};
    siginfo_t info;
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    for (size_t i = 0; i < COUNT(signals); i++) {
        block_signal(signals[i]);
        prep_read(i, fd);
        notify_by_signal(&cbs[i].aio_sigevent, signals[i], &cbs[i]);
        must_read(&cbs[i]);
        take_signal(signals[i], &info);
        ck_assert_int_eq(info.si_signo, signals[i]);
        ck_assert_int_eq(info.si_code, SI_ASYNCIO);
        ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[i]);
        ck_assert_int_eq(info.si_pid, getpid());
        ck_assert_int_eq(info.si_uid, getuid());
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
}
END_TEST

/* The same for every kind of request, a failed one included. */
START_TEST(every_kind_of_request_sends_its_signal)
{
    siginfo_t info;
    int fd = temp_file(MANY);

    block_signal(SIGRTMIN);
    prep(&cbs[0], fd, bytes, 1, 0);
    prep(&cbs[1], fd, bytes, 1, 0);
    prep(&cbs[2], fd, NULL, 0, 0);
    prep(&cbs[3], closed_fd(), bytes, 1, 0);
    for (size_t i = 0; i < 4; i++)
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
    must_read(&cbs[0]);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[0]);
    ck_assert_int_eq(finish(&cbs[0]), 1);
    must_write(&cbs[1]);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[1]);
    ck_assert_int_eq(finish(&cbs[1]), 1);
    must_fsync(&cbs[2]);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[2]);
    must_read(&cbs[3]);
    take_signal(SIGRTMIN, &info);
    ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[3]);
    ck_assert_int_eq(aio_error(&cbs[3]), EBADF);
}
END_TEST

static sem_t handled;
static atomic_bool handled_in_right_thread;
static pthread_t open_thread;
static sem_t open_thread_ready;

static void note_thread(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    atomic_store(&handled_in_right_thread, pthread_equal(pthread_self(), open_thread) != 0);
    sem_post(&handled);
}

static sem_t may_end;

static void *leave_signal_open(void *argument)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    sem_post(&open_thread_ready);
    /* ThreadSanitizer keeps a signal that comes a moment before a thread sleeps until
     * that thread's next call. */
    while (SANITIZED && sem_trywait(&may_end) != 0)
        sched_yield();
    if (!SANITIZED)
        await(&may_end);
    return argument;
}

/* "queued to the process": any thread may take it, not only the one that submitted. */
START_TEST(signal_is_queued_to_the_process)
{
    int fd = temp_file(MANY);

    block_signal(SIGUSR1);
    handle(SIGUSR1, note_thread, SA_RESTART);
    ck_assert_int_eq(sem_init(&handled, 0, 0), 0);
    ck_assert_int_eq(sem_init(&open_thread_ready, 0, 0), 0);
    ck_assert_int_eq(sem_init(&may_end, 0, 0), 0);
    start_thread(&open_thread, leave_signal_open, NULL);
    await(&open_thread_ready);
    prep_read(0, fd);
    notify_by_signal(&cbs[0].aio_sigevent, SIGUSR1, NULL);
    must_read(&cbs[0]);
    await(&handled);
    ck_assert(atomic_load(&handled_in_right_thread));
    sem_post(&may_end);
    join_thread(open_thread);
}
END_TEST

static atomic_bool wrong_thread_got_it;

static void note_wrong_thread(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
    atomic_store(&wrong_thread_got_it, true);
}

/*
 * "SIGEV_THREAD_ID on Linux": the signal is for one thread.  It has it
 * blocked, another has it open and would get every signal to the process.
 */
START_TEST(thread_id_sends_to_that_thread)
{
    siginfo_t info;
    int fd = temp_file(MANY);

    block_signal(SIGUSR1);
    handle(SIGUSR1, note_wrong_thread, SA_RESTART);
    ck_assert_int_eq(sem_init(&open_thread_ready, 0, 0), 0);
    ck_assert_int_eq(sem_init(&may_end, 0, 0), 0);
    start_thread(&open_thread, leave_signal_open, NULL);
    await(&open_thread_ready);
    for (size_t i = 0; i < 100; i++) {
        prep_read(i, fd);
        notify_by_signal(&cbs[i].aio_sigevent, SIGUSR1, &cbs[i]);
        cbs[i].aio_sigevent.sigev_notify = SIGEV_THREAD_ID;
        cbs[i].aio_sigevent.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
        must_read(&cbs[i]);
        take_signal(SIGUSR1, &info);
        ck_assert_int_eq(info.si_code, SI_ASYNCIO);
        ck_assert_ptr_eq(info.si_value.sival_ptr, &cbs[i]);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    sem_post(&may_end);
    join_thread(open_thread);
    ck_assert(!atomic_load(&wrong_thread_got_it));
}
END_TEST

/*
 * Leaves room for so few more queued signals.  The limit counts those of all
 * processes of the user, among them other tests: root becomes a user that nobody
 * else is, and others are alone in a namespace, where that is allowed.
 */
static void limit_queued_signals(unsigned more)
{
    const uid_t alone = 1000000U + (uid_t)getpid();
    struct rlimit limit;
    unsigned long queued = 0;
    char line[256];
    FILE *status;

    if (geteuid() == 0)
        ck_assert_int_eq(setresuid(alone, alone, alone), 0);
#ifdef CLONE_NEWUSER
    else
        (void)!unshare(CLONE_NEWUSER);
#endif
    status = fopen("/proc/self/status", "r");
    ck_assert_ptr_nonnull(status);
    while (fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "SigQ: %lu/", &queued) == 1)
            break;
    }
    fclose(status);
    ck_assert_int_eq(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
    limit.rlim_cur = queued + more;
    ck_assert_int_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
}

/*
 * "None is ever lost: when the signal queue is full, retry until it fits".
 * The queue has room for next to nothing, and MANY requests complete.
 */
START_TEST(no_signal_is_lost_when_the_queue_is_full)
{
    siginfo_t info;
    int fd = temp_file(MANY);

    block_signal(SIGRTMIN);
    if (_i % 2 > 0)
        queue_everything();
    limit_queued_signals(_i / 2 == 0 ? 1 : 8);
    for (size_t i = 0; i < MANY; i++) {
        prep_read(i, fd);
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        take_signal(SIGRTMIN, &info);
        ck_assert_int_eq(info.si_code, SI_ASYNCIO);
        ck_assert_int_ne(aio_error(info.si_value.sival_ptr), EINPROGRESS);
        atomic_fetch_add(&calls[index_of(info.si_value.sival_ptr)], 1);
    }
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

/* "None is ever lost": and the full queue holds up neither other requests nor callbacks. */
START_TEST(a_full_queue_holds_up_nothing_else)
{
    struct rlimit limit;
    siginfo_t info;
    int fd = temp_file(MANY);

    block_signal(SIGRTMIN);
    queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
    limit.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
    for (size_t i = 1; i < 100; i++) {
        prep_read(i, fd);
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        must_read(&cbs[i]);
    }
    for (size_t i = 1; i < 100; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    let_others_run();
    check_a_callback_works(0, fd);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
    for (size_t i = 1; i < 100; i++)
        take_signal(SIGRTMIN, &info);
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

static void limit_queued_signals_to(rlim_t n)
{
    struct rlimit limit;

    ck_assert_int_eq(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
    limit.rlim_cur = n > limit.rlim_max ? limit.rlim_max : n;
    ck_assert_int_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
}

static void submit_signalling_reads(size_t first, size_t end, int fd)
{
    for (size_t i = first; i < end; i++) {
        prep_read(i, fd);
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        must_read(&cbs[i]);
    }
}

/* Takes as many signals as there are, and asserts that each of these requests had one. */
static void take_each_signal_once(size_t first, size_t end)
{
    siginfo_t info;

    for (size_t i = first; i < end; i++) {
        take_signal(SIGRTMIN, &info);
        atomic_fetch_add(&calls[index_of(info.si_value.sival_ptr)], 1);
    }
    for (size_t i = first; i < end; i++)
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
    ck_assert(!is_pending(SIGRTMIN));
}

/* The signals that do not fit yet are kept, and not each by a thread that waits for it. */
START_TEST(signals_that_wait_take_few_threads)
{
    int fd = temp_file(MANY);

    block_signal(SIGRTMIN);
    queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    limit_queued_signals_to(0);
    submit_signalling_reads(1, MANY, fd);
    for (size_t i = 1; i < MANY; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    check_a_callback_works(0, fd);
    let_others_run();
    ck_assert_uint_le(list_threads(NULL, 0), 16); /* four of them workers */
    limit_queued_signals_to(RLIM_INFINITY);
    take_each_signal_once(1, MANY);
}
END_TEST

/*
 * "None is ever lost": with the queue full, and no thread to be had for trying
 * again but the workers there are.
 */
START_TEST(no_signal_is_lost_without_room_and_threads)
{
    enum { SIGNALS = 100 };
    int fd = temp_file(MANY);

    block_signal(SIGRTMIN);
    queue_everything();
    ck_assert_int_eq(setenv("UAIO_IDLE_MS", "3600000", 1), 0);
    let_others_run();
    limit_queued_signals(1);
    if (!forbid_threads())
        SKIP("cannot keep pthread_create from working here");
    submit_signalling_reads(0, SIGNALS, fd);
    take_each_signal_once(0, SIGNALS);
    for (size_t i = 0; i < SIGNALS; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
}
END_TEST

static void *say_thread_id(void *argument)
{
    *(pid_t *)argument = (pid_t)syscall(SYS_gettid);
    return NULL;
}

/* A signal for a thread that has ended has nobody to go to: nothing waits for that. */
START_TEST(a_signal_for_a_thread_that_ended_is_dropped)
{
    pthread_t thread;
    pid_t tid = 0;
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    block_signal(SIGUSR1);
    start_thread(&thread, say_thread_id, &tid);
    join_thread(thread);
    for (size_t i = 0; i < 20; i++) {
        prep_read(i, fd);
        notify_by_signal(&cbs[i].aio_sigevent, SIGUSR1, &cbs[i]);
        cbs[i].aio_sigevent.sigev_notify = SIGEV_THREAD_ID;
        cbs[i].aio_sigevent.sigev_notify_thread_id = tid;
        must_read(&cbs[i]);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    let_others_run();
    ck_assert(!is_pending(SIGUSR1));
}
END_TEST

/* "Each request notifies exactly once, after its status is visible": signals. */
START_TEST(each_request_signals_exactly_once_after_its_status)
{
    int fd = temp_file(MANY);
    siginfo_t info;

    if (_i > 0)
        queue_everything();
    block_signal(SIGRTMIN);
    for (size_t i = 0; i < MANY; i++) {
        prep_read(i, fd);
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        take_signal(SIGRTMIN, &info);
        ck_assert_int_eq(aio_error(info.si_value.sival_ptr), 0);
        ck_assert_int_eq(aio_return(info.si_value.sival_ptr), 1);
        atomic_fetch_add(&calls[index_of(info.si_value.sival_ptr)], 1);
    }
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
    let_others_run();
    ck_assert(!is_pending(SIGRTMIN));
}
END_TEST

static atomic_int handler_runs;

static void check_status_in_handler(int signo, siginfo_t *info, void *context)
{
    const int saved = errno;

    (void)signo;
    (void)context;
    if (aio_error(info->si_value.sival_ptr) == EINPROGRESS)
        atomic_fetch_add(&in_progress_seen, 1);
    if (aio_return(info->si_value.sival_ptr) == 1)
        atomic_fetch_add(&handler_runs, 1);
    errno = saved;
}

/* The same with a handler, which may come at any moment. */
START_TEST(a_handler_finds_its_request_done)
{
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    handle(SIGRTMIN, check_status_in_handler, SA_RESTART);
    for (size_t i = 0; i < MANY; i++) {
        prep_read(i, fd);
        notify_by_signal(&cbs[i].aio_sigevent, SIGRTMIN, &cbs[i]);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(wait_done(&cbs[i]), 0);
    /* ThreadSanitizer puts handlers off, and of signals of one number keeps only one. */
    while (!SANITIZED && atomic_load(&handler_runs) < MANY)
        sched_yield();
    ck_assert_int_eq(atomic_load(&in_progress_seen), 0);
}
END_TEST

/* --- callbacks --- */

/*
 * "SIGEV_THREAD with sigev_value", "Each request notifies exactly once, after
 * its status is visible"
 */
START_TEST(each_request_calls_back_exactly_once_after_its_status)
{
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (size_t i = 0; i < MANY; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, count_call, &cbs[i], NULL);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        await(&called);
    let_others_run();
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    ck_assert_int_eq(atomic_load(&in_progress_seen), 0);
}
END_TEST

static atomic_size_t stack_size, guard_size;
static atomic_uintptr_t stack_address;

static void note_attributes(union sigval value)
{
    pthread_attr_t attr;
    size_t size = 0, guard = 0;
    char here;

    (void)value;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstacksize(&attr, &size);
        pthread_attr_getguardsize(&attr, &guard);
        pthread_attr_destroy(&attr);
    }
    atomic_store(&stack_size, size);
    atomic_store(&guard_size, guard);
    atomic_store(&stack_address, (uintptr_t)&here);
    sem_post(&called);
}

/* "honouring sigev_notify_attributes": the stack's size.  It may be more: libc
 * gives a thread a larger stack that another has left. */
START_TEST(callback_has_the_stack_size_asked_for)
{
    const size_t sizes[] = {(size_t)3 << 20, (size_t)37 << 20, (size_t)1 << 20};
    pthread_attr_t attr;
    int fd = temp_file(MANY);

    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        ck_assert_int_eq(pthread_attr_init(&attr), 0);
        ck_assert_int_eq(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
        ck_assert_int_eq(pthread_attr_setstacksize(&attr, sizes[i]), 0);
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, note_attributes, NULL, &attr);
        must_read(&cbs[i]);
        await(&called);
        ck_assert_uint_ge(atomic_load(&stack_size), sizes[i]);
        ck_assert_int_eq(pthread_attr_destroy(&attr), 0);
    }
}
END_TEST

/* "honouring sigev_notify_attributes": the guard's size. */
START_TEST(callback_has_the_guard_size_asked_for)
{
    const size_t guard = (size_t)64 << 10;
    pthread_attr_t attr;
    int fd = temp_file(MANY);

    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    ck_assert_int_eq(pthread_attr_setguardsize(&attr, guard), 0);
    prep_read(0, fd);
    notify_by_thread(&cbs[0].aio_sigevent, note_attributes, NULL, &attr);
    must_read(&cbs[0]);
    await(&called);
    ck_assert_uint_eq(atomic_load(&guard_size), guard);
}
END_TEST

/* "honouring sigev_notify_attributes": the stack itself. */
START_TEST(callback_runs_on_the_stack_given)
{
    static _Alignas(4096) char stack[(size_t)2 << 20];
    pthread_attr_t attr;
    int fd = temp_file(MANY);

    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    ck_assert_int_eq(pthread_attr_setstack(&attr, stack, sizeof stack), 0);
    prep_read(0, fd);
    notify_by_thread(&cbs[0].aio_sigevent, note_attributes, NULL, &attr);
    must_read(&cbs[0]);
    await(&called);
    if (SANITIZED)
        SKIP("a sanitizer may give locals another stack");
    ck_assert(atomic_load(&stack_address) >= (uintptr_t)stack);
    ck_assert(atomic_load(&stack_address) < (uintptr_t)stack + sizeof stack);
}
END_TEST

/* Attributes are honoured with everything else that a list's notification has. */
START_TEST(the_callback_of_a_list_has_its_attributes)
{
    struct aiocb *list[] = {&cbs[0]};
    struct sigevent sig;
    pthread_attr_t attr;
    const size_t size = (size_t)41 << 20;

    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, size), 0);
    prep_read(0, temp_file(MANY));
    notify_by_thread(&sig, note_attributes, NULL, &attr);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, 1, &sig), 0);
    await(&called);
    ck_assert_uint_ge(atomic_load(&stack_size), size);
}
END_TEST

static atomic_int policy_seen, priority_seen, cpus_seen;

static void note_scheduling(union sigval value)
{
    struct sched_param param = {0};
    cpu_set_t set;
    int policy = -1;

    (void)value;
    pthread_getschedparam(pthread_self(), &policy, &param);
    atomic_store(&policy_seen, policy);
    atomic_store(&priority_seen, param.sched_priority);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        atomic_store(&cpus_seen, CPU_COUNT(&set));
    sem_post(&called);
}

/* Attributes of a detached thread. */
static void init_attributes(pthread_attr_t *attr)
{
    ck_assert_int_eq(pthread_attr_init(attr), 0);
    ck_assert_int_eq(pthread_attr_setdetachstate(attr, PTHREAD_CREATE_DETACHED), 0);
}

static void ask_for_fifo(pthread_attr_t *attr, int priority)
{
    const struct sched_param param = {.sched_priority = priority};

    ck_assert_int_eq(pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED), 0);
    ck_assert_int_eq(pthread_attr_setschedpolicy(attr, SCHED_FIFO), 0);
    ck_assert_int_eq(pthread_attr_setschedparam(attr, &param), 0);
}

static void *no_operation(void *argument)
{
    return argument;
}

static bool can_make_thread(const pthread_attr_t *attr)
{
    pthread_t thread;
    int detached;

    if (pthread_create(&thread, attr, no_operation, NULL) != 0)
        return false;
    pthread_attr_getdetachstate(attr, &detached);
    if (detached == PTHREAD_CREATE_JOINABLE)
        join_thread(thread);
    return true;
}

/* "honouring sigev_notify_attributes": policy and priority. */
START_TEST(callback_has_the_scheduling_asked_for)
{
    static pthread_attr_t attr;
    int fd = temp_file(MANY);

    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    init_attributes(&attr);
    ask_for_fifo(&attr, 3);
    if (!can_make_thread(&attr))
        SKIP("no right to a real-time policy");
    prep_read(0, fd);
    notify_by_thread(&cbs[0].aio_sigevent, note_scheduling, NULL, &attr);
    must_read(&cbs[0]);
    await(&called);
    ck_assert_int_eq(atomic_load(&policy_seen), SCHED_FIFO);
    ck_assert_int_eq(atomic_load(&priority_seen), 3);
    /* And the next callback, without attributes, has nothing of it. */
    prep_read(1, fd);
    notify_by_thread(&cbs[1].aio_sigevent, note_scheduling, NULL, NULL);
    must_read(&cbs[1]);
    await(&called);
    ck_assert_int_eq(atomic_load(&policy_seen), SCHED_OTHER);
}
END_TEST

/* "honouring sigev_notify_attributes": processors. */
START_TEST(callback_has_the_processors_asked_for)
{
    static pthread_attr_t attr;
    cpu_set_t all, one;
    size_t cpu = 0;

    ck_assert_int_eq(sched_getaffinity(0, sizeof all, &all), 0);
    if (CPU_COUNT(&all) == 1)
        SKIP("there is one processor");
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    init_attributes(&attr);
    ck_assert_int_eq(pthread_attr_setaffinity_np(&attr, sizeof one, &one), 0);
    prep_read(0, temp_file(MANY));
    notify_by_thread(&cbs[0].aio_sigevent, note_scheduling, NULL, &attr);
    must_read(&cbs[0]);
    await(&called);
    ck_assert_int_eq(atomic_load(&cpus_seen), 1);
}
END_TEST

/*
 * Nobody can join the callback's thread: one that is joinable by its attributes
 * leaves nothing behind either.  There is address space for a third of the
 * stacks.
 */
START_TEST(callbacks_in_joinable_threads_leave_nothing)
{
    enum { CALLS = 96, STACK = 64 << 20 };
    static pthread_attr_t attr;
    char value[THREAD_VALUE_MAX];
    struct rlimit limit;
    int fd = temp_file(MANY);

    if (SANITIZED)
        SKIP("a sanitizer needs the address space");
    if (sizeof(void *) < 8)
        SKIP("too little address space");
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    let_others_run();
    thread_value(getpid(), "VmSize", value);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = strtoul(value, NULL, 10) * 1024 + (rlim_t)STACK * CALLS / 3;
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_int_eq(pthread_attr_init(&attr), 0);
    ck_assert_int_eq(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_JOINABLE), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attr, STACK), 0);
    for (size_t i = 0; i < CALLS; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, note_attributes, NULL, &attr);
        must_read(&cbs[i]);
        await(&called);
        ck_assert_uint_ge(atomic_load(&stack_size), STACK);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
}
END_TEST

static void ask_for_too_large_a_stack(pthread_attr_t *attr)
{
    ck_assert_int_eq(pthread_attr_setstacksize(attr, SIZE_MAX / 4 & ~(size_t)0xffff), 0);
}

static void ask_for_a_processor_that_is_not_there(pthread_attr_t *attr)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(CPU_SETSIZE - 1, &set);
    ck_assert_int_eq(pthread_attr_setaffinity_np(attr, sizeof set, &set), 0);
}

static void ask_for_what_is_not_permitted(pthread_attr_t *attr)
{
    const struct rlimit none = {0, 0};

    ck_assert_int_eq(setrlimit(RLIMIT_RTPRIO, &none), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    ask_for_fifo(attr, 1);
}

static void (*const bad_attributes[])(pthread_attr_t *attr) = {
    ask_for_too_large_a_stack,
    ask_for_a_processor_that_is_not_there,
    ask_for_what_is_not_permitted,
};

/* "when a thread cannot be created, run the callback on one we have": not with these attributes. */
START_TEST(callback_runs_though_its_attributes_make_no_thread)
{
    static pthread_attr_t attr;
    struct aiocb *list[1] = {&cbs[11]};
    struct sigevent sig;
    int fd = temp_file(MANY);

    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    init_attributes(&attr);
    bad_attributes[_i](&attr);
    if (can_make_thread(&attr))
        SKIP("such a thread can be made");
    for (size_t i = 0; i < 10; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, count_call, &cbs[i], &attr);
        must_read(&cbs[i]);
        await(&called);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    prep_read(11, fd);
    cbs[11].aio_lio_opcode = LIO_READ;
    notify_by_thread(&sig, count_call, &cbs[11], &attr);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, 1, &sig), 0);
    await(&called);
    for (size_t i = 0; i < 10; i++)
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
    ck_assert_int_eq(atomic_load(&calls[11]), 1);
}
END_TEST

static void destroy_attributes(union sigval value)
{
    pthread_attr_destroy(value.sival_ptr);
    memset(value.sival_ptr, 0xff, sizeof(pthread_attr_t));
    sem_post(&called);
}

/* "Only sigev_notify_attributes must outlive it": until the callback, whose thread is made by then. */
START_TEST(attributes_may_be_destroyed_in_the_callback)
{
    static pthread_attr_t attr[MANY];
    int fd = temp_file(MANY);

    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (size_t i = 0; i < MANY; i++) {
        init_attributes(&attr[i]);
        ck_assert_int_eq(pthread_attr_setstacksize(&attr[i], (size_t)1 << 20), 0);
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, destroy_attributes, &attr[i], &attr[i]);
        must_read(&cbs[i]);
        await(&called);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
}
END_TEST

static atomic_bool some_signal_blocked;
static atomic_bool same_thread;
static pthread_t submitter;

static void note_mask_and_thread(union sigval value)
{
    sigset_t mask;

    (void)value;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    for (int signo = 1; signo <= SIGRTMAX; signo++) {
        if (sigismember(&mask, signo) == 1)
            atomic_store(&some_signal_blocked, true);
    }
    if (pthread_equal(pthread_self(), submitter))
        atomic_store(&same_thread, true);
    sem_post(&called);
}

/* "Callbacks run in their own thread with signals unblocked" */
START_TEST(callback_has_its_own_thread_with_signals_unblocked)
{
    sigset_t all;
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    sigfillset(&all);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    submitter = pthread_self();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (size_t i = 0; i < 20; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, note_mask_and_thread, NULL, NULL);
        must_read(&cbs[i]);
        await(&called);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    ck_assert(!atomic_load(&some_signal_blocked));
    ck_assert(!atomic_load(&same_thread));
}
END_TEST

static sem_t go;

static void wait_for_go(union sigval value)
{
    await(&go);
    count_call(value);
}

/*
 * "never in a worker before its waiters are woken": the callback ends only
 * when who waited for the request has been woken.
 */
START_TEST(waiters_are_woken_though_the_callback_blocks)
{
    int fd = temp_file(MANY);

    queue_everything();
    use_workers(1);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go, 0, 0), 0);
    for (size_t i = 0; i < 20; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, wait_for_go, &cbs[i], NULL);
        must_read(&cbs[i]);
        ck_assert_int_eq(finish(&cbs[i]), 1);
        sem_post(&go);
        await(&called);
    }
}
END_TEST

static sem_t arrived;

static void arrive_and_wait(union sigval value)
{
    sem_post(&arrived);
    await(&go);
    count_call(value);
}

/* "A callback may [...] block for long: other callbacks and I/O go on." */
START_TEST(callbacks_may_block_while_others_and_io_go_on)
{
    enum { BLOCKED = 32 };
    int fd = temp_file(MANY);

    queue_everything();
    use_workers(1);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(sem_init(&arrived, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go, 0, 0), 0);
    for (size_t i = 0; i < BLOCKED; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, arrive_and_wait, &cbs[i], NULL);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < BLOCKED; i++)
        await(&arrived); /* all are blocked, each in a thread */
    let_others_run();
    check_a_callback_works(BLOCKED, fd);
    for (size_t i = 0; i < BLOCKED; i++)
        sem_post(&go);
    for (size_t i = 0; i < BLOCKED; i++)
        await(&called);
    for (size_t i = 0; i < BLOCKED; i++)
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
}
END_TEST

static void arrive_for_ever(union sigval value)
{
    sem_post(&arrived);
    for (;;)
        await(&go);
    count_call(value);
}

/* The same for ever: dozens of callbacks never end, and neither callbacks nor signals are held up. */
START_TEST(callbacks_may_block_for_ever)
{
    enum { BLOCKED = 60, SIGNALS = 100, FIRST_CALL = BLOCKED + SIGNALS };
    int fd = temp_file(MANY);

    no_leak_check_at_exit();
    queue_everything();
    block_signal(SIGRTMIN);
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(sem_init(&arrived, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go, 0, 0), 0);
    for (size_t i = 0; i < BLOCKED; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, arrive_for_ever, &cbs[i], NULL);
        must_read(&cbs[i]);
        await(&arrived);
    }
    limit_queued_signals_to(0);
    submit_signalling_reads(BLOCKED, FIRST_CALL, fd);
    for (size_t i = FIRST_CALL; i < MANY; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, block_and_count_call, &cbs[i], NULL);
        must_read(&cbs[i]);
    }
    for (size_t i = FIRST_CALL; i < MANY; i++)
        await(&called);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    for (size_t i = FIRST_CALL; i < MANY; i++)
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
    signal(SIGRTMIN, SIG_IGN);              /* the callbacks would take it */
    limit_queued_signals_to(RLIM_INFINITY); /* Check makes a timer to choose its clock */
}
END_TEST

static pid_t threads_of_calls[MANY];

static void note_thread_of_call(union sigval value)
{
    threads_of_calls[index_of(value.sival_ptr)] = (pid_t)syscall(SYS_gettid);
    sem_post(&called);
}

/* Callbacks that come one after the other do not cost a new thread each. */
START_TEST(callbacks_one_after_the_other_share_threads)
{
    enum { CALLS = 200 };
    int fd = temp_file(MANY), distinct = 0;

    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (size_t i = 0; i < CALLS; i++) {
        bool seen = false;

        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, note_thread_of_call, &cbs[i], NULL);
        must_read(&cbs[i]);
        await(&called);
        ck_assert_int_eq(finish(&cbs[i]), 1);
        for (size_t j = 0; j < i; j++)
            seen = seen || threads_of_calls[j] == threads_of_calls[i];
        distinct += !seen;
    }
    ck_assert_int_le(distinct, 10);
}
END_TEST

static atomic_int chain_left;
static atomic_int callback_failures;
static int chain_fd;

static void submit_next(union sigval value)
{
    struct aiocb *cb = value.sival_ptr;

    if (aio_error(cb) != 0 || aio_return(cb) != 1)
        atomic_fetch_add(&callback_failures, 1);
    if (atomic_fetch_sub(&chain_left, 1) > 1) {
        if (aio_read(cb) == 0)
            return;
        atomic_fetch_add(&callback_failures, 1);
    }
    sem_post(&called);
}

/* "A callback may submit": each submits the next. */
START_TEST(callback_may_submit)
{
    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    atomic_store(&chain_left, SANITIZED ? 1000 : 10000);
    prep_read(0, temp_file(MANY));
    notify_by_thread(&cbs[0].aio_sigevent, submit_next, &cbs[0], NULL);
    must_read(&cbs[0]);
    await(&called);
    ck_assert_int_eq(atomic_load(&callback_failures), 0);
    ck_assert_int_eq(atomic_load(&chain_left), 0);
}
END_TEST

static void cancel_the_next(union sigval value)
{
    size_t next = index_of(value.sival_ptr) + 1;

    if (aio_cancel(cbs[next].aio_fildes, &cbs[next]) != AIO_CANCELED)
        atomic_fetch_add(&callback_failures, 1);
    count_call(value);
}

/* "A callback may [...] cancel": here an fsync, which waits for a read that is held. */
START_TEST(callback_may_cancel)
{
    struct aiocb slow;
    struct gate gate;

    queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    MAKE_GATE(&gate, 1);
    occupy_worker(&gate, 0, &slow);
    prep(&cbs[1], slow.aio_fildes, NULL, 0, 0);
    must_fsync(&cbs[1]);
    prep_read(0, temp_file(MANY));
    notify_by_thread(&cbs[0].aio_sigevent, cancel_the_next, &cbs[0], NULL);
    must_read(&cbs[0]);
    await(&called);
    ck_assert_int_eq(atomic_load(&callback_failures), 0);
    ck_assert_int_eq(aio_error(&cbs[1]), ECANCELED);
    gate_open(&gate, 0);
    ck_assert_int_eq(finish(&slow), 16);
}
END_TEST

static void wait_inside(union sigval value)
{
    struct aiocb inner[2];
    struct aiocb *const list[] = {&inner[0], &inner[1]};
    const struct aiocb *const waited[] = {&inner[0]};
    char two[2];

    for (int i = 0; i < 2; i++) {
        prep(&inner[i], chain_fd, &two[i], 1, i);
        inner[i].aio_lio_opcode = LIO_READ;
    }
    if (aio_read(&inner[0]) != 0)
        atomic_fetch_add(&callback_failures, 1);
    while (aio_error(&inner[0]) == EINPROGRESS)
        aio_suspend(waited, 1, NULL);
    if (aio_return(&inner[0]) != 1)
        atomic_fetch_add(&callback_failures, 1);
    if (lio_listio(LIO_WAIT, list, 2, NULL) != 0 || aio_return(&inner[0]) != 1 ||
        aio_return(&inner[1]) != 1)
        atomic_fetch_add(&callback_failures, 1);
    count_call(value);
}

/* "A callback may [...] wait": by aio_suspend and LIO_WAIT, with the one worker there is. */
START_TEST(callback_may_wait)
{
    int fd = temp_file(MANY);

    chain_fd = temp_file(MANY);
    use_workers(1);
    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (size_t i = 0; i < 20; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, wait_inside, &cbs[i], NULL);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < 20; i++)
        await(&called);
    ck_assert_int_eq(atomic_load(&callback_failures), 0);
}
END_TEST

static void exit_thread(union sigval value)
{
    count_call(value);
    pthread_exit(NULL);
}

/* "A callback may [...] call pthread_exit" */
START_TEST(callback_may_call_pthread_exit)
{
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (size_t i = 0; i < 200; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, exit_thread, &cbs[i], NULL);
        must_read(&cbs[i]);
        await(&called);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    let_others_run();
    check_a_callback_works(200, fd);
}
END_TEST

static pthread_t victim; /* handed over by `arrived` */
static sem_t unwound;

static void note_unwound(void *argument)
{
    (void)argument;
    sem_post(&unwound);
}

static void wait_for_cancel(union sigval value)
{
    (void)value;
    victim = pthread_self();
    pthread_cleanup_push(note_unwound, NULL);
    sem_post(&arrived);
    /* Not pause(): ThreadSanitizer loses track of a thread that is cancelled in a call that it
     * intercepts. */
    for (;;) {
        pthread_testcancel();
        sched_yield();
    }
    pthread_cleanup_pop(0);
}

/* "A callback may [...] be cancelled: other callbacks and I/O go on." */
START_TEST(callback_may_be_cancelled)
{
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    ck_assert_int_eq(sem_init(&arrived, 0, 0), 0);
    ck_assert_int_eq(sem_init(&unwound, 0, 0), 0);
    for (size_t i = 0; i < 50; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, wait_for_cancel, NULL, NULL);
        must_read(&cbs[i]);
        await(&arrived);
        ck_assert_int_eq(pthread_cancel(victim), 0);
        await(&unwound);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
    let_others_run();
    check_a_callback_works(100, fd);
}
END_TEST

static void cancel_own_thread(union sigval value)
{
    count_call(value);
    pthread_cancel(pthread_self());
    for (;;)
        pthread_testcancel();
}

static void (*const ways_to_end[])(union sigval) = {count_call, exit_thread, cancel_own_thread};

/*
 * lio_listio: "sig once when all are done [...] and after every single
 * notification of its entries", however their callbacks end.
 */
START_TEST(a_list_is_told_of_though_its_callbacks_end_their_threads)
{
    enum { ENTRIES = 60, OWN = MANY - 1 };
    struct aiocb *list[ENTRIES];
    struct sigevent sig;
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    for (int round = 1; round <= 5; round++) {
        for (size_t i = 0; i < ENTRIES; i++) {
            prep_read(i, fd);
            cbs[i].aio_lio_opcode = LIO_READ;
            notify_by_thread(&cbs[i].aio_sigevent, ways_to_end[i % COUNT(ways_to_end)], &cbs[i],
                             NULL);
            list[i] = &cbs[i];
        }
        notify_by_thread(&sig, ways_to_end[round % 3], &cbs[OWN], NULL);
        ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, ENTRIES, &sig), 0);
        while (atomic_load(&calls[OWN]) < round)
            await(&called);
        for (size_t i = 0; i < ENTRIES; i++) {
            ck_assert_int_eq(atomic_load(&calls[i]), round);
            ck_assert_int_eq(finish(&cbs[i]), 1);
        }
    }
    ck_assert_int_eq(atomic_load(&calls[OWN]), 5);
}
END_TEST

/* --- when no thread can be had --- */

/*
 * "when a thread cannot be created, run the callback on one we have": with no
 * thread at all of our own.
 */
START_TEST(requests_and_callbacks_complete_when_no_thread_can_be_created)
{
    int fd = temp_file(MANY);

    if (_i > 0)
        queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    if (!forbid_threads())
        SKIP("cannot keep pthread_create from working here");
    for (size_t i = 0; i < 100; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, count_call, &cbs[i], NULL);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < 100; i++)
        await(&called);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
        ck_assert_int_eq(finish(&cbs[i]), 1);
        ck_assert(is_pattern(&bytes[i], 1, i));
    }
    ck_assert_int_eq(atomic_load(&in_progress_seen), 0);
}
END_TEST

/* The same when workers are there already, and more cannot be had. */
START_TEST(callbacks_complete_when_no_more_threads_can_be_created)
{
    const int fd = temp_file(MANY);

    queue_everything();
    ck_assert_int_eq(sem_init(&called, 0, 0), 0);
    let_others_run();
    if (!forbid_threads())
        SKIP("cannot keep pthread_create from working here");
    for (size_t i = 0; i < MANY; i++) {
        prep_read(i, fd);
        notify_by_thread(&cbs[i].aio_sigevent, count_call, &cbs[i], NULL);
        must_read(&cbs[i]);
    }
    for (size_t i = 0; i < MANY; i++)
        await(&called);
    for (size_t i = 0; i < MANY; i++) {
        ck_assert_int_eq(atomic_load(&calls[i]), 1);
        ck_assert_int_eq(finish(&cbs[i]), 1);
    }
}
END_TEST

/* And every other kind of request and notification. */
START_TEST(everything_completes_when_no_thread_can_be_created)
{
    struct aiocb *list[MANY];
    struct sigevent sig;
    siginfo_t info;
    int pair[2], fd = temp_file(MANY), out = temp_file(0);

    if (_i > 0)
        queue_everything();
    make_pipe(pair);
    ck_assert_int_eq(fcntl(out, F_SETFL, O_APPEND), 0);
    block_signal(SIGRTMIN);
    if (!forbid_threads())
        SKIP("cannot keep pthread_create from working here");
    for (size_t i = 0; i < MANY; i++) {
        prep_read(i, fd);
        list[i] = &cbs[i];
    }
    notify_by_signal(&sig, SIGRTMIN, list);
    ck_assert_int_eq(lio_listio(LIO_NOWAIT, list, MANY, &sig), 0);
    take_signal(SIGRTMIN, &info);
    ck_assert_int_eq(lio_listio(LIO_WAIT, list, MANY, NULL), 0);
    ck_assert(is_pattern(bytes, MANY, 0));
    for (size_t i = 0; i < 100; i++) {
        prep(&cbs[i], out, &bytes[i], 1, 0);
        must_write(&cbs[i]);
    }
    prep(&cbs[100], out, NULL, 0, 0);
    must_fsync(&cbs[100]);
    ck_assert_int_eq(finish(&cbs[100]), 0);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(finish(&cbs[i]), 1);
    ck_assert_int_eq(pread(out, bytes, MANY, 0), 100);
    ck_assert(is_pattern(bytes, 100, 0));
    ck_assert_int_eq(write(pair[1], "pipe", 4), 4);
    prep(&cbs[0], pair[0], bytes, 4, 0);
    must_read(&cbs[0]);
    ck_assert_int_eq(finish(&cbs[0]), 4);
    ck_assert_mem_eq(bytes, "pipe", 4);
}
END_TEST

Suite *notify_suite(void)
{
    TCase *tc;
    Suite *suite = new_suite("notify", 60, &tc);

    tcase_add_test(tc, none_sends_nothing);
    tcase_add_loop_test(tc, signal_has_code_value_pid_and_uid, 0, 2);
    tcase_add_test(tc, every_kind_of_request_sends_its_signal);
    tcase_add_test(tc, signal_is_queued_to_the_process);
    tcase_add_test(tc, thread_id_sends_to_that_thread);
    tcase_add_loop_test(tc, no_signal_is_lost_when_the_queue_is_full, 0, 4);
    tcase_add_test(tc, a_full_queue_holds_up_nothing_else);
    tcase_add_test(tc, signals_that_wait_take_few_threads);
    tcase_add_test(tc, no_signal_is_lost_without_room_and_threads);
    tcase_add_loop_test(tc, a_signal_for_a_thread_that_ended_is_dropped, 0, 2);
    tcase_add_loop_test(tc, each_request_signals_exactly_once_after_its_status, 0, 2);
    tcase_add_loop_test(tc, a_handler_finds_its_request_done, 0, 2);
    tcase_add_loop_test(tc, each_request_calls_back_exactly_once_after_its_status, 0, 2);
    tcase_add_test(tc, callback_has_the_stack_size_asked_for);
    tcase_add_test(tc, callback_has_the_guard_size_asked_for);
    tcase_add_test(tc, callback_runs_on_the_stack_given);
    tcase_add_test(tc, the_callback_of_a_list_has_its_attributes);
    tcase_add_test(tc, callback_has_the_scheduling_asked_for);
    tcase_add_test(tc, callback_has_the_processors_asked_for);
    tcase_add_test(tc, callbacks_in_joinable_threads_leave_nothing);
    tcase_add_loop_test(tc, callback_runs_though_its_attributes_make_no_thread, 0,
                        COUNT(bad_attributes));
    tcase_add_test(tc, attributes_may_be_destroyed_in_the_callback);
    tcase_add_loop_test(tc, callback_has_its_own_thread_with_signals_unblocked, 0, 2);
    tcase_add_test(tc, waiters_are_woken_though_the_callback_blocks);
    tcase_add_test(tc, callbacks_may_block_while_others_and_io_go_on);
    tcase_add_test(tc, callbacks_may_block_for_ever);
    tcase_add_loop_test(tc, callbacks_one_after_the_other_share_threads, 0, 2);
    tcase_add_loop_test(tc, callback_may_submit, 0, 2);
    tcase_add_test(tc, callback_may_cancel);
    tcase_add_loop_test(tc, callback_may_wait, 0, 2);
    tcase_add_loop_test(tc, callback_may_call_pthread_exit, 0, 2);
    tcase_add_loop_test(tc, callback_may_be_cancelled, 0, 2);
    tcase_add_loop_test(tc, a_list_is_told_of_though_its_callbacks_end_their_threads, 0, 2);
    tcase_add_loop_test(tc, requests_and_callbacks_complete_when_no_thread_can_be_created, 0, 2);
    tcase_add_test(tc, callbacks_complete_when_no_more_threads_can_be_created);
    tcase_add_loop_test(tc, everything_completes_when_no_thread_can_be_created, 0, 2);
    return suite;
}
