/* SPDX-License-Identifier: MIT */
/*
 * Completion queues (<uaio/queue.h>): which requests are in one, which of them
 * are over.
 *
 * A request that is in a queue has a record there from submission until its
 * result is taken.  The control block names its record by index and generation,
 * as it names its request, and nothing is believed of that but what the record
 * says, too.  A record, in turn, names a control block that is the caller's.  It
 * must not have been freed: that is what the queue's user promises, and others do
 * not, which is why requests are not collected unless somebody asks for it.
 * Submitted anew, it leaves its former record first, if it still names that; if
 * the program has cleared it, the record is stale, and thrown away when its turn
 * comes.
 *
 * Each queue has a lock, held for a few instructions with all signals blocked: so
 * all of it is async-signal-safe, and a request's end, which runs with signals
 * blocked, may take it.  It nests in none and no other nests in it.
 */
#ifndef UAIO_COMPLETION_QUEUE_H
#define UAIO_COMPLETION_QUEUE_H

#include "aiocb_state.h"
#include "engine.h"

#include <uaio/queue.h>

struct cq_record;

/* atomic: set once; there has been a queue */
extern atomic_bool cq__in_use;

/* atomic: set once; requests that name no queue go to that of the process */
extern atomic_bool cq__collects_all;

/* From now on they do.  No more than that: the library's settings are not read yet. */
void cq__collect_all(void);

/* Do they? */
static inline bool cq__is_collecting(void)
{
    return atomic_load_explicit(&cq__collects_all, memory_order_relaxed);
}

/* What cq__join() does for those that are in a queue. */
int cq__join_queue(struct submission *s, const struct sigevent *sigevent,
                   struct cq_record **record);

/*
 * A request of that sigevent is about to be submitted: 0, with the record that it
 * has if it is for a queue, and the queue's settings in *s; or -EINVAL, -EAGAIN.
 */
static inline int cq__join(struct submission *s, const struct sigevent *sigevent,
                           struct cq_record **record)
{
    *record = NULL;
    if (sigevent->sigev_notify != UAIO_SIGEV_QUEUE && !cq__is_collecting())
        return 0;
    return cq__join_queue(s, sigevent, record);
}

/* It was refused after all. */
void cq__drop(struct cq_record *record);

/* It begins: after aiocb__begin(), and before it can be over. */
void cq__bind(struct cq_record *record, struct uaio_aiocb *cb);

/* What cq__publish() does for a request in a queue. */
void cq__publish_queued(struct uaio_aiocb *cb, ssize_t result);

/* The request is over: aiocb__publish(), and to its queue, if it is in one. */
static inline void cq__publish(struct uaio_aiocb *cb, ssize_t result)
{
    if (cb->uaio_private_1[0] == 0)
        aiocb__publish(cb, result);
    else
        cq__publish_queued(cb, result);
}

/* What cq__forget() does for a request in a queue. */
void cq__forget_queued(struct uaio_aiocb *cb);

/* Its result is about to be taken by other means. */
static inline void cq__forget(struct uaio_aiocb *cb)
{
    if (cb->uaio_private_1[0] != 0)
        cq__forget_queued(cb);
}

/* The same of a control block that is submitted anew, or for the first time, and
 * may hold anything: it is read only where there are queues. */
static inline void cq__forget_former(struct uaio_aiocb *cb)
{
    if (atomic_load_explicit(&cq__in_use, memory_order_relaxed))
        cq__forget(cb);
}

/* As their namesakes in the header: 0 or -errno, and -EAGAIN in place of the
 * result where there is none. */
int cq__wait_complete(struct uaio_queue *queue, struct uaio_aiocb **cb, int64_t timeout_ns,
                      ssize_t *result);
int cq__waitn(struct uaio_queue *queue, struct uaio_aiocb *list[], unsigned nent, unsigned *nwait,
              int64_t timeout_ns);

#endif
