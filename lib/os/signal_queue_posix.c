/* SPDX-License-Identifier: MIT */
/* sigqueue() says SI_QUEUE for SI_ASYNCIO: POSIX has no call that would not. */
#include "signal_queue.h"

#include <errno.h>
#include <unistd.h>

int uaio__signal_queue(pid_t thread, int signal, union sigval value)
{
    if (thread)
        return -EINVAL;
    return sigqueue(getpid(), signal, value) ? -errno : 0;
}

int uaio__signal_max(void)
{
#ifdef SIGRTMAX
    return SIGRTMAX;
#else
    return 31;
#endif
}
