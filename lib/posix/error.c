/* SPDX-License-Identifier: MIT */
#include "aiocb_state.h"

int uaio_error(const struct uaio_aiocb *cb)
{
    return cb ? aiocb__status(cb) : EINVAL;
}
