/* SPDX-License-Identifier: MIT */
/*
 * A disk that is really full, and a reader that is really slow.
 *
 *     faults-full-disk-ROAD     exit 77: it cannot mount
 *
 * The disk is a small tmpfs in a mount namespace of our own.  What pwrite() says
 * on a second one, of the same size, is what the requests are to say: all of the
 * bytes, some of them, and then ENOSPC.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef WITH_POSIX
# include <aio.h>
#endif
#ifdef WITH_LINUX
# include "../linux/api.h"
#endif

enum { BLOCK = 24 * 1024, BLOCKS = 64, SKIPPED = 77, WATCHDOG_S = 60 };

#define NEED(condition)                                                 \
 do {                                                                   \
  if (!(condition)) {                                                   \
   printf("line %d: %s (%s)\n", __LINE__, #condition, strerror(errno)); \
   exit(1);                                                             \
  }                                                                     \
 } while (0)

static char root[] = "uaio-full-XXXXXX";
static unsigned char block[BLOCK];

/* ---- who writes ----------------------------------------------------------------- */

typedef ssize_t write_at(int fd, const void *buffer, size_t nbytes, off_t offset);

static ssize_t by_pwrite(int fd, const void *buffer, size_t nbytes, off_t offset)
{
    ssize_t n = pwrite(fd, buffer, nbytes, offset);

    return n < 0 ? -errno : n;
}

#ifdef WITH_POSIX
static ssize_t by_aio_write(int fd, const void *buffer, size_t nbytes, off_t offset)
{
    struct aiocb cb;
    const struct aiocb *list[] = {&cb};
    int error;

    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = fd;
    cb.aio_buf = (void *)(uintptr_t)buffer;
    cb.aio_nbytes = nbytes;
    cb.aio_offset = offset;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    NEED(aio_write(&cb) == 0);
    while ((error = aio_error(&cb)) == EINPROGRESS)
        aio_suspend(list, 1, NULL);
    return error ? (aio_return(&cb), -error) : aio_return(&cb);
}
#endif

#ifdef WITH_LINUX
static ssize_t by_io_submit(int fd, const void *buffer, size_t nbytes, off_t offset)
{
    static aio_context_t ctx;
    struct iocb cb, *list[] = {&cb};
    struct io_event event;

    if (ctx == 0)
        NEED(t_setup(4, &ctx) == 0);
    memset(&cb, 0, sizeof cb);
    cb.aio_lio_opcode = IOCB_CMD_PWRITE;
    cb.aio_fildes = (uint32_t)fd;
    cb.aio_buf = (uintptr_t)buffer;
    cb.aio_nbytes = nbytes;
    cb.aio_offset = offset;
    NEED(t_submit(ctx, 1, list) == 1);
    NEED(t_getevents(ctx, 1, 1, &event, NULL) == 1);
    return (ssize_t)event.res;
}
#endif

/* ---- the disk -------------------------------------------------------------------- */

static void unmount(void)
{
    umount2(root, MNT_DETACH);
    rmdir(root);
}

static void mount_disk(void)
{
    NEED(mkdtemp(root) != NULL);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("uaio", root, "tmpfs", 0, "size=200k") != 0) {
        printf("skipped: cannot mount: %s\n", strerror(errno));
        rmdir(root);
        exit(SKIPPED);
    }
    atexit(unmount);
}

static int open_on_disk(int flags)
{
    char path[sizeof root + 8];
    int fd;

    snprintf(path, sizeof path, "%s/file", root);
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600);
    NEED(fd >= 0);
    return fd;
}

/* Until twice nothing more can be written; `end` is then the file's. */
static unsigned fill(write_at *how, int flags, ssize_t *results, off_t *end)
{
    int fd = open_on_disk(flags);
    unsigned n = 0, full = 0;
    off_t at = 0;
    struct stat st;

    while (full < 2 && n < BLOCKS) {
        results[n] = how(fd, block, BLOCK, at);
        if (results[n] > 0)
            at += results[n];
        else
            full++;
        n++;
    }
    NEED(full == 2);
    NEED(fstat(fd, &st) == 0 && st.st_size == at);
    *end = at;
    for (off_t i = 0, j = 0; i < at; i++, j++) { /* each write begins the block anew */
        unsigned char byte;
        static unsigned write;
        if (i == 0)
            write = 0;
        if (j == results[write]) {
            write++;
            j = 0;
        }
        NEED(pread(fd, &byte, 1, i) == 1 && byte == block[j]);
    }
    /* There is room again. */
    NEED(ftruncate(fd, 0) == 0);
    NEED(how(fd, block, BLOCK, 0) == BLOCK);
    NEED(close(fd) == 0);
    return n;
}

static void compare(const char *name, write_at *how, int flags)
{
    static ssize_t wanted[BLOCKS], got[BLOCKS];
    off_t wanted_end, end;
    unsigned n = fill(by_pwrite, flags, wanted, &wanted_end);

    NEED(fill(how, flags, got, &end) == n && end == wanted_end);
    for (unsigned i = 0; i < n; i++) {
        if (got[i] != wanted[i]) {
            printf("%s: write %u: %zd, pwrite: %zd\n", name, i, got[i], wanted[i]);
            exit(1);
        }
    }
    NEED(wanted[n - 1] == -ENOSPC);
    printf("%s%s: %u writes as pwrite, the last full one at %lld\n", name,
           flags ? ", appending" : "", n, (long long)end);
}

/* ---- the slow reader ---------------------------------------------------------------- */

/*
 * A FIFO of which a little is taken at a time, and a write to the disk between
 * each and the next: none of them waits for the FIFO.
 */
#ifdef WITH_POSIX
static void read_slowly(void)
{
    enum { MUCH = 1024 * 1024, LITTLE = 16 * 1024 };
    unsigned char *sent = malloc(MUCH), *got = malloc(MUCH);
    char path[sizeof root + 8];
    int in, out, disk = open_on_disk(0);
    struct aiocb cb;
    size_t n = 0;
    unsigned writes = 0;

    snprintf(path, sizeof path, "%s/fifo", root);
    NEED(sent && got && mkfifo(path, 0600) == 0);
    in = open(path, O_RDONLY | O_NONBLOCK);
    out = open(path, O_WRONLY);
    NEED(in >= 0 && out >= 0 && fcntl(in, F_SETFL, 0) == 0);
    for (size_t i = 0; i < MUCH; i++)
        sent[i] = (unsigned char)(i * 31 + (i >> 12));
    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = out;
    cb.aio_buf = sent;
    cb.aio_nbytes = MUCH;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    NEED(aio_write(&cb) == 0);
    while (n < MUCH) {
        ssize_t more;
        NEED(MUCH - n <= 64 * 1024 || aio_error(&cb) == EINPROGRESS);
        NEED(by_aio_write(disk, block, BLOCK, 0) == BLOCK);
        writes++;
        more = read(in, got + n, LITTLE);
        NEED(more > 0);
        n += (size_t)more;
    }
    while (aio_error(&cb) == EINPROGRESS)
        aio_suspend((const struct aiocb *[]){&cb}, 1, NULL);
    NEED(aio_return(&cb) == MUCH && memcmp(sent, got, MUCH) == 0);
    printf("a slow reader: %u writes went past it\n", writes);
    free(sent);
    free(got);
    close(disk);
    close(in);
    close(out);
}
#endif

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(WATCHDOG_S);
    mount_disk();
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (unsigned char)(i * 17 + (i >> 8));
#ifdef WITH_POSIX
    compare("aio_write", by_aio_write, 0);
    compare("aio_write", by_aio_write, O_APPEND);
    read_slowly();
#endif
#ifdef WITH_LINUX
    compare("io_submit", by_io_submit, 0);
    compare("io_submit", by_io_submit, O_APPEND);
#endif
    return 0;
}
