/* SPDX-License-Identifier: MIT */
#include "readiness.h"

#include <errno.h>

int uaio__readiness_open(void)
{
    return -ENOSYS;
}

void uaio__readiness_close(int set)
{
    (void)set;
}

int uaio__readiness_add(int set, int fd, unsigned conditions, uint64_t tag)
{
    (void)set, (void)fd, (void)conditions, (void)tag;
    return -ENOSYS;
}

void uaio__readiness_remove(int set, int fd)
{
    (void)set, (void)fd;
}

int uaio__readiness_wait(int set, struct readiness *ready, int max, int timeout_ms)
{
    (void)set, (void)ready, (void)max, (void)timeout_ms;
    return -ENOSYS;
}
