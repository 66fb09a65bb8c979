/* SPDX-License-Identifier: MIT */
#include "verdict.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *step = "start";
static const char *name = "limits";

_Noreturn void fail(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", name, step, what);
    _exit(1);
}

void must(bool condition, const char *what)
{
    if (!condition)
        fail(what);
}

void insist(bool condition, const char *what)
{
    if (condition)
        return;
    perror(what);
    _exit(2);
}

static void hangs(int signo)
{
    static const char text[] = ": hangs\n";

    (void)signo;
    if (write(STDERR_FILENO, step, strlen(step)) < 0 ||
        write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(4);
    _exit(3);
}

void begin(const char *program, unsigned alarm_s)
{
    name = program;
    signal(SIGALRM, hangs);
    alarm(alarm_s);
}

void fill(struct aiocb *cb, int fd, void *buffer, size_t nbytes, off_t offset)
{
    memset(cb, 0, sizeof *cb);
    cb->aio_fildes = fd;
    cb->aio_buf = buffer;
    cb->aio_nbytes = nbytes;
    cb->aio_offset = offset;
    cb->aio_sigevent.sigev_notify = SIGEV_NONE;
}
