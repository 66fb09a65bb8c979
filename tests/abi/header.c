/* SPDX-License-Identifier: MIT */
/* The public header needs nothing before it, and links with the archive. */
#include <uaio/queue.h>

#include <errno.h>

int main(void)
{
    struct uaio_aiocb cb = {.aio_fildes = -1, .aio_sigevent.sigev_notify = SIGEV_NONE};
    const struct uaio_aiocb *const list[] = {&cb};

    if (uaio_read(&cb) != 0 || uaio_suspend(list, 1, NULL) != 0)
        return 1;
    return uaio_error(&cb) == EBADF && uaio_return(&cb) == -1 ? 0 : 1;
}
