/* SPDX-License-Identifier: MIT */
/*
 * What a filesystem says is told by a file in it: of two pages, without a name where that
 * can be had, else removed at once.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef RWF_NOWAIT
# define RWF_NOWAIT 0x00000008
#endif

enum { PAGE = 4096 };

/* ---- which one it is ------------------------------------------------------------------------- */

static bool is_below(const char *path, const char *mount)
{
    size_t n = strlen(mount);

    if (n > 0 && mount[n - 1] == '/') /* the root */
        n--;
    return strncmp(path, mount, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* By the longest name, as the device number of some (btrfs) is in no list of mounts; the
 * last one of a name covers the others. */
static void name_filesystem(struct directory *directory)
{
    char path[PATH_MAX];
    FILE *mounts = realpath(directory->path, path) ? setmntent("/proc/self/mounts", "re") : NULL;
    size_t longest = 0;

    if (!mounts)
        return;
    for (struct mntent *entry; (entry = getmntent(mounts));) {
        size_t n = strlen(entry->mnt_dir);
        if (n >= longest && is_below(path, entry->mnt_dir)) {
            longest = n;
            snprintf(directory->filesystem, sizeof directory->filesystem, "%s", entry->mnt_type);
        }
    }
    endmntent(mounts);
}

/* ---- what it can do ---------------------------------------------------------------------------- */

static int open_nameless(const char *directory)
{
    char path[PATH_MAX];
    int fd;

#ifdef O_TMPFILE
    fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
        return fd;
#endif
    if (snprintf(path, sizeof path, "%s/uaio-doctor.XXXXXX", directory) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

/* By their numbers: not every libc has the functions.  "It would wait" is a yes. */
static int try_nowait(int fd, long number, void *buffer)
{
    struct iovec page = {buffer, PAGE};
    long n = syscall(number, fd, &page, 1, 0L, 0L, RWF_NOWAIT);

    return n >= 0 || errno == EAGAIN ? 0 : errno;
}

/* Some take the flag and then no request. */
static int try_direct(int fd, void *buffer)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_DIRECT) != 0 || pread(fd, buffer, PAGE, 0) < 0)
        return errno;
    return 0;
}

void directory__examine(struct directory *directory)
{
    static _Alignas(PAGE) char buffer[PAGE];
    int fd;

    name_filesystem(directory);
    errno = 0;
    fd = open_nameless(directory->path);
    if (fd < 0 || pwrite(fd, buffer, PAGE, 0) != PAGE || pwrite(fd, buffer, PAGE, PAGE) != PAGE) {
        directory->error = errno ? errno : ENOSPC;
    } else {
        directory->read_nowait = try_nowait(fd, SYS_preadv2, buffer);
        directory->write_nowait = try_nowait(fd, SYS_pwritev2, buffer);
        directory->direct = try_direct(fd, buffer);
    }
    if (fd >= 0)
        close(fd);
}
