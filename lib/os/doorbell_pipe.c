/* SPDX-License-Identifier: MIT */
#include "doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Two calls, and so a moment in which exec() would pass it on: POSIX has no other. */
static int set_modes(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int uaio__doorbell_open(struct doorbell *bell)
{
    int ends[2], err;

    *bell = NO_DOORBELL;
    if (pipe(ends) != 0)
        return -errno;
    *bell = (struct doorbell){ends[0], ends[1]};
    err = set_modes(ends[0]);
    if (err == 0)
        err = set_modes(ends[1]);
    if (err)
        uaio__doorbell_close(bell);
    return err;
}

void uaio__doorbell_close(struct doorbell *bell)
{
    if (bell->readable >= 0)
        close(bell->readable);
    if (bell->writable >= 0)
        close(bell->writable);
    *bell = NO_DOORBELL;
}

void uaio__doorbell_ring(const struct doorbell *bell)
{
    if (bell->writable >= 0)
        (void)!write(bell->writable, "", 1);
}

void uaio__doorbell_silence(const struct doorbell *bell)
{
    char byte;

    if (bell->readable >= 0)
        (void)!read(bell->readable, &byte, 1);
}
