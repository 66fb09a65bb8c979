/* SPDX-License-Identifier: MIT */
#include "stream.h"
#include "completion.h"
#include "order.h"
#include "poller.h"
#include "stats.h"
#include "stream_io.h"

#include <errno.h>

/* [TRYING] True: it is over, published and gone from the pool, and to be told. */
static bool attempt(struct pool *pool, struct request *r)
{
    ssize_t result = operation__attempt(&r->operation);

    if (result == OPERATION_PENDING)
        return false;
    request__advance(r, REQUEST_TRYING, REQUEST_PUBLISHING);
    completion__publish(r, result);
    completion__retire(pool, r);
    return true;
}

/* ---- submission ------------------------------------------------------------ */

/*
 * The program shall not be killed for a write that it is told the failure of.
 * If it blocks the signal, one may be pending already, and that one is its own.
 */
static bool attempt_write(struct pool *pool, struct request *r, const sigset_t *mask)
{
    sigset_t pending;
    bool own =
        sigismember(mask, SIGPIPE) && sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE);
    bool over = attempt(pool, r);

    if (over && r->result == -EPIPE && !own)
        uaio__take_sigpipe();
    return over;
}

/* It has not been done at once: let it wait for the poller, or for its turn. */
static void wait(struct pool *pool, struct request *r)
{
    int err = poller__start();

    uaio__count(STAT_WAITED);
    pool__enter(pool, NULL);
    if (err)
        order__unpoll(pool, r);
    order__wait(pool, r);
    pool__exit(pool, NULL);
}

/* True: it is over, and to be told. */
static bool start(struct pool *pool, struct request *r, const sigset_t *mask)
{
    uint32_t generation = request__id(r).generation;
    bool over = false;

    pool__arrive(pool, &r->job);
    if (request__move(r, generation, REQUEST_WAITING, REQUEST_TRYING))
        over =
            r->operation.kind == OPERATION_WRITE ? attempt_write(pool, r, mask) : attempt(pool, r);
    if (over)
        uaio__count(STAT_INLINE_HITS);
    else
        wait(pool, r);
    return over;
}

struct pool_job *stream__post(struct pool *pool, struct pool_job *newest)
{
    struct pool_job *over = NULL;
    struct guard guard;

    completion__guard(&guard);
    for (struct pool_job *job = pool__reversed(newest), *next; job; job = next) {
        struct request *r = request__of_job(job);
        next = job->posted;
        request__hold(r); /* others may end it at any time */
        if (start(pool, r, &guard.mask)) {
            job->posted = over;
            over = job;
        }
        request__release(r);
    }
    completion__unguard(&guard);
    return pool__reversed(over);
}

/* ---- the poller -------------------------------------------------------------- */

/* [pool.lock] All whose turn it is, on descriptors that are ready. */
static struct pool_job *take_all(struct pool *pool, const struct readiness *ready, int n)
{
    struct pool_job *chain = NULL;

    for (int i = 0; i < n; i++)
        if (!poller__is_request(ready[i].tag))
            chain = order__ready(pool, ready[i].tag, ready[i].conditions, chain);
    return chain;
}

/* Once more, all of the chain. */
static void wait_again(struct pool *pool, struct pool_job *chain)
{
    pool__enter(pool, NULL);
    for (struct pool_job *job = chain, *next; job; job = next) {
        next = job->posted;
        order__wait(pool, request__of_job(job));
    }
    pool__exit(pool, NULL);
}

bool stream__ready(struct pool *pool, const struct readiness *ready, int n)
{
    struct pool_job *chain, *over = NULL, *again = NULL;
    bool progress = false;

    pool__enter(pool, NULL);
    chain = take_all(pool, ready, n);
    pool__exit(pool, NULL);
    for (struct pool_job *job = chain, *next; job; job = next) {
        struct request *r = request__of_job(job);
        size_t done = r->operation.done;
        struct pool_job **list;
        next = job->posted;
        list = attempt(pool, r) ? &over : &again;
        progress = progress || list == &over || r->operation.done > done;
        job->posted = *list;
        *list = job;
    }
    if (again)
        wait_again(pool, again);
    completion__tell_all(over);
    return progress;
}
