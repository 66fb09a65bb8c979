/* SPDX-License-Identifier: MIT */
#include "kernel.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>

/* lib/interpose's: the preload's way past its own `syscall`, or libc's. */
__attribute__((visibility("hidden"))) long uaio__system_call(long number, ...);

long uaio__kernel(long number, long a, long b, long c, long d, long e, long f)
{
    int saved = errno;
    long result = uaio__system_call(number, a, b, c, d, e, f);

    if (result == -1) {
        result = -errno;
        errno = saved;
    }
    return result;
}

int uaio__memory_file(void)
{
    return (int)uaio__kernel(SYS_memfd_create, (long)(uintptr_t) "uaio", 1 /* close-on-exec */, 0,
                             0, 0, 0);
}
