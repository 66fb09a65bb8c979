/* SPDX-License-Identifier: MIT */
#include "posix.h"

#include <errno.h>
#include <fcntl.h>

/* On some systems O_SYNC and O_DSYNC are one; then the stronger is meant. */
static int kind_of(int op)
{
    if (op == O_SYNC)
        return OPERATION_SYNC;
    if (op == O_DSYNC)
        return OPERATION_DATASYNC;
    return -EINVAL;
}

/* Of the control block only the descriptor and the sigevent are read: the rest
 * may be garbage. */
int posix__fsync(int op, struct uaio_aiocb *cb)
{
    struct submission s = {.face = &posix__face, .cookie = cb};
    struct batch batch = {0};
    int kind = kind_of(op), err;

    if (!cb)
        return -EINVAL;
    if (kind < 0 || posix__notice(&cb->aio_sigevent, &s.notice) != 0)
        return posix__refuse(cb, EINVAL);
    s.operation.kind = (uint8_t)kind;
    s.operation.fd = cb->aio_fildes;
    err = posix__start(cb, &s, &batch);
    engine__post(&batch);
    return err;
}

int uaio_fsync(int op, struct uaio_aiocb *cb)
{
    return posix__return(posix__fsync(op, cb));
}
