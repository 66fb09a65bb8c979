/* SPDX-License-Identifier: MIT */
/*
 * POSIX AIO, libc's and uaio's by its own names.  The oldest request is waited
 * for: a list of all in flight would cost more than the requests, at any depth.
 */

#include "bench.h"

#include <uaio/aio.h>

#include <aio.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct uaio_aiocb) == sizeof(struct aiocb), "their layout is the same");

struct calls {
    int (*read)(struct uaio_aiocb *cb);
    int (*write)(struct uaio_aiocb *cb);
    int (*error)(const struct uaio_aiocb *cb);
    ssize_t (*result)(struct uaio_aiocb *cb);
    int (*suspend)(const struct uaio_aiocb *const list[], int n, const struct timespec *timeout);
};

struct own {
    const struct calls *calls;
    struct uaio_aiocb *cbs;
    unsigned *order; /* a ring: which are in flight, in the order of submission */
    unsigned first, n;
};

/* ---- libc's ------------------------------------------------------------------------- */

static int libc_read(struct uaio_aiocb *cb)
{
    return aio_read((struct aiocb *)(void *)cb);
}

static int libc_write(struct uaio_aiocb *cb)
{
    return aio_write((struct aiocb *)(void *)cb);
}

static int libc_error(const struct uaio_aiocb *cb)
{
    return aio_error((const struct aiocb *)(const void *)cb);
}

static ssize_t libc_result(struct uaio_aiocb *cb)
{
    return aio_return((struct aiocb *)(void *)cb);
}

static int libc_suspend(const struct uaio_aiocb *const list[], int n,
                        const struct timespec *timeout)
{
    return aio_suspend((const struct aiocb *const *)(const void *)list, n, timeout);
}

static const struct calls libc_calls = {libc_read, libc_write, libc_error, libc_result,
                                        libc_suspend};
static const struct calls uaio_calls = {uaio_read, uaio_write, uaio_error, uaio_return,
                                        uaio_suspend};

/* Somebody may have preloaded us, and then there is nothing to compare with. */
static bool is_libcs_own(void)
{
    Dl_info here, there;

    return !dladdr((void *)(uintptr_t)aio_read, &here) ||
           !dladdr((void *)(uintptr_t)strtoull, &there) || here.dli_fbase == there.dli_fbase ||
           (here.dli_fname && strstr(here.dli_fname, "librt"));
}

/* ---- the contender -------------------------------------------------------------------- */

static int open_with(struct engine *engine, const struct calls *calls)
{
    struct own *own = must_allocate(1, sizeof *own);

    own->calls = calls;
    own->cbs = must_allocate(engine->depth, sizeof *own->cbs);
    engine->control_bytes = engine->depth * (sizeof *own->cbs + sizeof *own->order);
    own->order = must_allocate(engine->depth, sizeof *own->order);
    engine->own = own;
    return 0;
}

static int open_libc(struct engine *engine, char reason[REASON_MAX])
{
    if (!is_libcs_own()) {
        snprintf(reason, REASON_MAX, "aio_read() is not libc's: is something preloaded?");
        return ENOTSUP;
    }
    return open_with(engine, &libc_calls);
}

static int open_uaio(struct engine *engine, char reason[REASON_MAX])
{
    *reason = '\0';
    return open_with(engine, &uaio_calls);
}

static int submit(struct engine *engine, unsigned i)
{
    struct own *own = engine->own;
    const struct request *r = &engine->requests[i];
    struct uaio_aiocb *cb = &own->cbs[i];

    memset(cb, 0, sizeof *cb);
    cb->aio_fildes = r->fd;
    cb->aio_buf = r->buffer;
    cb->aio_nbytes = r->nbytes;
    cb->aio_offset = r->offset;
    cb->aio_sigevent.sigev_notify = SIGEV_NONE;
    if ((r->write ? own->calls->write(cb) : own->calls->read(cb)) != 0)
        return errno;
    own->order[(own->first + own->n++) % engine->depth] = i;
    return 0;
}

static int reap(struct engine *engine)
{
    struct own *own = engine->own;
    const struct uaio_aiocb *list[] = {&own->cbs[own->order[own->first]]};

    while (own->calls->error(list[0]) == EINPROGRESS)
        if (own->calls->suspend(list, 1, NULL) != 0 && errno != EINTR)
            return errno;
    while (own->n > 0) {
        unsigned i = own->order[own->first];
        int error = own->calls->error(&own->cbs[i]);
        ssize_t n;

        if (error == EINPROGRESS)
            break;
        n = own->calls->result(&own->cbs[i]);
        own->first = (own->first + 1) % engine->depth;
        own->n--;
        engine->done(engine, i, error ? -error : n);
    }
    return 0;
}

static void end(struct engine *engine)
{
    struct own *own = engine->own;

    free(own->order);
    free(own->cbs);
    free(own);
}

const struct contender contender__libc = {
    .name = "libc",
    .title = "POSIX AIO, libc",
    .colour = "#888888",
    .open = open_libc,
    .submit = submit,
    .reap = reap,
    .close = end,
};

const struct contender contender__uaio = {
    .name = "uaio",
    .title = "POSIX AIO, uaio",
    .colour = "#d1495b",
    .open = open_uaio,
    .submit = submit,
    .reap = reap,
    .close = end,
};
