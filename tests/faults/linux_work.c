/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "work.h"
#include "../linux/api.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 6, EVENTS = 64, FLAG_IOPRIO = 2, MANY = 70 };

#ifndef RWF_DSYNC
# define RWF_DSYNC 0x00000002
#endif

struct request {
    struct iocb cb; /* of what is left to do */
    const void *buffer;
    size_t nbytes; /* of the buffer */
    int64_t wanted;
    int64_t result;
    unsigned times; /* events that are due */
};

static aio_context_t ctx;
static int counter; /* an eventfd */
static uint64_t counted;

/* A copy keeps its place: what names a request in its event is its address. */
static void prepare(struct request *r, int opcode, int fd, const void *buffer, size_t nbytes,
                    off_t offset)
{
    memset(r, 0, sizeof *r);
    r->buffer = buffer;
    r->nbytes = nbytes;
    r->wanted = (int64_t)nbytes;
    r->cb.aio_lio_opcode = (uint16_t)opcode;
    r->cb.aio_fildes = (uint32_t)fd;
    r->cb.aio_buf = (uintptr_t)buffer;
    r->cb.aio_nbytes = nbytes;
    r->cb.aio_offset = offset;
    r->cb.aio_data = (uintptr_t)r;
    r->cb.aio_flags = IOCB_FLAG_RESFD;
    r->cb.aio_resfd = (uint32_t)counter;
}

static void prepare_sync(struct request *r, int opcode, int fd)
{
    prepare(r, opcode, fd, NULL, 0, 0);
}

static void prepare_poll(struct request *r, int fd, int events)
{
    prepare(r, IOCB_CMD_POLL, fd, NULL, 0, 0);
    r->cb.aio_buf = (unsigned)events;
    r->wanted = events;
}

static aio_context_t set_up(int nr)
{
    for (;;) {
        aio_context_t new = 0;
        int err = t_setup(nr, &new);
        if (err == 0)
            return new;
        work_excuse_refusal(-err, true);
    }
}

/* All of them, as far as it goes and then on. */
static void submit(struct request *r, int n)
{
    struct iocb *list[EVENTS];

    for (int i = 0; i < n; i++) {
        list[i] = &r[i].cb;
        r[i].times++;
    }
    for (int done = 0; done < n;) {
        int more = t_submit(ctx, n - done, list + done);
        if (more > 0)
            done += more;
        else
            work_excuse_refusal(-more, true);
    }
}

/* The events, of any request, that are due. */
static void reap(int n)
{
    struct io_event events[EVENTS];

    while (n > 0) {
        int got = t_getevents(ctx, 1, n, events, NULL);
        if (got == -EINTR)
            continue;
        NEED(got > 0);
        for (int i = 0; i < got; i++) {
            struct request *r = (struct request *)(uintptr_t)events[i].data;
            NEED(events[i].obj == (uintptr_t)&r->cb);
            if (r->times-- == 0)
                work_failed("an event came twice", 0);
            r->result = (int64_t)events[i].res;
        }
        n -= got;
        counted += (uint64_t)got;
    }
}

/* The rest of a vector is done by its segments as they are. */
static void skip(struct request *r, size_t n)
{
    if (n == 0)
        return;
    NEED(r->cb.aio_lio_opcode == IOCB_CMD_PREAD || r->cb.aio_lio_opcode == IOCB_CMD_PWRITE);
    r->cb.aio_buf = r->cb.aio_buf + n;
    r->cb.aio_nbytes = r->cb.aio_nbytes - n;
    r->cb.aio_offset += (int64_t)n;
    r->wanted -= (int64_t)n;
}

/* Their events have come: what failed is done once more. */
static void settle(struct request *r, int n)
{
    for (int i = 0; i < n; i++) {
        while (r[i].result != r[i].wanted) {
            bool vectored = r[i].cb.aio_lio_opcode == IOCB_CMD_PREADV ||
                            r[i].cb.aio_lio_opcode == IOCB_CMD_PWRITEV;
            size_t done =
                work_excuse_result(r[i].result, (size_t)r[i].wanted, r[i].buffer, r[i].nbytes);
            skip(&r[i], vectored ? 0 : done); /* a vector at a position: all of it again */
            submit(&r[i], 1);
            reap(1);
        }
    }
}

static void perform(struct request *r, int n)
{
    submit(r, n);
    reap(n);
    settle(r, n);
}

/* ---- files ---------------------------------------------------------------------- */

static void use_file(void)
{
    static unsigned char blocks[BLOCKS][BLOCK];
    static struct request r[BLOCKS + 2];
    int fd = work_file(0);

    work_at("native writes and syncs");
    for (int i = 0; i < BLOCKS; i++) {
        work_fill(blocks[i], BLOCK, (unsigned)i);
        prepare(&r[i], IOCB_CMD_PWRITE, fd, blocks[i], BLOCK, (off_t)i * BLOCK);
    }
    r[1].cb.aio_rw_flags = RWF_DSYNC;
    r[2].cb.aio_flags |= FLAG_IOPRIO;
    r[2].cb.aio_reqprio = (2 << 13) | 4; /* best effort, as without */
    prepare_sync(&r[BLOCKS], IOCB_CMD_FSYNC, fd);
    prepare_sync(&r[BLOCKS + 1], IOCB_CMD_FDSYNC, fd);
    perform(r, BLOCKS + 2);
    for (int i = 0; i < BLOCKS; i++)
        work_check_file(fd, (off_t)i * BLOCK, BLOCK, (unsigned)i);
    work_at("native reads");
    memset(blocks, 0, sizeof blocks);
    for (int i = 0; i < BLOCKS; i++)
        prepare(&r[i], IOCB_CMD_PREAD, fd, blocks[i], BLOCK, (off_t)i * BLOCK);
    perform(r, BLOCKS);
    for (int i = 0; i < BLOCKS; i++)
        work_check(blocks[i], BLOCK, (unsigned)i, "a native read says what is not there");
    close(fd);
}

static void use_large_block(void)
{
    enum { LARGE = 512 * 1024 };
    unsigned char *block = malloc(LARGE);
    static struct request r;
    int fd = work_file(0);

    work_at("a large native read");
    NEED(block != NULL);
    work_fill(block, LARGE, 9);
    prepare(&r, IOCB_CMD_PWRITE, fd, block, LARGE, 0);
    perform(&r, 1);
    memset(block, 0, LARGE);
    prepare(&r, IOCB_CMD_PREAD, fd, block, LARGE, 0);
    perform(&r, 1);
    work_check(block, LARGE, 9, "a large native read says what is not there");
    free(block);
    close(fd);
}

static void use_vectors(int n)
{
    static unsigned char bytes[MANY * 64];
    static struct iovec segments[MANY];
    static struct request r;
    size_t nbytes = (size_t)n * 64;
    int fd = work_file(0);

    work_at("native vectors");
    for (int i = 0; i < n; i++)
        segments[i] = (struct iovec){bytes + (size_t)i * 64, 64};
    work_fill(bytes, nbytes, 10);
    prepare(&r, IOCB_CMD_PWRITEV, fd, segments, (size_t)n, 0);
    r.buffer = bytes;
    r.nbytes = nbytes;
    r.wanted = (int64_t)nbytes;
    perform(&r, 1);
    work_check_file(fd, 0, nbytes, 10);
    memset(bytes, 0, sizeof bytes);
    r.cb.aio_lio_opcode = IOCB_CMD_PREADV;
    perform(&r, 1);
    work_check(bytes, nbytes, 10, "a vector says what is not there");
    close(fd);
}

static void append(void)
{
    static unsigned char record[1000];
    static struct request r;
    int fd = work_file(O_APPEND);

    work_at("native appends");
    for (unsigned i = 0; i < 3; i++) {
        work_fill(record, sizeof record, i + 20);
        prepare(&r, IOCB_CMD_PWRITE, fd, record, sizeof record, 0);
        perform(&r, 1);
        work_check_file(fd, (off_t)(i * sizeof record), sizeof record, i + 20);
    }
    NEED(lseek(fd, 0, SEEK_END) == 3 * sizeof record);
    close(fd);
}

/* ---- what waits -------------------------------------------------------------------- */

static void must_write(int fd, const void *buffer, size_t nbytes)
{
    NEED(write(fd, buffer, nbytes) == (ssize_t)nbytes);
}

static void use_pipe(void)
{
    static struct request polled, got;
    static unsigned char bytes[16];
    unsigned char sent[16];
    int ends[2];

    work_at("a native poll and read of a pipe");
    NEED(pipe(ends) == 0);
    work_needs_threads();
    work_fill(sent, sizeof sent, 30);
    prepare_poll(&polled, ends[0], POLLIN);
    prepare(&got, IOCB_CMD_PREAD, ends[0], bytes, sizeof bytes, 0);
    submit(&polled, 1);
    submit(&got, 1);
    must_write(ends[1], sent, sizeof sent);
    must_write(ends[1], "x", 1); /* stays: the read may come before the poll has looked */
    reap(2);
    settle(&got, 1);
    settle(&polled, 1);
    work_check(bytes, sizeof bytes, 30, "a native read of a pipe");
    close(ends[0]);
    close(ends[1]);
}

static void cancel(void)
{
    static struct request polled;
    struct io_event unused;
    int ends[2];

    work_at("io_cancel");
    NEED(pipe(ends) == 0);
    prepare_poll(&polled, ends[0], POLLIN);
    submit(&polled, 1);
    NEED(t_cancel(ctx, &polled.cb, &unused) == -EINPROGRESS);
    polled.wanted = 0;
    reap(1);
    settle(&polled, 1);
    close(ends[0]);
    close(ends[1]);
}

static void wait_with_a_mask(void)
{
    static struct request polled;
    struct timespec moment = {0, 1000000};
    struct io_event event;
    sigset_t mask;
    int ends[2], n;

    work_at("io_pgetevents");
    NEED(pipe(ends) == 0);
    sigemptyset(&mask);
    prepare_poll(&polled, ends[0], POLLIN);
    submit(&polled, 1);
    n = t_pgetevents(ctx, 1, 1, &event, &moment, &mask);
    NEED(n == 0 || (n == -EINTR && work_is_disturbed()));
    must_write(ends[1], "x", 1);
    do
        n = t_pgetevents(ctx, 1, 1, &event, NULL, &mask);
    while (n == -EINTR && work_is_disturbed());
    NEED(n == 1 && event.obj == (uintptr_t)&polled.cb && event.res == POLLIN);
    counted++;
    close(ends[0]);
    close(ends[1]);
}

/* ---- contexts ------------------------------------------------------------------------ */

/* The head of the ring, as the kernel has it. */
struct ring {
    unsigned id, nr;
};

static void move_ring(void)
{
    const struct ring *ring = (const struct ring *)(uintptr_t)ctx;
    size_t nbytes = 32 + (size_t)ring->nr * sizeof(struct io_event);
    struct io_event event;
    struct timespec none = {0, 0};
    void *room, *moved;
    int n;

    work_at("a ring that is moved");
    nbytes = (nbytes + 4095) & ~(size_t)4095;
    room = mmap(NULL, nbytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(room != MAP_FAILED);
    moved = mremap((void *)(uintptr_t)ctx, nbytes, nbytes, MREMAP_MAYMOVE | MREMAP_FIXED, room);
    NEED(moved == room);
    ctx = (aio_context_t)(uintptr_t)moved;
    while ((n = t_getevents(ctx, 0, 1, &event, &none)) == -EINVAL)
        work_excuse_refusal(EINVAL, true);
    NEED(n == 0);
}

static void destroy_in_use(void)
{
    static struct request r[2];
    static unsigned char bytes[16];
    aio_context_t other = ctx;
    uint64_t before = 0;
    int ends[2];
    bool fed;

    work_at("io_destroy");
    NEED(pipe(ends) == 0);
    work_needs_threads();
    ctx = set_up(4);
    prepare_poll(&r[0], ends[0], POLLIN);
    prepare(&r[1], IOCB_CMD_PREAD, ends[0], bytes, sizeof bytes, 0);
    submit(r, 2);
    fed = work_is_disturbed();
    if (fed) /* a worker may be in its read() */
        must_write(ends[1], "0123456789abcdef", 16);
    NEED(t_destroy(ctx) == 0);
    NEED(t_destroy(ctx) == -EINVAL);
    ctx = other;
    /* What came of the two is counted or not, but not later. */
    NEED(read(counter, &before, sizeof before) == sizeof before);
    NEED(before >= counted && before <= counted + 2);
    close(ends[0]);
    close(ends[1]);
}

static void use_child(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    static unsigned char block[256];
    static struct request r;
    int fd = work_file(0);
    pid_t pid;

    work_at("fork, native");
    pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        alarm(20);
        work_at("a child, native");
        ctx = set_up(4);
        work_fill(block, sizeof block, 80);
        prepare(&r, IOCB_CMD_PWRITE, fd, block, sizeof block, 0);
        r.cb.aio_flags = 0; /* the counter is the parent's, too */
        perform(&r, 1);
        NEED(t_destroy(ctx) == 0);
        _exit(0);
    }
    work_await_child(pid);
    work_check_file(fd, 0, sizeof block, 80);
    close(fd);
#endif
}

void work_on_linux(void)
{
    counter = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    counted = 0;
    NEED(counter >= 0);
    work_at("io_setup");
    ctx = set_up(EVENTS);
    use_file();
    use_large_block();
    use_vectors(3);
    use_vectors(20);
    use_vectors(MANY);
    append();
    use_pipe();
    cancel();
    wait_with_a_mask();
    move_ring();
    use_child();
    destroy_in_use();
    work_at("io_destroy of the first");
    NEED(t_destroy(ctx) == 0);
    close(counter);
    work_at("the end");
}
