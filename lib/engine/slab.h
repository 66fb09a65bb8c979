/* SPDX-License-Identifier: MIT */
/*
 * Fixed-size slots by index, taken and given back without a lock.
 *
 * Slots live in chunks that are mapped on demand and stay mapped for the life
 * of the process.  So a slot may be looked at by an index that is out of date
 * (a caller's control block that was never cleaned up): one reads another
 * request's atomics then, never unmapped memory, and the generation in the
 * slot tells.  A malloc per request was rejected for that and for its lock: a
 * thread interrupted by a signal inside malloc would hold up the workers that
 * the signal's handler waits for.
 *
 * The free slots form one stack of indices with a tag against ABA.  Per-thread
 * caches were rejected: requests are taken by one thread and given back by
 * another, so that a cache fills where it is not needed, and one
 * compare-and-swap is small beside the system call that each request is.
 *
 * A link of 0 means "the slot after this one", so that zeroed memory is one
 * chain: slab__trim() gives the pages of an unused slab back to the system
 * and leaves a valid free list behind.
 */
#ifndef UAIO_SLAB_H
#define UAIO_SLAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_CHUNK_SLOTS 4096u
#define SLAB_CHUNKS 8192u /* 33,554,432 slots: twice UAIO_MAX_REQUESTS' maximum */

/* At the start of every slot. */
struct slab_slot {
    _Atomic uint32_t link; /* atomic: of a free slot, to the next free one */
    uint32_t index;        /* set by slab__get() */
};

struct slab {
    _Atomic uint64_t free;                       /* atomic: tag << 32 | index + 1 of the first */
    _Atomic uint32_t fresh;                      /* atomic: slots below have been used */
    _Atomic(unsigned char *) chunk[SLAB_CHUNKS]; /* atomic: set once */
    size_t slot_size;                            /* immutable */
};

/* A slot with its index set and the rest as its last user left it (zero at
 * first), or NULL if there is no memory. */
struct slab_slot *slab__get(struct slab *slab);

void slab__put(struct slab *slab, struct slab_slot *slot);

/* The slot of that index, in use or not; NULL if there never was one. */
struct slab_slot *slab__at(struct slab *slab, uint32_t index);

/* See to it that `slots` slots can be had without asking the system. */
bool slab__reserve(struct slab *slab, uint32_t slots);

/* All slots are free, whoever had them: in a forked child. */
void slab__reset(struct slab *slab);

/* If no slot is in use, give the memory back.  May be called at any time. */
void slab__trim(struct slab *slab);

#endif
