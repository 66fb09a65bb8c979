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
 * What has been found out of a number, and is believed for so many requests, or until
 * the number is closed by a way that we see:
 *
 *   it is read from the page cache  the call itself says EBADF and ESPIPE; only
 *                                   O_DIRECT has to be known, under which it would wait
 *                                   for the device.  Whoever sets that later, or closes
 *                                   in another way, has that many reads that may wait.
 *   it has positions                so it is no stream.  If it is one after all, the
 *                                   call says ESPIPE and moves nothing.
 */
enum descriptor_belief { DESCRIPTOR_CACHED = 0, DESCRIPTOR_POSITIONED = 4 }; /* bits from there */

#define DESCRIPTOR_BELIEVED 15u
#define DESCRIPTOR_BELIEFS 4096u /* numbers */

/* relaxed: how often each is believed yet; what is lost is asked again */
extern _Atomic uint8_t descriptor__beliefs[DESCRIPTOR_BELIEFS];

static inline bool descriptor__believe(int fd, enum descriptor_belief what)
{
    unsigned beliefs, left;

    if ((unsigned)fd >= DESCRIPTOR_BELIEFS)
        return false;
    beliefs = atomic_load_explicit(&descriptor__beliefs[fd], memory_order_relaxed);
    left = beliefs >> what & DESCRIPTOR_BELIEVED;
    if (left > 0)
        atomic_store_explicit(&descriptor__beliefs[fd], (uint8_t)(beliefs - (1u << what)),
                              memory_order_relaxed);
    return left > 0;
}

/* It has just been found out. */
static inline void descriptor__learn(int fd, enum descriptor_belief what)
{
    unsigned beliefs;

    if ((unsigned)fd >= DESCRIPTOR_BELIEFS)
        return;
    beliefs = atomic_load_explicit(&descriptor__beliefs[fd], memory_order_relaxed);
    atomic_store_explicit(&descriptor__beliefs[fd],
                          (uint8_t)(beliefs | DESCRIPTOR_BELIEVED << what), memory_order_relaxed);
}

/* The number is, or will be, another file's. */
static inline void descriptor__unlearn(int fd)
{
    if ((unsigned)fd < DESCRIPTOR_BELIEFS &&
        atomic_load_explicit(&descriptor__beliefs[fd], memory_order_relaxed) > 0)
        atomic_store_explicit(&descriptor__beliefs[fd], 0, memory_order_relaxed);
}

/* In a forked child: no number is in use; ours are closed. */
void descriptor__reset(void);

#endif
