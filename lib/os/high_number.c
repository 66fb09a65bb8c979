/* SPDX-License-Identifier: MIT */
#include "high_number.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LOWEST_NUMBER 512

int uaio__duplicate(int fd)
{
    int again = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_NUMBER);

    if (again < 0) /* no number left above, or none allowed there */
        again = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return again < 0 ? -errno : again;
}

int uaio__move_up(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, LOWEST_NUMBER);

    if (high < 0)
        return fd;
    close(fd);
    return high;
}
