/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include <linux/userfaultfd.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Older C libraries have the field but not its name. */
#ifndef sigev_notify_thread_id
# define sigev_notify_thread_id _sigev_un._tid
#endif

const struct timespec no_time = {0, 0};
const struct timespec long_time = {3600, 0};

void skipped(const char *test, const char *reason)
{
    printf("SKIP %s: %s\n", test, reason);
    fflush(stdout);
}

/* For what threads other than the main one call, too: those may not leave by Check's way. */
static void insist(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        abort();
    }
}

/* --- files --- */

static int nameless_file(void)
{
    const char *base = getenv("TMPDIR");
    char path[PATH_MAX];
    int fd;

    if (base == NULL || base[0] == '\0')
        base = ".";
#ifdef O_TMPFILE
    fd = open(base, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
#endif
    snprintf(path, sizeof path, "%s/uaio-linux-XXXXXX", base);
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    return fd;
}

int temp_file(size_t nbytes)
{
    unsigned char *data = malloc(nbytes > 0 ? nbytes : 1);
    int fd = nameless_file();

    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < nbytes; i++)
        data[i] = pattern(i);
    for (size_t done = 0; done < nbytes;) {
        ssize_t n = write(fd, data + done, nbytes - done);

        ck_assert_int_gt(n, 0);
        done += (size_t)n;
    }
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    free(data);
    return fd;
}

int reopen(int fd, int flags)
{
    char path[64];
    int again;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    again = open(path, flags | O_CLOEXEC);
    ck_assert_int_ge(again, 0);
    return again;
}

unsigned char pattern(size_t i)
{
    return (unsigned char)((i * 2654435761U) >> 11);
}

bool is_pattern(const void *buf, size_t nbytes, size_t offset)
{
    const unsigned char *bytes = buf;

    for (size_t i = 0; i < nbytes; i++) {
        if (bytes[i] != pattern(offset + i))
            return false;
    }
    return true;
}

int closed_fd(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD, 500);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    return fd;
}

void make_pipe(int ends[2])
{
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
}

void make_sockets(int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

int make_eventfd(int flags)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | flags);

    ck_assert_int_ge(fd, 0);
    return fd;
}

uint64_t take_count(int fd)
{
    uint64_t count = 0;

    if (read(fd, &count, sizeof count) != sizeof count)
        ck_assert_int_eq(errno, EAGAIN);
    return count;
}

void await_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, -1) < 1)
        ck_assert_int_eq(errno, EINTR);
}

/* --- memory --- */

size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void *map_pages(size_t n, int protection)
{
    void *pages = mmap(NULL, n * page_size(), protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(pages, MAP_FAILED);
    return pages;
}

char *page_end(void)
{
    char *pages = map_pages(2, PROT_READ | PROT_WRITE);

    ck_assert_int_eq(mprotect(pages + page_size(), page_size(), PROT_NONE), 0);
    return pages + page_size();
}

void *no_access_page(void)
{
    return map_pages(1, PROT_NONE);
}

void *read_only_page(void)
{
    return map_pages(1, PROT_READ);
}

void *unmapped_page(void)
{
    /* Between two that stay, such that nothing moves in. */
    char *pages = map_pages(3, PROT_NONE);

    ck_assert_int_eq(munmap(pages + page_size(), page_size()), 0);
    return pages + page_size();
}

void *kernel_address(void)
{
    /* The last page: 32-bit programs may have their stack, or on ARM a page of
     * the kernel's helpers, not far below. */
    return (void *)(UINTPTR_MAX - 0xfff);
}

void *bad_address(size_t i)
{
    switch (i) {
    case 0:
        return NULL;
    case 1:
        return no_access_page();
    case 2:
        return unmapped_page();
    default:
        return kernel_address();
    }
}

/* --- requests --- */

uint64_t as_u64(const void *pointer)
{
    return (uintptr_t)pointer;
}

void prep(struct iocb *cb, int opcode, int fd, const void *buf, size_t nbytes, int64_t offset)
{
    memset(cb, 0, sizeof *cb);
    cb->aio_data = ~as_u64(cb);
    cb->aio_lio_opcode = (uint16_t)opcode;
    cb->aio_fildes = (uint32_t)fd;
    cb->aio_buf = as_u64(buf);
    cb->aio_nbytes = nbytes;
    cb->aio_offset = offset;
}

void prep_read(struct iocb *cb, int fd, const void *buf, size_t nbytes, int64_t offset)
{
    prep(cb, IOCB_CMD_PREAD, fd, buf, nbytes, offset);
}

void prep_write(struct iocb *cb, int fd, const void *buf, size_t nbytes, int64_t offset)
{
    prep(cb, IOCB_CMD_PWRITE, fd, buf, nbytes, offset);
}

void prep_readv(struct iocb *cb, int fd, const struct iovec *iov, size_t n, int64_t offset)
{
    prep(cb, IOCB_CMD_PREADV, fd, iov, n, offset);
}

void prep_writev(struct iocb *cb, int fd, const struct iovec *iov, size_t n, int64_t offset)
{
    prep(cb, IOCB_CMD_PWRITEV, fd, iov, n, offset);
}

void prep_poll(struct iocb *cb, int fd, unsigned mask)
{
    prep(cb, IOCB_CMD_POLL, fd, NULL, 0, 0);
    cb->aio_buf = mask;
}

void set_resfd(struct iocb *cb, int fd)
{
    cb->aio_flags |= IOCB_FLAG_RESFD;
    cb->aio_resfd = (uint32_t)fd;
}

/* --- contexts --- */

aio_context_t new_context(int nr)
{
    aio_context_t ctx = 0;

    ck_assert_int_eq(t_setup(nr, &ctx), 0);
    ck_assert(ctx != 0);
    return ctx;
}

int submit(aio_context_t ctx, struct iocb *cb)
{
    return t_submit(ctx, 1, &cb);
}

void must_submit(aio_context_t ctx, struct iocb *cb)
{
    ck_assert_int_eq(submit(ctx, cb), 1);
}

void reap(aio_context_t ctx, size_t n, struct io_event *events)
{
    struct io_event discarded;

    for (size_t i = 0; i < n;) {
        struct io_event *event = events != NULL ? &events[i] : &discarded;
        int got = t_getevents(ctx, 1, 1, event, NULL);

        if (got == -EINTR)
            continue;
        ck_assert_int_eq(got, 1);
        i++;
    }
}

struct io_event reap_one(aio_context_t ctx)
{
    struct io_event event;

    memset(&event, 0xee, sizeof event);
    reap(ctx, 1, &event);
    return event;
}

bool is_event_of(const struct io_event *event, const struct iocb *cb)
{
    return event->obj == as_u64(cb) && event->data == cb->aio_data && event->res2 == 0;
}

int64_t perform(aio_context_t ctx, struct iocb *cb)
{
    struct io_event event;

    must_submit(ctx, cb);
    event = reap_one(ctx);
    ck_assert(is_event_of(&event, cb));
    return event.res;
}

void nothing_to_reap(aio_context_t ctx)
{
    struct io_event event;

    ck_assert_int_eq(t_getevents(ctx, 0, 1, &event, &no_time), 0);
}

void must_destroy(aio_context_t ctx)
{
    ck_assert_int_eq(t_destroy(ctx), 0);
}

/* --- the ring --- */

struct ring *ring_of(aio_context_t ctx)
{
    return (struct ring *)(uintptr_t)ctx;
}

unsigned ring_tail(const struct ring *ring)
{
    return __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
}

unsigned ring_head(const struct ring *ring)
{
    return __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
}

void ring_set_head(struct ring *ring, unsigned head)
{
    __atomic_store_n(&ring->head, head, __ATOMIC_RELEASE);
}

unsigned in_ring(const struct ring *ring)
{
    return (ring_tail(ring) + ring->nr - ring_head(ring) % ring->nr) % ring->nr;
}

void await_in_ring(const struct ring *ring, unsigned n)
{
    while (in_ring(ring) < n)
        sched_yield();
}

void stay_on_one_processor(void)
{
    cpu_set_t set;
    int cpu = sched_getcpu();

    ck_assert_int_ge(cpu, 0);
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    ck_assert_int_eq(sched_setaffinity(0, sizeof set, &set), 0);
}

/* --- settings --- */

void queue_everything(void)
{
    ck_assert_int_eq(setenv("UAIO_THREADS", "4", 0), 0);
    ck_assert_int_eq(setenv("UAIO_INLINE", "0", 1), 0);
    ck_assert_int_eq(setenv("UAIO_HELP", "0", 1), 0);
}

/* --- the gate --- */

bool gate_make(struct gate *gate, const char *test)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register watch = {.mode = UFFDIO_REGISTER_MODE_MISSING};

    if (on_kernel()) {
        skipped(test, "the kernel would be stopped within io_submit");
        return false;
    }
    gate->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (gate->uffd < 0 || ioctl(gate->uffd, UFFDIO_API, &api) != 0) {
        skipped(test, "no userfaultfd for kernel faults here, so no slow file");
        return false;
    }
    gate->page = map_pages(1, PROT_READ | PROT_WRITE);
    watch.range.start = (uintptr_t)gate->page;
    watch.range.len = page_size();
    ck_assert_int_eq(ioctl(gate->uffd, UFFDIO_REGISTER, &watch), 0);
    queue_everything();
    return true;
}

void gate_await(const struct gate *gate)
{
    struct pollfd p = {.fd = gate->uffd, .events = POLLIN};
    struct uffd_msg msg;

    while (read(gate->uffd, &msg, sizeof msg) != sizeof msg) {
        insist(errno == EAGAIN || errno == EINTR, "userfaultfd");
        poll(&p, 1, -1);
    }
}

void gate_open(const struct gate *gate)
{
    struct uffdio_zeropage zero = {0};

    zero.range.start = (uintptr_t)gate->page;
    zero.range.len = page_size();
    while (ioctl(gate->uffd, UFFDIO_ZEROPAGE, &zero) != 0)
        insist(errno == EAGAIN, "UFFDIO_ZEROPAGE"); /* the address space is changing */
}

/* --- signals --- */

atomic_int signals_seen;

void handle(int signo, void (*handler)(int), int flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    ck_assert_int_eq(sigaction(signo, &action, NULL), 0);
}

void count_signal(int signo)
{
    (void)signo;
    atomic_fetch_add(&signals_seen, 1);
}

static timer_t storm;

void storm_begin(int signo, long us)
{
    const struct timespec pause = {us / 1000000, us % 1000000 * 1000};
    const struct itimerspec when = {pause, pause};
    struct sigevent ev;

    memset(&ev, 0, sizeof ev);
    ev.sigev_notify = SIGEV_THREAD_ID;
    ev.sigev_signo = signo;
    ev.sigev_notify_thread_id = thread_id();
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &ev, &storm), 0);
    ck_assert_int_eq(timer_settime(storm, 0, &when, NULL), 0);
}

void storm_end(void)
{
    timer_delete(storm);
}

/* --- threads --- */

void start_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
    ck_assert_int_eq(pthread_create(thread, NULL, function, argument), 0);
}

void *join_thread(pthread_t thread)
{
    void *result = NULL;

    ck_assert_int_eq(pthread_join(thread, &result), 0);
    return result;
}

void await(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        insist(errno == EINTR, "sem_wait");
}

pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

void await_asleep(pid_t tid)
{
    char path[64], line[512];
    const char *state;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    do {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        insist(fd >= 0, path);
        n = read(fd, line, sizeof line - 1);
        insist(n > 0, path);
        close(fd);
        line[n] = '\0';
        state = strrchr(line, ')');
        insist(state != NULL && state[1] == ' ', path);
        sched_yield();
    } while (state[2] != 'S');
}

int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* --- children --- */

int status_of(pid_t pid, int flags)
{
    int status;

    while (waitpid(pid, &status, flags) != pid)
        ck_assert_int_eq(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ThreadSanitizer would end a child that has threads, and sleeps a second before each exit. */
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
    return "die_after_fork=0:atexit_sleep_ms=10";
}

/* --- suites --- */

Suite *new_suite(const char *name, double timeout, TCase **tc)
{
    Suite *suite = suite_create(name);

    leave_out_of(name);
    *tc = tcase_create(name);
    tcase_set_timeout(*tc, timeout);
    suite_add_tcase(suite, *tc);
    return suite;
}
