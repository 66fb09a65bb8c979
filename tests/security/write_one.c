/* SPDX-License-Identifier: MIT */
/* One request, for setuid.sh: exit status 0 if it was performed. */
#include <aio.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
    const struct aiocb *list[1];
    struct aiocb cb;
    int ends[2];

    if (pipe(ends) != 0)
        return EXIT_FAILURE;
    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = ends[1];
    cb.aio_buf = "x";
    cb.aio_nbytes = 1;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    if (aio_write(&cb) != 0)
        return EXIT_FAILURE;
    list[0] = &cb;
    while (aio_error(&cb) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    return aio_return(&cb) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
