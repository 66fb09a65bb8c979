/* SPDX-License-Identifier: MIT */
/*
 * How fast does POSIX AIO run here?  Random reads or writes of 4 KiB blocks
 * of one file, with a fixed number of requests in flight, for some seconds.
 *
 *     uaio-demo prepare FILE MEBIBYTES
 *     uaio-demo read|write|readwrite FILE DEPTH SECONDS [direct]
 *
 * It is written against the standard <aio.h> alone, so that the same binary
 * runs on libc's AIO and, under LD_PRELOAD=libuaio-preload.so, on uaio.
 *
 * Every block says where it belongs and which time it was written.  Reads are
 * checked as they come in; after a round of writes the whole file is.  Two
 * requests for one block are never in flight at once, so what a block must
 * hold is always known.
 *
 * Prints `operations-per-second errors`; the exit status is 0 if all data
 * were right, 1 if not, 2 for other trouble.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE /* O_DIRECT */
#endif

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, WORDS = BLOCK / 8, DEPTH_MAX = 4096 };

struct slot {
    struct aiocb cb;
    size_t block;
    uint32_t version; /* what a write brings, or a read must find */
    uint64_t *data;   /* BLOCK bytes, aligned for O_DIRECT */
};

struct run {
    const char *mode;
    int fd;
    int depth;
    double seconds;
    size_t nblocks;
    uint32_t *version; /* of each block, as last written */
    bool *busy;        /* a request for this block is in flight */
    struct slot *slots;
    uint64_t seed;
    unsigned long done;
    unsigned long errors;
};

static void die(const char *what)
{
    fprintf(stderr, "uaio-demo: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void usage(void)
{
    fputs("usage: uaio-demo prepare FILE MEBIBYTES\n"
          "       uaio-demo read|write|readwrite FILE DEPTH SECONDS [direct]\n",
          stderr);
    exit(2);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* xorshift64*: good enough to pick blocks with, and costs next to nothing. */
static uint64_t next_random(struct run *run)
{
    run->seed ^= run->seed >> 12;
    run->seed ^= run->seed << 25;
    run->seed ^= run->seed >> 27;
    return run->seed * 0x2545f4914f6cdd1dULL;
}

/* A block is its number and version, over and over: the first, the middle and
 * the last word are looked at, all of them in scan_file(). */
static uint64_t word_of(size_t block, uint32_t version)
{
    return (uint64_t)block << 32 | version;
}

static void fill(uint64_t *data, size_t block, uint32_t version)
{
    for (int i = 0; i < WORDS; i++)
        data[i] = word_of(block, version);
}

static bool block_is(const uint64_t *data, size_t block, uint32_t version, int step)
{
    for (int i = 0; i < WORDS; i += step)
        if (data[i] != word_of(block, version))
            return false;
    return data[WORDS - 1] == word_of(block, version);
}

static void prepare(const char *path, size_t mebibytes)
{
    static uint64_t data[WORDS];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0)
        die(path);
    for (size_t block = 0; block < mebibytes * 256; block++) {
        fill(data, block, 0);
        if (write(fd, data, BLOCK) != BLOCK)
            die("write");
    }
    if (fsync(fd) || close(fd))
        die("fsync");
}

/* Read the file through.  Every block must be wholly what was last written to
 * it; with `learn` that is what its first word says. */
static void scan_file(struct run *run, const char *path, bool learn)
{
    static uint64_t data[WORDS];
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        die(path);
    for (size_t block = 0; block < run->nblocks; block++) {
        if (read(fd, data, BLOCK) != BLOCK)
            die("read");
        if (learn)
            run->version[block] = (uint32_t)data[0];
        run->errors += !block_is(data, block, run->version[block], 1);
    }
    close(fd);
}

static void submit(struct run *run, struct slot *slot)
{
    bool write = *run->mode == 'w';

    if (!strcmp(run->mode, "readwrite"))
        write = next_random(run) >> 63;
    do
        slot->block = (size_t)(next_random(run) % run->nblocks);
    while (run->busy[slot->block]);
    run->busy[slot->block] = true;

    memset(&slot->cb, 0, sizeof slot->cb);
    slot->cb.aio_fildes = run->fd;
    slot->cb.aio_buf = slot->data;
    slot->cb.aio_nbytes = BLOCK;
    slot->cb.aio_offset = (off_t)slot->block * BLOCK;
    slot->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    if (write) {
        slot->version = ++run->version[slot->block];
        fill(slot->data, slot->block, slot->version);
    } else {
        slot->version = run->version[slot->block];
        slot->data[0] = slot->data[WORDS - 1] = ~word_of(slot->block, slot->version);
    }
    if (write ? aio_write(&slot->cb) : aio_read(&slot->cb))
        die("submit");
}

/* Take in what has been done of one slot; false while it is in progress. */
static bool reap(struct run *run, struct slot *slot)
{
    int status = aio_error(&slot->cb);

    if (status == EINPROGRESS)
        return false;
    /* The data of a write are still those that were to be written. */
    if (status || aio_return(&slot->cb) != BLOCK ||
        !block_is(slot->data, slot->block, slot->version, WORDS / 2))
        run->errors++;
    run->busy[slot->block] = false;
    run->done++;
    return true;
}

static double loop(struct run *run)
{
    const struct aiocb *waiting[DEPTH_MAX];
    double start = now();
    double end = start + run->seconds;
    int in_flight = run->depth;

    for (int i = 0; i < run->depth; i++) {
        waiting[i] = &run->slots[i].cb;
        submit(run, &run->slots[i]);
    }
    while (in_flight) {
        bool more = now() < end;

        if (aio_suspend(waiting, run->depth, NULL) && errno != EINTR)
            die("aio_suspend");
        for (int i = 0; i < run->depth; i++) {
            if (!waiting[i] || !reap(run, &run->slots[i]))
                continue;
            if (more) {
                submit(run, &run->slots[i]);
            } else {
                waiting[i] = NULL;
                in_flight--;
            }
        }
    }
    return now() - start;
}

static void set_up(struct run *run, const char *path, int flags)
{
    struct stat st;

    run->fd = open(path, O_RDWR | flags);
    if (run->fd < 0 || fstat(run->fd, &st))
        die(path);
    run->nblocks = (size_t)st.st_size / BLOCK;
    if (run->nblocks < 2 * (size_t)run->depth) {
        fprintf(stderr, "uaio-demo: %s is too small for this depth\n", path);
        exit(2);
    }
    run->version = calloc(run->nblocks, sizeof *run->version);
    run->busy = calloc(run->nblocks, sizeof *run->busy);
    run->slots = calloc((size_t)run->depth, sizeof *run->slots);
    if (!run->version || !run->busy || !run->slots)
        die("memory");
    for (int i = 0; i < run->depth; i++) {
        run->slots[i].data = aligned_alloc(BLOCK, BLOCK);
        if (!run->slots[i].data)
            die("memory");
    }
}

static void tear_down(struct run *run)
{
    for (int i = 0; i < run->depth; i++)
        free(run->slots[i].data);
    free(run->slots);
    free(run->busy);
    free(run->version);
    close(run->fd);
}

int main(int argc, char **argv)
{
    struct run run = {.seed = 0x9e3779b97f4a7c15ULL};
    double took;

    if (argc == 4 && !strcmp(argv[1], "prepare")) {
        prepare(argv[2], strtoul(argv[3], NULL, 10));
        return 0;
    }
    if (argc < 5 || argc > 6 || (argc == 6 && strcmp(argv[5], "direct")))
        usage();
    run.mode = argv[1];
    run.depth = atoi(argv[3]);
    run.seconds = atof(argv[4]);
    if ((strcmp(run.mode, "read") && strcmp(run.mode, "write") && strcmp(run.mode, "readwrite")) ||
        run.depth < 1 || run.depth > DEPTH_MAX || !(run.seconds > 0))
        usage();

    set_up(&run, argv[2], argc == 6 ? O_DIRECT : 0);
    scan_file(&run, argv[2], true); /* this also brings the file into the page cache */
    took = loop(&run);
    if (*run.mode == 'w' || !strcmp(run.mode, "readwrite"))
        scan_file(&run, argv[2], false);
    printf("%.0f %lu\n", (double)run.done / took, run.errors);
    tear_down(&run);
    return run.errors != 0;
}
