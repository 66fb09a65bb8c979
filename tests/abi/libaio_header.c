/* SPDX-License-Identifier: MIT */
/*
 * <uaio/libaio.h> is libaio's header: a program that uses all that this one
 * declares compiles, in C and (libaio_header.cpp) in C++, its structures lie
 * in memory as the kernel's do, and the helpers fill them in.
 *
 * With -DUAIO_TEST_SYSTEM_LIBAIO the header of the installed libaio is used,
 * which shows that the uses are of that interface and not of ours.
 *
 * Takes a context and returns it; needs no working I/O.
 */
#ifdef UAIO_TEST_SYSTEM_LIBAIO
# include <libaio.h>
#else
# include <uaio/libaio.h>
#endif

/* The kernel's structures have the same names. */
#define iocb kernel_iocb
#define io_event kernel_io_event
#include <linux/aio_abi.h>
#undef iocb
#undef io_event

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/uio.h>
#include <time.h>

#ifndef __cplusplus
# define static_assert _Static_assert
#endif

/* ---- layout ---- */

/* On big-endian 32-bit machines a field is the second half of the kernel's. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
# define WITHIN(whole, part) ((whole) - (part))
#else
# define WITHIN(whole, part) 0
#endif
#define SAME(ours, field, theirs, kernel_field, size)                                             \
 static_assert(offsetof(struct ours, field) == offsetof(struct theirs, kernel_field) +            \
                                                   WITHIN(size, sizeof((struct ours *)0)->field), \
               #field)
#define IOCB(field, kernel_field, size) SAME(iocb, field, kernel_iocb, kernel_field, size)
#define EVENT(field) SAME(io_event, field, kernel_io_event, field, 8)

static_assert(sizeof(struct iocb) == sizeof(struct kernel_iocb), "struct iocb");
IOCB(data, aio_data, 8);
IOCB(key, aio_key, 4);
IOCB(aio_rw_flags, aio_rw_flags, 4);
IOCB(aio_lio_opcode, aio_lio_opcode, 2);
IOCB(aio_reqprio, aio_reqprio, 2);
IOCB(aio_fildes, aio_fildes, 4);
IOCB(u.c.buf, aio_buf, 8);
IOCB(u.c.nbytes, aio_nbytes, 8);
IOCB(u.c.offset, aio_offset, 8);
IOCB(u.c.__pad3, aio_reserved2, 8);
IOCB(u.c.flags, aio_flags, 4);
IOCB(u.c.resfd, aio_resfd, 4);
IOCB(u.v.vec, aio_buf, 8);
IOCB(u.v.nr, aio_nbytes, 8);
IOCB(u.v.offset, aio_offset, 8);
IOCB(u.poll.events, aio_buf, 8);
IOCB(u.saddr.addr, aio_buf, 8);
IOCB(u.saddr.len, aio_nbytes, 8);

static_assert(sizeof(struct io_event) == sizeof(struct kernel_io_event), "struct io_event");
EVENT(data);
EVENT(obj);
EVENT(res);
EVENT(res2);

static_assert(sizeof(struct io_iocb_common) == 40 && sizeof(struct io_iocb_vector) == 24 &&
                  sizeof(struct io_iocb_poll) == 8 && sizeof(struct io_iocb_sockaddr) == 16,
              "the union's members");
static_assert(sizeof(struct io_sigset) == 2 * sizeof(long) && offsetof(struct io_sigset, ss) == 0 &&
                  offsetof(struct io_sigset, ss_len) == sizeof(long) &&
                  offsetof(struct io_sigset_compat, ss_len) == 8,
              "signal masks");

static_assert(IO_CMD_PREAD == (int)IOCB_CMD_PREAD && IO_CMD_PWRITE == (int)IOCB_CMD_PWRITE &&
                  IO_CMD_FSYNC == (int)IOCB_CMD_FSYNC && IO_CMD_FDSYNC == (int)IOCB_CMD_FDSYNC &&
                  IO_CMD_POLL == (int)IOCB_CMD_POLL && IO_CMD_NOOP == (int)IOCB_CMD_NOOP &&
                  IO_CMD_PREADV == (int)IOCB_CMD_PREADV && IO_CMD_PWRITEV == (int)IOCB_CMD_PWRITEV,
              "opcodes");

/* ---- types ---- */

/* Each function has exactly this type. */
static int (*const setup)(int, io_context_t *) = io_setup;
static int (*const destroy)(io_context_t) = io_destroy;
static int (*const submit)(io_context_t, long, struct iocb *[]) = io_submit;
static int (*const cancel)(io_context_t, struct iocb *, struct io_event *) = io_cancel;
static int (*const getevents)(io_context_t, long, long, struct io_event *,
                              struct timespec *) = io_getevents;
static int (*const pgetevents)(io_context_t, long, long, struct io_event *, struct timespec *,
                               sigset_t *) = io_pgetevents;
static int (*const queue_init)(int, io_context_t *) = io_queue_init;
static int (*const queue_release)(io_context_t) = io_queue_release;
static int (*const queue_run)(io_context_t) = io_queue_run;

/* ---- helpers ---- */

static int failures;

#define CHECK(condition)                                           \
 do {                                                              \
  if (!(condition)) {                                              \
   fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
   failures++;                                                     \
  }                                                                \
 } while (0)

static void on_completion(io_context_t ctx, struct iocb *iocb, long res, long res2)
{
    (void)ctx;
    (void)iocb;
    (void)res;
    (void)res2;
}

static const struct kernel_iocb *as_kernel(const struct iocb *iocb)
{
    return (const struct kernel_iocb *)(const void *)iocb;
}

/* The request is this, and all other fields are 0. */
static void check(const struct iocb *iocb, int opcode, const void *buf, unsigned long nbytes,
                  long long offset, int rw_flags)
{
    const struct kernel_iocb *k = as_kernel(iocb);

    CHECK(k->aio_data == 0 && k->aio_key == 0 && k->aio_reqprio == 0);
    CHECK(k->aio_reserved2 == 0 && k->aio_flags == 0 && k->aio_resfd == 0);
    CHECK(k->aio_lio_opcode == opcode && k->aio_fildes == 7);
    CHECK(k->aio_buf == (unsigned long)buf && k->aio_nbytes == nbytes);
    CHECK(k->aio_offset == offset && (int)k->aio_rw_flags == rw_flags);
}

static void check_helpers(void)
{
    const long long offset = 0x123456789aLL;
    struct iovec iov[2];
    struct iocb cb;
    io_callback_t callback = on_completion;
    io_iocb_cmd_t command = IO_CMD_NOOP;
    char data[16];

    memset(&cb, 0xff, sizeof cb);
    io_prep_pread(&cb, 7, data, sizeof data, offset);
    check(&cb, IO_CMD_PREAD, data, sizeof data, offset, 0);
    memset(&cb, 0xff, sizeof cb);
    io_prep_pwrite(&cb, 7, data, sizeof data, offset);
    check(&cb, IO_CMD_PWRITE, data, sizeof data, offset, 0);
    memset(&cb, 0xff, sizeof cb);
    io_prep_preadv(&cb, 7, iov, 2, offset);
    check(&cb, IO_CMD_PREADV, iov, 2, offset, 0);
    memset(&cb, 0xff, sizeof cb);
    io_prep_pwritev(&cb, 7, iov, 2, offset);
    check(&cb, IO_CMD_PWRITEV, iov, 2, offset, 0);
    memset(&cb, 0xff, sizeof cb);
    io_prep_preadv2(&cb, 7, iov, 2, offset, 5);
    check(&cb, IO_CMD_PREADV, iov, 2, offset, 5);
    memset(&cb, 0xff, sizeof cb);
    io_prep_pwritev2(&cb, 7, iov, 2, offset, 5);
    check(&cb, IO_CMD_PWRITEV, iov, 2, offset, 5);
    memset(&cb, 0xff, sizeof cb);
    io_prep_fsync(&cb, 7);
    check(&cb, IO_CMD_FSYNC, NULL, 0, 0, 0);
    memset(&cb, 0xff, sizeof cb);
    io_prep_fdsync(&cb, 7);
    check(&cb, IO_CMD_FDSYNC, NULL, 0, 0, 0);
    memset(&cb, 0xff, sizeof cb);
    io_prep_poll(&cb, 7, POLLIN | POLLOUT);
    CHECK(as_kernel(&cb)->aio_buf == (POLLIN | POLLOUT));
    cb.u.poll.events = 0;
    check(&cb, IO_CMD_POLL, NULL, 0, 0, 0);

    io_set_eventfd(&cb, 9);
    CHECK(as_kernel(&cb)->aio_flags == IOCB_FLAG_RESFD && as_kernel(&cb)->aio_resfd == 9);
    io_set_callback(&cb, callback);
    CHECK(!memcmp(&cb.data, &callback, sizeof callback));
    cb.aio_lio_opcode = (short)command;
    CHECK(as_kernel(&cb)->aio_lio_opcode == 6);
}

int main(void)
{
    struct timespec now = {0, 0};
    struct io_event event;
    struct iocb cb;
    struct iocb *list[] = {&cb};
    io_context_t ctx = NULL;
    sigset_t mask;

    check_helpers();

    errno = 0;
    CHECK(setup(0, &ctx) == -EINVAL);
    CHECK(queue_init(0, &ctx) == -EINVAL);
    CHECK(queue_init(1, &ctx) == 0);
    CHECK(submit(ctx, 0, list) == 0);
    CHECK(io_fsync(ctx, &cb, on_completion, -1) == -EBADF);
    CHECK(io_fdsync(ctx, &cb, on_completion, -1) == -EBADF);
    CHECK(io_poll(ctx, &cb, on_completion, -1, POLLIN) == -EBADF);
    CHECK(cancel(ctx, &cb, &event) == -EINVAL);
    CHECK(getevents(ctx, 0, 1, &event, &now) == 0);
    sigemptyset(&mask);
    CHECK(pgetevents(ctx, 0, 1, &event, &now, &mask) == 0);
    CHECK(queue_run(ctx) == 0);
    CHECK(queue_release(ctx) == 0);
    CHECK(destroy(NULL) == -EINVAL);
    CHECK(errno == 0);
    return failures != 0;
}
