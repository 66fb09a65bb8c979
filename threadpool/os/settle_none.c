/* SPDX-License-Identifier: MIT */
/* thread.h on a plain POSIX system: threads have no names and no CPU sets. */
#include "thread.h"

#include <unistd.h>

void pool__thread_settle(const char *name)
{
    (void)name;
}

unsigned pool__cpus(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}
