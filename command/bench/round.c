/* SPDX-License-Identifier: MIT */
/*
 * One contender's work for some time, in a process of its own: what it leaves
 * behind, threads and memory among it, is none of the next one's.
 */

#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECKED 64 /* every so many-th block */
#define MAX_THREADS 64

/* One thread that submits. */
struct loop {
    struct engine engine;
    const struct options *options;
    const struct work *work;
    const struct files *files;
    pthread_t thread;
    pthread_barrier_t *ready;
    unsigned number, of;
    unsigned first; /* of all requests, the first that is this thread's */
    uint64_t limit; /* operations of this thread, 0: by time */
    uint64_t begun, operations, wrong, failed, random;
    int64_t begun_ns, end_ns, ended_ns; /* when it began, is to end, and did */
    unsigned *idle, n_idle;             /* requests that are not in flight */
    unsigned in_flight;                 /* the most that were */
    bool shares_buffers;
    int error;
    char reason[REASON_MAX];
    struct histogram submission, completion;
};

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void *must_allocate(size_t n, size_t size)
{
    void *memory = NULL;

    /* Whole pages, which exist: what the library takes is counted beside these. */
    if (n == 0 || size > SIZE_MAX / n || posix_memalign(&memory, 4096, n * size) != 0) {
        fprintf(stderr, "uaio bench: no memory for %zu x %zu bytes\n", n, size);
        exit(1);
    }
    memset(memory, 0, n * size);
    return memory;
}

#define MAX_BUFFERS ((size_t)256 << 20) /* bytes; beyond, requests share them */

size_t work__buffers(const struct work *work)
{
    size_t n = MAX_BUFFERS / work->block;

    return n < work->depth ? n : work->depth;
}

/* ---- which block comes next -------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t blocks_of(const struct loop *loop)
{
    return loop->files->bytes / loop->work->block * loop->files->n;
}

/* What is cold is so once: a walk through all blocks that comes to each but once. */
static uint64_t next_block(struct loop *loop)
{
    uint64_t n = blocks_of(loop), i = loop->begun * loop->of + loop->number;

    if (loop->work->order == ORDER_SEQUENTIAL)
        return i % n;
    if (loop->work->media == MEDIA_COLD)
        return (loop->options->seed + i * UINT64_C(7368787)) % n; /* a prime: no n's divisor */
    return next_random(&loop->random) % n;
}

static bool is_done(const struct loop *loop)
{
    if (loop->limit > 0 && loop->begun >= loop->limit)
        return true;
    return loop->work->media == MEDIA_COLD && loop->begun * loop->of >= blocks_of(loop);
}

/* ---- the loop ------------------------------------------------------------------------- */

static void set_up(struct loop *loop, struct request *r)
{
    uint64_t block = next_block(loop);
    enum io io = loop->work->io;

    r->file = (unsigned)(block % loop->files->n);
    r->fd = loop->files->fd[r->file];
    r->offset = (int64_t)(block / loop->files->n * loop->work->block);
    r->write = io == IO_WRITE || (io == IO_MIXED && next_random(&loop->random) & 1);
    if (r->write)
        files__fill(r->buffer, r->nbytes, r->file, (uint64_t)r->offset);
}

static bool is_right(const struct loop *loop, const struct request *r)
{
    uint64_t word;

    if (r->write || loop->shares_buffers || loop->operations % CHECKED)
        return true;
    memcpy(&word, r->buffer, sizeof word);
    return word == files__word(r->file, (uint64_t)r->offset);
}

static void done(struct engine *engine, unsigned i, long result)
{
    struct loop *loop = engine->loop;
    struct request *r = &engine->requests[i];

    if (result != (long)r->nbytes)
        loop->failed++;
    else if (!is_right(loop, r))
        loop->wrong++;
    loop->operations++;
    histogram__add(&loop->completion, now_ns() - r->begun_ns);
    loop->idle[loop->n_idle++] = i;
}

/* Not before all have been in flight, however deep the queue and short the time. */
static bool time_is_over(const struct loop *loop, int64_t now)
{
    return loop->limit == 0 && now >= loop->end_ns && loop->begun >= loop->engine.depth;
}

/* Start one; false: no more can be started now. */
static bool start(struct loop *loop)
{
    unsigned i = loop->idle[loop->n_idle - 1];
    struct request *r = &loop->engine.requests[i];
    unsigned in_flight;
    int err;

    set_up(loop, r);
    r->begun_ns = now_ns();
    if (time_is_over(loop, r->begun_ns))
        return false;
    in_flight = loop->engine.depth - --loop->n_idle;
    err = loop->engine.contender->submit(&loop->engine, i);
    if (err) {
        loop->idle[loop->n_idle++] = i;
        if (err != EAGAIN || loop->n_idle == loop->engine.depth)
            loop->error = err;
        return false;
    }
    loop->begun++;
    if (in_flight > loop->in_flight)
        loop->in_flight = in_flight;
    histogram__add(&loop->submission, now_ns() - r->begun_ns);
    return true;
}

static void work_until_done(struct loop *loop)
{
    const struct contender *contender = loop->engine.contender;

    for (;;) {
        while (loop->n_idle > 0 && !loop->error && !is_done(loop) && start(loop))
            ;
        if (loop->n_idle == loop->engine.depth)
            return;
        if (!contender->synchronous) {
            int err = contender->reap(&loop->engine);
            if (err) {
                loop->error = err;
                return;
            }
        }
    }
}

static void *run(void *argument)
{
    struct loop *loop = argument;
    const struct contender *contender = loop->engine.contender;

    loop->error = contender->open(&loop->engine, loop->reason);
    pthread_barrier_wait(loop->ready);
    if (loop->error)
        return NULL;
    loop->begun_ns = now_ns();
    loop->end_ns = loop->begun_ns + (int64_t)(loop->options->seconds * 1e9);
    work_until_done(loop);
    loop->ended_ns = now_ns();
    if (!loop->error)
        contender->close(&loop->engine);
    return NULL;
}

/* ---- the process -------------------------------------------------------------------- */

static bool find_status(const char *path, const char *name, uint64_t *value)
{
    FILE *status = fopen(path, "re");
    bool found = false;
    char line[160];

    while (status && !found && fgets(line, sizeof line, status)) {
        found = strncmp(line, name, strlen(name)) == 0;
        if (found)
            *value = strtoull(line + strlen(name), NULL, 10);
    }
    if (status)
        fclose(status);
    return found;
}

static uint64_t status_value(const char *path, const char *name)
{
    uint64_t value = 0;

    return find_status(path, name, &value) ? value : 0;
}

/* gVisor, for one, has neither this line nor anything but 0 in getrusage(). */
static bool counts_switches(void)
{
    uint64_t value;

    return find_status("/proc/self/status", "voluntary_ctxt_switches:", &value);
}

static void make_requests(struct loop *loop, char *buffers, size_t n_buffers)
{
    struct engine *engine = &loop->engine;

    engine->requests = must_allocate(engine->depth, sizeof *engine->requests);
    loop->idle = must_allocate(engine->depth, sizeof *loop->idle);
    loop->n_idle = engine->depth;
    for (unsigned i = 0; i < engine->depth; i++) {
        size_t buffer = ((size_t)loop->first + i) % n_buffers;
        engine->requests[i].buffer = buffers + buffer * loop->work->block;
        engine->requests[i].nbytes = loop->work->block;
        loop->idle[i] = engine->depth - 1 - i;
    }
}

static unsigned threads_of(const struct work *work, const struct contender *contender)
{
    if (!contender->synchronous)
        return work->threads;
    return work->depth < MAX_THREADS ? work->depth : MAX_THREADS;
}

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

/* From when the first began to when the last had ended, and not as the main thread
 * has it: that may wake late from the barrier. */
static double seconds_of(const struct loop *loops, unsigned n)
{
    int64_t first = loops[0].begun_ns, last = loops[0].ended_ns;

    for (unsigned i = 1; i < n; i++) {
        if (loops[i].begun_ns < first)
            first = loops[i].begun_ns;
        if (loops[i].ended_ns > last)
            last = loops[i].ended_ns;
    }
    return (double)(last - first) / 1e9;
}

static void collect(struct outcome *outcome, const struct loop *loops, unsigned n)
{
    outcome->seconds = seconds_of(loops, n);
    for (unsigned i = 0; i < n; i++) {
        const struct loop *loop = &loops[i];
        outcome->operations += loop->operations;
        outcome->in_flight += loop->in_flight;
        outcome->wrong += loop->wrong;
        outcome->failed += loop->failed;
        histogram__merge(&outcome->submission, &loop->submission);
        histogram__merge(&outcome->completion, &loop->completion);
        if (loop->error && !outcome->reason[0])
            snprintf(outcome->reason, REASON_MAX, "%.80s%s%.40s", loop->reason,
                     loop->reason[0] ? ": " : "", strerror(loop->error));
    }
}

static unsigned share(unsigned depth, unsigned threads, unsigned number)
{
    return depth / threads + (number < depth % threads);
}

/* How many requests the threads before this one have. */
static unsigned shares_before(unsigned depth, unsigned threads, unsigned number)
{
    unsigned larger = number < depth % threads ? number : depth % threads;

    return number * (depth / threads) + larger;
}

_Noreturn void round__child(const struct options *options, const struct work *work,
                            const struct files *files, const struct contender *contender,
                            uint64_t operations, struct outcome *outcome)
{
    unsigned n = threads_of(work, contender);
    size_t n_buffers = work__buffers(work);
    struct loop *loops = must_allocate(n, sizeof *loops);
    struct rusage before, after;
    pthread_barrier_t ready;
    uint64_t kibibytes;
    char *buffers;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    buffers = must_allocate(n_buffers, work->block);
    pthread_barrier_init(&ready, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        struct loop *loop = &loops[i];
        *loop =
            (struct loop){.options = options,
                          .work = work,
                          .files = files,
                          .ready = &ready,
                          .number = i,
                          .of = n,
                          .first = contender->synchronous ? i : shares_before(work->depth, n, i),
                          .limit = operations / n,
                          .random = options->seed * 1000003 + i,
                          .shares_buffers = n_buffers < work->depth};
        loop->engine =
            (struct engine){.contender = contender,
                            .done = done,
                            .loop = loop,
                            .depth = contender->synchronous ? 1 : share(work->depth, n, i)};
        make_requests(loop, buffers, n_buffers);
    }
    kibibytes = status_value("/proc/self/status", "VmRSS:");
    getrusage(RUSAGE_SELF, &before);
    for (unsigned i = 0; i < n; i++) {
        if (pthread_create(&loops[i].thread, NULL, run, &loops[i]) != 0) {
            snprintf(outcome->reason, REASON_MAX, "no more threads can be had");
            _exit(0);
        }
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(loops[i].thread, NULL);
    getrusage(RUSAGE_SELF, &after);
    outcome->cpu_seconds = cpu_seconds(&after) - cpu_seconds(&before);
    outcome->switches = -1;
    if (counts_switches())
        outcome->switches = after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw;
    outcome->kibibytes = status_value("/proc/self/status", "VmHWM:");
    collect(outcome, loops, n);
    for (unsigned i = 0; i < n; i++)
        kibibytes += loops[i].engine.control_bytes / 1024;
    outcome->kibibytes -= outcome->kibibytes > kibibytes ? kibibytes : outcome->kibibytes;
    outcome->over = true;
    _exit(0);
}

/* ---- from outside ---------------------------------------------------------------------- */

static bool ended(pid_t pid, int *status)
{
    pid_t found = waitpid(pid, status, WNOHANG);

    return found == pid || (found < 0 && errno != EINTR);
}

/* Looks at how many threads it has, meanwhile. */
static bool await_end(pid_t pid, double seconds, struct outcome *outcome, int *status)
{
    const struct timespec moment = {0, 4000000};
    int64_t end_ns = now_ns() + (int64_t)(seconds * 1e9);
    char path[40];

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    while (!ended(pid, status)) {
        unsigned threads = (unsigned)status_value(path, "Threads:");
        if (threads > outcome->threads)
            outcome->threads = threads;
        if (now_ns() > end_ns) {
            kill(pid, SIGKILL);
            while (waitpid(pid, status, 0) < 0 && errno == EINTR)
                ;
            return false;
        }
        nanosleep(&moment, NULL);
    }
    return true;
}

void round__run(const struct options *options, const struct work *work, const struct files *files,
                const struct contender *contender, struct outcome *outcome)
{
    double patience = options->seconds * 10 + 10 + work->depth * 50e-6;
    int status = 0;
    pid_t pid;

    memset(outcome, 0, sizeof *outcome);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        round__child(options, work, files, contender, 0, outcome);
    if (pid < 0)
        snprintf(outcome->reason, REASON_MAX, "fork: %s", strerror(errno));
    else if (!await_end(pid, patience, outcome, &status))
        snprintf(outcome->reason, REASON_MAX, "did not end within %.0f s", patience);
    else if (!outcome->over && !outcome->reason[0])
        snprintf(outcome->reason, REASON_MAX, "its process ended with status %#x",
                 (unsigned)status);
    if (!outcome->reason[0] && outcome->operations == 0)
        snprintf(outcome->reason, REASON_MAX, "nothing was done in the time");
}
