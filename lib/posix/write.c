/* SPDX-License-Identifier: MIT */
#include "posix.h"

#include <errno.h>

int uaio_write(struct uaio_aiocb *cb)
{
    return posix__return(cb ? posix__submit(cb, UAIO_LIO_WRITE, cb->aio_offset) : -EINVAL);
}
