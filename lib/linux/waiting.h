/* SPDX-License-Identifier: MIT */
/*
 * The requests of a context that wait for readiness, or for their turn to: polls,
 * and what reads or writes pipes, sockets and their like.  They can be cancelled.
 */
#ifndef UAIO_LINUX_WAITING_H
#define UAIO_LINUX_WAITING_H

#include "context.h"

/*
 * [all signals blocked] List it, before it is posted; a poll begins to wait.  0,
 * or -errno: the context is being destroyed, or it cannot be polled; then it is
 * still the caller's.
 */
int waiting__add(struct context *c, struct request *r);
void waiting__remove(struct context *c, struct request *r);

/* Cancel the one of that iocb; false if there is none, or it was too late. */
bool waiting__cancel(struct context *c, uint64_t object);

void waiting__cancel_all(struct context *c);

#endif
