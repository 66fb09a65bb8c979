/* SPDX-License-Identifier: MIT */
/*
 * A set of descriptors of which the kernel tells which are ready.
 * readiness_epoll.c (Linux), readiness_poll.c (POSIX).
 */
#ifndef UAIO_OS_READINESS_H
#define UAIO_OS_READINESS_H

#include <stdbool.h>
#include <stdint.h>

struct readiness {
    uint64_t tag;
    unsigned conditions; /* as of poll() */
};

/*
 * A set, by a descriptor of its own, or -errno.  In `*second` another one that
 * it needs, or -1.
 */
int uaio__readiness_open(int *second);
void uaio__readiness_close(int set);

/*
 * Report the descriptor once, when it has any of the conditions, in place of an
 * earlier watch of the same; also while another thread waits.  0 or -errno:
 * -EPERM if it cannot be waited for.  [one thread at a time]
 */
int uaio__readiness_watch(int set, int fd, unsigned conditions, uint64_t tag);

/* Afterwards the descriptor's file is not in use by the set any more.  [the same;
 * it may have to wait until the thread that waits has looked up] */
void uaio__readiness_unwatch(int set, int fd);

/* Have the thread that waits return, now or when it waits next: false if that
 * cannot be done.  Async-signal-safe. */
bool uaio__readiness_poke(int set);

/* Up to `max` that are ready; 0 after `timeout_ms` without any, or poked.  For one
 * thread. */
int uaio__readiness_wait(int set, struct readiness *ready, int max, int timeout_ms);

#endif
