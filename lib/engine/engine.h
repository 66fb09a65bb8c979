/* SPDX-License-Identifier: MIT */
/*
 * The engine, as the faces see it: submit, wait, help, cancel.
 *
 * A face fills in a struct submission, and gets back either a result that is
 * there already (nothing was queued, no request exists) or the id of a request
 * in flight.  Everything is O(1) in the number of requests in flight and of
 * descriptors in use.
 */
#ifndef UAIO_ENGINE_H
#define UAIO_ENGINE_H

#include "list.h"
#include "notify.h"
#include "operation.h"
#include "readiness.h"
#include "request.h"
#include "spread.h"
#include "wait.h"

/* May a read be tried in the submitting thread? */
enum inline_reads { INLINE_AS_SET, INLINE_NEVER, INLINE_ALWAYS };

/* What a face wants done. */
struct submission {
    struct operation operation; /* kind, fd, buffer, nbytes, offset, flags; its vector becomes
                                   the engine's in any case */
    int status;                 /* if status_known: the descriptor's flags as of F_GETFL */
    bool status_known;
    unsigned priority; /* 0 (the highest) .. POOL_PRIORITIES - 1 */
    struct notice notice;
    const struct request_face *face;
    void *cookie;
    struct request *list; /* which it joins, or NULL */
    enum inline_reads inline_reads;
    bool numbered;       /* the engine's, as in struct request ... */
    uint16_t generation; /* ... the same */
    int64_t began_ns;    /* ... the same */
    _Alignas(8) unsigned char face_data[REQUEST_FACE_BYTES]; /* copied, if there is no notice */
};

/* Requests that are ready to be posted, the newest first. */
struct batch {
    struct pool_job *newest;
    struct pool_job *oldest;
    enum pool_class class;    /* theirs, or POOL_BLOCKING if they differ */
    struct pool_job *streams; /* see stream.h */
    struct pool_job *over;    /* done already: to be published once the rest is posted */
};

/*
 * Prepare the submission, and do it if it cannot block.  One of
 *   *refused         the call fails with the result: -EAGAIN, -EINVAL, or for
 *                    a sync -EBADF
 *   *request NULL    it is over with that result, which the face publishes;
 *                    there is nobody to notify
 *   else             the face stores the request's id in the control block,
 *                    and then calls engine__add()
 */
ssize_t engine__prepare(struct submission *s, struct request **request, bool *refused);

/*
 * Before that, and before there is a submission: a read which nobody is notified of,
 * if the page cache has it and what is known of the number is enough (descriptor.h).
 * Its result, never an error, and it is over; or OPERATION_PENDING, and the submission
 * begins with the operation as it is.  The caller can be cancelled nowhere in it.
 */
ssize_t engine__read_known(struct operation *op);

/*
 * The same for several of one submission, some of them in another thread meanwhile
 * (spread.h), and of descriptors that the caller knows not to be O_DIRECT.  What is
 * still pending is to be prepared.
 */
void engine__read_cached(struct cached_read *reads, unsigned n);

/* Is that wanted? */
bool engine__reads_inline(void);

/* Add a prepared request to those that engine__post() starts. */
void engine__add(struct batch *batch, struct request *r);

/* What engine__post() does if there is anything. */
void engine__post_some(struct batch *batch);

static inline void engine__post(struct batch *batch)
{
    if (batch->newest || batch->streams || batch->over)
        engine__post_some(batch);
}

/*
 * In place of adding: wait for the readiness of a prepared OPERATION_POLL.  It
 * may be over before this returns.  -EAGAIN: no means to wait, -EPERM: the file
 * cannot be waited for; then the caller still has it, to be dropped.
 */
int engine__watch(struct request *r);

/* Forget a prepared request that is neither added nor watched. */
void engine__drop(struct request *r);

/* The poller has found descriptors ready.  True if anything came of it. */
bool engine__ready(const struct readiness *ready, int n);

/*
 * Run the request in the calling thread, if it is still queued and is one
 * that a waiter may run, and wants to run now.  False: it is not ours to run.  True: it
 * has been run, or at least time has passed.
 */
bool engine__help(struct request_id id, unsigned how);

/* Timeouts below are kept exactly; above, a helped request may overrun them. */
#define HELP_TIMEOUT_NS 100000000

/* How far a waiter goes. */
enum {
    HELP_SLEEPERS = 1,   /* requests that sleep, too: there is nothing else to wait for */
    HELP_NEIGHBOURS = 2, /* requests that compute, though others are in flight */
    HELP_COPIES = 4,     /* what is in the page cache, and is left alone if it is not */
};

/* Would it be worth a try?  With this request; in that way with any. */
bool engine__helpable(struct request_id id);
bool engine__help_wanted(unsigned how);

/* The thread will sleep: what was left to its help (habit.h) is for the workers. */
void engine__stop_helping(void);

/* The pool; the first call makes it, and each looks whether this is a new process. */
struct pool *engine__pool(void);

/* The same, where there have been requests. */
extern struct pool engine__io;

/* Call `tidy` whenever the last worker has ended.  For one face. */
void engine__when_idle(void (*tidy)(void));

enum cancel_result {
    CANCEL_DONE,    /* cancelled: published and notified */
    CANCEL_RUNNING, /* it goes on */
    CANCEL_OVER,    /* it was over already; or was half done, and is over now */
};

enum cancel_result engine__cancel(struct request_id id);

/* All requests of the face on the descriptor, together. */
enum cancel_result engine__cancel_all(int fd, const struct request_face *face);

/*
 * Before a descriptor that is in use (descriptor__in_use()) is closed: end the
 * requests that run on that number, cancelled or finished.  Nothing is done if
 * this is not the process that made them.  Async-signal-safe: threads that are
 * wanted for what it sets free, callbacks (SIGEV_THREAD) for one, are started by
 * engine__attend() in others.
 */
void engine__closing(int fd);
void engine__attend(void);

/* The program has shut the socket down: not all kinds of sockets tell who waits
 * for readiness.  [descriptor__in_use()] */
void engine__shut_down(int fd);

/* glibc's aio_init(): settings from the environment go before these.
 * Negative: no change. */
void engine__tune(int threads, int expected_requests, int idle_seconds);

#endif
