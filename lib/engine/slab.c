/* SPDX-License-Identifier: MIT */
#include "slab.h"

#include <sys/mman.h>

#define LAST UINT32_MAX /* link of the last free slot */

static size_t chunk_bytes(const struct slab *slab)
{
    return slab->slot_size * SLAB_CHUNK_SLOTS;
}

static unsigned char *map_pages(void *where, size_t nbytes)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0);
    void *p = mmap(where, nbytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* The chunk with that number, mapped by whoever needs it first. */
static unsigned char *chunk_get(struct slab *slab, uint32_t number)
{
    unsigned char *chunk, *expected = NULL;

    if (number >= SLAB_CHUNKS)
        return NULL;
    /* acquire: pairs with the exchange below; the memory is the kernel's zero. */
    chunk = atomic_load_explicit(&slab->chunk[number], memory_order_acquire);
    if (chunk)
        return chunk;
    chunk = map_pages(NULL, chunk_bytes(slab));
    if (!chunk)
        return NULL;
    if (!atomic_compare_exchange_strong_explicit(&slab->chunk[number], &expected, chunk,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        munmap(chunk, chunk_bytes(slab));
        chunk = expected;
    }
    return chunk;
}

struct slab_slot *slab__at(struct slab *slab, uint32_t index)
{
    unsigned char *chunk;

    if (index / SLAB_CHUNK_SLOTS >= SLAB_CHUNKS)
        return NULL;
    chunk = atomic_load_explicit(&slab->chunk[index / SLAB_CHUNK_SLOTS], memory_order_acquire);
    if (!chunk)
        return NULL;
    return (struct slab_slot *)(void *)(chunk + (index % SLAB_CHUNK_SLOTS) * slab->slot_size);
}

/* The link that follows `index`, as index + 1 of the next slot or 0. */
static uint32_t next_of(struct slab *slab, uint32_t index)
{
    uint32_t link = atomic_load_explicit(&slab__at(slab, index)->link, memory_order_relaxed);
    return link == LAST ? 0 : link == 0 ? index + 2 : link;
}

static struct slab_slot *get_fresh(struct slab *slab)
{
    uint32_t index = atomic_load_explicit(&slab->fresh, memory_order_relaxed);
    unsigned char *chunk;

    do {
        chunk = chunk_get(slab, index / SLAB_CHUNK_SLOTS);
        if (!chunk)
            return NULL;
    } while (!atomic_compare_exchange_weak_explicit(&slab->fresh, &index, index + 1,
                                                    memory_order_acq_rel, memory_order_relaxed));
    struct slab_slot *slot = slab__at(slab, index);
    slot->index = index;
    return slot;
}

struct slab_slot *slab__get(struct slab *slab)
{
    /* acquire: pairs with put(): what the last user did is over. */
    uint64_t head = atomic_load_explicit(&slab->free, memory_order_acquire);

    while ((uint32_t)head) {
        uint32_t index = (uint32_t)head - 1;
        uint64_t next = ((head >> 32) + 1) << 32 | next_of(slab, index);
        if (atomic_compare_exchange_weak_explicit(&slab->free, &head, next, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            struct slab_slot *slot = slab__at(slab, index);
            slot->index = index;
            return slot;
        }
    }
    return get_fresh(slab);
}

/* Push a chain of free slots whose last one is `last`. */
static void put_chain(struct slab *slab, uint32_t first, struct slab_slot *last)
{
    uint64_t head = atomic_load_explicit(&slab->free, memory_order_relaxed);
    uint64_t new;

    do {
        uint32_t link = (uint32_t)head ? (uint32_t)head : LAST;
        atomic_store_explicit(&last->link, link, memory_order_relaxed);
        new = ((head >> 32) + 1) << 32 | (first + 1);
        /* release: pairs with get(). */
    } while (!atomic_compare_exchange_weak_explicit(&slab->free, &head, new, memory_order_release,
                                                    memory_order_relaxed));
}

void slab__put(struct slab *slab, struct slab_slot *slot)
{
    put_chain(slab, slot->index, slot);
}

void slab__reset(struct slab *slab)
{
    atomic_store_explicit(&slab->free, 0, memory_order_relaxed);
    atomic_store_explicit(&slab->fresh, 0, memory_order_relaxed);
}

bool slab__reserve(struct slab *slab, uint32_t slots)
{
    for (uint32_t n = 0; n < slots; n += SLAB_CHUNK_SLOTS)
        if (!chunk_get(slab, n / SLAB_CHUNK_SLOTS))
            return false;
    return true;
}

/* Take all free slots; their number, and the first and last of the chain. */
static uint32_t take_all(struct slab *slab, uint32_t *first, struct slab_slot **last)
{
    uint64_t head = atomic_load_explicit(&slab->free, memory_order_acquire);
    uint32_t n = 0;

    while (!atomic_compare_exchange_weak_explicit(&slab->free, &head, ((head >> 32) + 1) << 32,
                                                  memory_order_acq_rel, memory_order_acquire))
        ;
    *first = (uint32_t)head - 1;
    for (uint32_t at = (uint32_t)head; at; at = next_of(slab, at - 1), n++)
        *last = slab__at(slab, at - 1);
    return n;
}

void slab__trim(struct slab *slab)
{
    uint32_t first, n, fresh;
    struct slab_slot *last = NULL;

    if (atomic_load_explicit(&slab->fresh, memory_order_relaxed) < SLAB_CHUNK_SLOTS)
        return; /* no whole chunk to give back */
    n = take_all(slab, &first, &last);
    if (n == 0)
        return;
    fresh = atomic_load_explicit(&slab->fresh, memory_order_acquire);
    if (n != fresh) {
        put_chain(slab, first, last); /* some are in use */
        return;
    }
    /* All slots that ever were are in our hands: make them the chain 0, 1, ...
     * fresh - 1, by new zero pages.  By hand in the last chunk, of which others
     * may take fresh slots meanwhile, and where the system refuses. */
    for (uint32_t at = 0; at < fresh; at++) {
        if (at % SLAB_CHUNK_SLOTS == 0 && at + SLAB_CHUNK_SLOTS <= fresh &&
            map_pages(slab->chunk[at / SLAB_CHUNK_SLOTS], chunk_bytes(slab)))
            at += SLAB_CHUNK_SLOTS - 1;
        else
            atomic_store_explicit(&slab__at(slab, at)->link, 0, memory_order_relaxed);
    }
    put_chain(slab, 0, slab__at(slab, fresh - 1));
}
