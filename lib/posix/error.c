/* SPDX-License-Identifier: MIT */
#include "aiocb_state.h"
#include "engine.h"

int uaio_error(const struct uaio_aiocb *cb)
{
    int status;

    if (!cb)
        return EINVAL;
    status = aiocb__status(cb);
    if (status == EINPROGRESS)
        engine__polls();
    return status;
}
