/* SPDX-License-Identifier: MIT */
/* What of stream_io.h is the same on all systems. */
#include "stream_io.h"
#include "high_number.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_number(const char *directory, int fd, int flags)
{
    char path[64], digits[16];
    char *at = digits + sizeof digits;

    *--at = '\0';
    do
        *--at = (char)('0' + fd % 10);
    while (fd /= 10);
    strcpy(path, directory);
    strcat(path, at);
    return open(path, flags);
}

#if defined(__linux__) && !defined(__GLIBC__)
typedef int ioctl_request; /* as POSIX had it */
#else
typedef unsigned long ioctl_request;
#endif

/* To open the master side of a terminal makes another one. */
static bool is_terminal(int fd)
{
#ifdef TIOCGPTN
    unsigned number;

    if (ioctl(fd, (ioctl_request)TIOCGPTN, &number) == 0)
        return false;
#endif
    return isatty(fd);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_rdev == b->st_rdev;
}

/* Some systems duplicate the descriptor in place of opening the file again. */
static bool is_reopened(int fd, const struct stat *original)
{
    struct stat st;
    int status = fcntl(fd, F_GETFL);

    return status >= 0 && status & O_NONBLOCK && fstat(fd, &st) == 0 && same_file(&st, original);
}

int uaio__reopen_nonblocking(int fd, bool for_write)
{
    int flags = (for_write ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat st;
    int again;

    if (fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISFIFO(st.st_mode) && !(S_ISCHR(st.st_mode) && is_terminal(fd)))
        return -EOPNOTSUPP;
    again = open_number("/proc/self/fd/", fd, flags);
    if (again < 0)
        again = open_number("/dev/fd/", fd, flags);
    if (again < 0)
        return -errno;
    if (!is_reopened(again, &st)) {
        close(again);
        return -EOPNOTSUPP;
    }
    return uaio__move_up(again);
}

static bool is_sigpipe_pending(void)
{
    sigset_t set;

    return sigpending(&set) == 0 && sigismember(&set, SIGPIPE);
}

/* One that was pending before is the program's.  (If it was the process's, not
 * this thread's, ours stays, too.) */
ssize_t uaio__write_quietly(int fd, const struct iovec *from, int n)
{
    sigset_t set, mask;
    bool pending;
    ssize_t done;
    int signal;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &mask);
    pending = is_sigpipe_pending();
    done = writev(fd, from, n);
    if (done < 0)
        done = -errno;
    if (done == -EPIPE && !pending && is_sigpipe_pending())
        sigwait(&set, &signal);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return done;
}
