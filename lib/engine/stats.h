/* SPDX-License-Identifier: MIT */
/*
 * What the library knows of itself, always on.
 *
 * Counters are relaxed additions to one of several cache lines, chosen by thread,
 * summed up when somebody looks.  Latencies are sampled, as two looks at the clock
 * would make a cached read dearer by a tenth: one request in 16 of each kind and
 * thread is timed, from its submission until its result is published, and counted
 * in a histogram.  How far one sample is from the next varies, lest they keep step
 * with a program's batches.
 *
 * All of it lies in one place, and an observer may read it from outside (beacon.h).
 * Nothing here takes a lock or allocates: async-signal-safe.
 */
#ifndef UAIO_ENGINE_STATS_H
#define UAIO_ENGINE_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum counter {
    STAT_READS_AT_ONCE, /* cached reads with nobody to notify: not counted in the three
                           that they are part of, see stats__sum() */
    STAT_READS,         /* submitted, by kind ... */
    STAT_WRITES,
    STAT_SYNCS,
    STAT_POLLS,
    STAT_LISTS,         /* lio_listio() calls */
    STAT_CONTEXTS,      /* io_setup() calls that succeeded ... */
    STAT_NATIVE,        /* ... and those that the kernel was left to serve */
    STAT_COMPLETED,     /* ended, with success ... */
    STAT_FAILED,        /* ... with an error ... */
    STAT_CANCELED,      /* ... or by cancellation */
    STAT_REFUSED,       /* not accepted: EAGAIN */
    STAT_INLINE_HITS,   /* done in the submitting thread */
    STAT_INLINE_MISSES, /* tried there, and passed to the pool */
    STAT_WAITED,        /* waited for readiness, or for their turn to */
    STAT_HELPED,        /* run by a thread that waited for them */
    STAT_SIGNALS,       /* notifications sent: signals ... */
    STAT_CALLBACKS,     /* ... and callbacks */
    STATS,
};

/* What has a histogram of its own.  Polls have none: they take as long as they take. */
enum timed {
    TIMED_READ,
    TIMED_WRITE,
    TIMED_SYNC,
    TIMED_KINDS,
};

/* Of units of 32 ns: eight buckets for each power of two, up to 73 minutes and more. */
#define LATENCY_UNIT_BITS 5
#define LATENCY_SUB_BITS 3
#define LATENCY_BUCKETS 280u

struct latency {
    _Atomic uint64_t max_ns;                 /* relaxed */
    _Atomic uint64_t count[LATENCY_BUCKETS]; /* relaxed */
};

#define STATS_SHARDS 16u
#define STATS_DESCRIPTORS 4096u

struct stats {
    struct {
        _Alignas(64) _Atomic uint64_t count[STATS]; /* relaxed */
    } shards[STATS_SHARDS];
    struct latency latency[TIMED_KINDS];
    /* relaxed: requests of each of the lower descriptor numbers; additions may be lost */
    _Atomic uint32_t descriptors[STATS_DESCRIPTORS];
    atomic_uint in_flight_max; /* relaxed */
    _Atomic pid_t used_by;     /* the process that has made a request; 0: none */
};

extern struct stats uaio__stats;

/* A thread's own. */
struct stats_thread {
    _Atomic uint64_t *count;   /* of its shard; NULL: not chosen yet */
    uint8_t left[TIMED_KINDS]; /* requests until the next that is timed */
    uint32_t random;
};

extern _Thread_local struct stats_thread uaio__stats_thread;

/* Of all threads, in these statistics or a copy of them. */
static inline uint64_t stats__sum(struct stats *stats, enum counter counter)
{
    bool with_those_at_once =
        counter == STAT_READS || counter == STAT_COMPLETED || counter == STAT_INLINE_HITS;
    uint64_t sum = 0;

    for (unsigned i = 0; i < STATS_SHARDS; i++) {
        _Atomic uint64_t *count = stats->shards[i].count;
        sum += atomic_load_explicit(&count[counter], memory_order_relaxed);
        if (with_those_at_once)
            sum += atomic_load_explicit(&count[STAT_READS_AT_ONCE], memory_order_relaxed);
    }
    return sum;
}

_Atomic uint64_t *uaio__stats_choose_shard(void);

static inline void uaio__count(enum counter counter)
{
    _Atomic uint64_t *count = uaio__stats_thread.count;

    if (!count)
        count = uaio__stats_choose_shard();
    atomic_fetch_add_explicit(&count[counter], 1, memory_order_relaxed);
}

/* A request has ended with that result. */
void uaio__count_result(ssize_t result);

/* One more request of that descriptor. */
static inline void uaio__count_descriptor(int fd)
{
    _Atomic uint32_t *n = &uaio__stats.descriptors[(unsigned)fd % STATS_DESCRIPTORS];

    if ((unsigned)fd < STATS_DESCRIPTORS)
        atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                              memory_order_relaxed);
}

/* A request of that kind begins: the time, if it is one that is timed, or 0. */
int64_t uaio__sample_now(enum timed kind);

static inline int64_t uaio__sample(enum timed kind)
{
    return uaio__stats_thread.left[kind]-- > 0 ? 0 : uaio__sample_now(kind);
}

/* It did not begin after all: the next that does is timed if this one was to be. */
static inline void uaio__unsample(enum timed kind, int64_t began_ns)
{
    if (began_ns)
        uaio__stats_thread.left[kind] = 0;
    else
        uaio__stats_thread.left[kind]++;
}

/* One that began then has ended now. */
void uaio__count_sample(enum timed kind, int64_t began_ns);

/* This process is about to make a request, perhaps its first. */
void uaio__stats_begin_first(void);

static inline void uaio__stats_begin(void)
{
    if (atomic_load_explicit(&uaio__stats.used_by, memory_order_relaxed) == 0)
        uaio__stats_begin_first();
}

/* Is this the process that has made requests, and not a child with our memory? */
bool uaio__stats_own(void);

/* In a forked child: it has made none yet. */
void uaio__stats_reset(void);

/* So many requests are in flight now. */
void uaio__stats_in_flight(unsigned n);

uint64_t uaio__stat(enum counter counter);

/*
 * The time within which that many thousandths of the samples were over: the upper
 * end of a bucket, or the longest if that is less.  0: no samples.
 */
uint64_t uaio__latency(enum timed kind, unsigned per_mille);

#endif
