/* SPDX-License-Identifier: MIT */
/*
 * POSIX asynchronous I/O under uaio's own names.
 *
 * The functions are those of POSIX.1-2017 <aio.h> with the leading `aio_`
 * made `uaio_` (and `uaio_` put before `lio_listio`), so that a program can
 * use them beside the system's own.  The semantics are the standard's; where
 * it leaves a choice, the comment below says what is chosen.  The header
 * needs no <aio.h> and compiles as C11 and as C++11.
 *
 * Thread safety: every function may be called from any number of threads at
 * once.  Signal safety: uaio_error(), uaio_return() and uaio_suspend() are
 * async-signal-safe; the others are not.
 *
 * With the feature macros _POSIX_C_SOURCE >= 199309L (or the compiler's GNU
 * mode, which is the default) <signal.h> gives the struct sigevent needed.
 */
#ifndef UAIO_AIO_H
#define UAIO_AIO_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
# define UAIO_API __attribute__((visibility("default")))
#else
# define UAIO_API
#endif

/* What uaio_cancel() returns. */
#define UAIO_CANCELED 0    /* all that was asked for is cancelled */
#define UAIO_NOTCANCELED 1 /* at least one request runs and goes on */
#define UAIO_ALLDONE 2     /* nothing was left to cancel */

/* aio_lio_opcode, read by uaio_lio_listio() alone.  With UAIO_LIO_VECTORED a
 * read or write is as uaio_readv() and uaio_writev(). */
#define UAIO_LIO_READ 0
#define UAIO_LIO_WRITE 1
#define UAIO_LIO_NOP 2
#define UAIO_LIO_VECTORED 0x100
#define UAIO_LIO_READV (UAIO_LIO_READ | UAIO_LIO_VECTORED)
#define UAIO_LIO_WRITEV (UAIO_LIO_WRITE | UAIO_LIO_VECTORED)

/* The most segments of uaio_readv() and uaio_writev(). */
#define UAIO_IOV_MAX 1024

/* The mode of uaio_lio_listio(). */
#define UAIO_LIO_WAIT 0
#define UAIO_LIO_NOWAIT 1

/* The largest aio_reqprio.  0 is the highest priority, this the lowest. */
#define UAIO_PRIO_DELTA_MAX 20

/*
 * A request's control block.  The caller owns it, and must keep it and the
 * buffer alive and unchanged from submission until uaio_error() gives
 * something else than EINPROGRESS; from then on it is the caller's wholly
 * (if it is in no queue: see <uaio/queue.h>).
 * It needs no initialisation but of the public fields.  The layout is the
 * one that glibc and musl give to struct aiocb (struct aiocb64 on 32-bit).
 */
struct uaio_aiocb {
    int aio_fildes;               /* the descriptor */
    int aio_lio_opcode;           /* UAIO_LIO_*; uaio_lio_listio() only */
    int aio_reqprio;              /* 0..UAIO_PRIO_DELTA_MAX, lowers the priority */
    volatile void *aio_buf;       /* the data; vectored: an array of struct iovec */
    size_t aio_nbytes;            /* its length in bytes, at most SSIZE_MAX; vectored: how many */
    struct sigevent aio_sigevent; /* how to tell of the completion */
    void *uaio_private_0;
    int uaio_private_1[2];
    int uaio_private_status;
    ssize_t uaio_private_result;
    int64_t aio_offset; /* bytes from the file's start; ignored if not seekable */
    unsigned uaio_private_2[8];
};

/* glibc's struct aioinit.  Fields that are not named below are ignored. */
struct uaio_init {
    int aio_threads;   /* the largest number of I/O threads; < 1 counts as 1 */
    int aio_num;       /* requests expected at once: memory is set aside */
    int aio_locks;     /* ignored */
    int aio_usedba;    /* ignored */
    int aio_debug;     /* ignored */
    int aio_numusers;  /* ignored */
    int aio_idle_time; /* seconds that an idle thread stays; 0 keeps the setting */
    int aio_reserved;
};

/*
 * Queue a read of aio_nbytes bytes at aio_offset into aio_buf.
 * [POSIX.1-2017, XSH aio_read()]
 *
 * Returns 0 if the request is queued: what becomes of it is told by
 * uaio_error(), a bad descriptor (EBADF) included.  Else -1, nothing is
 * queued, and errno is
 *   EAGAIN     the bound on requests (UAIO_MAX_REQUESTS) or memory is used up
 *   EINVAL     bad aio_reqprio, aio_nbytes > SSIZE_MAX, negative aio_offset on
 *              a seekable descriptor, or unusable aio_sigevent
 */
UAIO_API int uaio_read(struct uaio_aiocb *aiocbp);

/*
 * Queue a write; otherwise as uaio_read().  On a descriptor with O_APPEND at
 * the time of the call the data go to the end of the file, in call order.
 * [POSIX.1-2017, XSH aio_write()]
 */
UAIO_API int uaio_write(struct uaio_aiocb *aiocbp);

/*
 * Queue a read into, or a write from, several buffers: aio_buf points to
 * aio_nbytes (0..UAIO_IOV_MAX) struct iovec.  Otherwise as uaio_read() and
 * uaio_write(); the sum of the lengths is at most SSIZE_MAX.  The array is
 * read at submission, and the caller's again when the call returns; the
 * buffers are lent until the end, as always.
 * [FreeBSD's aio_readv() and aio_writev()]
 *
 * Also -1 with errno EINVAL for too many segments or bytes, EAGAIN where there
 * is no memory to copy the array to.
 */
UAIO_API int uaio_readv(struct uaio_aiocb *aiocbp);
UAIO_API int uaio_writev(struct uaio_aiocb *aiocbp);

/*
 * Queue an fsync (op O_SYNC) or fdatasync (op O_DSYNC) that runs once every
 * request queued on aio_fildes, or on another descriptor of the same file,
 * before this call is done, and completes with the error of the first of
 * them that failed.  Of *aiocbp only aio_fildes and aio_sigevent are read.
 * [POSIX.1-2017, XSH aio_fsync()]
 *
 * Returns 0, or -1 with errno EAGAIN, EBADF (not open) or EINVAL (other op,
 * or unusable aio_sigevent).
 */
UAIO_API int uaio_fsync(int op, struct uaio_aiocb *aiocbp);

/*
 * The request's status: EINPROGRESS, 0, the errno it failed with, or
 * ECANCELED.  EINVAL for a control block that was never submitted (0 if it is
 * zero-filled).  Never blocks, takes no lock; async-signal-safe.
 * [POSIX.1-2017, XSH aio_error()]
 */
UAIO_API int uaio_error(const struct uaio_aiocb *aiocbp);

/*
 * The request's result, once: what read(), write() or fsync() would have
 * returned.  -1 with errno EINPROGRESS while it is in progress, EINVAL for a
 * second call or a control block that was never submitted, or the request's
 * own error.  Never blocks; async-signal-safe.
 * [POSIX.1-2017, XSH aio_return()]
 */
UAIO_API ssize_t uaio_return(struct uaio_aiocb *aiocbp);

/*
 * Wait until one of the listed requests is done, for at most *timeout (on
 * CLOCK_MONOTONIC; NULL is for ever, zero polls).  NULL entries are ignored;
 * with nothing to wait for it returns 0 at once.  Async-signal-safe, and a
 * cancellation point.  [POSIX.1-2017, XSH aio_suspend()]
 *
 * Returns 0, or -1 with errno EAGAIN (time is up), EINTR (a signal was
 * caught, with or without SA_RESTART) or EINVAL (nent < 0, bad timespec).
 */
UAIO_API int uaio_suspend(const struct uaio_aiocb *const list[], int nent,
                          const struct timespec *timeout);

/*
 * Cancel one request, or with NULL all requests of the descriptor.  A
 * cancelled request has the status ECANCELED, the result -1, and its
 * notification is sent.  Never blocks on I/O.
 * [POSIX.1-2017, XSH aio_cancel()]
 *
 * Returns UAIO_CANCELED, UAIO_NOTCANCELED or UAIO_ALLDONE; or -1 with errno
 * EBADF (fildes is not open; checked first) or EINVAL (aiocbp is for another
 * descriptor).
 */
UAIO_API int uaio_cancel(int fildes, struct uaio_aiocb *aiocbp);

/*
 * Queue a list of requests with one wake-up.  NULL entries and UAIO_LIO_NOP
 * are ignored.  UAIO_LIO_WAIT returns when all are done, and ignores sig;
 * with UAIO_LIO_NOWAIT sig (if not NULL) is sent once all are done.  The list
 * and *sig may go out of scope when the call returns.
 * [POSIX.1-2017, XSH lio_listio()]
 *
 * Returns 0, or -1 with errno
 *   EINVAL   bad mode, nent < 0 or unusable *sig; nothing was started
 *   EAGAIN   some could not be queued (their status is EAGAIN); the rest runs
 *   EIO      some are not valid (UAIO_LIO_WAIT: or failed): see each status
 *   EINTR    UAIO_LIO_WAIT was interrupted by a signal; the requests run on
 */
UAIO_API int uaio_lio_listio(int mode, struct uaio_aiocb *const list[], int nent,
                             struct sigevent *sig);

/*
 * Tune the engine, as glibc's aio_init(): see struct uaio_init.  Settings in
 * the environment go before these.  May be called at any time; NULL is
 * ignored.
 */
UAIO_API void uaio_init(const struct uaio_init *init);

#ifdef __cplusplus
}
#endif

#endif
