/* SPDX-License-Identifier: MIT */
/*
 * lio_listio(): a batch, posted with one wake-up.
 *
 * The list is a request of its own (engine/list.h), made only if somebody will
 * want to know of its end: LIO_WAIT with something to wait for, LIO_NOWAIT with
 * a sigevent.  It lives in the engine, not on the caller's stack: a call that
 * a signal interrupts leaves nothing behind that the requests would point to.
 */
#include "aiocb_state.h"
#include "descriptor.h"
#include "posix.h"
#include "process.h"
#include "stats.h"

#include <uaio/queue.h>

#include <pthread.h>

/* The caller of LIO_WAIT helps with so many of its requests: the workers are
 * at the rest before it is done with these. */
#define MAX_HELPED 64

/* Cached reads that are looked at together. */
#define READS_MAX 32

struct call {
    struct uaio_aiocb *const *list;
    int nent;
    bool wait;
    posix__offset_of *offset_of;
    struct request *group;
    unsigned epoch; /* of the process that made the group */
    struct batch batch;
    bool refused; /* an entry had no resources */
    bool invalid; /* an entry was bad */
    int err;      /* in memory: pthread_cleanup_push() may be a setjmp() */
    int n;        /* of ids[]: the first of the requests, to help with */
    struct request_id ids[MAX_HELPED];
};

static bool is_wanted(const struct uaio_aiocb *cb)
{
    return cb && cb->aio_lio_opcode != UAIO_LIO_NOP;
}

static void submit_begun(struct call *call, struct uaio_aiocb *cb, const struct operation *begun)
{
    const struct pool_job *newest = call->batch.newest;
    int err = posix__prepare(cb, cb->aio_lio_opcode, begun, call->group, &call->batch);

    if (err == -EAGAIN)
        call->refused = true;
    else if (err)
        call->invalid = true;
    else if (call->batch.newest != newest && call->n < MAX_HELPED)
        call->ids[call->n++] = request__id(request__of_job(call->batch.newest));
}

static void submit_one(struct call *call, struct uaio_aiocb *cb)
{
    const struct operation begun = {.fd = cb->aio_fildes, .offset = call->offset_of(cb)};

    submit_begun(call, cb, &begun);
}

/* Reads of what is in the page cache, if the list goes on with many: of how many.  None:
 * *next_look is where it may. */
static __attribute__((noinline)) int submit_reads(struct call *call, int first, int *next_look)
{
    struct cached_read reads[READS_MAX];
    int n;

    for (n = 0; n < READS_MAX && first + n < call->nent; n++) {
        struct uaio_aiocb *cb = call->list[first + n];
        struct operation *op = &reads[n].operation;
        if (!cb || !posix__set_plain_read(op, cb, cb->aio_lio_opcode, call->offset_of(cb)) ||
            !descriptor__take_cached(op->fd))
            break;
    }
    *next_look = first + n + 1;
    if (n < (int)SPREAD_MIN)
        return 0;
    engine__read_cached(reads, (unsigned)n);
    *next_look = first + n;
    for (int i = 0; i < n; i++) {
        if (reads[i].result != OPERATION_PENDING) {
            posix__over(call->list[first + i], reads[i].result);
            continue;
        }
        if (!reads[i].operation.tried)
            *next_look = call->nent; /* the page cache has nothing to do with it */
        submit_begun(call, call->list[first + i], &reads[i].operation);
    }
    return n;
}

static void submit_all(struct call *call)
{
    int next_look = engine__reads_inline() ? 0 : call->nent;

    for (int i = 0; i < call->nent;) {
        int n = 0;
        if (i >= next_look && call->nent - i >= (int)SPREAD_MIN)
            n = submit_reads(call, i, &next_look);
        if (n == 0 && is_wanted(call->list[i]))
            submit_one(call, call->list[i]);
        i += n > 0 ? n : 1;
    }
}

static void release(void *arg)
{
    struct call *call = arg;

    if (call->epoch == process__epoch())
        request__release(call->group);
}

/* All are posted: wait for them, if that is the mode. */
static int finish(struct call *call)
{
    bool failed = false;

    if (call->group && call->wait) {
        list__close(call->group, true);
        pthread_cleanup_push(release, call);
        call->err = posix__await_list(call->group, call->epoch, call->ids, call->n);
        pthread_cleanup_pop(0);
        if (call->epoch != process__epoch())
            return call->err ? call->err : -EIO; /* a child of a handler's: none is ours */
        failed = atomic_load_explicit(&call->group->list.failed, memory_order_relaxed);
        request__release(call->group);
    } else if (call->group) {
        list__close(call->group, false);
    }
    if (call->err)
        return call->err;
    if (call->refused)
        return -EAGAIN;
    return call->invalid || failed ? -EIO : 0;
}

/* The list itself cannot be had: nothing of it is queued. */
static int refuse_all(const struct call *call)
{
    for (int i = 0; i < call->nent; i++)
        if (is_wanted(call->list[i]))
            posix__refuse(call->list[i], EAGAIN);
    return -EAGAIN;
}

int posix__listio(int mode, struct uaio_aiocb *const list[], int nent, struct sigevent *sig,
                  posix__offset_of *offset_of)
{
    struct call call = {
        .list = list, .nent = nent, .wait = mode == UAIO_LIO_WAIT, .offset_of = offset_of};
    struct notice notice = {.kind = NOTICE_NONE};

    if ((mode != UAIO_LIO_WAIT && mode != UAIO_LIO_NOWAIT) || nent < 0 || (nent > 0 && !list))
        return -EINVAL;
    if (!call.wait && sig &&
        (sig->sigev_notify == UAIO_SIGEV_QUEUE || posix__notice(sig, &notice) != 0))
        return -EINVAL;
    uaio__count(STAT_LISTS);
    if (call.wait || notice.kind != NOTICE_NONE) {
        engine__pool();
        call.epoch = process__epoch();
        call.group = list__new(call.wait);
        if (!call.group)
            return refuse_all(&call);
        call.group->notice = notice;
    }
    submit_all(&call);
    engine__post(&call.batch);
    return finish(&call);
}

static int64_t wide_offset(const struct uaio_aiocb *cb)
{
    return cb->aio_offset;
}

int uaio_lio_listio(int mode, struct uaio_aiocb *const list[], int nent, struct sigevent *sig)
{
    return posix__return(posix__listio(mode, list, nent, sig, wide_offset));
}
