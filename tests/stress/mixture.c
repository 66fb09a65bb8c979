/* SPDX-License-Identifier: MIT */
/*
 * All operations at once, on descriptors of all kinds, with a model that knows
 * what must come of them.
 *
 *     stress-mixture [SECONDS [SEED]]   or UAIO_STRESS_SECONDS, UAIO_STRESS_SEED
 *
 * Each thread has a file, a file to append to, a pipe and a socket pair, and goes
 * through rounds: it submits a batch of reads, writes and syncs to them, one by
 * one, as a list (waited for or not) or by native AIO; disturbs it (cancels some
 * or all of a descriptor, closes a descriptor under it, waits for some with a
 * timeout); and waits for the rest.  Meanwhile signals interrupt it, and the
 * process forks children that use AIO themselves.  Within a batch no request
 * depends on when another one runs, so the model can tell.  Invariant:
 *
 *  - each request ends, either performed, with the count that was asked for, or
 *    cancelled, and in that case nothing of it is done;
 *  - each block of the file is what its last performed write has made it, and
 *    reads see that;
 *  - the file to append to has the records of the performed appends, in the order
 *    of the calls, and no other;
 *  - what was read from a stream, and what is left in it, is what the performed
 *    writes have put there, in the order of the calls;
 *  - each request, and each list, that asks for a notification gets one, and not
 *    two;
 *  - after close() none of the descriptor's requests is EINPROGRESS;
 *  - children find their copies cancelled, their own requests work, and they end.
 */
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef BOTH_FACES
# include <linux/aio_abi.h>
# include <sys/syscall.h>
#endif

enum { THREADS = 8, BATCH = 16, BLOCKS = 64, WORDS = 512, SMALL = 8 /* records: below PIPE_BUF */ };
enum { BLOCK = WORDS * sizeof(unsigned long long), RECORD = sizeof(struct record) };
enum kind {
    WRITE_BLOCK,
    READ_BLOCK,
    APPEND,
    PUT_PIPE,
    GET_PIPE,
    PUT_SOCKET,
    GET_SOCKET,
    SYNC,
    KINDS
};
enum manner { ONE_BY_ONE, LIST, LIST_WAIT, NATIVE, MANNERS };

/* What goes through a pipe or a socket, in the order of the calls. */
struct stream {
    int in, out;
    unsigned long long sequence;
};

struct request {
    struct aiocb cb;
    enum kind kind;
    unsigned block;
    unsigned long long sequence; /* of a record, or the block's new version */
    bool native, over;
    long result; /* a count, or -errno */
    struct notices notices;
    union {
        unsigned long long words[WORDS];
        struct record records[SMALL];
    };
};

struct worker {
    pthread_t thread;
    unsigned number, random;
    int file, file_witness, log, log_witness;
    unsigned long long versions[BLOCKS], n_logged, log_sequence;
    struct stream pipe, socket;
    sem_t notified;
    struct notices list_notices;
    unsigned n, n_notices;
    struct request requests[BATCH];
#ifdef BOTH_FACES
    aio_context_t ctx;
    struct iocb iocbs[BATCH];
#endif
};

static struct worker workers[THREADS];
static atomic_ulong n_performed, n_cancelled, n_rounds, n_children;
static struct aiocb waits; /* of an empty pipe, all the time */
static char wait_byte;

static unsigned long long word(const struct worker *w, unsigned block, unsigned long long version,
                               unsigned i)
{
    return ((unsigned long long)w->number << 56 | (unsigned long long)block << 48) +
           version * WORDS + i;
}

static bool is_block(const struct worker *w, const unsigned long long *words, unsigned block)
{
    for (unsigned i = 0; i < WORDS; i++)
        if (words[i] != word(w, block, w->versions[block], i))
            return false;
    return true;
}

/* --- making a batch --- */

static void prepare(struct worker *w, struct request *r, enum kind kind, unsigned block)
{
    const size_t small = (1 + next_random(&w->random) % SMALL) * RECORD;

    memset(&r->cb, 0, sizeof r->cb);
    r->kind = kind;
    r->block = block;
    r->over = r->native = false;
    r->cb.aio_buf = r->words;
    r->cb.aio_nbytes = small;
    r->cb.aio_lio_opcode = LIO_WRITE;
    switch (kind) {
    case WRITE_BLOCK:
        r->sequence = w->versions[block] + 1 + next_random(&w->random) % 3;
        for (unsigned i = 0; i < WORDS; i++)
            r->words[i] = word(w, block, r->sequence, i);
        r->cb.aio_fildes = w->file;
        break;
    case READ_BLOCK:
        memset(r->words, 0xff, sizeof r->words);
        r->cb.aio_fildes = w->file;
        r->cb.aio_lio_opcode = LIO_READ;
        break;
    case APPEND:
        r->sequence = w->log_sequence;
        r->cb.aio_fildes = w->log;
        break;
    case PUT_PIPE:
        r->sequence = w->pipe.sequence;
        r->cb.aio_fildes = w->pipe.in;
        break;
    case PUT_SOCKET:
        r->sequence = w->socket.sequence;
        r->cb.aio_fildes = w->socket.in;
        break;
    case GET_PIPE:
    case GET_SOCKET:
        memset(r->records, 0xff, sizeof r->records);
        r->cb.aio_fildes = kind == GET_PIPE ? w->pipe.out : w->socket.out;
        r->cb.aio_lio_opcode = LIO_READ;
        break;
    default:
        r->cb.aio_fildes = next_random(&w->random) % 2 ? w->file : w->log;
        r->cb.aio_nbytes = 0;
        break;
    }
    if (kind <= READ_BLOCK) {
        r->cb.aio_nbytes = BLOCK;
        r->cb.aio_offset = (off_t)block * BLOCK;
    }
    if (kind == APPEND || kind == PUT_PIPE || kind == PUT_SOCKET) {
        for (unsigned i = 0; i < small / RECORD; i++)
            r->records[i] = (struct record){w->number + 1, r->sequence + i};
        *(kind == APPEND     ? &w->log_sequence
          : kind == PUT_PIPE ? &w->pipe.sequence
                             : &w->socket.sequence) += small / RECORD;
    }
}

/* A block is in a batch once. */
static void make_batch(struct worker *w, enum manner manner)
{
    const unsigned first = next_random(&w->random) % BLOCKS;

    w->n = 1 + next_random(&w->random) % BATCH;
    w->n_notices = 0;
    for (unsigned i = 0; i < w->n; i++) {
        enum kind kind = (enum kind)(next_random(&w->random) % KINDS);

        if (manner == LIST || manner == LIST_WAIT || manner == NATIVE) {
            if (kind == SYNC)
                kind = WRITE_BLOCK;
            /* What waits for others of its list, or for nobody, would keep the call. */
            if (manner == LIST_WAIT && (kind == GET_PIPE || kind == GET_SOCKET))
                kind = READ_BLOCK;
        }
        prepare(w, &w->requests[i], kind, (first + i) % BLOCKS);
    }
}

static void ask(struct worker *w, struct request *r)
{
    enum notification how = (enum notification)(next_random(&w->random) % NOTIFICATIONS);

    r->notices.each = &w->notified;
    w->n_notices += how != NOTIFY_NONE;
    ask_notice(&r->cb, &r->notices, how);
}

/* --- submitting it --- */

#ifdef BOTH_FACES
static void submit_native(struct worker *w)
{
    struct iocb *list[BATCH];

    for (unsigned i = 0; i < w->n; i++) {
        struct request *r = &w->requests[i];
        bool reads = r->cb.aio_lio_opcode == LIO_READ;

        r->native = true;
        list[i] = &w->iocbs[i];
        w->iocbs[i] = (struct iocb){.aio_data = i,
                                    .aio_lio_opcode = reads ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
                                    .aio_fildes = (uint32_t)r->cb.aio_fildes,
                                    .aio_buf = (uintptr_t)r->cb.aio_buf,
                                    .aio_nbytes = r->cb.aio_nbytes,
                                    .aio_offset = r->cb.aio_offset};
    }
    insist(syscall(SYS_io_submit, w->ctx, (long)w->n, list) == (long)w->n, "io_submit");
}

static void take_events(struct worker *w, long least)
{
    struct io_event events[BATCH];
    struct timespec none = {0, 0};
    long n = syscall(SYS_io_getevents, w->ctx, least, (long)BATCH, events, least ? NULL : &none);

    insist(n >= 0 || errno == EINTR, "io_getevents");
    for (long i = 0; i < n; i++) {
        struct request *r = &w->requests[events[i].data];

        must(!r->over, "an event twice");
        r->over = true;
        r->result = (long)events[i].res;
    }
}

static void cancel_native(struct worker *w, unsigned i)
{
    struct io_event event;
    long result = syscall(SYS_io_cancel, w->ctx, &w->iocbs[i], &event);

    must(result == 0 || errno == EINPROGRESS || errno == EINVAL || errno == EAGAIN, "io_cancel");
}
#endif

static void submit_list(struct worker *w, int mode)
{
    struct aiocb *list[BATCH];
    struct aiocb whole;
    enum notification how = (enum notification)(next_random(&w->random) % NOTIFICATIONS);

    for (unsigned i = 0; i < w->n; i++) {
        ask(w, &w->requests[i]);
        list[i] = &w->requests[i].cb;
    }
    memset(&whole, 0, sizeof whole);
    w->list_notices.each = &w->notified;
    if (mode == LIO_NOWAIT) {
        w->n_notices += how != NOTIFY_NONE;
        ask_notice(&whole, &w->list_notices, how);
    }
    if (lio_listio(mode, list, (int)w->n, mode == LIO_NOWAIT ? &whole.aio_sigevent : NULL) != 0)
        insist(mode == LIO_WAIT && errno == EINTR, "lio_listio");
}

static void submit(struct worker *w, enum manner manner)
{
    stress_at("submission");
    switch (manner) {
    case LIST:
        submit_list(w, LIO_NOWAIT);
        break;
    case LIST_WAIT:
        submit_list(w, LIO_WAIT);
        break;
#ifdef BOTH_FACES
    case NATIVE:
        submit_native(w);
        break;
#endif
    default:
        for (unsigned i = 0; i < w->n; i++) {
            struct request *r = &w->requests[i];
            int result;

            ask(w, r);
            if (r->kind == SYNC)
                result = aio_fsync(next_random(&w->random) % 2 ? O_SYNC : O_DSYNC, &r->cb);
            else
                result = r->cb.aio_lio_opcode == LIO_READ ? aio_read(&r->cb) : aio_write(&r->cb);
            insist(result == 0, "submission");
        }
    }
}

/* --- disturbing it --- */

static void close_file(struct worker *w)
{
    int fd = w->file;

    stress_at("close");
    insist(close(fd) == 0, "close");
    for (unsigned i = 0; i < w->n; i++) {
        struct request *r = &w->requests[i];

        if (r->cb.aio_fildes == fd && !r->native)
            must(aio_error(&r->cb) != EINPROGRESS, "in progress after close()");
    }
    w->file = fcntl(w->file_witness, F_DUPFD_CLOEXEC, 0);
    insist(w->file >= 0, "fcntl");
}

static void suspend_for_a_moment(struct worker *w)
{
    const struct aiocb *list[BATCH];
    const struct timespec moment = {0, (long)(next_random(&w->random) % 3 * 50000)};

    stress_at("aio_suspend with a timeout");
    for (unsigned i = 0; i < w->n; i++)
        list[i] =
            w->requests[i].native || next_random(&w->random) % 3 == 0 ? NULL : &w->requests[i].cb;
    if (aio_suspend(list, (int)w->n, &moment) != 0)
        must(errno == EAGAIN || errno == EINTR, "aio_suspend");
}

static void disturb(struct worker *w)
{
    unsigned i = next_random(&w->random) % w->n;
    struct request *r = &w->requests[i];

    stress_at("disturbance");
    switch (next_random(&w->random) % 8) {
    case 0:
        for (; i < w->n; i++) {
            if (!w->requests[i].native)
                aio_cancel(w->requests[i].cb.aio_fildes, &w->requests[i].cb);
#ifdef BOTH_FACES
            else
                cancel_native(w, i);
#endif
        }
        break;
    case 1:
        aio_cancel(r->cb.aio_fildes, NULL);
        break;
    case 2:
        close_file(w);
        break;
    case 3:
    case 4:
        suspend_for_a_moment(w);
        break;
    default:
        break;
    }
}

/* --- the end of it --- */

static bool reads_a_stream(const struct request *r)
{
    return r->kind == GET_PIPE || r->kind == GET_SOCKET;
}

static void await(struct worker *w, struct request *r)
{
    const struct aiocb *const one = &r->cb;

    while (!r->native && aio_error(one) == EINPROGRESS)
        if (aio_suspend(&one, 1, NULL) != 0)
            must(errno == EINTR, "aio_suspend");
#ifdef BOTH_FACES
    while (r->native && !r->over)
        take_events(w, 1);
#else
    (void)w;
#endif
    if (!r->native) {
        int error = aio_error(one);

        r->result = aio_return(&r->cb);
        must(error == 0 ? r->result >= 0 : r->result == -1, "status and result");
        if (error != 0)
            r->result = -error;
    }
}

/* Reads of streams may wait for more than there is: they are cancelled then, after all others. */
static void finish(struct worker *w)
{
    stress_at("waiting for all that ends by itself");
    for (unsigned i = 0; i < w->n; i++)
        if (!reads_a_stream(&w->requests[i]))
            await(w, &w->requests[i]);
    stress_at("cancelling what is left");
    for (unsigned i = 0; i < w->n; i++) {
        struct request *r = &w->requests[i];

        if (!reads_a_stream(r))
            continue;
#ifdef BOTH_FACES
        if (r->native)
            cancel_native(w, i);
#endif
        if (!r->native)
            aio_cancel(r->cb.aio_fildes, &r->cb);
        await(w, r);
    }
    stress_at("waiting for notifications");
    await_notices(&w->notified, w->n_notices);
}

/* --- the model --- */

static bool performed(const struct request *r)
{
    bool all = r->result == (long)r->cb.aio_nbytes;

    if (r->result == -ECANCELED)
        return false;
    if (r->cb.aio_lio_opcode == LIO_READ && reads_a_stream(r))
        all = r->result > 0 && r->result % RECORD == 0;
    return must(all, "neither performed nor cancelled");
}

static bool is_next(const struct worker *w, const struct record *r, unsigned long long *sequences,
                    unsigned *at, unsigned n)
{
    return *at < n && r->tag == w->number + 1 && r->sequence == sequences[(*at)++];
}

/* What was put and performed is what was got and performed, and then what is left. */
static void check_stream(struct worker *w, struct stream *s, enum kind put, enum kind get)
{
    unsigned long long expected[BATCH * SMALL];
    unsigned n = 0, at = 0;
    struct record rest;

    for (unsigned i = 0; i < w->n; i++) {
        const struct request *r = &w->requests[i];
        for (unsigned j = 0; r->kind == put && performed(r) && j < r->cb.aio_nbytes / RECORD; j++)
            expected[n++] = r->sequence + j;
    }
    for (unsigned i = 0; i < w->n; i++) {
        const struct request *r = &w->requests[i];
        for (unsigned j = 0; r->kind == get && performed(r) && j < (size_t)r->result / RECORD; j++)
            must(is_next(w, &r->records[j], expected, &at, n), "a stream gives something else");
    }
    while (at < n) {
        insist(read(s->out, &rest, RECORD) == RECORD, "what is left in a stream");
        must(is_next(w, &rest, expected, &at, n), "something else is left in a stream");
    }
}

static void check_log(struct worker *w)
{
    struct record there[SMALL];

    for (unsigned i = 0; i < w->n; i++) {
        const struct request *r = &w->requests[i];
        size_t nbytes = r->cb.aio_nbytes;

        if (r->kind != APPEND || !performed(r))
            continue;
        must(pread(w->log_witness, there, nbytes, (off_t)(w->n_logged * RECORD)) ==
                     (ssize_t)nbytes &&
                 memcmp(there, r->records, nbytes) == 0,
             "an append is not where it belongs");
        w->n_logged += nbytes / RECORD;
    }
    must(lseek(w->log_witness, 0, SEEK_END) == (off_t)(w->n_logged * RECORD),
         "an append that was cancelled is there");
    if (w->n_logged > 65536) {
        insist(ftruncate(w->log_witness, 0) == 0, "ftruncate");
        w->n_logged = 0;
    }
}

static void check_file(struct worker *w)
{
    unsigned long long there[WORDS];

    for (unsigned i = 0; i < w->n; i++) {
        const struct request *r = &w->requests[i];

        if (r->kind == READ_BLOCK && performed(r))
            must(is_block(w, r->words, r->block), "a read is wrong");
        if (r->kind == WRITE_BLOCK && performed(r))
            w->versions[r->block] = r->sequence;
        if (r->kind <= READ_BLOCK) {
            insist(pread(w->file_witness, there, BLOCK, (off_t)r->block * BLOCK) == BLOCK, "pread");
            must(is_block(w, there, r->block), "a block is not what its last write made it");
        }
    }
}

static void check(struct worker *w)
{
    stress_at("the check");
    check_file(w);
    check_log(w);
    check_stream(w, &w->pipe, PUT_PIPE, GET_PIPE);
    check_stream(w, &w->socket, PUT_SOCKET, GET_SOCKET);
    for (unsigned i = 0; i < w->n; i++)
        atomic_fetch_add(w->requests[i].result == -ECANCELED ? &n_cancelled : &n_performed, 1);
}

/* --- threads, signals, children --- */

static void open_all(struct worker *w)
{
    int ends[2];

    w->file = open_unlinked(0, &w->file_witness);
    w->log = open_unlinked(O_APPEND, &w->log_witness);
    insist(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    w->pipe.in = ends[1];
    w->pipe.out = ends[0];
    insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    w->socket.in = ends[1];
    w->socket.out = ends[0];
    for (unsigned block = 0; block < BLOCKS; block++) {
        unsigned long long words[WORDS];

        for (unsigned i = 0; i < WORDS; i++)
            words[i] = word(w, block, 0, i);
        insist(pwrite(w->file_witness, words, BLOCK, (off_t)block * BLOCK) == BLOCK, "write");
    }
    insist(sem_init(&w->notified, 0, 0) == 0, "semaphore");
#ifdef BOTH_FACES
    insist(syscall(SYS_io_setup, BATCH, &w->ctx) == 0, "io_setup");
#endif
}

static void *work(void *argument)
{
    struct worker *w = argument;

    do {
        enum manner manner = (enum manner)(next_random(&w->random) % MANNERS);

        make_batch(w, manner);
        submit(w, manner);
        disturb(w);
        finish(w);
        check(w);
        atomic_fetch_add(&n_rounds, 1);
    } while (stress_goes_on());
    return NULL;
}

static void interrupt(int signo)
{
    const int saved = errno;

    (void)signo;
    aio_error(&waits);
    errno = saved;
}

#ifndef __SANITIZE_ADDRESS__ /* its allocator may be locked in a child, for ever */
static int live(void)
{
    static struct aiocb cb;
    const struct aiocb *const one = &cb;
    static char byte;
    int ends[2];

    alarm(50);
    if (aio_error(&waits) != ECANCELED)
        return 10;
    if (pipe(ends) != 0 || write(ends[1], "x", 1) != 1)
        return 11;
    cb.aio_fildes = ends[0];
    cb.aio_buf = &byte;
    cb.aio_nbytes = 1;
    cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    if (aio_read(&cb) != 0)
        return 12;
    while (aio_error(&cb) == EINPROGRESS)
        aio_suspend(&one, 1, NULL);
    return aio_return(&cb) == 1 && byte == 'x' ? 0 : 13;
}

static void make_child(void)
{
    int status;
    pid_t pid = fork();

    insist(pid >= 0, "fork");
    if (pid == 0)
        _exit(live());
    while (waitpid(pid, &status, 0) < 0)
        insist(errno == EINTR, "waitpid");
    if (!must(status == 0, "a child fails"))
        fprintf(stderr, "mixture: its status is 0x%x\n", (unsigned)status);
    atomic_fetch_add(&n_children, 1);
}
#else
static void make_child(void)
{
}
#endif

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */
    unsigned random;

    stress_begin(argc, argv, "mixture");
    random = stress_seed();
    sigaction(SIGUSR1, &action, NULL);
    read_of_empty_pipe(&waits, &wait_byte);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].number = i;
        workers[i].random = stress_seed() + i * 7919;
        open_all(&workers[i]);
        insist(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "thread");
    }
    stress_at("children and signals");
    do {
        for (unsigned i = 0; i < 50; i++)
            pthread_kill(workers[next_random(&random) % THREADS].thread, SIGUSR1);
        make_child();
    } while (stress_goes_on());
    stress_at("joining");
    for (unsigned i = 0; i < THREADS; i++) {
        struct worker *w = &workers[i];

        pthread_join(w->thread, NULL);
        for (unsigned j = 0; j < BATCH; j++)
            must(atomic_load(&w->requests[j].notices.asked) ==
                     atomic_load(&w->requests[j].notices.told),
                 "not notified exactly once");
        must(atomic_load(&w->list_notices.asked) == atomic_load(&w->list_notices.told),
             "a list was not told of exactly once");
    }
    must(aio_error(&waits) == EINPROGRESS, "the read that waits is over");
    printf("%lu rounds; requests performed %lu, cancelled %lu; children %lu\n",
           atomic_load(&n_rounds), atomic_load(&n_performed), atomic_load(&n_cancelled),
           atomic_load(&n_children));
    return stress_end();
}
