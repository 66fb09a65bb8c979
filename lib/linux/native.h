/* SPDX-License-Identifier: MIT */
/*
 * UAIO_BACKEND=native-first: contexts are the kernel's as long as it gives any,
 * and ours where it says ENOSYS, EPERM or EAGAIN.  The calls on a context that
 * is none of ours are then passed on, and the kernel knows whether it is his.
 */
#ifndef UAIO_LINUX_NATIVE_H
#define UAIO_LINUX_NATIVE_H

#include "linux.h"

/* Set up a context there: true, and *err is the answer; false: emulate it. */
bool native__setup(unsigned nr, unsigned long *ctxp, int *err);

/* Is the call on this context for the kernel? */
bool native__serves(unsigned long ctx);

int native__destroy(unsigned long ctx);
long native__submit(unsigned long ctx, long nr, void *const *iocbpp);
int native__cancel(unsigned long ctx, void *iocb, void *result);
long native__pgetevents(unsigned long ctx, long min_nr, long nr, void *events, const void *timeout,
                        enum linux_time format, const void *sigmask, size_t sigsetsize);

#endif
