/* SPDX-License-Identifier: MIT */
#include "io_priority.h"

#include <errno.h>

int uaio__io_priority_set(int priority)
{
    (void)priority;
    return -ENOSYS;
}
