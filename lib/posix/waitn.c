/* SPDX-License-Identifier: MIT */
#include "completion_queue.h"
#include "posix.h"

int uaio_waitn(struct uaio_queue *queue, struct uaio_aiocb *list[], unsigned nent, unsigned *nwait,
               const struct timespec *timeout)
{
    return posix__return(cq__waitn(queue, list, nent, nwait, posix__timeout(timeout)));
}
