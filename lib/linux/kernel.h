/* SPDX-License-Identifier: MIT */
/*
 * A system call past our own interposition: the preload's `syscall` would lead
 * the calls of native AIO back to us.
 */
#ifndef UAIO_LINUX_KERNEL_H
#define UAIO_LINUX_KERNEL_H

/* The result, or -errno; errno is left alone. */
long uaio__kernel(long number, long a, long b, long c, long d, long e, long f);

/* A file in memory, closed on exec; or -errno. */
int uaio__memory_file(void);

#endif
