/* SPDX-License-Identifier: MIT */
#include "aiocb_state.h"
#include "completion_queue.h"
#include "posix.h"

ssize_t uaio_return(struct uaio_aiocb *cb)
{
    int status = cb ? aiocb__status(cb) : EINVAL;

    if (status == EINPROGRESS)
        return posix__return(-EINPROGRESS);
    if (!cb || !aiocb__submitted(cb))
        return posix__return(-EINVAL);
    cq__forget(cb);
    if (!aiocb__claim_result(cb))
        return posix__return(-EINVAL);
    if (status != 0)
        errno = status;
    return cb->uaio_private_result;
}
