/* SPDX-License-Identifier: MIT */
/*
 * What a platform can say and do about a descriptor without blocking.
 *
 * positioned_linux.c, or positioned_posix.c for any other system.
 */
#ifndef UAIO_OS_POSITIONED_H
#define UAIO_OS_POSITIONED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * Does the descriptor have positions, that is: does pread() or (for_write)
 * pwrite() work on it?  Never blocks.  A closed descriptor has none.
 */
bool uaio__has_positions(int fd, bool for_write);

/*
 * As preadv2(), but -EAGAIN instead of waiting for a device, and -EOPNOTSUPP
 * where that cannot be had.  May read less than asked for, but 0 at the end only.
 */
ssize_t uaio__read_nowait(int fd, const struct iovec *to, int n, int64_t offset, uint32_t flags);

/* Is there such a call, as far as is known? */
bool uaio__can_read_nowait(void);

/*
 * As preadv2() and pwritev2(): -1 with errno, and offset -1 for a stream.
 * Where the system has no flags, EOPNOTSUPP if there are any.
 */
ssize_t uaio__readv(int fd, const struct iovec *to, int n, int64_t offset, uint32_t flags);
ssize_t uaio__writev(int fd, const struct iovec *from, int n, int64_t offset, uint32_t flags,
                     bool append);

/* Does a write append, with these status flags of the descriptor and these of
 * the call? */
bool uaio__appends(int status_flags, uint32_t flags);

/* Do the flags say that the call fails with EAGAIN where it would wait? */
bool uaio__never_waits(uint32_t flags);

/*
 * As write() with O_APPEND, whether or not that is set by now, and without
 * moving the descriptor's position.  -1 with errno, as pwrite().
 */
ssize_t uaio__append(int fd, const void *buffer, size_t nbytes);

/* Is the descriptor in a mode in which uaio__read_nowait() may wait after all? */
bool uaio__bypasses_cache(int status_flags);

/* Which file the descriptor is of, as fstat() says: 0, or -errno. */
int uaio__identify(int fd, uint64_t *device, uint64_t *inode);

/* May a write raise SIGXFSZ in the calling thread? */
bool uaio__file_size_limited(void);

#endif
