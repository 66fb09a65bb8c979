/* SPDX-License-Identifier: MIT */
/*
 * The I/O priority of the calling thread, where the system has one.
 * io_priority_linux.c, or _none.c.
 */
#ifndef UAIO_OS_IO_PRIORITY_H
#define UAIO_OS_IO_PRIORITY_H

/* Set it; the former one, or -errno. */
int uaio__io_priority_set(int priority);

#endif
