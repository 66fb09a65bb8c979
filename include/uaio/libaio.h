/* SPDX-License-Identifier: MIT */
/*
 * Linux native asynchronous I/O: the interface of libaio 0.3.113.
 *
 * A program written for <libaio.h> compiles with this header unchanged, and
 * its object code fits either library: names, types and layouts are the same.
 * It takes the place of <libaio.h> (whichever of the two comes first counts)
 * and, like that, cannot be combined with <linux/aio_abi.h>, which has its own
 * struct iocb.  It compiles as C99 and as C++11.
 *
 * Errors: every function returns a negative errno value where it fails (that
 * is, -EINVAL and not -1), and leaves errno as it is.
 *
 * Thread safety: every function may be called from any number of threads at
 * once, on one context, too.  Signal safety: all are async-signal-safe, but
 * io_queue_run() only as much as the callbacks are, and io_destroy() and a wait
 * without a timeout may block as anywhere else.
 */
#ifndef __LIBAIO_H /* libaio's own guard */
#define __LIBAIO_H

#include <signal.h>
#include <string.h>
#include <sys/types.h>

#if !defined(__BYTE_ORDER__) || !defined(__SIZEOF_POINTER__)
# error "the compiler does not tell its byte order or the size of a pointer"
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;
struct sockaddr;
struct timespec;

/* A context.  Zero (NULL) before io_setup(); then the address of the ring. */
typedef struct io_context *io_context_t;

/* What a request does: aio_lio_opcode. */
typedef enum io_iocb_cmd {
    IO_CMD_PREAD = 0,
    IO_CMD_PWRITE = 1,
    IO_CMD_FSYNC = 2,
    IO_CMD_FDSYNC = 3,
    IO_CMD_POLL = 5,
    IO_CMD_NOOP = 6, /* refused with -EINVAL, as by the kernel */
    IO_CMD_PREADV = 7,
    IO_CMD_PWRITEV = 8
} io_iocb_cmd_t;

/*
 * The kernel sees 64-bit fields on every machine.  UAIO_WIDE widens a pointer
 * or a long to 64 bits, UAIO_PAIR shares 64 bits between two ints such that
 * the first is the low half.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
# define UAIO_PAIR(low, high) \
  low;                        \
  high
#else
# define UAIO_PAIR(low, high) \
  high;                       \
  low
#endif
#if __SIZEOF_POINTER__ == 8
# define UAIO_WIDE(field, pad) field
#else
# define UAIO_WIDE(field, pad) UAIO_PAIR(field, unsigned pad)
#endif

struct io_iocb_poll {
    UAIO_PAIR(int events, int __pad1); /* POLLIN and its like, 16 bits */
};

struct io_iocb_sockaddr {
    UAIO_WIDE(struct sockaddr *addr, __pad1);
    UAIO_WIDE(unsigned long len, __pad2);
};

struct io_iocb_common {
    UAIO_WIDE(void *buf, __pad1);
    UAIO_WIDE(unsigned long nbytes, __pad2);
    long long offset; /* bytes from the file's start */
    long long __pad3; /* must be 0 */
    unsigned flags;   /* 1: resfd is valid; 2: aio_reqprio is valid */
    unsigned resfd;   /* an eventfd, counted up by 1 at the completion */
};

struct io_iocb_vector {
    UAIO_WIDE(const struct iovec *vec, __pad1);
    UAIO_WIDE(unsigned long nr, __pad2);
    long long offset;
};

/*
 * A request.  The caller's again as soon as io_submit() returns; its address
 * is what names the request to io_cancel() and in the event, so it ought to
 * stay unused until then.  The data buffer is lent until the event.
 */
struct iocb {
    UAIO_WIDE(void *data, __pad1);    /* returned in the event */
    UAIO_PAIR(unsigned key,           /* io_submit() sets it to 0 */
              unsigned aio_rw_flags); /* RWF_* as for preadv2(2) */

    short aio_lio_opcode; /* IO_CMD_* */
    short aio_reqprio;    /* as for ioprio_set(2), if flags says so */
    int aio_fildes;

    union {
        struct io_iocb_common c;
        struct io_iocb_vector v;
        struct io_iocb_poll poll;
        struct io_iocb_sockaddr saddr;
    } u;
};

/* A completion.  res: bytes, 0, a mask of POLL* bits, or -errno; cast it to
 * long.  res2: 0. */
struct io_event {
    UAIO_WIDE(void *data, __pad1);
    UAIO_WIDE(struct iocb *obj, __pad2);
    UAIO_WIDE(unsigned long res, __pad3);
    UAIO_WIDE(unsigned long res2, __pad4);
};

/* The last argument of the system call io_pgetevents(), unlike io_pgetevents()
 * below; the second form for 32-bit programs on a 64-bit kernel. */
struct io_sigset {
    unsigned long ss;     /* the address of the mask */
    unsigned long ss_len; /* its length in bytes: 8 (MIPS: 16) */
};

struct io_sigset_compat {
    UAIO_WIDE(unsigned long ss, __ss_pad);
    unsigned long ss_len;
};

#undef UAIO_WIDE
#undef UAIO_PAIR

/* What io_queue_run() calls, with the event's res and res2. */
typedef void (*io_callback_t)(io_context_t ctx, struct iocb *iocb, long res, long res2);

/*
 * Make a context that takes at least `maxevents` requests at once.  *ctxp must
 * be 0, and is the context afterwards.
 *
 * Returns 0, or -EINVAL (*ctxp is not 0; maxevents is 0, negative or absurdly
 * large), -EFAULT (bad ctxp), -ENOMEM, or -EAGAIN (a bound on contexts that
 * was configured is used up).
 */
extern int io_setup(int maxevents, io_context_t *ctxp);

/*
 * Undo io_setup(): cancel what can be cancelled, wait for the rest.  After it
 * returns no event, eventfd or buffer of the context is touched.  Threads
 * waiting in io_getevents() return with -EINVAL.
 *
 * Returns 0, or -EINVAL (no such context).
 */
extern int io_destroy(io_context_t ctx);

/*
 * Queue the `nr` requests of ios[], in order, up to the first that is refused.
 * Does not block on I/O.
 *
 * Returns how many were queued (fewer than nr is no error: the rest is the
 * caller's to submit again), or if there was none the first one's error:
 *   -EAGAIN   the context is full
 *   -EBADF    aio_fildes is not open, or not in that mode
 *   -EFAULT   ios, a request or an iovec array is not readable
 *   -EINVAL   no such context, nr < 0, unknown opcode, fields that must be 0,
 *             or a descriptor that cannot do it
 *   -EOPNOTSUPP  unsupported aio_rw_flags
 */
extern int io_submit(io_context_t ctx, long nr, struct iocb *ios[]);

/*
 * Cancel a request.  If that is possible, its event arrives as any other does;
 * *evt is not written.
 *
 * Returns -EINPROGRESS (!) where the request is being cancelled, -EINVAL if it
 * is over, running, or unknown, as is the context; -EFAULT for a bad iocb.
 */
extern int io_cancel(io_context_t ctx, struct iocb *iocb, struct io_event *evt);

/*
 * Wait for `min_nr` events at least and take `nr` at most, for *timeout from
 * now (CLOCK_MONOTONIC; NULL is for ever, zero polls).  0 <= min_nr <= nr.
 *
 * Returns how many were stored in events[]: fewer than min_nr if time is up,
 * or if a signal was caught with at least one at hand.  Else -EINTR (a signal
 * was caught, with or without SA_RESTART), -EINVAL (no such context, bad
 * min_nr or nr) or -EFAULT (bad events or timeout; no event is lost).
 */
extern int io_getevents(io_context_t ctx, long min_nr, long nr, struct io_event *events,
                        struct timespec *timeout);

/* The same with *sigmask (unless NULL) as the thread's signal mask during the
 * wait, as in ppoll(2). */
extern int io_pgetevents(io_context_t ctx, long min_nr, long nr, struct io_event *events,
                         struct timespec *timeout, sigset_t *sigmask);

/* io_setup() with *ctxp set to 0 before.  -EINVAL for maxevents < 1. */
extern int io_queue_init(int maxevents, io_context_t *ctxp);

/* io_destroy(). */
extern int io_queue_release(io_context_t ctx);

/*
 * Take the events that are there, without waiting, and call for each the
 * io_callback_t in its request's `data`: every request of the context needs
 * one.  Returns 0, or io_getevents()'s error.
 */
extern int io_queue_run(io_context_t ctx);

static inline void io_set_callback(struct iocb *iocb, io_callback_t cb)
{
    /* ISO C has no cast from function to object pointers. */
    memcpy(&iocb->data, &cb, sizeof cb);
}

/* Have `eventfd` counted up by 1 when the request completes.  After
 * io_prep_*(), which clears the request. */
static inline void io_set_eventfd(struct iocb *iocb, int eventfd)
{
    iocb->u.c.flags |= 1u;
    iocb->u.c.resfd = (unsigned)eventfd;
}

/*
 * io_prep_*(): clear the request and fill it in.  `count` is in bytes, `iovcnt`
 * in entries of iov[] (at most 1024), `offset` in bytes from the file's start,
 * `flags` RWF_*, `events` POLL*.
 */
static inline void io_prep_pread(struct iocb *iocb, int fd, void *buf, size_t count,
                                 long long offset)
{
    memset(iocb, 0, sizeof *iocb);
    iocb->aio_lio_opcode = IO_CMD_PREAD;
    iocb->aio_fildes = fd;
    iocb->u.c.buf = buf;
    iocb->u.c.nbytes = count;
    iocb->u.c.offset = offset;
}

static inline void io_prep_pwrite(struct iocb *iocb, int fd, void *buf, size_t count,
                                  long long offset)
{
    io_prep_pread(iocb, fd, buf, count, offset);
    iocb->aio_lio_opcode = IO_CMD_PWRITE;
}

static inline void io_prep_preadv2(struct iocb *iocb, int fd, const struct iovec *iov, int iovcnt,
                                   long long offset, int flags)
{
    memset(iocb, 0, sizeof *iocb);
    iocb->aio_lio_opcode = IO_CMD_PREADV;
    iocb->aio_rw_flags = (unsigned)flags;
    iocb->aio_fildes = fd;
    iocb->u.v.vec = iov;
    iocb->u.v.nr = (unsigned long)iovcnt;
    iocb->u.v.offset = offset;
}

static inline void io_prep_pwritev2(struct iocb *iocb, int fd, const struct iovec *iov, int iovcnt,
                                    long long offset, int flags)
{
    io_prep_preadv2(iocb, fd, iov, iovcnt, offset, flags);
    iocb->aio_lio_opcode = IO_CMD_PWRITEV;
}

static inline void io_prep_preadv(struct iocb *iocb, int fd, const struct iovec *iov, int iovcnt,
                                  long long offset)
{
    io_prep_preadv2(iocb, fd, iov, iovcnt, offset, 0);
}

static inline void io_prep_pwritev(struct iocb *iocb, int fd, const struct iovec *iov, int iovcnt,
                                   long long offset)
{
    io_prep_pwritev2(iocb, fd, iov, iovcnt, offset, 0);
}

static inline void io_prep_poll(struct iocb *iocb, int fd, int events)
{
    memset(iocb, 0, sizeof *iocb);
    iocb->aio_lio_opcode = IO_CMD_POLL;
    iocb->aio_fildes = fd;
    iocb->u.poll.events = events;
}

static inline void io_prep_fsync(struct iocb *iocb, int fd)
{
    memset(iocb, 0, sizeof *iocb);
    iocb->aio_lio_opcode = IO_CMD_FSYNC;
    iocb->aio_fildes = fd;
}

static inline void io_prep_fdsync(struct iocb *iocb, int fd)
{
    io_prep_fsync(iocb, fd);
    iocb->aio_lio_opcode = IO_CMD_FDSYNC;
}

/* Prepare and submit one request with a callback: 1, or as io_submit(). */
static inline int io_poll(io_context_t ctx, struct iocb *iocb, io_callback_t cb, int fd, int events)
{
    io_prep_poll(iocb, fd, events);
    io_set_callback(iocb, cb);
    return io_submit(ctx, 1, &iocb);
}

static inline int io_fsync(io_context_t ctx, struct iocb *iocb, io_callback_t cb, int fd)
{
    io_prep_fsync(iocb, fd);
    io_set_callback(iocb, cb);
    return io_submit(ctx, 1, &iocb);
}

static inline int io_fdsync(io_context_t ctx, struct iocb *iocb, io_callback_t cb, int fd)
{
    io_prep_fdsync(iocb, fd);
    io_set_callback(iocb, cb);
    return io_submit(ctx, 1, &iocb);
}

#ifdef __cplusplus
}
#endif

#endif
