/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

void fail(const char *what, long long detail)
{
    fprintf(stderr, "FINDING: %s (%lld)\n", what, detail);
    abort();
}

/* ---- input --------------------------------------------------------------------- */

uint64_t take_bytes(struct input *in, unsigned nbytes)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < nbytes; i++)
        n |= (uint64_t)take(in) << (8 * i);
    return n;
}

uint64_t take_number(struct input *in)
{
    static const uint64_t edges[] = {
        UINT64_MAX, INT64_MAX,  (uint64_t)INT64_MIN,
        UINT32_MAX, INT32_MAX,  0x80000000u,
        0x7ffff000, 0x7ffff001, UINT64_MAX - 1,
        0xffff,     512,        1024,
        1025,       4096,       8192,
        1u << 20,
    };
    unsigned how = take(in);

    if (how < 0xa0)
        return how;
    if (how < 0xc0)
        return edges[how % COUNT(edges)];
    return take_bytes(in, how < 0xd0 ? 2 : how < 0xe0 ? 4 : 8);
}

/* ---- memory -------------------------------------------------------------------- */

#define DATA_PAGES 2
#define UNTOUCHED 0xa5

static unsigned char *data, *read_only, *no_access;
static size_t data_bytes;
static bool *allowed;

size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static unsigned char *between_guards(size_t nbytes, int protection)
{
    size_t page = page_bytes(), whole = (nbytes + page - 1) / page * page;
    unsigned char *all =
        mmap(NULL, whole + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    must(all != MAP_FAILED && mprotect(all + page, whole, protection) == 0, "mmap", errno);
    return all + page + whole;
}

unsigned char *end_of_memory(size_t nbytes)
{
    return between_guards(nbytes, PROT_READ | PROT_WRITE);
}

unsigned char *end_of_read_only(void)
{
    return read_only + page_bytes();
}

uint64_t take_bad_address(struct input *in)
{
    unsigned which = take(in);
    uint64_t more = which / 16;

    switch (which % 8) {
    case 0:
        return 0;
    case 1:
        return (uintptr_t)no_access + more;
    case 2:
        return (uintptr_t)end_of_read_only() - more;
    case 3:
        return 0x1000 + more; /* below what can be mapped */
    case 4:
        return (uint64_t)(UINTPTR_MAX - more);
    case 5:
        return (uint64_t)(UINTPTR_MAX / 2 + 1 - more); /* the kernel's on most machines */
    case 6:
        return UINTPTR_MAX == UINT64_MAX ? (UINT64_C(1) << 56) + more : 1 + more;
    default: /* good, and beyond its end bad */
        return (uintptr_t)data + data_bytes - more;
    }
}

uint64_t take_address(struct input *in)
{
    unsigned how = take(in);

    if (how >= 0xe0)
        return take_bad_address(in);
    return (uintptr_t)data + (how & 1 ? take(in) : take_bytes(in, 2) % data_bytes);
}

void allow(uint64_t address, uint64_t nbytes)
{
    uint64_t start = (uintptr_t)data;

    if (address < start || address - start >= data_bytes)
        return;
    for (uint64_t i = address - start; i < data_bytes && nbytes > 0; i++, nbytes--)
        allowed[i] = true;
}

void check_data(void)
{
    for (size_t i = 0; i < data_bytes; i++)
        must(allowed[i] || data[i] == UNTOUCHED, "stray write into the data at", (long)i);
    memset(data, UNTOUCHED, data_bytes);
    memset(allowed, 0, data_bytes * sizeof *allowed);
}

/* ---- descriptors --------------------------------------------------------------- */

enum kind {
    FILE_BOTH,
    FILE_READ,
    FILE_WRITE,
    FILE_APPEND,
    FILE_PATH,
    DIRECTORY,
    PIPE_EMPTY,
    PIPE_EMPTY_NONBLOCK,
    PIPE_SOME,
    PIPE_ENDED,
    PIPE_OUT,
    PIPE_FULL,
    PIPE_BROKEN,
    SOCKET,
    SOCKET_NONBLOCK,
    DATAGRAMS,
    NO_CONNECTION,
    COUNTER,
    COUNTER_NONBLOCK,
    COUNTER_FULL,
    EPOLL,
    TIMER,
    DEV_FULL,
    DEV_ZERO,
    TERMINAL,
    OPENED,
    CLOSED = OPENED,
    NEGATIVE,
    LOWEST,
    HIGHEST,
    KINDS
};

#define FILE_BYTES 8192

static int open_file = -1, closed;
static struct {
    int fd, peer;
} opened[OPENED];

static int again(int flags)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", open_file);
    return open(path, flags | O_CLOEXEC);
}

static int counter(uint64_t n, int flags)
{
    int fd = eventfd(0, flags | EFD_CLOEXEC);

    must(n == 0 || write(fd, &n, sizeof n) == sizeof n, "eventfd", errno);
    return fd;
}

static void fill(int fd)
{
    static const char some[4096];
    int flags = fcntl(fd, F_GETFL);

    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while (write(fd, some, sizeof some) > 0)
        ;
    fcntl(fd, F_SETFL, flags);
}

/* fd and peer; `end` is the one that is fd: 0 for reading. */
static void open_pipe(enum kind kind, int end, int flags)
{
    int ends[2];

    must(pipe2(ends, flags | O_CLOEXEC) == 0, "pipe2", errno);
    opened[kind].fd = ends[end];
    opened[kind].peer = ends[!end];
}

static void open_sockets(enum kind kind, int type)
{
    int ends[2];

    must(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0, "socketpair", errno);
    opened[kind].fd = ends[0];
    opened[kind].peer = ends[1];
}

/* The other side is one of those that Linux cannot be asked not to wait on. */
static void open_terminal(enum kind kind)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    opened[kind].peer = master;
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0)
        opened[kind].fd = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (opened[kind].fd < 0) /* there are none in some places */
        opened[kind].fd = open("/dev/full", O_RDWR | O_CLOEXEC);
}

static void close_peer(enum kind kind)
{
    if (opened[kind].peer >= 0)
        close(opened[kind].peer);
    opened[kind].peer = -1;
}

static void open_it(enum kind kind)
{
    int *fd = &opened[kind].fd;

    switch (kind) {
    case FILE_BOTH:
        *fd = again(O_RDWR);
        break;
    case FILE_READ:
        *fd = again(O_RDONLY);
        break;
    case FILE_WRITE:
        *fd = again(O_WRONLY);
        break;
    case FILE_APPEND:
        *fd = again(O_RDWR | O_APPEND);
        break;
    case FILE_PATH:
        *fd = again(O_PATH);
        break;
    case DIRECTORY:
        *fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        break;
    case PIPE_EMPTY:
        open_pipe(kind, 0, 0);
        break;
    case PIPE_EMPTY_NONBLOCK:
        open_pipe(kind, 0, O_NONBLOCK);
        break;
    case PIPE_SOME:
        open_pipe(kind, 0, 0);
        must(write(opened[kind].peer, "some", 4) == 4, "write", errno);
        break;
    case PIPE_ENDED:
        open_pipe(kind, 0, 0);
        close_peer(kind);
        break;
    case PIPE_OUT:
        open_pipe(kind, 1, 0);
        break;
    case PIPE_FULL:
        open_pipe(kind, 1, 0);
        fill(*fd);
        break;
    case PIPE_BROKEN:
        open_pipe(kind, 1, 0);
        close_peer(kind);
        break;
    case SOCKET:
        open_sockets(kind, SOCK_STREAM);
        break;
    case SOCKET_NONBLOCK:
        open_sockets(kind, SOCK_STREAM | SOCK_NONBLOCK);
        break;
    case DATAGRAMS:
        open_sockets(kind, SOCK_DGRAM);
        break;
    case NO_CONNECTION:
        *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        break;
    case COUNTER:
        *fd = counter(0, 0);
        break;
    case COUNTER_NONBLOCK:
        *fd = counter(1, EFD_NONBLOCK);
        break;
    case COUNTER_FULL:
        *fd = counter(UINT64_MAX - 1, 0);
        break;
    case EPOLL:
        *fd = epoll_create1(EPOLL_CLOEXEC);
        break;
    case TIMER:
        *fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
        break;
    /* Not what takes all without a look: AddressSanitizer does look. */
    case DEV_FULL:
        *fd = open("/dev/full", O_RDWR | O_CLOEXEC);
        break;
    case DEV_ZERO:
        *fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        break;
    default:
        open_terminal(kind);
        break;
    }
    must(*fd >= 0, "a descriptor cannot be had", (long)kind);
}

static int descriptor(enum kind kind)
{
    switch (kind) {
    case CLOSED:
        return closed;
    case NEGATIVE:
        return -1;
    case LOWEST:
        return INT_MIN;
    case HIGHEST:
        return INT_MAX;
    default:
        if (opened[kind].fd < 0)
            open_it(kind);
        return opened[kind].fd;
    }
}

int take_descriptor(struct input *in)
{
    return descriptor((enum kind)(take(in) % KINDS));
}

int take_eventfd(struct input *in)
{
    unsigned which = take(in);

    return descriptor((enum kind)(which < 0xc0 ? COUNTER + which % 3 : which % KINDS));
}

int regular_file(void)
{
    return open_file;
}

bool is_certain(int fd)
{
    struct stat st;

    return fstat(fd, &st) != 0 || S_ISREG(st.st_mode);
}

void close_some(struct input *in)
{
    enum kind kind = (enum kind)(take(in) % OPENED);

    if (opened[kind].fd >= 0)
        close(opened[kind].fd);
    opened[kind].fd = -1;
    close_peer(kind);
}

void close_peers(void)
{
    for (int kind = 0; kind < OPENED; kind++)
        close_peer((enum kind)kind);
}

/* ---- one input ------------------------------------------------------------------ */

void fuzz_init(void)
{
    signal(SIGPIPE, SIG_IGN);
    data_bytes = DATA_PAGES * page_bytes();
    data = between_guards(data_bytes, PROT_READ | PROT_WRITE) - data_bytes;
    read_only = between_guards(page_bytes(), PROT_READ) - page_bytes();
    no_access = between_guards(page_bytes(), PROT_NONE) - page_bytes();
    allowed = calloc(data_bytes, sizeof *allowed);
    memset(data, UNTOUCHED, data_bytes);
    open_file = memfd_create("fuzz", MFD_CLOEXEC);
    closed = fcntl(open_file, F_DUPFD_CLOEXEC, 400);
    must(allowed && open_file >= 0 && closed >= 0, "init", errno);
    close(closed);
    for (int kind = 0; kind < OPENED; kind++)
        opened[kind].fd = opened[kind].peer = -1;
}

void fuzz_begin(void)
{
    must(ftruncate(open_file, 0) == 0 && ftruncate(open_file, FILE_BYTES) == 0, "ftruncate", errno);
}

void fuzz_end(void)
{
    close_peers();
    for (int kind = 0; kind < OPENED; kind++) {
        if (opened[kind].fd >= 0)
            close(opened[kind].fd);
        opened[kind].fd = -1;
    }
    check_data();
}
