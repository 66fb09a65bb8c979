/* SPDX-License-Identifier: MIT */
/*
 * Order among requests: who must wait for whom.
 *
 * All requests of one descriptor that are in flight form its lane, in the
 * order of arrival, which is the order of the calls.  The lane exists while
 * there are any; nothing is remembered about an idle descriptor, whose number
 * may mean another file by then.
 *
 *   Seekable descriptors    nothing waits.
 *   Streams, O_APPEND       one at a time a direction; the rest is held in the
 *                           lane, in order.  The directions are independent.
 *                           Whose turn it is, on a stream, waits until the
 *                           descriptor is ready (stream.h): the lane has it
 *                           watched by the poller.
 *   Syncs                   a barrier: held while an older request is in
 *                           flight in any lane of the same FILE.  The lane's
 *                           list is in order of age, so its first entry tells
 *                           in O(1) whether a sync may go; a sync waits in one
 *                           lane at a time and then looks for the next.
 *
 * Which lanes are of the same file is found out when a sync is submitted, and
 * only then (order__identify): fstat() for every request would cost half of
 * what a cached write does.
 *
 * This is the I/O pool's gate: all functions but order__identify() are called
 * with that pool's lock held, and all that is here is guarded by it.
 */
#ifndef UAIO_ORDER_H
#define UAIO_ORDER_H

#include "request.h"

/* A posted request has arrived: make it ready, or hold it. */
void order__arrive(struct pool *pool, struct request *r);

/* A request is over: let go whom it held up, and the request. */
void order__leave(struct pool *pool, struct request *r, ssize_t result);

/*
 * Before a sync is posted: find out the files of the descriptors in use.
 * Takes the pool's lock itself and calls fstat() without it.
 */
void order__identify(struct pool *pool);

/*
 * Syncs and failures in time: a sync reports a failure that its caller could
 * not know of at the call, and no other.  A sync takes a stamp when it is
 * submitted, a failing request before its status is visible; if the failure's
 * is not less than the sync's, the sync was submitted first.  No lock.
 */
uint32_t order__stamp_sync(void);
uint32_t order__stamp_failure(void);

/*
 * The first request in flight on the descriptor, and the one after `r` on the
 * same; NULL at the end.
 */
struct request *order__first(int fd);
struct request *order__next(const struct request *r);

/*
 * Streams.  `wait`: the caller owns the request (TRYING), and has attempted it;
 * it waits for readiness from now on, or, if it is not `polled`, for a worker.
 */
void order__wait(struct pool *pool, struct request *r);

/* The same for one that the caller does not own: if it waits, it is watched. */
void order__watch(struct pool *pool, struct request *r);

/* Without a poller: the request is for a worker, when its turn comes. */
void order__unpoll(struct pool *pool, struct request *r);

/* Requests whose turn it is, which are the caller's now; linked by job.posted. */
struct taken {
    struct pool_job *to_attempt; /* TRYING */
    struct pool_job *to_run;     /* RUNNING: what must_wait, on a descriptor of its own */
};

/* The poller has found a lane's descriptor ready. */
void order__ready(struct pool *pool, uint64_t tag, unsigned conditions, struct taken *taken);

/* All of the descriptor that can be attempted, ready or not. */
void order__take(int fd, struct taken *taken);

/* One that is to run gets no thread: it is for a worker. */
void order__return(struct pool *pool, struct request *r);

/* The descriptor is closed, and no request of it is to be performed any more:
 * later ones of that number form another lane. */
void order__detach(int fd);

/* In a forked child: there are no lanes. */
void order__reset(void);

/* Give memory back that no lane uses.  Without the lock. */
void order__trim(void);

#endif
