/* SPDX-License-Identifier: MIT */
#include "api.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef UAIO_TEST_ROAD_LIBAIO

/* As in <libaio.h>, which cannot be included beside the kernel's header: a
 * context is a pointer there, which is passed as a long is. */
extern int io_setup(int, aio_context_t *);
extern int io_destroy(aio_context_t);
extern int io_submit(aio_context_t, long, struct iocb **);
extern int io_cancel(aio_context_t, struct iocb *, struct io_event *);
extern int io_getevents(aio_context_t, long, long, struct io_event *, struct timespec *);
extern int io_pgetevents(aio_context_t, long, long, struct io_event *, struct timespec *,
                         sigset_t *);

/* errno is not libaio's to change; INT_MIN is an answer that no test expects. */
static int unchanged(int before, int result)
{
    return errno == before ? result : INT_MIN;
}

# define CALL(call)                            \
  do {                                         \
   errno = 4095; /* no call sets it to this */ \
   return unchanged(4095, (call));             \
  } while (0)

/* The functions take pointers to what they do not write. */
static void *writable(const void *pointer)
{
    return (void *)(uintptr_t)pointer;
}

int t_setup(int nr, aio_context_t *ctxp)
{
    CALL(io_setup(nr, ctxp));
}

int t_destroy(aio_context_t ctx)
{
    CALL(io_destroy(ctx));
}

int t_submit(aio_context_t ctx, long nr, struct iocb **list)
{
    CALL(io_submit(ctx, nr, list));
}

int t_cancel(aio_context_t ctx, struct iocb *cb, struct io_event *result)
{
    CALL(io_cancel(ctx, cb, result));
}

int t_getevents_at(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                   const void *timeout)
{
    CALL(io_getevents(ctx, min_nr, nr, events, writable(timeout)));
}

int t_getevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                const struct timespec *timeout)
{
    return t_getevents_at(ctx, min_nr, nr, events, timeout);
}

int t_pgetevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                 const struct timespec *timeout, const sigset_t *mask)
{
    CALL(io_pgetevents(ctx, min_nr, nr, events, writable(timeout), writable(mask)));
}

#else

/* A failed system call is -1 and nothing else. */
static int result_of(long result)
{
    if (result == -1)
        return -errno;
    return result < 0 || result > INT_MAX ? INT_MIN : (int)result;
}

int t_setup(int nr, aio_context_t *ctxp)
{
    return result_of(syscall(SYS_io_setup, nr, ctxp));
}

int t_destroy(aio_context_t ctx)
{
    return result_of(syscall(SYS_io_destroy, ctx));
}

int t_submit(aio_context_t ctx, long nr, struct iocb **list)
{
    return result_of(syscall(SYS_io_submit, ctx, nr, list));
}

int t_cancel(aio_context_t ctx, struct iocb *cb, struct io_event *result)
{
    return result_of(syscall(SYS_io_cancel, ctx, cb, result));
}

/* The mask's size as the kernel counts it: one bit for each signal. */
enum { KERNEL_SIGSET_BYTES = (_NSIG - 1) / 8 };

/* What the raw io_pgetevents takes as its mask. */
struct mask_and_size {
    const sigset_t *mask;
    size_t size;
};

# if defined(SYS_io_pgetevents_time64) && ULONG_MAX == 0xffffffff
#  define WIDE_PGETEVENTS SYS_io_pgetevents_time64
# endif

# ifdef SYS_io_getevents

/* The kernel's own timespec of this call: two longs, where time_t is wider, too. */
struct long_timespec {
    long tv_sec;
    long tv_nsec;
};

int t_getevents_at(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                   const void *timeout)
{
    return result_of(syscall(SYS_io_getevents, ctx, min_nr, nr, events, timeout));
}

int t_getevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                const struct timespec *timeout)
{
    struct long_timespec narrow;

    if (timeout == NULL || sizeof *timeout == sizeof narrow)
        return t_getevents_at(ctx, min_nr, nr, events, timeout);
    narrow.tv_sec = timeout->tv_sec > LONG_MAX ? LONG_MAX : (long)timeout->tv_sec;
    narrow.tv_nsec = timeout->tv_nsec;
    return t_getevents_at(ctx, min_nr, nr, events, &narrow);
}

# else /* time_t has always been of 64 bits there: one call for both */

int t_getevents_at(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                   const void *timeout)
{
    return result_of(syscall(SYS_io_pgetevents_time64, ctx, min_nr, nr, events, timeout, NULL));
}

int t_getevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                const struct timespec *timeout)
{
    return t_getevents_at(ctx, min_nr, nr, events, timeout);
}

# endif

int t_pgetevents(aio_context_t ctx, long min_nr, long nr, struct io_event *events,
                 const struct timespec *timeout, const sigset_t *mask)
{
    struct mask_and_size wanted = {mask, KERNEL_SIGSET_BYTES};

# ifdef WIDE_PGETEVENTS
    /* Two 64-bit fields, the second with padding that the kernel leaves alone. */
    int64_t wide[2] = {0, 0};

    if (timeout != NULL) {
        wide[0] = timeout->tv_sec;
        wide[1] = timeout->tv_nsec;
    }
    return result_of(syscall(WIDE_PGETEVENTS, ctx, min_nr, nr, events, timeout ? wide : NULL,
                             mask ? &wanted : NULL));
# else
    return result_of(
        syscall(SYS_io_pgetevents, ctx, min_nr, nr, events, timeout, mask ? &wanted : NULL));
# endif
}

#endif

bool on_kernel(void)
{
    const char *oracle = getenv("UAIO_TEST_ORACLE");

    return oracle != NULL && strcmp(oracle, "kernel") == 0;
}
