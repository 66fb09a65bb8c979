/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static_assert(DESCRIPTORS == STATS_DESCRIPTORS && DESCRIPTORS <= DESCRIPTOR_CHUNK,
              "descriptors are counted up to another number");
static_assert(LATENCY_BUCKETS == UAIO_LATENCY_BUCKETS && LATENCIES == TIMED_KINDS,
              "latencies are counted otherwise");

const char *const latency_names[LATENCIES] = {"read", "write", "sync"};

const double top__percents[4] = {50, 90, 99, 99.9};
const char *const top__percent_names[4] = {"p50", "p90", "p99", "p99.9"};

#define COUNTER(name, field)                       \
 {                                                 \
  name, #field, offsetof(struct uaio_stats, field) \
 }

const struct counter_name counter_names[] = {
    COUNTER("reads", reads),
    COUNTER("writes", writes),
    COUNTER("syncs", syncs),
    COUNTER("polls", polls),
    COUNTER("completed", completed),
    COUNTER("failed", failed),
    COUNTER("cancelled", canceled),
    COUNTER("refused", refused),
    COUNTER("inline hits", inline_hits),
    COUNTER("inline misses", inline_misses),
    COUNTER("helped", helped),
    COUNTER("waited", waited),
    COUNTER("wake-ups", wakeups),
    COUNTER("signals", signals),
    COUNTER("callbacks", callbacks),
    COUNTER("threads begun", threads_started),
};
const unsigned n_counter_names = sizeof counter_names / sizeof *counter_names;

static uint64_t *field_of(struct uaio_stats *stats, size_t offset)
{
    return (uint64_t *)(void *)((char *)stats + offset);
}

uint64_t sample__counter(const struct sample *sample, unsigned i)
{
    return *(const uint64_t *)(const void *)((const char *)&sample->stats +
                                             counter_names[i].offset);
}

static struct uaio_latency *latency_of(struct uaio_stats *stats, unsigned i)
{
    return i == TIMED_READ ? &stats->read : i == TIMED_WRITE ? &stats->write : &stats->sync;
}

const struct uaio_latency *sample__latency(const struct sample *sample, unsigned i)
{
    const struct uaio_stats *stats = &sample->stats;
    return i == TIMED_READ ? &stats->read : i == TIMED_WRITE ? &stats->write : &stats->sync;
}

/* ---- taking one ------------------------------------------------------------------ */

/* What is read of one engine. */
struct raw {
    struct stats stats;
    struct pool_stats io, callbacks;
    unsigned max_threads, in_flight;
    struct config settings;
    uint64_t words[DESCRIPTORS];
};

static int read_settings(struct process *process, const struct beacon *beacon, struct raw *raw)
{
    uintptr_t at;
    int err = process__read(process, &at, (uintptr_t)beacon->settings, sizeof at);

    return err ? err : process__read(process, &raw->settings, at, sizeof raw->settings);
}

static int read_descriptors(struct process *process, const struct beacon *beacon, struct raw *raw)
{
    uintptr_t at;
    int err = process__read(process, &at, (uintptr_t)beacon->descriptors, sizeof at);

    if (!err && at)
        err = process__read(process, raw->words, at, sizeof raw->words);
    return err;
}

static int read_raw(struct process *process, const struct source *source, struct raw *raw)
{
    const struct beacon *beacon = &source->beacon;
    struct beacon now;
    int err = process__read(process, &now, source->at, sizeof now);

    if (!err && memcmp(now.magic, beacon->magic, sizeof now.magic) != 0)
        err = -EFAULT;
    if (!err && now.self != beacon->self)
        err = -EFAULT;
    memset(raw, 0, sizeof *raw);
    if (!err)
        err = process__read(process, &raw->stats, (uintptr_t)beacon->stats, sizeof raw->stats);
    if (!err)
        err = process__read(process, &raw->io, (uintptr_t)beacon->io, sizeof raw->io);
    if (!err)
        err = process__read(process, &raw->callbacks, (uintptr_t)beacon->callbacks,
                            sizeof raw->callbacks);
    if (!err)
        err = process__read(process, &raw->max_threads, (uintptr_t)beacon->max_threads,
                            sizeof raw->max_threads);
    if (!err)
        err = process__read(process, &raw->in_flight, (uintptr_t)beacon->in_flight,
                            sizeof raw->in_flight);
    if (!err)
        err = read_settings(process, beacon, raw);
    return err ? err : read_descriptors(process, beacon, raw);
}

static void add_counters(struct uaio_stats *to, struct stats *from)
{
    static const struct {
        enum counter counter;
        size_t offset;
    } all[] = {
        {STAT_READS, offsetof(struct uaio_stats, reads)},
        {STAT_WRITES, offsetof(struct uaio_stats, writes)},
        {STAT_SYNCS, offsetof(struct uaio_stats, syncs)},
        {STAT_POLLS, offsetof(struct uaio_stats, polls)},
        {STAT_LISTS, offsetof(struct uaio_stats, lists)},
        {STAT_CONTEXTS, offsetof(struct uaio_stats, contexts)},
        {STAT_NATIVE, offsetof(struct uaio_stats, contexts_native)},
        {STAT_COMPLETED, offsetof(struct uaio_stats, completed)},
        {STAT_FAILED, offsetof(struct uaio_stats, failed)},
        {STAT_CANCELED, offsetof(struct uaio_stats, canceled)},
        {STAT_REFUSED, offsetof(struct uaio_stats, refused)},
        {STAT_INLINE_HITS, offsetof(struct uaio_stats, inline_hits)},
        {STAT_INLINE_MISSES, offsetof(struct uaio_stats, inline_misses)},
        {STAT_WAITED, offsetof(struct uaio_stats, waited)},
        {STAT_HELPED, offsetof(struct uaio_stats, helped)},
        {STAT_SIGNALS, offsetof(struct uaio_stats, signals)},
        {STAT_CALLBACKS, offsetof(struct uaio_stats, callbacks)},
    };

    static_assert(sizeof all / sizeof *all == STATS - STAT_READS, "a counter is missing");
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        *field_of(to, all[i].offset) += stats__sum(from, all[i].counter);
}

static void add_latencies(struct uaio_stats *to, struct stats *from)
{
    for (unsigned i = 0; i < LATENCIES; i++) {
        struct uaio_latency *latency = latency_of(to, i);
        uint64_t max = atomic_load_explicit(&from->latency[i].max_ns, memory_order_relaxed);

        if (max > latency->max_ns)
            latency->max_ns = max;
        for (unsigned b = 0; b < LATENCY_BUCKETS; b++) {
            uint64_t n = atomic_load_explicit(&from->latency[i].count[b], memory_order_relaxed);
            latency->buckets[b] += n;
            latency->samples += n;
        }
    }
}

static void add_pools(struct uaio_stats *to, const struct raw *raw)
{
    to->wakeups += raw->io.wakeups + raw->callbacks.wakeups;
    to->threads_started += raw->io.started + raw->callbacks.started;
    to->threads_refused += raw->io.start_fails + raw->callbacks.start_fails;
    to->threads += raw->io.threads;
    to->threads_max += raw->io.threads_max;
    to->callback_threads += raw->callbacks.threads;
    to->in_flight += raw->in_flight;
    to->in_flight_max += atomic_load_explicit(&raw->stats.in_flight_max, memory_order_relaxed);
}

static void add_descriptors(struct sample *to, struct raw *raw)
{
    for (unsigned fd = 0; fd < DESCRIPTORS; fd++) {
        to->requests[fd] += atomic_load_explicit(&raw->stats.descriptors[fd], memory_order_relaxed);
        to->in_flight[fd] += (uint32_t)raw->words[fd];
    }
}

/* The settings are the first engine's: all read the same environment. */
static void take_settings(struct sample *to, const struct raw *raw)
{
    bool made = raw->max_threads > 0; /* else there is no pool yet */

    to->max_threads = made ? raw->max_threads : raw->settings.threads;
    to->max_requests = raw->settings.max_requests;
    to->idle_ms = raw->settings.idle_ms;
    to->inline_reads = raw->settings.inline_reads;
    to->help = raw->settings.help;
    to->native_first = raw->settings.native_first;
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

enum look sample__take(struct process *process, struct sample *sample, char reason[REASON_BYTES])
{
    static struct raw raw;
    int err = 0;

    memset(sample, 0, sizeof *sample);
    for (unsigned i = 0; i < process->n_sources && !err; i++) {
        err = read_raw(process, &process->sources[i], &raw);
        if (!err && i == 0)
            take_settings(sample, &raw);
        /* Else what is there is the memory of the process that it was forked from. */
        if (err ||
            atomic_load_explicit(&raw.stats.used_by, memory_order_relaxed) != process->inner_pid)
            continue;
        sample->used = true;
        add_counters(&sample->stats, &raw.stats);
        add_latencies(&sample->stats, &raw.stats);
        add_pools(&sample->stats, &raw);
        add_descriptors(sample, &raw);
    }
    sample->seconds = seconds_of(CLOCK_MONOTONIC);
    sample->time = seconds_of(CLOCK_REALTIME);
    if (process__is_over(process) || err == -ESRCH)
        return LOOK_ENDED;
    if (err == -EFAULT)
        return LOOK_CHANGED;
    if (err)
        snprintf(reason, REASON_BYTES, "the memory of process %d cannot be read any more: %s",
                 (int)process->pid, strerror(-err));
    return err ? LOOK_FAILED : LOOK_WELL;
}

/* ---- what is made of it ------------------------------------------------------------ */

/* The longest of a while is known by its bucket alone. */
static void subtract_latency(struct uaio_latency *result, const struct uaio_latency *before)
{
    result->samples = 0;
    for (unsigned i = 0; i < UAIO_LATENCY_BUCKETS; i++) {
        result->buckets[i] -= before->buckets[i];
        result->samples += result->buckets[i];
    }
    result->max_ns = uaio_latency_percentile(result, 100);
}

void sample__subtract(struct sample *result, const struct sample *now, const struct sample *before)
{
    *result = *now;
    for (unsigned i = 0; i < n_counter_names; i++)
        *field_of(&result->stats, counter_names[i].offset) -= sample__counter(before, i);
    for (unsigned i = 0; i < LATENCIES; i++)
        subtract_latency(latency_of(&result->stats, i), sample__latency(before, i));
    for (unsigned fd = 0; fd < DESCRIPTORS; fd++) { /* an addition that is lost may lose others */
        bool grown = (int32_t)(now->requests[fd] - before->requests[fd]) > 0;
        result->requests[fd] = grown ? now->requests[fd] - before->requests[fd] : 0;
    }
}

double sample__hit_rate(const struct sample *change)
{
    double hits = (double)change->stats.inline_hits, misses = (double)change->stats.inline_misses;

    return hits + misses > 0 ? 100 * hits / (hits + misses) : -1;
}

static const struct sample *compared; /* by busier(), for qsort() */

static int busier(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    if (compared->requests[x] != compared->requests[y])
        return compared->requests[x] > compared->requests[y] ? -1 : 1;
    if (compared->in_flight[x] != compared->in_flight[y])
        return compared->in_flight[x] > compared->in_flight[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

unsigned sample__busiest(const struct sample *change, unsigned *fds, unsigned n)
{
    static unsigned all[DESCRIPTORS];
    unsigned found = 0;

    for (unsigned fd = 0; fd < DESCRIPTORS; fd++)
        if (change->requests[fd] || change->in_flight[fd])
            all[found++] = fd;
    compared = change;
    qsort(all, found, sizeof *all, busier);
    if (found > n)
        found = n;
    memcpy(fds, all, found * sizeof *all);
    return found;
}
