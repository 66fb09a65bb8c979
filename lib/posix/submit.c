/* SPDX-License-Identifier: MIT */
/* What all submissions have in common: checks, the sigevent, the hand-over. */
#include "aiocb_state.h"
#include "posix.h"

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
    aiocb__publish(r->cookie, result);
}

const struct request_face posix__face = {.publish = publish};

int posix__return(int err)
{
    if (err >= 0)
        return err;
    errno = -err;
    return -1;
}

int posix__refuse(struct uaio_aiocb *cb, int err)
{
    aiocb__begin(cb, (struct request_id){0, 0});
    aiocb__publish(cb, -err);
    return -err;
}

int posix__notice(const struct sigevent *sigevent, struct notice *notice)
{
    *notice = (struct notice){.kind = NOTICE_NONE};
    switch (sigevent->sigev_notify) {
    case SIGEV_NONE:
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
    struct request *r;
    bool refused;
    ssize_t result = engine__prepare(s, &r, &refused);

    if (refused)
        return posix__refuse(cb, (int)-result);
    aiocb__begin(cb, r ? request__id(r) : (struct request_id){0, 0});
    if (r)
        engine__add(batch, r);
    else
        aiocb__publish(cb, result);
    return 0;
}

int posix__prepare(struct uaio_aiocb *cb, enum operation_kind kind, int64_t offset,
                   struct request *group, struct batch *batch)
{
    struct submission s = {
        .operation =
            {
                .kind = (uint8_t)kind,
                .fd = cb->aio_fildes,
                .buffer = (void *)cb->aio_buf,
                .nbytes = cb->aio_nbytes,
                .offset = offset,
            },
        .face = &posix__face,
        .cookie = cb,
        .list = group,
    };

    if (cb->aio_reqprio < 0 || cb->aio_reqprio > UAIO_PRIO_DELTA_MAX ||
        cb->aio_nbytes > SSIZE_MAX || posix__notice(&cb->aio_sigevent, &s.notice) != 0)
        return posix__refuse(cb, EINVAL);
    s.priority = (unsigned)cb->aio_reqprio;
    return posix__start(cb, &s, batch);
}

int posix__submit(struct uaio_aiocb *cb, enum operation_kind kind, int64_t offset)
{
    struct batch batch = {0};
    int err = posix__prepare(cb, kind, offset, NULL, &batch);

    engine__post(&batch);
    return err;
}
