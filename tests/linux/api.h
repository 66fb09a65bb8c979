/* SPDX-License-Identifier: MIT */
/*
 * The six calls of Linux native AIO, over the road chosen at compile time.
 *
 *   UAIO_TEST_ROAD_LIBAIO    libaio's symbols; whichever libaio.so.1 the
 *                            program is linked with, or a preload, has them
 *   UAIO_TEST_ROAD_SYSCALL   libc's syscall(SYS_io_...)
 *
 * Both roads give one convention here: the result, or -errno.  Nothing but
 * api.c knows which of the two it is, but for the tests that ask ROAD_*.
 * The types are the kernel's own, of <linux/aio_abi.h>.  The functions may be
 * called by any thread, and assert nothing.
 */
#ifndef UAIO_TESTS_LINUX_API_H
#define UAIO_TESTS_LINUX_API_H

#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include <linux/aio_abi.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#if defined(UAIO_TEST_ROAD_LIBAIO) == defined(UAIO_TEST_ROAD_SYSCALL)
# error "define one of UAIO_TEST_ROAD_LIBAIO and UAIO_TEST_ROAD_SYSCALL"
#endif

#ifdef UAIO_TEST_ROAD_LIBAIO
# define ROAD_LIBAIO 1
#else
# define ROAD_LIBAIO 0
#endif

int t_setup(int nr, aio_context_t *ctxp);
int t_destroy(aio_context_t ctx);
int t_submit(aio_context_t ctx, long nr, struct iocb **list);
int t_cancel(aio_context_t ctx, struct iocb *cb, struct io_event *result);
int t_getevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                const struct timespec *timeout);
int t_pgetevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                 const struct timespec *timeout, const sigset_t *mask);

/* io_getevents with any pointer as its timeout: that is not looked at here. */
int t_getevents_at(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                   const void *timeout);

/*
 * The tests run on the kernel's own AIO (UAIO_TEST_ORACLE=kernel), which shows
 * that the tests are right.  What uaio promises beyond that is not tested then.
 */
bool on_kernel(void);

#endif
