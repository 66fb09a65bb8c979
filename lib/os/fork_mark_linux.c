/* SPDX-License-Identifier: MIT */
/* fork_mark.h on Linux from 4.14 on: a page that the kernel clears. */
#define _GNU_SOURCE
#include "fork_mark.h"

#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_WIPEONFORK
# define MADV_WIPEONFORK 18
#endif

#define NO_ADVICE (-1)

atomic_uint *uaio__fork_mark(void)
{
    size_t nbytes = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        return NULL;
    /* Some emulators (qemu-user) take any advice and follow none. */
    if (madvise(p, nbytes, NO_ADVICE) != 0 && madvise(p, nbytes, MADV_WIPEONFORK) == 0)
        return p;
    munmap(p, nbytes);
    return NULL;
}
