/* SPDX-License-Identifier: MIT */
/* Queueing a signal with SI_ASYNCIO.  signal_queue_linux.c, or _posix.c. */
#ifndef UAIO_OS_SIGNAL_QUEUE_H
#define UAIO_OS_SIGNAL_QUEUE_H

#include <signal.h>
#include <sys/types.h>

/*
 * To the process (thread 0), or to one of its threads.  0, -EAGAIN if the
 * queue is full, or another -errno.
 */
int uaio__signal_queue(pid_t thread, int signal, union sigval value);

/* The largest signal number. */
int uaio__signal_max(void);

#endif
