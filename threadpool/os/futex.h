/* SPDX-License-Identifier: MIT */
/*
 * The futex system call, which no C library wraps.  The constants are the
 * kernel's ABI; its header is not there with every compiler (musl-gcc).
 */
#ifndef UAIO_OS_FUTEX_H
#define UAIO_OS_FUTEX_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FUTEX_PRIVATE 128
#define FUTEX_WAIT (0 | FUTEX_PRIVATE)
#define FUTEX_WAKE (1 | FUTEX_PRIVATE)
#define FUTEX_WAIT_BITSET (9 | FUTEX_PRIVATE) /* the timeout is a point of CLOCK_MONOTONIC */
#define FUTEX_ANY UINT32_MAX

/* Its timespec: two longs, whatever time_t is; or, on 32-bit systems that have
 * only the newer call, 64 bits. */
#ifdef SYS_futex
# define FUTEX_CALL SYS_futex
typedef long futex__time;
# define FUTEX_TIME_MAX (sizeof(long) == 4 ? INT32_MAX : INT64_MAX / 2)
#else
# define FUTEX_CALL SYS_futex_time64
typedef int64_t futex__time;
# define FUTEX_TIME_MAX (INT64_MAX / 2)
#endif

struct futex_timespec {
    futex__time seconds;
    futex__time nanoseconds;
};

static inline struct futex_timespec futex__timespec(int64_t ns)
{
    int64_t seconds = ns / 1000000000;

    if (seconds > FUTEX_TIME_MAX)
        seconds = FUTEX_TIME_MAX;
    return (struct futex_timespec){(futex__time)seconds, (futex__time)(ns % 1000000000)};
}

#endif
