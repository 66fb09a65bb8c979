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
 * meanwhile, and is woken only where submissions follow one another as fast, and it
 * has been of use to this thread lately, or now and then to find that out.  Where it
 * is late, as all processors are busy, it is left alone for ever longer.
 *
 * Reading alone are: who has descriptors of his own but our memory (a child of
 * vfork()); a thread of real-time priority, which must not wait for one that has
 * none; and, if there is nobody awake, what may be a signal handler.  Not noticed is
 * a thread that has left the process's table of descriptors (unshare(CLONE_FILES)):
 * its numbers must mean the same files as the process's.
 */
#ifndef UAIO_SPREAD_H
#define UAIO_SPREAD_H

#include "operation.h"

#include <stddef.h>
#include <stdint.h>

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

/* Submissions are fast that are no farther apart: for tests to change. */
extern int64_t spread__soon_ns;

void spread__init(unsigned max_threads, unsigned idle_ms);

#endif
