/* SPDX-License-Identifier: MIT */
/*
 * stream_io.h on Linux.  RWF_NOWAIT serves sockets, pipes, eventfds and
 * timerfds (of kernels from 5.x to 6.4 on, one after the other); sockets always
 * had MSG_DONTWAIT.
 */
#define _GNU_SOURCE
#include "stream_io.h"
#include "positioned.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#ifndef RWF_NOWAIT
# define RWF_NOWAIT 0x00000008
#endif
#ifndef RWF_NOSIGNAL
# define RWF_NOSIGNAL 0x00000100 /* Linux 6.18 */
#endif

/* Is it the flag that was refused, or the call?  Sandboxes say EPERM. */
static bool is_unsupported(int err)
{
    return err == EOPNOTSUPP || err == ENOSYS || err == EPERM;
}

/* Of a call for sockets alone: where it is forbidden, the descriptor may be a
 * socket or not. */
static ssize_t result_of(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == ENOTSOCK || is_unsupported(errno) ? -EOPNOTSUPP : -errno;
}

ssize_t uaio__receive(int fd, const struct iovec *to, int n, uint32_t flags)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)to, .msg_iovlen = (size_t)n};
    ssize_t done = uaio__readv(fd, to, n, -1, flags | RWF_NOWAIT);

    if (done >= 0 || !is_unsupported(errno) || flags)
        return done >= 0 ? done : -errno;
    return result_of(recvmsg(fd, &message, MSG_DONTWAIT));
}

static ssize_t write_file(int fd, const struct iovec *from, int n, uint32_t flags)
{
    ssize_t done = uaio__writev(fd, from, n, -1, flags | RWF_NOSIGNAL, false);

    if (done >= 0 || !is_unsupported(errno))
        return done >= 0 ? done : -errno;
    if (flags == 0)
        return uaio__write_quietly(fd, from, n);
    /* With flags it may raise the signal, in an old kernel. */
    done = uaio__writev(fd, from, n, -1, flags, false);
    return done >= 0 ? done : -errno;
}

ssize_t uaio__send(int fd, const struct iovec *from, int n, uint32_t flags, bool wait)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)from, .msg_iovlen = (size_t)n};
    ssize_t done = flags
                       ? -EOPNOTSUPP
                       : result_of(sendmsg(fd, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)));

    if (done != -EOPNOTSUPP)
        return done;
    done = write_file(fd, from, n, flags | (wait ? 0u : RWF_NOWAIT));
    return !wait && is_unsupported((int)-done) ? -EOPNOTSUPP : done;
}
