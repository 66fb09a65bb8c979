/* SPDX-License-Identifier: MIT */
/*
 * FreeBSD's names for a program that is linked with libc alone: found in what is
 * preloaded, if that has them.
 */
#include "api.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

#if defined(_FILE_OFFSET_BITS) && _FILE_OFFSET_BITS == 64
# define SUFFIX "64"
#else
# define SUFFIX ""
#endif

static int forward(const char *name, struct aiocb *cb)
{
    int (*function)(struct aiocb *);

    *(void **)&function = dlsym(RTLD_NEXT, name);
    if (function)
        return function(cb);
    errno = ENOSYS;
    return -1;
}

int aio_readv(struct aiocb *cb)
{
    return forward("aio_readv" SUFFIX, cb);
}

int aio_writev(struct aiocb *cb)
{
    return forward("aio_writev" SUFFIX, cb);
}

ssize_t aio_waitcomplete(struct aiocb **cb, const struct timespec *timeout)
{
    ssize_t (*function)(struct aiocb **, const struct timespec *);

    *(void **)&function = dlsym(RTLD_NEXT, "aio_waitcomplete");
    if (function)
        return function(cb, timeout);
    errno = ENOSYS;
    return -1;
}
