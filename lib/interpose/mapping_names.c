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
#include "kernel.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PUBLIC __attribute__((visibility("default")))

static int (*libc_munmap)(void *address, size_t nbytes);
static int (*libc_mprotect)(void *address, size_t nbytes, int protection);
static void *(*libc_mremap)(void *address, size_t from, size_t to, int flags, ...);

static void find(const char *name, void *function, size_t nbytes)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    memcpy(function, &symbol, nbytes);
}

__attribute__((constructor)) static void find_libc(void)
{
    find("munmap", &libc_munmap, sizeof libc_munmap);
    find("mprotect", &libc_mprotect, sizeof libc_mprotect);
    find("mremap", &libc_mremap, sizeof libc_mremap);
    context__mappings_are_told();
}

static long result_of(long result)
{
    if (result >= 0 || result < -4095)
        return result;
    errno = (int)-result;
    return -1;
}

PUBLIC int munmap(void *address, size_t nbytes)
{
    int result = libc_munmap ? libc_munmap(address, nbytes)
                             : (int)result_of(uaio__kernel(SYS_munmap, (long)(uintptr_t)address,
                                                           (long)nbytes, 0, 0, 0, 0));

    context__mappings_changed();
    return result;
}

PUBLIC int mprotect(void *address, size_t nbytes, int protection)
{
    int result = libc_mprotect ? libc_mprotect(address, nbytes, protection)
                               : (int)result_of(uaio__kernel(SYS_mprotect, (long)(uintptr_t)address,
                                                             (long)nbytes, protection, 0, 0, 0));

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
                 : (void *)result_of(uaio__kernel(SYS_mremap, (long)(uintptr_t)address, (long)from,
                                                  (long)to, flags, (long)(uintptr_t)fixed, 0));
    context__mappings_changed();
    return result;
}
