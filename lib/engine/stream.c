/* SPDX-License-Identifier: MIT */
#include "stream.h"
#include "completion.h"
#include "engine.h"
#include "order.h"
#include "poller.h"
#include "probes.h"
#include "stats.h"
#include "os/thread.h"

/* [TRYING] True: it is over, published and gone from the pool, and to be told. */
static bool attempt(struct pool *pool, struct request *r)
{
    ssize_t result = operation__attempt(&r->operation);

    if (result == OPERATION_PENDING)
        return false;
    completion__end(pool, r, REQUEST_TRYING, result);
    return true;
}

/* ---- submission ------------------------------------------------------------ */

/* It has not been done at once: let it wait for the poller, or for its turn. */
static void wait(struct pool *pool, struct request *r, bool attempted)
{
    int err = poller__start();

    uaio__count(STAT_WAITED);
    pool__enter(pool, NULL);
    if (err)
        order__unpoll(pool, r);
    if (attempted)
        order__wait(pool, r);
    else /* by now the poller may be at it */
        order__watch(pool, r);
    pool__exit(pool, NULL);
}

/* True: it is over, and to be told. */
static bool start(struct pool *pool, struct request *r)
{
    uint32_t generation = request__id(r).generation;
    bool over = false, attempted;

    pool__arrive(pool, &r->job);
    attempted = request__move(r, generation, REQUEST_WAITING, REQUEST_TRYING);
    if (attempted)
        over = attempt(pool, r);
    if (!over) {
        wait(pool, r, attempted);
        return false;
    }
    PROBE3(inline_hit, r->operation.kind, r->operation.fd, r->result);
    uaio__count(STAT_INLINE_HITS);
    return true;
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
        if (start(pool, r)) {
            job->posted = over;
            over = job;
        }
        request__release(r);
    }
    completion__unguard(&guard);
    return pool__reversed(over);
}

/* ---- the poller -------------------------------------------------------------- */

#define STACK_BYTES (64 * 1024)

/* [RUNNING] What would keep the poller waiting, in a thread of its own. */
static void *run_alone(void *arg)
{
    struct request *r = arg;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &(int){0});
    pool__thread_settle("uaio-device");
    PROBE3(run, r->operation.kind, r->operation.fd, r);
    completion__end(engine__pool(), r, REQUEST_RUNNING, operation__run(&r->operation));
    completion__tell(r);
    return NULL;
}

static void run_all(struct pool *pool, struct pool_job *chain)
{
    for (struct pool_job *job = chain, *next; job; job = next) {
        next = job->posted;
        if (pool__thread_start(run_alone, request__of_job(job), STACK_BYTES) == 0)
            continue;
        pool__enter(pool, NULL);
        order__return(pool, request__of_job(job));
        pool__exit(pool, NULL);
    }
}

/* [pool.lock] All whose turn it is, on descriptors that are ready. */
static struct taken take_all(struct pool *pool, const struct readiness *ready, int n)
{
    struct taken taken = {NULL, NULL};

    for (int i = 0; i < n; i++)
        if (!poller__is_request(ready[i].tag))
            order__ready(pool, ready[i].tag, ready[i].conditions, &taken);
    return taken;
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

/* What can be done for each of the chain.  True if any came on. */
static bool attempt_all(struct pool *pool, struct pool_job *chain, struct pool_job **over)
{
    struct pool_job *again = NULL;
    bool progress = false;

    for (struct pool_job *job = chain, *next; job; job = next) {
        struct request *r = request__of_job(job);
        size_t done = r->operation.done;
        struct pool_job **list;
        next = job->posted;
        list = attempt(pool, r) ? over : &again;
        progress = progress || list == over || r->operation.done > done;
        job->posted = *list;
        *list = job;
    }
    if (again)
        wait_again(pool, again);
    return progress;
}

bool stream__ready(struct pool *pool, const struct readiness *ready, int n)
{
    struct pool_job *over = NULL;
    struct taken taken;
    bool progress;

    pool__enter(pool, NULL);
    taken = take_all(pool, ready, n);
    pool__exit(pool, NULL);
    run_all(pool, taken.to_run);
    progress = attempt_all(pool, taken.to_attempt, &over);
    completion__tell_all(over);
    return progress || taken.to_run;
}

/* ---- without the poller's word ------------------------------------------------ */

void stream__retry(struct pool *pool, int fd)
{
    struct pool_job *over = NULL;
    struct taken taken;
    struct guard guard;

    completion__guard(&guard);
    do { /* who is over may have let another go */
        taken = (struct taken){NULL, NULL};
        pool__enter(pool, NULL);
        order__take(fd, &taken);
        pool__exit(pool, NULL);
    } while (attempt_all(pool, taken.to_attempt, &over));
    completion__unguard(&guard);
    completion__tell_all(pool__reversed(over));
}
