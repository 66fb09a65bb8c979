/* SPDX-License-Identifier: MIT */
/*
 * Waiting until descriptors are ready: one thread for all of them, however
 * many there are.  It is started when the first request waits and ends when
 * none has waited for a second.
 *
 * Of what waits the poller knows a descriptor and a tag, in the kernel's
 * readiness set (lib/os/readiness.h); there is no list of it here, and so
 * nothing to keep in step with: a report whose tag means nothing any more is
 * dropped.  Each watch ends with its first report (engine__ready()).
 *
 * Two kinds of watches: of a request, on a duplicate of its own, and of a lane
 * (order.h), on the program's descriptor, for the requests whose turn it is.
 *
 * Locks.  `starting` is held while the thread is made; nobody who holds a lock
 * that a thread may wait for in malloc() takes it.  `lock`, the last of all, for
 * a system call at most.  Both with all signals blocked.
 */
#ifndef UAIO_POLLER_H
#define UAIO_POLLER_H

#include "request.h"

/*
 * Someone may want to wait: from now on, and until poller__unuse(), a thread
 * that is there stays.  Async-signal-safe.
 */
void poller__use(void);
void poller__unuse(void);

/* Have the thread, if there is none yet: 0 or -errno.  [all signals blocked, in
 * use] */
int poller__start(void);

/*
 * [all signals blocked, in use] Call engine__ready() with the tag once, as soon
 * as the descriptor has any of the conditions (as of poll(); POLLERR and
 * POLLHUP always), in place of an earlier watch of the same.  0 or -errno: it
 * cannot be waited for; -ENXIO: nobody has started the thread.
 */
int poller__watch(int fd, unsigned conditions, uint64_t tag);

/* The same for a request that is alone on its descriptor.  A request's tag. */
int poller__watch_request(int fd, unsigned conditions, struct request_id id);
struct request_id poller__request_of(uint64_t tag);
bool poller__is_request(uint64_t tag);

/* A lane's tag: its index, and in the low half a serial number. */
uint64_t poller__lane_tag(uint32_t index, uint32_t serial);
uint32_t poller__lane_index(uint64_t tag);

/* Have the thread call engine__attend(), soon: false if it is not there, or
 * cannot hear.  Async-signal-safe. */
bool poller__poke(void);

/* Before the descriptor is closed. */
void poller__unwatch(int fd);

/* In a forked child: nothing waits, and the parent's set is not ours. */
void poller__reset(void);

#endif
