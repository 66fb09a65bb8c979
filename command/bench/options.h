/* SPDX-License-Identifier: MIT */
/* Lists in options, and the works that they come to. */
#ifndef UAIO_BENCH_OPTIONS_H
#define UAIO_BENCH_OPTIONS_H

#include "bench.h"

struct list {
    uint64_t value[MAX_LIST];
    unsigned n;
};

struct lists {
    struct list media, io, order, block, depth, threads;
};

/* All combinations, or a choice if there is no list.  False, with a message: too many. */
bool works__combine(struct options *options, struct lists *lists);

#endif
