/* SPDX-License-Identifier: MIT */
/*
 * A file that is much larger than the memory that this process may use.
 *
 *     limits-pressure FILE-MIB
 *
 * Its caller puts it into a memory cgroup (limits.sh).  Blocks are written and read
 * in random places by both faces, many at once: the page cache is of no use, and each
 * page has to be taken from another.  Then reads of a pipe are queued that take what
 * is left of the memory, if a request took much more than it should.
 * Invariant: each request ends once, with the right data or with EAGAIN or ENOMEM, at
 * once or as its result.  What is refused is done by pread() or pwrite(), so that all
 * can be compared in the end; most must not be.  Nothing hangs: there is an alarm.
 */
#include "verdict.h"
#ifdef BOTH_FACES
# include "../linux/api.h"
#endif

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* PENDING: at 768 bytes each they would not fit into the 24 MiB of the test.  As they
 * are, half of it is left to the page cache: with much less, and a busy disk, the kernel
 * finds no page to take back in time, and kills. */
enum { BLOCK = 16 * 1024, WINDOW = 128, PENDING = 32768, ALARM_S = 240 };

static int file;
static unsigned blocks, refused;
static unsigned char buffers[WINDOW][BLOCK];
static unsigned at[WINDOW]; /* the block that is in that buffer */

/* ---- the file ------------------------------------------------------------------ */

static off_t offset_of(unsigned slot)
{
    return (off_t)at[slot] * BLOCK;
}

/* No two words of the file are the same, nor does one stay as it is. */
static uint64_t word(unsigned slot, unsigned i, unsigned salt)
{
    return ((uint64_t)at[slot] << 32 | i << 8 | salt) * UINT64_C(0x9e3779b97f4a7c15);
}

static void fill_block(unsigned slot, unsigned salt)
{
    uint64_t *words = (uint64_t *)(void *)buffers[slot];

    for (unsigned i = 0; i < BLOCK / sizeof *words; i++)
        words[i] = word(slot, i, salt);
}

static void check_block(unsigned slot, unsigned salt)
{
    const uint64_t *words = (const uint64_t *)(const void *)buffers[slot];

    for (unsigned i = 0; i < BLOCK / sizeof *words; i++)
        must(words[i] == word(slot, i, salt), "other data were read than written");
}

/* All blocks once, the next far from the last: `blocks` is a power of 2. */
static unsigned scattered(unsigned i)
{
    return (i * 4099u + 77) & (blocks - 1);
}

static void take_block(unsigned slot, unsigned i, bool writes, unsigned salt)
{
    at[slot] = scattered(i);
    if (writes)
        fill_block(slot, salt);
    else
        memset(buffers[slot], 0, BLOCK);
}

/* A request ended like that. */
static void end_block(unsigned slot, ssize_t result, int error, bool writes, unsigned salt)
{
    if (result < 0) {
        if (error != EAGAIN && error != ENOMEM)
            fprintf(stderr, "request: %s\n", strerror(error));
        must(error == EAGAIN || error == ENOMEM, "a request failed");
        refused++;
        do
            result = writes ? pwrite(file, buffers[slot], BLOCK, offset_of(slot))
                            : pread(file, buffers[slot], BLOCK, offset_of(slot));
        while (result < 0 && errno == ENOMEM);
    }
    must(result == BLOCK, "a request ended with another number");
    if (!writes)
        check_block(slot, salt);
}

/* ---- the POSIX face ------------------------------------------------------------ */

static struct aiocb cbs[PENDING];
static bool accepted[PENDING];

static bool is_accepted(int result)
{
    if (result == 0)
        return true;
    must(errno == EAGAIN, "a submission failed with another errno than EAGAIN");
    refused++;
    return false;
}

/* The result, or -1 and errno. */
static ssize_t finish(struct aiocb *cb)
{
    const struct aiocb *const list[] = {cb};
    int error;

    while ((error = aio_error(cb)) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    errno = error;
    return aio_return(cb);
}

static void posix_end(unsigned slot, bool writes, unsigned salt)
{
    ssize_t result = finish(&cbs[slot]);

    end_block(slot, result, errno, writes, salt);
}

static void posix_pass(bool writes, unsigned salt)
{
    step = writes ? "aio_write" : "aio_read";
    for (unsigned i = 0; i < blocks + WINDOW; i++) {
        unsigned slot = i % WINDOW;

        if (i >= WINDOW && accepted[slot])
            posix_end(slot, writes, salt);
        if (i >= blocks)
            continue;
        take_block(slot, i, writes, salt);
        fill(&cbs[slot], file, buffers[slot], BLOCK, offset_of(slot));
        accepted[slot] = (writes ? aio_write(&cbs[slot]) : aio_read(&cbs[slot])) == 0;
        if (!accepted[slot])
            end_block(slot, -1, errno, writes, salt);
    }
}

static void posix_file(void)
{
    posix_pass(true, 1);
    step = "aio_fsync";
    fill(&cbs[0], file, NULL, 0, 0);
    if (is_accepted(aio_fsync(O_SYNC, &cbs[0])))
        must(finish(&cbs[0]) == 0 || errno == EAGAIN || errno == ENOMEM, "aio_fsync failed");
    posix_pass(false, 1);
}

/* "A million requests in flight [...] 248 bytes" each: these have 24 MiB. */
static void posix_pending(void)
{
    static unsigned char bytes[PENDING], sent[PENDING];
    unsigned n = 0, read_so_far = 0;
    int ends[2];

    step = "reads of a pipe";
    insist(pipe(ends) == 0, "pipe");
    for (unsigned i = 0; i < PENDING; i++) {
        sent[i] = (unsigned char)(i * 31 + i / 256);
        fill(&cbs[i], ends[0], &bytes[i], 1, 0);
        accepted[i] = is_accepted(aio_read(&cbs[i]));
    }
    for (unsigned i = 0; i < PENDING; i++)
        if (accepted[i] && aio_error(&cbs[i]) == EINPROGRESS)
            n++;
        else
            accepted[i] = false; /* there is nothing to be read: it has been refused */
    must(n > PENDING / 2, "most reads of a pipe were refused");
    for (unsigned i = 0; i < n;) {
        ssize_t written = write(ends[1], &sent[i], n - i);

        insist(written > 0, "write");
        i += (unsigned)written;
    }
    for (unsigned i = 0; i < PENDING; i++)
        if (accepted[i]) {
            must(finish(&cbs[i]) == 1, "a read of a pipe failed");
            must(bytes[i] == sent[read_so_far++], "reads of a pipe out of order");
        }
    close(ends[0]);
    close(ends[1]);
}

/* ---- the native face ----------------------------------------------------------- */

#ifdef BOTH_FACES
static aio_context_t ctx;
static struct iocb iocbs[WINDOW];
static bool under_way[WINDOW];

static void native_submit(unsigned slot, bool writes, unsigned salt)
{
    struct iocb *cb = &iocbs[slot];
    int n;

    *cb = (struct iocb){.aio_data = slot,
                        .aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
                        .aio_fildes = (uint32_t)file,
                        .aio_buf = (uintptr_t)buffers[slot],
                        .aio_nbytes = BLOCK,
                        .aio_offset = offset_of(slot)};
    n = t_submit(ctx, 1, &cb);
    under_way[slot] = n == 1;
    if (n != 1)
        end_block(slot, -1, -n, writes, salt);
}

/* Of any request, whose slot is free then. */
static unsigned native_end(bool writes, unsigned salt)
{
    struct io_event event;
    unsigned slot;

    must(t_getevents(ctx, 1, 1, &event, NULL) == 1, "io_getevents");
    slot = (unsigned)event.data;
    must(slot < WINDOW && event.obj == (uintptr_t)&iocbs[slot], "an event's request");
    must(under_way[slot], "two events of a request");
    under_way[slot] = false;
    end_block(slot, (ssize_t)event.res, (int)-event.res, writes, salt);
    return slot;
}

static void native_pass(bool writes, unsigned salt)
{
    static const struct timespec none = {0, 0};
    struct io_event event;

    step = writes ? "native writes" : "native reads";
    for (unsigned i = 0; i < blocks; i++) {
        unsigned slot = 0;

        while (slot < WINDOW && under_way[slot])
            slot++;
        if (slot == WINDOW)
            slot = native_end(writes, salt);
        take_block(slot, i, writes, salt);
        native_submit(slot, writes, salt);
    }
    for (unsigned slot = 0; slot < WINDOW; slot++)
        while (under_way[slot])
            native_end(writes, salt);
    must(t_getevents(ctx, 0, 1, &event, &none) == 0, "an event of no request");
}

static void native(void)
{
    step = "io_setup";
    must(t_setup(WINDOW, &ctx) == 0, "io_setup failed");
    native_pass(true, 2);
    native_pass(false, 2);
    step = "io_destroy";
    must(t_destroy(ctx) == 0, "io_destroy failed");
    puts("native AIO was used");
}
#else
static void native(void)
{
}
#endif

int main(int argc, char **argv)
{
    char path[] = "uaio-pressure-XXXXXX";

    insist(argc == 2, "usage: limits-pressure FILE-MIB");
    blocks = (unsigned)strtoul(argv[1], NULL, 10) * (1024 * 1024 / BLOCK);
    insist(blocks >= WINDOW && (blocks & (blocks - 1)) == 0, "a power of 2");
    begin("pressure", ALARM_S);
    file = mkstemp(path);
    insist(file >= 0 && unlink(path) == 0, "temporary file");
    posix_file();
    posix_pending();
    native();
    must(refused < blocks, "most requests were refused");
    printf("all is right, but %u were refused\n", refused);
    return 0;
}
