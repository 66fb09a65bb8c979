/* SPDX-License-Identifier: MIT */
/*
 * Ending requests before their time: one by name, all of a descriptor, and those
 * of a descriptor that is closed.
 *
 * Who moves a request to PUBLISHING ends it.  What is TRYING or PUBLISHING will
 * be something else in a moment, and is looked at once more then; what is RUNNING
 * is left alone, or, by a close, waited for.  All of a descriptor are found by a
 * pass over its lane under the pool's lock, with all that was posted arrived;
 * none is published there, as that may wake threads.
 *
 * A close may come in a signal handler: no thread is started here on its behalf
 * (pool__begin_quiet()).
 */
#include "completion.h"
#include "descriptor.h"
#include "engine.h"
#include "notify.h"
#include "order.h"
#include "poller.h"
#include "probes.h"
#include "stats.h"
#include "stream.h"
#include "wait.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

/* ---- cancellation -------------------------------------------------------- */

/* The caller has the guard, and tells afterwards.  False: it was half done, and
 * ends with what it has done. */
static bool finish_cancelled(struct request *r)
{
    ssize_t result = operation__cut_short(&r->operation, ECANCELED);

    completion__publish(r, result);
    completion__retire(&engine__io, r);
    return result == -ECANCELED;
}

enum attempt { LOST, CANCELLED, CUT_SHORT };

static enum attempt try_cancel(struct request *r, uint32_t generation, enum request_state from)
{
    enum attempt attempt = LOST;
    struct guard guard;

    completion__guard(&guard);
    if (request__move(r, generation, from, REQUEST_PUBLISHING)) {
        PROBE3(cancel, r->operation.kind, r->operation.fd, r);
        attempt = CANCELLED;
        if (r->operation.kind == OPERATION_POLL)
            completion__publish_watched(r, -ECANCELED);
        else if (!finish_cancelled(r))
            attempt = CUT_SHORT;
    }
    completion__unguard(&guard);
    return attempt;
}

/* Is it about to change by itself?  Somebody is at it who does not wait. */
static bool is_unsettled(enum request_state state)
{
    return state == REQUEST_PUBLISHING || state == REQUEST_TRYING;
}

/* He may need this processor, and be of lower priority. */
static void let_settle(unsigned round)
{
    const struct timespec moment = {0, 50000};

    if (round < 100)
        sched_yield();
    else
        nanosleep(&moment, NULL);
}

static enum request_state settled_state(const struct request *r, uint32_t generation)
{
    enum request_state state;

    for (unsigned round = 0; is_unsettled(state = request__state(r, generation)); round++)
        let_settle(round);
    return state;
}

enum cancel_result engine__cancel(struct request_id id)
{
    struct request *r = request__at(id);

    for (;;) {
        enum request_state state = r ? settled_state(r, id.generation) : REQUEST_FREE;
        enum attempt attempt;

        if (state == REQUEST_FREE || state == REQUEST_DONE)
            return CANCEL_OVER;
        if (state == REQUEST_RUNNING)
            return CANCEL_RUNNING;
        attempt = try_cancel(r, id.generation, state);
        if (attempt == LOST)
            continue;
        completion__tell(r);
        return attempt == CANCELLED ? CANCEL_DONE : CANCEL_OVER;
    }
}

/* What a pass over a descriptor's requests has found. */
struct sweep {
    struct pool_job *ended; /* chained by `posted`, which is free by now */
    bool cancelled;
    bool unsettled;
    bool detached; /* on a descriptor of its own */
    bool running;
    struct request_id running_id; /* one of them */
};

/* [pool.lock] */
static void sweep_one(struct sweep *sweep, struct request *r)
{
    uint32_t generation = request__id(r).generation;

    for (;;) {
        enum request_state state = request__state(r, generation);
        if (state == REQUEST_RUNNING) {
            sweep->detached = sweep->detached || r->detached;
            if (!r->detached) {
                sweep->running = true;
                sweep->running_id = request__id(r);
            }
        }
        if (is_unsettled(state))
            sweep->unsettled = true;
        if (state != REQUEST_HELD && state != REQUEST_QUEUED && state != REQUEST_WAITING)
            return;
        if (request__move(r, generation, state, REQUEST_PUBLISHING)) {
            PROBE3(cancel, r->operation.kind, r->operation.fd, r);
            r->job.posted = sweep->ended;
            sweep->ended = &r->job;
            return;
        }
    }
}

/* One pass; what it ended is still to be told.  Of that face, or, with NULL,
 * all that use the number; which are a closed file's if none of them goes on. */
static struct sweep sweep_all(int fd, const struct request_face *face)
{
    struct sweep sweep = {0};
    struct guard guard;

    completion__guard(&guard);
    pool__enter(&engine__io, NULL);
    for (struct request *r = order__first(fd); r; r = order__next(r))
        if (face ? r->face == face : r->numbered)
            sweep_one(&sweep, r);
    if (!face && !sweep.running && !sweep.unsettled)
        order__detach(fd);
    pool__exit(&engine__io, NULL);
    for (struct pool_job *job = sweep.ended; job; job = job->posted)
        if (finish_cancelled(request__of_job(job)))
            sweep.cancelled = true;
    completion__unguard(&guard);
    return sweep;
}

enum cancel_result engine__cancel_all(int fd, const struct request_face *face)
{
    bool cancelled = false;
    struct sweep sweep;

    engine__pool();
    for (unsigned round = 0;; round++) {
        sweep = sweep_all(fd, face);
        cancelled = cancelled || sweep.cancelled;
        completion__tell_all(pool__reversed(sweep.ended));
        if (!sweep.unsettled)
            break;
        let_settle(round);
    }
    return sweep.running || sweep.detached ? CANCEL_RUNNING : cancelled ? CANCEL_DONE : CANCEL_OVER;
}

/* ---- closing ------------------------------------------------------------- */

static void await(struct request_id id)
{
    const struct request *r = request__at(id);
    struct wait w;

    wait__begin(&w);
    wait__watch(&w, id);
    for (;;) {
        unsigned sequence = wait__sequence(&w);
        enum request_state state = request__state(r, id.generation);
        if (state != REQUEST_RUNNING && state != REQUEST_PUBLISHING)
            break;
        wait__sleep(&w, sequence, WAIT_FOREVER);
    }
    wait__end(&w);
}

/*
 * What runs is waited for, as the file that it runs on is the number's.  But not
 * by a handler that interrupts the thread that runs it, for want of others: the
 * system call has been entered, or fails.
 */
static void end_all(int fd)
{
    for (unsigned round = 0;; round++) {
        struct sweep sweep = sweep_all(fd, NULL);
        completion__tell_all(pool__reversed(sweep.ended));
        if (sweep.unsettled)
            let_settle(round);
        else if (sweep.running && !pool__stands_in(&engine__io))
            await(sweep.running_id);
        else
            return;
    }
}

/*
 * Callbacks, or requests that were held, may want a thread, which a handler is
 * not to start.  Who waited for them is there: the poller, or a worker.  (If not,
 * a waiter who helped has just left.)
 */
static void see_to_threads(void)
{
    if ((pool__is_starved(&engine__io) || pool__is_starved(notify__pool())) && !poller__poke() &&
        !pool__call_attention(&engine__io))
        engine__attend();
}

void engine__closing(int fd)
{
    int saved = errno, cancel;

    if (!uaio__stats_own())
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pool__begin_quiet();
    descriptor__closing(fd);
    end_all(fd);
    pool__end_quiet();
    see_to_threads();
    pthread_setcancelstate(cancel, &(int){0});
    errno = saved;
}

void engine__shut_down(int fd)
{
    int saved = errno;

    if (uaio__stats_own()) {
        pool__begin_quiet();
        stream__retry(&engine__io, fd);
        pool__end_quiet();
        see_to_threads();
    }
    errno = saved;
}
