/* SPDX-License-Identifier: MIT */
/* What the tests of long lists have in common, of lio_listio() and of io_submit(). */
#ifndef UAIO_TESTS_LONG_LIST_H
#define UAIO_TESTS_LONG_LIST_H

#include <stddef.h>

#define MANY 100
#define BLOCK 512u
#define FILE_BYTES ((size_t)MANY * BLOCK)
#define ROUNDS 50

/* About as many as are taken together, and fewer than are. */
static const int sizes[] = {7, 8, 9, 31, 32, 33, 40, 64, MANY};
#define SIZES ((int)(sizeof sizes / sizeof *sizes))

/* The same numbers in each run. */
static size_t below(size_t n)
{
    static unsigned seed = 1;

    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

#endif
