/* SPDX-License-Identifier: MIT */
#include "operation.h"
#include "positioned.h"

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

/*
 * Read what the page cache has.  A short read is either the end of the file,
 * and the next one says 0, or a hole in the cache: then `done` is set and the
 * rest is for the pool.
 */
static ssize_t read_cached(struct operation *op)
{
    op->tried = true;
    while (op->done < op->nbytes) {
        ssize_t n = uaio__read_nowait(op->fd, (char *)op->buffer + op->done, op->nbytes - op->done,
                                      op->offset + (int64_t)op->done);
        if (n < 0) {
            if (n != -EAGAIN && op->done == 0)
                op->stream = !uaio__has_positions(op->fd, false);
            op->tried = !op->stream;
            return OPERATION_PENDING;
        }
        if (n == 0)
            break;
        op->done += (size_t)n;
    }
    return (ssize_t)op->done;
}

static ssize_t prepare(struct operation *op, bool may_inline, bool *invalid)
{
    int flags = fcntl(op->fd, F_GETFL);
    bool is_write = op->kind == OPERATION_WRITE;

    if (flags < 0)
        return -EBADF;
#ifdef O_PATH
    if (flags & O_PATH)
        return -EBADF;
#endif
    if ((flags & O_ACCMODE) == (is_write ? O_RDONLY : O_WRONLY))
        return -EBADF;
    op->append = is_write && (flags & O_APPEND);
    if (op->offset < 0 && !op->append) {
        op->stream = !uaio__has_positions(op->fd, is_write);
        *invalid = !op->stream;
        op->blocking = true;
        return OPERATION_PENDING;
    }
    bool direct = uaio__bypasses_cache(flags);
    bool small = op->nbytes < INLINE_MAX_BYTES;
    op->blocking = direct || (is_write ? flags & (O_SYNC | O_DSYNC) : small);
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

ssize_t operation__prepare(struct operation *op, bool may_inline, bool *invalid)
{
    int cancel;
    ssize_t result;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    result = prepare(op, may_inline, invalid);
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
    /* A descriptor that cannot tell what it is gets the order of its own. */
    op->identified = operation__identify(op->fd, &op->file) == 0;
    return 0;
}

static ssize_t transfer(const struct operation *op)
{
    char *buffer = (char *)op->buffer + op->done;
    size_t nbytes = op->nbytes - op->done;
    off_t offset = (off_t)(op->offset + (int64_t)op->done);

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
    int cancel;
    ssize_t n;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    do
        n = run(op);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        n = -errno;
    pthread_setcancelstate(cancel, &cancel);
    if (operation__is_sync(op))
        return op->error ? -op->error : n;
    if (op->done == 0)
        return n;
    /* What was read before an error is the result, as it is of one read(). */
    return (ssize_t)op->done + (n > 0 ? n : 0);
}
