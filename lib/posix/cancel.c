/* SPDX-License-Identifier: MIT */
#include "aiocb_state.h"
#include "posix.h"

#include <fcntl.h>

static int cancel(int fd, struct uaio_aiocb *cb)
{
    static const int results[] = {
        [CANCEL_DONE] = UAIO_CANCELED,
        [CANCEL_RUNNING] = UAIO_NOTCANCELED,
        [CANCEL_OVER] = UAIO_ALLDONE,
    };

    if (fcntl(fd, F_GETFL) < 0)
        return -EBADF;
    if (!cb)
        return results[engine__cancel_all(fd, &posix__face)];
    if (cb->aio_fildes != fd)
        return -EINVAL;
    if (aiocb__status(cb) != EINPROGRESS)
        return UAIO_ALLDONE;
    return results[engine__cancel(aiocb__id(cb))];
}

int uaio_cancel(int fd, struct uaio_aiocb *cb)
{
    return posix__return(cancel(fd, cb));
}
