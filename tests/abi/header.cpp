// SPDX-License-Identifier: MIT
// The public headers are C++, too: they compile, and their names link.
#include <uaio/queue.h>
#include <uaio/stats.h>

#include <cerrno>

int main()
{
    uaio_aiocb cb = {};
    const uaio_aiocb *const list[] = {&cb};

    cb.aio_fildes = -1;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    if (uaio_read(&cb) != 0 || uaio_suspend(list, 1, nullptr) != 0)
        return 1;
    struct uaio_stats stats;
    if (uaio_stats(&stats, sizeof stats) != 0 || stats.failed != 1 ||
        uaio_latency_percentile(&stats.read, 99) == 0)
        return 1;
    return uaio_error(&cb) == EBADF && uaio_return(&cb) == -1 ? 0 : 1;
}
