/* SPDX-License-Identifier: MIT */
/*
 * Many cached reads of one submission, spread over two processors.
 *
 * Each is a system call and a copy, done before the submission returns.  A thread
 * that is awake anyway can do some of them meanwhile: the submitter takes them from
 * the front and the assistant from the back until they meet, and the submitter
 * waits for the one that the assistant is at.  So nothing outlives the call, and
 * what cannot be had at once comes back as if the submitter had tried it alone.
 *
 * To wake a thread takes as long as ten such reads or twenty.  So the assistant
 * looks for the next submission for a moment (pool.h: spin), is given what comes
 * meanwhile, and is woken only if it has been of use to this thread lately, or now
 * and then to find that out.  Where all processors are busy it is late, and is no
 * longer asked.
 *
 * Who has descriptors of his own but our memory (a child of vfork()) reads alone.
 */
#ifndef UAIO_SPREAD_H
#define UAIO_SPREAD_H

#include "operation.h"

#include <stddef.h>

/* Fewer are not worth it. */
#define SPREAD_MIN 8u

struct cached_read {
    struct operation operation; /* of kind OPERATION_READ */
    ssize_t result;             /* its result, or OPERATION_PENDING: prepare it */
};

typedef ssize_t spread__perform(struct operation *op);

/* Perform all of them, here and perhaps in another thread.  No cancellation point,
 * if `perform` is none. */
void spread__reads(struct cached_read *reads, unsigned n, spread__perform *perform);

void spread__init(unsigned max_threads, unsigned idle_ms);

#endif
