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

ssize_t uaio__send(int fd, const struct iovec *from, int n, uint32_t flags)
{
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)from};

    message.msg_iovlen = (__typeof__(message.msg_iovlen))n;
    return flags ? -EOPNOTSUPP : result_of(sendmsg(fd, &message, MSG_DONTWAIT));
}
