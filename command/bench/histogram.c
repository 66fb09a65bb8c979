/* SPDX-License-Identifier: MIT */
#include "bench.h"

#define SUB_BITS 5
#define SUBS (1u << SUB_BITS)

/* Below 2 * SUBS a bucket is a nanosecond; above, 1/SUBS of a power of two. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned shift, bucket;

    if (ns < 2 * SUBS)
        return (unsigned)ns;
    shift = 63 - SUB_BITS - (unsigned)__builtin_clzll(ns);
    bucket = shift * SUBS + (unsigned)(ns >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
double histogram__value(unsigned bucket)
{
    unsigned shift = bucket / SUBS;

    if (bucket < 2 * SUBS)
        return bucket;
    return ((double)(bucket - (shift - 1) * SUBS) + 0.5) * (double)(UINT64_C(1) << (shift - 1));
}

void histogram__add(struct histogram *histogram, int64_t ns)
{
    histogram->count[bucket_of(ns > 0 ? (uint64_t)ns : 0)]++;
}

void histogram__merge(struct histogram *to, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        to->count[i] += from->count[i];
}

uint64_t histogram__total(const struct histogram *histogram)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += histogram->count[i];
    return total;
}

double histogram__percentile(const struct histogram *histogram, double percent)
{
    uint64_t total = histogram__total(histogram), seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->count[i];
        if (seen > 0 && (double)seen >= (double)total * percent / 100)
            return histogram__value(i);
    }
    return 0;
}
