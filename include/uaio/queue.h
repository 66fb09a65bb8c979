/* SPDX-License-Identifier: MIT */
/*
 * Completion queues: requests of <uaio/aio.h> that are collected when they are
 * over, in the order in which they ended, instead of being asked for one by one.
 *
 *     struct uaio_queue *queue;
 *     uaio_queue_open(&queue, NULL);
 *     cb.aio_sigevent.sigev_notify = UAIO_SIGEV_QUEUE;
 *     cb.aio_sigevent.sigev_value.sival_ptr = queue;
 *     uaio_read(&cb);
 *     ...
 *     ssize_t n = uaio_waitcomplete(queue, &done, NULL);
 *
 * Each request belongs to at most one queue, and leaves it when its result is
 * taken by uaio_waitcomplete() or uaio_return(), or when uaio_waitn() gives it
 * out.  Until then the control block must stay where it is, also when
 * uaio_error() says that the request is over: unlike a request that is in no
 * queue.  Submitted anew before that, it is given out once, for the later
 * request; if it was cleared as a whole in between, it must stay until its first
 * request would have been given out, too.
 *
 * NULL in place of a queue is the queue of the process, as FreeBSD's
 * aio_waitcomplete() has it: it gets every request that names no other, however
 * that is notified besides.  It exists from the first call with NULL of
 * uaio_waitcomplete(), uaio_waitn() or uaio_queue_fd() on, or from the first
 * submission that names it: what was submitted before is not in it.
 *
 * The child of a fork has none of its parent's queues: they are EINVAL there.
 *
 * Thread safety: every function may be called from any number of threads at
 * once, on one queue too.  Signal safety: uaio_waitcomplete() and uaio_waitn()
 * are async-signal-safe, unless called with NULL for the first time.
 */
#ifndef UAIO_QUEUE_FACE_H
#define UAIO_QUEUE_FACE_H

#include <uaio/aio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uaio_queue;

/* aio_sigevent.sigev_notify of a request that goes to a queue, whose address is
 * in aio_sigevent.sigev_value.sival_ptr.  Not for uaio_lio_listio()'s own. */
#define UAIO_SIGEV_QUEUE 0x7561

/* The most queues of a process. */
#define UAIO_QUEUES_MAX 1023

/* Which of the library's settings a queue has of its own. */
enum uaio_choice {
    UAIO_INHERIT, /* as in the environment, see the README */
    UAIO_OFF,
    UAIO_ON
};

struct uaio_queue_settings {
    size_t size;           /* sizeof(struct uaio_queue_settings) */
    unsigned max_requests; /* in the queue, over or not; beyond it a submission fails with
                                      EAGAIN.  0: no bound but the library's */
    enum uaio_choice
        inline_reads;      /* reads that the page cache can serve are done by the submitter */
    enum uaio_choice help; /* who waits for the one request there is runs it himself */
};

/*
 * Open a queue.  settings: NULL, or zeroed but for size and what is to differ.
 *
 * Returns 0, or -1 with errno EINVAL (settings that cannot be) or EMFILE
 * (UAIO_QUEUES_MAX are open).
 */
UAIO_API int uaio_queue_open(struct uaio_queue **queue, const struct uaio_queue_settings *settings);

/*
 * Close a queue, and its descriptor.  What is over in it and was not taken is
 * out of it, with its result.
 *
 * Returns 0, or -1 with errno EINVAL (no open queue) or EBUSY (requests of it
 * are in progress).
 */
UAIO_API int uaio_queue_close(struct uaio_queue *queue);

/*
 * A descriptor that is readable as long as there is a request in the queue that
 * is over: for poll() and epoll_wait() (edge-triggered: take all).  An eventfd,
 * where there is such a thing, with FD_CLOEXEC.  It is the library's, the same at
 * each call: do not read, write or close it.
 *
 * Returns the descriptor, or -1 with errno EINVAL (no open queue), or that of
 * eventfd(2) or pipe(2).
 */
UAIO_API int uaio_queue_fd(struct uaio_queue *queue);

/*
 * Wait for at most *timeout (on CLOCK_MONOTONIC; NULL is for ever, zero polls)
 * until a request in the queue is over, and take it: the first to have ended.
 * A cancellation point.  [FreeBSD's aio_waitcomplete()]
 *
 * Returns what uaio_return() would, -1 with the request's error in errno too,
 * and its control block in *aiocbp.  If there is none, *aiocbp is NULL, and it
 * returns -1 with errno
 *   EAGAIN    time is up
 *   EINTR     a signal was caught, with or without SA_RESTART
 *   EINVAL    no open queue, or bad timespec
 */
UAIO_API ssize_t uaio_waitcomplete(struct uaio_queue *queue, struct uaio_aiocb **aiocbp,
                                   const struct timespec *timeout);

/*
 * Wait as uaio_waitcomplete() until *nwait (1..nent) requests are over, or
 * all that there are in the queue, and give out up to nent of them, in the order
 * in which they ended: their control blocks in list[], their number in *nwait.
 * The results are still to be had, by uaio_error() and uaio_return().
 * A cancellation point.  [Solaris' aio_waitn()]
 *
 * Returns 0; or -1, with in list[] and *nwait what there is all the same, and errno
 *   EAGAIN    there is no request in the queue
 *   ETIME     time is up
 *   EINTR     a signal was caught, with or without SA_RESTART
 *   EINVAL    no open queue, nent or *nwait out of range, or bad timespec; *nwait
 *             is left alone
 */
UAIO_API int uaio_waitn(struct uaio_queue *queue, struct uaio_aiocb *list[], unsigned nent,
                        unsigned *nwait, const struct timespec *timeout);

#ifdef __cplusplus
}
#endif

#endif
