/* SPDX-License-Identifier: MIT */
/*
 * What does close() cost beyond its system call?  Run it without and with the
 * preload; the numbers closed are none that are open, so that the kernel adds as
 * little as it can.
 *
 *     uaio-close-cost            a program that uses no AIO
 *     uaio-close-cost aio        one that does (a read waits on a pipe meanwhile)
 *
 * The least of many rounds of a thousand calls each, with the system call by
 * turns: the least is what the code costs, the rest is the machine.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE /* syscall() */
#endif
#include <aio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 2000, CALLS = 1000, UNUSED = 900 };

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static bool begin_aio(void)
{
    static struct aiocb cb;
    static char byte;
    int ends[2];

    if (pipe(ends) != 0)
        return false;
    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = ends[0];
    cb.aio_buf = &byte;
    cb.aio_nbytes = 1;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    return aio_read(&cb) == 0;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

int main(int argc, char **argv)
{
    double by_name = 1e9, by_number = 1e9;

    if (argc > 2 || (argc == 2 && strcmp(argv[1], "aio") != 0)) {
        fprintf(stderr, "usage: uaio-close-cost [aio]\n");
        return 2;
    }
    if (argc == 2 && !begin_aio()) {
        perror("uaio-close-cost");
        return 2;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns(), middle;

        for (int i = 0; i < CALLS; i++)
            close(UNUSED);
        middle = now_ns();
        for (int i = 0; i < CALLS; i++)
            syscall(SYS_close, UNUSED);
        by_name = least(by_name, middle - start);
        by_number = least(by_number, now_ns() - middle);
    }
    printf("close() %.1f ns, the system call %.1f ns\n", by_name / CALLS, by_number / CALLS);
    return EXIT_SUCCESS;
}
