/* SPDX-License-Identifier: MIT */
#include "operation.h"
#include "io_priority.h"
#include "positioned.h"
#include "vector.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

/*
 * Beyond this size a copy is worth more threads than one, and the submitting
 * thread is better off with the next submission than with the copy.
 */
#define INLINE_MAX_BYTES (256 * 1024)

static bool offset_overflows(const struct operation *op)
{
    return op->nbytes > 0 && op->offset > INT64_MAX - (int64_t)op->nbytes;
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
        to->first = op->vector->segments;
        to->n = op->vector->n;
        return;
    }
    to->one = (struct iovec){(char *)op->buffer + op->done, op->nbytes - op->done};
    to->first = &to->one;
    to->n = 1;
}

/*
 * Read what the page cache has.  A short read is either the end of the file,
 * and the next one says 0, or a hole in the cache: then `done` is set and the
 * rest is for the pool.  Of a vector the pool reads all, again.
 */
static ssize_t read_cached(struct operation *op)
{
    op->tried = true;
    while (op->done < op->nbytes) {
        struct segments to;
        ssize_t n;

        set_segments(&to, op);
        n = uaio__read_nowait(op->fd, to.first, to.n, op->offset + (int64_t)op->done, op->flags);
        if (n < 0) {
            if (n != -EAGAIN && op->done == 0)
                op->stream = !uaio__has_positions(op->fd, false);
            op->tried = !op->stream;
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

static ssize_t prepare(struct operation *op, int status, bool may_inline, bool *invalid)
{
    bool is_write = op->kind == OPERATION_WRITE;

    if (status < 0)
        status = fcntl(op->fd, F_GETFL);
    if (status < 0 || !mode_allows(status, is_write))
        return -EBADF;
    op->append = is_write && uaio__appends(status, op->flags);
    if (op->offset < 0 && !op->append) {
        op->stream = !uaio__has_positions(op->fd, is_write);
        *invalid = !op->stream;
        op->blocking = true;
        return OPERATION_PENDING;
    }
    bool direct = uaio__bypasses_cache(status);
    bool small = op->nbytes < INLINE_MAX_BYTES;
    op->blocking = direct || (is_write ? status & (O_SYNC | O_DSYNC) || op->flags : small);
    if (uaio__never_waits(op->flags) && !direct) {
        op->stream = !uaio__has_positions(op->fd, is_write);
        op->append = op->append && !op->stream;
        return operation__run(op);
    }
    if (!is_write && may_inline && !direct && small && op->nbytes > 0 && !offset_overflows(op))
        return read_cached(op);
    op->stream = !uaio__has_positions(op->fd, is_write);
    if (op->stream) {
        op->append = false; /* all writes to it are */
        op->blocking = true;
    }
    if (op->stream || op->append)
        return OPERATION_PENDING;
    if (offset_overflows(op))
        return is_write ? -EFBIG : -EOVERFLOW;
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

/* With flags, or of several segments. */
static ssize_t transfer_segments(const struct operation *op)
{
    struct segments all;
    off_t offset = op->stream ? -1 : (off_t)(op->offset + (int64_t)op->done);

    set_segments(&all, op);
    if (op->kind == OPERATION_READ)
        return uaio__readv(op->fd, all.first, all.n, offset, op->flags);
    return uaio__writev(op->fd, all.first, all.n, offset, op->flags, op->append);
}

static ssize_t transfer(const struct operation *op)
{
    char *buffer = (char *)op->buffer + op->done;
    size_t nbytes = op->nbytes - op->done;
    off_t offset = (off_t)(op->offset + (int64_t)op->done);

    if (op->vectored || op->flags)
        return transfer_segments(op);
    if (op->kind == OPERATION_READ)
        return op->stream ? read(op->fd, buffer, nbytes) : pread(op->fd, buffer, nbytes, offset);
    if (op->append)
        return uaio__append(op->fd, buffer, nbytes);
    return op->stream ? write(op->fd, buffer, nbytes) : pwrite(op->fd, buffer, nbytes, offset);
}

static ssize_t run(const struct operation *op)
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

ssize_t operation__run(const struct operation *op)
{
    int cancel, previous = -1;
    ssize_t n;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (op->ioprio)
        previous = uaio__io_priority_set(op->ioprio);
    do
        n = run(op);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        n = -errno;
    if (op->ioprio && previous >= 0)
        uaio__io_priority_set(previous);
    pthread_setcancelstate(cancel, &cancel);
    if (operation__is_sync(op))
        return op->error ? -op->error : n;
    if (op->done == 0)
        return n;
    /* What was read before an error is the result, as it is of one read(). */
    return (ssize_t)op->done + (n > 0 ? n : 0);
}

void operation__discard(struct operation *op)
{
    if (!op->vectored)
        return;
    op->vectored = false;
    vector__free(op->vector);
}
