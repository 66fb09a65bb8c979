/* SPDX-License-Identifier: MIT */
/*
 * What ends a program without running destructors, or puts another in its
 * place: _exit() and _Exit(), by which fio's jobs and every forked server end,
 * and the exec family.
 *
 * Those of the family that take a list of arguments, or search the PATH, are
 * libc's own way to execve() and do not come by here; they are passed on by
 * name.  In a child of vfork() nothing is done but that (process.h).
 */
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <stdarg.h>
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

PUBLIC void _exit(int status)
{
    leave(status);
}

PUBLIC void _Exit(int status)
{
    leave(status);
}
