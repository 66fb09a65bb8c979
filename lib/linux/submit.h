/* SPDX-License-Identifier: MIT */
/* io_submit() of one iocb; and what has been set going, seen from the process's end. */
#ifndef UAIO_LINUX_SUBMIT_H
#define UAIO_LINUX_SUBMIT_H

#include "context.h"
#include "engine.h"
#include "iocb.h"

/* 0: accepted, and in the batch or over; or -errno.  A slot and the context are kept
 * for it. */
int submit__one(struct context *c, struct iocb_checker *checker, void *user, struct batch *batch);

/* The same of one that has been read already, in a slot that is reserved, which in the
 * end is its own or given back.  `tried`: what was tried of it, if it is a read, or NULL. */
int submit__reserved(struct context *c, struct iocb_checker *checker, void *user,
                     const struct linux_iocb *iocb, const struct operation *tried,
                     struct batch *batch);

/* Wait for the writes to files that are in flight: the kernel's AIO completes
 * them after the process is gone. */
void submit__finish_writes(void);

/* In a forked child: nothing is in flight. */
void submit__reset(void);

#endif
