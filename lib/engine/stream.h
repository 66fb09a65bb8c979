/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes of what has no positions and may keep one waiting for ever:
 * pipes, sockets, terminals, eventfds.  They take no worker while they wait.
 *
 * A request that has its turn (order.h) is attempted without waiting, first by
 * the thread that submits it.  If that is not possible it waits; the poller's
 * thread attempts it again whenever the descriptor is ready, as often as it
 * takes: another reader may have been faster, and a write may have to be done
 * in many pieces.  So a request is with the poller from its submission to its
 * end, in
 *
 *   HELD      an earlier one of its direction has the turn
 *   WAITING   it has its turn, and the lane is watched (or is about to be, by
 *             the thread that submits it)
 *   TRYING    somebody is at it, and will be done in a moment
 *
 * and can be cancelled in each.  What cannot be attempted without waiting (of a
 * device that has no such mode) gets a thread of its own when the descriptor is
 * ready, and runs on a duplicate of it.  What cannot be watched blocks a worker.
 */
#ifndef UAIO_STREAM_H
#define UAIO_STREAM_H

#include "readiness.h"
#include "request.h"

/*
 * Start the requests of the chain, the newest first.  Those that are over
 * already, and are still to be told (completion.h), are returned.
 */
struct pool_job *stream__post(struct pool *pool, struct pool_job *newest);

/* [all signals blocked] The poller's reports of lanes.  True if anything came
 * of them. */
bool stream__ready(struct pool *pool, const struct readiness *ready, int n);

/* Attempt what waits on the descriptor, whatever is known of its readiness. */
void stream__retry(struct pool *pool, int fd);

#endif
