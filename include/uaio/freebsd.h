/* SPDX-License-Identifier: MIT */
/*
 * What FreeBSD's <aio.h> has beyond the standard's, for programs that are linked
 * with libuaio-rt.so, or run under libuaio-preload.so: to be included after or in
 * place of <aio.h>.
 *
 * aio_readv() and aio_writev() are uaio_readv() and uaio_writev() of
 * <uaio/aio.h>; aio_waitcomplete() is uaio_waitcomplete() of <uaio/queue.h> on
 * the queue of the process.  Of a program, or a library of it, that is linked to
 * aio_waitcomplete() all requests are collected from the start; of one that finds
 * it by dlsym(), from its first call on.
 *
 * Thread safety: all may be called from any number of threads at once.  Signal
 * safety: aio_waitcomplete() is async-signal-safe.
 */
#ifndef UAIO_FREEBSD_H
#define UAIO_FREEBSD_H

#include <aio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The segments of aio_readv() and aio_writev(): aio_iovcnt struct iovec. */
#ifndef aio_iov
# define aio_iov aio_buf
# define aio_iovcnt aio_nbytes
#endif

/* aio_lio_opcode, besides LIO_READ and LIO_WRITE. */
#ifndef LIO_VECTORED
# define LIO_VECTORED 0x100
# define LIO_READV (LIO_READ | LIO_VECTORED)
# define LIO_WRITEV (LIO_WRITE | LIO_VECTORED)
#endif

#if defined(_FILE_OFFSET_BITS) && _FILE_OFFSET_BITS == 64 && defined(__GLIBC__)
# define aio_readv aio_readv64
# define aio_writev aio_writev64
#endif

int aio_readv(struct aiocb *iocb);
int aio_writev(struct aiocb *iocb);
ssize_t aio_waitcomplete(struct aiocb **iocbp, const struct timespec *timeout);

#ifdef __cplusplus
}
#endif

#endif
