/* SPDX-License-Identifier: MIT */
/*
 * A bit of everything, where something is short or forbidden.
 *
 *     limits-scenario [--may-refuse] [--plain-signals] [LIMIT=NUMBER...]
 *
 *     nproc=N     a user of its own, who may have N processes and threads
 *     nofile=N    N more descriptors may be opened
 *     as=N        N KiB more of memory may be mapped
 *     pending=N   N signals may be queued, until they are to be seen
 *
 * Other limits, and calls that are denied, are its caller's (limits.sh).
 * Invariant: each request is accepted, and ends with the right data, and is
 * notified once.  With --may-refuse it may be refused instead, with EAGAIN (or
 * ENOMEM: io_setup), at once or as its result; what is not refused is right all
 * the same.  With --plain-signals signals come without their values.  Nothing
 * hangs: there is an alarm.
 *
 * All that is needed is opened and mapped before there is a limit.
 */
#include "verdict.h"
#ifdef BOTH_FACES
# include "../linux/api.h"
#endif

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
# define sigev_notify_thread_id _sigev_un._tid
#endif

enum { RECORDS = 64, RECORD = 4096, BIG = 1 << 20, APPENDS = 16, STREAMED = 8, NOTICES = 20 };
enum { ALARM_S = 60 };

static bool may_refuse, plain_signals, pending_limited;
static struct rlimit pending_before;
static unsigned refused;
static int file, appended, pipe_ends[2], socket_ends[2], bump;
static unsigned char wrote[RECORDS][RECORD], got[RECORDS][RECORD], big[BIG], big_got[BIG];

/* ---- the POSIX face ---------------------------------------------------------- */

static struct aiocb cbs[RECORDS];
static bool accepted[RECORDS];

/* What a call that submits said. */
static bool is_accepted(int result)
{
    if (result == 0)
        return true;
    if (errno != EAGAIN)
        perror("submission");
    must(errno == EAGAIN, "a submission failed with another errno than EAGAIN");
    must(may_refuse, "a submission was refused");
    refused++;
    return false;
}

static void await(struct aiocb *cb)
{
    const struct aiocb *const list[] = {cb};

    while (aio_error(cb) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
}

/* True: all of it was done. */
static bool finish(struct aiocb *cb, ssize_t expected)
{
    int error;

    await(cb);
    error = aio_error(cb);
    if (error != 0) {
        if (error != EAGAIN || !may_refuse)
            fprintf(stderr, "request: %s\n", strerror(error));
        must(error == EAGAIN && may_refuse, "a request failed");
        must(aio_return(cb) == -1, "aio_return of a failed request");
        refused++;
        return false;
    }
    must(aio_return(cb) == expected, "a request ended with another number");
    return true;
}

static void fill_records(unsigned salt)
{
    for (unsigned i = 0; i < RECORDS; i++)
        for (unsigned j = 0; j < RECORD; j++)
            wrote[i][j] = (unsigned char)(i * 31 + j * 7 + j / 256 + salt);
    memset(got, 0, sizeof got);
}

static void posix_files(void)
{
    bool written[RECORDS];

    step = "files";
    fill_records(1);
    for (unsigned i = 0; i < RECORDS; i++) {
        fill(&cbs[i], file, wrote[i], RECORD, (off_t)i * RECORD);
        accepted[i] = is_accepted(aio_write(&cbs[i]));
    }
    for (unsigned i = 0; i < RECORDS; i++)
        written[i] = accepted[i] && finish(&cbs[i], RECORD);
    fill(&cbs[0], file, NULL, 0, 0);
    if (is_accepted(aio_fsync(O_SYNC, &cbs[0])))
        finish(&cbs[0], 0);
    for (unsigned i = 0; i < RECORDS; i++) {
        fill(&cbs[i], file, got[i], RECORD, (off_t)i * RECORD);
        accepted[i] = written[i] && is_accepted(aio_read(&cbs[i]));
    }
    for (unsigned i = 0; i < RECORDS; i++)
        if (accepted[i] && finish(&cbs[i], RECORD))
            must(memcmp(wrote[i], got[i], RECORD) == 0, "other data were read than written");
}

static void posix_big(void)
{
    step = "large requests";
    for (unsigned i = 0; i < BIG; i++)
        big[i] = (unsigned char)(i * 13 + i / 256);
    fill(&cbs[0], file, big, BIG, 0);
    if (!is_accepted(aio_write(&cbs[0])) || !finish(&cbs[0], BIG))
        return;
    fill(&cbs[0], file, big_got, BIG, 0);
    if (is_accepted(aio_read(&cbs[0])) && finish(&cbs[0], BIG))
        must(memcmp(big, big_got, BIG) == 0, "other data were read than written");
}

static void posix_appends(void)
{
    unsigned done = 0;

    step = "appends";
    insist(ftruncate(appended, 0) == 0, "ftruncate");
    fill_records(2);
    for (unsigned i = 0; i < APPENDS; i++) {
        fill(&cbs[i], appended, wrote[i], RECORD, 0);
        accepted[i] = is_accepted(aio_write(&cbs[i]));
    }
    for (unsigned i = 0; i < APPENDS; i++)
        if (accepted[i] && finish(&cbs[i], RECORD)) {
            insist(pread(appended, got[0], RECORD, (off_t)done * RECORD) == RECORD, "pread");
            must(memcmp(wrote[i], got[0], RECORD) == 0, "appended out of order");
            done++;
        }
    must(lseek(appended, 0, SEEK_END) == (off_t)done * RECORD, "appended more than was reported");
}

static void posix_lists(void)
{
    struct aiocb *list[RECORDS];
    int result;

    step = "lists";
    fill_records(3);
    for (unsigned i = 0; i < RECORDS; i++) {
        fill(&cbs[i], file, wrote[i], RECORD, (off_t)i * RECORD);
        cbs[i].aio_lio_opcode = LIO_WRITE;
        list[i] = &cbs[i];
    }
    result = lio_listio(LIO_WAIT, list, RECORDS, NULL);
    must(result == 0 || (may_refuse && (errno == EAGAIN || errno == EIO)), "lio_listio failed");
    for (unsigned i = 0; i < RECORDS; i++) {
        must(aio_error(&cbs[i]) != EINPROGRESS, "LIO_WAIT did not wait");
        if (aio_error(&cbs[i]) == EAGAIN && may_refuse) {
            refused++;
            continue;
        }
        must(finish(&cbs[i], RECORD), "a list's request");
        insist(pread(file, got[i], RECORD, (off_t)i * RECORD) == RECORD, "pread");
        must(memcmp(wrote[i], got[i], RECORD) == 0, "a list's data");
    }
}

/* Reads that wait, in order; then one that is cancelled. */
static void posix_stream(const int ends[2], const char *name)
{
    static const struct timespec soon = {0, 1000000};
    static unsigned char bytes[STREAMED];
    struct aiocb *const first = &cbs[0], *const write_cb = &cbs[STREAMED];
    const struct aiocb *const list[] = {first};
    unsigned n = 0, at = 0;

    step = name;
    memset(bytes, 0, sizeof bytes);
    for (unsigned i = 0; i < STREAMED; i++) {
        fill(&cbs[i], ends[0], &bytes[i], 1, 0);
        accepted[i] = is_accepted(aio_read(&cbs[i]));
        n += accepted[i];
    }
    if (accepted[0] && aio_error(first) == EINPROGRESS)
        must(aio_suspend(list, 1, &soon) == -1 && errno == EAGAIN, "a read of nothing is over");
    /* Some may have ended by now, for want of memory. */
    for (unsigned i = 0; i < STREAMED; i++)
        n -= accepted[i] && aio_error(&cbs[i]) == EAGAIN;
    fill(write_cb, ends[1], wrote[0], n, 0);
    for (unsigned i = 0; i < STREAMED; i++)
        wrote[0][i] = (unsigned char)(i + 1);
    if (n > 0 && !(is_accepted(aio_write(write_cb)) && finish(write_cb, (ssize_t)n)))
        must(write(ends[1], wrote[0], n) == (ssize_t)n, "write()");
    for (unsigned i = 0; i < STREAMED; i++)
        if (accepted[i] && finish(&cbs[i], 1))
            must(bytes[i] == wrote[0][at++], "reads of a stream out of order");

    fill(first, ends[0], bytes, 1, 0);
    if (!is_accepted(aio_read(first)))
        return;
    if (aio_cancel(ends[0], first) != AIO_CANCELED && aio_error(first) == EINPROGRESS)
        must(write(ends[1], "", 1) == 1, "write()"); /* it runs, and cannot be */
    await(first);
    if (aio_error(first) == ECANCELED)
        must(aio_return(first) == -1, "aio_return of a cancelled request");
    else
        finish(first, 1);
}

static atomic_uint called[NOTICES];
static sem_t told;

static void call_back(union sigval value)
{
    atomic_fetch_add(&called[value.sival_int], 1);
    sem_post(&told);
}

/* With plain signals it is not told which request's it is. */
static void take_signal(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    if (!plain_signals && info->si_code == SI_ASYNCIO)
        atomic_fetch_add(&called[info->si_value.sival_int], 1);
    sem_post(&told);
}

static void ask(struct sigevent *how, unsigned i, pthread_attr_t *attributes)
{
    how->sigev_value.sival_int = (int)i;
    how->sigev_signo = SIGRTMIN + 1;
    switch (i % 4) {
    case 0:
        how->sigev_notify = SIGEV_SIGNAL;
        break;
    case 1:
        how->sigev_notify = SIGEV_THREAD_ID;
        how->sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
        break;
    default:
        how->sigev_notify = SIGEV_THREAD;
        how->sigev_notify_function = call_back;
        how->sigev_notify_attributes = i % 4 == 2 ? attributes : NULL;
    }
}

static void posix_notices(void)
{
    pthread_attr_t attributes;

    step = "notifications";
    memset(called, 0, sizeof called);
    pthread_attr_init(&attributes);
    insist(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN) == 0, "stack size");
    for (unsigned i = 0; i < NOTICES; i++) {
        fill(&cbs[i], file, wrote[i], RECORD, (off_t)i * RECORD);
        ask(&cbs[i].aio_sigevent, i, &attributes);
        accepted[i] = is_accepted(aio_write(&cbs[i]));
    }
    for (unsigned i = 0; i < NOTICES; i++)
        if (accepted[i])
            finish(&cbs[i], RECORD);
    if (pending_limited)
        insist(setrlimit(RLIMIT_SIGPENDING, &pending_before) == 0, "setrlimit");
    for (unsigned i = 0; i < NOTICES; i++)
        while (accepted[i] && sem_wait(&told) != 0)
            ;
    must(sem_trywait(&told) != 0, "one notification too many");
    for (unsigned i = 0; i < NOTICES; i++)
        if (i % 4 >= 2 || !plain_signals)
            must(atomic_load(&called[i]) == accepted[i], "a request was not notified once");
    pthread_attr_destroy(&attributes);
}

/* ---- the native face --------------------------------------------------------- */

#ifdef BOTH_FACES
static aio_context_t ctx;
static struct iocb iocbs[RECORDS];

static struct iocb *prepare(unsigned i, int fd, int opcode, void *buffer, size_t nbytes)
{
    iocbs[i] = (struct iocb){.aio_data = i,
                             .aio_lio_opcode = (uint16_t)opcode,
                             .aio_fildes = (uint32_t)fd,
                             .aio_buf = (uintptr_t)buffer,
                             .aio_nbytes = nbytes};
    return &iocbs[i];
}

static bool submit(struct iocb *cb)
{
    int n = t_submit(ctx, 1, &cb);

    if (n == 1)
        return true;
    errno = -n;
    return is_accepted(-1);
}

/* The event of one that was submitted. */
static struct io_event take_event(void)
{
    struct io_event event;
    sigset_t none;

    sigemptyset(&none);
    if (refused % 2) /* both ways of waiting */
        must(t_getevents(ctx, 1, 1, &event, NULL) == 1, "io_getevents");
    else
        must(t_pgetevents(ctx, 1, 1, &event, NULL, &none) == 1, "io_pgetevents");
    must(event.data < RECORDS && event.obj == (uintptr_t)&iocbs[event.data], "an event's request");
    return event;
}

static bool is_done(const struct io_event *event, int64_t expected)
{
    if (event->res == expected)
        return true;
    if (!may_refuse || (event->res != -EAGAIN && event->res != -ENOMEM))
        fprintf(stderr, "event: %lld\n", (long long)event->res);
    must(may_refuse && (event->res == -EAGAIN || event->res == -ENOMEM), "a native request failed");
    refused++;
    return false;
}

static bool perform(struct iocb *cb, int64_t expected)
{
    struct io_event event;

    if (!submit(cb))
        return false;
    event = take_event();
    return is_done(&event, expected);
}

static void native_files(void)
{
    struct iovec vector[2] = {{wrote[2], RECORD}, {wrote[3], RECORD}};
    bool written[RECORDS] = {false};
    unsigned n = 0;

    step = "native files";
    fill_records(4);
    for (unsigned i = 0; i < RECORDS; i++) {
        struct iocb *cb = prepare(i, file, IOCB_CMD_PWRITE, wrote[i], RECORD);

        cb->aio_offset = (int64_t)i * RECORD;
        cb->aio_flags = (bump >= 0 ? IOCB_FLAG_RESFD : 0) | (i % 8 == 0 ? IOCB_FLAG_IOPRIO : 0);
        cb->aio_resfd = bump >= 0 ? (uint32_t)bump : 0;
        cb->aio_reqprio = i % 8 == 0 ? (int16_t)(2 << 13 | 4) : 0; /* best effort, 4 */
        n += submit(cb);
    }
    for (; n > 0; n--) {
        struct io_event event = take_event();
        uint64_t bumps;

        written[event.data] = is_done(&event, RECORD);
        (void)!read(bump, &bumps, sizeof bumps);
    }
    perform(prepare(0, file, IOCB_CMD_FSYNC, NULL, 0), 0);
    perform(prepare(0, file, IOCB_CMD_FDSYNC, NULL, 0), 0);
    for (unsigned i = 0; i < RECORDS; i++) {
        struct iocb *cb = prepare(i, file, IOCB_CMD_PREAD, got[i], RECORD);

        cb->aio_offset = (int64_t)i * RECORD;
        if (written[i] && perform(cb, RECORD))
            must(memcmp(wrote[i], got[i], RECORD) == 0, "other data were read than written");
    }
    if (!perform(prepare(0, file, IOCB_CMD_PWRITEV, vector, 2), INT64_C(2) * RECORD))
        return;
    vector[0].iov_base = got[0];
    vector[1].iov_base = got[1];
    if (perform(prepare(0, file, IOCB_CMD_PREADV, vector, 2), INT64_C(2) * RECORD))
        must(memcmp(wrote[2], got[0], RECORD) == 0 && memcmp(wrote[3], got[1], RECORD) == 0,
             "other data were read than written by vectors");
}

static void native_appends(void)
{
    unsigned done = 0;

    step = "native appends";
    insist(ftruncate(appended, 0) == 0, "ftruncate");
    for (unsigned i = 0; i < APPENDS; i++)
        if (perform(prepare(i, appended, IOCB_CMD_PWRITE, wrote[i], RECORD), RECORD)) {
            insist(pread(appended, got[0], RECORD, (off_t)done++ * RECORD) == RECORD, "pread");
            must(memcmp(wrote[i], got[0], RECORD) == 0, "appended out of order");
        }
}

/* One that waits, then is served; one that is cancelled. */
static void native_wait(int opcode, const int ends[2], const char *name)
{
    static unsigned char byte;
    const struct timespec none = {0, 0};
    struct iocb *cb = prepare(0, ends[0], opcode, opcode == IOCB_CMD_POLL ? NULL : &byte, 1);
    struct io_event event;
    int err;

    step = name;
    if (opcode == IOCB_CMD_POLL) {
        cb->aio_buf = 1; /* POLLIN */
        cb->aio_nbytes = 0;
    }
    if (submit(cb)) {
        int n = t_getevents(ctx, 0, 1, &event, &none);

        if (n == 1)
            is_done(&event, -EAGAIN); /* there was nothing, so it was refused */
        must(write(ends[1], "x", 1) == 1, "write()");
        if (n == 0) {
            event = take_event();
            is_done(&event, 1);
        }
        if (n == 1 || opcode == IOCB_CMD_POLL || event.res != 1)
            must(read(ends[0], &byte, 1) == 1, "read()");
    }
    cb->aio_data = 0;
    if (!submit(cb))
        return;
    err = t_cancel(ctx, cb, &event);
    must(err == -EINPROGRESS || err == -EAGAIN || err == -EINVAL || err == 0, "io_cancel's errno");
    if (err != 0 && err != -EINPROGRESS)
        must(write(ends[1], "x", 1) == 1, "write()");
    if (err != 0)
        event = take_event();
    if (err != 0 && err != -EINPROGRESS)
        must(read(ends[0], &byte, event.res != 1 || opcode == IOCB_CMD_POLL) >= 0, "read()");
}

static void native(void)
{
    int err;

    step = "io_setup";
    ctx = 0;
    err = t_setup(RECORDS, &ctx);
    if (err != 0) {
        fprintf(stderr, "io_setup: %s\n", strerror(-err));
        must(may_refuse && (err == -EAGAIN || err == -ENOMEM), "io_setup failed");
        refused++;
        return;
    }
    native_files();
    native_appends();
    native_wait(IOCB_CMD_PREAD, pipe_ends, "native reads of a pipe");
    native_wait(IOCB_CMD_PREAD, socket_ends, "native reads of a socket");
    native_wait(IOCB_CMD_POLL, pipe_ends, "native polls");
    step = "io_destroy";
    must(t_destroy(ctx) == 0, "io_destroy failed");
    puts("native AIO was used");
}
#else
static void native(void)
{
}
#endif

/* ---- limits ------------------------------------------------------------------- */

static struct rlimit lower(unsigned resource, rlim_t soft)
{
    struct rlimit limit, former;

    insist(getrlimit(resource, &limit) == 0, "getrlimit");
    former = limit;
    limit.rlim_cur = soft;
    insist(setrlimit(resource, &limit) == 0, "setrlimit");
    return former;
}

static rlim_t mapped_bytes(void)
{
    char text[64];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);

    insist(n > 0, "/proc/self/statm");
    close(fd);
    text[n] = '\0';
    return (rlim_t)strtoull(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* A user whom nobody shares, and who has no privilege to pass by the limit. */
static void limit_processes(rlim_t n)
{
    uid_t user = 1000000 + (uid_t)getpid();

    if (geteuid() == 0 && setresuid(user, user, user) != 0) {
        puts("SKIP: there are no other users here");
        exit(77);
    }
    lower(RLIMIT_NPROC, n);
}

/* Numbers are free that were closed: they are filled, but for so many. */
static void limit_descriptors(rlim_t n)
{
    int highest = dup(0);

    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0 && fd > highest)
            highest = fd;
    lower(RLIMIT_NOFILE, (rlim_t)highest + 1);
    while (dup(0) >= 0)
        ;
    lower(RLIMIT_NOFILE, (rlim_t)highest + 1 + n);
}

static void apply(const char *setting)
{
    const char *number = strchr(setting, '=');
    rlim_t n = number ? (rlim_t)strtoull(number + 1, NULL, 10) : 0;

    if (strncmp(setting, "nproc=", 6) == 0) {
        limit_processes(n);
    } else if (strncmp(setting, "nofile=", 7) == 0) {
        limit_descriptors(n);
    } else if (strncmp(setting, "as=", 3) == 0) {
        lower(RLIMIT_AS, mapped_bytes() + n * 1024);
    } else if (strncmp(setting, "pending=", 8) == 0) {
        pending_before = lower(RLIMIT_SIGPENDING, n);
        pending_limited = true;
    } else {
        errno = EINVAL;
        insist(false, setting);
    }
}

static int temporary(int flags)
{
    char path[] = "uaio-limits-XXXXXX";
    int fd = mkstemp(path), again;

    insist(fd >= 0, "temporary file");
    again = open(path, O_RDWR | O_CLOEXEC | flags);
    insist(again >= 0 && unlink(path) == 0, "temporary file");
    close(fd);
    return again;
}

static void all(void)
{
    posix_files();
    posix_big();
    posix_appends();
    posix_lists();
    posix_stream(pipe_ends, "a pipe");
    posix_stream(socket_ends, "a socket");
    posix_notices();
    native();
}

static void in_child(void)
{
    pid_t child = fork();
    int status;

    step = "fork";
    if (child < 0) {
        must(may_refuse && (errno == EAGAIN || errno == ENOMEM), "fork failed");
        return;
    }
    if (child == 0) {
        alarm(ALARM_S);
        all();
        _exit(0);
    }
    insist(waitpid(child, &status, 0) == child, "waitpid");
    must(status == 0, "a child failed");
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_sigaction = take_signal, .sa_flags = SA_SIGINFO};

    begin("scenario", ALARM_S);
    insist(sigaction(SIGRTMIN + 1, &action, NULL) == 0, "sigaction");
    file = temporary(0);
    appended = temporary(O_APPEND);
    bump = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* may be denied */
    insist(socketpair(AF_UNIX, SOCK_STREAM, 0, socket_ends) == 0, "socketpair");
    if (pipe(pipe_ends) != 0) /* denied: another socket, then */
        insist(socketpair(AF_UNIX, SOCK_STREAM, 0, pipe_ends) == 0, "socketpair");
    sem_init(&told, 0, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--may-refuse") == 0)
            may_refuse = true;
        else if (strcmp(argv[i], "--plain-signals") == 0)
            plain_signals = true;
        else
            apply(argv[i]);
    }
    all();
    in_child();
    printf("all is right, but %u were refused\n", refused);
    return 0;
}
