/* SPDX-License-Identifier: MIT */
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { GRACE_S = 60, THREADS_SHOWN = 64 };

static const char *program;
static unsigned seconds = 5, seed;
static time_t end;
static atomic_int broken;
static const char *_Atomic places[THREADS_SHOWN];
static atomic_int threads;
static _Thread_local int thread = -1;

#ifdef __SANITIZE_THREAD__
/* It looks at a close, in a function of one of these names, before the library, which waits
 * there for who uses the descriptor. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:close_victim\nrace:close_file\n";
}
#endif

static time_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(1);
}

/* Only what is safe in a handler. */
static void bark(int signo)
{
    (void)signo;
    say(program);
    say(": hangs; its threads are at:\n");
    for (int i = 0; i < THREADS_SHOWN; i++) {
        const char *place = atomic_load(&places[i]);

        if (place != NULL) {
            say("  ");
            say(place);
            say("\n");
        }
    }
    if (getenv("UAIO_STRESS_STAY") != NULL) /* for a debugger */
        pause();
    abort();
}

void stress_at(const char *where)
{
    if (thread < 0)
        thread = atomic_fetch_add(&threads, 1);
    if (thread < THREADS_SHOWN)
        atomic_store(&places[thread], where);
}

static void tell(union sigval value)
{
    struct notices *notices = value.sival_ptr;

    must(atomic_fetch_add(&notices->told, 1) < atomic_load(&notices->asked), "notified twice");
    sem_post(notices->each);
}

static void *take_signals(void *argument)
{
    sigset_t set;
    siginfo_t info;

    (void)argument;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    for (;;) {
        if (sigwaitinfo(&set, &info) == SIGRTMIN + 1 && info.si_code == SI_ASYNCIO)
            tell(info.si_value);
    }
    return NULL;
}

/* Threads of callbacks have no signals blocked: they take some, too. */
static void handle(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    if (info->si_code == SI_ASYNCIO)
        tell(info->si_value);
}

void stress_begin(int argc, char **argv, const char *name)
{
    const char *s = argc > 1 ? argv[1] : getenv("UAIO_STRESS_SECONDS");
    const char *r = argc > 2 ? argv[2] : getenv("UAIO_STRESS_SEED");
    struct sigaction action = {.sa_handler = bark};
    struct sigaction notice = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct timespec t;
    pthread_t taker;
    sigset_t set;

    program = name;
    clock_gettime(CLOCK_REALTIME, &t);
    seed = r != NULL ? (unsigned)strtoul(r, NULL, 0) : (unsigned)t.tv_nsec;
    if (s != NULL)
        seconds = (unsigned)strtoul(s, NULL, 0);
    end = now() + (time_t)seconds;
    printf("%s: %u s, seed %u\n", name, seconds, seed);
    fflush(stdout);
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGRTMIN + 1, &notice, NULL);
    alarm(seconds + GRACE_S);

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    insist(pthread_create(&taker, NULL, take_signals, NULL) == 0, "thread");
    insist(pthread_detach(taker) == 0, "thread");
}

bool stress_goes_on(void)
{
    return now() < end && !atomic_load(&broken);
}

int stress_end(void)
{
    bool failed = atomic_load(&broken);

    printf("%s: %s\n", program, failed ? "the invariant does not hold" : "passed");
    return failed;
}

unsigned stress_seed(void)
{
    return seed;
}

bool must(bool condition, const char *what)
{
    if (!condition && !atomic_exchange(&broken, 1))
        fprintf(stderr, "%s: %s (seed %u)\n", program, what, seed);
    return condition;
}

void insist(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s: cannot go on: %s: %s\n", program, what, strerror(errno));
        _exit(1);
    }
}

unsigned next_random(unsigned *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

int open_unlinked(int flags, int *witness)
{
    char path[] = "uaio-stress-XXXXXX";
    int fd;

    *witness = mkstemp(path);
    insist(*witness >= 0, "temporary file");
    fd = open(path, O_RDWR | O_CLOEXEC | flags);
    insist(fd >= 0 && unlink(path) == 0, "temporary file");
    return fd;
}

int read_of_empty_pipe(struct aiocb *cb, char *byte)
{
    int ends[2];

    insist(pipe(ends) == 0, "pipe");
    memset(cb, 0, sizeof *cb);
    cb->aio_fildes = ends[0];
    cb->aio_buf = byte;
    cb->aio_nbytes = 1;
    cb->aio_sigevent.sigev_notify = SIGEV_NONE;
    insist(aio_read(cb) == 0, "aio_read");
    return ends[1];
}

void ask_notice(struct aiocb *cb, struct notices *notices, enum notification how)
{
    memset(&cb->aio_sigevent, 0, sizeof cb->aio_sigevent);
    cb->aio_sigevent.sigev_notify = SIGEV_NONE;
    if (how == NOTIFY_NONE)
        return;
#ifdef __SANITIZE_THREAD__
    how = NOTIFY_THREAD; /* it loses a signal that comes while it puts off another */
#endif
    atomic_fetch_add(&notices->asked, 1);
    cb->aio_sigevent.sigev_value.sival_ptr = notices;
    if (how == NOTIFY_SIGNAL) {
        cb->aio_sigevent.sigev_notify = SIGEV_SIGNAL;
        cb->aio_sigevent.sigev_signo = SIGRTMIN + 1;
    } else {
        cb->aio_sigevent.sigev_notify = SIGEV_THREAD;
        cb->aio_sigevent.sigev_notify_function = tell;
    }
}

void await_notices(sem_t *each, unsigned n)
{
    while (n > 0)
        n -= sem_wait(each) == 0;
}
