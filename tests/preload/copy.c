/* SPDX-License-Identifier: MIT */
/*
 * Copy a file by aio_read() and aio_write(), aio_fsync() the copy, and compare
 * the two by plain read().  Knows the standard <aio.h> alone and is linked
 * with libc alone: the unmodified program that the preload library is tried
 * under.
 *
 *     copy FROM TO [DEPTH [_exit]]
 *
 * DEPTH blocks are under way at once (default 8).  EAGAIN from a submission is
 * not an error: it is tried again when another request is done.  With `_exit`
 * the program ends by _exit() rather than by returning from main().
 *
 * Exit status: 0 for a good copy, 1 with a line on stderr for anything else.
 */
#define _POSIX_C_SOURCE 200809L

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 4096, DEPTH_MAX = 1024 };

/* A block on its way.  A slot goes FREE -> READ -> WRITE -> FREE; `queued`
 * tells whether the request of this step has been accepted already. */
struct slot {
    enum { FREE, READ, WRITE } step;
    int queued;
    struct aiocb cb;
    char data[BLOCK];
};

static struct slot slots[DEPTH_MAX];

static void die(const char *what, int error)
{
    fprintf(stderr, "copy: %s: %s\n", what, strerror(error));
    exit(1);
}

/* Try to queue the slot's request: 1 if it is, 0 if there is no room now. */
static int queue(struct slot *slot)
{
    if (slot->step == READ ? aio_read(&slot->cb) : aio_write(&slot->cb)) {
        if (errno != EAGAIN)
            die("submit", errno);
        return 0;
    }
    slot->queued = 1;
    return 1;
}

static void start_read(struct slot *slot, int fd, off_t offset, size_t nbytes)
{
    memset(&slot->cb, 0, sizeof slot->cb);
    slot->cb.aio_fildes = fd;
    slot->cb.aio_buf = slot->data;
    slot->cb.aio_nbytes = nbytes;
    slot->cb.aio_offset = offset;
    slot->cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    slot->step = READ;
    slot->queued = 0;
}

/* Go on with a slot: returns 1 if anything was done. */
static int advance(struct slot *slot, int to)
{
    int status;
    ssize_t n;

    if (!slot->queued)
        return queue(slot);
    status = aio_error(&slot->cb);
    if (status == EINPROGRESS)
        return 0;
    n = aio_return(&slot->cb);
    if (status)
        die(slot->step == READ ? "read" : "write", status);
    if (n != (ssize_t)slot->cb.aio_nbytes)
        die("short transfer", EIO);
    slot->queued = 0;
    if (slot->step == READ) {
        slot->step = WRITE;
        slot->cb.aio_fildes = to;
    } else {
        slot->step = FREE;
    }
    return 1;
}

static void wait_for_any(int depth)
{
    const struct aiocb *waiting[DEPTH_MAX] = {NULL};
    int nent = 0;

    for (int i = 0; i < depth; i++)
        if (slots[i].step != FREE && slots[i].queued)
            waiting[nent++] = &slots[i].cb;
    if (!nent)
        die("no request is accepted, none is under way", EAGAIN);
    if (aio_suspend(waiting, nent, NULL) && errno != EINTR)
        die("aio_suspend", errno);
}

static void copy(int from, int to, off_t size, int depth)
{
    off_t offset = 0;
    int busy;

    do {
        int moved = 0;

        busy = 0;
        for (int i = 0; i < depth; i++) {
            if (slots[i].step == FREE) {
                if (offset == size)
                    continue;
                size_t nbytes = size - offset < BLOCK ? (size_t)(size - offset) : BLOCK;
                start_read(&slots[i], from, offset, nbytes);
                offset += (off_t)nbytes;
            }
            moved += advance(&slots[i], to);
            busy += slots[i].step != FREE;
        }
        if (busy && !moved)
            wait_for_any(depth);
    } while (busy || offset < size);
}

static void sync_copy(int to)
{
    struct aiocb cb;
    const struct aiocb *const list[] = {&cb};
    int status;

    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = to;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    if (aio_fsync(O_SYNC, &cb))
        die("aio_fsync", errno);
    while ((status = aio_error(&cb)) == EINPROGRESS)
        if (aio_suspend(list, 1, NULL) && errno != EINTR)
            die("aio_suspend", errno);
    if (status || aio_return(&cb))
        die("fsync", status);
}

static void compare(int from, int to)
{
    static char a[BLOCK], b[BLOCK];
    ssize_t n;

    if (lseek(from, 0, SEEK_SET) || lseek(to, 0, SEEK_SET))
        die("lseek", errno);
    do {
        n = read(from, a, sizeof a);
        if (n < 0)
            die("read", errno);
        if (read(to, b, sizeof b) != n || memcmp(a, b, (size_t)n))
            die("the copy differs", EIO);
    } while (n);
}

int main(int argc, char **argv)
{
    int depth = argc > 3 ? atoi(argv[3]) : 8;
    struct stat st;
    int from, to;

    if (argc < 3 || argc > 5 || depth < 1 || depth > DEPTH_MAX ||
        (argc == 5 && strcmp(argv[4], "_exit"))) {
        fputs("usage: copy FROM TO [DEPTH [_exit]]\n", stderr);
        return 1;
    }
    from = open(argv[1], O_RDONLY);
    if (from < 0 || fstat(from, &st))
        die(argv[1], errno);
    to = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (to < 0)
        die(argv[2], errno);
    copy(from, to, st.st_size, depth);
    sync_copy(to);
    compare(from, to);
    if (argc == 5)
        _exit(0);
    return 0;
}
