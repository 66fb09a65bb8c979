/* SPDX-License-Identifier: MIT */
#include "vector.h"

#define SLOT_BYTES(segments) (sizeof(struct vector) + (segments) * sizeof(struct iovec))

static const int sizes[] = {8, 64, VECTOR_MAX};

#define SIZES (sizeof sizes / sizeof *sizes)

static struct slab slabs[SIZES] = {
    {.slot_size = SLOT_BYTES(8)},
    {.slot_size = SLOT_BYTES(64)},
    {.slot_size = SLOT_BYTES(VECTOR_MAX)},
};

static struct slab *slab_for(int n)
{
    unsigned i = 0;

    while (i < SIZES - 1 && sizes[i] < n)
        i++;
    return &slabs[i];
}

struct vector *vector__new(int n)
{
    struct vector *v = (struct vector *)(void *)slab__get(slab_for(n));

    if (v) {
        v->n = n;
        v->first = 0;
    }
    return v;
}

void vector__advance(struct vector *v, size_t nbytes)
{
    while (v->first < v->n && nbytes >= v->segments[v->first].iov_len)
        nbytes -= v->segments[v->first++].iov_len;
    if (v->first == v->n)
        return;
    struct iovec *rest = &v->segments[v->first];
    rest->iov_base = (void *)((uintptr_t)rest->iov_base + nbytes); /* it may be NULL */
    rest->iov_len -= nbytes;
}

void vector__free(struct vector *v)
{
    slab__put(slab_for(v->n), &v->slot);
}

void vector__reset(void)
{
    for (unsigned i = 0; i < SIZES; i++)
        slab__reset(&slabs[i]);
}
