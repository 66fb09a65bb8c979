/* SPDX-License-Identifier: MIT */
/*
 * What closes a descriptor, or makes its number mean another file: the requests
 * that use the number are ended first (engine__closing()), the pins of native
 * AIO (pin.h) are told, and both faces' own descriptors are kept from being
 * closed by programs that close all there may be.
 * shutdown() lets those who wait on a socket try once more.
 *
 * A close of a number that has neither costs a look into one table, or two.  All of
 * these are as async-signal-safe as libc's, and cancellation points where libc's
 * are: libc's own functions are called, found before main().
 */
#define _GNU_SOURCE
#include "descriptor.h"
#include "engine.h"
#include "next.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

#ifdef UAIO_LINUX_FACE
# include "pin.h"
static inline bool no_pins(void)
{
    return !atomic_load_explicit(&pin__any, memory_order_relaxed);
}
#else
static inline bool no_pins(void)
{
    return true;
}

static inline bool pin__is(int fd)
{
    return (void)fd, false;
}

static inline void pin__closing(int fd)
{
    (void)fd;
}

static inline int pin__next(int fd)
{
    return (void)fd, -1;
}

static inline int pin__origin(int pin)
{
    return (void)pin, -1;
}

static inline void pin__closings_are_told(void)
{
}
#endif

#if !defined(__GLIBC__) || __GLIBC__ * 100 + __GLIBC_MINOR__ < 234 /* not declared there */
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);
#endif

/* ---- libc's own ---------------------------------------------------------------- */

static int (*libc_close)(int fd);
static int (*libc_fclose)(FILE *stream);
static int (*libc_shutdown)(int fd, int how);
static int (*libc_dup2)(int fd, int onto);
static int (*libc_dup3)(int fd, int onto, int flags);
static int (*libc_close_range)(unsigned first, unsigned last, int flags);

__attribute__((constructor)) static void find_libc(void)
{
    find_next("fclose", &libc_fclose, sizeof libc_fclose);
    find_next("shutdown", &libc_shutdown, sizeof libc_shutdown);
    find_next("dup2", &libc_dup2, sizeof libc_dup2);
    find_next("dup3", &libc_dup3, sizeof libc_dup3);
    find_next("close_range", &libc_close_range, sizeof libc_close_range);
    find_next("close", &libc_close, sizeof libc_close); /* the last: see below */
    pin__closings_are_told();
}

/* Another library's constructor may come before ours. */
static inline void need_libc(void)
{
    if (!libc_close)
        find_libc();
}

/* ---- what has to do with us ------------------------------------------------------ */

static int refuse(int err)
{
    errno = err;
    return -1;
}

/* Nothing that the program knows of. */
static inline bool is_hidden(int fd)
{
    return descriptor__is_own(fd) || pin__is(fd);
}

static inline void end_requests(int fd)
{
    if (descriptor__in_use(fd))
        engine__closing(fd);
}

/* Apart, lest the other kind of close save registers for it. */
static __attribute__((noinline)) int close_known(int fd)
{
    if (is_hidden(fd))
        return refuse(EBADF);
    pin__closing(fd);
    end_requests(fd);
    return libc_close(fd);
}

PUBLIC int close(int fd)
{
    need_libc();
    descriptor__unset_cached(fd);
    if (no_pins() && descriptor__is_unknown(fd)) /* the program does not use us */
        return libc_close(fd);
    return close_known(fd);
}

PUBLIC int fclose(FILE *stream)
{
    int saved = errno, fd = fileno(stream);

    need_libc();
    descriptor__unset_cached(fd);
    pin__closing(fd);
    errno = saved;
    end_requests(fd);
    return libc_fclose(stream);
}

PUBLIC int shutdown(int fd, int how)
{
    int result;

    need_libc();
    result = libc_shutdown(fd, how);
    if (result == 0 && descriptor__in_use(fd))
        engine__shut_down(fd);
    return result;
}

/* ---- onto a number ----------------------------------------------------------------- */

/* `onto` will be closed, unless the call fails. */
static void begin_replacing(int fd, int onto)
{
    if (fd == onto)
        return;
    descriptor__unset_cached(onto);
    pin__closing(onto);
    if (descriptor__in_use(onto) && fcntl(fd, F_GETFD) >= 0)
        engine__closing(onto);
}

/* Onto our own: what the kernel says of a number that is just being opened. */
PUBLIC int dup2(int fd, int onto)
{
    need_libc();
    if (is_hidden(onto))
        return refuse(EBUSY);
    begin_replacing(fd, onto);
    return libc_dup2(fd, onto);
}

PUBLIC int dup3(int fd, int onto, int flags)
{
    need_libc();
    if (!libc_dup3)
        return refuse(ENOSYS);
    if (is_hidden(onto))
        return refuse(EBUSY);
    if (!(flags & ~O_CLOEXEC))
        begin_replacing(fd, onto);
    return libc_dup3(fd, onto, flags);
}

/* ---- ranges ------------------------------------------------------------------ */

/* The first number from `fd` on that the program is not to close; -1: none. */
static int next_hidden(int fd)
{
    int own = descriptor__next_own(fd, INT_MAX), pin = pin__next(fd);

    return own < 0 || (pin >= 0 && pin < own) ? pin : own;
}

/* The requests of all, and pins that are parked for what is closed here.  No
 * number is closed twice: it may be another thread's file by then. */
static void end_range(int first, int last)
{
    for (int fd = descriptor__next_in_use(first, last); fd >= 0 && fd < INT_MAX;
         fd = descriptor__next_in_use(fd + 1, last))
        engine__closing(fd);
    for (int pin = pin__next(0); pin >= 0 && pin < INT_MAX; pin = pin__next(pin + 1)) {
        int origin = pin__origin(pin);
        if (origin >= first && origin <= last)
            pin__closing(origin);
    }
}

/* All but what is hidden. */
static int close_around_hidden(unsigned first, unsigned last)
{
    while (first <= last && first <= INT_MAX) {
        int hidden = next_hidden((int)first);
        if (hidden < 0 || (unsigned)hidden > last)
            return libc_close_range(first, last, 0);
        if ((unsigned)hidden > first && libc_close_range(first, (unsigned)hidden - 1, 0) != 0)
            return -1;
        first = (unsigned)hidden + 1;
    }
    return 0;
}

/* With flags nothing is closed, or the process's threads part company. */
PUBLIC int close_range(unsigned first, unsigned last, int flags)
{
    need_libc();
    if (!libc_close_range)
        return refuse(ENOSYS);
    if (flags == 0 && first <= last && first <= INT_MAX)
        end_range((int)first, last < INT_MAX ? (int)last : INT_MAX);
    if (flags || first > last || next_hidden(0) < 0)
        return libc_close_range(first, last, flags);
    return close_around_hidden(first, last);
}

/* closefrom() is not to fail: without the system call, one by one. */
PUBLIC void closefrom(int first)
{
    int saved = errno;
    long limit;

    if (first < 0)
        first = 0;
    if (close_range((unsigned)first, UINT_MAX, 0) != 0) {
        limit = sysconf(_SC_OPEN_MAX);
        for (int fd = first; fd < limit; fd++)
            close(fd);
    }
    errno = saved;
}
