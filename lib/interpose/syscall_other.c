/* SPDX-License-Identifier: MIT */
/*
 * syscall() for machines that have no syscall_<architecture>.S: the numbers of
 * native AIO go to uaio__aio_syscall(), the others to libc's own function.
 *
 * This one has a frame and needs dlsym(), which the first call may make before
 * any constructor; glibc and musl have no need of syscall() in there.  A child
 * made by SYS_vfork or SYS_clone with a stack of its own must not come this
 * way: write the assembly file where programs do that.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))
#define HIDDEN __attribute__((visibility("hidden")))

typedef long syscall_function(long number, ...);

HIDDEN syscall_function uaio__system_call;
HIDDEN long uaio__aio_syscall(long number, long a, long b, long c, long d, long e, long f);

/* atomic, relaxed: whoever looks it up finds the same function, and there is
 * nothing behind it to be published. */
static syscall_function *libc_syscall;

static syscall_function *find_libc_syscall(void)
{
    syscall_function *found = __atomic_load_n(&libc_syscall, __ATOMIC_RELAXED);

    if (!found) {
        int saved = errno;
        void *symbol = dlsym(RTLD_NEXT, "syscall");

        memcpy(&found, &symbol, sizeof found);
        __atomic_store_n(&libc_syscall, found, __ATOMIC_RELAXED);
        errno = saved;
    }
    return found;
}

static int is_aio(long number)
{
    switch ((int)number) {
    case SYS_io_setup:
    case SYS_io_destroy:
    case SYS_io_submit:
    case SYS_io_cancel:
#ifdef SYS_io_getevents
    case SYS_io_getevents:
#endif
#ifdef SYS_io_pgetevents
    case SYS_io_pgetevents:
#endif
#ifdef SYS_io_pgetevents_time64
    case SYS_io_pgetevents_time64:
#endif
        return 1;
    default:
        return 0;
    }
}

static long to_kernel(long number, const long a[6])
{
    syscall_function *next = find_libc_syscall();

    if (!next) {
        errno = ENOSYS;
        return -1;
    }
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define TAKE(a, last)                \
 do {                                \
  va_list arguments;                 \
                                     \
  va_start(arguments, last);         \
  for (int i = 0; i < 6; i++)        \
   (a)[i] = va_arg(arguments, long); \
  va_end(arguments);                 \
 } while (0)

long uaio__system_call(long number, ...)
{
    long a[6];

    TAKE(a, number);
    return to_kernel(number, a);
}

PUBLIC long syscall(long number, ...)
{
    long a[6];

    TAKE(a, number);
    if (is_aio(number))
        return uaio__aio_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    return to_kernel(number, a);
}
