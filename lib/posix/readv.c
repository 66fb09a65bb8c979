/* SPDX-License-Identifier: MIT */
#include "posix.h"

#include <errno.h>

int uaio_readv(struct uaio_aiocb *cb)
{
    return posix__return(cb ? posix__submit(cb, UAIO_LIO_READV, cb->aio_offset) : -EINVAL);
}
