/* SPDX-License-Identifier: MIT */
/* stream_io.h on any POSIX system: only of sockets can it be asked not to wait. */
#include "stream_io.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

static ssize_t result_of(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == ENOTSOCK ? -EOPNOTSUPP : -errno;
}

ssize_t uaio__receive(int fd, const struct iovec *to, int n, uint32_t flags)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)to};

    message.msg_iovlen = (__typeof__(message.msg_iovlen))n;
    return flags ? -EOPNOTSUPP : result_of(recvmsg(fd, &message, MSG_DONTWAIT));
}

#ifndef MSG_NOSIGNAL
# define MSG_NOSIGNAL 0
#endif

ssize_t uaio__send(int fd, const struct iovec *from, int n, uint32_t flags, bool wait)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)from};
    ssize_t done;

    if (flags)
        return -EOPNOTSUPP;
    message.msg_iovlen = (__typeof__(message.msg_iovlen))n;
    done = result_of(sendmsg(fd, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT)));
    return done == -EOPNOTSUPP && wait ? uaio__write_quietly(fd, from, n) : done;
}
