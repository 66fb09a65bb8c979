/* SPDX-License-Identifier: MIT */
/*
 * Copy the first bytes of standard input by the standard's functions.
 */
#include <aio.h>
#include <stdio.h>

int main(void)
{
    char text[100];
    struct aiocb cb = {
        .aio_buf = text, .aio_nbytes = sizeof text, .aio_sigevent.sigev_notify = SIGEV_NONE};
    const struct aiocb *const list[] = {&cb};
    if (aio_read(&cb) || aio_suspend(list, 1, NULL))
        return 1;
    return fwrite(text, (size_t)aio_return(&cb), 1, stdout) != 1;
}
