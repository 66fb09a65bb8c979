/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "iocb.h"
#include "descriptor.h"
#include "io_priority.h"
#include "kernel.h"
#include "pin.h"
#include "user_memory.h"
#include "vector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What one read or write transfers at most (MAX_RW_COUNT): more is cut off. */
#define TRANSFER_MAX (0x7fffffffu & ~0xfffu)

/* preadv2()'s flags; some systems' headers lack some. */
enum {
    FLAG_HIPRI = 0x001, /* nobody polls for what native AIO does: no effect */
    FLAG_APPEND = 0x010,
    FLAG_NOAPPEND = 0x020, /* not with the former */
    FLAG_ATOMIC = 0x040,   /* writes only */
    FLAGS_KNOWN = 0x1ff,
};

int iocb__read(const void *user, struct linux_iocb *iocb)
{
    if (!user__readable(user, sizeof *iocb))
        return -EFAULT;
    memcpy(iocb, user, sizeof *iocb);
    if (iocb->reserved2 != 0)
        return -EINVAL;
    if (iocb->buf != (uintptr_t)iocb->buf || iocb->nbytes != (size_t)iocb->nbytes ||
        (ssize_t)iocb->nbytes < 0)
        return -EINVAL;
    return 0;
}

/* ---- the descriptors --------------------------------------------------------- */

static int check_file(struct iocb_checker *checker, int fd)
{
    int status;

    if (fd >= 0 && fd == checker->fd)
        return 0;
    status = fcntl(fd, F_GETFL);
    if (status < 0 || status & O_PATH)
        return -EBADF;
    checker->fd = fd;
    checker->status = status;
    return 0;
}

/*
 * Is it an eventfd?  Descriptors without a place in a filesystem have no type,
 * and of those only an eventfd can be written to: it then finds the buffer bad.
 */
static int check_eventfd(struct iocb_checker *checker, int fd)
{
    struct stat st;
    int status;

    if (fd >= 0 && fd == checker->resfd)
        return 0;
    status = fcntl(fd, F_GETFL);
    if (status < 0 || status & O_PATH || fstat(fd, &st) != 0)
        return -EBADF;
    if (st.st_mode & S_IFMT || uaio__kernel(SYS_write, fd, 0, sizeof(uint64_t), 0, 0, 0) != -EFAULT)
        return -EINVAL;
    checker->resfd = fd;
    checker->resfd_waits = !(status & O_NONBLOCK);
    return 0;
}

/* ---- reads and writes -------------------------------------------------------- */

#define REALTIME 1 /* the class of I/O priorities that needs a privilege */
#define CLASS_SHIFT 13

/* Only the kernel knows who may have which: set it, and put it back.  Where a
 * sandbox denies that, the request goes without. */
static int check_priority(const struct linux_iocb *iocb)
{
    int priority = (uint16_t)iocb->reqprio, former;

    if (!(iocb->flags & IOCB_IOPRIO) || priority == 0)
        return 0;
    former = uaio__io_priority_set(priority);
    if (former >= 0)
        uaio__io_priority_set(former);
    if (former == -ENOSYS || (former == -EPERM && priority >> CLASS_SHIFT != REALTIME))
        return 0;
    return former < 0 ? former : 0;
}

static int check_flags(uint32_t flags, bool is_write)
{
    if (flags & ~(uint32_t)FLAGS_KNOWN)
        return -EOPNOTSUPP;
    if (flags & FLAG_APPEND && flags & FLAG_NOAPPEND)
        return -EINVAL;
    return flags & FLAG_ATOMIC && !is_write ? -EOPNOTSUPP : 0;
}

/* Copy and check the segments, first the lengths of all; their sum. */
static int64_t copy_segments(const struct iovec *from, struct iovec *to, int n)
{
    size_t total = 0;

    for (int i = 0; i < n; i++) {
        memcpy(&to[i], &from[i], sizeof to[i]);
        if ((ssize_t)to[i].iov_len < 0)
            return -EINVAL;
    }
    for (int i = 0; i < n; i++) {
        if (!user__in_range((uintptr_t)to[i].iov_base, to[i].iov_len))
            return -EFAULT;
        if (to[i].iov_len > TRANSFER_MAX - total)
            to[i].iov_len = TRANSFER_MAX - total;
        total += to[i].iov_len;
    }
    return (int64_t)total;
}

static int set_vector(struct operation *op, const struct iovec *user, uint64_t n)
{
    struct iovec one = {NULL, 0};
    int64_t total;

    if (n > VECTOR_MAX)
        return -EINVAL;
    if (n > 0 && !user__readable(user, (size_t)n * sizeof *user))
        return -EFAULT;
    if (n > 1) {
        op->vector = vector__new((int)n);
        if (!op->vector)
            return -EAGAIN;
        op->vectored = true;
    }
    total = copy_segments(user, n > 1 ? op->vector->segments : &one, (int)n);
    if (total < 0)
        return (int)total;
    if (n <= 1)
        op->buffer = one.iov_base;
    op->nbytes = (size_t)total;
    return 0;
}

static int set_buffer(struct operation *op, uint64_t buf, uint64_t nbytes)
{
    if (nbytes > TRANSFER_MAX)
        nbytes = TRANSFER_MAX;
    if (!user__in_range(buf, nbytes))
        return -EFAULT;
    op->buffer = (void *)(uintptr_t)buf;
    op->nbytes = (size_t)nbytes;
    return 0;
}

static int check_transfer(const struct iocb_checker *checker, const struct linux_iocb *iocb,
                          struct operation *op)
{
    bool is_write = iocb->opcode == IOCB_PWRITE || iocb->opcode == IOCB_PWRITEV;
    bool vectored = iocb->opcode == IOCB_PREADV || iocb->opcode == IOCB_PWRITEV;
    int err = check_priority(iocb);

    if (err == 0)
        err = check_flags(iocb->rw_flags, is_write);
    if (err)
        return err;
    if ((checker->status & O_ACCMODE) == (is_write ? O_RDONLY : O_WRONLY))
        return -EBADF;
    op->kind = is_write ? OPERATION_WRITE : OPERATION_READ;
    op->flags = iocb->rw_flags & ~(uint32_t)FLAG_HIPRI;
    op->ioprio = iocb->flags & IOCB_IOPRIO ? (uint16_t)iocb->reqprio : 0;
    op->offset = iocb->offset;
    if (vectored)
        err = set_vector(op, (const struct iovec *)(uintptr_t)iocb->buf, iocb->nbytes);
    else
        err = set_buffer(op, iocb->buf, iocb->nbytes);
    if (err)
        return err;
    if (op->offset < 0 || op->offset > INT64_MAX - (int64_t)op->nbytes)
        return -EINVAL;
    return 0;
}

/* ---- the others -------------------------------------------------------------- */

static int check_sync(const struct linux_iocb *iocb, struct operation *op)
{
    if (iocb->buf || iocb->nbytes || iocb->offset || iocb->rw_flags)
        return -EINVAL;
    op->kind = iocb->opcode == IOCB_FSYNC ? OPERATION_SYNC : OPERATION_DATASYNC;
    op->blocking = true;
    return 0;
}

/* Over at once, if the descriptor is ready. */
static int check_poll(const struct linux_iocb *iocb, struct operation *op, int64_t *result)
{
    struct pollfd now;

    if (iocb->buf != (uint16_t)iocb->buf || iocb->nbytes || iocb->offset || iocb->rw_flags)
        return -EINVAL;
    op->kind = OPERATION_POLL;
    op->readiness = (unsigned)iocb->buf | POLLERR | POLLHUP;
    now = (struct pollfd){op->fd, (short)(uint16_t)op->readiness, 0};
    if (poll(&now, 1, 0) <= 0)
        return 0;
    *result = (uint16_t)now.revents & op->readiness;
    return *result ? IOCB_OVER : 0;
}

static int check_operation(const struct iocb_checker *checker, const struct linux_iocb *iocb,
                           struct operation *op, int64_t *result)
{
    switch (iocb->opcode) {
    case IOCB_PREAD:
    case IOCB_PWRITE:
    case IOCB_PREADV:
    case IOCB_PWRITEV:
        return check_transfer(checker, iocb, op);
    case IOCB_FSYNC:
    case IOCB_FDSYNC:
        return check_sync(iocb, op);
    case IOCB_POLL:
        return check_poll(iocb, op, result);
    default:
        return -EINVAL;
    }
}

/* Of no interest here: what is wrong with it.  With one segment a read is as without any. */
static bool set_plain_read(const struct linux_iocb *iocb, struct operation *op)
{
    bool vectored = iocb->opcode == IOCB_PREADV && iocb->nbytes == 1;

    if ((!vectored && iocb->opcode != IOCB_PREAD) || iocb->rw_flags)
        return false;
    op->kind = OPERATION_READ;
    op->fd = (int)iocb->fildes;
    op->offset = iocb->offset;
    return (vectored ? set_vector(op, (const struct iovec *)(uintptr_t)iocb->buf, 1)
                     : set_buffer(op, iocb->buf, iocb->nbytes)) == 0;
}

/*
 * Most of what comes: a read of what is in the page cache, from a descriptor that
 * has been read so before, and not been closed since by a way that we see.  If there
 * is nothing to complain of, nobody can tell that its flags were not asked for; if
 * there is, all of it is checked, in order.
 */
static ssize_t try_read(const struct linux_iocb *iocb, struct submission *s)
{
    if (s->operation.tried || iocb->flags || !pin__hears_of_closings() ||
        !set_plain_read(iocb, &s->operation))
        return OPERATION_PENDING;
    return engine__read_known(&s->operation);
}

static void *key_of(void *user)
{
    return (char *)user + offsetof(struct linux_iocb, key); /* all may be misaligned */
}

/* Not O_DIRECT: as in engine/descriptor.h, or for the iocbs of one call. */
static bool is_buffered(struct iocb_checker *checker, int fd)
{
    if (fd != checker->fd && pin__hears_of_closings() && descriptor__take_cached(fd))
        return true;
    return check_file(checker, fd) == 0 && !(checker->status & O_DIRECT);
}

bool iocb__is_cached_read(struct iocb_checker *checker, void *user, const struct linux_iocb *iocb,
                          struct operation *op, struct resfd *resfd)
{
    bool tells = iocb->flags & IOCB_RESFD;

    if (iocb->flags & ~(uint32_t)IOCB_RESFD || !set_plain_read(iocb, op) ||
        !user__writable(key_of(user), sizeof iocb->key) || !is_buffered(checker, op->fd) ||
        (tells && check_eventfd(checker, (int)iocb->resfd) < 0))
        return false;
    *resfd = (struct resfd){tells ? (int)iocb->resfd : -1, tells && checker->resfd_waits};
    return true;
}

bool iocb__is_same_read(const struct linux_iocb *iocb, const struct operation *op)
{
    struct operation again = {0};

    return set_plain_read(iocb, &again) && again.fd == op->fd && again.buffer == op->buffer &&
           again.nbytes == op->nbytes && again.offset == op->offset;
}

struct linux_event iocb__has_read(void *user, uint64_t data, ssize_t result)
{
    memset(key_of(user), 0, sizeof(uint32_t));
    return (struct linux_event){data, (uintptr_t)user, (int64_t)result, 0};
}

int iocb__check(struct iocb_checker *checker, void *user, const struct linux_iocb *iocb,
                struct submission *s, int64_t *result)
{
    struct completion *completion = (struct completion *)(void *)s->face_data;
    void *key = key_of(user);
    bool key_writable = user__writable(key, sizeof iocb->key);
    int err;

    if (key_writable && (*result = try_read(iocb, s)) != OPERATION_PENDING) {
        *completion =
            (struct completion){.data = iocb->data, .object = (uintptr_t)user, .resfd = -1};
        memset(key, 0, sizeof iocb->key);
        return IOCB_OVER;
    }
    err = check_file(checker, (int)iocb->fildes);
    if (err)
        return err;
    *completion = (struct completion){
        .data = iocb->data,
        .object = (uintptr_t)user,
        .resfd = -1,
        .status = checker->status,
        .pin = -1,
    };
    if (iocb->flags & IOCB_RESFD) {
        err = check_eventfd(checker, (int)iocb->resfd);
        if (err)
            return err;
        completion->resfd = (int)iocb->resfd;
        completion->resfd_waits = checker->resfd_waits;
    }
    if (!key_writable)
        return -EFAULT;
    memset(key, 0, sizeof iocb->key);
    s->operation.fd = (int)iocb->fildes;
    s->status = checker->status;
    s->status_known = true;
    err = check_operation(checker, iocb, &s->operation, result);
    if (err < 0)
        operation__discard(&s->operation);
    return err;
}
