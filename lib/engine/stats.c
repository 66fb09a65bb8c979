/* SPDX-License-Identifier: MIT */
#include "stats.h"
#include "os/park.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct stats uaio__stats;

static atomic_uint next_shard;

_Thread_local struct stats_thread uaio__stats_thread;

/* ---- counters -------------------------------------------------------------- */

_Atomic uint64_t *uaio__stats_choose_shard(void)
{
    unsigned n = atomic_fetch_add_explicit(&next_shard, 1, memory_order_relaxed);

    uaio__stats_thread.count = uaio__stats.shards[n % STATS_SHARDS].count;
    return uaio__stats_thread.count;
}

void uaio__count_result(ssize_t result)
{
    uaio__count(result >= 0 ? STAT_COMPLETED : result == -ECANCELED ? STAT_CANCELED : STAT_FAILED);
}

uint64_t uaio__stat(enum counter counter)
{
    return stats__sum(&uaio__stats, counter);
}

void uaio__stats_in_flight(unsigned n)
{
    unsigned max = atomic_load_explicit(&uaio__stats.in_flight_max, memory_order_relaxed);

    while (n > max &&
           !atomic_compare_exchange_weak_explicit(&uaio__stats.in_flight_max, &max, n,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

/* ---- latencies ------------------------------------------------------------- */

/* From 7 to 23, 15 in the mean. */
static uint8_t next_distance(void)
{
    uint32_t n = uaio__stats_thread.random * 1664525u + 1013904223u;

    uaio__stats_thread.random = n;
    return (uint8_t)(7 + (n >> 28) + (n >> 27 & 1));
}

int64_t uaio__sample_now(enum timed kind)
{
    uaio__stats_thread.left[kind] = next_distance();
    return pool__now_ns();
}

static unsigned bucket_of(uint64_t ns)
{
    uint64_t n = ns >> LATENCY_UNIT_BITS;
    unsigned shift, bucket;

    if (n < 2u << LATENCY_SUB_BITS)
        return (unsigned)n;
    shift = 63 - LATENCY_SUB_BITS - (unsigned)__builtin_clzll(n);
    bucket = (shift << LATENCY_SUB_BITS) + (unsigned)(n >> shift);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* Where it ends, and the next begins. */
static uint64_t end_of(unsigned bucket)
{
    unsigned shift = bucket >> LATENCY_SUB_BITS;
    uint64_t n = bucket + 1;

    if (bucket == LATENCY_BUCKETS - 1)
        return UINT64_MAX;
    if (shift > 1)
        n = (n - ((shift - 1) << LATENCY_SUB_BITS)) << (shift - 1);
    return n << LATENCY_UNIT_BITS;
}

void uaio__count_sample(enum timed kind, int64_t began_ns)
{
    struct latency *latency = &uaio__stats.latency[kind];
    uint64_t ns = (uint64_t)(pool__now_ns() - began_ns), max;

    atomic_fetch_add_explicit(&latency->count[bucket_of(ns)], 1, memory_order_relaxed);
    max = atomic_load_explicit(&latency->max_ns, memory_order_relaxed);
    while (ns > max && !atomic_compare_exchange_weak_explicit(
                           &latency->max_ns, &max, ns, memory_order_relaxed, memory_order_relaxed))
        ;
}

uint64_t uaio__latency(enum timed kind, unsigned per_mille)
{
    struct latency *latency = &uaio__stats.latency[kind];
    uint64_t max = atomic_load_explicit(&latency->max_ns, memory_order_relaxed), total = 0, n = 0;
    unsigned i;

    for (i = 0; i < LATENCY_BUCKETS; i++)
        total += atomic_load_explicit(&latency->count[i], memory_order_relaxed);
    for (i = 0; i < LATENCY_BUCKETS; i++) {
        n += atomic_load_explicit(&latency->count[i], memory_order_relaxed);
        if (n > 0 && n * 1000 >= total * per_mille)
            return end_of(i) < max ? end_of(i) : max;
    }
    return 0;
}

/* ---- whose they are ---------------------------------------------------------- */

void uaio__stats_begin_first(void)
{
    atomic_store_explicit(&uaio__stats.used_by, getpid(), memory_order_relaxed);
}

/* Its first request starts the count, and nobody counts before it. */
void uaio__stats_reset(void)
{
    memset(&uaio__stats, 0, offsetof(struct stats, used_by));
    atomic_store_explicit(&uaio__stats.used_by, 0, memory_order_relaxed);
}

bool uaio__stats_own(void)
{
    return atomic_load_explicit(&uaio__stats.used_by, memory_order_relaxed) == getpid();
}
