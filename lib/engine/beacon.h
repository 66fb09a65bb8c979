/* SPDX-License-Identifier: MIT */
/*
 * What `uaio top` looks for in the memory of another process: one variable, known
 * by its magic bytes, that says where all else is.  The process does nothing for
 * it, and does not notice.  A symbol would do if no program were ever stripped; a
 * file or a socket would be one more thing to keep in order.
 *
 * Whoever reads it trusts none of it: the memory is another's, and may hold another
 * version of uaio, or one for another kind of processor.  So what comes first is
 * bytes, and stays where it is; `layout` is counted up with any change that `sizes`
 * does not tell.
 */
#ifndef UAIO_BEACON_H
#define UAIO_BEACON_H

#include "config.h"
#include "descriptor.h"
#include "pool.h"
#include "stats.h"

#define BEACON_ALIGN 64 /* bytes: where one may lie */
#define BEACON_LAYOUT 1

/* Arbitrary bytes. */
#define BEACON_MAGIC                                                                             \
 {                                                                                               \
  0x8f, 0x15, 0xe2, 0x6b, 0x90, 0xd7, 0x3c, 0xa4, 0x59, 0x0e, 0xf1, 0x76, 0xcb, 0x28, 0xbd, 0x43 \
 }
#define BEACON_MAGIC_BYTES 16

struct beacon {
    _Alignas(BEACON_ALIGN) unsigned char magic[BEACON_MAGIC_BYTES];
    unsigned char layout;
    unsigned char word_bytes;  /* of a pointer */
    unsigned char last_byte;   /* of the number 1 in two bytes: the order of bytes */
    char version[21];          /* of uaio, a string */
    uint32_t sizes[4];         /* see BEACON_SIZES */
    const struct beacon *self; /* where it is; a copy lies elsewhere */
    struct stats *stats;
    struct pool_stats *io, *callbacks;
    unsigned *max_threads;  /* of the I/O pool */
    atomic_uint *in_flight; /* requests */
    const struct config *const *settings;
    _Atomic(descriptor__word *) *descriptors; /* to the words of the first numbers, or to NULL */
};

/* Of what is to be read through the pointers. */
#define BEACON_SIZES                                                            \
 {                                                                              \
  sizeof(struct stats), STATS, sizeof(struct pool_stats), sizeof(struct config) \
 }

extern struct beacon uaio__beacon;

#endif
