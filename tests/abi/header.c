/* SPDX-License-Identifier: MIT */
/* The public headers need nothing before them, and link with the archive. */
#include <uaio/queue.h>
#include <uaio/stats.h>

#include <uaio/aio.h>

#include <errno.h>

int main(void)
{
    struct uaio_aiocb cb = {.aio_fildes = -1, .aio_sigevent.sigev_notify = SIGEV_NONE};
    const struct uaio_aiocb *const list[] = {&cb};
    struct uaio_stats stats;

    if (uaio_read(&cb) != 0 || uaio_suspend(list, 1, NULL) != 0)
        return 1;
    if (uaio_stats(&stats, sizeof stats) != 0 || stats.failed != 1 ||
        uaio_latency_percentile(&stats.read, 99) == 0)
        return 1;
    return uaio_error(&cb) == EBADF && uaio_return(&cb) == -1 ? 0 : 1;
}
