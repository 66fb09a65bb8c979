/* SPDX-License-Identifier: MIT */
/*
 * libaio's names, in front of the Linux face: forwarders, in libaio.so.1, in
 * libaio.a and in the preload.
 *
 * Three functions exist twice.  Programs linked before libaio 0.4 (2003) ask
 * for io_cancel, io_getevents and io_queue_wait in version LIBAIO_0.1, and
 * the first two have other parameters there.  The old variants have names of
 * ours here and are given theirs by a .symver directive as NAME@LIBAIO_0.1: a
 * hidden version, found only by those who ask for it (so musl's loader, which
 * knows no versions, finds the default variants).  The versions of all the
 * others come from the symbol maps (libaio.map, preload.map), which also keep
 * our names of the old variants local.  Compile with UAIO_STATIC for an
 * archive: default variants alone, without a version.  And never with -flto,
 * which loses versions.
 *
 * libaio answers io_getevents() and io_pgetevents() by itself, with 0 and its
 * arguments unchecked, if the ring that the context points at is empty and the
 * timeout zero.  It saves a system call; we have none to save, and the face
 * gives the same answer to valid arguments.  Only invalid ones can tell: they
 * are an error here always, and there as soon as an event is waiting.  In
 * return a context that is gone is -EINVAL rather than a crash.
 *
 * Nothing here touches errno: libaio's functions leave it alone.
 */
#define _GNU_SOURCE
#include "linux.h"

#include <uaio/libaio.h>

#include <errno.h>
#include <stdint.h>

#define PUBLIC __attribute__((visibility("default")))

/* What the kernel's sigset_t has, and not libc's. */
#define KERNEL_SIGSET_NBYTES ((size_t)_NSIG / 8)

static int getevents(io_context_t ctx, long min_nr, long nr, struct io_event *events,
                     const struct timespec *timeout)
{
    return (int)linux__getevents((uintptr_t)ctx, min_nr, nr, events, timeout, LINUX_TIME_LONG);
}

PUBLIC int io_setup(int maxevents, io_context_t *ctxp)
{
    return linux__setup((unsigned)maxevents, (unsigned long *)(void *)ctxp);
}

PUBLIC int io_destroy(io_context_t ctx)
{
    return linux__destroy((uintptr_t)ctx);
}

PUBLIC int io_submit(io_context_t ctx, long nr, struct iocb *ios[])
{
    return (int)linux__submit((uintptr_t)ctx, nr, (void *const *)ios);
}

PUBLIC int io_cancel(io_context_t ctx, struct iocb *iocb, struct io_event *evt)
{
    return linux__cancel((uintptr_t)ctx, iocb, evt);
}

PUBLIC int io_getevents(io_context_t ctx, long min_nr, long nr, struct io_event *events,
                        struct timespec *timeout)
{
    return getevents(ctx, min_nr, nr, events, timeout);
}

PUBLIC int io_pgetevents(io_context_t ctx, long min_nr, long nr, struct io_event *events,
                         struct timespec *timeout, sigset_t *sigmask)
{
    return (int)linux__pgetevents((uintptr_t)ctx, min_nr, nr, events, timeout, LINUX_TIME_LONG,
                                  sigmask, KERNEL_SIGSET_NBYTES);
}

PUBLIC int io_queue_init(int maxevents, io_context_t *ctxp)
{
    if (maxevents < 1)
        return -EINVAL;
    *ctxp = NULL;
    return io_setup(maxevents, ctxp);
}

PUBLIC int io_queue_release(io_context_t ctx)
{
    return io_destroy(ctx);
}

PUBLIC int io_queue_run(io_context_t ctx)
{
    static const struct timespec now = {0, 0};
    struct io_event event;
    io_callback_t callback;
    int n;

    /* One at a time: a callback may run the queue itself, or destroy it. */
    while ((n = getevents(ctx, 0, 1, &event, &now)) == 1) {
        memcpy(&callback, &event.data, sizeof callback);
        callback(ctx, event.obj, (long)event.res, (long)event.res2);
    }
    return n;
}

/* Exported, but in no header: libaio's neither. */
PUBLIC int io_queue_wait(io_context_t ctx, struct timespec *timeout);

/* Asks for no event, and so waits for none: what libaio's does. */
PUBLIC int io_queue_wait(io_context_t ctx, struct timespec *timeout)
{
    return getevents(ctx, 0, 0, NULL, timeout);
}

#ifndef UAIO_STATIC

# define OLD(name, ...)                                        \
  PUBLIC int uaio__##name##_0_1(__VA_ARGS__);                  \
  __asm__(".symver uaio__" #name "_0_1," #name "@LIBAIO_0.1"); \
  int uaio__##name##_0_1(__VA_ARGS__)

/* The event comes with io_getevents(): there is nobody to give it to. */
OLD(io_cancel, io_context_t ctx, struct iocb *iocb)
{
    struct io_event unused;

    return io_cancel(ctx, iocb, &unused);
}

OLD(io_getevents, io_context_t ctx, long nr, struct io_event *events,
    const struct timespec *timeout)
{
    return getevents(ctx, 1, nr, events, timeout);
}

OLD(io_queue_wait, io_context_t ctx, const struct timespec *timeout)
{
    return getevents(ctx, 0, 0, NULL, timeout);
}

#endif
