/* SPDX-License-Identifier: MIT */
/*
 * The system calls of native AIO, made by the libc function syscall(): what
 * syscall_<architecture>.S (or syscall_other.c) does not pass to the kernel.
 *
 * Arguments are truncated as by the kernel's prototypes: a C int passed
 * through syscall()'s variable arguments has an upper half of any content.
 * Needs no initialisation: constructors of other libraries call it before
 * ours run.
 */
#include "linux.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

/* The last argument of io_pgetevents(). */
struct mask_argument {
    const void *mask; /* NULL: leave the signal mask alone */
    size_t nbytes;
};

static void *pointer(long argument)
{
    return (void *)(uintptr_t)argument;
}

static long pgetevents(long ctx, long min_nr, long nr, long events, long timeout, long argument,
                       enum linux_time format)
{
    struct mask_argument copy = {NULL, 0};

    if (argument) {
        if (!linux__readable(pointer(argument), sizeof copy))
            return -EFAULT;
        memcpy(&copy, pointer(argument), sizeof copy);
    }
    return linux__pgetevents((unsigned long)ctx, min_nr, nr, pointer(events), pointer(timeout),
                             format, copy.mask, copy.nbytes);
}

static long dispatch(long number, long a, long b, long c, long d, long e, long f)
{
    const unsigned long ctx = (unsigned long)a;

    switch ((int)number) {
    case SYS_io_setup:
        return linux__setup((unsigned)a, pointer(b));
    case SYS_io_destroy:
        return linux__destroy(ctx);
    case SYS_io_submit:
        return linux__submit(ctx, b, pointer(c));
    case SYS_io_cancel:
        return linux__cancel(ctx, pointer(b), pointer(c));
#ifdef SYS_io_getevents
    case SYS_io_getevents:
        return linux__getevents(ctx, b, c, pointer(d), pointer(e), LINUX_TIME_LONG);
#endif
#ifdef SYS_io_pgetevents
    case SYS_io_pgetevents:
        return pgetevents(a, b, c, d, e, f, LINUX_TIME_LONG);
#endif
#ifdef SYS_io_pgetevents_time64
    case SYS_io_pgetevents_time64:
        return pgetevents(a, b, c, d, e, f, LINUX_TIME_64);
#endif
    default:
        return -ENOSYS;
    }
}

__attribute__((visibility("hidden"))) long uaio__aio_syscall(long number, long a, long b, long c,
                                                             long d, long e, long f);

long uaio__aio_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    long result = dispatch(number, a, b, c, d, e, f);

    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}
