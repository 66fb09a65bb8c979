/* SPDX-License-Identifier: MIT */
/*
 * Each call of the library fails once.
 *
 *     faults-ROAD [STEP [NAME]]     or UAIO_FAULTS_STEP
 *
 * For each pair of a function and an error: all the work (work.h) is done in a
 * child in which the first call fails, then in one in which the second does, and
 * so on until no call was left to fail (with a step, every STEP'th).  Each child does
 * it all once more, without a fault, and nothing may go wrong then.  Afterwards
 * it has no more descriptors and mappings than one that had no fault at all.
 *
 * With NAME, only pairs whose function has it in its name.
 *
 * Which call is the nth depends on the threads; in the end all are.
 */
#define _GNU_SOURCE
#include "faults.h"
#include "work.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HANGS_S = 20, MAX_N = 100000, SETTLES_S = 3, LATE_TABLES = 1 /* made only for some */ };

struct pair {
    uint64_t calls;
    const char *name; /* NULL: the function's */
    int error;
    unsigned times; /* 0: from the nth on always */
    unsigned effects;
    uint64_t absent;
    bool needs_threads;
};

#define ONE(call, error, effects)               \
 {                                              \
  CALL_BIT(call), NULL, error, 1, effects, 0, 0 \
 }
#define ALWAYS(call, error, effects)            \
 {                                              \
  CALL_BIT(call), NULL, error, 0, effects, 0, 0 \
 }
#define DESCRIPTORS                                                            \
 (CALL_BIT(CALL_EPOLL_CREATE) | CALL_BIT(CALL_EVENTFD) | CALL_BIT(CALL_PIPE) | \
  CALL_BIT(CALL_MEMFD) | CALL_BIT(CALL_OPEN) | CALL_BIT(CALL_DUPFD))
/* Not pthread_atfork(): with neither that nor a page for the mark, nothing tells of forks. */
#define MEMORY                                                                     \
 (CALL_BIT(CALL_MMAP) | CALL_BIT(CALL_MREMAP) | CALL_BIT(CALL_PTHREAD_ATTR_INIT) | \
  CALL_BIT(CALL_MALLOC) | CALL_BIT(CALL_STRDUP))
#define NOWAIT (CALL_BIT(CALL_PREADV2_NOWAIT) | CALL_BIT(CALL_PWRITEV2_NOWAIT))
#define COMPARISONS (CALL_BIT(CALL_DUPFD_QUERY) | CALL_BIT(CALL_KCMP))

#ifdef UAIO_TEST_PORTABLE
# define IS_PORTABLE true
#else
# define IS_PORTABLE false
#endif

static const struct pair pairs[] = {
    /* memory */
    ONE(CALL_MMAP, ENOMEM, REFUSED),
    /* The portable poller's copy of what it polls is memory, too. */
    {CALL_BIT(CALL_MMAP), NULL, ENOMEM, 0, REFUSED, 0, IS_PORTABLE},
    ONE(CALL_MREMAP, ENOMEM, UNNOTICED),
    ALWAYS(CALL_MREMAP, EINVAL, UNNOTICED),
    {CALL_BIT(CALL_MMAP), "mmap, no mremap", ENOMEM, 1, REFUSED, CALL_BIT(CALL_MREMAP), 0},
    {CALL_BIT(CALL_MEMFD), "memfd_create, no mremap", EMFILE, 1, REFUSED, CALL_BIT(CALL_MREMAP), 0},
    {CALL_BIT(CALL_FTRUNCATE), "ftruncate, no mremap", ENOSPC, 1, REFUSED, CALL_BIT(CALL_MREMAP),
     0},
    ONE(CALL_MADVISE, EINVAL, UNNOTICED),
    ONE(CALL_MALLOC, ENOMEM, UNNOTICED),
    ONE(CALL_STRDUP, ENOMEM, UNNOTICED),
    {MEMORY, "all memory", ENOMEM, 1, REFUSED, 0, 0},
    {MEMORY, "all memory", ENOMEM, 0, REFUSED, 0, true},
    /* threads */
    ONE(CALL_PTHREAD_CREATE, EAGAIN, REFUSED),
    ONE(CALL_PTHREAD_CREATE, EINVAL, REFUSED),
    {CALL_BIT(CALL_PTHREAD_CREATE), NULL, EPERM, 2, REFUSED, 0, true},
    {CALL_BIT(CALL_PTHREAD_CREATE), NULL, EAGAIN, 0, REFUSED, 0, true},
    {CALL_BIT(CALL_PTHREAD_ATTR_INIT), NULL, ENOMEM, 1, REFUSED, 0, 0},
#ifndef UAIO_TEST_PORTABLE /* there nothing else tells of forks */
    ONE(CALL_ATFORK, ENOMEM, UNNOTICED),
#endif
    /* descriptors */
    ONE(CALL_EPOLL_CREATE, EMFILE, REFUSED),
    ONE(CALL_EPOLL_CTL, ENOMEM, REFUSED),
    ONE(CALL_EPOLL_CTL, ENOSPC, REFUSED),
    ONE(CALL_EPOLL_CTL, EPERM, INVALID),
    ALWAYS(CALL_EPOLL_CTL, ENOSPC, REFUSED),
    ONE(CALL_EVENTFD, EMFILE, UNNOTICED),
    ALWAYS(CALL_EVENTFD, ENFILE, UNNOTICED),
    ONE(CALL_PIPE, EMFILE, UNNOTICED),
    ONE(CALL_OPEN, EMFILE, UNNOTICED),
    ONE(CALL_DUPFD, EMFILE, REFUSED),
    ONE(CALL_DUPFD, EINVAL, REFUSED),
    ALWAYS(CALL_DUPFD, EMFILE, REFUSED),
    {DESCRIPTORS, "all descriptors", EMFILE, 1, REFUSED, 0, 0},
    {DESCRIPTORS, "all descriptors", ENFILE, 0, REFUSED, 0, 0},
    {DESCRIPTORS, "all descriptors, no NOWAIT", EMFILE, 1, REFUSED, NOWAIT, 0},
    {DESCRIPTORS, "all descriptors, no NOWAIT", EMFILE, 0, REFUSED, NOWAIT, 0},
    {CALL_BIT(CALL_PTHREAD_CREATE), "pthread_create, no NOWAIT", EAGAIN, 1, REFUSED, NOWAIT, 0},
    /* old kernels and sandboxes */
    ONE(CALL_DUPFD_QUERY, EINVAL, UNNOTICED),
    {COMPARISONS, "comparisons of files", EPERM, 0, UNNOTICED, 0, 0},
    ONE(CALL_OFD_GETLK, EINVAL, UNNOTICED),
    ALWAYS(CALL_PREADV2_NOWAIT, ENOSYS, UNNOTICED),
    ALWAYS(CALL_PREADV2_NOWAIT, EOPNOTSUPP, UNNOTICED),
    ALWAYS(CALL_PWRITEV2_NOWAIT, EOPNOTSUPP, UNNOTICED),
    ALWAYS(CALL_PWRITEV2, ENOSYS, TOLD), /* with flags there is no other call */
    {NOWAIT, "all NOWAIT", ENOSYS, 0, UNNOTICED, 0, 0},
    ALWAYS(CALL_PROBE, ENOSYS, UNNOTICED),
    ONE(CALL_IOPRIO, EPERM, UNNOTICED),
    /* data */
    ONE(CALL_PREADV2_NOWAIT, EAGAIN, UNNOTICED),
    ONE(CALL_PREADV2_NOWAIT, EOPNOTSUPP, UNNOTICED),
    ONE(CALL_PREADV2_NOWAIT, EINTR, UNNOTICED),
    ONE(CALL_PREADV2_NOWAIT, EIO, TOLD),
    ONE(CALL_PREADV2_NOWAIT, FAULT_SHORT, TOLD),
    ONE(CALL_PREADV2_NOWAIT, FAULT_EMPTY, UNNOTICED), /* Linux 5.9 and 5.10 */
    ALWAYS(CALL_PREADV2_NOWAIT, FAULT_EMPTY, UNNOTICED),
    ONE(CALL_PWRITEV2_NOWAIT, EAGAIN, UNNOTICED),
    ONE(CALL_PWRITEV2_NOWAIT, EINTR, UNNOTICED),
    ONE(CALL_PWRITEV2_NOWAIT, EIO, TOLD),
    ONE(CALL_PWRITEV2_NOWAIT, FAULT_SHORT, TOLD),
    ONE(CALL_PREADV2, EINTR, UNNOTICED),
    ONE(CALL_PREADV2, EIO, TOLD),
    ONE(CALL_PREADV2, FAULT_SHORT, TOLD),
    ONE(CALL_PWRITEV2, EINTR, UNNOTICED),
    ONE(CALL_PWRITEV2, EIO, TOLD),
    ONE(CALL_PWRITEV2, ENOSPC, TOLD),
    ONE(CALL_PWRITEV2, FAULT_SHORT, TOLD),
    ONE(CALL_PREAD, EINTR, UNNOTICED),
    ONE(CALL_PREAD, EIO, TOLD),
    ONE(CALL_PREAD, FAULT_SHORT, TOLD),
    ONE(CALL_PWRITE, EINTR, UNNOTICED),
    ONE(CALL_PWRITE, EIO, TOLD),
    ONE(CALL_PWRITE, ENOSPC, TOLD),
    ONE(CALL_PWRITE, EDQUOT, TOLD),
    ONE(CALL_PWRITE, FAULT_SHORT, TOLD),
    ONE(CALL_READ, EINTR, UNNOTICED),
    ONE(CALL_READ, EIO, TOLD),
    ONE(CALL_READ, FAULT_SHORT, TOLD),
    ONE(CALL_READV, EINTR, UNNOTICED),
    ONE(CALL_WRITEV, EINTR, UNNOTICED),
    ONE(CALL_WRITEV, EIO, TOLD),
    ONE(CALL_WRITEV, FAULT_SHORT, TOLD),
    {CALL_BIT(CALL_READ), "read, no NOWAIT", EIO, 1, TOLD, NOWAIT, 0},
    {CALL_BIT(CALL_READ), "read, no NOWAIT", EINTR, 1, UNNOTICED, NOWAIT, 0},
    {CALL_BIT(CALL_READ), "read, no NOWAIT", FAULT_SHORT, 1, TOLD, NOWAIT, 0},
    {CALL_BIT(CALL_WRITEV), "writev, no NOWAIT", EIO, 1, TOLD, NOWAIT, 0},
    {CALL_BIT(CALL_WRITEV), "writev, no NOWAIT", FAULT_SHORT, 1, TOLD, NOWAIT, 0},
#ifndef UAIO_TEST_PORTABLE /* there it says whether a file has positions */
    {CALL_BIT(CALL_FSTAT), "fstat, no NOWAIT", ENOMEM, 1, REFUSED | INVALID, NOWAIT, 0},
#endif
    ONE(CALL_RECVMSG, ENOMEM, TOLD),
    {CALL_BIT(CALL_RECVMSG), "recvmsg, no NOWAIT", ENOMEM, 1, TOLD, NOWAIT, 0},
    {CALL_BIT(CALL_RECVMSG), "recvmsg, no NOWAIT", EINTR, 1, UNNOTICED, NOWAIT, 0},
    ONE(CALL_SENDMSG, ENOBUFS, TOLD),
    ONE(CALL_SENDMSG, EINTR, UNNOTICED),
    ONE(CALL_SENDMSG, EAGAIN, UNNOTICED),
    ONE(CALL_SENDMSG, FAULT_SHORT, TOLD),
    ONE(CALL_FSYNC, EIO, TOLD),
    ONE(CALL_FSYNC, ENOSPC, TOLD),
    ONE(CALL_FSYNC, EINTR, UNNOTICED),
    ONE(CALL_FDATASYNC, EIO, TOLD),
    ONE(CALL_FDATASYNC, EDQUOT, TOLD),
    ONE(CALL_FDATASYNC, EINTR, UNNOTICED),
    /* the rest */
    ONE(CALL_EPOLL_WAIT, EINTR, UNNOTICED),
    ONE(CALL_PPOLL, EINTR, REFUSED), /* io_pgetevents says so */
    ONE(CALL_NANOSLEEP, EINTR, UNNOTICED),
    ONE(CALL_SIGQUEUE, EAGAIN, UNNOTICED),
    {CALL_BIT(CALL_SIGQUEUE), NULL, EAGAIN, 5, UNNOTICED, 0, 0},
};

enum { PAIRS = sizeof pairs / sizeof *pairs };

static sigset_t child_signal;
static unsigned baseline_descriptors;
static int baseline_mappings;
static unsigned *descriptors; /* shared: what the child had in the end */

static void work_once(void)
{
#ifdef WITH_POSIX
    work_on_posix();
#endif
#ifdef WITH_LINUX
    work_on_linux();
#endif
}

static unsigned open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned n = 0;

    while (directory && readdir(directory))
        n++;
    if (directory)
        closedir(directory);
    return n;
}

static time_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* What threads still have in their hands goes in a moment. */
static void look_for_leaks(void)
{
    time_t end = now() + SETTLES_S;
    unsigned n;
    int mappings;

    do {
        n = open_descriptors();
        mappings = atomic_load(&faults_log->mappings);
        if (n <= baseline_descriptors && mappings <= baseline_mappings + LATE_TABLES)
            return;
        poll(NULL, 0, 1);
    } while (now() < end);
    work_at("leaks");
    if (n > baseline_descriptors)
        work_failed("descriptors are left open", (long)n - (long)baseline_descriptors);
    work_failed("mappings are left", mappings - baseline_mappings);
}

static void work_with(const struct pair *pair, unsigned n)
{
    struct fault fault = {.nth = n};
    struct tolerance tolerance = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_UNBLOCK, &child_signal, NULL);
    if (pair) {
        fault = (struct fault){pair->calls, pair->error, n, pair->times, pair->absent};
        tolerance = (struct tolerance){pair->effects, pair->error, pair->needs_threads};
    }
    faults_arm(&fault);
    work_tolerates(&tolerance);
    work_once();
    faults_disarm();
    work_tolerates(NULL);
    work_once();
    if (pair)
        look_for_leaks();
    *descriptors = open_descriptors();
    exit(0); /* for what wants to look at the end, too */
}

static void describe(const struct pair *pair, char *text, size_t nbytes)
{
    const char *name = pair->name;
    const char *error = pair->error == FAULT_SHORT   ? "short"
                        : pair->error == FAULT_EMPTY ? "empty"
                                                     : strerrorname_np(pair->error);

    for (int call = 0; !name && call < CALLS; call++)
        if (pair->calls & CALL_BIT(call))
            name = faults_name((enum call)call);
    snprintf(text, nbytes, "%s %s%s", name, error,
             pair->times == 1   ? ""
             : pair->times == 0 ? " for ever"
                                : " several times");
}

/* The watchdog is the parent: the child may have all signals blocked. */
static int await(pid_t pid)
{
    const struct timespec patience = {HANGS_S, 0};
    int status = -1;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (sigtimedwait(&child_signal, NULL, &patience) < 0 && errno == EAGAIN) {
            kill(pid, SIGKILL);
            waitpid(pid, &status, 0);
            break;
        }
    }
    return status;
}

/* How often the fault was hit, or -1. */
static int run(const struct pair *pair, unsigned n)
{
    pid_t pid;
    int status;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        work_with(pair, n);
    status = pid > 0 ? await(pid) : -1;
    if (status == 0)
        return (int)atomic_load(&faults_log->hits);
    printf("FAILED: n = %u: %s at: %s\n", n,
           pid < 0                                              ? "no fork"
           : WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "hangs"
           : WIFSIGNALED(status)                                ? strsignal(WTERMSIG(status))
                                                                : "failed",
           atomic_load(&faults_log->place));
    return -1;
}

/* How many faults there were; adds up failures. */
static unsigned run_all(const struct pair *pair, unsigned step, unsigned *failures)
{
    unsigned hits = 0, n, bad = 0;
    char text[80];

    describe(pair, text, sizeof text);
    for (n = 1; n < MAX_N; n += step) {
        int hit = run(pair, n);
        if (hit == 0)
            break;
        if (hit < 0 && ++bad > 3)
            break;
        hits++;
    }
    printf("%-40s %4u\n", text, hits);
    *failures += bad;
    return hits;
}

static unsigned setting(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : getenv("UAIO_FAULTS_STEP");
    unsigned step = text ? (unsigned)strtoul(text, NULL, 0) : DEFAULT_STEP;

    return step ? step : 1;
}

int main(int argc, char **argv)
{
    unsigned step = setting(argc, argv), hits = 0, failures = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_signal, NULL);
    faults_init();
    descriptors = (unsigned *)(faults_log + 1); /* the rest of its page */
    if (run(NULL, 0) != 0)
        return 1;
    baseline_descriptors = *descriptors;
    baseline_mappings = atomic_load(&faults_log->mappings);
    printf("one run has %u descriptors and %d mappings; step %u\n", baseline_descriptors,
           baseline_mappings, step);
    for (int i = 0; i < PAIRS; i++) {
        char text[80];
        describe(&pairs[i], text, sizeof text);
        if (argc <= 2 || strstr(text, argv[2]))
            hits += run_all(&pairs[i], step, &failures);
    }
    printf("%u faults, %u failures\n", hits, failures);
    return failures || hits == 0;
}
