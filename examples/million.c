/* SPDX-License-Identifier: MIT */
/*
 * What a request in flight costs, and that it costs the same among a million
 * as among a thousand: queue one-byte writes on one full pipe, so that all of
 * them are in flight at once, then empty the pipe and see each of them done.
 *
 *     million [requests...]     (default: 1000 32000 1000000)
 *
 * Prints, per request, the time to queue it, the time until it was done, and
 * the memory that the process took for it; the control blocks are apart.
 */
#include <uaio/aio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Bytes of memory in use by the process; 0 where the system does not say. */
static double memory(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long total, resident = 0;

    if (f) {
        if (fscanf(f, "%ld %ld", &total, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void make_full_pipe(int ends[2])
{
    char block[4096] = {0};

    if (pipe(ends) != 0)
        die("pipe");
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    while (write(ends[1], block, sizeof block) > 0)
        ;
    fcntl(ends[1], F_SETFL, 0);
}

static void empty(int fd, int writer, size_t written)
{
    char block[65536];
    int queued = fcntl(writer, F_GETPIPE_SZ);
    size_t left = written + (size_t)(queued > 0 ? queued : 65536);

    while (left > 0) {
        ssize_t n = read(fd, block, left < sizeof block ? left : sizeof block);
        if (n <= 0)
            die("read");
        left -= (size_t)n;
    }
}

static void await(struct uaio_aiocb *cb)
{
    const struct uaio_aiocb *const list[] = {cb};

    while (uaio_error(cb) == EINPROGRESS)
        uaio_suspend(list, 1, NULL);
    if (uaio_return(cb) != 1)
        die("a write");
}

static void measure(size_t n)
{
    struct uaio_aiocb *cbs = malloc(n * sizeof *cbs);
    static char byte;
    double start, queued, done, before, after;
    int ends[2];

    if (!cbs)
        die("malloc");
    memset(cbs, 0xff, n * sizeof *cbs); /* so that its pages count before */
    make_full_pipe(ends);
    before = memory();
    start = now_ns();
    for (size_t i = 0; i < n; i++) {
        cbs[i].aio_fildes = ends[1];
        cbs[i].aio_reqprio = 0;
        cbs[i].aio_buf = &byte;
        cbs[i].aio_nbytes = 1;
        cbs[i].aio_sigevent.sigev_notify = SIGEV_NONE;
        if (uaio_write(&cbs[i]) != 0)
            die("uaio_write");
    }
    queued = now_ns();
    after = memory();
    empty(ends[0], ends[1], n);
    for (size_t i = 0; i < n; i++)
        await(&cbs[i]);
    done = now_ns();
    printf("%10zu %14.0f %14.0f %16.0f\n", n, (queued - start) / (double)n,
           (done - queued) / (double)n, (after - before) / (double)n);
    close(ends[0]);
    close(ends[1]);
    free(cbs);
}

int main(int argc, char **argv)
{
    printf("%10s %14s %14s %16s\n", "requests", "ns to queue", "ns to do", "bytes of memory");
    if (argc < 2) {
        measure(1000);
        measure(32000);
        measure(1000000);
    }
    for (int i = 1; i < argc; i++)
        measure(strtoul(argv[i], NULL, 10));
    return 0;
}
