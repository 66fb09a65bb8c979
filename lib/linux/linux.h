/* SPDX-License-Identifier: MIT */
/*
 * The Linux face: the six calls of native AIO.
 *
 * All of them return >= 0 or -errno, and leave errno alone.  Their arguments
 * are the kernel's: a context is an address, and pointers are not trusted (see
 * user_memory.h).  Like system calls they are thread-safe, no cancellation
 * points, and may be called by signal handlers.
 *
 *   context.h      the contexts: who may use one, and until when
 *   ring.h         a context's events: publishing, reaping, free slots
 *   pin.h          how the file of a submitted request stays that file
 *   user_memory.h  pointers that may be anything
 *   submit.c, getevents.c, cancel.c   the calls
 */
#ifndef UAIO_LINUX_H
#define UAIO_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The layout of a timeout in the caller's memory. */
enum linux_time {
    LINUX_TIME_LONG, /* two longs */
    LINUX_TIME_64,   /* two 64-bit numbers */
};

int linux__setup(unsigned nr, unsigned long *ctxp);

int linux__destroy(unsigned long ctx);

/* `iocbpp`: an array of nr pointers to struct iocb. */
long linux__submit(unsigned long ctx, long nr, void *const *iocbpp);

int linux__cancel(unsigned long ctx, void *iocb, void *result);

long linux__getevents(unsigned long ctx, long min_nr, long nr, void *events, const void *timeout,
                      enum linux_time format);

/* `sigmask`: `sigsetsize` bytes, or NULL to leave the mask alone. */
long linux__pgetevents(unsigned long ctx, long min_nr, long nr, void *events, const void *timeout,
                       enum linux_time format, const void *sigmask, size_t sigsetsize);

/* Can the caller's memory be read there?  False instead of a fault. */
bool linux__readable(const void *p, size_t nbytes);

#endif
