/* SPDX-License-Identifier: MIT */
/*
 * One contender's work for some time, in a process of its own: what it leaves
 * behind, threads and memory among it, is none of the next one's.
 */

#include "loop.h"

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

static void make_loops(struct loop *loops, unsigned n, const struct loop *common,
                       const struct contender *contender, pthread_barrier_t *ready)
{
    const struct work *work = common->work;
    size_t n_buffers = work__buffers(work);
    char *buffers = must_allocate(n_buffers, work->block);

    pthread_barrier_init(ready, NULL, n);
    for (unsigned i = 0; i < n; i++) {
        struct loop *loop = &loops[i];
        *loop = *common;
        loop->ready = ready;
        loop->number = i;
        loop->of = n;
        loop->first = contender->synchronous ? i : shares_before(work->depth, n, i);
        loop->random = common->options->seed * 1000003 + i;
        loop->shares_buffers = n_buffers < work->depth;
        loop->engine =
            (struct engine){.contender = contender,
                            .done = loop__done,
                            .loop = loop,
                            .stream = work->media == MEDIA_SOCKETS,
                            .depth = contender->synchronous ? 1 : share(work->depth, n, i)};
        loop__make_requests(loop, buffers, n_buffers);
    }
}

static void run_loops(struct loop *loops, unsigned n, struct outcome *outcome)
{
    for (unsigned i = 0; i < n; i++) {
        if (pthread_create(&loops[i].thread, NULL, loop__run, &loops[i]) != 0) {
            snprintf(outcome->reason, REASON_MAX, "no more threads can be had");
            _exit(0);
        }
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(loops[i].thread, NULL);
}

_Noreturn void round__child(const struct options *options, const struct work *work,
                            const struct files *files, const struct contender *contender,
                            uint64_t operations, struct outcome *outcome)
{
    const unsigned n = threads_of(work, contender);
    const struct loop common = {
        .options = options, .work = work, .files = files, .limit = operations / n};
    struct loop *loops = must_allocate(n, sizeof *loops);
    struct rusage before, after;
    pthread_barrier_t ready;
    uint64_t kibibytes;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    make_loops(loops, n, &common, contender, &ready);
    kibibytes = status_value("/proc/self/status", "VmRSS:");
    getrusage(RUSAGE_SELF, &before);
    run_loops(loops, n, outcome);
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
    if (contender->cannot && contender->cannot(work)) {
        snprintf(outcome->reason, REASON_MAX, "%s", contender->cannot(work));
        return;
    }
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
