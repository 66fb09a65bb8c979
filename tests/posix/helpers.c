/* SPDX-License-Identifier: MIT */
#include "helpers.h"

#include <dirent.h>
#include <grp.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>

static char temp_dir[PATH_MAX];

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

bool temp_begin(void)
{
    const char *base = getenv("TMPDIR");

    if (base == NULL || base[0] == '\0')
        base = "/tmp";
    snprintf(temp_dir, sizeof temp_dir, "%s/uaio-posix-XXXXXX", base);
    return mkdtemp(temp_dir) != NULL;
}

void temp_end(void)
{
    /* Files are unlinked when made; one of a test that was killed between may be left. */
    DIR *dir = opendir(temp_dir);
    struct dirent *entry;

    if (dir == NULL)
        return;
    while ((entry = readdir(dir)) != NULL)
        unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    rmdir(temp_dir);
}

int temp_file(size_t nbytes)
{
    char path[PATH_MAX + 16];
    unsigned char *data = malloc(nbytes > 0 ? nbytes : 1);
    int fd;

    ck_assert_ptr_nonnull(data);
    for (size_t i = 0; i < nbytes; i++)
        data[i] = pattern(i);
    snprintf(path, sizeof path, "%s/f-XXXXXX", temp_dir);
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(path), 0);
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
    int fd = fcntl(STDIN_FILENO, F_DUPFD, 500);

    if (fd < 0)
        fd = open("/dev/null", O_RDWR);
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

size_t fill_up(int fd)
{
    static const char block[4096];
    int flags = fcntl(fd, F_GETFL);
    size_t total = 0;
    ssize_t n;

    ck_assert_int_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    for (size_t size = sizeof block; size > 0; size /= 2) {
        while ((n = write(fd, block, size)) > 0)
            total += (size_t)n;
        ck_assert_int_eq(errno, EAGAIN);
    }
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
    return total;
}

void read_fully(int fd, void *buf, size_t nbytes)
{
    char *to = buf;

    while (nbytes > 0) {
        ssize_t n = read(fd, to, nbytes);

        ck_assert_int_gt(n, 0);
        to += n;
        nbytes -= (size_t)n;
    }
}

/* --- streams --- */

/* Buffers of 64 KiB, or about twice that, that will not grow under the test. */
static void limit_buffers(int fd)
{
    const int nbytes = 65536;

    if (fcntl(fd, F_GETPIPE_SZ) > 0) {
        ck_assert_int_eq(fcntl(fd, F_SETPIPE_SZ, nbytes), nbytes);
        return;
    }
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &nbytes, sizeof nbytes), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &nbytes, sizeof nbytes), 0);
}

static void make_fifo(int ends[2])
{
    char path[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/fifo", temp_dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ends[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* there is no writer yet */
    ck_assert_int_ge(ends[0], 0);
    ends[1] = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(ends[1], 0);
    ck_assert_int_eq(unlink(path), 0);
    set_nonblocking(ends[0], false);
    limit_buffers(ends[1]);
}

static void make_unix(int type, int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
    limit_buffers(ends[0]);
    limit_buffers(ends[1]);
}

/* A socket bound to some port of the loopback device; -1 if there is none. */
static int bind_loopback(int type, struct sockaddr_in *name)
{
    socklen_t size = sizeof *name;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    memset(name, 0, sizeof *name);
    name->sin_family = AF_INET;
    name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)name, sizeof *name) != 0) {
        close(fd);
        return -1;
    }
    limit_buffers(fd);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)name, &size), 0);
    return fd;
}

static void must_connect(int fd, const struct sockaddr_in *name)
{
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)name, sizeof *name), 0);
}

static bool make_tcp(int ends[2])
{
    struct sockaddr_in name, unused;
    int listener = bind_loopback(SOCK_STREAM, &name);

    if (listener < 0)
        return false;
    ck_assert_int_eq(listen(listener, 1), 0);
    ends[1] = bind_loopback(SOCK_STREAM, &unused);
    ck_assert_int_ge(ends[1], 0);
    must_connect(ends[1], &name);
    ends[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(ends[0], 0);
    close(listener);
    return true;
}

static bool make_udp(int ends[2])
{
    struct sockaddr_in names[2];

    for (int i = 0; i < 2; i++) {
        ends[i] = bind_loopback(SOCK_DGRAM, &names[i]);
        if (ends[i] < 0)
            return false;
    }
    for (int i = 0; i < 2; i++)
        must_connect(ends[i], &names[1 - i]);
    return true;
}

static bool make_tty(int *slave, int *master)
{
    struct termios mode;

    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0 || grantpt(*master) != 0 || unlockpt(*master) != 0)
        return false;
    *slave = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*slave < 0)
        return false;
    ck_assert_int_eq(tcgetattr(*slave, &mode), 0);
    cfmakeraw(&mode);
    ck_assert_int_eq(tcsetattr(*slave, TCSANOW, &mode), 0);
    return true;
}

bool make_stream(int kind, int ends[2], const char *test)
{
    bool made = true;

    switch (kind) {
    case STREAM_PIPE:
        make_pipe(ends);
        limit_buffers(ends[1]);
        break;
    case STREAM_FIFO:
        make_fifo(ends);
        break;
    case STREAM_UNIX:
        make_unix(SOCK_STREAM, ends);
        break;
    case STREAM_SEQPACKET:
        make_unix(SOCK_SEQPACKET, ends);
        break;
    case STREAM_DGRAM:
        make_unix(SOCK_DGRAM, ends);
        break;
    case STREAM_TCP:
        made = make_tcp(ends);
        break;
    case STREAM_UDP:
        made = make_udp(ends);
        break;
    case STREAM_TTY:
        made = make_tty(&ends[0], &ends[1]);
        break;
    case STREAM_TTY_MASTER:
        made = make_tty(&ends[1], &ends[0]);
        break;
    default:
        ck_abort_msg("no such stream: %d", kind);
    }
    if (!made)
        skipped(test, kind == STREAM_TTY || kind == STREAM_TTY_MASTER ? "no pseudo-terminals here"
                                                                      : "no loopback device here");
    return made;
}

bool stays_full(int kind)
{
    /* Behind the buffers of the others somebody goes on moving bytes for a while. */
    return kind != STREAM_TCP && kind != STREAM_UDP && kind != STREAM_TTY &&
           kind != STREAM_TTY_MASTER;
}

static char waiting_data[LARGE], waiting_back[LARGE];

ssize_t prep_waiting_write(int kind, int fd, struct aiocb *cb)
{
    ssize_t nbytes = kind < STREAMS_OF_BYTES ? LARGE : 100;

    if (kind >= STREAMS_OF_BYTES)
        fill_up(fd);          /* of zeros */
    if (waiting_data[0] == 0) /* later, others may be reading it */
        memset(waiting_data, 'w', sizeof waiting_data);
    prep(cb, fd, waiting_data, (size_t)nbytes, 0);
    return nbytes;
}

void receive_waiting_write(int kind, int fd, ssize_t nbytes)
{
    if (kind < STREAMS_OF_BYTES) {
        read_fully(fd, waiting_back, (size_t)nbytes);
    } else {
        do {
            ck_assert_int_gt(read(fd, waiting_back, sizeof waiting_back), 0);
        } while (waiting_back[0] != 'w');
    }
    ck_assert_mem_eq(waiting_back, waiting_data, (size_t)nbytes);
}

void is_waiting(const struct aiocb *cb)
{
    ck_assert_int_eq(aio_error(cb), EINPROGRESS);
}

void send_pattern(int fd, size_t i)
{
    const unsigned char byte = pattern(i);

    ck_assert_int_eq(write(fd, &byte, 1), 1);
}

void set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    ck_assert_int_ge(flags, 0);
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

bool is_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

void await_bytes(int fd, int nbytes)
{
    int there;

    for (;;) {
        ck_assert_int_eq(ioctl(fd, FIONREAD, &there), 0);
        if (there >= nbytes)
            return;
        sched_yield();
    }
}

/* --- control blocks --- */

void prep_over_garbage(struct aiocb *cb, int garbage, int fd, const void *buf, size_t nbytes,
                       off_t offset)
{
    memset(cb, garbage, sizeof *cb);
    cb->aio_fildes = fd;
    cb->aio_reqprio = 0;
    cb->aio_buf = (volatile void *)(uintptr_t)buf;
    cb->aio_nbytes = nbytes;
    cb->aio_offset = offset;
    cb->aio_sigevent.sigev_notify = SIGEV_NONE;
}

void prep(struct aiocb *cb, int fd, const void *buf, size_t nbytes, off_t offset)
{
    prep_over_garbage(cb, 0, fd, buf, nbytes, offset);
}

bool same_public_fields(const struct aiocb *a, const struct aiocb *b)
{
    return a->aio_fildes == b->aio_fildes && a->aio_lio_opcode == b->aio_lio_opcode &&
           a->aio_reqprio == b->aio_reqprio && a->aio_buf == b->aio_buf &&
           a->aio_nbytes == b->aio_nbytes && a->aio_offset == b->aio_offset &&
           memcmp(&a->aio_sigevent, &b->aio_sigevent, sizeof a->aio_sigevent) == 0;
}

void notify_by_signal(struct sigevent *ev, int signo, void *value)
{
    memset(ev, 0, sizeof *ev);
    ev->sigev_notify = SIGEV_SIGNAL;
    ev->sigev_signo = signo;
    ev->sigev_value.sival_ptr = value;
}

void notify_by_thread(struct sigevent *ev, void (*function)(union sigval), void *value,
                      pthread_attr_t *attr)
{
    memset(ev, 0, sizeof *ev);
    ev->sigev_notify = SIGEV_THREAD;
    ev->sigev_notify_function = function;
    ev->sigev_notify_attributes = attr;
    ev->sigev_value.sival_ptr = value;
}

void must_read(struct aiocb *cb)
{
    ck_assert_int_eq(aio_read(cb), 0);
}

void must_write(struct aiocb *cb)
{
    ck_assert_int_eq(aio_write(cb), 0);
}

void must_fsync(struct aiocb *cb)
{
    ck_assert_int_eq(aio_fsync(O_SYNC, cb), 0);
}

int wait_done(const struct aiocb *cb)
{
    const struct aiocb *const list[1] = {cb};
    int error;

    while ((error = aio_error(cb)) == EINPROGRESS) {
        if (aio_suspend(list, 1, NULL) != 0)
            ck_assert_int_eq(errno, EINTR);
    }
    return error;
}

ssize_t finish(struct aiocb *cb)
{
    ck_assert_int_eq(wait_done(cb), 0);
    return aio_return(cb);
}

void finish_with(struct aiocb *cb, int error)
{
    ck_assert_int_eq(wait_done(cb), error);
    ck_assert_int_eq(aio_return(cb), -1);
}

void let_others_run(void)
{
    static struct aiocb cbs[256];
    static char bytes[COUNT(cbs)];
    static int fds[8];
    static bool opened;

    /* Kept open: an aio_fsync of another thread may be asking which files they are. */
    for (size_t i = 0; !opened && i < COUNT(fds); i++)
        fds[i] = temp_file(COUNT(cbs));
    opened = true;
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT(cbs); i++) {
            prep(&cbs[i], fds[i % COUNT(fds)], &bytes[i], 1, (off_t)i);
            must_read(&cbs[i]);
        }
        for (size_t i = 0; i < COUNT(cbs); i++)
            ck_assert_int_eq(finish(&cbs[i]), 1);
    }
}

/* --- settings --- */

void use_workers(int n)
{
    struct aioinit init = {.aio_threads = n, .aio_num = 64, .aio_idle_time = 1};
    char digits[16];

    snprintf(digits, sizeof digits, "%d", n);
    ck_assert_int_eq(setenv("UAIO_THREADS", digits, 1), 0);
    aio_init(&init);
}

void queue_everything(void)
{
    ck_assert_int_eq(setenv("UAIO_THREADS", "4", 0), 0);
    ck_assert_int_eq(setenv("UAIO_INLINE", "0", 1), 0);
    ck_assert_int_eq(setenv("UAIO_HELP", "0", 1), 0);
}

/* --- the gate --- */

static int open_uffd(void)
{
    int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

#ifdef USERFAULTFD_IOC_NEW
    if (uffd < 0) {
        int dev = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

        if (dev >= 0) {
            uffd = ioctl(dev, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
            close(dev);
        }
    }
#endif
    return uffd;
}

bool gate_make(struct gate *gate, unsigned npages, const char *test)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register watch = {.mode = UFFDIO_REGISTER_MODE_MISSING};
    size_t size;

    ck_assert_uint_le(npages, GATE_PAGES_MAX);
    memset(gate, 0, sizeof *gate);
    gate->npages = npages;
    gate->page_size = (size_t)sysconf(_SC_PAGESIZE);
    size = npages * gate->page_size;
    gate->uffd = open_uffd();
    if (gate->uffd < 0 || ioctl(gate->uffd, UFFDIO_API, &api) != 0) {
        skipped(test, "no userfaultfd for kernel faults here, so no slow file");
        return false;
    }
    gate->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(gate->base, MAP_FAILED);
    watch.range.start = (uintptr_t)gate->base;
    watch.range.len = size;
    ck_assert_int_eq(ioctl(gate->uffd, UFFDIO_REGISTER, &watch), 0);
    return true;
}

void *gate_page(const struct gate *gate, unsigned i)
{
    return gate->base + i * gate->page_size;
}

/* Takes the next event there is; false if there is none. */
static bool take_event(struct gate *gate, unsigned *i)
{
    struct uffd_msg msg;
    ssize_t n;

    do {
        n = read(gate->uffd, &msg, sizeof msg);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return false;
    insist(n == sizeof msg && msg.event == UFFD_EVENT_PAGEFAULT, "fault event");
    *i = (unsigned)((msg.arg.pagefault.address - (uintptr_t)gate->base) / gate->page_size);
    gate->arrived[*i] = true;
    return true;
}

unsigned gate_next(struct gate *gate)
{
    struct pollfd p = {.fd = gate->uffd, .events = POLLIN};
    unsigned i;

    while (!take_event(gate, &i))
        poll(&p, 1, -1);
    return i;
}

bool gate_has_arrived(struct gate *gate, unsigned i)
{
    unsigned any;

    while (take_event(gate, &any))
        ;
    return gate->arrived[i];
}

void gate_await(struct gate *gate, unsigned i)
{
    while (!gate->arrived[i])
        gate_next(gate);
}

void gate_open_with(const struct gate *gate, unsigned i, int fill)
{
    struct uffdio_copy copy = {0};
    void *source = malloc(gate->page_size);

    insist(source != NULL, "memory");
    memset(source, fill, gate->page_size);
    copy.src = (uintptr_t)source;
    copy.dst = (uintptr_t)gate_page(gate, i);
    copy.len = gate->page_size;
    while (ioctl(gate->uffd, UFFDIO_COPY, &copy) != 0) {
        insist(errno == EAGAIN, "UFFDIO_COPY"); /* EAGAIN: the address space is changing */
        copy.copy = 0;
    }
    free(source);
}

void gate_open(const struct gate *gate, unsigned i)
{
    gate_open_with(gate, i, 0);
}

void occupy_worker(struct gate *gate, unsigned i, struct aiocb *cb)
{
    prep(cb, temp_file(16), gate_page(gate, i), 16, 0);
    must_read(cb);
    gate_await(gate, i);
}

/* --- signals --- */

void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    ck_assert_int_eq(sigaction(signo, &action, NULL), 0);
}

void ignore_quietly(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)info;
    (void)context;
}

void block_signal(int signo)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signo);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
}

void take_signal(int signo, siginfo_t *info)
{
    sigset_t set;
    int got;

    sigemptyset(&set);
    sigaddset(&set, signo);
    do {
        got = sigwaitinfo(&set, info);
    } while (got < 0 && errno == EINTR);
    ck_assert_int_eq(got, signo);
}

bool is_pending(int signo)
{
    sigset_t set;

    ck_assert_int_eq(sigpending(&set), 0);
    return sigismember(&set, signo) == 1;
}

static timer_t storm;
static struct timespec storm_pause;

static void storm_set(bool repeated)
{
    struct itimerspec when = {.it_value = storm_pause};

    if (repeated)
        when.it_interval = storm_pause;
    timer_settime(storm, 0, &when, NULL);
}

static void storm_make(int signo, long us)
{
    struct sigevent ev;

    memset(&ev, 0, sizeof ev);
    ev.sigev_notify = SIGEV_THREAD_ID;
    ev.sigev_signo = signo;
    ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    storm_pause = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &ev, &storm), 0);
}

void storm_begin(int signo, long us)
{
    storm_make(signo, us);
    storm_set(true);
}

void storm_begin_shots(int signo, long us)
{
    storm_make(signo, us);
    storm_set(false);
}

/* In handlers: after storm_end() there is no timer, and errno is not theirs to change. */
void storm_again(void)
{
    const int saved = errno;

    storm_set(false);
    errno = saved;
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

static void *do_nothing(void *argument)
{
    return argument;
}

/* Of LeakSanitizer, if that is in the program. */
extern void __lsan_do_leak_check(void) __attribute__((weak));

void no_leak_check_at_exit(void)
{
    if (__lsan_do_leak_check)
        __lsan_do_leak_check();
}

bool forbid_threads(void)
{
    const struct rlimit none = {0, 0};
    pthread_t thread;

    no_leak_check_at_exit();
    if (setrlimit(RLIMIT_NPROC, &none) != 0)
        return false;
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(65534, 65534, 65534) != 0 ||
                           setresuid(65534, 65534, 65534) != 0))
        return false;
    if (pthread_create(&thread, NULL, do_nothing, NULL) != 0)
        return true;
    pthread_join(thread, NULL);
    return false;
}

size_t list_threads(pid_t *tids, size_t n)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    size_t found = 0;

    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (found < n)
            tids[found] = (pid_t)atol(entry->d_name);
        found++;
    }
    closedir(dir);
    return found;
}

void thread_value(pid_t tid, const char *field, char value[THREAD_VALUE_MAX])
{
    char path[64], line[THREAD_VALUE_MAX];
    const size_t length = strlen(field);
    FILE *status;

    value[0] = '\0';
    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    status = fopen(path, "r");
    if (status == NULL)
        return;
    while (fgets(line, sizeof line, status) != NULL) {
        if (strncmp(line, field, length) == 0 && line[length] == ':') {
            const char *begin = line + length + 1 + strspn(line + length + 1, " \t");

            snprintf(value, THREAD_VALUE_MAX, "%.*s", (int)strcspn(begin, "\n"), begin);
            break;
        }
    }
    fclose(status);
}

/* --- processes --- */

/* ThreadSanitizer would end a child that has threads, and sleeps a second before each exit. */
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
    return "die_after_fork=0:atexit_sleep_ms=10";
}

int status_of(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) != pid)
        ck_assert_int_eq(errno, EINTR);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void *shared_memory(size_t nbytes)
{
    void *memory = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(memory, MAP_FAILED);
    return memory;
}

void execute_new_image(void)
{
    const char *emulator = getenv("UAIO_TEST_EMULATOR");
    char words[PATH_MAX], program[PATH_MAX] = "", *argv[8], *rest = NULL;
    size_t argc = 0;

    setenv("CK_RUN_SUITE", "new_image", 1);
    unsetenv("CK_RUN_CASE");
    setenv("CK_VERBOSITY", "normal", 1);
    if (!emulator) {
        execl("/proc/self/exe", "new-image", (char *)NULL);
        return;
    }
    /* What runs programs for us runs none that we execute. */
    snprintf(words, sizeof words, "%s", emulator);
    for (char *word = words; argc < COUNT(argv) - 2; word = NULL) {
        argv[argc] = strtok_r(word, " ", &rest);
        if (!argv[argc])
            break;
        argc++;
    }
    if (argc == 0 || readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        return;
    argv[argc++] = program;
    argv[argc] = NULL;
    execv(argv[0], argv);
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
