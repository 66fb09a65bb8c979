/* SPDX-License-Identifier: MIT */
#include "positioned.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

bool uaio__has_positions(int fd, bool for_write)
{
    struct stat st;

    (void)for_write;
    /* Some that have none let themselves be sought: they have no type, either. */
    return lseek(fd, 0, SEEK_CUR) >= 0 && fstat(fd, &st) == 0 && st.st_mode & S_IFMT;
}

ssize_t uaio__read_nowait(int fd, const struct iovec *to, int n, int64_t offset, uint32_t flags)
{
    (void)fd, (void)to, (void)n, (void)offset, (void)flags;
    return -EOPNOTSUPP;
}

bool uaio__can_read_nowait(void)
{
    return false;
}

static ssize_t unsupported(void)
{
    errno = EOPNOTSUPP;
    return -1;
}

/* POSIX has vectors only at the descriptor's own position: elsewhere, one segment
 * after the other, until one comes out short. */
typedef ssize_t transfer(int fd, const struct iovec *segment, int64_t offset);

static ssize_t each(transfer *one, int fd, const struct iovec *segments, int n, int64_t offset)
{
    ssize_t sum = 0;

    for (int i = 0; i < n; i++) {
        ssize_t moved = one(fd, &segments[i], offset + sum);
        if (moved < 0)
            return sum > 0 ? sum : -1;
        sum += moved;
        if ((size_t)moved < segments[i].iov_len)
            break;
    }
    return sum;
}

static ssize_t read_one(int fd, const struct iovec *to, int64_t offset)
{
    return pread(fd, to->iov_base, to->iov_len, (off_t)offset);
}

static ssize_t write_one(int fd, const struct iovec *from, int64_t offset)
{
    return pwrite(fd, from->iov_base, from->iov_len, (off_t)offset);
}

static ssize_t append_one(int fd, const struct iovec *from, int64_t offset)
{
    (void)offset;
    return uaio__append(fd, from->iov_base, from->iov_len);
}

ssize_t uaio__readv(int fd, const struct iovec *to, int n, int64_t offset, uint32_t flags)
{
    if (flags)
        return unsupported();
    return offset < 0 ? readv(fd, to, n) : each(read_one, fd, to, n, offset);
}

ssize_t uaio__writev(int fd, const struct iovec *from, int n, int64_t offset, uint32_t flags,
                     bool append)
{
    if (flags)
        return unsupported();
    if (append)
        return each(append_one, fd, from, n, 0);
    return offset < 0 ? writev(fd, from, n) : each(write_one, fd, from, n, offset);
}

bool uaio__appends(int status_flags, uint32_t flags)
{
    (void)flags;
    return status_flags & O_APPEND;
}

bool uaio__never_waits(uint32_t flags)
{
    (void)flags;
    return false;
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
