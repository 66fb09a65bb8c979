/* SPDX-License-Identifier: MIT */
/*
 * The main paths through the library, for cost.sh, which counts what they cost:
 *
 *     cost PATH OPERATIONS
 *
 * Linked with libc alone and run under the preload.  Everything is in the page
 * cache; nothing is measured here.
 */
#define _GNU_SOURCE
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 64, BATCH = 32 };

struct path {
    const char *name;
    unsigned batch; /* operations of a step */
    void (*step)(void);
};

static int file;
static char blocks[BATCH][BLOCK];
static aio_context_t context;

static void insist(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        exit(1);
    }
}

/* ---- POSIX ------------------------------------------------------------------- */

static void wait_for(struct aiocb *cb)
{
    const struct aiocb *const list[] = {cb};

    while (aio_error(cb) == EINPROGRESS)
        insist(aio_suspend(list, 1, NULL) == 0, "aio_suspend");
    insist(aio_return(cb) == BLOCK, "aio_return");
}

static void prepare(struct aiocb *cb, unsigned i)
{
    memset(cb, 0, sizeof *cb);
    cb->aio_fildes = file;
    cb->aio_buf = blocks[i];
    cb->aio_nbytes = BLOCK;
    cb->aio_offset = (off_t)(i % BLOCKS) * BLOCK;
    cb->aio_sigevent.sigev_notify = SIGEV_NONE;
}

static void posix_read(void)
{
    struct aiocb cb;

    prepare(&cb, 0);
    insist(aio_read(&cb) == 0, "aio_read");
    wait_for(&cb);
}

static void posix_write(void)
{
    struct aiocb cb;

    prepare(&cb, 0);
    insist(aio_write(&cb) == 0, "aio_write");
    wait_for(&cb);
}

static void posix_list(void)
{
    struct aiocb cbs[BATCH], *list[BATCH];

    for (unsigned i = 0; i < BATCH; i++) {
        prepare(&cbs[i], i);
        cbs[i].aio_lio_opcode = LIO_READ;
        list[i] = &cbs[i];
    }
    insist(lio_listio(LIO_WAIT, list, BATCH, NULL) == 0, "lio_listio");
    for (unsigned i = 0; i < BATCH; i++)
        wait_for(&cbs[i]);
}

/* ---- Linux ------------------------------------------------------------------- */

static void submit_and_reap(unsigned n, unsigned opcode)
{
    struct io_event events[BATCH];
    struct iocb cbs[BATCH], *list[BATCH];
    long reaped = 0;

    memset(cbs, 0, sizeof cbs);
    for (unsigned i = 0; i < n; i++) {
        cbs[i].aio_lio_opcode = (uint16_t)opcode;
        cbs[i].aio_fildes = (uint32_t)file;
        cbs[i].aio_buf = (uintptr_t)blocks[i];
        cbs[i].aio_nbytes = BLOCK;
        cbs[i].aio_offset = (int64_t)(i % BLOCKS) * BLOCK;
        list[i] = &cbs[i];
    }
    insist(syscall(SYS_io_submit, context, (long)n, list) == (long)n, "io_submit");
    while (reaped < (long)n) {
        long more = syscall(SYS_io_getevents, context, (long)n - reaped, (long)n - reaped,
                            &events[reaped], NULL);
        insist(more > 0, "io_getevents");
        reaped += more;
    }
    for (unsigned i = 0; i < n; i++)
        insist(events[i].res == BLOCK, "an event");
}

static void linux_read(void)
{
    submit_and_reap(1, IOCB_CMD_PREAD);
}

static void linux_batch(void)
{
    submit_and_reap(BATCH, IOCB_CMD_PREAD);
}

static void linux_write(void)
{
    submit_and_reap(1, IOCB_CMD_PWRITE);
}

/* ---- neither ------------------------------------------------------------------- */

/* Of a descriptor that AIO was never used on: a close that fails costs least. */
static void close_other(void)
{
    insist(close(1000) != 0 && errno == EBADF, "close");
}

static const struct path paths[] = {
    {"posix-read", 1, posix_read},
    {"posix-write", 1, posix_write},
    {"posix-list-read", BATCH, posix_list},
    {"linux-read", 1, linux_read},
    {"linux-batch-read", BATCH, linux_batch},
    {"linux-write", 1, linux_write},
    {"close", 1, close_other},
};

static void make_file(void)
{
    char name[] = "cost.XXXXXX";

    file = mkstemp(name);
    insist(file >= 0, "mkstemp");
    unlink(name);
    for (unsigned i = 0; i < BLOCKS; i++)
        insist(write(file, blocks[0], BLOCK) == BLOCK, "write");
}

int main(int argc, char **argv)
{
    long operations = argc == 3 ? atol(argv[2]) : 0;

    for (size_t i = 0; operations > 0 && i < sizeof paths / sizeof *paths; i++) {
        if (strcmp(argv[1], paths[i].name) != 0)
            continue;
        make_file();
        insist(syscall(SYS_io_setup, BATCH, &context) == 0, "io_setup");
        for (long n = 0; n < operations; n += paths[i].batch)
            paths[i].step();
        return 0;
    }
    fprintf(stderr, "usage: cost PATH OPERATIONS\n");
    return 2;
}
