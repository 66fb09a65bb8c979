/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "positioned.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_NOWAIT
# define RWF_NOWAIT 0x00000008
#endif
#ifndef RWF_NOAPPEND
# define RWF_NOAPPEND 0x00000020
#endif
#ifndef RWF_APPEND
# define RWF_APPEND 0x00000010
#endif

/* The call is missing, or forbidden: sandboxes say EPERM. */
static bool is_denied(int err)
{
    return err == ENOSYS || err == EPERM;
}

/*
 * One element of no bytes: the kernel checks the descriptor for positions and
 * returns before it comes to the file.  (With no elements, qemu's user mode
 * does not ask it.)  lseek() would say the same but waits for a read() in
 * another thread, which holds the position's lock: only where the other call
 * is denied.  To take a file for a stream would be to write in another place.
 */
bool uaio__has_positions(int fd, bool for_write)
{
    struct iovec none = {NULL, 0};
    ssize_t n = for_write ? pwritev(fd, &none, 1, 0) : preadv(fd, &none, 1, 0);

    if (n < 0 && is_denied(errno))
        return lseek(fd, 0, SEEK_CUR) >= 0;
    return n == 0;
}

/* The kernel joins the two halves of the position as longs. */
#define HALVES(offset) (long)(offset), (long)((offset) >> (sizeof(long) * 4) >> (sizeof(long) * 4))

/* The system calls themselves: old musl has no preadv2(). */
static ssize_t read2(int fd, const struct iovec *to, int n, int64_t offset, uint32_t flags)
{
    return syscall(SYS_preadv2, fd, to, n, HALVES(offset), flags);
}

static ssize_t write2(int fd, const struct iovec *from, int n, int64_t offset, uint32_t flags)
{
    return syscall(SYS_pwritev2, fd, from, n, HALVES(offset), flags);
}

/*
 * The system call itself where libc's struct stat is the kernel's: a sync asks
 * for the files of descriptors that other threads use, and a program under
 * ThreadSanitizer would be told that this races with their close().
 */
static int status(int fd, struct stat *st)
{
#if defined(__LP64__) && defined(SYS_fstat)
    return (int)syscall(SYS_fstat, fd, st);
#else
    return fstat(fd, st);
#endif
}

static atomic_bool missing; /* relaxed: each thread may find out for itself */

bool uaio__can_read_nowait(void)
{
    return !atomic_load_explicit(&missing, memory_order_relaxed);
}

/* Linux 5.9 and 5.10 may say 0 of what is not in the page cache. */
static bool is_at_end(int fd, int64_t offset)
{
    struct stat st;

    return status(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= offset;
}

ssize_t uaio__read_nowait(int fd, const struct iovec *to, int n, int64_t offset, uint32_t flags)
{
    ssize_t done;

    if (!uaio__can_read_nowait())
        return -EOPNOTSUPP;
    done = read2(fd, to, n, offset, flags | RWF_NOWAIT);
    if (done == 0 && !is_at_end(fd, offset))
        return -EAGAIN;
    if (done >= 0)
        return done;
    if (errno == ENOSYS)
        atomic_store_explicit(&missing, true, memory_order_relaxed);
    return -errno;
}

/* Without preadv2() (Linux 4.6) there are no flags to obey.  If EPERM is the
 * file's and not a sandbox's, the old call says so again. */
static bool use_old_calls(uint32_t flags)
{
    if (!is_denied(errno))
        return false;
    if (errno == ENOSYS)
        errno = EOPNOTSUPP;
    return flags == 0;
}

ssize_t uaio__readv(int fd, const struct iovec *to, int n, int64_t offset, uint32_t flags)
{
    ssize_t done = read2(fd, to, n, offset, flags);

    if (done < 0 && use_old_calls(flags))
        done = offset < 0 ? readv(fd, to, n) : preadv(fd, to, n, offset);
    return done;
}

/* Before RWF_APPEND (Linux 4.16): Linux's pwrite() appends while O_APPEND is
 * set, which is the nearest. */
ssize_t uaio__writev(int fd, const struct iovec *from, int n, int64_t offset, uint32_t flags,
                     bool append)
{
    ssize_t done = write2(fd, from, n, append ? 0 : offset, flags | (append ? RWF_APPEND : 0u));

    if (done < 0 && append && errno == EOPNOTSUPP && !(flags & RWF_APPEND))
        done = write2(fd, from, n, 0, flags);
    if (done < 0 && use_old_calls(flags))
        done =
            offset < 0 && !append ? writev(fd, from, n) : pwritev(fd, from, n, append ? 0 : offset);
    return done;
}

bool uaio__appends(int status_flags, uint32_t flags)
{
    return flags & RWF_APPEND || (status_flags & O_APPEND && !(flags & RWF_NOAPPEND));
}

bool uaio__never_waits(uint32_t flags)
{
    return flags & RWF_NOWAIT;
}

ssize_t uaio__append(int fd, const void *buffer, size_t nbytes)
{
    struct iovec from = {(void *)(uintptr_t)buffer, nbytes};

    return uaio__writev(fd, &from, 1, 0, 0, true);
}

bool uaio__bypasses_cache(int status_flags)
{
    return status_flags & O_DIRECT;
}

int uaio__identify(int fd, uint64_t *device, uint64_t *inode)
{
    struct stat st;

    if (status(fd, &st) != 0)
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
