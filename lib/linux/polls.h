/* SPDX-License-Identifier: MIT */
/* The polls of a context that wait for readiness: the requests that can be
 * cancelled. */
#ifndef UAIO_LINUX_POLLS_H
#define UAIO_LINUX_POLLS_H

#include "context.h"

/* [all signals blocked] Begin to wait: 0, or -errno and it is still the
 * caller's. */
int polls__add(struct context *c, struct request *r);
void polls__remove(struct context *c, struct request *r);

/* Cancel the one of that iocb; false if there is none, or it was too late. */
bool polls__cancel(struct context *c, uint64_t object);

void polls__cancel_all(struct context *c);

#endif
