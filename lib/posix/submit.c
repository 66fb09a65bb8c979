/* SPDX-License-Identifier: MIT */
/* What all submissions have in common: checks, the sigevent, the hand-over. */
#include "aiocb_state.h"
#include "completion_queue.h"
#include "posix.h"
#include "vector.h"

#include <limits.h>

#ifndef SSIZE_MAX
# define SSIZE_MAX ((size_t)-1 / 2)
#endif

#ifdef SIGEV_THREAD_ID
# ifndef sigev_notify_thread_id
#  define sigev_notify_thread_id _sigev_un._tid
# endif
#endif

static void publish(struct request *r, ssize_t result)
{
    cq__publish(r->cookie, result);
}

const struct request_face posix__face = {.publish = publish};

int posix__return(int err)
{
    if (err >= 0)
        return err;
    errno = -err;
    return -1;
}

void posix__over(struct uaio_aiocb *cb, ssize_t result)
{
    cq__forget_former(cb);
    aiocb__begin(cb, (struct request_id){0, 0});
    aiocb__publish(cb, result);
}

int posix__refuse(struct uaio_aiocb *cb, int err)
{
    posix__over(cb, -err);
    return -err;
}

int posix__notice(const struct sigevent *sigevent, struct notice *notice)
{
    *notice = (struct notice){.kind = NOTICE_NONE};
    switch (sigevent->sigev_notify) {
    case SIGEV_NONE:
    case UAIO_SIGEV_QUEUE:
        return 0;
    case SIGEV_SIGNAL:
        /* Signal 0, as in a zero-filled aiocb, is no notification at all. */
        notice->kind = sigevent->sigev_signo ? NOTICE_SIGNAL : NOTICE_NONE;
        notice->signal = sigevent->sigev_signo;
        break;
    case SIGEV_THREAD:
        notice->kind = NOTICE_THREAD;
        notice->function = sigevent->sigev_notify_function;
        notice->attributes = sigevent->sigev_notify_attributes;
        break;
#ifdef SIGEV_THREAD_ID
    case SIGEV_THREAD_ID:
        notice->kind = NOTICE_THREAD_ID;
        notice->signal = sigevent->sigev_signo;
        notice->thread_id = sigevent->sigev_notify_thread_id;
        break;
#endif
    default:
        return -EINVAL;
    }
    notice->value = sigevent->sigev_value;
    return notify__check(notice);
}

int posix__start(struct uaio_aiocb *cb, struct submission *s, struct batch *batch)
{
    struct cq_record *record;
    struct request *r;
    bool refused;
    ssize_t result;
    int err;

    cq__forget_former(cb); /* before it joins: it counts no more */
    err = cq__join(s, &cb->aio_sigevent, &record);
    if (err) {
        operation__discard(&s->operation);
        return posix__refuse(cb, -err);
    }
    result = engine__prepare(s, &r, &refused);
    if (refused) {
        cq__drop(record);
        return posix__refuse(cb, (int)-result);
    }
    aiocb__begin(cb, r ? request__id(r) : (struct request_id){0, 0});
    if (record)
        cq__bind(record, cb);
    if (r)
        engine__add(batch, r);
    else
        cq__publish(cb, result);
    return 0;
}

/* Which way an opcode moves the data; negative for one that does not, or is none. */
static int kind_of(int opcode)
{
    switch (opcode & ~UAIO_LIO_VECTORED) {
    case UAIO_LIO_READ:
        return OPERATION_READ;
    case UAIO_LIO_WRITE:
        return OPERATION_WRITE;
    default:
        return -EINVAL;
    }
}

/* The bytes of that many segments, or negative: too many to be told of. */
static ssize_t sum_of(const struct iovec *segments, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        if (segments[i].iov_len > SSIZE_MAX - sum)
            return -EINVAL;
        sum += segments[i].iov_len;
    }
    return (ssize_t)sum;
}

/* A vector is the engine's own copy. */
static int set_segments(struct operation *op, const struct iovec *segments, size_t n)
{
    ssize_t sum = n <= VECTOR_MAX ? sum_of(segments, n) : -EINVAL;

    if (sum < 0)
        return EINVAL;
    op->nbytes = (size_t)sum;
    if (n <= 1) {
        op->buffer = n ? segments->iov_base : NULL;
        return 0;
    }
    op->vector = vector__new((int)n);
    if (!op->vector)
        return EAGAIN;
    op->vectored = true;
    memcpy(op->vector->segments, segments, n * sizeof *segments);
    return 0;
}

static int set_data(struct operation *op, const struct uaio_aiocb *cb, bool vectored)
{
    if (vectored)
        return set_segments(op, (const struct iovec *)cb->aio_buf, cb->aio_nbytes);
    op->buffer = (void *)cb->aio_buf;
    op->nbytes = cb->aio_nbytes;
    return cb->aio_nbytes > SSIZE_MAX ? EINVAL : 0;
}

int posix__prepare(struct uaio_aiocb *cb, int opcode, const struct operation *begun,
                   struct request *group, struct batch *batch)
{
    struct submission s = {
        .operation = *begun,
        .face = &posix__face,
        .cookie = cb,
        .list = group,
    };
    int kind = kind_of(opcode), err;

    if (kind < 0 || cb->aio_reqprio < 0 || cb->aio_reqprio > UAIO_PRIO_DELTA_MAX ||
        posix__notice(&cb->aio_sigevent, &s.notice) != 0)
        return posix__refuse(cb, EINVAL);
    err = set_data(&s.operation, cb, opcode & UAIO_LIO_VECTORED);
    if (err)
        return posix__refuse(cb, err);
    s.operation.kind = (uint8_t)kind;
    s.priority = (unsigned)cb->aio_reqprio;
    return posix__start(cb, &s, batch);
}

/* Is anything to happen when it is over? */
static bool is_told(const struct sigevent *sigevent)
{
    return cq__is_collecting() ||
           (sigevent->sigev_notify != SIGEV_NONE &&
            (sigevent->sigev_notify != SIGEV_SIGNAL || sigevent->sigev_signo != 0));
}

/* Most of what comes. */
bool posix__set_plain_read(struct operation *op, const struct uaio_aiocb *cb, int opcode,
                           int64_t offset)
{
    *op = (struct operation){.kind = OPERATION_READ, .fd = cb->aio_fildes, .offset = offset};
    if (opcode != UAIO_LIO_READ || is_told(&cb->aio_sigevent) || cb->aio_reqprio < 0 ||
        cb->aio_reqprio > UAIO_PRIO_DELTA_MAX)
        return false;
    op->buffer = (void *)cb->aio_buf;
    op->nbytes = cb->aio_nbytes;
    return true;
}

int posix__submit(struct uaio_aiocb *cb, int opcode, int64_t offset)
{
    struct batch batch = {0};
    struct operation op;
    int err;

    if (posix__set_plain_read(&op, cb, opcode, offset)) {
        ssize_t result = engine__read_known(&op);
        if (result != OPERATION_PENDING) {
            posix__over(cb, result);
            return 0;
        }
    }
    err = posix__prepare(cb, opcode, &op, NULL, &batch);
    engine__post(&batch);
    return err;
}
