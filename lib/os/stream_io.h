/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing descriptors without positions, without waiting.
 *
 * The descriptor's own mode (O_NONBLOCK) is the program's, and is shared with
 * other processes: it is not touched.  stream_io_linux.c, or stream_io_posix.c
 * for any other system.
 */
#ifndef UAIO_OS_STREAM_IO_H
#define UAIO_OS_STREAM_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * As readv() and writev() with preadv2()'s flags: the number of bytes, perhaps
 * fewer than asked for, or -errno; -EAGAIN instead of waiting, -EOPNOTSUPP if
 * this kind of file cannot be asked not to wait.
 */
ssize_t uaio__receive(int fd, const struct iovec *to, int n, uint32_t flags);

/* The same; with `wait` it may.  Raises no SIGPIPE, and takes none away that was
 * pending. */
ssize_t uaio__send(int fd, const struct iovec *from, int n, uint32_t flags, bool wait);

/*
 * Another descriptor of the same pipe or terminal, with O_NONBLOCK and a high
 * number, for reading or writing; or -errno: of that file there can be none.
 */
int uaio__reopen_nonblocking(int fd, bool for_write);

/* writev() where nothing keeps it from raising SIGPIPE: the signal is blocked,
 * and taken back.  0.. or -errno. */
ssize_t uaio__write_quietly(int fd, const struct iovec *from, int n);

#endif
