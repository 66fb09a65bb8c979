/* SPDX-License-Identifier: MIT */
/*
 * Pointers from the program: the kernel answers EFAULT to a bad one, and we
 * are in the program's own address space, where touching it is a SIGSEGV.
 *
 * Whether a page can be read or written is asked of the kernel, by a system
 * call that does nothing else but copy from there (or that adds nothing to a
 * word there), at 0.1 to 0.4 us.  Programs use the same iocbs, arrays and
 * buffers again and again, so each thread remembers a few pages that were good:
 * a page that was good and has been unmapped since is a fault, as in any
 * library.  With UAIO_STRICT=1 nothing is remembered.
 *
 * A handler for SIGSEGV was rejected: it is the program's.
 */
#ifndef UAIO_LINUX_USER_MEMORY_H
#define UAIO_LINUX_USER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool user__readable(const void *p, size_t nbytes);
bool user__writable(void *p, size_t nbytes);

/* The same, asked anew, for an address that the program is known to remap. */
bool user__readable_now(const void *p);

/* A copy of at most PIPE_BUF bytes at an address that may be anything, and may
 * be unmapped meanwhile; false if they cannot be read.  Takes its time. */
bool user__copy(void *to, const void *from, size_t nbytes);

/* Where the page ends in which the address is: whoever has checked a part of it need
 * not check the rest at once. */
uintptr_t user__page_end(uintptr_t address);

/* May the kernel be given the range at all?  No system call: what lies there
 * it will find out itself. */
bool user__in_range(uint64_t address, uint64_t nbytes);

#endif
