/* SPDX-License-Identifier: MIT */
/*
 * Telling the program that a request is over: a signal or a callback, exactly
 * once, never lost.
 *
 * Signals are sent by whoever completes the request.  Those that find the
 * kernel's queue full (RLIMIT_SIGPENDING) form a line, and one thread of the
 * notification pool tries again until they fit.
 *
 * Callbacks run on a pool of their own, whose threads, unlike the I/O pool's,
 * have the system's default stack and run the callback with all signals
 * unblocked and cancellation enabled.  A callback may do as it likes: block for
 * ever, call pthread_exit(), be cancelled; it costs one thread, and others are
 * started.  One with thread attributes gets a thread made with them.  When no
 * thread can be created at all, it runs in the completing thread.
 */
#ifndef UAIO_NOTIFY_H
#define UAIO_NOTIFY_H

#include "request.h"

/* Before the first notice: start nothing yet, but know how. */
void notify__init(unsigned idle_ms);

/* Can a notice of that content be sent?  0 or -EINVAL. */
int notify__check(const struct notice *notice);

/*
 * Send the request's notice; its status is visible and its waiters are awake.
 * Calls list__member_over() (list.h) for its group when it is delivered.  False:
 * a callback has run here, for want of threads, and forked, and this is the
 * child: the request is not ours.
 */
bool notify__send(struct request *r);

/* Of the callbacks; once it is made. */
extern struct pool notify__callbacks;
struct pool *notify__pool(void);

#endif
