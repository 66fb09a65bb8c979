/* SPDX-License-Identifier: MIT */
#include "operation.h"
#include "descriptor.h"
#include "high_number.h"
#include "io_priority.h"
#include "positioned.h"
#include "stream_io.h"
#include "vector.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

/*
 * Beyond this size a copy is worth more threads than one, and the submitting
 * thread is better off with the next submission than with the copy.
 */
#define INLINE_MAX_BYTES (256 * 1024)

/* Beyond this the plain call has a word in it: it cuts what is too long, or refuses it. */
#define COPY_MAX_BYTES (1024 * 1024 * 1024)

static bool offset_overflows(const struct operation *op)
{
    return op->nbytes > 0 && op->offset > INT64_MAX - (int64_t)op->nbytes;
}

/* Of the buffer, from `done` on.  It may be NULL, which nothing may be added to. */
static char *rest_of(const struct operation *op)
{
    return (char *)((uintptr_t)op->buffer + op->done);
}

/* The segments of a read or write, from `done` on. */
struct segments {
    struct iovec one;
    const struct iovec *first;
    int n;
};

static void set_segments(struct segments *to, const struct operation *op)
{
    if (op->vectored) {
        to->first = op->vector->segments + op->vector->first;
        to->n = op->vector->n - op->vector->first;
        return;
    }
    to->one = (struct iovec){rest_of(op), op->nbytes - op->done};
    to->first = &to->one;
    to->n = 1;
}

/* What comes next of it, as far as the page cache has that. */
static ssize_t read_next_cached(const struct operation *op)
{
    struct segments to;

    set_segments(&to, op);
    return uaio__read_nowait(op->fd, to.first, to.n, op->offset + (int64_t)op->done, op->flags);
}

/*
 * Read what the page cache has.  A short read is either the end of the file,
 * and the next one says 0, or a hole in the cache: then `done` is set and the
 * rest is for the pool.  Of a vector the pool reads all, again.
 *
 * Linux (since 5.9) begins to read what is missing before it says EAGAIN, on most
 * filesystems.  Then a worker has nothing to do but wait and copy, and a few do for
 * many: POOL_STARTED.
 */
static ssize_t read_cached(struct operation *op)
{
    op->tried = true;
    while (op->done < op->nbytes) {
        ssize_t n = read_next_cached(op);

        if (n < 0) {
            op->tried = n == -EAGAIN || op->done > 0;
            if (!op->tried)
                op->stream = n == -ESPIPE || !uaio__has_positions(op->fd, false);
            return OPERATION_PENDING;
        }
        if (op->vectored)
            return n == 0 || (size_t)n == op->nbytes ? n : OPERATION_PENDING;
        if (n == 0)
            break;
        op->done += (size_t)n;
    }
    return (ssize_t)op->done;
}

static bool mode_allows(int status, bool is_write)
{
#ifdef O_PATH
    if (status & O_PATH)
        return false;
#endif
    return (status & O_ACCMODE) != (is_write ? O_RDONLY : O_WRONLY);
}

static bool may_be_cached(const struct operation *op)
{
    return op->kind == OPERATION_READ && op->nbytes > 0 && op->nbytes < INLINE_MAX_BYTES &&
           op->offset >= 0 && !offset_overflows(op) && !uaio__never_waits(op->flags);
}

ssize_t operation__read_cached(struct operation *op)
{
    return may_be_cached(op) ? read_cached(op) : OPERATION_PENDING;
}

ssize_t operation__read_known(struct operation *op)
{
    return may_be_cached(op) && descriptor__take_cached(op->fd) ? read_cached(op)
                                                                : OPERATION_PENDING;
}

static bool may_copy(const struct operation *op, bool may_try)
{
    return may_try && op->nbytes >= INLINE_MAX_BYTES && op->nbytes <= COPY_MAX_BYTES &&
           !op->ioprio && uaio__can_read_nowait();
}

static bool is_stream(const struct operation *op)
{
    return !op->positioned && !uaio__has_positions(op->fd, op->kind == OPERATION_WRITE);
}

static ssize_t prepare(struct operation *op, int status, bool may_inline, bool *invalid)
{
    bool is_write = op->kind == OPERATION_WRITE, direct;

    if (status < 0 && may_inline && !op->tried) {
        ssize_t result = operation__read_known(op);
        if (result != OPERATION_PENDING)
            return result;
    }
    if (status < 0)
        status = fcntl(op->fd, F_GETFL);
    if (status < 0 || !mode_allows(status, is_write))
        return -EBADF;
    op->once = status & O_NONBLOCK;
    op->append = is_write && uaio__appends(status, op->flags);
    op->blocking = true;
    if (op->offset < 0 && !op->append) {
        op->stream = is_stream(op);
        *invalid = !op->stream;
        return OPERATION_PENDING;
    }
    direct = uaio__bypasses_cache(status);
    if (is_write && !direct && !(status & (O_SYNC | O_DSYNC)) && !op->flags)
        op->blocking = false;
    if (uaio__never_waits(op->flags) && !direct) {
        op->stream = is_stream(op);
        op->append = op->append && !op->stream;
        return operation__run(op);
    }
    if (op->tried && !op->stream)
        return OPERATION_PENDING;
    if (may_inline && !direct && may_be_cached(op)) {
        ssize_t result = read_cached(op);
        if (result != OPERATION_PENDING)
            descriptor__set_cached(op->fd);
        return result;
    }
    op->stream = is_stream(op);
    if (op->stream) {
        op->append = false; /* all writes to it are */
        op->blocking = true;
    }
    if (op->stream || op->append)
        return OPERATION_PENDING;
    if (offset_overflows(op))
        return is_write ? -EFBIG : -EOVERFLOW;
    if (!is_write && may_copy(op, may_inline && !direct))
        op->blocking = false;
    return OPERATION_PENDING;
}

ssize_t operation__prepare(struct operation *op, int status, bool may_inline, bool *invalid)
{
    int cancel;
    ssize_t result;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    result = prepare(op, status, may_inline, invalid);
    pthread_setcancelstate(cancel, &cancel);
    return result;
}

int operation__identify(int fd, struct file_identity *file)
{
    return uaio__identify(fd, &file->device, &file->inode);
}

int operation__prepare_sync(struct operation *op)
{
    if (fcntl(op->fd, F_GETFL) < 0)
        return -EBADF;
    op->blocking = true;
    op->barrier = true;
    /* A descriptor that cannot tell what it is gets the order of its own. */
    op->identified = operation__identify(op->fd, &op->file) == 0;
    return 0;
}

static int descriptor(const struct operation *op)
{
    return op->reopened ? op->again : op->fd;
}

/* With flags, or of several segments. */
static ssize_t transfer_segments(const struct operation *op)
{
    struct segments all;
    off_t offset = op->stream ? -1 : (off_t)(op->offset + (int64_t)op->done);

    set_segments(&all, op);
    if (op->kind == OPERATION_READ)
        return uaio__readv(descriptor(op), all.first, all.n, offset, op->flags);
    return uaio__writev(descriptor(op), all.first, all.n, offset, op->flags, op->append);
}

static ssize_t send_waiting(const struct operation *op)
{
    struct segments all;
    ssize_t n;

    set_segments(&all, op);
    n = uaio__send(descriptor(op), all.first, all.n, op->flags, true);
    if (n < 0)
        errno = (int)-n;
    return n < 0 ? -1 : n;
}

static ssize_t transfer(const struct operation *op)
{
    char *buffer = rest_of(op);
    size_t nbytes = op->nbytes - op->done;
    off_t offset = op->stream ? 0 : (off_t)(op->offset + (int64_t)op->done);

    if (op->stream && op->kind == OPERATION_WRITE)
        return send_waiting(op);
    if (op->vectored || op->flags)
        return transfer_segments(op);
    if (op->kind == OPERATION_READ)
        return op->stream ? read(descriptor(op), buffer, nbytes)
                          : pread(op->fd, buffer, nbytes, offset);
    if (op->append)
        return uaio__append(op->fd, buffer, nbytes);
    return pwrite(op->fd, buffer, nbytes, offset);
}

static ssize_t call(const struct operation *op)
{
    switch (op->kind) {
    case OPERATION_SYNC:
        return fsync(op->fd);
    case OPERATION_DATASYNC:
#ifdef __APPLE__
        return fsync(op->fd); /* fdatasync() is there, but not declared */
#else
        return fdatasync(op->fd);
#endif
    default:
        return transfer(op);
    }
}

/* ---- streams ------------------------------------------------------------- */

/* So many bytes are transferred; the rest is left. */
static void advance(struct operation *op, size_t nbytes)
{
    op->done += nbytes;
    if (op->vectored)
        vector__advance(op->vector, nbytes);
}

/* A read is over with what there was, a write when all is written. */
static bool is_over(const struct operation *op, ssize_t n)
{
    return n <= 0 || op->kind == OPERATION_READ || op->once || op->done >= op->nbytes;
}

static ssize_t without_waiting(const struct operation *op)
{
    struct segments all;
    ssize_t n;

    set_segments(&all, op);
    if (op->kind == OPERATION_WRITE)
        return uaio__send(descriptor(op), all.first, all.n, op->flags, op->once || op->reopened);
    if (!operation__never_waits(op) && !op->reopened)
        return uaio__receive(op->fd, all.first, all.n, op->flags);
    n = transfer(op);
    return n < 0 ? -errno : n;
}

/* From now on it runs there, if `again` is a descriptor. */
static bool set_again(struct operation *op, int again)
{
    op->reopened = again >= 0;
    if (op->reopened) {
        descriptor__own(again);
        op->again = again;
    }
    return op->reopened;
}

static bool reopen(struct operation *op)
{
    if (op->reopened || op->flags)
        return false;
    return set_again(op, uaio__reopen_nonblocking(op->fd, op->kind == OPERATION_WRITE));
}

bool operation__detach(struct operation *op)
{
    return op->reopened || set_again(op, uaio__duplicate(op->fd));
}

static ssize_t attempt(struct operation *op)
{
    for (;;) {
        ssize_t n = without_waiting(op);
        if (n == -EINTR || (n == -EOPNOTSUPP && reopen(op)))
            continue;
        if (n == -EAGAIN && !operation__never_waits(op))
            return OPERATION_PENDING;
        if (n == -EOPNOTSUPP && !operation__never_waits(op)) {
            op->must_wait = true;
            return OPERATION_PENDING;
        }
        if (n > 0)
            advance(op, (size_t)n);
        if (is_over(op, n))
            return n < 0 ? operation__cut_short(op, (int)-n) : (ssize_t)op->done;
    }
}

ssize_t operation__attempt(struct operation *op)
{
    int cancel;
    ssize_t result;

    if (op->closed)
        return -ECANCELED;
    if (op->must_wait)
        return OPERATION_PENDING;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    result = attempt(op);
    pthread_setcancelstate(cancel, &cancel);
    return result;
}

/* ---- running -------------------------------------------------------------- */

static ssize_t call_again(const struct operation *op)
{
    ssize_t n;

    do
        n = call(op);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static bool await_readiness(const struct operation *op, int timeout_ms)
{
    struct pollfd pollfd = {descriptor(op), op->kind == OPERATION_READ ? POLLIN : POLLOUT, 0};

    return poll(&pollfd, 1, timeout_ms) > 0;
}

/* A pipe that is ready for writing has room for that much. */
bool operation__is_ready(const struct operation *op)
{
    return (op->kind == OPERATION_READ || op->nbytes <= _POSIX_PIPE_BUF) && await_readiness(op, 0);
}

/* A signal that is not the program's (a change of credentials, in libc) may
 * end a write to a stream early. */
static ssize_t transfer_all(struct operation *op)
{
    bool waits;
    ssize_t n;

    do {
        n = call_again(op);
        if (n > 0)
            advance(op, (size_t)n);
        waits = n == -EAGAIN && !op->once && !op->flags;
        if (waits) /* the program has set O_NONBLOCK since */
            await_readiness(op, -1);
    } while (waits || !is_over(op, n));
    return n;
}

static ssize_t run_stream(struct operation *op)
{
    ssize_t n = transfer_all(op);

    return n < 0 ? operation__cut_short(op, (int)-n) : (ssize_t)op->done;
}

static ssize_t run(struct operation *op)
{
    ssize_t n;

    if (op->stream)
        return run_stream(op);
    n = call_again(op);
    if (operation__is_sync(op))
        return op->error ? -op->error : n;
    /* What was read before an error is the result, as it is of one read(). */
    return n < 0 ? operation__cut_short(op, (int)-n) : (ssize_t)op->done + n;
}

ssize_t operation__run(struct operation *op)
{
    int cancel, previous = -1;
    ssize_t n;

    if (op->closed)
        return -ECANCELED;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (op->ioprio)
        previous = uaio__io_priority_set(op->ioprio);
    n = run(op);
    if (op->ioprio && previous >= 0)
        uaio__io_priority_set(previous);
    pthread_setcancelstate(cancel, &cancel);
    return n;
}

static ssize_t copy(struct operation *op)
{
    while (op->done < op->nbytes) {
        ssize_t n = read_next_cached(op);

        if (n < 0)
            return OPERATION_PENDING;
        if (n == 0)
            break;
        advance(op, (size_t)n);
    }
    return (ssize_t)op->done;
}

ssize_t operation__copy(struct operation *op)
{
    int cancel;
    ssize_t result;

    if (op->closed)
        return -ECANCELED;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    result = copy(op);
    pthread_setcancelstate(cancel, &cancel);
    return result;
}

void operation__discard(struct operation *op)
{
    if (op->reopened) {
        descriptor__disown(op->again);
        close(op->again);
        op->reopened = false;
    }
    if (!op->vectored)
        return;
    op->vectored = false;
    vector__free(op->vector);
}
