/* SPDX-License-Identifier: MIT */
#include "doorbell.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int uaio__doorbell_open(struct doorbell *bell)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    *bell = (struct doorbell){fd, fd};
    return fd < 0 ? -errno : 0;
}

void uaio__doorbell_close(struct doorbell *bell)
{
    if (bell->readable >= 0)
        close(bell->readable);
    *bell = NO_DOORBELL;
}

void uaio__doorbell_ring(const struct doorbell *bell)
{
    if (bell->writable >= 0)
        (void)!write(bell->writable, &(uint64_t){1}, sizeof(uint64_t));
}

void uaio__doorbell_silence(const struct doorbell *bell)
{
    uint64_t count;

    if (bell->readable >= 0)
        (void)!read(bell->readable, &count, sizeof count);
}
