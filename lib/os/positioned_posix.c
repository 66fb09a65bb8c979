/* SPDX-License-Identifier: MIT */
#include "positioned.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

bool uaio__has_positions(int fd, bool for_write)
{
    (void)for_write;
    return lseek(fd, 0, SEEK_CUR) >= 0;
}

ssize_t uaio__read_nowait(int fd, void *buffer, size_t nbytes, int64_t offset)
{
    (void)fd, (void)buffer, (void)nbytes, (void)offset;
    return -EOPNOTSUPP;
}

/* pwrite() is not to heed O_APPEND, so the end is looked up; appends of this
 * process come one at a time (order.h), those of others may come between. */
ssize_t uaio__append(int fd, const void *buffer, size_t nbytes)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -1;
    return pwrite(fd, buffer, nbytes, st.st_size);
}

bool uaio__bypasses_cache(int status_flags)
{
    (void)status_flags;
    return false;
}

int uaio__identify(int fd, uint64_t *device, uint64_t *inode)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return -errno;
    *device = (uint64_t)st.st_dev;
    *inode = (uint64_t)st.st_ino;
    return 0;
}

bool uaio__file_size_limited(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY;
}
