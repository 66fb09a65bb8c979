/* SPDX-License-Identifier: MIT */
/*
 * Copy the first bytes of standard input by libaio's functions.
 */
#include <stdio.h>
#include <uaio/libaio.h>

int main(void)
{
    char text[100];
    io_context_t context = NULL;
    struct iocb cb, *list[] = {&cb};
    struct io_event event;

    io_prep_pread(&cb, 0, text, sizeof text, 0);
    if (io_setup(1, &context) || io_submit(context, 1, list) != 1 ||
        io_getevents(context, 1, 1, &event, NULL) != 1)
        return 1;
    return fwrite(text, event.res, 1, stdout) != 1 || io_destroy(context);
}
