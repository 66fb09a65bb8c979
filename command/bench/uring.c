/* SPDX-License-Identifier: MIT */
/* io_uring by liburing: prepared one by one, submitted when there is something to
 * wait for, as its users do. */

#include "bench.h"

#include <errno.h>

#ifdef UAIO_HAVE_LIBURING
# include <liburing.h>
# include <stdlib.h>

# define MAX_ENTRIES 32768u

/* Of more requests than there are entries, the kernel keeps what is over. */
static int begin(struct engine *engine, char reason[REASON_MAX])
{
    struct io_uring *ring = must_allocate(1, sizeof *ring);
    unsigned entries = engine->depth < MAX_ENTRIES ? engine->depth : MAX_ENTRIES;
    int err;

    engine->own = ring;
    err = -io_uring_queue_init(entries, ring, 0);
    if (err)
        snprintf(reason, REASON_MAX, "io_uring_setup%s",
                 err == EPERM || err == ENOSYS ? " (not allowed here)" : "");
    return err;
}

/* Busy is who has not yet been told of too many that are done. */
static int submit(struct engine *engine, unsigned i)
{
    const struct request *r = &engine->requests[i];
    struct io_uring_sqe *sqe = io_uring_get_sqe(engine->own);

    if (!sqe) {
        int err = io_uring_submit(engine->own);
        if (err < 0)
            return err == -EBUSY ? EAGAIN : -err;
        sqe = io_uring_get_sqe(engine->own);
        if (!sqe)
            return EAGAIN;
    }
    if (r->write)
        io_uring_prep_write(sqe, r->fd, r->buffer, (unsigned)r->nbytes, (uint64_t)r->offset);
    else
        io_uring_prep_read(sqe, r->fd, r->buffer, (unsigned)r->nbytes, (uint64_t)r->offset);
    io_uring_sqe_set_data(sqe, (void *)(uintptr_t)i);
    return 0;
}

static int flush(struct engine *engine)
{
    int err = io_uring_submit(engine->own);

    return err < 0 && err != -EBUSY ? -err : 0;
}

static int reap(struct engine *engine)
{
    struct io_uring *ring = engine->own;
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;
    int err;

    do
        err = io_uring_submit_and_wait(ring, 1);
    while (err == -EINTR);
    if (err < 0 && err != -EBUSY)
        return -err;
    io_uring_for_each_cqe(ring, head, cqe)
    {
        engine->done(engine, (unsigned)(uintptr_t)io_uring_cqe_get_data(cqe), cqe->res);
        n++;
    }
    io_uring_cq_advance(ring, n);
    return 0;
}

static void end(struct engine *engine)
{
    io_uring_queue_exit(engine->own);
    free(engine->own);
}
#else
static int begin(struct engine *engine, char reason[REASON_MAX])
{
    (void)engine;
    snprintf(reason, REASON_MAX, "built without liburing");
    return ENOTSUP;
}

static int submit(struct engine *engine, unsigned i)
{
    (void)engine, (void)i;
    return ENOTSUP;
}

static int flush(struct engine *engine)
{
    (void)engine;
    return ENOTSUP;
}

static int reap(struct engine *engine)
{
    (void)engine;
    return ENOTSUP;
}

static void end(struct engine *engine)
{
    (void)engine;
}
#endif

const struct contender contender__io_uring = {
    .name = "io_uring",
    .title = "io_uring",
    .colour = "#2f9070",
    .open = begin,
    .submit = submit,
    .flush = flush,
    .reap = reap,
    .close = end,
};
