/* SPDX-License-Identifier: MIT */
/*
 * _exit() and _Exit(), which end a program without running destructors: fio's
 * jobs and every forked server do so.
 */
#define _GNU_SOURCE
#include "process.h"

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
