/* SPDX-License-Identifier: MIT */
#include "descriptor.h"

#include <sys/mman.h>
#include <unistd.h>

#define OWN (UINT64_C(1) << 47)
#define GENERATION_SHIFT 48

_Atomic(descriptor__word *) descriptor__chunks[DESCRIPTOR_CHUNKS];
_Atomic uint8_t descriptor__cached[DESCRIPTOR_CACHED_NUMBERS];

static descriptor__word *make(int fd)
{
    descriptor__word *word = descriptor__at(fd), *expected = NULL;
    unsigned chunk = (unsigned)fd / DESCRIPTOR_CHUNK;
    size_t nbytes = DESCRIPTOR_CHUNK * sizeof *word;
    void *p;

    if (word || chunk >= DESCRIPTOR_CHUNKS)
        return word;
    p = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (!atomic_compare_exchange_strong_explicit(&descriptor__chunks[chunk], &expected,
                                                 (descriptor__word *)p, memory_order_acq_rel,
                                                 memory_order_acquire))
        munmap(p, nbytes);
    return descriptor__at(fd);
}

bool descriptor__begin(int fd, uint16_t *generation)
{
    descriptor__word *word = make(fd);
    uint64_t before = 0;

    if (word) /* seq_cst: pairs with descriptor__in_use(). */
        before = atomic_fetch_add_explicit(word, 1, memory_order_seq_cst);
    *generation = (uint16_t)(before >> GENERATION_SHIFT);
    /* The table's end is another matter: nothing is ever counted there. */
    return word || (unsigned)fd / DESCRIPTOR_CHUNK >= DESCRIPTOR_CHUNKS;
}

void descriptor__end(int fd)
{
    descriptor__word *word = descriptor__at(fd);

    if (word) /* release: who finds 0 sees that the request is over */
        atomic_fetch_sub_explicit(word, 1, memory_order_release);
}

bool descriptor__is_current(int fd, uint16_t generation)
{
    descriptor__word *word = descriptor__at(fd);

    return !word || (uint16_t)(atomic_load_explicit(word, memory_order_acquire) >>
                               GENERATION_SHIFT) == generation;
}

void descriptor__closing(int fd)
{
    descriptor__word *word = descriptor__at(fd);

    if (word) /* what overflows is lost above */
        atomic_fetch_add_explicit(word, UINT64_C(1) << GENERATION_SHIFT, memory_order_seq_cst);
}

void descriptor__own(int fd)
{
    descriptor__word *word = make(fd);

    if (word)
        atomic_fetch_or_explicit(word, OWN, memory_order_relaxed);
}

void descriptor__disown(int fd)
{
    descriptor__word *word = descriptor__at(fd);

    if (word)
        atomic_fetch_and_explicit(word, ~OWN, memory_order_relaxed);
}

bool descriptor__is_own(int fd)
{
    descriptor__word *word = descriptor__at(fd);

    return word && atomic_load_explicit(word, memory_order_relaxed) & OWN;
}

static int next_with(int fd, int last, uint64_t bits)
{
    for (int64_t n = fd < 0 ? 0 : fd; n <= last && n / DESCRIPTOR_CHUNK < DESCRIPTOR_CHUNKS; n++) {
        descriptor__word *word = descriptor__at((int)n);
        if (!word)
            n |= DESCRIPTOR_CHUNK - 1; /* on to the next chunk */
        else if (atomic_load_explicit(word, memory_order_seq_cst) & bits)
            return (int)n;
    }
    return -1;
}

int descriptor__next_in_use(int fd, int last)
{
    return next_with(fd, last, UINT32_MAX);
}

int descriptor__next_own(int fd, int last)
{
    return next_with(fd, last, OWN);
}

void descriptor__reset(void)
{
    for (int fd = 0; (fd = next_with(fd, INT32_MAX, ~UINT64_C(0))) >= 0;) {
        descriptor__word *word = descriptor__at(fd);
        if (atomic_exchange_explicit(word, 0, memory_order_relaxed) & OWN)
            close(fd);
    }
}
