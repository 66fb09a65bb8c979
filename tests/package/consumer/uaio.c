/* SPDX-License-Identifier: MIT */
/*
 * Copy the first bytes of standard input by libuaio.
 */
#include <stdio.h>
#include <uaio/aio.h>

int main(void)
{
    char text[100];
    struct uaio_aiocb cb = {
        .aio_buf = text, .aio_nbytes = sizeof text, .aio_sigevent.sigev_notify = SIGEV_NONE};
    const struct uaio_aiocb *const list[] = {&cb};
    if (uaio_read(&cb) || uaio_suspend(list, 1, NULL))
        return 1;
    return fwrite(text, (size_t)uaio_return(&cb), 1, stdout) != 1;
}
