/* SPDX-License-Identifier: MIT */
/*
 * Descriptors are closed with requests under way, and their numbers reused.
 *
 *     stress-close_fuzz [SECONDS [SEED]]   or UAIO_STRESS_SECONDS, UAIO_STRESS_SEED
 *
 * Each thread opens a victim: a file, a file to append to, a pipe's end or a
 * socket; each has a tag of its own, and all that is written to it are records
 * with that tag.  Requests are submitted, and at once the descriptor is closed
 * by one of the calls that do so; what is opened next, by whichever thread,
 * gets its number, and requests of its own.  Invariant:
 *
 *  - no file ever contains a record with the tag of another, nor does a read
 *    give one;
 *  - a write that is reported performed is in the file, or in the stream in
 *    its place, and one reported cancelled is not; the same of reads, and what
 *    they took from a stream;
 *  - when the call that closes returns, no request of the descriptor is
 *    EINPROGRESS;
 *  - each request that asks for a notification gets one, and not two;
 *  - requests of the Linux face are performed on the file they were made for,
 *    closed or not.
 */
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef BOTH_FACES
# include <linux/aio_abi.h>
# include <sys/syscall.h>
#endif

enum { THREADS = 4, REQUESTS = 8, NATIVE = 2, SLOTS = REQUESTS + NATIVE };
enum { RECORD = sizeof(struct record), LARGE = 1536 /* records: a few of them fill a pipe */ };
enum kind { SEEKABLE, APPENDED, PIPE_IN, PIPE_OUT, SOCKET, KINDS };
enum way { BY_CLOSE, BY_DUP2, BY_DUP3, BY_CLOSE_RANGE, WAYS };

struct request {
    struct aiocb cb;
    bool reads;
    struct notices notices;
    struct record data[LARGE];
};

struct victim {
    enum kind kind;
    int fd;
    int other; /* the witness of a file, the peer of a stream */
    int twin;  /* -1, or a duplicate, which keeps what is not read */
    unsigned long long tag;
    unsigned long long n_fed; /* records that the peer has written */
    unsigned n, n_native, n_notices;
    struct request requests[REQUESTS];
#ifdef BOTH_FACES
    aio_context_t ctx;
    struct record native[NATIVE];
#endif
};

struct worker {
    pthread_t thread;
    unsigned random;
    sem_t notified;
    struct victim victims[2];
};

static struct worker workers[THREADS];
static atomic_ullong tags;
static atomic_ulong n_closed, n_performed, n_cancelled, n_cut;

static bool has_tag(const struct record *r, const struct victim *v)
{
    return must(r->tag == v->tag, "a record of another file");
}

static void open_victim(struct victim *v, unsigned *random)
{
    int ends[2];

    v->kind = (enum kind)(next_random(random) % KINDS);
    v->tag = 1 + atomic_fetch_add(&tags, 1);
    v->twin = -1;
    v->n = v->n_native = v->n_notices = 0;
    v->n_fed = 0;
    if (v->kind <= APPENDED) {
        struct record there[SLOTS];

        v->fd = open_unlinked(v->kind == APPENDED ? O_APPEND : 0, &v->other);
        for (unsigned i = 0; i < SLOTS; i++)
            there[i] = (struct record){v->tag, i};
        insist(pwrite(v->other, there, sizeof there, 0) == sizeof there, "write");
        return;
    }
    insist(v->kind == SOCKET ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0
                             : pipe2(ends, O_CLOEXEC) == 0,
           "a stream");
    if (v->kind == SOCKET) /* little fits into it, like into a pipe */
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &(int){16384}, sizeof(int));
    v->fd = ends[v->kind == PIPE_OUT];
    v->other = ends[v->kind != PIPE_OUT];
    insist(fcntl(v->other, F_SETFL, O_NONBLOCK) == 0, "fcntl");
    if (v->kind != PIPE_OUT && next_random(random) % 2 == 0)
        v->twin = fcntl(v->fd, F_DUPFD_CLOEXEC, 0);
}

static void feed(struct victim *v, unsigned n)
{
    for (; n > 0; n--) {
        struct record r = {v->tag, v->n_fed++};

        insist(write(v->other, &r, sizeof r) == sizeof r, "write to the peer");
    }
}

static void submit(struct worker *w, struct victim *v)
{
    unsigned long long sequence = 0;

    if (v->kind == PIPE_IN || v->kind == SOCKET)
        feed(v, next_random(&w->random) % 4);
    v->n = 1 + next_random(&w->random) % REQUESTS;
    for (unsigned i = 0; i < v->n; i++) {
        struct request *r = &v->requests[i];
        enum notification how = (enum notification)(next_random(&w->random) % NOTIFICATIONS);
        unsigned records = 1;

        /* Of a stream, large ones in some rounds only: they leave no time for others. */
        r->reads = v->kind == PIPE_IN || (v->kind != PIPE_OUT && next_random(&w->random) % 2 == 0);
        if (!r->reads && v->kind > APPENDED && v->tag % 4 == 0)
            records = LARGE;
        memset(&r->cb, 0, sizeof r->cb);
        r->cb.aio_fildes = v->fd;
        r->cb.aio_buf = r->data;
        r->cb.aio_nbytes = records * sizeof r->data[0];
        r->cb.aio_offset = (off_t)((r->reads ? i : SLOTS + i) * RECORD);
        for (unsigned j = 0; j < records; j++)
            r->data[j] = r->reads ? (struct record){0, 0} : (struct record){v->tag, sequence++};
        r->notices.each = &w->notified;
        v->n_notices += how != NOTIFY_NONE;
        ask_notice(&r->cb, &r->notices, how);
        insist((r->reads ? aio_read(&r->cb) : aio_write(&r->cb)) == 0, "submission");
    }
#ifdef BOTH_FACES
    if (v->kind == SEEKABLE) {
        for (unsigned i = 0; i < NATIVE; i++) {
            struct iocb cb = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = (uint32_t)v->fd};
            struct iocb *list[] = {&cb};

            v->native[i] = (struct record){v->tag, REQUESTS + i};
            cb.aio_buf = (uintptr_t)&v->native[i];
            cb.aio_nbytes = RECORD;
            cb.aio_offset = (SLOTS + REQUESTS + i) * RECORD;
            insist(syscall(SYS_io_submit, v->ctx, 1, list) == 1, "io_submit");
            v->n_native++;
        }
    }
#endif
    /* So that some are just going on when the descriptor is closed. */
    if (v->kind == PIPE_IN || v->kind == SOCKET)
        feed(v, next_random(&w->random) % 4);
}

/* Closes the old one, and has the new one opened, under the same number if it can. */
static void close_victim(struct victim *old, struct victim *new, unsigned *random)
{
    enum way way = (enum way)(next_random(random) % WAYS);
    int fd;

    if (way == BY_CLOSE || way == BY_CLOSE_RANGE) {
        stress_at("close or close_range");
        if (way == BY_CLOSE || close_range((unsigned)old->fd, (unsigned)old->fd, 0) != 0)
            insist(close(old->fd) == 0, "close");
        for (unsigned i = 0; i < old->n; i++)
            must(aio_error(&old->requests[i].cb) != EINPROGRESS, "in progress after close");
        stress_at("opening");
        open_victim(new, random);
        return;
    }
    stress_at("opening");
    open_victim(new, random);
    fd = new->fd;
    stress_at("dup2 or dup3");
    insist((way == BY_DUP2 ? dup2(fd, old->fd) : dup3(fd, old->fd, O_CLOEXEC)) == old->fd, "dup");
    for (unsigned i = 0; i < old->n; i++)
        must(aio_error(&old->requests[i].cb) != EINPROGRESS, "in progress after dup");
    new->fd = old->fd;
    close(fd);
}

/* What was performed of the request, in bytes. */
static size_t performed(struct request *r)
{
    int error = aio_error(&r->cb);
    ssize_t n = aio_return(&r->cb);

    if (error == ECANCELED) {
        must(n == -1, "cancelled, but with a result");
        atomic_fetch_add(&n_cancelled, 1);
        return 0;
    }
    if (!must(error == 0, "a request failed"))
        fprintf(stderr, "close_fuzz: of fd %d: %s\n", r->cb.aio_fildes, strerror(error));
    if (!must(n >= 0 && (size_t)n <= r->cb.aio_nbytes, "a result out of range"))
        return 0;
    atomic_fetch_add((size_t)n == r->cb.aio_nbytes ? &n_performed : &n_cut, 1);
    return (size_t)n;
}

static void check_file(struct victim *v)
{
    struct record there[2 * SLOTS + 1];
    size_t end = SLOTS, bytes;
    ssize_t n;

    memset(there, 0, sizeof there);
    n = pread(v->other, there, sizeof there, 0);
    must(n >= SLOTS * RECORD && n % RECORD == 0 && (size_t)n < sizeof there, "a file's size");
    for (unsigned i = 0; i < v->n; i++) {
        struct request *r = &v->requests[i];

        bytes = performed(r);
        must(bytes == 0 || bytes == RECORD, "a short count on a file");
        if (r->reads) {
            if (bytes > 0 && has_tag(r->data, v))
                must(r->data[0].sequence == i, "a read gave another record");
            continue;
        }
        if (v->kind == APPENDED && bytes == 0)
            continue;
        if (v->kind == SEEKABLE)
            end = SLOTS + i;
        if (bytes == 0)
            must(there[end].tag == 0, "a cancelled write was performed");
        else if (must(there[end].tag != 0, "a performed write is not there"))
            must(memcmp(&there[end], r->data, RECORD) == 0, "a write in another's place");
        end++;
    }
    if (v->kind == APPENDED)
        must(n == (ssize_t)(end * RECORD), "a cancelled write was appended");
    for (unsigned i = 0; i < v->n_native; i++)
        must(there[SLOTS + REQUESTS + i].sequence == REQUESTS + i,
             "io_submit's write is not there");
    for (unsigned i = 0; i < 2 * SLOTS + 1; i++) {
        if (there[i].tag != 0)
            has_tag(&there[i], v);
    }
}

/* What the reads have taken, and what is left if there is a twin, is what was fed. */
static void check_reads(struct victim *v)
{
    unsigned long long next = 0;
    struct record left;

    for (unsigned i = 0; i < v->n; i++) {
        struct request *r = &v->requests[i];

        if (r->reads && performed(r) > 0 && has_tag(r->data, v))
            must(r->data[0].sequence == next++, "a read of a stream out of order");
    }
    must(next <= v->n_fed, "more was read than fed");
    if (v->twin < 0)
        return;
    fcntl(v->twin, F_SETFL, O_NONBLOCK);
    while (read(v->twin, &left, sizeof left) == sizeof left) {
        if (has_tag(&left, v))
            must(left.sequence == next++, "a record of a stream was lost");
    }
    must(next == v->n_fed, "the last records of a stream were lost");
}

static void check_writes(struct victim *v)
{
    static _Thread_local char came[REQUESTS * LARGE * RECORD + 1];
    size_t n = 0, at = 0;
    ssize_t got;

    while (n < sizeof came && (got = read(v->other, came + n, sizeof came - n)) > 0)
        n += (size_t)got;
    for (unsigned i = 0; i < v->n; i++) {
        struct request *r = &v->requests[i];
        size_t bytes;

        if (r->reads)
            continue;
        bytes = performed(r);
        if (!must(at + bytes <= n, "a performed write is not in the stream"))
            return;
        must(memcmp(came + at, r->data, bytes) == 0, "a stream has something else");
        at += bytes;
    }
    must(at == n, "a cancelled write is in the stream");
}

static void settle(struct worker *w, struct victim *v)
{
    stress_at("waiting for notifications");
    await_notices(&w->notified, v->n_notices);
#ifdef BOTH_FACES
    struct io_event events[NATIVE];
    long n = 0;

    stress_at("io_getevents");
    if (v->n_native > 0)
        n = syscall(SYS_io_getevents, v->ctx, v->n_native, v->n_native, events, NULL);
    must(n == (long)v->n_native, "io_getevents");
    for (long i = 0; i < n; i++)
        must(events[i].res == RECORD, "a request of io_submit failed");
#endif
    stress_at("checking");
    if (v->kind <= APPENDED) {
        check_file(v);
    } else {
        if (v->kind != PIPE_OUT)
            check_reads(v);
        if (v->kind != PIPE_IN)
            check_writes(v);
    }
    if (v->twin >= 0)
        close(v->twin);
    close(v->other);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    unsigned turn = 0;

    open_victim(&w->victims[0], &w->random);
    do {
        struct victim *old = &w->victims[turn % 2], *new = &w->victims[(turn + 1) % 2];

        stress_at("submitting");
        submit(w, old);
        close_victim(old, new, &w->random);
        settle(w, old);
        atomic_fetch_add(&n_closed, 1);
        turn++;
    } while (stress_goes_on());
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned random;

    stress_begin(argc, argv, "close_fuzz");
    random = stress_seed();
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].random = next_random(&random);
        sem_init(&workers[i].notified, 0, 0);
#ifdef BOTH_FACES
        for (unsigned j = 0; j < 2; j++)
            insist(syscall(SYS_io_setup, 8, &workers[i].victims[j].ctx) == 0, "io_setup");
#endif
        insist(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread");
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS * 2 * REQUESTS; i++) {
        struct notices *n =
            &workers[i / (2 * REQUESTS)].victims[i / REQUESTS % 2].requests[i % REQUESTS].notices;

        must(atomic_load(&n->asked) == atomic_load(&n->told), "not notified exactly once");
    }
    printf("closed %lu; requests performed %lu, cancelled %lu, cut short %lu\n",
           atomic_load(&n_closed), atomic_load(&n_performed), atomic_load(&n_cancelled),
           atomic_load(&n_cut));
    return stress_end();
}
