/* SPDX-License-Identifier: MIT */
/*
 * What we have to do with each descriptor number: how many requests use it, in
 * which generation it is, and whether it is one of ours.
 *
 * A request that runs on the program's own descriptor (POSIX) names it by its
 * number, and the number may come to mean another file.  So closing is told to
 * us (interpose/close_names.c): a close that finds the word at 0 has nothing to
 * do with us, and costs two loads.  One that does not changes the number's
 * generation, ends the requests there are (engine__closing()), and only then
 * goes to the kernel.  A request that was counted before, but is posted only
 * afterwards, is known by its generation, and not performed.
 *
 * A submission that begins after the requests were ended, and before the kernel
 * has closed the number, is not caught.  It is the program's race: it could as
 * well have begun when the number meant the next file.  To refuse it would be
 * wrong: the number may have been given out again before close() has returned.
 *
 * Numbers that are our own (the poller's, FIFOs opened again) are hidden from
 * programs that close all that there may be.
 *
 * No lock, nothing allocated but pages: async-signal-safe.
 */
#ifndef UAIO_DESCRIPTOR_H
#define UAIO_DESCRIPTOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define DESCRIPTOR_CHUNK 4096u  /* numbers */
#define DESCRIPTOR_CHUNKS 1024u /* beyond 4 Mi, nothing is known of a number */

/* atomic: users, own << 47, generation << 48 */
typedef _Atomic uint64_t descriptor__word;

extern _Atomic(descriptor__word *) descriptor__chunks[DESCRIPTOR_CHUNKS]; /* atomic: set once */

static inline descriptor__word *descriptor__at(int fd)
{
    unsigned chunk = (unsigned)fd / DESCRIPTOR_CHUNK;
    descriptor__word *words;

    if (chunk >= DESCRIPTOR_CHUNKS) /* negative ones, too */
        return 0;
    words = atomic_load_explicit(&descriptor__chunks[chunk], memory_order_acquire);
    return words ? &words[(unsigned)fd % DESCRIPTOR_CHUNK] : 0;
}

/* Nothing was ever told of the number.  seq_cst: pairs with descriptor__begin(). */
static inline bool descriptor__is_unknown(int fd)
{
    descriptor__word *word = descriptor__at(fd);

    return !word || atomic_load_explicit(word, memory_order_seq_cst) == 0;
}

/* Does a request use the number?  seq_cst: pairs with descriptor__begin(). */
static inline bool descriptor__in_use(int fd)
{
    descriptor__word *word = descriptor__at(fd);

    return word && (uint32_t)atomic_load_explicit(word, memory_order_seq_cst) != 0;
}

/* A request begins to use the number, in the generation that is returned.  False:
 * there is no memory to count it in. */
bool descriptor__begin(int fd, uint16_t *generation);
void descriptor__end(int fd);

/* Is it still the descriptor that it was then? */
bool descriptor__is_current(int fd, uint16_t generation);

/* It will be closed: what is posted from now on is of another generation. */
void descriptor__closing(int fd);

/* A number is ours, until we close it. */
void descriptor__own(int fd);
void descriptor__disown(int fd);
bool descriptor__is_own(int fd);

/* The first number from `fd` to `last` that is in use, or is our own; -1: none. */
int descriptor__next_in_use(int fd, int last);
int descriptor__next_own(int fd, int last);

/*
 * A read from the page cache may be tried without asking what the descriptor is:
 * the call itself says EBADF and ESPIPE.  Only O_DIRECT has to be known, under
 * which it would wait for the device; that is asked once in so many reads of a
 * number, and when the number has been closed by a way that we see.  Whoever sets
 * O_DIRECT later, or closes in another way, has that many reads that may wait.
 */
#define DESCRIPTOR_CACHED_READS 15
#define DESCRIPTOR_CACHED_NUMBERS 4096u

/* relaxed: how many reads of each number are left; what is lost is asked again */
extern _Atomic uint8_t descriptor__cached[DESCRIPTOR_CACHED_NUMBERS];

static inline bool descriptor__take_cached(int fd)
{
    uint8_t left;

    if ((unsigned)fd >= DESCRIPTOR_CACHED_NUMBERS)
        return false;
    left = atomic_load_explicit(&descriptor__cached[fd], memory_order_relaxed);
    if (left > 0)
        atomic_store_explicit(&descriptor__cached[fd], (uint8_t)(left - 1), memory_order_relaxed);
    return left > 0;
}

/* It has just been read from the cache, and is not O_DIRECT. */
static inline void descriptor__set_cached(int fd)
{
    if ((unsigned)fd < DESCRIPTOR_CACHED_NUMBERS)
        atomic_store_explicit(&descriptor__cached[fd], DESCRIPTOR_CACHED_READS,
                              memory_order_relaxed);
}

static inline void descriptor__unset_cached(int fd)
{
    if ((unsigned)fd < DESCRIPTOR_CACHED_NUMBERS &&
        atomic_load_explicit(&descriptor__cached[fd], memory_order_relaxed) > 0)
        atomic_store_explicit(&descriptor__cached[fd], 0, memory_order_relaxed);
}

/* In a forked child: no number is in use; ours are closed. */
void descriptor__reset(void);

#endif
