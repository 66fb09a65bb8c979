/* SPDX-License-Identifier: MIT */
/*
 * Waiting until descriptors are ready: one thread for all of them, however
 * many there are.  It is started when the first request waits and ends when
 * none has waited for a second.
 *
 * Of each request the poller knows a descriptor and an id, in the kernel's
 * readiness set (lib/os/readiness.h); there is no list of them here, and so
 * nothing to keep in step with: whoever moves a request out of WAITING removes
 * its descriptor, and a late report of it finds its id stale.
 *
 * Each descriptor belongs to one request: those that wait for one file have
 * each a duplicate of their own.
 */
#ifndef UAIO_POLLER_H
#define UAIO_POLLER_H

#include "request.h"

/*
 * Call engine__ready(id, readiness) once, as soon as the descriptor has any of
 * the `wanted` conditions (as of poll(), POLLERR and POLLHUP always).  0 or
 * -errno: no descriptor or no thread can be had, or it cannot be waited for.
 */
int poller__add(int fd, unsigned wanted, struct request_id id);

/* Before the descriptor is closed. */
void poller__remove(int fd);

/* In a forked child: nothing waits, and the parent's set is not ours. */
void poller__reset(void);

#endif
