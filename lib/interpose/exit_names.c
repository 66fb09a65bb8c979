/* SPDX-License-Identifier: MIT */
/*
 * _exit() and _Exit(), which skip destructors: the preload writes the report
 * there too, as many programs (fio's jobs, every forked server) end by them.
 */
#include "stats.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Noreturn void leave(int status)
{
    uaio__report();
    for (;;)
        syscall(SYS_exit_group, status);
}

__attribute__((visibility("default"))) void _exit(int status)
{
    leave(status);
}

__attribute__((visibility("default"))) void _Exit(int status)
{
    leave(status);
}
