/* SPDX-License-Identifier: MIT */
/*
 * The segments of a vectored read or write: the engine's own copy, as the
 * caller's array is the caller's again once the request is submitted.  Short
 * ones and long ones come from slabs of their own: no malloc(), which a signal
 * handler that submits could not call.
 */
#ifndef UAIO_VECTOR_H
#define UAIO_VECTOR_H

#include "slab.h"

#include <sys/uio.h>

#define VECTOR_MAX 1024 /* segments: the kernel's own limit */

struct vector {
    struct slab_slot slot;
    int n;
    int first; /* the first segment that is not transferred yet */
    struct iovec segments[];
};

/* Room for that many segments (1..VECTOR_MAX), or NULL without memory. */
struct vector *vector__new(int n);

/* So many bytes of what is left are transferred. */
void vector__advance(struct vector *v, size_t nbytes);

void vector__free(struct vector *v);

/* In a forked child: there are none. */
void vector__reset(void);

#endif
