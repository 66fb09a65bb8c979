/* SPDX-License-Identifier: MIT */
/*
 * What do thousands of reads that wait for something to come cost those that
 * have something to do?  File reads by aio_read(), 32 at a time, are timed
 * while nothing else is in flight, and while thousands of sockets have a read
 * pending each, by turns: round after round, for speed drifts on most machines
 * and the ratio within a round does not.  The sockets are open all the time.
 *
 * Between rounds the pending reads are cancelled.  After the last one each
 * socket is written to instead, and each read must bring what was written.
 *
 * Every block that is read is looked at: the exit status is 0 if all that was
 * read is right, 1 if not, 2 for other trouble.  Speed decides nothing.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE /* O_DIRECT */
#endif

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, WORDS = BLOCK / 8, DEPTH_MAX = 1024, ROUNDS_MAX = 1000, SPARE_FDS = 128 };

static struct {
    size_t sockets;
    int depth, rounds;
    double seconds;
    size_t mebibytes;
    const char *dir;
    uint64_t seed;
} opt = {10000, 32, 5, 1.0, 64, ".", 1};

static const char *const help =
    "usage: uaio-pending-sockets [OPTION]...\n"
    "Time file reads by POSIX AIO without and with a read pending on each of many\n"
    "sockets, by turns, and print the medians and their ratio.\n"
    "\n"
    "  -n, --sockets N     sockets, each with a pending read (10000)\n"
    "  -d, --depth N       file reads in flight, 1 to 1024 (32)\n"
    "  -r, --rounds N      rounds, 1 to 1000; a median wants 5 or more (5)\n"
    "  -t, --seconds S     for each figure of a round (1)\n"
    "  -m, --mebibytes N   size of the file (64)\n"
    "  -D, --dir DIR       where the file is made, and unlinked at once (.)\n"
    "  -s, --seed N        of the blocks' order (1)\n"
    "  -h, --help          this text\n"
    "\n"
    "The reads are of 4 KiB at random, from the page cache and, where the file\n"
    "system of DIR can do that, by O_DIRECT.  RLIMIT_NOFILE is raised as far as is\n"
    "allowed.  uaio's own settings (UAIO_INLINE, ...) are those of the environment.\n"
    "\n"
    "Exit status: 1 if anything was read that is wrong, 2 for other trouble.\n";

static unsigned long wrong;

static void die(const char *what)
{
    fprintf(stderr, "uaio-pending-sockets: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *allocate(size_t n, size_t size)
{
    void *memory = calloc(n, size);

    if (!memory)
        die("memory");
    memset(memory, 0xff, n * size); /* so that its pages are counted before */
    return memory;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- what the system says of the process; 0 where it does not --- */

static long threads(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    long n = 0;

    while (f && fgets(line, sizeof line, f) && sscanf(line, "Threads: %ld", &n) != 1)
        ;
    if (f)
        fclose(f);
    return n;
}

static long resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long all, resident = 0;

    if (f && fscanf(f, "%ld %ld", &all, &resident) != 2)
        resident = 0;
    if (f)
        fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}

/* --- the sockets --- */

struct receiver {
    int fd;
    socklen_t length;
    struct sockaddr_un address;
};

static struct receiver *receivers;
static int sender; /* one for all, so that each read costs one descriptor */
static struct aiocb *pending;
static unsigned char *received;

static unsigned char byte_for(size_t i)
{
    return (unsigned char)(i * 2654435761U >> 13);
}

static void allow_descriptors(void)
{
    rlim_t wanted = opt.sockets + SPARE_FDS;
    struct rlimit limit, more;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        die("getrlimit");
    if (limit.rlim_cur >= wanted)
        return;
    more = limit;
    more.rlim_cur = wanted;
    if (more.rlim_max < wanted)
        more.rlim_max = wanted; /* root may */
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted)
        return;
    printf("RLIMIT_NOFILE cannot be more than %llu here, %zu sockets take %llu descriptors;\n"
           "`ulimit -Hn`, limits.conf or LimitNOFILE= can raise it\n",
           (unsigned long long)limit.rlim_cur, opt.sockets, (unsigned long long)wanted);
    opt.sockets = limit.rlim_cur > SPARE_FDS ? (size_t)(limit.rlim_cur - SPARE_FDS) : 0;
}

/* With an address that the kernel finds (unix(7), autobind). */
static bool make_receiver(struct receiver *r)
{
    struct sockaddr *address = (struct sockaddr *)&r->address;

    address->sa_family = AF_UNIX;
    r->length = sizeof r->address;
    r->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    return r->fd >= 0 && bind(r->fd, address, sizeof address->sa_family) == 0 &&
           getsockname(r->fd, address, &r->length) == 0;
}

static void make_sockets(void)
{
    allow_descriptors();
    sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    receivers = allocate(opt.sockets + 1, sizeof *receivers);
    for (size_t i = 0; i < opt.sockets; i++)
        if (!make_receiver(&receivers[i])) {
            printf("socket %zu cannot be had: %s\n", i + 1, strerror(errno));
            opt.sockets = i;
        }
    if (opt.sockets == 0)
        die("no sockets");
    pending = allocate(opt.sockets, sizeof *pending);
    received = allocate(opt.sockets, 1);
}

static void start_pending(void)
{
    for (size_t i = 0; i < opt.sockets; i++) {
        struct aiocb *cb = &pending[i];

        memset(cb, 0, sizeof *cb);
        cb->aio_fildes = receivers[i].fd;
        cb->aio_buf = &received[i];
        cb->aio_nbytes = 1;
        cb->aio_sigevent.sigev_notify = SIGEV_NONE;
        received[i] = (unsigned char)~byte_for(i);
        if (aio_read(cb))
            die("a pending read");
    }
}

/* How many of them something has come of, though nothing was sent. */
static size_t not_pending(void)
{
    size_t n = 0;

    for (size_t i = 0; i < opt.sockets; i++)
        n += aio_error(&pending[i]) != EINPROGRESS;
    return n;
}

static void write_to(size_t i)
{
    const struct receiver *r = &receivers[i];
    unsigned char byte = byte_for(i);

    if (sendto(sender, &byte, 1, 0, (const struct sockaddr *)&r->address, r->length) != 1)
        die("sendto");
}

static int await(const struct aiocb *cb)
{
    const struct aiocb *const list[] = {cb};
    int error;

    while ((error = aio_error(cb)) == EINPROGRESS)
        if (aio_suspend(list, 1, NULL) && errno != EINTR)
            die("aio_suspend");
    return error;
}

static void await_byte(size_t i)
{
    if (await(&pending[i]) || aio_return(&pending[i]) != 1 || received[i] != byte_for(i))
        wrong++;
}

/* Returns how many could not be cancelled, and were sent a byte. */
static size_t end_by_cancelling(void)
{
    size_t stuck = 0;

    for (size_t i = 0; i < opt.sockets; i++) {
        if (aio_cancel(receivers[i].fd, &pending[i]) == AIO_CANCELED) {
            wrong += await(&pending[i]) != ECANCELED;
        } else {
            stuck++;
            write_to(i);
            await_byte(i);
        }
    }
    return stuck;
}

static void end_by_writing(void)
{
    for (size_t i = 0; i < opt.sockets; i++)
        write_to(i);
    for (size_t i = 0; i < opt.sockets; i++)
        await_byte(i);
}

/* --- the file --- */

struct slot {
    struct aiocb cb;
    size_t block;
    uint64_t *data;
};

static struct slot slots[DEPTH_MAX];
static size_t n_blocks;
static int cached_fd, direct_fd; /* direct_fd: -1 if there is none */

static uint64_t word_of(size_t block)
{
    return (uint64_t)block * 0x9e3779b97f4a7c15ULL + 1;
}

static void make_file(void)
{
    static uint64_t data[WORDS];
    char *path = malloc(strlen(opt.dir) + 32);

    if (!path)
        die("memory");
    sprintf(path, "%s/pending-sockets.XXXXXX", opt.dir);
    cached_fd = mkstemp(path);
    if (cached_fd < 0)
        die(path);
    direct_fd = open(path, O_RDONLY | O_DIRECT);
    if (direct_fd < 0)
        printf("O_DIRECT cannot be had in %s: %s\n", opt.dir, strerror(errno));
    unlink(path);
    free(path);

    n_blocks = opt.mebibytes * ((1 << 20) / BLOCK);
    for (size_t block = 0; block < n_blocks; block++) {
        for (int i = 0; i < WORDS; i++)
            data[i] = word_of(block);
        if (write(cached_fd, data, BLOCK) != BLOCK)
            die("write");
    }
    if (fsync(cached_fd))
        die("fsync");
    for (int i = 0; i < opt.depth; i++) {
        slots[i].data = aligned_alloc(BLOCK, BLOCK);
        if (!slots[i].data)
            die("memory");
    }
}

static size_t random_block(void)
{
    opt.seed ^= opt.seed >> 12; /* xorshift64* */
    opt.seed ^= opt.seed << 25;
    opt.seed ^= opt.seed >> 27;
    return (size_t)(opt.seed * 0x2545f4914f6cdd1dULL % n_blocks);
}

static void start_slot(struct slot *slot, int fd)
{
    slot->block = random_block();
    slot->data[0] = slot->data[WORDS - 1] = 0;
    memset(&slot->cb, 0, sizeof slot->cb);
    slot->cb.aio_fildes = fd;
    slot->cb.aio_buf = slot->data;
    slot->cb.aio_nbytes = BLOCK;
    slot->cb.aio_offset = (off_t)slot->block * BLOCK;
    slot->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    if (aio_read(&slot->cb))
        die("aio_read");
}

static bool is_right(struct slot *slot)
{
    return aio_error(&slot->cb) == 0 && aio_return(&slot->cb) == BLOCK &&
           slot->data[0] == word_of(slot->block) && slot->data[WORDS - 1] == word_of(slot->block);
}

/* Reads a second. */
static double read_file(int fd)
{
    const struct aiocb *waiting[DEPTH_MAX];
    double start = now(), end = start + opt.seconds;
    unsigned long done = 0;
    int in_flight = opt.depth;

    for (int i = 0; i < opt.depth; i++) {
        waiting[i] = &slots[i].cb;
        start_slot(&slots[i], fd);
    }
    while (in_flight) {
        bool more = now() < end;

        if (aio_suspend(waiting, opt.depth, NULL) && errno != EINTR)
            die("aio_suspend");
        for (int i = 0; i < opt.depth; i++) {
            if (!waiting[i] || aio_error(&slots[i].cb) == EINPROGRESS)
                continue;
            wrong += !is_right(&slots[i]);
            done++;
            if (more) {
                start_slot(&slots[i], fd);
            } else {
                waiting[i] = NULL;
                in_flight--;
            }
        }
    }
    return (double)done / (now() - start);
}

/* --- the figures --- */

/* Of cached reads and of direct ones; the ratio is that of each round. */
static struct figures {
    double without[ROUNDS_MAX], with[ROUNDS_MAX], ratio[ROUNDS_MAX];
} cached, direct;

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts them. */
static double median(double *values)
{
    qsort(values, (size_t)opt.rounds, sizeof *values, compare);
    return (values[(opt.rounds - 1) / 2] + values[opt.rounds / 2]) / 2;
}

static void print_figures(const char *name, struct figures *f)
{
    double ratio;

    for (int i = 0; i < opt.rounds; i++)
        f->ratio[i] = f->with[i] / f->without[i];
    ratio = median(f->ratio);
    printf("%-16s %12.1f %12.1f %9.2f   %.2f..%.2f\n", name, median(f->without) / 1e3,
           median(f->with) / 1e3, ratio, f->ratio[0], f->ratio[opt.rounds - 1]);
}

/* Before there is any other request: what the pending reads take by themselves. */
static size_t measure_cost(void)
{
    long threads_before = threads(), memory = -resident_bytes();
    double took = -now();

    start_pending();
    took += now();
    memory += resident_bytes();
    printf("threads: %ld before, %ld with all reads pending\n", threads_before, threads());
    printf("each pending read: %.0f bytes of the process's memory, %.2f us to submit\n",
           (double)memory / (double)opt.sockets, took * 1e6 / (double)opt.sockets);
    return end_by_cancelling();
}

static void run(void)
{
    size_t stuck = measure_cost(), early = 0;

    for (int round = 0; round < opt.rounds; round++) {
        cached.without[round] = read_file(cached_fd);
        if (direct_fd >= 0)
            direct.without[round] = read_file(direct_fd);

        start_pending();
        cached.with[round] = read_file(cached_fd);
        if (direct_fd >= 0)
            direct.with[round] = read_file(direct_fd);
        early += not_pending();
        if (round < opt.rounds - 1)
            stuck += end_by_cancelling();
        else
            end_by_writing();
    }
    if (stuck)
        printf("%zu pending reads could not be cancelled\n", stuck);
    if (early) {
        printf("%zu pending reads had ended though nothing was sent\n", early);
        wrong += early;
    }
    printf("\n%-16s %12s %12s %9s   %s\n", "medians", "without", "with", "ratio",
           "lowest..highest");
    print_figures("cached kIOPS", &cached);
    if (direct_fd >= 0)
        print_figures("O_DIRECT kIOPS", &direct);
}

/* --- the command line --- */

static double number(const char *name, const char *text, double min, double max)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !(value >= min && value <= max)) {
        fprintf(stderr, "uaio-pending-sockets: --%s: from %g to %g, not \"%s\"\n", name, min, max,
                text);
        exit(2);
    }
    return value;
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {{"sockets", required_argument, NULL, 'n'},
                                            {"depth", required_argument, NULL, 'd'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"seconds", required_argument, NULL, 't'},
                                            {"mebibytes", required_argument, NULL, 'm'},
                                            {"dir", required_argument, NULL, 'D'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;

    while ((c = getopt_long(argc, argv, "n:d:r:t:m:D:s:h", options, NULL)) != -1) {
        if (c == 'n') {
            opt.sockets = (size_t)number("sockets", optarg, 1, 1e7);
        } else if (c == 'd') {
            opt.depth = (int)number("depth", optarg, 1, DEPTH_MAX);
        } else if (c == 'r') {
            opt.rounds = (int)number("rounds", optarg, 1, ROUNDS_MAX);
        } else if (c == 't') {
            opt.seconds = number("seconds", optarg, 0.001, 3600);
        } else if (c == 'm') {
            opt.mebibytes = (size_t)number("mebibytes", optarg, 1, 1 << 20);
        } else if (c == 'D') {
            opt.dir = optarg;
        } else if (c == 's') {
            opt.seed = (uint64_t)number("seed", optarg, 1, 9e15);
        } else if (c == 'h') {
            fputs(help, stdout);
            exit(0);
        } else {
            exit(2);
        }
    }
    if (optind < argc) {
        fputs(help, stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    make_sockets();
    make_file();
    printf("%zu sockets; 4 KiB reads of a file of %zu MiB, %d in flight;"
           " %d rounds of %g s, seed %llu\n",
           opt.sockets, opt.mebibytes, opt.depth, opt.rounds, opt.seconds,
           (unsigned long long)opt.seed);
    run();
    if (wrong)
        printf("%lu reads were WRONG\n", wrong);
    return wrong != 0;
}
