/* SPDX-License-Identifier: MIT */
#include "completion.h"
#include "descriptor.h"
#include "list.h"
#include "notify.h"
#include "order.h"
#include "poller.h"
#include "probes.h"
#include "wait.h"
#include "os/thread.h"

void completion__guard(struct guard *guard)
{
    pool__signals_block(&guard->mask);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &guard->cancel);
}

void completion__unguard(const struct guard *guard)
{
    pthread_setcancelstate(guard->cancel, &(int){0});
    pool__signals_restore(&guard->mask);
}

void completion__publish(struct request *r, ssize_t result)
{
    struct request *list = r->group;
    bool stream = operation__is_stream(&r->operation);

    PROBE4(complete, r->operation.kind, r->operation.fd, result, r);
    if (!r->over)
        completion__ended(&r->operation, r->began_ns, result);
    r->result = result;
    if (result < 0)
        r->stamp = order__stamp_failure();
    request__uncount(r);
    uaio__count_result(result);
    if (list && result < 0)
        atomic_store_explicit(&list->list.failed, true, memory_order_relaxed);
    if (list && list->list.waited)
        r->group = NULL; /* over now, not after its notification */
    operation__discard(&r->operation);
    r->face->publish(r, result);
    if (r->numbered) /* after that: a close that sees none in use need not wait */
        descriptor__end(r->operation.fd);
    request__advance(r, REQUEST_PUBLISHING, REQUEST_DONE);
    wait__wake(r);
    if (list && list->list.waited)
        list__member_over(list);
    if (stream)
        poller__unuse();
}

void completion__publish_watched(struct request *r, ssize_t result)
{
    poller__unwatch(r->operation.fd);
    completion__publish(r, result);
    poller__unuse();
}

void completion__retire(struct pool *pool, struct request *r)
{
    request__hold(r);
    pool__retire_now(pool, &r->job);
}

void completion__end(struct pool *pool, struct request *r, enum request_state from, ssize_t result)
{
    request__advance(r, from, REQUEST_PUBLISHING);
    completion__publish(r, result);
    completion__retire(pool, r);
}

bool completion__tell(struct request *r)
{
    if (!notify__send(r))
        return false;
    request__release(r);
    return true;
}

void completion__tell_all(struct pool_job *chain)
{
    for (struct pool_job *job = chain, *next; job; job = next) {
        next = job->posted;
        if (!completion__tell(request__of_job(job)))
            return;
    }
}
