/* SPDX-License-Identifier: MIT */
/*
 * The names that the tests use: those of <aio.h>.
 *
 * The same source is built against two interfaces.  Normally it includes
 * <aio.h>, so that it tests whatever library gives the standard's names:
 * ours (linked or preloaded) or the system's own.  With UAIO_TEST_PREFIXED it
 * tests <uaio/aio.h>: each standard name is made a macro for uaio's.  Nothing
 * but this file knows which of the two it is.
 *
 * With -D_FILE_OFFSET_BITS=64 the standard names become the ...64 functions.
 * Every test file includes this header before any other.
 */
#ifndef UAIO_TESTS_POSIX_API_H
#define UAIO_TESTS_POSIX_API_H

#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif

#include <limits.h>
#include <signal.h>
#include <sys/types.h>

#ifdef UAIO_TEST_PREFIXED

# include <uaio/aio.h>

# define aiocb uaio_aiocb
# define aio_read uaio_read
# define aio_write uaio_write
# define aio_fsync uaio_fsync
# define aio_error uaio_error
# define aio_return uaio_return
# define aio_suspend uaio_suspend
# define aio_cancel uaio_cancel
# define lio_listio uaio_lio_listio
# define aioinit uaio_init
# define aio_init uaio_init

# define AIO_CANCELED UAIO_CANCELED
# define AIO_NOTCANCELED UAIO_NOTCANCELED
# define AIO_ALLDONE UAIO_ALLDONE
# define LIO_READ UAIO_LIO_READ
# define LIO_WRITE UAIO_LIO_WRITE
# define LIO_NOP UAIO_LIO_NOP
# define LIO_WAIT UAIO_LIO_WAIT
# define LIO_NOWAIT UAIO_LIO_NOWAIT

# undef AIO_PRIO_DELTA_MAX
# define AIO_PRIO_DELTA_MAX UAIO_PRIO_DELTA_MAX

# include <uaio/queue.h>

# define aio_readv uaio_readv
# define aio_writev uaio_writev
# define aio_waitcomplete(cb, timeout) uaio_waitcomplete(NULL, cb, timeout)
# define LIO_READV UAIO_LIO_READV
# define LIO_WRITEV UAIO_LIO_WRITEV
# define LIO_VECTORED UAIO_LIO_VECTORED
# define aio_iov aio_buf
# define aio_iovcnt aio_nbytes

#else

# include <aio.h>
# include <uaio/freebsd.h>

# ifndef AIO_PRIO_DELTA_MAX
#  define AIO_PRIO_DELTA_MAX 20
# endif

#endif

/* Older C libraries have the field but not its name. */
#ifndef sigev_notify_thread_id
# define sigev_notify_thread_id _sigev_un._tid
#endif

#endif
