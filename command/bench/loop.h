/* SPDX-License-Identifier: MIT */
/* One thread that submits requests and reaps them, as long as its round lasts. */
#ifndef UAIO_BENCH_LOOP_H
#define UAIO_BENCH_LOOP_H

#include "bench.h"

#include <pthread.h>

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
    uint32_t *to_ask;                   /* sockets with a read whose peer does not know yet */
    unsigned n_to_ask;
    bool shares_buffers;
    int error;
    char reason[REASON_MAX];
    struct histogram submission, completion;
};

/* The thread: waits for the others at loop->ready, then works. */
void *loop__run(void *loop);

/* Once loop->engine is known. */
void loop__make_requests(struct loop *loop, char *buffers, size_t n_buffers);
void loop__done(struct engine *engine, unsigned i, long result);

#endif
