/* SPDX-License-Identifier: MIT */
/* Everything here is async-signal-safe once faults_init() has been called. */
#define _GNU_SOURCE
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef F_DUPFD_QUERY
# define F_DUPFD_QUERY 1027
#endif
#ifndef F_OFD_GETLK
# define F_OFD_GETLK 36
#endif
#ifndef RWF_NOWAIT
# define RWF_NOWAIT 0x00000008
#endif
enum { FUTEX_WAIT_NUMBER = 0, FUTEX_WAKE_OP_NUMBER = 5, FUTEX_WAIT_BITSET_NUMBER = 9 };

struct faults_log *faults_log;

static struct fault armed; /* before any thread */
static atomic_bool active;

/* ---- whose call? ----------------------------------------------------------- */

enum { LIBRARIES = 4 };

static struct {
    uintptr_t from, to;
} libraries[LIBRARIES];
static unsigned n_libraries;

static int note_library(struct dl_phdr_info *info, size_t nbytes, void *unused)
{
    const char *name = strrchr(info->dlpi_name, '/');

    (void)nbytes;
    (void)unused;
    name = name ? name + 1 : info->dlpi_name;
    if (strncmp(name, "libuaio", 7) != 0 && strcmp(name, "libaio.so.1") != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_X && n_libraries < LIBRARIES) {
            libraries[n_libraries].from = info->dlpi_addr + segment->p_vaddr;
            libraries[n_libraries].to = libraries[n_libraries].from + segment->p_memsz;
            n_libraries++;
        }
    }
    return 0;
}

static bool is_library(const void *from)
{
    for (unsigned i = 0; i < n_libraries; i++)
        if ((uintptr_t)from >= libraries[i].from && (uintptr_t)from < libraries[i].to)
            return true;
    return false;
}

void faults_init(void)
{
    faults_log =
        mmap(NULL, sizeof *faults_log, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (faults_log == MAP_FAILED)
        abort();
    dl_iterate_phdr(note_library, NULL);
    if (n_libraries == 0)
        abort(); /* nothing would fail, and all tests pass */
}

void faults_arm(const struct fault *fault)
{
    armed = *fault;
    atomic_store(&faults_log->calls, 0);
    atomic_store(&faults_log->hits, 0);
    atomic_store(&faults_log->victim, 0);
    atomic_store(&faults_log->mappings, 0);
    atomic_store(&active, true);
}

void faults_disarm(void)
{
    atomic_store(&active, false);
}

/* What becomes of this call: 0, FAULT_* or an errno. */
static int fate(enum call call, const void *from, uintptr_t buffer)
{
    unsigned n;

    if (!atomic_load(&active) || !is_library(from))
        return 0;
    if (armed.absent & CALL_BIT(call))
        return ENOSYS;
    if (!(armed.calls & CALL_BIT(call)))
        return 0;
    n = atomic_fetch_add(&faults_log->calls, 1) + 1;
    if (armed.nth == 0 || n < armed.nth || (armed.times && n - armed.nth >= armed.times))
        return 0;
    atomic_store(&faults_log->victim, buffer);
    atomic_fetch_add(&faults_log->hits, 1);
    return armed.error;
}

#define FATE(call, buffer) fate(call, __builtin_return_address(0), (uintptr_t)(buffer))

/* ---- whoever is next --------------------------------------------------------- */

/* Found when first called: the library's constructors may come before ours. */
#define NEXT(name) ((__typeof__(&name))next(#name, &next_##name))

static void *next(const char *name, _Atomic(void *) *found)
{
    void *function = atomic_load(found);

    if (!function) {
        function = dlsym(RTLD_NEXT, name);
        if (!function)
            abort();
        atomic_store(found, function);
    }
    return function;
}

#define DEFINE_NEXT(name) static _Atomic(void *) next_##name

/* ---- functions that fail ------------------------------------------------------ */

static int refused(enum call call, const void *from)
{
    int error = fate(call, from, 0);

    if (error <= 0)
        return 0;
    errno = error;
    return -1;
}

#define REFUSED(call) refused(call, __builtin_return_address(0))

static void count_mapping(const void *from, int n)
{
    if (faults_log && is_library(from)) /* armed or not */
        atomic_fetch_add(&faults_log->mappings, n);
}

DEFINE_NEXT(mmap);
DEFINE_NEXT(mmap64);
DEFINE_NEXT(mremap);
DEFINE_NEXT(munmap);
DEFINE_NEXT(madvise);
DEFINE_NEXT(ftruncate);
DEFINE_NEXT(ftruncate64);

#define DEFINE_MMAP(name, offset_type)                                                \
 void *name(void *at, size_t nbytes, int prot, int flags, int fd, offset_type offset) \
 {                                                                                    \
  void *p;                                                                            \
  if (REFUSED(CALL_MMAP))                                                             \
   return MAP_FAILED;                                                                 \
  p = NEXT(name)(at, nbytes, prot, flags, fd, offset);                                \
  if (p != MAP_FAILED && !(flags & MAP_FIXED))                                        \
   count_mapping(__builtin_return_address(0), 1);                                     \
  return p;                                                                           \
 }

DEFINE_MMAP(mmap, off_t)
DEFINE_MMAP(mmap64, off64_t)

/* The library's only use: a mapping twice. */
void *mremap(void *old, size_t old_nbytes, size_t nbytes, int flags, ...)
{
    void *at, *p;
    va_list arguments;

    if (REFUSED(CALL_MREMAP))
        return MAP_FAILED;
    va_start(arguments, flags);
    at = va_arg(arguments, void *);
    va_end(arguments);
    p = NEXT(mremap)(old, old_nbytes, nbytes, flags, at);
    if (p != MAP_FAILED)
        count_mapping(__builtin_return_address(0), 1);
    return p;
}

int munmap(void *p, size_t nbytes)
{
    if (REFUSED(CALL_MUNMAP))
        return -1;
    count_mapping(__builtin_return_address(0), -1);
    return NEXT(munmap)(p, nbytes);
}

int madvise(void *p, size_t nbytes, int advice)
{
    return REFUSED(CALL_MADVISE) ? -1 : NEXT(madvise)(p, nbytes, advice);
}

int ftruncate(int fd, off_t nbytes)
{
    return REFUSED(CALL_FTRUNCATE) ? -1 : NEXT(ftruncate)(fd, nbytes);
}

int ftruncate64(int fd, off64_t nbytes)
{
    return REFUSED(CALL_FTRUNCATE) ? -1 : NEXT(ftruncate64)(fd, nbytes);
}

/* A sanitizer's are not to be replaced.  libc's by its other name: dlsym()
 * might allocate. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t nbytes);

void *malloc(size_t nbytes)
{
    return REFUSED(CALL_MALLOC) ? NULL : __libc_malloc(nbytes);
}

# undef strdup
DEFINE_NEXT(strdup);

char *strdup(const char *s)
{
    return REFUSED(CALL_STRDUP) ? NULL : NEXT(strdup)(s);
}
#endif

/* ---- threads ------------------------------------------------------------------ */

DEFINE_NEXT(pthread_create);
DEFINE_NEXT(pthread_attr_init);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    int error = FATE(CALL_PTHREAD_CREATE, NULL);

    return error ? error : NEXT(pthread_create)(thread, attributes, run, argument);
}

int pthread_attr_init(pthread_attr_t *attributes)
{
    int error = FATE(CALL_PTHREAD_ATTR_INIT, NULL);

    return error ? error : NEXT(pthread_attr_init)(attributes);
}

/* What pthread_atfork() is in glibc. */
extern int __register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void),
                             void *dso);
DEFINE_NEXT(__register_atfork);

int __register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void *dso)
{
    int error = FATE(CALL_ATFORK, NULL);

    return error ? error : NEXT(__register_atfork)(before, parent, child, dso);
}

/* ---- descriptors ---------------------------------------------------------------- */

DEFINE_NEXT(epoll_create1);
DEFINE_NEXT(epoll_ctl);
DEFINE_NEXT(epoll_wait);
DEFINE_NEXT(eventfd);
DEFINE_NEXT(pipe);
DEFINE_NEXT(pipe2);
DEFINE_NEXT(open);
DEFINE_NEXT(open64);
DEFINE_NEXT(fcntl);
DEFINE_NEXT(fcntl64);
DEFINE_NEXT(fstat);
DEFINE_NEXT(fstat64);

int epoll_create1(int flags)
{
    return REFUSED(CALL_EPOLL_CREATE) ? -1 : NEXT(epoll_create1)(flags);
}

int epoll_ctl(int set, int how, int fd, struct epoll_event *event)
{
    /* To delete needs nothing, and to change finds out what to add. */
    if (how == EPOLL_CTL_ADD && REFUSED(CALL_EPOLL_CTL))
        return -1;
    return NEXT(epoll_ctl)(set, how, fd, event);
}

int epoll_wait(int set, struct epoll_event *events, int max, int timeout)
{
    return REFUSED(CALL_EPOLL_WAIT) ? -1 : NEXT(epoll_wait)(set, events, max, timeout);
}

int eventfd(unsigned count, int flags)
{
    return REFUSED(CALL_EVENTFD) ? -1 : NEXT(eventfd)(count, flags);
}

int pipe(int ends[2])
{
    return REFUSED(CALL_PIPE) ? -1 : NEXT(pipe)(ends);
}

int pipe2(int ends[2], int flags)
{
    return REFUSED(CALL_PIPE) ? -1 : NEXT(pipe2)(ends, flags);
}

#define DEFINE_OPEN(name)                                         \
 int name(const char *path, int flags, ...)                       \
 {                                                                \
  va_list arguments;                                              \
  unsigned mode = 0;                                              \
  if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {      \
   va_start(arguments, flags);                                    \
   mode = va_arg(arguments, unsigned);                            \
   va_end(arguments);                                             \
  }                                                               \
  return REFUSED(CALL_OPEN) ? -1 : NEXT(name)(path, flags, mode); \
 }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)

static enum call call_of_fcntl(int command)
{
    return command == F_DUPFD_CLOEXEC || command == F_DUPFD ? CALL_DUPFD
           : command == F_DUPFD_QUERY                       ? CALL_DUPFD_QUERY
           : command == F_OFD_GETLK                         ? CALL_OFD_GETLK
                                                            : CALLS;
}

static bool fcntl_refused(int command, const void *from)
{
    return call_of_fcntl(command) != CALLS && refused(call_of_fcntl(command), from) != 0;
}

#define DEFINE_FCNTL(name)                                 \
 int name(int fd, int command, ...)                        \
 {                                                         \
  va_list arguments;                                       \
  void *argument;                                          \
  va_start(arguments, command);                            \
  argument = va_arg(arguments, void *);                    \
  va_end(arguments);                                       \
  if (fcntl_refused(command, __builtin_return_address(0))) \
   return -1;                                              \
  return NEXT(name)(fd, command, argument);                \
 }

DEFINE_FCNTL(fcntl)
DEFINE_FCNTL(fcntl64)

int fstat(int fd, struct stat *st)
{
    return REFUSED(CALL_FSTAT) ? -1 : NEXT(fstat)(fd, st);
}

int fstat64(int fd, struct stat64 *st)
{
    return REFUSED(CALL_FSTAT) ? -1 : NEXT(fstat64)(fd, st);
}

/* ---- data ----------------------------------------------------------------------- */

/* Half of it; but an eventfd's count has no half. */
static size_t half(size_t nbytes)
{
    return nbytes > sizeof(uint64_t) ? nbytes / 2 : nbytes;
}

#define DEFINE_TRANSFER(name, call, buffer_type)                \
 DEFINE_NEXT(name);                                             \
 ssize_t name(int fd, buffer_type buffer, size_t nbytes)        \
 {                                                              \
  int error = FATE(call, buffer);                               \
  if (error > 0)                                                \
   return errno = error, -1;                                    \
  return NEXT(name)(fd, buffer, error ? half(nbytes) : nbytes); \
 }

#define DEFINE_TRANSFER_AT(name, call, buffer_type, offset_type)             \
 DEFINE_NEXT(name);                                                          \
 ssize_t name(int fd, buffer_type buffer, size_t nbytes, offset_type offset) \
 {                                                                           \
  int error = FATE(call, buffer);                                            \
  if (error > 0)                                                             \
   return errno = error, -1;                                                 \
  return NEXT(name)(fd, buffer, error ? half(nbytes) : nbytes, offset);      \
 }

/* A ring's head, by a pipe of the library's own, is there at once. */
enum { RING_HEAD_BYTES = 32 };

DEFINE_NEXT(read);

ssize_t read(int fd, void *buffer, size_t nbytes)
{
    int error = nbytes == RING_HEAD_BYTES ? 0 : FATE(CALL_READ, buffer);

    if (error > 0)
        return errno = error, -1;
    return NEXT(read)(fd, buffer, error ? half(nbytes) : nbytes);
}

DEFINE_TRANSFER(write, CALL_WRITE, const void *)
DEFINE_TRANSFER_AT(pread, CALL_PREAD, void *, off_t)
DEFINE_TRANSFER_AT(pread64, CALL_PREAD, void *, off64_t)
DEFINE_TRANSFER_AT(pwrite, CALL_PWRITE, const void *, off_t)
DEFINE_TRANSFER_AT(pwrite64, CALL_PWRITE, const void *, off64_t)

/* Half of the first segment; the rest of the vector is left out. */
static const struct iovec *shorten(int error, const struct iovec *segments, struct iovec *one,
                                   int *n)
{
    if (error != FAULT_SHORT || *n == 0)
        return segments;
    *one = (struct iovec){segments->iov_base, half(segments->iov_len)};
    *n = 1;
    return one;
}

static const void *first_of(const struct iovec *segments, long n)
{
    return n > 0 ? segments->iov_base : NULL;
}

#define DEFINE_VECTOR(name, call)                          \
 DEFINE_NEXT(name);                                        \
 ssize_t name(int fd, const struct iovec *segments, int n) \
 {                                                         \
  int error = FATE(call, first_of(segments, n));           \
  struct iovec one;                                        \
  if (error > 0)                                           \
   return errno = error, -1;                               \
  segments = shorten(error, segments, &one, &n);           \
  return NEXT(name)(fd, segments, n);                      \
 }

#define DEFINE_VECTOR_AT(name, call, offset_type)                              \
 DEFINE_NEXT(name);                                                            \
 ssize_t name(int fd, const struct iovec *segments, int n, offset_type offset) \
 {                                                                             \
  int error = FATE(call, first_of(segments, n));                               \
  struct iovec one;                                                            \
  if (error > 0)                                                               \
   return errno = error, -1;                                                   \
  segments = shorten(error, segments, &one, &n);                               \
  return NEXT(name)(fd, segments, n, offset);                                  \
 }

DEFINE_VECTOR(readv, CALL_READV)
DEFINE_VECTOR(writev, CALL_WRITEV)
DEFINE_VECTOR_AT(preadv, CALL_PREADV, off_t)
DEFINE_VECTOR_AT(preadv64, CALL_PREADV, off64_t)
DEFINE_VECTOR_AT(pwritev, CALL_PWRITEV, off_t)
DEFINE_VECTOR_AT(pwritev64, CALL_PWRITEV, off64_t)

DEFINE_NEXT(recvmsg);
DEFINE_NEXT(sendmsg);
DEFINE_NEXT(fsync);
DEFINE_NEXT(fdatasync);

static struct msghdr shortened(int error, const struct msghdr *message, struct iovec *one)
{
    struct msghdr all = *message;
    int n = (int)all.msg_iovlen;

    all.msg_iov = (struct iovec *)(uintptr_t)shorten(error, all.msg_iov, one, &n);
    all.msg_iovlen = (size_t)n;
    return all;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    int error = FATE(CALL_RECVMSG, first_of(message->msg_iov, (long)message->msg_iovlen));
    struct iovec one;
    struct msghdr all = shortened(error, message, &one);

    if (error > 0)
        return errno = error, -1;
    return NEXT(recvmsg)(fd, &all, flags); /* the library asks for data alone */
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    int error = FATE(CALL_SENDMSG, first_of(message->msg_iov, (long)message->msg_iovlen));
    struct iovec one;
    struct msghdr all = shortened(error, message, &one);

    if (error > 0)
        return errno = error, -1;
    return NEXT(sendmsg)(fd, &all, flags);
}

int fsync(int fd)
{
    return REFUSED(CALL_FSYNC) ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
    return REFUSED(CALL_FDATASYNC) ? -1 : NEXT(fdatasync)(fd);
}

/* ---- waiting ---------------------------------------------------------------------- */

DEFINE_NEXT(poll);
DEFINE_NEXT(ppoll);
DEFINE_NEXT(nanosleep);

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
    return REFUSED(CALL_POLL) ? -1 : NEXT(poll)(fds, n, timeout);
}

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    return REFUSED(CALL_PPOLL) ? -1 : NEXT(ppoll)(fds, n, timeout, mask);
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
    return REFUSED(CALL_NANOSLEEP) ? -1 : NEXT(nanosleep)(time, left);
}

/* ---- syscall() -------------------------------------------------------------------- */

static enum call call_of_futex(long operation)
{
    operation &= 127; /* without FUTEX_PRIVATE_FLAG */
    return operation == FUTEX_WAIT_NUMBER || operation == FUTEX_WAIT_BITSET_NUMBER ? CALL_FUTEX_WAIT
           : operation == FUTEX_WAKE_OP_NUMBER                                     ? CALL_PROBE
                                                                                   : CALLS;
}

static bool is_vector(long number)
{
    return number == SYS_preadv2 || number == SYS_pwritev2;
}

/* At a position of what has none: that fails as it does, whatever runs out. */
static bool is_misplaced(long number, const long *argument)
{
    struct iovec none = {NULL, 0};
    int fd = (int)argument[0], saved = errno;
    bool misplaced = argument[3] >= 0 && (number == SYS_preadv2 ? NEXT(preadv)(fd, &none, 1, 0)
                                                                : NEXT(pwritev)(fd, &none, 1, 0));

    errno = saved;
    return misplaced;
}

static enum call call_of(long number, const long *argument)
{
    if (is_vector(number) && is_misplaced(number, argument))
        return CALLS;
    switch (number) {
    case SYS_preadv2:
        return argument[5] & RWF_NOWAIT ? CALL_PREADV2_NOWAIT : CALL_PREADV2;
    case SYS_pwritev2:
        return argument[5] & RWF_NOWAIT ? CALL_PWRITEV2_NOWAIT : CALL_PWRITEV2;
#ifdef SYS_fstat
    case SYS_fstat:
        return CALL_FSTAT;
#endif
#ifdef SYS_futex
    case SYS_futex:
        return call_of_futex(argument[1]);
#endif
    case SYS_rt_sigprocmask:
        return CALL_PROBE;
    case SYS_rt_sigqueueinfo:
    case SYS_rt_tgsigqueueinfo:
        return CALL_SIGQUEUE;
    case SYS_ioprio_get:
    case SYS_ioprio_set:
        return CALL_IOPRIO;
    case SYS_kcmp:
        return CALL_KCMP;
    case SYS_memfd_create:
        return CALL_MEMFD;
    case SYS_fcntl:
        return call_of_fcntl((int)argument[1]);
    default:
        return CALLS;
    }
}

DEFINE_NEXT(syscall);

long syscall(long number, ...)
{
    struct iovec one;
    const void *buffer = NULL;
    long argument[6];
    enum call call;
    va_list arguments;
    int error = 0;

    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        argument[i] = va_arg(arguments, long);
    va_end(arguments);
    call = call_of(number, argument);
    if (is_vector(number))
        buffer = first_of((const struct iovec *)argument[1], argument[2]);
    if (call != CALLS)
        error = FATE(call, buffer);
    if (error > 0)
        return errno = error, -1;
    if (error == FAULT_EMPTY && number == SYS_preadv2 && argument[3] >= 0)
        return 0;
    if (is_vector(number)) {
        int n = (int)argument[2];
        argument[1] = (long)shorten(error, (const struct iovec *)argument[1], &one, &n);
        argument[2] = n;
    }
    return NEXT(syscall)(number, argument[0], argument[1], argument[2], argument[3], argument[4],
                         argument[5]);
}

/* ---- names -------------------------------------------------------------------------- */

const char *faults_name(enum call call)
{
    static const char *const names[CALLS] = {
        [CALL_MMAP] = "mmap",
        [CALL_MREMAP] = "mremap",
        [CALL_MUNMAP] = "munmap",
        [CALL_MADVISE] = "madvise",
        [CALL_FTRUNCATE] = "ftruncate",
        [CALL_MALLOC] = "malloc",
        [CALL_STRDUP] = "strdup",
        [CALL_PTHREAD_CREATE] = "pthread_create",
        [CALL_PTHREAD_ATTR_INIT] = "pthread_attr_init",
        [CALL_ATFORK] = "pthread_atfork",
        [CALL_EPOLL_CREATE] = "epoll_create1",
        [CALL_EPOLL_CTL] = "epoll_ctl(ADD)",
        [CALL_EPOLL_WAIT] = "epoll_wait",
        [CALL_EVENTFD] = "eventfd",
        [CALL_PIPE] = "pipe",
        [CALL_MEMFD] = "memfd_create",
        [CALL_OPEN] = "open",
        [CALL_DUPFD] = "fcntl(DUPFD)",
        [CALL_DUPFD_QUERY] = "fcntl(DUPFD_QUERY)",
        [CALL_OFD_GETLK] = "fcntl(OFD_GETLK)",
        [CALL_KCMP] = "kcmp",
        [CALL_FSTAT] = "fstat",
        [CALL_PREAD] = "pread",
        [CALL_PWRITE] = "pwrite",
        [CALL_READ] = "read",
        [CALL_READV] = "readv",
        [CALL_WRITEV] = "writev",
        [CALL_PREADV] = "preadv",
        [CALL_PWRITEV] = "pwritev",
        [CALL_PREADV2] = "preadv2",
        [CALL_PWRITEV2] = "pwritev2",
        [CALL_PREADV2_NOWAIT] = "preadv2(NOWAIT)",
        [CALL_PWRITEV2_NOWAIT] = "pwritev2(NOWAIT)",
        [CALL_RECVMSG] = "recvmsg",
        [CALL_SENDMSG] = "sendmsg",
        [CALL_FSYNC] = "fsync",
        [CALL_FDATASYNC] = "fdatasync",
        [CALL_WRITE] = "write",
        [CALL_POLL] = "poll",
        [CALL_PPOLL] = "ppoll",
        [CALL_NANOSLEEP] = "nanosleep",
        [CALL_FUTEX_WAIT] = "futex(WAIT)",
        [CALL_SIGQUEUE] = "rt_sigqueueinfo",
        [CALL_IOPRIO] = "ioprio_get/set",
        [CALL_PROBE] = "probes of pointers",
    };

    return names[call];
}
