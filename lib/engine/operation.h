/* SPDX-License-Identifier: MIT */
/*
 * What a request does: one read, write, sync or wait for readiness, as
 * ordinary system calls.
 *
 * operation__prepare() runs in the submitting thread.  It finds out what the
 * descriptor is and does the operation there and then if that cannot block: a
 * read that the page cache can serve.  operation__attempt() does as much of an
 * operation on a stream as is possible without waiting, when its turn has come
 * and whenever the stream is ready.  operation__run() runs in a thread that may
 * block.  None of them touches anything but the descriptor and the buffer, or
 * takes a lock; none is a cancellation point.
 *
 * Only success is taken from an attempt that must not block.  Any error sends
 * the operation to the pool, whose plain call tells for certain.
 */
#ifndef UAIO_OPERATION_H
#define UAIO_OPERATION_H

#include "queue.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum operation_kind {
    OPERATION_READ,
    OPERATION_WRITE,
    OPERATION_SYNC,     /* fsync */
    OPERATION_DATASYNC, /* fdatasync */
    OPERATION_POLL,     /* wait until the descriptor is ready */
    OPERATION_LIST,     /* nothing: stands for a list of requests */
    OPERATION_KINDS,
};

/* Which file: two descriptors of one file have the same. */
struct file_identity {
    uint64_t device;
    uint64_t inode;
};

struct vector;

struct operation {
    uint8_t kind;        /* enum operation_kind */
    bool stream : 1;     /* no file position: a pipe, a socket, a terminal */
    bool once : 1;       /* of a stream: O_NONBLOCK, one attempt decides */
    bool append : 1;     /* a write with O_APPEND */
    bool blocking : 1;   /* expected to sleep rather than to compute */
    bool tried : 1;      /* a read: prepare() has looked into the page cache, in vain */
    bool identified : 1; /* `file` is known (syncs only) */
    bool barrier : 1;    /* a sync that covers what was submitted before it */
    bool positioned : 1; /* a file: need not be asked for positions */
    /* Bytes of their own: they change while others look at those above. */
    bool vectored;   /* its owner's; `vector` in place of `buffer` */
    bool reopened;   /* its owner's; of a stream: `again` is open */
    bool must_wait;  /* its owner's; of a stream: no attempt is possible that does not wait */
    bool closed;     /* its descriptor was closed before it was queued */
    uint16_t ioprio; /* the I/O priority to run with, or 0 for the thread's own */
    union {
        int error;          /* sync: the errno of a covered request that failed, or 0 */
        uint32_t flags;     /* read, write: RWF_* of preadv2(), or 0 */
        unsigned readiness; /* poll: what to wait for, as of poll() */
    };
    int fd;
    union {
        struct { /* reads and writes */
            union {
                void *buffer;
                struct vector *vector; /* the operation's own, see vector.h */
            };
            size_t nbytes; /* at most SSIZE_MAX; of a vector the sum */
            union {
                int64_t offset;
                int again; /* of a stream: the same file again, our own */
            };
            size_t done; /* bytes that are transferred already */
        };
        struct { /* syncs */
            struct file_identity file;
            struct queue_node barrier_node; /* order.c's, while the sync is held */
        };
    };
};

/* What prepare() returns if the operation is still to be run. */
#define OPERATION_PENDING ((ssize_t)INT32_MIN)

/*
 * Classify a read or write, and do it if that cannot block.  Its result (>= 0
 * or -errno), which is to be published, or OPERATION_PENDING.  `status`: the
 * descriptor's flags as of F_GETFL, or negative if they are yet to be asked
 * for.  *invalid is set if the offset is negative and matters: the call must
 * be refused.
 */
ssize_t operation__prepare(struct operation *op, int status, bool may_inline, bool *invalid);

/*
 * The part of that which asks nothing of the descriptor first, see descriptor.h.
 * Whoever calls it can be cancelled nowhere in it.  OPERATION_PENDING: prepare it.
 */
ssize_t operation__read_known(struct operation *op);

/* The same of a number that is known, or has just been asked, not to be O_DIRECT. */
ssize_t operation__read_cached(struct operation *op);

/* Prepare a sync that is a barrier: 0, or -EBADF if the descriptor is not open. */
int operation__prepare_sync(struct operation *op);

/*
 * Do what can be done of an operation on a stream without waiting.  Its result
 * or -errno; or OPERATION_PENDING: to be attempted again when the descriptor is
 * ready, or, if `must_wait` is set, to be run then.
 */
ssize_t operation__attempt(struct operation *op);

/* Of one that must_wait: it need not, now. */
bool operation__is_ready(const struct operation *op);

/* Let an operation on a stream that must wait run on a descriptor of its own, so
 * that nobody who closes the program's has to wait for it.  False: none. */
bool operation__detach(struct operation *op);

/* Of one that copies: do it as far as the page cache has it.  The result; or, for
 * operation__run() to do the rest, OPERATION_PENDING. */
ssize_t operation__copy(struct operation *op);

/* Do it, blocking for as long as it takes.  The result, or -errno. */
ssize_t operation__run(struct operation *op);

/* The result of an operation that ends here with that error: of what is half
 * done, what read() and write() would say, the bytes that it was. */
static inline ssize_t operation__cut_short(const struct operation *op, int error)
{
    return op->kind <= OPERATION_WRITE && op->done > 0 ? (ssize_t)op->done : -error;
}

/* It is over, or will not be: give back what it owns. */
void operation__discard(struct operation *op);

/* Does it move bytes through something without positions? */
static inline bool operation__is_stream(const struct operation *op)
{
    return op->stream && op->kind <= OPERATION_WRITE;
}

/* A stream whose attempt always decides: the program's own mode is not to wait,
 * or there is nothing to wait for. */
static inline bool operation__never_waits(const struct operation *op)
{
    return op->once || (op->nbytes == 0 && op->kind == OPERATION_READ);
}

/* Must order be kept among operations of one descriptor and direction? */
static inline bool operation__ordered(const struct operation *op)
{
    return op->append || operation__is_stream(op);
}

/* A large read that is expected to be in the page cache: only a try will tell. */
static inline bool operation__copies(const struct operation *op)
{
    return op->kind == OPERATION_READ && !op->blocking;
}

static inline bool operation__is_sync(const struct operation *op)
{
    return op->kind == OPERATION_SYNC || op->kind == OPERATION_DATASYNC;
}

/* Which file it is: 0 or -errno. */
int operation__identify(int fd, struct file_identity *file);

#endif
