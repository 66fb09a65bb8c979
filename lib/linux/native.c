/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "native.h"
#include "config.h"
#include "context.h"
#include "kernel.h"
#include "stats.h"

#include <errno.h>
#include <sys/syscall.h>

static long address(const void *p)
{
    return (long)(uintptr_t)p;
}

bool native__setup(unsigned nr, unsigned long *ctxp, int *err)
{
    if (!uaio__config()->native_first)
        return false;
    *err = (int)uaio__kernel(SYS_io_setup, (long)nr, address(ctxp), 0, 0, 0, 0);
    if (*err == -ENOSYS || *err == -EPERM || *err == -EAGAIN)
        return false;
    if (*err == 0) {
        uaio__stats_begin();
        uaio__count(STAT_CONTEXTS);
        uaio__count(STAT_NATIVE);
    }
    return true;
}

bool native__serves(unsigned long ctx)
{
    struct context *c;

    if (!uaio__config()->native_first)
        return false;
    c = context__get(ctx);
    if (c)
        context__put(c);
    return !c;
}

/* A kernel that has no native AIO, or refuses it, knows no contexts. */
static long answer(long result)
{
    return result == -ENOSYS || result == -EPERM ? -EINVAL : result;
}

int native__destroy(unsigned long ctx)
{
    return (int)answer(uaio__kernel(SYS_io_destroy, (long)ctx, 0, 0, 0, 0, 0));
}

long native__submit(unsigned long ctx, long nr, void *const *iocbpp)
{
    return answer(uaio__kernel(SYS_io_submit, (long)ctx, nr, address(iocbpp), 0, 0, 0));
}

int native__cancel(unsigned long ctx, void *iocb, void *result)
{
    return (int)answer(
        uaio__kernel(SYS_io_cancel, (long)ctx, address(iocb), address(result), 0, 0, 0));
}

long native__pgetevents(unsigned long ctx, long min_nr, long nr, void *events, const void *timeout,
                        enum linux_time format, const void *sigmask, size_t sigsetsize)
{
    const struct {
        const void *mask;
        size_t nbytes;
    } argument = {sigmask, sigsetsize};
    long number = SYS_io_getevents, last = 0;

    if (sigmask) {
        number = SYS_io_pgetevents;
        last = address(&argument);
    }
#ifdef SYS_io_pgetevents_time64
    if (format == LINUX_TIME_64) {
        number = SYS_io_pgetevents_time64;
        last = address(&argument);
    }
#endif
    (void)format;
    return answer(
        uaio__kernel(number, (long)ctx, min_nr, nr, address(events), address(timeout), last));
}
