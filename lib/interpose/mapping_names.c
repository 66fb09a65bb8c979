/* SPDX-License-Identifier: MIT */
/*
 * What can take a ring of native AIO out of the program's memory, or move it: the
 * Linux face is told, and looks at its rings only then (lib/linux/context.c).
 *
 * Allocators call these while they are set up themselves, so nothing here looks a
 * symbol up: libc's functions are found before main(), and until then the system
 * call is made.  As async-signal-safe as libc's.
 */
#define _GNU_SOURCE
#include "context.h"
#include "next.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PUBLIC __attribute__((visibility("default")))

/* As libc's syscall(): see kernel.c. */
__attribute__((visibility("hidden"))) long uaio__system_call(long number, ...);

static int (*libc_munmap)(void *address, size_t nbytes);
static int (*libc_mprotect)(void *address, size_t nbytes, int protection);
static void *(*libc_mremap)(void *address, size_t from, size_t to, int flags, ...);

__attribute__((constructor)) static void find_libc(void)
{
    find_next("munmap", &libc_munmap, sizeof libc_munmap);
    find_next("mprotect", &libc_mprotect, sizeof libc_mprotect);
    find_next("mremap", &libc_mremap, sizeof libc_mremap);
    context__mappings_are_told();
}

PUBLIC int munmap(void *address, size_t nbytes)
{
    int result = libc_munmap ? libc_munmap(address, nbytes)
                             : (int)uaio__system_call(SYS_munmap, address, nbytes);

    context__mappings_changed();
    return result;
}

PUBLIC int mprotect(void *address, size_t nbytes, int protection)
{
    int result = libc_mprotect
                     ? libc_mprotect(address, nbytes, protection)
                     : (int)uaio__system_call(SYS_mprotect, address, nbytes, (long)protection);

    context__mappings_changed();
    return result;
}

PUBLIC void *mremap(void *address, size_t from, size_t to, int flags, ...)
{
    void *fixed = NULL, *result;
    va_list rest;

    va_start(rest, flags);
    if (flags & MREMAP_FIXED)
        fixed = va_arg(rest, void *);
    va_end(rest);
    result = libc_mremap
                 ? libc_mremap(address, from, to, flags, fixed)
                 : (void *)uaio__system_call(SYS_mremap, address, from, to, (long)flags, fixed);
    context__mappings_changed();
    return result;
}
