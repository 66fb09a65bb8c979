/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "io_priority.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WHO_THREAD = 1 }; /* IOPRIO_WHO_PROCESS: with 0, the calling thread */

int uaio__io_priority_set(int priority)
{
    long former = syscall(SYS_ioprio_get, WHO_THREAD, 0);

    if (former < 0 || syscall(SYS_ioprio_set, WHO_THREAD, 0, priority) < 0)
        return -errno;
    return (int)former;
}
