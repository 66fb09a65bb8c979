/* SPDX-License-Identifier: MIT */
/*
 * syscall() is still libc's for all but native AIO: arguments, results, errno,
 * from wherever it is called.  Built as
 *
 *   a program                  (no macro)          passes with libc's, too
 *   a library to be preloaded  UAIO_TEST_EARLY     the same from a constructor
 *   a program of its own       UAIO_TEST_LINKED    together with one of
 *       lib/interpose/syscall_<architecture>.S: the diversion is to a function
 *       here; needs no preload and runs under a user-mode emulator
 *
 *     syscall [LIBRARY]
 *
 * LIBRARY is the file name of the library that syscall() must be found in.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *where = "main";
static int failures;

#define CHECK(condition)                                                                        \
 do {                                                                                           \
  if (!(condition)) {                                                                           \
   fprintf(stderr, "%s: %s:%d: %s (errno %d)\n", where, __FILE__, __LINE__, #condition, errno); \
   failures++;                                                                                  \
  }                                                                                             \
 } while (0)

enum { PAGE = 4096, PAGES = 4, UNTOUCHED = 12345 };

/* 64-bit offsets in two registers, in which the machine's order. */
#if __SIZEOF_LONG__ == 8
# define OFFSET(n) (long)(n), 0L
#else
# define OFFSET(n) (long)(n), (long)((n) >> 32)
#endif

/* ---- arguments and results ---- */

/* A file whose page n has only bytes 'A' + n. */
static int make_file(void)
{
    char name[] = "/tmp/uaio-syscall.XXXXXX", page[PAGE];
    int fd = mkstemp(name);

    CHECK(fd >= 0 && unlink(name) == 0);
    for (int i = 0; i < PAGES; i++) {
        memset(page, 'A' + i, sizeof page);
        CHECK(write(fd, page, sizeof page) == PAGE);
    }
    return fd;
}

/* Six arguments, and a result that may look negative in an int or a long. */
static void check_mmap(int fd)
{
#ifdef SYS_mmap2
    const long number = SYS_mmap2, offset = 2; /* in units of 4096 bytes */
#else
    const long number = SYS_mmap, offset = 2L * PAGE;
#endif
    char *page;
    long at;

#ifdef __s390x__ /* there mmap takes a pointer to its arguments */
    const unsigned long arguments[] = {
        0, PAGE, PROT_READ, MAP_PRIVATE, (unsigned long)fd, (unsigned long)offset};
    at = syscall(number, arguments);
#else
    at = syscall(number, 0L, (long)PAGE, (long)PROT_READ, (long)MAP_PRIVATE, (long)fd, offset);
#endif
    CHECK(at != -1);
    page = (char *)at;
    CHECK(page[0] == 'C' && page[PAGE - 1] == 'C');
    CHECK(syscall(SYS_munmap, at, (long)PAGE) == 0);
}

static void check_preadv2(int fd)
{
#ifdef SYS_preadv2
    char a[3], b[5];
    struct iovec iov[] = {{a, sizeof a}, {b, sizeof b}};
    const uint64_t offset = 2 * PAGE - 3;
    long n = syscall(SYS_preadv2, (long)fd, iov, 2L, OFFSET(offset), 0L);

    if (n == -1 && errno == ENOSYS)
        return;
    CHECK(n == 8 && !memcmp(a, "BBB", 3) && !memcmp(b, "CCCCC", 5));
    n = syscall(SYS_preadv2, (long)fd, iov, 2L, OFFSET(offset), 0x40000000L);
    CHECK(n == -1 && (errno == EOPNOTSUPP || errno == ENOSYS));
#else
    (void)fd;
#endif
}

/* The sixth argument is the bit set, or the value to compare. */
static void check_futex(void)
{
    int word = 7, other = 0;

    CHECK(syscall(SYS_futex, &word, (long)FUTEX_WAIT_BITSET, 7L, NULL, NULL, 0L) == -1);
    CHECK(errno == EINVAL);
    CHECK(syscall(SYS_futex, &word, (long)FUTEX_WAIT_BITSET, 8L, NULL, NULL, 1L) == -1);
    CHECK(errno == EAGAIN);
    CHECK(syscall(SYS_futex, &word, (long)FUTEX_CMP_REQUEUE, 0L, 1L, &other, 8L) == -1);
    CHECK(errno == EAGAIN);
    CHECK(syscall(SYS_futex, &word, (long)FUTEX_CMP_REQUEUE, 0L, 1L, &other, 7L) == 0);
}

static void check_results(int fd)
{
    errno = UNTOUCHED;
    CHECK(syscall(SYS_getppid) == getppid());
    CHECK(syscall(SYS_getpid) == getpid());
    CHECK(syscall(SYS_close, (long)dup(fd)) == 0);
    CHECK(errno == UNTOUCHED);

    CHECK(syscall(SYS_close, -1L) == -1 && errno == EBADF);
    CHECK(syscall(SYS_write, (long)fd, NULL, 8L) == -1 && errno == EFAULT);
    CHECK(syscall(SYS_openat, (long)AT_FDCWD, "/nonexistent/file", 0L, 0L) == -1);
    CHECK(errno == ENOENT);
    CHECK(syscall(100000L) == -1 && errno == ENOSYS);
#ifndef __arm__ /* a signal there */
    CHECK(syscall(-1L) == -1 && errno == ENOSYS);
#endif

#if __SIZEOF_LONG__ == 8
    errno = UNTOUCHED;
    CHECK(syscall(SYS_lseek, (long)fd, 0x7f123456789L, (long)SEEK_SET) == 0x7f123456789L);
    CHECK(syscall(SYS_lseek, (long)fd, 0L, (long)SEEK_SET) == 0);
    CHECK(errno == UNTOUCHED);
#endif
}

/* ---- children ---- */

/* Leave without a call: that would overwrite the return address which the
 * parent still needs, where it is on the stack. */
static inline __attribute__((always_inline)) void leave(long status)
{
#if defined(__x86_64__)
    __asm__ volatile("syscall" ::"a"(SYS_exit_group), "D"(status) : "rcx", "r11", "memory");
#elif defined(__i386__)
    __asm__ volatile("int $0x80" ::"a"(SYS_exit_group), "b"(status) : "memory");
#elif defined(__aarch64__)
    register long x0 __asm__("x0") = status;
    register long x8 __asm__("x8") = SYS_exit_group;
    __asm__ volatile("svc #0" ::"r"(x0), "r"(x8) : "memory");
#elif defined(__arm__) && !defined(__thumb__)
    register long r0 __asm__("r0") = status;
    register long r7 __asm__("r7") = SYS_exit_group;
    __asm__ volatile("svc #0" ::"r"(r0), "r"(r7) : "memory");
#elif defined(__riscv)
    register long a0 __asm__("a0") = status;
    register long a7 __asm__("a7") = SYS_exit_group;
    __asm__ volatile("ecall" ::"r"(a0), "r"(a7) : "memory");
#elif defined(__s390x__)
    register long r1 __asm__("r1") = SYS_exit_group;
    register long r2 __asm__("r2") = status;
    __asm__ volatile("svc 0" ::"d"(r1), "d"(r2) : "memory");
#else
# define NO_LEAVE
    (void)status;
#endif
}

static void check_child(long pid, int status)
{
    int got = -1;

    CHECK(pid > 0);
    CHECK(waitpid((pid_t)pid, &got, 0) == pid);
    CHECK(WIFEXITED(got) && WEXITSTATUS(got) == status);
}

static void check_children(void)
{
    volatile int shared = 0;
    long pid;

    /* A fork.  The order of the last arguments is the machine's; all are 0. */
#ifdef __s390x__ /* stack first */
    pid = syscall(SYS_clone, 0L, (long)SIGCHLD, 0L, 0L, 0L);
#else
    pid = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);
#endif
    if (pid == 0) {
        shared = 1;
        _exit(syscall(SYS_getppid) > 0 ? 41 : 1);
    }
    check_child(pid, 41);
    CHECK(shared == 0);

#ifndef NO_LEAVE
    /* On the parent's stack, which waits. */
# ifdef SYS_vfork
    pid = syscall(SYS_vfork);
# else
    pid = syscall(SYS_clone, (long)(CLONE_VM | CLONE_VFORK | SIGCHLD), 0L, 0L, 0L, 0L);
# endif
    if (pid == 0)
        leave(42);
    check_child(pid, 42);
#endif
}

/* ---- other contexts ---- */

static volatile sig_atomic_t handled;

static void on_signal(int signal)
{
    int saved = errno;

    (void)signal;
    handled = syscall(SYS_close, -1L) == -1 && errno == EBADF && syscall(SYS_getpid) == getpid();
    errno = saved;
}

static void check_handler(void)
{
    struct sigaction action, before;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGUSR2, &action, &before) == 0);
    handled = 0;
    errno = UNTOUCHED;
    CHECK(syscall(SYS_tgkill, (long)getpid(), syscall(SYS_gettid), (long)SIGUSR2) == 0);
    CHECK(handled && errno == UNTOUCHED);
    CHECK(sigaction(SIGUSR2, &before, NULL) == 0);
}

static void check_here(const char *name)
{
    int fd;

    where = name;
    fd = make_file();
    check_mmap(fd);
    check_preadv2(fd);
    check_futex();
    check_results(fd);
    check_children();
    check_handler();
    close(fd);
}

#ifndef UAIO_TEST_EARLY
static void *in_thread(void *ended)
{
    check_here("thread");
    errno = 0;
    CHECK(syscall(SYS_close, -1L) == -1 && errno == EBADF);
    return ended;
}

static void check_thread(void)
{
    pthread_t thread;
    void *ended = NULL;

    errno = UNTOUCHED;
    CHECK(pthread_create(&thread, NULL, in_thread, &ended) == 0);
    CHECK(pthread_join(thread, &ended) == 0 && ended);
    where = "main";
    CHECK(errno == UNTOUCHED);
}
#endif

/* ---- native AIO ---- */

#ifdef UAIO_TEST_LINKED

long uaio__aio_syscall(long number, long a, long b, long c, long d, long e, long f);
long uaio__system_call(long number, ...);

static long diverted[7];
static int diversions;

long uaio__aio_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    const long arguments[7] = {number, a, b, c, d, e, f};

    memcpy(diverted, arguments, sizeof diverted);
    diversions++;
    return -77;
}

static void check_diverted(long number)
{
    int before = diversions;

    memset(diverted, 0, sizeof diverted);
    CHECK(syscall(number, 11L, 12L, 13L, 14L, 15L, -16L) == -77);
    CHECK(diversions == before + 1 && diverted[0] == number);
    for (int i = 1; i < 6; i++)
        CHECK(diverted[i] == 10 + i);
    CHECK(diverted[6] == -16);
}

/* Arguments that no call accepts. */
static void check_passed(long number)
{
    int before = diversions;

    CHECK(syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) == -1);
    CHECK(diversions == before);
}

static void check_aio(void)
{
    const long last = SYS_io_setup + 4;
    int before;

    if (SYS_io_setup > 0)
        check_passed(SYS_io_setup - 1);
    if (last + 1 != SYS_exit_group)
        check_passed(last + 1);
    check_passed(SYS_io_pgetevents - 1);
    check_passed(SYS_io_pgetevents + 1);
    check_passed(417);

    check_diverted(SYS_io_setup);
    check_diverted(SYS_io_destroy);
    check_diverted(SYS_io_submit);
    check_diverted(SYS_io_cancel);
    check_diverted(SYS_io_getevents);
    check_diverted(SYS_io_pgetevents);
# if __SIZEOF_LONG__ == 4
    check_diverted(416); /* io_pgetevents_time64 */
# endif
    before = diversions;
    CHECK(uaio__system_call(SYS_io_destroy, 0L) == -1 && (errno == EINVAL || errno == ENOSYS));
    CHECK(uaio__system_call(SYS_getppid) == getppid());
    CHECK(uaio__system_call(SYS_close, -1L) == -1 && errno == EBADF);
    CHECK(diversions == before);
}

#elif !defined(UAIO_TEST_EARLY)

# include <uaio/libaio.h>

/* There and back by system calls alone. */
static void check_aio(void)
{
    int fd = make_file();
    char data[16];
    struct iocb cb;
    struct iocb *list[] = {&cb};
    struct io_event event;
    struct iocb *const unreadable = (struct iocb *)8;
    struct io_sigset mask = {0, 8};
    struct timespec now = {0, 0};
    io_context_t ctx = NULL;

    errno = UNTOUCHED;
    CHECK(syscall(SYS_io_setup, -1, &ctx) == -1 && errno == EINVAL);
    errno = UNTOUCHED;
    CHECK(syscall(SYS_io_setup, 4, &ctx) == 0 && ctx);
    io_prep_pread(&cb, fd, data, sizeof data, PAGE - 8);
    CHECK(syscall(SYS_io_submit, ctx, 1L, list) == 1);
    CHECK(syscall(SYS_io_getevents, ctx, 1L, 1L, &event, NULL) == 1);
    CHECK(event.obj == &cb && event.res == sizeof data);
    CHECK(!memcmp(data, "AAAAAAAABBBBBBBB", sizeof data));
    CHECK(syscall(SYS_io_submit, ctx, 1L, list) == 1);
    CHECK(syscall(SYS_io_pgetevents, ctx, 1L, 1L, &event, NULL, &mask) == 1);
    CHECK(syscall(SYS_io_pgetevents, ctx, 0L, 1L, &event, &now, NULL) == 0);
    CHECK(errno == UNTOUCHED);
    CHECK(syscall(SYS_io_pgetevents, ctx, 0L, 1L, &event, &now, unreadable) == -1);
    CHECK(errno == EFAULT);
    CHECK(syscall(SYS_io_cancel, ctx, &cb, &event) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_io_submit, ctx, -1L, list) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_io_destroy, ctx) == 0);
    CHECK(syscall(SYS_io_destroy, ctx) == -1 && errno == EINVAL);
    close(fd);
}

#endif

/* Before main(), and in an early library before the preload's constructors. */
static __attribute__((constructor)) void check_early(void)
{
#ifdef UAIO_TEST_EARLY
    check_here("preloaded library");
    if (failures)
        _exit(3);
#else
    check_here("constructor");
#endif
}

#ifndef UAIO_TEST_EARLY
int main(int argc, char **argv)
{
    where = "main";
# ifdef UAIO_TEST_LINKED
    (void)argc;
    (void)argv;
# else
    if (argc > 1) {
        void *address = dlsym(RTLD_DEFAULT, "syscall");
        Dl_info info;
        const char *slash;

        CHECK(address && dladdr(address, &info));
        slash = strrchr(info.dli_fname, '/');
        CHECK(!strcmp(slash ? slash + 1 : info.dli_fname, argv[1]));
    }
# endif
    check_here("main");
    check_thread();
    check_aio();
    return failures != 0;
}
#endif
