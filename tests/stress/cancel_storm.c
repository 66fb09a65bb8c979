/* SPDX-License-Identifier: MIT */
/*
 * Cancellation races with completion.
 *
 *     stress-cancel_storm [SECONDS [SEED]]   or UAIO_STRESS_SECONDS, UAIO_STRESS_SEED
 *
 * Each lane is a thread with a file, a file to append to, a pipe or a socket of
 * its own: it submits a batch, cancels the requests one by one or all of the
 * descriptor at once, waits for what remains, and accounts for each byte.  On
 * half the lanes strangers, too, cancel one or all at any time.  Invariant:
 *
 *  - a request is performed and says so, or is cancelled and not performed:
 *    what is in the file or the stream, in order, is the performed, and no more;
 *  - what aio_cancel returns agrees with that.  Of one request: AIO_CANCELED, it
 *    is ECANCELED at once; AIO_ALLDONE, it is not EINPROGRESS (if nobody else
 *    cancels: not ECANCELED; a write that is cut short is one of these);
 *    AIO_NOTCANCELED, it will be performed.  Of all: AIO_CANCELED and
 *    AIO_ALLDONE, none is EINPROGRESS;
 *  - of native AIO: each request has one event, and is cancelled if and only if
 *    io_cancel said so; after io_destroy nothing is taken from a pipe any more.
 *
 * A race is one request that was under way or just over when it was cancelled.
 */
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef BOTH_FACES
# include <linux/aio_abi.h>
# include <sys/syscall.h>
#endif

enum kind { SEEKABLE, APPENDED, PIPE_IN, PIPE_OUT, SOCKET_IN, SOCKET_OUT, NATIVE, KINDS };
enum { BATCH = 16, STRANGERS = 2, LARGE = 1536, RECORD = sizeof(struct record) };
#ifdef BOTH_FACES
enum { LANES = 2 * NATIVE + 1 }; /* strangers know nothing of contexts */
#else
enum { LANES = 2 * NATIVE };
#endif

struct lane {
    pthread_t thread;
    enum kind kind;
    bool has_strangers;
    unsigned random;
    pthread_rwlock_t blocks;      /* nobody names a control block while it is submitted */
    int fd, other;                /* `other`: the witness of a file, the peer of a stream */
    unsigned long long next;      /* the number of the next record to be made */
    unsigned long long fed, read; /* records put into a stream for reading, and seen */
    struct record there[BATCH];   /* what a seekable file contains */
    struct aiocb cbs[BATCH];      /* fields that strangers read never change */
    int answers[BATCH];           /* of aio_cancel, one by one */
    struct record (*data)[LARGE]; /* [BATCH] */
    unsigned long n_races, n_cancelled, n_performed, n_cut;
};

static const char *const names[KINDS] = {"seekable",  "append",     "pipe in", "pipe out",
                                         "socket in", "socket out", "native"};
static struct lane lanes[LANES];
static struct record buffers[LANES][BATCH][LARGE];
static atomic_bool over;

static bool reads(const struct lane *l)
{
    return l->kind == PIPE_IN || l->kind == SOCKET_IN || l->kind == NATIVE;
}

static void open_lane(struct lane *l)
{
    int ends[2];
    bool socket = l->kind == SOCKET_IN || l->kind == SOCKET_OUT;

    if (l->kind <= APPENDED) {
        l->fd = open_unlinked(l->kind == APPENDED ? O_APPEND : 0, &l->other);
        insist(l->kind == APPENDED ||
                   pwrite(l->other, l->there, sizeof l->there, 0) == sizeof l->there,
               "write");
    } else {
        insist((socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) == 0, "stream");
        l->fd = ends[l->kind == PIPE_OUT];
        l->other = ends[l->kind != PIPE_OUT];
        insist(fcntl(l->other, F_SETFL, O_NONBLOCK) == 0, "fcntl");
        if (socket) /* little fits into it, like into a pipe */
            setsockopt(l->fd, SOL_SOCKET, SO_SNDBUF, &(int){16384}, sizeof(int));
    }
    for (unsigned i = 0; i < BATCH; i++) {
        l->cbs[i].aio_fildes = l->fd;
        l->cbs[i].aio_buf = l->data[i];
        l->cbs[i].aio_offset = l->kind == SEEKABLE ? (off_t)(i * RECORD) : 0;
        l->cbs[i].aio_sigevent.sigev_notify = SIGEV_NONE;
        l->cbs[i].aio_nbytes = RECORD;
    }
}

static void feed(struct lane *l, unsigned n)
{
    struct record some[BATCH];

    for (unsigned i = 0; i < n; i++)
        some[i] = (struct record){(uintptr_t)l, l->fed++};
    insist(n == 0 || write(l->other, some, n * RECORD) == (ssize_t)(n * RECORD), "feeding");
}

/* The poison of a read's buffer has the tag 0. */
static void fill(struct lane *l, unsigned i, unsigned records)
{
    for (unsigned j = 0; j < records; j++)
        l->data[i][j] = reads(l) ? (struct record){0, 0} : (struct record){(uintptr_t)l, ++l->next};
}

/* --- POSIX --- */

static unsigned submit(struct lane *l)
{
    unsigned n = 1 + next_random(&l->random) % BATCH, large = 0;

    /* Sometimes one that does not fit into a stream, and is cut. */
    if ((l->kind == PIPE_OUT || l->kind == SOCKET_OUT) && next_random(&l->random) % 16 == 0)
        large = 8;
    for (unsigned i = 0; i < n; i++) {
        unsigned records = i < large ? LARGE : 1;

        fill(l, i, records);
        pthread_rwlock_wrlock(&l->blocks);
        l->cbs[i].aio_nbytes = records * RECORD;
        insist((reads(l) ? aio_read(&l->cbs[i]) : aio_write(&l->cbs[i])) == 0, "submission");
        pthread_rwlock_unlock(&l->blocks);
        if (reads(l) && next_random(&l->random) % 2 == 0)
            feed(l, 1);
    }
    return n;
}

static void cancel_each(struct lane *l, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned at = n - 1 - i;
        int answer = aio_cancel(l->fd, &l->cbs[at]), error = aio_error(&l->cbs[at]);

        l->answers[at] = answer;
        if (answer == AIO_CANCELED)
            must(error == ECANCELED, "AIO_CANCELED of what is not");
        else if (answer == AIO_ALLDONE)
            must(error == 0 || (l->has_strangers && error == ECANCELED),
                 "AIO_ALLDONE of what is not");
        else
            must(answer == AIO_NOTCANCELED, "aio_cancel fails");
    }
}

static void cancel_all(struct lane *l, unsigned n)
{
    int answer = aio_cancel(l->fd, NULL);
    unsigned n_cancelled = 0, n_going = 0;

    for (unsigned i = 0; i < n; i++) {
        int error = aio_error(&l->cbs[i]);

        n_going += error == EINPROGRESS;
        n_cancelled += error == ECANCELED;
        l->answers[i] = AIO_ALLDONE;
        if (error == EINPROGRESS)
            l->answers[i] = AIO_NOTCANCELED;
        if (error == ECANCELED)
            l->answers[i] = AIO_CANCELED;
    }
    if (answer == AIO_CANCELED)
        must(n_going == 0 && (n_cancelled > 0 || l->has_strangers), "AIO_CANCELED of all");
    else if (answer == AIO_ALLDONE)
        must(n_going == 0 && (n_cancelled == 0 || l->has_strangers), "AIO_ALLDONE of all");
    else
        must(answer == AIO_NOTCANCELED, "aio_cancel of all fails");
}

static size_t result(struct lane *l, unsigned i)
{
    int error = aio_error(&l->cbs[i]);
    ssize_t n = aio_return(&l->cbs[i]);

    if (l->answers[i] == AIO_CANCELED)
        must(error == ECANCELED, "AIO_CANCELED, but performed");
    else if (!l->has_strangers)
        must(error == 0, "not AIO_CANCELED, but cancelled");
    if (error == ECANCELED) {
        l->n_cancelled++;
        must(n == -1, "cancelled, but with a result");
        must(!reads(l) || l->data[i][0].tag == 0, "a cancelled read has read");
        return 0;
    }
    must(error == 0, "a request failed");
    if (!must(n > 0 && (size_t)n <= l->cbs[i].aio_nbytes, "a result out of range"))
        return 0;
    if ((size_t)n == l->cbs[i].aio_nbytes)
        l->n_performed++;
    else
        l->n_cut++;
    must((size_t)n == l->cbs[i].aio_nbytes || l->kind == PIPE_OUT || l->kind == SOCKET_OUT,
         "a short count");
    return (size_t)n;
}

static void check_seekable(struct lane *l, unsigned n)
{
    struct record found[BATCH];

    for (unsigned i = 0; i < n; i++) {
        if (result(l, i) > 0)
            l->there[i] = l->data[i][0];
    }
    insist(pread(l->other, found, sizeof found, 0) == sizeof found, "pread");
    must(memcmp(found, l->there, sizeof found) == 0, "performed or cancelled: the file disagrees");
}

/* What was appended to a file or written to a stream since the last batch. */
static _Thread_local char came[BATCH * LARGE * RECORD + 1];
static _Thread_local size_t length;

static void receive(struct lane *l, size_t most)
{
    size_t end = most < sizeof came - length ? length + most : sizeof came;
    ssize_t got;

    while (length < end && (got = read(l->other, came + length, end - length)) > 0)
        length += (size_t)got;
}

/* It is what was performed. */
static void check_written(struct lane *l, unsigned n)
{
    size_t at = 0;

    receive(l, sizeof came);
    for (unsigned i = 0; i < n; i++) {
        size_t bytes = result(l, i);

        if (!must(at + bytes <= length, "a performed write is not there"))
            return;
        must(memcmp(came + at, l->data[i], bytes) == 0, "writes out of order");
        at += bytes;
    }
    must(at == length, "a cancelled write is there");
    length = 0;
    if (l->kind == APPENDED && lseek(l->other, 0, SEEK_CUR) > 1 << 20)
        insist(ftruncate(l->other, 0) == 0 && lseek(l->other, 0, SEEK_SET) == 0, "ftruncate");
}

static void see(struct lane *l, const struct record *r)
{
    must(r->tag == (uintptr_t)l && r->sequence == l->read, "a record of a stream lost or twice");
    l->read++;
}

static void drain(struct lane *l)
{
    while (l->read < l->fed) {
        struct record r;
        struct pollfd ready = {.fd = l->fd, .events = POLLIN};

        if (!must(poll(&ready, 1, 0) == 1, "the last records of a stream are lost"))
            return;
        insist(read(l->fd, &r, sizeof r) == sizeof r, "read");
        see(l, &r);
    }
}

static void race(struct lane *l)
{
    unsigned n;

    stress_at("submitting");
    n = submit(l);
    for (unsigned i = next_random(&l->random) % 4; i > 1; i--)
        sched_yield();
    if (l->kind == PIPE_OUT || l->kind == SOCKET_OUT) /* lets what waits go on */
        receive(l, next_random(&l->random) % 65536);
    stress_at("cancelling");
    if (next_random(&l->random) % 2 == 0)
        cancel_each(l, n);
    else
        cancel_all(l, n);
    stress_at(names[l->kind]);
    for (unsigned i = 0; i < n; i++) {
        const struct aiocb *one = &l->cbs[i];

        while (aio_error(one) == EINPROGRESS)
            aio_suspend(&one, 1, NULL);
    }
    stress_at("checking");
    if (l->kind == SEEKABLE) {
        check_seekable(l, n);
    } else if (!reads(l)) {
        check_written(l, n);
    } else {
        for (unsigned i = 0; i < n; i++) {
            if (result(l, i) > 0)
                see(l, l->data[i]);
        }
        drain(l);
    }
    l->n_races += n;
}

/* --- native AIO: reads of a pipe, and a POLL --- */

#ifdef BOTH_FACES
static void check_events(struct lane *l, aio_context_t ctx, long n, const bool *cancelled)
{
    struct io_event events[BATCH];
    bool seen[BATCH] = {false};
    long got = syscall(SYS_io_getevents, ctx, n, BATCH, events, NULL);

    must(got == n, "io_getevents");
    for (long i = 0; i < got; i++) {
        unsigned at = (unsigned)events[i].data;
        long long none = at == 0 ? 0 : -ECANCELED;

        must(!seen[at], "two events of a request");
        seen[at] = true;
        must((events[i].res == none) == cancelled[at], "io_cancel and the event disagree");
        must(cancelled[at] || events[i].res == (at == 0 ? POLLIN : RECORD), "an event's result");
        l->n_cancelled += cancelled[at];
        l->n_performed += !cancelled[at];
        must(at == 0 || cancelled[at] == (l->data[at][0].tag == 0),
             "a read and its event disagree");
    }
}

static void race_native(struct lane *l)
{
    aio_context_t ctx = 0;
    struct iocb cbs[BATCH], *list[BATCH];
    bool cancelled[BATCH] = {false};
    unsigned n = 2 + next_random(&l->random) % (BATCH - 1);

    stress_at("native AIO");
    insist(syscall(SYS_io_setup, BATCH, &ctx) == 0, "io_setup");
    for (unsigned round = 0; round < 8; round++) {
        for (unsigned i = 0; i < n; i++) {
            fill(l, i, 1);
            cancelled[i] = false;
            list[i] = &cbs[i];
            cbs[i] = (struct iocb){.aio_data = i,
                                   .aio_lio_opcode = i == 0 ? IOCB_CMD_POLL : IOCB_CMD_PREAD,
                                   .aio_fildes = (uint32_t)l->fd,
                                   .aio_buf = i == 0 ? POLLIN : (uintptr_t)l->data[i],
                                   .aio_nbytes = i == 0 ? 0 : RECORD};
        }
        insist(syscall(SYS_io_submit, ctx, (long)n, list) == (long)n, "io_submit");
        feed(l, next_random(&l->random) % n);
        stress_at("native AIO: io_cancel, io_getevents");
        for (unsigned i = 0; i < n && round < 7; i++) {
            struct io_event unused;

            if (syscall(SYS_io_cancel, ctx, &cbs[n - 1 - i], &unused) == -1 && errno == EINPROGRESS)
                cancelled[n - 1 - i] = true;
        }
        if (round < 7)
            check_events(l, ctx, (long)n, cancelled);
        if (round == 7) {
            stress_at("native AIO: io_destroy");
            must(syscall(SYS_io_destroy, ctx) == 0, "io_destroy");
        }
        for (unsigned i = 1; i < n; i++) {
            if (l->data[i][0].tag != 0)
                see(l, &l->data[i][0]);
        }
        drain(l);
        l->n_races += n;
    }
}
#else
static void race_native(struct lane *l)
{
    (void)l;
}
#endif

static void *work(void *argument)
{
    struct lane *l = argument;

    do {
        if (l->kind == NATIVE)
            race_native(l);
        else
            race(l);
    } while (stress_goes_on());
    return NULL;
}

static void *cancel_strange(void *argument)
{
    unsigned random = (unsigned)(uintptr_t)argument;

    while (!atomic_load(&over)) {
        struct lane *l = &lanes[NATIVE + next_random(&random) % NATIVE];
        unsigned i = next_random(&random) % (2 * BATCH);

        stress_at("a stranger's aio_cancel");
        if (i >= BATCH) {
            must(aio_cancel(l->fd, NULL) >= 0, "a stranger's aio_cancel of all");
        } else if (pthread_rwlock_tryrdlock(&l->blocks) == 0) {
            must(aio_cancel(l->fd, &l->cbs[i]) >= 0, "a stranger's aio_cancel");
            pthread_rwlock_unlock(&l->blocks);
        }
        if (i % 4 == 0)
            sched_yield();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t strangers[STRANGERS];
    unsigned random;
    unsigned long total = 0;

    stress_begin(argc, argv, "cancel_storm");
    random = stress_seed();
    for (unsigned i = 0; i < LANES; i++) {
        lanes[i].kind = i == 2 * NATIVE ? NATIVE : (enum kind)(i % NATIVE);
        lanes[i].has_strangers = i >= NATIVE;
        lanes[i].random = next_random(&random);
        lanes[i].data = buffers[i];
        pthread_rwlock_init(&lanes[i].blocks, NULL);
        open_lane(&lanes[i]);
    }
    for (unsigned i = 0; i < STRANGERS; i++)
        insist(pthread_create(&strangers[i], NULL, cancel_strange,
                              (void *)(uintptr_t)next_random(&random)) == 0,
               "thread");
    for (unsigned i = 0; i < LANES; i++)
        insist(pthread_create(&lanes[i].thread, NULL, work, &lanes[i]) == 0, "thread");
    for (unsigned i = 0; i < LANES; i++)
        pthread_join(lanes[i].thread, NULL);
    atomic_store(&over, true);
    for (unsigned i = 0; i < STRANGERS; i++)
        pthread_join(strangers[i], NULL);
    for (unsigned i = 0; i < LANES; i++) {
        struct lane *l = &lanes[i];

        printf("%-10s %9lu races: %lu cancelled, %lu performed, %lu cut short%s\n", names[l->kind],
               l->n_races, l->n_cancelled, l->n_performed, l->n_cut,
               l->has_strangers && l->kind != NATIVE ? ", with strangers" : "");
        total += l->n_races;
    }
    printf("%lu races\n", total);
    return stress_end();
}
