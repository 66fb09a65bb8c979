/* SPDX-License-Identifier: MIT */
/* The function behind one of ours: libc's, or another library's that is in between. */
#ifndef UAIO_INTERPOSE_NEXT_H
#define UAIO_INTERPOSE_NEXT_H

#include <dlfcn.h>
#include <string.h>

/* In *function, a pointer to a function of nbytes bytes; NULL if there is none.
 * dlsym() may allocate: not in signal handlers, nor where an allocator calls us. */
static inline void find_next(const char *name, void *function, size_t nbytes)
{
    void *symbol = dlsym(RTLD_NEXT, name);

    memcpy(function, &symbol, nbytes);
}

#endif
