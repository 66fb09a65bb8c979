/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "work.h"

#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define CAN_FORK false /* its allocator may be locked for ever in the child */
#else
# define CAN_FORK true
#endif

enum { SYNC = 100, DATASYNC };
enum { BLOCK = 4096, BLOCKS = 8, LARGE = 512 * 1024, RECORD = 1000, RECORDS = 6 };

/* ---- notifications ------------------------------------------------------------ */

struct notices {
    atomic_uint asked, told;
};

static sem_t each;
static pthread_attr_t detached, joinable;

static void tell(union sigval value)
{
    struct notices *notices = value.sival_ptr;

    if (atomic_fetch_add(&notices->told, 1) >= atomic_load(&notices->asked))
        work_failed("notified twice", 0);
    sem_post(&each);
}

static void handle(int signo, siginfo_t *info, void *context)
{
    (void)signo;
    (void)context;
    if (info->si_code == SI_ASYNCIO)
        tell(info->si_value);
}

enum how { BY_NOTHING, BY_SIGNAL, BY_THREAD, BY_DETACHED, BY_JOINABLE, HOWS };

static struct sigevent notification(enum how how, struct notices *notices)
{
    struct sigevent event;

    memset(&event, 0, sizeof event);
    event.sigev_notify = how == BY_NOTHING  ? SIGEV_NONE
                         : how == BY_SIGNAL ? SIGEV_SIGNAL
                                            : SIGEV_THREAD;
    event.sigev_value.sival_ptr = notices;
    if (how == BY_SIGNAL)
        event.sigev_signo = SIGRTMIN + 2;
    if (how > BY_SIGNAL)
        event.sigev_notify_function = tell;
    if (how > BY_THREAD)
        event.sigev_notify_attributes = how == BY_DETACHED ? &detached : &joinable;
    return event;
}

/* All that were asked for; one that never comes is the watchdog's. */
static void await_told(struct notices *notices)
{
    while (atomic_load(&notices->told) < atomic_load(&notices->asked))
        sem_wait(&each);
}

/* ---- requests ------------------------------------------------------------------ */

struct request {
    struct aiocb cb; /* of what is left to do */
    int kind;        /* LIO_READ, LIO_WRITE, SYNC, DATASYNC */
    bool stream;
    struct notices notices;
    size_t done;
};

static struct notices *ask(struct request *r, enum how how)
{
    r->cb.aio_sigevent = notification(how, &r->notices);
    return how == BY_NOTHING ? NULL : &r->notices;
}

static struct request request(int kind, int fd, void *buffer, size_t nbytes, off_t offset)
{
    struct request r;

    memset(&r, 0, sizeof r);
    r.kind = kind;
    r.cb.aio_fildes = fd;
    r.cb.aio_buf = buffer;
    r.cb.aio_nbytes = nbytes;
    r.cb.aio_offset = offset;
    r.cb.aio_lio_opcode = kind;
    r.cb.aio_sigevent.sigev_notify = SIGEV_NONE;
    return r;
}

static int call(struct request *r)
{
    switch (r->kind) {
    case LIO_READ:
        return aio_read(&r->cb);
    case LIO_WRITE:
        return aio_write(&r->cb);
    default:
        return aio_fsync(r->kind == SYNC ? O_SYNC : O_DSYNC, &r->cb);
    }
}

static void submit(struct request *r)
{
    bool notifies = r->cb.aio_sigevent.sigev_notify != SIGEV_NONE;

    for (;;) {
        atomic_fetch_add(&r->notices.asked, notifies);
        if (call(r) == 0)
            return;
        atomic_fetch_sub(&r->notices.asked, notifies);
        NEED(aio_error(&r->cb) == errno);
        work_excuse_refusal(errno, false);
    }
}

static void await(struct request *r)
{
    const struct aiocb *list[] = {&r->cb};

    while (aio_error(&r->cb) == EINPROGRESS)
        NEED(aio_suspend(list, 1, NULL) == 0 || errno == EINTR);
}

/* It is over: what became of it.  True if all is done; else it is set up for
 * what is left. */
static bool account(struct request *r)
{
    bool is_sync = r->kind >= SYNC;
    size_t wanted = is_sync ? 0 : r->cb.aio_nbytes, n;
    int error = aio_error(&r->cb);
    ssize_t result = aio_return(&r->cb);

    NEED(error != EINPROGRESS && (error ? result == -1 : result >= 0));
    if (error)
        result = -error;
    if (result == (ssize_t)wanted) {
        r->done += wanted;
        return true;
    }
    if (r->stream && r->kind == LIO_READ)
        n = work_excuse_stream(result, wanted, (void *)r->cb.aio_buf);
    else
        n = work_excuse_result(result, wanted, is_sync ? NULL : (void *)r->cb.aio_buf, wanted);
    r->done += n;
    r->cb.aio_buf = (char *)r->cb.aio_buf + n;
    r->cb.aio_nbytes -= n;
    r->cb.aio_offset += (off_t)n;
    return false;
}

static void finish(struct request *r)
{
    for (;;) {
        await(r);
        if (account(r))
            break;
        submit(r);
    }
    await_told(&r->notices);
}

static void perform(struct request r)
{
    submit(&r);
    finish(&r);
}

/* ---- files ---------------------------------------------------------------------- */

static void sync_with(int fd, int kind, enum how how)
{
    struct request r = request(kind, fd, NULL, 0, 0);

    ask(&r, how);
    submit(&r);
    finish(&r);
}

static void use_file(void)
{
    static unsigned char blocks[BLOCKS][BLOCK];
    struct request r[BLOCKS];
    int fd = work_file(0);

    work_at("writes");
    for (int i = 0; i < BLOCKS; i++) {
        work_fill(blocks[i], BLOCK, (unsigned)i);
        r[i] = request(LIO_WRITE, fd, blocks[i], BLOCK, (off_t)i * BLOCK);
        r[i].cb.aio_reqprio = i % 2;
        ask(&r[i], (enum how)(i % HOWS));
        submit(&r[i]);
    }
    work_at("syncs");
    sync_with(fd, SYNC, BY_SIGNAL);
    sync_with(fd, DATASYNC, BY_THREAD);
    work_at("the end of the writes");
    for (int i = 0; i < BLOCKS; i++)
        finish(&r[i]);
    for (int i = 0; i < BLOCKS; i++)
        work_check_file(fd, (off_t)i * BLOCK, BLOCK, (unsigned)i);
    work_at("reads");
    for (int i = 0; i < BLOCKS; i++) {
        memset(blocks[i], 0, BLOCK);
        r[i] = request(LIO_READ, fd, blocks[i], BLOCK, (off_t)i * BLOCK);
        ask(&r[i], (enum how)(i % HOWS));
        submit(&r[i]);
    }
    for (int i = 0; i < BLOCKS; i++) {
        finish(&r[i]);
        work_check(blocks[i], BLOCK, (unsigned)i, "a read says what is not there");
    }
    close(fd);
}

static void use_large_blocks(void)
{
    unsigned char *block = malloc(LARGE);
    int fd = work_file(0);

    work_at("a large write");
    NEED(block != NULL);
    work_fill(block, LARGE, 9);
    perform(request(LIO_WRITE, fd, block, LARGE, 0));
    work_check_file(fd, 0, LARGE, 9);
    work_at("a large read");
    memset(block, 0, LARGE);
    perform(request(LIO_READ, fd, block, LARGE, 0));
    work_check(block, LARGE, 9, "a large read says what is not there");
    free(block);
    close(fd);
}

/* Leaves in the list what is to be done once more. */
static void finish_list(struct request *r, struct aiocb **list, int n)
{
    for (int i = 0; i < n; i++) {
        await(&r[i]);
        if (account(&r[i]))
            list[i] = NULL;
    }
}

static void append(void)
{
    static unsigned char records[RECORDS][RECORD], expected[RECORDS * RECORD],
        there[RECORDS * RECORD];
    struct request r[RECORDS];
    struct aiocb *list[RECORDS];
    size_t length = 0;
    int fd = work_file(O_APPEND);

    work_at("a list of appends");
    for (int i = 0; i < RECORDS; i++) {
        work_fill(records[i], RECORD, (unsigned)i + 20);
        r[i] = request(LIO_WRITE, fd, records[i], RECORD, 0);
        list[i] = &r[i].cb;
    }
    if (lio_listio(LIO_WAIT, list, RECORDS, NULL) != 0 && errno != EINTR)
        NEED((errno == EAGAIN || errno == EIO) && work_is_disturbed());
    finish_list(r, list, RECORDS);
    for (int i = 0; i < RECORDS; i++) {
        memcpy(expected + length, records[i], r[i].done);
        length += r[i].done;
    }
    for (int i = 0; i < RECORDS; i++) {
        if (!list[i])
            continue;
        memcpy(expected + length, records[i] + r[i].done, RECORD - r[i].done);
        length += RECORD - r[i].done;
        submit(&r[i]);
        finish(&r[i]);
    }
    NEED(pread(fd, there, sizeof there, 0) == (ssize_t)sizeof there);
    NEED(lseek(fd, 0, SEEK_END) == (off_t)sizeof there);
    NEED(memcmp(there, expected, sizeof there) == 0);
    close(fd);
}

/* A list that notifies.  One that was refused as a whole does not, and one of
 * which members were refused does: after the error both are right if all were. */
static void list_with_notification(void)
{
    static unsigned char blocks[BLOCKS][BLOCK];
    static struct notices notices;
    struct request r[BLOCKS];
    struct aiocb *list[BLOCKS];
    struct sigevent event = notification(BY_THREAD, &notices);
    bool accepted = false;
    int fd = work_file(0), result;

    work_at("a list with a notification");
    NEED(ftruncate(fd, BLOCKS * BLOCK) == 0);
    for (int i = 0; i < BLOCKS; i++) {
        work_fill(blocks[i], BLOCK, (unsigned)i + 40);
        if (i % 2)
            NEED(pwrite(fd, blocks[i], BLOCK, (off_t)i * BLOCK) == BLOCK);
        if (i % 2)
            memset(blocks[i], 0, BLOCK);
        r[i] = request(i % 2 ? LIO_READ : LIO_WRITE, fd, blocks[i], BLOCK, (off_t)i * BLOCK);
        list[i] = &r[i].cb;
    }
    atomic_fetch_add(&notices.asked, 1);
    result = lio_listio(LIO_NOWAIT, list, BLOCKS, &event);
    NEED(result == 0 || ((errno == EAGAIN || errno == EIO) && work_is_disturbed()));
    for (int i = 0; i < BLOCKS; i++) {
        await(&r[i]);
        accepted = accepted || aio_error(&r[i].cb) != EAGAIN;
    }
    if (result == 0 || accepted)
        await_told(&notices);
    else
        atomic_fetch_sub(&notices.asked, atomic_load(&notices.told) < atomic_load(&notices.asked));
    for (int i = 0; i < BLOCKS; i++) {
        if (!account(&r[i])) {
            submit(&r[i]);
            finish(&r[i]);
        }
        if (i % 2)
            work_check(blocks[i], BLOCK, (unsigned)i + 40, "a listed read");
        else
            work_check_file(fd, (off_t)i * BLOCK, BLOCK, (unsigned)i + 40);
    }
    close(fd);
}

/* ---- streams -------------------------------------------------------------------- */

static void must_write(int fd, const void *buffer, size_t nbytes)
{
    NEED(write(fd, buffer, nbytes) == (ssize_t)nbytes);
}

static void reads_that_wait(int in, int out, size_t nbytes)
{
    static unsigned char buffers[2][64], sent[2 * 64];
    struct request r[2];
    const struct aiocb *list[2] = {&r[0].cb, &r[1].cb};
    const struct timespec moment = {0, 1000000};

    work_needs_threads();
    for (int i = 0; i < 2; i++) {
        memset(buffers[i], 0, sizeof buffers[i]);
        r[i] = request(LIO_READ, in, buffers[i], nbytes, 0);
        r[i].stream = true;
        ask(&r[i], i ? BY_THREAD : BY_SIGNAL);
        submit(&r[i]);
    }
    if (aio_suspend(list, 2, &moment) != 0)
        NEED(errno == EAGAIN || errno == EINTR);
    else if (!work_is_disturbed())
        work_failed("a read is over without data",
                    aio_error(&r[0].cb) + 1000 * aio_error(&r[1].cb));
    /* Each has half of it, in their order; what one gave up the other has. */
    work_fill(sent, 2 * nbytes, 60);
    must_write(out, sent, nbytes);
    must_write(out, sent + nbytes, nbytes);
    finish(&r[0]);
    finish(&r[1]);
    if (memcmp(buffers[0], sent, nbytes) != 0 || memcmp(buffers[1], sent + nbytes, nbytes) != 0) {
        unsigned sum = 0;
        for (size_t i = 0; i < nbytes; i++)
            sum += (unsigned)(buffers[0][i] + buffers[1][i] - sent[i] - sent[i + nbytes]);
        NEED(work_is_disturbed() && sum == 0);
    }
}

/* More than there is room for, taken out by this thread. */
static void writes_that_wait(int in, int out)
{
    enum { MUCH = 256 * 1024 };
    unsigned char *sent = malloc(MUCH), *got = calloc(1, MUCH);
    struct request r;
    size_t n = 0;

    work_needs_threads();
    NEED(sent != NULL && got != NULL && fcntl(in, F_SETFL, O_NONBLOCK) == 0);
    work_fill(sent, MUCH, 70);
    r = request(LIO_WRITE, out, sent, MUCH, 0);
    ask(&r, BY_THREAD);
    submit(&r);
    while (n < MUCH) {
        bool over = aio_error(&r.cb) != EINPROGRESS;
        ssize_t more = read(in, got + n, MUCH - n);
        struct pollfd there = {in, POLLIN, 0};
        NEED(more > 0 || (more < 0 && errno == EAGAIN));
        if (more > 0)
            n += (size_t)more;
        else if (!over)
            poll(&there, 1, 1);
        else if (!account(&r))
            submit(&r);
    }
    finish(&r);
    NEED(read(in, got, 1) == -1 && errno == EAGAIN);
    work_check(got, MUCH, 70, "a stream is not what was written");
    NEED(fcntl(in, F_SETFL, 0) == 0);
    free(sent);
    free(got);
}

static void use_stream(const int ends[2], const char *second_step)
{
    reads_that_wait(ends[0], ends[1], 16);
    work_at(second_step);
    writes_that_wait(ends[0], ends[1]);
    close(ends[0]);
    close(ends[1]);
}

static void use_pipe(void)
{
    int ends[2];

    work_at("reads of a pipe");
    NEED(pipe(ends) == 0);
    use_stream(ends, "a write to a pipe");
}

static void use_socket(void)
{
    int ends[2];

    work_at("reads of a socket");
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    use_stream(ends, "a write to a socket");
}

static void use_eventfd(void)
{
    uint64_t count = 0, three = 3;
    int fd = eventfd(0, EFD_CLOEXEC);
    struct request r = request(LIO_READ, fd, &count, sizeof count, 0);

    work_at("an eventfd");
    NEED(fd >= 0);
    work_needs_threads();
    submit(&r);
    must_write(fd, &three, sizeof three);
    finish(&r);
    NEED(count == 3);
    close(fd);
}

static void use_terminal(void)
{
    struct termios raw;
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave;

    work_at("a terminal");
    if (master < 0)
        return;
    NEED(grantpt(master) == 0 && unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    NEED(slave >= 0 && tcgetattr(slave, &raw) == 0);
    cfmakeraw(&raw);
    NEED(tcsetattr(slave, TCSANOW, &raw) == 0);
    reads_that_wait(slave, master, 16);
    perform(request(LIO_WRITE, slave, (void *)(uintptr_t) "terminal", 8, 0));
    close(slave);
    close(master);
}

/* A request that waits is cancelled, unless for want of resources a worker runs
 * it: then it gets what it waits for. */
static void cancel(bool all)
{
    unsigned char buffers[2][8];
    struct request r[2];
    int ends[2], answer;

    work_at(all ? "aio_cancel of all" : "aio_cancel");
    NEED(pipe(ends) == 0);
    work_needs_threads();
    for (int i = 0; i < 2; i++) {
        r[i] = request(LIO_READ, ends[0], buffers[i], sizeof buffers[i], 0);
        ask(&r[i], i ? BY_THREAD : BY_SIGNAL);
        submit(&r[i]);
    }
    if (all)
        answer = aio_cancel(ends[0], NULL);
    else if ((answer = aio_cancel(ends[0], &r[1].cb)) == AIO_CANCELED)
        answer = aio_cancel(ends[0], &r[0].cb);
    NEED(answer == AIO_CANCELED || work_is_disturbed());
    if (answer != AIO_CANCELED) {
        must_write(ends[1], "12345678", 8);
        must_write(ends[1], "12345678", 8);
    }
    for (int i = 0; i < 2; i++) {
        await(&r[i]);
        await_told(&r[i].notices);
        if (aio_error(&r[i].cb) != ECANCELED && answer == AIO_CANCELED && !work_is_disturbed())
            work_failed("cancelled, but it says otherwise", aio_error(&r[i].cb));
        aio_return(&r[i].cb);
    }
    close(ends[0]);
    close(ends[1]);
}

/* Both of waiting reads end with the descriptor. */
static void close_in_use(void)
{
    unsigned char buffers[2][8];
    struct request r[2];
    int ends[2];
    bool fed;

    work_at("close");
    NEED(pipe(ends) == 0);
    work_needs_threads();
    for (int i = 0; i < 2; i++) {
        r[i] = request(LIO_READ, ends[0], buffers[i], sizeof buffers[i], 0);
        ask(&r[i], i ? BY_THREAD : BY_SIGNAL);
        submit(&r[i]);
    }
    fed = work_is_disturbed();
    if (fed) /* a worker may be in its read(), and is waited for */
        must_write(ends[1], "1234567812345678", 16);
    NEED(close(ends[0]) == 0);
    for (int i = 0; i < 2; i++) {
        await(&r[i]);
        await_told(&r[i].notices);
        NEED(fed || aio_error(&r[i].cb) == ECANCELED);
        NEED(aio_return(&r[i].cb) == -1 || fed);
    }
    close(ends[1]);
}

/* ---- children --------------------------------------------------------------------- */

static void use_child(void)
{
    unsigned char block[256];
    int fd = work_file(0);
    pid_t pid;

    work_at("fork");
    work_fill(block, sizeof block, 80);
    pid = fork();
    NEED(pid >= 0);
    if (pid == 0) {
        alarm(20);
        work_at("a child");
        perform(request(LIO_WRITE, fd, block, sizeof block, 0));
        sync_with(fd, SYNC, BY_THREAD);
        memset(block, 0, sizeof block);
        perform(request(LIO_READ, fd, block, sizeof block, 0));
        work_check(block, sizeof block, 80, "a child's read");
        _exit(0);
    }
    work_await_child(pid);
    work_check_file(fd, 0, sizeof block, 80);
    close(fd);
}

void work_on_posix(void)
{
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_RESTART};

    NEED(sigaction(SIGRTMIN + 2, &action, NULL) == 0 && sem_init(&each, 0, 0) == 0);
    NEED(pthread_attr_init(&detached) == 0 && pthread_attr_init(&joinable) == 0);
    NEED(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) == 0);
    NEED(pthread_attr_setstacksize(&joinable, 256 * 1024) == 0);
    use_file();
    use_large_blocks();
    append();
    list_with_notification();
    use_pipe();
    use_socket();
    use_eventfd();
    use_terminal();
    cancel(false);
    cancel(true);
    close_in_use();
    if (CAN_FORK)
        use_child();
    pthread_attr_destroy(&detached);
    pthread_attr_destroy(&joinable);
    work_at("the end");
}
