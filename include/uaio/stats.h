/* SPDX-License-Identifier: MIT */
/*
 * What the library has done for this process: counters, and how long requests took.
 *
 * They are always on, and tell of the library that uaio_stats() is called in:
 * libuaio, or libuaio-rt for a program that uses the standard names.  (Under the
 * preload neither is in use: `uaio top` shows that.)  They are those of one process:
 * a forked child's begin at 0.  Compiles as C11 and as C++11.
 */
#ifndef UAIO_STATS_H
#define UAIO_STATS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef UAIO_API
# if defined(__GNUC__)
#  define UAIO_API __attribute__((visibility("default")))
# else
#  define UAIO_API
# endif
#endif

#define UAIO_LATENCY_BUCKETS 280

/*
 * How long the requests of one kind took, from submission until the result was there;
 * of pipes and sockets with what they waited for.  A sample: one request in 16 (at
 * irregular distances) of each thread, the first included.  Cancelled ones are not in it.
 *
 * Bucket i counts those of uaio_latency_begin(i) nanoseconds and more, below the
 * next one's: 32 ns wide up to 512 ns, and then an eighth of a power of two.  What
 * took longer than the last one's 68 minutes is in the last.
 */
struct uaio_latency {
    uint64_t samples; /* the sum of all buckets */
    uint64_t max_ns;  /* the longest, exactly */
    uint64_t buckets[UAIO_LATENCY_BUCKETS];
};

/* What only grows tells of all that was since the process's first request. */
struct uaio_stats {
    /* Submitted, by kind; a sync is an fsync or fdatasync.  Polls are native AIO's. */
    uint64_t reads, writes, syncs, polls;
    uint64_t lists;                     /* calls of lio_listio() */
    uint64_t contexts, contexts_native; /* of native AIO; those that are the kernel's own */
    /* Ended: with success, with an error, by cancellation. */
    uint64_t completed, failed, canceled;
    uint64_t refused;       /* not accepted: EAGAIN */
    uint64_t inline_hits;   /* done in the submitting thread, from the page cache or at once */
    uint64_t inline_misses; /* tried there, and passed on */
    uint64_t waited;        /* had to wait until a pipe or socket was ready */
    uint64_t helped;        /* done by a thread that waited for them */
    uint64_t signals;       /* sent to tell of a completion */
    uint64_t callbacks;     /* called for that */
    uint64_t wakeups;       /* of idle threads of ours */
    uint64_t threads_started;
    uint64_t threads_refused;  /* that could not be started */
    uint64_t threads;          /* for I/O, now ... */
    uint64_t threads_max;      /* ... and at most */
    uint64_t callback_threads; /* now */
    uint64_t in_flight;        /* requests, now ... */
    uint64_t in_flight_max;    /* ... and at most */
    struct uaio_latency read, write, sync;
};

/*
 * Fill in *stats, of which `size` bytes are there: sizeof *stats, or offsetof(struct
 * uaio_stats, read) for the counters alone.  Fields that later versions add come at
 * the end; what is beyond those that the library knows is set to 0, and one that
 * `size` cuts in two is not filled in.  All of it is 0 if the process has made no
 * request.  The values are not of one instant, but what a request has added is seen
 * once it is known to be over.
 *
 * Thread-safe and async-signal-safe.  Returns 0; or -1 with errno EINVAL: stats is
 * NULL, or size less than the counters take.
 */
UAIO_API int uaio_stats(struct uaio_stats *stats, size_t size);

/* Where a bucket begins, in nanoseconds. */
static inline uint64_t uaio_latency_begin(unsigned bucket)
{
    unsigned shift = bucket / 8 > 1 ? bucket / 8 - 1 : 0;

    return ((uint64_t)(bucket - shift * 8) << shift) * 32;
}

/*
 * The nanoseconds that `percent` (0 to 100) of the samples took at most: where the
 * bucket that this falls into ends, or the longest if that is less.  0 if there are
 * no samples.  Two states can be subtracted, bucket by bucket, for what came between.
 */
static inline uint64_t uaio_latency_percentile(const struct uaio_latency *latency, double percent)
{
    double wanted = (double)latency->samples * percent / 100;
    uint64_t seen = 0, end;
    unsigned i;

    for (i = 0; i < UAIO_LATENCY_BUCKETS; i++) {
        seen += latency->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            end = uaio_latency_begin(i + 1);
            return end < latency->max_ns && i + 1 < UAIO_LATENCY_BUCKETS ? end : latency->max_ns;
        }
    }
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif
