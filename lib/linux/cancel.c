/* SPDX-License-Identifier: MIT */
/*
 * io_cancel().  As in the kernel only a poll can be cancelled: a read or write
 * that was accepted is done, and a program may count on that.
 */
#include "context.h"
#include "engine.h"
#include "linux.h"
#include "native.h"
#include "waiting.h"
#include "user_memory.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

int linux__cancel(unsigned long ctx, void *iocb, void *result)
{
    struct linux_iocb copy;
    struct context *c;
    int err = -EINVAL, saved = errno, cancel;

    if (!user__readable(iocb, sizeof copy))
        return -EFAULT;
    if (native__serves(ctx))
        return native__cancel(ctx, iocb, result);
    memcpy(&copy, iocb, sizeof copy);
    if (copy.key != 0)
        return -EINVAL;
    c = context__get(ctx);
    if (!c)
        return -EINVAL;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (context__accessible(c) && waiting__cancel(c, (uintptr_t)iocb))
        err = -EINPROGRESS;
    context__put(c);
    pthread_setcancelstate(cancel, &(int){0});
    errno = saved;
    return err;
}
