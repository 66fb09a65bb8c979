/* SPDX-License-Identifier: MIT */
/*
 * A program of many threads with requests under way forks again and again.
 *
 *     stress-fork_storm [SECONDS [SEED]]   or UAIO_STRESS_SECONDS, UAIO_STRESS_SEED
 *
 * Sixteen threads write and read files of their own, with notifications, on
 * both faces where there are two, while the main thread makes children: by
 * fork, _Fork, vfork and exec, and posix_spawn.  Invariant:
 *
 *  - in the parent each request completes, with the right data, and is
 *    notified once;
 *  - in a child what was in progress is ECANCELED, what is new works, in a child
 *    of it too, and contexts of the parent are not there;
 *  - each child ends by itself, with status 0; nothing hangs.
 *
 * After _Fork, as in any child of a program with threads, libc's own locks may
 * be held for ever: no more is done there than asking for states.
 */
#include "stress.h"
#include "../ways_to_fork.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef BOTH_FACES
# include <linux/aio_abi.h>
# include <sys/syscall.h>
#endif

extern char **environ;

enum { THREADS = 16, BATCH = 8, RECORDS = 256, CHILD_S = 50 };
enum { BYTES = RECORDS * sizeof(struct record) };
enum way { FORK_ONCE, FORK_TWICE, UNDERSCORE_FORK, VFORK_AND_EXEC, SPAWN, WAYS };

struct worker {
    pthread_t thread;
    unsigned number;
    int fd, other;
    unsigned long long rounds;
    sem_t notified;
    struct notices notices[BATCH];
    struct record wrote[BATCH][RECORDS], got[BATCH][RECORDS];
};

static const char *const names[WAYS] = {"fork", "fork twice", "_Fork", "vfork", "posix_spawn"};
static struct worker workers[THREADS];
static struct aiocb waits; /* of an empty pipe: in progress whenever we fork */
static char wait_byte;
static atomic_ulong n_requests;
#ifdef BOTH_FACES
static aio_context_t parent_ctx;
#endif

static void fill(struct worker *w)
{
    for (unsigned i = 0; i < BATCH; i++)
        for (unsigned j = 0; j < RECORDS; j++)
            w->wrote[i][j] = (struct record){w->number + 1, w->rounds * RECORDS + j};
    memset(w->got, 0, sizeof w->got);
}

static bool all_right(struct worker *w)
{
    return memcmp(w->wrote, w->got, sizeof w->got) == 0;
}

static bool perform(struct worker *w, bool writes)
{
    struct aiocb cbs[BATCH];
    bool right = true;
    unsigned n_notices = 0;

    memset(cbs, 0, sizeof cbs);
    for (unsigned i = 0; i < BATCH; i++) {
        enum notification how = (enum notification)((w->rounds + i) % NOTIFICATIONS);

        cbs[i].aio_fildes = w->fd;
        cbs[i].aio_buf = writes ? w->wrote[i] : w->got[i];
        cbs[i].aio_nbytes = BYTES;
        cbs[i].aio_offset = (off_t)(i * BYTES);
        w->notices[i].each = &w->notified;
        ask_notice(&cbs[i], &w->notices[i], how);
        n_notices += how != NOTIFY_NONE;
        insist((writes ? aio_write(&cbs[i]) : aio_read(&cbs[i])) == 0, "submission");
    }
    for (unsigned i = 0; i < BATCH; i++) {
        const struct aiocb *one = &cbs[i];

        while (aio_error(one) == EINPROGRESS)
            aio_suspend(&one, 1, NULL);
        right &= aio_error(one) == 0 && aio_return(&cbs[i]) == BYTES;
    }
    await_notices(&w->notified, n_notices);
    return right;
}

#ifdef BOTH_FACES
static bool perform_native(struct worker *w, aio_context_t ctx, bool writes)
{
    struct iocb cbs[BATCH], *list[BATCH];
    struct io_event events[BATCH];
    bool right = true;

    for (unsigned i = 0; i < BATCH; i++) {
        list[i] = &cbs[i];
        cbs[i] = (struct iocb){.aio_data = i,
                               .aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
                               .aio_fildes = (uint32_t)w->fd,
                               .aio_buf = (uintptr_t)(writes ? w->wrote[i] : w->got[i]),
                               .aio_nbytes = BYTES,
                               .aio_offset = i * BYTES};
    }
    right &= syscall(SYS_io_submit, ctx, BATCH, list) == BATCH;
    right = right && syscall(SYS_io_getevents, ctx, BATCH, BATCH, events, NULL) == BATCH;
    for (unsigned i = 0; right && i < BATCH; i++)
        right = events[i].res == BYTES;
    return right;
}

/* Both faces in turn. */
static bool round_trip(struct worker *w, aio_context_t ctx)
{
    fill(w);
    if (w->rounds++ % 2 == 0)
        return perform_native(w, ctx, true) && perform(w, false) && all_right(w);
    return perform(w, true) && perform_native(w, ctx, false) && all_right(w);
}
#else
static bool round_trip(struct worker *w)
{
    fill(w);
    w->rounds++;
    return perform(w, true) && perform(w, false) && all_right(w);
}
#endif

static void *work(void *argument)
{
    struct worker *w = argument;
#ifdef BOTH_FACES
    aio_context_t ctx = 0;

    insist(syscall(SYS_io_setup, BATCH, &ctx) == 0, "io_setup");
#endif
    do {
        stress_at("a worker's round");
#ifdef BOTH_FACES
        must(round_trip(w, ctx), "the parent's data are wrong");
#else
        must(round_trip(w), "the parent's data are wrong");
#endif
        atomic_fetch_add(&n_requests, 2 * BATCH);
    } while (stress_goes_on());
    return NULL;
}

/* --- children: the exit status says what was wrong --- */

static void hangs(int signo)
{
    static const char text[] = "fork_storm: a child hangs\n";

    (void)signo;
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(1);
    if (getenv("UAIO_STRESS_STAY") != NULL) /* for a debugger */
        pause();
    abort();
}

static int inherited(void)
{
    const struct aiocb *one = &waits;

    if (aio_error(&waits) != ECANCELED)
        return 10;
    if (aio_suspend(&one, 1, NULL) != 0)
        return 11;
    if (aio_return(&waits) != -1 || errno != ECANCELED)
        return 12;
    return 0;
}

static bool ends_well(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return false;
    }
    if (status != 0)
        fprintf(stderr, "fork_storm: a child ended with the status 0x%x\n", (unsigned)status);
    return status == 0;
}

/* The taker of signals is not here: what signals notify, the handler takes. */
static int live(unsigned generations)
{
    static struct worker own;
    sigset_t set;
    int status = 0;

    signal(SIGALRM, hangs);
    alarm(CHILD_S);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (generations == 1)
        status = inherited();
    memset(&own, 0, sizeof own);
    sem_init(&own.notified, 0, 0);
    own.number = THREADS;
    own.fd = open_unlinked(0, &own.other);
#ifdef BOTH_FACES
    aio_context_t ctx = 0;
    struct io_event event;
    struct timespec no_time = {0, 0};

    if (syscall(SYS_io_getevents, parent_ctx, 0, 1, &event, &no_time) != -1 || errno != EINVAL)
        status = 13;
    if (syscall(SYS_io_setup, BATCH, &ctx) != 0)
        status = 14;
    for (unsigned i = 0; i < 2 && status == 0; i++)
        status = round_trip(&own, ctx) ? 0 : 15;
#else
    for (unsigned i = 0; i < 2 && status == 0; i++)
        status = round_trip(&own) ? 0 : 15;
#endif
    return status;
}

static int live_and_fork(void)
{
    int status = live(1);
    pid_t pid = fork();

    if (pid == 0)
        exit(live(2));
    if (pid < 0 || !ends_well(pid))
        return 16;
    return status;
}

static bool make_child(enum way way, unsigned random)
{
    static char path[] = "/bin/true";
    char *const argv[] = {path, NULL};
    pid_t pid = -1;

    if (way == SPAWN)
        return posix_spawn(&pid, path, NULL, NULL, argv, environ) == 0 && ends_well(pid);
    if (way == VFORK_AND_EXEC) {
        pid = vfork();
        if (pid == 0) {
            execve(path, argv, environ);
            _exit(127);
        }
        return pid > 0 && ends_well(pid);
    }
#ifndef UAIO_TEST_PORTABLE /* such a child is not noticed there */
    if (way == UNDERSCORE_FORK) {
        pid = fork_by(BY_UNDERSCORE_FORK);
        if (pid == 0)
            _exit(inherited());
        if (pid > 0 || errno != ENOSYS)
            return pid > 0 && ends_well(pid);
    }
#endif
    pid = fork();
    if (pid == 0) {
        int status = way == FORK_TWICE ? live_and_fork() : live(1);

        if (random % 2 == 0)
            exit(status);
        _exit(status);
    }
    return pid > 0 && ends_well(pid);
}

int main(int argc, char **argv)
{
    int writer;
    unsigned random;
    unsigned long n_children[WAYS] = {0};

    stress_begin(argc, argv, "fork_storm");
    random = stress_seed();
    writer = read_of_empty_pipe(&waits, &wait_byte);
#ifdef BOTH_FACES
    insist(syscall(SYS_io_setup, 1, &parent_ctx) == 0, "io_setup");
#endif
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        workers[i].fd = open_unlinked(0, &workers[i].other);
        sem_init(&workers[i].notified, 0, 0);
        insist(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread");
    }
    do {
        enum way way = (enum way)(next_random(&random) % WAYS);

        stress_at(names[way]);
        must(make_child(way, next_random(&random)), names[way]);
        n_children[way]++;
    } while (stress_goes_on());
    stress_at("joining");
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        for (unsigned j = 0; j < BATCH; j++)
            must(atomic_load(&workers[i].notices[j].asked) ==
                     atomic_load(&workers[i].notices[j].told),
                 "not notified exactly once");
    }
    must(aio_error(&waits) == EINPROGRESS, "the parent's waiting read is over");
    insist(write(writer, "x", 1) == 1, "write");
    stress_at("the read that waited all the time");
    for (const struct aiocb *one = &waits; aio_error(one) == EINPROGRESS;)
        aio_suspend(&one, 1, NULL);
    must(aio_return(&waits) == 1 && wait_byte == 'x', "the read that waited all the time");
    printf("%lu requests; children:", atomic_load(&n_requests));
    for (unsigned i = 0; i < WAYS; i++)
        printf(" %s %lu", names[i], n_children[i]);
    printf("\n");
    fflush(stdout);
    return stress_end();
}
