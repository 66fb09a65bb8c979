/* SPDX-License-Identifier: MIT */
/*
 * A word that is zero in a forked child, however it was made: by fork(), by
 * _Fork() or a bare system call, which call no handlers.
 *
 * fork_mark_linux.c; fork_mark_none.c, where only handlers tell of a fork.
 */
#ifndef UAIO_OS_FORK_MARK_H
#define UAIO_OS_FORK_MARK_H

#include <stdatomic.h>

/* The word, zero at first; NULL: there is no such thing.  To be called once. */
atomic_uint *uaio__fork_mark(void);

#endif
