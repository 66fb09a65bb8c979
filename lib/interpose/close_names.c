/* SPDX-License-Identifier: MIT */
/*
 * What closes a descriptor, or makes its number mean another file: the pins of
 * native AIO (pin.h) are told, and kept from being closed by programs that
 * close all there may be.
 *
 * A close of a number that has no pin costs a look into a table.  All of these
 * are as async-signal-safe as libc's, and cancellation points where libc's are:
 * libc's own functions are called, found before main().
 */
#define _GNU_SOURCE
#include "pin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

#ifndef SYS_close_range
# define SYS_close_range 436
#endif

__attribute__((visibility("hidden"))) long uaio__system_call(long number, ...);

static int (*libc_close)(int fd);
static int (*libc_fclose)(FILE *stream);

static void find(const char *name, void *function, size_t nbytes)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    memcpy(function, &symbol, nbytes);
}

__attribute__((constructor)) static void find_libc(void)
{
    find("close", &libc_close, sizeof libc_close);
    find("fclose", &libc_fclose, sizeof libc_fclose);
    pin__closings_are_told();
}

static int refuse(int err)
{
    errno = err;
    return -1;
}

PUBLIC int close(int fd)
{
    if (pin__is(fd))
        return refuse(EBADF); /* the program knows of none with that number */
    pin__closing(fd);
    return libc_close ? libc_close(fd) : (int)uaio__system_call(SYS_close, fd);
}

PUBLIC int fclose(FILE *stream)
{
    int saved = errno;

    if (!libc_fclose)
        find_libc(); /* called by another library's constructor */
    pin__closing(fileno(stream));
    errno = saved;
    return libc_fclose(stream);
}

/* Onto a pin: what the kernel says of a number that is just being opened. */
PUBLIC int dup2(int fd, int onto)
{
    if (pin__is(onto))
        return refuse(EBUSY);
    if (fd != onto)
        pin__closing(onto);
#ifdef SYS_dup2
    return (int)uaio__system_call(SYS_dup2, fd, onto);
#else
    if (fd == onto)
        return (int)uaio__system_call(SYS_fcntl, fd, 1 /* F_GETFD */) < 0 ? -1 : fd;
    return (int)uaio__system_call(SYS_dup3, fd, onto, 0);
#endif
}

PUBLIC int dup3(int fd, int onto, int flags)
{
    if (pin__is(onto))
        return refuse(EBUSY);
    if (fd != onto)
        pin__closing(onto);
    return (int)uaio__system_call(SYS_dup3, fd, onto, flags);
}

/* ---- ranges ------------------------------------------------------------------ */

static int close_numbers(unsigned first, unsigned last)
{
    return (int)uaio__system_call(SYS_close_range, first, last, 0);
}

/* All but the pins, first those that are parked for what is closed here. */
static int close_around_pins(unsigned first, unsigned last)
{
    int pin;

    for (pin = pin__next(0); pin >= 0 && pin < INT_MAX; pin = pin__next(pin + 1)) {
        int origin = pin__origin(pin);
        if (origin >= 0 && (unsigned)origin >= first && (unsigned)origin <= last)
            pin__closing(origin);
    }
    while (first <= last && first <= INT_MAX) {
        pin = pin__next((int)first);
        if (pin < 0 || (unsigned)pin > last)
            return close_numbers(first, last);
        if ((unsigned)pin > first && close_numbers(first, (unsigned)pin - 1) != 0)
            return -1;
        first = (unsigned)pin + 1;
    }
    return 0;
}

PUBLIC int close_range(unsigned first, unsigned last, int flags)
{
    if (flags || first > last || pin__next(0) < 0)
        return (int)uaio__system_call(SYS_close_range, first, last, flags);
    return close_around_pins(first, last);
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
