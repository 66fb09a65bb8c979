/* SPDX-License-Identifier: MIT */
/*
 * _exit() and _Exit(), which end a program without running destructors: fio's
 * jobs and every forked server do so; and daemon(), which ends the one that
 * calls it.
 */
#define _GNU_SOURCE
#include "next.h"
#include "process.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

static _Noreturn void leave(int status)
{
    process__end();
    for (;;)
        syscall(SYS_exit_group, status);
}

/* Its parent ends without a call of _exit() that can be seen from here. */
PUBLIC int daemon(int nochdir, int noclose)
{
    int (*libc_daemon)(int, int);

    find_next("daemon", &libc_daemon, sizeof libc_daemon);
    if (!libc_daemon) {
        errno = ENOSYS;
        return -1;
    }
    process__before_exec();
    return libc_daemon(nochdir, noclose);
}

PUBLIC void _exit(int status)
{
    leave(status);
}

PUBLIC void _Exit(int status)
{
    leave(status);
}
