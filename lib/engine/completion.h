/* SPDX-License-Identifier: MIT */
/*
 * The end of a request, whoever brings it about: publish, retire, notify.
 *
 *   completion__guard()
 *     ... move the request to PUBLISHING ...
 *     completion__publish()     the caller has the result, waiters are awake
 *     leave the pool            completion__retire(), or a worker's leave()
 *   completion__unguard()
 *   completion__tell()          notification, with nothing held any more
 *
 * The thread that owns the end of a request, from claiming it until it has
 * left the pool, must not run a signal handler meanwhile: that may wait for
 * this request, or for one behind it.  Nor be cancelled.  Workers never do
 * either; a thread of the program that helps or cancels puts both off.
 */
#ifndef UAIO_COMPLETION_H
#define UAIO_COMPLETION_H

#include "request.h"
#include "stats.h"

#include <errno.h>

struct guard {
    sigset_t mask;
    int cancel;
};

void completion__guard(struct guard *guard);
void completion__unguard(const struct guard *guard);

static inline enum timed completion__timed_as(const struct operation *operation)
{
    return operation->kind == OPERATION_READ    ? TIMED_READ
           : operation->kind == OPERATION_WRITE ? TIMED_WRITE
                                                : TIMED_SYNC;
}

/* For the latencies (stats.h): the time, if the operation is one that is timed, or 0. */
static inline int64_t completion__began(const struct operation *operation)
{
    return operation->kind == OPERATION_POLL ? 0 : uaio__sample(completion__timed_as(operation));
}

/* It is over; what was cancelled does not count. */
static inline void completion__ended(const struct operation *operation, int64_t began_ns,
                                     ssize_t result)
{
    if (began_ns && result != -ECANCELED)
        uaio__count_sample(completion__timed_as(operation), began_ns);
}

/*
 * Publish and wake, in this order; the caller has moved the request to
 * PUBLISHING.  See request.h on what may be touched after that.
 */
void completion__publish(struct request *r, ssize_t result);

/* The same of a request that the poller watches by itself (a poll). */
void completion__publish_watched(struct request *r, ssize_t result);

/* It leaves the pool now; the caller still holds it, until completion__tell(). */
void completion__retire(struct pool *pool, struct request *r);

/* Both, for a request that the caller owns in that state. */
void completion__end(struct pool *pool, struct request *r, enum request_state from, ssize_t result);

/* Notify, and let go of the request.  False as from notify__send(). */
bool completion__tell(struct request *r);

/* The same for a chain, linked by job.posted. */
void completion__tell_all(struct pool_job *chain);

#endif
