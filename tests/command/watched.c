/* SPDX-License-Identifier: MIT */
/*
 * A process for `uaio top` to look at: it does what it is told, and says when that is
 * done.
 *
 *     watched FILE < COMMANDS > ANSWERS
 *
 * A command is a line, and so is its answer: `ok`, or a number.
 *
 *     reads N, writes N, syncs N   so many requests on FILE, one after the other
 *     fails N                      so many reads of no descriptor
 *     waits                        a read that stays in flight
 *     forks                        a child that does nothing, until we end: its id
 *     execs                        become `cat`
 */
#include "../posix/api.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int file;
static int ends[2]; /* of a pipe that nobody writes to */

static void insist(int condition, const char *what)
{
    if (!condition) {
        perror(what);
        exit(1);
    }
}

static void wait_for(struct aiocb *cb, int error)
{
    const struct aiocb *const list[] = {cb};

    while (aio_error(cb) == EINPROGRESS)
        insist(aio_suspend(list, 1, NULL) == 0, "aio_suspend");
    insist(aio_error(cb) == error, "aio_error");
    aio_return(cb);
}

static void do_one(const char *what)
{
    char byte = 'x';
    struct aiocb cb;

    memset(&cb, 0, sizeof cb);
    cb.aio_fildes = file;
    cb.aio_buf = &byte;
    cb.aio_nbytes = 1;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    if (strcmp(what, "fails") == 0)
        cb.aio_fildes = 1000000;
    if (strcmp(what, "writes") == 0)
        insist(aio_write(&cb) == 0, "aio_write");
    else if (strcmp(what, "syncs") == 0)
        insist(aio_fsync(O_SYNC, &cb) == 0, "aio_fsync");
    else
        insist(aio_read(&cb) == 0, "aio_read");
    wait_for(&cb, strcmp(what, "fails") == 0 ? EBADF : 0);
}

static void leave_waiting(void)
{
    static struct aiocb cb;
    static char byte;

    cb.aio_fildes = ends[0];
    cb.aio_buf = &byte;
    cb.aio_nbytes = 1;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    insist(aio_read(&cb) == 0, "aio_read");
    insist(aio_error(&cb) == EINPROGRESS, "a read of an empty pipe");
}

/* The child ends when we do, and with us the last writing end of the pipe. */
static void have_child(void)
{
    char byte;
    pid_t child = fork();

    insist(child >= 0, "fork");
    if (child > 0) {
        printf("%d\n", (int)child);
        return;
    }
    close(ends[1]);
    insist(read(ends[0], &byte, 1) == 0, "read");
    _exit(0);
}

static void obey(const char *what, int n)
{
    if (strcmp(what, "execs") == 0) {
        execlp("cat", "cat", (char *)NULL);
        insist(0, "cat");
    } else if (strcmp(what, "forks") == 0) {
        have_child();
    } else {
        if (strcmp(what, "waits") == 0)
            leave_waiting();
        for (int i = 0; i < n; i++)
            do_one(what);
        puts("ok");
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[64], what[32];

    insist(argc == 2, "usage: watched FILE");
    file = open(argv[1], O_RDWR);
    insist(file >= 0, argv[1]);
    insist(pipe(ends) == 0, "pipe");
    setvbuf(stdin, NULL, _IONBF, 0); /* what is not ours yet is the next program's */
    while (fgets(line, sizeof line, stdin)) {
        int n = 0;
        insist(sscanf(line, "%31s %d", what, &n) >= 1, line);
        obey(what, n);
    }
    return 0;
}
