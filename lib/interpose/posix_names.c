/* SPDX-License-Identifier: MIT */
/*
 * The standard names, in front of the same face: what rt and preload export.
 *
 * Compiled without _FILE_OFFSET_BITS and friends, which would rename what is
 * defined here.  Programs built with 64-bit offsets call the ...64 names; on
 * 32-bit systems with 64-bit time also __aio_suspend_time64.
 */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#define _GNU_SOURCE
#include "posix.h"

#include <aio.h>
#include <assert.h>
#include <errno.h>
#include <limits.h>

#define SAME(libc, field)                                                          \
 static_assert(offsetof(struct libc, field) == offsetof(struct uaio_aiocb, field), \
               "libc's control block has another layout")
#define SAME_LAYOUT(libc)                                        \
 SAME(libc, aio_fildes);                                         \
 SAME(libc, aio_lio_opcode);                                     \
 SAME(libc, aio_reqprio);                                        \
 SAME(libc, aio_buf);                                            \
 SAME(libc, aio_nbytes);                                         \
 SAME(libc, aio_sigevent);                                       \
 SAME(libc, aio_offset);                                         \
 static_assert(sizeof(struct libc) == sizeof(struct uaio_aiocb), \
               "libc's control block has another size")

SAME_LAYOUT(aiocb);
static_assert(AIO_CANCELED == UAIO_CANCELED && AIO_NOTCANCELED == UAIO_NOTCANCELED &&
                  AIO_ALLDONE == UAIO_ALLDONE && LIO_READ == UAIO_LIO_READ &&
                  LIO_WRITE == UAIO_LIO_WRITE && LIO_NOP == UAIO_LIO_NOP &&
                  LIO_WAIT == UAIO_LIO_WAIT && LIO_NOWAIT == UAIO_LIO_NOWAIT,
              "libc's constants have other values");

#define PUBLIC __attribute__((visibility("default")))

/*
 * <aio.h> promises the compiler that no argument is NULL, programs promise
 * nothing: hide from it where the pointer came from, or it drops our checks.
 */
static struct uaio_aiocb *ours(void *libc)
{
    __asm__("" : "+r"(libc));
    return libc;
}

static const void *hidden(const void *pointer)
{
    __asm__("" : "+r"(pointer));
    return pointer;
}

static int64_t narrow_offset(const struct uaio_aiocb *cb)
{
    return ((const struct aiocb *)(const void *)cb)->aio_offset;
}

static int submit(struct uaio_aiocb *cb, int opcode, posix__offset_of *offset_of)
{
    return posix__return(cb ? posix__submit(cb, opcode, offset_of(cb)) : -EINVAL);
}

static int listio(int mode, const void *list, int nent, struct sigevent *sig,
                  posix__offset_of *offset_of)
{
    return posix__return(posix__listio(mode, hidden(list), nent, sig, offset_of));
}

PUBLIC int aio_read(struct aiocb *cb)
{
    return submit(ours(cb), UAIO_LIO_READ, narrow_offset);
}

PUBLIC int aio_write(struct aiocb *cb)
{
    return submit(ours(cb), UAIO_LIO_WRITE, narrow_offset);
}

/* FreeBSD's. */
PUBLIC int aio_readv(struct aiocb *cb);
PUBLIC int aio_writev(struct aiocb *cb);

PUBLIC int aio_readv(struct aiocb *cb)
{
    return submit(ours(cb), UAIO_LIO_READV, narrow_offset);
}

PUBLIC int aio_writev(struct aiocb *cb)
{
    return submit(ours(cb), UAIO_LIO_WRITEV, narrow_offset);
}

/* The standard declares the list's entries restrict; glibc leaves that out. */
#ifdef __GLIBC__
# define ENTRY *const
#else
# define ENTRY *restrict const
#endif

PUBLIC int lio_listio(int mode, struct aiocb ENTRY list[], int nent, struct sigevent *sig)
{
    return listio(mode, (const void *)list, nent, sig, narrow_offset);
}

PUBLIC int aio_fsync(int op, struct aiocb *cb)
{
    return uaio_fsync(op, ours(cb));
}

PUBLIC int aio_error(const struct aiocb *cb)
{
    return uaio_error(hidden(cb));
}

PUBLIC ssize_t aio_return(struct aiocb *cb)
{
    return uaio_return(ours(cb));
}

PUBLIC int aio_suspend(const struct aiocb *const list[], int nent, const struct timespec *timeout)
{
    return uaio_suspend(hidden(list), nent, timeout);
}

PUBLIC int aio_cancel(int fd, struct aiocb *cb)
{
    return uaio_cancel(fd, ours(cb));
}

#ifdef __GLIBC__
SAME_LAYOUT(aiocb64);

static int64_t wide_offset(const struct uaio_aiocb *cb)
{
    return cb->aio_offset;
}

PUBLIC int aio_read64(struct aiocb64 *cb)
{
    return submit(ours(cb), UAIO_LIO_READ, wide_offset);
}

PUBLIC int aio_write64(struct aiocb64 *cb)
{
    return submit(ours(cb), UAIO_LIO_WRITE, wide_offset);
}

PUBLIC int aio_readv64(struct aiocb64 *cb);
PUBLIC int aio_writev64(struct aiocb64 *cb);

PUBLIC int aio_readv64(struct aiocb64 *cb)
{
    return submit(ours(cb), UAIO_LIO_READV, wide_offset);
}

PUBLIC int aio_writev64(struct aiocb64 *cb)
{
    return submit(ours(cb), UAIO_LIO_WRITEV, wide_offset);
}

PUBLIC int lio_listio64(int mode, struct aiocb64 *const list[], int nent, struct sigevent *sig)
{
    return listio(mode, list, nent, sig, wide_offset);
}

PUBLIC int aio_fsync64(int op, struct aiocb64 *cb)
{
    return uaio_fsync(op, ours(cb));
}

PUBLIC int aio_error64(const struct aiocb64 *cb)
{
    return uaio_error(hidden(cb));
}

PUBLIC ssize_t aio_return64(struct aiocb64 *cb)
{
    return uaio_return(ours(cb));
}

PUBLIC int aio_suspend64(const struct aiocb64 *const list[], int nent,
                         const struct timespec *timeout)
{
    return uaio_suspend(hidden(list), nent, timeout);
}

PUBLIC int aio_cancel64(int fd, struct aiocb64 *cb)
{
    return uaio_cancel(fd, ours(cb));
}

PUBLIC void aio_init(const struct aioinit *init)
{
    static_assert(sizeof(struct aioinit) == sizeof(struct uaio_init), "another struct aioinit");
    uaio_init(hidden(init));
}

# if __TIMESIZE == 32
/* struct timespec with 64-bit time on a 32-bit system. */
struct timespec64 {
    int64_t tv_sec;
#  if __BYTE_ORDER == __BIG_ENDIAN
    int padding;
    int tv_nsec;
#  else
    int tv_nsec;
    int padding;
#  endif
};

PUBLIC int __aio_suspend_time64(const struct aiocb *const list[], int nent,
                                const struct timespec64 *timeout);

PUBLIC int __aio_suspend_time64(const struct aiocb *const list[], int nent,
                                const struct timespec64 *timeout)
{
    struct timespec narrow;

    if (!timeout || timeout->tv_sec > LONG_MAX)
        return uaio_suspend(hidden(list), nent, NULL);
    narrow.tv_sec = timeout->tv_sec < 0 ? -1 : (long)timeout->tv_sec;
    narrow.tv_nsec = timeout->tv_nsec;
    return uaio_suspend(hidden(list), nent, &narrow);
}
# endif
#endif
