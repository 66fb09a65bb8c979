/* SPDX-License-Identifier: MIT */
/*
 * Pairs of sockets, as many as requests in flight, and a process that holds the
 * other ends.  It is asked by a pipe for a block on a socket when a read waits there,
 * and writes it: so reads are pending, as a server's are, and what it costs to answer
 * is not counted as the contender's.  That it keeps up with is a limit for all.
 *
 * They keep the bounds of messages (SOCK_SEQPACKET): a block comes at once or not.
 * One of a pair has one block in it at most, hence the peer never waits in write(),
 * and who asks waits for nobody who waits for him.
 */

#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPARE_FDS 128
#define AT_ONCE 1024 /* numbers: PIPE_BUF bytes, which stay together */

/* ---- the peer ------------------------------------------------------------------------ */

static void answer(int fd, unsigned number, uint64_t turn, void *block, size_t nbytes)
{
    uint64_t word = files__word(number, turn * SECTOR);

    memcpy(block, &word, sizeof word);
    while (write(fd, block, nbytes) < 0)
        if (errno != EINTR)
            _exit(1);
}

_Noreturn static void be_peer(int asked, const int *fd, unsigned n, size_t nbytes)
{
    uint64_t *turns = must_allocate(n, sizeof *turns);
    char *block = must_allocate(1, nbytes);
    uint32_t numbers[AT_ONCE];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        ssize_t got = read(asked, numbers, sizeof numbers);
        if (got == 0 || (got < 0 && errno != EINTR))
            _exit(0);
        for (ssize_t i = 0; i < got / (ssize_t)sizeof *numbers; i++)
            answer(fd[numbers[i]], numbers[i], turns[numbers[i]]++, block, nbytes);
    }
}

/* ---- making them ----------------------------------------------------------------------- */

/* For both ends here, or later for our ends and what a contender duplicates. */
static bool allow_descriptors(unsigned n, char reason[REASON_MAX])
{
    const rlim_t wanted = (rlim_t)n * 2 + SPARE_FDS;
    struct rlimit limit, more;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= wanted)
        return true;
    more = limit;
    more.rlim_cur = wanted;
    if (more.rlim_max < wanted)
        more.rlim_max = wanted; /* root may */
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return true;
    snprintf(reason, REASON_MAX, "%u sockets need %llu descriptors, and %llu are allowed", n,
             (unsigned long long)wanted, (unsigned long long)limit.rlim_max);
    return false;
}

static bool make_pairs(struct sockets *sockets, int *theirs, unsigned n)
{
    int pair[2];

    while (sockets->n < n) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
            return false;
        sockets->fd[sockets->n] = pair[0];
        theirs[sockets->n++] = pair[1];
    }
    return true;
}

/* A block that is too long is refused by any socket; it is read again. */
static bool takes_block(const struct sockets *sockets, const int *theirs, size_t nbytes)
{
    static char block[1 << 20];

    return send(theirs[0], block, nbytes, MSG_DONTWAIT) == (ssize_t)nbytes &&
           recv(sockets->fd[0], block, nbytes, MSG_DONTWAIT) == (ssize_t)nbytes;
}

static bool start_peer(struct sockets *sockets, const int *theirs, size_t nbytes)
{
    int asking[2];

    if (pipe2(asking, O_CLOEXEC) != 0)
        return false;
    fflush(NULL);
    sockets->peer = fork();
    if (sockets->peer == 0) {
        close(asking[1]);
        be_peer(asking[0], theirs, sockets->n, nbytes);
    }
    close(asking[0]);
    sockets->asking = asking[1];
    return sockets->peer > 0;
}

bool sockets__open(struct sockets *sockets, const struct work *work, char reason[REASON_MAX])
{
    const unsigned n = work->depth;
    int *theirs;
    bool good;

    if (work->io != IO_READ) {
        snprintf(reason, REASON_MAX, "sockets are only read here");
        return false;
    }
    if (!allow_descriptors(n, reason))
        return false;
    *sockets = (struct sockets){.fd = must_allocate(n, sizeof *sockets->fd), .asking = -1};
    theirs = must_allocate(n, sizeof *theirs);
    good = make_pairs(sockets, theirs, n) && takes_block(sockets, theirs, work->block) &&
           start_peer(sockets, theirs, work->block);
    if (!good && errno == EMSGSIZE)
        snprintf(reason, REASON_MAX, "a block of that size is too long for a socket");
    else if (!good)
        snprintf(reason, REASON_MAX, "sockets: %s", strerror(errno));
    for (unsigned i = 0; i < sockets->n; i++)
        close(theirs[i]);
    free(theirs);
    if (!good)
        sockets__close(sockets);
    return good;
}

void sockets__close(struct sockets *sockets)
{
    if (sockets->asking >= 0)
        close(sockets->asking);
    if (sockets->peer > 0) {
        kill(sockets->peer, SIGKILL);
        while (waitpid(sockets->peer, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    for (unsigned i = 0; i < sockets->n; i++)
        close(sockets->fd[i]);
    free(sockets->fd);
    *sockets = (struct sockets){.asking = -1};
}

/* ---- using them ------------------------------------------------------------------------ */

int sockets__ask(const struct sockets *sockets, const uint32_t *numbers, unsigned n)
{
    while (n > 0) {
        unsigned some = n < AT_ONCE ? n : AT_ONCE;
        ssize_t written = write(sockets->asking, numbers, some * sizeof *numbers);
        if (written < 0 && errno != EINTR)
            return errno;
        if (written > 0) {
            numbers += some;
            n -= some;
        }
    }
    return 0;
}
