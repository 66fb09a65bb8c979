/* SPDX-License-Identifier: MIT */
#include "posix.h"
#include "stats.h"

#include <uaio/stats.h>

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define COUNTERS_BYTES offsetof(struct uaio_stats, read)

static_assert(LATENCY_BUCKETS == UAIO_LATENCY_BUCKETS, "the buckets are not the public ones");

/* In the order of the struct, of which this is the beginning. */
static void fill_counters(struct uaio_stats *to)
{
    struct pool_stats io = pool__stats(&engine__io);
    struct pool_stats callbacks = pool__stats(notify__pool());
    const uint64_t counters[] = {
        uaio__stat(STAT_READS),
        uaio__stat(STAT_WRITES),
        uaio__stat(STAT_SYNCS),
        uaio__stat(STAT_POLLS),
        uaio__stat(STAT_LISTS),
        uaio__stat(STAT_CONTEXTS),
        uaio__stat(STAT_NATIVE),
        uaio__stat(STAT_COMPLETED),
        uaio__stat(STAT_FAILED),
        uaio__stat(STAT_CANCELED),
        uaio__stat(STAT_REFUSED),
        uaio__stat(STAT_INLINE_HITS),
        uaio__stat(STAT_INLINE_MISSES),
        uaio__stat(STAT_WAITED),
        uaio__stat(STAT_HELPED),
        uaio__stat(STAT_SIGNALS),
        uaio__stat(STAT_CALLBACKS),
        io.wakeups + callbacks.wakeups,
        io.started + callbacks.started,
        io.start_fails + callbacks.start_fails,
        io.threads,
        io.threads_max,
        callbacks.threads,
        request__in_flight(),
        atomic_load_explicit(&uaio__stats.in_flight_max, memory_order_relaxed),
    };

    static_assert(sizeof counters == COUNTERS_BYTES, "a counter is missing");
    memcpy(to, counters, sizeof counters);
}

static void fill_latency(struct uaio_latency *to, enum timed kind)
{
    struct latency *from = &uaio__stats.latency[kind];

    to->samples = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        to->buckets[i] = atomic_load_explicit(&from->count[i], memory_order_relaxed);
        to->samples += to->buckets[i];
    }
    to->max_ns = atomic_load_explicit(&from->max_ns, memory_order_relaxed);
}

/* In place, whatever the size: on a small stack there may be no room for a copy. */
int uaio_stats(struct uaio_stats *stats, size_t size)
{
    struct uaio_latency *latencies[TIMED_KINDS];

    if (!stats || size < COUNTERS_BYTES)
        return posix__return(-EINVAL);
    memset(stats, 0, size);
    if (!uaio__stats_own())
        return 0;
    fill_counters(stats);
    latencies[TIMED_READ] = &stats->read;
    latencies[TIMED_WRITE] = &stats->write;
    latencies[TIMED_SYNC] = &stats->sync;
    for (unsigned kind = 0; kind < TIMED_KINDS; kind++)
        if (size >= (size_t)((char *)(latencies[kind] + 1) - (char *)stats))
            fill_latency(latencies[kind], (enum timed)kind);
    return 0;
}
