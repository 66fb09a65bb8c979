/* SPDX-License-Identifier: MIT */
#include "aiocb_state.h"
#include "habit.h"

int uaio_error(const struct uaio_aiocb *cb)
{
    int status;

    if (!cb)
        return EINVAL;
    status = aiocb__status(cb);
    if (status == EINPROGRESS)
        habit__polls();
    return status;
}
