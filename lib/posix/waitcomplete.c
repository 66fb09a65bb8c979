/* SPDX-License-Identifier: MIT */
#include "completion_queue.h"
#include "posix.h"

ssize_t uaio_waitcomplete(struct uaio_queue *queue, struct uaio_aiocb **cb,
                          const struct timespec *timeout)
{
    struct uaio_aiocb *ignored;
    ssize_t result;
    int err = cq__wait_complete(queue, cb ? cb : &ignored, posix__timeout(timeout), &result);

    if (err == 0 && result >= 0)
        return result;
    return posix__return(err ? err : (int)result);
}
