/* SPDX-License-Identifier: MIT */
/*
 * uaio as a fallback: the kernel's native AIO where it can be had, and uaio where
 * it cannot, behind one small interface.
 *
 *     uaio-fallback FILE [kernel|uaio]
 *
 * Writes the file to standard output, reading ahead with eight requests in
 * flight, and says on stderr who served them.  The kernel is asked by system
 * calls, with nothing of libaio but its types, and whatever its io_setup() says
 * against it (ENOSYS: there is none; EPERM: a sandbox; EAGAIN: fs.aio-max-nr is
 * used up), the answer is uaio.  One of the two words keeps to that.
 *
 * Status 0, or 1 with a reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <uaio/aio.h>
#include <uaio/libaio.h> /* types alone */
#include <unistd.h>

enum { DEPTH = 8, BLOCK = 64 * 1024 };

/* A block of the file; `result` is of the last request, when that is over. */
struct block {
    union {
        struct iocb kernel;
        struct uaio_aiocb uaio;
    } request;
    bool over;
    ssize_t result; /* bytes, or -errno */
    long long offset;
    size_t got;
    char data[BLOCK];
};

/* What a way of asynchronous I/O has to do. */
struct backend {
    const char *name;
    int (*start)(void); /* 0, or the errno: it cannot be used here */
    int (*read)(struct block *b, int fd, void *to, size_t nbytes, long long offset);
    void (*wait)(struct block *b); /* until it is over */
    void (*stop)(void);
};

static void die(const char *what, int error)
{
    fprintf(stderr, "uaio-fallback: %s: %s\n", what, strerror(error));
    exit(1);
}

/* ---- the kernel's ------------------------------------------------------------ */

static io_context_t context;

static int kernel_start(void)
{
    return syscall(SYS_io_setup, DEPTH, &context) == 0 ? 0 : errno;
}

static int kernel_read(struct block *b, int fd, void *to, size_t nbytes, long long offset)
{
    struct iocb *request = &b->request.kernel;

    io_prep_pread(request, fd, to, nbytes, offset);
    request->data = b;
    return syscall(SYS_io_submit, context, 1L, &request) == 1 ? 0 : errno;
}

static void kernel_wait(struct block *b)
{
    struct io_event events[DEPTH];

    while (!b->over) {
        long n = syscall(SYS_io_getevents, context, 1L, (long)DEPTH, events, NULL);
        if (n < 0 && errno != EINTR)
            die("io_getevents", errno);
        for (long i = 0; i < n; i++) {
            struct block *done = events[i].data;
            done->result = (ssize_t)events[i].res;
            done->over = true;
        }
    }
}

static void kernel_stop(void)
{
    syscall(SYS_io_destroy, context);
}

static const struct backend kernel = {"the kernel", kernel_start, kernel_read, kernel_wait,
                                      kernel_stop};

/* ---- uaio's ------------------------------------------------------------------ */

static int uaio_start(void)
{
    return 0;
}

static int uaio_read_block(struct block *b, int fd, void *to, size_t nbytes, long long offset)
{
    b->request.uaio = (struct uaio_aiocb){.aio_fildes = fd,
                                          .aio_buf = to,
                                          .aio_nbytes = nbytes,
                                          .aio_offset = offset,
                                          .aio_sigevent.sigev_notify = SIGEV_NONE};
    return uaio_read(&b->request.uaio) == 0 ? 0 : errno;
}

static void uaio_wait(struct block *b)
{
    const struct uaio_aiocb *const list[] = {&b->request.uaio};
    int error;

    while ((error = uaio_error(list[0])) == EINPROGRESS)
        uaio_suspend(list, 1, NULL);
    b->result = error ? -error : uaio_return(&b->request.uaio);
    b->over = true;
}

static void uaio_stop(void)
{
}

static const struct backend uaio = {"uaio", uaio_start, uaio_read_block, uaio_wait, uaio_stop};

/* ---- the program, which does not know which it is ------------------------------ */

static const struct backend *choose(const char *wish)
{
    int error = EPERM;

    if (!wish || strcmp(wish, "kernel") == 0)
        error = kernel.start();
    if (error == 0)
        return &kernel;
    if (wish && strcmp(wish, "kernel") == 0)
        die("the kernel's AIO", error);
    if (!wish)
        fprintf(stderr, "the kernel's AIO: %s\n", strerror(error));
    error = uaio.start();
    if (error)
        die("uaio", error);
    return &uaio;
}

/* Read what is missing of the block. */
static void start_read(const struct backend *aio, struct block *b, int fd)
{
    int error;

    b->over = false;
    error = aio->read(b, fd, b->data + b->got, BLOCK - b->got, b->offset + (long long)b->got);
    if (error)
        die("a read cannot be queued", error);
}

/* All of the block, or as far as there is a file. */
static void finish_read(const struct backend *aio, struct block *b, int fd)
{
    for (;;) {
        aio->wait(b);
        if (b->result < 0)
            die("a read", (int)-b->result);
        b->got += (size_t)b->result;
        if (b->result == 0 || b->got == BLOCK)
            return;
        start_read(aio, b, fd);
    }
}

static void copy_out(const struct backend *aio, int fd)
{
    static struct block blocks[DEPTH];
    long long next = 0;
    bool end = false;

    for (int i = 0; i < DEPTH; i++, next += BLOCK) {
        blocks[i].offset = next;
        start_read(aio, &blocks[i], fd);
    }
    for (int i = 0, last = DEPTH; i < last; i++) {
        struct block *b = &blocks[i % DEPTH];
        finish_read(aio, b, fd);
        end = end || b->got < BLOCK;
        if (fwrite(b->data, 1, b->got, stdout) != b->got)
            die("standard output", errno);
        if (end)
            continue;
        b->offset = next;
        b->got = 0;
        start_read(aio, b, fd);
        next += BLOCK;
        last++;
    }
}

int main(int argc, char **argv)
{
    const char *wish = argc > 2 ? argv[2] : NULL;
    const struct backend *aio;
    int fd;

    if (argc < 2 || argc > 3 ||
        (wish && strcmp(wish, "kernel") != 0 && strcmp(wish, "uaio") != 0)) {
        fputs("usage: uaio-fallback FILE [kernel|uaio]\n", stderr);
        return 1;
    }
    fd = open(argv[1], O_RDONLY);
    if (fd < 0)
        die(argv[1], errno);
    aio = choose(wish);
    copy_out(aio, fd);
    aio->stop();
    if (fflush(stdout) != 0)
        die("standard output", errno);
    fprintf(stderr, "read by %s\n", aio->name);
    return close(fd);
}
