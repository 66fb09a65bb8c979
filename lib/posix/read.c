/* SPDX-License-Identifier: MIT */
#include "posix.h"

#include <errno.h>

int uaio_read(struct uaio_aiocb *cb)
{
    return posix__return(cb ? posix__submit(cb, UAIO_LIO_READ, cb->aio_offset) : -EINVAL);
}
